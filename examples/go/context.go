package trb

// #include "shims.h"
import "C"

import (
	"fmt"
	"runtime"
	"sync/atomic"
)

// ContextOptions are threads that work on a call, the caller included, 0 for 1; and whose kernels run. Results are the
// same for all.
type ContextOptions struct {
	Threads int
	ISA     ISA
}

// Context holds threads, an instruction set and the text of the last error.
type Context struct {
	raw  *C.trb_context
	busy atomic.Bool
}

// NewContext refuses a library older than the header that this package was compiled with.
func NewContext(o ContextOptions) (*Context, error) {
	number := uint32(C.trb_version())
	if number>>16 != C.TRB_VERSION_MAJOR || number>>8&255 < C.TRB_VERSION_MINOR {
		return nil, fmt.Errorf("trb: expected libtrb %d.%d or later of the same major, got %d.%d", C.TRB_VERSION_MAJOR,
			C.TRB_VERSION_MINOR, number>>16, number>>8&255)
	}
	var text [400]C.char
	ctx := new(Context)
	status := C.go_context(C.int64_t(o.Threads), C.int32_t(o.ISA), &text[0], C.int64_t(len(text)), &ctx.raw)
	if status != C.TRB_OK {
		return nil, failure(status, C.GoString(&text[0]))
	}
	runtime.SetFinalizer(ctx, (*Context).free)
	return ctx, nil
}

func (c *Context) free() {
	C.trb_context_free(c.raw)
	c.raw = nil
}

// Close ends the context and its threads. A second time does nothing.
func (c *Context) Close() error {
	if !c.busy.CompareAndSwap(false, true) {
		return ErrBusy
	}
	defer c.busy.Store(false)
	runtime.SetFinalizer(c, nil)
	c.free()
	return nil
}

// ISA says whose kernels run.
func (c *Context) ISA() (isa ISA, err error) {
	err = c.call(func() C.trb_status {
		isa = ISA(C.trb_context_isa(c.raw))
		return C.TRB_OK
	})
	return isa, err
}

// call runs a function of the library, alone on this context.
func (c *Context) call(run func() C.trb_status) error {
	if !c.busy.CompareAndSwap(false, true) {
		return ErrBusy
	}
	defer c.busy.Store(false)
	if c.raw == nil {
		return ErrClosed
	}
	status := run()
	if status == C.TRB_OK {
		return nil
	}
	return failure(status, C.GoString(C.trb_context_error(c.raw)))
}

func failure(status C.trb_status, text string) error {
	if text == "" {
		text = C.GoString(C.trb_strerror(status))
	}
	return &Error{Status(status), text}
}

// kept says whether a call that ended so has a result.
func kept(err error) bool {
	e, ok := err.(*Error)
	return err == nil || ok && e.Status == BadRows
}

// ---- Logits ----

// Entropy is the entropy of each row in nats.
func (c *Context) Entropy(logits Logits) ([]float64, error) {
	view, err := logits.view("logits")
	if err != nil {
		return nil, err
	}
	out := make([]float64, logits.Rows)
	err = c.call(func() C.trb_status { return C.go_entropy(c.raw, view, first[C.double](out)) })
	return ifKept(out, err)
}

// MaskTokens masks tokens in every row, in place.
func (c *Context) MaskTokens(inout Logits, ids []int64) error {
	view, err := inout.view("inout")
	if err != nil {
		return err
	}
	return c.call(func() C.trb_status {
		return C.go_mask_tokens(c.raw, view, first[C.int64_t](ids), C.int64_t(len(ids)))
	})
}

// MergeTokens moves the probability of each token of from to that of to, in every row, in place.
func (c *Context) MergeTokens(inout Logits, from, to []int64) error {
	view, err := inout.view("inout")
	if len(to) != len(from) {
		err = check(err, invalid("to: expected %d elements, got %d", len(from), len(to)))
	}
	if err != nil {
		return err
	}
	return c.call(func() C.trb_status {
		return C.go_merge_tokens(c.raw, view, first[C.int64_t](from), first[C.int64_t](to), C.int64_t(len(from)))
	})
}

// ---- Budgets ----

// Schedule is a budget over optimizer steps. At and Budgets are for SchedulePiecewise alone.
type Schedule struct {
	Kind    ScheduleKind
	Initial float64
	Steps   int64
	At      []int64
	Budgets []float64
}

// ScheduleAt is the budget of step k.
func (c *Context) ScheduleAt(s Schedule, k int64) (float64, error) {
	if len(s.At) != len(s.Budgets) {
		return 0, invalid("schedule.Budgets: expected %d elements, got %d", len(s.At), len(s.Budgets))
	}
	raw := C.trb_schedule{
		size: C.sizeof_trb_schedule, kind: C.int32_t(s.Kind), initial: C.double(s.Initial), steps: C.int64_t(s.Steps),
		at: first[C.int64_t](s.At), budgets: first[C.double](s.Budgets), points: C.int64_t(len(s.At)),
	}
	var out C.double
	err := c.call(func() C.trb_status { return C.go_schedule_at(c.raw, raw, C.int64_t(k), &out) })
	return float64(out), err
}
