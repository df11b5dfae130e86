/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/* count.h counts packets on lines and drop reasons, and writes events. */
#ifndef COUNT_H
#define COUNT_H

#include "maps.h"

#define SECOND 1000000000ULL

static __always_inline void add(struct counter *c, const struct packet *p, __u64 now)
{
	if (!c)
		return;
	c->packets += p->segments;
	c->bytes += p->bytes;
	c->last_hit = now;
}

/* Gives this CPU's counter of a line. Programs run with bottom halves off and
 * do not change the CPU, so that no other writes to it. */
static __always_inline struct counter *counter_of(__u32 id)
{
	__u32 slot = id / COUNTER_CHUNK, cpu = bpf_get_smp_processor_id();
	void *inner = bpf_map_lookup_elem(&counter_map, &slot);
	struct counter_chunk *chunk = inner ? bpf_map_lookup_elem(inner, &cpu) : 0;

	return chunk ? &chunk->counters[id % COUNTER_CHUNK] : 0;
}

/* Counts the packet on each line; id 0 is "not counted". */
static __always_inline void count_lines(const __u32 *lines, __u32 count, const struct scratch *s)
{
	__u32 i;

	for (i = 0; i < MAX_SERIES; i++) {
		__u32 id = lines[i];

		if (i >= count)
			break;
		if (id)
			add(counter_of(id), &s->packet, s->now);
	}
}

/* Counts a drop that no line decided. */
static __always_inline void count_drop(__u32 reason, const struct scratch *s)
{
	add(bpf_map_lookup_elem(&drop_map, &reason), &s->packet, s->now);
}

/* Takes one event from this CPU's budget of the running second. */
static __always_inline bool within_budget(struct event_budget *b, __u64 now)
{
	if (now - b->since >= SECOND) {
		b->since = now;
		b->used = 0;
	}
	if (b->used >= EVENTS_PER_SECOND)
		return false;
	b->used++;
	return true;
}

static __always_inline void fill_event(struct event *e, const struct scratch *s, __u32 line, bool permitted)
{
	const struct packet *p = &s->packet;

	__builtin_memset(e, 0, sizeof(*e));
	e->time = s->now;
	e->line = line;
	e->ifindex = s->ifindex;
	e->saddr = p->saddr;
	e->daddr = p->daddr;
	e->sport = p->sport;
	e->dport = p->dport;
	e->packets = p->segments;
	e->protocol = p->protocol;
	e->family = p->family;
	e->direction = s->direction;
	e->permitted = permitted;
	e->icmp_type = p->icmp_type;
	e->icmp_code = p->icmp_code;
}

static __always_inline void write_event(const struct scratch *s, __u32 line, bool permitted)
{
	__u32 zero = 0;
	struct event_budget *b = bpf_map_lookup_elem(&event_budget_map, &zero);
	struct event *e;

	if (!b)
		return;
	e = within_budget(b, s->now) ? bpf_ringbuf_reserve(&event_map, sizeof(*e), 0) : 0;
	if (!e) {
		b->lost++;
		return;
	}
	fill_event(e, s, line, permitted);
	bpf_ringbuf_submit(e, 0);
}

/* Counts a new judgement and writes the events of its lines with "log". Only
 * the last line can be the one that denied. */
__noinline int count_judgement(struct scratch *s)
{
	struct judgement *j;
	__u32 i;

	if (!s)
		return -1;
	j = &s->judgement;
	count_lines(j->lines, j->count, s);
	if (!j->logged)
		return 0;
	for (i = 0; i < MAX_SERIES; i++) {
		if (i < j->count && j->logged >> i & 1)
			write_event(s, j->lines[i], j->accept || i + 1 < j->count);
	}
	return 0;
}

#endif
