package datapath

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cilium/ebpf"

	"aclium/enforcer/bpf"
	"aclium/translate/policy"
)

// levelPerByte counts the units of a bucket's level in a byte.
const levelPerByte = 8 * uint64(time.Second)

// maxPolicers is how many policers can be numbered, from 1.
const maxPolicers = 65535

// policers are the buckets in policer_map by what they hold. A bucket keeps its
// number, and with it its level, as long as pushes name its class with the same
// rate and burst: tables that stay in force hold the number, and no push fills
// a bucket. The map is pinned, so that a process finds the buckets of an
// earlier one.
type policers struct {
	buckets *ebpf.Map
	numbers map[bucketKey]uint16
}

// bucketKey is a class with its rate and burst. Of its name there is a hash, as
// the kernel's map has.
type bucketKey struct {
	name       [16]byte
	rate, full uint64
}

func bucketOf(p *policy.Police) bucketKey {
	sum := sha256.Sum256([]byte(p.Name))
	return bucketKey{[16]byte(sum[:16]), p.Rate, p.Burst * levelPerByte}
}

// loadPolicers adopts the buckets that an earlier process has made.
func loadPolicers(m *ebpf.Map) (*policers, error) {
	l := &policers{m, map[bucketKey]uint16{}}
	var number uint32
	var b bpf.AcliumPolicer
	all := m.Iterate()
	for all.Next(&number, &b) {
		l.numbers[bucketKey{b.Name, b.Rate, b.Full}] = uint16(number)
	}
	if err := all.Err(); err != nil {
		return nil, fmt.Errorf("read policers: %w", err)
	}
	return l, nil
}

// limits are the policers of one push.
type limits struct {
	policers *policers
	classes  map[policy.Police]uint16
	used     map[bucketKey]uint16
	fresh    map[bucketKey]uint16
}

// begin numbers the classes of a state.
func (l *policers) begin(s *State) (*limits, error) {
	p := &limits{l, map[policy.Police]uint16{}, map[bucketKey]uint16{}, map[bucketKey]uint16{}}
	taken := map[uint16]bool{}
	for _, n := range l.numbers {
		taken[n] = true
	}
	next := uint32(1)
	for _, class := range classesOf(s) {
		if _, known := p.classes[*class]; known {
			continue
		}
		key := bucketOf(class)
		number, known := l.numbers[key]
		if !known {
			for taken[uint16(next)] && next <= maxPolicers {
				next++
			}
			if next > maxPolicers {
				return nil, fmt.Errorf("more classes with police than the %d policers of this enforcer", maxPolicers)
			}
			number = uint16(next)
			taken[number], p.fresh[key] = true, number
		}
		p.classes[*class], p.used[key] = number, number
	}
	return p, nil
}

func classesOf(s *State) (out []*policy.Police) {
	for i := range s.Ports {
		for _, list := range slices.Concat(s.Ports[i].Ingress, s.Ports[i].Egress) {
			for j := range list.Rules {
				if class := list.Rules[j].Police; class != nil {
					out = append(out, class)
				}
			}
		}
	}
	return out
}

// number gives the policer of a class, 1 to maxPolicers.
func (p *limits) number(class *policy.Police) (uint16, error) {
	number, known := p.classes[*class]
	if !known {
		return 0, fmt.Errorf("police of %q has no policer", class.Name)
	}
	return number, nil
}

// store makes the buckets of the push that do not exist, full ones, before any
// program uses them.
func (p *limits) store() error {
	for key, number := range p.fresh {
		if err := p.policers.buckets.Put(uint32(number), fullBucket(key)); err != nil {
			return fmt.Errorf("make a policer: %w", err)
		}
	}
	return nil
}

func fullBucket(key bucketKey) *bpf.AcliumPolicer {
	return &bpf.AcliumPolicer{Name: key.name, Rate: key.rate, Full: key.full, Fill: key.full / key.rate, Level: key.full}
}

// commit follows the flip.
func (p *limits) commit() {
	for key, number := range p.fresh {
		p.policers.numbers[key] = number
	}
}

// settle takes away what the push does not name, when no packet asks for it
// any more.
func (p *limits) settle() error {
	return p.policers.remove(func(key bucketKey) bool { _, stays := p.used[key]; return stays })
}

// abandon takes away what store has made.
func (p *limits) abandon() error {
	for _, number := range p.fresh {
		if err := p.policers.delete(number); err != nil {
			return err
		}
	}
	return nil
}

func (l *policers) remove(stays func(bucketKey) bool) error {
	for key, number := range l.numbers {
		if stays(key) {
			continue
		}
		if err := l.delete(number); err != nil {
			return err
		}
		delete(l.numbers, key)
	}
	return nil
}

func (l *policers) delete(number uint16) error {
	if err := l.buckets.Delete(uint32(number)); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("remove a policer: %w", err)
	}
	return nil
}

// Policers gives what the classes with police have let pass and dropped, in the
// order of their names.
func (d *Datapath) Policers() ([]policy.PoliceCounter, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := []policy.PoliceCounter{}
	seen := map[policy.Police]bool{}
	for _, class := range classesOf(d.state) {
		number, known := d.policers.numbers[bucketOf(class)]
		if seen[*class] || !known {
			continue
		}
		seen[*class] = true
		var b bpf.AcliumPolicer
		if err := d.policers.buckets.LookupWithFlags(uint32(number), &b, ebpf.LookupLock); err != nil {
			return nil, fmt.Errorf("read a policer: %w", err)
		}
		out = append(out, policy.PoliceCounter{
			Police: *class, Node: d.options.Node,
			ConformedPackets: b.ConformedPackets, ConformedBytes: b.ConformedBytes,
			ExceededPackets: b.ExceededPackets, ExceededBytes: b.ExceededBytes,
		})
	}
	slices.SortFunc(out, func(a, b policy.PoliceCounter) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Rate, b.Rate), cmp.Compare(a.Burst, b.Burst))
	})
	return out, nil
}
