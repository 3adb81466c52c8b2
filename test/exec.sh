#!/bin/sh
# Runs a test binary for "make test" (go test -exec), two packages at a time: the
# scenarios wait for real daemons most of their time, the other packages use the
# processors meanwhile but yield to them.
case $1 in
*/scenarios.test) exec "$@" ;;
*) exec nice -n 10 "$@" ;;
esac
