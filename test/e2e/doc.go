// Package e2e installs Herald on a real cluster (package cluster) as a user does,
// by its kustomizations and images, and asks the routers and a client behind
// them what comes of it: a Service of a real Deployment, an upgrade of Herald
// under traffic, a node that crashes and comes back, an uninstallation. `make
// e2e` runs it; the specs are one story, in order.
package e2e
