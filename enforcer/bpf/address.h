/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/*
 * address.h finds out who an address is. Single addresses lie in a hash; only
 * where that has none is the trie of prefixes asked, whose lookup takes ten
 * times as long, and only while it holds something.
 */
#ifndef ADDRESS_H
#define ADDRESS_H

#include "maps.h"
#include "name.h"

/* What of a packet has been looked up: bits of packet.identified. */
enum { IDENTIFIED_SOURCE = 1, IDENTIFIED_DESTINATION = 2 };

static __always_inline struct ipcache_value *look_up_address(const struct ip_addr *a)
{
	/* A copy, because Linux 6.1 takes no key out of a function's argument. */
	__u64 words[2] = {((const __u64 *)a)[0], ((const __u64 *)a)[1]};
	struct ipcache_value *v = bpf_map_lookup_elem(&address_map, words);
	struct ipcache_key key = {.prefixlen = 128};
	struct settings *settings;
	__u32 zero = 0;

	if (v)
		return v;
	settings = bpf_map_lookup_elem(&settings_map, &zero);
	if (settings && settings->no_prefixes)
		return 0;
	__builtin_memcpy(&key.addr, words, sizeof(words));
	return bpf_map_lookup_elem(&ipcache_map, &key);
}

static __always_inline void identify_one(struct packet *p, __u32 which)
{
	const struct ip_addr *addr = which == IDENTIFIED_SOURCE ? &p->saddr : &p->daddr;
	const struct ipcache_value *v;
	__u32 id;

	if (p->identified & which)
		return;
	p->identified |= which;
	v = look_up_address(addr);
	id = v ? v->identity : identity_by_name(p, addr);
	if (which == IDENTIFIED_DESTINATION) {
		p->destination_identity = id;
		return;
	}
	p->source_identity = id;
	p->owner = v ? v->ifindex : 0;
}

/* Fills in the identity and the owner of the source, once. */
__noinline int identify_source(struct packet *p)
{
	if (p)
		identify_one(p, IDENTIFIED_SOURCE);
	return 0;
}

/* Fills in the identities of both ends and the source's owner, once. It does
 * not call the other, because the verifier allows eight frames. */
__noinline int identify(struct packet *p)
{
	if (!p)
		return 0;
	identify_one(p, IDENTIFIED_SOURCE);
	identify_one(p, IDENTIFIED_DESTINATION);
	return 0;
}

#endif
