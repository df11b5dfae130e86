package kube

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"aclium/translate/policy"
)

// An Error is a mistake in an object, or something in it that the model
// cannot say.
type Error struct {
	// Source is the place in the text; Line is 0 when it is not known.
	Source policy.Source
	// Object is "Kind/namespace/name", or what is known of it.
	Object string
	// Msg begins with the field: "spec.ingress[0].ports[1].port: ...".
	Msg string
}

// Error gives "file:line:column: Kind/namespace/name: field: message".
func (e *Error) Error() string {
	place := e.Source.File
	if e.Source.Line > 0 {
		place = e.Source.String()
	}
	if e.Object != "" {
		place += ": " + e.Object
	}
	return place + ": " + e.Msg
}

// Decode reads the policy objects of one stream of YAML or JSON documents and
// gives what they mean together. It refuses what is no policy object.
func Decode(name string, r io.Reader) (policy.Stack, error) {
	var d Decoder
	if err := d.Read(name, r); err != nil {
		return nil, err
	}
	return d.Stack()
}

// A Decoder collects the policy objects of streams, which may be several
// files. The zero value is ready.
//
// It reads strictly. An unknown field, a field that means nothing in the
// model, a value that the API server would refuse: each is an Error, and
// nothing of the stream is taken over.
type Decoder struct {
	// SkipForeign leaves out objects that are no policies, such as Pods;
	// otherwise they are errors.
	SkipForeign bool
	// Namespace is that of objects which name none; empty is "default".
	Namespace string

	seen            map[string]policy.Source
	series, union   []policy.Policy
	admin, baseline []orderedPolicy
	calico          []calicoPolicy
	tiers           map[string]calicoTier
	// cilium says that some of the union are Cilium's.
	cilium bool
}

// Limits on a stream. They keep a hostile one from costing much.
const (
	maxStream = 64 << 20 // bytes
	maxNodes  = 2 << 20  // nodes read, aliases followed
	maxErrors = 20
)

// Read takes over the objects of a stream, or none of them: the error then
// joins what is wrong with each, as an *Error.
func (d *Decoder) Read(name string, r io.Reader) error {
	into := d.clone()
	in := &stream{decoder: into, name: name, nodes: maxNodes}
	limited := &io.LimitedReader{R: r, N: maxStream + 1}
	documents := yaml.NewDecoder(limited)
	var all []error
	for len(all) < maxErrors {
		var doc yaml.Node
		err := documents.Decode(&doc)
		if limited.N <= 0 {
			return &Error{Source: policy.Source{File: name}, Msg: fmt.Sprintf("is longer than %d MiB", maxStream>>20)}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			all = append(all, in.syntax(err))
			break
		}
		all = append(all, in.document(&doc)...)
	}
	if len(all) == 0 {
		*d = *into
	}
	return errors.Join(all...)
}

// clone gives a decoder that can be thrown away.
func (d *Decoder) clone() *Decoder {
	c := *d
	if c.seen = maps.Clone(d.seen); c.seen == nil {
		c.seen = map[string]policy.Source{}
	}
	if c.tiers = maps.Clone(d.tiers); c.tiers == nil {
		c.tiers = map[string]calicoTier{}
	}
	c.calico = slices.Clip(d.calico)
	c.series, c.union = slices.Clip(d.series), slices.Clip(d.union)
	c.admin, c.baseline = slices.Clip(d.admin), slices.Clip(d.baseline)
	return &c
}

// Stack gives what the objects mean together. Lists stand in series with
// everything else and are asked first, because a later tier may permit for good.
func (d *Decoder) Stack() (out policy.Stack, err error) {
	defer func() { err = errorOf(recover(), err) }()
	priority := func(*orderedPolicy, *orderedPolicy) bool { return false }
	tiers := policy.Stack{
		{Combine: policy.Series, Policies: d.series},
		{Name: "admin", Combine: policy.Ordered, Policies: sorted(d.admin, priority)},
		{Combine: policy.Union, Policies: d.union},
		{Name: "baseline", Combine: policy.Ordered, Policies: sorted(d.baseline, priority)},
	}
	if len(d.calico) > 0 {
		tiers = append(tiers[:1], d.calicoTiersOf()...)
	}
	for _, t := range tiers {
		if len(t.Policies) > 0 {
			out = append(out, t)
		}
	}
	return out, nil
}

// A stream is one file being read.
type stream struct {
	decoder *Decoder
	name    string
	nodes   int
}

var yamlLine = regexp.MustCompile(`^yaml: line (\d+): `)

// syntax gives the library's error in our form.
func (s *stream) syntax(err error) error {
	e := &Error{Source: policy.Source{File: s.name}, Msg: err.Error()}
	if m := yamlLine.FindStringSubmatch(e.Msg); m != nil {
		e.Msg = e.Msg[len(m[0]):]
		if e.Source.Line, _ = strconv.Atoi(m[1]); e.Source.Line > 0 {
			e.Source.Column = 1
		}
	}
	e.Msg = "not YAML: " + strings.TrimPrefix(e.Msg, "yaml: ")
	return e
}

// document reads the object of a document, or all objects of a list.
func (s *stream) document(doc *yaml.Node) []error {
	if len(doc.Content) != 1 || isNull(doc.Content[0]) {
		return nil
	}
	return s.object(doc.Content[0], "", "")
}

// object reads one object. The version and kind are those that a list gives
// to items without their own.
func (s *stream) object(n *yaml.Node, version, kind string) (all []error) {
	o := &object{stream: s, version: version, kind: kind}
	var items []value
	if err := o.try(n, func(v value) { items = o.read(v) }); err != nil {
		return []error{err}
	}
	for _, item := range items {
		itemKind, found := strings.CutSuffix(o.kind, "List")
		if !found || itemKind == "" {
			itemKind = ""
		}
		if all = append(all, s.object(item.node, o.version, itemKind)...); len(all) >= maxErrors {
			break
		}
	}
	return all
}

// An object is one object being read.
type object struct {
	stream          *stream
	version, kind   string
	namespace, name string
	annotations     map[string]string
}

// try runs a reader and gives its mistake.
func (o *object) try(n *yaml.Node, read func(value)) (err error) {
	defer func() { err = errorOf(recover(), err) }()
	read(value{object: o, node: n})
	return nil
}

// errorOf gives the mistake that value.fail has panicked with.
func errorOf(r any, err error) error {
	if r == nil {
		return err
	}
	mistake, ok := r.(*Error)
	if !ok {
		panic(r)
	}
	return mistake
}

// title names the object for people.
func (o *object) title() string {
	switch {
	case o.kind == "":
		return ""
	case o.name == "":
		return o.kind
	case o.namespace == "":
		return o.kind + "/" + o.name
	}
	return o.kind + "/" + o.namespace + "/" + o.name
}

// acl is the name that the object's rules go by.
func (o *object) acl() string {
	switch list := o.annotations[aclAnnotation]; {
	case list != "":
		return list
	case o.namespace == "":
		return o.name
	}
	return o.namespace + "/" + o.name
}

// A reader reads the rest of an object of its kind; its value is the whole
// object.
type reader struct {
	unscoped bool
	fields   []string
	read     func(*object, fields)
}

// readers are the kinds, by version and kind.
var readers map[string]reader

func init() {
	calico := reader{fields: []string{"spec", "status"}, read: readCalico}
	global := calico
	global.unscoped = true
	tier := reader{unscoped: true, fields: []string{"spec", "status"}, read: readCalicoTier}
	readers = map[string]reader{
		"projectcalico.org/v3 NetworkPolicy": calico, "projectcalico.org/v3 GlobalNetworkPolicy": global,
		"crd.projectcalico.org/v1 NetworkPolicy": calico, "crd.projectcalico.org/v1 GlobalNetworkPolicy": global,
		"projectcalico.org/v3 Tier": tier, "crd.projectcalico.org/v1 Tier": tier,
		"networking.k8s.io/v1 NetworkPolicy": {fields: []string{"spec", "status"}, read: readNetworkPolicy},
		"policy.networking.k8s.io/v1alpha2 ClusterNetworkPolicy": {
			unscoped: true, fields: []string{"spec", "status"}, read: readClusterNetworkPolicy,
		},
		"aclium.dev/v1alpha1 AccessPolicy": {unscoped: true, fields: []string{"spec", "status"}, read: readAccessPolicy},
		"cilium.io/v2 CiliumNetworkPolicy": {fields: []string{"spec", "specs", "status"}, read: readCilium},
		"cilium.io/v2 CiliumClusterwideNetworkPolicy": {
			unscoped: true, fields: []string{"spec", "specs", "status"}, read: readCilium,
		},
	}
}

// read reads an object, or gives the items of a list.
func (o *object) read(v value) []value {
	version, kind := v.peek("apiVersion"), v.peek("kind")
	o.version, o.kind = orElse(version, o.version), orElse(kind, o.kind)
	if o.kind == "" || o.version == "" {
		v.fail("is no object of a cluster: it has no apiVersion and kind")
	}
	if o.isList() {
		return v.fields("apiVersion", "kind", "metadata", "items").at("items").list()
	}
	r, known := readers[o.version+" "+o.kind]
	if !known {
		if !o.stream.decoder.SkipForeign || o.nearly() {
			v.fail("%s %s is no policy object that can be read, want one of %s", o.version, o.kind, kinds())
		}
		return nil
	}
	f := v.fields(slices.Concat([]string{"apiVersion", "kind", "metadata"}, r.fields)...)
	o.metadata(f.at("metadata"), r.unscoped)
	o.register(v)
	r.read(o, f)
	return nil
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// isList reports whether the object is a list of others.
func (o *object) isList() bool {
	if o.version == "v1" && o.kind == "List" {
		return true
	}
	kind, ok := strings.CutSuffix(o.kind, "List")
	_, known := readers[o.version+" "+kind]
	return ok && known
}

// nearly reports whether the object looks like a policy of a version or kind
// that is not known, or like what policies refer to: leaving it out would lose
// security statements.
func (o *object) nearly() bool {
	return slices.ContainsFunc([]string{"NetworkPolicy", "NetworkSet", "CIDRGroup", "AccessPolicy"}, func(word string) bool {
		return strings.Contains(o.kind, word)
	})
}

func kinds() string {
	var out []string
	for k := range readers {
		out = append(out, k)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// metadata reads what says where an object lives. The rest of it has no say
// in what a policy permits.
func (o *object) metadata(v value, unscoped bool) {
	f := v.fields("name", "namespace", "labels", "annotations", "uid", "resourceVersion", "generation", "creationTimestamp",
		"deletionTimestamp", "deletionGracePeriodSeconds", "managedFields", "ownerReferences", "finalizers", "selfLink")
	o.name = f.at("name").text()
	if o.name == "" {
		v.fail("want a name")
	}
	o.annotations = f.at("annotations").texts()
	f.at("labels").texts()
	namespace := f.at("namespace")
	switch {
	case !unscoped:
		o.namespace = orElse(orElse(namespace.text(), o.stream.decoder.Namespace), "default")
	case namespace.text() != "":
		namespace.fail("a %s lives in no namespace", o.kind)
	}
}

// register notes the object, which a cluster can hold once only.
func (o *object) register(v value) {
	key := o.version + " " + o.title()
	if first, ok := o.stream.decoder.seen[key]; ok {
		v.fail("the object is written twice, first at %s", first)
	}
	o.stream.decoder.seen[key] = v.source()
}
