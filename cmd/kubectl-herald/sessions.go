package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/explain"
	"github.com/herald-lb/herald/controllers/offline"
)

// now is the time that ages are told for.
var now = time.Now

// none stands where there is nothing to tell.
const none = "-"

func newSessionsCommand(streams genericiooptions.IOStreams, kube *genericclioptions.ConfigFlags) *cobra.Command {
	q := newQuestion(streams, kube)
	var node, peer string
	var down bool
	command := q.command(&cobra.Command{
		Use:   "sessions [--node NODE] [--peer PEER]",
		Short: "Show the BGP sessions of all nodes",
		Long: `Show the BGP sessions of all nodes as their agents report them.

The exit code is 1 if a session that is shown is not Established.`,
		Example: `  kubectl herald sessions
  kubectl herald sessions --node n1 -o wide
  kubectl herald sessions --down --watch`,
		Args: noArguments,
	})
	command.Flags().StringVar(&node, "node", "", "sessions of this node only")
	command.Flags().StringVar(&peer, "peer", "", "sessions with this BGPPeer only")
	command.Flags().BoolVar(&down, "down", false, "sessions that are not Established only")
	q.ask = func(_ context.Context, in explain.Input) (answer, error) {
		sessions := sessionsOf(in.States, func(s *v1alpha1.BGPSession) bool {
			return (node == "" || s.Spec.Node == node) && (peer == "" || s.Spec.Peer == peer) && (!down || !isUp(s))
		})
		return answer{
			data:  sessions,
			print: func(out io.Writer, style style) error { return printSessions(out, style, sessions) },
			found: slices.ContainsFunc(sessions, func(s *v1alpha1.BGPSession) bool { return !isUp(s) }),
		}, nil
	}
	return command
}

func isUp(s *v1alpha1.BGPSession) bool { return s.Status.State == v1alpha1.SessionEstablished }

func sessionsOf(states *offline.States, wanted func(*v1alpha1.BGPSession) bool) []*v1alpha1.BGPSession {
	sessions := []*v1alpha1.BGPSession{}
	for session := range maps.Values(states.Sessions) {
		if wanted(session) {
			session.ManagedFields = nil
			session.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("BGPSession"))
			sessions = append(sessions, session)
		}
	}
	slices.SortFunc(sessions, func(a, b *v1alpha1.BGPSession) int {
		return cmp.Or(cmp.Compare(a.Spec.Node, b.Spec.Node), cmp.Compare(a.Spec.Peer, b.Spec.Peer))
	})
	return sessions
}

func printSessions(out io.Writer, style style, sessions []*v1alpha1.BGPSession) error {
	if len(sessions) == 0 {
		_, err := fmt.Fprintln(out, "no sessions")
		return err
	}
	header := []string{"NODE", "PEER", "ADDRESS", "STATE", "SINCE", "FLAPS", "BFD", "SENT", "ACCEPTED"}
	if style.wide {
		header = append(header, "VRF", "LOCAL-AS", "REMOTE-AS", "GRACEFUL-RESTART", "RESTART-NEEDED", "LAST-RESET")
	}
	t := style.table(header...)
	for _, s := range sessions {
		st := &s.Status
		row := []string{
			s.Spec.Node, s.Spec.Peer, cmp.Or(st.Address, none), cmp.Or(string(st.State), string(v1alpha1.SessionUnknown)), age(st.Since), number(st.Flaps), bfdText(st.BFD),
			prefixes(st.Prefixes, func(c *v1alpha1.PrefixCount) int64 { return c.Sent }), prefixes(st.Prefixes, func(c *v1alpha1.PrefixCount) int64 { return c.Accepted }),
		}
		if style.wide {
			var restart []string
			for _, parameter := range st.RestartNeeded {
				restart = append(restart, string(parameter))
			}
			row = append(row, cmp.Or(st.VRF, none), asn(st.LocalASN), asn(st.RemoteASN), cmp.Or(string(st.GracefulRestart), none), cmp.Or(strings.Join(restart, ","), none), resetText(st.LastReset))
		}
		t.add(row...)
	}
	return t.print(out)
}

// age since a time, as kubectl tells it.
func age(since *metav1.Time) string {
	if since.IsZero() {
		return none
	}
	return duration.HumanDuration(now().Sub(since.Time))
}

func number(n *int64) string {
	if n == nil {
		return none
	}
	return strconv.FormatInt(*n, 10)
}

func asn(n int64) string {
	if n == 0 {
		return none
	}
	return strconv.FormatInt(n, 10)
}

func bfdText(bfd *v1alpha1.SessionBFD) string {
	if bfd == nil {
		return none
	}
	return string(bfd.State)
}

func resetText(reset *v1alpha1.SessionReset) string {
	if reset == nil {
		return none
	}
	text := reset.Reason
	if !reset.Time.IsZero() {
		text += " (" + age(reset.Time) + " ago)"
	}
	return text
}

// prefixes of IPv4/IPv6, of those families that the session carries.
func prefixes(counts v1alpha1.SessionPrefixes, of func(*v1alpha1.PrefixCount) int64) string {
	text := func(c *v1alpha1.PrefixCount) string {
		if c == nil {
			return none
		}
		return strconv.FormatInt(of(c), 10)
	}
	return text(counts.IPv4) + "/" + text(counts.IPv6)
}
