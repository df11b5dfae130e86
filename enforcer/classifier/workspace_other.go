//go:build !linux

package classifier

func mapPages(int) (pages, begin []byte) { return nil, nil }

func unmapPages([]byte) {}
