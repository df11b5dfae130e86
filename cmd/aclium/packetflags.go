package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"aclium/grammar"
	"aclium/translate/inventory"
	"aclium/translate/policy"
	"aclium/translate/trace"
)

// An endFlag says who one end of a packet is.
type endFlag struct {
	side             string
	workload, entity string
	labels           []string
}

// add puts --source-workload and the like on a command.
func (e *endFlag) add(c *cobra.Command, side string) {
	e.side = side
	f := c.Flags()
	f.StringVar(&e.workload, side+"-workload", "", "workload of the inventory that the "+side+" is a pod of")
	f.StringVar(&e.entity, side+"-entity", "", "what the "+side+" is: "+strings.Join(entityWords, ", "))
	f.StringArrayVar(&e.labels, side+"-label", nil, "label of the "+side+", a pod: KEY=VALUE, or namespace=NAME; may be given more than once")
	_ = c.RegisterFlagCompletionFunc(side+"-entity", cobra.FixedCompletions(entityWords, cobra.ShellCompDirectiveNoFileComp))
}

// entityWords are the roles of an end that can be given. A pod has labels.
var entityWords = []string{"world", "host", "remote-node", "kube-apiserver"}

// set fills in what is known of an end, and reports whether it is known who it
// is: by the flags, or by an inventory that knows the address.
func (e *endFlag) set(at *policy.Endpoint, inv *inventory.Inventory) (known bool, err error) {
	given := 0
	for _, is := range []bool{e.workload != "", e.entity != "", len(e.labels) > 0} {
		if is {
			given++
		}
	}
	switch {
	case given > 1:
		return false, fmt.Errorf("--%s-workload, --%s-label and --%s-entity exclude each other", e.side, e.side, e.side)
	case e.workload != "":
		return true, e.asWorkload(at, inv)
	case e.entity != "":
		return true, e.asEntity(at)
	case len(e.labels) > 0:
		return true, e.asPod(at)
	case inv == nil:
		return false, nil
	}
	return lookUp(at, inv), nil
}

func (e *endFlag) asEntity(at *policy.Endpoint) error {
	if !slices.Contains(entityWords, e.entity) {
		return fmt.Errorf("unknown --%s-entity %q, want %s", e.side, e.entity, strings.Join(entityWords, ", "))
	}
	if e.entity == "world" {
		return nil
	}
	if e.entity != "kube-apiserver" {
		at.Node = map[string]string{}
	}
	return at.Entity.UnmarshalText([]byte(e.entity))
}

func (e *endFlag) asPod(at *policy.Endpoint) error {
	at.Labels = map[string]string{policy.NamespaceKey: "default"}
	for _, text := range e.labels {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return fmt.Errorf("--%s-label %q, want KEY=VALUE", e.side, text)
		}
		if key == "namespace" {
			key = policy.NamespaceKey
		}
		at.Labels[key] = value
	}
	return nil
}

func (e *endFlag) asWorkload(at *policy.Endpoint, inv *inventory.Inventory) error {
	if inv == nil {
		return fmt.Errorf("--%s-workload needs --inventory", e.side)
	}
	w := inv.Workload(e.workload)
	if w == nil {
		return fmt.Errorf("workload %s is not in the inventory", e.workload)
	}
	at.Labels = podOf(w)
	return nil
}

// podOf gives the labels of one pod of a workload.
func podOf(w *inventory.Workload) map[string]string {
	labels := map[string]string{policy.NamespaceKey: "default"}
	for _, t := range w.Selector {
		switch t.Op {
		case policy.In:
			labels[t.Key] = t.Values[0]
		case policy.Exists:
			labels[t.Key] = ""
		}
	}
	return labels
}

// lookUp finds out who has the address: a workload's pod, or somebody outside
// the cluster if its ranges are known.
func lookUp(at *policy.Endpoint, inv *inventory.Inventory) bool {
	if w := workloadAt(at.Addr, inv); w != nil {
		at.Labels = podOf(w)
		return true
	}
	family := func(p netip.Prefix) bool { return p.Addr().Is4() == at.Addr.Is4() }
	inside := func(p netip.Prefix) bool { return p.Contains(at.Addr) }
	return slices.ContainsFunc(inv.ClusterCIDRs, family) && !slices.ContainsFunc(inv.ClusterCIDRs, inside)
}

func workloadAt(a netip.Addr, inv *inventory.Inventory) *inventory.Workload {
	if inv == nil {
		return nil
	}
	for i := range inv.Workloads {
		w := &inv.Workloads[i]
		if slices.ContainsFunc(w.Addresses, func(r policy.AddrRange) bool { return r.Has(a) }) {
			return w
		}
	}
	return nil
}

// A packetRow is a packet in the JSON form of trace, verify and diff.
type packetRow struct {
	Protocol          uint8               `json:"protocol"`
	Source            string              `json:"source"`
	Destination       string              `json:"destination"`
	SourcePort        uint16              `json:"sourcePort"`
	DestinationPort   uint16              `json:"destinationPort"`
	PortName          string              `json:"portName,omitempty"`
	ICMPType          uint8               `json:"icmpType"`
	ICMPCode          uint8               `json:"icmpCode"`
	Flags             string              `json:"flags"`
	Fragment          bool                `json:"fragment,omitempty"`
	SourceLabels      map[string]string   `json:"sourceLabels"`
	DestinationLabels map[string]string   `json:"destinationLabels"`
	SourceEntity      string              `json:"sourceEntity,omitempty"`
	DestinationEntity string              `json:"destinationEntity,omitempty"`
	SourceNames       []string            `json:"sourceNames,omitempty"`
	DestinationNames  []string            `json:"destinationNames,omitempty"`
	HTTP              *policy.HTTPRequest `json:"http,omitempty"`
	TrafficClass      uint8               `json:"trafficClass,omitempty"`
	HopLimit          uint8               `json:"hopLimit,omitempty"`
	At                time.Time           `json:"at,omitzero"`
	Reflected         []string            `json:"reflected,omitempty"`
}

func packetRowOf(p *policy.Packet) packetRow {
	entity := func(e *policy.Endpoint) string {
		if e.Entity == 0 {
			return ""
		}
		return e.Entity.String()
	}
	return packetRow{
		Protocol: p.Protocol, Source: p.Source.Addr.String(), Destination: p.Destination.Addr.String(),
		SourcePort: p.SourcePort, DestinationPort: p.DestinationPort, PortName: p.PortName, ICMPType: p.ICMPType, ICMPCode: p.ICMPCode,
		Flags: flagsOf(p), Fragment: p.Fragment == policy.Later,
		SourceLabels: p.Source.Labels, DestinationLabels: p.Destination.Labels, SourceEntity: entity(&p.Source), DestinationEntity: entity(&p.Destination),
		SourceNames: p.Source.Names, DestinationNames: p.Destination.Names, HTTP: p.HTTP,
		TrafficClass: p.TrafficClass, HopLimit: p.HopLimit, At: p.At, Reflected: p.Reflected,
	}
}

// flagsOf gives the words of the TCP flags, joined by spaces.
func flagsOf(p *policy.Packet) string {
	var words []string
	for _, w := range strings.Fields(trace.String(p)) {
		if strings.Contains(" syn ack fin rst psh urg ", " "+w+" ") {
			words = append(words, w)
		}
	}
	return strings.Join(words, " ")
}

// describe gives a packet on one line, and who its ends are.
func describe(p *policy.Packet, inv *inventory.Inventory) string {
	text := trace.String(p)
	for _, end := range []struct {
		side string
		at   *policy.Endpoint
	}{{"source", &p.Source}, {"destination", &p.Destination}} {
		if who := whoIs(end.at, inv); who != "" {
			text += "\n    " + end.side + " " + end.at.Addr.String() + " is " + who
		}
	}
	if p.PortName != "" {
		text += "\n    the port's name is " + p.PortName
	}
	if !p.At.IsZero() {
		text += "\n    at " + p.At.UTC().Format(time.RFC3339)
	}
	for _, list := range p.Reflected {
		text += "\n    reflexive list " + list + " has an entry for it"
	}
	if p.HTTP != nil {
		text += fmt.Sprintf("\n    request %s %s of host %q, headers %v", p.HTTP.Method, p.HTTP.Path, p.HTTP.Host, p.HTTP.Headers)
	}
	return text
}

func whoIs(e *policy.Endpoint, inv *inventory.Inventory) string {
	var words []string
	if w := workloadAt(e.Addr, inv); w != nil {
		words = append(words, "workload "+w.Name)
	}
	switch {
	case e.Labels != nil:
		words = append(words, "a pod with "+labelText(e.Labels))
	case e.Entity != 0:
		words = append(words, e.Entity.String())
	}
	if len(e.Names) > 0 {
		words = append(words, "named "+strings.Join(e.Names, " "))
	}
	return strings.Join(words, ", ")
}

func labelText(labels map[string]string) string {
	var words []string
	for k, v := range labels {
		if k == policy.NamespaceKey {
			k = "namespace"
		}
		words = append(words, k+"="+v)
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

// statefulOf reports whether a list stands on pods' ports and nowhere else.
func statefulOf(c *grammar.Config, acl string) bool {
	pods, others := 0, 0
	for _, i := range c.Interfaces {
		for _, b := range i.Bindings {
			switch {
			case b.ACL.Text != acl:
			case i.Workload:
				pods++
			default:
				others++
			}
		}
	}
	return pods > 0 && others == 0
}
