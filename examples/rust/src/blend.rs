//! The blend: anneal its budget, solve for it, write it out, draw from it, verify proposals against it.

use std::mem::size_of;

use crate::choices::choices;
use crate::context::Context;
use crate::error::{exactly, if_given, if_given_mut, Error};
use crate::logits::{exactly_rows, pointer, Logits, LogitsMut, Texts};
use crate::sys;

pub use crate::sys::{trb_blend as Blend, trb_draw as Draw, trb_verdict as Verdict};

choices! {
    /// How a budget anneals.
    ScheduleKind {
        Linear = TRB_SCHEDULE_LINEAR,
        Constant = TRB_SCHEDULE_CONSTANT,
        Cosine = TRB_SCHEDULE_COSINE,
        Piecewise = TRB_SCHEDULE_PIECEWISE,
    }
}

choices! {
    /// How beta is looked for.
    Method { Newton = TRB_METHOD_NEWTON, Bisection = TRB_METHOD_BISECTION }
}

/// A budget over optimizer steps.
#[derive(Clone, Copy, Debug, Default)]
pub struct Schedule<'a> {
    pub kind: ScheduleKind,
    pub initial: f64,
    pub steps: i64,
    /// Piecewise: step and budget of each point.
    pub at: &'a [i64],
    pub budgets: &'a [f64],
}

#[derive(Clone, Copy, Debug, Default)]
pub struct SolveOptions {
    /// How far below the budget `kl_student` may end, relative; 0: the library's.
    pub tolerance: f64,
    pub method: Method,
}

impl SolveOptions {
    pub(crate) fn raw(&self) -> sys::trb_solve_options {
        let size = size_of::<sys::trb_solve_options>();
        sys::trb_solve_options { size, tolerance: self.tolerance, method: self.method as i32, reserved: 0 }
    }

    /// None for defaults, where options are refused if they have no use.
    pub(crate) fn unless_default(&self) -> Option<sys::trb_solve_options> {
        (self.tolerance != 0.0 || self.method != Method::Newton).then(|| self.raw())
    }
}

/// How to draw. Empty lists: the row number for `stream`, 0 for `index`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sampler<'a> {
    pub seed: u64,
    /// Which sequence each row belongs to; of a rollout one per sequence.
    pub stream: &'a [u64],
    /// Its position there; of a rollout none.
    pub index: &'a [i64],
    pub top_k: i64,
    pub top_p: f64,
    pub min_p: f64,
    pub greedy: bool,
    pub purpose: i32,
}

impl Sampler<'_> {
    /// For so many streams and positions.
    pub(crate) fn raw(&self, streams: usize, positions: usize) -> Result<sys::trb_sampler, Error> {
        Ok(sys::trb_sampler {
            size: size_of::<sys::trb_sampler>(),
            seed: self.seed,
            stream: if_given("sampler.stream", self.stream, streams)?,
            index: if positions > 0 {
                if_given("sampler.index", self.index, positions)?
            } else {
                no_index(self.index)?
            },
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            greedy: i32::from(self.greedy),
            purpose: self.purpose,
        })
    }
}

fn no_index(index: &[i64]) -> Result<*const i64, Error> {
    exactly("sampler.index", index, 0).map(|_| std::ptr::null())
}

/// Options of [`Context::verify`].
#[derive(Clone, Copy, Debug, Default)]
pub struct VerifyOptions<'a> {
    pub solve: SolveOptions,
    pub sampler: Sampler<'a>,
    /// `budget` holds weights of the teacher.
    pub by_beta: bool,
}

impl Context {
    /// The budget of step k.
    pub fn schedule_at(&mut self, schedule: &Schedule, k: i64) -> Result<f64, Error> {
        let n = schedule.at.len();
        let budgets = exactly("schedule.budgets", schedule.budgets, n)?;
        let raw = sys::trb_schedule {
            size: size_of::<sys::trb_schedule>(),
            kind: schedule.kind as i32,
            reserved: 0,
            initial: schedule.initial,
            steps: schedule.steps,
            at: if n > 0 { schedule.at.as_ptr() } else { std::ptr::null() },
            budgets: if n > 0 { budgets } else { std::ptr::null() },
            points: n as i64,
        };
        let mut out = 0.0;
        self.check(unsafe { sys::trb_schedule_at(self.as_ptr(), &raw, k, &mut out) })?;
        Ok(out)
    }

    /// The behavior closest to the teacher within the budget, one for all rows or one for each. The teacher may be None
    /// if every budget is 0.
    pub fn solve(
        &mut self,
        student: &Logits,
        teacher: Option<&Logits>,
        budget: &[f64],
        options: &SolveOptions,
        out: &mut [Blend],
    ) -> Result<(), Error> {
        let (raw, n) = (options.raw(), budget.len() as i64);
        let out = exactly_rows(out, student)?;
        let teacher = pointer(teacher);
        self.check(unsafe { sys::trb_solve(self.as_ptr(), &student.raw, teacher, budget.as_ptr(), n, &raw, out) })
    }

    /// The same records for weights of the teacher that the caller chose.
    pub fn blend_at(
        &mut self,
        student: &Logits,
        teacher: Option<&Logits>,
        beta: &[f64],
        out: &mut [Blend],
    ) -> Result<(), Error> {
        let (teacher, n) = (pointer(teacher), beta.len() as i64);
        let out = exactly_rows(out, student)?;
        self.check(unsafe { sys::trb_blend_at(self.as_ptr(), &student.raw, teacher, beta.as_ptr(), n, out) })
    }

    /// log mu, for blends of these logits.
    pub fn write_blend(
        &mut self,
        student: &Logits,
        teacher: Option<&Logits>,
        blend: &[Blend],
        out: &mut LogitsMut,
    ) -> Result<(), Error> {
        let blend = exactly("blend", blend, student.rows())?;
        self.check(unsafe { sys::trb_write_blend(self.as_ptr(), &student.raw, pointer(teacher), blend, &out.raw) })
    }

    /// One token per row from mu.
    pub fn sample(
        &mut self,
        student: &Logits,
        teacher: Option<&Logits>,
        blend: &[Blend],
        sampler: &Sampler,
        out: &mut [Draw],
    ) -> Result<(), Error> {
        let rows = student.rows();
        let (blend, how) = (exactly("blend", blend, rows)?, sampler.raw(rows, rows)?);
        let out = exactly_rows(out, student)?;
        self.check(unsafe { sys::trb_sample(self.as_ptr(), &student.raw, pointer(teacher), blend, &how, out) })
    }

    /// Turns tokens that the student proposed into tokens distributed as mu: speculative sampling. `blend` may be
    /// empty.
    #[allow(clippy::too_many_arguments)]
    pub fn verify(
        &mut self,
        student: &Logits,
        teacher: Option<&Logits>,
        proposals: &Texts,
        budget: &[f64],
        options: &VerifyOptions,
        blend: &mut [Blend],
        out: &mut [Verdict],
    ) -> Result<(), Error> {
        let rows = student.rows();
        let (blocks, how) = (proposals.raw("proposals")?, options.sampler.raw(rows, rows)?);
        let solver = options.solve.unless_default();
        let raw = sys::trb_verify_options {
            size: size_of::<sys::trb_verify_options>(),
            solve: solver.as_ref().map_or(std::ptr::null(), |given| given),
            sampler: &how,
            behavior: if options.by_beta { sys::TRB_BEHAVIOR_BETA } else { sys::TRB_BEHAVIOR_BUDGET },
            reserved: 0,
        };
        let (blend, out) = (if_given_mut("blend", blend, rows)?, exactly_rows(out, student)?);
        let (values, n, teacher) = (budget.as_ptr(), budget.len() as i64, pointer(teacher));
        self.check(unsafe {
            sys::trb_verify(self.as_ptr(), &student.raw, teacher, &blocks, values, n, &raw, blend, out)
        })
    }
}
