/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/*
 * table.h is the form of a compiled list; enforcer/classifier says how it is
 * built and why it is exact. All numbers are in the host's byte order, all
 * offsets count bytes from the start of the table.
 *
 *   header | rules | kinds, residues, sets | more of rules | sets of kinds | shapes | indexes | lists and nodes | slots, presence
 *
 * A direct table governs IPv4 alone and asks for no identities. It has no
 * indexes: an address is its own rank, and all shapes of the packet's protocol
 * are looked up, which stand in a row for that. What few keys have is most often
 * not there: presence says so in a sixteenth of the memory that slots take. It
 * has the bits of each slot, one of which every key of the slot sets.
 *
 * An index finds the rank of a key: the number of the last start that is not
 * above it. Its nodes divide a span of keys into cells of equal width:
 *
 *   node   u64 base, u32 shift, u32 last, u32 cells[last + 1]
 *   cell   INDEX_NODE | offset of a node / 8, or
 *          count << 28 | rank: the rank at the cell's first key, and how many
 *          more starts lie in the cell (7 at most)
 *
 * Nodes lie so that few of the processor's cache lines hold what one key needs.
 *
 * A ref is what a slot, and the child of a node, refers to; its lowest two
 * bits are an enum ref_kind:
 *
 *   REF_RULE  number of the rule << 2
 *   REF_LIST  offset of u32 count, u32 width, u32 numbers[count]: of rules, in
 *             order, the last with LIST_LAST; width is that of a table_set
 *   REF_NODE  offset of a table_node
 */
#ifndef TABLE_H
#define TABLE_H

#include "aclium.h"

enum table_const {
	TABLE_VERSION = 11,
	TABLE_SUBRULES = 262144, /* rules of one table */
	TABLE_SHAPES = 64,
	TABLE_WORDS = 6,      /* of a key: enum key_word */
	TABLE_VALUES = 8,     /* that a node may ask: enum node_value */
	TABLE_IDENTITIES = 1, /* header flag: some line looks at identities */
	TABLE_SHORT = 2,      /* header flag: shape n is rule n and no more */
	TABLE_DIRECT = 4,     /* header flag: the table is a direct one */
	TABLE_PLAIN = 8,      /* header flag: IPv4 alone, no identities; each direct table is plain */
	DIRECT_SHAPES = 16, /* of a direct table, at most */
	LOOKUPS_COUNT_SHIFT = 32, /* in what a direct table says of a protocol */
	RECORD_LOG = 1,       /* record flag: write an event */
	RECORD_TIMED = 2,     /* record flag: exists in a time window only */
	RECORD_ADDRESSES = 4,     /* record flag: may mean a service by its address */
	RECORD_POLICE = 8,    /* record flag: has a policer */
	RECORD_REFLEX = 16,   /* record flag: evaluates a reflexive list, or reflects into one */
	RECORD_MORE = 32,     /* record flag: the rule's table_more says more */
	RULE_FLAGS_SHIFT = 2, /* in table_rule.what */
	RULE_KIND_SHIFT = 8,
	KIND_OTHER = 63,      /* all kinds from here on, which residues look at */
	PRESENCE_SHIFT = 2,   /* a slot has 1 << PRESENCE_SHIFT bits of presence */
	INDEX_COUNT_SHIFT = 28,
	INDEX_DEPTH = 24, /* nodes on a path, at most */
	INDEX_AHEAD = 7,  /* starts that are looked at in a cell */
	LIST_LAST = 1 << 30,
	NODE_CUTS = 7,
	SET_STEPS = 20, /* sets have fewer than 1 << SET_STEPS intervals */
};

#define INDEX_NODE 0x80000000U

/* Size classes of tables, bytes. A table lives in the smallest that holds it, or one above;
 * the map value is TABLE_SLACK larger, so that a struct may be read wherever
 * an offset that was cut to the class's size points. */
enum table_class {
	TABLE_CLASS_64K,
	TABLE_CLASS_256K,
	TABLE_CLASS_1M,
	TABLE_CLASS_4M,
	TABLE_CLASS_16M,
	TABLE_CLASS_64M,
	TABLE_CLASS_256M,
	TABLE_CLASSES,
};

#define TABLE_SLACK 256

#define TABLE_64K_SIZE (64 << 10)
#define TABLE_256K_SIZE (256 << 10)
#define TABLE_1M_SIZE (1 << 20)
#define TABLE_4M_SIZE (4 << 20)
#define TABLE_16M_SIZE (16 << 20)
#define TABLE_64M_SIZE (64 << 20)
#define TABLE_256M_SIZE (256 << 20)

/* Tables of each class that can be loaded at once. */
#define TABLE_64K_SLOTS 8192
#define TABLE_256K_SLOTS 4096
#define TABLE_1M_SLOTS 1024
#define TABLE_4M_SLOTS 512
#define TABLE_16M_SLOTS 256
#define TABLE_64M_SLOTS 64
#define TABLE_256M_SLOTS 16

/* table_index: root is the first node. starts is sorted: u64 for halves of
 * IPv6 addresses; for all others u32 of the last key below each start (the
 * first one's is not asked), with INDEX_AHEAD of ~0 behind. */
struct table_index {
	__u32 root;
	__u32 starts;
};

/* table_rank is what the table says of a rank: the last key below it (the
 * first rank's is not asked; ~0 of IPv6) and the number of its set. */
struct table_rank {
	__u32 before;
	__u32 set;
};

/* table_end finds the ranks of one end's addresses. IPv6 addresses go through
 * their high half, whose rank selects u32[2]: the address's rank, and the node
 * over the low halves or 0. IPv6 ranks follow the IPv4 ones. */
struct table_end {
	__u32 ipv4;     /* the first node over IPv4 addresses */
	__u32 ranks;    /* table_rank of every rank, and INDEX_AHEAD more */
	__u32 sets;     /* u64[]: shapes with an entry for a rank */
	__u32 first6;   /* rank of :: */
	struct table_index ipv6;
	__u32 halves;   /* u32[2] by rank of the high half */
	__u32 lows;     /* u64 starts of low halves, by rank - first6 */
	struct table_index identity;
	__u32 classes;  /* u32 by rank of an identity: its class, 0 is none */
	__u32 identity_shapes; /* u64 by class */
};

struct table_header {
	__u32 version;
	__u32 flags;
	__u32 size; /* bytes in use */
	__u32 subrules;
	__u32 rules;      /* table_rule[subrules], in cache lines of two */
	__u32 shapes;     /* table_shape[], in the order of their first rules; not of a direct table */
	__u32 more;       /* table_more[subrules], or 0 where no rule has more to say */
	__u32 slot_shift; /* 1 to 63 */
	__u32 protocol;   /* of whole packets and first fragments: u64 shapes[256], or of a direct
			   * table u64[256], number of lookups << 32 | offset of the table_lookup[] */
	__u32 later;      /* the same of later fragments */
	struct table_index sport;
	struct table_index dport; /* or ICMP's and IGMP's type << 8 | code */
	__u32 sport_shapes;       /* u64 by rank */
	__u32 dport_shapes;
	__u32 kinds;              /* table_kinds */
	__u32 presence;           /* of a direct table, behind each first slot: u64[], bytes */
	__u64 factors[TABLE_WORDS];
	struct table_end source;
	struct table_end destination;
};

/* Words of a key. IPv4 addresses stand in the low half. */
enum key_word {
	KEY_SOURCE_HIGH,
	KEY_SOURCE_LOW,
	KEY_DESTINATION_HIGH,
	KEY_DESTINATION_LOW,
	KEY_CLASSES, /* source's identity class | destination's << 32 */
	KEY_DPORT,
};

/* table_shape is one way to look up: the bits of the key that its entries
 * give. first is the lowest rule that has an entry of this shape. Shapes share
 * their slots, those for later fragments among themselves: packets that are
 * whole do not fill the processor's caches with slots of others. */
struct table_shape {
	__u64 mask[TABLE_WORDS];
	__u64 salt;
	__u32 first;
	__u32 slots; /* table_slot[1 << (64 - slot_shift)] */
};

/* table_lookup is a shape of a direct table, as packets of a protocol use it:
 * those of each protocol stand in the order of their first rules. ends has the
 * bits of the source's address, and of the destination's << 32. */
struct table_lookup {
	__u64 ends;
	__u64 salt;
	__u32 dport;
	__u32 first;
	__u32 slots;
	__u32 pad;
};

/* table_slot: check is the low half of the hash, or 0 for several keys. */
struct table_slot {
	__u32 ref;
	__u32 check;
};

enum ref_kind { REF_NONE, REF_RULE, REF_LIST, REF_NODE };

enum node_value {
	VALUE_SOURCE, /* rank */
	VALUE_DESTINATION,
	VALUE_SPORT,
	VALUE_DPORT, /* or ICMP's type << 8 | code */
	VALUE_PROTOCOL,
	VALUE_SOURCE_CLASS,
	VALUE_DESTINATION_CLASS,
	VALUE_TCP_FLAGS,
};

/* table_node leads to child n, the number of cuts that are not above the
 * packet's value. Unused cuts are ~0, and lead where the last one in use does. */
struct table_node {
	__u32 value; /* enum node_value */
	__u32 cuts[NODE_CUTS];
	__u32 children[NODE_CUTS + 1];
};

/* Actions have policy.Action's values. ACTION_NEXT stays inside a table. */
enum table_action { ACTION_PERMIT = 1, ACTION_DENY = 2, ACTION_NEXT = 3 };

/* table_record is what the rule that a walk has found says. */
struct table_record {
	__u32 counter;
	__u32 next;    /* rule to go on at, up to subrules; for ACTION_NEXT */
	__u32 residue; /* 0, or the table_residue that holds as well */
	__u8 action;
	__u8 flags;
	__u16 policer; /* number in policer_map, 0 for none */
};

/* table_rule says which packets a rule is for, all bounds inclusive, and what
 * most rules say about them: it has half a cache line, so that few of the
 * processor's lines hold what a packet asks for. */
struct table_rule {
	__u32 source_first; /* ranks */
	__u32 source_last;
	__u32 destination_first;
	__u32 destination_last;
	__u16 sport_first;
	__u16 sport_last;
	__u16 dport_first; /* or ICMP's type << 8 | code */
	__u16 dport_last;
	__u32 what; /* kind, up to KIND_OTHER << 8 | flags of the record << 2 | action */
	__u32 counter;
};

/* table_more is the rest of the record, for rules that have RECORD_MORE. */
struct table_more {
	__u32 next;
	__u32 residue;
	__u16 policer;
	__u16 pad;
};

/* table_kinds says which kinds have a packet's protocol and its TCP flags. */
struct table_kinds {
	__u64 protocol[256]; /* of whole packets and first fragments */
	__u64 later[256];    /* of later fragments */
	__u64 tcp_flags[256];
};

/* table_kind is the part of a service that is sets of 256 values: bit n % 64
 * of word n / 64. Most lists have few, so that a rule's is a number, and a word
 * says which of them a packet is of. */
struct table_kind {
	__u64 protocols[4]; /* of whole packets and first fragments */
	__u64 later[4];     /* of later fragments */
	__u64 tcp_flags[4];
};

enum residue_flags {
	RESIDUE_MASK = 1,
	RESIDUE_SETS = 2,
	RESIDUE_BYTES = 4, /* traffic class and hop limit */
	RESIDUE_KIND = 8,
};

/* table_residue holds what a rule's bounds cannot say. Masks: (address ^
 * value) & mask == 0, high and low halves of source and destination. Sets are
 * offsets of a table_set, or 0 where none is asked; an end needs its address
 * or its identity in the sets, if it has either. window is 0, or the number of
 * the time window that must be open; evaluate that of the reflexive list that
 * must have an entry. reflect and timeout (milliseconds) ask nothing: they say
 * which list the packet's answers join. */
struct table_residue {
	__u64 value[4];
	__u64 mask[4];
	__u64 traffic_class[4];
	__u64 hop_limit[4];
	__u32 source_set; /* ranks */
	__u32 source_classes;
	__u32 destination_set;
	__u32 destination_classes;
	__u32 sport_set;
	__u32 dport_set;
	__u8 flags; /* enum residue_flags */
	__u8 window;
	__u8 evaluate;
	__u8 reflect;
	__u32 timeout;
	__u32 kind; /* table_kind, of rules of KIND_OTHER */
	__u32 pad;
};

/* table_set: u32 first[count], u32 last[count] follow, sorted. width is the
 * largest power of two below count, or 0. */
struct table_set {
	__u32 count;
	__u32 width;
};

#endif
