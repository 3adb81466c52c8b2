#!/bin/bash
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
# Beside the binary, in a directory that go removes.
export HERALD_FAILURES=$1.failures
: >"$HERALD_FAILURES"
trap 'rm -f scenarios.test' EXIT
ln -sf "$1" scenarios.test

# What ends this script ends Ginkgo and its processes, a process group of their own: ^C,
# and go's SIGQUIT when the time is up, which Ginkgo's program would ignore. They clean up
# and report; what doesn't end within HERALD_GRACE seconds is killed, and so is all when
# this script is.
set -m
interrupted='' watched='' told=''
interrupt() {
	trap '' INT TERM QUIT # one is enough: a second one would keep Ginkgo from cleaning up
	interrupted=1
	forward
}
forward() {
	if [ -n "$interrupted" ] && [ -n "$watched" ] && [ -z "$told" ]; then
		told=1
		kill -INT -- "-$ginkgo"
		echo >&9
	fi
}
trap interrupt INT TERM QUIT
# shellcheck disable=SC2086 # options are words
$HERALD_GINKGO scenarios.test </dev/null &
ginkgo=$!
mkfifo "$1.alive"
{ # ends with this script, which alone has the other end
	read -r _ && read -r -t "${HERALD_GRACE:-120}" _
	kill -KILL -- "-$ginkgo"
} <"$1.alive" >/dev/null 2>&1 &
exec 9>"$1.alive"
watched=1
forward
wait "$ginkgo"
status=$?
if [ -n "$told" ]; then # perhaps before Ginkgo's end: wait for that too
	wait "$ginkgo"
	status=$?
fi
cat "$HERALD_FAILURES"
exit $status
