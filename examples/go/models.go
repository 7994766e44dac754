package trb

// #include "shims.h"
import "C"

import (
	"runtime/cgo"
	"unsafe"
)

// Query is what a model is asked about one sequence: the next-token logits after each of its last Rows tokens.
type Query struct {
	Tokens   []int64 // the prompt and what follows it so far
	Sequence int
	Known    int // this model was shown so many of them earlier in the same call: what a cache may keep
	Rows     int
	Proposed int // so many of the last ones are proposals, which may be dropped again
}

// Model is a model. Forward fills out, one query after the other. Backward, of a student that is trained, adds what
// follows from the gradient of the logits that Forward just gave to that of the parameters. Logits that they get are
// the library's memory and gone when they return. They run on the goroutine of the call.
type Model struct {
	Vocab       int
	Dtype       Dtype
	Temperature float32 // logits are divided by it; 0 means 1
	Forward     func(queries []Query, out Logits) error
	Backward    func(queries []Query, grad Logits) error
}

// Progress is called with the sequences that are done and their number. An error ends the call.
type Progress func(done, total int) error

// callbacks are those of one call of the library, and what one of them ended with.
type callbacks struct {
	handles  []cgo.Handle
	err      error
	panicked bool
	panic    any
}

type asked struct {
	*callbacks
	model    *Model
	progress Progress
}

func (c *callbacks) handle(a asked) C.uintptr_t {
	a.callbacks = c
	handle := cgo.NewHandle(a)
	c.handles = append(c.handles, handle)
	return C.uintptr_t(handle)
}

// model is NULL, of kind 0, for nil.
func (c *callbacks) model(m *Model) C.go_model {
	if m == nil {
		return C.go_model{}
	}
	raw := C.go_model{C.int64_t(m.Vocab), c.handle(asked{model: m}), C.int32_t(m.Dtype), C.float(m.Temperature),
		flag(m.Forward != nil), flag(m.Backward != nil)}
	return raw
}

func (c *callbacks) progress(p Progress) C.uintptr_t {
	if p == nil {
		return 0
	}
	return c.handle(asked{progress: p})
}

// end lets a panic of a callback go on. It returns a callback's error, or that of the call.
func (c *callbacks) end(err error) error {
	if c.panicked {
		panic(c.panic)
	}
	if c.err != nil {
		return c.err
	}
	return err
}

// free ends the handles.
func (c *callbacks) free() {
	for _, handle := range c.handles {
		handle.Delete()
	}
}

// guard keeps what a callback ends with, since nothing may unwind through the library.
func (c *callbacks) guard(run func() error) (status C.int32_t) {
	returned := false
	defer func() {
		if !returned {
			c.panicked, c.panic = true, recover()
		}
	}()
	c.err = run()
	returned = true
	if c.err != nil {
		return 0
	}
	return C.TRB_CONTINUE
}

//export trbGoForward
func trbGoForward(raw *C.trb_query, n C.int64_t, out *C.trb_logits, user C.uintptr_t) C.int32_t {
	a := cgo.Handle(user).Value().(asked)
	return a.guard(func() error { return a.model.Forward(queries(raw, n), lent(out)) })
}

//export trbGoBackward
func trbGoBackward(raw *C.trb_query, n C.int64_t, grad *C.trb_logits, user C.uintptr_t) C.int32_t {
	a := cgo.Handle(user).Value().(asked)
	return a.guard(func() error { return a.model.Backward(queries(raw, n), lent(grad)) })
}

//export trbGoProgress
func trbGoProgress(done, total C.int64_t, user C.uintptr_t) C.int32_t {
	a := cgo.Handle(user).Value().(asked)
	return a.guard(func() error { return a.progress(int(done), int(total)) })
}

func queries(raw *C.trb_query, n C.int64_t) []Query {
	made := make([]Query, n)
	for i, q := range unsafe.Slice(raw, n) {
		made[i] = Query{copied[int64](q.tokens, int(q.length)), int(q.sequence), int(q.known), int(q.rows), int(q.proposed)}
	}
	return made
}

// lent are logits in the library's memory.
func lent(raw *C.trb_logits) Logits {
	made := Logits{Rows: int(raw.rows), Vocab: int(raw.vocab), Stride: int(raw.stride)}
	n := (made.Rows-1)*made.Stride + made.Vocab
	switch Dtype(raw.dtype) {
	case DtypeF32:
		made.Data = F32(unsafe.Slice((*float32)(raw.data), n))
	case DtypeF16:
		made.Data = F16(unsafe.Slice((*uint16)(raw.data), n))
	default:
		made.Data = BF16(unsafe.Slice((*uint16)(raw.data), n))
	}
	return made
}

// copied is a copy of an array of the library's.
func copied[To, From any](from *From, n int) []To {
	made := make([]To, n)
	if n > 0 {
		copy(made, unsafe.Slice((*To)(unsafe.Pointer(from)), n))
	}
	return made
}
