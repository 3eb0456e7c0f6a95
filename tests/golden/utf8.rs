//! UTF8=ACCEPT (RFC 6855), before a server that has it and before one that has it not.

use super::play;

#[test]
fn names() {
    play("utf8-names.pimap");
}

#[test]
fn bad_names() {
    play("utf8-bad-names.pimap");
}

#[test]
fn search() {
    play("utf8-search.pimap");
}

#[test]
fn append() {
    play("utf8-append.pimap");
}

#[test]
fn device() {
    play("utf8-device.pimap");
}

#[test]
fn poor() {
    play("utf8-poor.pimap");
}

#[test]
fn enable_late() {
    play("utf8-enable-late.pimap");
}
