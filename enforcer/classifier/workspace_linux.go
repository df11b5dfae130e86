package classifier

import (
	"syscall"
	"unsafe"
)

// mapPages maps n bytes that begin where a huge page does, and gives all that
// is to be unmapped with them; nil where the system has none. The kernel may
// give small pages instead of huge ones.
func mapPages(n int) (pages, begin []byte) {
	pages, err := syscall.Mmap(-1, 0, n+hugePage, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON|syscall.MAP_NORESERVE)
	if err != nil {
		return nil, nil
	}
	off := -int(uintptr(unsafe.Pointer(&pages[0]))) & (hugePage - 1)
	begin = pages[off : off+n]
	_ = syscall.Madvise(begin, syscall.MADV_HUGEPAGE) // a kernel without them refuses
	return pages, begin
}

// unmapPages cannot fail for what mapPages gave.
func unmapPages(pages []byte) { _ = syscall.Munmap(pages) }
