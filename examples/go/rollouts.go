package trb

// #include "shims.h"
import "C"

import (
	"runtime"
	"sync"
	"unsafe"
)

// Ends are end-of-text tokens that mean the same: Teacher[i] is merged into Student[i].
type Ends struct {
	Student, Teacher []int64
}

func (e Ends) raw() (C.trb_ends, error) {
	return C.trb_ends{first[C.int64_t](e.Student), first[C.int64_t](e.Teacher), C.int64_t(len(e.Student))},
		all("ends.Teacher", e.Teacher, len(e.Student))
}

// RolloutOptions of Rollout. What the chosen behavior does not use must be 0. One of MaxTokens and MaxLength must be
// set.
type RolloutOptions struct {
	Behavior             Behavior
	Budget               float64
	Beta                 float64
	Temperature          float64
	TopK                 int64
	Solve                SolveOptions
	Sampler              Sampler
	Stop                 []int64
	Ends                 Ends
	MaxTokens, MaxLength int64
	Repeats              int64 // sequences per prompt; 0 means 1
	Batch                int64
	Block                int64 // most tokens that the student proposes before the teacher is asked; 0: none
	KeepBytes            int64
	Progress             Progress
}

// ScoreOptions of Score.
type ScoreOptions struct {
	BatchBytes, KeepBytes int64
	Progress              Progress
}

// Rollouts are sequences, and what is known of each sampled token: NaN where it is not. The sampled tokens of sequence
// i are numbers Offset[i] to Offset[i+1]-1. The slices are copies.
type Rollouts struct {
	Text, TextOffset []int64 // prompts with responses
	Offset           []int64
	Stream           []uint64
	Stop             []Stop
	Row              []RowStatus
	Token            []int64

	LogSampled, LogBehavior, LogStudent, LogTeacher                           []float64
	Beta, KLStudent, KLTeacher, ReverseKL, EntropyStudent, EntropyTeacher, TV []float64
	ArgmaxTeacher                                                             []int64
	Status                                                                    []RowStatus
	Verdict                                                                   []VerdictKind
	Proposed, Kept, StudentCalls, TeacherCalls                                int64
	Budget                                                                    float64

	mutex   sync.Mutex
	raw     *C.trb_rollouts
	readers int // calls that they serve, -1 for one that writes
}

// wrap is nil where the library made none.
func wrap(raw *C.trb_rollouts) *Rollouts {
	if raw == nil {
		return nil
	}
	r := &Rollouts{raw: raw}
	r.read()
	runtime.SetFinalizer(r, (*Rollouts).free)
	return r
}

func (r *Rollouts) read() {
	raw, n, tokens := r.raw, int(r.raw.n), int(r.raw.n_tokens)
	r.TextOffset = copied[int64](raw.text_offset, n+1)
	r.Text = copied[int64](raw.text, int(r.TextOffset[n]))
	r.Offset = copied[int64](raw.offset, n+1)
	r.Stream = copied[uint64](raw.stream, n)
	r.Stop = copied[Stop](raw.stop, n)
	r.Row = copied[RowStatus](raw.row, n)
	r.Token = copied[int64](raw.token, tokens)
	r.LogSampled = copied[float64](raw.log_sampled, tokens)
	r.LogBehavior = copied[float64](raw.log_behavior, tokens)
	r.LogStudent = copied[float64](raw.log_student, tokens)
	r.LogTeacher = copied[float64](raw.log_teacher, tokens)
	r.Beta = copied[float64](raw.beta, tokens)
	r.KLStudent = copied[float64](raw.kl_student, tokens)
	r.KLTeacher = copied[float64](raw.kl_teacher, tokens)
	r.ReverseKL = copied[float64](raw.reverse_kl, tokens)
	r.EntropyStudent = copied[float64](raw.entropy_student, tokens)
	r.EntropyTeacher = copied[float64](raw.entropy_teacher, tokens)
	r.TV = copied[float64](raw.tv, tokens)
	r.ArgmaxTeacher = copied[int64](raw.argmax_teacher, tokens)
	r.Status = copied[RowStatus](raw.status, tokens)
	r.Verdict = copied[VerdictKind](raw.verdict, tokens)
	r.Proposed, r.Kept, r.Budget = int64(raw.proposed), int64(raw.kept), float64(raw.budget)
	r.StudentCalls, r.TeacherCalls = int64(raw.student_calls), int64(raw.teacher_calls)
}

// Len is the number of sequences.
func (r *Rollouts) Len() int {
	return len(r.Stop)
}

// Response is the sampled tokens of a sequence.
func (r *Rollouts) Response(i int) []int64 {
	return r.Token[r.Offset[i]:r.Offset[i+1]]
}

// Close frees the library's memory. The slices stay.
func (r *Rollouts) Close() error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.readers != 0 {
		return ErrBusy
	}
	runtime.SetFinalizer(r, nil)
	r.free()
	return nil
}

func (r *Rollouts) free() {
	C.trb_rollouts_free(r.raw)
	r.raw = nil
}

// use keeps them open while a call runs that reads them, or alone if it writes.
func (r *Rollouts) use(write bool, run func() error) error {
	if r == nil {
		return invalid("rollouts: expected rollouts, got nil")
	}
	if err := r.begin(write); err != nil {
		return err
	}
	defer r.done(write)
	return run()
}

func (r *Rollouts) begin(write bool) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.raw == nil {
		return ErrClosed
	}
	if r.readers < 0 || (write && r.readers > 0) {
		return ErrBusy
	}
	if write {
		r.readers = -1
	} else {
		r.readers++
	}
	return nil
}

func (r *Rollouts) done(write bool) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if write {
		r.readers = 0
		r.read()
	} else {
		r.readers--
	}
}

// Rollout samples a response to every prompt. A model that mu does not need may be nil. After BadRows, and after an
// error of a callback, there are all that were sampled.
func (c *Context) Rollout(student, teacher *Model, prompts [][]int64, o RolloutOptions) (*Rollouts, error) {
	repeats := o.Repeats
	if repeats <= 0 {
		repeats = 1 // the library refuses a negative number
	}
	how, err := o.Sampler.raw(len(prompts)*int(repeats), 0)
	ends, also := o.Ends.raw()
	if err = check(err, also); err != nil {
		return nil, err
	}
	var back callbacks
	defer back.free()
	raw := C.trb_rollout_options{
		size: C.sizeof_trb_rollout_options, behavior: C.int32_t(o.Behavior), budget: C.double(o.Budget),
		beta: C.double(o.Beta), temperature: C.double(o.Temperature), top_k: C.int64_t(o.TopK),
		stop: first[C.int64_t](o.Stop), n_stop: C.int64_t(len(o.Stop)), max_tokens: C.int64_t(o.MaxTokens),
		max_length: C.int64_t(o.MaxLength), repeats: C.int64_t(o.Repeats), batch: C.int64_t(o.Batch),
		block: C.int64_t(o.Block), keep_bytes: C.int64_t(o.KeepBytes),
	}
	p, q, told, lists := back.model(student), back.model(teacher), back.progress(o.Progress), texts(prompts)
	var out *C.trb_rollouts
	err = c.call(func() C.trb_status {
		return C.go_rollout(c.raw, p, q, lists, raw, o.Solve.raw(), how, ends, told, &out)
	})
	made := wrap(out)
	return made, back.end(err)
}

// NewRollouts makes rollouts of sequences that come from elsewhere. promptLength is one per text; logSampled one for
// each token of all responses, or nil.
func (c *Context) NewRollouts(sequences [][]int64, promptLength []int64, logSampled []float64, ends Ends) (*Rollouts,
	error) {
	if err := all("promptLength", promptLength, len(sequences)); err != nil {
		return nil, err
	}
	sampled := 0
	for i, sequence := range sequences {
		if promptLength[i] < 0 || promptLength[i] > int64(len(sequence)) {
			return nil, invalid("promptLength[%d]: expected a number in [0, %d], got %d", i, len(sequence), promptLength[i])
		}
		sampled += len(sequence) - int(promptLength[i])
	}
	same, err := ends.raw()
	if err = check(err, exactly("logSampled", logSampled, sampled)); err != nil {
		return nil, err
	}
	lists := texts(sequences)
	var out *C.trb_rollouts
	err = c.call(func() C.trb_status {
		return C.go_rollouts_new(c.raw, lists, first[C.int64_t](promptLength), first[C.double](logSampled), same, &out)
	})
	return wrap(out), err
}

// Score asks the models, each of which may be nil, about sampled tokens that they have not seen, and fills in what they
// say.
func (c *Context) Score(student, teacher *Model, o ScoreOptions, inout *Rollouts) error {
	return inout.use(true, func() error {
		var back callbacks
		defer back.free()
		raw := C.trb_score_options{
			size: C.sizeof_trb_score_options, batch_bytes: C.int64_t(o.BatchBytes), keep_bytes: C.int64_t(o.KeepBytes),
		}
		p, q, told := back.model(student), back.model(teacher), back.progress(o.Progress)
		return back.end(c.call(func() C.trb_status { return C.go_score(c.raw, p, q, raw, told, inout.raw) }))
	})
}

// Totals are what a trainer logs of a batch of rollouts.
func (c *Context) Totals(r *Rollouts) (out Totals, err error) {
	err = r.use(false, func() error {
		out.size = uint64(unsafe.Sizeof(out))
		return c.call(func() C.trb_status {
			return C.trb_rollouts_totals(c.raw, r.raw, (*C.trb_totals)(unsafe.Pointer(&out)))
		})
	})
	return out, err
}

// SequenceScores are the means of log q - log p over the sampled tokens of each sequence.
func (c *Context) SequenceScores(r *Rollouts) (out []float64, err error) {
	err = r.use(false, func() error {
		out = make([]float64, int(r.raw.n)) // the slices are the caller's
		return c.call(func() C.trb_status { return C.trb_sequence_scores(c.raw, r.raw, first[C.double](out)) })
	})
	return out, err
}
