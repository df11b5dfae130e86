package lab

import (
	"bufio"
	"bytes"
	"net"
	"net/netip"
	"testing"
	"time"

	"aclium/enforcer/internal/wire"
	"aclium/translate/policy"
)

func tap(t *testing.T, l *Lab, send func()) []Sighting {
	t.Helper()
	tap, err := l.Tap()
	if err != nil {
		t.Fatal(err)
	}
	send()
	if err := tap.Settle(200*time.Millisecond, 10*time.Second); err != nil {
		t.Error(err)
	}
	sightings, err := tap.Close()
	if err != nil {
		t.Fatal(err)
	}
	return sightings
}

func must(t *testing.T, want Outcome) func(Outcome, error) {
	return func(got Outcome, err error) {
		t.Helper()
		if got != want || err != nil {
			t.Errorf("%v, %v, want %v", got, err, want)
		}
	}
}

// One datagram there and one back, in both families: addresses, ports, labels
// and lengths are known in advance.
func TestTapSeesWhatPodsSend(t *testing.T) {
	l, _ := up(t, twoPods)
	client, err := l.Pod("client")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		to    string
		bytes uint64 // of an IP packet with "hello" behind UDP or ICMP
	}{{"10.9.2.5", 33}, {"fd09::2:5", 53}} {
		to := netip.MustParseAddr(c.to)
		sightings := tap(t, l, func() {
			must(t, Answered)(client.SendUDP(netip.AddrPortFrom(to, 53), time.Second))
			must(t, Answered)(client.Ping(to, time.Second))
		})
		var got []Sighting
		for _, s := range sightings {
			if s.Packet != nil && s.Packet.ICMPType != 135 && s.Packet.ICMPType != 136 && s.Packet.ICMPType != 143 {
				got = append(got, s)
			}
		}
		if len(got) != 4 {
			t.Fatalf("%s: %d packets, want 4: %+v", c.to, len(got), got)
		}
		for i, s := range got {
			if s.Host != i%2 || s.Packets != 1 || s.Bytes != c.bytes || s.Hops != 64 {
				t.Errorf("%s: packet %d: %+v", c.to, i, s)
			}
		}
		request, reply := got[0].Packet, got[1].Packet
		if request.DestinationPort != 53 || request.Destination.Addr != to ||
			request.Source.Labels["app"] != "client" || request.Destination.Labels[policy.NamespaceKey] != "shop" {
			t.Errorf("%+v", request)
		}
		if reply.SourcePort != 53 || reply.DestinationPort != request.SourcePort || reply.Source.Addr != to {
			t.Errorf("%+v", reply)
		}
		if echo := got[2].Packet; echo.ICMPID == 0 || echo.ICMPID != got[3].Packet.ICMPID {
			t.Errorf("%+v and %+v", echo, got[3].Packet)
		}
	}
}

// A large transfer crosses the node in packets that the kernel cuts later. The
// tap counts them as they would be on a wire: the payload once, 52 bytes of
// headers (IPv4, TCP, timestamps) for every segment.
func TestTapCountsSegments(t *testing.T) {
	l, _ := up(t, twoPods)
	client, err := l.Pod("client")
	if err != nil {
		t.Fatal(err)
	}
	payload := append(bytes.Repeat([]byte("x"), 60_000), '\n')
	sightings := tap(t, l, func() {
		err := client.Do(func() error {
			conn, err := net.DialTimeout("tcp", "10.9.2.5:80", time.Second)
			if err != nil {
				return err
			}
			defer conn.Close()
			if _, err := conn.Write(payload); err != nil {
				return err
			}
			_, err = bufio.NewReader(conn).ReadString('\n')
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
	var carried, packets, large uint64
	for _, s := range sightings {
		if s.Packet == nil || s.Host != 0 || s.Packet.Protocol != policy.TCP || s.Packet.Flags&policy.SYN != 0 {
			continue
		}
		carried += s.Bytes - 52*s.Packets
		packets += s.Packets
		if s.Packets > 1 {
			large++
		}
	}
	if carried != uint64(len(payload)) || packets < uint64(len(payload)/1448) {
		t.Errorf("%d bytes in %d packets, want %d bytes", carried, packets, len(payload))
	}
	if large == 0 {
		t.Error("the kernel segmented everything early: nothing was tested")
	}
}

func TestSegmentsRepeatHeaders(t *testing.T) {
	f := wire.Frame{Length: 20 + 32 + 3000, Headers: 52}
	for size, want := range map[int][2]uint64{
		0:    {1, 3052},
		1448: {3, 3000 + 3*52},
		1500: {2, 3000 + 2*52},
		3000: {1, 3052},
	} {
		if packets, bytes := segments(&f, size); packets != want[0] || bytes != want[1] {
			t.Errorf("size %d: %d packets, %d bytes, want %v", size, packets, bytes, want)
		}
	}
}
