package status

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/install"
)

// Installation is what is known of Herald in the cluster.
type Installation struct {
	Self install.Self
	// Wanted is nil where the Herald object can't be made into DaemonSets.
	Wanted *install.Installation
	// Agent and FRR are the DaemonSets, nil while they don't exist.
	Agent, FRR *appsv1.DaemonSet
	// Pods of both.
	Pods []corev1.Pod
	// Nodes in no particular order.
	Nodes []v1alpha1.BGPNode
	// Others are the namespaces of other installations, sorted.
	Others []string
	// Problem is why what is wanted was not made, with its reason; nil: it was.
	Problem error
	Reason  string
}

// HeraldStatus is the status of the Herald object.
func HeraldStatus(old *v1alpha1.Herald, i *Installation) v1alpha1.HeraldStatus {
	s := *old.Status.DeepCopy()
	s.Namespace, s.Version = i.Self.Namespace, i.Self.Version
	if i.Wanted != nil {
		s.Image, s.FRRImage = i.Wanted.Image, i.Wanted.FRRImage
	}
	s.Nodes, s.FRRVersions = i.count(), i.releases()
	set(&s.Conditions, v1alpha1.ConditionAccepted, old.Generation, i.accepted())
	set(&s.Conditions, v1alpha1.ConditionReady, old.Generation, i.ready(s.Nodes))
	set(&s.Conditions, v1alpha1.ConditionAnnouncing, old.Generation, i.announcing())
	return s
}

func (i *Installation) count() v1alpha1.HeraldNodes {
	var n v1alpha1.HeraldNodes
	for _, daemons := range []*appsv1.DaemonSet{i.Agent, i.FRR} {
		if daemons != nil {
			n.Desired = max(n.Desired, daemons.Status.DesiredNumberScheduled)
		}
	}
	for k := range i.Nodes {
		conditions := i.Nodes[k].Status.Conditions
		if meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReady) {
			n.Ready++
		}
		if meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionProgrammed) {
			n.Programmed++
		}
	}
	for k := range i.Pods {
		for _, container := range i.Pods[k].Spec.Containers {
			if container.Name == install.FRRContainer && i.Wanted != nil && container.Image != i.Wanted.FRRImage {
				n.FRROutdated++
			}
		}
	}
	return n
}

// maxReleases is what the API takes of them.
const maxReleases = 16

func (i *Installation) releases() []string {
	var all []string
	for k := range i.Nodes {
		if release := i.Nodes[k].Status.FRRVersion; release != "" {
			all = append(all, release)
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	return all[:min(len(all), maxReleases)]
}

func (i *Installation) accepted() verdict {
	switch {
	case i.Problem != nil:
		return no(i.Reason, i.Problem.Error())
	case len(i.Others) > 0:
		return yes(v1alpha1.ReasonAnotherInstallation, fmt.Sprintf(
			"Herald runs from namespace %s, and a manager is in namespace %s too: that one does nothing; uninstall it there",
			i.Self.Namespace, listed(i.Others, ", ")))
	}
	return yes(v1alpha1.ReasonAccepted, "the DaemonSets are as the spec says")
}

// Announcing says whether a node announces a prefix.
func (i *Installation) Announcing() bool {
	return slices.ContainsFunc(i.Nodes, func(node v1alpha1.BGPNode) bool {
		routes := node.Status.Routes
		return routes != nil && routes.IPv4+routes.IPv6 > 0
	})
}

// Relaying are the nodes whose relay has rules.
func (i *Installation) Relaying() []string {
	var names []string
	for j := range i.Nodes {
		if relay := i.Nodes[j].Status.Relay; relay != nil && (relay.Learning || relay.PathMTU || relay.Leaving > 0) {
			names = append(names, i.Nodes[j].Name)
		}
	}
	slices.Sort(names)
	return names
}

func (i *Installation) announcing() verdict {
	if i.Announcing() {
		return yes(v1alpha1.ReasonPrefixesAnnounced, fmt.Sprintf(
			"nodes announce prefixes: while they do, this object is deleted only with the annotation %s: \"true\"", v1alpha1.AnnotationConfirmDelete))
	}
	return no(v1alpha1.ReasonNothingAnnounced, "no node announces a prefix")
}

func (i *Installation) ready(n v1alpha1.HeraldNodes) verdict {
	troubles, failing := i.troubles()
	switch {
	case i.Agent == nil || i.FRR == nil:
		return no(v1alpha1.ReasonPending, "the DaemonSets don't exist yet")
	case n.Desired == 0 && n.Ready == 0:
		return no(v1alpha1.ReasonNoNodeSelected, "no node is selected: look at spec.nodeSelector and spec.tolerations")
	case failing:
		return no(v1alpha1.ReasonContainersFailing, fmt.Sprintf("%d of %d nodes are ready: ", n.Ready, n.Desired)+listed(troubles, "; "))
	case len(troubles) > 0 || n.Ready < n.Desired:
		return no(v1alpha1.ReasonNodesNotReady, fmt.Sprintf("%d of %d nodes are ready", n.Ready, n.Desired)+prefixed(": ", listed(troubles, "; ")))
	}
	return yes(v1alpha1.ReasonAllNodes, fmt.Sprintf("all %d nodes are ready", n.Desired))
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

// troubles says what is wrong, node by node, and whether it is with containers.
// What a container says of itself is worth more than that its node isn't ready.
func (i *Installation) troubles() (all []string, failing bool) {
	byNode := map[string]string{}
	for k := range i.Nodes {
		node := &i.Nodes[k]
		if ready := meta.FindStatusCondition(node.Status.Conditions, v1alpha1.ConditionReady); ready != nil && ready.Status != metav1.ConditionTrue {
			byNode[node.Name] = ready.Message
		}
	}
	for k := range i.Pods {
		if why := whyFailing(&i.Pods[k]); why != "" {
			byNode[i.Pods[k].Spec.NodeName] = why
			failing = true
		}
	}
	for name, why := range byNode {
		all = append(all, fmt.Sprintf("node %q: %s", name, why))
	}
	slices.Sort(all)
	return append(i.missing(), all...), failing
}

// missing are pods that the DaemonSets' controller can't make.
func (i *Installation) missing() []string {
	var all []string
	for _, daemons := range []*appsv1.DaemonSet{i.Agent, i.FRR} {
		if daemons == nil {
			continue
		}
		if lacking := daemons.Status.DesiredNumberScheduled - daemons.Status.CurrentNumberScheduled; lacking > 0 {
			all = append(all, fmt.Sprintf("%d pods of the DaemonSet %s can't be made: kubectl -n %s describe daemonset %s (does the namespace have the label pod-security.kubernetes.io/enforce: privileged?)",
				lacking, daemons.Name, daemons.Namespace, daemons.Name))
		}
	}
	return all
}

// whyFailing is the cause that a container doesn't run, in its own last words.
func whyFailing(pod *corev1.Pod) string {
	for _, containers := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for i := range containers {
			if why := whyWaiting(&containers[i]); why != "" {
				return fmt.Sprintf("container %s of pod %s: %s", containers[i].Name, pod.Name, why)
			}
		}
	}
	return ""
}

func whyWaiting(c *corev1.ContainerStatus) string {
	for _, ended := range []*corev1.ContainerStateTerminated{c.State.Terminated, c.LastTerminationState.Terminated} {
		if ended == nil || ended.ExitCode == 0 {
			continue
		}
		if last := lastLine(ended.Message); last != "" {
			return last
		}
		return fmt.Sprintf("%s, exit code %d: look at its log", ended.Reason, ended.ExitCode)
	}
	if waiting := c.State.Waiting; waiting != nil && waiting.Reason != "ContainerCreating" && waiting.Reason != "PodInitializing" {
		return waiting.Reason + prefixed(": ", lastLine(waiting.Message))
	}
	return ""
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return shorten(strings.TrimSpace(lines[len(lines)-1]), maxLine)
}

// maxLine bounds what is told of one container, in bytes.
const maxLine = 400
