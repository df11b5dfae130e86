/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/* scratch.h defines what the programs pass between their own functions. */
#ifndef SCRATCH_H
#define SCRATCH_H

#include "aclium.h"

/* Which part of a datagram a packet is, with policy.Fragment's values. */
enum fragment_part { FRAGMENT_WHOLE, FRAGMENT_FIRST, FRAGMENT_LATER };

/* packet is what the judges look at. Fields that the protocol does not carry
 * are zero. Identities are looked up when somebody asks (identify). */
struct packet {
	struct ip_addr saddr;
	struct ip_addr daddr;
	__u64 windows[4]; /* bit n: time window n is open; if timed */
	__u64 reflected;  /* bit n: an entry of reflexive list n fits */
	__u32 source_identity;
	__u32 destination_identity;
	__u32 owner; /* host device of the pod that has the source address */
	__u32 identified;
	__u32 fragment_id;
	__u32 segments; /* packets on the wire */
	__u32 bytes;    /* of their IP packets */
	__u32 payload;  /* offset behind the transport header, without TCP's options */
	__u32 end;      /* offset behind the IP packet */
	__u16 sport;
	__u16 dport;
	__u16 icmp_id; /* queries and replies only */
	__u8 icmp_type;
	__u8 icmp_code;
	__u8 tcp_flags;
	__u8 protocol;
	__u8 fragment_protocol; /* next header that all fragments share */
	__u8 family;
	__u8 fragment;  /* enum fragment_part */
	__u8 neighbour; /* a valid neighbour solicitation or advertisement */
	__u8 local;     /* sent by the node itself */
	__u8 tos;       /* IPv4 TOS or IPv6 traffic class, the whole byte */
	__u8 hop_limit; /* or TTL */
	__u8 timed;     /* the hour is known, and with it the windows */
	__u8 names;     /* enum names (name.h) */
	__u8 behind;    /* a backend gets it from a service */
};

/* judgement is what the lists in series say: the line of each, up to the one
 * that denies. */
struct judgement {
	__u32 accept;
	__u32 count;
	__u32 lines[MAX_SERIES];
	__u32 logged;  /* bit i: lines[i] writes an event */
	__u32 reflexive; /* bit i: lines[i] has a reflex */
	__u32 fault;   /* a table is missing */
	__u32 flags;   /* of the lines' records, together */
	__u32 reason;  /* enum drop_reason that is counted beside the lines, or 0 */
	__u16 police[MAX_SERIES]; /* policers of the lines */
};

/* named is, for each table of a hook, the rule that decides a packet to a
 * service as it is, if it means the service. */
struct named {
	struct named_rule {
		__u32 rule; /* ~0: none */
		__u32 counter;
		__u32 action;
		__u32 flags;
		__u32 policer;
	} rules[MAX_SERIES];
};

/* reflex is what a line says about reflexive lists, by their numbers: 0 for
 * none. timeout is in milliseconds. */
struct reflex {
	__u8 evaluate;
	__u8 reflect;
	__u16 pad;
	__u32 timeout;
};

/* reflexes are those of a judgement's lines; the others hold anything. */
struct reflexes {
	struct reflex lines[MAX_SERIES];
};

#define PORTS 128 /* hooks that a CPU knows by heart */

/* port is a copy of a hook, for one generation, so that packets need not look
 * it up. */
struct port {
	__u64 generation;
	__u32 ifindex;
	__u32 point;
	struct hook hook; /* its flags are NO_HOOK where nothing is filtered */
	__u32 doubt;      /* in remembered verdicts (flow.h) */
	__u32 skipped;    /* packets that met it, while there was too much */
};

/* hour is the epoch that runs on this CPU. */
struct hour {
	__u64 generation;
	__u64 read;  /* scratch.now at which the clock was read */
	__u64 from;  /* CLOCK_TAI: the epoch lasts from here */
	__u64 until; /* to here, exclusive */
	__u64 windows[4];
	__u32 epoch; /* from 1 on; EPOCHS + 1 when the hour is not known */
	__u32 known;
};

#define NO_HOOK (1U << 31) /* beside enum hook_flags */

#define FLOWS 4096   /* verdicts that one CPU remembers */
#define FLOW_WAYS 4  /* places that a flow may lie in */
#define FLOW_LINES 2 /* lines that a flow counts on at most */

/* flow is a remembered verdict of a stateless hook (flow.h), one cache line. */
struct flow {
	__u64 key[6];
	__u64 verdict; /* era << 1 | permitted */
	__u32 lines[FLOW_LINES];
};

struct flow_tags {
	__u32 tags[FLOWS];
	__u32 next;
	__u32 pad;
};

/* scratch is one CPU's working memory; the stack is too small for two packets.
 * Programs run with bottom halves off, so that none interrupts another. */
struct scratch {
	__u64 now;
	__u64 tick;  /* at which the coarse clock was asked */
	__u64 asked; /* how often */
	__u64 clock; /* what it said */
	__u64 generation;
	__u64 era; /* generation and epoch: what judgements hold for */
	__u32 ifindex;
	__u32 direction;
	__u32 flags;    /* of the hook */
	__u32 families; /* of the hook */
	struct packet packet;
	struct packet other; /* a connection's first packet, or an ICMP error's cause */
	struct judgement judgement;
	struct judgement again;
	struct packet behind; /* a packet to a service, as its backend gets it */
	struct judgement one; /* of it */
	struct named named;
	struct conn_key key;
	struct conn conn;
	struct flow flow; /* the packet's, without a verdict */
	__u32 point;      /* enum attach_point */
	__u32 policed;    /* not 0: judgement.police limits the packet */
	__u32 pad;
	struct port ports[PORTS];
	struct hour hour;
};

#endif
