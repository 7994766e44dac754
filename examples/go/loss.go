package trb

// #include "shims.h"
import "C"

// LossOptions choose a form of the reverse KL and the support that all but the full one are taken on. IDs are k for
// each row, with SupportIDs.
type LossOptions struct {
	Form    Form
	Support Support
	K       int64
	IDs     []int64
}

func (o LossOptions) raw(rows int) (raw C.trb_loss_options, err error) {
	if o.Support == SupportIDs && o.K > 0 {
		if n := int64(len(o.IDs)); n/o.K != int64(rows) || n%o.K != 0 {
			err = invalid("IDs: expected %d lists of %d, got %d elements", rows, o.K, n)
		}
	}
	return C.trb_loss_options{
		size: C.sizeof_trb_loss_options, form: C.int32_t(o.Form), support: C.int32_t(o.Support), k: C.int64_t(o.K),
		ids: first[C.int64_t](o.IDs),
	}, err
}

// DivergenceOptions choose another divergence. B is of DivergenceJSD, in (0, 1); 0 means 0.5.
type DivergenceOptions struct {
	Kind DivergenceKind
	B    float64
}

func (o DivergenceOptions) raw() C.trb_divergence_options {
	return C.trb_divergence_options{
		size: C.sizeof_trb_divergence_options, kind: C.int32_t(o.Kind), b: C.double(o.B),
	}
}

// TermOptions choose an estimator. The clips are of EstimatorAdvantage; 0: off.
type TermOptions struct {
	Estimator           Estimator
	RatioLow, RatioHigh float64
	AdvantageLimit      float64
}

func (o TermOptions) raw() C.trb_term_options {
	return C.trb_term_options{
		size: C.sizeof_trb_term_options, estimator: C.int32_t(o.Estimator), ratio_low: C.double(o.RatioLow),
		ratio_high: C.double(o.RatioHigh), advantage_limit: C.double(o.AdvantageLimit),
	}
}

// Losses of every row, in nats and not weighted, and what a trainer logs of it.
type Losses struct {
	Loss []float64
	Rows []LossRow
}

// outputs are what all losses are asked for.
type outputs struct {
	weight, loss *C.double
	grad         C.go_logits
	rows         *C.trb_loss_row
}

// loss runs one of the losses for so many rows. Nil weights are ones; grad may be Logits{}.
func (c *Context) loss(rows int, weight []float64, grad Logits, run func(outputs) C.trb_status) (Losses, error) {
	g, err := grad.viewIfAny("grad")
	if err = check(err, exactly("weight", weight, rows)); err != nil {
		return Losses{}, err
	}
	out := Losses{make([]float64, rows), make([]LossRow, rows)}
	err = c.call(func() C.trb_status {
		return run(outputs{first[C.double](weight), first[C.double](out.Loss), g, first[C.trb_loss_row](out.Rows)})
	})
	if !kept(err) {
		return Losses{}, err
	}
	return out, err
}

// ReverseKL is the reverse KL of every row. grad, if any, receives its exact gradient, each row times its weight; it
// may be the student's or the teacher's own memory. A row of weight 0 is not read; nil weights are ones.
func (c *Context) ReverseKL(student, teacher Logits, weight []float64, o LossOptions, grad Logits) (Losses, error) {
	p, err := student.view("student")
	q, also := teacher.view("teacher")
	raw, third := o.raw(student.Rows)
	if err = check(err, also, third); err != nil {
		return Losses{}, err
	}
	return c.loss(student.Rows, weight, grad, func(out outputs) C.trb_status {
		return C.go_reverse_kl(c.raw, p, q, out.weight, raw, out.loss, out.grad, out.rows)
	})
}

// Divergence is the forward KL or Jensen-Shannon divergence, likewise.
func (c *Context) Divergence(student, teacher Logits, weight []float64, o DivergenceOptions, grad Logits) (Losses, error) {
	p, err := student.view("student")
	q, also := teacher.view("teacher")
	if err = check(err, also); err != nil {
		return Losses{}, err
	}
	return c.loss(student.Rows, weight, grad, func(out outputs) C.trb_status {
		return C.go_divergence(c.raw, p, q, out.weight, o.raw(), out.loss, out.grad, out.rows)
	})
}

// TokenTerms estimates the reverse KL from one token per row, with the gradient of that. logBehavior says how probable
// each was to what sampled it, nil: the student itself. There may be no teacher for EstimatorNLL.
func (c *Context) TokenTerms(student, teacher Logits, token []int64, logBehavior, weight []float64, o TermOptions,
	grad Logits) ([]Term, error) {
	p, err := student.view("student")
	q, also := teacher.viewIfAny("teacher")
	g, third := grad.viewIfAny("grad")
	n := student.Rows
	if err = check(err, also, third, all("token", token, n), exactly("logBehavior", logBehavior, n),
		exactly("weight", weight, n)); err != nil {
		return nil, err
	}
	out := make([]Term, n)
	err = c.call(func() C.trb_status {
		return C.go_token_terms(c.raw, p, q, first[C.int64_t](token), first[C.double](logBehavior), first[C.double](weight),
			o.raw(), first[C.trb_term](out), g)
	})
	return ifKept(out, err)
}
