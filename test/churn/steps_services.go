package churn

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/test/lab"
)

const (
	mostServices = 12
	mostPods     = 6
	tier         = "churn.example/tier"
)

var (
	tiers = []string{"gold", "silver"}
	apps  = []string{"web", "db", "dns"}
)

func (c *churn) createService(ctx context.Context) (string, error) {
	if len(c.services) >= mostServices {
		return "", nil
	}
	svc := lab.Service(c.newName("s"))
	svc.Spec.Selector = map[string]string{"app": pick(c, apps...)}
	svc.Labels = map[string]string{tier: pick(c, tiers...)}
	switch four, six := corev1.IPv4Protocol, corev1.IPv6Protocol; c.random.Intn(5) {
	case 0:
		svc.Spec.IPFamilies = []corev1.IPFamily{six}
	case 1:
		svc.Spec.IPFamilyPolicy, svc.Spec.IPFamilies = ptr.To(corev1.IPFamilyPolicyRequireDualStack), []corev1.IPFamily{four, six}
	case 2:
		svc.Spec.IPFamilyPolicy, svc.Spec.IPFamilies = ptr.To(corev1.IPFamilyPolicyPreferDualStack), []corev1.IPFamily{six, four}
	default:
		svc.Spec.IPFamilies = []corev1.IPFamily{four}
	}
	svc.Spec.ExternalTrafficPolicy = pick(c, corev1.ServiceExternalTrafficPolicyCluster, corev1.ServiceExternalTrafficPolicyLocal)
	c.services[svc.Name] = true
	return fmt.Sprintf("create Service %s %s %v %s %s", svc.Name, svc.Spec.Selector["app"], svc.Spec.IPFamilies, svc.Spec.ExternalTrafficPolicy, svc.Labels[tier]),
		c.lab.Create(ctx, svc)
}

func (c *churn) deleteService(ctx context.Context) (string, error) {
	name := c.one(c.services)
	if name == "" {
		return "", nil
	}
	delete(c.services, name)
	return "delete Service " + name, c.lab.Delete(ctx, service(name))
}

// editService that is drawn; what describes the change.
func (c *churn) editService(ctx context.Context, what string, change func(*corev1.Service)) (string, error) {
	name := c.one(c.services)
	if name == "" {
		return "", nil
	}
	c.excuse(name)
	err := edit(ctx, c, service(name), change)
	if err == nil {
		_, err = c.lab.SyncEndpoints(ctx)
	}
	return fmt.Sprintf("change Service %s: %s", name, what), err
}

func (c *churn) changeType(ctx context.Context) (string, error) {
	kind := pick(c, corev1.ServiceTypeClusterIP, corev1.ServiceTypeLoadBalancer, corev1.ServiceTypeLoadBalancer)
	return c.editService(ctx, "type "+string(kind), func(s *corev1.Service) {
		if s.Spec.Type = kind; kind == corev1.ServiceTypeClusterIP {
			s.Spec.ExternalTrafficPolicy = ""
		} else if s.Spec.ExternalTrafficPolicy == "" {
			s.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyCluster
		}
	})
}

func (c *churn) changePolicy(ctx context.Context) (string, error) {
	policy := pick(c, corev1.ServiceExternalTrafficPolicyCluster, corev1.ServiceExternalTrafficPolicyLocal)
	return c.editService(ctx, "traffic policy "+string(policy), func(s *corev1.Service) {
		if s.Spec.Type == corev1.ServiceTypeLoadBalancer {
			s.Spec.ExternalTrafficPolicy = policy
		}
	})
}

func (c *churn) changePorts(ctx context.Context) (string, error) {
	port, protocol := pick(c, int32(53), 80, 443), pick(c, corev1.ProtocolTCP, corev1.ProtocolUDP)
	return c.editService(ctx, fmt.Sprintf("port %d/%s", port, protocol), func(s *corev1.Service) {
		s.Spec.Ports[0].Port, s.Spec.Ports[0].Protocol, s.Spec.Ports[0].NodePort = port, protocol, 0
	})
}

func (c *churn) askForAddress(ctx context.Context) (string, error) {
	address := pick(c, "", "203.0.113.3", "203.0.113.77", "198.51.100.9", "2001:db8:113::5", "192.0.2.1", "203.0.113.4,2001:db8:100::4")
	return c.editService(ctx, fmt.Sprintf("ask for %q", address), func(s *corev1.Service) { annotate(s, v1alpha1.AnnotationIPs, address) })
}

func (c *churn) changeSharing(ctx context.Context) (string, error) {
	key := pick(c, "", "k", "k", "l")
	return c.editService(ctx, fmt.Sprintf("sharing key %q", key), func(s *corev1.Service) { annotate(s, v1alpha1.AnnotationSharingKey, key) })
}

func annotate(s *corev1.Service, name, value string) {
	if s.Annotations == nil {
		s.Annotations = map[string]string{}
	}
	if s.Annotations[name] = value; value == "" {
		delete(s.Annotations, name)
	}
}

func (c *churn) changeTier(ctx context.Context) (string, error) {
	value := pick(c, tiers...)
	return c.editService(ctx, "tier "+value, func(s *corev1.Service) { s.Labels = map[string]string{tier: value} })
}

func (c *churn) addPod(ctx context.Context) (string, error) {
	if len(c.pods) >= mostPods {
		return "", nil
	}
	name, node, app := c.newName("p"), c.node(), pick(c, apps...)
	c.pods[name] = true
	_, err := c.lab.AddPod(ctx, node, name, map[string]string{"app": app})
	return fmt.Sprintf("add pod %s %s on %s", name, app, node), err
}

func (c *churn) removePod(ctx context.Context) (string, error) {
	name := c.one(c.pods)
	if name == "" {
		return "", nil
	}
	delete(c.pods, name)
	_, err := c.lab.RemovePod(ctx, name)
	return "remove pod " + name, err
}

func (c *churn) movePod(ctx context.Context) (string, error) {
	name := c.one(c.pods)
	if name == "" {
		return "", nil
	}
	next, node := c.newName("p"), c.node()
	delete(c.pods, name)
	c.pods[next] = true
	_, err := c.lab.MovePod(ctx, name, node, next)
	return fmt.Sprintf("move pod %s to %s as %s", name, node, next), err
}

func (c *churn) changeReadiness(ctx context.Context) (string, error) {
	name := c.one(c.pods)
	if name == "" {
		return "", nil
	}
	ready, serving, terminating := c.chance(60), c.chance(70), c.chance(30)
	_, err := c.lab.SetPod(ctx, name, ready, serving, terminating)
	return fmt.Sprintf("pod %s ready=%t serving=%t terminating=%t", name, ready, serving, terminating), err
}
