package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strings"

	"github.com/fatih/color"
	"github.com/spf13/cobra"

	"aclium/enforcer/client"
	"aclium/grammar"
	"aclium/shell"
	"aclium/shell/prompt"
	"aclium/translate"
	"aclium/translate/policy"
)

// shellFlags are the flags of `aclium shell`.
type shellFlags struct {
	commands []string
	files    []string
	enforcer string
	output   string
}

func newShellCommand() *cobra.Command {
	var f shellFlags
	c := &cobra.Command{
		Use:   "shell",
		Short: "The IOS-like shell",
		Long: `Shell is the IOS-like prompt on a terminal. With -f, with -c, or when stdin is
no terminal it runs lines without prompting: all of them are checked first, and
nothing is applied when one is bad. A file holds configuration, as
"copy FILE running-config" would read it; one that starts with "enable" or
"configure terminal", and whatever is piped in, is run as it would be typed.

Exit status: 0 clean, 1 when a line is bad or not enforced as it is written,
2 on trouble.`,
		Example: `  aclium shell
  aclium shell -f edge.cfg -c 'show access-lists'
  aclium shell -o json -c 'show services'
  aclium shell -c 'configure terminal' -c 'no access-list 102' -c end
  show-config | aclium shell --enforcer /run/aclium/enforcer.sock`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runShell(c, f) },
	}
	c.Flags().StringArrayVarP(&f.commands, "command", "c", nil, "run this line; may be repeated")
	c.Flags().StringArrayVarP(&f.files, "file", "f", nil, "load this configuration file; may be repeated, - is stdin")
	c.Flags().StringVarP(&f.output, "output", "o", "text", "what \"show\" prints in a script: text or json")
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	c.Flags().StringVar(&f.enforcer, "enforcer", "", "socket of the node agent (default "+client.DefaultSocket+" when it is there)")
	return c
}

func runShell(c *cobra.Command, f shellFlags) error {
	if f.output != "text" && f.output != "json" {
		return fmt.Errorf("unknown output %q, want text or json", f.output)
	}
	o, closeAgent, err := shellOptions(c, f)
	if err != nil {
		return err
	}
	defer closeAgent()
	scripted := len(f.commands)+len(f.files) > 0
	terminal := terminalOf(c, scripted)
	if terminal != nil {
		o.Out, o.Console, o.Color = terminal, terminal, !color.NoColor
	}
	if o.Offline {
		fmt.Fprintln(c.ErrOrStderr(), "% No enforcer: nothing is enforced, counted or saved. Start one with 'aclium enforcer'")
	}
	s, err := shell.New(c.Context(), o)
	if err != nil {
		return err
	}
	if terminal != nil {
		return terminal.Run(c.Context(), s)
	}
	return scriptStatus(runScripts(c, s, f, scripted))
}

// scriptStatus gives the exit status of a script: its findings are printed.
func scriptStatus(err error) error {
	if errors.Is(err, shell.ErrFailed) {
		return errFindings
	}
	return err
}

// runScripts runs the files, then the commands; stdin when there are neither.
func runScripts(c *cobra.Command, s *shell.Shell, f shellFlags, scripted bool) error {
	if !scripted {
		lines, err := shell.ReadLines("", c.InOrStdin())
		if err != nil {
			return unreadable(c, err)
		}
		return s.Script(c.Context(), lines, c.ErrOrStderr())
	}
	for _, name := range f.files {
		if err := runFile(c, s, name); err != nil {
			return err
		}
	}
	lines, err := shell.ReadLines("", strings.NewReader(strings.Join(f.commands, "\n")))
	if err != nil {
		return unreadable(c, err)
	}
	if len(lines) == 0 {
		return nil
	}
	return s.Script(c.Context(), lines, c.ErrOrStderr())
}

func runFile(c *cobra.Command, s *shell.Shell, name string) error {
	var in io.Reader = c.InOrStdin()
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()
		in = file
	}
	return s.File(c.Context(), name, in, c.ErrOrStderr())
}

// unreadable prints why the input is no text.
func unreadable(c *cobra.Command, err error) error {
	var bad *grammar.Error
	if !errors.As(err, &bad) {
		return err
	}
	fmt.Fprintf(c.ErrOrStderr(), "line %d: %s\n", bad.Pos.Line, bad.Msg)
	return errFindings
}

// terminalOf gives the terminal when a person sits at both ends.
func terminalOf(c *cobra.Command, scripted bool) *prompt.Terminal {
	in, isFile := c.InOrStdin().(*os.File)
	out, outIsFile := c.OutOrStdout().(*os.File)
	if scripted || !isFile || !outIsFile {
		return nil
	}
	t, err := prompt.Open(in, out)
	if err != nil {
		return nil
	}
	return t
}

// shellOptions connects the shell with the agent. An agent that was named must
// be there; the default one need not.
func shellOptions(c *cobra.Command, f shellFlags) (shell.Options, func(), error) {
	o := shell.Options{Out: c.OutOrStdout(), Host: hostName(), User: userName(), Version: currentBuild().Version, JSON: f.output == "json"}
	socket := f.enforcer
	if socket == "" {
		socket = client.DefaultSocket
	}
	agent, err := client.Dial(socket)
	if errors.Is(err, client.ErrNoAgent) && f.enforcer == "" {
		o.Applier, o.Offline = &offline{}, true
		return o, func() {}, nil
	}
	if err != nil {
		return o, nil, err
	}
	o.Applier, o.Counters, o.Events, o.Agent = online{agent}, agent, agent, state{agent}
	return o, agent.Close, nil
}

// hostName gives the first label of the node's name, as far as clients accept
// it in a prompt.
func hostName() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	name, _, _ = strings.Cut(name, ".")
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, name)
}

func userName() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username
}

// online puts configurations in force on a node agent. The text travels with
// the policies, so that every shell sees the same configuration.
type online struct{ agent *client.Client }

func (a online) Load(ctx context.Context) (string, uint64, error) {
	d, err := a.agent.Desired(ctx)
	return d.Source, d.Revision, err
}

func (a online) Apply(ctx context.Context, c *grammar.Config, revision uint64) (uint64, []policy.Finding, error) {
	policies, findings, source, err := compile(c)
	if err != nil {
		return 0, findings, err
	}
	next, err := a.agent.Put(ctx, client.Desired{Revision: revision, Source: source, Policies: policies, Logging: translate.Logging(c)})
	if errors.Is(err, client.ErrConflict) {
		err = fmt.Errorf("%w: %w", shell.ErrConflict, err)
	}
	if errors.Is(err, client.ErrUnfinished) {
		err = shell.Unfinished{Err: err}
	}
	return next, findings, err
}

// state asks the agent how it fares.
type state struct{ agent *client.Client }

func (a state) Drops(ctx context.Context) ([]shell.Drop, error) {
	drops, err := a.agent.Drops(ctx)
	var out []shell.Drop
	for _, d := range drops {
		out = append(out, shell.Drop(d))
	}
	return out, err
}

func (a state) Services(ctx context.Context) ([]shell.Service, error) {
	services, err := a.agent.Services(ctx)
	var out []shell.Service
	for _, s := range services {
		seen := shell.Service{Name: s.Name, Namespace: s.Namespace, Addresses: s.Addresses}
		for _, p := range s.Ports {
			seen.Ports = append(seen.Ports, shell.ServicePort(p))
		}
		out = append(out, seen)
	}
	return out, err
}

func (a state) Names(ctx context.Context) ([]shell.LearnedName, error) {
	named, err := a.agent.Names(ctx)
	var out []shell.LearnedName
	for _, at := range named {
		for _, n := range at.Names {
			out = append(out, shell.LearnedName{Name: n.Name, Address: at.Address, Expires: n.Expires})
		}
	}
	return out, err
}

func (a state) Policers(ctx context.Context) ([]policy.PoliceCounter, error) {
	return a.agent.Policers(ctx)
}

func (a state) Reflected(ctx context.Context) ([]policy.Reflected, error) {
	return a.agent.Reflected(ctx)
}

func (a state) State(ctx context.Context) (shell.AgentState, error) {
	h, err := a.agent.Health(ctx)
	out := shell.AgentState{Audit: h.Audit, Error: h.Error, Unfinished: h.Unfinished, Missing: h.Missing}
	for _, program := range h.Ahead {
		out.Ahead = append(out.Ahead, program.String())
	}
	return out, err
}

// compile gives the policies of a configuration and its canonical text.
func compile(c *grammar.Config) ([]policy.Policy, []policy.Finding, string, error) {
	policies, findings, err := translate.Compile(c)
	if err == nil {
		err = translate.Refused(findings)
	}
	if err == nil {
		// Lines about what no node sees, as the names of the DNS, are left out.
		seen, more := translate.Order(policies, translate.OrderOptions{Target: translate.Enforcer})
		policies, findings, err = seen.Policies(), append(findings, more...), translate.Refused(more)
	}
	if err != nil {
		return nil, findings, "", shell.Refused{Err: err}
	}
	var source strings.Builder
	err = c.Print(&source)
	return policies, findings, source.String(), err
}

// offline keeps a configuration for the session and enforces nothing. It
// refuses what an agent would refuse.
type offline struct {
	source   string
	revision uint64
}

func (o *offline) Load(context.Context) (string, uint64, error) { return o.source, o.revision, nil }

func (o *offline) Apply(_ context.Context, c *grammar.Config, _ uint64) (uint64, []policy.Finding, error) {
	_, findings, source, err := compile(c)
	if err != nil {
		return 0, findings, err
	}
	o.source, o.revision = source, o.revision+1
	return o.revision, findings, nil
}
