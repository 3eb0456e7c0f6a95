//! Scenes of phones that share a device ID, of what is told after a restart, and of answers that overtake each other.

use super::play;

/// F15, F16
#[test]
fn f15_cookie() {
    play("f15-cookie.pimap");
}

/// F15, F16
#[test]
fn f15_older_cookie() {
    play("f15-older-cookie.pimap");
}

#[test]
fn f24_gone_undecided() {
    play("f24-gone-undecided.pimap");
}

#[test]
fn f35_overtaken() {
    play("f35-overtaken.pimap");
}

#[test]
fn nq036_widened() {
    play("nq036-widened.pimap");
}

#[test]
fn pi_014_restarted() {
    play("pi-014-restarted.pimap");
}
