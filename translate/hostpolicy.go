package translate

import "aclium/translate/policy"

/*
A zone-pair with self is about the node. At the pods' side it is judged by the
policies of its zone. Where nodes can be protected themselves, two more policies
stand on all nodes, named "zone self":

	into the node                          out of the node
	  from a member of S: the classes        to a member of D: the classes of
	    of the pair S to self                  the pair self to D
	  from anybody else: permit              to anybody else: permit

The permit is written out, because a policy on a node denies what it does not
name. Without a pair in a direction there is none.
*/

// protectNodes gives the policies on the nodes.
func (z *zones) protectNodes() {
	for _, d := range []policy.Direction{policy.Ingress, policy.Egress} {
		b := &program{zones: z}
		for _, pair := range z.config.ZonePairs {
			from, to := pair.Source.Text, pair.Destination.Text
			if z.filtering(from, to) != pair {
				continue
			}
			ends := policy.Match{Source: policy.Everybody(), Destination: policy.Everybody()}
			switch {
			case d == policy.Ingress && to == self:
				ends.Source = policy.Peers{Selectors: z.byName[from].selectors}
			case d == policy.Egress && from == self:
				ends.Destination = policy.Peers{Selectors: z.byName[to].selectors}
			default:
				continue
			}
			b.pair(pair, ends)
		}
		if len(b.rules) == 0 {
			continue
		}
		b.permit("zone "+self, z.config.ZonePairs[0].Pos, policy.Everybody(), policy.Everybody())
		z.addPolicy(policy.Policy{
			ACL: "zone " + self, Direction: d, Family: policy.Dual, Stateful: true, Rules: b.rules,
			Subject: policy.Subject{Name: "zone " + self, Nodes: true, Selectors: []policy.Selector{{}}},
		}, b.refused)
	}
}
