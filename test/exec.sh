#!/bin/sh
# Runs a test binary for "make test" (go test -exec), two packages at a time: the
# scenarios wait for real daemons most of their time, the other packages use the
# processors meanwhile but yield to them.
# envtest gives an API server 20 s to start, too few on a busy machine.
export KUBEBUILDER_CONTROLPLANE_START_TIMEOUT=120s KUBEBUILDER_CONTROLPLANE_STOP_TIMEOUT=120s
case $1 in
*/scenarios.test) exec "$@" ;;
*) exec nice -n 10 "$@" ;;
esac
