/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/*
 * hour.h finds out which time windows are open. Each CPU remembers the epoch
 * that runs, and reads the clock once a tick at most: windows open and close a
 * tick late.
 */
#ifndef HOUR_H
#define HOUR_H

#include "clock.h"

/* An era counts epochs within its generation; 0 is a hook without windows. */
#define ERA_SHIFT 11

/* Finds the epoch of the time by halving. It is kept in the map, where the
 * verifier does not follow each of its values. */
static __always_inline void find_epoch(struct hour *h, const struct timetable *t, __u64 tai)
{
	volatile __u32 *at = &h->epoch;
	__u32 width, next;

	*at = 0;
#pragma unroll
	for (width = EPOCHS / 2; width; width >>= 1) {
		next = *at + width;
		if (next < t->count && t->epochs[next & (EPOCHS - 1)].start <= tai)
			*at = next;
	}
}

static __noinline int read_hour(struct scratch *s)
{
	struct hour *h = &s->hour;
	__u32 half = s->generation & 1, at;
	__u64 tai = wall_clock(s);
	const struct timetable *t;

	h->read = s->now;
	if (h->generation == s->generation && tai >= h->from && tai < h->until)
		return 0;
	h->generation = s->generation;
	h->known = 0;
	h->from = h->until = 0; /* read the timetable again next time */
	t = bpf_map_lookup_elem(&window_map, &half);
	if (!t || !t->count || tai < t->epochs[0].start || tai >= t->end) {
		h->epoch = EPOCHS + 1;
		return 0;
	}
	find_epoch(h, t, tai);
	at = h->epoch & (EPOCHS - 1);
	h->from = t->epochs[at].start;
	h->until = at + 1 < t->count ? t->epochs[(at + 1) & (EPOCHS - 1)].start : t->end;
	__builtin_memcpy(h->windows, t->epochs[at].windows, sizeof(h->windows));
	h->epoch = at + 1;
	h->known = 1;
	return 0;
}

/* Tells the packet which windows are open, and what its judgement holds for. */
static __always_inline void tell_hour(struct scratch *s)
{
	struct hour *h = &s->hour;

	s->era = s->generation << ERA_SHIFT;
	if (!(s->flags & HOOK_TIMED))
		return;
	if (h->read != s->now || h->generation != s->generation)
		read_hour(s);
	s->era |= h->epoch;
	s->packet.timed = h->known;
	__builtin_memcpy(s->packet.windows, h->windows, sizeof(h->windows));
}

#endif
