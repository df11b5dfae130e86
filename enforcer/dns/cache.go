package dns

import (
	"iter"
	"maps"
	"net/netip"
)

// What a cache holds at most. It never gives up one name for another: what
// does not fit is refused until something has run out.
const (
	MaxAddresses = 16384
	MaxNames     = 64    // of one address
	MaxPairs     = 65536 // of address and name
)

// A Cache knows the names of addresses and when each runs out, on a clock of
// its user's choice. The zero value is empty.
type Cache struct {
	names map[netip.Addr]map[string]uint64
	pairs int
}

// Add says that the address has the name until expires. Where it is known for
// longer, that stays. False says that there is no room.
func (c *Cache) Add(a netip.Addr, name string, expires uint64) bool {
	if c.names == nil {
		c.names = map[netip.Addr]map[string]uint64{}
	}
	known := c.names[a]
	if old, ok := known[name]; ok {
		known[name] = max(old, expires)
		return true
	}
	if known == nil && len(c.names) == MaxAddresses || len(known) == MaxNames || c.pairs == MaxPairs {
		return false
	}
	if known == nil {
		known = map[string]uint64{}
		c.names[a] = known
	}
	known[name] = expires
	c.pairs++
	return true
}

// Remove forgets a name of an address.
func (c *Cache) Remove(a netip.Addr, name string) {
	if _, known := c.names[a][name]; !known {
		return
	}
	c.pairs--
	delete(c.names[a], name)
	if len(c.names[a]) == 0 {
		delete(c.names, a)
	}
}

// Names gives the names of an address with the moments at which they run out.
func (c *Cache) Names(a netip.Addr) iter.Seq2[string, uint64] { return maps.All(c.names[a]) }

// Addresses gives every address that has a name.
func (c *Cache) Addresses() iter.Seq[netip.Addr] { return maps.Keys(c.names) }

// Len counts the addresses and the pairs of address and name.
func (c *Cache) Len() (addresses, pairs int) { return len(c.names), c.pairs }
