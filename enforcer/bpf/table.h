/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/*
 * table.h is the form of a compiled list; datapath/table.go says how it is
 * built and why it is exact. All numbers are in the host's byte order, all
 * offsets count bytes from the start of the table.
 *
 *   header | records | residues | rows, blocks and axes (starts, row offsets)
 *
 *   row    u64 top, u32 block offsets[popcount(top)]    bit i: block i is not empty
 *   block  u64 summary, u8 index[64], u64 words[]       bit i: word i is not empty
 *          word i is words[index[i]]; words[0] is 0
 *
 * Bit k of word j of block i stands for sub-rule i*4096 + j*64 + k.
 */
#ifndef TABLE_H
#define TABLE_H

#include "aclium.h"

enum table_const {
	TABLE_VERSION = 1,
	TABLE_SUBRULES = 262144, /* 64 * 64 * 64 */
	TABLE_IDENTITIES = 1,    /* header flag: some line looks at identities */
	RECORD_LOG = 1,          /* record flag: write an event */
};

/* Size classes of tables, bytes. A table lives in the smallest that holds it. */
enum table_class {
	TABLE_SMALL,  /* table_small_map */
	TABLE_MEDIUM, /* table_medium_map */
	TABLE_LARGE,  /* table_large_map */
	TABLE_HUGE,   /* table_huge_map */
	TABLE_CLASSES,
};

#define TABLE_SMALL_SIZE (64 << 10)
#define TABLE_MEDIUM_SIZE (1 << 20)
#define TABLE_LARGE_SIZE (16 << 20)
#define TABLE_HUGE_SIZE (128 << 20)

/* Tables of each class that can be loaded at once. */
#define TABLE_SMALL_SLOTS 8192
#define TABLE_MEDIUM_SLOTS 1024
#define TABLE_LARGE_SLOTS 256
#define TABLE_HUGE_SLOTS 64

/* table_axis divides one field's values into intervals, each with a row.
 * starts is sorted and begins with 0; width is the largest power of two below
 * count, or 0. */
struct table_axis {
	__u32 starts; /* u64[2] (high, low) for addresses, u32 for all others */
	__u32 rows;   /* u32 row offsets */
	__u32 count;
	__u32 width;
};

struct table_header {
	__u64 empty[10]; /* 0: offset 0 is the block that has no words */
	__u32 version;
	__u32 flags;
	__u32 size;     /* bytes in use */
	__u32 subrules;
	__u32 records;  /* table_record[subrules] */
	__u32 protocol; /* u32 row offsets[256]: whole packets and first fragments */
	__u32 later;    /* u32 row offsets[256]: later fragments */
	__u32 tcp_flags; /* u32 row offsets[256] */
	__u32 any_source;      /* row: any source */
	__u32 any_destination; /* row: any destination */
	__u32 any_both;        /* row: both */
	__u32 pad;
	struct table_axis source;
	struct table_axis destination;
	struct table_axis source_identity;
	struct table_axis destination_identity;
	struct table_axis source_port;
	struct table_axis destination_port;
	struct table_axis icmp; /* type << 8 | code */
};

/* Actions have policy.Action's values. */
enum table_action { ACTION_PERMIT = 1, ACTION_DENY = 2, ACTION_NEXT = 3 };

struct table_record {
	__u32 counter;
	__u32 next;    /* ACTION_NEXT: sub-rule to go on at, up to subrules */
	__u32 residue; /* 0, or the table_residue that must hold as well */
	__u8 action;
	__u8 flags;
	__u16 pad;
};

/* table_residue holds what intervals cannot say: discontiguous masks, high
 * and low half of source and destination. (address ^ value) & mask == 0. */
struct table_residue {
	__u64 value[4];
	__u64 mask[4];
};

#endif
