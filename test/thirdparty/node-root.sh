# Recipe of node-SUITE, sourced by build.sh: a Debian root filesystem of a
# cluster's node, with containerd, runc, CNI plugins and what kubelet and
# kube-proxy call. Nothing is installed on the host.
. ./debian-root.sh

part_steps() { echo 1; }

build_part() { # NAME DIR
  [ "$(id -u)" = 0 ] ||
    { echo "third-party parts: debootstrap needs root: run make thirdparty-cluster as root" >&2; exit 1; }
  run "$1: Debian with $NODE_PACKAGES" make_root "${1#node-}" "${1#node-}" "$2" "$NODE_PACKAGES"
}

NODE_PACKAGES="containerd runc containernetworking-plugins iproute2 nftables conntrack kmod procps"

fill_root() { # RELEASE SUITE DIR PACKAGES MIRROR
  local suite=$2 dir=$3 packages=$4 mirror=$5
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
  chroot "$dir" runc --version && chroot "$dir" containerd --version
}
