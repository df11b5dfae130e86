package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"aclium/enforcer/internal/ruleset"
	"aclium/translate/policy"
)

// vethRounds is how many times more rounds there are than in the other parts:
// a rate is disturbed more easily than a cost.
const vethRounds = 5

// How long a contestant is sent packets in one round: before the measurement,
// so that the caches are those of a filter that runs all the time, and for it.
const (
	warming = 150 * time.Millisecond
	slice   = 50 * time.Millisecond
)

// A contestant is a filter with one list, behind a veth pair of its own.
type contestant struct {
	labels
	room   *room
	device string
	socket int
	loads  map[string]*load // by traffic
	// everything says that it permits all packets.
	everything bool
}

// peer is another filter's way to say a list.
type peer struct {
	name string
	text func(*policy.Policy) string
	load []string // the command that reads the text
}

var (
	byNFT      = []string{"nft", "-f", "-"}
	byIPTables = []string{"iptables-legacy-restore"}
	general    = []peer{{"nft linear", nftLinear, byNFT}, {"nft best", nftDispatch, byNFT}, {"iptables", iptablesRules, byIPTables}}
	exactOnes  = []peer{
		{"nft best", nftExact(true), byNFT}, {"nft best, uncounted", nftExact(false), byNFT},
	}
	disjointOnes = []peer{
		{"nft linear", nftLinear, byNFT}, {"nft best", nftIntervals, byNFT}, {"iptables", iptablesRules, byIPTables},
	}
)

// bouts are the lists that the filters meet over.
var bouts = []struct {
	shape ruleset.Shape
	rules int
	peers []peer
}{
	{ruleset.ACL1, 10, general}, {ruleset.ACL1, 1000, general}, {ruleset.ACL1, 10000, general},
	{ruleset.Exact, 10000, exactOnes}, {ruleset.Disjoint, 10000, disjointOnes},
}

// ring is where the contestants meet.
type ring struct {
	*bench
	own, sender *room
	contestants []*contestant
	lists       []*policy.Policy
	devices     []string // of aclium, by list
	packets     *sender
	close       []func() error
}

// sideBySide compares filters by what they let pass in a second. Their lists
// all stand at the same time, and the contestants take turns.
func (b *bench) sideBySide() (err error) {
	r := &ring{bench: b, packets: newSender()}
	defer func() {
		for _, f := range r.close {
			err = firstOf(err, f())
		}
	}()
	if err := r.prepare(); err != nil {
		return err
	}
	for round := range vethRounds * b.rounds {
		b.say("veth: round %d of %d", round+1, vethRounds*b.rounds)
		for _, c := range r.contestants {
			for _, traffic := range traffics {
				if err := r.meet(c, traffic.name); err != nil {
					return fmt.Errorf("%s, %s %d: %w", c.Who, c.Shape, c.Rules, err)
				}
			}
		}
	}
	return nil
}

func (r *ring) prepare() (err error) {
	if r.own, err = ownRoom(); err != nil {
		return err
	}
	if r.sender, err = newRoom(); err != nil {
		return err
	}
	if err := r.own.addSink(); err != nil {
		return err
	}
	for i, bout := range bouts {
		list := ruleset.New(bout.shape, bout.rules, policy.IPv4, seed)
		at := labels{Part: "veth", Shape: string(bout.shape), Rules: bout.rules, Metric: "rate", Unit: "packets/s"}
		r.say("veth: loading %s %d", bout.shape, bout.rules)
		loads, err := loadsOf(list)
		if err != nil {
			return err
		}
		if i == 0 {
			if err := r.addUnfiltered(loads); err != nil {
				return err
			}
		}
		if err := r.addOwn(at, list, loads); err != nil {
			return err
		}
		for _, p := range bout.peers {
			if err := r.addPeer(at, p, list, loads); err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
		}
	}
	return r.enforce()
}

func loadsOf(list *policy.Policy) (map[string]*load, error) {
	random, err := newLoad(list, 0)
	if err != nil {
		return nil, err
	}
	few, err := newLoad(list, flows)
	return map[string]*load{"random": random, "flows": few}, err
}

// add connects a contestant.
func (r *ring) add(c *contestant) error {
	c.device = fmt.Sprintf("v%d", len(r.contestants))
	if err := c.room.connect(c.device, r.sender); err != nil {
		return err
	}
	err := r.sender.do(func() (err error) {
		c.socket, err = openSender(c.device)
		return err
	})
	if err != nil {
		return err
	}
	r.close = append(r.close, func() error { return unix.Close(c.socket) })
	r.contestants = append(r.contestants, c)
	return nil
}

// addUnfiltered adds a device without anything and one whose program says yes.
func (r *ring) addUnfiltered(loads map[string]*load) error {
	for _, who := range unfiltered {
		c := &contestant{labels: labels{Part: "veth", Who: who, Metric: "rate", Unit: "packets/s"}, room: r.own, loads: loads, everything: true}
		if err := r.add(c); err != nil {
			return err
		}
	}
	yes, err := loadPlain("yes", passAll())
	if err != nil {
		return err
	}
	index, err := indexOf(r.contestants[1].device)
	if err != nil {
		return err
	}
	l, err := link.AttachTCX(link.TCXOptions{Interface: index, Program: yes, Attach: ebpf.AttachTCXIngress})
	if err != nil {
		return fmt.Errorf("attach the empty program: %w", err)
	}
	r.close = append(r.close, l.Close, yes.Close)
	return nil
}

func (r *ring) addOwn(at labels, list *policy.Policy, loads map[string]*load) error {
	at.Who = "aclium"
	c := &contestant{labels: at, room: r.own, loads: loads}
	if err := r.add(c); err != nil {
		return err
	}
	r.lists, r.devices = append(r.lists, list), append(r.devices, c.device)
	return nil
}

// enforce puts the lists on aclium's devices.
func (r *ring) enforce() error {
	total := 0
	for _, l := range r.lists {
		total += len(l.Rules) + 1
	}
	s, err := newStage("veth", 2*total)
	if err != nil {
		return err
	}
	s.devices = r.devices
	r.close = append(r.close, s.close)
	return s.put(r.lists)
}

func (r *ring) addPeer(at labels, p peer, list *policy.Policy, loads map[string]*load) error {
	at.Who = p.name
	place, err := newRoom()
	if err != nil {
		return err
	}
	r.close = append(r.close, place.close)
	c := &contestant{labels: at, room: place, loads: loads}
	if err := r.add(c); err != nil {
		return err
	}
	started := time.Now()
	if _, err := place.command(strings.ReplaceAll(p.text(list), "DEVICE", c.device), p.load[0], p.load[1:]...); err != nil {
		return err
	}
	r.say("veth: %s took %.1f s", p.name, time.Since(started).Seconds())
	if p.load[0] == byIPTables[0] {
		return nil // has its sink
	}
	return place.addSink()
}

// meet sends a contestant its packets, and compares how many pass with the
// verdicts of the walk: a filter that says something else is not compared.
func (r *ring) meet(c *contestant, traffic string) error {
	l := c.loads[traffic]
	before, err := c.room.arrived()
	if err != nil {
		return err
	}
	var first, n int
	var took time.Duration
	err = alone(func() (err error) {
		if first, _, err = r.packets.send(c.socket, l, 0, warming); err != nil {
			return err
		}
		n, took, err = r.packets.send(c.socket, l, first, slice)
		return err
	})
	if err != nil {
		return err
	}
	after, err := c.room.arrived()
	if err != nil {
		return err
	}
	want := l.permitted(first + n)
	if c.everything {
		want = uint64(first + n)
	}
	if after-before != want {
		return fmt.Errorf("%d of %d packets passed, the walk permits %d", after-before, first+n, want)
	}
	at := c.labels
	at.Traffic = traffic
	r.results.add(at, float64(n)/took.Seconds())
	return nil
}
