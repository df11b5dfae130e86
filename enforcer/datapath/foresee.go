package datapath

import "aclium/enforcer/bpf"

// foresee begins to make the maps that tables of these classes will need beyond
// the spares. To make a map of 64 MiB and to put it into its slot takes as long
// as compiling the list for it, and a list rarely leaves its class. What it
// gives waits until they are there. Nobody else may use the slots meanwhile.
// Where the kernel has no memory for one the table's turn will say so.
func (u *upload) foresee(classes []uint32) (wait func()) {
	s := u.slots
	var need [bpf.AcliumTableClassTABLE_CLASSES]int
	for _, class := range classes {
		need[class]++
	}
	for at := range s.spare {
		need[at.class]--
	}
	made := map[uint32][]uint32{}
	for class, n := range need {
		for slot := uint32(0); n > 0 && slot < s.outer[class].MaxEntries(); slot++ {
			if at := (place{uint32(class), slot}); !s.live[at] && !s.spare[at] {
				made[at.class] = append(made[at.class], slot)
				n--
			}
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for class, slots := range made {
			if s.makeClass(class, slots) != nil {
				delete(made, class)
			}
		}
	}()
	return func() {
		<-done
		for class, slots := range made {
			for _, slot := range slots {
				s.spare[place{class, slot}] = true
			}
		}
	}
}

// classesOf gives the classes of the tables that lists of the same names have.
func (d *Datapath) classesOf(lists []*numbered) (classes []uint32) {
	for _, n := range lists {
		if at, lives := d.places[d.lines.lists[listNameOf(&n.policy)]]; lives {
			classes = append(classes, at.class)
		}
	}
	return classes
}
