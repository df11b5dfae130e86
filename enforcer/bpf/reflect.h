/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/*
 * reflect.h keeps the entries of reflexive lists: what a list of a node's
 * interface permits by "reflect" makes one, and "evaluate" permits what an
 * entry fits. It does what policy.Reflexive does, function by function. A full
 * entry_map loses its oldest entries, which permits less.
 */
#ifndef REFLECT_H
#define REFLECT_H

#include "classify.h"

/* What is left of a TCP entry after both FINs, nanoseconds; user space sets it
 * before it loads. */
const volatile __u64 reflexive_fin;

/* Gives the entry that would permit the packet. */
static __always_inline void answer_of(struct entry_key *k, const struct packet *p)
{
	__builtin_memset(k, 0, sizeof(*k));
	k->saddr = p->saddr;
	k->daddr = p->daddr;
	k->protocol = p->protocol;
	k->sport = p->sport;
	k->dport = has_type(p->protocol) ? p->icmp_type : p->dport;
}

/* The type of the answer: an echo's is a reply, any other message is answered
 * by its own kind. */
static __always_inline __u8 answer_type(__u8 protocol, __u8 type)
{
	if (protocol == PROTOCOL_ICMP && type == 8)
		return 0;
	return protocol == PROTOCOL_ICMPV6 && type == 128 ? 129 : type;
}

/* Gives the entry that the packet makes. */
static __always_inline void mirror_of(struct entry_key *k, const struct packet *p)
{
	__builtin_memset(k, 0, sizeof(*k));
	k->saddr = p->daddr;
	k->daddr = p->saddr;
	k->protocol = p->protocol;
	k->sport = p->dport;
	k->dport = has_type(p->protocol) ? answer_type(p->protocol, p->icmp_type) : p->sport;
}

/* Gives the list of a number, 0 where there is none. */
static __always_inline __u64 list_of(const struct scratch *s, __u64 number)
{
	__u32 half = s->generation & 1;
	const struct reflexive_lists *lists = bpf_map_lookup_elem(&reflexive_map, &half);

	opaque(number); /* the compiler knows its range, the verifier does not */
	return lists ? lists->names[number & (REFLEXIVE_LISTS - 1)] : 0;
}

static __always_inline bool lives(const struct entry *e, const struct scratch *s)
{
	return e && s->now < e->expires;
}

/* Notes which of the hook's lists have an entry that fits the packet. A later
 * fragment fits none that has ports or types: it shows neither. */
static __noinline int find_entries(struct scratch *s, __u64 lists)
{
	struct packet *p = &s->packet;
	struct entry_key key;
	__u64 n;
	int i;

	if (p->fragment == FRAGMENT_LATER && (has_ports(p->protocol) || has_type(p->protocol)))
		return 0;
	answer_of(&key, p);
	for (i = 0; i < EVALUATED_LISTS; i++) {
		if (!lists)
			break;
		n = lowest(lists);
		lists &= lists - 1;
		key.list = list_of(s, n);
		if (key.list && lives(bpf_map_lookup_elem(&entry_map, &key), s))
			p->reflected |= 1ULL << n;
	}
	return 0;
}

static __always_inline bool ends_session(const struct packet *p)
{
	return p->protocol == PROTOCOL_TCP && p->tcp_flags & TCP_RST;
}

static __always_inline bool finishes(const struct packet *p)
{
	return p->protocol == PROTOCOL_TCP && p->tcp_flags & TCP_FIN;
}

/* Notes a packet of the session from an end. The other end's packet may be on
 * another CPU: whoever sees both FINs last shortens the entry. */
static __always_inline void renew(struct entry *e, const struct scratch *s, __u32 end)
{
	__u32 before = e->finished;

	if (finishes(&s->packet))
		__sync_fetch_and_or(&e->finished, end);
	if (before == ENTRY_BOTH)
		return;
	__sync_lock_test_and_set(&e->expires, s->now + e->timeout);
	if (*(volatile __u32 *)&e->finished == ENTRY_BOTH)
		e->expires = s->now + reflexive_fin;
}

/* Renews the entry that permitted the packet. */
static __noinline int use_entry(const struct scratch *s, __u64 list)
{
	struct entry_key key;
	struct entry *e;

	answer_of(&key, &s->packet);
	key.list = list;
	e = bpf_map_lookup_elem(&entry_map, &key);
	if (!lives(e, s))
		return 0;
	__sync_fetch_and_add(&e->packets, 1);
	if (ends_session(&s->packet))
		bpf_map_delete_elem(&entry_map, &key);
	else
		renew(e, s, ENTRY_OUTSIDE);
	return 0;
}

/* Makes or renews the entry for the packet's answers. */
static __noinline int reflect(const struct scratch *s, __u64 list, __u64 timeout)
{
	const struct packet *p = &s->packet;
	struct entry fresh = {.expires = s->now + timeout, .timeout = timeout};
	struct entry_key key;
	struct entry *e;

	if (p->fragment == FRAGMENT_LATER)
		return 0;
	mirror_of(&key, p);
	key.list = list;
	if (ends_session(p)) {
		bpf_map_delete_elem(&entry_map, &key);
		return 0;
	}
	e = bpf_map_lookup_elem(&entry_map, &key);
	if (lives(e, s) && !(p->protocol == PROTOCOL_TCP && (p->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)) {
		e->timeout = timeout;
		renew(e, s, ENTRY_INSIDE);
		return 0;
	}
	if (finishes(p))
		fresh.finished = ENTRY_INSIDE;
	bpf_map_update_elem(&entry_map, &key, &fresh, BPF_ANY);
	return 0;
}

/* Does what the lines that permitted the packet say about reflexive lists. */
static __noinline int keep_entries(const struct scratch *s)
{
	const struct judgement *j = &s->judgement;
	const struct reflexes *r;
	__u32 zero = 0, i;

	r = bpf_map_lookup_elem(&reflex_map, &zero);
	if (!r)
		return 0;
	for (i = 0; i < MAX_SERIES; i++) {
		const struct reflex *x = &r->lines[i];

		if (i >= j->count || !(j->reflexive >> i & 1))
			continue;
		if (x->evaluate)
			use_entry(s, list_of(s, x->evaluate));
		if (x->reflect)
			reflect(s, list_of(s, x->reflect), x->timeout * 1000000ULL);
	}
	return 0;
}

#endif
