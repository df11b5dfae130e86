package kube

import (
	"slices"
	"strings"

	"aclium/translate/policy"
)

// The part of cilium.io/v2 that speaks of names and requests.
type (
	ciliumName struct {
		MatchName    string `json:"matchName,omitempty"`
		MatchPattern string `json:"matchPattern,omitempty"`
	}
	ciliumL7 struct {
		HTTP []ciliumRequest `json:"http,omitempty"`
		DNS  []ciliumName    `json:"dns,omitempty"`
	}
	ciliumRequest struct {
		Method  string   `json:"method,omitempty"`
		Path    string   `json:"path,omitempty"`
		Host    string   `json:"host,omitempty"`
		Headers []string `json:"headers,omitempty"`
	}
)

func ciliumNames(patterns []string) (out []ciliumName) {
	for _, p := range patterns {
		if strings.Contains(p, "*") {
			out = append(out, ciliumName{MatchPattern: p})
		} else {
			out = append(out, ciliumName{MatchName: p})
		}
	}
	return out
}

// ciliumHTTP gives the rules on requests; nil when they are not looked at.
func ciliumHTTP(matches []policy.HTTPMatch) *ciliumL7 {
	if matches == nil {
		return nil
	}
	out := &ciliumL7{}
	for _, m := range matches {
		r := ciliumRequest{Method: m.Method, Path: m.Path, Host: m.Host}
		for _, h := range m.Headers {
			r.Headers = append(r.Headers, strings.TrimSuffix(h.Name+": "+h.Value, ": "))
		}
		out.HTTP = append(out.HTTP, r)
	}
	return out
}

// namesPeers reports whether some rule names its peers by the DNS.
func namesPeers(p *policy.Policy) bool {
	return slices.ContainsFunc(p.Rules, func(r policy.Rule) bool { return len(r.Match.Destination.FQDNs) > 0 })
}

// watchDNS lets Cilium's proxy read the answers of the DNS, from which it
// learns the addresses behind names: a rule on port 53 gets a rule on
// questions, which permits all of them.
func watchDNS(rules []ciliumRule) []ciliumRule {
	for i := range rules {
		var out []ciliumPorts
		for _, item := range rules[i].ToPorts {
			dns := slices.DeleteFunc(slices.Clone(item.Ports), func(p ciliumPort) bool { return !isDNS(p) })
			rest := slices.DeleteFunc(slices.Clone(item.Ports), isDNS)
			if item.Rules != nil || len(dns) == 0 {
				out = append(out, item)
				continue
			}
			if len(rest) > 0 {
				out = append(out, ciliumPorts{Ports: rest})
			}
			out = append(out, ciliumPorts{Ports: dns, Rules: &ciliumL7{DNS: []ciliumName{{MatchPattern: "*"}}}})
		}
		rules[i].ToPorts = out
	}
	return rules
}

func isDNS(p ciliumPort) bool {
	return p.Port == "53" && p.EndPort == 0 && (p.Protocol == "UDP" || p.Protocol == "TCP")
}
