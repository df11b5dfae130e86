/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/*
 * walk.h walks a table of one size class; what glance.h has found out is
 * not asked again. It is included once for each class,
 * with SIZE as the class's size and OF(name) as the class's name of a function.
 * Functions that are not static are verified once and not for each caller.
 */

static __always_inline const void *OF(at)(const void *t, __u64 offset)
{
	return t + (offset & (SIZE - 8));
}

static __always_inline const void *OF(at4)(const void *t, __u64 offset)
{
	return t + (offset & (SIZE - 4));
}

static __always_inline __u64 OF(load64)(const void *t, __u64 offset)
{
	return *(const __u64 *)OF(at)(t, offset);
}

static __always_inline __u32 OF(load32)(const void *t, __u64 offset)
{
	return *(const __u32 *)OF(at4)(t, offset);
}

/* Gives the cell of the node that holds the key. */
static __always_inline __u64 OF(cell_of)(const void *t, __u64 node, __u64 key)
{
	const struct {
		__u64 base;
		__u32 shift;
		__u32 last;
	} *n = OF(at)(t, node);
	__u64 base = n->base, last = n->last, cell = (key - base) >> (n->shift & 63), over;

	cell &= below(key, base) - 1;
	over = -below(last, cell);
	opaque(over);
	cell = (cell & ~over) | (last & over);
	return OF(load32)(t, node + 16 + cell * 4);
}

/* The same of keys below 1 << 32. */
static __always_inline __u64 OF(narrow_cell_of)(const void *t, __u64 node, __u64 key)
{
	const struct {
		__u64 base;
		__u32 shift;
		__u32 last;
	} *n = OF(at)(t, node);
	__u64 cell = key - n->base, left;

	cell = (cell & negative(~cell)) >> (n->shift & 63);
	left = n->last - cell;
	cell += left & negative(left);
	return OF(load32)(t, node + 16 + cell * 4);
}

#define LEAF_OF(step)                                                          \
	({                                                                     \
		__u64 leaf = 0;                                                \
		int i;                                                         \
                                                                               \
		for (i = 0; i < INDEX_DEPTH; i++) {                            \
			leaf = step(t, node, key);                             \
			if (!(leaf & INDEX_NODE))                              \
				break;                                         \
			node = (leaf & ~INDEX_NODE) << 3;                      \
		}                                                              \
		leaf;                                                          \
	})

/* Gives the rank of a key below the node. All starts that may lie in the cell
 * are loaded at once; those behind it are above the key. */
static __always_inline __u64 OF(rank_here)(const void *t, __u64 node, __u32 starts, __u64 key)
{
	__u64 rank = LEAF_OF(OF(narrow_cell_of)) & ((1 << INDEX_COUNT_SHIFT) - 1), more = 0;
	const __u32 *before = OF(at4)(t, starts + rank * 4);
	int i;

#pragma unroll
	for (i = 1; i <= INDEX_AHEAD; i++)
		more += less(before[i], key);
	return rank + more;
}

__noinline int OF(rank)(const struct OF(table) *t, __u32 root, __u32 starts, __u32 key)
{
	return t ? OF(rank_here)(t, root, starts, key) : 0;
}

/* The same where starts have 64 bits. */
__noinline int OF(rank_wide)(const struct OF(table) *t, __u32 root, __u32 starts, __u64 key)
{
	__u64 node = root, cell, rank, count, more = 0;
	int i;

	if (!t)
		return 0;
	cell = LEAF_OF(OF(cell_of));
	rank = cell & ((1 << INDEX_COUNT_SHIFT) - 1);
	count = cell >> INDEX_COUNT_SHIFT;
#pragma unroll
	for (i = 4; i; i >>= 1) {
		__u64 probe = more + i;
		__u64 start = OF(load64)(t, starts + (rank + probe) * 8);

		more += i & -((below(key, start) | less(count, probe)) ^ 1);
	}
	return rank + more;
}

#undef LEAF_OF

static __always_inline __u32 OF(rank_of)(const void *t, const struct table_index *index, __u32 key)
{
	return OF(rank)(t, index->root, index->starts, key);
}

static __always_inline __u32 OF(rank_of_ipv6)(const void *t, const struct table_end *e, __u64 key, __u64 under)
{
	__u64 half = (__u32)OF(rank_wide)(t, e->ipv6.root, e->ipv6.starts, key);
	__u32 rank = OF(load32)(t, e->halves + half * 8), node = OF(load32)(t, e->halves + half * 8 + 4);

	if (node)
		rank = e->first6 + OF(rank_wide)(t, node, e->lows, under);
	return rank;
}

/* Gives the rank of an IPv4 address in the cell, which is a leaf. All that may
 * be asked is loaded at once. */
static __always_inline __u64 OF(rank_in)(const void *t, const struct table_end *e, __u64 cell, __u64 key)
{
	__u64 rank = cell & ((1 << INDEX_COUNT_SHIFT) - 1), more = 0;
	const struct table_rank *r = OF(at)(t, e->ranks + rank * sizeof(*r));
	int i;

#pragma unroll
	for (i = 1; i <= INDEX_AHEAD; i++)
		more += less(r[i].before, key);
	return rank + more;
}

/* Gives the shapes that have an entry for the rank of an address. */
static __always_inline __u64 OF(shapes_of)(const void *t, const struct table_end *e, __u64 rank)
{
	const struct table_rank *r = OF(at)(t, e->ranks + rank * sizeof(*r));

	return OF(load64)(t, e->sets + (__u64)r->set * 8);
}

/* Fills in the ranks of both ends and gives their shapes. It takes both indexes
 * at once, so that the processor waits for the memory of both at the same time;
 * a leaf that is asked again stays the same. */
static __always_inline void OF(locate_here)(const void *t, struct walk *w)
{
	const struct table_header *h = t;
	__u64 source = w->place.key[KEY_SOURCE_LOW], destination = w->place.key[KEY_DESTINATION_LOW];
	__u64 a = h->source.ipv4, b = h->destination.ipv4, x = 0, y = 0;
	int i;

	for (i = 0; i < INDEX_DEPTH; i++) {
		x = OF(narrow_cell_of)(t, a, source);
		y = OF(narrow_cell_of)(t, b, destination);
		if (!((x | y) & INDEX_NODE))
			break;
		a = below_cell(x, a);
		b = below_cell(y, b);
	}
	a = OF(rank_in)(t, &h->source, x, source);
	b = OF(rank_in)(t, &h->destination, y, destination);
	w->place.values[VALUE_SOURCE] = a;
	w->place.values[VALUE_DESTINATION] = b;
	w->ends[0] = OF(shapes_of)(t, &h->source, a);
	w->ends[1] = OF(shapes_of)(t, &h->destination, b);
}

__noinline int OF(locate_ipv4)(const struct OF(table) *t, struct walk *w)
{
	if (t && w)
		OF(locate_here)(t, w);
	return 0;
}

/* The same of one end that is IPv6. */
static __always_inline void OF(locate_ipv6)(struct search *s, const struct table_end *e, int end)
{
	const __u64 *key = &s->walk->place.key[2 * end];
	__u64 rank = OF(rank_of_ipv6)(s->table, e, key[0], key[1]);

	s->walk->place.values[VALUE_SOURCE + end] = rank;
	s->walk->ends[end] = OF(shapes_of)(s->table, e, rank);
}

/* class_of fills in the class of one end's identity and gives its shapes. */
static __always_inline __u64 OF(class_of)(struct search *s, const struct table_end *e, __u32 identity, int end)
{
	__u64 rank = OF(rank_of)(s->table, &e->identity, identity);
	__u64 class = OF(load32)(s->table, e->classes + rank * 4);

	s->walk->place.values[VALUE_SOURCE_CLASS + end] = class;
	s->walk->place.key[KEY_CLASSES] |= class << (32 * end);
	return OF(load64)(s->table, e->identity_shapes + class * 8);
}

/* Gives the shapes for what lies behind the addresses. */
static __always_inline __u64 OF(locate_l4)(struct search *s, const struct packet *p)
{
	const struct table_header *h = s->table;
	const __u32 *v = s->walk->place.values;
	__u64 shapes;

	if (p->fragment == FRAGMENT_LATER)
		return OF(load64)(s->table, h->later + p->protocol * 8);
	shapes = OF(load64)(s->table, h->protocol + p->protocol * 8);
	shapes &= OF(load64)(s->table, h->sport_shapes + 8 * OF(rank_of)(s->table, &h->sport, v[VALUE_SPORT]));
	return shapes & OF(load64)(s->table, h->dport_shapes + 8 * OF(rank_of)(s->table, &h->dport, v[VALUE_DPORT]));
}

/* Whether the key lies in the set. */
static __always_inline bool OF(in_set)(const void *t, __u32 set, __u32 key)
{
	__u64 count, width, n = 0, first = set + 8, last;
	int i;

	count = OF(load32)(t, set);
	width = OF(load32)(t, set + 4);
	last = first + count * 4;
	for (i = 0; i < SET_STEPS; i++) {
		__u64 probe = n + width, take;

		if (!width)
			break;
		take = (less(key, OF(load32)(t, first + probe * 4)) ^ 1) & less(probe, count);
		n += width & -take;
		width >>= 1;
	}
	return OF(load32)(t, first + n * 4) <= key && key <= OF(load32)(t, last + n * 4);
}

/* Whether an end is in its set of ranks or in that of classes. */
static __always_inline bool OF(in_either)(const void *t, __u32 ranks, __u32 rank, __u32 classes, __u32 class)
{
	if (!(ranks | classes))
		return true;
	if (ranks && OF(in_set)(t, ranks, rank))
		return true;
	return classes && OF(in_set)(t, classes, class);
}

static __always_inline bool OF(sets_hold)(const void *t, const struct place *at, const struct table_residue *r)
{
	__u32 sport = at->l4 & r->sport_set, dport = at->l4 & r->dport_set;
	const __u32 *v = at->values;

	if (!OF(in_either)(t, r->source_set, v[VALUE_SOURCE], r->source_classes, v[VALUE_SOURCE_CLASS]))
		return false;
	if (!OF(in_either)(t, r->destination_set, v[VALUE_DESTINATION], r->destination_classes, v[VALUE_DESTINATION_CLASS]))
		return false;
	return OF(in_either)(t, sport, v[VALUE_SPORT], 0, 0) && OF(in_either)(t, dport, v[VALUE_DPORT], 0, 0);
}

/* Gives the kinds that the packet is of. */
static __always_inline __u64 OF(kinds_of)(const void *t, const struct place *at)
{
	const struct table_header *h = t;
	__u64 protocol = at->values[VALUE_PROTOCOL] * 8, flags = at->values[VALUE_TCP_FLAGS] * 8;

	if (!at->l4)
		return OF(load64)(t, h->kinds + __builtin_offsetof(struct table_kinds, later) + protocol);
	return OF(load64)(t, h->kinds + __builtin_offsetof(struct table_kinds, protocol) + protocol) &
	       OF(load64)(t, h->kinds + __builtin_offsetof(struct table_kinds, tcp_flags) + flags);
}

static __always_inline bool OF(kind_holds)(const void *t, const struct place *at, __u32 offset)
{
	const struct table_kind *k = OF(at)(t, offset);
	__u8 protocol = at->values[VALUE_PROTOCOL];

	if (!at->l4)
		return in_bytes(k->later, protocol);
	return in_bytes(k->protocols, protocol) && in_bytes(k->tcp_flags, at->values[VALUE_TCP_FLAGS]);
}

/* Whether what a rule's bounds cannot say holds as well. */
__noinline int OF(residue)(const struct OF(table) *t, const struct packet *p, const struct place *at, __u32 offset, __u8 action)
{
	const struct table_residue *r;
	__u64 wrong = 0;
	int i;

	if (!t || !p || !at)
		return 0;
	r = OF(at)(t, offset);
	if (r->flags & RESIDUE_MASK) {
#pragma unroll
		for (i = 0; i < 4; i++)
			wrong |= (at->key[i] ^ r->value[i]) & r->mask[i];
	}
	if (r->flags & RESIDUE_BYTES)
		wrong |= !in_bytes(r->traffic_class, p->tos) || !in_bytes(r->hop_limit, p->hop_limit);
	if (wrong || !window_holds(p, r->window, action))
		return 0;
	if (r->flags & RESIDUE_KIND && !OF(kind_holds)(t, at, r->kind))
		return 0;
	if (r->evaluate && !(p->reflected >> (r->evaluate & 63) & 1))
		return 0;
	return !(r->flags & RESIDUE_SETS) || OF(sets_hold)(t, at, r);
}

/* 1 where the packet is within the rule's bounds, else 0. */
static __always_inline __u64 OF(within)(const void *t, const struct place *at, const struct table_rule *r)
{
	__u64 source = at->values[VALUE_SOURCE], destination = at->values[VALUE_DESTINATION];
	__u64 sport = at->values[VALUE_SPORT], dport = at->values[VALUE_DPORT];
	__u64 wrong, l4;

	wrong = (source - r->source_first) | (r->source_last - source) |
		(destination - r->destination_first) | (r->destination_last - destination);
	l4 = (sport - r->sport_first) | (r->sport_last - sport) | (dport - r->dport_first) | (r->dport_last - dport);
	wrong = (wrong >> 63) | (l4 >> 63 & at->l4);
	wrong = ~wrong & at->kinds >> (r->what >> RULE_KIND_SHIFT & 63) & 1;
	opaque(wrong);
	return wrong;
}

static __always_inline const struct table_rule *OF(rule_of)(const void *t, __u64 number)
{
	const struct table_header *h = t;

	return OF(at)(t, h->rules + number * sizeof(struct table_rule));
}

static __always_inline const struct table_more *OF(more_of)(const void *t, __u64 number)
{
	const struct table_header *h = t;

	return OF(at4)(t, h->more + number * sizeof(struct table_more));
}

/* Whether the rule counts and the packet is within its bounds. */
static __always_inline __u64 OF(bounds)(const struct search *s, __u64 number)
{
	return OF(within)(s->table, &s->walk->place, OF(rule_of)(s->table, number)) & (less(number, s->walk->from) ^ 1);
}

/* take_rule reports whether the packet, which is within the bounds of the rule,
 * matches it; the rule is then the best. */
static __always_inline bool OF(take_rule)(struct search *s, __u64 number)
{
	__u32 what = OF(rule_of)(s->table, number)->what, residue;

	if (what & RECORD_MORE << RULE_FLAGS_SHIFT) {
		residue = OF(more_of)(s->table, number)->residue;
		if (residue && !OF(residue)(s->table, s->packet, &s->walk->place, residue, what & 3))
			return false;
	}
	s->walk->best = number;
	return true;
}

/* Gives what the rule says. */
static __always_inline void OF(tell)(const void *t, __u64 number, struct table_record *found)
{
	const struct table_rule *r = OF(rule_of)(t, number);
	const struct table_more *more;
	__u32 what = r->what;

	found->counter = r->counter;
	found->action = what & 3;
	found->flags = what >> RULE_FLAGS_SHIFT & (RECORD_MORE * 2 - 1);
	if (found->flags & RECORD_MORE) {
		more = OF(more_of)(t, number);
		found->next = more->next;
		found->residue = more->residue;
		found->policer = more->policer;
	}
}

/* Ends a round. */
static __always_inline long OF(end)(struct search *s)
{
	struct walk *w = s->walk;

	if (w->best != ~0U)
		OF(tell)(s->table, w->best, &w->found);
	/* Either way of a "go on at" whose hour is not known may be the wide one. */
	if (w->found.flags & RECORD_TIMED && w->found.action == ACTION_NEXT && !s->packet->timed)
		w->found.action = ACTION_DENY;
	return finish(w);
}

static __always_inline __u64 OF(mix)(const struct table_header *h, __u64 hash)
{
	return (hash ^ hash >> 32) * h->factors[0];
}

/* Gives what the slot of a hash refers to, if it is the packet's and present,
 * which is all bits or none: the slot's memory is left alone then. */
static __always_inline __u64 OF(slot)(const struct table_header *h, __u32 slots, __u64 hash, __u64 present)
{
	const struct table_slot *slot = OF(at)(h, (slots + (hash >> (h->slot_shift & 63)) * sizeof(*slot)) & present);
	__u64 other = -(__u64)slot->check & -(__u64)(slot->check ^ (__u32)hash);

	return slot->ref & ~negative(other) & present;
}

/* Looks the packet up in a shape; 0 where nothing is. */
static __always_inline __u32 OF(entry)(const struct search *s, const struct table_shape *shape)
{
	const struct table_header *h = s->table;
	__u64 hash = shape->salt;
	int i;

#pragma unroll
	for (i = 0; i < TABLE_WORDS; i++)
		hash += (s->walk->place.key[i] & shape->mask[i]) * h->factors[i];
	return OF(slot)(h, shape->slots, OF(mix)(h, hash), ~0ULL);
}

/* Gives a lookup of the packet's protocol. */
static __always_inline const struct table_lookup *OF(lookup)(const void *t, const struct walk *w, __u64 number)
{
	return OF(at)(t, w->lookups + number * sizeof(struct table_lookup));
}

/* Looks the packet up in the next shape; 0 where nothing is. */
static __always_inline __u32 OF(probe)(struct search *s)
{
	const struct table_header *h = s->table;
	__u64 number = lowest(s->walk->shapes);
	const struct table_shape *shape;
	__u32 first;

	s->walk->shapes &= s->walk->shapes - 1;
	if (h->flags & TABLE_SHORT)
		return number << 2 | REF_RULE;
	shape = OF(at)(s->table, h->shapes + number * sizeof(*shape));
	first = h->flags & TABLE_DIRECT ? OF(lookup)(s->table, s->walk, number)->first : shape->first;
	if (!less(first, s->walk->best)) {
		s->walk->shapes = 0;
		return 0;
	}
	return h->flags & TABLE_DIRECT ? s->walk->refs[number & (DIRECT_SHAPES - 1)] : OF(entry)(s, shape);
}

/* Gives the child of the node that the packet belongs to. */
static __always_inline __u32 OF(child_of)(const void *t, const struct place *at, __u64 node)
{
	const struct table_node *n = OF(at)(t, node);
	__u64 value = at->values[n->value & (TABLE_VALUES - 1)], child = 0;
	int i;

#pragma unroll
	for (i = 0; i < NODE_CUTS; i++)
		child += less(value, n->cuts[i]) ^ 1;
	return OF(load32)(t, node + __builtin_offsetof(struct table_node, children) + child * 4);
}

/* Enters a list at the first rule that counts. */
static __always_inline void OF(enter_list)(struct search *s, __u64 list)
{
	__u64 count, width, n = 0;
	int i;

	s->walk->list = (list & ~3ULL) + 8;
	if (!s->walk->from)
		return;
	count = OF(load32)(s->table, list);
	width = OF(load32)(s->table, list + 4);
	for (i = 0; i < SET_STEPS; i++) {
		__u64 probe = n + width, number;

		if (!width)
			break;
		/* The rule before the probe is below: begin at the probe, or behind. */
		number = OF(load32)(s->table, list + 8 + (probe - 1) * 4) & (LIST_LAST - 1);
		n += width & -(less(number, s->walk->from) & less(probe, count));
		width >>= 1;
	}
	s->walk->list += n * 4;
}

/* Leaves the list's next rule behind, whose bounds the packet is within or not;
 * returns whether the list ends with it. Rules stand in order. */
static __always_inline bool OF(pass_rule)(struct search *s, __u64 within)
{
	__u32 entry = OF(load32)(s->table, s->walk->list);
	__u64 number = entry & (LIST_LAST - 1);

	s->walk->list += 4;
	return !less(number, s->walk->best) || (within && OF(take_rule)(s, number)) || entry & LIST_LAST;
}

/* Takes the list's next two rules. The bounds of both are looked at before
 * anything depends on either, so that the processor waits for the memory of
 * both at the same time; what stands behind the last rule is not asked. */
static __always_inline void OF(try_list)(struct search *s)
{
	__u64 within = OF(bounds)(s, OF(load32)(s->table, s->walk->list) & (LIST_LAST - 1));

	within |= OF(bounds)(s, OF(load32)(s->table, s->walk->list + 4) & (LIST_LAST - 1)) << 1;
	opaque(within);
	if (OF(pass_rule)(s, within & 1) || OF(pass_rule)(s, within & 2))
		s->walk->list = 0;
}

/* One step of the walk, for bpf_loop: visits a shape, descends by a node, and
 * tries rules. Returns 1 at the end. */
static __always_inline long OF(step)(struct search *s)
{
	__u32 ref = s->walk->ref;

	if (s->walk->list) {
		OF(try_list)(s);
		return 0;
	}
	if (!ref) {
		if (!s->walk->shapes)
			return OF(end)(s);
		ref = OF(probe)(s);
	}
	if ((ref & 3) == REF_NODE)
		ref = OF(child_of)(s->table, &s->walk->place, ref);
	s->walk->ref = (ref & 3) == REF_NODE ? ref : 0;
	if ((ref & 3) == REF_RULE && less(ref >> 2, s->walk->best)) {
		const struct table_header *h = s->table;

		if (OF(bounds)(s, ref >> 2) && OF(take_rule)(s, ref >> 2) && h->flags & TABLE_SHORT)
			return OF(end)(s);
	}
	if ((ref & 3) == REF_LIST) {
		OF(enter_list)(s, ref);
		OF(try_list)(s);
	}
	return 0;
}

/* Finds the shapes that may have an entry for the packet. */
static __always_inline void OF(locate_packet)(struct search *s, const struct packet *p)
{
	const struct table_header *h = s->table;
	__u64 source, destination;

	if (p->family == FAMILY_IPV6) {
		OF(locate_ipv6)(s, &h->source, 0);
		OF(locate_ipv6)(s, &h->destination, 1);
	} else {
		OF(locate_ipv4)(s->table, s->walk);
	}
	source = s->walk->ends[0];
	destination = s->walk->ends[1];
	if (h->flags & TABLE_IDENTITIES) {
		source |= OF(class_of)(s, &h->source, p->source_identity, 0);
		destination |= OF(class_of)(s, &h->destination, p->destination_identity, 1);
	}
	s->walk->possible = source & destination;
	if (s->walk->possible)
		s->walk->possible &= OF(locate_l4)(s, p);
	s->walk->shapes = s->walk->possible;
}


static long OF(callback)(__u32 i, struct search *s)
{
	return OF(step)(s);
}

static __always_inline void OF(tell_reflex)(const void *t, struct walk *w)
{
	const struct table_residue *r = OF(at)(t, w->found.residue);

	w->reflex.evaluate = r->evaluate;
	w->reflex.reflect = r->reflect;
	w->reflex.timeout = r->timeout;
}

/* classify judges as classify.h says. Of a plain table, glance has begun. */
__noinline int OF(classify)(const struct OF(table) *t, struct packet *p, struct walk *w, struct table_record *found)
{
	const struct table_header *h = (const void *)t;
	struct search s = {t, p, w};

	if (!t || !p || !w || !found || h->version != TABLE_VERSION)
		return -1;
	w->ref = w->list = w->done = 0;
	w->from = found->next;
	__builtin_memset(&w->found, 0, sizeof(w->found));
	__builtin_memset(&w->reflex, 0, sizeof(w->reflex));
	if (!(h->flags & TABLE_PLAIN)) {
		if (h->flags & TABLE_IDENTITIES)
			identify(p);
		enter_packet(&w->place, p, p->family == FAMILY_IPV6);
		w->place.kinds = OF(kinds_of)(t, &w->place);
		w->best = ~0U;
		OF(locate_packet)(&s, p);
	}
	if (w->shapes || !OF(end)(&s))
		bpf_loop(MAX_STEPS, OF(callback), &s, 0);
	*found = w->found;
	if (w->found.flags & RECORD_REFLEX)
		OF(tell_reflex)(t, w);
	return w->done ? 0 : -1;
}
