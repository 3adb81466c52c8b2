# Recipe of frr-RELEASE, sourced by build.sh: a Debian root filesystem with FRR
# and what tests run beside it. Nothing is installed on the host.

part_steps() { echo 1; }

build_part() { # NAME DIR
  local name=$1 dir=$2 suite packages="frr frr-pythontools tini iproute2"
  case $name in
    "frr-$FRR_OLD") suite=$FRR_OLD_SUITE packages="$packages bird2 gobgpd" ;;
    *) suite=$FRR_NEW_SUITE ;;
  esac
  [ "$(id -u)" = 0 ] ||
    { echo "third-party parts: debootstrap needs root: run make thirdparty as root" >&2; exit 1; }
  run "$name: Debian $suite with ${packages// /, }" make_root "${name#frr-}" "$suite" "$dir" "$packages"
}

# make_root RELEASE SUITE DIR PACKAGES. In mount and PID namespaces of its own,
# so that an interrupted build leaves no mount and no process.
make_root() {
  local mirror
  mirror=$(debian_mirror)
  export DEBIAN_FRONTEND=noninteractive LC_ALL=C
  unshare --mount --propagation private --pid --fork --kill-child --mount-proc \
    bash -euo pipefail -c "$(declare -f fill_root); fill_root \"\$@\"" bash "$@" "$mirror"
}

fill_root() { # RELEASE SUITE DIR PACKAGES MIRROR
  local release=$1 suite=$2 dir=$3 packages=$4 mirror=$5
  debootstrap --variant=minbase --include=ca-certificates "$suite" "$dir" $mirror
  # No daemon may start while packages are configured.
  printf '#!/bin/sh\nexit 101\n' >"$dir/usr/sbin/policy-rc.d"
  chmod 755 "$dir/usr/sbin/policy-rc.d"
  mountpoint -q "$dir/proc" || mount -t proc proc "$dir/proc"
  chroot "$dir" apt-get update
  chroot "$dir" apt-get install -y --no-install-recommends $packages
  chroot "$dir" apt-get clean
  rm -rf "$dir"/var/lib/apt/lists/* "$dir"/var/cache/apt/*.bin "$dir"/var/log/*.log \
    "$dir"/usr/share/{doc,man,locale}/*
  chroot "$dir" /usr/lib/frr/bgpd --version | grep -q "version $release" ||
    { echo "Debian $suite has another FRR than $release:"; chroot "$dir" /usr/lib/frr/bgpd --version; exit 1; }
}

# debian_mirror prints the mirror that a Debian host itself uses, nothing on
# other hosts (debootstrap then has a default of its own).
debian_mirror() {
  local ID='' VERSION_CODENAME=''
  . /etc/os-release
  [ "$ID" = debian ] && [ -n "$VERSION_CODENAME" ] || return 0
  { for file in /etc/apt/sources.list.d/*.sources; do
      deb822_uris "$VERSION_CODENAME" <"$file"
    done
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list | classic_uris "$VERSION_CODENAME"
  } 2>/dev/null | grep -m1 '^https\?:' || true
}

# deb822_uris SUITE: the first URI of each stanza that has the suite.
deb822_uris() {
  awk -v suite="$1" '
    function flush() { if (enabled && has && uri != "") print uri; uri = ""; has = 0; enabled = 1 }
    BEGIN { enabled = 1 }
    /^[ \t]*$/ { flush(); next }
    /^#/ { next }
    tolower($1) == "uris:" { uri = $2 }
    tolower($1) == "enabled:" && tolower($2) == "no" { enabled = 0 }
    tolower($1) == "suites:" { for (i = 2; i <= NF; i++) if ($i == suite) has = 1 }
    END { flush() }'
}

# classic_uris SUITE: "deb [options] URI SUITE components".
classic_uris() {
  sed -n 's/^[ \t]*deb[ \t]\+\(\[[^]]*\][ \t]*\)\?//p' | awk -v suite="$1" '$2 == suite { print $1 }'
}
