/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/*
 * dns.h copies the DNS messages of pods whose lists name an FQDN to user space:
 * the questions that they were permitted to send to a trusted server, and what
 * was permitted to come back from its port 53. Messages are never held back or
 * changed. User space believes an answer only to a question that it has seen,
 * and not from the device of a pod that is no server.
 *
 *   dns_map           ring buffer         -              dns_message, cut behind its payload
 *   dns_budget_map    LRU hash            ifindex        dns_budget
 *   dns_lost_map      per-CPU array, 1    0              messages that were not copied (u64)
 *   dns_scratch_map   per-CPU array, 1    0              dns_message, programs only
 *
 * Fragments and messages over TCP are not copied.
 */
#ifndef DNS_H
#define DNS_H

#include "maps.h"
#include "name.h"
#include "protocol.h"

#define DNS_PORT 53
#define DNS_HEADER 12
#define DNS_LENGTH 1500      /* longest message, bytes */
#define DNS_PER_SECOND 1000  /* messages of one port, so that no pod drowns the others' */
#define DNS_PERIOD 1000000000ULL

struct dns_message {
	__u64 time; /* bpf_ktime_get_ns */
	__u32 ifindex;
	__u16 port;   /* the pod's */
	__u16 length; /* of the payload */
	__u8 answer;  /* 0 a question, 1 what came back */
	__u8 pad[3];
	__u32 from; /* the device that the packet came to this node by, 0 is the node */
	struct ip_addr pod;
	struct ip_addr server;
	__u8 payload[DNS_LENGTH];
};

/* dns_budget is written by several CPUs without a lock: it is a brake, no
 * account. */
struct dns_budget {
	__u64 since; /* bpf_ktime_get_ns at which this second began */
	__u64 used;
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} dns_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct dns_budget);
} dns_budget_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} dns_lost_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct dns_message);
} dns_scratch_map SEC(".maps");

static __always_inline bool within_dns_budget(const struct scratch *s)
{
	struct dns_budget first = {.since = s->now, .used = 1};
	__u32 ifindex = s->ifindex; /* Linux 6.1 takes no key out of an argument */
	struct dns_budget *b = bpf_map_lookup_elem(&dns_budget_map, &ifindex);

	if (!b) {
		bpf_map_update_elem(&dns_budget_map, &ifindex, &first, BPF_ANY);
		return true;
	}
	if (s->now > b->since && s->now - b->since >= DNS_PERIOD) { /* another CPU may be a tick ahead */
		b->since = s->now;
		b->used = 0;
	}
	if (b->used >= DNS_PER_SECOND)
		return false;
	b->used++;
	return true;
}

static __always_inline int copy_payload(struct __sk_buff *skb, const struct packet *p, struct dns_message *m)
{
	__u32 length = p->end - p->payload;

	if (p->segments != 1 || length < DNS_HEADER)
		return -1;
	opaque(length); /* Linux 6.1 understands two comparisons, and not one of a difference */
	if (length > DNS_LENGTH)
		return -1;
	m->length = length;
	if (bpf_skb_load_bytes(skb, p->payload, m->payload, length))
		return -1;
	return bpf_ringbuf_output(&dns_map, m, offsetof(struct dns_message, payload) + length, 0);
}

/* Copies the packet, which was permitted, if it is a message to or from a
 * trusted server. It is global, so that the verifier walks it once. */
__noinline int copy_dns(struct __sk_buff *skb, const struct scratch *s)
{
	const struct packet *p;
	struct dns_message *m;
	__u32 zero = 0;
	__u64 *lost;
	bool answer;

	if (!s)
		return 0;
	p = &s->packet;
	answer = s->direction == DIRECTION_INGRESS;
	if (p->protocol != PROTOCOL_UDP || p->fragment || (answer ? p->sport : p->dport) != DNS_PORT)
		return 0;
	m = bpf_map_lookup_elem(&dns_scratch_map, &zero);
	lost = bpf_map_lookup_elem(&dns_lost_map, &zero);
	if (!m || !lost)
		return 0; /* cannot be: both are arrays */
	m->server = answer ? p->saddr : p->daddr;
	if (!bpf_map_lookup_elem(&server_map, &m->server))
		return 0;
	m->time = s->now;
	m->ifindex = s->ifindex;
	m->from = skb->ingress_ifindex;
	m->answer = answer;
	m->port = answer ? p->dport : p->sport;
	m->pod = answer ? p->daddr : p->saddr;
	if (!within_dns_budget(s) || copy_payload(skb, p, m))
		(*lost)++;
	return 0;
}

#endif
