/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/* judge.h asks the lists of a hook in series. */
#ifndef JUDGE_H
#define JUDGE_H

#include "classify.h"

#define JUDGE(name)                                                            \
	({                                                                     \
		int left = 1;                                                  \
                                                                               \
		if (is_plain(table))                                           \
			left = glance_##name(table, p, walk, found);           \
		left > 0 ? classify_##name(table, p, walk, found) : left;      \
	})

/* Looks the table up and judges by it; -1 when it is missing. */
#define CLASSIFY(name)                                                         \
	({                                                                     \
		void *inner = bpf_map_lookup_elem(&table_##name##_map, &slot); \
		struct table_##name *table =                                   \
			inner ? bpf_map_lookup_elem(inner, &zero) : 0;         \
		table ? JUDGE(name) : -1;                                      \
	})

static __always_inline bool is_plain(const void *table)
{
	const struct table_header *h = table;

	return h->flags & TABLE_PLAIN;
}

static __always_inline int classify(const struct table_ref *ref, struct packet *p, struct table_record *found)
{
	__u32 slot, zero = 0;
	struct walk *walk = bpf_map_lookup_elem(&walk_map, &zero);

	if (!ref || !p || !found || !walk)
		return -1;
	slot = ref->slot;

	switch (ref->class) {
	case TABLE_CLASS_64K:
		return CLASSIFY(64k);
	case TABLE_CLASS_256K:
		return CLASSIFY(256k);
	case TABLE_CLASS_1M:
		return CLASSIFY(1m);
	case TABLE_CLASS_4M:
		return CLASSIFY(4m);
	case TABLE_CLASS_16M:
		return CLASSIFY(16m);
	case TABLE_CLASS_64M:
		return CLASSIFY(64m);
	case TABLE_CLASS_256M:
		return CLASSIFY(256m);
	}
	return -1;
}

/* Puts the rule that means the service in the place of one that stands behind
 * it. */
static __always_inline void prefer(const struct named_rule *named, struct table_record *found)
{
	__u32 zero = 0;
	const struct walk *walk = bpf_map_lookup_elem(&walk_map, &zero);

	if (!walk || named->rule >= walk->best)
		return;
	found->action = named->action;
	found->counter = named->counter;
	found->flags = named->flags;
	found->policer = named->policer;
}

/* Keeps what the line that was found says about reflexive lists. A function of
 * its own: judge is on the deepest path, where the stack is short. */
static __noinline int note_reflex(struct judgement *j, __u32 i)
{
	__u32 zero = 0;
	const struct walk *walk = bpf_map_lookup_elem(&walk_map, &zero);
	struct reflexes *r = bpf_map_lookup_elem(&reflex_map, &zero);

	if (!walk || !r)
		return 0;
	r->lines[i & (MAX_SERIES - 1)] = walk->reflex;
	j->reflexive |= 1 << i;
	return 0;
}

/* Adds one list's word; returns whether the next one is to be asked. */
static __always_inline bool ask(const struct table_ref *ref, struct packet *p, struct judgement *j,
				const struct named_rule *named)
{
	struct table_record found = {};
	__u32 i = j->count & (MAX_SERIES - 1);

	if (classify(ref, p, &found)) {
		j->accept = 0;
		j->fault = 1;
		return false;
	}
	if (p->behind)
		prefer(named, &found);
	j->lines[i] = found.action ? found.counter : ref->implicit;
	if (found.action && found.flags & RECORD_LOG && found.counter)
		j->logged |= 1 << i;
	if (found.action && found.flags & RECORD_REFLEX)
		note_reflex(j, i);
	j->accept = found.action == ACTION_PERMIT;
	j->count++;
	j->flags |= found.flags;
	j->police[i] = found.policer;
	return j->accept;
}

/*
 * ask_all asks every list that governs the packet's family; all must permit. No
 * list at all permits. named are looked at for a backend's packet only. How many
 * were asked is read from a map: a variable would make the verifier walk each
 * pair of numbers.
 */
static __always_inline void ask_all(const struct hook *hook, struct packet *p, struct judgement *j,
				    const struct named *named)
{
	__u32 i;

	__builtin_memset(j, 0, sizeof(*j));
	j->accept = 1;
	for (i = 0; i < MAX_SERIES; i++) {
		if (i >= hook->count)
			break;
		if (!(hook->tables[i].families & p->family))
			continue;
		if (!ask(&hook->tables[i], p, j, &named->rules[i]))
			break;
	}
}

/* The same for the judges that ask in several places. It is global, so that the
 * verifier walks it once. */
__noinline int judge(const struct hook *hook, struct packet *p, struct judgement *j, const struct named *named)
{
	if (!hook || !p || !j || !named)
		return -1;
	ask_all(hook, p, j, named);
	return 0;
}

/* The same, where a hook that is missing is a fault. */
static __always_inline void judge_by(const struct hook *hook, struct packet *p, struct judgement *j,
				     const struct named *named)
{
	if (hook) {
		judge(hook, p, j, named);
		return;
	}
	__builtin_memset(j, 0, sizeof(*j));
	j->fault = 1;
}

#endif
