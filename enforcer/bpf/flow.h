/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/*
 * flow.h remembers, on each CPU, the verdicts that stateless hooks gave: a
 * packet that looks like an earlier one in everything that lists look at gets
 * its verdict and counts on its lines without asking them. A verdict holds for
 * the generation and the epoch of time windows that it was given under, so that
 * no change has to empty anything.
 *
 * A flow is noted by a tag when it is first seen and remembered when it is seen
 * again. Packets that never come twice then cost one look at a few tags, which
 * stay in the processor's cache, and push out no verdict of others.
 *
 * Where hardly any packet comes again, asking is in vain. Each hook has a
 * doubt, which grows with every flow that is not found and shrinks faster with
 * every one that is; where it is full, few packets ask, so that flows are noticed
 * when they come back.
 *
 * Not remembered: faults, and verdicts of lines that do more than count.
 */
#ifndef FLOW_H
#define FLOW_H

#include "count.h"
#include "judge.h"
#include "port.h"
#include "reflect.h"

/* Chosen by user space when it loads, so that nobody knows which flows share
 * a place. */
const volatile __u64 flow_seed;

/* What judges look at, as words. The hop limit and the traffic class are left
 * out where user space says that the hook's lists do not look at them. */
static __always_inline void flow_key_of(__u64 *key, const struct scratch *s)
{
	const struct packet *p = &s->packet;
	__u32 tos = s->flags & HOOK_ANY_TRAFFIC_CLASS ? 0 : p->tos;
	__u32 hop_limit = s->flags & HOOK_ANY_HOP_LIMIT ? 0 : p->hop_limit;
	__u32 ports = (__u32)p->sport << 16 | p->dport | (__u32)p->icmp_type << 8 | p->icmp_code;
	__u64 part = p->fragment | p->neighbour << 2 | s->direction << 3;

	key[0] = *(const __u64 *)&p->saddr.bytes[0];
	key[1] = *(const __u64 *)&p->saddr.bytes[8];
	key[2] = *(const __u64 *)&p->daddr.bytes[0];
	key[3] = *(const __u64 *)&p->daddr.bytes[8];
	key[4] = (__u64)s->ifindex << 32 | ports;
	key[5] = part << 32 | tos << 24 | hop_limit << 16 | p->protocol << 8 | p->tcp_flags;
}

static __always_inline __u64 flow_hash(const __u64 *key)
{
	__u64 a = (key[0] ^ flow_seed) * 0x9e3779b97f4a7c15 ^ (key[1] + flow_seed) * 0xc2b2ae3d27d4eb4f;
	__u64 b = (key[2] - flow_seed) * 0xff51afd7ed558ccd ^ (key[3] ^ flow_seed) * 0x165667b19e3779f9;
	__u64 c = (key[4] + flow_seed) * 0xd6e8feb86659fd93 ^ key[5] * 0xa0761d6478bd642f;

	a ^= a >> 32;
	b ^= b >> 29;
	a = (a + (b << 17 | b >> 47)) * 0x9fb21c651e98df25 ^ (c ^ c >> 31) * 0xe7037ed1a0b428db;
	return a ^ a >> 28;
}

/* Gives the place of the flow if its tag is there, else notes the tag and
 * gives FLOWS. A verdict in that place may be another flow's. */
static __always_inline __u32 find_tag(struct flow_tags *t, __u64 hash)
{
	__u32 set = hash & (FLOWS - FLOW_WAYS), tag = hash >> 32 | 1, way, i;

#pragma unroll
	for (i = 0; i < FLOW_WAYS; i++) {
		if (t->tags[set + i] == tag)
			return set + i;
	}
	/* Linux 6.1 knows no bounds of what two variables give by "or". */
	way = t->next++ & (FLOW_WAYS - 1);
	opaque(way);
	t->tags[set + way] = tag;
	return FLOWS;
}

static __always_inline bool same_flow(const struct flow *f, const __u64 *key, __u64 era)
{
	return !((f->key[0] ^ key[0]) | (f->key[1] ^ key[1]) | (f->key[2] ^ key[2]) | (f->key[3] ^ key[3]) |
		 (f->key[4] ^ key[4]) | (f->key[5] ^ key[5]) | (f->verdict ^ era << 1) >> 1);
}

#define FULL_DOUBT 4096
#define DOUBT_PER_HIT 8  /* what a verdict that is found saves, in vain questions */
#define DOUBTED 8        /* one packet in so many asks where the doubt is full */

/* Whether the packet is to ask. */
static __always_inline bool worth_asking(struct port *port)
{
	return port->doubt < FULL_DOUBT || !(++port->skipped & (DOUBTED - 1));
}

static __always_inline void note_miss(struct port *port)
{
	if (port->doubt < FULL_DOUBT)
		port->doubt++;
}

static __always_inline void note_hit(struct port *port)
{
	port->doubt = port->doubt < DOUBT_PER_HIT ? 0 : port->doubt - DOUBT_PER_HIT;
}

/* Gives what is in the flow's place, and leaves the key in s->flow; 0 for a
 * flow that is seen for the first time. The place lies on the stack, because
 * Linux 6.1 takes no key out of a function's argument. */
static __always_inline struct flow *look_up_flow(struct scratch *s, struct port *port)
{
	struct flow_tags *tags;
	__u32 zero = 0, place;

	if (s->flags & HOOK_NO_CACHE || !worth_asking(port))
		return 0;
	note_miss(port);
	tags = bpf_map_lookup_elem(&flow_tag_map, &zero);
	if (!tags)
		return 0;
	flow_key_of(s->flow.key, s);
	place = find_tag(tags, flow_hash(s->flow.key));
	return place < FLOWS ? bpf_map_lookup_elem(&flow_map, &place) : 0;
}

static __always_inline void remember_flow(struct flow *f, const struct scratch *s)
{
	const struct judgement *j = &s->judgement;

	if (!f || j->fault || j->flags & ~(RECORD_TIMED | RECORD_ADDRESSES) || j->count > FLOW_LINES)
		return;
	__builtin_memcpy(f->key, s->flow.key, sizeof(f->key));
	f->verdict = s->era << 1 | (j->accept & 1);
	f->lines[0] = j->count > 0 ? j->lines[0] : 0;
	f->lines[1] = j->count > 1 ? j->lines[1] : 0;
}

/* Judges a packet on a stateless hook: 1 permits, 0 drops. */
static __always_inline int judge_node(struct scratch *s, struct port *port)
{
	const struct hook *hook = &port->hook;
	struct judgement *j = &s->judgement;
	struct flow *f = look_up_flow(s, port);

	if (f && same_flow(f, s->flow.key, s->era)) {
		note_hit(port);
		count_lines(f->lines, FLOW_LINES, s);
		return f->verdict & 1;
	}
	if (hook->evaluates)
		find_entries(s, hook->evaluates);
	ask_all(hook, &s->packet, j, &s->named);
	remember_flow(f, s);
	if (j->accept && j->reflexive)
		keep_entries(s);
	if (j->fault)
		count_drop(DROP_FAULT, s);
	count_here(s);
	s->policed = j->flags & RECORD_POLICE;
	return j->accept;
}

#endif
