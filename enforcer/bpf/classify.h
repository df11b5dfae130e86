/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/*
 * classify.h finds the first rule of a table that matches a packet. Each field
 * selects a set of shapes, one bit per shape; the AND of the sets holds the
 * shapes that may have an entry for the packet, and each of them is one hash
 * lookup. enforcer/classifier tells the whole story.
 *
 * The verifier walks both sides of every branch and multiplies them, so that
 * searches and selections here are arithmetic. Every offset is masked with the
 * size class's size, which alone is what makes an access safe (the slack
 * behind it holds the largest struct); the table's contents only decide
 * whether it is right.
 */
#ifndef CLASSIFY_H
#define CLASSIFY_H

#include "address.h"
#include "protocol.h"

/* Keeps the compiler from turning arithmetic back into branches. */
#define opaque(x) asm volatile("" : "+r"(x))

/* place is where the packet stands in the table's terms. */
struct place {
	__u64 key[TABLE_WORDS];
	__u32 values[TABLE_VALUES];
	__u32 l4;        /* 0 for later fragments, whose ports nobody asks, else ~0 */
	__u64 kinds;     /* of services that the packet is of */
};

/* walk is the search for the first matching rule. It lies in a map and not on
 * the stack: what is read from a map is any number to the verifier, so that
 * the steps of a walk all look the same to it. */
struct walk {
	struct place place;
	__u64 ends[2];  /* shapes that may have an entry for the source, the destination */
	__u64 shapes;   /* still to visit; of a direct table, lookups */
	__u64 possible; /* all that may have an entry for the packet */
	__u64 left;     /* of the lookups: those that glance leaves to the walk */
	__u64 bit;      /* of the lookup whose ref glance follows */
	__u32 ref;    /* the node where the walk stands inside a shape, or 0 */
	__u32 list;   /* where it stands inside a list, or 0 */
	__u32 best;   /* the lowest rule found, or ~0 */
	__u32 from;   /* rules below do not count */
	__u32 done;
	__u32 lookups; /* of a direct table: where they stand */
	struct table_record found;
	struct reflex reflex; /* of what was found, if it has one */
	__u32 refs[DIRECT_SHAPES]; /* that lookups have found */
};

static __always_inline __u64 popcount(__u64 x)
{
	x -= (x >> 1) & 0x5555555555555555;
	x = (x & 0x3333333333333333) + ((x >> 2) & 0x3333333333333333);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0f;
	return (x * 0x0101010101010101) >> 56;
}

/* search is what the steps of a walk share. */
struct search {
	const void *table;
	struct packet *packet;
	struct walk *walk;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct walk);
} walk_map SEC(".maps");

/* Number of the lowest set bit, or 63: to ask whether there is one would take a
 * branch. */
static __always_inline __u64 lowest(__u64 x)
{
	x |= 1ULL << 63;
	return popcount(~x & (x - 1)) & 63;
}

/* 1 where a < b, else 0. */
static __always_inline __u64 below(__u64 a, __u64 b)
{
	__u64 difference = a - b;

	opaque(difference);
	difference = ((~a & b) | ((~a | b) & difference)) >> 63;
	opaque(difference);
	return difference;
}

/* 1 where a < b, for numbers below 1 << 63. */
static __always_inline __u64 less(__u64 a, __u64 b)
{
	__u64 difference = a - b;

	opaque(difference);
	difference >>= 63;
	opaque(difference);
	return difference;
}

/* All bits where x is below 0, else none. */
static __always_inline __u64 negative(__u64 x)
{
	__s64 sign;

	opaque(x);
	sign = (__s64)x >> 63;
	opaque(sign);
	return sign;
}

/* Gives the node below the one whose cell this is, or the same for a leaf. */
static __always_inline __u64 below_cell(__u64 cell, __u64 node)
{
	__u64 down = -(cell >> 31 & 1);

	opaque(down);
	return (cell << 3 & 0x3fffffff8 & down) | (node & ~down);
}

static __always_inline __u64 high(const struct ip_addr *a)
{
	const __u64 *words = (const __u64 *)a; /* of a packet, whose addresses are aligned */

	return bpf_be64_to_cpu(words[0]);
}

static __always_inline __u64 low(const struct ip_addr *a)
{
	const __u64 *words = (const __u64 *)a;

	return bpf_be64_to_cpu(words[1]);
}

static __always_inline bool in_bytes(const __u64 *set, __u8 value)
{
	return set[value >> 6] >> (value & 63) & 1;
}

/* Whether the window lets a rule of this action exist. Where the hour is not
 * known, what may permit is absent and what may deny is present. */
static __always_inline bool window_holds(const struct packet *p, __u8 window, __u8 action)
{
	if (!window)
		return true;
	if (!p->timed)
		return action != ACTION_PERMIT;
	return in_bytes(p->windows, window);
}

/* Fills in the packet's key and those of its values that need no table. */
static __always_inline void enter_packet(struct place *at, const struct packet *p, bool wide)
{
	bool later = p->fragment == FRAGMENT_LATER, typed = has_type(p->protocol);
	__u32 sport = typed ? 0 : p->sport, dport = typed ? p->icmp_type << 8 | p->icmp_code : p->dport;
	__u64 *key = at->key;
	__u32 *v = at->values;

	key[KEY_SOURCE_HIGH] = wide ? high(&p->saddr) : 0;
	key[KEY_SOURCE_LOW] = wide ? low(&p->saddr) : (__u32)low(&p->saddr);
	key[KEY_DESTINATION_HIGH] = wide ? high(&p->daddr) : 0;
	key[KEY_DESTINATION_LOW] = wide ? low(&p->daddr) : (__u32)low(&p->daddr);
	key[KEY_CLASSES] = 0;
	v[VALUE_SOURCE] = key[KEY_SOURCE_LOW];           /* unless there are ranks */
	v[VALUE_DESTINATION] = key[KEY_DESTINATION_LOW];
	v[VALUE_PROTOCOL] = p->protocol;
	v[VALUE_SOURCE_CLASS] = v[VALUE_DESTINATION_CLASS] = 0;
	at->l4 = later ? 0 : ~0U;
	key[KEY_DPORT] = v[VALUE_DPORT] = dport & at->l4;
	v[VALUE_SPORT] = sport & at->l4;
	v[VALUE_TCP_FLAGS] = p->tcp_flags & at->l4;
}

/* The end of a round: best has been found, or nothing. A rule that says "go on
 * at" begins another one. */
static __always_inline long finish(struct walk *w)
{
	if (w->found.action != ACTION_NEXT) {
		w->done = 1;
		return 1;
	}
	w->from = w->found.next;
	w->best = ~0U;
	__builtin_memset(&w->found, 0, sizeof(w->found));
	w->shapes = w->possible;
	return 0;
}


/*
 * classify_NAME, of each size class, judges the packet by the table: 0 and the
 * record of the first matching rule in *found, whose action is 0 when there is
 * none; -1 when the table is not one or the walk does not end. found->next is
 * the rule to begin at, 0 for all.
 *
 * glance_NAME does the same by a plain table, and gives 1 where something is
 * left: classify_NAME goes on from there, and must not be asked before.
 */

/* The most that bpf_loop allows. A walk takes a handful of steps; only lists
 * with thousands of lines that say "go on at" take thousands. */
#define MAX_STEPS (1 << 23)

/* How many nodes, rules and entries of lists glance looks at, and how many rules
 * of a short table. Hardly a packet needs more; each step is one more for the
 * verifier to walk, in every class. */
#define DIRECT_STEPS 24
#define SHORT_STEPS 8

#define OF(name) name##_64k
#define SIZE TABLE_64K_SIZE
#include "walk.h"
#include "glance.h"
#undef OF
#undef SIZE

#define OF(name) name##_256k
#define SIZE TABLE_256K_SIZE
#include "walk.h"
#include "glance.h"
#undef OF
#undef SIZE

#define OF(name) name##_1m
#define SIZE TABLE_1M_SIZE
#include "walk.h"
#include "glance.h"
#undef OF
#undef SIZE

#define OF(name) name##_4m
#define SIZE TABLE_4M_SIZE
#include "walk.h"
#include "glance.h"
#undef OF
#undef SIZE

#define OF(name) name##_16m
#define SIZE TABLE_16M_SIZE
#include "walk.h"
#include "glance.h"
#undef OF
#undef SIZE

#define OF(name) name##_64m
#define SIZE TABLE_64M_SIZE
#include "walk.h"
#include "glance.h"
#undef OF
#undef SIZE

#define OF(name) name##_256m
#define SIZE TABLE_256M_SIZE
#include "walk.h"
#include "glance.h"
#undef OF
#undef SIZE

#endif
