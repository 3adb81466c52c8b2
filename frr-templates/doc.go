// Package frrtemplates turns a Config into the text of frr.conf.
//
// Stage: render. Input: Config, complete and ordered. Output: bytes, the same
// for the same Config. It never decides, orders, numbers, names or escapes by
// what a template says: all of that is done in Go, here (names.go) or in
// controllers/compile. It imports no Kubernetes package.
//
// What it renders is, line for line, what FRR prints back in "show
// running-config"; the goldens in testdata are loaded into real FRR to prove it.
package frrtemplates
