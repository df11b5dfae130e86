/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/* protocol.h holds the numbers of the protocols that the programs look into
 * (IANA) and what each has; policy/service.go says the same. */
#ifndef PROTOCOL_H
#define PROTOCOL_H

enum {
	ETHERTYPE_IPV4 = 0x0800,
	ETHERTYPE_ARP = 0x0806,
	ETHERTYPE_VLAN = 0x8100,
	ETHERTYPE_IPV6 = 0x86dd,
	ETHERTYPE_SERVICE_VLAN = 0x88a8,

	PROTOCOL_HOP_BY_HOP = 0,
	PROTOCOL_ICMP = 1,
	PROTOCOL_IGMP = 2,
	PROTOCOL_TCP = 6,
	PROTOCOL_UDP = 17,
	PROTOCOL_ROUTING = 43,
	PROTOCOL_FRAGMENT = 44,
	PROTOCOL_AH = 51,
	PROTOCOL_ICMPV6 = 58,
	PROTOCOL_DESTINATION_OPTIONS = 60,
	PROTOCOL_SCTP = 132,

	TCP_FIN = 1,
	TCP_SYN = 2,
	TCP_RST = 4,
	TCP_ACK = 16,

	NEIGHBOUR_SOLICITATION = 135,
	NEIGHBOUR_ADVERTISEMENT = 136,
};

static __always_inline bool has_ports(__u8 protocol)
{
	return protocol == PROTOCOL_TCP || protocol == PROTOCOL_UDP || protocol == PROTOCOL_SCTP;
}

static __always_inline bool is_icmp(__u8 protocol)
{
	return protocol == PROTOCOL_ICMP || protocol == PROTOCOL_ICMPV6;
}

/* Whether the header begins with a type and a second byte that lines look at. */
static __always_inline bool has_type(__u8 protocol)
{
	return is_icmp(protocol) || protocol == PROTOCOL_IGMP;
}

/* The type that answers an ICMP query, or -1 (RFC 792, 950, 4443). */
static __always_inline int reply_type(__u8 protocol, __u8 query)
{
	if (protocol == PROTOCOL_ICMP && query == 8)
		return 0;
	if (protocol == PROTOCOL_ICMP && (query == 13 || query == 15 || query == 17))
		return query + 1;
	if (protocol == PROTOCOL_ICMPV6 && query == 128)
		return 129;
	return -1;
}

/* The query that an ICMP type answers, or -1. */
static __always_inline int query_type(__u8 protocol, __u8 reply)
{
	if (protocol == PROTOCOL_ICMP && reply == 0)
		return 8;
	if (protocol == PROTOCOL_ICMP && (reply == 14 || reply == 16 || reply == 18))
		return reply - 1;
	if (protocol == PROTOCOL_ICMPV6 && reply == 129)
		return 128;
	return -1;
}

/* Whether an ICMP message complains about another packet. A redirect does not. */
static __always_inline bool is_error(__u8 protocol, __u8 type)
{
	if (protocol == PROTOCOL_ICMP)
		return type == 3 || type == 4 || type == 11 || type == 12;
	return protocol == PROTOCOL_ICMPV6 && type >= 1 && type <= 4;
}

#endif
