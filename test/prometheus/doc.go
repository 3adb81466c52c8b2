// Package prometheus checks config/prometheus by Prometheus' own engine: each alert
// fires when it should and not before, and the dashboard asks for metrics that
// exist. It is a module of its own, so that Herald's doesn't need Prometheus'.
//
// rules_test.yaml is in the format of "promtool test rules", and promtool runs it too:
// Debian's, an older Prometheus than the engine's.
package prometheus
