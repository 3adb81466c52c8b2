package frrtemplates

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSecretIsNeverPrinted(t *testing.T) {
	neighbor := sample().Routers[0].Neighbors[0]
	encoded, err := json.Marshal(neighbor)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "neighbor", neighbor, "password", neighbor.Password)
	all := string(encoded) + log.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%c", "%t"} {
		all += fmt.Sprintf(verb, any(neighbor)) + fmt.Sprintf(verb, any(neighbor.Password)) + fmt.Sprintf(verb, any(&neighbor)) +
			fmt.Sprintf(verb, any(struct{ inner Secret }{neighbor.Password}))
	}
	if strings.Contains(all, "hush") || strings.Contains(all, fmt.Sprintf("%x", "hush")) {
		t.Error(all)
	}
	if !strings.Contains(all, "***") || NewSecret("").String() != "" {
		t.Error("a password is not told from none")
	}
}

func TestSecretsOfOnePasswordAreEqual(t *testing.T) {
	if one, other := NewSecret("a"), NewSecret("a"); one != other || one == NewSecret("b") || NewSecret("") != (Secret{}) {
		t.Error("equality")
	}
	if NewSecret("a").Reveal() != "a" || (Secret{}).Reveal() != "" {
		t.Error("Reveal")
	}
}
