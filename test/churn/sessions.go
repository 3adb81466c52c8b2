package churn

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/test/lab"
	"github.com/herald-lb/herald/test/lab/router"
)

func keyOf(object crclient.Object) crclient.ObjectKey { return crclient.ObjectKeyFromObject(object) }

func secretNamed(name string) *corev1.Secret {
	s := &corev1.Secret{}
	s.Namespace, s.Name = lab.SecretsNamespace, name
	return s
}

// listensForBFD says whether a make of router has BFD for neighbors of which only
// some have it: FRR keeps a session down whose BFD is down, and GoBGP has none.
func listensForBFD(r router.Router) bool { return r.Config().Make == router.BIRD }

// takesKeys says whether a router takes up another key while it runs.
func takesKeys(r router.Router) bool { return r.Config().Make != router.GoBGP }

// setRouterKey gives the router of a peer the password for all nodes.
func (c *churn) setRouterKey(peer, password string) error {
	r, family := c.ends(peer)
	if !takesKeys(r) {
		return nil
	}
	config := r.Config()
	changed := false
	for i := range config.Neighbors {
		n := &config.Neighbors[i]
		if n.Address.Is4() == (family == router.IPv4) && n.Password != password {
			n.Password, changed = password, true
		}
	}
	if !changed {
		return nil
	}
	for _, node := range c.lab.Nodes() {
		c.touched[pair{node.Name(), peer}] = true
	}
	return r.Configure(config)
}

// routerKey is the password that a peer's router has for a node's address.
func routerKey(r router.Router, neighbor netip.Addr) string {
	for _, n := range r.Config().Neighbors {
		if n.Address == neighbor {
			return n.Password
		}
	}
	return ""
}

// noteTouched compares the sessions that there should be with those before the last
// step: where it isn't the same session any more, or has lost BFD, it may be reset.
func (c *churn) noteTouched(ctx context.Context) error {
	now, err := read(ctx, c.lab.API())
	if err != nil {
		return err
	}
	if c.before != nil {
		was, is := c.before.sessions(), now.sessions()
		for _, n := range c.lab.Nodes() {
			for _, peer := range c.allPeers() {
				p := pair{n.Name(), peer}
				old, had := was[p]
				next, has := is[p]
				if had != has || old.password != next.password || old.bfd && !next.bfd {
					c.touched[p] = true
				}
			}
		}
	}
	c.before = now
	return nil
}

// up are the sessions at a router that should be established: of those that there
// should be the ones of which both ends have one key.
func (c *churn) up(w *world, r router.Router) map[pair]session {
	all := map[pair]session{}
	for p, s := range w.sessions() {
		of, _ := c.ends(p.peer)
		if of.Config().Name == r.Config().Name && routerKey(r, s.neighbor) == s.password {
			all[p] = s
		}
	}
	return all
}

// checkSessions of a router: exactly those that should be are up, and watched by
// BFD where they should be. It returns how they are.
func (c *churn) checkSessions(ctx context.Context, r router.Router, up map[pair]session) (map[pair]router.Session, []string) {
	name := r.Config().Name
	all, err := r.Sessions(ctx)
	if err != nil {
		return nil, []string{err.Error()}
	}
	paths := map[netip.Addr]string{}
	if r.Config().BFD {
		if paths, err = r.BFDPaths(ctx); err != nil {
			return nil, []string{err.Error()}
		}
	}
	var wrong []string
	is, wanted := map[pair]router.Session{}, map[netip.Addr]bool{}
	for p, s := range up {
		wanted[s.neighbor] = true
		is[p] = all[s.neighbor]
		if is[p].State != router.Established {
			wrong = append(wrong, fmt.Sprintf("%s: session with %s of %s is %q", name, s.neighbor, p.node, is[p].State))
		}
		if s.bfd && r.Config().BFD && paths[s.neighbor] != "up" {
			wrong = append(wrong, fmt.Sprintf("%s: BFD with %s of %s is %q", name, s.neighbor, p.node, paths[s.neighbor]))
		}
		if !s.bfd && paths[s.neighbor] == "up" {
			wrong = append(wrong, fmt.Sprintf("%s: BFD with %s of %s is up, should not be", name, s.neighbor, p.node))
		}
	}
	for addr, s := range all {
		if s.State == router.Established && !wanted[addr] {
			wrong = append(wrong, fmt.Sprintf("%s: session with %s is established, should not be", name, addr))
		}
	}
	slices.Sort(wrong)
	return is, wrong
}

// checkNoReset says which sessions that no step touched aren't what they were.
func (c *churn) checkNoReset(now map[pair]router.Session) []string {
	var wrong []string
	for p, was := range c.steady {
		if is, ok := now[p]; !c.touched[p] && (!ok || was.ResetUntil(is)) {
			wrong = append(wrong, fmt.Sprintf("session of %s with %s was reset though nobody touched it: %+v, then %+v", p.node, p.peer, was, is))
		}
	}
	slices.Sort(wrong)
	return wrong
}
