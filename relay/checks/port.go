package checks

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"

	"github.com/herald-lb/herald/relay/exchange"
	"github.com/herald-lb/herald/relay/tunnel"
)

// portInUse: by another VXLAN, or by whatever else listens on it. The relay's own
// devices hold it once they are there.
func portInUse(port uint16, links []netlink.Link) *exchange.Problem {
	own := false
	for _, l := range links {
		vxlan, ok := l.(*netlink.Vxlan)
		if !ok || vxlan.Port != int(port) {
			continue
		}
		if name := vxlan.Attrs().Name; name != tunnel.Data && name != tunnel.Claim {
			p := problem(exchange.ReasonPort, "UDP port %d belongs to the VXLAN device %s: give the tunnel another port", port, name)
			return &p
		}
		own = true
	}
	if own {
		return nil
	}
	for _, file := range []string{"/proc/thread-self/net/udp", "/proc/thread-self/net/udp6"} {
		used, err := listens(file, port)
		if err == nil && used {
			p := problem(exchange.ReasonPort, "UDP port %d is in use on this node (see ss -ulnp): give the tunnel another port", port)
			return &p
		}
	}
	return nil
}

// listens reads a table of sockets, whose second column is ADDRESS:PORT in hex.
func listens(file string, port uint16) (bool, error) {
	f, err := os.Open(file)
	if err != nil {
		return false, fmt.Errorf("sockets: %w", err)
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		columns := strings.Fields(lines.Text())
		if len(columns) < 2 {
			continue
		}
		_, hex, found := strings.Cut(columns[1], ":")
		if n, err := strconv.ParseUint(hex, 16, 16); found && err == nil && n == uint64(port) {
			return true, nil
		}
	}
	return false, lines.Err()
}
