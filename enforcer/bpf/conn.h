/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/*
 * conn.h judges pod ports, whose lists track connections. It does what
 * policy.Gate does, function by function and in the same order.
 */
#ifndef CONN_H
#define CONN_H

#include "count.h"
#include "judge.h"
#include "direct.h"
#include "port.h"
#include "service.h"

/* policy's idle times, nanoseconds; user space sets them before it loads. */
const volatile __u64 tcp_idle, tcp_open, tcp_fin, udp_idle, icmp_len;

/* A connection's time of last use is written when it is this old, nanoseconds:
 * most packets of a flow then write nothing. It forgets that much early. */
const volatile __u64 seen_step = SECOND;

static __always_inline __u64 idle(__u8 protocol, __u32 flags)
{
	if (is_icmp(protocol))
		return icmp_len;
	if (protocol != PROTOCOL_TCP)
		return udp_idle;
	if (flags & CONN_CLOSING)
		return tcp_fin;
	return flags & CONN_REPLIED ? tcp_idle : tcp_open;
}

/* The connection flags after a packet of it. */
static __always_inline __u32 touched_flags(__u32 flags, const struct packet *p)
{
	if (p->protocol != PROTOCOL_TCP)
		return flags;
	if (p->tcp_flags & (TCP_FIN | TCP_RST))
		return flags | CONN_CLOSING;
	if ((p->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
		return flags & ~(CONN_CLOSING | CONN_REPLIED);
	return flags;
}

/* Whether the packet asks for another connection between the same ports, which
 * is judged by itself: what a name held may have run out. A repetition of the
 * first packet, which was not answered, asks for nothing new. */
static __always_inline bool begins_again(const struct conn *c, const struct packet *p)
{
	return p->protocol == PROTOCOL_TCP && (p->tcp_flags & (TCP_SYN | TCP_ACK | TCP_FIN | TCP_RST)) == TCP_SYN &&
	       c->flags & (CONN_REPLIED | CONN_CLOSING);
}

static __always_inline void touch(struct conn *c, const struct scratch *s, __u32 set)
{
	__u32 flags = touched_flags(c->flags | set, &s->packet);

	if (c->flags != flags)
		c->flags = flags;
	if (s->now - c->seen >= seen_step)
		c->seen = s->now;
}

/* Gives the packet's own flow. */
static __always_inline void flow_of(struct conn_key *k, const struct scratch *s, const struct packet *p, __u32 direction)
{
	int query;

	__builtin_memset(k, 0, sizeof(*k));
	k->ifindex = s->ifindex;
	k->direction = direction;
	k->protocol = p->protocol;
	k->saddr = p->saddr;
	k->daddr = p->daddr;
	k->sport = p->sport;
	k->dport = p->dport;
	if (!is_icmp(p->protocol))
		return;
	query = query_type(p->protocol, p->icmp_type);
	k->icmp_code = p->icmp_code;
	k->answer = query >= 0;
	k->sport = query < 0 ? p->icmp_id : query;
	k->dport = query < 0 ? p->icmp_type : p->icmp_id;
}

static __always_inline void reverse(struct conn_key *k)
{
	struct ip_addr addr = k->saddr;
	__u16 port = k->sport;

	k->direction = opposite(k->direction);
	k->saddr = k->daddr;
	k->daddr = addr;
	k->sport = k->dport;
	k->dport = port;
	if (is_icmp(k->protocol))
		k->answer ^= 1;
}

/* Makes a connection remember what limits it. */
static __always_inline void remember_police(struct conn *c, const struct judgement *j)
{
	c->flags &= ~CONN_POLICED;
	if (j->flags & RECORD_POLICE)
		c->flags |= CONN_POLICED;
	__builtin_memcpy(c->police, j->police, sizeof(c->police));
}

/* Puts the packet under the limits of its connection. */
static __always_inline void limit_as(struct scratch *s, const struct conn *c)
{
	s->policed = c->flags & CONN_POLICED;
	if (s->policed)
		__builtin_memcpy(s->judgement.police, c->police, sizeof(c->police));
}

/* Rebuilds the packet that a connection is judged by: its first one, with the
 * flags of a new connection. */
static __always_inline void opening(struct packet *p, const struct conn_key *k, const struct conn *c, __u8 family)
{
	__builtin_memset(p, 0, sizeof(*p));
	p->saddr = k->saddr;
	p->daddr = k->daddr;
	p->protocol = k->protocol;
	p->family = family;
	p->local = c->flags & CONN_LOCAL ? 1 : 0;
	p->tos = c->tos;
	p->hop_limit = c->hop_limit;
	p->icmp_type = c->icmp_type;
	p->icmp_code = c->icmp_code;
	if (is_icmp(k->protocol)) {
		p->icmp_id = k->sport;
		return;
	}
	p->sport = k->sport;
	p->dport = k->dport;
	if (k->protocol == PROTOCOL_TCP)
		p->tcp_flags = TCP_SYN;
}

/* The node to its own pod: permitted whatever the lists say. */
static __always_inline bool host_permits(const struct scratch *s, struct packet *p, __u32 direction)
{
	if (direction != DIRECTION_INGRESS || !p->local || s->flags & HOOK_NO_HOST_PERMIT)
		return false;
	identify_source(p);
	return p->source_identity == IDENTITY_HOST;
}

/* Keeps a connection under the lines of s->again. A function of its own, it
 * takes no stack where judge_again goes down to the lists. */
static __noinline int live_on(struct scratch *s, const struct conn *old)
{
	const struct judgement *j = &s->again;
	__u32 i;

	__builtin_memcpy(&s->conn, old, sizeof(s->conn));
	s->conn.generation = s->era;
	s->conn.count = j->count;
	s->conn.logged = j->logged;
	for (i = 0; i < MAX_SERIES; i++)
		s->conn.lines[i] = j->lines[i];
	remember_police(&s->conn, j);
	bpf_map_update_elem(&conn_map, &s->key, &s->conn, BPF_EXIST);
	return 0;
}

/* Judges the connection s->key anew after a change of the lists: 0 when it
 * may live on under its new lines. Without a hook nothing filters it. */
__noinline int judge_again(const struct conn *old)
{
	struct scratch *s = own_scratch();
	const struct hook *hook;
	struct judgement *j;

	if (!s || !old)
		return -1;
	hook = hook_at(s, opposite(s->key.direction));
	j = &s->again;
	opening(&s->other, &s->key, old, s->packet.family);
	s->other.timed = s->packet.timed;
	__builtin_memcpy(s->other.windows, s->packet.windows, sizeof(s->other.windows));
	s->other.names = s->packet.names | NAMES_LINGERING;
	__builtin_memset(j, 0, sizeof(*j));
	if (hook)
		judge_towards(s->key.direction, hook, s, &s->other, j);
	if (hook && !j->accept) {
		if (!host_permits(s, &s->other, s->key.direction))
			return -1;
		__builtin_memset(j, 0, sizeof(*j));
	}
	return live_on(s, old);
}

/* Gives the live connection s->key, judged again where the lists have changed
 * since. It is inline, because the verifier allows eight frames. */
static __always_inline struct conn *find(struct scratch *s)
{
	struct conn *c = bpf_map_lookup_elem(&conn_map, &s->key);

	if (!c)
		return 0;
	if (s->now - c->seen >= idle(s->key.protocol, c->flags) && s->now > c->seen) {
		bpf_map_delete_elem(&conn_map, &s->key);
		return 0;
	}
	if (c->generation == s->era)
		return c;
	if (judge_again(c)) {
		bpf_map_delete_elem(&conn_map, &s->key);
		return 0;
	}
	return bpf_map_lookup_elem(&conn_map, &s->key);
}

/* Whether the packet is an ICMP error about a live connection, sent to the end
 * that the offending packet came from. */
static __always_inline bool related(struct __sk_buff *skb, struct scratch *s)
{
	struct packet *p = &s->packet, *inner = &s->other;

	if (!is_error(p->protocol, p->icmp_type))
		return false;
	__builtin_memset(inner, 0, sizeof(*inner));
	if (parse_inner(skb, p, inner) || !same(&inner->saddr, &p->daddr))
		return false;
	flow_of(&s->key, s, inner, opposite(s->direction));
	if (find(s))
		return true;
	reverse(&s->key);
	return find(s);
}

/* Each IGMP message is judged by its own type, as ICMP's other than queries. */
static __always_inline bool opens(const struct packet *p)
{
	return !has_type(p->protocol) || reply_type(p->protocol, p->icmp_type) >= 0;
}

static __always_inline void remember(struct scratch *s)
{
	struct packet *p = &s->packet;
	struct judgement *j = &s->judgement;
	struct conn *c = &s->conn;
	__u32 i;

	if (!opens(p))
		return;
	flow_of(&s->key, s, p, s->direction);
	__builtin_memset(c, 0, sizeof(*c));
	c->seen = s->now;
	c->generation = s->era;
	c->flags = touched_flags(p->local ? CONN_LOCAL : 0, p);
	c->icmp_type = p->icmp_type;
	c->icmp_code = p->icmp_code;
	c->tos = p->tos;
	c->hop_limit = p->hop_limit;
	c->count = j->count;
	c->logged = j->logged;
	for (i = 0; i < MAX_SERIES; i++)
		c->lines[i] = j->lines[i];
	remember_police(c, j);
	bpf_map_update_elem(&conn_map, &s->key, c, BPF_ANY);
}

/* A verdict: permitted, or 0 and counted already. */
static __always_inline int judge_new(struct scratch *s)
{
	struct judgement *j = &s->judgement;

	judge_towards(s->direction, hook_of(s), s, &s->packet, j);
	if (!j->accept && host_permits(s, &s->packet, s->direction)) {
		__builtin_memset(j, 0, sizeof(*j));
		j->accept = 1;
	}
	if (j->fault)
		count_drop(DROP_FAULT, s);
	else if (j->reason)
		count_drop(j->reason, s);
	count_judgement(s);
	if (!j->accept)
		return 0;
	s->policed = j->flags & RECORD_POLICE;
	remember(s);
	return 1;
}

static __always_inline void keep_lines(struct judgement *j, const struct conn *c)
{
	__u32 i;

	j->count = c->count;
	for (i = 0; i < MAX_SERIES; i++)
		j->lines[i] = c->lines[i];
}

/* Logs a packet of a connection on the lines that admitted it. It is global,
 * so that the verifier walks it once. */
__noinline int log_connection(const struct scratch *s, const struct conn *c)
{
	__u32 i;

	if (!s || !c)
		return 0;
	for (i = 0; i < MAX_SERIES; i++) {
		if (i < c->count && c->logged >> i & 1)
			log_packet(s, c->lines[i], 1);
	}
	return 0;
}

/* A packet that is not a later fragment. Leaves the lines of a permitted one
 * in s->judgement, for the fragments that follow. */
__noinline int judge_whole(struct __sk_buff *skb)
{
	struct scratch *s = own_scratch();
	struct packet *p;
	struct conn *c;

	if (!s)
		return 0;
	p = &s->packet;
	flow_of(&s->key, s, p, s->direction);
	c = find(s);
	if (c && !begins_again(c, p)) {
		touch(c, s, 0);
		count_lines(c->lines, c->count, s);
		if (c->logged)
			log_connection(s, c);
		if (p->fragment == FRAGMENT_FIRST)
			keep_lines(&s->judgement, c);
		limit_as(s, c);
		return 1;
	}
	s->judgement.count = 0;
	if (p->protocol != PROTOCOL_TCP || (p->tcp_flags & (TCP_SYN | TCP_ACK)) != TCP_SYN) {
		reverse(&s->key);
		c = find(s);
		if (c) {
			touch(c, s, CONN_REPLIED);
			limit_as(s, c);
			return 1;
		}
	}
	if (related(skb, s))
		return 1;
	return judge_new(s);
}

static __always_inline void datagram_of(struct fragment_key *k, const struct scratch *s)
{
	const struct packet *p = &s->packet;

	__builtin_memset(k, 0, sizeof(*k));
	k->ifindex = s->ifindex;
	k->direction = s->direction;
	k->protocol = p->fragment_protocol;
	k->id = p->fragment_id;
	k->saddr = p->saddr;
	k->daddr = p->daddr;
}

__noinline int judge_later(struct scratch *s)
{
	struct fragment_key key;
	struct fragment *f;

	if (!s)
		return 0;
	datagram_of(&key, s);
	f = bpf_map_lookup_elem(&fragment_map, &key);
	if (!f || f->generation != s->era || (s->now > f->seen && s->now - f->seen >= udp_idle)) {
		count_drop(DROP_FRAGMENT, s);
		return 0;
	}
	count_lines(f->lines, f->count, s);
	s->policed = f->policed;
	__builtin_memcpy(s->judgement.police, f->police, sizeof(f->police));
	return 1;
}

static __noinline int remember_first(struct scratch *s)
{
	struct fragment_key key;
	struct fragment f = {.seen = s->now, .generation = s->era, .count = s->judgement.count};
	__u32 i;

	datagram_of(&key, s);
	for (i = 0; i < MAX_SERIES; i++)
		f.lines[i] = s->judgement.lines[i];
	f.policed = s->policed;
	if (s->policed)
		__builtin_memcpy(f.police, s->judgement.police, sizeof(f.police));
	bpf_map_update_elem(&fragment_map, &key, &f, BPF_ANY);
	return 0;
}

static __always_inline bool spoofed(struct scratch *s, const struct port *port)
{
	if (s->direction != DIRECTION_EGRESS || s->flags & HOOK_ALLOW_SPOOFED || is_own(port, &s->packet.saddr))
		return false;
	identify_source(&s->packet);
	return s->packet.owner != s->ifindex;
}

/* Judges a packet on a pod's port: 1 permits, 0 drops. */
static __always_inline int judge_pod(struct __sk_buff *skb, struct scratch *s, const struct port *port)
{
	struct packet *p = &s->packet;

	if (p->neighbour)
		return 1;
	if (spoofed(s, port)) {
		count_drop(DROP_SPOOFED, s);
		return 0;
	}
	if (!(s->families & p->family))
		return 1;
	if (p->fragment == FRAGMENT_LATER)
		return judge_later(s);
	if (!judge_whole(skb))
		return 0;
	if (p->fragment == FRAGMENT_FIRST)
		remember_first(s);
	return 1;
}

#endif
