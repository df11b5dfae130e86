package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// arrows is the imports table of docs/architecture.md: what each package may
// import of the module. An arrow may only be added by changing both.
var arrows = map[string][]string{
	"cmd/aclium":               {"*"},
	"grammar":                  {},
	"translate":                {"grammar", "translate/policy", "translate/inventory"},
	"translate/inventory":      {"translate/policy"},
	"translate/check":          {"grammar", "translate", "translate/policy"},
	"translate/policy":         {},
	"translate/kube":           {"translate/policy", "translate/inventory"},
	"translate/trace":          {"grammar", "translate", "translate/policy", "translate/linewalk"},
	"translate/verify":         {"translate/policy", "translate/inventory"},
	"translate/linewalk":       {"grammar", "translate/policy"},
	"translate/acltest":        {"grammar", "translate/policy"},
	"translate/samples":        {"grammar", "translate", "translate/policy", "translate/kube", "translate/acltest"},
	"shell":                    {"grammar", "translate", "translate/policy"},
	"shell/prompt":             {"shell"},
	"enforcer":                 {"translate/policy", "enforcer/identity", "enforcer/datapath", "enforcer/client", "enforcer/dns"},
	"enforcer/bpf":             {},
	"enforcer/client":          {"translate/policy"},
	"enforcer/classifier":      {"translate/policy", "enforcer/bpf"},
	"enforcer/datapath":        {"translate/policy", "enforcer/bpf", "enforcer/classifier"},
	"enforcer/dns":             {},
	"enforcer/identity":        {"translate/policy"},
	"enforcer/lab":             {"translate/policy", "enforcer/client", "enforcer/internal/wire"},
	"enforcer/internal/chance": {"translate/policy"},
	"enforcer/internal/testns": {},
	"enforcer/internal/wire":   {"translate/policy"},

	"enforcer/internal/oldkernel": {},
	"enforcer/internal/ruleset":   {"translate/policy"},

	"enforcer/internal/bench": {"translate/policy", "enforcer/bpf", "enforcer/client", "enforcer/datapath", "enforcer/internal/ruleset"},
}

// owners says which outside modules only these packages may import.
var owners = map[string][]string{
	"github.com/cilium/ebpf":           {"enforcer/bpf", "enforcer/datapath", "enforcer/internal/bench"},
	"github.com/vishvananda/netlink":   {"enforcer/datapath", "enforcer/lab", "enforcer/internal/testns", "enforcer/internal/bench"},
	"github.com/alecthomas/participle": {"grammar"},
	"github.com/c-bata/go-prompt":      {"shell/prompt"},
	"k8s.io/":                          {"translate/kube"},
	"github.com/spf13/cobra":           {"cmd/aclium"},
}

type goPackage struct {
	ImportPath, Dir, Doc string
	GoFiles, Imports     []string
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Doc,GoFiles,Imports", "aclium/...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []goPackage
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		if len(p.GoFiles) > 0 {
			packages = append(packages, p)
		}
	}
}

func TestImportsFollowTheTable(t *testing.T) {
	for _, p := range listPackages(t) {
		name := strings.TrimPrefix(p.ImportPath, "aclium/")
		allowed, known := arrows[name]
		if !known {
			t.Errorf("package %s is not in the imports table", name)
			continue
		}
		for _, path := range p.Imports {
			checkImport(t, name, path, allowed)
		}
	}
}

func checkImport(t *testing.T, name, path string, allowed []string) {
	t.Helper()
	if inside, ok := strings.CutPrefix(path, "aclium/"); ok {
		if !slices.Contains(allowed, inside) && !slices.Contains(allowed, "*") {
			t.Errorf("%s imports %s: not in the imports table", name, inside)
		}
		return
	}
	for module, who := range owners {
		if strings.HasPrefix(path, module) && !slices.Contains(who, name) {
			t.Errorf("%s imports %s: only %v may", name, path, who)
		}
	}
}

// Every package says in exactly one doc.go what it takes and gives; no file
// outgrows 700 lines.
func TestPackagesAreDocumentedAndSmall(t *testing.T) {
	for _, p := range listPackages(t) {
		if p.Doc == "" {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
		for _, file := range p.GoFiles {
			text, err := os.ReadFile(filepath.Join(p.Dir, file))
			if err != nil {
				t.Fatal(err)
			}
			generated := bytes.Contains(text[:min(len(text), 200)], []byte("DO NOT EDIT"))
			if n := bytes.Count(text, []byte("\n")); n > 700 && !generated {
				t.Errorf("%s/%s has %d lines, want 700 at most", p.ImportPath, file, n)
			}
		}
	}
}
