package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/herald-lb/herald/test/cluster/cgroup"
	"github.com/herald-lb/herald/test/lab/workdir"
)

// What a cluster takes of the machine.
const (
	needMemory = 2 << 30
	needDisk   = 2 << 30
)

// machineMissing says in one line what the machine itself lacks for a cluster, and
// the remedy; it is empty if nothing. Each part is tried, not looked up.
func machineMissing() string {
	probes, err := workdir.New("probe")
	if err != nil {
		return fmt.Sprintf("a directory for probes: %v", err)
	}
	defer probes.Remove()
	dir := probes.Path
	for _, missing := range []func() string{
		func() string { return cgroup.Missing(cgroup.Mount) },
		func() string { return overlayMissing(dir) },
		func() string { return diskMissing(dir) },
		func() string { return memoryMissing("/proc/meminfo") },
		kmsgMissing, nftMissing,
	} {
		if text := missing(); text != "" {
			return text
		}
	}
	return ""
}

// overlayMissing: containerd makes overlays where the nodes' disks are.
func overlayMissing(dir string) string {
	var parts []string
	for _, name := range []string{"lower", "upper", "work", "merged"} {
		parts = append(parts, filepath.Join(dir, name))
		if err := os.MkdirAll(parts[len(parts)-1], 0o755); err != nil {
			return err.Error()
		}
	}
	data := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", parts[0], parts[1], parts[2])
	if err := unix.Mount("overlay", parts[3], "overlay", 0, data); err != nil {
		return fmt.Sprintf("containerd can't make overlays in %s (%v): set TMPDIR to a directory of another filesystem, which is no overlay itself", filepath.Dir(dir), err)
	}
	if err := unix.Unmount(parts[3], 0); err != nil {
		return fmt.Sprintf("%s can't be unmounted: %v", parts[3], err)
	}
	return ""
}

func diskMissing(dir string) string {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return fmt.Sprintf("%s: %v", dir, err)
	}
	if free := st.Bavail * uint64(st.Bsize); free < needDisk {
		return fmt.Sprintf("the nodes' disks need %d MiB in %s, there are %d: free some, or set TMPDIR", needDisk>>20, filepath.Dir(dir), free>>20)
	}
	return ""
}

func memoryMissing(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "MemAvailable:" {
			continue
		}
		if kib, err := strconv.ParseUint(fields[1], 10, 64); err == nil && kib<<10 < needMemory {
			return fmt.Sprintf("three nodes need %d MiB of memory, %d are free", needMemory>>20, kib>>10)
		}
	}
	return ""
}

// kmsgMissing: a kubelet doesn't start without the kernel's log.
func kmsgMissing() string {
	f, err := os.Open("/dev/kmsg")
	if err != nil {
		return fmt.Sprintf("a kubelet reads the kernel's log: %v", err)
	}
	_ = f.Close() // only read
	return ""
}

// nftMissing: kube-proxy writes nftables.
func nftMissing() string {
	out, err := exec.Command("unshare", "--net", "nft", "add", "table", "inet", "probe").CombinedOutput()
	if err != nil {
		return fmt.Sprintf("kube-proxy needs nftables in a network namespace: %v: %s", err, strings.TrimSpace(string(out)))
	}
	return ""
}
