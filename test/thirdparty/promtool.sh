#!/bin/bash
# Prints where promtool is, Prometheus' own checker of rules: the one in PATH, or
# that of the Debian or Ubuntu package "prometheus", taken out of the package once
# into ${HERALD_CACHE:-~/.cache/herald}. The package isn't installed: it would start
# a server. Needs no root where apt's package lists are there.
set -euo pipefail
if command -v promtool; then
  exit 0
fi
CACHE=${HERALD_CACHE:-$HOME/.cache/herald}
tool=$CACHE/tools/promtool/promtool
if [ -x "$tool" ]; then
  echo "$tool"
  exit 0
fi

remedy="install Prometheus' promtool and put it into PATH (Debian and Ubuntu: package prometheus)"
if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
  echo "promtool: $remedy" >&2
  exit 1
fi
mkdir -p "$CACHE/tools"
dir=$(mktemp -d "$CACHE/tools/.promtool.XXXXXX")
trap 'rm -rf "$dir"' EXIT
cd "$dir"
download() { apt-get download prometheus >>log 2>&1; }
# The package lists are refreshed only where they are missing or too old.
if ! download && ! { apt-get update >>log 2>&1 && download; }; then
  tail -n 20 log >&2
  echo "promtool: apt-get could not download package prometheus: $remedy" >&2
  exit 1
fi
dpkg-deb -x prometheus_*.deb package
mkdir done
mv package/usr/bin/promtool done/promtool
# Whoever was first has it: two may run at once.
mv -T done "${tool%/*}" 2>/dev/null || [ -x "$tool" ]
echo "$tool"
