package policy

import "time"

// A Policer holds the token buckets of a node's classes. It is the reference
// for the kernel's, to the bit: a bucket starts full, gains Rate bits per
// second up to Burst, and a packet conforms when the bucket holds all of its
// bytes, which it then takes; a packet that exceeds takes none.
type Policer struct {
	buckets map[string]*bucket
}

// A bucket's level is in billionths of a bit, so that a nanosecond gains Rate.
type bucket struct {
	police Police
	level  uint64
	last   time.Duration
}

// bitsPerByte counts the units of a bucket's level in a byte.
const bitsPerByte = 8 * uint64(time.Second)

// NewPolicer gives buckets that are all full.
func NewPolicer() *Policer { return &Policer{buckets: map[string]*bucket{}} }

// Conforms takes a packet of so many bytes from the bucket of the class. Time
// must not run backwards. A class whose rate or burst is another than that of
// its last packet begins with a full bucket.
func (r *Policer) Conforms(p *Police, bytes uint32, now time.Duration) bool {
	b := r.buckets[p.Name]
	if b == nil || b.police != *p {
		b = &bucket{police: *p, level: p.Burst * bitsPerByte, last: now}
		r.buckets[p.Name] = b
	}
	b.fill(now)
	cost := uint64(bytes) * bitsPerByte
	if cost > b.level {
		return false
	}
	b.level -= cost
	return true
}

// fill adds what the time since the last packet gained.
func (b *bucket) fill(now time.Duration) {
	elapsed, full := uint64(now-b.last), b.police.Burst*bitsPerByte
	b.last = now
	if elapsed > full/b.police.Rate {
		b.level = full
		return
	}
	b.level = min(full, b.level+elapsed*b.police.Rate)
}
