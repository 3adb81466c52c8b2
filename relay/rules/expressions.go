package rules

import (
	"encoding/binary"
	"net"
	"slices"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// word0 is the first of the sixteen 32-bit registers: keys of several parts lie in
// consecutive ones.
const word0 = unix.NFT_REG32_00

// Offsets in headers.
const (
	macSource    = 6
	macLength    = 6
	sourcePort   = 0
	destPort     = 2
	portLength   = 2
	tcpFlags     = 13
	udpPayload   = 8
	icmpType     = 0
	icmpTypeCode = 2
)

// do joins expressions to a rule.
func do(parts ...[]expr.Any) []expr.Any { return slices.Concat(parts...) }

func one(e expr.Any) []expr.Any { return []expr.Any{e} }

func load(base expr.PayloadBase, offset, length, register uint32) expr.Any {
	return &expr.Payload{DestRegister: register, Base: base, Offset: offset, Len: length}
}

func equals(data ...byte) expr.Any {
	return &expr.Cmp{Op: expr.CmpOpEq, Register: word0, Data: data}
}

// masked is true where the byte in word0, under mask, is value.
func masked(mask, value byte) []expr.Any {
	return []expr.Any{
		&expr.Bitwise{SourceRegister: word0, DestRegister: word0, Len: 1, Mask: []byte{mask}, Xor: []byte{0}},
		equals(value),
	}
}

func native(v uint32) []byte { return binary.NativeEndian.AppendUint32(nil, v) }

func fromDevice(index int) []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyIIF, Register: word0}, equals(native(uint32(index))...)}
}

func isProtocol(p byte) []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: word0}, equals(p)}
}

func fromMAC(mac net.HardwareAddr) []expr.Any {
	return []expr.Any{load(expr.PayloadBaseLLHeader, macSource, macLength, word0), equals(mac...)}
}

// inState is true where conntrack's state is one of the bits.
func inState(bits uint32) []expr.Any {
	return []expr.Any{
		&expr.Ct{Key: expr.CtKeySTATE, Register: word0},
		&expr.Bitwise{SourceRegister: word0, DestRegister: word0, Len: 4, Mask: native(bits), Xor: native(0)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: word0, Data: native(0)},
	}
}

// fromClient is true for the direction that the connection was opened in.
func fromClient() []expr.Any {
	return []expr.Any{&expr.Ct{Key: expr.CtKeyDIRECTION, Register: word0}, equals(0)}
}

func (f *family) isTooBig() []expr.Any {
	return do(isProtocol(f.icmp), []expr.Any{load(expr.PayloadBaseTransportHeader, icmpType, icmpTypeCode, word0), equals(f.tooBig...)})
}

const tcpRST = 0x04

func isReset() []expr.Any {
	return do(isProtocol(protoTCP), one(load(expr.PayloadBaseTransportHeader, tcpFlags, 1, word0)), masked(tcpRST, tcpRST))
}

// closeTimeout is how long conntrack keeps a TCP connection that was reset
// (nf_conntrack_tcp_timeout_close); every state of a living one has a longer one,
// which the packet itself has just renewed.
const closeTimeout = 10 * time.Second

// isOver and isAlive tell TCP connections that were reset from all others.
func isOver() []expr.Any  { return expiresIn(expr.CmpOpLte) }
func isAlive() []expr.Any { return expiresIn(expr.CmpOpGt) }

func expiresIn(op expr.CmpOp) []expr.Any {
	return []expr.Any{
		&expr.Ct{Key: expr.CtKeyEXPIRATION, Register: word0}, // milliseconds, in the host's byte order
		&expr.Byteorder{SourceRegister: word0, DestRegister: word0, Op: expr.ByteorderHton, Len: 4, Size: 4},
		&expr.Cmp{Op: op, Register: word0, Data: binary.BigEndian.AppendUint32(nil, uint32(closeTimeout.Milliseconds()))},
	}
}

// keys load what sets are asked for, into word0 and what follows it.

func (f *family) words() uint32 { return f.length / 4 }

func (f *family) ports(register uint32) []expr.Any {
	network, transport := expr.PayloadBaseNetworkHeader, expr.PayloadBaseTransportHeader
	return []expr.Any{
		load(network, f.saddr, f.length, register),
		load(transport, sourcePort, portLength, register+f.words()),
		load(network, f.daddr, f.length, register+f.words()+1),
		load(transport, destPort, portLength, register+2*f.words()+1),
	}
}

func (f *family) flowKey() []expr.Any {
	return append(f.ports(word0), &expr.Meta{Key: expr.MetaKeyL4PROTO, Register: word0 + 2*f.words() + 2})
}

func (f *family) flowOfKey() []expr.Any {
	return append(one(load(expr.PayloadBaseLLHeader, macSource, macLength, word0)), f.ports(word0+2)...)
}

func (f *family) frontendKey() []expr.Any {
	return []expr.Any{
		load(expr.PayloadBaseNetworkHeader, f.daddr, f.length, word0),
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: word0 + f.words()},
		load(expr.PayloadBaseTransportHeader, destPort, portLength, word0+f.words()+1),
	}
}

func (f *family) destination() []expr.Any {
	return one(load(expr.PayloadBaseNetworkHeader, f.daddr, f.length, word0))
}

func (f *family) source() []expr.Any {
	return one(load(expr.PayloadBaseNetworkHeader, f.saddr, f.length, word0))
}

// What follows a key.

func in(set *nftables.Set) []expr.Any {
	return one(&expr.Lookup{SourceRegister: word0, SetName: set.Name, SetID: set.ID})
}

func notIn(set *nftables.Set) []expr.Any {
	return one(&expr.Lookup{SourceRegister: word0, SetName: set.Name, SetID: set.ID, Invert: true})
}

func change(set *nftables.Set, operation uint32, with ...expr.Any) []expr.Any {
	return one(&expr.Dynset{
		SrcRegKey: word0, SetName: set.Name, SetID: set.ID, Operation: operation, Exprs: with,
	})
}

// changeFor is change of what stays in the set for another time than the set's.
func changeFor(timeout time.Duration, set *nftables.Set, operation uint32) []expr.Any {
	return one(&expr.Dynset{
		SrcRegKey: word0, SetName: set.Name, SetID: set.ID, Operation: operation, Timeout: timeout,
	})
}

// Operations of change. Adding what is there leaves its timeout, updating renews it.
const (
	add    = unix.NFT_DYNSET_OP_ADD
	update = unix.NFT_DYNSET_OP_UPDATE
	remove = 2 // NFT_DYNSET_OP_DELETE
)

// over is true beyond a rate in packets a second.
func over(rate, burst int) expr.Any {
	return &expr.Limit{Type: expr.LimitTypePkts, Rate: uint64(rate), Unit: expr.LimitTimeSecond, Burst: uint32(burst), Over: true}
}

// What ends a rule.

func count(name string) []expr.Any {
	return one(&expr.Objref{Type: int(nftables.ObjTypeCounter), Name: name})
}

func verdict(kind expr.VerdictKind, chain string) []expr.Any {
	return one(&expr.Verdict{Kind: kind, Chain: chain})
}

func accept() []expr.Any { return verdict(expr.VerdictAccept, "") }
func drop() []expr.Any   { return verdict(expr.VerdictDrop, "") }

func jumpTo(chain string) []expr.Any { return verdict(expr.VerdictJump, chain) }

func goTo(chain string) []expr.Any { return verdict(expr.VerdictGoto, chain) }

// copyTo sends a copy to a peer by a device.
func (f *family) copyTo(peer Peer, device int) []expr.Any {
	gateway := word0 + f.words()
	return []expr.Any{
		&expr.Immediate{Register: word0, Data: f.via(peer).AsSlice()},
		&expr.Immediate{Register: gateway, Data: native(uint32(device))},
		&expr.Dup{RegAddr: word0, RegDev: gateway, IsRegDevSet: true},
	}
}
