package datapath

import (
	"errors"
	"fmt"
)

// An Unfinished is the error of an Apply that put the state into force and
// could not do all that follows: take away what served the state before, or
// let the programs of an earlier agent go. Another Apply does that.
type Unfinished struct{ Err error }

// Error says that the state is in force.
func (u *Unfinished) Error() string {
	return "the change is in force, but not all that follows it was done: " + u.Err.Error()
}

// Unwrap gives what failed.
func (u *Unfinished) Unwrap() error { return u.Err }

// readBeforeFlip finds out what the addresses say. Between the flip and the
// turn new lists judge by old addresses, so that only the writing is left for
// then.
func (d *Datapath) readBeforeFlip(p *push) (err error) {
	if d.written != nil {
		p.have = *d.written
		return nil
	}
	p.have, err = d.readAddresses()
	return err
}

// turnAddresses makes the maps of addresses say what the push's state says.
func (d *Datapath) turnAddresses(p *push) error {
	have := p.have
	if !have.equal(p.want) && p.before == nil {
		p.before = &have
	}
	p.have = p.want
	return d.writeAddresses(have, p.want) // where they are equal settings may differ
}

// followFlip turns the addresses. Where one became somebody else's, the
// generation moves on again: what was judged by who it was is judged again,
// connections and remembered verdicts.
func (d *Datapath) followFlip(p *push) error {
	if err := d.turnAddresses(p); err != nil {
		return err
	}
	if p.before == nil {
		return nil
	}
	generation, err := d.generation()
	if err != nil {
		return err
	}
	return d.setGeneration(generation + 2)
}

// turnBack undoes a flip that addresses did not follow: new lists over old
// addresses would permit what no state does. The other half still holds what
// was live before, and nothing that it needs was taken away. A turn that fails
// as well leaves the new lists live; it says so.
func (d *Datapath) turnBack(p *push, cause error) error {
	if err := d.restoreAddresses(p); err != nil {
		d.commit(p)
		return &Unfinished{errors.Join(cause, fmt.Errorf("addresses are known partly as before: %w", err))}
	}
	generation, err := d.generation()
	if err == nil {
		err = d.setGeneration(generation + 1)
	}
	if err != nil {
		d.commit(p)
		return &Unfinished{errors.Join(cause, fmt.Errorf("addresses are known as before: %w", err))}
	}
	if err := d.wait(); err != nil {
		// A packet may still read the push's tables: they are not written
		// before a later push has waited.
		p.tables.commit()
		return errors.Join(cause, err)
	}
	d.unwaited = false
	return errors.Join(cause, d.withdraw(p))
}

// restoreAddresses makes the maps say what they said before the push.
func (d *Datapath) restoreAddresses(p *push) error {
	if p.before == nil {
		return nil
	}
	have, err := d.readAddresses()
	if err != nil {
		return err
	}
	return d.writeAddresses(have, *p.before)
}
