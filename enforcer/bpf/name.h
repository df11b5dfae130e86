/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/*
 * name.h knows addresses of the world by the names that answers of the DNS gave
 * them. User space fills name_map (dns.h says from what); an address that
 * ipcache_map knows is a pod's or a node's and is never looked up here.
 *
 *   name_map        hash   ip_addr       name_value
 *   learned_map     hash   learned_key   the moment at which the name runs out (u64)
 *   server_map      hash   ip_addr       1: answers of this server are believed
 *
 * learned_map is user space's alone: what is in name_map can be worked out from
 * it, and it outlives the agent as name_map does.
 */
#ifndef NAME_H
#define NAME_H

#include "clock.h"

#define MAX_NAMED 16384   /* addresses */
#define MAX_LEARNED 65536 /* pairs of address and name */
#define MAX_SERVERS 256
#define NAME_LENGTH 256

/* name_value is who an address is by its names. Each half of the generation
 * has its own numbers, so that a push renumbers all addresses at once; number 0
 * is nobody but the world. A connection that lives is judged by lingering,
 * which also holds the names that have run out since it began. */
struct name_value {
	__u64 expires; /* bpf_ktime_get_ns; from then on identity does not count */
	__u32 identity[2];
	__u32 lingering[2];
};

struct learned_key {
	struct ip_addr addr;
	__u8 name[NAME_LENGTH]; /* lower case, without the last dot, then zeros */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_NAMED);
	__type(key, struct ip_addr);
	__type(value, struct name_value);
} name_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_LEARNED);
	__type(key, struct learned_key);
	__type(value, __u64);
} learned_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_SERVERS);
	__type(key, struct ip_addr);
	__type(value, __u32);
} server_map SEC(".maps");

/* What packet.names says: whether lists ask for names, the generation's half,
 * and that the packet stands for a connection that lives. */
enum names { NAMES_ASKED = 1, NAMES_HALF = 2, NAMES_LINGERING = 4 };

static __always_inline __u8 names_of(const struct scratch *s)
{
	if (!(s->flags & HOOK_NAMES))
		return 0;
	return NAMES_ASKED | (s->generation & 1 ? NAMES_HALF : 0);
}

/* Gives the identity of an address of the world. */
static __always_inline __u32 identity_by_name(const struct packet *p, const struct ip_addr *addr)
{
	/* A copy, because Linux 6.1 takes no key out of a function's argument. */
	__u64 words[2] = {((const __u64 *)addr)[0], ((const __u64 *)addr)[1]};
	const struct name_value *v;
	__u32 half = p->names & NAMES_HALF ? 1 : 0, id;

	if (!(p->names & NAMES_ASKED))
		return IDENTITY_WORLD;
	v = bpf_map_lookup_elem(&name_map, words);
	if (!v)
		return IDENTITY_WORLD;
	if (p->names & NAMES_LINGERING)
		id = v->lingering[half];
	else
		id = clock_of_names() < v->expires ? v->identity[half] : 0;
	return id ? id : IDENTITY_WORLD;
}

#endif
