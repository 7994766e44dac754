//! The binding against computations of its own, and what goes wrong.

use std::panic::{catch_unwind, AssertUnwindSafe};

use trb::*;

const ROWS: usize = 4;
const VOCAB: usize = 300;
const SHAPE: (usize, usize) = (ROWS, VOCAB);

// ---- Numbers ----

fn random_logits(mut seed: u64) -> Vec<f32> {
    let mut next = || {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        4.0 * ((seed >> 40) as f32 / 16777216.0 - 0.5)
    };
    (0..ROWS * VOCAB).map(|_| next()).collect()
}

fn normalized(logs: impl Iterator<Item = f64>) -> Vec<f64> {
    let logs: Vec<f64> = logs.collect();
    let norm = logs.iter().map(|x| x.exp()).sum::<f64>().ln();
    logs.iter().map(|x| x - norm).collect()
}

/// log p of a row.
fn log_softmax(logits: &[f32], r: usize) -> Vec<f64> {
    normalized(logits[r * VOCAB..(r + 1) * VOCAB].iter().map(|&x| f64::from(x)))
}

/// log mu of a row, at a weight of the teacher.
fn log_blend(log_p: &[f64], log_q: &[f64], beta: f64) -> Vec<f64> {
    normalized(log_p.iter().zip(log_q).map(|(p, q)| (1.0 - beta) * p + beta * q))
}

fn kl(log_a: &[f64], log_b: &[f64]) -> f64 {
    log_a.iter().zip(log_b).map(|(a, b)| a.exp() * (a - b)).sum()
}

#[track_caller]
fn near(got: f64, wanted: f64, relative: f64) {
    assert!((got - wanted).abs() <= relative * wanted.abs(), "expected {}, got {}", wanted, got);
}

#[track_caller]
fn says<T>(result: Result<T, Error>, text: &str) {
    let error = result.err().expect("an error");
    assert!(matches!(error, Error::InvalidArgument(_)), "{:?}", error);
    assert!(error.to_string().contains(text), "expected '{}', got '{}'", text, error);
}

struct Pair {
    s: Vec<f32>,
    t: Vec<f32>,
    ctx: Context,
    blends: [Blend; ROWS],
}

impl Pair {
    fn new() -> Self {
        let ctx = Context::new().unwrap();
        Pair { s: random_logits(1), t: random_logits(2), ctx, blends: Default::default() }
    }

    fn solve(&mut self, budget: &[f64]) -> Result<(), Error> {
        let (student, teacher) = (Logits::new(&self.s, SHAPE)?, Logits::new(&self.t, SHAPE)?);
        self.ctx.solve(&student, Some(&teacher), budget, &SolveOptions::default(), &mut self.blends)
    }

    fn logs(&self, r: usize) -> (Vec<f64>, Vec<f64>) {
        (log_softmax(&self.s, r), log_softmax(&self.t, r))
    }
}

// ---- The blend ----

#[test]
fn solve_meets_its_budget() {
    let mut m = Pair::new();
    m.solve(&[0.05]).unwrap();
    for (r, blend) in m.blends.iter().enumerate() {
        let (log_p, log_q) = m.logs(r);
        assert_eq!(blend.status, sys::TRB_ROW_BLENDED);
        near(blend.kl_student, kl(&log_blend(&log_p, &log_q, blend.beta), &log_p), 1e-5);
        near(blend.kl_student, 0.05, 1e-4);
        near(blend.reverse_kl, kl(&log_p, &log_q), 1e-5);
    }
}

#[test]
fn budgets_of_each_row() {
    let mut m = Pair::new();
    m.solve(&[0.0, 0.01, 0.1, f64::INFINITY]).unwrap();
    assert_eq!((m.blends[0].beta, m.blends[3].beta), (0.0, 1.0));
    assert!(m.blends[1].beta < m.blends[2].beta);
    let (student, teacher) = (Logits::new(&m.s, SHAPE).unwrap(), Logits::new(&m.t, SHAPE).unwrap());
    let mut again = [Blend::default(); ROWS];
    m.ctx.blend_at(&student, Some(&teacher), &[m.blends[2].beta], &mut again).unwrap();
    near(again[2].kl_student, m.blends[2].kl_student, 1e-6);
    m.ctx.solve(&student, None, &[0.0], &SolveOptions::default(), &mut again).unwrap();
    assert_eq!(again[0].status, sys::TRB_ROW_STUDENT);
}

#[test]
fn write_blend_sums_to_one() {
    let mut m = Pair::new();
    m.solve(&[0.05]).unwrap();
    let (student, teacher) = (Logits::new(&m.s, SHAPE).unwrap(), Logits::new(&m.t, SHAPE).unwrap());
    let mut memory = vec![0.0f32; ROWS * VOCAB];
    let mut out = LogitsMut::new(&mut memory, SHAPE).unwrap();
    m.ctx.write_blend(&student, Some(&teacher), &m.blends, &mut out).unwrap();
    for r in 0..ROWS {
        near(out.row::<f32>(r).iter().map(|&x| f64::from(x).exp()).sum(), 1.0, 1e-5);
    }
}

#[test]
fn samples_are_those_of_mu() {
    let mut m = Pair::new();
    m.solve(&[0.05]).unwrap();
    let (student, teacher) = (Logits::new(&m.s, SHAPE).unwrap(), Logits::new(&m.t, SHAPE).unwrap());
    let sampler = Sampler { seed: 7, ..Default::default() };
    let (mut draws, mut again) = ([Draw::default(); ROWS], [Draw::default(); ROWS]);
    m.ctx.sample(&student, Some(&teacher), &m.blends, &sampler, &mut draws).unwrap();
    m.ctx.sample(&student, Some(&teacher), &m.blends, &sampler, &mut again).unwrap();
    for (r, draw) in draws.iter().enumerate() {
        let ((log_p, log_q), token) = (m.logs(r), draw.token as usize);
        near(draw.log_behavior, log_blend(&log_p, &log_q, m.blends[r].beta)[token], 1e-5);
        near(draw.log_student, log_p[token], 1e-5);
        near(draw.log_teacher, log_q[token], 1e-5);
        assert_eq!(draw.log_sampled, draw.log_behavior);
        assert_eq!((draw.token, draw.log_sampled), (again[r].token, again[r].log_sampled));
    }
}

#[test]
fn a_sampler_is_heard() {
    let mut m = Pair::new();
    m.solve(&[0.05]).unwrap();
    let (student, teacher) = (Logits::new(&m.s, SHAPE).unwrap(), Logits::new(&m.t, SHAPE).unwrap());
    let mut drawn = |sampler: Sampler| {
        let mut draws = [Draw::default(); ROWS];
        m.ctx.sample(&student, Some(&teacher), &m.blends, &sampler, &mut draws).unwrap();
        draws
    };
    let tokens = |draws: [Draw; ROWS]| draws.map(|draw| draw.token);
    let plain = tokens(drawn(Sampler::default()));
    assert_eq!(plain, tokens(drawn(Sampler { stream: &[0, 1, 2, 3], index: &[0; 4], ..Default::default() })));
    assert_ne!(plain, tokens(drawn(Sampler { seed: 1, ..Default::default() })));
    assert_ne!(plain, tokens(drawn(Sampler { stream: &[4, 5, 6, 7], ..Default::default() })));
    assert_ne!(plain, tokens(drawn(Sampler { index: &[1, 2, 3, 4], ..Default::default() })));
    assert_ne!(plain, tokens(drawn(Sampler { purpose: 1, ..Default::default() })));
    assert_eq!(drawn(Sampler { top_k: 3, ..Default::default() })[0].kept, 3);
    assert!(drawn(Sampler { top_p: 0.5, ..Default::default() })[0].kept < 200);
    assert!(drawn(Sampler { min_p: 0.5, ..Default::default() })[0].kept < 200);
    let greedy = drawn(Sampler { greedy: true, ..Default::default() });
    assert_eq!(tokens(greedy), tokens(drawn(Sampler { top_k: 1, ..Default::default() })));
}

#[test]
fn verify_accepts_and_corrects() {
    let mut m = Pair::new();
    let (student, teacher) = (Logits::new(&m.s, SHAPE).unwrap(), Logits::new(&m.t, SHAPE).unwrap());
    let mut draws = [Draw::default(); ROWS];
    let mut verdicts = [Verdict::default(); ROWS];
    m.ctx.solve(&student, None, &[0.0], &SolveOptions::default(), &mut m.blends).unwrap();
    m.ctx.sample(&student, None, &m.blends, &Sampler::default(), &mut draws).unwrap();
    let tokens = draws.map(|draw| draw.token);
    let one = Texts { tokens: &tokens, offset: &[0, ROWS as i64] };
    m.ctx.verify(&student, None, &one, &[0.0], &VerifyOptions::default(), &mut [], &mut verdicts).unwrap();
    assert!(verdicts.iter().all(|v| v.verdict == sys::TRB_VERDICT_ACCEPTED));

    let blocks = Texts { tokens: &tokens, offset: &[0, 1, 2, 3, 4] };
    let options = VerifyOptions::default();
    m.ctx.verify(&student, Some(&teacher), &blocks, &[0.5], &options, &mut m.blends, &mut verdicts).unwrap();
    for (r, verdict) in verdicts.iter().enumerate() {
        let ((log_p, log_q), token) = (m.logs(r), tokens[r] as usize);
        let log_mu = log_blend(&log_p, &log_q, m.blends[r].beta);
        near(verdict.acceptance, (log_mu[token] - log_p[token]).exp().min(1.0), 1e-5);
        assert_eq!(verdict.verdict == sys::TRB_VERDICT_ACCEPTED, verdict.draw.token == tokens[r]);
    }
}

#[test]
fn half_precision_is_read() {
    let mut ctx = Context::new().unwrap();
    let bits: Vec<BF16> = random_logits(1).iter().map(|x| BF16((x.to_bits() >> 16) as u16)).collect();
    let cut: Vec<f32> = bits.iter().map(|x| f32::from_bits(u32::from(x.0) << 16)).collect();
    let (mut exact, mut half) = ([0.0; ROWS], [0.0; ROWS]);
    ctx.entropy(&Logits::new(&cut, SHAPE).unwrap(), &mut exact).unwrap();
    ctx.entropy(&Logits::new(&bits, SHAPE).unwrap(), &mut half).unwrap();
    assert_eq!(exact, half);
    near(exact[0], -log_softmax(&cut, 0).iter().map(|x| x.exp() * x).sum::<f64>(), 1e-6);

    let ones = vec![F16(0x3c00); 8];
    let mut entropy = [0.0];
    ctx.entropy(&Logits::new(&ones, (1, 8)).unwrap(), &mut entropy).unwrap();
    near(entropy[0], 8f64.ln(), 1e-6);
}

#[test]
fn tokens_are_masked_and_merged() {
    let (mut ctx, mut memory) = (Context::new().unwrap(), [0.0f32; 4]);
    let mut logits = LogitsMut::new(&mut memory, (1, 4)).unwrap();
    ctx.merge_tokens(&mut logits, &[3], &[0]).unwrap();
    ctx.mask_tokens(&mut logits, &[1]).unwrap();
    near(f64::from(memory[0]), 2f64.ln(), 1e-6);
    assert_eq!((memory[1], memory[3]), (f32::NEG_INFINITY, f32::NEG_INFINITY));
}

#[test]
fn schedule_anneals() {
    let mut ctx = Context::new().unwrap();
    let linear = Schedule { initial: 0.2, steps: 10, ..Default::default() };
    near(ctx.schedule_at(&linear, 5).unwrap(), 0.1, 1e-12);
    assert_eq!(ctx.schedule_at(&linear, 11).unwrap(), 0.0);
    let points = Schedule { kind: ScheduleKind::Piecewise, at: &[0, 10], budgets: &[0.0, 1.0], ..Default::default() };
    near(ctx.schedule_at(&points, 3).unwrap(), 0.3, 1e-12);
    says(ctx.schedule_at(&Schedule { budgets: &[1.0], ..points }, 0), "schedule.budgets");
}

// ---- Losses ----

fn losses(ctx: &mut Context, s: &[f32], t: &[f32]) -> [f64; ROWS] {
    let (student, teacher) = (Logits::new(s, SHAPE).unwrap(), Logits::new(t, SHAPE).unwrap());
    let mut loss = [0.0; ROWS];
    let out = LossOutputs { loss: &mut loss, ..Default::default() };
    ctx.reverse_kl(&student, &teacher, &[], &LossOptions::default(), out).unwrap();
    loss
}

#[test]
fn gradient_is_that_of_the_loss() {
    let mut m = Pair::new();
    let mut memory = vec![0.0f32; ROWS * VOCAB];
    let mut rows = [LossRow::default(); ROWS];
    let weight = [1.0, 0.5, 0.0, 0.0];
    {
        let (student, teacher) = (Logits::new(&m.s, SHAPE).unwrap(), Logits::new(&m.t, SHAPE).unwrap());
        let mut grad = LogitsMut::new(&mut memory, SHAPE).unwrap();
        let out = LossOutputs { grad: Some(&mut grad), rows: &mut rows, ..Default::default() };
        m.ctx.reverse_kl(&student, &teacher, &weight, &LossOptions::default(), out).unwrap();
    }
    assert_eq!((rows[0].status, rows[0].support), (sys::TRB_ROW_OK, VOCAB as i64));
    assert_eq!(rows[2].status, sys::TRB_ROW_SKIPPED);
    for (r, weight) in weight.iter().enumerate().take(2) {
        let (log_p, log_q) = m.logs(r);
        near(losses(&mut m.ctx, &m.s, &m.t)[r], kl(&log_p, &log_q), 1e-5);
        for v in 0..5 {
            let (at, step) = (r * VOCAB + v, 1.0 / 64.0);
            let kept = m.s[at];
            m.s[at] = kept + step;
            let up = losses(&mut m.ctx, &m.s, &m.t)[r];
            m.s[at] = kept - step;
            let down = losses(&mut m.ctx, &m.s, &m.t)[r];
            m.s[at] = kept;
            let slope = weight * (up - down) / (2.0 * f64::from(step));
            assert!((f64::from(memory[at]) - slope).abs() < 1e-6 + 1e-3 * slope.abs(), "{} {}", memory[at], slope);
        }
    }
}

#[test]
fn a_loss_is_of_its_form_and_support() {
    let mut m = Pair::new();
    let shape = Shape { temperature: 2.0, ..SHAPE.into() };
    let (student, teacher) = (Logits::new(&m.s, shape).unwrap(), Logits::new(&m.t, shape).unwrap());
    let mut rows = [LossRow::default(); ROWS];
    let (form, support) = (Form::TailBucket, Support::StudentTopK);
    let out = LossOutputs { rows: &mut rows, ..Default::default() };
    m.ctx.reverse_kl(&student, &teacher, &[], &LossOptions { form, support, k: 16, ids: &[] }, out).unwrap();
    let halved: Vec<f32> = m.s.iter().map(|x| x / 2.0).collect();
    let mut p: Vec<f64> = log_softmax(&halved, 0).iter().map(|x| x.exp()).collect();
    p.sort_by(|a, b| b.total_cmp(a));
    assert_eq!(rows[0].support, 16);
    near(rows[0].mass_student, p[..16].iter().sum(), 1e-5);
    let (form, support, ids) = (Form::Generalized, Support::Ids, [1, 2, 3, 4, 5, 6, 7, 8]);
    let out = LossOutputs { rows: &mut rows, ..Default::default() };
    m.ctx.reverse_kl(&student, &teacher, &[], &LossOptions { form, support, k: 2, ids: &ids }, out).unwrap();
    assert_eq!(rows[3].support, 2);
    let out = LossOutputs { rows: &mut rows, ..Default::default() };
    let options = LossOptions { form, support, k: 3, ids: &ids };
    says(m.ctx.reverse_kl(&student, &teacher, &[], &options, out), "ids: expected 4 lists of 3");
}

#[test]
fn other_losses() {
    let mut m = Pair::new();
    let (student, teacher) = (Logits::new(&m.s, SHAPE).unwrap(), Logits::new(&m.t, SHAPE).unwrap());
    let (mut loss, mut terms) = ([0.0; ROWS], [Term::default(); ROWS]);
    let out = LossOutputs { loss: &mut loss, ..Default::default() };
    m.ctx.divergence(&student, &teacher, &[], &DivergenceOptions::default(), out).unwrap();
    near(loss[0], kl(&log_softmax(&m.t, 0), &log_softmax(&m.s, 0)), 1e-5);
    let sampled = Sampled { token: &[1, 2, 3, 4], ..Default::default() };
    let k1 = TermOptions { estimator: Estimator::K1, ..Default::default() };
    m.ctx.token_terms(&student, Some(&teacher), &sampled, &[], &k1, &mut terms, None).unwrap();
    near(terms[2].value, log_softmax(&m.s, 2)[3] - log_softmax(&m.t, 2)[3], 1e-5);
}

#[test]
fn sparse_teacher() {
    let mut m = Pair::new();
    m.solve(&[0.05]).unwrap();
    let ids: Vec<i64> = (0..ROWS * VOCAB).map(|i| (i % VOCAB) as i64).collect();
    let log_q: Vec<f32> = (0..ROWS).flat_map(|r| log_softmax(&m.t, r)).map(|x| x as f32).collect();
    let lists = Sparse { ids: &ids, log_q: &log_q, k: VOCAB as i64, ..Default::default() }; // all: as a dense teacher
    let student = Logits::new(&m.s, SHAPE).unwrap();
    let (mut blends, mut draws) = ([SparseBlend::default(); ROWS], [Draw::default(); ROWS]);
    m.ctx.solve_sparse(&student, &lists, &[0.05], &SolveOptions::default(), &mut blends).unwrap();
    near(blends[0].blend.beta, m.blends[0].beta, 1e-3);
    m.ctx.sample_sparse(&student, &lists, &blends, &Sampler::default(), &mut draws).unwrap();
    near(draws[0].log_student, log_softmax(&m.s, 0)[draws[0].token as usize], 1e-5);
    let mut loss = [0.0; ROWS];
    let out = LossOutputs { loss: &mut loss, ..Default::default() };
    m.ctx.reverse_kl_sparse(&student, &lists, &[], &LossOptions::default(), out).unwrap();
    near(loss[0], kl(&log_softmax(&m.s, 0), &log_softmax(&m.t, 0)), 1e-4);
    let long = Sparse { k: VOCAB as i64 + 1, ..lists };
    says(m.ctx.solve_sparse(&student, &long, &[0.05], &SolveOptions::default(), &mut blends), "teacher.ids");
    let beyond = Sparse { k: 0, offset: &[0, 1, 2, 3, 100_000], ..lists };
    says(m.ctx.solve_sparse(&student, &beyond, &[0.05], &SolveOptions::default(), &mut blends), "teacher.offset");
}

// ---- Errors ----

#[test]
fn errors_have_the_text_of_the_library() {
    let mut m = Pair::new();
    let narrow = Shape { rows: ROWS, vocab: VOCAB, stride: VOCAB - 1, temperature: 1.0 };
    let student = Logits::new(&m.s, narrow).unwrap();
    says(
        m.ctx.solve(&student, None, &[0.0], &SolveOptions::default(), &mut m.blends),
        "student->stride: expected at least vocab (300), got 299",
    );
    says(m.solve(&[-1.0]), "budget");
    says(m.solve(&[0.1, 0.2]), "budget");
    says(Context::with(&ContextOptions { threads: 5000, ..Default::default() }), "threads");
}

#[test]
fn lengths_are_checked() {
    let mut m = Pair::new();
    says(Logits::new(&m.s, (ROWS + 1, VOCAB)), "logits: expected 5 rows");
    says(Logits::new(&m.s, Shape { rows: 3, vocab: VOCAB, stride: usize::MAX, temperature: 0.0 }), "logits");
    let student = Logits::new(&m.s, SHAPE).unwrap();
    let mut short = [Blend::default(); ROWS - 1];
    let solved = m.ctx.solve(&student, None, &[0.0], &SolveOptions::default(), &mut short);
    says(solved, "out: expected 4 elements, got 3");
    m.ctx.solve(&student, None, &[0.0], &SolveOptions::default(), &mut m.blends).unwrap();
    let mut draws = [Draw::default(); ROWS];
    let sampler = Sampler { stream: &[0; 3], ..Default::default() };
    says(m.ctx.sample(&student, None, &m.blends, &sampler, &mut draws), "sampler.stream");
    let beyond = Texts { tokens: &[0; ROWS], offset: &[0, ROWS as i64 + 1] };
    let mut verdicts = [Verdict::default(); ROWS];
    let verified = m.ctx.verify(&student, None, &beyond, &[0.0], &VerifyOptions::default(), &mut [], &mut verdicts);
    says(verified, "proposals.offset");
    let mut memory = [0.0f32; 4];
    let mut logits = LogitsMut::new(&mut memory, (2, 2)).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| logits.row::<f32>(2)[0])).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| logits.row::<F16>(0)[0])).is_err());
}

#[test]
fn bad_rows_leave_the_others() {
    let mut m = Pair::new();
    m.s[VOCAB + 5] = f32::NAN;
    let error = m.solve(&[0.05]).unwrap_err();
    assert!(matches!(error, Error::BadRows(_)) && error.status() == sys::TRB_EROWS && !error.to_string().is_empty());
    let statuses = m.blends.map(|blend| blend.status);
    let (good, bad) = (sys::TRB_ROW_BLENDED, sys::TRB_ROW_NOT_A_NUMBER);
    assert_eq!(statuses, [good, bad, good, good]);
    assert!(m.blends[1].beta.is_nan());
}

// ---- Models ----

const WORDS: usize = 7;
const PROMPTS: Texts = Texts { tokens: &[0, 3, 1], offset: &[0, 2, 3] };

#[derive(Clone, Copy, PartialEq)]
enum At {
    Never,
    Error(usize),
    Panic(usize),
}

/// The logits of the next token depend on the last one alone.
struct Table {
    logits: [[f32; WORDS]; WORDS],
    grad: [[f32; WORDS]; WORDS],
    calls: usize,
    stop: At,
}

impl Table {
    fn new(shift: usize) -> Self {
        let mut logits = [[0.0; WORDS]; WORDS];
        for (a, row) in logits.iter_mut().enumerate() {
            row[(a + shift) % WORDS] = 2.0;
        }
        Table { logits, grad: Default::default(), calls: 0, stop: At::Never }
    }
}

/// The last token before each row of the queries.
fn last_tokens<'a>(queries: &'a [Query]) -> impl Iterator<Item = usize> + 'a {
    queries.iter().flat_map(|q| q.tokens()[q.tokens().len() - q.rows()..].iter().map(|&token| token as usize))
}

impl Model for Table {
    fn vocab(&self) -> usize {
        WORDS
    }

    fn forward(&mut self, queries: &[Query], out: &mut LogitsMut) -> Result<(), BoxError> {
        self.calls += 1;
        if self.stop == At::Error(self.calls) {
            return Err("the network is gone".into());
        }
        assert!(self.stop != At::Panic(self.calls), "out of range");
        for (row, token) in last_tokens(queries).enumerate() {
            out.row(row).copy_from_slice(&self.logits[token]);
        }
        Ok(())
    }

    fn backward(&mut self, queries: &[Query], grad: &mut LogitsMut) -> Result<(), BoxError> {
        for (row, token) in last_tokens(queries).enumerate() {
            for (sum, g) in self.grad[token].iter_mut().zip(grad.row::<f32>(row)) {
                *sum += *g;
            }
        }
        Ok(())
    }
}

fn eight_tokens<'a>(budget: f64, block: i64) -> RolloutOptions<'a> {
    let sampler = Sampler { seed: 5, ..Default::default() };
    RolloutOptions { budget, block, max_tokens: 8, repeats: 3, sampler, ..Default::default() }
}

fn rolled(threads: i64, options: &RolloutOptions) -> Result<Vec<i64>, Error> {
    let mut ctx = Context::with(&ContextOptions { threads, ..Default::default() })?;
    let mut out = Rollouts::default();
    ctx.rollout(Some(&mut Table::new(1)), Some(&mut Table::new(3)), &PROMPTS, options, &mut out)?;
    assert_eq!((out.len(), out.tokens(), out.response(5).len()), (6, 48, 8));
    Ok(out.token().to_vec())
}

#[test]
fn rollouts_do_not_depend_on_how() {
    let tokens = rolled(1, &eight_tokens(0.0, 0)).unwrap();
    assert_eq!(tokens, rolled(2, &eight_tokens(0.0, 0)).unwrap());
    assert_eq!(tokens, rolled(1, &eight_tokens(0.0, 4)).unwrap());
    assert_ne!(tokens, rolled(1, &eight_tokens(0.5, 0)).unwrap());
    assert_eq!(rolled(1, &eight_tokens(0.5, 0)).unwrap(), rolled(2, &eight_tokens(0.5, 0)).unwrap());
    let mut streams = eight_tokens(0.0, 0);
    streams.sampler.stream = &[0; 5];
    says(rolled(1, &streams), "sampler.stream");
}

#[test]
fn rollout_options_are_heard() {
    let mut ctx = Context::new().unwrap();
    let (mut student, mut teacher, mut out) = (Table::new(1), Table::new(3), Rollouts::default());
    let ends = Ends { student: &[2], teacher: &[5] };
    let options = RolloutOptions { stop: &[6], ends, keep_bytes: 1 << 20, batch: 2, ..eight_tokens(0.1, 4) };
    ctx.rollout(Some(&mut student), Some(&mut teacher), &PROMPTS, &options, &mut out).unwrap();
    let summary = out.summary().unwrap();
    assert!(summary.kept == summary.n_tokens && summary.budget == 0.1 && summary.proposed > 0);
    assert!(out.verdict().iter().all(|&v| v == sys::TRB_VERDICT_ACCEPTED || v == sys::TRB_VERDICT_CORRECTED));
    for i in 0..out.len() {
        let last = *out.response(i).last().unwrap();
        assert_eq!(out.stop()[i] == sys::TRB_STOP_TOKEN, last == 6 || last == 2);
        assert!(!out.response(i).contains(&5));
    }
    let options = RolloutOptions { behavior: Behavior::Beta, beta: 0.25, ..eight_tokens(0.0, 0) };
    ctx.rollout(Some(&mut student), Some(&mut teacher), &PROMPTS, &options, &mut out).unwrap();
    assert!(out.beta().iter().all(|&beta| beta == 0.25));
    let options = RolloutOptions { behavior: Behavior::Skd, top_k: 1, temperature: 0.5, ..eight_tokens(0.0, 0) };
    ctx.rollout(Some(&mut student), Some(&mut teacher), &PROMPTS, &options, &mut out).unwrap();
    says(ctx.rollout(Some(&mut student), None, &PROMPTS, &options, &mut out), "teacher");
}

#[test]
fn an_error_comes_out_of_a_callback() {
    let mut ctx = Context::new().unwrap();
    let (mut student, mut teacher, mut out) = (Table::new(1), Table::new(3), Rollouts::default());
    student.stop = At::Error(4);
    let error =
        ctx.rollout(Some(&mut student), Some(&mut teacher), &PROMPTS, &eight_tokens(0.1, 0), &mut out).unwrap_err();
    assert!(matches!(&error, Error::Callback(inner) if inner.to_string() == "the network is gone"));
    assert_eq!((out.tokens(), out.stop()[0]), (18, sys::TRB_STOP_NONE)); // what was sampled until then

    let cancel = |_, total| if total == 6 { Err("canceled".into()) } else { Ok(()) };
    let options = RolloutOptions { progress: Some(&cancel), ..eight_tokens(0.1, 0) };
    let error = ctx.rollout(Some(&mut student), Some(&mut teacher), &PROMPTS, &options, &mut out).unwrap_err();
    assert_eq!(error.to_string(), "canceled");
}

#[test]
fn a_panic_comes_out_of_a_callback() {
    let mut ctx = Context::new().unwrap();
    let (mut student, mut out) = (Table::new(1), Rollouts::default());
    student.stop = At::Panic(2);
    let panic = catch_unwind(AssertUnwindSafe(|| {
        ctx.rollout(Some(&mut student), None, &PROMPTS, &eight_tokens(0.0, 0), &mut out)
    }))
    .unwrap_err();
    assert_eq!(*panic.downcast::<&str>().unwrap(), "out of range");
    ctx.rollout(Some(&mut student), None, &PROMPTS, &eight_tokens(0.0, 0), &mut out).unwrap();
    // goes on
}

#[test]
fn a_rollout_says_which_sequence_is_bad() {
    let (mut ctx, mut student, mut out) = (Context::new().unwrap(), Table::new(1), Rollouts::default());
    student.logits[3][0] = f32::NAN; // after token 3: the first prompt's sequences
    let result = ctx.rollout(Some(&mut student), None, &PROMPTS, &eight_tokens(0.0, 0), &mut out);
    assert!(matches!(result, Err(Error::BadRows(_))));
    assert_eq!((out.stop()[0], out.row()[0]), (sys::TRB_STOP_STUDENT, sys::TRB_ROW_NOT_A_NUMBER));
}

#[test]
fn a_step_trains_the_model() {
    let mut ctx = Context::new().unwrap();
    let (mut student, mut teacher, mut rollouts) = (Table::new(1), Table::new(3), Rollouts::default());
    ctx.rollout(Some(&mut student), Some(&mut teacher), &PROMPTS, &eight_tokens(0.1, 0), &mut rollouts).unwrap();
    let (mut loss, mut rows) = ([0.0; 48], [LossRow::default(); 48]);
    let mut step = TrainOutputs { loss: &mut loss, rows: &mut rows, ..Default::default() };
    ctx.train_step(&mut student, Some(&mut teacher), &rollouts, &TrainOptions::default(), &mut step).unwrap();
    let before = step.report.loss;
    assert!(step.report.tokens == 48 && before > 0.0 && step.loss[47] > 0.0);
    assert!(student.grad.iter().flatten().any(|&g| g != 0.0));
    for (x, g) in student.logits.iter_mut().flatten().zip(student.grad.iter().flatten()) {
        *x -= *g;
    }
    ctx.train_step(&mut student, Some(&mut teacher), &rollouts, &TrainOptions::default(), &mut step).unwrap();
    assert!(step.report.loss < before);

    let objective = Objective::Token(TermOptions::default());
    let options = TrainOptions { objective, evaluate: true, ..Default::default() };
    let mut step = TrainOutputs::default();
    let grad = student.grad;
    ctx.train_step(&mut student, Some(&mut teacher), &rollouts, &options, &mut step).unwrap();
    assert!(step.report.entropy_student.is_nan() && step.report.tokens == 48);
    assert_eq!(grad, student.grad); // evaluate

    let mut weight = [0.0; 48];
    weight[..2].fill(3.0);
    let (norm, objective) = (Norm::None, Objective::Divergence(DivergenceOptions::default()));
    let options = TrainOptions { weight: &weight, norm, scale: 0.5, objective, ..options };
    ctx.train_step(&mut student, Some(&mut teacher), &rollouts, &options, &mut step).unwrap();
    assert_eq!(step.report.tokens, 2);
    near(step.report.objective, 3.0 * step.report.loss, 1e-9); // 2 tokens, 3 each, halved
}

#[test]
fn sequences_from_elsewhere() {
    let mut ctx = Context::new().unwrap();
    let texts = Texts { tokens: &[0, 1, 2, 5, 6], offset: &[0, 3, 5] };
    let mut given = Rollouts::new(&mut ctx, &texts, &[1, 1], &[], &Ends::default()).unwrap();
    let options = ScoreOptions::default();
    ctx.score(Some(&mut Table::new(1)), Some(&mut Table::new(3)), &options, &mut given).unwrap();
    assert_eq!((given.tokens(), given.text(1), given.texts().tokens.len()), (3, &[5, 6][..], 5));
    let mut scores = [0.0; 2];
    ctx.sequence_scores(&given, &mut scores).unwrap();
    near(scores[1], given.log_teacher()[2] - given.log_student()[2], 1e-12);
    assert_eq!(ctx.totals(&given).unwrap().tokens, 3);
    says(Rollouts::new(&mut ctx, &texts, &[1, 1], &[0.0; 2], &Ends::default()), "log_sampled");
    says(Rollouts::new(&mut ctx, &texts, &[1], &[], &Ends::default()), "prompt_length");
}
