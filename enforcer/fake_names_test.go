package enforcer

import (
	"context"
	"net/netip"

	"aclium/enforcer/datapath"
)

func (m *memory) WriteName(netip.Addr, datapath.Name) error        { return nil }
func (m *memory) Remember(datapath.Learned, datapath.Moment) error { return nil }
func (m *memory) Forget(datapath.Learned) error                    { return nil }
func (m *memory) LostMessages() (uint64, error)                    { return 0, nil }
func (m *memory) SetServers([]netip.Addr) error                    { return nil }

func (m *memory) Remembered() (map[datapath.Learned]datapath.Moment, error) { return nil, nil }

func (m *memory) Connected(map[netip.Addr]bool) (map[netip.Addr]bool, error) { return nil, nil }

func (m *memory) Messages(ctx context.Context, _ func(*datapath.Message)) error {
	<-ctx.Done()
	return nil
}
