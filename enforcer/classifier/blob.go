package classifier

import (
	"encoding/binary"
	"fmt"
	"unsafe"
)

var native = binary.NativeEndian

// blob is a table that grows.
type blob struct{ bytes []byte }

func (b *blob) size() uint32 { return uint32(len(b.bytes)) }

// align makes the length a multiple of 8.
func (b *blob) align() {
	for len(b.bytes)%8 != 0 {
		b.bytes = append(b.bytes, 0)
	}
}

// line is the size of a processor's cache line, bytes.
const line = 64

// keepTogether begins a cache line where n bytes that would fit into one would
// lie in two. The value of a map that can be mapped begins at a page.
func (b *blob) keepTogether(n int) {
	for at := len(b.bytes) % line; n <= line && at != 0 && at+n > line; at = len(b.bytes) % line {
		b.u64(0)
	}
}

// grow makes room for n more bytes.
func (b *blob) grow(n int) {
	if free := cap(b.bytes) - len(b.bytes); free < n {
		b.bytes = append(make([]byte, 0, len(b.bytes)+n+len(b.bytes)/4), b.bytes...)
	}
}

// skip leaves n bytes for later, all 0.
func (b *blob) skip(n int) {
	b.grow(n)
	b.bytes = b.bytes[:len(b.bytes)+n] // nothing was there before
}

func (b *blob) u32(v uint32) { b.bytes = native.AppendUint32(b.bytes, v) }

func (b *blob) u64(v uint64) { b.bytes = native.AppendUint64(b.bytes, v) }

// put writes one of bpf's structs, which hold numbers alone and have no gaps.
func put[T any](b *blob, v *T) uint32 {
	at := b.size()
	b.bytes = append(b.bytes, memory(v)...)
	return at
}

// putAt writes one over what stands at the offset.
func putAt[T any](b *blob, at uint32, v *T) { copy(b.bytes[at:], memory(v)) }

// memory gives the bytes of a struct: the kernel reads the same layout.
func memory[T any](v *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v))
}

// putAll writes numbers, or structs that hold numbers alone and have no gaps.
func putAll[T any](b *blob, list []T) uint32 {
	b.align()
	at := b.size()
	if len(list) > 0 {
		size := len(list) * int(unsafe.Sizeof(list[0]))
		b.grow(size)
		b.bytes = append(b.bytes, unsafe.Slice((*byte)(unsafe.Pointer(&list[0])), size)...)
	}
	b.align()
	return at
}

// array is room for structs that are written in any order.
type array[T any] struct {
	blob *blob
	at   uint32
}

// allot makes room for n structs.
func allot[T any](b *blob, n int) array[T] {
	b.align()
	a := array[T]{b, b.size()}
	b.skip(n * int(unsafe.Sizeof(*new(T))))
	return a
}

func (a array[T]) put(i int, v *T) { putAt(a.blob, a.at+uint32(i)*uint32(unsafe.Sizeof(*v)), v) }

// fits reports an error when the table has outgrown the largest class.
func (b *blob) fits() error {
	if limit := classSizes[len(classSizes)-1]; len(b.bytes) > limit {
		return fmt.Errorf("the list needs a table of %d MiB, the largest has %d", len(b.bytes)>>20, limit>>20)
	}
	return nil
}
