package sandbox

import "fmt"

// MountKind is what a Mount mounts.
type MountKind string

// Kinds of mounts.
const (
	// Bind mounts the host's file or directory Source.
	Bind MountKind = "bind"
	// Tmpfs is an empty directory in memory.
	Tmpfs MountKind = "tmpfs"
)

// Mount is one mount in a box, made in the order given. A missing Target is
// created.
type Mount struct {
	Kind MountKind
	// Source is a path on the host, for Bind.
	Source string
	// Target is the absolute path inside the box.
	Target string
	// ReadOnly makes writes fail with EROFS.
	ReadOnly bool
	// Mode is the permission of a Tmpfs, "0755" if empty.
	Mode string
}

// Spec describes a Box.
type Spec struct {
	// Name is the host name inside, and names the box in errors and logs.
	Name string
	// Dir is a directory of the host that belongs to this box alone; its mount
	// points are made there.
	Dir string
	// Root is the root filesystem, used as the lower layer of an overlay whose
	// writes stay in memory. Empty means the host's.
	Root string
	// Pivot makes Root the root of the box's mount namespace, with nothing of the
	// host's below it, as a container runtime in the box needs it. Otherwise
	// commands are only confined to it (chroot).
	Pivot bool
	// Within makes the box a container of another: it shares that box's network
	// and host name, and dies with it.
	Within *Box
	// OwnNetwork gives a container a network and host name of its own, as a pod
	// has; it still dies with the box it is in.
	OwnNetwork bool
	// Mounts are made after /proc, /sys and /dev.
	Mounts []Mount
	// Env is added to a minimal environment (PATH, HOME).
	Env []string
}

// newNetwork is whether the box has a network namespace of its own.
func (s *Spec) newNetwork() bool { return s.Within == nil || s.OwnNetwork }

// rootInside is where the root filesystem is in the box's mount namespace.
func (s *Spec) rootInside() string {
	if s.Pivot {
		return "/"
	}
	return rootOf(s.Dir, s.Root)
}

func (s *Spec) validate() error {
	if s.Name == "" || s.Dir == "" {
		return fmt.Errorf("sandbox: a box needs a name and a directory")
	}
	if s.Pivot && s.Root == "" {
		return fmt.Errorf("box %q: Pivot needs a Root", s.Name)
	}
	for _, m := range s.Mounts {
		if m.Target == "" || m.Target[0] != '/' {
			return fmt.Errorf("box %q: mount target %q is not absolute", s.Name, m.Target)
		}
		if m.Kind == Bind && m.Source == "" {
			return fmt.Errorf("box %q: bind mount on %s has no source", s.Name, m.Target)
		}
	}
	return nil
}

// initSpec is what PID 1 is told.
type initSpec struct {
	Name   string
	Dir    string
	Root   string
	Pivot  bool
	NewNet bool
	Mounts []Mount
}
