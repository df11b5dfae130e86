package enforcer

import "github.com/prometheus/client_golang/prometheus"

var (
	namedMetric   = gauge("aclium_named_addresses", "Addresses of the world that are known by a name of some fqdn line.")
	answersMetric = counter("aclium_name_answers_total", "What DNS answers came to: addresses learned, addresses refused for lack of room, answers to no question, answers that came from a pod which is not the server, messages that make no sense.", "result")
	unheardMetric = counter("aclium_lost_name_messages_total", "DNS messages that were not copied to the agent, or whose question was pushed out by others.")
)

// collectNames tells what is known by names, and what was not learned.
func (m *metrics) collectNames(out chan<- prometheus.Metric) {
	n := m.enforcer.names
	n.mu.Lock()
	tally, forgotten := n.tally, n.asked.Forgotten
	addresses, _ := n.cache.Len()
	n.mu.Unlock()
	namedMetric.put(out, float64(addresses))
	for result, count := range map[string]uint64{
		"learned": tally.learned, "refused": tally.refused, "unasked": tally.unasked, "misplaced": tally.misplaced, "unreadable": tally.unreadable,
	} {
		answersMetric.put(out, float64(count), result)
	}
	lost, err := m.enforcer.datapath.LostMessages()
	if err != nil {
		out <- prometheus.NewInvalidMetric(unheardMetric.Desc, err)
		return
	}
	unheardMetric.put(out, float64(lost+forgotten))
}
