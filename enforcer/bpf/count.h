/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/* count.h counts packets on lines and drop reasons. */
#ifndef COUNT_H
#define COUNT_H

#include "log.h"

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
		if (i >= count)
			break;
		if (lines[i])
			add(counter_of(lines[i]), &s->packet, s->now);
	}
}

/* Counts a drop that no line decided. */
static __always_inline void count_drop(__u32 reason, const struct scratch *s)
{
	add(bpf_map_lookup_elem(&drop_map, &reason), &s->packet, s->now);
}

/* Logs a judgement on its lines with "log". Only the last line can be the one
 * that denied. */
__noinline int log_judgement(struct scratch *s)
{
	struct judgement *j;
	__u32 i;

	if (!s)
		return -1;
	j = &s->judgement;
	for (i = 0; i < MAX_SERIES; i++) {
		if (i < j->count && j->logged >> i & 1)
			log_packet(s, j->lines[i], j->accept || i + 1 < j->count);
	}
	return 0;
}

/* Counts a new judgement, and logs it. */
static __always_inline void count_here(struct scratch *s)
{
	count_lines(s->judgement.lines, s->judgement.count, s);
	if (s->judgement.logged)
		log_judgement(s);
}

/* The same where the stack is short. */
__noinline int count_judgement(struct scratch *s)
{
	if (s)
		count_here(s);
	return 0;
}

#endif
