package main

import (
	"cmp"
	"slices"
)

// labels say what was measured.
type labels struct {
	Part    string `json:"part"`
	Shape   string `json:"shape,omitempty"`
	Rules   int    `json:"rules,omitempty"`
	Traffic string `json:"traffic,omitempty"`
	// Who is the contestant of a side-by-side measurement.
	Who    string `json:"who,omitempty"`
	Metric string `json:"metric"`
	Unit   string `json:"unit"`
}

// of names the metric.
func (l labels) of(metric string) labels {
	l.Metric = metric
	return l
}

// A row is a measured value: the median of all rounds, and how they spread.
type row struct {
	labels
	Median  float64 `json:"median"`
	Least   float64 `json:"least"`
	Most    float64 `json:"most"`
	Samples int     `json:"samples"`
}

// results collect the samples in the order in which they first came.
type results struct {
	order   []labels
	samples map[labels][]float64
}

func (r *results) add(l labels, v float64) {
	if r.samples == nil {
		r.samples = map[labels][]float64{}
	}
	if _, known := r.samples[l]; !known {
		r.order = append(r.order, l)
	}
	r.samples[l] = append(r.samples[l], v)
}

// median gives a value; 0 for none.
func (r *results) median(l labels) float64 { return median(r.samples[l]) }

func median(samples []float64) float64 {
	if len(samples) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(samples))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

func (r *results) rows() []row {
	out := []row{}
	for _, l := range r.order {
		s := r.samples[l]
		out = append(out, row{l, median(s), slices.Min(s), slices.Max(s), len(s)})
	}
	return out
}

// firstOf gives the first error.
func firstOf(errs ...error) error { return cmp.Or(errs...) }
