package classifier

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"sync"
	"testing"
	"unsafe"

	"aclium/enforcer/internal/ruleset"
	"aclium/translate/policy"
)

// taken are the types whose elements stand in workspaces.
var taken = map[string]reflect.Type{
	"bool": reflect.TypeFor[bool](), "byte": reflect.TypeFor[byte](), "int32": reflect.TypeFor[int32](), "uint32": reflect.TypeFor[uint32](), "uint64": reflect.TypeFor[uint64](),
	"end": reflect.TypeFor[end](), "entry": reflect.TypeFor[entry](), "limits": reflect.TypeFor[limits](), "member": reflect.TypeFor[member](),
	"noted": reflect.TypeFor[noted](), "point": reflect.TypeFor[point](), "rule": reflect.TypeFor[rule](), "slot": reflect.TypeFor[slot](),
	"span": reflect.TypeFor[span](), "stretch": reflect.TypeFor[stretch](),
}

// The collector does not look into workspaces.
func TestWorkspacesHoldNoPointers(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\btake\[(\w+)\]\(`).FindAllStringSubmatch(string(text), -1) {
			of := taken[m[1]]
			if found++; of == nil || hasPointers(of) {
				t.Errorf("%s takes elements of %s, which is not known to be without pointers", name, m[1])
			}
		}
	}
	if found < 15 {
		t.Errorf("found %d takes, want all", found)
	}
}

func hasPointers(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Bool, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Int, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uint:
		return false
	case reflect.Array:
		return hasPointers(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if hasPointers(t.Field(i).Type) {
				return true
			}
		}
		return false
	}
	return true
}

// What is taken is 0, begins at a cache line, and is nobody else's, whatever
// does not fit into what was mapped first included.
func TestWorkspacesGiveEverythingOnce(t *testing.T) {
	w := newWorkspace(longList)
	defer w.free()
	if len(w.mapped) != 1 {
		t.Skip("the system maps nothing")
	}
	var mu sync.Mutex
	var wait sync.WaitGroup
	owners := map[*uint32]uint32{}
	for worker := range uint32(4) {
		wait.Go(func() {
			for i := range uint32(200) {
				list := take[uint32](w, int(i*97%9000)+1)
				for at := range list {
					if list[at] != 0 {
						t.Error("an element is not 0")
						return
					}
					list[at] = worker<<16 | i
				}
				if uintptr(unsafe.Pointer(&list[0]))%line != 0 {
					t.Error("not at a cache line")
				}
				mu.Lock()
				for _, at := range []int{0, len(list) - 1} {
					owners[&list[at]] = worker<<16 | i
				}
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	for at, owner := range owners {
		if *at != owner {
			t.Fatalf("an element of %x is %x's", owner, *at)
		}
	}
	if len(w.mapped) < 2 {
		t.Error("the workspace was not enlarged")
	}
}

// Tables are the same in a workspace, in one that is too small, and in the
// heap, with other compilations beside them.
func TestTablesDoNotDependOnTheWorkspace(t *testing.T) {
	list := func(string) (uint8, error) { return 1, nil }
	window := func(*policy.Schedule) (uint8, error) { return 1, nil }
	policer := func(*policy.Police) (uint16, error) { return 1, nil }
	n := Numbers{Counter: byLine, Window: window, Policer: policer, List: list}
	var wait sync.WaitGroup
	for worker := range 2 {
		wait.Go(func() {
			for i := range 6 {
				w := newWorld(uint64(worker*100 + i))
				p := w.list("L", policy.Ingress, policy.Dual, longList+w.IntN(1000))
				if w.one(2) {
					p = ruleset.New(ruleset.Shapes()[i%4], longList+w.IntN(6000), w.family(policy.Dual), uint64(i))
				}
				in := func(space *workspace) []byte {
					known, err := newIdentities(w.identities())
					if err != nil {
						t.Error(err)
						return nil
					}
					defer space.free()
					b, err := (&compiler{policy: p, numbers: n, identities: known}).compileIn(space)
					if err != nil {
						t.Error(err)
					}
					return b
				}
				heap := in(nil)
				if !bytes.Equal(in(newWorkspace(len(p.Rules))), heap) || !bytes.Equal(in(&workspace{}), heap) {
					t.Errorf("worker %d, list %d: another table", worker, i)
				}
			}
		})
	}
	wait.Wait()
}
