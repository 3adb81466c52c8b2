#!/bin/sh
# Runs a test binary for "make test" (go test -exec), two packages at a time: the
# scenarios wait for real daemons most of their time, the other packages use the
# processors meanwhile but yield to them.
# envtest gives an API server 20 s to start, too few on a busy machine.
export KUBEBUILDER_CONTROLPLANE_START_TIMEOUT=120s KUBEBUILDER_CONTROLPLANE_STOP_TIMEOUT=120s
case $1 in
*/scenarios.test) ;;
*) exec nice -n 10 "$@" ;;
esac
# HERALD_GINKGO, Ginkgo's program with options, runs the scenarios in several processes,
# each with a site of its own. It runs a test binary in the directory where that lies.
[ -n "${HERALD_GINKGO:-}" ] || exec "$@"
HERALD_FAILURES=$(mktemp)
export HERALD_FAILURES
trap 'rm -f "$HERALD_FAILURES" scenarios.test' EXIT
trap 'exit 1' INT TERM
ln -sf "$1" scenarios.test
status=0
# shellcheck disable=SC2086 # options are words
$HERALD_GINKGO scenarios.test || status=$?
cat "$HERALD_FAILURES"
exit $status
