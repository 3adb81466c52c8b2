package exchange

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzDecode: a file is what its header says, or it is refused.
func FuzzDecode(f *testing.F) {
	f.Add(NewFile("v1.2.3", "boot", []byte("router bgp 1\n")).Encode())
	f.Add(NewFile("", "", nil).Encode())
	f.Add([]byte("! herald v1 abc boot\n"))
	f.Add([]byte("hostname x\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Decode(data)
		if err != nil {
			return
		}
		again, err := Decode(file.Encode())
		if err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		if diff := cmp.Diff(file, again); diff != "" {
			t.Errorf("%q: %s", data, diff)
		}
	})
}
