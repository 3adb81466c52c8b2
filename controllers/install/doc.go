// Package install makes Herald's two DaemonSets out of the Herald object.
//
// Stage: beside the way of configurations. Input: a HeraldSpec, and what the
// manager knows of itself (Self). Output: the DaemonSets herald-frr and
// herald-agent as configurations to apply; or an error that says what is missing.
// It is pure. All else that an installation has (ServiceAccounts, roles, the
// script that starts FRR) are static manifests in config/.
//
// FRR's pods are made of the Herald object only, never of Herald's version, so
// that upgrading Herald never restarts FRR; a golden in testdata holds that.
package install
