/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/*
 * classify.h finds the first line of a table that matches a packet. Each field
 * selects one row of bits, one bit per sub-rule; the AND of the rows holds the
 * sub-rules that match. datapath/table.go tells the whole story.
 *
 * The verifier walks both sides of every branch and multiplies them, so that
 * searches and selections here are arithmetic. Every offset is masked with the
 * size class's size, which alone is what makes an access safe; the table's
 * contents only decide whether it is right.
 */
#ifndef CLASSIFY_H
#define CLASSIFY_H

#include "address.h"
#include "protocol.h"

/* Keeps the compiler from turning arithmetic back into branches. */
#define opaque(x) asm volatile("" : "+r"(x))

enum {
	ROW_SOURCE,
	ROW_SOURCE_IDENTITY,
	ROW_ANY_SOURCE,
	ROW_DESTINATION,
	ROW_DESTINATION_IDENTITY,
	ROW_ANY_DESTINATION,
	ROW_PROTOCOL,
	ROW_SOURCE_PORT,
	ROW_DESTINATION_PORT,
	ROW_DETAIL,
	ROW_ANY_BOTH,
	ROWS,
};

/* walk is the search for the first matching sub-rule. Three rows make up each
 * end (address, identity, any); the detail is ICMP's type or TCP's flags. A
 * field that the protocol lacks repeats the protocol's row, which changes
 * nothing. */
struct walk {
	const void *table;
	__u64 addr[4]; /* source and destination, high and low half */
	__u64 top;     /* blocks still to visit */
	__u64 summary; /* words of the block still to visit */
	__u64 word;    /* sub-rules of the word still to visit */
	__u64 from;    /* sub-rules below do not count */
	__u32 rows[ROWS];
	__u32 blocks[ROWS];
	__u32 block;
	__u32 index; /* block * 64 + word */
	struct table_record found;
};

static __always_inline __u64 load64(const void *t, __u64 size, __u64 offset)
{
	return *(const __u64 *)(t + (offset & (size - 8)));
}

static __always_inline __u32 load32(const void *t, __u64 size, __u64 offset)
{
	return *(const __u32 *)(t + (offset & (size - 4)));
}

static __always_inline __u32 load8(const void *t, __u64 size, __u64 offset)
{
	return *(const __u8 *)(t + (offset & (size - 1)));
}

static __always_inline __u64 popcount(__u64 x)
{
	x -= (x >> 1) & 0x5555555555555555;
	x = (x & 0x3333333333333333) + ((x >> 2) & 0x3333333333333333);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0f;
	return (x * 0x0101010101010101) >> 56;
}

/* Number of the lowest set bit; x is not 0. */
static __always_inline __u64 lowest(__u64 x)
{
	return popcount(~x & (x - 1)) & 63;
}

/* All ones where the bit is set, else 0. */
static __always_inline __u64 spread(__u64 x, __u64 bit)
{
	__u64 mask = -((x >> (bit & 63)) & 1);

	opaque(mask);
	return mask;
}

/* The borrow of a - b - borrow: 1 where a < b + borrow. */
static __always_inline __u64 borrow(__u64 a, __u64 b, __u64 in)
{
	__u64 difference = a - b - in;

	opaque(difference);
	return ((~a & b) | ((~a | b) & difference)) >> 63;
}

/* Both searches give the row of the interval that holds the key. */
static __always_inline __u32 search128(const void *t, __u64 size, const struct table_axis *axis, __u64 high, __u64 low)
{
	__u64 at = 0, width = axis->width;
	int i;

	for (i = 0; i < 24; i++) {
		__u64 probe = at + width, offset = axis->starts + probe * 16;
		__u64 below = borrow(low, load64(t, size, offset + 8), 0);
		__u64 take;

		if (!width)
			break;
		below = borrow(high, load64(t, size, offset), below);
		take = (below ^ 1) & borrow(probe, axis->count, 0);
		at += width & -take;
		width >>= 1;
	}
	return load32(t, size, axis->rows + at * 4);
}

static __always_inline __u32 search32(const void *t, __u64 size, const struct table_axis *axis, __u64 key)
{
	__u64 at = 0, width = axis->width;
	int i;

	for (i = 0; i < 24; i++) {
		__u64 probe = at + width, take;

		if (!width)
			break;
		take = (borrow(key, load32(t, size, axis->starts + probe * 4), 0) ^ 1) & borrow(probe, axis->count, 0);
		at += width & -take;
		width >>= 1;
	}
	return load32(t, size, axis->rows + at * 4);
}

/*
 * Joins what the rows say at one level of their trees. Joining the ends as
 * unions first would be right but blunt above the words: many lines say "any"
 * on one side, so that nearly every word has some line for either end. The
 * lines with "any" on both sides have a row of their own; all others need a
 * bit in the row of an address or an identity, which are nearly empty.
 */
#define JOIN(value)                                                            \
	({                                                                     \
		__u64 source = value(ROW_SOURCE) | value(ROW_SOURCE_IDENTITY); \
		__u64 destination = value(ROW_DESTINATION) |                   \
				    value(ROW_DESTINATION_IDENTITY);           \
		__u64 ends =                                                   \
			(source & (destination | value(ROW_ANY_DESTINATION))) | \
			(destination & value(ROW_ANY_SOURCE)) |                \
			value(ROW_ANY_BOTH);                                   \
		ends & value(ROW_PROTOCOL) & value(ROW_SOURCE_PORT) &          \
			value(ROW_DESTINATION_PORT) & value(ROW_DETAIL);       \
	})

#define TOP(row) load64(w->table, size, w->rows[row])
#define SUMMARY(row) load64(w->table, size, w->blocks[row])
#define WORD(row) word_of(w, size, row, word)

static __always_inline void enter_block(struct walk *w, __u64 size)
{
	const void *t = w->table;
	__u64 block = lowest(w->top);
	int i;

	w->top &= w->top - 1;
	w->block = block;
#pragma unroll
	for (i = 0; i < ROWS; i++) {
		__u64 top = load64(t, size, w->rows[i]);
		__u64 rank = popcount(top & ((1ULL << block) - 1));

		w->blocks[i] = load32(t, size, w->rows[i] + 8 + rank * 4) & spread(top, block);
	}
	w->summary = JOIN(SUMMARY);
	if (block == w->from >> 12)
		w->summary &= ~0ULL << (w->from >> 6 & 63);
}

static __always_inline __u64 word_of(const struct walk *w, __u64 size, int row, __u64 word)
{
	__u64 block = w->blocks[row];

	return load64(w->table, size, block + 72 + 8 * load8(w->table, size, block + 8 + word));
}

static __always_inline void enter_word(struct walk *w, __u64 size)
{
	__u64 word = lowest(w->summary);

	w->summary &= w->summary - 1;
	w->index = w->block << 6 | word;
	w->word = JOIN(WORD);
	if (w->index == w->from >> 6)
		w->word &= ~0ULL << (w->from & 63);
}

/* Goes on at a later sub-rule. What lies in words and blocks that are entered
 * later is cut off on entering. */
static __always_inline void go_on_at(struct walk *w, __u64 subrule)
{
	__u64 block = subrule >> 12, index = subrule >> 6;

	w->from = subrule;
	if (index == w->index) {
		w->word &= ~0ULL << (subrule & 63);
		return;
	}
	w->word = 0;
	if (block == w->block) {
		w->summary &= ~0ULL << (index & 63);
		return;
	}
	w->summary = 0;
	w->top = block > 63 ? 0 : w->top & ~0ULL << (block & 63);
}

static __always_inline bool residue_holds(const struct walk *w, __u64 size, __u64 residue)
{
	__u64 wrong = 0;
	int i;

#pragma unroll
	for (i = 0; i < 4; i++)
		wrong |= (w->addr[i] ^ load64(w->table, size, residue + i * 8)) & load64(w->table, size, residue + 32 + i * 8);
	return !wrong;
}

/* One step of the walk, for bpf_loop: enters the next block or word, or looks
 * at one sub-rule. Returns 1 at the end. */
static __always_inline long step(struct walk *w, __u64 size)
{
	__u64 subrule, record;

	if (!w->word) {
		if (!w->summary) {
			if (!w->top)
				return 1;
			enter_block(w, size);
			return 0;
		}
		enter_word(w, size);
		if (!w->word)
			return 0;
	}
	subrule = (__u64)w->index << 6 | lowest(w->word);
	w->word &= w->word - 1;
	record = ((const struct table_header *)w->table)->records + subrule * sizeof(struct table_record);
	__builtin_memcpy(&w->found, (__u64[]){load64(w->table, size, record), load64(w->table, size, record + 8)}, 16);
	if (w->found.residue && !residue_holds(w, size, w->found.residue)) {
		w->found.action = 0;
		return 0;
	}
	if (w->found.action != ACTION_NEXT)
		return 1;
	w->found.action = 0;
	go_on_at(w, w->found.next);
	return 0;
}

static __always_inline __u64 high(const struct ip_addr *a)
{
	return bpf_be64_to_cpu(*(const __u64 *)&a->bytes[0]);
}

static __always_inline __u64 low(const struct ip_addr *a)
{
	return bpf_be64_to_cpu(*(const __u64 *)&a->bytes[8]);
}

static __always_inline void choose_l4_rows(struct walk *w, __u64 size, const struct packet *p)
{
	const struct table_header *h = w->table;
	__u32 table = p->fragment == FRAGMENT_LATER ? h->later : h->protocol;
	__u32 row = load32(w->table, size, table + p->protocol * 4);

	w->rows[ROW_PROTOCOL] = w->rows[ROW_SOURCE_PORT] = w->rows[ROW_DESTINATION_PORT] = w->rows[ROW_DETAIL] = row;
	if (p->fragment == FRAGMENT_LATER)
		return;
	if (has_ports(p->protocol)) {
		w->rows[ROW_SOURCE_PORT] = search32(w->table, size, &h->source_port, p->sport);
		w->rows[ROW_DESTINATION_PORT] = search32(w->table, size, &h->destination_port, p->dport);
	}
	if (p->protocol == PROTOCOL_TCP)
		w->rows[ROW_DETAIL] = load32(w->table, size, h->tcp_flags + p->tcp_flags * 4);
	if (is_icmp(p->protocol))
		w->rows[ROW_DETAIL] = search32(w->table, size, &h->icmp, p->icmp_type << 8 | p->icmp_code);
}

static __always_inline void choose_rows(struct walk *w, __u64 size, const struct packet *p)
{
	const struct table_header *h = w->table;

	w->addr[0] = high(&p->saddr);
	w->addr[1] = low(&p->saddr);
	w->addr[2] = high(&p->daddr);
	w->addr[3] = low(&p->daddr);
	w->rows[ROW_SOURCE] = search128(w->table, size, &h->source, w->addr[0], w->addr[1]);
	w->rows[ROW_SOURCE_IDENTITY] = search32(w->table, size, &h->source_identity, p->source_identity);
	w->rows[ROW_ANY_SOURCE] = h->any_source;
	w->rows[ROW_DESTINATION] = search128(w->table, size, &h->destination, w->addr[2], w->addr[3]);
	w->rows[ROW_DESTINATION_IDENTITY] = search32(w->table, size, &h->destination_identity, p->destination_identity);
	w->rows[ROW_ANY_DESTINATION] = h->any_destination;
	w->rows[ROW_ANY_BOTH] = h->any_both;
	choose_l4_rows(w, size, p);
	w->top = JOIN(TOP);
}

/* Every step enters a block, enters a word or looks at a sub-rule, each once. */
#define MAX_STEPS (64 + 4096 + TABLE_SUBRULES + 1)

/*
 * classify_NAME judges the packet by the table: 0 and the record of the first
 * matching sub-rule in *found, whose action is 0 when there is none; -1 when
 * the table is not one. It is a global function, so that the verifier walks it
 * once and not for each list and caller.
 */
#define CLASSIFIER(name, bytes)                                                \
	static long step_##name(__u32 i, struct walk *w)                       \
	{                                                                      \
		return step(w, bytes);                                         \
	}                                                                      \
	__noinline int classify_##name(const struct table_##name *table,       \
				       struct packet *p,                       \
				       struct table_record *found)             \
	{                                                                      \
		struct walk w = {};                                            \
                                                                               \
		if (!table || !p || !found)                                    \
			return -1;                                             \
		w.table = table;                                               \
		if (((const struct table_header *)table)->version !=           \
		    TABLE_VERSION)                                             \
			return -1;                                             \
		if (((const struct table_header *)table)->flags &              \
		    TABLE_IDENTITIES)                                          \
			identify(p);                                           \
		choose_rows(&w, bytes, p);                                     \
		bpf_loop(MAX_STEPS, step_##name, &w, 0);                       \
		*found = w.found;                                              \
		return 0;                                                      \
	}

CLASSIFIER(small, TABLE_SMALL_SIZE)
CLASSIFIER(medium, TABLE_MEDIUM_SIZE)
CLASSIFIER(large, TABLE_LARGE_SIZE)
CLASSIFIER(huge, TABLE_HUGE_SIZE)

#endif
