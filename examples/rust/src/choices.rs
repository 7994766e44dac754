//! Enums of trb.h.

/// An enum whose numbers are constants of trb.h; the first is the default.
macro_rules! choices {
    ($(#[$about:meta])* $name:ident { $first:ident = $zero:ident $(, $item:ident = $value:ident)* $(,)? }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[repr(i32)]
        pub enum $name {
            #[default]
            $first = crate::sys::$zero,
            $($item = crate::sys::$value,)*
        }
    };
}

pub(crate) use choices;
