package policy

import (
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"
	"time"
)

// fill gives a value random contents, whatever fields its type has, so that a
// field which the encoder does not know shows up here.
func fill(r *rand.Rand, v reflect.Value) {
	if r.IntN(3) == 0 {
		return
	}
	switch x := v.Addr().Interface().(type) {
	case *netip.Addr:
		*x = []netip.Addr{netip.AddrFrom4([4]byte{10, byte(r.Uint32())}), netip.MustParseAddr("2001:db8::17"), netip.MustParseAddr("fe80::1%<eth0>"), netip.MustParseAddr("::ffff:1.2.3.4")}[r.IntN(4)]
		return
	case *Ranges:
		*x = NewRanges(Range{uint16(r.Uint32() / 2), 40000}, Range{50000, 50000})
		return
	case *ByteSet:
		*x = []ByteSet{AllBytes(), Bytes(6), Bytes(6, 17, 18, 255), BytesWhere(func(v uint8) bool { return v%2 == 0 }), BytesWhere(func(uint8) bool { return r.IntN(2) == 0 })}[r.IntN(5)]
		return
	case *time.Time:
		*x = time.Unix(r.Int64N(1<<33), 0).UTC()
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(r.IntN(3)))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(1 + r.IntN(2)))
	case reflect.String:
		v.SetString([]string{"", "permit ip any any", `say "<&>\`, "Zürich\n", "\xff"}[r.IntN(5)])
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(r, v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), r.IntN(4), 4))
		for i := range v.Len() {
			fill(r, v.Index(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(r, v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(r, v.Field(i))
			}
		}
	case reflect.Map, reflect.Interface, reflect.Func:
	default:
		panic("a field of kind " + v.Kind().String())
	}
}

// The encoder and json.Marshal write the same, and refuse the same.
func TestAppendJSON(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	refused := 0
	for n := range 20000 {
		var list []Policy
		fill(r, reflect.ValueOf(&list).Elem())
		want, wantErr := json.Marshal(list)
		got, err := AppendJSON([]byte("x"), list)
		if (err != nil) != (wantErr != nil) {
			t.Fatalf("list %d: %v, json.Marshal says %v", n, err, wantErr)
		}
		if err != nil {
			refused++
			continue
		}
		if string(got) != "x"+string(want) {
			t.Fatalf("list %d:\n%s\njson.Marshal gives\n%s", n, got[1:], want)
		}
	}
	t.Logf("%d of 20000 cannot be encoded", refused)
	if refused > 15000 {
		t.Error("too few can be encoded")
	}
}

// What cannot be encoded is refused in either half of a long list.
func TestAppendJSONOfALongList(t *testing.T) {
	for _, at := range []int{0, 10, 2999, 3000, 5999} {
		rules := make([]Rule, 6000)
		for i := range rules {
			rules[i].Action = Permit
		}
		list := []Policy{{Direction: Ingress, Family: IPv4, Rules: rules}}
		if _, err := AppendJSON(nil, list); err != nil {
			t.Fatal(err)
		}
		rules[at].Action = 0
		if _, err := AppendJSON(nil, list); err == nil {
			t.Errorf("rule %d without an action is encoded", at)
		}
	}
}
