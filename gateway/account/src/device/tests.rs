//! What a device costs while nothing happens (D16): each octet is there as often as there are handsets.

use super::*;
use crate::connection::Connection;
use crate::verdict::{ActiveFilter, Verdicts};
use pimap_filters::Filter;
use pimap_types::Uid;

#[test]
fn a_device_that_waits_is_small() {
    assert!(size_of::<Device>() <= 336, "{}", size_of::<Device>());
    assert!(size_of::<Verdicts>() <= 80, "{}", size_of::<Verdicts>());
    assert!(size_of::<Connection>() <= 176, "{}", size_of::<Connection>());
}

/// Trees keep a node when they are emptied: what is awaited goes as a whole.
#[test]
fn nothing_awaited_is_nothing_held() {
    let all = Arc::new(ActiveFilter { filter: Arc::new(Filter::all()), charset: None });
    let mut verdicts = Verdicts::new(all.clone(), all);
    let uid = |n| Uid::new(n).expect("not zero");
    for n in 1..=3 {
        verdicts.await_more().queue.insert(uid(n), Timestamp(n.into()));
    }
    verdicts.await_more().own.insert(uid(1));
    assert!(verdicts.is_judged(uid(1)), "the device's own");
    assert_eq!(verdicts.take_late(|since| since > Timestamp(2)), None);
    assert_eq!(verdicts.take_late(|since| since <= Timestamp(2)), Some(uid(2)));
    verdicts.await_more().assumed.insert(uid(2));
    verdicts.is_corrected(uid(2));
    assert_eq!(verdicts.awaited().queue.len(), 1);
    assert!(verdicts.awaits());
    verdicts.forget(uid(3));
    assert!(!verdicts.awaits());
}
