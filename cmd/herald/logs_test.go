package main

import (
	"strings"
	"testing"

	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/herald-lb/herald/api/v1alpha1"
)

func TestLogLevelChangesLive(t *testing.T) {
	set, err := setupLogs("error")
	if err != nil {
		t.Fatal(err)
	}
	debugs := func(want bool) {
		t.Helper()
		if got := ctrl.Log.WithName("x").V(1).Enabled(); got != want {
			t.Errorf("debug is %v, want %v", got, want)
		}
	}
	debugs(false)
	set("debug")
	debugs(true)
	set(v1alpha1.LogLevel("info"))
	debugs(false)
	if !ctrl.Log.Enabled() {
		t.Error("info is off")
	}
	set("")
	if ctrl.Log.Enabled() {
		t.Error("without a level it is not that of the start")
	}
	if _, err := setupLogs("loud"); err == nil || !strings.Contains(err.Error(), "use debug, info or error") {
		t.Error(err)
	}
}
