package policy

import "testing"

// The steps of network-policy-api and of Calico: the admin tier first, the
// union of NetworkPolicies behind what it passes on, the baseline last.
func TestStackJudgesByTiers(t *testing.T) {
	web := Endpoint{Addr: addr("10.1.0.5"), Labels: map[string]string{"app": "w"}}
	to := func(port uint16) *Packet {
		p := tcp("10.0.0.9", 40000, "10.1.0.5", port, SYN)
		p.Destination = web
		return &p
	}
	open := func(rules ...Rule) Policy {
		p := *list(rules...)
		p.Open = true
		return p
	}
	any := Everybody()
	admin := Tier{Combine: Ordered, Policies: []Policy{
		open(line(1, Permit, any, any, ports(TCP, Range{22, 22})), line(2, Next, any, any, ports(TCP, Range{80, 90}))),
		open(line(3, Deny, any, any, ports(TCP, Range{1, 100})), line(4, Permit, any, any, ports(TCP, Range{443, 443}))),
	}}
	union := Tier{Combine: Union, Policies: []Policy{
		*list(line(5, Permit, any, any, ports(TCP, Range{80, 81}, Range{500, 500}))),
		open(line(6, Deny, any, any, ports(TCP, Range{81, 81}))),
	}}
	baseline := Tier{Combine: Ordered, Policies: []Policy{open(line(7, Deny, any, any, ports(TCP, Range{600, 600})))}}
	for name, c := range map[string]struct {
		stack Stack
		port  uint16
		want  Action
		seq   uint32
	}{
		"admin permits":             {Stack{admin, union}, 22, Permit, 1},
		"admin denies":              {Stack{admin, union}, 25, Deny, 3},
		"admin passes to permit":    {Stack{admin, union}, 80, Permit, 5},
		"deny beats permit":         {Stack{admin, union}, 81, Deny, 6},
		"isolated":                  {Stack{admin, union}, 82, Deny, 0},
		"second policy":             {Stack{admin, union}, 443, Permit, 4},
		"nobody isolates":           {Stack{admin, baseline}, 500, Permit, 0},
		"baseline denies":           {Stack{admin, baseline}, 600, Deny, 7},
		"series permits":            {Stack{{Combine: Series, Policies: []Policy{union.Policies[0]}}}, 80, Permit, 5},
		"series goes on":            {Stack{{Combine: Series, Policies: []Policy{union.Policies[0]}}, baseline}, 600, Deny, 0},
		"no policy":                 {nil, 22, Permit, 0},
		"zero combination is deny":  {Stack{{Policies: union.Policies}}, 80, Deny, 0},
		"ordered, end denies":       {Stack{{Combine: Ordered, Policies: union.Policies}}, 9, Deny, 0},
		"ordered, first match wins": {Stack{{Combine: Ordered, Policies: union.Policies}}, 81, Permit, 5},
	} {
		t.Run(name, func(t *testing.T) {
			got, id := c.stack.Judge(Ingress, to(c.port))
			if got != c.want || id.Seq != c.seq {
				t.Errorf("got %v by %v, want %v by line %d", got, id, c.want, c.seq)
			}
			if out, _ := c.stack.Judge(Egress, to(c.port)); out != Permit {
				t.Errorf("egress %v, but nothing filters it", out)
			}
		})
	}
}

func TestMatchName(t *testing.T) {
	for _, c := range []struct {
		want          bool
		pattern, name string
	}{
		{true, "*", "a.b.c"},
		{true, "*.example.com", "www.example.com"},
		{false, "*.example.com", "example.com"},
		{false, "*.example.com", "a.b.example.com"},
		{true, "www.Example.com", "WWW.example.com"},
		{true, "w*1.example.com", "web-1.example.com"},
		{false, "w*1.example.com", "web-2.example.com"},
		{true, "a*b*c.x", "aabbc.x"},
		{false, "a*a.x", "a.x"},
	} {
		if got := MatchName(c.pattern, c.name); got != c.want {
			t.Errorf("%s and %s: %v", c.pattern, c.name, got)
		}
	}
}

func TestHTTPMatch(t *testing.T) {
	get := &HTTPRequest{Method: "GET", Path: "/public/a?b", Host: "api.example.com", Headers: map[string]string{"x-token": "1"}}
	for name, c := range map[string]struct {
		want  bool
		match HTTPMatch
	}{
		"zero":         {true, HTTPMatch{}},
		"method":       {true, HTTPMatch{Method: "GET|HEAD"}},
		"whole path":   {false, HTTPMatch{Path: "/public"}},
		"path":         {true, HTTPMatch{Path: "/public/.*"}},
		"host":         {false, HTTPMatch{Host: "example.com"}},
		"header":       {true, HTTPMatch{Headers: []HTTPHeader{{"X-Token", ""}}}},
		"header value": {false, HTTPMatch{Headers: []HTTPHeader{{"X-Token", "2"}}}},
		"both":         {false, HTTPMatch{Method: "GET", Path: "/private"}},
		"no regexp":    {false, HTTPMatch{Path: "("}},
	} {
		if got := c.match.Matches(get); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	syn := tcp("10.0.0.9", 1, "10.0.0.1", 80, SYN)
	for action, want := range map[Action]Action{Permit: Permit, Deny: Deny} {
		r := line(10, action, Everybody(), Everybody(), AnyService())
		r.Match.HTTP = []HTTPMatch{{Path: "/x"}}
		if got, at := list(r).Eval(&syn); got != want || (at == 0) != (action == Permit) {
			t.Errorf("a connection without request under %v: %v at %d", action, got, at)
		}
	}
}
