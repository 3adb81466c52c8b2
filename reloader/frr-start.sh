#!/bin/sh
# frr-start.sh starts FRR in its container: the stock FRR image, host network,
# root. It is the container's command:
#
#   frr-start.sh
#   frr-start.sh stop SECONDS    the container's preStop hook, which takes as long at most
#
# It refuses to start beside another FRR of the node, takes the configuration
# that the reloader applied last, and hands over to watchfrr. Prefixes are only
# taken over within one boot of the node: after a reboot nothing is known yet
# about the node's dataplane, so the sessions come up and announce nothing.
#
# It never changes a sysctl, an interface or anything outside FRR's directories,
# but for routes that FRR left in the kernel.
set -u

run=${FRR_RUN_DIR:-/run/frr}
etc=${FRR_ETC_DIR:-/etc/frr}
lib=${FRR_LIB_DIR:-/usr/lib/frr}
exchange=${HERALD_EXCHANGE_DIR:-/run/herald/exchange}
startup=$run/startup.conf
# How long the sockets of a killed predecessor may take to go away.
patience=${FRR_START_PATIENCE:-5}

# start_zebra removes the discard routes of a zebra that was killed and becomes
# the next one: FRR 10 would take them for its own and never remove them, also
# when their aggregates are gone (FRR issue 21824). It puts back those that it is
# configured to have.
start_zebra() {
	awk '/^vrf / { vrf = $2 } /^exit-vrf/ { vrf = "" }
		/^ ?ip(v6)? route [^ ]+ blackhole 254$/ { print $1, $3, vrf }' "$startup" |
		while read -r family prefix vrf; do
			[ "$family" = ip ] && version=-4 || version=-6
			# 196 is staticd's mark, which FRR's packages name differently.
			ip "$version" route del blackhole "$prefix" ${vrf:+vrf "$vrf"} proto 196 metric 20 2>/dev/null
		done
	exec "$@"
}

# start_mgmtd starts mgmtd, which FRR 10 has, and loads its part of the configuration
# before anyone else finds its socket: what FRR 10.0 to 10.3 load into mgmtd is thrown
# away, without a word, when another session ends meanwhile, if that only asked for
# the version (FRR issue 18541). That watchfrr.sh loads the file once more changes nothing.
start_mgmtd() {
	hidden=$run/mgmtd
	mkdir -p "$hidden" && chown frr:frr "$hidden" && chmod 700 "$hidden" || exec "$@"
	"$@" --vty_socket "$hidden" || exit
	vtysh --vty_socket "$hidden" -b -d mgmtd
	mv "$hidden/mgmtd.vty" "$run/mgmtd.vty"
}

# stop lets the agent give the node's routes up before FRR ends: the routers are told
# to prefer other nodes (RFC 8326), and then the routes are withdrawn. Where no agent
# answers it waits for nobody.
stop() {
	# A kubelet that has restarted calls this again: then the answer stands.
	[ -e "$exchange/frr-ending" ] || rm -f "$exchange/frr-stop"
	: >"$exchange/frr-ending" || return
	waited=0
	limit=$patience
	while [ "$waited" -lt "$limit" ] && [ "$waited" -lt "$1" ]; do
		sleep 1
		waited=$((waited + 1))
		read -r answer seconds 2>/dev/null <"$exchange/frr-stop" || continue
		[ "$answer" = now ] && return
		[ "$answer" = wait ] && limit=${seconds:-$limit}
	done
}

# refuse tells the reason where people and the reloader look, and ends.
refuse() {
	echo "frr-start: $*" >&2
	echo "$*" >"$run/start-error" 2>/dev/null
	exit 1
}

# foreign_socket prints a socket of a running FRR in this network namespace:
# nothing of ours runs yet.
foreign_socket() {
	awk '$8 ~ /\/(zebra\.vty|bgpd\.vty|zserv\.api)$/ { print $8; exit }' /proc/net/unix
}

# foreign_listener prints who listens on BGP's port 179 (hex 00B3), if anyone.
foreign_listener() {
	cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
		awk '$4 == "0A" && $2 ~ /:00B3$/ { print "TCP port 179"; exit }'
}

# refuse_without_capabilities: FRR's daemons end at once without these, and say so
# less clearly. The kernel numbers them (capabilities(7)).
refuse_without_capabilities() {
	has=0x$(awk '/^CapEff:/ { print $2 }' /proc/self/status)
	lacking=
	for capability in SETGID:6 SETUID:7 NET_BIND_SERVICE:10 NET_ADMIN:12 NET_RAW:13 SYS_ADMIN:21; do
		[ $((has >> ${capability#*:} & 1)) -eq 1 ] || lacking="$lacking ${capability%:*}"
	done
	[ -z "$lacking" ] ||
		refuse "FRR's container lacks the capabilities$lacking: have whatever restricts pods on this node (Pod Security, SecurityContextConstraints, the runtime) allow what DaemonSet herald-frr asks for"
}

refuse_beside_another() {
	while :; do
		socket=$(foreign_socket)
		listener=$(foreign_listener)
		[ -z "$socket$listener" ] && return
		[ "$patience" -le 0 ] && break
		patience=$((patience - 1))
		sleep 1
	done
	[ -n "$socket" ] &&
		refuse "another FRR runs on this node (socket $socket): stop and disable it (systemctl disable --now frr), or exclude the node from Herald"
	refuse "another BGP speaker listens on $listener of this node: stop it, or exclude the node from Herald"
}

# prepare_directories gives FRR's user its run directory; sockets of another
# image's user would be in the way.
prepare_directories() {
	mkdir -p "$run" "$etc" || refuse "$run or $etc can't be made: mount them writable"
	chown frr:frr "$run" && chmod 755 "$run" ||
		refuse "$run can't be given to FRR's user: run the container as root, in FRR's image"
	rm -f "$run"/*.vty "$run"/*.pid "$run"/*.sock "$run/zserv.api" "$run/start-error" \
		"$exchange/frr-ending" "$exchange/frr-stop"
}

body_hash() { sed 1d "$1" | sha256sum | cut -d' ' -f1; }

# whole says whether a startup file is what its header says.
whole() {
	[ "$(head -n 1 "$1" | cut -d' ' -f1-2)" = "! herald" ] &&
		[ "$(head -n 1 "$1" | cut -d' ' -f4)" = "$(body_hash "$1")" ]
}

# without_prefixes rewrites the startup file for another boot: structure only,
# no discard route of an aggregate that isn't announced, no promise of preserved
# forwarding (RFC 4724 section 4.1), the new boot's id.
without_prefixes() {
	version=$(head -n 1 "$startup" | cut -d' ' -f3)
	umask 077
	{
		echo "! herald placeholder"
		sed -e 1d "$startup" | sed \
			-e '/^! applied /d' \
			-e '/^  network /d' \
			-e '/^ *ip\(v6\)\{0,1\} route .* blackhole 254$/d' \
			-e '/^ bgp graceful-restart preserve-fw-state$/d'
	} >"$startup.new" &&
		hash=$(body_hash "$startup.new") &&
		sed -e "1s/.*/! herald $version $hash $1/" "$startup.new" >"$startup.boot" &&
		mv "$startup.boot" "$startup" && rm -f "$startup.new" ||
		refuse "$startup can't be rewritten: make room in $run"
}

# choose_startup leaves in $startup what FRR shall load.
choose_startup() {
	boot=$(cat /proc/sys/kernel/random/boot_id) || refuse "no boot id: mount /proc"
	if [ -s "$startup" ] && ! whole "$startup"; then
		echo "frr-start: $startup is damaged and left out; the reloader will apply the configuration again" >&2
		rm -f "$startup"
	fi
	if [ ! -s "$startup" ]; then
		(umask 077 && : >"$startup") || refuse "$startup can't be written: make room in $run"
	elif [ "$(head -n 1 "$startup" | cut -d' ' -f5)" != "$boot" ]; then
		echo "frr-start: the node was rebooted: starting without prefixes" >&2
		without_prefixes "$boot"
	fi
}

# configure_frr: frr.conf is a link, so that a single daemon which watchfrr
# restarts loads what was applied by then. The profile is explicit: "datacenter"
# would switch off RFC 8212. This script starts zebra and mgmtd. No daemon opens a TCP port
# for its vty, and the table of open files stays small.
configure_frr() {
	ln -sf "$startup" "$etc/frr.conf" &&
		echo "service integrated-vtysh-config" >"$etc/vtysh.conf" &&
		cat >"$etc/daemons" <<-DAEMONS || refuse "$etc can't be written: mount it writable"
			zebra=yes
			bgpd=yes
			bfdd=yes
			vtysh_enable=yes
			frr_profile="traditional"
			zebra_wrap="/bin/sh $self start-zebra"
			mgmtd_wrap="/bin/sh $self start-mgmtd"
			zebra_options="-P 0 -s 90000000"
			mgmtd_options="-P 0"
			bgpd_options="-P 0"
			bfdd_options="-P 0"
			staticd_options="-P 0"
			MAX_FDS=1024
		DAEMONS
}

case ${1:-} in
start-zebra)
	shift
	start_zebra "$@"
	;;
start-mgmtd)
	shift
	start_mgmtd "$@"
	exit
	;;
stop)
	stop "${2:-0}"
	exit 0
	;;
esac
# Not where a link of a volume leads to now: that moves when the volume changes.
self=$(cd "$(dirname "$0")" && pwd)/$(basename "$0")
[ -x "$lib/watchfrr" ] || refuse "no $lib/watchfrr: this is not FRR's image; set spec.frrImage of the Herald object"
mkdir -p "$run" 2>/dev/null
refuse_without_capabilities
refuse_beside_another
prepare_directories
choose_startup
configure_frr

daemons="zebra bgpd bfdd staticd"
[ -x "$lib/mgmtd" ] && daemons="zebra mgmtd bgpd bfdd staticd"
ulimit -n 1024
# As the container's first process, let tini reap what daemons leave behind.
init=
if [ $$ -eq 1 ]; then
	init=$(command -v tini) && init="$init --"
fi
# A daemon that dies is started again at once, and at most each minute.
# shellcheck disable=SC2086
exec $init "$lib/watchfrr" --min-restart-interval 1 --max-restart-interval 60 $daemons
