package shell

import (
	"cmp"
	"fmt"
	"os"
	"strings"
	"time"
)

// configText gives the configuration in force as "show running-config" has it
// below its heading.
func (s *Shell) configText() (string, error) {
	var text strings.Builder
	if !s.changed.IsZero() {
		fmt.Fprintf(&text, "!\n! Last configuration change at %s by %s\n", s.changed.UTC().Format("15:04:05 UTC Mon Jan 2 2006"), cmp.Or(s.o.User, "console"))
	}
	text.WriteString("!\n")
	if err := s.running.Print(&text); err != nil {
		return "", err
	}
	if !strings.HasSuffix(text.String(), "!\n") {
		text.WriteString("!\n")
	}
	text.WriteString("end\n")
	return text.String(), nil
}

func (s *Shell) showRunning(c *call) error {
	if err := s.refresh(c.ctx); err != nil {
		return err
	}
	text, err := s.configText()
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "Building configuration...\n\nCurrent configuration : %d bytes\n%s\n", len(text), text)
	return nil
}

// showStartup shows what an enforcer would start with: what it has in force.
func (s *Shell) showStartup(c *call) error {
	if s.o.Offline {
		return userError("startup-config is not present")
	}
	if err := s.refresh(c.ctx); err != nil {
		return err
	}
	text, err := s.configText()
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "Using %d bytes\n%s\n", len(text), text)
	return nil
}

// showVersion has the lines that fact gathering looks for.
func (s *Shell) showVersion(c *call) error {
	image, err := os.Executable()
	if err != nil {
		image = "aclium"
	}
	fmt.Fprintf(c.out, "aclium, access lists for Kubernetes, Version %s, IOS-like shell\n\n", cmp.Or(s.o.Version, "devel"))
	fmt.Fprintf(c.out, "%s uptime is %s\nSystem image file is %q\n", s.host(), uptime(s.o.Now().Sub(s.started)), image)
	if s.o.Offline {
		fmt.Fprintln(c.out, "No enforcer: nothing is enforced and nothing is counted")
	}
	s.banner(c.ctx, c.out)
	return nil
}

func uptime(d time.Duration) string {
	minutes := int(d.Minutes())
	var parts []string
	for _, unit := range []struct {
		name string
		size int
	}{{"day", 24 * 60}, {"hour", 60}, {"minute", 1}} {
		if n := minutes / unit.size; n > 0 || unit.size == 1 {
			parts = append(parts, plural(n, unit.name))
		}
		minutes %= unit.size
	}
	return strings.Join(parts, ", ")
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// showClock has IOS's star: we do not know that the clock is synchronised.
func (s *Shell) showClock(c *call) error {
	if err := s.refresh(c.ctx); err != nil {
		return err
	}
	fmt.Fprintln(c.out, s.wallClock().Format("*15:04:05.000 MST Mon Jan 2 2006"))
	return nil
}

// wallClock gives the time in the zone of the configuration.
func (s *Shell) wallClock() time.Time {
	clock := s.running.Clock()
	return s.o.Now().In(time.FixedZone(clock.Name, int(clock.Offset/time.Second)))
}

func (s *Shell) showHistory(c *call) error {
	for _, line := range s.History() {
		fmt.Fprintf(c.out, "  %s\n", line)
	}
	return nil
}

func (s *Shell) showPrivilege(c *call) error {
	level := 1
	if s.privileged {
		level = 15
	}
	fmt.Fprintf(c.out, "Current privilege level is %d\n", level)
	return nil
}

func (s *Shell) showTerminal(c *call) error {
	length := s.length
	if length < 0 {
		length = s.pageSize() + boolInt(s.pageSize() > 0)
	}
	fmt.Fprintf(c.out, "Line 0, Location: \"\", Type: \"\"\nLength: %d lines, Width: %d columns\n", length, s.width)
	fmt.Fprintf(c.out, "History is %s, history size is %d.\n", onOff(s.histories[0].size > 0, "enabled", "disabled"), s.histories[0].size)
	fmt.Fprintf(c.out, "Monitor is %s.\n", onOff(s.log.monitored(), "on", "off"))
	return nil
}

func onOff(on bool, yes, no string) string {
	if on {
		return yes
	}
	return no
}

func (s *Shell) showUsers(c *call) error {
	fmt.Fprintln(c.out, "    Line       User       Host(s)              Idle       Location")
	fmt.Fprintf(c.out, "*  0 con 0     %-10s idle                 00:00:00\n", s.o.User)
	return nil
}
