package trb

// #include "shims.h"
import "C"

// Sparse is a teacher known by lists of log-probabilities: K for each row, or those from Offset[r] to Offset[r+1].
type Sparse struct {
	IDs       []int64
	LogQ      []float32
	Offset    []int64 // one more than rows, or nil
	K         int64
	LeastRest float64
}

func (s Sparse) raw(rows int) (raw C.trb_sparse, err error) {
	n := int64(len(s.IDs))
	if s.Offset == nil {
		if s.K < 0 || (s.K == 0 && n > 0) || (s.K > 0 && (n/s.K != int64(rows) || n%s.K != 0)) {
			return raw, invalid("teacher.IDs: expected %d lists of %d, got %d elements", rows, s.K, n)
		}
	} else if err = all("teacher.Offset", s.Offset, rows+1); err != nil {
		return raw, err
	} else if s.Offset[0] < 0 || s.Offset[rows] > n {
		return raw, invalid("teacher.Offset: expected numbers in [0, %d], got %d to %d", n, s.Offset[0], s.Offset[rows])
	}
	return C.trb_sparse{
		ids: first[C.int64_t](s.IDs), log_q: first[C.float](s.LogQ), offset: first[C.int64_t](s.Offset), k: C.int64_t(s.K),
		least_rest: C.double(s.LeastRest),
	}, all("teacher.LogQ", s.LogQ, len(s.IDs))
}

// SolveSparse is Solve.
func (c *Context) SolveSparse(student Logits, teacher Sparse, budget []float64, o SolveOptions) ([]SparseBlend, error) {
	p, err := student.view("student")
	if err != nil {
		return nil, err
	}
	q, err := teacher.raw(student.Rows)
	if err != nil {
		return nil, err
	}
	out := make([]SparseBlend, student.Rows)
	err = c.call(func() C.trb_status {
		return C.go_solve_sparse(c.raw, p, q, first[C.double](budget), C.int64_t(len(budget)), o.raw(),
			first[C.trb_sparse_blend](out))
	})
	return ifKept(out, err)
}

// SampleSparse is Sample.
func (c *Context) SampleSparse(student Logits, teacher Sparse, blends []SparseBlend, s Sampler) ([]Draw, error) {
	p, err := student.view("student")
	if err = check(err, all("blends", blends, student.Rows)); err != nil {
		return nil, err
	}
	q, err := teacher.raw(student.Rows)
	how, also := s.raw(student.Rows, student.Rows)
	if err = check(err, also); err != nil {
		return nil, err
	}
	out := make([]Draw, student.Rows)
	err = c.call(func() C.trb_status {
		return C.go_sample_sparse(c.raw, p, q, first[C.trb_sparse_blend](blends), how, first[C.trb_draw](out))
	})
	return ifKept(out, err)
}

// ReverseKLSparse is ReverseKL on the list: of the options, the form alone.
func (c *Context) ReverseKLSparse(student Logits, teacher Sparse, weight []float64, o LossOptions, grad Logits) (Losses,
	error) {
	p, err := student.view("student")
	if err != nil {
		return Losses{}, err
	}
	q, err := teacher.raw(student.Rows)
	raw, also := o.raw(student.Rows)
	if err = check(err, also); err != nil {
		return Losses{}, err
	}
	return c.loss(student.Rows, weight, grad, func(out outputs) C.trb_status {
		return C.go_reverse_kl_sparse(c.raw, p, q, out.weight, raw, out.loss, out.grad, out.rows)
	})
}
