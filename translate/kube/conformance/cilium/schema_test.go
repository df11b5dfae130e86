package cilium

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	crds "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/client/crds/v2"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"
)

// A schema is what an API server checks a custom resource against.
type schema struct {
	structure *structural.Structural
	openAPI   validation.SchemaValidator
	rules     *cel.Validator
}

// schemas gives the schema of every kind of custom resource that is judged.
func schemas(t *testing.T) map[string]*schema {
	t.Helper()
	out := map[string]*schema{}
	for _, name := range []string{"ciliumnetworkpolicies.yaml", "ciliumclusterwidenetworkpolicies.yaml"} {
		text, err := crds.EmbedFS.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		addSchema(t, out, text, "v2")
	}
	addSchema(t, out, clusterNetworkPolicyCRD(t), "v1alpha2")
	return out
}

// clusterNetworkPolicyCRD reads the resource of the standard channel, which
// its module carries as a file.
func clusterNetworkPolicyCRD(t *testing.T) []byte {
	t.Helper()
	dir, err := exec.Command("go", "list", "-mod=mod", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/network-policy-api").Output()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "config/crd/standard/policy.networking.k8s.io_clusternetworkpolicies.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func addSchema(t *testing.T, into map[string]*schema, text []byte, version string) {
	t.Helper()
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(text, &crd); err != nil {
		t.Fatal(err)
	}
	for i := range crd.Spec.Versions {
		v := &crd.Spec.Versions[i]
		if v.Name != version {
			continue
		}
		var props apiextensions.JSONSchemaProps
		if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(v.Schema.OpenAPIV3Schema, &props, nil); err != nil {
			t.Fatal(err)
		}
		s := &schema{}
		var err error
		if s.structure, err = structural.NewStructural(&props); err != nil {
			t.Fatal(err)
		}
		if s.openAPI, _, err = validation.NewSchemaValidator(&props); err != nil {
			t.Fatal(err)
		}
		s.rules = cel.NewValidator(s.structure, true, celconfig.PerCallLimit)
		into[crd.Spec.Names.Kind] = s
		return
	}
	t.Fatalf("%s has no version %s", crd.Name, version)
}

// check says what an API server would refuse the object for, and which fields
// it would silently drop.
func (s *schema) check(object map[string]any) error {
	options := structural.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}
	dropped := pruning.PruneWithOptions(object, s.structure, true, options)
	if len(dropped) > 0 {
		return fmt.Errorf("unknown fields %s", strings.Join(dropped, ", "))
	}
	if all := validation.ValidateCustomResource(nil, object, s.openAPI); len(all) > 0 {
		return all.ToAggregate()
	}
	all, _ := s.rules.Validate(context.Background(), nil, s.structure, object, nil, celconfig.RuntimeCELCostBudget)
	return all.ToAggregate()
}
