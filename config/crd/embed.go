// Package crd has the CustomResourceDefinitions of Herald's Kinds, as they are
// installed, for programs that need them without a cluster.
package crd

import "embed"

// Bases are the generated CustomResourceDefinitions, one file per Kind in "bases".
//
//go:embed bases/*.yaml
var Bases embed.FS
