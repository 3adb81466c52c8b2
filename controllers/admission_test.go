package controllers_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/api/v1alpha1"
	"github.com/herald-lb/herald/controllers/admission"
)

// valid specs: each table changes one field of it.
var valid = map[string]func() map[string]any{
	"IPAddressPool": func() map[string]any {
		selectors := []any{map[string]any{"matchLabels": map[string]any{"a": "b"}}}
		return map[string]any{
			"addresses": []any{"203.0.113.0/24", "2001:db8::/120", "198.51.100.1-198.51.100.9", "2001:db8:1::1 - 2001:db8:1::9"},
			"exclude":   []any{"203.0.113.0/28", "198.51.100.1-198.51.100.2"}, "autoAssign": true, "avoidBuggyIPs": true, "allowRequests": false, "disabled": true,
			"serviceAllocation": map[string]any{
				"priority": int64(1), "namespaces": []any{"default"}, "namespaceSelectors": selectors, "serviceSelectors": selectors,
			},
		}
	},
	"BGPPeer": func() map[string]any {
		return map[string]any{
			"myASN": int64(64512), "peerASN": int64(4294967295), "peerAddress": "192.0.2.1", "peerPort": int64(179),
			"holdTime": "90s", "keepaliveTime": "30s", "connectTime": "1m", "routerID": "10.0.0.1",
			"addressFamilies": []any{"IPv4", "IPv6"}, "ebgpMultiHop": true, "sourceAddress": "10.0.0.1",
			"passwordSecret": map[string]any{"name": "tor"}, "bfdProfile": "fast", "enableGracefulRestart": true,
			"receive": map[string]any{"mode": "Filtered", "prefixes": []any{
				map[string]any{"cidr": "10.0.0.0/8", "ge": int64(8), "le": int64(32)}, map[string]any{"cidr": "2001:db8::/32", "ge": int64(33)}, map[string]any{"cidr": "0.0.0.0/0"},
			}},
			"maximumPrefixes": int64(4294967295),
		}
	},
	"Herald": func() map[string]any {
		container := map[string]any{"requests": map[string]any{"cpu": "10m"}, "limits": map[string]any{"memory": "1Gi"}}
		return map[string]any{
			"image": "example.com/herald:v1", "frrImage": "example.com/frr@sha256:0", "imagePullPolicy": "Never",
			"imagePullSecrets": []any{map[string]any{"name": "pull"}}, "nodeSelector": map[string]any{"edge": "yes"},
			"tolerations": []any{map[string]any{"operator": "Exists"}},
			"logLevel":    "debug", "loadBalancerClass": "example.com/bgp", "claimClassless": false, "ignoreExcludeLabel": true, "protectedCIDRs": []any{"10.0.0.0/8", "2001:db8::/32"},
			"announceGate": map[string]any{"mode": "Off", "timeout": "1m30s"},
			"drain":        map[string]any{"convergeTime": "0s", "connectionTimeout": "24h", "onCordon": true, "onShutdown": false, "onFRRStop": false, "taints": []any{map[string]any{"key": "x", "value": "", "effect": "NoExecute"}}}, "compatibility": map[string]any{"metallbAnnotations": true},
			"flowPreservation": map[string]any{
				"tunnel": map[string]any{"type": "VXLAN", "port": int64(65535), "mtu": int64(1280)},
				"limits": map[string]any{"floodsPerSecond": int64(10), "learnedFlows": int64(1024)},
			},
			"pathMTURelay": false,
			"resources":    map[string]any{"frr": container, "agent": container, "reloader": container},
		}
	},
	"BFDProfile": func() map[string]any {
		return map[string]any{
			"receiveInterval": int64(10), "transmitInterval": int64(60000), "detectMultiplier": int64(2),
			"echoMode": true, "echoInterval": int64(10), "passiveMode": true, "minimumTtl": int64(1),
		}
	},
	"FRRSnippet": func() map[string]any {
		return map[string]any{
			"config": strings.Repeat("x", 16384), "priority": int64(65535),
			"nodeSelectors": []any{map[string]any{"matchLabels": map[string]any{"a": "b"}}},
		}
	},
	"FlowPolicy": func() map[string]any {
		selectors := []any{map[string]any{"matchLabels": map[string]any{"a": "b"}}}
		return map[string]any{
			"mode": "Off", "ipAddressPools": []any{"p"}, "ipAddressPoolSelectors": selectors, "serviceSelectors": selectors,
			"namespaces": []any{"shop"}, "namespaceSelectors": selectors, "protocols": []any{"QUIC", "TCP"},
		}
	},
	"Community": func() map[string]any {
		return map[string]any{"communities": []any{
			map[string]any{"name": "gold", "value": "64512:100"}, map[string]any{"name": "Big-1.a_b", "value": "large:1:2:3"},
			map[string]any{"name": "quiet", "value": "no-export"},
		}}
	},
	"BGPAdvertisement": func() map[string]any {
		return map[string]any{
			"ipAddressPoolSelectors": []any{map[string]any{"matchLabels": map[string]any{"tier": "gold"}}},
			"ipAddressPools":         []any{"p"}, "peers": []any{"tor"}, "communities": []any{"64512:0", "no-export", "4294967295:0:1", "large:1:2:3", "Alias-1.a_b"},
			"localPref": int64(4294967295), "med": int64(4294967295), "asPathPrepend": int64(10),
			"nextHop":           map[string]any{"ipv4": "192.0.2.11", "ipv6": "2001:db8::11"},
			"weight":            "LocalEndpoints",
			"aggregationLength": int64(1), "aggregationLengthV6": int64(128),
			"nodeSelectors":      []any{map[string]any{"matchLabels": map[string]any{"a": "b"}}},
			"serviceSelectors":   []any{map[string]any{"matchLabels": map[string]any{"a": "b"}}, map[string]any{}},
			"namespaceSelectors": []any{map[string]any{"matchLabels": map[string]any{"kubernetes.io/metadata.name": "shop"}}},
		}
	},
}

// perNode are the fields that say where each node has the value of another one.
var perNode = map[string]string{
	"myASN": "myASNFrom", "peerAddress": "peerAddressFrom", "sourceAddress": "sourceAddressFrom", "routerID": "routerIDFrom",
}

// admit asks the API server, without keeping the object.
func admit(kind string, spec map[string]any) error {
	object := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind))
	object.SetName("x")
	if kind == "Herald" {
		object.SetName(v1alpha1.HeraldName)
	}
	before := object.DeepCopy()
	err := k8s.Create(ctx, object, client.DryRunAll)
	expectSameOffline(before, err)
	return err
}

var offlineAdmission = sync.OnceValues(admission.New)

// expectSameOffline: package admission, which kubectl herald lint asks, refuses
// what the API server refuses, in the same words.
func expectSameOffline(object *unstructured.Unstructured, err error) {
	GinkgoHelper()
	validator, loadErr := offlineAdmission()
	Expect(loadErr).NotTo(HaveOccurred())
	refused, checkErr := validator.Check(ctx, object)
	Expect(checkErr).NotTo(HaveOccurred())
	if err == nil {
		Expect(refused).To(BeEmpty(), "the API server takes it")
		return
	}
	var says apierrors.APIStatus
	Expect(errors.As(err, &says)).To(BeTrue(), err.Error())
	Expect(says.Status().Details).NotTo(BeNil(), err.Error())
	var server, offline []string
	for _, cause := range says.Status().Details.Causes {
		server = append(server, cause.Field+": "+cause.Message)
	}
	for _, problem := range refused {
		offline = append(offline, problem.Field+": "+problem.ErrorBody())
	}
	Expect(offline).To(ConsistOf(server))
}

// with is the valid spec with a field changed; nil removes it.
func with(kind, field string, value any) map[string]any {
	spec := valid[kind]()
	if value == nil {
		delete(spec, field)
	} else {
		spec[field] = value
	}
	return spec
}

func items(n int, text string) []any {
	all := make([]any, n)
	for i := range all {
		all[i] = strings.ReplaceAll(text, "#", string(rune('a'+i%26))+string(rune('a'+i/26)))
	}
	return all
}

var _ = Describe("Admission", func() {
	It("V1 V2 takes the valid base of each table", func() {
		for kind, spec := range valid {
			Expect(admit(kind, spec())).To(Succeed(), kind)
		}
		for _, kind := range []string{"IPAddressPool", "BGPPeer", "BGPAdvertisement", "BFDProfile", "Herald"} {
			for field := range valid[kind]() {
				if required := map[string]bool{"addresses": true, "myASN": true, "peerASN": true, "peerAddress": true, "holdTime": true}; !required[field] {
					Expect(admit(kind, with(kind, field, nil))).To(Succeed(), kind+" without "+field)
				}
			}
		}
	})

	refuses := func(kind, field string, value any, message string) {
		GinkgoHelper()
		err := admit(kind, with(kind, field, value))
		Expect(err).To(MatchError(And(ContainSubstring(field), ContainSubstring(message))))
		Expect(err.Error()).NotTo(ContainSubstring("evaluating rule"), "a rule must not fail on what it refuses")
		Expect(err.Error()).NotTo(ContainSubstring("no such overload"))
	}
	takes := func(kind, field string, value any) {
		GinkgoHelper()
		Expect(admit(kind, with(kind, field, value))).To(Succeed())
	}

	DescribeTable("Herald refuses", func(field string, value any, message string) {
		refuses("Herald", field, value, message)
	},
		Entry("an empty image", "image", "", "should be at least 1 chars long"),
		Entry("a long one", "frrImage", strings.Repeat("x", 513), "Too long"),
		Entry("an unknown policy", "imagePullPolicy", "Sometimes", "Unsupported value"),
		Entry("too many Secrets", "imagePullSecrets", items(17, "x"), "must have at most 16 items"),
		Entry("too many tolerations", "tolerations", make([]any, 33), "must have at most 32 items"),
		Entry("an unknown level", "logLevel", "loud", "Unsupported value"),
		Entry("an unknown tunnel", "flowPreservation", map[string]any{"tunnel": map[string]any{"type": "GRE"}}, "Unsupported value"),
		Entry("no port", "flowPreservation", map[string]any{"tunnel": map[string]any{"port": int64(0)}}, "should be greater than or equal to 1"),
		Entry("a port too large", "flowPreservation", map[string]any{"tunnel": map[string]any{"port": int64(65536)}}, "should be less than or equal to 65535"),
		Entry("an MTU below IPv6's", "flowPreservation", map[string]any{"tunnel": map[string]any{"mtu": int64(1279)}}, "should be greater than or equal to 1280"),
		Entry("too few floods", "flowPreservation", map[string]any{"limits": map[string]any{"floodsPerSecond": int64(9)}}, "should be greater than or equal to 10"),
		Entry("too many learned flows", "flowPreservation", map[string]any{"limits": map[string]any{"learnedFlows": int64(4194305)}}, "should be less than or equal to 4194304"),
		Entry("no class", "loadBalancerClass", "", "should be at least 1 chars long"),
		Entry("a class with a space", "loadBalancerClass", "my class", "must be a name as Services have it in spec.loadBalancerClass"),
		Entry("a class of two slashes", "loadBalancerClass", "example.com/a/b", "must be a name as Services have it in spec.loadBalancerClass"),
		Entry("host bits", "protectedCIDRs", []any{"10.0.0.1/8"}, "must be a CIDR in canonical form"),
		Entry("an address", "protectedCIDRs", []any{"10.0.0.1"}, "must be a CIDR in canonical form"),
		Entry("one CIDR twice", "protectedCIDRs", []any{"10.0.0.0/8", "10.0.0.0/8"}, "Duplicate value"),
		Entry("an unknown mode", "announceGate", map[string]any{"mode": "On"}, "Unsupported value"),
		Entry("a long wait", "announceGate", map[string]any{"timeout": "11m"}, "must be 1s to 10m"),
		Entry("a taint of no effect that there is", "drain", map[string]any{"taints": []any{map[string]any{"key": "x", "effect": "Never"}}}, "Unsupported value"),
		Entry("a taint without key", "drain", map[string]any{"taints": []any{map[string]any{"value": "x"}}}, "key: Required value"),
		Entry("a drain that takes too long", "drain", map[string]any{"convergeTime": "11m"}, "must be 0s to 10m"),
		Entry("connections that live too long", "drain", map[string]any{"connectionTimeout": "25h"}, "must be 0s to 24h"),
		Entry("no wait", "announceGate", map[string]any{"timeout": "0s"}, "must be 1s to 10m"),
		Entry("no quantity", "resources", map[string]any{"frr": map[string]any{"limits": map[string]any{"memory": "much"}}}, "resources.frr.limits"),
	)
	It("takes no Herald object of another name", func() {
		object := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{}}}
		object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("Herald"))
		object.SetName("second")
		before := object.DeepCopy()
		err := k8s.Create(ctx, object, client.DryRunAll)
		Expect(err).To(MatchError(ContainSubstring("there is one Herald object, and its name is default: edit that one (kubectl edit heralds.herald-lb.io default)")))
		expectSameOffline(before, err)
	})

	DescribeTable("V1 IPAddressPool refuses", func(block string, message string) {
		refuses("IPAddressPool", "addresses", []any{"192.0.2.0/24", block}, message)
	},
		Entry("a word", "many", "must be a CIDR such as"),
		Entry("an address", "203.0.113.7", "must be a CIDR such as"),
		Entry("an empty block", "", "should be at least 3 chars long"),
		Entry("a range with one end", "203.0.113.7-", "must be a CIDR such as"),
		Entry("a range with three ends", "203.0.113.7-203.0.113.8-203.0.113.9", "must be a CIDR such as"),
		Entry("a range of words", "first-last", "must be a CIDR such as"),
		Entry("a range of CIDRs", "203.0.113.0/25-203.0.113.128/25", "must be a CIDR such as"),
		Entry("a prefix length out of range", "203.0.113.0/33", "must be a CIDR such as"),
		Entry("host bits", "203.0.113.7/24", "must be in canonical form"),
		Entry("host bits, IPv6", "2001:db8::1/120", "must be in canonical form"),
		Entry("mixed families", "203.0.113.1-2001:db8::1", "both ends of a range must be of the same family"),
		Entry("too long", strings.Repeat("1", 91), "Too long"),
	)
	DescribeTable("V1 IPAddressPool refuses lists", func(value any, message string) {
		refuses("IPAddressPool", "addresses", value, message)
	},
		Entry("no list", nil, "Required value"),
		Entry("an empty list", []any{}, "should have at least 1 items"),
		Entry("too many", items(65, "192.0.2.0/24"), "must have at most 64 items"),
	)
	DescribeTable("V1 IPAddressPool refuses in exclude", func(block string, message string) {
		refuses("IPAddressPool", "exclude", []any{block}, message)
	},
		Entry("an address", "203.0.113.7", "must be a CIDR such as"), Entry("an empty block", "", "should be at least 3 chars long"),
		Entry("host bits", "203.0.113.7/24", "must be in canonical form"),
		Entry("mixed families", "203.0.113.1-2001:db8::1", "both ends of a range must be of the same family"),
	)
	DescribeTable("V1 IPAddressPool refuses in serviceAllocation", func(field string, value any, message string) {
		spec := valid["IPAddressPool"]()
		spec["serviceAllocation"].(map[string]any)[field] = value
		Expect(admit("IPAddressPool", spec)).To(MatchError(And(ContainSubstring(field), ContainSubstring(message))))
	},
		Entry("a negative priority", "priority", int64(-1), "should be greater than or equal to 0"),
		Entry("a namespace that can't be", "namespaces", []any{"My_Space"}, "must be the name of a namespace"),
		Entry("a namespace twice", "namespaces", []any{"a", "a"}, "Duplicate value"),
		Entry("an empty namespace", "namespaces", []any{""}, "should be at least 1 chars long"),
		Entry("a namespace too long", "namespaces", []any{strings.Repeat("a", 64)}, "Too long"),
		Entry("too many namespaces", "namespaces", items(65, "n#"), "must have at most 64 items"),
	)
	It("V1 IPAddressPool refuses too many excluded blocks", func() {
		refuses("IPAddressPool", "exclude", items(65, "192.0.2.0/24"), "must have at most 64 items")
	})
	DescribeTable("V1 IPAddressPool takes", func(block string) { takes("IPAddressPool", "addresses", []any{block}) },
		Entry("one address", "203.0.113.7/32"), Entry("one address, IPv6", "2001:db8::1/128"),
		Entry("a range of one", "203.0.113.7-203.0.113.7"), Entry("blanks", "203.0.113.7 - 203.0.113.9"),
	)

	DescribeTable("V2 BGPPeer refuses", func(field string, value any, message string) { refuses("BGPPeer", field, value, message) },
		Entry("no myASN", "myASN", nil, "exactly one of myASN and myASNFrom must be set"),
		Entry("both myASN and its place", "myASNFrom", map[string]any{"nodeLabel": "example.com/asn"}, "exactly one of myASN and myASNFrom must be set"),
		Entry("both peerAddress and its place", "peerAddressFrom", map[string]any{"nodeLabel": "tor"}, "exactly one of peerAddress, peerAddressFrom, defaultGateway and interface must be set"),
		Entry("both peerAddress and the gateway", "defaultGateway", "ipv4", "exactly one of peerAddress, peerAddressFrom, defaultGateway and interface must be set"),
		Entry("both peerAddress and an interface", "interface", "eth1", "exactly one of peerAddress, peerAddressFrom, defaultGateway and interface must be set"),
		Entry("a gateway of another family", "defaultGateway", "IPv4", `supported values: "ipv4", "ipv6"`),
		Entry("both sourceAddress and its place", "sourceAddressFrom", map[string]any{"nodeLabel": "own"}, "at most one of sourceAddress and sourceAddressFrom"),
		Entry("both routerID and its place", "routerIDFrom", map[string]any{"nodeLabel": "id"}, "at most one of routerID and routerIDFrom"),
		Entry("myASN 0", "myASN", int64(0), "should be greater than or equal to 1"),
		Entry("myASN too large", "myASN", int64(4294967296), "should be less than or equal to 4294967295"),
		Entry("no peerASN", "peerASN", nil, "exactly one of peerASN and dynamicASN must be set"),
		Entry("both forms of ASN", "dynamicASN", "external", "exactly one of peerASN and dynamicASN must be set"),
		Entry("vrf default", "vrf", "default", "must be the name of a VRF device"),
		Entry("vrf all", "vrf", "all", "must be the name of a VRF device"),
		Entry("vrf of two words", "vrf", "red blue", "must be the name of a VRF device"),
		Entry("vrf with a line break", "vrf", "red\n!", "must be the name of a VRF device"),
		Entry("vrf that is a comment", "vrf", "#red", "must be the name of a VRF device"),
		Entry("vrf with a question", "vrf", "red?", "must be the name of a VRF device"),
		Entry("vrf with a slash", "vrf", "re/d", "must be the name of a VRF device"),
		Entry("vrf outside ASCII", "vrf", "röt", "must be the name of a VRF device"),
		Entry("vrf that begins with a dash", "vrf", "-red", "must be the name of a VRF device"),
		Entry("vrf longer than a device's name", "vrf", "sixteencharacter", "may not be"),
		Entry("vrf empty", "vrf", "", "should be at least 1"),
		Entry("localASN 0", "localASN", int64(0), "should be greater than or equal to 1"),
		Entry("localASN the own", "localASN", int64(64512), "must be neither myASN nor peerASN"),
		Entry("localASN the router's", "localASN", int64(4294967295), "must be neither myASN nor peerASN"),
		Entry("maximumPrefixes 0", "maximumPrefixes", int64(0), "should be greater than or equal to 1"),
		Entry("maximumPrefixes too large", "maximumPrefixes", int64(4294967296), "should be less than or equal to 4294967295"),
		Entry("a receive mode of another name", "receive", map[string]any{"mode": "Some"}, `supported values: "None", "Filtered", "All"`),
		Entry("Filtered without prefixes", "receive", map[string]any{"mode": "Filtered"}, "mode Filtered needs prefixes"),
		Entry("prefixes without a mode", "receive", received("10.0.0.0/8", 0, 0, ""), "prefixes needs mode Filtered or All"),
		Entry("All but a prefix", "receive", received("10.0.0.0/8", 0, 0, "All"), "with mode All prefixes lists default routes only"),
		Entry("All but defaults of any length", "receive", received("0.0.0.0/0", 0, 8, "All"), "with mode All prefixes lists default routes only"),
		Entry("a prefix with host bits", "receive", received("10.0.0.1/8", 0, 0, "Filtered"), "must be a CIDR in canonical form"),
		Entry("a prefix not canonical", "receive", received("2001:DB8::/32", 0, 0, "Filtered"), "must be a CIDR in canonical form"),
		Entry("no prefix", "receive", received("10.0.0.1", 0, 0, "Filtered"), "must be a CIDR in canonical form"),
		Entry("ge shorter than the prefix", "receive", received("10.0.0.0/8", 7, 0, "Filtered"), "ge and le must not be shorter than cidr"),
		Entry("le shorter than ge", "receive", received("10.0.0.0/8", 24, 16, "Filtered"), "ge and le must not be shorter than cidr"),
		Entry("le longer than IPv4", "receive", received("10.0.0.0/8", 0, 33, "Filtered"), "must not be longer than 32 for IPv4"),
		Entry("le longer than IPv6", "receive", received("2001:db8::/32", 0, 129, "Filtered"), "should be less than or equal to 128"),
		Entry("TTL security of no hop", "ttlSecurityHops", int64(0), "should be greater than or equal to 1"),
		Entry("TTL security of too many", "ttlSecurityHops", int64(255), "should be less than or equal to 254"),
		Entry("TTL security with multihop", "ttlSecurityHops", int64(1), "ttlSecurityHops and ebgpMultiHop exclude each other"),
		Entry("a dynamicASN of another name", "dynamicASN", "any", `supported values: "internal", "external"`),
		Entry("peerASN 0", "peerASN", int64(0), "should be greater than or equal to 1"),
		Entry("no peerAddress", "peerAddress", nil, "exactly one of peerAddress, peerAddressFrom, defaultGateway and interface must be set"),
		Entry("a name", "peerAddress", "router.example", "must be an IPv4 or IPv6 address in canonical form"),
		Entry("not canonical", "peerAddress", "2001:DB8::1", "must be an IPv4 or IPv6 address in canonical form"),
		Entry("leading zeros", "peerAddress", "192.0.2.01", "must be an IPv4 or IPv6 address in canonical form"),
		Entry("a zone", "peerAddress", "fe80::1%eth0", "must be an IPv4 or IPv6 address in canonical form"),
		Entry("IPv4-mapped", "peerAddress", "::ffff:192.0.2.1", "must be an IPv4 or IPv6 address in canonical form"),
		Entry("unspecified", "peerAddress", "0.0.0.0", "must be a global or private unicast address"),
		Entry("loopback", "peerAddress", "127.0.0.1", "must be a global or private unicast address"),
		Entry("link-local", "peerAddress", "fe80::1", "must be a global or private unicast address"),
		Entry("link-local multicast", "peerAddress", "224.0.0.5", "must be a global or private unicast address"),
		Entry("multicast", "peerAddress", "239.1.2.3", "must be a global or private unicast address"),
		Entry("multicast, IPv6", "peerAddress", "ff0e::1", "must be a global or private unicast address"),
		Entry("broadcast", "peerAddress", "255.255.255.255", "must be a global or private unicast address"),
		Entry("port 0", "peerPort", int64(0), "should be greater than or equal to 1"),
		Entry("port too large", "peerPort", int64(65536), "should be less than or equal to 65535"),
		Entry("hold 1s", "holdTime", "1s", "must be 0s (no keepalives) or from 3s to 65535s"),
		Entry("hold 2s", "holdTime", "2s", "must be 0s (no keepalives) or from 3s to 65535s"),
		Entry("hold too long", "holdTime", "65536s", "must be 0s (no keepalives) or from 3s to 65535s"),
		Entry("hold negative", "holdTime", "-3s", "must be whole seconds in hours, minutes and seconds"),
		Entry("hold not whole", "holdTime", "90500ms", "must be whole seconds in hours, minutes and seconds"),
		Entry("hold of microseconds", "holdTime", "90000001us", "must be whole seconds in hours, minutes and seconds"),
		Entry("hold not a duration", "holdTime", "90", "must be whole seconds in hours, minutes and seconds"),
		Entry("hold too long a text", "holdTime", "00000000000000090s", "Too long"),
		Entry("hold empty", "holdTime", "", "should be at least 2 chars long"),
		Entry("hold beyond counting", "holdTime", "99999h99999m", "must be 0s (no keepalives) or from 3s to 65535s"),
		Entry("keepalive not whole", "keepaliveTime", "1500ms", "must be whole seconds in hours, minutes and seconds"),
		Entry("keepalive not a duration", "keepaliveTime", "soon", "must be whole seconds in hours, minutes and seconds"),
		Entry("keepalive negative", "keepaliveTime", "-1s", "must be whole seconds in hours, minutes and seconds"),
		Entry("connect 0s", "connectTime", "0s", "must be from 1s to 65535s"),
		Entry("connect too long", "connectTime", "65536s", "must be from 1s to 65535s"),
		Entry("connect not whole", "connectTime", "1001ms", "must be whole seconds in hours, minutes and seconds"),
		Entry("connect not a duration", "connectTime", "1 minute", "must be whole seconds in hours, minutes and seconds"),
		Entry("router-id of IPv6", "routerID", "2001:db8::1", "must be a non-zero IPv4 address in dotted form"),
		Entry("router-id zero", "routerID", "0.0.0.0", "must be a non-zero IPv4 address in dotted form"),
		Entry("router-id a number", "routerID", "7", "must be a non-zero IPv4 address in dotted form"),
		Entry("multihop on iBGP", "myASN", int64(4294967295), "ebgpMultiHop is for eBGP only"),
		Entry("an unknown family", "addressFamilies", []any{"ipv4"}, `supported values: "IPv4", "IPv6"`),
		Entry("a family twice", "addressFamilies", []any{"IPv4", "IPv4"}, "Duplicate value"),
		Entry("no family", "addressFamilies", []any{}, "should have at least 1 items"),
		Entry("source a name", "sourceAddress", "eth0", "must be an IPv4 or IPv6 address in canonical form"),
		Entry("source not canonical", "sourceAddress", "10.0.0.01", "must be an IPv4 or IPv6 address in canonical form"),
		Entry("source loopback", "sourceAddress", "127.0.0.1", "must be a global or private unicast address of the node"),
		Entry("source of the other family", "sourceAddress", "2001:db8::1", "sourceAddress must be of the family of peerAddress"),
		Entry("source the router's", "sourceAddress", "192.0.2.1", "sourceAddress must not be peerAddress"),
		Entry("graceful restart of a word", "enableGracefulRestart", "yes", "must be of type boolean"),
		Entry("Secret without a name", "passwordSecret", map[string]any{"name": ""}, "should be at least 1 chars long"),
		Entry("too many selectors", "nodeSelectors", func() []any {
			all := make([]any, 65)
			for i := range all {
				all[i] = map[string]any{"matchLabels": map[string]any{"a": "b"}}
			}
			return all
		}(), "must have at most 64 items"),
	)
	It("V2 BGPPeer refuses keepalive longer than hold, and without it", func() {
		spec := with("BGPPeer", "keepaliveTime", "91s")
		Expect(admit("BGPPeer", spec)).To(MatchError(ContainSubstring("keepaliveTime must not be longer than holdTime")))
		Expect(admit("BGPPeer", with("BGPPeer", "holdTime", nil))).To(MatchError(ContainSubstring("keepaliveTime needs holdTime")))
	})
	It("V2 BGPPeer takes dynamicASN for peerASN, and refuses multihop on iBGP so too", func() {
		for dynamic, multihop := range map[string]bool{"external": true, "internal": false} {
			spec := with("BGPPeer", "peerASN", nil)
			spec["dynamicASN"], spec["ebgpMultiHop"] = dynamic, multihop
			Expect(admit("BGPPeer", spec)).To(Succeed())
		}
		spec := with("BGPPeer", "peerASN", nil)
		spec["dynamicASN"] = "internal"
		Expect(admit("BGPPeer", spec)).To(MatchError(ContainSubstring("ebgpMultiHop is for eBGP only")))
	})
	It("V2 BGPPeer refuses localASN and TTL security on iBGP, and takes them on eBGP", func() {
		for field, message := range map[string]string{"localASN": "localASN is for eBGP only", "ttlSecurityHops": "ttlSecurityHops is for eBGP only"} {
			spec := with("BGPPeer", "ebgpMultiHop", nil)
			spec[field] = int64(9)
			Expect(admit("BGPPeer", spec)).To(Succeed())
			spec["myASN"] = spec["peerASN"]
			Expect(admit("BGPPeer", spec)).To(MatchError(ContainSubstring(message)))
			spec["myASN"] = int64(64512)
			delete(spec, "peerASN")
			spec["dynamicASN"] = "internal"
			Expect(admit("BGPPeer", spec)).To(MatchError(ContainSubstring(message)))
		}
	})
	DescribeTable("V2 BGPPeer takes", func(field string, value any) { takes("BGPPeer", field, value) },
		Entry("another source", "sourceAddress", "192.0.2.7"), Entry("no multihop", "ebgpMultiHop", false), Entry("no graceful restart", "enableGracefulRestart", false),
		Entry("hold 65535s", "holdTime", "65535s"), Entry("hold in minutes", "holdTime", "1m30s"),
		Entry("keepalive as long as hold", "keepaliveTime", "90s"), Entry("connect 1s", "connectTime", "1s"),
	)
	DescribeTable("V2 S4 BGPPeer refuses places of values", func(source map[string]any, message string) {
		for static, from := range perNode {
			spec := with("BGPPeer", static, nil)
			spec[from] = source
			err := admit("BGPPeer", spec)
			Expect(err).To(MatchError(And(ContainSubstring(from), ContainSubstring(message))))
			Expect(err.Error()).NotTo(ContainSubstring("no such key"))
		}
	},
		Entry("none", map[string]any{}, "must be set"),
		Entry("two", map[string]any{"nodeLabel": "a", "nodeAnnotation": "b"}, "must be set"),
		Entry("an empty key", map[string]any{"nodeLabel": ""}, "should be at least 1 chars long"),
		Entry("a key with a blank", map[string]any{"nodeLabel": "my asn"}, "must be the key of a label or annotation"),
		Entry("a key with a line break", map[string]any{"nodeAnnotation": "asn\nexit"}, "must be the key of a label or annotation"),
		Entry("a key with two prefixes", map[string]any{"nodeAnnotation": "a/b/c"}, "must be the key of a label or annotation"),
		Entry("a name too long", map[string]any{"nodeLabel": "example.com/" + strings.Repeat("a", 64)}, "must be the key of a label or annotation"),
	)
	DescribeTable("V2 S4 BGPPeer refuses places of addresses", func(source map[string]any, message string) {
		for static, from := range perNode {
			if from == "myASNFrom" {
				continue
			}
			spec := with("BGPPeer", static, nil)
			spec[from] = source
			err := admit("BGPPeer", spec)
			Expect(err).To(MatchError(And(ContainSubstring(from), ContainSubstring(message))))
			Expect(err.Error()).NotTo(ContainSubstring("evaluating rule"))
		}
	},
		Entry("a label and an interface", map[string]any{"nodeLabel": "a", "interface": "eth0"}, "exactly one of nodeLabel, nodeAnnotation, interface and cidr"),
		Entry("an interface and a CIDR", map[string]any{"interface": "eth0", "cidr": "10.0.0.0/8"}, "exactly one of nodeLabel, nodeAnnotation, interface and cidr"),
		Entry("an interface with a blank", map[string]any{"interface": "eth 0"}, "must be the name of an interface"),
		Entry("an interface with a line break", map[string]any{"interface": "eth0\n!"}, "must be the name of an interface"),
		Entry("an interface of 16 characters", map[string]any{"interface": strings.Repeat("x", 16)}, "Too long"),
		Entry("a CIDR of a word", map[string]any{"cidr": "many"}, "must be a CIDR"),
		Entry("a CIDR with host bits", map[string]any{"cidr": "10.0.0.1/8"}, "must be a CIDR"),
	)
	It("S14 BGPPeer takes the default gateway, with a source of its family", func() {
		spec := with("BGPPeer", "peerAddress", nil)
		spec["defaultGateway"] = "ipv4"
		Expect(admit("BGPPeer", spec)).To(Succeed())
		spec["defaultGateway"] = "ipv6"
		Expect(admit("BGPPeer", spec)).To(MatchError(ContainSubstring("sourceAddress must be of the family of defaultGateway")))
		delete(spec, "sourceAddress")
		Expect(admit("BGPPeer", spec)).To(Succeed())
	})
	It("S11 BGPPeer takes an interface, and refuses what a session behind one can't have", func() {
		spec := with("BGPPeer", "peerAddress", nil)
		delete(spec, "sourceAddress")
		delete(spec, "ebgpMultiHop")
		for _, name := range []string{"eth1", "bond0.100", "br-lan_2", "enp129s0f0np0.1", "0x"} {
			spec["interface"] = name
			Expect(admit("BGPPeer", spec)).To(Succeed(), name)
		}
		for _, name := range []string{"eth1 ", "a b", "a\n no", "10.0.0.9", "100", "-a", "a/b", "eth1:0", "ä"} {
			spec["interface"] = name
			Expect(admit("BGPPeer", spec)).To(MatchError(ContainSubstring("must be the name of an interface")), name)
		}
		spec["interface"] = "abcdefghijklmnop"
		Expect(admit("BGPPeer", spec)).To(MatchError(ContainSubstring("may not be more than 15")))
		for field, value := range map[string]any{"sourceAddress": "192.0.2.9", "sourceAddressFrom": map[string]any{"nodeLabel": "own"}, "ebgpMultiHop": true} {
			wrong := maps.Clone(spec)
			wrong["interface"], wrong[field] = "eth1", value
			Expect(admit("BGPPeer", wrong)).To(MatchError(ContainSubstring(field+" ")), field)
			Expect(admit("BGPPeer", wrong)).To(MatchError(ContainSubstring("must not be set with interface")), field)
		}
	})
	It("K1 BGPPeer takes extendedNextHop for IPv4 routes over IPv6 only", func() {
		spec := with("BGPPeer", "peerAddress", "2001:db8::1")
		delete(spec, "sourceAddress")
		spec["addressFamilies"], spec["extendedNextHop"] = []any{"IPv4", "IPv6"}, true
		Expect(admit("BGPPeer", spec)).To(Succeed())
		for field, value := range map[string]any{"addressFamilies": []any{"IPv6"}, "peerAddress": "192.0.2.1"} {
			wrong := maps.Clone(spec)
			wrong[field] = value
			Expect(admit("BGPPeer", wrong)).To(MatchError(ContainSubstring("extendedNextHop is for IPv4 routes over a session between IPv6 addresses")), field)
		}
		delete(spec, "peerAddress")
		delete(spec, "ebgpMultiHop")
		spec["interface"] = "eth1"
		Expect(admit("BGPPeer", spec)).To(MatchError(ContainSubstring("extendedNextHop must not be set with interface")))
	})
	It("S4 BGPPeer has no AS number from an interface", func() {
		spec := with("BGPPeer", "myASN", nil)
		spec["myASNFrom"] = map[string]any{"interface": "eth0"}
		Expect(admit("BGPPeer", spec)).To(MatchError(ContainSubstring("exactly one of nodeLabel and nodeAnnotation must be set")))
	})
	It("S4 BGPPeer takes interfaces and CIDRs", func() {
		for _, source := range []map[string]any{{"interface": "bond0.100"}, {"cidr": "10.0.0.0/8"}, {"cidr": "2001:db8::/48"}} {
			spec := valid["BGPPeer"]()
			for static, from := range perNode {
				if from != "myASNFrom" {
					delete(spec, static)
					spec[from] = source
				}
			}
			Expect(admit("BGPPeer", spec)).To(Succeed())
		}
	})
	It("V2 S4 BGPPeer takes places of values, with whatever goes with the values", func() {
		for _, source := range []map[string]any{{"nodeLabel": "example.com/Asn_1"}, {"nodeAnnotation": "tor"}} {
			spec := with("BGPPeer", "routerID", nil)
			for static, from := range perNode {
				delete(spec, static)
				spec[from] = source
			}
			Expect(admit("BGPPeer", spec)).To(Succeed(), "multihop")
			delete(spec, "ebgpMultiHop")
			spec["ttlSecurityHops"], spec["localASN"] = int64(1), int64(64999)
			Expect(admit("BGPPeer", spec)).To(Succeed(), "TTL security, localASN")
			spec["localASN"] = spec["peerASN"]
			Expect(admit("BGPPeer", spec)).To(MatchError(ContainSubstring("must be neither myASN nor peerASN")))
		}
	})
	DescribeTable("V2 BGPPeer takes addresses", func(address string) {
		spec := with("BGPPeer", "peerAddress", address)
		delete(spec, "sourceAddress")
		Expect(admit("BGPPeer", spec)).To(Succeed())
	}, Entry("IPv6", "2001:db8::1"), Entry("a unique local address", "fd00::1"))
	It("V2 BGPPeer takes hold 0s with keepalive 0s", func() {
		spec := with("BGPPeer", "holdTime", "0s")
		spec["keepaliveTime"] = "0s"
		Expect(admit("BGPPeer", spec)).To(Succeed())
	})

	DescribeTable("V8 BFDProfile refuses", func(field string, value int64, message string) {
		refuses("BFDProfile", field, value, message)
	},
		Entry("receive too short", "receiveInterval", int64(9), "should be greater than or equal to 10"),
		Entry("receive too long", "receiveInterval", int64(60001), "should be less than or equal to 60000"),
		Entry("transmit too short", "transmitInterval", int64(0), "should be greater than or equal to 10"),
		Entry("transmit too long", "transmitInterval", int64(60001), "should be less than or equal to 60000"),
		Entry("echo too short", "echoInterval", int64(9), "should be greater than or equal to 10"),
		Entry("echo too long", "echoInterval", int64(60001), "should be less than or equal to 60000"),
		Entry("multiplier of one", "detectMultiplier", int64(1), "should be greater than or equal to 2"),
		Entry("multiplier too large", "detectMultiplier", int64(256), "should be less than or equal to 255"),
		Entry("TTL 0", "minimumTtl", int64(0), "should be greater than or equal to 1"),
		Entry("TTL 255", "minimumTtl", int64(255), "should be less than or equal to 254"),
	)
	It("V8 BGPPeer refuses a name of a profile that can't be", func() {
		refuses("BGPPeer", "bfdProfile", strings.Repeat("x", 254), "Too long")
	})

	DescribeTable("FRRSnippet refuses", func(field string, value any, message string) {
		refuses("FRRSnippet", field, value, message)
	},
		Entry("no configuration", "config", nil, "Required value"),
		Entry("an empty one", "config", "", "should be at least 1 chars"),
		Entry("a very long one", "config", strings.Repeat("x", 16385), "Too long"),
		Entry("a negative priority", "priority", int64(-1), "should be greater than or equal to 0"),
		Entry("too high a priority", "priority", int64(65536), "should be less than or equal to 65535"),
		Entry("too many selectors", "nodeSelectors", func() []any {
			all := make([]any, 65)
			for i := range all {
				all[i] = map[string]any{}
			}
			return all
		}(), "must have at most 64 items"),
	)

	DescribeTable("FlowPolicy refuses", func(field string, value any, message string) {
		refuses("FlowPolicy", field, value, message)
	},
		Entry("an unknown mode", "mode", "Remember", "Unsupported value"),
		Entry("no protocol", "protocols", []any{}, "should have at least 1 items"),
		Entry("an unknown protocol", "protocols", []any{"SCTP"}, "Unsupported value"),
		Entry("one protocol twice", "protocols", []any{"TCP", "TCP"}, "Duplicate value"),
		Entry("one pool twice", "ipAddressPools", []any{"p", "p"}, "Duplicate value"),
		Entry("too many pools", "ipAddressPools", items(65, "p#"), "must have at most 64 items"),
		Entry("too many pool selectors", "ipAddressPoolSelectors", slices.Repeat([]any{map[string]any{}}, 65), "must have at most 64 items"),
		Entry("too many service selectors", "serviceSelectors", slices.Repeat([]any{map[string]any{}}, 65), "must have at most 64 items"),
		Entry("too many namespace selectors", "namespaceSelectors", slices.Repeat([]any{map[string]any{}}, 65), "must have at most 64 items"),
		Entry("no name of a namespace", "namespaces", []any{"Shop"}, "must be the name of a namespace"),
	)

	DescribeTable("V6 BGPAdvertisement refuses", func(community, message string) {
		refuses("BGPAdvertisement", "communities", []any{community}, message)
	},
		Entry("a half too large", "65536:1", "each half from 0 to 65535"), Entry("the other half too large", "1:65536", "each half from 0 to 65535"),
		Entry("one half", "64512", "each half from 0 to 65535"), Entry("a large one of four parts", "1:2:3:4", "each part from 0 to 4294967295"),
		Entry("a large part too large", "1:2:4294967296", "each part from 0 to 4294967295"), Entry("a large zero in front", "large:1:02:3", "without leading zeros"),
		Entry("large with two parts", "large:1:2", "each part from 0 to 4294967295"),
		Entry("leading zero", "01:1", "without leading zeros"), Entry("blank", "1: 1", "each half from 0 to 65535"),
		Entry("a line break", "1:1\nexit", "each half from 0 to 65535"), Entry("a name with a blank", "no export", "or an alias in a Community"), Entry("a name that begins with a digit", "1st", "or an alias in a Community"),
		Entry("many digits", "1:99999999999999999999", "each half from 0 to 65535"), Entry("empty", "", "at least 1 chars long"),
		Entry("the reserved one", "0:0", "0:0 is reserved (RFC 1997)"),
	)
	DescribeTable("V6 BGPAdvertisement refuses lists", func(field string, value any, message string) {
		refuses("BGPAdvertisement", field, value, message)
	},
		Entry("one community twice", "communities", []any{"1:1", "1:1"}, "Duplicate value"),
		Entry("too many communities", "communities", items(65, "1:1"), "must have at most 64 items"),
		Entry("one pool twice", "ipAddressPools", []any{"p", "p"}, "Duplicate value"),
		Entry("too many pool selectors", "ipAddressPoolSelectors", slices.Repeat([]any{map[string]any{}}, 65), "must have at most 64 items"),
		Entry("too many service selectors", "serviceSelectors", slices.Repeat([]any{map[string]any{}}, 65), "must have at most 64 items"),
		Entry("too many namespace selectors", "namespaceSelectors", slices.Repeat([]any{map[string]any{}}, 65), "must have at most 64 items"),
		Entry("too many pools", "ipAddressPools", items(65, "p#"), "must have at most 64 items"),
		Entry("too many peers", "peers", items(65, "p#"), "must have at most 64 items"),
	)

	DescribeTable("V6 Community refuses", func(name, value, message string) {
		refuses("Community", "communities", []any{map[string]any{"name": name, "value": value}}, message)
	},
		Entry("no name", "", "1:1", "at least 1 chars long"), Entry("a name like a community", "1:1", "1:1", "must be a letter"),
		Entry("a line break in the name", "a\nexit", "1:1", "must be a letter"), Entry("a well-known name", "no-export", "1:1", "is a well-known name"),
		Entry("a long name", strings.Repeat("a", 64), "1:1", "may not be more than 63"),
		Entry("an alias of an alias", "gold", "silver", "must be a community, not an alias"),
		Entry("a half too large", "gold", "1:65536", "each half from 0 to 65535"), Entry("the reserved value", "gold", "0:0", "0:0 is reserved (RFC 1997)"),
	)
	It("V6 Community refuses no alias at all, and one name twice", func() {
		refuses("Community", "communities", []any{}, "should have at least 1 items")
		gold := map[string]any{"name": "gold", "value": "1:1"}
		refuses("Community", "communities", []any{gold, gold}, "Duplicate value")
	})

	DescribeTable("P2 BGPAdvertisement refuses local-pref", func(value int64, message string) {
		refuses("BGPAdvertisement", "localPref", value, message)
	},
		Entry("negative", int64(-1), "should be greater than or equal to 0"),
		Entry("of more than 32 bits", int64(4294967296), "should be less than or equal to 4294967295"),
	)

	DescribeTable("P5 P7 BGPAdvertisement refuses", func(field string, value any, message string) {
		refuses("BGPAdvertisement", field, value, message)
	},
		Entry("MED negative", "med", int64(-1), "should be greater than or equal to 0"),
		Entry("MED of more than 32 bits", "med", int64(4294967296), "should be less than or equal to 4294967295"),
		Entry("prepend negative", "asPathPrepend", int64(-1), "should be greater than or equal to 0"),
		Entry("prepend too often", "asPathPrepend", int64(11), "should be less than or equal to 10"),
		Entry("weight unknown", "weight", "Heavy", "Unsupported value"),
		Entry("no next hop", "nextHop", map[string]any{}, "at least one of ipv4 and ipv6 must be set"),
		Entry("next hop a name", "nextHop", map[string]any{"ipv4": "router1"}, "must be a global or private IPv4 unicast address"),
		Entry("next hop of the other family", "nextHop", map[string]any{"ipv4": "2001:db8::1"}, "must be a global or private IPv4 unicast address"),
		Entry("next hop of the other family, IPv6", "nextHop", map[string]any{"ipv6": "192.0.2.1"}, "must be a global or private IPv6 unicast address"),
		Entry("next hop multicast", "nextHop", map[string]any{"ipv4": "224.0.0.5"}, "must be a global or private IPv4 unicast address"),
		Entry("next hop link-local", "nextHop", map[string]any{"ipv6": "fe80::1"}, "must be a global or private IPv6 unicast address"),
		Entry("next hop not canonical", "nextHop", map[string]any{"ipv6": "2001:DB8::1"}, "in canonical form"),
	)

	DescribeTable("V6 BGPAdvertisement refuses aggregation lengths", func(field string, value int64, message string) {
		refuses("BGPAdvertisement", field, value, message)
	},
		Entry("none", "aggregationLength", int64(0), "should be greater than or equal to 1"),
		Entry("longer than an IPv4 address", "aggregationLength", int64(33), "should be less than or equal to 32"),
		Entry("none of IPv6", "aggregationLengthV6", int64(0), "should be greater than or equal to 1"),
		Entry("longer than an IPv6 address", "aggregationLengthV6", int64(129), "should be less than or equal to 128"),
	)

	It("a BGPSession never changes its node or peer", func() {
		session("n1", "tor", v1alpha1.SessionIdle)
		object := &v1alpha1.BGPSession{}
		Expect(k8s.Get(ctx, client.ObjectKey{Name: v1alpha1.SessionName("n1", "tor")}, object)).To(Succeed())
		object.Spec.Peer = "other"
		Expect(k8s.Update(ctx, object)).To(MatchError(ContainSubstring("never change")))
	})
})

// received is a BGPPeer's receive of one prefix; 0 and "" are left out.
func received(cidr string, ge, le int64, mode string) map[string]any {
	prefix := map[string]any{"cidr": cidr}
	if ge > 0 {
		prefix["ge"] = ge
	}
	if le > 0 {
		prefix["le"] = le
	}
	receive := map[string]any{"prefixes": []any{prefix}}
	if mode != "" {
		receive["mode"] = mode
	}
	return receive
}
