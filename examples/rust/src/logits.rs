//! Views of logits and of token lists.

use std::marker::PhantomData;
use std::ptr::null;

use crate::choices::choices;
use crate::context::Context;
use crate::error::{exactly, refuse, Error};
use crate::sys;

choices! {
    /// Element types of a logit buffer.
    Dtype { F32 = TRB_F32, F16 = TRB_F16, BF16 = TRB_BF16 }
}

/// The bits of a float16.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct F16(pub u16);

/// The bits of a bfloat16.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct BF16(pub u16);

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for super::F16 {}
    impl Sealed for super::BF16 {}
}

/// What logits may consist of.
pub trait Element: Copy + sealed::Sealed {
    const DTYPE: Dtype;
}

impl Element for f32 {
    const DTYPE: Dtype = Dtype::F32;
}

impl Element for F16 {
    const DTYPE: Dtype = Dtype::F16;
}

impl Element for BF16 {
    const DTYPE: Dtype = Dtype::BF16;
}

/// How a slice is a matrix; `(rows, vocab)` is one, too.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shape {
    pub rows: usize,
    pub vocab: usize,
    /// In elements; 0 means `vocab`.
    pub stride: usize,
    /// Logits are divided by it; 0 means 1.
    pub temperature: f32,
}

impl From<(usize, usize)> for Shape {
    fn from((rows, vocab): (usize, usize)) -> Self {
        Shape { rows, vocab, ..Default::default() }
    }
}

/// The view of `size` elements at `data`. What does not fit is refused here; a stride below the vocabulary,
/// or a vocabulary of 0, by the library before it reads anything.
fn view<E: Element>(data: *const E, size: usize, shape: Shape) -> Result<sys::trb_logits, Error> {
    let stride = if shape.stride == 0 { shape.vocab } else { shape.stride };
    if shape.rows > 0 && stride >= shape.vocab {
        let needed = (shape.rows - 1).checked_mul(stride).and_then(|n| n.checked_add(shape.vocab));
        if needed.map_or(true, |n| n > size) {
            return refuse(format!("logits: expected {} rows of stride {}, got {} elements", shape.rows, stride, size));
        }
    }
    let number = |name: &str, n: usize| match i64::try_from(n) {
        Ok(n) => Ok(n),
        Err(_) => refuse(format!("logits: expected {} below 2^63, got {}", name, n)),
    };
    Ok(sys::trb_logits {
        data: data as *mut _,
        rows: number("rows", shape.rows)?,
        vocab: number("vocab", shape.vocab)?,
        stride: number("stride", stride)?,
        dtype: E::DTYPE as i32,
        temperature: shape.temperature,
    })
}

/// Logits for reading.
pub struct Logits<'a> {
    pub(crate) raw: sys::trb_logits,
    memory: PhantomData<&'a [f32]>,
}

impl<'a> Logits<'a> {
    pub fn new<E: Element>(data: &'a [E], shape: impl Into<Shape>) -> Result<Self, Error> {
        Ok(Logits { raw: view(data.as_ptr(), data.len(), shape.into())?, memory: PhantomData })
    }

    pub fn rows(&self) -> usize {
        self.raw.rows as usize
    }
}

pub(crate) fn pointer(logits: Option<&Logits>) -> *const sys::trb_logits {
    logits.map_or(null(), |given| &given.raw)
}

/// Logits for writing, and what the library hands to a model.
pub struct LogitsMut<'a> {
    pub(crate) raw: sys::trb_logits,
    memory: PhantomData<&'a mut [f32]>,
}

impl<'a> LogitsMut<'a> {
    pub fn new<E: Element>(data: &'a mut [E], shape: impl Into<Shape>) -> Result<Self, Error> {
        Ok(LogitsMut { raw: view(data.as_mut_ptr(), data.len(), shape.into())?, memory: PhantomData })
    }

    /// # Safety
    /// The view is the library's own and lives for 'a.
    pub(crate) unsafe fn lent(raw: sys::trb_logits) -> Self {
        LogitsMut { raw, memory: PhantomData }
    }

    pub fn rows(&self) -> usize {
        self.raw.rows as usize
    }

    /// Row `r`. Panics if there is none, or if its elements are others.
    pub fn row<E: Element>(&mut self, r: usize) -> &mut [E] {
        assert_eq!(E::DTYPE as i32, self.raw.dtype, "row: expected the dtype of the logits");
        assert!(r < self.rows(), "row: expected one of {}, got {}", self.rows(), r);
        assert!(self.raw.stride >= self.raw.vocab, "row: expected a stride of at least vocab");
        // SAFETY: the type is the one, the row is within the memory, and the borrow of self keeps it from another.
        unsafe {
            let first = self.raw.data.cast::<E>().add(r * self.raw.stride as usize);
            std::slice::from_raw_parts_mut(first, self.raw.vocab as usize)
        }
    }
}

/// Token lists, one behind the other: list i is `tokens[offset[i]..offset[i + 1]]`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Texts<'a> {
    pub tokens: &'a [i64],
    /// One more than lists.
    pub offset: &'a [i64],
}

impl Texts<'_> {
    pub(crate) fn raw(&self, name: &str) -> Result<sys::trb_texts, Error> {
        let most = self.tokens.len() as i64;
        if let Some(at) = self.offset.iter().find(|&&at| at < 0 || at > most) {
            return refuse(format!("{}.offset: expected numbers in [0, {}], got {}", name, most, at));
        }
        let n = self.offset.len().saturating_sub(1) as i64;
        Ok(sys::trb_texts { tokens: self.tokens.as_ptr(), offset: self.offset.as_ptr(), n })
    }
}

impl Context {
    /// Masks tokens in every row.
    pub fn mask_tokens(&mut self, inout: &mut LogitsMut, ids: &[i64]) -> Result<(), Error> {
        // SAFETY: views and lists are as long as they say, here and in every other method.
        self.check(unsafe { sys::trb_mask_tokens(self.as_ptr(), &inout.raw, ids.as_ptr(), ids.len() as i64) })
    }

    /// Moves the probability of each `from` token to its `to` token, in every row.
    pub fn merge_tokens(&mut self, inout: &mut LogitsMut, from: &[i64], to: &[i64]) -> Result<(), Error> {
        let targets = exactly("to", to, from.len())?;
        let n = from.len() as i64;
        self.check(unsafe { sys::trb_merge_tokens(self.as_ptr(), &inout.raw, from.as_ptr(), targets, n) })
    }

    /// The entropy of each row, in nats.
    pub fn entropy(&mut self, logits: &Logits, out: &mut [f64]) -> Result<(), Error> {
        let out = exactly_rows(out, logits)?;
        self.check(unsafe { sys::trb_entropy(self.as_ptr(), &logits.raw, out) })
    }
}

/// The output of a function on rows.
pub(crate) fn exactly_rows<T>(out: &mut [T], logits: &Logits) -> Result<*mut T, Error> {
    crate::error::exactly_mut("out", out, logits.rows())
}
