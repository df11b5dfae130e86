package enforcer

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"aclium/translate/policy"
)

var (
	lineLabels  = []string{"acl", "seq", "direction", "subject"}
	packetsDesc = prometheus.NewDesc("aclium_line_packets_total", "Packets that a line has decided; sequence 0 is the implicit deny.", lineLabels, nil)
	bytesDesc   = prometheus.NewDesc("aclium_line_bytes_total", "Bytes of the packets that a line has decided.", lineLabels, nil)
	dropsDesc   = prometheus.NewDesc("aclium_dropped_packets_total", "Packets dropped for another reason than a line.", []string{"reason"}, nil)
	podsDesc    = prometheus.NewDesc("aclium_endpoints", "Pods that the agent knows.", nil, nil)
	portsDesc   = prometheus.NewDesc("aclium_ports", "Devices that are filtered.", nil, nil)
	missingDesc = prometheus.NewDesc("aclium_missing_interfaces", "Devices that should be filtered and do not exist.", nil, nil)
	revisesDesc = prometheus.NewDesc("aclium_revision", "Revision of the desired policies.", nil, nil)
	healthyDesc = prometheus.NewDesc("aclium_healthy", "1 when the desired state is enforced.", nil, nil)
	missedDesc  = prometheus.NewDesc("aclium_missed_events_total", "Log events that a slow reader missed.", nil, nil)
)

// metrics shows the agent to Prometheus: counters are read from the kernel
// when somebody asks.
type metrics struct {
	enforcer *Enforcer
	registry *prometheus.Registry
	duration prometheus.Histogram
	results  *prometheus.CounterVec
}

func newMetrics(e *Enforcer) *metrics {
	m := &metrics{
		enforcer: e,
		registry: prometheus.NewRegistry(),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "aclium_apply_duration_seconds", Help: "Time that it took to change the datapath.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 8),
		}),
		results: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "aclium_apply_total", Help: "Changes of the datapath by their result.",
		}, []string{"result"}),
	}
	m.results.WithLabelValues("ok")
	m.results.WithLabelValues("error")
	m.registry.MustRegister(m.duration, m.results, m)
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

func (m *metrics) applied(took time.Duration, err error) {
	result := "ok"
	if err != nil {
		result = "error"
	}
	m.results.WithLabelValues(result).Inc()
	m.duration.Observe(took.Seconds())
}

// Describe sends nothing: which lines there are changes with every push.
func (m *metrics) Describe(chan<- *prometheus.Desc) {}

// Collect reads the agent and the kernel.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	h := m.enforcer.Health()
	healthy := 0.0
	if h.Error == "" {
		healthy = 1
	}
	for desc, value := range map[*prometheus.Desc]float64{
		podsDesc: float64(h.Endpoints), portsDesc: float64(h.Ports), missingDesc: float64(len(h.Missing)),
		revisesDesc: float64(h.Revision), healthyDesc: healthy,
	} {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value)
	}
	out <- prometheus.MustNewConstMetric(missedDesc, prometheus.CounterValue, float64(m.enforcer.events.missed.Load()))
	m.collectLines(out)
	m.collectDrops(out)
}

// collectLines adds up what differs in nothing that a label shows: equal
// sequence numbers of an IPv4 and an IPv6 list of one name.
func (m *metrics) collectLines(out chan<- prometheus.Metric) {
	counters, err := m.enforcer.Counters()
	if err != nil {
		out <- prometheus.NewInvalidMetric(packetsDesc, err)
		return
	}
	type line struct {
		policy.RuleID
		direction policy.Direction
		subject   string
	}
	packets, bytes := map[line]uint64{}, map[line]uint64{}
	for _, c := range counters {
		at := line{c.RuleID, c.Direction, c.Subject}
		packets[at] += c.Packets
		bytes[at] += c.Bytes
	}
	for at, n := range packets {
		labels := []string{at.ACL, strconv.Itoa(int(at.Seq)), at.direction.String(), at.subject}
		out <- prometheus.MustNewConstMetric(packetsDesc, prometheus.CounterValue, float64(n), labels...)
		out <- prometheus.MustNewConstMetric(bytesDesc, prometheus.CounterValue, float64(bytes[at]), labels...)
	}
}

func (m *metrics) collectDrops(out chan<- prometheus.Metric) {
	drops, err := m.enforcer.datapath.Drops()
	if err != nil {
		out <- prometheus.NewInvalidMetric(dropsDesc, err)
		return
	}
	for _, d := range drops {
		out <- prometheus.MustNewConstMetric(dropsDesc, prometheus.CounterValue, float64(d.Packets), d.Reason)
	}
}
