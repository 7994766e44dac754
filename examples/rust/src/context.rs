//! Threads, instruction set and the text of the last error.

use std::ffi::CString;
use std::mem::size_of;
use std::os::raw::c_char;
use std::ptr::null_mut;

use crate::choices::choices;
use crate::error::{refuse, text, Error};
use crate::sys;

choices! {
    /// Which row kernels to run. All of them give the same bits.
    Isa {
        Auto = TRB_ISA_AUTO,
        Scalar = TRB_ISA_SCALAR,
        Avx2 = TRB_ISA_AVX2,
        Avx512 = TRB_ISA_AVX512,
        Neon = TRB_ISA_NEON,
    }
}

/// Options of a context.
#[derive(Clone, Copy, Debug, Default)]
pub struct ContextOptions {
    /// That work on a call, the caller included; 0 means 1.
    pub threads: i64,
    pub isa: Isa,
}

/// Serves one call at a time.
pub struct Context {
    raw: *mut sys::trb_context,
}

// SAFETY: a context is not bound to a thread.
unsafe impl Send for Context {}

impl Context {
    /// One thread, the best instruction set of this machine.
    pub fn new() -> Result<Self, Error> {
        Self::with(&ContextOptions::default())
    }

    pub fn with(options: &ContextOptions) -> Result<Self, Error> {
        check_library()?;
        let mut why = [0 as c_char; 400];
        let raw = sys::trb_context_options {
            size: size_of::<sys::trb_context_options>(),
            threads: options.threads,
            isa: options.isa as i32,
            error: why.as_mut_ptr(),
            error_bytes: why.len() as i64,
            ..Default::default()
        };
        let mut made = Context { raw: null_mut() };
        // SAFETY: `raw` and what it points to live through the call.
        let status = unsafe { sys::trb_context_new(&raw, &mut made.raw) };
        if status == sys::TRB_OK {
            return Ok(made);
        }
        // SAFETY: the static text of a status.
        let known = text(if why[0] != 0 { why.as_ptr() } else { unsafe { sys::trb_strerror(status) } });
        Err(Error::new(status, known))
    }

    /// For the functions of [`sys`].
    pub fn as_ptr(&self) -> *mut sys::trb_context {
        self.raw
    }

    /// Whose kernels run: a `TRB_ISA_` number.
    pub fn isa(&self) -> i32 {
        // SAFETY: the context lives.
        unsafe { sys::trb_context_isa(self.raw) }
    }

    /// What a status says of the last call.
    pub(crate) fn check(&self, status: i32) -> Result<(), Error> {
        if status == sys::TRB_OK {
            return Ok(());
        }
        // SAFETY: the context lives; both texts are never NULL.
        let said = text(unsafe { sys::trb_context_error(self.raw) });
        let known = if said.is_empty() { text(unsafe { sys::trb_strerror(status) }) } else { said };
        Err(Error::new(status, known))
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: made by trb_context_new, or NULL.
        unsafe { sys::trb_context_free(self.raw) }
    }
}

/// The loaded library must have what `sys` declares.
fn check_library() -> Result<(), Error> {
    // SAFETY: no arguments.
    let number = unsafe { sys::trb_version() };
    let (major, minor) = (number >> 16, number >> 8 & 255);
    if major != sys::VERSION.0 || minor < sys::VERSION.1 {
        return refuse(format!(
            "libtrb: expected version {}.{} or later of the same major, got {}.{}",
            sys::VERSION.0,
            sys::VERSION.1,
            major,
            minor
        ));
    }
    for &(name, ours, grows) in sys::STRUCTS {
        let asked = CString::new(format!("sizeof({})", name)).expect("a name without NUL");
        let mut size = 0;
        // SAFETY: the name ends in NUL.
        let status = unsafe { sys::trb_constant(asked.as_ptr(), &mut size) };
        let theirs = usize::try_from(size).unwrap_or(0);
        if status != sys::TRB_OK || theirs < ours || (theirs > ours && !grows) {
            return refuse(format!("libtrb: expected {} to have {} bytes, got {}", name, ours, theirs));
        }
    }
    Ok(())
}
