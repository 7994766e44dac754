//! libtrb for Rust.
//!
//! ```
//! use trb::{Blend, Context, Logits, SolveOptions};
//!
//! let (s, t) = (vec![0.0f32, 1.0, 2.0, 0.5, 0.5, 0.0], vec![2.0f32, 1.0, 0.0, 0.0, 0.5, 1.5]);
//! let mut ctx = Context::new()?;
//! let (student, teacher) = (Logits::new(&s, (2, 3))?, Logits::new(&t, (2, 3))?);
//! let mut blends = [Blend::default(); 2];
//! ctx.solve(&student, Some(&teacher), &[0.05], &SolveOptions::default(), &mut blends)?;
//! assert!(blends[0].kl_student <= 0.05 * 1.000001);
//! # Ok::<(), trb::Error>(())
//! ```
//!
//! - Methods of [`Context`] bear the names of trb.h, whose contract holds. Records that the library fills are its own
//!   structs; options are structs of this crate, and their default is the library's.
//! - Logits are borrowed, not copied. Lengths are checked here, everything else by the library: safe code cannot make
//!   it read or write beyond a slice.
//! - Results go into the caller's memory, last in a call. After [`Error::BadRows`] all rows but the bad ones are there.
//! - An error of a [`Model`] is [`Error::Callback`]; a panic in one goes on when the library has returned.
//!
//! Left to [`sys`], with `Context::as_ptr` and `Rollouts::as_ptr`: heads, `trb_auroc`, `trb_continuation_gain`, threads
//! and an allocator of one's own, and outputs in the memory of an input.

mod blend;
mod choices;
mod context;
mod error;
mod logits;
mod loss;
mod model;
mod rollouts;
mod sparse;
#[rustfmt::skip]
pub mod sys;
mod training;

pub use blend::{Blend, Draw, Method, Sampler, Schedule, ScheduleKind, SolveOptions, Verdict, VerifyOptions};
pub use context::{Context, ContextOptions, Isa};
pub use error::{BoxError, Error};
pub use logits::{Dtype, Element, Logits, LogitsMut, Shape, Texts, BF16, F16};
pub use loss::{
    Divergence, DivergenceOptions, Estimator, Form, LossOptions, LossOutputs, LossRow, Sampled, Support, Term,
    TermOptions,
};
pub use model::{Model, Progress, Query};
pub use rollouts::{Behavior, Ends, RolloutOptions, Rollouts, ScoreOptions, Totals};
pub use sparse::{Sparse, SparseBlend};
pub use training::{Norm, Objective, Report, TrainOptions, TrainOutputs};
