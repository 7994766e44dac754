//! A teacher known in part: solve, sample and reverse KL on listed log-probabilities.

use std::ptr::null;

use crate::blend::{Draw, Sampler, SolveOptions};
use crate::context::Context;
use crate::error::{exactly, if_given, refuse, Error};
use crate::logits::{exactly_rows, Logits};
use crate::loss::{LossOptions, LossOutputs};
use crate::sys;

pub use crate::sys::trb_sparse_blend as SparseBlend;

/// Listed log-probabilities of a teacher: `k` a row, or those that `offset` says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sparse<'a> {
    pub ids: &'a [i64],
    pub log_q: &'a [f32],
    /// One more than rows, or empty.
    pub offset: &'a [i64],
    pub k: i64,
    pub least_rest: f64,
}

impl Sparse<'_> {
    fn raw(&self, rows: usize) -> Result<sys::trb_sparse, Error> {
        let n = self.ids.len();
        let log_q = exactly("teacher.log_q", self.log_q, n)?;
        let offset = match self.offset {
            [] => {
                if usize::try_from(self.k).ok().and_then(|k| k.checked_mul(rows)) != Some(n) {
                    return refuse(format!("teacher.ids: expected {} lists of {}, got {} elements", rows, self.k, n));
                }
                null()
            }
            [first, .., last] if *first < 0 || *last > n as i64 => {
                return refuse(format!("teacher.offset: expected numbers in [0, {}], got {} to {}", n, first, last));
            }
            given => exactly("teacher.offset", given, rows + 1)?,
        };
        Ok(sys::trb_sparse { ids: self.ids.as_ptr(), log_q, offset, k: self.k, least_rest: self.least_rest })
    }
}

impl Context {
    /// As [`Context::solve`].
    pub fn solve_sparse(
        &mut self,
        student: &Logits,
        teacher: &Sparse,
        budget: &[f64],
        options: &SolveOptions,
        out: &mut [SparseBlend],
    ) -> Result<(), Error> {
        let (lists, raw) = (teacher.raw(student.rows())?, options.raw());
        let (values, n, out) = (budget.as_ptr(), budget.len() as i64, exactly_rows(out, student)?);
        self.check(unsafe { sys::trb_solve_sparse(self.as_ptr(), &student.raw, &lists, values, n, &raw, out) })
    }

    /// As [`Context::sample`].
    pub fn sample_sparse(
        &mut self,
        student: &Logits,
        teacher: &Sparse,
        blend: &[SparseBlend],
        sampler: &Sampler,
        out: &mut [Draw],
    ) -> Result<(), Error> {
        let rows = student.rows();
        let (lists, how) = (teacher.raw(rows)?, sampler.raw(rows, rows)?);
        let (blend, out) = (exactly("blend", blend, rows)?, exactly_rows(out, student)?);
        self.check(unsafe { sys::trb_sample_sparse(self.as_ptr(), &student.raw, &lists, blend, &how, out) })
    }

    /// As [`Context::reverse_kl`], on the list: `options` chooses the form.
    pub fn reverse_kl_sparse(
        &mut self,
        student: &Logits,
        teacher: &Sparse,
        weight: &[f64],
        options: &LossOptions,
        out: LossOutputs,
    ) -> Result<(), Error> {
        let rows = student.rows();
        let (lists, weight, raw) = (teacher.raw(rows)?, if_given("weight", weight, rows)?, options.raw(rows)?);
        let (loss, grad, records) = out.raw(rows)?;
        self.check(unsafe {
            sys::trb_reverse_kl_sparse(self.as_ptr(), &student.raw, &lists, weight, &raw, loss, grad, records)
        })
    }
}
