package trb

// #include "shims.h"
import "C"

import "unsafe"

// TrainOptions of TrainStep. Of ReverseKL, Divergence and Token only the objective's own may be set.
type TrainOptions struct {
	Objective  Objective
	ReverseKL  LossOptions // IDs are for each token
	Divergence DivergenceOptions
	Token      TermOptions
	Weight     []float64 // one per token; nil: ones
	Norm       Norm
	Scale      float64 // multiplies all weights; 0 means 1
	Bridge     float64 // the target is the blend at this weight of the teacher; 0: the teacher itself
	GradDtype  Dtype
	Evaluate   bool // no gradient, no Backward
	Routed     bool
	BatchBytes int64
	Progress   Progress
}

// Step is what a step of training found: the loss of every token, not weighted; rows of all but ObjectiveToken.
type Step struct {
	Report TrainReport
	Loss   []float64
	Rows   []LossRow
}

// TrainStep takes the loss of a batch of rollouts and hands its gradient to the student's Backward. The optimizer is
// the caller's. The teacher may be nil for EstimatorNLL.
func (c *Context) TrainStep(student, teacher *Model, r *Rollouts, o TrainOptions) (out Step, err error) {
	err = r.use(false, func() error {
		out, err = c.trainStep(student, teacher, r, o)
		return err
	})
	return out, err
}

func (c *Context) trainStep(student, teacher *Model, r *Rollouts, o TrainOptions) (Step, error) {
	n := int(r.raw.n_tokens) // the slices are the caller's
	loss, err := o.ReverseKL.raw(n)
	if err = check(err, exactly("Weight", o.Weight, n), o.unused()); err != nil {
		return Step{}, err
	}
	raw := C.trb_train_options{
		size: C.sizeof_trb_train_options, weight: first[C.double](o.Weight), scale: C.double(o.Scale),
		bridge: C.double(o.Bridge), batch_bytes: C.int64_t(o.BatchBytes), objective: C.int32_t(o.Objective),
		norm: C.int32_t(o.Norm), grad_dtype: C.int32_t(o.GradDtype), evaluate: flag(o.Evaluate), routed: flag(o.Routed),
	}
	out := Step{Loss: make([]float64, n)}
	if o.Objective != ObjectiveToken {
		out.Rows = make([]LossRow, n)
	}
	out.Report.size = uint64(unsafe.Sizeof(out.Report))
	var back callbacks
	defer back.free()
	p, q, told := back.model(student), back.model(teacher), back.progress(o.Progress)
	report := (*C.trb_train_report)(unsafe.Pointer(&out.Report))
	err = c.call(func() C.trb_status {
		return C.go_train_step(c.raw, p, q, r.raw, raw, loss, o.Divergence.raw(), o.Token.raw(), told,
			first[C.double](out.Loss), first[C.trb_loss_row](out.Rows), report)
	})
	// Of a call that a callback stopped nothing was written, whatever the callback's error is.
	if failed := back.end(err); !kept(err) {
		return Step{}, failed
	}
	return out, err
}

// unused refuses options of another objective, as the library would.
func (o TrainOptions) unused() error {
	set := [...]bool{
		ObjectiveReverseKL: o.ReverseKL.Form != 0 || o.ReverseKL.Support != 0 || o.ReverseKL.K != 0 ||
			o.ReverseKL.IDs != nil,
		ObjectiveDivergence: o.Divergence != DivergenceOptions{},
		ObjectiveToken:      o.Token != TermOptions{},
	}
	for objective, is := range set {
		if is && Objective(objective) != o.Objective {
			return invalid("TrainOptions: expected options of objective %d alone, got some of %d", o.Objective, objective)
		}
	}
	return nil
}
