/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/*
 * direct.h reads the packets that have nothing odd straight from the linear
 * area, without a helper call: Ethernet with up to two VLAN tags, IPv4 without
 * options or IPv6 without extension headers, one whole datagram, and a
 * transport header that the judges look into. It gives up on all others, on
 * malformed ones and on those that lie outside the linear area, and leaves
 * them to parse.h; both fill in the same. Nothing is pulled into the linear
 * area: bpf_skb_pull_data would copy what other holders of the packet share.
 */
#ifndef DIRECT_H
#define DIRECT_H

#include "parse.h"

/* User space sets it before it loads, to test parse.h alone. */
const volatile bool careful;

/* Reads the transport header. room is the bytes behind the IP header. */
static __always_inline bool direct_l4(struct __sk_buff *skb, struct packet *p, const void *l4, const void *end,
				      __u32 offset, __u32 room)
{
	__u32 least = l4_length(p->protocol), length = least;

	if (!least || least > room || l4 + sizeof(struct l4_header) > end)
		return false;
	read_l4(p, l4);
	if (p->protocol == PROTOCOL_TCP) {
		const __u8 *tcp = l4;

		if (l4 + 20 > end)
			return false;
		length = tcp[12] >> 4 << 2;
		p->tcp_flags = tcp[13];
	}
	if (length < least || length > room)
		return false;
	p->payload = offset + least;
	p->end = offset + room;
	p->segments = 1;
	p->bytes = length; /* of headers, so far */
	return true;
}

/* Adds up what the packet is on the wire, as measure does. */
static __always_inline void direct_measure(struct __sk_buff *skb, struct packet *p, __u32 header, __u32 total)
{
	__u32 segments = skb->gso_segs, headers = header + p->bytes;

	p->bytes = total;
	if (segments <= 1)
		return;
	p->segments = segments;
	if (has_ports(p->protocol))
		p->bytes += (segments - 1) * headers;
}

static __always_inline bool direct_ipv4(struct __sk_buff *skb, struct packet *p, const void *data, const void *end,
					__u32 offset)
{
	const struct ipv4_header *ip = data;
	__u32 total;

	if ((void *)(ip + 1) > end || ip->version_ihl != 0x45 || ip->fragment & bpf_htons(0x3fff))
		return false;
	total = bpf_ntohs(ip->total_length);
	if (total < sizeof(*ip) || offset + total > skb->len)
		return false;
	p->family = FAMILY_IPV4;
	p->protocol = p->fragment_protocol = ip->protocol;
	if (!direct_l4(skb, p, ip + 1, end, offset + sizeof(*ip), total - sizeof(*ip)))
		return false;
	map_ipv4(&p->saddr, ip->saddr);
	map_ipv4(&p->daddr, ip->daddr);
	p->fragment_id = bpf_ntohs(ip->id);
	p->tos = ip->tos;
	p->hop_limit = ip->ttl;
	direct_measure(skb, p, sizeof(*ip), total);
	return true;
}

static __always_inline bool direct_ipv6(struct __sk_buff *skb, struct packet *p, const void *data, const void *end,
					__u32 offset)
{
	const struct ipv6_header *ip = data;
	__u32 payload;

	if ((void *)(ip + 1) > end || ip->version >> 4 != 6)
		return false;
	payload = bpf_ntohs(ip->payload_length);
	if (offset + sizeof(*ip) + payload > skb->len)
		return false;
	p->family = FAMILY_IPV6;
	p->protocol = ip->next;
	if (!direct_l4(skb, p, ip + 1, end, offset + sizeof(*ip), payload))
		return false;
	p->saddr = ip->saddr;
	p->daddr = ip->daddr;
	if (is_mapped_ipv4(&p->saddr) || is_mapped_ipv4(&p->daddr))
		return false;
	p->tos = traffic_class(ip);
	p->hop_limit = ip->hop_limit;
	p->neighbour = is_neighbour(p);
	direct_measure(skb, p, sizeof(*ip), sizeof(*ip) + payload);
	return true;
}

static __always_inline bool is_tag(__be16 type)
{
	return type == bpf_htons(ETHERTYPE_VLAN) || type == bpf_htons(ETHERTYPE_SERVICE_VLAN);
}

/* Reads a packet that has nothing odd, or returns false and leaves it unclear
 * what the packet holds. The packet must be zero. */
static __always_inline bool parse_direct(struct __sk_buff *skb, struct packet *p, bool ethernet)
{
	const void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__be16 type = skb->protocol;
	__u32 offset = 0;
	int i;

	if (ethernet) {
		offset = 14;
		if (data + 14 > end)
			return false;
		type = *(const __be16 *)(data + 12);
#pragma unroll
		for (i = 0; i < MAX_VLAN_TAGS; i++) {
			if (!is_tag(type))
				break;
			offset += 4;
			if (data + offset > end)
				return false;
			type = *(const __be16 *)(data + offset - 2);
		}
	}
	if (type == bpf_htons(ETHERTYPE_IPV4))
		return direct_ipv4(skb, p, data + offset, end, offset);
	if (type == bpf_htons(ETHERTYPE_IPV6))
		return direct_ipv6(skb, p, data + offset, end, offset);
	return false;
}

/* Reads any packet; enum parsed, as parse does. */
static __always_inline int read_packet(struct __sk_buff *skb, struct packet *p, __u32 ethernet)
{
	__builtin_memset(p, 0, sizeof(*p));
	if (!careful && parse_direct(skb, p, ethernet))
		return PARSED_IP;
	__builtin_memset(p, 0, sizeof(*p));
	return parse(skb, p, ethernet);
}

/* The same where the stack is short: the stacks of nested functions add up to
 * the verifier's 512 bytes. */
__noinline int read_apart(struct __sk_buff *skb, struct packet *p, __u32 ethernet)
{
	return p ? read_packet(skb, p, ethernet) : PARSED_MALFORMED;
}

#endif
