package enforcer

import (
	"slices"
	"testing"

	"aclium/enforcer/client"
	"aclium/enforcer/datapath"
	"aclium/enforcer/identity"
	"aclium/translate/policy"
)

// Nobody is shown a change that may yet be undone: who saw its revision could
// replace, under the same number, another state than he has read.
func TestChangeIsShownWhenItIsStored(t *testing.T) {
	e, m := newTest(t, "veth1")
	mustPutEndpoints(t, e, pod("a", "web", "veth1", "10.0.0.1"))
	mustPut(t, e, onPods("OLD", policy.Ingress, "web"))
	blockRename(t, e, m)
	var shown []uint64
	m.applying = func() { shown = append(shown, e.Desired().Revision) }
	if _, err := e.Put(client.Desired{Revision: 1, Policies: []policy.Policy{onPods("NEW", policy.Ingress, "web")}}); err == nil {
		t.Fatal("the disk's error is lost")
	}
	if !slices.Equal(shown, []uint64{1, 1}) {
		t.Errorf("readers saw revisions %v while the change was made and undone, want 1 alone", shown)
	}
	if d := e.Desired(); d.Revision != 1 || d.Policies[0].ACL != "OLD" {
		t.Errorf("readers see %s of revision %d", d.Policies[0].ACL, d.Revision)
	}
}

// While a change is undone addresses still have its numbers, for a moment: the
// tables must know them, or a pod that lines deny by its labels is nobody to
// them.
func TestUndoneNumbersAreKnownUntilTheyAreGone(t *testing.T) {
	e, m := newTest(t, "veth1")
	mustPutEndpoints(t, e, pod("a", "web", "veth1", "10.0.0.1"))
	mustPut(t, e, onPods("OLD", policy.Ingress, "web"))
	blockRename(t, e, m)
	if err := e.PutEndpoints([]client.Endpoint{pod("a", "db", "veth1", "10.0.0.1")}); err == nil {
		t.Fatal("the disk's error is lost")
	}
	knows := func(app string) bool {
		return slices.ContainsFunc(m.last().Identities, func(id datapath.Identity) bool { return id.Labels["app"] == app })
	}
	if !knows("web") || !knows("db") {
		t.Errorf("tables know the old label %v and the refused one %v, want both", knows("web"), knows("db"))
	}
	web, _ := e.current.Load().record.Identities.Number(identity.Labels("shop", map[string]string{"app": "web"}))
	for p, a := range m.last().Addresses {
		if p.Addr().String() == "10.0.0.1" && a.Identity != web {
			t.Errorf("the pod's address has identity %d, want %d", a.Identity, web)
		}
	}
	if err := e.Sync(); err != nil {
		t.Fatal(err)
	}
	if !knows("web") || knows("db") {
		t.Error("the refused label is known for ever")
	}
}
