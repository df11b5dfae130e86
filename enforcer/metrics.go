package enforcer

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"aclium/translate/policy"
)

// DefaultLineMetrics is how many lines have time series of their own when
// nobody says otherwise.
const DefaultLineMetrics = 10000

// A family is a metric that is read when somebody asks.
type family struct {
	*prometheus.Desc
	kind prometheus.ValueType
}

func gauge(name, help string, labels ...string) family {
	return family{prometheus.NewDesc(name, help, labels, nil), prometheus.GaugeValue}
}

func counter(name, help string, labels ...string) family {
	return family{prometheus.NewDesc(name, help, labels, nil), prometheus.CounterValue}
}

func (f family) put(out chan<- prometheus.Metric, value float64, labels ...string) {
	out <- prometheus.MustNewConstMetric(f.Desc, f.kind, value, labels...)
}

var (
	packetsMetric   = counter("aclium_line_packets_total", "Packets that a line has decided; sequence 0 is the implicit deny, \"all\" the lines beyond the limit.", "acl", "seq", "action", "direction", "subject")
	bytesMetric     = counter("aclium_line_bytes_total", "Bytes of the IP packets that a line has decided.", "acl", "seq", "action", "direction", "subject")
	mergedMetric    = gauge("aclium_lines_without_series", "Lines that are counted in series \"all\" of their list, because there are more than --line-metrics.")
	dropsMetric     = counter("aclium_dropped_packets_total", "Packets dropped for another reason than a line.", "reason")
	dropBytesMetric = counter("aclium_dropped_bytes_total", "Bytes of the packets dropped for another reason than a line.", "reason")

	healthyMetric  = gauge("aclium_healthy", "1 when the desired state is enforced, and nothing of the change to it is left to do.")
	auditMetric    = gauge("aclium_audit", "1 when nothing is dropped and what would be is only counted.")
	revisionMetric = gauge("aclium_revision", "Revision of the desired policies.")
	appliedMetric  = gauge("aclium_last_apply_timestamp_seconds", "Time of the last change of the datapath that succeeded, Unix time; 0 is never.")
	podsMetric     = gauge("aclium_endpoints", "Pods that the agent knows.")
	portsMetric    = gauge("aclium_ports", "Devices that are filtered.")
	aheadMetric    = gauge("aclium_programs_ahead", "Programs of others that see packets before the lists do, and may pass them unseen.")
	missingMetric  = gauge("aclium_missing_interfaces", "Devices that should be filtered and do not exist.")

	messagesMetric = counter("aclium_log_messages_total", "Messages about packets of lines with log.")
	slowMetric     = counter("aclium_log_reader_missed_messages_total", "Messages that a slow reader of the events missed.")
	lostMetric     = counter("aclium_log_missed_packets_total", "Packets of lines with log that no message tells.")
	flowsMetric    = gauge("aclium_log_flows", "Flows of lines with log that wait for their next message.")
	flowMaxMetric  = gauge("aclium_log_flows_limit", "Flows of lines with log that fit.")

	connMetric    = gauge("aclium_connections", "Connections that are tracked.")
	connMaxMetric = gauge("aclium_connections_limit", "Connections that fit; beyond that the least recently used one goes.")
	linesMetric   = gauge("aclium_counters", "Counters of lines that are taken.")
	lineMaxMetric = gauge("aclium_counters_limit", "Counters of lines that fit.")
	tablesMetric  = gauge("aclium_tables", "Compiled lists in force.")
	idsMetric     = gauge("aclium_identities", "Label sets and entities that tables tell apart.")
	addrMetric    = gauge("aclium_addresses", "Prefixes that have an identity.")
	genMetric     = gauge("aclium_generation", "Number of the state that packets are judged by; it grows with every change.")
	memoryMetric  = gauge("aclium_kernel_memory_bytes", "Memory of the kernel for tables, counters, connections and everything else.", "kind")
)

// metrics shows the agent to Prometheus: counters are read from the kernel
// when somebody asks.
type metrics struct {
	enforcer  *Enforcer
	registry  *prometheus.Registry
	duration  prometheus.Histogram
	results   *prometheus.CounterVec
	last      atomic.Int64 // Unix time of the last success in nanoseconds; 0 is never
	lineLimit int
}

func newMetrics(e *Enforcer) *metrics {
	m := &metrics{
		enforcer: e, lineLimit: DefaultLineMetrics,
		registry: prometheus.NewRegistry(),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "aclium_apply_duration_seconds", Help: "Time that it took to change the datapath.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 8),
		}),
		results: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "aclium_apply_total", Help: "Changes of the datapath by their result: ok, error, or unfinished, which are in force and left something undone at first.",
		}, []string{"result"}),
	}
	m.results.WithLabelValues("ok")
	m.results.WithLabelValues("error")
	m.results.WithLabelValues("unfinished")
	m.registry.MustRegister(m.duration, m.results, m,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// build shows which program this is.
func (m *metrics) build(version string) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "aclium_build_info", Help: "1, with the version of this program.", ConstLabels: prometheus.Labels{"version": version},
	}, func() float64 { return 1 }))
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

func (m *metrics) applied(took time.Duration, err error) {
	result := "ok"
	if err != nil && !isUnfinished(err) {
		result = "error"
	} else {
		m.last.Store(time.Now().UnixNano())
	}
	m.results.WithLabelValues(result).Inc()
	m.duration.Observe(took.Seconds())
}

// Describe sends nothing: which lines there are changes with every push.
func (m *metrics) Describe(chan<- *prometheus.Desc) {}

// Collect reads the agent and the kernel.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	h := m.enforcer.Health()
	healthyMetric.put(out, number(h.Error == "" && h.Unfinished == ""))
	auditMetric.put(out, number(h.Audit))
	revisionMetric.put(out, float64(h.Revision))
	appliedMetric.put(out, float64(m.last.Load())/1e9)
	podsMetric.put(out, float64(h.Endpoints))
	portsMetric.put(out, float64(h.Ports))
	missingMetric.put(out, float64(len(h.Missing)))
	aheadMetric.put(out, float64(len(h.Ahead)))
	messagesMetric.put(out, float64(m.enforcer.events.passed.Load()))
	slowMetric.put(out, float64(m.enforcer.events.missed.Load()))
	m.collectLines(out)
	m.collectDrops(out)
	m.collectPolicers(out)
	m.collectNames(out)
	m.collectUse(out)
}

func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// lineKey is what the labels of a line show.
type lineKey struct {
	acl, seq, action, direction, subject string
}

// collectLines adds up what differs in nothing that a label shows: equal
// sequence numbers of an IPv4 and an IPv6 list of one name. Lines beyond the
// limit are added up by list, so that nothing is left out of a sum.
func (m *metrics) collectLines(out chan<- prometheus.Metric) {
	counters, err := m.enforcer.Counters()
	if err != nil {
		out <- prometheus.NewInvalidMetric(packetsMetric.Desc, err)
		return
	}
	sums, merged := map[lineKey]*policy.Counter{}, 0
	for i := range counters {
		c := &counters[i]
		at := lineKey{c.ACL, strconv.Itoa(int(c.Seq)), actionLabel(c.Action), c.Direction.String(), c.Subject}
		if _, known := sums[at]; !known && len(sums) >= m.lineLimit {
			at.seq = "all"
			merged++
		}
		if sums[at] == nil {
			sums[at] = &policy.Counter{}
		}
		sums[at].Packets += c.Packets
		sums[at].Bytes += c.Bytes
	}
	for at, sum := range sums {
		packetsMetric.put(out, float64(sum.Packets), at.acl, at.seq, at.action, at.direction, at.subject)
		bytesMetric.put(out, float64(sum.Bytes), at.acl, at.seq, at.action, at.direction, at.subject)
	}
	mergedMetric.put(out, float64(merged))
}

func actionLabel(a policy.Action) string {
	if a == 0 {
		return ""
	}
	return a.String()
}

func (m *metrics) collectDrops(out chan<- prometheus.Metric) {
	drops, err := m.enforcer.datapath.Drops()
	if err != nil {
		out <- prometheus.NewInvalidMetric(dropsMetric.Desc, err)
		return
	}
	for _, d := range drops {
		dropsMetric.put(out, float64(d.Packets), d.Reason)
		dropBytesMetric.put(out, float64(d.Bytes), d.Reason)
	}
}

func (m *metrics) collectUse(out chan<- prometheus.Metric) {
	u, err := m.enforcer.datapath.Use()
	if err != nil {
		out <- prometheus.NewInvalidMetric(connMetric.Desc, err)
		return
	}
	for _, v := range []struct {
		family
		value float64
	}{
		{lostMetric, float64(u.Log.Missed + m.enforcer.events.untold.Load())}, {flowsMetric, float64(u.Log.Flows)}, {flowMaxMetric, float64(u.Log.Limit)},
		{connMetric, float64(u.Connections)}, {connMaxMetric, float64(u.ConnectionLimit)},
		{linesMetric, float64(u.Lines)}, {lineMaxMetric, float64(u.LineLimit)},
		{tablesMetric, float64(u.Tables)}, {idsMetric, float64(u.Identities)}, {addrMetric, float64(u.Addresses)},
		{genMetric, float64(u.Generation)},
	} {
		v.put(out, v.value)
	}
	for kind, bytes := range u.Memory {
		memoryMetric.put(out, float64(bytes), kind)
	}
}
