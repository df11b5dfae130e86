// Package wire reads frames as the standards write them: bytes in, a
// policy.Packet out, or the reason why there is none. It is the reference that
// the kernel programs and taps are held against, so it is written from the
// RFCs alone and shares nothing with the C code.
//
// It must not judge, and it must not know identities: the ends of its packets
// carry addresses only.
//
//	f := wire.Decode(frame, 1)
//	if f.Kind == wire.IP {
//		fmt.Println(f.Packet.Protocol, f.Packet.DestinationPort)
//	}
package wire
