package datapath

import "testing"

// Use counts what is there: a connection for the one that was opened, a
// counter for the line and one for the implicit deny.
func TestUse(t *testing.T) {
	eachWay(t, func(t *testing.T, o Options) {
		x := newBench(t)
		o.Connections = 4096
		d := x.open(o)
		defer d.Close()
		before, err := d.Use()
		if err != nil {
			t.Fatal(err)
		}
		x.apply(d, x.state(udpPorts("T", 53)))
		x.link(addrA, addrB, 53).send(t, 3)
		u, err := d.Use()
		if err != nil {
			t.Fatal(err)
		}
		if u.Connections != 1 || u.ConnectionLimit != 4096 || u.Lines != 2 || u.Tables != 1 || u.Identities != 4 || u.Addresses != 4 || u.Generation <= before.Generation {
			t.Errorf("got %+v after %+v", u, before)
		}
		for _, kind := range []string{"tables", "counters", "connections", "other"} {
			if u.Memory[kind] == 0 {
				t.Errorf("no memory of %s", kind)
			}
		}
		if grown := u.Memory["tables"] - before.Memory["tables"]; grown < 64<<10 {
			t.Errorf("a table took %d bytes", grown)
		}
	})
}
