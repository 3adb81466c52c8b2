package router

// wellKnown are names of standard communities as FRR prints them (IANA, BGP
// Well-known Communities).
var wellKnown = map[string]string{
	"65535:0":     "graceful-shutdown",
	"65535:1":     "accept-own",
	"65535:6":     "llgr-stale",
	"65535:7":     "no-llgr",
	"65535:666":   "blackhole",
	"65535:65281": "no-export",
	"65535:65282": "no-advertise",
	"65535:65283": "local-AS",
	"65535:65284": "no-peer",
}

// communityName is FRR's name of a well-known community, else the numbers.
func communityName(numbers string) string {
	if name, ok := wellKnown[numbers]; ok {
		return name
	}
	return numbers
}
