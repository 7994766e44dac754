package trb_test

import (
	"errors"
	"math"
	"runtime"
	"testing"
	"trb"
)

const words = 11

// table is a model of one token's memory: logits by the last token, and their gradient.
type table struct {
	logits   [words][words]float32
	gradient [words][words]float64
	calls    int
}

func newTable(seed int64) *table {
	m := new(table)
	for i, x := range random(seed, words*words) {
		m.logits[i/words][i%words] = x
	}
	return m
}

// last are the tokens that the rows of queries follow.
func last(queries []trb.Query) (tokens []int64) {
	for _, query := range queries {
		tokens = append(tokens, query.Tokens[len(query.Tokens)-query.Rows:]...)
	}
	return tokens
}

func (m *table) model() *trb.Model {
	return &trb.Model{
		Vocab: words,
		Forward: func(queries []trb.Query, out trb.Logits) error {
			m.calls++
			for r, token := range last(queries) {
				copy(out.Row(r), m.logits[token][:])
			}
			return nil
		},
		Backward: func(queries []trb.Query, grad trb.Logits) error {
			for r, token := range last(queries) {
				for v, g := range grad.Row(r) {
					m.gradient[token][v] += float64(g)
				}
			}
			return nil
		},
	}
}

func entropy(p []float64) (sum float64) {
	for _, x := range p {
		sum -= math.Exp(x) * x
	}
	return sum
}

func (m *table) logs(token int64) []float64 {
	return logSoftmax(m.logits[token][:])
}

var prompts = [][]int64{{1, 2}, {3}}

func rollout(t *testing.T, ctx *trb.Context, student, teacher *table, o trb.RolloutOptions) *trb.Rollouts {
	t.Helper()
	made, err := ctx.Rollout(student.model(), teacher.model(), prompts, o)
	must(t, err)
	t.Cleanup(func() { must(t, made.Close()) })
	return made
}

func TestRollout(t *testing.T) {
	ctx := context(t, trb.ContextOptions{})
	student, teacher := newTable(1), newTable(2)
	options := trb.RolloutOptions{Budget: 0.1, MaxTokens: 8, Repeats: 3, Sampler: trb.Sampler{Seed: 5}, KeepBytes: 1 << 20}
	r := rollout(t, ctx, student, teacher, options)
	equal(t, "sequences", r.Len(), 6)
	equal(t, "tokens", len(r.Token), 48)
	equal(t, "stop", r.Stop[0], trb.StopLength)
	equal(t, "text", r.Text[:2], prompts[0])
	for i := 0; i < r.Len(); i++ {
		before := r.Text[r.TextOffset[i+1]-9]
		for k, token := range r.Response(i) {
			at := r.Offset[i] + int64(k)
			p, q := student.logs(before), teacher.logs(before)
			mu := logBlend(p, q, r.Beta[at])
			near(t, "log p", r.LogStudent[at], p[token], 1e-6)
			near(t, "log q", r.LogTeacher[at], q[token], 1e-6)
			near(t, "log mu", r.LogBehavior[at], mu[token], 1e-6)
			near(t, "KL", r.KLStudent[at], kl(mu, p), 1e-6)
			near(t, "KL from the teacher", r.KLTeacher[at], kl(mu, q), 1e-6)
			near(t, "reverse KL", r.ReverseKL[at], kl(p, q), 1e-6)
			near(t, "entropy of p", r.EntropyStudent[at], entropy(p), 1e-6)
			near(t, "entropy of q", r.EntropyTeacher[at], entropy(q), 1e-6)
			before = token
		}
	}
	totals, err := ctx.Totals(r)
	must(t, err)
	equal(t, "totals", []int64{totals.Tokens, totals.StoppedLength, r.Kept}, []int64{48, 6, 48})
	scores, err := ctx.SequenceScores(r)
	must(t, err)
	wanted := 0.0
	for at := r.Offset[1]; at < r.Offset[2]; at++ {
		wanted += (r.LogTeacher[at] - r.LogStudent[at]) / 8
	}
	near(t, "score", scores[1], wanted, 1e-9)
}

// The same tokens in batches of any size, and the same streams alone.
func TestRolloutsDoNotDependOnBatches(t *testing.T) {
	ctx := context(t, trb.ContextOptions{})
	options := trb.RolloutOptions{Budget: 0.1, MaxTokens: 8, Sampler: trb.Sampler{Seed: 5, Stream: []uint64{7, 9}}}
	whole := rollout(t, ctx, newTable(1), newTable(2), options)
	options.Batch = 1
	equal(t, "tokens", rollout(t, ctx, newTable(1), newTable(2), options).Token, whole.Token)
	options.Sampler.Stream = options.Sampler.Stream[1:]
	one, err := ctx.Rollout(newTable(1).model(), newTable(2).model(), prompts[1:], options)
	must(t, err)
	equal(t, "alone", one.Token, whole.Response(1))
	must(t, one.Close())
	equal(t, "slices stay", one.Len(), 1)
	if _, err = ctx.Totals(one); err != trb.ErrClosed {
		t.Error("expected ErrClosed, got", err)
	}
}

func TestRolloutOptions(t *testing.T) {
	ctx := context(t, trb.ContextOptions{})
	asked := 0
	options := trb.RolloutOptions{Budget: 0.1, MaxLength: 6, Stop: []int64{0, 4}, Ends: trb.Ends{[]int64{0}, []int64{10}},
		Block: 3, Sampler: trb.Sampler{TopK: 9}, Solve: trb.SolveOptions{Tolerance: 1e-5},
		Progress: func(done, total int) error {
			asked++
			equal(t, "total", total, 2)
			return nil
		}}
	teacher := newTable(2)
	r := rollout(t, ctx, newTable(1), teacher, options)
	if asked == 0 || r.Proposed == 0 || r.TeacherCalls != int64(teacher.calls) || r.StudentCalls < r.TeacherCalls {
		t.Errorf("asked %d, proposed %d, calls %d %d", asked, r.Proposed, r.StudentCalls, r.TeacherCalls)
	}
	for i := 0; i < r.Len(); i++ {
		if r.TextOffset[i+1]-r.TextOffset[i] > 6 {
			t.Error("expected at most 6 tokens")
		}
	}
	near(t, "KL", r.KLStudent[0]/0.1, 1, 1.1e-5)
	skd := trb.RolloutOptions{Behavior: trb.BehaviorSKD, TopK: 2, MaxTokens: 4}
	equal(t, "tokens", len(rollout(t, ctx, newTable(1), newTable(2), skd).Token), 8)
	alone := trb.RolloutOptions{Behavior: trb.BehaviorStudent, Temperature: 0.5, MaxTokens: 4}
	r, err := ctx.Rollout(newTable(1).model(), nil, prompts, alone)
	must(t, err)
	if !math.IsNaN(r.LogTeacher[0]) {
		t.Error("expected no teacher")
	}
	for _, c := range []struct {
		o    trb.RolloutOptions
		text string
	}{
		{trb.RolloutOptions{}, "max_tokens"},
		{trb.RolloutOptions{MaxTokens: 1, Repeats: -1}, "repeats"},
		{trb.RolloutOptions{MaxTokens: 1, Behavior: trb.BehaviorSKD}, "top_k"},
		{trb.RolloutOptions{MaxTokens: 1, Behavior: trb.BehaviorStudent, Temperature: -1}, "temperature"},
		{trb.RolloutOptions{MaxTokens: 1, Behavior: trb.BehaviorBeta, Beta: 2}, "beta"},
		{trb.RolloutOptions{MaxTokens: 1, Batch: -1}, "batch"},
		{trb.RolloutOptions{MaxTokens: 1, Sampler: trb.Sampler{Stream: []uint64{1}}}, "sampler.Stream: expected 2"},
		{trb.RolloutOptions{MaxTokens: 1, Sampler: trb.Sampler{Index: []int64{1}}}, "sampler.Index: expected 0"},
		{trb.RolloutOptions{MaxTokens: 1, Budget: 1, Solve: trb.SolveOptions{Tolerance: 2}}, "options->solve"},
		{trb.RolloutOptions{MaxTokens: 1, Ends: trb.Ends{Student: []int64{99}, Teacher: []int64{1}}}, "ends"},
		{trb.RolloutOptions{MaxTokens: 1, Ends: trb.Ends{Student: []int64{1}}}, "ends.Teacher: expected 1 elements, got 0"},
	} {
		_, err := ctx.Rollout(newTable(1).model(), newTable(2).model(), prompts, c.o)
		refused(t, err, c.text)
	}
	_, err = ctx.Rollout(&trb.Model{Vocab: words}, newTable(2).model(), prompts, trb.RolloutOptions{MaxTokens: 1})
	refused(t, err, "student->forward")
}

// What became of blocks of proposals, and what the models were told of them.
func TestBlocks(t *testing.T) {
	ctx := context(t, trb.ContextOptions{})
	student, teacher := newTable(1), newTable(2)
	p, q := student.model(), teacher.model()
	known, proposed, sequences := map[int]int{}, 0, map[int]bool{}
	forward := q.Forward
	q.Forward = func(queries []trb.Query, out trb.Logits) error {
		for _, query := range queries {
			if query.Known > len(query.Tokens)-query.Proposed || query.Known < known[query.Sequence] {
				t.Errorf("known %d of %d, before %d", query.Known, len(query.Tokens), known[query.Sequence])
			}
			known[query.Sequence], sequences[query.Sequence] = query.Known, true
			proposed += query.Proposed
		}
		return forward(queries, out)
	}
	r, err := ctx.Rollout(p, q, prompts, trb.RolloutOptions{Budget: 1, MaxTokens: 40, Block: 4})
	must(t, err)
	equal(t, "sequences", sequences, map[int]bool{0: true, 1: true})
	if known[1] == 0 || proposed == 0 {
		t.Errorf("expected known tokens and proposals, got %d %d", known[1], proposed)
	}
	var accepted, corrected int64
	for at, verdict := range r.Verdict {
		if verdict == trb.VerdictAccepted {
			accepted++
		} else if verdict == trb.VerdictCorrected {
			corrected++
		}
		before := prompts[0][1]
		if at == int(r.Offset[1]) {
			before = prompts[1][0]
		} else if at > 0 {
			before = r.Token[at-1]
		}
		best := 0
		for v, x := range teacher.logits[before] {
			if x > teacher.logits[before][best] {
				best = v
			}
		}
		equal(t, "argmax", r.ArgmaxTeacher[at], int64(best))
	}
	totals, err := ctx.Totals(r)
	must(t, err)
	equal(t, "verdicts", []int64{accepted, corrected}, []int64{totals.Accepted, totals.Corrected})
	if corrected == 0 {
		t.Error("expected a correction")
	}
	step, err := ctx.TrainStep(p, teacher.model(), r, trb.TrainOptions{Routed: true, Evaluate: true})
	must(t, err)
	equal(t, "routed", step.Report.Routed, corrected)
}

// Types and temperatures of a model are heard.
func TestModelsOfSixteenBits(t *testing.T) {
	ctx := context(t, trb.ContextOptions{})
	student := newTable(1)
	model := &trb.Model{Vocab: words, Dtype: trb.DtypeBF16, Temperature: 0.5, Forward: func(queries []trb.Query,
		out trb.Logits) error {
		for r, token := range last(queries) {
			for v, x := range student.logits[token] {
				out.Bits(r)[v] = uint16(math.Float32bits(x) >> 16)
			}
		}
		return nil
	}}
	r, err := ctx.Rollout(model, nil, prompts, trb.RolloutOptions{Behavior: trb.BehaviorStudent, MaxTokens: 1})
	must(t, err)
	short := make([]float32, words)
	for v, x := range student.logits[2] {
		short[v] = 2 * math.Float32frombits(math.Float32bits(x)>>16<<16)
	}
	near(t, "log p", r.LogStudent[0], logSoftmax(short)[r.Token[0]], 1e-6)
}

func TestRolloutsOfElsewhere(t *testing.T) {
	ctx := context(t, trb.ContextOptions{})
	texts := [][]int64{{1, 2, 3}, {4, 5}}
	r, err := ctx.NewRollouts(texts, []int64{1, 1}, []float64{-1, -2, -3}, trb.Ends{})
	must(t, err)
	equal(t, "given", r.LogSampled, []float64{-1, -2, -3})
	student, teacher := newTable(1), newTable(2)
	told := 0
	must(t, ctx.Score(student.model(), teacher.model(), trb.ScoreOptions{Progress: func(int, int) error {
		told++
		return nil
	}}, r))
	refused(t, ctx.Score(student.model(), nil, trb.ScoreOptions{BatchBytes: -1}, r), "batch_bytes")
	near(t, "log p", r.LogStudent[1], student.logs(2)[3], 1e-6)
	near(t, "log q", r.LogTeacher[2], teacher.logs(4)[5], 1e-6)
	if told == 0 {
		t.Error("expected progress")
	}
	for _, c := range []struct {
		lengths []int64
		logs    []float64
		text    string
	}{
		{[]int64{1}, nil, "promptLength: expected 2 elements, got 1"},
		{[]int64{1, 3}, nil, "promptLength[1]: expected a number in [0, 2], got 3"},
		{[]int64{1, 1}, []float64{-1}, "logSampled: expected 3 elements, got 1"},
	} {
		_, err = ctx.NewRollouts(texts, c.lengths, c.logs, trb.Ends{})
		refused(t, err, c.text)
	}
}

func TestTrainStep(t *testing.T) {
	ctx := context(t, trb.ContextOptions{Threads: 2})
	student, teacher := newTable(1), newTable(2)
	r := rollout(t, ctx, student, teacher, trb.RolloutOptions{Budget: 0.1, MaxTokens: 6})
	weight := make([]float64, len(r.Token))
	for i := range weight {
		weight[i] = float64(i % 3)
	}
	step, err := ctx.TrainStep(student.model(), teacher.model(), r, trb.TrainOptions{Weight: weight, Norm: trb.NormNone, Scale: 2})
	must(t, err)
	var wanted [words][words]float64
	at := 0
	for i := 0; i < r.Len(); i++ {
		before := r.Text[r.TextOffset[i+1]-7]
		for _, token := range r.Response(i) {
			p, q := student.logs(before), teacher.logs(before)
			loss := kl(p, q)
			if weight[at] != 0 {
				near(t, "loss", step.Loss[at], loss, 1e-6)
			}
			for v := range p {
				wanted[before][v] += 2 * weight[at] * math.Exp(p[v]) * (p[v] - q[v] - loss)
			}
			before = token
			at++
		}
	}
	for a := range wanted {
		for v := range wanted[a] {
			near(t, "gradient", student.gradient[a][v], wanted[a][v], 1e-5)
		}
	}
	equal(t, "rows", len(step.Rows), 12)
	equal(t, "bad", step.Report.Bad, int64(0))
}

// What a caller does to the slices of rollouts changes nothing of them.
func TestRolloutsWithSlicesCut(t *testing.T) {
	ctx := context(t, trb.ContextOptions{})
	student, teacher := newTable(1), newTable(2)
	r := rollout(t, ctx, student, teacher, trb.RolloutOptions{Budget: 0.1, MaxTokens: 6})
	r.Stop, r.Token = r.Stop[:1], r.Token[:1]
	scores, err := ctx.SequenceScores(r)
	must(t, err)
	equal(t, "scores", len(scores), 2)
	step, err := ctx.TrainStep(student.model(), teacher.model(), r, trb.TrainOptions{})
	must(t, err)
	equal(t, "tokens", []int{len(step.Loss), len(step.Rows)}, []int{12, 12})
}

// Terms that a clip changed are counted, in a number as wide as the library's.
func TestClippedTermsAreCounted(t *testing.T) {
	ctx := context(t, trb.ContextOptions{})
	student, teacher := newTable(1), newTable(2)
	r := rollout(t, ctx, student, teacher, trb.RolloutOptions{Budget: 0.1, MaxTokens: 6})
	step, err := ctx.TrainStep(student.model(), teacher.model(), r, trb.TrainOptions{
		Objective: trb.ObjectiveToken, Token: trb.TermOptions{AdvantageLimit: 1e-9}})
	must(t, err)
	equal(t, "clipped", step.Report.Clipped, int64(12))
}

func TestTrainOptions(t *testing.T) {
	ctx := context(t, trb.ContextOptions{})
	student, teacher := newTable(1), newTable(2)
	r := rollout(t, ctx, student, teacher, trb.RolloutOptions{Budget: 0.1, MaxTokens: 6, Block: 2})
	token := trb.TrainOptions{Objective: trb.ObjectiveToken, Token: trb.TermOptions{Estimator: trb.EstimatorNLL}, Evaluate: true}
	step, err := ctx.TrainStep(student.model(), nil, r, token)
	must(t, err)
	near(t, "nll", step.Loss[3], -r.LogStudent[3], 1e-6)
	equal(t, "rows", step.Rows, []trb.LossRow(nil))
	equal(t, "no gradient", student.gradient, [words][words]float64{})
	jsd := trb.TrainOptions{Objective: trb.ObjectiveDivergence, Divergence: trb.DivergenceOptions{Kind: trb.DivergenceJSD},
		Routed: true, GradDtype: trb.DtypeBF16, Norm: trb.NormSequences, BatchBytes: 1}
	trained := student.model()
	trained.Backward = func(_ []trb.Query, grad trb.Logits) error {
		if _, ok := grad.Data.(trb.BF16); !ok {
			t.Errorf("expected BF16, got %T", grad.Data)
		}
		return nil
	}
	step, err = ctx.TrainStep(trained, teacher.model(), r, jsd)
	must(t, err)
	equal(t, "micro-batches", step.Report.MicroBatches, int64(2))
	_, err = ctx.TrainStep(trained, teacher.model(), r, trb.TrainOptions{Bridge: 2})
	refused(t, err, "options->bridge")
	_, err = ctx.TrainStep(trained, teacher.model(), r, trb.TrainOptions{Weight: []float64{1}})
	refused(t, err, "Weight: expected 12 elements, got 1")
	_, err = ctx.TrainStep(trained, teacher.model(), r, trb.TrainOptions{Token: trb.TermOptions{Estimator: trb.EstimatorK1}})
	refused(t, err, "expected options of objective 0 alone, got some of 2")
	_, err = ctx.TrainStep(&trb.Model{Vocab: words, Forward: trained.Forward}, teacher.model(), r, trb.TrainOptions{})
	refused(t, err, "student->backward")
	_, err = ctx.TrainStep(trained, teacher.model(), nil, trb.TrainOptions{})
	refused(t, err, "rollouts: expected rollouts, got nil")
}

// ---- What callbacks end with ----

var mine = errors.New("within")

// failing is a model that ends with what fail does at the third token.
func failing(fail func() error) *trb.Model {
	m := newTable(1).model()
	forward := m.Forward
	m.Forward = func(queries []trb.Query, out trb.Logits) error {
		if len(queries[0].Tokens) >= 4 {
			return fail()
		}
		return forward(queries, out)
	}
	return m
}

func TestErrorOfACallback(t *testing.T) {
	ctx := context(t, trb.ContextOptions{})
	options := trb.RolloutOptions{Budget: 0.1, MaxTokens: 9}
	r, err := ctx.Rollout(failing(func() error { return mine }), newTable(2).model(), prompts, options)
	if err != mine {
		t.Fatal("expected the callback's own error, got", err)
	}
	equal(t, "partial", []int{r.Len(), len(r.Token)}, []int{2, 4})
	options.Progress = func(int, int) error { return mine }
	if _, err = ctx.Rollout(newTable(1).model(), newTable(2).model(), prompts, options); err != mine {
		t.Error("expected the error of progress, got", err)
	}
	student := newTable(1).model()
	student.Backward = func([]trb.Query, trb.Logits) error { return mine }
	if _, err = ctx.TrainStep(student, newTable(2).model(), r, trb.TrainOptions{}); err != mine {
		t.Error("expected the error of Backward, got", err)
	}
	student.Backward = func([]trb.Query, trb.Logits) error { return &trb.Error{Status: trb.BadRows} }
	step, err := ctx.TrainStep(student, newTable(2).model(), r, trb.TrainOptions{})
	if !errors.Is(err, trb.BadRows) || step.Loss != nil {
		t.Error("expected no step of a call that was stopped, got", step.Loss, err)
	}
	must(t, r.Close())
}

func TestPanicOfACallback(t *testing.T) {
	ctx := context(t, trb.ContextOptions{})
	func() {
		defer func() { equal(t, "panic", recover(), any(mine)) }()
		_, err := ctx.Rollout(failing(func() error { panic(mine) }), newTable(2).model(), prompts,
			trb.RolloutOptions{Budget: 0.1, MaxTokens: 9})
		t.Error("expected a panic, got", err)
	}()
	solved(t, ctx, trb.Logits{Data: trb.F32{1, 2}, Rows: 1, Vocab: 2}, trb.Logits{}, 0) // goes on working
}

func TestCallbacksUseTheLibraryButNotTheirContext(t *testing.T) {
	ctx, other := context(t, trb.ContextOptions{}), context(t, trb.ContextOptions{})
	student := newTable(1).model()
	forward := student.Forward
	var r *trb.Rollouts
	student.Forward = func(queries []trb.Query, out trb.Logits) error {
		must(t, forward(queries, out))
		if _, err := other.Entropy(out); err != nil {
			t.Error(err)
		}
		if err := other.MaskTokens(out, []int64{0}); err != nil {
			t.Error(err)
		}
		if r != nil {
			equal(t, "rollouts in use", r.Close(), trb.ErrBusy)
			equal(t, "written", other.Score(nil, newTable(2).model(), trb.ScoreOptions{}, r), trb.ErrBusy)
		}
		equal(t, "close", ctx.Close(), trb.ErrBusy)
		_, err := ctx.Entropy(out)
		return err
	}
	made, err := ctx.Rollout(student, newTable(2).model(), prompts, trb.RolloutOptions{Budget: 0.1, MaxTokens: 2})
	if err != trb.ErrBusy {
		t.Fatal("expected ErrBusy, got", err)
	}
	must(t, made.Close())
	r = rollout(t, other, newTable(1), newTable(2), trb.RolloutOptions{Budget: 0.1, MaxTokens: 2})
	if _, err = ctx.TrainStep(student, newTable(2).model(), r, trb.TrainOptions{}); err != trb.ErrBusy {
		t.Error("expected ErrBusy, got", err)
	}
}

// What nobody closes the collector does, while others are in use.
func TestCollected(t *testing.T) {
	for i := 0; i < 200; i++ {
		ctx, err := trb.NewContext(trb.ContextOptions{})
		must(t, err)
		r, err := ctx.Rollout(newTable(1).model(), newTable(2).model(), prompts, trb.RolloutOptions{Budget: 0.1, MaxTokens: 3})
		must(t, err)
		if i%10 == 0 {
			runtime.GC()
		}
		if _, err = ctx.Totals(r); err != nil {
			t.Fatal(err)
		}
	}
}
