/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/* maps.h declares the maps; aclium.h says what is in them. */
#ifndef MAPS_H
#define MAPS_H

#include "scratch.h"
#include "table.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} generation_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct hook_key);
	__type(value, struct hook);
} hook_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 20);
	__type(key, struct ip_addr);
	__type(value, struct ipcache_value);
} address_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct settings);
} settings_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct timetable);
} window_map SEC(".maps");

/* Half of them for each set. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 16);
	__type(key, struct service_key);
	__type(value, struct service);
} service_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 17);
	__type(key, struct backend_key);
	__type(value, struct backend);
} backend_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct reflexive_lists);
} reflexive_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct entry_key);
	__type(value, struct entry);
} entry_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 20);
	__type(key, struct ipcache_key);
	__type(value, struct ipcache_value);
} ipcache_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 262144);
	__type(key, struct conn_key);
	__type(value, struct conn);
} conn_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct fragment_key);
	__type(value, struct fragment);
} fragment_map SEC(".maps");

/* User space sets the size of the inner maps: the possible CPUs and two. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, COUNTER_CHUNKS);
	__type(key, __u32);
	__array(values, struct {
		__uint(type, BPF_MAP_TYPE_ARRAY);
		__uint(map_flags, BPF_F_MMAPABLE);
		__uint(max_entries, 1);
		__type(key, __u32);
		__type(value, struct counter_chunk);
	});
} counter_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DROP_ROOM);
	__type(key, __u32);
	__type(value, struct counter);
} drop_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65535);
	__type(key, __u32);
	__type(value, struct policer);
} policer_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} event_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct event_budget);
} event_budget_map SEC(".maps");

/* Not an LRU: a flow that made room for another would take its count along.
 * Elements are allocated as flows come, so that an idle log costs nothing. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, struct log_key);
	__type(value, struct log_flow);
} log_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct log_options);
} log_options_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct log_loss);
} log_loss_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct reflexes);
} reflex_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratch_map SEC(".maps");

/* Gives this CPU's working memory. Global functions that find keys or values of
 * maps in it ask for it themselves: Linux 6.1 takes neither from memory that
 * came as an argument. */
static __always_inline struct scratch *own_scratch(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&scratch_map, &zero);
}

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flow_tags);
} flow_tag_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FLOWS);
	__type(key, __u32);
	__type(value, struct flow);
} flow_map SEC(".maps");

/* A size class: an array of maps, each of which holds one table as the value
 * of its only element. User space may write it through mmap. */
#define TABLE_MAP(name, slots, bytes)                                          \
	struct table_##name {                                                  \
		__u64 words[((bytes) + TABLE_SLACK) / 8];                      \
	};                                                                     \
	struct {                                                               \
		__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);                      \
		__uint(max_entries, slots);                                    \
		__type(key, __u32);                                            \
		__array(values, struct {                                       \
			__uint(type, BPF_MAP_TYPE_ARRAY);                      \
			__uint(map_flags, BPF_F_MMAPABLE);                     \
			__uint(max_entries, 1);                                \
			__type(key, __u32);                                    \
			__type(value, struct table_##name);                    \
		});                                                            \
	} table_##name##_map SEC(".maps")

TABLE_MAP(64k, TABLE_64K_SLOTS, TABLE_64K_SIZE);
TABLE_MAP(256k, TABLE_256K_SLOTS, TABLE_256K_SIZE);
TABLE_MAP(1m, TABLE_1M_SLOTS, TABLE_1M_SIZE);
TABLE_MAP(4m, TABLE_4M_SLOTS, TABLE_4M_SIZE);
TABLE_MAP(16m, TABLE_16M_SLOTS, TABLE_16M_SIZE);
TABLE_MAP(64m, TABLE_64M_SLOTS, TABLE_64M_SIZE);
TABLE_MAP(256m, TABLE_256M_SLOTS, TABLE_256M_SIZE);

#endif
