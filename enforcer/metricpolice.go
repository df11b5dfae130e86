package enforcer

import "github.com/prometheus/client_golang/prometheus"

var (
	policedMetric      = counter("aclium_policed_packets_total", "Packets that the police of a class has judged: conformed ones passed, exceeding ones were dropped.", "class", "result")
	policedBytesMetric = counter("aclium_policed_bytes_total", "Bytes of the IP packets that the police of a class has judged.", "class", "result")
)

// A policeKey is what the labels of a policer show.
type policeKey struct{ class, result string }

// collectPolicers adds up policers of one class that differ in their rate.
func (m *metrics) collectPolicers(out chan<- prometheus.Metric) {
	policers, err := m.enforcer.datapath.Policers()
	if err != nil {
		out <- prometheus.NewInvalidMetric(policedMetric.Desc, err)
		return
	}
	packets, bytes := map[policeKey]uint64{}, map[policeKey]uint64{}
	for i := range policers {
		p := &policers[i]
		conformed, exceeded := policeKey{p.Name, "conformed"}, policeKey{p.Name, "exceeded"}
		packets[conformed] += p.ConformedPackets
		bytes[conformed] += p.ConformedBytes
		packets[exceeded] += p.ExceededPackets
		bytes[exceeded] += p.ExceededBytes
	}
	for at, n := range packets {
		policedMetric.put(out, float64(n), at.class, at.result)
		policedBytesMetric.put(out, float64(bytes[at]), at.class, at.result)
	}
}
