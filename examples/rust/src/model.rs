//! Models of one's own, and what becomes of an error or a panic in one.

use std::any::Any;
use std::cell::RefCell;
use std::mem::size_of;
use std::os::raw::c_void;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::ptr::null;
use std::slice::from_raw_parts;

use crate::context::Context;
use crate::error::{BoxError, Error};
use crate::logits::{Dtype, LogitsMut};
use crate::sys;

/// What a model is asked about one sequence: the next-token logits after each of its last `rows` tokens.
#[repr(transparent)]
pub struct Query(sys::trb_query);

impl Query {
    /// The prompt and what follows it so far.
    pub fn tokens(&self) -> &[i64] {
        // SAFETY: the library's list, which lives as long as the query.
        unsafe { from_raw_parts(self.0.tokens, self.0.length as usize) }
    }

    pub fn sequence(&self) -> i64 {
        self.0.sequence
    }

    /// This model was shown so many of the tokens earlier in the same call: what a cache may keep.
    pub fn known(&self) -> usize {
        self.0.known as usize
    }

    pub fn rows(&self) -> usize {
        self.0.rows as usize
    }

    /// So many of its last tokens are proposals, which may be dropped again.
    pub fn proposed(&self) -> usize {
        self.0.proposed as usize
    }
}

/// A model.
pub trait Model {
    fn vocab(&self) -> usize;

    /// Fills `out`, one query after the other.
    fn forward(&mut self, queries: &[Query], out: &mut LogitsMut) -> Result<(), BoxError>;

    /// Adds what follows from the gradient of the logits that forward just gave to that of the parameters.
    fn backward(&mut self, _queries: &[Query], _grad: &mut LogitsMut) -> Result<(), BoxError> {
        Err("Model: expected a model with backward to train".into())
    }

    /// Of the logits that forward fills.
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    /// The distribution is the softmax of the logits divided by this.
    fn temperature(&self) -> f32 {
        1.0
    }
}

/// Called with the sequences that are done and their number. An error cancels the call.
pub type Progress<'a> = &'a dyn Fn(i64, i64) -> Result<(), BoxError>;

enum Stopped {
    Error(BoxError),
    Panic(Box<dyn Any + Send>),
}

struct Asked<'a> {
    model: &'a mut dyn Model,
    stopped: &'a RefCell<Option<Stopped>>,
}

struct Told<'a> {
    progress: Progress<'a>,
    stopped: &'a RefCell<Option<Stopped>>,
}

/// What one call of the library calls back.
pub(crate) struct Callbacks {
    pub student: *const sys::trb_model,
    pub teacher: *const sys::trb_model,
    pub progress: sys::trb_progress_fn,
    pub progress_user: *mut c_void,
}

/// Runs a call of the library, then lets a panic of a callback go on or returns its error.
pub(crate) fn call(
    ctx: &mut Context,
    student: Option<&mut dyn Model>,
    teacher: Option<&mut dyn Model>,
    progress: Option<Progress>,
    run: impl FnOnce(*mut sys::trb_context, &Callbacks) -> i32,
) -> Result<(), Error> {
    let stopped = RefCell::new(None);
    let mut student = student.map(|model| Asked { model, stopped: &stopped });
    let mut teacher = teacher.map(|model| Asked { model, stopped: &stopped });
    let mut told = progress.map(|progress| Told { progress, stopped: &stopped });
    let (p, q) = (student.as_mut().map(raw_model), teacher.as_mut().map(raw_model));
    let callbacks = Callbacks {
        student: p.as_ref().map_or(null(), |given| given),
        teacher: q.as_ref().map_or(null(), |given| given),
        progress: told.as_ref().and(Some(report)),
        progress_user: told.as_mut().map_or(std::ptr::null_mut(), |given| given as *mut Told as *mut c_void),
    };
    let status = run(ctx.as_ptr(), &callbacks);
    match stopped.take() {
        Some(Stopped::Panic(panic)) => resume_unwind(panic),
        Some(Stopped::Error(error)) => Err(Error::Callback(error)),
        None => ctx.check(status),
    }
}

fn raw_model(asked: &mut Asked) -> sys::trb_model {
    sys::trb_model {
        size: size_of::<sys::trb_model>(),
        vocab: asked.model.vocab() as i64,
        dtype: asked.model.dtype() as i32,
        temperature: asked.model.temperature(),
        forward: Some(forward),
        backward: Some(backward),
        user: asked as *mut Asked as *mut c_void,
    }
}

fn guard(stopped: &RefCell<Option<Stopped>>, run: impl FnOnce() -> Result<(), BoxError>) -> i32 {
    let why = match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(())) => return sys::TRB_CONTINUE,
        Ok(Err(error)) => Stopped::Error(error),
        Err(panic) => Stopped::Panic(panic),
    };
    *stopped.borrow_mut() = Some(why);
    0
}

unsafe extern "C" fn forward(
    queries: *const sys::trb_query,
    n: i64,
    out: *const sys::trb_logits,
    user: *mut c_void,
) -> i32 {
    let asked = &mut *user.cast::<Asked>();
    let queries = from_raw_parts(queries.cast::<Query>(), n as usize);
    let mut out = LogitsMut::lent(*out);
    guard(asked.stopped, || asked.model.forward(queries, &mut out))
}

unsafe extern "C" fn backward(
    queries: *const sys::trb_query,
    n: i64,
    grad: *const sys::trb_logits,
    user: *mut c_void,
) -> i32 {
    let asked = &mut *user.cast::<Asked>();
    let queries = from_raw_parts(queries.cast::<Query>(), n as usize);
    let mut grad = LogitsMut::lent(*grad);
    guard(asked.stopped, || asked.model.backward(queries, &mut grad))
}

unsafe extern "C" fn report(done: i64, total: i64, user: *mut c_void) -> i32 {
    let told = &*user.cast::<Told>();
    guard(told.stopped, || (told.progress)(done, total))
}
