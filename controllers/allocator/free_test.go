package allocator

import (
	"math/rand"
	"net/netip"
	"testing"

	"github.com/herald-lb/herald/controllers/pools"
)

// intervals of a set, to compare them.
func (f *freeSet) list() []string {
	var all []string
	f.intervals.Ascend(func(b pools.Block) bool {
		all = append(all, b.String())
		return true
	})
	return all
}

func block(t testing.TB, text string) pools.Block {
	t.Helper()
	b, err := pools.ParseBlock(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFreeSetSplitsAndJoins(t *testing.T) {
	f := newFreeSet(false)
	f.add(block(t, "2001:db8::/64"))
	middle := netip.MustParseAddr("2001:db8::5")
	if !f.take(middle) || f.take(middle) {
		t.Fatal("an address is taken once")
	}
	if got := f.list(); len(got) != 2 {
		t.Fatalf("intervals %v", got)
	}
	if f.take(netip.MustParseAddr("2001:db8:1::")) {
		t.Fatal("took an address outside")
	}
	f.release(middle)
	if got := f.list(); len(got) != 1 || got[0] != "2001:db8::-2001:db8::ffff:ffff:ffff:ffff" {
		t.Fatalf("intervals %v", got)
	}
}

// The ends of a family have no neighbour on one side.
func TestFreeSetAtTheEndsOfAFamily(t *testing.T) {
	f := newFreeSet(false)
	zero, ones := netip.MustParseAddr("::"), netip.MustParseAddr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
	f.add(pools.Block{First: zero, Last: ones})
	for _, end := range []netip.Addr{zero, ones} {
		if !f.take(end) {
			t.Fatalf("take %s", end)
		}
	}
	f.release(ones)
	f.release(zero)
	if got := f.list(); len(got) != 1 {
		t.Fatalf("intervals %v", got)
	}
}

// Against a plain list of addresses, with random takes and releases.
func TestFreeSetAgainstAModel(t *testing.T) {
	const seed, size = 1, 256
	random := rand.New(rand.NewSource(seed))
	f := newFreeSet(false)
	f.add(block(t, "203.0.113.0/24"))
	var free [size]bool
	for i := range free {
		free[i] = true
	}
	for step := range 20_000 {
		n := random.Intn(size)
		addr := netip.AddrFrom4([4]byte{203, 0, 113, byte(n)})
		if free[n] {
			if !f.take(addr) {
				t.Fatalf("step %d: take %s refused", step, addr)
			}
		} else {
			f.release(addr)
		}
		free[n] = !free[n]
		want, wantOK := -1, false
		for i, is := range free {
			if is {
				want, wantOK = i, true
				break
			}
		}
		got, ok := f.lowest()
		if ok != wantOK || ok && int(got.As4()[3]) != want {
			t.Fatalf("step %d: lowest %s %v, want .%d", step, got, ok, want)
		}
	}
}
