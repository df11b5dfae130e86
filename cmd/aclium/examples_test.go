package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aclium/enforcer/client"
)

var update = flag.Bool("update", false, "write what examples print as what is wanted; read the difference")

// noAgent skips a test on a machine whose own agent the shell would configure.
func noAgent(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(client.DefaultSocket); err == nil {
		t.Skipf("an agent listens on %s: the examples must not configure it", client.DefaultSocket)
	}
}

// Every example does what its commands.txt says and prints what stands beside
// it: objects, reports, proofs and screens.
func TestExamples(t *testing.T) {
	noAgent(t)
	t.Setenv("NO_COLOR", "1")
	scripts, err := filepath.Glob("../../examples/[0-9]*/commands.txt")
	if err != nil || len(scripts) < 3 {
		t.Fatalf("%d examples, %v", len(scripts), err)
	}
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range scripts {
		dir := filepath.Dir(script)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Chdir(filepath.Join(root, dir))
			text, err := os.ReadFile("commands.txt")
			if err != nil {
				t.Fatal(err)
			}
			needLab(t, string(text))
			for line := range strings.Lines(string(text)) {
				if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
					follow(t, line)
				}
			}
		})
	}
}

// follow runs one line of a commands.txt: words with shell quotes, files
// behind > and 2>, and the exit status behind # where it is not 0.
func follow(t *testing.T, line string) {
	t.Helper()
	line, status, _ := strings.Cut(line, " # exits ")
	words, err := shlex(line)
	if err != nil || words[0] != "aclium" {
		t.Fatalf("%s: not a command of aclium (%v)", line, err)
	}
	files := map[string]string{}
	for n := len(words); n > 2 && (words[n-2] == ">" || words[n-2] == "2>"); n = len(words) {
		files[words[n-2]] = words[n-1]
		words = words[:n-2]
	}
	run := command
	if words[1] == "lab" {
		run = func(args ...string) (string, string, int) { return alone(t, args...) }
	}
	out, errOut, got := run(words[1:]...)
	if want, _ := strconv.Atoi(strings.TrimSpace(status)); got != want {
		t.Errorf("%s: exits %d, want %d\n%s", line, got, want, errOut)
	}
	for name, text := range map[string]string{">": out, "2>": errOut} {
		if file := files[name]; file != "" {
			same(t, file, text)
		} else if text != "" && name == ">" {
			t.Errorf("%s prints what is kept nowhere:\n%s", line, text)
		}
	}
}

// shlex divides a line into words; single quotes keep blanks.
func shlex(line string) (words []string, err error) {
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	if strings.Count(line, "'")%2 == 1 || len(words) == 0 {
		return []string{""}, fmt.Errorf("want words and pairs of quotes")
	}
	return words, nil
}

// command runs a command line and gives what it prints and its status.
func command(args ...string) (out, errOut string, status int) {
	var stdout, stderr bytes.Buffer
	status = run(append([]string{"aclium"}, args...), strings.NewReader(""), &stdout, &stderr)
	return stdout.String(), stderr.String(), status
}

func same(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Error(err)
		return
	}
	if diff := cmp.Diff(settled(string(want)), settled(got)); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", file, diff)
	}
}
