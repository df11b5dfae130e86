package lab

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestParseReadsEveryField(t *testing.T) {
	got, err := Parse("lab.yaml", []byte(`
name: l1
node: {addresses: [10.0.0.254]}
pods:
- name: web
  labels: {app: web, tier: 1, example.com/x: ""}
  addresses: [10.0.0.1, "fd00::1"]
  listen: [tcp/80, udp/65535]
- {name: web, namespace: prod, addresses: [10.0.0.2]}
outside:
- {name: internet, addresses: [203.0.113.9]}
`))
	if err != nil {
		t.Fatal(err)
	}
	a := netip.MustParseAddr
	want := &Spec{
		Name: "l1", Node: []netip.Addr{a("10.0.0.254")},
		Pods: []Host{
			{Name: "web", Namespace: "default", Labels: map[string]string{"app": "web", "tier": "1", "example.com/x": ""},
				Addresses: []netip.Addr{a("10.0.0.1"), a("fd00::1")}, Listen: []Port{{"tcp", 80}, {"udp", 65535}}},
			{Name: "web", Namespace: "prod", Addresses: []netip.Addr{a("10.0.0.2")}},
		},
		Outside: []Host{{Name: "internet", Addresses: []netip.Addr{a("203.0.113.9")}}},
	}
	if d := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); d != "" {
		t.Error(d)
	}
}

// Each text is a lab with one mistake, and the error is one line that begins
// with the place of it.
func TestParseRefuses(t *testing.T) {
	pod := func(text string) string { return "name: l\npods:\n- " + text + "\n" }
	for _, c := range []struct{ want, text string }{
		{"1:1: the file is empty", ""},
		{"1:1: the file is empty", "# nothing\n"},
		{"1:1: want a lab", "- a"},
		{"2:1: a lab has no field \"pds\"", "name: l\npds: []\npods: [{name: a, addresses: [10.0.0.1]}]"},
		{"1:1: a lab needs the field pods", "name: l"},
		{"2:7: a lab needs at least one pod", "name: l\npods: []"},
		{"2:7: want a list of pods", "name: l\npods: {}\n"},
		{"2:1: a second document", "name: l\n---\nname: m"},
		{"2:1: ", "name: l\n\t- x"},
		{"1:7: \"L_1\" is not a name", "name: L_1\npods: [{name: a, addresses: [10.0.0.1]}]"},
		{"1:7: the lab's name has 33 characters", "name: " + strings.Repeat("a", 33) + "\npods: [{name: a, addresses: [10.0.0.1]}]"},
		{"3:3: a pod needs the field addresses", pod("{name: a}")},
		{"3:3: want a pod", pod("5")},
		{"3:3: want a pod", "name: l\npods: &x\n- *x"},
		{"3:10: \"" + strings.Repeat("a", 64) + "\" is not a name", pod("{name: " + strings.Repeat("a", 64) + ", addresses: [10.0.0.1]}")},
		{"3:13: the field name stands twice", pod("{name: a, name: b, addresses: [10.0.0.1]}")},
		{"3:27: default/a has no address", pod("{name: a, addresses:    []}")},
		{"3:26: \"10.0.0.0/8\" is no address", pod("{name: a, addresses: [ 10.0.0.0/8]}")},
		{"3:35: default/a has the address 10.0.0.1 already", pod("{name: a, addresses: [10.0.0.1, 10.0.0.1]}")},
		{"4:25: default/a has the address 10.0.0.1 already", pod("{name: a, addresses: [10.0.0.1]}\n- {name: b, addresses: [10.0.0.1]}")},
		{"3:3: a pod cannot be called node", pod("{name: node, addresses: [10.0.0.1]}")},
		{"4:3: default/a stands twice", pod("{name: a, addresses: [10.0.0.1]}\n- {name: a, addresses: [10.0.0.2]}")},
		{"3:46: \"tcp/0\" is no port", pod("{name: a, addresses: [10.0.0.1], listen: [ tcp/0]}")},
		{"3:45: \"sctp/9\" is no port", pod("{name: a, addresses: [10.0.0.1], listen: [sctp/9]}")},
		{"3:53: tcp/80 stands twice", pod("{name: a, addresses: [10.0.0.1], listen: [tcp/80, tcp/80]}")},
		{"3:45: \"-x\" is no key", pod("{name: a, addresses: [10.0.0.1], labels: {-x: y}}")},
		{"3:49: \"y z\" is not a label's value", pod("{name: a, addresses: [10.0.0.1], labels: {x:  y z}}")},
		{"4:23: a host of the outside has no field \"labels\"", pod("{name: a, addresses: [10.0.0.1]}") + "outside: [{name: b,   labels: {}, addresses: [10.0.0.2]}]"},
	} {
		_, err := Parse("f.yaml", []byte(c.text))
		if err == nil || !strings.HasPrefix(err.Error(), "f.yaml:"+c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q:\n got %v\nwant f.yaml:%s", c.text, err, c.want)
		}
	}
}

func TestParseRefusesSpecialAddresses(t *testing.T) {
	for _, a := range []string{"127.0.0.1", "::1", "0.0.0.0", "169.254.1.1", "fe80::1", "224.0.0.1", "ff02::1", "::ffff:10.0.0.1", "fe80::1%eth0"} {
		text := fmt.Sprintf("name: l\npods: [{name: a, addresses: [%q]}]", a)
		if _, err := Parse("f", []byte(text)); err == nil || !strings.Contains(err.Error(), "cannot be the address") {
			t.Errorf("%s: %v", a, err)
		}
	}
}

func TestParseNeverPanics(t *testing.T) {
	for cut := range len(twoPods) {
		_, _ = Parse("f", []byte(twoPods[:cut]))
		_, _ = Parse("f", []byte(twoPods[cut:]))
	}
	noise := make([]byte, 4096)
	random := rand.NewChaCha8([32]byte{1})
	for range 100 {
		_, _ = random.Read(noise)
		if _, err := Parse("f", noise); err == nil {
			t.Errorf("noise is a lab: %q", noise)
		}
	}
}

func TestNamesFindPods(t *testing.T) {
	s := mustParse(t, `
name: l
pods:
- {name: web, namespace: dev, addresses: [10.0.0.1]}
- {name: web, namespace: prod, addresses: [10.0.0.2]}
- {name: a-rather-long-name-for-a-device, addresses: [10.0.0.3]}
outside: [{name: internet, addresses: [10.0.0.4]}]
`)
	for name, want := range map[string]int{
		"dev/web": 0, "prod/web": 1, "a-rather-long-name-for-a-device": 2, "internet": 3, "web": -1, "nobody": -1,
	} {
		if got, err := s.find(name); err == nil && got != want || (err != nil) != (want < 0) {
			t.Errorf("%s: %d, %v, want %d", name, got, err, want)
		}
	}
	seen := map[string]bool{}
	for i := range s.hosts() {
		d := s.device(i)
		if len(d) > 15 || seen[d] {
			t.Errorf("device %q", d)
		}
		seen[d] = true
	}
}
