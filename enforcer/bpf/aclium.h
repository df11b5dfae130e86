/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/*
 * aclium.h defines every map key and value that the programs share with user
 * space. Go gets them through bpf2go; nothing mirrors them by hand.
 *
 *   map             kind               key            value
 *   generation_map  array, 1           0              generation (u64)
 *   hook_map        hash               hook_key       hook
 *   table_*_map     array of maps      slot           array, 1 -> blob (table.h)
 *   table_slots_map array              table_class    table_slots (slots.h)
 *   address_map     hash               ip_addr        ipcache_value, of one address
 *   ipcache_map     LPM trie           ipcache_key    ipcache_value, of a prefix
 *   settings_map    array, 1           0              settings
 *   service_map     hash               service_key    service
 *   backend_map     hash               backend_key    backend
 *   window_map      array, 2           generation & 1 timetable
 *   reflexive_map   array, 2           generation & 1 reflexive_lists
 *   entry_map       LRU hash           entry_key      entry, of a reflexive list
 *   conn_map        LRU hash           conn_key       conn
 *   fragment_map    LRU hash           fragment_key   fragment
 *   counter_map     array of maps      id / 2048      array, one for each CPU and two more -> counter_chunk
 *   drop_map        per-CPU array      drop_reason    counter
 *   policer_map     hash               number         policer
 *   event_map       ring buffer        -              event
 *   event_budget_map per-CPU array, 1  0              event_budget
 *   log_map         hash               log_key        log_flow
 *   log_options_map array, 1           0              log_options
 *   log_loss_map    array, 1           0              log_loss
 *   name_map and others: name.h; dns_map and others: dns.h
 *   scratch_map     per-CPU array, 1   0              scratch (scratch.h), programs only
 *   reflex_map      per-CPU array, 1   0              reflexes (reflect.h), programs only
 *   flow_map        per-CPU array      place          flow (scratch.h), programs only
 *   flow_tag_map    per-CPU array, 1   0              flow_tags (scratch.h), programs only
 *
 * Addresses are 16 bytes in network order; IPv4 stands as ::ffff:a.b.c.d, so
 * that both families take the same path. Ports and all other numbers are in
 * host order. The generation's lowest bit says which half of hook_map is
 * live: user space fills the other half and then flips the cell.
 */
#ifndef ACLIUM_H
#define ACLIUM_H

#define MAX_SERIES 8 /* lists in series on one hook */
#define OWN_ADDRESSES 2 /* of a pod that its hook knows by heart */

/* Directions and families, with policy.Direction's and policy.Family's values. */
enum direction { DIRECTION_INGRESS = 1, DIRECTION_EGRESS = 2 };
enum family { FAMILY_IPV4 = 1, FAMILY_IPV6 = 2 };

/* Where a program runs on a device. */
enum attach_point { ATTACH_TC_INGRESS = 1, ATTACH_TC_EGRESS = 2 };

struct ip_addr {
	__u8 bytes[16];
};

/* hook_key finds the lists of one place for a program. The hook's HOOK_POD
 * says which way its packets travel, seen from the subject: a pod's ingress is
 * its host device's tc egress. */
struct hook_key {
	__u32 ifindex;
	__u8 point; /* enum attach_point */
	__u8 half;      /* generation & 1 */
	__u16 pad;
};

enum hook_flags {
	HOOK_POD = 1,            /* a pod's port: stateful, spoof check, non-IP denied */
	HOOK_ALLOW_SPOOFED = 2,  /* no spoof check */
	HOOK_NO_HOST_PERMIT = 4, /* the node is judged like anybody else */
	HOOK_NO_ETHERNET = 8,    /* packets start with their IP header (tun, WireGuard) */
	HOOK_NO_CACHE = 16,      /* verdicts depend on more than the packet */
	HOOK_ANY_TRAFFIC_CLASS = 32, /* no list looks at it */
	HOOK_ANY_HOP_LIMIT = 64,
	HOOK_AUDIT = 128,        /* all is judged and counted, nothing is dropped */
	HOOK_TIMED = 256,        /* some line exists in a time window only */
	HOOK_NAMES = 1 << 12,    /* a list of this port names an FQDN (name.h, dns.h) */
};

/* hook lists the tables that a packet passes in series. families is the set of
 * families filtered on this port in either direction. own are addresses of the
 * pod, which are not looked up; zero where there is none. evaluates has a bit
 * for each reflexive list that the tables ask, by its number. */
struct hook {
	__u32 flags;
	__u32 families;
	__u32 count; /* tables in use */
	__u32 services; /* number of the set of services, 0 for none */
	__u64 evaluates;
	struct ip_addr own[OWN_ADDRESSES];
	struct table_ref {
		__u32 class;    /* size class: which table map */
		__u32 slot;
		__u32 families; /* families that the list governs */
		__u32 implicit; /* counter id of the implicit last line */
	} tables[MAX_SERIES];
};

struct ipcache_key {
	__u32 prefixlen; /* 0-128; IPv4 prefixes are 96 longer */
	struct ip_addr addr;
};

/* Identities below 256 are reserved, with Cilium's numbers. */
enum identity { IDENTITY_HOST = 1, IDENTITY_WORLD = 2, IDENTITY_REMOTE_NODE = 6, IDENTITY_KUBE_APISERVER = 7 };

/* ipcache_value: ifindex is the local pod's host device, 0 for all others. */
struct ipcache_value {
	__u32 identity;
	__u32 ifindex;
};

/* service_key is a port of a service's address. Sets of services are written
 * whole while no hook names them. */
struct service_key {
	struct ip_addr addr;
	__u16 port;
	__u8 protocol;
	__u8 set;
};

#define MAX_BACKENDS 256 /* of a service's port */

/* service: its backends have the numbers from first on. */
struct service {
	__u32 first;
	__u32 count;
};

struct backend_key {
	__u32 number;
	__u32 set;
};

struct backend {
	struct ip_addr addr;
	__u16 port;
	__u16 pad;
};

/* settings are true of everything that is in force. no_prefixes says that
 * ipcache_map is empty and need not be asked. */
struct settings {
	__u32 no_prefixes;
	__u32 pad;
};

/* timetable says which time windows are open when. Its epochs are sorted; each
 * lasts until the next begins, the last one until end. Before the first and
 * from end on nothing is known. Times are nanoseconds of CLOCK_TAI, which
 * follows the wall clock but for leap seconds: user space writes the timetable
 * anew when TAI's lead over UTC changes, and before it ends. */
#define EPOCHS 1024

struct epoch {
	__u64 start;
	__u64 windows[4]; /* bit n: window n is open; 0 is no window */
};

struct timetable {
	__u64 end;
	__u32 count; /* epochs in use */
	__u32 pad;
	struct epoch epochs[EPOCHS];
};

/* reflexive_lists says which lists the numbers in tables mean: the first eight
 * bytes of a SHA-256 over the name; 0 where there is none. Number 0 is no list. */
enum reflexive_const {
	REFLEXIVE_LISTS = 64,
	EVALUATED_LISTS = 8, /* that one hook asks, at most */
};

struct reflexive_lists {
	__u64 names[REFLEXIVE_LISTS];
};

/* entry_key is an entry of a reflexive list, by the packets that it permits:
 * dport is the type of protocols that have types. A list stands under its name,
 * since entries outlive the numbers. */
struct entry_key {
	__u64 list;
	struct ip_addr saddr;
	struct ip_addr daddr;
	__u16 sport;
	__u16 dport;
	__u8 protocol;
	__u8 pad[3];
};

/* Which ends of a TCP session have sent a FIN: the one that made the entry, and
 * the other. */
enum entry_end { ENTRY_INSIDE = 1, ENTRY_OUTSIDE = 2, ENTRY_BOTH = 3 };

struct entry {
	__u64 expires; /* bpf_ktime_get_coarse_ns from which on it is none */
	__u64 timeout; /* ns */
	__u64 packets; /* that it has permitted */
	__u32 finished; /* enum entry_end */
	__u32 pad;
};

/* conn_key is a connection as its first packet travelled on one port. An ICMP
 * query has its identifier as sport and its type as dport; a reply has the
 * type that it answers as sport, its identifier as dport, and is marked, so that
 * an identifier cannot pass for a type. */
struct conn_key {
	__u32 ifindex;
	__u8 direction;
	__u8 protocol;
	__u8 icmp_code;
	__u8 answer; /* 1: an ICMP reply; of what is in the map always 0 */
	struct ip_addr saddr;
	struct ip_addr daddr;
	__u16 sport;
	__u16 dport;
};

enum conn_flags {
	CONN_REPLIED = 1,
	CONN_CLOSING = 2,
	CONN_LOCAL = 4,
	CONN_POLICED = 8, /* some of police is not 0 */
};

struct conn {
	__u64 seen;       /* bpf_ktime_get_coarse_ns of the last packet, in steps of a second */
	__u64 generation; /* scratch.era that the lines were found under */
	__u32 flags;      /* enum conn_flags */
	__u16 count;      /* lines in use */
	__u8 logged;      /* bit i: lines[i] has "log" */
	__u8 icmp_code;   /* this and what follows: of the packet that opened it */
	__u8 icmp_type;
	__u8 tos;
	__u8 hop_limit;
	__u8 pad;
	__u32 lines[MAX_SERIES]; /* counter ids; 0 is "not counted" */
	__u16 police[MAX_SERIES]; /* policers of the lines; 0 is none */
};

struct fragment_key {
	__u32 ifindex;
	__u8 direction;
	__u8 protocol;
	__u16 pad;
	__u32 id;
	struct ip_addr saddr;
	struct ip_addr daddr;
};

struct fragment {
	__u64 seen;
	__u64 generation;
	__u32 count;
	__u32 policed; /* not 0: some of police is not 0 */
	__u32 lines[MAX_SERIES];
	__u16 police[MAX_SERIES];
};

/* counter: packets as they are on the wire (segments of a GSO packet count
 * each), bytes of their IP packets, and the bpf_ktime_get_coarse_ns of the last one.
 * Counter id 0 is never shown. */
struct counter {
	__u64 packets;
	__u64 bytes;
	__u64 last_hit;
};

/* policer is the token bucket of a class, policy.Policer's to the bit: a level
 * is in billionths of a bit, so that a nanosecond gains rate. */
struct policer {
	struct bpf_spin_lock lock; /* over level and what stands behind it */
	__u32 pad;
	__u64 rate; /* bits per second */
	__u64 full; /* the level at which the bucket is full */
	__u64 fill; /* full / rate, rounded down: ns */
	__u8 name[16]; /* the first half of a SHA-256 over the class's name */
	__u64 level;
	__u64 last; /* bpf_ktime_get_ns of the last packet */
	__u64 conformed_packets; /* as counter counts them */
	__u64 conformed_bytes;
	__u64 exceeded_packets;
	__u64 exceeded_bytes;
};

/* counter_chunk holds the counters of COUNTER_CHUNK neighbouring ids, or what
 * user space notes about each of them. An inner map of counter_map has one for
 * each possible CPU; behind them one of baselines (what the counter said when
 * it was cleared) and one of counter_names. User space reads and writes all of
 * it through mmap; programs write the counters of their own CPU. */
enum counter_const { COUNTER_CHUNK = 2048, COUNTER_CHUNKS = 1024 };

struct counter_chunk {
	struct counter counters[COUNTER_CHUNK];
};

/* counter_name says whose an id is: the first half of a SHA-256 over what
 * identifies a line, and zeros while it is nobody's. */
struct counter_name {
	__u8 bytes[16];
	__u64 taken; /* 1 while the name is whole */
};

/* Why a packet was dropped without a line. */
enum drop_reason {
	DROP_MALFORMED = 1, /* no whole IP or transport header */
	DROP_SPOOFED,       /* source is not the pod's own */
	DROP_FRAGMENT,      /* later fragment without its first */
	DROP_NON_IP,        /* neither IP nor ARP on a filtered pod port */
	DROP_FAULT,         /* a table that should be there is not */
	DROP_AUDIT,         /* not dropped: audit mode let it pass */
	DROP_MIXED,         /* to a service with some backends that may be reached and some not */
	DROP_NO_BACKEND,    /* to a service without a ready backend */
	DROP_POLICE,        /* beyond the rate of its class */
	DROP_REASONS,
	/* Elements of drop_map: a reason that is added must not give the map
	 * another layout, which would begin all of them at zero. */
	DROP_ROOM = 32,
};

/* event_budget limits the events that one CPU's packets write in a window of
 * time. What it holds back is not lost: it is in log_map and told later. */
#define EVENTS_PER_SECOND 1000

struct event_budget {
	__u64 since; /* bpf_ktime_get_coarse_ns at which the window began */
	__u64 used;
};

/* log_key is a flow on a line with "log": what one message speaks of. */
struct log_key {
	__u32 line; /* counter id */
	__u32 ifindex;
	struct ip_addr saddr;
	struct ip_addr daddr;
	__u16 sport;
	__u16 dport;
	__u8 protocol;
	__u8 family;
	__u8 direction;
	__u8 permitted; /* 1 permitted, 0 denied */
	__u8 icmp_type; /* of ICMP, ICMPv6 and IGMP */
	__u8 icmp_code;
	__u8 audit; /* 1: what was denied passed all the same */
	__u8 pad;
};

/* LOG_DEAD in log_flow.packets marks a flow that is about to be deleted. */
#define LOG_DEAD (1ULL << 63)

struct log_flow {
	__u64 packets; /* that no message has told yet; only changed atomically */
	__u64 since;   /* bpf_ktime_get_coarse_ns of the last message, or of the first packet */
	__u64 seen;    /* bpf_ktime_get_coarse_ns of the last packet */
	__u64 told;    /* 1 after the first message */
};

/* log_options are the agent's wishes; zero is the default of each. */
struct log_options {
	__u64 interval;  /* ns between two messages about a flow: LOG_INTERVAL */
	__u64 threshold; /* packets after which a message does not wait that long */
	__u64 spacing;   /* ns between two messages that packets write on one CPU */
};

#define LOG_INTERVAL (300 * 1000000000ULL)

/* log_loss counts packets of lines with "log" that no message ever tells. */
struct log_loss {
	__u64 missed; /* since the map was made; only changed atomically */
	__u64 told;   /* how many of them an event has reported */
	__u64 since;  /* bpf_ktime_get_coarse_ns of that event */
};

/* log_sweep is what the agent asks sweep_log for, and its answer. */
struct log_sweep {
	__u32 pressure; /* not 0: make room, tell and forget flows early */
	__u32 most;     /* events to write at most */
	__u32 flows;    /* flows that are left */
	__u32 written;  /* events */
};

enum event_kind {
	EVENT_FIRST = 1, /* the first message about a flow */
	EVENT_TOTAL,     /* packets since the last message about it */
	EVENT_MISSED,    /* packets that no message tells; only packets is set */
};

/* event is a message about packets that a line with "log" decided. */
struct event {
	__u64 time; /* bpf_ktime_get_coarse_ns of the last of the packets */
	__u64 packets;
	struct log_key flow;
	__u32 kind; /* enum event_kind */
};

#endif
