//! Divergences and sampled-token terms, with their gradients.

use std::mem::size_of;
use std::ptr::null;

use crate::choices::choices;
use crate::context::Context;
use crate::error::{exactly, if_given, if_given_mut, refuse, Error};
use crate::logits::{exactly_rows, pointer, Logits, LogitsMut};
use crate::sys;

pub use crate::sys::{trb_loss_row as LossRow, trb_term as Term};

choices! {
    /// Forms of the reverse KL on a support.
    Form {
        Full = TRB_FORM_FULL,
        Truncated = TRB_FORM_TRUNCATED,
        Renormalized = TRB_FORM_RENORMALIZED,
        TailBucket = TRB_FORM_TAIL_BUCKET,
        Generalized = TRB_FORM_GENERALIZED,
    }
}

choices! {
    /// What the support is, per row.
    Support {
        All = TRB_SUPPORT_ALL,
        StudentTopK = TRB_SUPPORT_STUDENT_TOP_K,
        TeacherTopK = TRB_SUPPORT_TEACHER_TOP_K,
        Ids = TRB_SUPPORT_IDS,
    }
}

choices! {
    /// Divergences other than the reverse KL.
    Divergence { ForwardKl = TRB_DIVERGENCE_FORWARD_KL, Jsd = TRB_DIVERGENCE_JSD }
}

choices! {
    /// Estimators of the reverse KL from one token.
    Estimator {
        Advantage = TRB_ESTIMATOR_ADVANTAGE,
        K1 = TRB_ESTIMATOR_K1,
        K2 = TRB_ESTIMATOR_K2,
        K3 = TRB_ESTIMATOR_K3,
        Nll = TRB_ESTIMATOR_NLL,
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub struct LossOptions<'a> {
    pub form: Form,
    pub support: Support,
    pub k: i64,
    /// `[rows, k]` with [`Support::Ids`].
    pub ids: &'a [i64],
}

impl LossOptions<'_> {
    pub(crate) fn raw(&self, rows: usize) -> Result<sys::trb_loss_options, Error> {
        let wanted = usize::try_from(self.k).ok().and_then(|k| k.checked_mul(rows));
        if self.support == Support::Ids && self.k > 0 && wanted != Some(self.ids.len()) {
            return refuse(format!("ids: expected {} lists of {}, got {} elements", rows, self.k, self.ids.len()));
        }
        Ok(sys::trb_loss_options {
            size: size_of::<sys::trb_loss_options>(),
            form: self.form as i32,
            support: self.support as i32,
            k: self.k,
            ids: if self.ids.is_empty() { null() } else { self.ids.as_ptr() },
        })
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub struct DivergenceOptions {
    pub kind: Divergence,
    /// JSD: in (0, 1); 0 means 0.5.
    pub b: f64,
}

impl DivergenceOptions {
    pub(crate) fn raw(&self) -> sys::trb_divergence_options {
        let size = size_of::<sys::trb_divergence_options>();
        sys::trb_divergence_options { size, b: self.b, kind: self.kind as i32, reserved: 0 }
    }
}

/// Clips are for the advantage only; 0: off.
#[derive(Clone, Copy, Debug, Default)]
pub struct TermOptions {
    pub estimator: Estimator,
    pub ratio_low: f64,
    pub ratio_high: f64,
    pub advantage_limit: f64,
}

impl TermOptions {
    pub(crate) fn raw(&self) -> sys::trb_term_options {
        sys::trb_term_options {
            size: size_of::<sys::trb_term_options>(),
            ratio_low: self.ratio_low,
            ratio_high: self.ratio_high,
            advantage_limit: self.advantage_limit,
            estimator: self.estimator as i32,
            reserved: 0,
        }
    }
}

/// What a loss writes; what is left out is not computed, but not all may be.
#[derive(Default)]
pub struct LossOutputs<'a, 'g> {
    /// `[rows]`, not weighted.
    pub loss: &'a mut [f64],
    /// `[rows, vocab]` of the weighted loss.
    pub grad: Option<&'a mut LogitsMut<'g>>,
    /// `[rows]`.
    pub rows: &'a mut [LossRow],
}

impl LossOutputs<'_, '_> {
    pub(crate) fn raw(self, rows: usize) -> Result<(*mut f64, *const sys::trb_logits, *mut LossRow), Error> {
        let grad: *const sys::trb_logits = self.grad.map_or(null(), |given| &given.raw);
        Ok((if_given_mut("loss", self.loss, rows)?, grad, if_given_mut("rows", self.rows, rows)?))
    }
}

/// One token per row, and its log-probability under what sampled it; empty: the student itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sampled<'a> {
    pub token: &'a [i64],
    pub log_behavior: &'a [f64],
}

impl Context {
    /// Reverse KL of every row and its exact gradient. Empty weights are ones.
    pub fn reverse_kl(
        &mut self,
        student: &Logits,
        teacher: &Logits,
        weight: &[f64],
        options: &LossOptions,
        out: LossOutputs,
    ) -> Result<(), Error> {
        let rows = student.rows();
        let (weight, raw) = (if_given("weight", weight, rows)?, options.raw(rows)?);
        let (loss, grad, records) = out.raw(rows)?;
        self.check(unsafe {
            sys::trb_reverse_kl(self.as_ptr(), &student.raw, &teacher.raw, weight, &raw, loss, grad, records)
        })
    }

    /// Forward KL or Jensen-Shannon divergence, likewise.
    pub fn divergence(
        &mut self,
        student: &Logits,
        teacher: &Logits,
        weight: &[f64],
        options: &DivergenceOptions,
        out: LossOutputs,
    ) -> Result<(), Error> {
        let rows = student.rows();
        let (weight, raw) = (if_given("weight", weight, rows)?, options.raw());
        let (loss, grad, records) = out.raw(rows)?;
        self.check(unsafe {
            sys::trb_divergence(self.as_ptr(), &student.raw, &teacher.raw, weight, &raw, loss, grad, records)
        })
    }

    /// An estimate of the reverse KL from one token per row, and its gradient. The teacher may be None for
    /// [`Estimator::Nll`].
    #[allow(clippy::too_many_arguments)]
    pub fn token_terms(
        &mut self,
        student: &Logits,
        teacher: Option<&Logits>,
        sampled: &Sampled,
        weight: &[f64],
        options: &TermOptions,
        out: &mut [Term],
        grad: Option<&mut LogitsMut>,
    ) -> Result<(), Error> {
        let rows = student.rows();
        let token = exactly("token", sampled.token, rows)?;
        let behavior = match sampled.log_behavior {
            [] => null(),
            given => exactly("log_behavior", given, rows)?,
        };
        let (weight, raw) = (if_given("weight", weight, rows)?, options.raw());
        let out = exactly_rows(out, student)?;
        let grad = grad.map_or(null(), |given| &given.raw as *const _);
        self.check(unsafe {
            sys::trb_token_terms(
                self.as_ptr(),
                &student.raw,
                pointer(teacher),
                token,
                behavior,
                weight,
                &raw,
                out,
                grad,
            )
        })
    }
}
