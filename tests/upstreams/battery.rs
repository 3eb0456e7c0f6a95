//! What a handset may expect of the gateway whatever server stands behind it.
//!
//! Each case is a function of the [`Make`](pimap_tests::server::Make) alone; [`battery!`] makes a test of each for every
//! server named.

#[path = "battery/change.rs"]
mod change;
#[path = "battery/filter.rs"]
mod filter;
#[path = "battery/read.rs"]
mod read;
#[path = "battery/watch.rs"]
mod watch;

pub use change::{appending, changing_flags, copying_and_moving, expunging};
pub use filter::{filtering, searching};
pub use read::reading;
pub use watch::{pushing, resuming, surviving};

/// A module of tests for each server: `name: Make`.
macro_rules! battery {
    ($($name:ident: $make:ident,)*) => {$(
        mod $name {
            use pimap_tests::server::Make;
            battery!(@ $make reading searching changing_flags copying_and_moving appending expunging filtering pushing
                resuming surviving);
        }
    )*};
    (@ $make:ident $($case:ident)*) => {$(
        #[test]
        fn $case() {
            crate::battery::$case(Make::$make);
        }
    )*};
}
