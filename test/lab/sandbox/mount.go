package sandbox

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// rootOf is where a box's root filesystem is mounted, in its own mount
// namespace.
func rootOf(dir, root string) string {
	if root == "" {
		return "/"
	}
	return filepath.Join(dir, "root")
}

// mountAll makes every mount of a box. It runs as PID 1 in the new mount
// namespace.
func mountAll(spec *initSpec) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	root := rootOf(spec.Dir, spec.Root)
	if spec.Root != "" {
		if err := mountOverlay(spec.Dir, spec.Root, root); err != nil {
			return err
		}
		if err := mountDev(filepath.Join(root, "dev")); err != nil {
			return err
		}
	}
	if err := mountSystem(root, spec.Root == ""); err != nil {
		return err
	}
	for _, m := range spec.Mounts {
		if err := mountOne(root, m); err != nil {
			return fmt.Errorf("mounting %s: %w", m.Target, err)
		}
	}
	if spec.Pivot {
		return pivot(root)
	}
	return nil
}

// pivot makes root, a mount point, the root of the mount namespace and takes the
// old one away. With both arguments "." the old root lies on the new one until
// then: see pivot_root(2).
func pivot(root string) error {
	if err := os.Chdir(root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root to %s: %w", root, err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("taking the host's root away: %w", err)
	}
	return os.Chdir("/")
}

// mountOverlay gives the box a private, writable view of root whose upper
// layer is in memory.
func mountOverlay(dir, lower, root string) error {
	layers := filepath.Join(dir, "layers")
	for _, d := range []string{layers, root} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	if err := unix.Mount("tmpfs", layers, "tmpfs", 0, "mode=0755"); err != nil {
		return fmt.Errorf("tmpfs for the upper layer: %w", err)
	}
	upper, work := filepath.Join(layers, "upper"), filepath.Join(layers, "work")
	for _, d := range []string{upper, work} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return err
		}
	}
	opts := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", lower, upper, work)
	if err := unix.Mount("overlay", root, "overlay", 0, opts); err != nil {
		return fmt.Errorf("overlay on %s: %w", lower, err)
	}
	return nil
}

// mountSystem mounts /proc of the new PID namespace and /sys of the network
// namespace, and on the host's root an own /run.
func mountSystem(root string, hostRoot bool) error {
	if err := unix.Mount("proc", filepath.Join(root, "proc"), "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	if err := unix.Mount("sysfs", filepath.Join(root, "sys"), "sysfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mounting /sys: %w", err)
	}
	if !hostRoot {
		return nil
	}
	if err := unix.Mount("tmpfs", "/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
		return fmt.Errorf("mounting /run: %w", err)
	}
	return nil
}

// mountDev makes a /dev with the devices that a container has.
func mountDev(dev string) error {
	if err := unix.Mount("tmpfs", dev, "tmpfs", unix.MS_NOSUID, "mode=0755"); err != nil {
		return fmt.Errorf("mounting /dev: %w", err)
	}
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		if err := mountOne(dev, Mount{Kind: Bind, Source: "/dev/" + name, Target: "/" + name}); err != nil {
			return fmt.Errorf("device %s: %w", name, err)
		}
	}
	for name, target := range map[string]string{
		"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
	} {
		if err := os.Symlink(target, filepath.Join(dev, name)); err != nil {
			return err
		}
	}
	return os.Mkdir(filepath.Join(dev, "shm"), 0o1777)
}

func mountOne(root string, m Mount) error {
	target := filepath.Join(root, m.Target)
	switch m.Kind {
	case Tmpfs:
		if err := os.MkdirAll(target, 0o755); err != nil {
			return err
		}
		mode := m.Mode
		if mode == "" {
			mode = "0755"
		}
		return unix.Mount("tmpfs", target, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode="+mode)
	case Bind:
		return bind(m, target)
	}
	return fmt.Errorf("unknown kind %q", m.Kind)
}

func bind(m Mount, target string) error {
	if err := mountPoint(m.Source, target); err != nil {
		return err
	}
	if err := unix.Mount(m.Source, target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("binding %s: %w", m.Source, err)
	}
	if !m.ReadOnly {
		return nil
	}
	return unix.Mount("", target, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
}

// mountPoint makes target a directory or a file, as source is.
func mountPoint(source, target string) error {
	st, err := os.Stat(source)
	if err != nil {
		return err
	}
	if st.IsDir() {
		return os.MkdirAll(target, 0o755)
	}
	if _, err := os.Stat(target); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(target, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}
