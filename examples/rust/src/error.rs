//! What goes wrong, with the library's own words, and the checks of lengths.

use std::ffi::CStr;
use std::fmt;
use std::os::raw::c_char;
use std::ptr::{null, null_mut};

use crate::sys;

/// What a model's functions may fail with.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A call that failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// An argument breaks its contract; nothing was written.
    InvalidArgument(String),
    /// Memory or a thread could not be had; nothing was written.
    OutOfMemory(String),
    /// Some rows hold no result, as their status says. All others were written.
    BadRows(String),
    /// What a function of a model, or a progress function, returned.
    Callback(BoxError),
    /// A status that this crate does not know.
    Other(i32, String),
}

impl Error {
    pub(crate) fn new(status: i32, text: String) -> Self {
        match status {
            sys::TRB_EINVAL => Error::InvalidArgument(text),
            sys::TRB_ENOMEM => Error::OutOfMemory(text),
            sys::TRB_EROWS => Error::BadRows(text),
            _ => Error::Other(status, text),
        }
    }

    /// The library's number for it.
    pub fn status(&self) -> i32 {
        match self {
            Error::InvalidArgument(_) => sys::TRB_EINVAL,
            Error::OutOfMemory(_) => sys::TRB_ENOMEM,
            Error::BadRows(_) => sys::TRB_EROWS,
            Error::Callback(_) => sys::TRB_ECALLBACK,
            Error::Other(status, _) => *status,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Error::InvalidArgument(text) | Error::OutOfMemory(text) | Error::BadRows(text) | Error::Other(_, text) => {
                f.write_str(text)
            }
            Error::Callback(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Callback(error) => Some(error.as_ref()),
            _ => None,
        }
    }
}

/// A copy of text that the library owns.
pub(crate) fn text(of: *const c_char) -> String {
    // SAFETY: the library's texts are never NULL and end in NUL; the caller's buffers are checked before.
    unsafe { CStr::from_ptr(of) }.to_string_lossy().into_owned()
}

pub(crate) fn refuse<T>(text: String) -> Result<T, Error> {
    Err(Error::InvalidArgument(text))
}

fn check_length(name: &str, got: usize, wanted: usize) -> Result<(), Error> {
    if got != wanted {
        return refuse(format!("{}: expected {} elements, got {}", name, wanted, got));
    }
    Ok(())
}

/// A list that is as long as it must be.
pub(crate) fn exactly<T>(name: &str, list: &[T], n: usize) -> Result<*const T, Error> {
    check_length(name, list.len(), n).map(|_| list.as_ptr())
}

pub(crate) fn exactly_mut<T>(name: &str, list: &mut [T], n: usize) -> Result<*mut T, Error> {
    check_length(name, list.len(), n).map(|_| list.as_mut_ptr())
}

/// Likewise, but it may be left out.
pub(crate) fn if_given<T>(name: &str, list: &[T], n: usize) -> Result<*const T, Error> {
    if list.is_empty() && n > 0 {
        return Ok(null());
    }
    exactly(name, list, n)
}

pub(crate) fn if_given_mut<T>(name: &str, list: &mut [T], n: usize) -> Result<*mut T, Error> {
    if list.is_empty() && n > 0 {
        return Ok(null_mut());
    }
    exactly_mut(name, list, n)
}
