// Package trb is libtrb for Go: trust-region behavior blending and reverse KL over logit buffers. trb.h is the contract
// of every function; here they are methods of a Context.
//
//	student := trb.Logits{Data: trb.F32(p), Rows: 2, Vocab: 32000, Temperature: 0.7}
//	teacher := trb.Logits{Data: trb.BF16(q), Rows: 2, Vocab: 32000}
//	ctx, err := trb.NewContext(trb.ContextOptions{})
//	blends, err := ctx.Solve(student, teacher, []float64{0.05}, trb.SolveOptions{})
//	draws, err := ctx.Sample(student, teacher, blends, trb.Sampler{Seed: 7})
//	losses, err := ctx.ReverseKL(student, teacher, nil, trb.LossOptions{}, grad)
//
// Logits are views of slices and never copied. Lengths are checked here, everything else by the library. The zero value
// of an option is the library's default; no logits, Logits{}, and a nil slice stand for the header's NULL.
//
// Errors are an *Error with the library's text, and match a Status by errors.Is. After BadRows the result is there, and
// all rows but the bad ones are good. An error that a callback returns comes out of the call as it is, and a panic goes
// on when the library has returned.
//
// A context serves one call at a time: a second one, also from a callback of the first, is refused with ErrBusy. Any
// goroutine may use it after another; give each its own. Contexts and rollouts hold memory of the library until Close,
// or until they are collected.
//
// Left to cgo, with trb.h: heads, trb_continuation_gain, trb_auroc, threads and an allocator of one's own.
package trb

// #cgo pkg-config: trb
// #include "shims.h"
import "C"

import "unsafe"

// first is the address of a slice's elements, nil if it has none, as a pointer of C.
func first[To, From any](x []From) *To {
	if len(x) == 0 {
		return nil
	}
	return (*To)(unsafe.Pointer(&x[0]))
}

// exactly refuses a list that is not as long as it must be; nil stands for none.
func exactly[T any](name string, x []T, n int) error {
	if x != nil && len(x) != n {
		return invalid("%s: expected %d elements, got %d", name, n, len(x))
	}
	return nil
}

// check is the first of errors that is one.
func check(errors ...error) error {
	for _, err := range errors {
		if err != nil {
			return err
		}
	}
	return nil
}

func flag(x bool) C.int32_t {
	if x {
		return 1
	}
	return 0
}
