package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// InNetwork calls f on a thread in the box's network namespace (only the
// network: files are the host's). Sockets made by f stay in that network.
func (b *Box) InNetwork(f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := b.enter("net")
		if err == nil {
			err = f()
		}
		result <- err
	}()
	return <-result
}

// Dial connects from within the box's network. The address must be an IP
// address and port: names aren't resolved there.
func (b *Box) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	var conn net.Conn
	err := b.InNetwork(func() error {
		var err error
		conn, err = (&net.Dialer{KeepAlive: -1}).DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// Sysctl sets kernel parameters of the box's network namespace, named as
// sysctl(8) does ("net.ipv4.ip_forward").
func (b *Box) Sysctl(values map[string]string) error {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	return b.InNetwork(func() error {
		for _, name := range names {
			file := filepath.Join("/proc/sys", strings.ReplaceAll(name, ".", "/"))
			if err := os.WriteFile(file, []byte(values[name]), 0); err != nil {
				return fmt.Errorf("%s: sysctl %s: %w", b.spec.Name, name, err)
			}
		}
		return nil
	})
}

// RunOutside runs a program of the host in the box's network, with the host's
// files and process numbers.
func (b *Box) RunOutside(ctx context.Context, args ...string) error {
	name, err := exec.LookPath(args[0])
	if err != nil {
		return err
	}
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args[1:]...)
	cmd.Stdout, cmd.Stderr = &said, &said
	p, err := spawn(cmd, func() error { return b.enter("net") })
	if err == nil {
		err = p.Wait()
	}
	if err != nil {
		return fmt.Errorf("%s: %s: %w: %s", b.spec.Name, strings.Join(args, " "), err, strings.TrimSpace(said.String()))
	}
	return nil
}
