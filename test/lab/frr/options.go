package frr

import (
	"time"

	"github.com/herald-lb/herald/test/lab/sandbox"
	"github.com/herald-lb/herald/test/thirdparty"
)

// Version is an FRR release that Herald supports.
type Version string

// The supported releases: the oldest and the newest.
var (
	V8_4  = Version(thirdparty.FRROld)
	V10_3 = Version(thirdparty.FRRNew)
)

// Versions lists the supported releases, oldest first.
func Versions() []Version { return []Version{V8_4, V10_3} }

// Root is the release's root filesystem on the host. It is shared by all
// instances: never write to it.
func (v Version) Root() string { return thirdparty.FRRRoot(string(v)) }

// daemons in the order of starting. staticd and, from FRR 10 on, others take
// their configuration from mgmtd, so mgmtd comes first.
func (v Version) daemons() []string {
	if v == V8_4 {
		return []string{"zebra", "bgpd", "bfdd", "staticd"}
	}
	return []string{"mgmtd", "zebra", "bgpd", "bfdd", "staticd"}
}

// startDeadline bounds waiting for the daemons' vty sockets.
const startDeadline = 30 * time.Second

type config struct {
	name    string
	within  *sandbox.Box
	mounts  []sandbox.Mount
	args    map[string][]string
	startup string
}

// Option changes how an Instance is started.
type Option func(*config)

// Name is the instance's host name, "frr" by default.
func Name(name string) Option { return func(c *config) { c.name = name } }

// Within runs FRR in the network of another box and lets it die with it.
func Within(box *sandbox.Box) Option { return func(c *config) { c.within = box } }

// Mount binds the host's file or directory source to target inside.
func Mount(source, target string) Option {
	return func(c *config) {
		c.mounts = append(c.mounts, sandbox.Mount{Kind: sandbox.Bind, Source: source, Target: target})
	}
}

// DaemonArgs adds arguments to a daemon's command line, for example
// DaemonArgs("bgpd", "-p", "1790").
func DaemonArgs(daemon string, args ...string) Option {
	return func(c *config) { c.args[daemon] = append(c.args[daemon], args...) }
}

// Startup is a frr.conf that is loaded (vtysh -b) before Start returns.
func Startup(conf string) Option { return func(c *config) { c.startup = conf } }
