package lab

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/test/lab/node"
	"github.com/herald-lb/herald/test/lab/wait"
)

const (
	// probeInterval is how often a kubelet asks the agent whether it is ready.
	probeInterval = time.Second
	probeTimeout  = time.Second
	// agentProbes is where the agent answers, on its own node.
	agentProbes = "127.0.0.1:8082"
)

// createAgentPod writes the Pod object that the agent's DaemonSet would have on a
// node.
func (l *Lab) createAgentPod(ctx context.Context, nodeName string) error {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: systemNamespace, Name: "herald-agent-" + nodeName,
			Labels: map[string]string{"app.kubernetes.io/part-of": "herald", "app.kubernetes.io/component": "agent"},
		},
		Spec: corev1.PodSpec{
			NodeName: nodeName, HostNetwork: true, ServiceAccountName: agentAccount, AutomountServiceAccountToken: ptr.To(false),
			Containers: []corev1.Container{{Name: node.Agent, Image: "herald"}},
		},
	}
	if err := l.API().Create(ctx, pod); err != nil {
		return fmt.Errorf("the agent's pod on %q: %w", nodeName, err)
	}
	return nil
}

// probeAgents does what kubelets do for the agents' pods until the lab is closed:
// asks for readiness and writes it when it changes. On a node that is down
// nobody asks: there the pod is soon not ready, as the node lifecycle controller
// would have it.
func (l *Lab) probeAgents(closed <-chan struct{}) {
	said := map[string]corev1.ConditionStatus{}
	clients := map[string]*http.Client{}
	ticker := time.NewTicker(probeInterval)
	defer ticker.Stop()
	for {
		for _, n := range l.Nodes() {
			if clients[n.Name()] == nil {
				clients[n.Name()] = probeClient(n)
			}
			ready := corev1.ConditionFalse
			if isReady(clients[n.Name()]) {
				ready = corev1.ConditionTrue
			}
			if ready != said[n.Name()] && l.writeReady(n.Name(), ready) == nil {
				said[n.Name()] = ready // else the API server is down: later
			}
		}
		select {
		case <-closed:
			return
		case <-ticker.C:
		}
	}
}

func probeClient(n *node.Node) *http.Client {
	return &http.Client{
		Timeout: probeTimeout,
		Transport: &http.Transport{
			DisableKeepAlives: true, // the next boot has another network
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				box := n.Box()
				if box == nil {
					return nil, fmt.Errorf("node %q is down", n.Name())
				}
				return box.Dial(ctx, network, address)
			},
		},
	}
}

func isReady(c *http.Client) bool {
	answer, err := c.Get("http://" + agentProbes + "/readyz")
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

func (l *Lab) writeReady(nodeName string, ready corev1.ConditionStatus) error {
	ctx, cancel := context.WithTimeout(context.Background(), wait.Query)
	defer cancel()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: systemNamespace, Name: "herald-agent-" + nodeName}}
	if err := l.API().Get(ctx, crclient.ObjectKeyFromObject(pod), pod); err != nil {
		return err
	}
	before := pod.DeepCopy()
	pod.Status.Phase = corev1.PodRunning
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: ready, LastTransitionTime: metav1.Now()}}
	return l.API().Status().Patch(ctx, pod, crclient.MergeFrom(before))
}
