package shell

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"aclium/grammar"
)

// execCommands is the table of EXEC commands: word, help, next, run. It is all
// that "?", Tab, abbreviations and errors know of them.
func execCommands() []command {
	listName := command{word: "WORD", help: "ACL name", accepts: wordArgument, names: (*Shell).aclNames}
	lists := func(help string, run func(*Shell, *call) error) []command {
		name := listName
		name.help, name.run = help, run
		name.next = []command{detail(run)}
		return []command{name, detail(run)}
	}
	cleared := listName
	cleared.run = (*Shell).clearCounters
	counters := []command{{word: "counters", help: "Clear access list statistical counters", run: (*Shell).clearCounters, next: []command{cleared}}}
	return []command{
		{word: "clear", help: "Reset functions", privileged: true, next: []command{
			{word: "access-list", help: "Clear access list statistical information", next: counters},
			{word: "ip", help: "IP", next: []command{
				{word: "access-list", help: "Clear access list statistical information", next: counters}}},
			{word: "ipv6", help: "IPv6", next: []command{
				{word: "access-list", help: "Clear access list statistical information", next: counters}}},
			{word: "logging", help: "Clear logging buffer", run: (*Shell).clearLogging},
		}},
		{word: "configure", help: "Enter configuration mode", privileged: true, run: (*Shell).configureFrom, next: []command{
			{word: "terminal", help: "Configure from the terminal", run: (*Shell).configure}}},
		{word: "copy", help: "Copy from one file to another", privileged: true, next: []command{
			{word: "running-config", help: "Copy from current system configuration", next: []command{
				{word: "startup-config", help: "Copy to startup configuration", run: (*Shell).copyToStartup}}}}},
		{word: "disable", help: "Turn off privileged commands", privileged: true, run: (*Shell).disable},
		{word: "enable", help: "Turn on privileged commands", run: (*Shell).enable, next: []command{
			{word: "<0-15>", help: "Enable level", accepts: numberIn(0, 15), run: (*Shell).enable}}},
		{word: "exit", help: "Exit from the EXEC", run: (*Shell).exit},
		{word: "find", help: "Find the commands that match a regular expression", next: []command{
			{word: "LINE", help: "Regular Expression", accepts: wordArgument, rest: true, run: (*Shell).find}}},
		{word: "logout", help: "Exit from the EXEC", run: (*Shell).exit},
		{word: "quit", help: "Exit from the EXEC", run: (*Shell).exit},
		{word: "show", help: "Show running system information", next: showCommands(lists)},
		{word: "terminal", help: "Set terminal line parameters", next: terminalCommands()},
		{word: "write", help: "Write running configuration to memory or terminal", privileged: true, run: (*Shell).writeMemory, next: []command{
			{word: "memory", help: "Write to NV memory", run: (*Shell).writeMemory},
			{word: "terminal", help: "Write to terminal", run: (*Shell).showRunning}}},
	}
}

func detail(run func(*Shell, *call) error) command {
	return command{word: "detail", help: "Counters by subject, direction and node", run: run}
}

func showCommands(lists func(string, func(*Shell, *call) error) []command) []command {
	group := command{word: "WORD", help: "Object group name", accepts: wordArgument, names: (*Shell).groupNames, run: (*Shell).showObjectGroup}
	anyInterface := command{word: "LINE", help: "Interface", accepts: wordArgument, rest: true, names: (*Shell).interfaceNames, run: (*Shell).showIPInterface}
	policed := anyInterface
	policed.run = (*Shell).showPolicyMapInterfaces
	filtered := anyInterface
	filtered.names, filtered.run = (*Shell).boundInterfaces, (*Shell).showBoundLists
	host := command{word: "WORD", help: "Name of a host", accepts: wordArgument, names: (*Shell).hostNames, run: (*Shell).showNames}
	backends := command{word: "detail", help: "Backends below each port", run: (*Shell).showServices}
	services := []command{{word: "WORD", help: "Service name", accepts: wordArgument, names: (*Shell).serviceNames, run: (*Shell).showServices, next: []command{backends}}, backends}
	inspect := func(help string, run func(*Shell, *call) error, next ...command) []command {
		return []command{{word: "type", help: "Type of the map", next: []command{
			{word: "inspect", help: help, run: run, next: next}}}}
	}
	return []command{
		{word: "access-lists", help: "List access lists", run: (*Shell).showAccessLists, next: lists("ACL name", (*Shell).showAccessLists)},
		{word: "class-map", help: "Show class maps", next: inspect("Inspect class maps", (*Shell).showClassMaps)},
		{word: "clock", help: "Display the system clock", run: (*Shell).showClock},
		{word: "dns", help: "Names learned from the DNS, with what is left of their TTLs", run: (*Shell).showNames, next: []command{
			{word: "host", help: "Addresses of one name", next: []command{host}}}},
		{word: "drops", help: "What was dropped, by line and by reason", run: (*Shell).showDrops},
		{word: "history", help: "Display the session command history", run: (*Shell).showHistory},
		{word: "hosts", help: "Names learned from the DNS, with what is left of their TTLs", run: (*Shell).showNames, next: []command{host}},
		{word: "ip", help: "IP information", next: []command{
			{word: "access-lists", help: "List IP access lists", run: (*Shell).showIPAccessLists, next: append(lists("ACL name", (*Shell).showIPAccessLists),
				command{word: "interface", help: "Access lists of an interface, with what they matched there", next: []command{filtered}})},
			{word: "interface", help: "IP interface status and configuration", run: (*Shell).showIPInterface, next: []command{anyInterface}},
			{word: "slb", help: "Services and what answers behind them", next: []command{
				{word: "reals", help: "Backends of services", run: (*Shell).showReals},
				{word: "vservers", help: "Addresses and ports of services", run: (*Shell).showServices, next: services}}}}},
		{word: "ipv6", help: "IPv6 information", next: []command{
			{word: "access-list", help: "Summary of access lists", run: (*Shell).showIPv6AccessLists, next: lists("ACL name", (*Shell).showIPv6AccessLists)}}},
		{word: "logging", help: "Show the contents of logging buffers", run: (*Shell).showLogging},
		{word: "object-group", help: "Show object groups", run: (*Shell).showObjectGroup, next: []command{
			group, {word: "name", help: "Object group name", next: []command{group}}}},
		{word: "time-range", help: "Time range", run: (*Shell).showTimeRanges, next: []command{
			{word: "WORD", help: "Time range name", accepts: wordArgument, names: (*Shell).timeRangeNames, run: (*Shell).showTimeRanges}}},
		{word: "police", help: "What classes with police let pass and dropped", run: (*Shell).showPolice},
		{word: "policy-map", help: "Show policy maps", next: append(inspect("Inspect policy maps", (*Shell).showPolicyMaps,
			command{word: "zone-pair", help: "Policy maps of zone-pairs", run: (*Shell).showPolicyMapZonePairs, next: []command{
				{word: "WORD", help: "Zone-pair name", accepts: wordArgument, names: (*Shell).zonePairNames, run: (*Shell).showPolicyMapZonePairs}}}),
			command{word: "interface", help: "Policy maps of the zones that an interface is in", run: (*Shell).showPolicyMapInterfaces, next: []command{policed}})},
		{word: "privilege", help: "Show current privilege level", run: (*Shell).showPrivilege},
		{word: "running-config", help: "Current operating configuration", privileged: true, run: (*Shell).showRunning},
		{word: "services", help: "Services that the node knows, by address and port", run: (*Shell).showServices, next: services},
		{word: "startup-config", help: "Contents of startup configuration", privileged: true, run: (*Shell).showStartup},
		{word: "terminal", help: "Display terminal configuration parameters", run: (*Shell).showTerminal},
		{word: "users", help: "Display information about terminal lines", run: (*Shell).showUsers},
		{word: "version", help: "System software status", run: (*Shell).showVersion},
		{word: "zone", help: "Zone information", next: []command{
			{word: "security", help: "Security zones", run: (*Shell).showZones}}},
		{word: "zone-pair", help: "Zone-pair information", next: []command{
			{word: "security", help: "Security zone-pairs", run: (*Shell).showZonePairs}}},
	}
}

func terminalCommands() []command {
	size := func(word, help string, high int, run func(*Shell, *call) error) command {
		return command{word: word, help: help, next: []command{
			{word: fmt.Sprintf("<0-%d>", high), help: help, accepts: numberIn(0, high), run: run}}}
	}
	return []command{
		{word: "history", help: "Enable and control the command history function", next: []command{
			size("size", "Set history buffer size", 256, (*Shell).terminalHistory)}},
		size("length", "Set number of lines on a screen", 512, (*Shell).terminalLength),
		{word: "monitor", help: "Copy debug output to the current terminal line", run: (*Shell).terminalMonitor},
		{word: "no", help: "Negate a command or set its defaults", next: []command{
			{word: "monitor", help: "Copy debug output to the current terminal line", run: (*Shell).terminalNoMonitor}}},
		size("width", "Set width of the display terminal", 512, (*Shell).terminalWidth),
	}
}

// exit ends the session; a candidate that is not in force ends with it.
func (s *Shell) exit(*call) error {
	if s.kept != nil {
		s.warn("% Typed, never in force, and lost with this session: " + plural(len(s.typed), "line"))
	}
	return ErrExit
}

// configureFrom asks where from, as IOS does; without a person it is the
// terminal.
func (s *Shell) configureFrom(c *call) error {
	if s.o.Console != nil {
		answer, err := s.o.Console.Ask(c.ctx, "Configuring from terminal, memory, or network [terminal]? ")
		if err != nil {
			return nil
		}
		if !strings.HasPrefix("terminal", strings.ToLower(strings.TrimSpace(answer))) {
			return refusal("Only configuration from the terminal is possible.")
		}
	}
	return s.configure(c)
}

func (s *Shell) enable(c *call) error {
	s.privileged = c.arg() == "" || atoi(c.arg()) > 1
	return nil
}

func (s *Shell) disable(*call) error {
	s.privileged = false
	return nil
}

func atoi(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}

func (s *Shell) terminalLength(c *call) error {
	s.length = atoi(c.arg())
	return nil
}

func (s *Shell) terminalWidth(c *call) error {
	s.width = atoi(c.arg())
	return nil
}

func (s *Shell) terminalHistory(c *call) error {
	for i := range s.histories {
		s.histories[i].size = atoi(c.arg())
		s.histories[i].trim()
	}
	return nil
}

func (s *Shell) terminalMonitor(*call) error {
	if s.o.Events == nil {
		return refusal("No enforcer: there is nothing to monitor")
	}
	s.log.monitor(true)
	return nil
}

func (s *Shell) terminalNoMonitor(*call) error {
	s.log.monitor(false)
	return nil
}

// clearCounters says nothing on success, as IOS.
func (s *Shell) clearCounters(c *call) error {
	if s.o.Counters == nil {
		return refusal("No enforcer: there are no counters")
	}
	name := c.arg()
	if name != "" && s.running.ACL(name) == nil {
		return refusal("Access list %s does not exist", name)
	}
	return s.o.Counters.Clear(c.ctx, name)
}

// writeMemory has little to do: what is in force is kept by who enforces it.
func (s *Shell) writeMemory(*call) error {
	if s.o.Offline {
		return refusal("No enforcer: nothing is saved. Save the output of \"show running-config\" to a file instead")
	}
	if s.kept != nil || len(s.typed) > 0 && s.edit == nil {
		return refusal("Lines are typed that are not in force: see \"configure terminal\"")
	}
	s.print("Building configuration...\n[OK]\n")
	return nil
}

func (s *Shell) copyToStartup(c *call) error {
	if s.o.Console != nil && !s.o.Offline {
		if _, err := s.o.Console.Ask(c.ctx, "Destination filename [startup-config]? "); err != nil {
			return nil
		}
	}
	return s.writeMemory(c)
}

// find lists every command that matches.
func (s *Shell) find(c *call) error {
	re, err := regexp.Compile(c.arg())
	if err != nil {
		return refusal("Failed to compile regular expression.")
	}
	var walk func(prefix string, all []command)
	walk = func(prefix string, all []command) {
		for _, cmd := range s.visible(all) {
			line := strings.TrimPrefix(prefix+" "+cmd.word, " ")
			if cmd.run != nil && re.MatchString(line) {
				fmt.Fprintf(c.out, "  %s\n", line)
			}
			walk(line, cmd.next)
		}
	}
	walk("", s.commands)
	return nil
}

func (s *Shell) aclNames() []grammar.Completion {
	var all []grammar.Completion
	for _, name := range append(s.running.ReflexiveLists(false), s.running.ReflexiveLists(true)...) {
		all = append(all, grammar.Completion{Token: name, Help: "Reflexive list", Kind: grammar.Defined})
	}
	for _, a := range s.running.ACLs {
		all = append(all, grammar.Completion{Token: a.Name, Help: entries(lines(a)), Kind: grammar.Defined})
	}
	return all
}

// lines counts what permits or denies: remarks are none of a list's entries.
func lines(a *grammar.ACL) (n int) {
	for _, e := range a.Entries {
		if e.ACE != nil {
			n++
		}
	}
	return n
}

func entries(n int) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}

func (s *Shell) groupNames() []grammar.Completion {
	var all []grammar.Completion
	for _, g := range s.running.ObjectGroups {
		all = append(all, grammar.Completion{Token: g.Name, Help: g.Kind.String() + " object group", Kind: grammar.Defined})
	}
	return all
}

func (s *Shell) zonePairNames() (all []grammar.Completion) {
	for _, z := range s.running.ZonePairs {
		all = append(all, grammar.Completion{Token: z.Name, Help: z.Description, Kind: grammar.Defined})
	}
	return all
}

func (s *Shell) interfaceNames() []grammar.Completion {
	var all []grammar.Completion
	for _, i := range s.running.Interfaces {
		all = append(all, grammar.Completion{Token: interfaceName(i), Help: i.Description, Kind: grammar.Defined})
	}
	return all
}
