//! One step's loss and gradient on a batch of rollouts.

use std::mem::size_of;
use std::ptr::null_mut;

use crate::choices::choices;
use crate::context::Context;
use crate::error::{exactly_mut, if_given, if_given_mut, Error};
use crate::logits::Dtype;
use crate::loss::{DivergenceOptions, LossOptions, LossRow, TermOptions};
use crate::model::{call, Model, Progress};
use crate::rollouts::Rollouts;
use crate::sys;

pub use crate::sys::trb_train_report as Report;

choices! {
    /// How weights become those of the loss functions.
    Norm { Tokens = TRB_NORM_TOKENS, Sequences = TRB_NORM_SEQUENCES, None = TRB_NORM_NONE }
}

/// What a step descends.
#[derive(Clone, Copy, Debug)]
pub enum Objective<'a> {
    /// `ids` is `[tokens, k]`.
    ReverseKl(LossOptions<'a>),
    Divergence(DivergenceOptions),
    Token(TermOptions),
}

impl Default for Objective<'_> {
    fn default() -> Self {
        Objective::ReverseKl(LossOptions::default())
    }
}

#[derive(Clone, Copy, Default)]
pub struct TrainOptions<'a> {
    pub objective: Objective<'a>,
    /// One per token, or none for ones.
    pub weight: &'a [f64],
    pub norm: Norm,
    /// Multiplies all weights; 0 means 1.
    pub scale: f64,
    /// The target is the blend at this weight of the teacher; 0: the teacher itself.
    pub bridge: f64,
    /// Of the gradient that backward gets.
    pub grad_dtype: Dtype,
    pub evaluate: bool,
    pub routed: bool,
    pub batch_bytes: i64,
    pub progress: Option<Progress<'a>>,
}

/// `loss` and `rows`: one per token, or empty.
#[derive(Default)]
pub struct TrainOutputs<'a> {
    pub loss: &'a mut [f64],
    pub rows: &'a mut [LossRow],
    pub report: Report,
}

impl Context {
    /// One step's loss and gradient; the optimizer is the caller's. The teacher may be None for
    /// [`crate::Estimator::Nll`].
    pub fn train_step(
        &mut self,
        student: &mut dyn Model,
        teacher: Option<&mut dyn Model>,
        rollouts: &Rollouts,
        options: &TrainOptions,
        out: &mut TrainOutputs,
    ) -> Result<(), Error> {
        let n = rollouts.tokens();
        let mut raw = sys::trb_train_options {
            size: size_of::<sys::trb_train_options>(),
            weight: if_given("weight", options.weight, n)?,
            norm: options.norm as i32,
            scale: options.scale,
            bridge: options.bridge,
            grad_dtype: options.grad_dtype as i32,
            evaluate: i32::from(options.evaluate),
            routed: i32::from(options.routed),
            batch_bytes: options.batch_bytes,
            ..Default::default()
        };
        let (loss, divergence, token);
        match options.objective {
            Objective::ReverseKl(chosen) => {
                loss = chosen.raw(n)?;
                (raw.objective, raw.reverse_kl) = (sys::TRB_OBJECTIVE_REVERSE_KL, &loss);
            }
            Objective::Divergence(chosen) => {
                divergence = chosen.raw();
                (raw.objective, raw.divergence) = (sys::TRB_OBJECTIVE_DIVERGENCE, &divergence);
            }
            Objective::Token(chosen) => {
                token = chosen.raw();
                (raw.objective, raw.token) = (sys::TRB_OBJECTIVE_TOKEN, &token);
            }
        }
        let losses = if_given_mut("loss", out.loss, n)?;
        let rows = if out.rows.is_empty() { null_mut() } else { exactly_mut("rows", out.rows, n)? };
        out.report = Report { size: size_of::<Report>(), ..Default::default() };
        call(self, Some(student), teacher, options.progress, |ctx, callbacks| {
            raw.progress = callbacks.progress;
            raw.progress_user = callbacks.progress_user;
            let (p, q) = (callbacks.student, callbacks.teacher);
            // SAFETY: as for trb_rollout; the options of the objective live to the end of this function.
            unsafe { sys::trb_train_step(ctx, p, q, rollouts.as_ptr(), &raw, losses, rows, &mut out.report) }
        })
    }
}
