package apply

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/herald-lb/herald/reloader/plan"
	"github.com/herald-lb/herald/reloader/vty"
)

// Daemons that hold configuration. mgmtd exists from FRR 9 on.
var (
	neededDaemons   = []string{plan.BGPDaemon, "zebra"}
	optionalDaemons = []string{"staticd", "bfdd", "mgmtd"}
)

// FRR is a running FRR as seen through its vty sockets, for one epoch.
type FRR struct {
	Tools *Tools
	// Timeout of one vty command, 0 for the default.
	Timeout time.Duration

	version Version
	bgpd    *vty.Conn
	// vtyNetworks says whether bgpd takes "network" lines on its socket.
	vtyNetworks capability
}

type capability int

const (
	unknown capability = iota
	available
	missing
)

// Socket is a daemon's vty socket.
func (f *FRR) Socket(daemon string) string {
	return filepath.Join(f.Tools.RunDir, daemon+".vty")
}

// Connect starts an epoch. The error is an *UnsupportedError where FRR answers
// and is too old.
func (f *FRR) Connect(ctx context.Context) error {
	f.Disconnect()
	conn, err := vty.Dial(ctx, plan.BGPDaemon, f.Socket(plan.BGPDaemon), f.Timeout)
	if err != nil {
		return err
	}
	output, err := conn.Exec("show version")
	if err == nil {
		f.version, err = parseVersion(output)
	}
	if err == nil && f.version.Less(oldest) {
		err = &UnsupportedError{Version: f.version}
	}
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	f.bgpd, f.vtyNetworks = conn, unknown
	return nil
}

// Disconnect ends the epoch.
func (f *FRR) Disconnect() {
	if f.bgpd != nil {
		_ = f.bgpd.Close()
		f.bgpd = nil
	}
}

// age of bgpd: it makes its socket when it starts.
func (f *FRR) age() time.Duration {
	info, err := os.Stat(f.Socket(plan.BGPDaemon))
	if err != nil {
		return 0
	}
	return time.Since(info.ModTime())
}

// Connected says whether the epoch still holds.
func (f *FRR) Connected() bool { return f.bgpd != nil && !f.bgpd.Broken() }

// Ping finds out whether the epoch still holds.
func (f *FRR) Ping() {
	if f.bgpd != nil {
		_, _ = f.bgpd.Exec("enable")
	}
}

// Version of the epoch's FRR.
func (f *FRR) Version() Version { return f.version }

// ReadState reads each daemon's own running configuration.
func (f *FRR) ReadState(ctx context.Context) (*plan.State, error) {
	state := &plan.State{Daemons: map[string]*plan.Config{}, Quirks: f.version.quirks()}
	for _, daemon := range neededDaemons {
		config, err := f.readDaemon(ctx, daemon)
		if err != nil {
			return nil, err
		}
		state.Daemons[daemon] = config
	}
	for _, daemon := range optionalDaemons {
		// One that isn't there or doesn't answer must not keep BGP from working:
		// what it should have is then missing and FRR's tools say so.
		if config, err := f.readDaemon(ctx, daemon); err == nil {
			state.Daemons[daemon] = config
		}
	}
	return state, nil
}

func (f *FRR) readDaemon(ctx context.Context, daemon string) (*plan.Config, error) {
	conn := f.bgpd
	if daemon != plan.BGPDaemon {
		var err error
		if conn, err = vty.Dial(ctx, daemon, f.Socket(daemon), f.Timeout); err != nil {
			return nil, err
		}
		defer func() { _ = conn.Close() }()
	}
	text, err := conn.Exec("show running-config")
	if err != nil {
		return nil, err
	}
	return plan.Parse(text), nil
}

// WriteNetworks runs batches of "network" commands: over bgpd's socket, or by
// vtysh where this FRR doesn't take them there.
func (f *FRR) WriteNetworks(ctx context.Context, batches []plan.Batch) error {
	if len(batches) == 0 {
		return nil
	}
	if f.vtyNetworks == unknown {
		if err := f.probe(batches[0]); err != nil {
			return err
		}
	}
	if f.vtyNetworks == missing {
		return f.loadNetworks(ctx, batches)
	}
	return f.bgpd.Configure(plan.Commands(batches))
}

// VtyNetworks is false where bgpd is known not to take configuration.
func (f *FRR) VtyNetworks() bool { return f.vtyNetworks != missing }

// probe asks for the removal of a prefix that can't be there: a bgpd that knows
// the command refuses it as absent.
func (f *FRR) probe(batch plan.Batch) error {
	err := f.bgpd.Configure(plan.Commands([]plan.Batch{{
		Router: batch.Router, Family: batch.Family, Commands: []string{"no network " + probePrefix(batch.Family)},
	}}))
	var refused *vty.CommandError
	switch {
	case err == nil, errors.As(err, &refused) && refused.Status == vty.StatusWarningConfigFailed:
		f.vtyNetworks = available
	case errors.As(err, &refused):
		f.vtyNetworks = missing
	default:
		return err
	}
	return nil
}

func probePrefix(family string) string {
	if family == "ipv6 unicast" {
		return "100::/128" // discard-only, RFC 6666
	}
	return "255.255.255.255/32" // limited broadcast, RFC 919
}

func (f *FRR) loadNetworks(ctx context.Context, batches []plan.Batch) error {
	var text string
	for _, command := range plan.Commands(batches) {
		text += command + "\n"
	}
	return f.Tools.Load(ctx, text)
}

// TakeModes lets the next OPENs of the instances in these VRFs be those of the configured
// modes of graceful restart. Until FRR 10 bgpd goes on sending what a neighbor began with
// once the instance is two minutes old: a mode holds from the next NOTIFICATION on, and
// where a link goes down there is none. Any "clear" of all neighbors takes the modes too;
// this one does nothing else, for no neighbor of Herald's has IPv4 multicast.
func (f *FRR) TakeModes(vrfs []string) error {
	for _, vrf := range vrfs {
		if vrf == "" {
			vrf = "default"
		}
		_, err := f.bgpd.Exec("clear bgp vrf " + vrf + " ipv4 multicast * soft out")
		var refused *vty.CommandError
		if err != nil && !errors.As(err, &refused) {
			return err
		}
	}
	return nil
}

// Refresh makes bgpd send a neighbor what its outbound policy now says, or ask it
// for what its inbound policy now takes (RFC 2918), at once and without a reset.
func (f *FRR) Refresh(n plan.Neighbor) error {
	command := "clear bgp "
	if n.VRF != "" {
		command += "vrf " + n.VRF + " "
	}
	_, err := f.bgpd.Exec(command + n.Name + " soft " + n.Direction)
	var refused *vty.CommandError
	if errors.As(err, &refused) {
		return nil // no session to refresh: it will be sent the new policy
	}
	return err
}

// Originates asks bgpd for a prefix of its own, with the tag of its path.
func (f *FRR) Originates(t plan.Touched) (present bool, tag string, err error) {
	vrf := t.VRF
	if vrf == "" {
		vrf = "default"
	}
	output, err := f.bgpd.Exec(fmt.Sprintf("show bgp vrf %s %s %s json", vrf, t.Family, t.Prefix))
	if err != nil {
		return false, "", err
	}
	return parseOriginated(output)
}
