package shell

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"aclium/grammar"
)

// A Service is a virtual address that the node knows, with what answers
// behind it.
type Service struct {
	Name, Namespace string
	Addresses       []netip.Addr
	Ports           []ServicePort
}

// A ServicePort is one port of a service, on each of its addresses.
type ServicePort struct {
	Name string
	// Protocol is the IP protocol's number.
	Protocol uint8
	Port     uint16
	// Backends are ready; they are of either family.
	Backends []netip.AddrPort
}

// A LearnedName is a name that a name server told for an address.
type LearnedName struct {
	Name    string     `json:"name"`
	Address netip.Addr `json:"address"`
	// Expires is when no connection may begin by the name any more. Names in
	// the past are kept while a connection lives.
	Expires time.Time `json:"expires"`
}

// askTime bounds a question whose answer only helps to complete a word.
const askTime = time.Second

// A column of a table is as wide as its widest cell.
func printTable(out io.Writer, rows [][]string) {
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for n, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			fmt.Fprintf(&line, "%-*s  ", width[i], cell)
		}
		fmt.Fprintln(out, strings.TrimRight(line.String(), " "))
		if n == 0 {
			fmt.Fprintln(out, strings.Repeat("-", sumOf(width)+2*len(width)-2))
		}
	}
}

func sumOf(all []int) (sum int) {
	for _, n := range all {
		sum += n
	}
	return sum
}

// A serviceRow is one port of one address of a service.
type serviceRow struct {
	Service  string           `json:"service"`
	Port     string           `json:"port,omitempty"`
	Protocol string           `json:"protocol"`
	Address  netip.AddrPort   `json:"address"`
	State    string           `json:"state"`
	Backends []netip.AddrPort `json:"backends"`
}

func (r *serviceRow) cells() []string {
	return []string{r.Service, strings.ToUpper(r.Protocol), r.Address.String(), r.State, fmt.Sprint(len(r.Backends))}
}

// servicesOf gives the rows of the service that was named, as NAME or
// NAMESPACE/NAME, or of all.
func servicesOf(services []Service, name string) []serviceRow {
	rows := []serviceRow{}
	for i := range services {
		s := &services[i]
		full := s.Namespace + "/" + s.Name
		if name != "" && name != full && name != s.Name {
			continue
		}
		for _, a := range s.Addresses {
			for _, p := range s.Ports {
				rows = append(rows, serviceRowOf(full, a, p))
			}
		}
	}
	slices.SortStableFunc(rows, func(a, b serviceRow) int { return strings.Compare(a.Service, b.Service) })
	return rows
}

func serviceRowOf(name string, a netip.Addr, p ServicePort) serviceRow {
	row := serviceRow{Service: name, Port: p.Name, Protocol: protocolWord(p.Protocol), Address: netip.AddrPortFrom(a, p.Port), State: "OPERATIONAL", Backends: []netip.AddrPort{}}
	for _, b := range p.Backends {
		if b.Addr().Is4() == a.Is4() {
			row.Backends = append(row.Backends, b)
		}
	}
	if len(row.Backends) == 0 {
		row.State = "OUTOFSERVICE"
	}
	return row
}

// showServices has the columns and states of IOS's "show ip slb vservers".
func (s *Shell) showServices(c *call) error {
	rows, err := s.services(c)
	if err != nil {
		return err
	}
	if c.rows = rows; c.json {
		return nil
	}
	table := [][]string{{"service", "prot", "virtual", "state", "reals"}}
	for i := range rows {
		table = append(table, rows[i].cells())
		for _, b := range rows[i].Backends {
			if c.has("detail") {
				table = append(table, []string{"", "", "  " + b.String()})
			}
		}
	}
	printTable(c.out, table)
	return nil
}

// showReals lists what answers behind services.
func (s *Shell) showReals(c *call) error {
	rows, err := s.services(c)
	if err != nil {
		return err
	}
	if c.rows = rows; c.json {
		return nil
	}
	table := [][]string{{"real", "service", "prot", "state"}}
	for i := range rows {
		for _, b := range rows[i].Backends {
			table = append(table, []string{b.String(), rows[i].Service, strings.ToUpper(rows[i].Protocol), "OPERATIONAL"})
		}
	}
	printTable(c.out, table)
	return nil
}

func (s *Shell) services(c *call) ([]serviceRow, error) {
	if s.o.Agent == nil {
		return nil, refusal("No enforcer: no services are known")
	}
	services, err := s.o.Agent.Services(c.ctx)
	if err != nil {
		return nil, err
	}
	rows := servicesOf(services, c.arg())
	if len(rows) == 0 && c.arg() != "" {
		return nil, refusal("The node knows no service %s", c.arg())
	}
	return rows, nil
}

func (s *Shell) serviceNames() (all []grammar.Completion) {
	if s.o.Agent == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	services, err := s.o.Agent.Services(ctx)
	if err != nil {
		return nil
	}
	for i := range services {
		all = append(all, grammar.Completion{Token: services[i].Namespace + "/" + services[i].Name, Help: plural(len(services[i].Ports), "port"), Kind: grammar.Defined})
	}
	return all
}

// A nameRow is a learned name with what is left of its TTL.
type nameRow struct {
	LearnedName
	// TTL is in whole seconds; 0 when it has run out.
	TTL int `json:"ttl"`
}

// showNames lists what was learned from the DNS, by name, in the form of the
// ASA's "show dns".
func (s *Shell) showNames(c *call) error {
	rows, err := s.names(c.ctx)
	if err != nil {
		return err
	}
	rows = slices.DeleteFunc(rows, func(r nameRow) bool { return c.arg() != "" && !strings.EqualFold(c.arg(), r.Name) })
	if c.rows = rows; c.json {
		return nil
	}
	name := ""
	for _, r := range rows {
		if r.Name != name {
			name = r.Name
			fmt.Fprintf(c.out, "Name: %s\n", name)
		}
		fmt.Fprintf(c.out, " Address: %s TTL %s\n", r.Address, r.left())
	}
	return nil
}

func (r *nameRow) left() string {
	text := fmt.Sprintf("%02d:%02d:%02d", r.TTL/3600, r.TTL/60%60, r.TTL%60)
	if r.TTL == 0 {
		text += " (expired, kept for the connections that began by it)"
	}
	return text
}

func (s *Shell) names(ctx context.Context) ([]nameRow, error) {
	if s.o.Agent == nil {
		return nil, refusal("No enforcer: no names are learned")
	}
	names, err := s.o.Agent.Names(ctx)
	rows := []nameRow{}
	for _, n := range names {
		rows = append(rows, nameRow{n, secondsLeft(s.o.Now(), n.Expires)})
	}
	slices.SortFunc(rows, func(a, b nameRow) int {
		if by := strings.Compare(a.Name, b.Name); by != 0 {
			return by
		}
		return a.Address.Compare(b.Address)
	})
	return rows, err
}

// secondsLeft rounds up, so that only what is over has none left.
func secondsLeft(now, end time.Time) int {
	return max(0, int((end.Sub(now)+time.Second-1)/time.Second))
}

func (s *Shell) hostNames() (all []grammar.Completion) {
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	rows, err := s.names(ctx)
	if err != nil {
		return nil
	}
	for _, r := range rows {
		if n := len(all); n == 0 || all[n-1].Token != r.Name {
			all = append(all, grammar.Completion{Token: r.Name, Help: "Learned from the DNS", Kind: grammar.Defined})
		}
	}
	return all
}
