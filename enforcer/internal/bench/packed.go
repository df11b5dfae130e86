package main

import (
	"fmt"
	"net/netip"

	"aclium/enforcer/internal/ruleset"
	"aclium/translate/policy"
)

// Packets of IPv4 differ in these bytes of their frames, of which a generator
// keeps these alone: one that streams megabytes through the processor's caches
// would push out what it measures.
const (
	headFrom, headTo = 22, 40 // TTL, protocol, checksum, addresses, ports, UDP's length
	tosAt            = 15
	flagsAt          = 47

	headLength   = headTo - headFrom
	packedLength = headLength + 2
)

// offsetAt is where TCP's offset stands; what is not TCP has payload there.
const offsetAt = 46

// likeFrame gives a frame that holds what all packets have in common.
func likeFrame() []byte {
	none := policy.Endpoint{Addr: netip.IPv4Unspecified()}
	b := ruleset.Frame(&policy.Packet{Source: none, Destination: none})
	b[offsetAt] = 5 << 4
	return b
}

// pack gives of each packet what a generator keeps; an error where a packet
// differs elsewhere.
func pack(packets []policy.Packet) ([]byte, error) {
	out, whole := make([]byte, 0, len(packets)*packedLength), likeFrame()
	for i := range packets {
		frame := ruleset.Frame(&packets[i])
		frame[offsetAt] = 5 << 4
		at := len(out)
		out = append(append(out, frame[headFrom:headTo]...), frame[tosAt], frame[flagsAt])
		if unpack(whole, out[at:]); string(whole) != string(frame) {
			return nil, fmt.Errorf("packet %v differs where generators keep frames alike", packets[i])
		}
	}
	return out, nil
}

// unpack makes a frame that is like all others that of the packet which begins
// the row.
func unpack(frame, row []byte) {
	copy(frame[headFrom:headTo], row)
	frame[tosAt], frame[flagsAt] = row[headLength], row[headLength+1]
}
