package trb_test

import (
	"errors"
	"math"
	"math/rand"
	"reflect"
	"strings"
	"sync"
	"testing"
	"trb"
)

const rows, vocab = 4, 300

// ---- The mathematics ----

func random(seed int64, n int) []float32 {
	source := rand.New(rand.NewSource(seed))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(2 * source.NormFloat64())
	}
	return x
}

// normalized takes log-probabilities up to a constant.
func normalized(logs []float64) []float64 {
	sum := 0.0
	for _, x := range logs {
		sum += math.Exp(x)
	}
	out := make([]float64, len(logs))
	for i, x := range logs {
		out[i] = x - math.Log(sum)
	}
	return out
}

func logSoftmax(x []float32) []float64 {
	out := make([]float64, len(x))
	for i := range x {
		out[i] = float64(x[i])
	}
	return normalized(out)
}

func logBlend(p, q []float64, beta float64) []float64 {
	out := make([]float64, len(p))
	for i := range p {
		out[i] = (1-beta)*p[i] + beta*q[i]
	}
	return normalized(out)
}

func kl(a, b []float64) (sum float64) {
	for i := range a {
		sum += math.Exp(a[i]) * (a[i] - b[i])
	}
	return sum
}

func near(t *testing.T, what string, got, wanted, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-wanted) <= tolerance*math.Max(1, math.Abs(wanted))) {
		t.Errorf("%s: expected %g, got %g", what, wanted, got)
	}
}

func equal(t *testing.T, what string, got, wanted any) {
	t.Helper()
	if !reflect.DeepEqual(got, wanted) {
		t.Errorf("%s: expected %v, got %v", what, wanted, got)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused wants an InvalidArgument that says so.
func refused(t *testing.T, err error, text string) {
	t.Helper()
	if !errors.Is(err, trb.InvalidArgument) || !strings.Contains(err.Error(), text) {
		t.Errorf("expected a refusal with %q, got %v", text, err)
	}
}

// ---- What the tests work on ----

func context(t *testing.T, o trb.ContextOptions) *trb.Context {
	t.Helper()
	ctx, err := trb.NewContext(o)
	must(t, err)
	t.Cleanup(func() { must(t, ctx.Close()) })
	return ctx
}

func pair() (student, teacher trb.Logits) {
	return trb.Logits{Data: trb.F32(random(1, rows*vocab)), Rows: rows, Vocab: vocab},
		trb.Logits{Data: trb.F32(random(2, rows*vocab)), Rows: rows, Vocab: vocab}
}

func empty() trb.Logits {
	return trb.Logits{Data: make(trb.F32, rows*vocab), Rows: rows, Vocab: vocab}
}

func solved(t *testing.T, ctx *trb.Context, student, teacher trb.Logits, budget ...float64) []trb.Blend {
	t.Helper()
	blends, err := ctx.Solve(student, teacher, budget, trb.SolveOptions{})
	must(t, err)
	return blends
}

// ---- Contexts ----

func TestContextOptions(t *testing.T) {
	isa, err := context(t, trb.ContextOptions{Threads: 2, ISA: trb.ISAScalar}).ISA()
	must(t, err)
	equal(t, "isa", isa, trb.ISAScalar)
	_, err = trb.NewContext(trb.ContextOptions{Threads: -1})
	refused(t, err, "threads: expected")
}

func TestClosedContext(t *testing.T) {
	ctx, err := trb.NewContext(trb.ContextOptions{})
	must(t, err)
	must(t, ctx.Close())
	must(t, ctx.Close())
	student, _ := pair()
	if _, err = ctx.Entropy(student); err != trb.ErrClosed {
		t.Errorf("expected ErrClosed, got %v", err)
	}
}

func TestContextsOfGoroutines(t *testing.T) {
	student, teacher := pair()
	wanted := solved(t, context(t, trb.ContextOptions{}), student, teacher, 0.05)
	var group sync.WaitGroup
	for i := 0; i < 4; i++ {
		ctx := context(t, trb.ContextOptions{Threads: 1 + i%2})
		group.Add(1)
		go func() {
			defer group.Done()
			for k := 0; k < 50; k++ {
				got, err := ctx.Solve(student, teacher, []float64{0.05}, trb.SolveOptions{})
				if err != nil || !reflect.DeepEqual(got, wanted) {
					t.Errorf("expected what one goroutine gets, got %v %v", got, err)
				}
			}
		}()
	}
	group.Wait()
}

// ---- Logits ----

func TestEntropyAndMasks(t *testing.T) {
	ctx := context(t, trb.ContextOptions{})
	student, _ := pair()
	must(t, ctx.MaskTokens(student, []int64{0, 299}))
	if !math.IsInf(float64(student.Row(1)[299]), -1) {
		t.Error("expected a masked token")
	}
	must(t, ctx.MergeTokens(student, []int64{5}, []int64{6}))
	entropy, err := ctx.Entropy(student)
	must(t, err)
	for r := range entropy {
		p, wanted := logSoftmax(student.Row(r)), 0.0
		for _, x := range p {
			if !math.IsInf(x, -1) {
				wanted -= math.Exp(x) * x
			}
		}
		near(t, "entropy", entropy[r], wanted, 1e-6)
	}
	refused(t, ctx.MergeTokens(student, []int64{5}, nil), "to: expected 1 elements, got 0")
}

func TestStridesAndTemperatures(t *testing.T) {
	ctx := context(t, trb.ContextOptions{})
	student, teacher := pair()
	wide := trb.Logits{Data: make(trb.F32, 3*350+vocab), Rows: rows, Vocab: vocab, Stride: 350, Temperature: 2}
	for r := 0; r < rows; r++ {
		for v, x := range student.Row(r) {
			wide.Row(r)[v] = 2 * x
		}
	}
	equal(t, "blends", solved(t, ctx, wide, teacher, 0.05), solved(t, ctx, student, teacher, 0.05))
}

func TestSixteenBits(t *testing.T) {
	ctx := context(t, trb.ContextOptions{})
	bits := make(trb.BF16, rows*vocab)
	same := make(trb.F32, rows*vocab)
	for i, x := range random(3, rows*vocab) {
		bits[i] = uint16(math.Float32bits(x) >> 16)
		same[i] = math.Float32frombits(uint32(bits[i]) << 16)
	}
	_, teacher := pair()
	student := trb.Logits{Data: bits, Rows: rows, Vocab: vocab}
	equal(t, "blends", solved(t, ctx, student, teacher, 0.05),
		solved(t, ctx, trb.Logits{Data: same, Rows: rows, Vocab: vocab}, teacher, 0.05))
	equal(t, "bits", student.Bits(1)[0], bits[vocab])
	half := trb.Logits{Data: trb.F16{0x3c00, 0x4000}, Rows: 1, Vocab: 2} // 1 and 2
	entropy, err := ctx.Entropy(half)
	must(t, err)
	p := 1 / (1 + math.E)
	near(t, "entropy", entropy[0], -p*math.Log(p)-(1-p)*math.Log(1-p), 1e-6)
}

func TestViewsThatDoNotFit(t *testing.T) {
	ctx := context(t, trb.ContextOptions{})
	data := make(trb.F32, 10)
	for _, c := range []struct {
		logits trb.Logits
		text   string
	}{
		{trb.Logits{}, "logits: expected logits, got none"},
		{trb.Logits{Data: data, Rows: 2, Vocab: 6}, "expected 2 rows of 6 elements, 6 apart, got 10"},
		{trb.Logits{Data: data, Rows: 1, Vocab: 11}, "got 10"},
		{trb.Logits{Data: data, Rows: 3, Vocab: 1, Stride: 5}, "got 10"},
		{trb.Logits{Data: data, Rows: math.MaxInt, Vocab: 2, Stride: math.MaxInt}, "got 10"},
		{trb.Logits{Data: data, Rows: -1, Vocab: 2}, "Rows: expected a number from 0 on"},
		{trb.Logits{Data: data, Rows: 1, Vocab: -2}, "Vocab: expected a number from 1 on, got -2"},
		{trb.Logits{Data: data, Rows: math.MaxInt}, "Vocab: expected a number from 1 on, got 0"},
		{trb.Logits{Data: data, Rows: 2, Vocab: 5, Stride: 4}, "Stride: expected at least 5, got 4"},
		{trb.Logits{Data: data, Rows: math.MaxInt, Vocab: 5, Stride: -5}, "Stride: expected at least 5, got -5"},
	} {
		_, err := ctx.Entropy(c.logits)
		refused(t, err, c.text)
	}
	last := trb.Logits{Data: data, Rows: 3, Vocab: 2, Stride: 4}
	if _, err := ctx.Entropy(last); err != nil {
		t.Error("expected the last row to end with the slice", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("expected a panic for a row that is not there")
		}
	}()
	last.Row(3)
}

// Logits may be a part of something that has pointers.
func TestLogitsWithinAStruct(t *testing.T) {
	ctx := context(t, trb.ContextOptions{})
	layer := &struct {
		logits [2]float32
		name   *string
	}{[2]float32{1, 2}, new(string)}
	entropy, err := ctx.Entropy(trb.Logits{Data: trb.F32(layer.logits[:]), Rows: 1, Vocab: 2})
	must(t, err)
	p := 1 / (1 + math.E)
	near(t, "entropy", entropy[0], -p*math.Log(p)-(1-p)*math.Log(1-p), 1e-6)
}

// ---- The blend ----

func TestSolveMeetsItsBudget(t *testing.T) {
	student, teacher := pair()
	for r, blend := range solved(t, context(t, trb.ContextOptions{}), student, teacher, 0.05) {
		p, q := logSoftmax(student.Row(r)), logSoftmax(teacher.Row(r))
		equal(t, "status", blend.Status, trb.RowBlended)
		near(t, "budget", blend.KLStudent, 0.05, 1e-5)
		near(t, "KL", blend.KLStudent, kl(logBlend(p, q, blend.Beta), p), 1e-6)
		near(t, "KL from the teacher", blend.KLTeacher, kl(logBlend(p, q, blend.Beta), q), 1e-5)
		near(t, "reverse KL", blend.ReverseKL, kl(p, q), 1e-5)
	}
}

func TestBudgetsOfEachRow(t *testing.T) {
	ctx := context(t, trb.ContextOptions{})
	student, teacher := pair()
	blends := solved(t, ctx, student, teacher, 0, 0.01, 0.1, math.Inf(1))
	equal(t, "ends", []float64{blends[0].Beta, blends[3].Beta}, []float64{0, 1})
	if !(blends[1].Beta < blends[2].Beta) {
		t.Error("expected more of the teacher for more budget")
	}
	equal(t, "no teacher", solved(t, ctx, student, trb.Logits{}, 0)[0].Status, trb.RowStudent)
	again, err := ctx.BlendAt(student, teacher, []float64{0.3})
	must(t, err)
	p, q := logSoftmax(student.Row(2)), logSoftmax(teacher.Row(2))
	near(t, "KL", again[2].KLStudent, kl(logBlend(p, q, 0.3), p), 1e-6)
	_, err = ctx.Solve(student, teacher, []float64{0.1, 0.2}, trb.SolveOptions{})
	refused(t, err, "n_budget: expected")
	_, err = ctx.Solve(student, teacher, []float64{-1}, trb.SolveOptions{})
	refused(t, err, "budget[0]: expected a number in [0, inf], got -1")
}

func TestSolveOptions(t *testing.T) {
	ctx := context(t, trb.ContextOptions{})
	student, teacher := pair()
	blends, err := ctx.Solve(student, teacher, []float64{0.05}, trb.SolveOptions{Tolerance: 1e-5, Method: trb.MethodBisection})
	must(t, err)
	near(t, "budget", blends[0].KLStudent/0.05, 1, 1.1e-5)
	_, err = ctx.Solve(student, teacher, []float64{0.05}, trb.SolveOptions{Tolerance: 2})
	refused(t, err, "options->tolerance")
	_, err = ctx.Solve(student, teacher, []float64{0.05}, trb.SolveOptions{Method: 7})
	refused(t, err, "options->method")
}

func TestBadRows(t *testing.T) {
	ctx := context(t, trb.ContextOptions{})
	student, teacher := pair()
	wanted := solved(t, ctx, student, teacher, 0.05)
	student.Row(1)[7] = float32(math.NaN())
	blends, err := ctx.Solve(student, teacher, []float64{0.05}, trb.SolveOptions{})
	var e *trb.Error
	if !errors.Is(err, trb.BadRows) || !errors.As(err, &e) || e.Status != trb.BadRows || !strings.Contains(e.Text, "row") {
		t.Fatal("expected BadRows, got", err)
	}
	equal(t, "bad", blends[1].Status, trb.RowNotANumber)
	if text := blends[1].Status.String(); !strings.Contains(text, "NaN") {
		t.Error("expected words for NaN, got", text)
	}
	equal(t, "good", blends[2], wanted[2])
	losses, err := ctx.ReverseKL(student, teacher, nil, trb.LossOptions{}, trb.Logits{})
	if !errors.Is(err, trb.BadRows) || !math.IsNaN(losses.Loss[1]) || math.IsNaN(losses.Loss[0]) {
		t.Error("expected one loss that is NaN, got", losses.Loss, err)
	}
}

func TestWriteBlend(t *testing.T) {
	ctx := context(t, trb.ContextOptions{})
	student, teacher := pair()
	blends, out := solved(t, ctx, student, teacher, 0.05), empty()
	must(t, ctx.WriteBlend(student, teacher, blends, out))
	for r := range blends {
		wanted := logBlend(logSoftmax(student.Row(r)), logSoftmax(teacher.Row(r)), blends[r].Beta)
		for v, x := range out.Row(r) {
			near(t, "log mu", float64(x), wanted[v], 1e-5)
		}
	}
	must(t, ctx.WriteBlend(student, teacher, blends, student))
	equal(t, "in place", student.Data, out.Data)
	refused(t, ctx.WriteBlend(student, teacher, blends[:2], out), "blends: expected 4 elements, got 2")
	refused(t, ctx.WriteBlend(student, teacher, blends, trb.Logits{}), "out: expected logits, got none")
}

func TestSample(t *testing.T) {
	ctx := context(t, trb.ContextOptions{})
	student, teacher := pair()
	blends := solved(t, ctx, student, teacher, 0.05)
	sampler := trb.Sampler{Seed: 7, Stream: []uint64{9, 8, 7, 6}, Index: []int64{3, 2, 1, 0}}
	draws, err := ctx.Sample(student, teacher, blends, sampler)
	must(t, err)
	for r, draw := range draws {
		p, q := logSoftmax(student.Row(r)), logSoftmax(teacher.Row(r))
		near(t, "log p", draw.LogStudent, p[draw.Token], 1e-6)
		near(t, "log q", draw.LogTeacher, q[draw.Token], 1e-6)
		near(t, "log mu", draw.LogBehavior, logBlend(p, q, blends[r].Beta)[draw.Token], 1e-6)
	}
	// A draw depends on seed, stream and index alone.
	one, err := ctx.Sample(trb.Logits{Data: student.Data.(trb.F32)[2*vocab:], Rows: 1, Vocab: vocab},
		trb.Logits{Data: teacher.Data.(trb.F32)[2*vocab:], Rows: 1, Vocab: vocab}, blends[2:3],
		trb.Sampler{Seed: 7, Stream: []uint64{7}, Index: []int64{1}})
	must(t, err)
	equal(t, "alone", one[0], draws[2])
	greedy, err := ctx.Sample(student, teacher, blends, trb.Sampler{Greedy: true})
	must(t, err)
	mu := logBlend(logSoftmax(student.Row(0)), logSoftmax(teacher.Row(0)), blends[0].Beta)
	for _, x := range mu {
		if x > mu[greedy[0].Token] {
			t.Error("expected the most probable token")
		}
	}
	top, err := ctx.Sample(student, teacher, blends, trb.Sampler{TopK: 5, TopP: 0.999, MinP: 1e-9})
	must(t, err)
	equal(t, "kept", top[0].Kept, int64(5))
	top, err = ctx.Sample(student, teacher, blends, trb.Sampler{MinP: 0.999})
	must(t, err)
	equal(t, "kept", top[0].Kept, int64(1))
	sampler.Index = nil
	others, err := ctx.Sample(student, teacher, blends, sampler)
	must(t, err)
	if reflect.DeepEqual(others[:3], draws[:3]) || others[3] != draws[3] {
		t.Error("expected other draws at other positions")
	}
	_, err = ctx.Sample(student, teacher, blends, trb.Sampler{Stream: []uint64{1}})
	refused(t, err, "sampler.Stream: expected 4 elements, got 1")
	_, err = ctx.Sample(student, teacher, blends, trb.Sampler{Index: []int64{1}})
	refused(t, err, "sampler.Index: expected 4 elements, got 1")
	_, err = ctx.Sample(student, teacher, blends[:1], sampler)
	refused(t, err, "blends: expected 4")
}

func TestVerify(t *testing.T) {
	ctx := context(t, trb.ContextOptions{})
	student, teacher := pair()
	proposals := [][]int64{{3, 4}, {5, -1}}
	options := trb.VerifyOptions{Sampler: trb.Sampler{Seed: 1}}
	verdicts, blends, err := ctx.Verify(student, teacher, proposals, []float64{0.5}, options)
	must(t, err)
	equal(t, "blends", blends, solved(t, ctx, student, teacher, 0.5))
	p, q := logSoftmax(student.Row(0)), logSoftmax(teacher.Row(0))
	mu := logBlend(p, q, blends[0].Beta)
	near(t, "acceptance", verdicts[0].Acceptance, math.Min(1, math.Exp(mu[3]-p[3])), 1e-5)
	tv := 0.0
	for v := range mu {
		tv += math.Max(0, math.Exp(mu[v])-math.Exp(p[v]))
	}
	near(t, "tv", verdicts[0].TV, tv, 1e-5)
	options.ByBeta = true
	_, blends, err = ctx.Verify(student, teacher, proposals, []float64{0}, options)
	must(t, err)
	equal(t, "beta", blends[0].Status, trb.RowGiven)
	_, _, err = ctx.Verify(student, teacher, proposals, []float64{0.5}, trb.VerifyOptions{Solve: trb.SolveOptions{Tolerance: 2}})
	refused(t, err, "options->solve")
	_, _, err = ctx.Verify(student, teacher, [][]int64{{3}}, []float64{0.5}, trb.VerifyOptions{})
	refused(t, err, "proposals")
}

func TestSchedule(t *testing.T) {
	ctx := context(t, trb.ContextOptions{})
	budget, err := ctx.ScheduleAt(trb.Schedule{Initial: 0.1, Steps: 10}, 5)
	must(t, err)
	near(t, "linear", budget, 0.05, 1e-12)
	points := trb.Schedule{Kind: trb.SchedulePiecewise, At: []int64{0, 10}, Budgets: []float64{1, 3}}
	budget, err = ctx.ScheduleAt(points, 5)
	must(t, err)
	near(t, "piecewise", budget, 2, 1e-12)
	points.At = points.At[:1]
	_, err = ctx.ScheduleAt(points, 5)
	refused(t, err, "schedule.Budgets: expected 1 elements, got 2")
}

// ---- Losses ----

func TestReverseKL(t *testing.T) {
	ctx := context(t, trb.ContextOptions{})
	student, teacher := pair()
	grad, weight := empty(), []float64{1, 2, 0, -1}
	losses, err := ctx.ReverseKL(student, teacher, weight, trb.LossOptions{}, grad)
	must(t, err)
	for r := 0; r < rows; r++ {
		p, q := logSoftmax(student.Row(r)), logSoftmax(teacher.Row(r))
		loss := kl(p, q)
		if r == 2 {
			equal(t, "skipped", losses.Rows[r].Status, trb.RowSkipped)
			continue
		}
		near(t, "loss", losses.Loss[r], loss, 1e-6)
		for v, g := range grad.Row(r) {
			near(t, "gradient", float64(g), weight[r]*math.Exp(p[v])*(p[v]-q[v]-loss), 1e-6)
		}
	}
	_, err = ctx.ReverseKL(student, teacher, weight[:3], trb.LossOptions{}, grad)
	refused(t, err, "weight: expected 4 elements, got 3")
	_, err = ctx.ReverseKL(student, trb.Logits{}, nil, trb.LossOptions{}, grad)
	refused(t, err, "teacher: expected logits")
	small := trb.Logits{Data: make(trb.F32, vocab), Rows: 1, Vocab: vocab}
	_, err = ctx.ReverseKL(student, teacher, nil, trb.LossOptions{}, small)
	refused(t, err, "grad")
}

func TestReverseKLOnAList(t *testing.T) {
	ctx := context(t, trb.ContextOptions{})
	student, teacher := pair()
	ids := []int64{1, 2, 3, 4, 5, 6, 7, -1}
	options := trb.LossOptions{Form: trb.FormTruncated, Support: trb.SupportIDs, K: 2, IDs: ids}
	losses, err := ctx.ReverseKL(student, teacher, nil, options, trb.Logits{})
	must(t, err)
	p, q := logSoftmax(student.Row(1)), logSoftmax(teacher.Row(1))
	near(t, "truncated", losses.Loss[1], math.Exp(p[3])*(p[3]-q[3])+math.Exp(p[4])*(p[4]-q[4]), 1e-7)
	equal(t, "support", losses.Rows[3].Support, int64(1))
	options.IDs = ids[:7]
	_, err = ctx.ReverseKL(student, teacher, nil, options, trb.Logits{})
	refused(t, err, "IDs: expected 4 lists of 2, got 7 elements")
	options.IDs = ids[:6]
	_, err = ctx.ReverseKL(student, teacher, nil, options, trb.Logits{})
	refused(t, err, "IDs: expected 4 lists of 2, got 6 elements")
}

func TestDivergence(t *testing.T) {
	ctx := context(t, trb.ContextOptions{})
	student, teacher := pair()
	grad := empty()
	losses, err := ctx.Divergence(student, teacher, nil, trb.DivergenceOptions{}, grad)
	must(t, err)
	p, q := logSoftmax(student.Row(3)), logSoftmax(teacher.Row(3))
	near(t, "forward KL", losses.Loss[3], kl(q, p), 1e-6)
	near(t, "gradient", float64(grad.Row(3)[9]), math.Exp(p[9])-math.Exp(q[9]), 1e-7)
	losses, err = ctx.Divergence(student, teacher, nil, trb.DivergenceOptions{Kind: trb.DivergenceJSD, B: 0.3}, grad)
	must(t, err)
	m := make([]float64, vocab)
	for v := range m {
		m[v] = math.Log(0.3*math.Exp(q[v]) + 0.7*math.Exp(p[v]))
	}
	near(t, "JSD", losses.Loss[3], 0.3*kl(q, m)+0.7*kl(p, m), 1e-6)
}

func TestTokenTerms(t *testing.T) {
	ctx := context(t, trb.ContextOptions{})
	student, teacher := pair()
	grad, token := empty(), []int64{3, 2, 1, 0}
	terms, err := ctx.TokenTerms(student, teacher, token, nil, nil, trb.TermOptions{Estimator: trb.EstimatorK1}, grad)
	must(t, err)
	p, q := logSoftmax(student.Row(1)), logSoftmax(teacher.Row(1))
	near(t, "k1", terms[1].Value, p[2]-q[2], 1e-6)
	near(t, "gradient", float64(grad.Row(1)[2]), terms[1].Coefficient*(1-math.Exp(p[2])), 1e-6)
	behavior := []float64{-1, -1, -1, -1}
	options := trb.TermOptions{RatioLow: 0.9, RatioHigh: 1.1, AdvantageLimit: 1e-3}
	terms, err = ctx.TokenTerms(student, teacher, token, behavior, nil, options, trb.Logits{})
	must(t, err)
	near(t, "ratio", terms[1].Ratio, math.Exp(p[2]+1), 1e-5)
	equal(t, "clipped", terms[1].Clipped&trb.ClippedAdvantage, trb.ClippedAdvantage)
	_, err = ctx.TokenTerms(student, teacher, token, behavior, nil, trb.TermOptions{RatioHigh: -1}, trb.Logits{})
	refused(t, err, "ratio")
	terms, err = ctx.TokenTerms(student, trb.Logits{}, token, nil, nil, trb.TermOptions{Estimator: trb.EstimatorNLL}, grad)
	must(t, err)
	near(t, "nll", terms[1].Value, -p[2], 1e-6)
	_, err = ctx.TokenTerms(student, teacher, token[:3], nil, nil, trb.TermOptions{}, grad)
	refused(t, err, "token: expected 4 elements, got 3")
	_, err = ctx.TokenTerms(student, teacher, token, behavior[:1], nil, trb.TermOptions{}, grad)
	refused(t, err, "logBehavior: expected 4 elements, got 1")
}

// ---- A teacher known in part ----

func TestSparse(t *testing.T) {
	ctx := context(t, trb.ContextOptions{})
	student, _ := pair()
	student.Rows = 2
	ids, logs := []int64{4, 9, 7}, []float32{-1, -2, -0.5}
	teacher := trb.Sparse{IDs: ids, LogQ: logs, Offset: []int64{0, 2, 3}}
	// The teacher that it stands for.
	full := trb.Logits{Data: make(trb.F32, 2*vocab), Rows: 2, Vocab: vocab}
	for r := 0; r < 2; r++ {
		p, listed, mass := logSoftmax(student.Row(r)), 0.0, 0.0
		for i := teacher.Offset[r]; i < teacher.Offset[r+1]; i++ {
			listed += math.Exp(float64(logs[i]))
			mass += math.Exp(p[ids[i]])
		}
		for v := range full.Row(r) {
			full.Row(r)[v] = float32(p[v] + math.Log((1-listed)/(1-mass)))
		}
		for i := teacher.Offset[r]; i < teacher.Offset[r+1]; i++ {
			full.Row(r)[ids[i]] = logs[i]
		}
	}
	blends, err := ctx.SolveSparse(student, teacher, []float64{0.05}, trb.SolveOptions{})
	must(t, err)
	for r, wanted := range solved(t, ctx, student, full, 0.05) {
		near(t, "beta", blends[r].Blend.Beta, wanted.Beta, 1e-4)
		near(t, "KL", blends[r].Blend.KLStudent, 0.05, 1e-5)
	}
	draws, err := ctx.SampleSparse(student, teacher, blends, trb.Sampler{Seed: 3})
	must(t, err)
	p, q := logSoftmax(student.Row(1)), logSoftmax(full.Row(1))
	near(t, "log mu", draws[1].LogBehavior, logBlend(p, q, blends[1].Blend.Beta)[draws[1].Token], 1e-5)
	losses, err := ctx.ReverseKLSparse(student, teacher, nil, trb.LossOptions{}, trb.Logits{})
	must(t, err)
	near(t, "reverse KL", losses.Loss[1], kl(p, q), 1e-5)
	for _, c := range []struct {
		teacher trb.Sparse
		text    string
	}{
		{trb.Sparse{IDs: ids, LogQ: logs, K: 2}, "teacher.IDs: expected 2 lists of 2, got 3 elements"},
		{trb.Sparse{IDs: ids, LogQ: logs[:2], Offset: []int64{0, 2, 3}}, "teacher.LogQ: expected 3 elements, got 2"},
		{trb.Sparse{IDs: ids, LogQ: logs, Offset: []int64{0, 2, 4}}, "teacher.Offset: expected numbers in [0, 3]"},
		{trb.Sparse{IDs: ids, LogQ: logs, Offset: []int64{0, 2}}, "teacher.Offset: expected 3 elements, got 2"},
		{trb.Sparse{IDs: ids, LogQ: logs, Offset: []int64{0, 9, 3}}, "offset"},
		{trb.Sparse{IDs: ids[:2], LogQ: logs[:2], K: 1, LeastRest: 2}, "least_rest"},
	} {
		_, err = ctx.SolveSparse(student, c.teacher, []float64{0.05}, trb.SolveOptions{})
		refused(t, err, c.text)
	}
}
