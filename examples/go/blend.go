package trb

// #include "shims.h"
import "C"

// SolveOptions are how far below the budget KLStudent may end, relative; and how beta is looked for.
type SolveOptions struct {
	Tolerance float64
	Method    Method
}

// raw is NULL for defaults, which the library refuses where they have no use.
func (o SolveOptions) raw() (raw C.trb_solve_options) {
	if o != (SolveOptions{}) {
		raw = C.trb_solve_options{
			size: C.sizeof_trb_solve_options, tolerance: C.double(o.Tolerance), method: C.int32_t(o.Method),
		}
	}
	return raw
}

// Sampler is how to draw. A row's random number depends on seed, stream, index and purpose alone.
type Sampler struct {
	Seed       uint64
	Stream     []uint64 // the sequence that each row belongs to, of a rollout one per sequence; nil: the row number
	Index      []int64  // each row's position there; nil: 0. Not for rollouts
	TopK       int64
	TopP, MinP float64
	Greedy     bool
	Purpose    int32
}

func (s Sampler) raw(streams, positions int) (raw C.trb_sampler, err error) {
	err = check(exactly("sampler.Stream", s.Stream, streams), exactly("sampler.Index", s.Index, positions))
	return C.trb_sampler{
		size: C.sizeof_trb_sampler, seed: C.uint64_t(s.Seed), stream: first[C.uint64_t](s.Stream),
		index: first[C.int64_t](s.Index), top_k: C.int64_t(s.TopK), top_p: C.double(s.TopP), min_p: C.double(s.MinP),
		greedy: flag(s.Greedy), purpose: C.int32_t(s.Purpose),
	}, err
}

// Solve gives the behavior closest to the teacher within the budget, one for all rows or one for each. There may be no
// teacher if every budget is 0.
func (c *Context) Solve(student, teacher Logits, budget []float64, o SolveOptions) ([]Blend, error) {
	p, err := student.view("student")
	q, also := teacher.viewIfAny("teacher")
	if err = check(err, also); err != nil {
		return nil, err
	}
	out := make([]Blend, student.Rows)
	err = c.call(func() C.trb_status {
		return C.go_solve(c.raw, p, q, first[C.double](budget), C.int64_t(len(budget)), o.raw(), first[C.trb_blend](out))
	})
	return ifKept(out, err)
}

// BlendAt gives the same for weights of the teacher, one for all rows or one for each.
func (c *Context) BlendAt(student, teacher Logits, beta []float64) ([]Blend, error) {
	p, err := student.view("student")
	q, also := teacher.viewIfAny("teacher")
	if err = check(err, also); err != nil {
		return nil, err
	}
	out := make([]Blend, student.Rows)
	err = c.call(func() C.trb_status {
		return C.go_blend_at(c.raw, p, q, first[C.double](beta), C.int64_t(len(beta)), first[C.trb_blend](out))
	})
	return ifKept(out, err)
}

// WriteBlend writes log mu to out, which may be the student's or the teacher's own memory.
func (c *Context) WriteBlend(student, teacher Logits, blends []Blend, out Logits) error {
	p, err := student.view("student")
	q, also := teacher.viewIfAny("teacher")
	written, third := out.view("out")
	if err = check(err, also, third, all("blends", blends, student.Rows)); err != nil {
		return err
	}
	return c.call(func() C.trb_status { return C.go_write_blend(c.raw, p, q, first[C.trb_blend](blends), written) })
}

// Sample draws one token per row from mu.
func (c *Context) Sample(student, teacher Logits, blends []Blend, s Sampler) ([]Draw, error) {
	p, err := student.view("student")
	q, also := teacher.viewIfAny("teacher")
	if err = check(err, also, all("blends", blends, student.Rows)); err != nil {
		return nil, err
	}
	how, err := s.raw(student.Rows, student.Rows)
	if err != nil {
		return nil, err
	}
	out := make([]Draw, student.Rows)
	err = c.call(func() C.trb_status {
		return C.go_sample(c.raw, p, q, first[C.trb_blend](blends), how, first[C.trb_draw](out))
	})
	return ifKept(out, err)
}

// VerifyOptions of Verify. With ByBeta budget holds weights of the teacher.
type VerifyOptions struct {
	Solve   SolveOptions
	Sampler Sampler
	ByBeta  bool
}

// Verify turns blocks of tokens that the student proposed, together as many as rows, into tokens distributed as mu:
// speculative sampling.
func (c *Context) Verify(student, teacher Logits, proposals [][]int64, budget []float64, o VerifyOptions) ([]Verdict,
	[]Blend, error) {
	p, err := student.view("student")
	q, also := teacher.viewIfAny("teacher")
	if err = check(err, also); err != nil {
		return nil, nil, err
	}
	how, err := o.Sampler.raw(student.Rows, student.Rows)
	if err != nil {
		return nil, nil, err
	}
	raw := C.trb_verify_options{size: C.sizeof_trb_verify_options, behavior: C.TRB_BEHAVIOR_BUDGET}
	if o.ByBeta {
		raw.behavior = C.TRB_BEHAVIOR_BETA
	}
	out, blends, blocks := make([]Verdict, student.Rows), make([]Blend, student.Rows), texts(proposals)
	err = c.call(func() C.trb_status {
		return C.go_verify(c.raw, p, q, blocks, first[C.double](budget), C.int64_t(len(budget)), raw, o.Solve.raw(), how,
			first[C.trb_blend](blends), first[C.trb_verdict](out))
	})
	if !kept(err) {
		return nil, nil, err
	}
	return out, blends, err
}

// all refuses a list that is not as long as it must be.
func all[T any](name string, x []T, n int) error {
	if len(x) != n {
		return invalid("%s: expected %d elements, got %d", name, n, len(x))
	}
	return nil
}

// ifKept is the result of a call, nil if there is none.
func ifKept[T any](out []T, err error) ([]T, error) {
	if !kept(err) {
		return nil, err
	}
	return out, err
}
