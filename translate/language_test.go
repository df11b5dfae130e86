package translate

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"aclium/grammar"
	"aclium/translate/policy"
)

// The table of the language is read by the tests of grammar, which describe
// its format. Here each line of a list is compiled, so that the states
// "supported", "partly" and "refused" are what they say.

// stockGroups are what the lines refer to.
const stockGroups = `object-group network SRC
 host 10.1.1.1
object-group network DST
 10.2.0.0 255.255.0.0
object-group network OTHER
 host 10.1.1.9
object-group service SVC
 tcp eq 443
object-group service MORE
 tcp eq 444
object-group v6-network SIX
 host 2001:db8::1
object-group v6-network SEVEN
 host 2001:db8::7
`

type tableLine struct{ construct, state, config string }

var (
	braces   = regexp.MustCompile(`\{([^}]*)\}`)
	aceLine  = regexp.MustCompile(`^ (\d+ |sequence \d+ )?(permit|deny|dynamic|evaluate) `)
	listHead = regexp.MustCompile(`^(ip access-list (standard|extended)|ipv6 access-list) \S+$`)
	grouped  = regexp.MustCompile(`^object-group (network|v6-network|service) \S+$`)
)

// tableLines gives every line of a list or a group with a configuration that
// applies it.
func tableLines(t *testing.T) (out []tableLine) {
	text, err := os.ReadFile("../grammar/testdata/language/ios.txt")
	if err != nil {
		t.Fatal(err)
	}
	names := nameLists(string(text))
	for section := range strings.SplitSeq(string(text), "\n## ") {
		head, body, _ := strings.Cut(section, "\n")
		title := append(strings.Split(head, " | "), "")
		for example := range strings.SplitSeq(body, "\n\n") {
			if strings.Contains(example, "\n>") || strings.HasPrefix(example, "@ ") {
				continue
			}
			for _, config := range applied(strings.Split(example, "\n"), names) {
				out = append(out, tableLine{title[0], title[1], config})
			}
		}
	}
	return out
}

// nameLists gives the words of each table of names.
func nameLists(text string) map[string][]string {
	out := map[string][]string{}
	for table := range strings.SplitSeq(text, "\n@ ") {
		name, rest, _ := strings.Cut(table, ": ")
		_, rows, _ := strings.Cut(rest, "\n")
		rows, _, _ = strings.Cut(rows, "\n\n")
		for row := range strings.FieldsFuncSeq(rows, func(r rune) bool { return r == ',' || r == '\n' }) {
			out[name] = append(out[name], strings.Fields(row)[0])
		}
	}
	return out
}

func expanded(line string, names map[string][]string) (out []string) {
	at := braces.FindStringSubmatchIndex(line)
	if at == nil {
		return []string{line}
	}
	words := strings.Split(line[at[2]:at[3]], ",")
	if len(words) == 1 && names[words[0]] != nil {
		words = names[words[0]]
	}
	for _, w := range words {
		for _, rest := range expanded(line[at[1]:], names) {
			out = append(out, line[:at[0]]+w+rest)
		}
	}
	return out
}

// applied puts each line of an example into a list on an interface.
func applied(lines []string, names map[string][]string) (out []string) {
	head := ""
	for _, line := range lines {
		if line != "" && line[0] != ' ' {
			head = expanded(line, names)[0]
		}
		for _, one := range expanded(line, names) {
			switch {
			case strings.HasPrefix(one, "access-list "):
				out = append(out, one+"\ninterface eth0\n ip access-group "+strings.Fields(one)[1]+" in\n")
			case listHead.MatchString(head) && aceLine.MatchString(one):
				out = append(out, head+"\n"+one+"\n"+bound(head))
			case grouped.MatchString(head) && strings.HasPrefix(one, " ") && !strings.HasPrefix(one, " description"):
				out = append(out, head+"\n"+one+"\n"+usedGroup(strings.Fields(head)))
			}
		}
	}
	return out
}

func bound(head string) string {
	words := strings.Fields(head)
	name := words[len(words)-1]
	if words[0] == "ipv6" {
		return "interface eth0\n ipv6 traffic-filter " + name + " in\n"
	}
	return "interface eth0\n ip access-group " + name + " in\n"
}

func usedGroup(head []string) string {
	switch head[1] {
	case "network":
		return "ip access-list extended L\n permit ip object-group " + head[2] + " any\n" + bound("ip access-list extended L")
	case "v6-network":
		return "ipv6 access-list L\n permit ipv6 object-group " + head[2] + " any\n" + bound("ipv6 access-list L")
	}
	return "ip access-list extended L\n permit object-group " + head[2] + " any any\n" + bound("ip access-list extended L")
}

func TestTableStates(t *testing.T) {
	lines := tableLines(t)
	if len(lines) < 500 {
		t.Fatalf("only %d lines", len(lines))
	}
	for _, line := range lines {
		text := line.config
		for group := range strings.SplitSeq(strings.TrimSuffix(stockGroups, "\n"), "\nobject-group ") {
			group = "object-group " + strings.TrimPrefix(group, "object-group ")
			if head, _, _ := strings.Cut(group, "\n"); !strings.Contains(text, head+"\n") {
				text = group + "\n" + text
			}
		}
		c, _, err := grammar.ParseFile("x", strings.NewReader(text))
		if err != nil {
			t.Errorf("%s: %v\n%s", line.construct, err, text)
			continue
		}
		_, findings, err := Compile(c)
		refused := err != nil || slices.ContainsFunc(findings, func(f policy.Finding) bool { return f.State == policy.Refused })
		if want := line.state == "refused"; refused != want && line.state != "partly" && line.state != "kept" {
			t.Errorf("%s is %s, refused %v, %v\n%s", line.construct, line.state, refused, err, line.config)
		}
	}
}
