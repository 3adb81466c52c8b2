package tell

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/herald-lb/herald/relay/rules"
)

// Of linux/netfilter/nfnetlink_log.h.
const (
	logPacket, logConfig = 0, 1 // NFULNL_MSG_*

	configCommand, configMode, configSize, configThreshold = 1, 2, 3, 5 // NFULA_CFG_*
	commandBind                                            = 1          // NFULNL_CFG_CMD_BIND
	copyPacket                                             = 2          // NFULNL_COPY_PACKET
	payload                                                = 9          // NFULA_PAYLOAD

	subsystem    = unix.NFNL_SUBSYS_ULOG << 8
	nfgenSize    = 4
	bindPatience = 2 * time.Second
	// messageSize is what the kernel allocates for one packet's message, buffer half of
	// what may wait for this process, in bytes (socket(7): the kernel doubles it).
	messageSize = 512
	buffer      = 4 << 20
)

// listen binds a log group of this process's network namespace, whose packets it then
// receives one by one, cut off behind their headers. The group is free again when the
// connection is closed.
func listen(group uint16) (*netlink.Conn, error) {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, err
	}
	if err := bind(conn, group); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("log group %d: %w", group, err)
	}
	return conn, nil
}

func bind(conn *netlink.Conn, group uint16) error {
	if err := conn.SetReadBuffer(buffer); err != nil {
		return err
	}
	u32 := func(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
	attributes, err := netlink.MarshalAttributes([]netlink.Attribute{
		{Type: configCommand, Data: []byte{commandBind}},
		{Type: configMode, Data: append(u32(rules.LogLength), copyPacket, 0)},
		{Type: configSize, Data: u32(messageSize)},
		{Type: configThreshold, Data: u32(1)}, // at once
	})
	if err != nil {
		return err
	}
	asked, err := conn.Send(netlink.Message{
		Header: netlink.Header{Type: subsystem | logConfig, Flags: netlink.Request | netlink.Acknowledge},
		Data:   append([]byte{unix.AF_UNSPEC, unix.NFNETLINK_V0, byte(group >> 8), byte(group)}, attributes...),
	})
	if err != nil {
		return err
	}
	// Packets may come before the answer does, so it isn't simply the next message.
	if err := conn.SetReadDeadline(time.Now().Add(bindPatience)); err != nil {
		return err
	}
	for {
		messages, err := conn.Receive()
		if err != nil {
			return err
		}
		for _, m := range messages {
			if m.Header.Type == netlink.Error && m.Header.Sequence == asked.Header.Sequence {
				return conn.SetReadDeadline(time.Time{})
			}
		}
	}
}

// logged is the packet in a message of the log, nil where there is none.
func logged(m netlink.Message) []byte {
	if m.Header.Type != subsystem|logPacket || len(m.Data) < nfgenSize {
		return nil
	}
	attributes, err := netlink.UnmarshalAttributes(m.Data[nfgenSize:])
	if err != nil {
		return nil
	}
	for _, a := range attributes {
		if a.Type == payload {
			return a.Data
		}
	}
	return nil
}
