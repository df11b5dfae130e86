//go:build ignore

// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0
/*
 * The filter of one device: tc_ingress sees what the device receives,
 * tc_egress what it is about to send. Both attach as TCX programs and as
 * direct-action filters of clsact.
 *
 * Maps (aclium.h says what is in them):
 *
 *   generation_map     which half of hook_map is live, and the push's number
 *   hook_map           device and attach point -> the lists to ask
 *   table_*_map        the lists, compiled (table.h), by size class
 *   address_map        address -> identity, and the device of a local pod
 *   ipcache_map        the same of prefixes; settings_map whether there are any
 *   service_map        ports of services, and backend_map what is behind them
 *   window_map         which time windows are open when
 *   reflexive_map      the names of reflexive lists
 *   entry_map          entries of reflexive lists (reflect.h)
 *   conn_map           connections of pod ports
 *   fragment_map       datagrams whose first fragment was permitted
 *   counter_map        packets and bytes of each line, and whose they are
 *   drop_map           packets that no line decided
 *   policer_map        token buckets of the classes with "police"
 *   name_map           addresses of the world that have names (name.h)
 *   dns_map            messages of the DNS, for user space (dns.h)
 *   event_map          messages about packets of lines with "log"
 *   event_budget_map   how many more of them packets may write in this second
 *   log_*_map          flows of such lines, and what no message tells (log.h)
 *   scratch_map        working memory
 *   flow_map           verdicts of stateless hooks, and flow_tag_map their tags
 *
 * A packet's path:
 *
 *   hook of the device? ----- no ------------------------> pass
 *     | yes
 *   parse: malformed -> drop; ARP -> pass; other non-IP: pod drop, node pass
 *     |
 *     +-- node (stateless):  same flow (flow.h) ---------> as before
 *     |     lists in series -----------------------------> permit or drop
 *     |
 *     +-- pod (conn.h):  neighbour discovery ------------> permit
 *           source not the pod's own --------------------> drop
 *           later fragment ------------------------------> as its first
 *           connection, reply, related ICMP error -------> permit
 *           lists in series, node to its own pod --------> permit, remember; or drop
 *
 * What passes so far and is under the rate of a class takes from its bucket
 * (police.h), in either direction of its connection; too little there -> drop.
 *
 * In audit mode what would be dropped is counted as such and passes.
 * Permitted packets go on to other programs on the device (TCX_NEXT, which
 * is TC_ACT_UNSPEC), so that none hides the others.
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include "clock.h"
#include "conn.h"
#include "dns.h"
#include "flow.h"
#include "hour.h"
#include "police.h"
#include "slots.h"
#include "use.h"

char __license[] SEC("license") = "GPL";

enum { PERMIT = TC_ACT_UNSPEC, DROP = TC_ACT_SHOT };

/* Types that only user space names. */
const struct table_header *unused_header __attribute__((unused));
const struct table_residue *unused_residue __attribute__((unused));
const struct table_kind *unused_kind __attribute__((unused));
const struct table_kinds *unused_kinds __attribute__((unused));
const struct table_node *unused_node __attribute__((unused));
const struct table_set *unused_set __attribute__((unused));
const struct table_rank *unused_rank __attribute__((unused));
const struct table_rule *unused_rule __attribute__((unused));
const struct table_more *unused_more __attribute__((unused));
const struct table_record *unused_record __attribute__((unused));
const struct table_shape *unused_shape __attribute__((unused));
const struct table_lookup *unused_lookup __attribute__((unused));
const struct table_slot *unused_slot __attribute__((unused));
const enum ref_kind *unused_ref_kind __attribute__((unused));
const enum node_value *unused_node_value __attribute__((unused));
const enum residue_flags *unused_residue_flags __attribute__((unused));
const enum key_word *unused_key_word __attribute__((unused));
const enum table_const *unused_const __attribute__((unused));
const enum table_class *unused_class __attribute__((unused));
const enum hook_flags *unused_hook_flags __attribute__((unused));
const enum identity *unused_identity __attribute__((unused));
const enum drop_reason *unused_drop_reason __attribute__((unused));
const enum attach_point *unused_attach_point __attribute__((unused));
const enum direction *unused_direction __attribute__((unused));
const enum reflexive_const *unused_reflexive_const __attribute__((unused));
const enum entry_end *unused_entry_end __attribute__((unused));
const enum conn_flags *unused_conn_flags __attribute__((unused));
const enum counter_const *unused_counter_const __attribute__((unused));
const struct counter_name *unused_counter_name __attribute__((unused));
const struct counter_chunk *unused_counter_chunk __attribute__((unused));
const struct policer *unused_policer __attribute__((unused));
const struct dns_message *unused_dns_message __attribute__((unused));
const struct event *unused_event __attribute__((unused));
const enum event_kind *unused_event_kind __attribute__((unused));

/* Gives the verdict on what is not whole IP: 1 permits. The length is the
 * frame's. */
static __always_inline int judge_odd(struct __sk_buff *skb, struct scratch *s, int parsed)
{
	bool pod = s->flags & HOOK_POD;

	s->packet.segments = 1;
	s->packet.bytes = skb->len;
	if (parsed == PARSED_ARP || (parsed == PARSED_NON_IP && !pod))
		return 1;
	if (!pod && s->packet.family && !(s->families & s->packet.family))
		return 1;
	count_drop(parsed == PARSED_NON_IP ? DROP_NON_IP : DROP_MALFORMED, s);
	return 0;
}

/* What a permitted packet still has to pass, and who hears of it. */
static __always_inline int let_pass(struct __sk_buff *skb, struct scratch *s)
{
	if (s->policed && !conforms(s))
		return 0;
	if (s->flags & HOOK_NAMES)
		copy_dns(skb, s);
	return 1;
}

/* Judges what a pod sends or receives: 1 permits. */
static __always_inline int filter_pod(struct __sk_buff *skb, struct scratch *s, const struct port *port)
{
	int parsed = read_apart(skb, &s->packet, !(s->flags & HOOK_NO_ETHERNET));

	if (parsed != PARSED_IP)
		return judge_odd(skb, s, parsed);
	tell_hour(s);
	s->packet.local = s->direction == DIRECTION_INGRESS && !skb->ingress_ifindex;
	s->packet.names = names_of(s);
	return judge_pod(skb, s, port) && let_pass(skb, s);
}

/* The same of a node's own interface. A function of its own, so that its stack
 * does not add to that of pods; what it does for most packets is inside it, as
 * a call takes as long as thirty instructions where the kernel guards returns
 * against speculation. */
__noinline int filter_node(struct __sk_buff *skb, struct port *port)
{
	struct scratch *s = own_scratch();
	int parsed;

	if (!s || !port)
		return 0;
	parsed = read_packet(skb, &s->packet, !(s->flags & HOOK_NO_ETHERNET));
	if (parsed != PARSED_IP)
		return judge_odd(skb, s, parsed);
	tell_hour(s);
	return judge_node(s, port) && let_pass(skb, s);
}

static __always_inline int run(struct __sk_buff *skb, __u32 point)
{
	__u32 zero = 0;
	struct scratch *s = own_scratch();
	__u64 *generation = bpf_map_lookup_elem(&generation_map, &zero);
	struct port *port;

	if (!s || !generation)
		return DROP; /* cannot be: both are arrays */
	s->generation = *(volatile __u64 *)generation;
	s->ifindex = skb->ifindex;
	s->point = point;
	port = port_of(s);
	s->flags = port->hook.flags;
	s->families = port->hook.families;
	if (s->flags & NO_HOOK)
		return PERMIT;
	/* Attach points have the directions' values. */
	s->direction = s->flags & HOOK_POD ? opposite(point) : point;
	s->now = coarse_clock(skb, s);
	s->policed = 0;
	if (s->flags & HOOK_POD ? filter_pod(skb, s, port) : filter_node(skb, port))
		return PERMIT;
	if (!(s->flags & HOOK_AUDIT))
		return DROP;
	count_drop(DROP_AUDIT, s);
	return PERMIT;
}

SEC("tc")
int tc_ingress(struct __sk_buff *skb)
{
	return run(skb, ATTACH_TC_INGRESS);
}

SEC("tc")
int tc_egress(struct __sk_buff *skb)
{
	return run(skb, ATTACH_TC_EGRESS);
}
