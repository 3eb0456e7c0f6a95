//! Number spaces. Every kind of number has its own type, so that one cannot be used for another; there is no
//! arithmetic between kinds.

use std::fmt;
use std::num::NonZeroU32;

macro_rules! nonzero {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(pub NonZeroU32);

        impl $name {
            /// The number, unless it is zero.
            pub const fn new(n: u32) -> Option<Self> {
                match NonZeroU32::new(n) {
                    Some(n) => Some(Self(n)),
                    None => None,
                }
            }
            /// The plain number.
            pub const fn get(self) -> u32 {
                self.0.get()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

nonzero! {
    /// A message's unique identifier within one mailbox and UIDVALIDITY (RFC 3501 2.3.1.1).
    Uid
}
nonzero! {
    /// When it changes, every UID known of the mailbox is void (RFC 3501 2.3.1.1).
    UidValidity
}
nonzero! {
    /// A position, from 1, in a session's client view: the only sequence number a handset ever sees.
    MobileSeq
}

/// An upstream's modification sequence (RFC 7162 3.1.1); 63 bits, zero means none known.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct ModSeq(pub u64);

/// A position in a session's log; cursors are made of it (design D5).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct LogSeq(pub u64);
