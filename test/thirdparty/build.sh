#!/bin/bash
# Builds the third-party parts that the lab runs, once per version, into
# ${HERALD_CACHE:-~/.cache/herald}. `make thirdparty` calls it; done work is
# found by its stamp and takes no time. Safe to run several at once.
#
#   build.sh            what the lab runs
#   build.sh cluster    also what only a real cluster runs (make cluster, e2e)
#
# Each part is a directory, built beside its place and renamed into it, so that
# one that is there is complete. Its stamp holds the version and a hash of the
# recipe that made it.
set -euo pipefail
cd "$(dirname "$0")"
. ./versions
CACHE=${HERALD_CACHE:-$HOME/.cache/herald}
STAMP=.herald-stamp
PATH=$PATH:/usr/sbin:/sbin

# Part: name, recipe script, what its version is, files that make the recipe.
parts=(
  "kubernetes-$KUBERNETES kubernetes.sh $KUBERNETES kubernetes.sh kubernetes/go.mod kubernetes/tools.go etcd/go.mod etcd/main.go"
  "frr-$FRR_OLD debian-root.sh $FRR_OLD-$FRR_OLD_SUITE debian-root.sh"
  "frr-$FRR_NEW debian-root.sh $FRR_NEW-$FRR_NEW_SUITE debian-root.sh"
)
steps=6 # four binaries, two roots
case ${1:-} in
  '') ;;
  cluster)
    parts+=(
      "kubernetes-node-$KUBERNETES kubernetes-node.sh $KUBERNETES kubernetes-node.sh kubernetes.sh kubernetes-node/go.mod kubernetes-node/tools.go"
      "node-$NODE_SUITE node-root.sh $NODE_SUITE node-root.sh"
    )
    steps=10 # three binaries and a root more
    ;;
  *)
    echo "build.sh: unknown argument '$1': nothing, or cluster" >&2
    exit 2
    ;;
esac

# stamp_of VERSION FILE...: what a part's stamp must hold.
stamp_of() {
  local version=$1
  shift
  echo "$version $(cat "$@" | sha256sum | cut -c1-16)"
}

is_done() { [ "$(cat "$CACHE/$1/$STAMP" 2>/dev/null)" = "$2" ]; }

all_done() {
  local name recipe version files
  for part in "${parts[@]}"; do
    read -r name recipe version files <<<"$part"
    is_done "$name" "$(stamp_of "$version" $files)" || return 1
  done
}

if all_done; then
  echo "third-party parts: all there ($CACHE)"
  exit 0
fi

./deps.sh
mkdir -p "$CACHE/log"
exec 9>"$CACHE/.lock"
if ! flock -n 9; then
  echo "third-party parts: another build is running, waiting for it"
  flock 9
fi

step=0
# run TITLE COMMAND...: one step, with its time; its output goes to a log that
# is shown when it fails.
run() {
  local title=$1 log start
  shift
  step=$((step + 1))
  log=$CACHE/log/step-$step.log
  start=$SECONDS
  printf '[%d/%d] %s …' "$step" "$steps" "$title"
  if ! "$@" >"$log" 2>&1 9>&-; then
    printf ' failed\n'
    tail -n 25 "$log" >&2
    echo "third-party parts: $title failed; the whole log: $log" >&2
    exit 1
  fi
  printf ', took %d s\n' $((SECONDS - start))
}
skip() { # N: steps that are done already
  step=$((step + $1))
  printf '[%d/%d] %s: there already\n' "$step" "$steps" "$2"
}

work=
trap '[ -z "$work" ] || rm -rf --one-file-system "$work"' EXIT
for part in "${parts[@]}"; do
  read -r name recipe version files <<<"$part"
  stamp=$(stamp_of "$version" $files)
  . "./$recipe"
  if is_done "$name" "$stamp"; then
    skip "$(part_steps)" "$name"
    continue
  fi
  # Left-overs of builds that were killed: nobody else builds, we hold the lock.
  rm -rf --one-file-system "$CACHE/.$name".*
  work=$(mktemp -d "$CACHE/.$name.XXXXXX")
  chmod 755 "$work"
  build_part "$name" "$work"
  echo "$stamp" >"$work/$STAMP"
  [ ! -e "$CACHE/$name" ] || mv "$CACHE/$name" "$CACHE/.$name.old"
  mv "$work" "$CACHE/$name"
  work=
  rm -rf --one-file-system "$CACHE/.$name.old"
done
echo "third-party parts: complete ($CACHE)"
