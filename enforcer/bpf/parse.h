/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/*
 * parse.h reads a packet into struct packet, whatever it is. All reads go through
 * bpf_skb_load_bytes, because headers may lie outside the linear area. Most
 * packets never come here: direct.h reads those that have nothing odd.
 *
 * A header that is cut off, contradicts itself or hides behind more extension
 * headers than MAX_EXTENSIONS makes the packet malformed. Nothing is guessed:
 * what the receiver might read differently from us must not pass.
 */
#ifndef PARSE_H
#define PARSE_H

#include "protocol.h"
#include "scratch.h"

/* RFC 8200 (4.1) knows six before the payload, one of them twice. */
#define MAX_EXTENSIONS 8
#define MAX_VLAN_TAGS 2

enum parsed { PARSED_IP, PARSED_NON_IP, PARSED_ARP, PARSED_MALFORMED };

struct ipv4_header {
	__u8 version_ihl;
	__u8 tos;
	__be16 total_length;
	__be16 id;
	__be16 fragment;
	__u8 ttl;
	__u8 protocol;
	__be16 checksum;
	__u8 saddr[4];
	__u8 daddr[4];
};

struct ipv6_header {
	__u8 version; /* and half the traffic class */
	__u8 label[3];
	__be16 payload_length;
	__u8 next;
	__u8 hop_limit;
	struct ip_addr saddr;
	struct ip_addr daddr;
};

static __always_inline __u8 traffic_class(const struct ipv6_header *ip)
{
	return ip->version << 4 | ip->label[0] >> 4;
}

struct fragment_header {
	__u8 next;
	__u8 reserved;
	__be16 offset; /* bits 0-12, in 8 bytes; bit 15 more fragments */
	__be32 id;
};

/* l4 is the start of any transport header: what the judges look at. */
struct l4_header {
	__be16 word[4];
};

static __always_inline void map_ipv4(struct ip_addr *to, const __u8 *from)
{
	__u64 *words = (__u64 *)to->bytes;

	/* In whole words: a word that is read soon after its bytes were written
	 * one by one has to wait for them. */
	words[0] = 0;
	words[1] = bpf_cpu_to_be64(0xffff00000000ULL | bpf_ntohl(*(const __be32 *)from));
}

static __always_inline bool is_mapped_ipv4(const struct ip_addr *a)
{
	const __be32 *word = (const __be32 *)a->bytes;

	return !word[0] && !word[1] && word[2] == bpf_htonl(0xffff);
}

/* Least bytes of a whole transport header. ICMP's is 8 in both families; the
 * kernel drops shorter ones as well, and IGMP (RFC 1112, 2236, 3376). */
static __always_inline __u32 l4_length(__u8 protocol)
{
	if (protocol == PROTOCOL_TCP)
		return 20;
	if (protocol == PROTOCOL_SCTP)
		return 12;
	return protocol == PROTOCOL_UDP || has_type(protocol) ? 8 : 0;
}

static __always_inline void read_icmp(struct packet *p, const struct l4_header *l4)
{
	p->icmp_type = bpf_ntohs(l4->word[0]) >> 8;
	p->icmp_code = bpf_ntohs(l4->word[0]) & 0xff;
	if (reply_type(p->protocol, p->icmp_type) >= 0 || query_type(p->protocol, p->icmp_type) >= 0)
		p->icmp_id = bpf_ntohs(l4->word[2]);
}

static __always_inline void read_l4(struct packet *p, const struct l4_header *l4)
{
	if (has_type(p->protocol)) {
		read_icmp(p, l4);
		return;
	}
	p->sport = bpf_ntohs(l4->word[0]);
	p->dport = bpf_ntohs(l4->word[1]);
}

/* Reads the eight bytes that even the packet inside an ICMP error has. */
static __always_inline int parse_l4_start(struct __sk_buff *skb, struct packet *p, __u32 offset, __u32 end)
{
	struct l4_header l4;

	if (!l4_length(p->protocol))
		return 0;
	if (offset + sizeof(l4) > end || bpf_skb_load_bytes(skb, offset, &l4, sizeof(l4)))
		return -1;
	read_l4(p, &l4);
	return 0;
}

/* Gives the length of the transport header, or -1 when it is not whole. */
static __always_inline int parse_l4(struct __sk_buff *skb, struct packet *p, __u32 offset, __u32 end)
{
	__u32 length = l4_length(p->protocol);
	__u8 tcp[2];

	if (offset + length > end || offset + length > skb->len || parse_l4_start(skb, p, offset, end))
		return -1;
	p->payload = offset + length;
	if (p->protocol != PROTOCOL_TCP)
		return length;
	if (bpf_skb_load_bytes(skb, offset + 12, tcp, sizeof(tcp)))
		return -1;
	p->tcp_flags = tcp[1];
	length = tcp[0] >> 4 << 2;
	return length < 20 || offset + length > end ? -1 : (int)length;
}

/* A later fragment that reaches into the TCP header could rewrite what was
 * judged in the first (RFC 1858, 3128). offset counts bytes. */
static __always_inline bool overlaps_header(const struct packet *p, __u32 offset)
{
	return p->fragment == FRAGMENT_LATER && p->protocol == PROTOCOL_TCP && offset < 20;
}

/* ipv4 gives the offset of the transport header, or -1. */
static __always_inline int parse_ipv4(struct __sk_buff *skb, struct packet *p, __u32 offset)
{
	struct ipv4_header ip;
	__u32 header, total, fragment;

	if (bpf_skb_load_bytes(skb, offset, &ip, sizeof(ip)))
		return -1;
	header = (ip.version_ihl & 15) * 4;
	total = bpf_ntohs(ip.total_length);
	if (!total && skb->gso_segs > 1) /* a GSO packet beyond 64 KiB */
		total = skb->len - offset;
	if (ip.version_ihl >> 4 != 4 || header < 20 || total < header || offset + total > skb->len)
		return -1;
	map_ipv4(&p->saddr, ip.saddr);
	map_ipv4(&p->daddr, ip.daddr);
	p->end = offset + total;
	p->protocol = p->fragment_protocol = ip.protocol;
	p->fragment_id = bpf_ntohs(ip.id);
	p->tos = ip.tos;
	p->hop_limit = ip.ttl;
	fragment = bpf_ntohs(ip.fragment);
	if (fragment & 0x1fff)
		p->fragment = FRAGMENT_LATER;
	else if (fragment & 0x2000)
		p->fragment = FRAGMENT_FIRST;
	return overlaps_header(p, (fragment & 0x1fff) * 8) ? -1 : (int)(offset + header);
}

static __always_inline bool is_extension(__u8 next)
{
	return next == PROTOCOL_HOP_BY_HOP || next == PROTOCOL_ROUTING || next == PROTOCOL_FRAGMENT ||
	       next == PROTOCOL_AH || next == PROTOCOL_DESTINATION_OPTIONS;
}

/* Reads a fragment header; 1 when the walk ends here, -1 when malformed. */
static __always_inline int parse_fragment(struct packet *p, const struct fragment_header *f)
{
	__u32 field = bpf_ntohs(f->offset);

	if (p->fragment_protocol)
		return -1; /* a fragment of a fragment */
	p->protocol = f->next;
	p->fragment_protocol = f->next;
	p->fragment_id = bpf_ntohl(f->id);
	if (field >> 3)
		p->fragment = FRAGMENT_LATER;
	else if (field & 1)
		p->fragment = FRAGMENT_FIRST;
	if (overlaps_header(p, field & ~7))
		return -1;
	return p->fragment == FRAGMENT_LATER;
}

/* Walks the extension headers to the transport header's offset, or -1. */
static __always_inline int parse_extensions(struct __sk_buff *skb, struct packet *p, __u32 offset)
{
	int i, done;

	for (i = 0; i < MAX_EXTENSIONS; i++) {
		struct fragment_header h;

		if (!is_extension(p->protocol))
			return offset;
		if (p->protocol == PROTOCOL_HOP_BY_HOP && i)
			return -1; /* RFC 8200 (4): the first one or none */
		if (offset + sizeof(h) > p->end || bpf_skb_load_bytes(skb, offset, &h, sizeof(h)))
			return -1;
		if (p->protocol == PROTOCOL_FRAGMENT) {
			offset += sizeof(h);
			done = parse_fragment(p, &h);
			if (done)
				return done < 0 ? -1 : (int)offset;
			continue;
		}
		offset += p->protocol == PROTOCOL_AH ? (h.reserved + 2) * 4 : (h.reserved + 1) * 8;
		p->protocol = h.next;
		if (offset > p->end)
			return -1;
	}
	return is_extension(p->protocol) ? -1 : (int)offset;
}

static __always_inline int parse_ipv6(struct __sk_buff *skb, struct packet *p, __u32 offset)
{
	struct ipv6_header ip;
	__u32 payload;
	int l4;

	if (bpf_skb_load_bytes(skb, offset, &ip, sizeof(ip)) || ip.version >> 4 != 6)
		return -1;
	payload = bpf_ntohs(ip.payload_length);
	if (!payload && skb->gso_segs > 1) /* a GSO packet beyond 64 KiB */
		payload = skb->len - offset - sizeof(ip);
	if (offset + sizeof(ip) + payload > skb->len)
		return -1;
	p->saddr = ip.saddr;
	p->daddr = ip.daddr;
	if (is_mapped_ipv4(&p->saddr) || is_mapped_ipv4(&p->daddr))
		return -1; /* never on a wire (RFC 4038), and it would look like IPv4 */
	p->end = offset + sizeof(ip) + payload;
	p->protocol = ip.next;
	p->tos = traffic_class(&ip);
	p->hop_limit = ip.hop_limit;
	l4 = parse_extensions(skb, p, offset + sizeof(ip));
	return l4;
}

/* Counts what the packet is on the wire: a GSO packet repeats its headers in
 * every segment, which is known for plain TCP and UDP. */
static __always_inline void measure(struct __sk_buff *skb, struct packet *p, __u32 offset, __u32 headers)
{
	p->segments = skb->gso_segs > 1 ? skb->gso_segs : 1;
	p->bytes = p->end - offset;
	if (has_ports(p->protocol))
		p->bytes += (p->segments - 1) * headers;
}

/* Neighbour discovery that a receiver would accept (RFC 4861, 7.1). */
static __always_inline bool is_neighbour(const struct packet *p)
{
	return p->family == FAMILY_IPV6 && p->hop_limit == 255 && !p->fragment && p->protocol == PROTOCOL_ICMPV6 &&
	       (p->icmp_type == NEIGHBOUR_SOLICITATION || p->icmp_type == NEIGHBOUR_ADVERTISEMENT);
}

static __always_inline int parse_ip(struct __sk_buff *skb, struct packet *p, __u32 offset, __u16 type)
{
	int l4, length = 0;

	p->family = type == ETHERTYPE_IPV4 ? FAMILY_IPV4 : FAMILY_IPV6;
	l4 = p->family == FAMILY_IPV4 ? parse_ipv4(skb, p, offset) : parse_ipv6(skb, p, offset);
	if (l4 < 0)
		return PARSED_MALFORMED;
	if (p->fragment != FRAGMENT_LATER) {
		length = parse_l4(skb, p, l4, p->end);
		if (length < 0)
			return PARSED_MALFORMED;
	}
	p->neighbour = is_neighbour(p);
	measure(skb, p, offset, l4 + length - offset);
	return PARSED_IP;
}

/* Gives the EtherType behind up to two VLAN tags, or 0, and moves *offset to
 * its payload. A tag that the card has taken off is not in the data. */
static __always_inline __u16 parse_ethernet(struct __sk_buff *skb, __u32 *offset)
{
	__be16 type;
	int i;

	*offset = 12;
	for (i = 0; i <= MAX_VLAN_TAGS; i++) {
		if (bpf_skb_load_bytes(skb, *offset, &type, sizeof(type)))
			return 0;
		*offset += 2;
		if (type != bpf_htons(ETHERTYPE_VLAN) && type != bpf_htons(ETHERTYPE_SERVICE_VLAN))
			return bpf_ntohs(type);
		*offset += 2;
	}
	return 0;
}

/* Reads the whole packet; enum parsed. The packet must be zero. A frame whose
 * type cannot be read has family 0, any other malformed one has its family. */
__noinline int parse(struct __sk_buff *skb, struct packet *p, __u32 ethernet)
{
	__u32 offset = 0;
	__u16 type;

	if (!p)
		return PARSED_MALFORMED;
	type = ethernet ? parse_ethernet(skb, &offset) : bpf_ntohs(skb->protocol);
	if (type == ETHERTYPE_IPV4 || type == ETHERTYPE_IPV6)
		return parse_ip(skb, p, offset, type);
	if (type == ETHERTYPE_ARP)
		return PARSED_ARP;
	return type ? PARSED_NON_IP : PARSED_MALFORMED;
}

/* Reads the packet inside an ICMP error: at least its addresses and the first
 * eight bytes behind its IP header. Its length fields speak of bytes that the
 * error does not carry. Returns 0, or -1 when there is none. */
static __always_inline int parse_inner_ipv4(struct __sk_buff *skb, struct packet *p, __u32 offset)
{
	struct ipv4_header ip;
	__u32 header;

	if (offset + sizeof(ip) > p->end || bpf_skb_load_bytes(skb, offset, &ip, sizeof(ip)))
		return -1;
	header = (ip.version_ihl & 15) * 4;
	if (ip.version_ihl >> 4 != 4 || header < 20 || offset + header > p->end)
		return -1;
	map_ipv4(&p->saddr, ip.saddr);
	map_ipv4(&p->daddr, ip.daddr);
	p->protocol = ip.protocol;
	if (bpf_ntohs(ip.fragment) & 0x1fff)
		return -1;
	return offset + header;
}

static __always_inline int parse_inner_ipv6(struct __sk_buff *skb, struct packet *p, __u32 offset)
{
	struct ipv6_header ip;
	int l4;

	if (offset + sizeof(ip) > p->end || bpf_skb_load_bytes(skb, offset, &ip, sizeof(ip)) || ip.version >> 4 != 6)
		return -1;
	p->saddr = ip.saddr;
	p->daddr = ip.daddr;
	p->protocol = ip.next;
	l4 = parse_extensions(skb, p, offset + sizeof(ip));
	return p->fragment == FRAGMENT_LATER ? -1 : l4;
}

__noinline int parse_inner(struct __sk_buff *skb, const struct packet *outer, struct packet *p)
{
	int l4;

	if (!outer || !p)
		return -1;
	p->family = outer->family;
	p->end = outer->end;
	if (p->family == FAMILY_IPV4)
		l4 = parse_inner_ipv4(skb, p, outer->payload);
	else
		l4 = parse_inner_ipv6(skb, p, outer->payload);
	if (l4 < 0)
		return -1;
	return parse_l4_start(skb, p, l4, p->end);
}

#endif
