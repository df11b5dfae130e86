package verify

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"aclium/translate/inventory"
	"aclium/translate/policy"
)

// Options say what is compared.
type Options struct {
	// Blind leaves out what policy objects cannot see: port 0, TCP packets
	// that open no connection, ICMP of the other family, and the node that
	// reaches its own pods. It is for a side that consists of objects, and
	// not for two sides that a node enforces line by line.
	Blind bool
	// Families are those that are compared; 0 means both.
	Families policy.Family
	// Moved says that want knows the pods by the addresses that the inventory
	// gives to workloads, and got sees them at addresses of the cluster.
	Moved bool
	// Witnesses bounds the packets shown for each direction and each of wider
	// and narrower; 0 means 20.
	Witnesses int
	// Nodes bounds the room of the proof, in nodes of about 24 bytes; 0 means
	// the usual budget.
	Nodes int
}

func (o Options) budget() int    { return cmp.Or(o.Nodes, nodeBudget) }
func (o Options) witnesses() int { return cmp.Or(o.Witnesses, 20) }

// A Result says whether two sides mean the same. Equal is true exactly when
// there is nothing in the other fields.
type Result struct {
	Equal bool
	// Wider are packets that got permits and want does not; Narrower the
	// other way round.
	Wider, Narrower []Difference
	// More says that there are further lines that differ.
	More bool
	// Undecided are differences that no packet shows: regular expressions
	// that may or may not be the same.
	Undecided []Difference
}

// A Difference is a packet on which the sides disagree, judged where its
// subject stands: at the destination for Ingress, at the source for Egress.
type Difference struct {
	Packet policy.Packet
	// Seen is the packet as got sees it: pods may have moved.
	Seen      policy.Packet
	Direction policy.Direction
	Want, Got Decision
}

// A Decision is the verdict of one side and the line that made it. Rule is nil
// for an implicit last line, and where nothing had a say (ID is zero then).
type Decision struct {
	Action policy.Action
	ID     policy.RuleID
	Rule   *policy.Rule
}

// Compare decides whether got permits exactly what want permits, for packets
// that open a connection, at their subject's end, with every pod that there
// can be: those that the inventory knows and any other. inv may be nil. A
// subject that neither side selects passes on both.
//
// The error is a *BudgetError, or a fault of this package.
func Compare(want, got policy.Stack, inv *inventory.Inventory, o Options) (r Result, err error) {
	defer recoverBudget(&err)
	if !samePolice(want, got) {
		return Result{}, errPolice
	}
	for _, d := range []policy.Direction{policy.Ingress, policy.Egress} {
		known := newVocabulary()
		for _, side := range []policy.Stack{want, got} {
			for _, p := range side.Policies() {
				if p.Direction == d {
					known.policy(&p)
				}
			}
		}
		if inv != nil {
			known.inventory(inv)
		}
		c := comparison{space: newSpace(d, known, inv, o), want: want, got: got, result: &r}
		if err := c.run(); err != nil {
			return Result{}, err
		}
	}
	r.Equal = len(r.Wider)+len(r.Narrower)+len(r.Undecided) == 0
	return r, nil
}

// CompareLists decides whether two lists permit the same packets wherever they
// may stand: both ends are anybody's, fragments and flags count, and nothing
// always passes. Where the lists govern different families, the others pass.
func CompareLists(want, got *policy.Policy, inv *inventory.Inventory, o Options) (r Result, err error) {
	defer recoverBudget(&err)
	known := newVocabulary()
	side := func(p *policy.Policy) policy.Stack {
		list := *p
		list.Direction, list.Subject = policy.Ingress, policy.Subject{}
		known.policy(&list)
		return policy.Stack{{Combine: policy.Series, Policies: []policy.Policy{list}}}
	}
	a, b := side(want), side(got)
	if inv != nil {
		known.inventory(inv)
	}
	s := newSpace(policy.Ingress, known, inv, o)
	s.lists = true
	c := comparison{space: s, want: a, got: b, result: &r}
	if err := c.run(); err != nil {
		return Result{}, err
	}
	r.Equal = len(r.Wider)+len(r.Narrower)+len(r.Undecided) == 0
	return r, nil
}

func recoverBudget(err *error) {
	switch fault := recover().(type) {
	case nil:
	case *BudgetError:
		*err = fault
	default:
		panic(fault)
	}
}

// A comparison is one direction.
type comparison struct {
	*space
	want, got policy.Stack
	result    *Result
}

func (c *comparison) run() error {
	want := c.stack(c.want)
	c.seeing = true
	got := c.stack(c.got)
	if want == got {
		return nil
	}
	valid := c.valid()
	wider, more, err := c.differences(c.and(valid, c.without(got, want)))
	if err != nil {
		return err
	}
	narrower, alsoMore, err := c.differences(c.and(valid, c.without(want, got)))
	if err != nil {
		return err
	}
	c.result.Wider = append(c.result.Wider, wider...)
	c.result.Narrower = append(c.result.Narrower, narrower...)
	c.result.More = c.result.More || more || alsoMore
	return nil
}

// differences shows a set of packets on which the sides disagree by one packet
// for each line that decides some of it.
func (c *comparison) differences(set ref) (out []Difference, more bool, err error) {
	if set == no {
		return nil, false, nil
	}
	limit := c.options.witnesses()
	told := map[[2]policy.RuleID]bool{}
	c.seeing = false
	parts := c.split(c.want, set, 2*limit)
	c.seeing = true
	parts = append(parts, c.split(c.got, set, 2*limit)...)
	for _, part := range parts {
		d, sure, err := c.difference(part)
		switch {
		case err != nil:
			return nil, false, err
		case told[[2]policy.RuleID{d.Want.ID, d.Got.ID}]:
		case !sure:
			c.result.Undecided = append(c.result.Undecided, d)
		case len(out) == limit:
			return out, true, nil
		default:
			out = append(out, d)
		}
		told[[2]policy.RuleID{d.Want.ID, d.Got.ID}] = true
	}
	return out, len(parts) >= 2*limit, nil
}

// errUnconfirmed is a fault of this package: its functions and the model
// disagree.
var errUnconfirmed = errors.New("verify: the model does not confirm a difference")

// difference picks a packet of the set and has it judged by the model. It is
// not sure when the packet's request could not be made.
func (c *comparison) difference(set ref) (d Difference, sure bool, err error) {
	p, seen, complete := c.pick(set)
	d = Difference{Packet: p, Seen: seen, Direction: c.direction}
	d.Want, d.Got = c.decide(c.want, &p), c.decide(c.got, &seen)
	switch {
	case d.Want.Action != d.Got.Action:
		return d, true, nil
	case !complete:
		return d, false, nil
	}
	return d, false, fmt.Errorf("%w: both sides say %v to %+v by %v and %v", errUnconfirmed, d.Want.Action, p, d.Want.ID, d.Got.ID)
}

func (c *comparison) decide(s policy.Stack, p *policy.Packet) Decision {
	if c.lists {
		return decideList(&s[0].Policies[0], p)
	}
	action, id := s.Judge(c.direction, p)
	return Decision{action, id, ruleOf(s, c.direction, id)}
}

func decideList(list *policy.Policy, p *policy.Packet) Decision {
	if list.Family&p.Family() == 0 {
		return Decision{Action: policy.Permit}
	}
	action, line := list.Eval(p)
	if line == policy.Implicit {
		return Decision{Action: action, ID: list.ID(line)}
	}
	return Decision{action, list.ID(line), &list.Rules[line]}
}

// ruleOf finds a line by its id; nil for an implicit last line.
func ruleOf(s policy.Stack, d policy.Direction, id policy.RuleID) *policy.Rule {
	if id.Seq == 0 {
		return nil
	}
	for i := range s {
		for k := range s[i].Policies {
			p := &s[i].Policies[k]
			if p.Direction != d {
				continue
			}
			at := slices.IndexFunc(p.Rules, func(r policy.Rule) bool { return r.ID == id })
			if at >= 0 {
				return &p.Rules[at]
			}
		}
	}
	return nil
}

// split cuts a set of packets along the lines of a side, in the order in which
// they are asked, into limit parts at most. What no line matches is the last
// part.
func (c *comparison) split(s policy.Stack, set ref, limit int) (parts []ref) {
	rest := set
	for i := range s {
		t := &s[i]
		for _, a := range turns(t.Combine) {
			for k := range t.Policies {
				left := c.and(rest, c.hasSay(&t.Policies[k]))
				if left == no {
					continue
				}
				parts = append(parts, c.alongRules(&t.Policies[k], a, &left, limit-len(parts))...)
				if t.Combine != policy.Series {
					rest = c.without(rest, c.any(parts))
				} else if left != no {
					parts = append(parts, left)
				}
				if len(parts) >= limit {
					return parts
				}
			}
		}
	}
	if rest = c.without(rest, c.any(parts)); rest != no {
		parts = append(parts, rest)
	}
	return parts
}

// turns are the actions that a combination looks for one after the other; 0 is
// any.
func turns(c policy.Combination) []policy.Action {
	if c == policy.Union {
		return []policy.Action{policy.Deny, policy.Permit}
	}
	return []policy.Action{0}
}

// alongRules cuts left along the rules of an action and takes the parts away.
func (c *comparison) alongRules(p *policy.Policy, a policy.Action, left *ref, limit int) []ref {
	var matches []ref
	for i := range p.Rules {
		if a == 0 || p.Rules[i].Action == a {
			matches = append(matches, c.match(&p.Rules[i]))
		}
	}
	return c.along(matches, left, limit)
}

// along looks into a half of the matches only where it meets the set, because
// most lines of a long list do not.
func (c *comparison) along(matches []ref, left *ref, limit int) []ref {
	here := c.and(*left, c.any(matches))
	if here == no || limit <= 0 {
		return nil
	}
	if len(matches) == 1 {
		*left = c.without(*left, here)
		return []ref{here}
	}
	rest := c.without(*left, here)
	parts := c.along(matches[:len(matches)/2], &here, limit)
	parts = append(parts, c.along(matches[len(matches)/2:], &here, limit-len(parts))...)
	*left = c.or(rest, here)
	return parts
}
