package datapath

import (
	"net/netip"
	"testing"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// placePrefix puts a prefix into the trie, as Apply does with all that are no single
// address.
func (k *kernel) placePrefix(prefix string, id uint32) {
	k.Helper()
	k.must(k.IpcacheMap.Put(ipcacheKey(netip.MustParsePrefix(prefix)), bpf.AcliumIpcacheValue{Identity: id}))
}

// The most specific entry says who an address is: a single address before any
// prefix, and prefixes by their length.
func TestMostSpecificAddressWins(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	ids := []Identity{{ID: 300, Labels: map[string]string{"app": "a"}}, {ID: 301, Labels: map[string]string{"app": "b"}}}
	from := policy.Peers{Selectors: []policy.Selector{{{Key: "app", Op: policy.In, Values: []string{"a"}}}}}
	k.bind(ids, bpf.AcliumHookFlagsHOOK_NO_CACHE, []*policy.Policy{listOf(simple(policy.Permit, from, policy.Everybody()))}, nil)
	k.place(netip.MustParseAddr("10.1.2.3"), 300, 0)
	k.placePrefix("10.1.0.0/16", 301)
	k.placePrefix("10.1.4.0/24", 300)
	k.placePrefix("2001:db8::/32", 300)
	send := func(source, destination string) int {
		p := tcpPacket(source, destination)
		return k.run(k.TcIngress, frame(&p, frameOptions{}), skBuff{})
	}
	for source, want := range map[string]int{"10.1.2.3": permit, "10.1.2.4": drop, "10.1.4.9": permit, "10.2.0.1": drop, "10.0.255.255": drop} {
		if got := send(source, "192.0.2.1"); got != want {
			t.Errorf("%s: got %d, want %d", source, got, want)
		}
	}
	if got := send("2001:db8::9", "2001:db9::1"); got != permit {
		t.Errorf("IPv6: got %d, want permit", got)
	}
	// The trie is not asked while it is known to be empty.
	k.must(k.SettingsMap.Put(uint32(0), bpf.AcliumSettings{NoPrefixes: 1}))
	if a, b := send("10.1.4.9", "192.0.2.1"), send("10.1.2.3", "192.0.2.1"); a != drop || b != permit {
		t.Errorf("without prefixes: got %d and %d, want drop and permit", a, b)
	}
}

// Addresses move between the two maps as the state changes, and the trie is
// asked exactly while it holds something.
func TestAddressesFollowTheState(t *testing.T) {
	eachWay(t, func(t *testing.T, o Options) {
		x := newBench(t)
		d := x.open(o)
		defer d.Close()
		check := func(s State, single, prefixes int) {
			t.Helper()
			x.apply(d, s)
			var settings bpf.AcliumSettings
			if err := d.maps.Maps["settings_map"].Lookup(uint32(0), &settings); err != nil {
				t.Fatal(err)
			}
			var address bpf.AcliumIpAddr
			var key bpf.AcliumIpcacheKey
			var value bpf.AcliumIpcacheValue
			n, m := 0, 0
			for all := d.maps.Maps["address_map"].Iterate(); all.Next(&address, &value); n++ {
			}
			for all := d.maps.Maps["ipcache_map"].Iterate(); all.Next(&key, &value); m++ {
			}
			if n != single || m != prefixes || (settings.NoPrefixes == 1) != (prefixes == 0) {
				t.Errorf("%d addresses and %d prefixes, settings %+v; want %d and %d", n, m, settings, single, prefixes)
			}
		}
		s := x.state(udpPorts("T", 53))
		check(s, 4, 0)
		wide := x.state(udpPorts("T", 53))
		wide.Addresses[netip.MustParsePrefix("192.0.2.0/24")] = Address{Identity: 301}
		check(wide, 4, 1)
		check(s, 4, 0)
		check(State{}, 0, 0)
	})
}

// A pod's hook knows one address of each family by heart and looks the others
// up. The unspecified address is nobody's own.
func TestOwnAddresses(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	own := map[netip.Prefix]Address{
		netip.MustParsePrefix("10.0.0.5/32"):     {Identity: 300, Interface: "pod"},
		netip.MustParsePrefix("10.0.0.4/32"):     {Identity: 300, Interface: "pod"},
		netip.MustParsePrefix("2001:db8::5/128"): {Identity: 300, Interface: "pod"},
		netip.MustParsePrefix("10.0.0.9/32"):     {Identity: 301, Interface: "other"},
		netip.MustParsePrefix("10.7.0.0/16"):     {Identity: 302, Interface: "pod"},
	}
	for name, c := range map[string]struct {
		own  ownAddresses
		want map[string]int
	}{
		"both":  {ownedBy(own)["pod"], map[string]int{"10.0.0.4": permit, "10.0.0.5": permit, "10.0.0.9": drop, "2001:db8::5": permit, "2001:db8::6": drop, "::": drop, "0.0.0.0": drop}},
		"none":  {ownAddresses{}, map[string]int{"10.0.0.4": drop, "10.0.0.5": permit, "2001:db8::5": drop, "::": drop, "0.0.0.0": drop}},
		"other": {ownedBy(own)["other"], map[string]int{"10.0.0.9": permit, "10.0.0.4": drop, "::": drop}},
	} {
		k.own = c.own
		k.place(netip.MustParseAddr("10.0.0.5"), 300, loopback)
		k.bind(nil, bpf.AcliumHookFlagsHOOK_POD, permitAll(), permitAll())
		for source, want := range c.want {
			p := tcpPacket(source, "192.0.2.1")
			if p.Source.Addr.Is6() {
				p = tcpPacket(source, "2001:db9::1")
			}
			if got := k.run(k.TcIngress, frame(&p, frameOptions{}), skBuff{}); got != want {
				t.Errorf("%s: %s got %d, want %d", name, source, got, want)
			}
		}
	}
}

// In audit mode everything passes, and is counted as what it would have been.
func TestAuditDropsNothing(t *testing.T) {
	t.Parallel()
	k := newKernel(t)
	p := tcpPacket("10.0.0.1", "10.0.0.2")
	whole := frame(&p, frameOptions{})
	lldp := append(make([]byte, 12), 0x88, 0xcc, 1, 2, 3)
	pod := bpf.AcliumHookFlagsHOOK_POD
	for name, c := range map[string]struct {
		flags  bpf.AcliumHookFlags
		frame  []byte
		reason bpf.AcliumDropReason // 0: a line
	}{
		"node":      {0, whole, 0},
		"pod":       {pod | bpf.AcliumHookFlagsHOOK_ALLOW_SPOOFED, whole, 0},
		"spoofed":   {pod, whole, bpf.AcliumDropReasonDROP_SPOOFED},
		"malformed": {0, whole[:40], bpf.AcliumDropReasonDROP_MALFORMED},
		"not IP":    {pod, lldp, bpf.AcliumDropReasonDROP_NON_IP},
	} {
		for _, audit := range []bpf.AcliumHookFlags{0, bpf.AcliumHookFlagsHOOK_AUDIT} {
			k.bind(nil, c.flags|audit, denyAll(), denyAll())
			for range 4 {
				lines, _ := k.count(k.CounterMap, k.counter("T", 0))
				reason, audited := k.dropped(c.reason), k.dropped(bpf.AcliumDropReasonDROP_AUDIT)
				want, wantAudited := drop, uint64(0)
				if audit != 0 {
					want, wantAudited = permit, 1
				}
				if got := k.run(k.TcIngress, c.frame, skBuff{}); got != want {
					t.Errorf("%s, audit %d: got %d, want %d", name, audit, got, want)
				}
				after, _ := k.count(k.CounterMap, k.counter("T", 0))
				if c.reason == 0 && after-lines != 1 || c.reason != 0 && k.dropped(c.reason)-reason != 1 {
					t.Errorf("%s, audit %d: the drop was not counted", name, audit)
				}
				if n := k.dropped(bpf.AcliumDropReasonDROP_AUDIT) - audited; n != wantAudited {
					t.Errorf("%s, audit %d: %d counted as passed, want %d", name, audit, n, wantAudited)
				}
			}
		}
	}
}
