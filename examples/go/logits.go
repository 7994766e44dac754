package trb

// #include "shims.h"
import "C"

import "fmt"

// Elements are what logits consist of: F32, F16 or BF16.
type Elements interface {
	memory() (*C.uint8_t, int, Dtype)
}

// F32 are float32.
type F32 []float32

// F16 are the bits of float16.
type F16 []uint16

// BF16 are the bits of bfloat16.
type BF16 []uint16

func (x F32) memory() (*C.uint8_t, int, Dtype) {
	return first[C.uint8_t](x), len(x), DtypeF32
}

func (x F16) memory() (*C.uint8_t, int, Dtype) {
	return first[C.uint8_t](x), len(x), DtypeF16
}

func (x BF16) memory() (*C.uint8_t, int, Dtype) {
	return first[C.uint8_t](x), len(x), DtypeBF16
}

// Logits are a matrix in memory of the caller's: row r begins at element r*Stride of Data.
type Logits struct {
	Data        Elements
	Rows, Vocab int
	Stride      int     // in elements; 0 means Vocab
	Temperature float32 // logits are divided by it; 0 means 1; of no effect on outputs
}

// Row is a row of float32, in place. It panics if there is none.
func (l Logits) Row(r int) []float32 {
	return row(l.Data.(F32), l, r)
}

// Bits is a row of float16 or bfloat16, in place. It panics if there is none.
func (l Logits) Bits(r int) []uint16 {
	if x, ok := l.Data.(F16); ok {
		return row(x, l, r)
	}
	return row(l.Data.(BF16), l, r)
}

func row[S ~[]E, E any](x S, l Logits, r int) []E {
	if r < 0 || r >= l.Rows {
		panic(fmt.Sprintf("trb: row %d of %d", r, l.Rows))
	}
	return x[r*l.stride():][:l.Vocab:l.Vocab]
}

func (l Logits) stride() int {
	if l.Stride == 0 {
		return l.Vocab
	}
	return l.Stride
}

// view is what the library takes. It refuses what does not fit into Data, so there are no more rows than elements.
func (l Logits) view(name string) (C.go_logits, error) {
	if l.Data == nil {
		return none, invalid("%s: expected logits, got none", name)
	}
	if l.Rows < 0 {
		return none, invalid("%s.Rows: expected a number from 0 on, got %d", name, l.Rows)
	}
	data, n, dtype := l.Data.memory()
	stride := l.stride()
	if l.Vocab < 1 {
		return none, invalid("%s.Vocab: expected a number from 1 on, got %d", name, l.Vocab)
	}
	if stride < l.Vocab {
		return none, invalid("%s.Stride: expected at least %d, got %d", name, l.Vocab, stride)
	}
	if l.Rows > 0 && (l.Vocab > n || l.Rows-1 > (n-l.Vocab)/stride) {
		return none, invalid("%s.Data: expected %d rows of %d elements, %d apart, got %d elements", name, l.Rows, l.Vocab,
			stride, n)
	}
	return C.go_logits{data, C.int64_t(l.Rows), C.int64_t(l.Vocab), C.int64_t(stride), C.int32_t(dtype),
		C.float(l.Temperature)}, nil
}

// none stands for NULL.
var none = C.go_logits{dtype: -1}

// viewIfAny is none for Logits{}.
func (l Logits) viewIfAny(name string) (C.go_logits, error) {
	if l.Data == nil && l.Rows == 0 && l.Vocab == 0 {
		return none, nil
	}
	return l.view(name)
}

// texts are token lists one behind the other.
func texts(lists [][]int64) C.trb_texts {
	offset, n := make([]int64, 1, len(lists)+1), 0
	for _, list := range lists {
		n += len(list)
		offset = append(offset, int64(n))
	}
	tokens := make([]int64, 0, n+1) // never without an address
	for _, list := range lists {
		tokens = append(tokens, list...)
	}
	return C.trb_texts{first[C.int64_t](tokens[:cap(tokens)]), first[C.int64_t](offset), C.int64_t(len(lists))}
}
