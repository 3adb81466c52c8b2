package exchange

import (
	"errors"
	"fmt"
	"net/netip"
)

const (
	// MaxVNI leaves room for the claims' VNI+1 (RFC 7348: 24 bits).
	MaxVNI = 1<<24 - 2
	// MinMTU of the tunnel is IPv6's (RFC 8200, section 5).
	MinMTU = 1280
	maxMTU = 65535
)

// Validate says what in it can't be done on any machine. Where neither Learn nor
// PathMTU asks for anything, Tunnel and Limits may be left out.
func (d Desired) Validate() error {
	if err := d.validateNodes(); err != nil {
		return err
	}
	seen := map[Frontend]bool{}
	for _, f := range d.Learn {
		if err := f.validate(); err != nil {
			return fmt.Errorf("learn: %w", err)
		}
		if seen[f] {
			return fmt.Errorf("learn: %s is there twice", f)
		}
		seen[f] = true
	}
	for name, list := range map[string][]netip.Addr{"pathMTU": d.PathMTU, "count": d.Count} {
		for _, a := range list {
			if err := checkAddress(a); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	if len(d.Learn) == 0 && len(d.PathMTU) == 0 && d.Tunnel == (Tunnel{}) {
		return nil
	}
	return errors.Join(d.Tunnel.validate(), d.Limits.validate())
}

func (d Desired) validateNodes() error {
	if err := checkFamilies(d.Addresses); err != nil {
		return fmt.Errorf("addresses: %w", err)
	}
	owner := map[netip.Addr]string{}
	for _, a := range d.Addresses {
		owner[a] = "this node"
	}
	names := map[string]bool{d.Node: true}
	for _, p := range d.Peers {
		if p.Node == "" || names[p.Node] {
			return fmt.Errorf("peers: name %q is empty, this node's or there twice", p.Node)
		}
		names[p.Node] = true
		if err := checkFamilies(p.Addresses); err != nil {
			return fmt.Errorf("peer %q: %w", p.Node, err)
		}
		for _, a := range p.Addresses {
			if owner[a] != "" {
				return fmt.Errorf("peer %q: %s is also that of %s", p.Node, a, owner[a])
			}
			owner[a] = p.Node
		}
	}
	return nil
}

func checkFamilies(of []netip.Addr) error {
	var four, six int
	for _, a := range of {
		if err := checkAddress(a); err != nil {
			return err
		}
		if a.Is4() {
			four++
		} else {
			six++
		}
	}
	if four > 1 || six > 1 {
		return fmt.Errorf("%v: more than one address of a family", of)
	}
	return nil
}

func checkAddress(a netip.Addr) error {
	if !a.IsValid() || a.Zone() != "" || a.Is4In6() || a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() {
		return fmt.Errorf("%q is no unicast address of a host", a)
	}
	return nil
}

// String is the frontend as people write it.
func (f Frontend) String() string {
	return fmt.Sprintf("%s %s", f.Protocol, netip.AddrPortFrom(f.Address, f.Port))
}

func (f Frontend) validate() error {
	if err := checkAddress(f.Address); err != nil {
		return err
	}
	if f.Protocol != TCP && f.Protocol != QUIC {
		return fmt.Errorf("%s: unknown protocol, want %s or %s", f, TCP, QUIC)
	}
	if f.Port == 0 {
		return fmt.Errorf("%s: no port", f)
	}
	return nil
}

func (t Tunnel) validate() error {
	switch {
	case t.Port == 0:
		return errors.New("tunnel: no port")
	case t.VNI == 0 || t.VNI > MaxVNI:
		return fmt.Errorf("tunnel: VNI %d, want 1 to %d", t.VNI, MaxVNI)
	case t.MTU != 0 && (t.MTU < MinMTU || t.MTU > maxMTU):
		return fmt.Errorf("tunnel: MTU %d, want 0 or %d to %d", t.MTU, MinMTU, maxMTU)
	}
	return nil
}

func (l Limits) validate() error {
	if l.FloodsPerSecond < 1 || l.LearnedFlows < 1 {
		return fmt.Errorf("limits: floodsPerSecond %d, learnedFlows %d: want 1 or more", l.FloodsPerSecond, l.LearnedFlows)
	}
	return nil
}
