#!/bin/bash
# Runs every fuzz target of the module for FUZZTIME each (default 20s). Seeds are
# committed: those in the tests run with every `go test`; what fuzzing finds is
# written to testdata/fuzz, to be committed with the fix.
set -euo pipefail
cd "$(dirname "$0")/.."

failed=()
ran=0
while read -r package; do
  for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
    echo "fuzz: $package $target"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-20s}" "$package" || failed+=("$package $target")
    ran=$((ran + 1))
  done
done < <(grep -rlE --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u)

[ "$ran" -gt 0 ] || { echo "fuzz: no targets found" >&2; exit 1; }
if [ ${#failed[@]} -gt 0 ]; then
  printf 'fuzz: failed: %s\n' "${failed[@]}" >&2
  exit 1
fi
echo "fuzz: $ran targets, ${FUZZTIME:-20s} each: ok"
