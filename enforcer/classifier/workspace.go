package classifier

import (
	"sync"
	"unsafe"
)

// A workspace is the memory that a long list is compiled in: several times what
// its table takes, and needed for milliseconds. It comes from the system in huge
// pages and goes back at once. From the collector's heap it would come in pages
// of 4 KiB, of which each first touch is a fault that takes as long as compiling
// three rules, and would stay for a while.
//
// Nothing in it may have pointers, and nothing of it may outlive the
// compilation. A nil workspace is the heap.
type workspace struct {
	mu     sync.Mutex
	rest   []byte
	mapped [][]byte
}

// Lists of fewer lines than longList are compiled in the heap, and two
// processors do not share their lines. lineSpace is
// about what a line takes, and hugePage what the system gives at a time, bytes.
const (
	longList  = 2048
	lineSpace = 768
	hugePage  = 2 << 20
)

// newWorkspace gives room for a list of so many lines.
func newWorkspace(lines int) *workspace {
	if lines < longList {
		return nil
	}
	w := &workspace{}
	w.enlarge(lines * lineSpace)
	return w
}

// enlarge maps the room for at least n bytes. Without it the heap does.
func (w *workspace) enlarge(n int) {
	pages, begin := mapPages((n + hugePage - 1) &^ (hugePage - 1))
	if pages != nil {
		w.mapped, w.rest = append(w.mapped, pages), begin
	}
}

// free gives all of it back.
func (w *workspace) free() {
	if w == nil {
		return
	}
	for _, pages := range w.mapped {
		unmapPages(pages)
	}
	w.mapped, w.rest = nil, nil
}

// take gives n elements, all 0. T has no pointers.
func take[T any](w *workspace, n int) []T {
	size := n * int(unsafe.Sizeof(*new(T)))
	if w == nil || size == 0 {
		return make([]T, n)
	}
	b := w.take(size)
	if b == nil {
		return make([]T, n)
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&b[0])), n)
}

// take gives n bytes that begin at a cache line, or nil.
func (w *workspace) take(n int) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	whole := (n + line - 1) &^ (line - 1)
	if len(w.rest) < whole {
		if w.enlarge(whole); len(w.rest) < whole {
			return nil
		}
	}
	b := w.rest[:n:n]
	w.rest = w.rest[whole:]
	return b
}
