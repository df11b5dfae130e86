/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/*
 * service.h judges what a pod sends to a service by what is behind it. It does
 * what policy.Gate does (translate/policy/virtual.go tells why). A pod that
 * sends to none pays one look-up for each connection, and nothing while the
 * node knows no services.
 */
#ifndef SERVICE_H
#define SERVICE_H

#include "judge.h"

static __always_inline bool governs(const struct hook *hook, const struct packet *p)
{
	__u32 i;

	for (i = 0; i < MAX_SERIES; i++) {
		if (i < hook->count && hook->tables[i].families & p->family)
			return true;
	}
	return false;
}

/* Finds the port of a service that the packet is for. The key stands on the
 * stack: Linux 6.1 takes none from memory that a global function was given. */
static __always_inline const struct service *service_of(const struct hook *hook, const struct packet *p)
{
	struct service_key key = {.addr = p->daddr, .port = p->dport, .protocol = p->protocol, .set = hook->services};

	return has_ports(p->protocol) && governs(hook, p) ? bpf_map_lookup_elem(&service_map, &key) : 0;
}

/* Finds, in each list, the rule that decides the packet as it is, and keeps
 * those that mean the service. A fault shows again when backends are judged. */
__noinline int find_named(const struct hook *hook, struct packet *p, struct named *named)
{
	__u32 i, zero = 0;
	const struct walk *walk = bpf_map_lookup_elem(&walk_map, &zero);

	if (!hook || !p || !named || !walk)
		return -1;
	__builtin_memset(named, 0xff, sizeof(*named));
	for (i = 0; i < MAX_SERIES; i++) {
		struct named_rule *n = &named->rules[i];
		struct table_record found = {};

		if (i >= hook->count)
			break;
		if (!(hook->tables[i].families & p->family) || classify(&hook->tables[i], p, &found))
			continue;
		if (!(found.flags & RECORD_ADDRESSES))
			continue;
		n->rule = walk->best;
		n->counter = found.counter;
		n->action = found.action;
		n->flags = found.flags;
		n->policer = found.policer;
	}
	return 0;
}

/* Turns s->behind into what a backend gets; false when it is missing. */
static __always_inline bool send_behind(struct scratch *s, __u32 number, __u32 set)
{
	struct backend_key key = {.number = number, .set = set};
	const struct backend *b = bpf_map_lookup_elem(&backend_map, &key);

	if (!b)
		return false;
	s->behind.daddr = b->addr;
	s->behind.dport = b->port;
	s->behind.identified &= IDENTIFIED_SOURCE;
	return true;
}

/* Whether two judgements put a packet under the same limits. */
static __always_inline bool same_police(const struct judgement *a, const struct judgement *b)
{
	__u32 different = 0;
	int i;

#pragma unroll
	for (i = 0; i < MAX_SERIES; i++)
		different |= a->police[i] ^ b->police[i];
	return !different;
}

/*
 * judge_service judges the packet, which s->packet or s->other is, once for
 * each backend of the service that it is for. All must permit, under the same
 * limits; the lines are
 * those of the first backend that denies, or of the first one. It is global, so
 * that the verifier walks it once. It loops by itself, because the callback of
 * bpf_loop would be one frame more than the eight that the verifier allows.
 */
__noinline int judge_service(const struct hook *hook, struct scratch *s, struct packet *p, struct judgement *j)
{
	const struct service *service;
	__u32 i;

	if (!hook || !s || !p || !j)
		return -1;
	service = service_of(hook, p);
	if (!service)
		return judge(hook, p, j, &s->named);
	__builtin_memset(j, 0, sizeof(*j));
	if (!service->count) {
		j->reason = DROP_NO_BACKEND;
		return 0;
	}
	find_named(hook, p, &s->named);
	s->behind = *p;
	s->behind.behind = 1;
	for (i = 0; i < MAX_BACKENDS; i++) {
		if (i >= service->count)
			break;
		if (!send_behind(s, service->first + i, hook->services)) {
			j->accept = 0;
			j->fault = 1;
			break;
		}
		judge(hook, &s->behind, &s->one, &s->named);
		if (i && j->accept == s->one.accept && (!j->accept || same_police(j, &s->one)))
			continue;
		if (!i || !s->one.accept)
			*j = s->one;
		if (i) {
			j->accept = 0;
			j->reason = DROP_MIXED;
			break;
		}
	}
	return 0;
}

/* Judges a packet on a pod's port; a hook that is missing is a fault. */
static __always_inline void judge_towards(__u32 direction, const struct hook *hook, struct scratch *s,
					  struct packet *p, struct judgement *j)
{
	if (hook && direction == DIRECTION_EGRESS && hook->services)
		judge_service(hook, s, p, j);
	else
		judge_by(hook, p, j, &s->named);
}

#endif
