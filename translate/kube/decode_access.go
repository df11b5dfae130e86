package kube

import (
	"bytes"
	"encoding/json"
	"fmt"

	"aclium/translate/policy"
)

// readAccessPolicy reads an AccessPolicy, whose spec is a policy as it is: a
// list that stands in series with everything else.
func readAccessPolicy(o *object, f fields) {
	spec := f.at("spec")
	if !spec.present() {
		spec.fail("want a spec")
	}
	p, err := accessPolicy(spec)
	if err != nil {
		spec.fail("%v", err)
	}
	if err := p.Validate(); err != nil {
		spec.fail("%v", err)
	}
	o.stream.decoder.series = append(o.stream.decoder.series, p)
}

// accessPolicy reads a policy by way of JSON, which its types know.
func accessPolicy(v value) (p policy.Policy, err error) {
	var in any
	if err := v.node.Decode(&in); err != nil {
		return p, err
	}
	text, err := json.Marshal(in)
	if err != nil {
		return p, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return p, err
	}
	back, err := json.Marshal(p)
	if err != nil {
		return p, err
	}
	var out any
	if err := json.Unmarshal(back, &out); err != nil {
		return p, err
	}
	return p, sameFields(out, in, "")
}

// sameFields wants every field that says something to be in out under the same
// name: package json takes "ACL" for "acl".
func sameFields(out, in any, path string) error {
	switch in := in.(type) {
	case map[string]any:
		named, _ := out.(map[string]any)
		for key, x := range in {
			y, ok := named[key]
			if !ok && !empty(x) {
				return fmt.Errorf("unknown field %q%s", key, path)
			}
			if err := sameFields(y, x, " in "+key); err != nil {
				return err
			}
		}
	case []any:
		list, _ := out.([]any)
		for i, x := range in {
			if i < len(list) {
				if err := sameFields(list[i], x, path); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// empty reports whether a value is what an absent field means.
func empty(x any) bool {
	switch x := x.(type) {
	case nil:
		return true
	case bool:
		return !x
	case string:
		return x == ""
	case int:
		return x == 0
	case []any:
		return len(x) == 0
	case map[string]any:
		return len(x) == 0
	}
	return false
}
