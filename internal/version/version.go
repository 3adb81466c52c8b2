// Package version holds the release that a binary was built from.
package version

// Version is set by the linker: -X …/internal/version.Version=v1.2.3. It stands
// in the header of every frr.conf and in the logs.
var Version = "dev"
