/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/*
 * slots.h finds the slots of table_*_map that hold a map. User space could ask
 * for each slot, but before Linux 6.8 every such question waits for an RCU grace
 * period: minutes for all of them.
 */
#ifndef SLOTS_H
#define SLOTS_H

#include "maps.h"

/* A bit for each slot of a size class. */
struct table_slots {
	__u64 words[TABLE_64K_SLOTS / 64];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TABLE_CLASSES);
	__type(key, __u32);
	__type(value, struct table_slots);
} table_slots_map SEC(".maps");

static __always_inline long note_slot(void *tables, __u32 class, __u32 slot)
{
	struct table_slots *found = bpf_map_lookup_elem(&table_slots_map, &class);

	if (found && bpf_map_lookup_elem(tables, &slot))
		found->words[slot % TABLE_64K_SLOTS / 64] |= 1ULL << slot % 64;
	return 0;
}

/* bpf_loop calls one function for each class, because the verifier wants to
 * know the map. */
#define NOTE_SLOTS(name, NAME)                                                 \
	static long note_##name(__u32 slot, void *ctx)                         \
	{                                                                      \
		return note_slot(&table_##name##_map, TABLE_CLASS_##NAME, slot); \
	}

NOTE_SLOTS(64k, 64K)
NOTE_SLOTS(256k, 256K)
NOTE_SLOTS(1m, 1M)
NOTE_SLOTS(4m, 4M)
NOTE_SLOTS(16m, 16M)
NOTE_SLOTS(64m, 64M)
NOTE_SLOTS(256m, 256M)

/* Adds what it finds to table_slots_map, which user space has cleared. */
SEC("syscall")
int list_slots(void *ctx)
{
	bpf_loop(TABLE_64K_SLOTS, note_64k, 0, 0);
	bpf_loop(TABLE_256K_SLOTS, note_256k, 0, 0);
	bpf_loop(TABLE_1M_SLOTS, note_1m, 0, 0);
	bpf_loop(TABLE_4M_SLOTS, note_4m, 0, 0);
	bpf_loop(TABLE_16M_SLOTS, note_16m, 0, 0);
	bpf_loop(TABLE_64M_SLOTS, note_64m, 0, 0);
	bpf_loop(TABLE_256M_SLOTS, note_256m, 0, 0);
	return 0;
}

#endif
