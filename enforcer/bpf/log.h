/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/*
 * log.h writes what lines with "log" have to say. The first packet of a flow
 * writes an event at once; those that follow are added up in log_map, and the
 * agent's sweep turns the sums into events every five minutes. An event that
 * cannot be written (budget, full ring buffer) leaves its packets in the sum.
 * So each packet is in exactly one of: an event, a sum, log_loss.missed.
 *
 * One race remains: a flow that is deleted and whose memory is used again
 * between a packet's lookup and its addition a few instructions later gives
 * that packet to the flow that follows. Counters of lines are not touched.
 */
#ifndef LOG_H
#define LOG_H

#include "maps.h"

#define SECOND 1000000000ULL
#define MISSED_SPACING (60 * SECOND) /* between two events about missed packets */

/* Takes one event from this CPU's budget of the running window. */
static __always_inline bool within_budget(const struct log_options *o, __u64 now)
{
	__u32 zero = 0;
	struct event_budget *b = bpf_map_lookup_elem(&event_budget_map, &zero);
	__u64 window = o->spacing ? o->spacing : SECOND;
	__u64 most = o->spacing ? 1 : EVENTS_PER_SECOND;

	if (!b)
		return false;
	if (now - b->since >= window) {
		b->since = now;
		b->used = 0;
	}
	if (b->used >= most)
		return false;
	b->used++;
	return true;
}

/* Writes an event about a flow's sum, or leaves the sum as it is. */
static __always_inline bool tell(const struct log_key *key, struct log_flow *f, __u64 now)
{
	struct event *e = bpf_ringbuf_reserve(&event_map, sizeof(*e), 0);
	__u64 packets;

	if (!e)
		return false;
	packets = *(volatile __u64 *)&f->packets;
	/* A plain exchange would bring a dying flow back to life: packets that
	 * are then added to it would go with it. */
	if (!packets || packets & LOG_DEAD || __sync_val_compare_and_swap(&f->packets, packets, 0) != packets) {
		bpf_ringbuf_discard(e, 0); /* another CPU was faster, and tells */
		return true;
	}
	e->time = f->seen;
	e->packets = packets;
	e->flow = *key;
	e->kind = f->told ? EVENT_TOTAL : EVENT_FIRST;
	f->told = 1;
	f->since = now;
	bpf_ringbuf_submit(e, 0);
	return true;
}

static __always_inline void miss(__u64 packets)
{
	__u32 zero = 0;
	struct log_loss *loss = bpf_map_lookup_elem(&log_loss_map, &zero);

	if (loss)
		__sync_fetch_and_add(&loss->missed, packets);
}

static __always_inline void fill_log_key(struct log_key *k, const struct scratch *s, __u32 line, bool permitted)
{
	const struct packet *p = &s->packet;

	__builtin_memset(k, 0, sizeof(*k));
	k->line = line;
	k->ifindex = s->ifindex;
	k->saddr = p->saddr;
	k->daddr = p->daddr;
	k->sport = p->sport;
	k->dport = p->dport;
	k->protocol = p->protocol;
	k->family = p->family;
	k->direction = s->direction;
	k->permitted = permitted;
	k->audit = s->flags & HOOK_AUDIT ? 1 : 0;
	k->icmp_type = p->icmp_type;
	k->icmp_code = p->icmp_code;
}

/* Adds to a flow that is known; false when it is about to be deleted. */
static __always_inline bool add_to_flow(struct log_flow *f, const struct scratch *s)
{
	f->seen = s->now;
	return !(__sync_fetch_and_add(&f->packets, s->packet.segments) & LOG_DEAD);
}

/* Begins a flow, or adds to the one that another CPU has begun; false when
 * there is no room, or the flow is about to be deleted. */
static __always_inline bool begin_flow(const struct log_key *key, const struct scratch *s)
{
	struct log_flow fresh = {.packets = s->packet.segments, .since = s->now, .seen = s->now};
	struct log_flow *f;

	if (!bpf_map_update_elem(&log_map, key, &fresh, BPF_NOEXIST))
		return true;
	f = bpf_map_lookup_elem(&log_map, key);
	return f && add_to_flow(f, s);
}

/* Logs the packet on a line. It is global, so that the verifier walks it once. */
__noinline int log_packet(const struct scratch *s, __u32 line, __u32 permitted)
{
	__u32 zero = 0;
	const struct log_options *o = bpf_map_lookup_elem(&log_options_map, &zero);
	struct log_key key;
	struct log_flow *f;

	if (!s || !o)
		return 0;
	fill_log_key(&key, s, line, permitted);
	f = bpf_map_lookup_elem(&log_map, &key);
	if (!f || !add_to_flow(f, s)) {
		if (!begin_flow(&key, s))
			miss(s->packet.segments);
		f = bpf_map_lookup_elem(&log_map, &key);
	}
	if (!f || (f->told && !(o->threshold && f->packets >= o->threshold)))
		return 0;
	if (within_budget(o, s->now))
		tell(&key, f, s->now);
	return 0;
}

struct sweep_state {
	__u64 now;
	__u64 interval;
	struct log_sweep sweep;
};

/* Looks at one flow: tells what is due and forgets what is quiet. */
static long sweep_flow(void *map, const struct log_key *key, struct log_flow *f, struct sweep_state *state)
{
	struct log_sweep *sweep = &state->sweep;
	bool due = sweep->pressure || (state->now > f->since && state->now - f->since >= state->interval);

	if (!f->packets) {
		if (due && !__sync_val_compare_and_swap(&f->packets, 0, LOG_DEAD))
			bpf_map_delete_elem(&log_map, key);
		else
			sweep->flows++;
		return 0;
	}
	sweep->flows++;
	if ((due || !f->told) && sweep->written < sweep->most && tell(key, f, state->now))
		sweep->written++;
	return 0;
}

/* Reports missed packets, at once and then in steps of a minute. */
static __always_inline void tell_missed(struct log_sweep *sweep, __u64 now)
{
	__u32 zero = 0;
	struct log_loss *loss = bpf_map_lookup_elem(&log_loss_map, &zero);
	struct event *e;
	__u64 missed;

	if (!loss)
		return;
	missed = *(volatile __u64 *)&loss->missed;
	if (missed == loss->told || (loss->since && now - loss->since < MISSED_SPACING))
		return;
	e = bpf_ringbuf_reserve(&event_map, sizeof(*e), 0);
	if (!e)
		return;
	__builtin_memset(e, 0, sizeof(*e));
	e->time = now;
	e->packets = missed - loss->told;
	e->kind = EVENT_MISSED;
	loss->told = missed;
	loss->since = now;
	sweep->written++;
	bpf_ringbuf_submit(e, 0);
}

/* The agent runs this once a second; one process at a time. */
SEC("syscall")
int sweep_log(struct log_sweep *sweep)
{
	__u32 zero = 0;
	const struct log_options *o = bpf_map_lookup_elem(&log_options_map, &zero);
	struct sweep_state state = {.now = bpf_ktime_get_ns()};

	if (!o)
		return -1;
	state.interval = o->interval ? o->interval : LOG_INTERVAL;
	state.sweep.pressure = sweep->pressure;
	state.sweep.most = sweep->most;
	bpf_for_each_map_elem(&log_map, sweep_flow, &state, 0);
	tell_missed(&state.sweep, state.now);
	sweep->flows = state.sweep.flows;
	sweep->written = state.sweep.written;
	return 0;
}

#endif
