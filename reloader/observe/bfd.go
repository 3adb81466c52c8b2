package observe

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"

	"github.com/herald-lb/herald/reloader/report"
	"github.com/herald-lb/herald/reloader/vty"
)

// Names of bfdd, and what asks it.
const (
	bfdDaemon    = "bfdd"
	showBFDPeers = "show bfd peers json"
)

// bfdStates by FRR's words (RFC 5880 section 6.2).
var bfdStates = map[string]string{"shutdown": "AdminDown", "down": "Down", "init": "Init", "up": "Up"}

// noDiagnostic is FRR's word for none.
const noDiagnostic = "ok"

// parseBFD reads the answer: one object per path. FRR 8.4 and 10.3 agree.
func parseBFD(output string) (map[key]*report.BFD, error) {
	var peers []struct {
		Peer             string `json:"peer"`
		Interface        string `json:"interface"`
		VRF              string `json:"vrf"`
		Status           string `json:"status"`
		Diagnostic       string `json:"diagnostic"`
		RemoteDiagnostic string `json:"remote-diagnostic"`
	}
	if err := json.Unmarshal([]byte(output), &peers); err != nil {
		return nil, fmt.Errorf("bfdd's peers: %w", err)
	}
	all := make(map[key]*report.BFD, len(peers))
	for _, p := range peers {
		if p.VRF == "default" {
			p.VRF = ""
		}
		path := &report.BFD{
			State: bfdStates[p.Status], Diagnostic: unlessOK(p.Diagnostic), RemoteDiagnostic: unlessOK(p.RemoteDiagnostic),
		}
		all[key{p.VRF, p.Peer}] = path
		if address, err := netip.ParseAddr(p.Peer); err == nil && address.IsLinkLocalUnicast() && p.Interface != "" {
			// Another interface may have the same address behind it.
			all[key{p.VRF, p.Interface}] = path
		}
	}
	return all, nil
}

func unlessOK(diagnostic string) string {
	if diagnostic == noDiagnostic {
		return ""
	}
	return diagnostic
}

// addBFD asks bfdd about the sessions that bgpd lets it watch. A bfdd that does
// not answer leaves them Down: nothing watches them.
func (o *Observer) addBFD(sessions []report.Session, watched map[key]bool) error {
	if len(watched) == 0 {
		return nil
	}
	paths, err := o.askBFD()
	for i := range sessions {
		s := &sessions[i]
		if k := (key{s.VRF, s.Address}); watched[k] {
			if s.BFD = paths[k]; s.BFD == nil {
				s.BFD = &report.BFD{State: bfdStates["down"]}
			}
		}
	}
	return err
}

func (o *Observer) askBFD() (map[key]*report.BFD, error) {
	conn := o.conns[bfdDaemon]
	if conn == nil {
		return nil, nil
	}
	output, err := conn.Exec(showBFDPeers)
	var refused *vty.CommandError
	if err != nil {
		if !errors.As(err, &refused) {
			o.drop(bfdDaemon)
		}
		return nil, err
	}
	return parseBFD(output)
}

// watched are the neighbors that bgpd has BFD for.
func watchedBy(neighbors map[key]neighbor) map[key]bool {
	all := map[key]bool{}
	for k, n := range neighbors {
		if n.BFD != nil {
			all[k] = true
		}
	}
	return all
}
