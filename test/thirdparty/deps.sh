#!/bin/bash
# Installs the Debian or Ubuntu packages that building the third-party parts and
# running the lab needs, and only those that are missing. `make deps` calls it.
set -euo pipefail

# What must be there, and the package that has it.
needs=(
  "command ip iproute2"
  "command nft nftables"
  "command unshare util-linux"
  "command nsenter util-linux"
  "command flock util-linux"
  "command ps procps"
  "command debootstrap debootstrap"
  "command conntrack conntrack"
  "command curl curl"
  "file /usr/share/keyrings/debian-archive-keyring.gpg debian-archive-keyring"
  "file /etc/ssl/certs/ca-certificates.crt ca-certificates"
)

PATH=$PATH:/usr/sbin:/sbin
missing=()
for need in "${needs[@]}"; do
  read -r kind what package <<<"$need"
  case $kind in
    command) command -v "$what" >/dev/null || missing+=("$package") ;;
    file) [ -s "$what" ] || missing+=("$package") ;;
  esac
done

if ! command -v go >/dev/null; then
  echo "deps: go is not in PATH: install Go 1.26 or newer (https://go.dev/dl/)" >&2
  exit 1
fi
[ ${#missing[@]} -eq 0 ] && exit 0

mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
if ! command -v apt-get >/dev/null; then
  echo "deps: please install what holds these Debian packages' commands: ${missing[*]}" >&2
  exit 1
fi
if [ "$(id -u)" != 0 ]; then
  echo "deps: packages are missing: run as root: apt-get install ${missing[*]}" >&2
  exit 1
fi

echo "deps: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() { apt-get install -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1; }
# The package lists are refreshed only where they are missing or too old.
if ! install && ! { apt-get update >>"$log" 2>&1 && install; }; then
  tail -n 20 "$log" >&2
  echo "deps: apt-get could not install: ${missing[*]}" >&2
  exit 1
fi
