/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/*
 * clock.h tells the time. Idle times, entries and events go by the coarse
 * clock, which stands still for milliseconds, in which small buckets would
 * overflow, so that these and names go by the exact one. Time
 * windows go by the wall clock.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include "maps.h"

/* Set by tests: the packet's tstamp is the time on every clock. It is constant
 * when the programs are loaded, so that the verifier drops the branches. */
const volatile bool clock_in_packet;

#define ASKS 8

/* The coarse clock moves with the kernel's ticks: each CPU asks for it ASKS times
 * in a tick, as the tick is a load and the clock a call. Once is not enough: the
 * kernel moves the tick a moment before the clock, which after an idle time is as
 * far behind. */
static __always_inline __u64 coarse_clock(const struct __sk_buff *skb, struct scratch *s)
{
	__u64 tick = bpf_jiffies64();

	if (s->tick != tick) {
		s->tick = tick;
		s->asked = 0;
	}
	if (clock_in_packet) {
		s->clock = skb->tstamp;
	} else if (s->asked < ASKS) {
		s->asked++;
		s->clock = bpf_ktime_get_coarse_ns();
	}
	return s->clock;
}

static __always_inline __u64 exact_clock(const struct scratch *s)
{
	return clock_in_packet ? s->now : bpf_ktime_get_ns();
}

/* The exact clock where there is no packet at hand. */
static __always_inline __u64 clock_of_names(void)
{
	const struct scratch *s = clock_in_packet ? own_scratch() : 0;

	return s ? s->now : bpf_ktime_get_ns();
}

/* CLOCK_TAI. */
static __always_inline __u64 wall_clock(const struct scratch *s)
{
	return clock_in_packet ? s->now : bpf_ktime_get_tai_ns();
}

#endif
