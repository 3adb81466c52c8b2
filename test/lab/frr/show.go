package frr

import (
	"bytes"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"github.com/herald-lb/herald/test/lab/wait"
)

// A vty reply ends with three zero bytes and a status byte, 0 for success.
const trailerBytes = 4

// Show asks one daemon over its vty socket, which takes a fraction of vtysh's
// time: for conditions that are polled.
func (i *Instance) Show(daemon, command string) (string, error) {
	return Show(i.RunDir(), daemon, command)
}

// Show asks a daemon of an FRR whose /run/frr is runDir on the host.
func Show(runDir, daemon, command string) (string, error) {
	conn, err := net.DialTimeout("unix", filepath.Join(runDir, daemon+".vty"), wait.Query)
	if err != nil {
		return "", fmt.Errorf("%s: %w", daemon, err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(wait.Query)); err != nil {
		return "", err
	}
	for _, c := range []string{"enable", command} {
		reply, err := ask(conn, c)
		if err != nil {
			return "", fmt.Errorf("%s: %s: %w", daemon, c, err)
		}
		if c == command {
			return reply, nil
		}
	}
	return "", nil
}

func ask(conn net.Conn, command string) (string, error) {
	if _, err := conn.Write(append([]byte(command), 0)); err != nil {
		return "", err
	}
	var reply []byte
	buf := make([]byte, 64<<10)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return "", err
		}
		reply = append(reply, buf[:n]...)
		end := len(reply) - trailerBytes
		if end < 0 || !bytes.Equal(reply[end:end+3], []byte{0, 0, 0}) {
			continue
		}
		if status := reply[end+3]; status != 0 {
			return "", fmt.Errorf("status %d: %s", status, bytes.TrimSpace(reply[:end]))
		}
		return string(reply[:end]), nil
	}
}
