package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// HeraldName is the name of the one Herald object.
const HeraldName = "default"

// AnnotationConfirmDelete on the Herald object, "true", lets it be deleted while
// Services are announced.
const AnnotationConfirmDelete = GroupName + "/confirm-delete"

// HeraldFinalizer keeps the Herald object until its DaemonSets are gone.
const HeraldFinalizer = GroupName + "/installation"

// HeraldSpec says how Herald runs in the cluster.
type HeraldSpec struct {
	// image of Herald, for the agents.
	// Default: that of the manager, so that both are of one version. Changing it
	// restarts the agents, node by node; FRR, its sessions and routes stay.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Image string `json:"image,omitempty"`

	// frrImage is the image with FRR: 8.4 or newer, with vtysh and frr-reload.py.
	// Default: the release of FRR that this version of Herald was tested with.
	// Changing it restarts the agents, node by node, and FRR not at all: a node's FRR
	// gets the new image when its pod is deleted (docs/upgrade.md). That resets the
	// node's sessions; with enableGracefulRestart its routes stay meanwhile.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	FRRImage string `json:"frrImage,omitempty"`

	// imagePullPolicy of both images.
	// Default: that of the manager's pod. Resets nothing.
	// +optional
	// +kubebuilder:validation:Enum=Always;IfNotPresent;Never
	ImagePullPolicy corev1.PullPolicy `json:"imagePullPolicy,omitempty"`

	// imagePullSecrets to pull both images with, in Herald's namespace.
	// Default: those of the manager's pod. Resets nothing.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	ImagePullSecrets []corev1.LocalObjectReference `json:"imagePullSecrets,omitempty"`

	// nodeSelector: the nodes that Herald runs on have all of these labels, beside
	// kubernetes.io/os: linux.
	// Default: all Linux nodes. FRR ends on nodes that are no longer selected, and
	// their routes with it; the others are not touched.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`

	// tolerations: taints of nodes that Herald runs on all the same.
	// Default: the control plane's. An empty list is none. FRR ends on nodes that are
	// no longer tolerated, if their taint has the effect NoExecute.
	// +optional
	// +listType=atomic
	// +kubebuilder:default={{key: node-role.kubernetes.io/control-plane, operator: Exists, effect: NoSchedule}}
	// +kubebuilder:validation:MaxItems=32
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`

	// resources of the containers on each node.
	// +optional
	Resources HeraldResources `json:"resources,omitempty"`

	// logLevel of manager and agents: debug, info or error. A change holds at once and
	// restarts nothing.
	// Default: info, or what they were started with.
	// +optional
	LogLevel LogLevel `json:"logLevel,omitempty"`

	// loadBalancerClass: Services with this spec.loadBalancerClass are Herald's.
	// Default: herald-lb.io/bgp. Services of the class before that are left: they lose
	// the addresses that Herald gave them, and their routes. Resets no session.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$')",message="must be a name as Services have it in spec.loadBalancerClass, for example example.com/bgp"
	LoadBalancerClass string `json:"loadBalancerClass,omitempty"`

	// claimClassless: Services without a spec.loadBalancerClass are Herald's too. false
	// where another load balancer serves them: those lose the addresses that Herald gave
	// them, and their routes.
	// Default: true. Resets no session.
	// +optional
	ClaimClassless *bool `json:"claimClassless,omitempty"`

	// ignoreExcludeLabel: nodes with the label
	// node.kubernetes.io/exclude-from-external-load-balancers announce like the others.
	// Some installers put it on the nodes of the control plane.
	// Default: false. Resets no session.
	// +optional
	IgnoreExcludeLabel bool `json:"ignoreExcludeLabel,omitempty"`

	// protectedCIDRs are never received from a router, nor anything more specific,
	// whatever a peer's receive says; beside what is always protected: the addresses of
	// nodes, pods, Services and pools.
	// Default: none. Resets no session.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	ProtectedCIDRs []ProtectedCIDR `json:"protectedCIDRs,omitempty"`

	// announceGate says what a node waits for, before it announces a Service for the
	// first time since it booted.
	// +optional
	AnnounceGate AnnounceGate `json:"announceGate,omitempty"`

	// drain says when a node drains, and how long its stages last.
	// +optional
	Drain Drain `json:"drain,omitempty"`

	// compatibility with what other load balancers' users have written.
	// +optional
	Compatibility Compatibility `json:"compatibility,omitempty"`

	// flowPreservation is what all FlowPolicies have in common: tunnel and limits. By
	// itself it switches nothing on.
	// +optional
	FlowPreservation FlowPreservation `json:"flowPreservation,omitempty"`

	// pathMTURelay: ICMP messages that a packet was too big (RFC 1191, RFC 8201), which
	// routers deliver to any node, are brought to the node that has the connection.
	// Without that pods never learn of a narrow path to a client. It needs no
	// FlowPolicy.
	// Default: true. Resets no session.
	// +optional
	PathMTURelay *bool `json:"pathMTURelay,omitempty"`
}

// LogLevel is how much is logged.
// +kubebuilder:validation:Enum=debug;info;error
type LogLevel string

// ProtectedCIDR is a prefix that is never received.
//
// +kubebuilder:validation:MinLength=4
// +kubebuilder:validation:MaxLength=43
// +kubebuilder:validation:XValidation:rule="isCIDR(self) && cidr(self) == cidr(self).masked() && string(cidr(self)) == self",message="must be a CIDR in canonical form, for example 10.0.0.0/8 or 2001:db8::/32"
type ProtectedCIDR string

// AnnounceGateMode is whether a node waits for its dataplane.
// +kubebuilder:validation:Enum=Auto;Off
type AnnounceGateMode string

// Whether a node waits.
const (
	AnnounceGateAuto AnnounceGateMode = "Auto"
	AnnounceGateOff  AnnounceGateMode = "Off"
)

// AnnounceGate is what a node waits for. Nothing of it withdraws what is announced.
type AnnounceGate struct {
	// mode is Auto: until the Service's health check (externalTrafficPolicy: Local) or
	// kube-proxy (Cluster) says that the node takes connections, and where a FlowPolicy
	// selects the Service until the node's relay has its rules, 5s at most; or Off: a
	// node waits for nothing.
	// Default: Auto. Resets no session.
	// +optional
	Mode AnnounceGateMode `json:"mode,omitempty"`

	// timeout is how long nothing may answer, before a node announces all the same:
	// then there is nobody to ask on this node. An answer that it isn't ready never
	// times out, nor does a Service's health check that nobody listens for while
	// kube-proxy answers for itself (:10256/healthz).
	// Default: 3s. 1s to 10m. Resets no session.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('10m')",message="must be 1s to 10m"
	Timeout *metav1.Duration `json:"timeout,omitempty"`
}

// Compatibility is what is read beside Herald's own.
type Compatibility struct {
	// metallbAnnotations: MetalLB's annotations of Services are read as Herald's
	// (metallb.io/loadBalancerIPs, address-pool and allow-shared-ip, and
	// metallb.universe.tf/...).
	// Default: false. A change asks for the addresses again: Services keep those that
	// they still ask for.
	// +optional
	MetalLBAnnotations bool `json:"metallbAnnotations,omitempty"`
}

// HeraldResources are the resources of each container on a node. Requests have
// defaults; a limit of memory kills what exceeds it, so none is set.
type HeraldResources struct {
	// frr are those of FRR's container. Default: requests of 50m and 128Mi.
	// Changing them takes effect when the pod is deleted, as with frrImage.
	// +optional
	FRR *corev1.ResourceRequirements `json:"frr,omitempty"`
	// agent are those of the agent's container. Default: requests of 20m and 96Mi.
	// Changing them restarts the agents; no session is reset.
	// +optional
	Agent *corev1.ResourceRequirements `json:"agent,omitempty"`
	// reloader are those of the reloader's container. Default: requests of 20m and
	// 64Mi. Changing them restarts the agents; no session is reset.
	// +optional
	Reloader *corev1.ResourceRequirements `json:"reloader,omitempty"`
}

// HeraldStatus is how Herald runs in the cluster.
type HeraldStatus struct {
	// namespace where the manager runs, and with it the DaemonSets.
	// +optional
	Namespace string `json:"namespace,omitempty"`
	// version of the manager.
	// +optional
	Version string `json:"version,omitempty"`
	// image that the agents have, or get.
	// +optional
	Image string `json:"image,omitempty"`
	// frrImage that FRR gets where it is restarted.
	// +optional
	FRRImage string `json:"frrImage,omitempty"`
	// frrVersions that nodes run, sorted. More than one: FRR was not restarted
	// everywhere since frrImage was changed.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	FRRVersions []string `json:"frrVersions,omitempty"`
	// nodes counts them.
	// +optional
	Nodes HeraldNodes `json:"nodes,omitempty"`
	// conditions: Accepted, Ready, Announcing.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// HeraldNodes counts nodes.
type HeraldNodes struct {
	// desired: the nodes that Herald should run on.
	// +optional
	Desired int32 `json:"desired"`
	// ready: agent, reloader and FRR are alive.
	// +optional
	Ready int32 `json:"ready"`
	// programmed: FRR runs what the agent wants.
	// +optional
	Programmed int32 `json:"programmed"`
	// frrOutdated: FRR's pod is of another image than frrImage. Delete such pods one
	// by one (docs/upgrade.md).
	// +optional
	FRROutdated int32 `json:"frrOutdated"`
}

// Herald is the installation of Herald in the cluster: there is one, named
// "default". The manager runs FRR and the agents by it.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=hlb,categories=herald
// +kubebuilder:validation:XValidation:rule="self.metadata.name == 'default'",message="there is one Herald object, and its name is default: edit that one (kubectl edit heralds.herald-lb.io default)"
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.version`
// +kubebuilder:printcolumn:name="Nodes",type=integer,JSONPath=`.status.nodes.desired`
// +kubebuilder:printcolumn:name="Ready",type=integer,JSONPath=`.status.nodes.ready`
// +kubebuilder:printcolumn:name="Programmed",type=integer,JSONPath=`.status.nodes.programmed`
// +kubebuilder:printcolumn:name="Accepted",type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].reason`
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="FRR",type=string,JSONPath=`.status.frrVersions`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Herald struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says how Herald runs.
	// +optional
	Spec HeraldSpec `json:"spec,omitempty"`
	// status is how it does.
	// +optional
	Status HeraldStatus `json:"status,omitempty"`
}

// HeraldList is a list of Heralds.
// +kubebuilder:object:root=true
type HeraldList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Herald `json:"items"`
}
