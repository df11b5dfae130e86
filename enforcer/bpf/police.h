/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/*
 * police.h limits the rate of classes, as policy.Policer does. A bucket is all
 * processors' together, under a lock: what each of them would let pass by
 * itself could be more than the class has.
 */
#ifndef POLICE_H
#define POLICE_H

#include "clock.h"
#include "count.h"

#define LEVEL_PER_BYTE (8 * 1000000000ULL)

/* Adds what the time since the last packet gained. Processors may come to the
 * lock in another order than they read the clock. */
static __always_inline void refill(struct policer *b, __u64 now)
{
	__u64 elapsed, level;

	if (now <= b->last)
		return;
	elapsed = now - b->last;
	b->last = now;
	level = b->full;
	if (elapsed <= b->fill)
		level = b->level + elapsed * b->rate;
	b->level = level < b->full ? level : b->full;
}

/* Takes the packet from a bucket: 0 when there is too little in it, -1 when
 * the bucket is missing. */
static __noinline int take(__u32 number, const struct packet *p, __u64 now)
{
	struct policer *b = bpf_map_lookup_elem(&policer_map, &number);
	__u64 bytes = p->bytes, segments = p->segments;
	int fits;

	if (!b)
		return -1;
	bpf_spin_lock(&b->lock);
	refill(b, now);
	fits = bytes * LEVEL_PER_BYTE <= b->level;
	if (fits) {
		b->level -= bytes * LEVEL_PER_BYTE;
		b->conformed_packets += segments;
		b->conformed_bytes += bytes;
	} else {
		b->exceeded_packets += segments;
		b->exceeded_bytes += bytes;
	}
	bpf_spin_unlock(&b->lock);
	return fits;
}

/* Takes a permitted packet from each bucket that it is under, up to one that
 * has too little: 0 drops it. */
static __always_inline int conforms(const struct scratch *s)
{
	__u64 now = exact_clock(s);
	__u32 i, number;
	int fits;

	for (i = 0; i < MAX_SERIES; i++) {
		number = s->judgement.police[i];
		if (!number)
			continue;
		fits = take(number, &s->packet, now);
		if (fits > 0)
			continue;
		count_drop(fits ? DROP_FAULT : DROP_POLICE, s);
		return 0;
	}
	return 1;
}

#endif
