package translate

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"aclium/translate/policy"
)

// bind writes the list of a family, or of both, and gives the lines that apply
// it to an interface; none when nothing is filtered, or nothing can be said.
func (l *lineage) bind(name string, families policy.Family, of []*policy.Policy) (out []string) {
	if why := l.splitWorld(); why != "" {
		l.refuse(of, "%s", why)
		return nil
	}
	for _, f := range []policy.Family{policy.IPv4, policy.IPv6} {
		if families&f == 0 || len(l.lines) == 0 && l.end == policy.Permit {
			continue
		}
		lines, bad := l.text(f)
		if bad != "" {
			l.refuse(of, "%s", bad)
			return nil
		}
		towards := map[policy.Direction]string{policy.Ingress: "out", policy.Egress: "in"}[l.direction]
		if of[0].Subject.Interface != "" {
			towards = map[string]string{"in": "out", "out": "in"}[towards]
		}
		suffix := ""
		if !strings.HasPrefix(of[0].Subject.Name, "workload ") || l.remarks {
			suffix = "-" + strings.ToUpper(towards)
		}
		head, apply := "ip access-list extended %s", " ip access-group %s %s"
		if f == policy.IPv6 {
			head, apply, suffix = "ipv6 access-list %s", " ipv6 traffic-filter %s %s", suffix+"6"
			if families == policy.IPv6 && !l.remarks {
				suffix = "" // a list that was of IPv6 already
			}
		}
		list := l.take(name, suffix)
		fmt.Fprintf(&l.listText, head+"\n%s\n!\n", list, strings.Join(lines, "\n"))
		out = append(out, fmt.Sprintf(apply, list, towards))
	}
	return out
}

// text gives the lines of one family. A list without a line would permit
// everything.
func (l *lineage) text(f policy.Family) (out []string, bad string) {
	seen := map[string]bool{}
	remark := ""
	add := func(s said, line string) {
		if seen[line] {
			return // it can match nothing
		}
		seen[line] = true
		if text := l.remark(s); text != "" && text != remark {
			remark = text
			out = append(out, " remark "+text)
		}
		out = append(out, " "+line)
	}
	for _, s := range l.lines {
		lines, why := l.line(&s, f)
		switch {
		case why == "":
		case s.action == policy.Deny:
			return nil, fmt.Sprintf("%s cannot be said, and it denies: %s", s.rule.Text, why)
		default:
			l.note(policy.Finding{ID: s.rule.ID, Source: s.rule.Source, Text: s.rule.Text, State: policy.Refused, Reason: "left out: " + why})
			continue
		}
		for _, line := range lines {
			if add(s, line); len(out) > budget {
				return nil, "the list would have more lines than anybody reads"
			}
		}
	}
	if l.end == policy.Permit || len(seen) == 0 {
		add(said{}, fmt.Sprintf("%s %s any any", l.end, anyProtocol(f)))
	}
	return out, ""
}

var unprintable = regexp.MustCompile(`[^ -~]+`)

// remark names the rule that a line comes from.
func (l *lineage) remark(s said) string {
	if !l.remarks || s.rule == nil {
		return ""
	}
	text := unprintable.ReplaceAllString(s.rule.ID.ACL+" "+s.rule.Text, " ")
	return strings.TrimSpace(fmt.Sprintf("%.100s", text))
}

func anyProtocol(f policy.Family) string {
	if f == policy.IPv6 {
		return "ipv6"
	}
	return "ip"
}

// line gives a line of the list as text, which may be several ones; why says
// what has no words.
func (l *lineage) line(s *said, f policy.Family) (out []string, why string) {
	if s.match.HTTP != nil {
		return nil, "requests are not looked at by a list"
	}
	services, why := serviceTexts(s.match.Services, f)
	if why != "" || len(services) == 0 {
		return nil, why
	}
	sources, why := l.ends(&s.match.Source, f)
	if why != "" {
		return nil, why
	}
	destinations, why := l.ends(&s.match.Destination, f)
	if why != "" {
		return nil, why
	}
	rest := ""
	if s.match.Fragments {
		rest += " fragments"
	}
	if s.log {
		rest += " log"
	}
	for _, x := range services {
		for _, from := range sources {
			for _, to := range destinations {
				out = append(out, s.action.String()+" "+x.protocol+" "+from+x.source+" "+to+x.destination+rest)
			}
		}
	}
	return out, ""
}

// ends gives the words for a set of ends; none when no end of the family is in
// it.
func (d *decompiler) ends(p *policy.Peers, f policy.Family) (out []string, why string) {
	switch {
	case p.Any:
		return []string{"any"}, ""
	case len(p.Outside) > 0:
		return nil, "addresses of the world alone"
	}
	for _, m := range p.Masked {
		if familyOfAddr(m.Addr) == f {
			out = append(out, m.Addr.String()+" "+m.Wildcard.String())
		}
	}
	members, why := workloadMembers(podsOf(p.Selectors))
	if why != "" {
		return nil, why
	}
	for _, e := range p.Entities {
		members = append(members, "entity "+e.String())
	}
	for _, name := range p.FQDNs {
		members = append(members, "fqdn "+name)
	}
	ranges := rangesOf(p.Addresses, f)
	if len(members) == 0 && len(ranges) == 1 {
		if text, ok := aloneText(ranges[0]); ok {
			return append(out, text), ""
		}
	}
	for _, r := range ranges {
		members = append(members, memberTexts(r)...)
	}
	if members = unique(members); len(members) > 0 {
		out = append(out, "object-group "+d.group(members, f))
	}
	return out, ""
}

func familyOfAddr(a netip.Addr) policy.Family {
	if a.Is4() {
		return policy.IPv4
	}
	return policy.IPv6
}

func rangesOf(ranges []policy.AddrRange, f policy.Family) (out addrSet) {
	for _, r := range newAddrSet(ranges...) {
		if familyOfAddr(r.First) == f {
			out = append(out, r)
		}
	}
	return out
}

// aloneText gives one range as a line has it without a group.
func aloneText(r policy.AddrRange) (string, bool) {
	p, ok := prefixOf(r)
	switch {
	case !ok:
		return "", false
	case p.IsSingleIP():
		return "host " + p.Addr().String(), true
	case p.Addr().Is6():
		return p.String(), true
	}
	return p.Addr().String() + " " + maskOf(p, 0xff), true
}

// prefixOf gives the range as a prefix; false when it is none.
func prefixOf(r policy.AddrRange) (netip.Prefix, bool) {
	for bits := 0; bits <= r.First.BitLen(); bits++ {
		if p := netip.PrefixFrom(r.First, bits); p.Masked() == p && policy.PrefixRange(p) == r {
			return p, true
		}
	}
	return netip.Prefix{}, false
}

// maskOf gives the netmask of a prefix of IPv4, or its inverse for flip 0xff.
func maskOf(p netip.Prefix, flip byte) string {
	var b [4]byte
	for i := range b {
		ones := min(max(p.Bits()-8*i, 0), 8)
		b[i] = ^byte(0xff>>ones) ^ flip
	}
	return netip.AddrFrom4(b).String()
}

// memberTexts gives one range as members of a group.
func memberTexts(r policy.AddrRange) []string {
	p, ok := prefixOf(r)
	switch {
	case ok && p.IsSingleIP():
		return []string{"host " + p.Addr().String()}
	case ok && p.Addr().Is4():
		return []string{p.Addr().String() + " " + maskOf(p, 0)}
	case ok:
		return []string{p.String()}
	case r.First.Is4():
		return []string{"range " + r.First.String() + " " + r.Last.String()}
	}
	var out []string
	for first := r.First; ; {
		p := largest(first, r.Last)
		out = append(out, p.String())
		last := policy.PrefixRange(p).Last
		if last == r.Last {
			return out
		}
		first = last.Next()
	}
}

// largest gives the largest prefix that begins at the address and does not go
// beyond the last one.
func largest(first, last netip.Addr) netip.Prefix {
	for bits := 0; ; bits++ {
		p := netip.PrefixFrom(first, bits)
		if p.Masked() == p && policy.PrefixRange(p).Last.Compare(last) <= 0 {
			return p
		}
	}
}

// workloads gives the group of pods, which holds nothing else.
func (d *decompiler) workloads(name string, pods podSet) (group, why string) {
	members, why := workloadMembers(pods)
	if why != "" {
		return "", why
	}
	// Two interfaces never share their group, as each has one list for each
	// direction.
	group = d.take(name, "")
	d.writeGroup(group, members, policy.IPv4)
	return group, ""
}

// workloadMembers gives pods as members of a group.
func workloadMembers(pods podSet) (out []string, why string) {
	for _, c := range pods {
		texts := []string{"workload"}
		for _, t := range namespaceFirst(c) {
			if !sayableKey(t.Key) {
				return nil, fmt.Sprintf("label %s is too long for a line", t.Key)
			}
			texts = timesTexts(texts, termTexts(t))
		}
		out = append(out, texts...)
		if len(out) > budget {
			return nil, "the pods are named in more ways than anybody reads"
		}
	}
	return unique(out), ""
}

// unique leaves out what stands before already: a group has a member once.
func unique(texts []string) (out []string) {
	seen := map[string]bool{}
	for _, t := range texts {
		if !seen[t] {
			seen[t] = true
			out = append(out, t)
		}
	}
	return out
}

// namespaceFirst gives the terms with that of the namespace where a line has it.
func namespaceFirst(c conj) []policy.Term {
	out := slices.Clone(c)
	if i := slices.IndexFunc(out, func(t policy.Term) bool { return t.Key == policy.NamespaceKey }); i > 0 {
		t := out[i]
		out = slices.Insert(slices.Delete(out, i, i+1), 0, t)
	}
	return out
}

// timesTexts continues every text with every one of the others.
func timesTexts(texts, more []string) (out []string) {
	for _, t := range texts {
		for _, m := range more {
			out = append(out, t+m)
		}
	}
	return out
}

// termTexts gives a term as words of a workload line; several are a union. The
// empty value cannot stand in a list of values.
func termTexts(t policy.Term) []string {
	plain := slices.DeleteFunc(slices.Clone(t.Values), func(v string) bool { return v == "" })
	empty := len(plain) < len(t.Values)
	switch {
	case t.Op == policy.Exists:
		return []string{" label " + t.Key}
	case t.Op == policy.DoesNotExist:
		return []string{" label !" + t.Key}
	case t.Op == policy.In && t.Key == policy.NamespaceKey && len(t.Values) == 1:
		return []string{" namespace " + t.Values[0]}
	case t.Op == policy.In && empty && len(plain) > 0:
		return []string{" label " + t.Key + "=", valuesText(t.Key, "=", "in", plain)}
	case t.Op == policy.In:
		return []string{valuesText(t.Key, "=", "in", t.Values)}
	case empty && len(plain) > 0:
		return []string{" label " + t.Key + "!=" + valuesText(t.Key, "!=", "notin", plain)}
	}
	return []string{valuesText(t.Key, "!=", "notin", t.Values)}
}

func valuesText(key, sign, word string, values []string) string {
	if len(values) == 1 {
		return " label " + key + sign + values[0]
	}
	return " label " + key + " " + word + " (" + strings.Join(values, ",") + ")"
}

// sayableKey reports whether the language takes the key of a label.
func sayableKey(key string) bool {
	_, name, found := strings.Cut(key, "/")
	if !found {
		name = key
	}
	return len(name) <= 63
}

// group gives the name of a group with the members, which is written once.
func (d *decompiler) group(members []string, f policy.Family) string {
	onlyNames := !slices.ContainsFunc(members, func(m string) bool {
		return !strings.HasPrefix(m, "workload") && !strings.HasPrefix(m, "entity") && !strings.HasPrefix(m, "fqdn")
	})
	if onlyNames {
		f = policy.IPv4 // it serves both families
	}
	key := fmt.Sprint(f, members)
	if known := d.groups[key]; known != "" {
		return known
	}
	name := d.take(groupName(members), "")
	d.groups[key] = name
	d.writeGroup(name, members, f)
	return name
}

func (d *decompiler) writeGroup(name string, members []string, f policy.Family) {
	kind := "network"
	if f == policy.IPv6 {
		kind = "v6-network"
	}
	fmt.Fprintf(&d.groupText, "object-group %s %s\n %s\n!\n", kind, name, strings.Join(members, "\n "))
}

var noise = strings.NewReplacer("workload", "", " namespace ", " ", " label ", " ", "io.kubernetes.pod.namespace", "ns", "io.cilium.k8s.namespace.labels.", "ns.")

// groupName makes a name of what a group holds.
func groupName(members []string) string {
	name := strings.TrimSpace(noise.Replace(members[0]))
	if name == "" {
		name = "pods"
	}
	if len(members) > 1 {
		name += "-etc"
	}
	return name
}

var noName = regexp.MustCompile(`[^A-Za-z0-9_.+]+`)

// maxName is how many letters of a name are kept, without its number.
const maxName = 50

// take makes a name that nothing else has: groups and lists do not share one
// either, so that a person can tell them apart.
func (d *decompiler) take(text, suffix string) string {
	name := strings.Trim(noName.ReplaceAllString(text, "-"), "-")
	if name == "" || name[0] < 'A' {
		name = "P-" + name
	}
	name = fmt.Sprintf("%.*s", maxName, name)
	for n := 1; ; n++ {
		full := name + suffix
		if n > 1 {
			full = name + "_" + strconv.Itoa(n) + suffix
		}
		if key := strings.ToLower(full); !d.names[key] {
			d.names[key] = true
			return full
		}
	}
}
