// Package e2e installs Herald on a real cluster (package cluster) as a user does,
// and asks the routers and a client behind them what comes of it: a dual-stack
// Service of a real Deployment, an upgrade of Herald under traffic, an
// uninstallation without a trace. It does so by kustomize, where a node also
// crashes and comes back, by Helm, and by the manifests of the OLM bundle, applied
// as OLM would. `make e2e` runs it; the specs of each way are one story, in order,
// and the ways share the cluster, in any order.
package e2e
