package snapshot

import (
	"os"
	"path/filepath"
	"strings"
)

// SysctlRoot is where the kernel shows its sysctls.
const SysctlRoot = "/proc/sys"

// ReadHost asks the kernel, under root (SysctlRoot), whether it forwards packets
// of each family. A family that the kernel does not have is not forwarded.
func ReadHost(root string) (Host, error) {
	var host Host
	var err error
	if host.Forwarding.IPv4, err = isOn(root, "net/ipv4/ip_forward"); err != nil {
		return Host{}, err
	}
	host.Forwarding.IPv6, err = isOn(root, "net/ipv6/conf/all/forwarding")
	return host, err
}

func isOn(root, sysctl string) (bool, error) {
	value, err := os.ReadFile(filepath.Join(root, sysctl))
	if os.IsNotExist(err) {
		return false, nil
	}
	// net.ipv6.conf.all.forwarding can be 2 too: forwarding on some interfaces.
	return strings.TrimSpace(string(value)) != "0", err
}
