//! Filters, where the server is no help.

use super::play;

#[test]
fn unsearchable() {
    play("filter-unsearchable.pimap");
}
