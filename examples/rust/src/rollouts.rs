//! Rollouts: sample them, score them, sum them up.

use std::mem::size_of;
use std::ptr::{null, null_mut};
use std::slice::from_raw_parts;

use crate::blend::{Sampler, SolveOptions};
use crate::choices::choices;
use crate::context::Context;
use crate::error::{exactly, exactly_mut, refuse, Error};
use crate::logits::Texts;
use crate::model::{call, Model, Progress};
use crate::sys;

pub use crate::sys::trb_totals as Totals;

choices! {
    /// Who samples.
    Behavior {
        Budget = TRB_BEHAVIOR_BUDGET,
        Beta = TRB_BEHAVIOR_BETA,
        Student = TRB_BEHAVIOR_STUDENT,
        Teacher = TRB_BEHAVIOR_TEACHER,
        Skd = TRB_BEHAVIOR_SKD,
    }
}

/// End-of-text tokens that mean the same: `teacher[i]` is merged into `student[i]`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ends<'a> {
    pub student: &'a [i64],
    pub teacher: &'a [i64],
}

impl Ends<'_> {
    fn raw(&self) -> Result<sys::trb_ends, Error> {
        let teacher = exactly("ends.teacher", self.teacher, self.student.len())?;
        Ok(sys::trb_ends { student: self.student.as_ptr(), teacher, n: self.student.len() as i64 })
    }
}

/// What the chosen behavior does not use must be 0. One of `max_tokens` and `max_length` must be set.
#[derive(Clone, Copy, Default)]
pub struct RolloutOptions<'a> {
    pub behavior: Behavior,
    pub budget: f64,
    pub beta: f64,
    pub temperature: f64,
    pub top_k: i64,
    pub solve: SolveOptions,
    pub sampler: Sampler<'a>,
    pub stop: &'a [i64],
    pub ends: Ends<'a>,
    pub max_tokens: i64,
    pub max_length: i64,
    /// Sequences per prompt; 0 means 1.
    pub repeats: i64,
    pub batch: i64,
    pub block: i64,
    pub keep_bytes: i64,
    pub progress: Option<Progress<'a>>,
}

/// Options of [`Context::score`].
#[derive(Clone, Copy, Default)]
pub struct ScoreOptions<'a> {
    pub batch_bytes: i64,
    pub keep_bytes: i64,
    pub progress: Option<Progress<'a>>,
}

/// Sequences, and what is known of each sampled token. The default has none, to be filled by [`Context::rollout`].
pub struct Rollouts {
    raw: *mut sys::trb_rollouts,
}

// SAFETY: plain arrays from malloc, written only through &mut.
unsafe impl Send for Rollouts {}
unsafe impl Sync for Rollouts {}

impl Default for Rollouts {
    fn default() -> Self {
        Rollouts { raw: null_mut() }
    }
}

impl Drop for Rollouts {
    fn drop(&mut self) {
        // SAFETY: made by the library, or NULL.
        unsafe { sys::trb_rollouts_free(self.raw) }
    }
}

macro_rules! arrays {
    ($($name:ident: $kind:ty, $length:ident;)*) => {
        $(pub fn $name(&self) -> &[$kind] {
            self.list(|raw| raw.$name, self.$length())
        })*
    };
}

/// The arrays of trb_rollouts, by their names there.
impl Rollouts {
    arrays! {
        text_offset: i64, bounds;
        offset: i64, bounds;
        stream: u64, len;
        stop: i32, len;
        row: i32, len;
        token: i64, tokens;
        log_sampled: f64, tokens;
        log_behavior: f64, tokens;
        log_student: f64, tokens;
        log_teacher: f64, tokens;
        beta: f64, tokens;
        kl_student: f64, tokens;
        kl_teacher: f64, tokens;
        reverse_kl: f64, tokens;
        entropy_student: f64, tokens;
        entropy_teacher: f64, tokens;
        tv: f64, tokens;
        argmax_teacher: i64, tokens;
        status: i32, tokens;
        verdict: i32, tokens;
    }
}

impl Rollouts {
    /// Of sequences that come from elsewhere. `log_sampled` has one number for each token of all responses, or none.
    pub fn new(
        ctx: &mut Context,
        texts: &Texts,
        prompt_length: &[i64],
        log_sampled: &[f64],
        ends: &Ends,
    ) -> Result<Self, Error> {
        let (lists, same) = (texts.raw("texts")?, ends.raw()?);
        let prompts = exactly("prompt_length", prompt_length, lists.n as usize)?;
        let logs = match log_sampled {
            [] => null(),
            given => {
                let all = texts.offset.last().unwrap_or(&0) - texts.offset.first().unwrap_or(&0);
                let sampled = prompt_length.iter().try_fold(all, |rest, &prompt| match prompt {
                    0.. if prompt <= rest => Ok(rest - prompt),
                    _ => refuse(format!("prompt_length: expected at most the tokens of all texts, got {}", prompt)),
                })?;
                exactly("log_sampled", given, usize::try_from(sampled).unwrap_or(0))?
            }
        };
        let mut made = Rollouts::default();
        ctx.check(unsafe { sys::trb_rollouts_new(ctx.as_ptr(), &lists, prompts, logs, &same, &mut made.raw) })?;
        Ok(made)
    }

    /// For the functions of [`sys`].
    pub fn as_ptr(&self) -> *const sys::trb_rollouts {
        self.raw
    }

    /// The struct itself: counts, and the budget that was sampled at.
    pub fn summary(&self) -> Option<&sys::trb_rollouts> {
        // SAFETY: made by the library, or NULL.
        unsafe { self.raw.as_ref() }
    }

    /// Sequences.
    pub fn len(&self) -> usize {
        self.summary().map_or(0, |raw| raw.n as usize)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sampled tokens of all sequences.
    pub fn tokens(&self) -> usize {
        self.summary().map_or(0, |raw| raw.n_tokens as usize)
    }

    /// Prompts with responses, as prompts to go on from.
    pub fn texts(&self) -> Texts<'_> {
        let offset = self.text_offset();
        let n = offset.last().map_or(0, |&end| end as usize);
        Texts { tokens: self.list(|raw| raw.text, n), offset }
    }

    /// Prompt and response of a sequence. Panics if there is none.
    pub fn text(&self, i: usize) -> &[i64] {
        let all = self.texts();
        &all.tokens[all.offset[i] as usize..all.offset[i + 1] as usize]
    }

    /// The sampled tokens of a sequence. Panics if there is none.
    pub fn response(&self, i: usize) -> &[i64] {
        let offset = self.offset();
        &self.token()[offset[i] as usize..offset[i + 1] as usize]
    }

    fn bounds(&self) -> usize {
        self.summary().map_or(0, |raw| raw.n as usize + 1)
    }

    fn list<T>(&self, field: impl FnOnce(&sys::trb_rollouts) -> *const T, n: usize) -> &[T] {
        match self.summary() {
            // SAFETY: the library's array of so many elements; self keeps it.
            Some(raw) if n > 0 => unsafe { from_raw_parts(field(raw), n) },
            _ => &[],
        }
    }
}

impl Context {
    /// Samples a response to every prompt. A model that mu does not need may be None. After [`Error::BadRows`], or an
    /// error of a callback, `out` holds all that was sampled.
    pub fn rollout(
        &mut self,
        student: Option<&mut dyn Model>,
        teacher: Option<&mut dyn Model>,
        prompts: &Texts,
        options: &RolloutOptions,
        out: &mut Rollouts,
    ) -> Result<(), Error> {
        let (lists, same, solver) = (prompts.raw("prompts")?, options.ends.raw()?, options.solve.unless_default());
        let repeats = usize::try_from(options.repeats).unwrap_or(0).max(1); // the library refuses a negative number
        let how = options.sampler.raw((lists.n as usize).saturating_mul(repeats), 0)?;
        *out = Rollouts::default();
        call(self, student, teacher, options.progress, |ctx, callbacks| {
            let raw = sys::trb_rollout_options {
                size: size_of::<sys::trb_rollout_options>(),
                budget: options.budget,
                beta: options.beta,
                temperature: options.temperature,
                top_k: options.top_k,
                solve: solver.as_ref().map_or(null(), |given| given),
                sampler: &how,
                stop: options.stop.as_ptr(),
                n_stop: options.stop.len() as i64,
                ends: if same.n > 0 { &same } else { null() },
                max_tokens: options.max_tokens,
                max_length: options.max_length,
                repeats: options.repeats,
                batch: options.batch,
                block: options.block,
                keep_bytes: options.keep_bytes,
                progress: callbacks.progress,
                progress_user: callbacks.progress_user,
                behavior: options.behavior as i32,
                reserved: 0,
            };
            // SAFETY: lists are as long as they say, and models and options live through the call.
            unsafe { sys::trb_rollout(ctx, callbacks.student, callbacks.teacher, &lists, &raw, &mut out.raw) }
        })
    }

    /// Asks the models about sampled tokens that they have not seen. None: not asked.
    pub fn score(
        &mut self,
        student: Option<&mut dyn Model>,
        teacher: Option<&mut dyn Model>,
        options: &ScoreOptions,
        inout: &mut Rollouts,
    ) -> Result<(), Error> {
        call(self, student, teacher, options.progress, |ctx, callbacks| {
            let raw = sys::trb_score_options {
                size: size_of::<sys::trb_score_options>(),
                batch_bytes: options.batch_bytes,
                keep_bytes: options.keep_bytes,
                progress: callbacks.progress,
                progress_user: callbacks.progress_user,
            };
            unsafe { sys::trb_score(ctx, callbacks.student, callbacks.teacher, &raw, inout.raw) }
        })
    }

    /// What a trainer logs of a batch of rollouts.
    pub fn totals(&mut self, rollouts: &Rollouts) -> Result<Totals, Error> {
        let mut out = Totals { size: size_of::<Totals>(), ..Default::default() };
        self.check(unsafe { sys::trb_rollouts_totals(self.as_ptr(), rollouts.raw, &mut out) })?;
        Ok(out)
    }

    /// Mean of log q - log p over the tokens of each sequence.
    pub fn sequence_scores(&mut self, rollouts: &Rollouts, out: &mut [f64]) -> Result<(), Error> {
        let out = exactly_mut("out", out, rollouts.len())?;
        self.check(unsafe { sys::trb_sequence_scores(self.as_ptr(), rollouts.raw, out) })
    }
}
