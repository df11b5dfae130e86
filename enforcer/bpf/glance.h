/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/*
 * glance.h judges by a plain table of one size class, in one function without
 * any call: nearly all packets end here. It is included behind walk.h, and in
 * the same way.
 */

/* All bits where slots of a direct table may have a key of the hash, else none. */
static __always_inline __u64 OF(present)(const struct table_header *h, __u32 slots, __u64 hash)
{
	__u64 bit = hash >> ((h->slot_shift - PRESENCE_SHIFT) & 63);
	__u64 present = -(OF(load64)(h, slots + h->presence + (bit >> 6) * 8) >> (bit & 63) & 1);

	opaque(present);
	return present;
}

/* Looks the packet up by all lookups of its protocol, and gives those that find
 * something, which is then in w->refs. None waits for another, so that the
 * processor waits for the memory of all at the same time. */
static __always_inline __u64 OF(look_up)(const void *t, struct walk *w)
{
	const struct table_header *h = t;
	__u64 ends = w->place.key[KEY_SOURCE_LOW] | w->place.key[KEY_DESTINATION_LOW] << 32;
	__u64 dport = w->place.key[KEY_DPORT], found = 0, row;
	__u32 i;

	row = OF(load64)(t, (w->place.l4 ? h->protocol : h->later) + w->place.values[VALUE_PROTOCOL] * 8);
	w->lookups = row;
	for (i = 0; i < DIRECT_SHAPES; i++) {
		const struct table_lookup *k = OF(lookup)(t, w, i);
		__u64 hash, ref;

		if (i >= row >> LOOKUPS_COUNT_SHIFT)
			break;
		hash = k->salt + (ends & k->ends) * h->factors[0] + (dport & k->dport) * h->factors[1];
		hash = OF(mix)(h, hash);
		ref = OF(slot)(h, k->slots, hash, OF(present)(h, k->slots, hash));
		w->refs[i] = ref;
		found |= -ref >> 63 << i;
	}
	return found;
}

/* Looks at the next node, rule or entry of a list; returns whether none was
 * left. A rule that has more to say is left to the walk, with its shape. */
static __always_inline bool OF(settle_one)(const void *t, struct walk *w)
{
	__u64 ref = w->ref, number, entry;
	const struct table_rule *r;

	if (!ref) {
		number = lowest(w->shapes);
		if (!w->shapes || !less(OF(lookup)(t, w, number)->first, w->best))
			return true;
		w->bit = w->shapes & -w->shapes;
		w->shapes &= w->shapes - 1;
		ref = w->refs[number & (DIRECT_SHAPES - 1)];
	}
	w->ref = 0;
	if ((ref & 3) == REF_NODE) {
		w->ref = OF(child_of)(t, &w->place, ref);
		return false;
	}
	entry = ref >> 2 | LIST_LAST;
	if ((ref & 3) == REF_LIST)
		entry = OF(load32)(t, (ref & ~3ULL) + 8);
	number = entry & (LIST_LAST - 1);
	r = OF(rule_of)(t, number);
	if (!ref || !less(number, w->best))
		return false;
	if (OF(within)(t, &w->place, r)) {
		if (r->what & RECORD_MORE << RULE_FLAGS_SHIFT)
			w->left |= w->bit;
		else
			w->best = number;
	} else if (!(entry & LIST_LAST)) {
		w->ref = ref + 4;
	}
	return false;
}

/* Judges by what lookups have found, one after the other, and sets w->best.
 * w->shapes are then those that are left to the walk. All that a step knows of
 * the ones before it is read from the map, where it is any number to the
 * verifier, so that the steps look the same to it. */
static __always_inline void OF(settle)(const void *t, struct walk *w)
{
	int i;

	w->best = ~0U;
	w->ref = w->left = 0;
	for (i = 0; i < DIRECT_STEPS; i++) {
		asm volatile("" ::: "memory");
		if (OF(settle_one)(t, w)) {
			w->shapes = w->left;
			return;
		}
	}
	w->shapes |= w->left | w->bit;
}

/* Finds the rules of a short table that may match. Hardly a list asks for source
 * ports in more than a rule or two, which are looked at then. */
static __always_inline __u64 OF(may_match)(const void *t, struct walk *w)
{
	const struct table_header *h = t;
	const __u32 *v = w->place.values;
	__u32 protocol = v[VALUE_PROTOCOL] * 8, dport = v[VALUE_DPORT];
	__u64 rules;

	OF(locate_here)(t, w);
	rules = w->ends[0] & w->ends[1];
	if (!w->place.l4)
		return rules & OF(load64)(t, h->later + protocol);
	rules &= OF(load64)(t, h->protocol + protocol);
	return rules & OF(load64)(t, h->dport_shapes + 8 * OF(rank_here)(t, h->dport.root, h->dport.starts, dport));
}

/* Tries rules of w->shapes, the first ones first, and sets w->best. w->shapes
 * are then those that are left, as settle leaves them. */
static __always_inline void OF(try_short)(const void *t, struct walk *w)
{
	const struct table_rule *r;
	__u64 number;
	int i;

	for (i = 0; i < SHORT_STEPS; i++) {
		asm volatile("" ::: "memory");
		if (!w->shapes)
			return;
		number = lowest(w->shapes);
		r = OF(rule_of)(t, number);
		if (OF(within)(t, &w->place, r)) {
			if (r->what & RECORD_MORE << RULE_FLAGS_SHIFT)
				return;
			w->best = number;
			w->shapes = 0;
			return;
		}
		w->shapes &= w->shapes - 1;
	}
}

/* glance judges as classify.h says. */
__noinline int OF(glance)(const struct OF(table) *t, const struct packet *p, struct walk *w, struct table_record *found)
{
	const struct table_header *h = (const void *)t;
	bool is_short;

	if (!t || !p || !w || !found || h->version != TABLE_VERSION)
		return -1;
	is_short = h->flags & TABLE_SHORT;
	enter_packet(&w->place, p, false);
	w->place.kinds = OF(kinds_of)(t, &w->place);
	w->best = ~0U;
	w->possible = w->shapes = is_short ? OF(may_match)(t, w) : OF(look_up)(t, w);
	if (found->next)
		return 1;
	if (is_short)
		OF(try_short)(t, w);
	else
		OF(settle)(t, w);
	if (w->shapes)
		return 1;
	if (w->best != ~0U)
		OF(tell)(t, w->best, found);
	return 0;
}
