/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/* port.h finds the hook that a packet meets. */
#ifndef PORT_H
#define PORT_H

#include "maps.h"

/* What a pod receives, its host device sends. */
static __always_inline __u32 opposite(__u32 direction)
{
	return DIRECTION_INGRESS + DIRECTION_EGRESS - direction;
}

static __always_inline const struct hook *hook_at(const struct scratch *s, __u32 point)
{
	struct hook_key key = {.ifindex = s->ifindex, .point = point, .half = s->generation & 1};

	return bpf_map_lookup_elem(&hook_map, &key);
}

/* The packet's own hook. It cannot vanish while its generation is live. */
static __always_inline const struct hook *hook_of(const struct scratch *s)
{
	return hook_at(s, s->point);
}

static __noinline int learn_port(struct scratch *s, struct port *port)
{
	const struct hook *hook = hook_of(s);

	__builtin_memset(port, 0, sizeof(*port));
	port->ifindex = s->ifindex;
	port->point = s->point;
	if (hook)
		port->hook = *hook;
	else
		port->hook.flags = NO_HOOK;
	port->generation = s->generation;
	return 0;
}

/* Gives what this CPU remembers of the packet's hook. */
static __always_inline struct port *port_of(struct scratch *s)
{
	struct port *port = &s->ports[(s->ifindex << 1 | (s->point & 1)) & (PORTS - 1)];

	if (port->generation != s->generation || port->ifindex != s->ifindex || port->point != s->point)
		learn_port(s, port);
	return port;
}

static __always_inline bool same(const struct ip_addr *a, const struct ip_addr *b)
{
	const __u64 *x = (const __u64 *)a->bytes, *y = (const __u64 *)b->bytes;

	return x[0] == y[0] && x[1] == y[1];
}

/* Whether the address is one that the port knows as its pod's. */
static __always_inline bool is_own(const struct port *port, const struct ip_addr *a)
{
	const __u64 *word = (const __u64 *)a->bytes;

	return (word[0] | word[1]) && (same(a, &port->hook.own[0]) || same(a, &port->hook.own[1]));
}

#endif
