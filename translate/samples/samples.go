// Package samples makes policy objects for the judges beside it: the objects
// that random lists become, and those of the examples. It is imported by tests
// only.
//
//	for _, s := range samples.Random(target, 1, 500) {
//		text, err := kube.YAML(s.Objects)
//	}
package samples

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"aclium/grammar"
	"aclium/translate"
	"aclium/translate/acltest"
	"aclium/translate/kube"
	"aclium/translate/policy"
)

// A Sample is a configuration and the objects that it becomes.
type Sample struct {
	// Config is the Cisco text.
	Config string
	// Lists are what the configuration says, Stack what the objects do.
	Lists, Stack policy.Stack
	Objects      []kube.Object
}

// Random gives samples of a target, made from as many random lists on pods, of
// both directions and families: lists that the target can mostly say, and one
// in five that uses the whole language. A list that the target refuses gives
// none. The same seed gives the same samples.
func Random(target translate.Target, seed uint64, lists int) ([]Sample, error) {
	g, r := acltest.NewGenerator(seed), rand.New(rand.NewPCG(seed, 0x5a))
	var out []Sample
	for n := range lists {
		config := sayable(r)
		if n%5 == 0 {
			config = wholeLanguage(g, n%2 == 0)
		}
		s, err := convert(config, target)
		if err != nil {
			return nil, fmt.Errorf("%w, in:\n%s", err, config)
		}
		if len(s.Objects) > 0 {
			out = append(out, s)
		}
	}
	return out, nil
}

// wholeLanguage gives a list of acltest, whose own filter what comes to the
// pods.
func wholeLanguage(g *acltest.Generator, fromPods bool) string {
	l := g.List()
	for !l.Stateful {
		l = g.List()
	}
	if fromPods {
		return strings.TrimSuffix(l.Text, " out\n") + " in\n"
	}
	return l.Text
}

// ranges are the pods' addresses in the generator's lists.
var ranges = []netip.Prefix{netip.MustParsePrefix("10.1.20.0/24"), netip.MustParsePrefix("2001:db8:20::/48")}

func convert(config string, target translate.Target) (Sample, error) {
	tree, _, err := grammar.ParseFile("random.cfg", strings.NewReader(config))
	if err != nil {
		return Sample{}, err
	}
	policies, _, err := translate.Compile(tree)
	if err != nil {
		return Sample{}, err
	}
	stack, _ := translate.Order(policies, translate.OrderOptions{Target: target, ClusterCIDRs: ranges})
	objects, err := kube.Encode(target.Name, stack)
	if err != nil {
		return Sample{}, err
	}
	lists := policy.Stack{{Combine: policy.Series, Policies: policies}}
	return Sample{config, lists, stack, objects}, kube.Prioritize(objects)
}

// Examples gives the text of every policy object file of the examples, by its
// path inside of them.
func Examples() (map[string][]byte, error) {
	root, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	files := os.DirFS(filepath.Join(root, "examples"))
	err = fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		text, err := fs.ReadFile(files, path)
		if strings.Contains(string(text), "\nkind: ") {
			out[path] = text
		}
		return err
	})
	if err == nil && len(out) == 0 {
		err = errors.New("no objects in the examples")
	}
	return out, err
}

// moduleRoot finds the folder that holds the examples, above this one.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "examples")); err == nil {
			return dir, nil
		}
		dir = filepath.Dir(dir)
	}
	return "", errors.New("no examples above this folder")
}
