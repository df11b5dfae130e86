package grammar

import (
	"strings"
	"testing"
)

func TestMentions(t *testing.T) {
	const text = `access-list 10 permit any
access-list 11 permit any
access-list 12 permit any
ip access-list standard SNMP
 permit any
ip access-list extended RM
 permit ip any any
ip access-list extended RM2
 permit ip any any
ip nat inside source list 10 interface eth0 overload
snmp-server community secret RO SNMP
ntp access-group peer 99
route-map X permit 10
 match ip address RM RM2
 set metric 11
logging host 12
`
	c, _, err := ParseDialect("x", strings.NewReader(text), IOS)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range c.Mentions {
		got = append(got, m.Text+"@"+m.Pos.String())
	}
	want := "10@x:10:27 SNMP@x:11:33 RM@x:14:19 RM2@x:14:22"
	if strings.Join(got, " ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, " "), want)
	}
}
