package grammar

import (
	"errors"
	"strings"
	"testing"
)

// TestNoLineIsLostBelowOthers: a line of a block of ours that stands below
// something else is an error at its place, because a list without its last lines
// means something else.
func TestNoLineIsLostBelowOthers(t *testing.T) {
	const list = "ip access-list extended A\n permit tcp any any eq 22\n"
	for name, test := range map[string]struct {
		text string
		line int
	}{
		"an unknown line in a list":         {list + "foo bar\n deny ip any any\n", 4},
		"a line of an interface in a list":  {list + "no shutdown\n 20 deny ip any any\n", 4},
		"a comment behind it":               {list + "foo bar\n!\n 20 deny ip any any\n", 5},
		"a list with sequence":              {"ipv6 access-list A\nquit\n sequence 10 deny ipv6 any any\n", 3},
		"a mistake in the entry":            {list + "foo bar\n deny ip any anyy\n", 4},
		"an abbreviation":                   {list + "foo bar\n den ip any any\n", 4},
		"a member of a group":               {"object-group network G\n host 10.0.0.1\nfoo bar\n host 10.0.0.2\n", 4},
		"behind one line that is known":     {"object-group network G\n host 10.0.0.1\nhostname R1\n host 10.0.0.2\n", 4},
		"behind a line that is kept":        {"object-group network G\n host 10.0.0.1\ncts foo\n host 10.0.0.2\n", 4},
		"behind a banner":                   {"object-group network G\n host 10.0.0.1\nbanner motd #x#\n host 10.0.0.2\n", 4},
		"a match of a class":                {"class-map type inspect match-any C\n match protocol http\nfoo bar\n match access-group name A\n", 4},
		"an action":                         {"policy-map type inspect P\n class type inspect C\nfoo bar\n  drop\n", 4},
		"a policy of a pair":                {"zone-pair security P source A destination B\nfoo bar\n service-policy type inspect P\n", 3},
		"an access-group of a workload":     {"interface workload W\nfoo bar\n ip access-group A in\n", 3},
		"a whole file with indent":          {"version 15.1\n  ip access-list extended A\n   permit ip any any\n", 2},
		"a group with indent":               {"version 15.1\n  object-group network G\n   host 10.0.0.1\n", 2},
		"no blank behind the first word":    {"object-groupnetwork G\n host 10.0.0.1\n", 1},
		"no blank behind the second word":   {"ipv6 access-listA\n sequence 10 deny ipv6 any any\n", 1},
		"no blank behind that of an entry":  {"hostname fw\naccess-listA extended deny ip any any\n", 2},
		"a member without its group":        {" host 10.0.0.1\nhostname R1\n", 1},
		"a service without its group":       {" tcp eq 80\n", 1},
		"a match without its class":         {" match access-group name A\nhostname R1\n", 1},
		"a misspelt first word":             {"interface eth0\n pv6 traffic-filter A out\n", 2},
		"a misspelt list":                   {"ipp access-list extended A\n", 1},
		"no blank behind that of a binding": {"interface Gi0/1\n ip access-groupA in\n", 2},
	} {
		_, _, err := ParseFile("f", strings.NewReader(test.text))
		var list ErrorList
		if !errors.As(err, &list) || list[0].Pos.Line != test.line {
			t.Errorf("%s: got %v, want an error in line %d:\n%s", name, err, test.line, test.text)
		}
	}
}

// TestOtherBlocksAreSkipped: what looks like an entry or a member and belongs to
// another block is no mistake.
func TestOtherBlocksAreSkipped(t *testing.T) {
	for _, text := range []string{
		"ip community-list standard C\n permit 100:1\n 20 deny internet\n",
		"ip access-list extended A\n permit ip any any\n!\nip dhcp pool P\n host 10.0.0.1 255.255.255.0\n",
		"route-map R permit 10\n match ip address A\n!\nroute-map R deny 20\n description x\n",
		"object-group network G\n host 10.0.0.1\nlogging host 10.0.0.2\nip prefix-list P seq 5 permit 10.0.0.0/8\n",
		" version 15.1\n service timestamps\n ip route 0.0.0.0 0.0.0.0 10.0.0.1\n",
		"ntp access-group peer 99\nipx access-list sap X\nmpls ip\n",
		"ip extcommunity-list expanded E\n 10 permit _100_\n",
		"ip access-list extended A\n permit ip any any\nrouter bgp 1\n network 10.0.0.0\n description x\n",
	} {
		if _, _, err := ParseFile("f", strings.NewReader(text)); err != nil {
			t.Errorf("%v:\n%s", err, text)
		}
	}
}

// TestBannersEndWhereTheyDo: an ASA has a banner on every line, and a prompt in
// a banner is text.
func TestBannersEndWhereTheyDo(t *testing.T) {
	for name, text := range map[string]string{
		"asa":    "ASA Version 9.8(2)\nbanner motd Welcome here\nbanner motd to all\naccess-list A extended deny ip any any\naccess-group A in interface outside\n",
		"prompt": "banner motd #\nWelcome#\nip access-list extended A\n deny ip any any\nhostname a#b\n",
	} {
		c, _, err := ParseFile("f", strings.NewReader(text))
		if err != nil || c.ACL("A") == nil {
			t.Errorf("%s: the list behind the banner is lost: %v", name, err)
		}
	}
}

// TestPromptsOfEveryDevice: what stands behind a prompt is read.
func TestPromptsOfEveryDevice(t *testing.T) {
	for _, prompt := range []string{"RP/0/RSP0/CPU0:router(config)#", "RP/0/0/CPU0:ios(config-ipv4-acl)# ", "(config)#", "fw/pri/act(config)# ", "R1(config)#"} {
		c, _, err := ParseFile("f", strings.NewReader(prompt+"ipv6 access-list A\n"))
		if err != nil || c.ACL("A") == nil {
			t.Errorf("%s: the list behind it is lost: %v", prompt, err)
		}
	}
}
