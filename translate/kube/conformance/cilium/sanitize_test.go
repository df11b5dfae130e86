package cilium

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"testing"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	"github.com/cilium/cilium/pkg/option"
	"github.com/cilium/cilium/pkg/policy/api"
)

// The agent's defaults, which a plain program does not have. Without the first
// one Sanitize turns "enableDefaultDeny: false" into true without a word.
func init() {
	option.Config.EnableNonDefaultDenyPolicies = true
	option.Config.EnableICMPRules = true
	option.Config.EnableL7Proxy = true
	option.Config.EnableIPv4, option.Config.EnableIPv6 = true, true
}

const clusterName = "default"

var silent = slog.New(slog.NewTextHandler(io.Discard, nil))

// parse reads an object as the agent does: Sanitize, then the namespace.
func parse(kind string, object map[string]any) (api.Rules, error) {
	text, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	switch kind {
	case "CiliumNetworkPolicy":
		var o ciliumv2.CiliumNetworkPolicy
		if err := json.Unmarshal(text, &o); err != nil {
			return nil, err
		}
		return o.Parse(silent, clusterName)
	case "CiliumClusterwideNetworkPolicy":
		var o ciliumv2.CiliumClusterwideNetworkPolicy
		if err := json.Unmarshal(text, &o); err != nil {
			return nil, err
		}
		return o.Parse(silent, clusterName)
	}
	return nil, fmt.Errorf("%s is no kind of Cilium's", kind)
}

// accept checks an object by every means that fits its kind, and says whether
// there are any.
func accept(t *testing.T, all map[string]*schema, object map[string]any) (known bool, err error) {
	t.Helper()
	kind := object["kind"].(string)
	s, known := all[kind]
	if !known {
		return false, nil
	}
	if err := s.check(object); err != nil {
		return true, fmt.Errorf("schema: %w", err)
	}
	if kind == "ClusterNetworkPolicy" {
		return true, nil
	}
	if _, err := parse(kind, object); err != nil {
		return true, fmt.Errorf("sanitize: %w", err)
	}
	return true, nil
}
