//! Filters where the server is no help, and what looks like a search or a flag and is none.

use super::play;

#[test]
fn unsearchable() {
    play("filter-unsearchable.pimap");
}

#[test]
fn f53_restored() {
    play("f53-restored.pimap");
}

#[test]
fn refused() {
    play("filter-refused.pimap");
}

#[test]
fn labels() {
    play("gmail-labels.pimap");
}

#[test]
fn f24_asked_again() {
    play("f24-asked-again.pimap");
}
