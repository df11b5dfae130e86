package enforcer

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"aclium/enforcer/client"
	"aclium/enforcer/datapath"
	"aclium/enforcer/dns"
	"aclium/enforcer/identity"
	"aclium/translate/policy"
)

/*
How names become addresses

	pod asks a trusted server --- copied by the port's program --> asked
	the server's answer --------- copied -------------------------> read
	   unless it comes from a pod that is not that server
	   to that question, in time ---> cache: address -> names, each until its TTL is over
	   patterns of the policies that the names fit ---> number ---> name_map

The program permits what a line with `fqdn` permits when the address has a
number whose patterns hold one of the line's. So an answer is one write of one
map element, made by the goroutine that reads it; tables are compiled again
only when an address fits a set of patterns that has no number yet. The sets
that an answer most likely brings, one for each pattern, have theirs from the
start.

When the last name of a pattern has run out, the kernel itself stops permitting
new connections: the moment stands in the element. What runs already goes on,
also over a change of policies, because such connections are judged by the
names that the address has had since: a name that has run out is kept until no
connection to its address lives.
*/

// A NameKeeper is the part of the kernel side that knows names.
type NameKeeper interface {
	WriteName(netip.Addr, datapath.Name) error
	Remember(datapath.Learned, datapath.Moment) error
	Forget(datapath.Learned) error
	Remembered() (map[datapath.Learned]datapath.Moment, error)
	// Connected gives those of the addresses to which a connection lives.
	Connected(map[netip.Addr]bool) (map[netip.Addr]bool, error)
	// Messages calls f with every DNS message until ctx ends.
	Messages(ctx context.Context, f func(*datapath.Message)) error
	LostMessages() (uint64, error)
	// SetServers says whose answers are believed.
	SetServers([]netip.Addr) error
}

// leastTTL is how long a name holds at least. A pod connects a moment after the
// answer, and repeats a lost SYN after one and three seconds; without this an
// answer of TTL 0 or 1 would permit nothing.
const leastTTL = 5 * time.Second

// maxPatternSets bounds the sets of patterns that have numbers.
const maxPatternSets = 4096

// namebook is what the agent knows of the world's names. It has a lock of its
// own, so that an answer never waits for a push.
type namebook struct {
	kernel NameKeeper
	log    *slog.Logger
	// lacking is sent to when an address needs a number that there is not.
	lacking chan struct{}

	mu      sync.Mutex
	cache   dns.Cache
	asked   dns.Asked
	matcher *matcher // of the policies that are enforced
	servers answerers
	numbers identity.Table  // that the live tables know
	next    datapath.Moment // before which nothing runs out
	tally   tally
}

// tally counts what became of answers.
type tally struct {
	// learned counts addresses that were written, refused those that there was
	// no room for, unasked the answers to nobody's question, misplaced those
	// that came from a pod which is not the server, and unreadable the messages
	// that make no sense.
	learned, refused, unasked, misplaced, unreadable uint64
}

const never = ^datapath.Moment(0)

// newNamebook gives what earlier processes remember.
func newNamebook(k NameKeeper, log *slog.Logger) *namebook {
	n := &namebook{kernel: k, log: log, lacking: make(chan struct{}, 1), matcher: newMatcher(nil), next: never}
	known, err := k.Remembered()
	if err != nil {
		log.Error("names of the DNS are learned anew", "error", err)
	}
	for l, expires := range known {
		n.cache.Add(l.Addr, l.Name, uint64(expires))
	}
	n.next = 0 // look once
	return n
}

// hear takes a message off the wire.
func (n *namebook) hear(m *datapath.Message) {
	n.mu.Lock()
	defer n.mu.Unlock()
	at := dns.Place{Ifindex: m.Ifindex, Pod: m.Pod, Server: m.Server}
	if !m.Answer {
		q, err := dns.ParseQuestion(m.Payload)
		if err == nil && len(n.matcher.fits(q.Name)) > 0 {
			n.asked.Add(at, q, time.Duration(m.Time))
		}
		n.count(err)
		return
	}
	if !n.servers.may(m.From, m.Server) {
		n.tally.misplaced++
		return
	}
	a, err := dns.ParseAnswer(m.Payload)
	n.count(err)
	if err != nil || len(n.matcher.fits(a.Name)) == 0 {
		return
	}
	if !n.asked.Take(at, a.Question, time.Duration(m.Time)) {
		n.tally.unasked++
		return
	}
	n.learn(&a, m.Time)
}

func (n *namebook) count(err error) {
	if err != nil && !errors.Is(err, dns.ErrNoMatter) {
		n.tally.unreadable++
	}
}

// learn writes the addresses first: the pod may be sending its SYN.
func (n *namebook) learn(a *dns.Answer, at datapath.Moment) {
	var added []datapath.Learned
	for _, r := range a.Records {
		expires := at.Add(max(r.TTL, leastTTL))
		if !n.cache.Add(r.Addr, a.Name, uint64(expires)) {
			n.tally.refused++
			continue
		}
		n.tally.learned++
		n.write(r.Addr, datapath.Now())
		n.next = min(n.next, expires)
		added = append(added, datapath.Learned{Addr: r.Addr, Name: a.Name})
	}
	for _, l := range added {
		if err := n.kernel.Remember(l, n.expires(l)); err != nil {
			n.log.Error("a name is lost with the agent", "name", l.Name, "error", err)
		}
	}
}

func (n *namebook) expires(l datapath.Learned) datapath.Moment {
	for name, expires := range n.cache.Names(l.Addr) {
		if name == l.Name {
			return datapath.Moment(expires)
		}
	}
	return 0
}

// write tells the kernel who the address is.
func (n *namebook) write(a netip.Addr, now datapath.Moment) {
	name, whole := n.nameOf(a, n.matcher, n.numbers, now)
	if !whole {
		n.ask()
	}
	if err := n.kernel.WriteName(a, name); err != nil {
		n.log.Error("an address is not known by its name", "address", a, "error", err)
	}
}

// ask wants numbers.
func (n *namebook) ask() {
	select {
	case n.lacking <- struct{}{}:
	default:
	}
}

// nameOf gives who an address is by its names; false when a set of patterns
// that they fit has no number, so that this says less than it could.
func (n *namebook) nameOf(a netip.Addr, m *matcher, numbers identity.Table, now datapath.Moment) (name datapath.Name, whole bool) {
	live, all, expires := n.patternsOf(a, m, now)
	whole = true
	number := func(patterns []string) uint32 {
		if len(patterns) == 0 {
			return 0
		}
		id, known := numbers.Number(identity.Patterns(patterns))
		whole = whole && known
		return id
	}
	name.Identity, name.Lingering, name.Expires = number(live), number(all), expires
	return name, whole
}

// patternsOf gives the patterns that the names of an address fit, those alone
// that have not run out, and the moment at which the first of them will.
func (n *namebook) patternsOf(a netip.Addr, m *matcher, now datapath.Moment) (live, all []string, expires datapath.Moment) {
	until := map[string]datapath.Moment{}
	for name, at := range n.cache.Names(a) {
		for _, p := range m.fits(name) {
			until[p] = max(until[p], datapath.Moment(at))
		}
	}
	expires = never
	for p, at := range until {
		all = append(all, p)
		if at > now {
			live = append(live, p)
			expires = min(expires, at)
		}
	}
	if len(live) == 0 {
		expires = 0
	}
	slices.Sort(live)
	slices.Sort(all)
	return live, all, expires
}

// sets gives the sets of patterns that need numbers under the policies: what a
// name made for each pattern would fit, and what the known addresses fit.
func (n *namebook) sets(policies []policy.Policy) []map[string]string {
	m := newMatcher(policies)
	n.mu.Lock()
	defer n.mu.Unlock()
	now := datapath.Now()
	sets := map[string][]string{}
	add := func(patterns []string) {
		if key := patternsKey(patterns); len(patterns) > 0 && len(sets) < maxPatternSets {
			sets[key] = patterns
		}
	}
	for _, p := range m.patterns {
		add(m.fits(sampleOf(p)))
	}
	for a := range n.cache.Addresses() {
		live, all, _ := n.patternsOf(a, m, now)
		add(live)
		add(all)
	}
	out := make([]map[string]string, 0, len(sets))
	for _, patterns := range sets {
		out = append(out, identity.Patterns(patterns))
	}
	return out
}

// state gives who every address will be once the policies are in force.
func (n *namebook) state(policies []policy.Policy, numbers identity.Table) map[netip.Addr]datapath.Name {
	m := newMatcher(policies)
	n.mu.Lock()
	defer n.mu.Unlock()
	now := datapath.Now()
	out := map[netip.Addr]datapath.Name{}
	for a := range n.cache.Addresses() {
		if name, _ := n.nameOf(a, m, numbers, now); name != (datapath.Name{}) {
			out[a] = name
		}
	}
	return out
}

// adopt follows a push: the tables know these numbers. Every address is written
// again, because answers came in while tables were compiled.
func (n *namebook) adopt(policies []policy.Policy, numbers identity.Table) {
	m := newMatcher(policies)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.matcher, n.numbers = m, numbers
	now := datapath.Now()
	for a := range n.cache.Addresses() {
		n.write(a, now)
	}
}

// expire takes the patterns away whose names have run out, and gives the moment
// at which the next ones will.
func (n *namebook) expire(now datapath.Moment) datapath.Moment {
	n.mu.Lock()
	defer n.mu.Unlock()
	if now < n.next {
		return n.next
	}
	n.next = never
	for a := range n.cache.Addresses() {
		for _, expires := range n.cache.Names(a) {
			if datapath.Moment(expires) > now {
				n.next = min(n.next, datapath.Moment(expires))
			}
		}
		n.write(a, now)
	}
	return n.next
}

// sweep forgets the names that have run out on addresses to which no connection
// lives.
func (n *namebook) sweep(now datapath.Moment) error {
	over := n.over(now)
	if len(over) == 0 {
		return nil
	}
	connected, err := n.kernel.Connected(over)
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for a := range over {
		if connected[a] {
			continue
		}
		for name, expires := range n.cache.Names(a) {
			if datapath.Moment(expires) <= now {
				n.cache.Remove(a, name)
				err = errors.Join(err, n.kernel.Forget(datapath.Learned{Addr: a, Name: name}))
			}
		}
		n.write(a, now)
	}
	return err
}

// over gives the addresses with a name that has run out.
func (n *namebook) over(now datapath.Moment) map[netip.Addr]bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := map[netip.Addr]bool{}
	for a := range n.cache.Addresses() {
		for _, expires := range n.cache.Names(a) {
			if datapath.Moment(expires) <= now {
				out[a] = true
			}
		}
	}
	return out
}

// list gives every address with its names, in order.
func (n *namebook) list() []client.NamedAddress {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := []client.NamedAddress{}
	for a := range n.cache.Addresses() {
		named := client.NamedAddress{Address: a}
		for name, expires := range n.cache.Names(a) {
			named.Names = append(named.Names, client.LearnedName{Name: name, Expires: datapath.Moment(expires).Time()})
		}
		slices.SortFunc(named.Names, func(x, y client.LearnedName) int { return cmp.Compare(x.Name, y.Name) })
		out = append(out, named)
	}
	slices.SortFunc(out, func(x, y client.NamedAddress) int { return x.Address.Compare(y.Address) })
	return out
}
