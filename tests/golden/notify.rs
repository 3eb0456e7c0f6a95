//! NOTIFY (RFC 5465), and arrivals announced with items.

use super::play;

#[test]
fn notify_batch() {
    play("notify-batch.pimap");
}

#[test]
fn notify_replaced() {
    play("notify-replaced.pimap");
}

#[test]
fn nq_002_replaced() {
    play("nq-002-replaced.pimap");
}

#[test]
fn nq_003_flushed() {
    play("nq-003-flushed.pimap");
}

#[test]
fn nq_004_not_selected() {
    play("nq-004-not-selected.pimap");
}

#[test]
fn nq_005_status() {
    play("nq-005-status.pimap");
}

#[test]
fn nq_006_no_access() {
    play("nq-006-no-access.pimap");
}

#[test]
fn nq_007_bad_event() {
    play("nq-007-bad-event.pimap");
}

#[test]
fn nq_008_overflow() {
    play("nq-008-overflow.pimap");
}

#[test]
fn nq_011_selected() {
    play("nq-011-selected.pimap");
}

#[test]
fn nq_012_items() {
    play("nq-012-items.pimap");
}

#[test]
fn nq_014_own() {
    play("nq-014-own.pimap");
}

#[test]
fn nq_015_renamed_poor() {
    play("nq-015-renamed-poor.pimap");
}

#[test]
fn nq_015_renamed() {
    play("nq-015-renamed.pimap");
}

#[test]
fn nq_016_subscribed() {
    play("nq-016-subscribed.pimap");
}

#[test]
fn nq_013_elsewhere() {
    play("nq-013-elsewhere.pimap");
}

#[test]
fn nq_017_idle() {
    play("nq-017-idle.pimap");
}

#[test]
fn nq_018_access() {
    play("nq-018-access.pimap");
}

#[test]
fn nq_019_hidden() {
    play("nq-019-hidden.pimap");
}

#[test]
fn pi_045_format() {
    play("pi-045-format.pimap");
}

#[test]
fn pi_045_gone() {
    play("pi-045-gone.pimap");
}

#[test]
fn pi_045_lost() {
    play("pi-045-lost.pimap");
}

#[test]
fn pi_045_push() {
    play("pi-045-push.pimap");
}

#[test]
fn pi_045_waits() {
    play("pi-045-waits.pimap");
}

#[test]
fn nq_mod_seq() {
    play("nq-mod-seq.pimap");
}

#[test]
fn notify_again() {
    play("notify-again.pimap");
}

#[test]
fn notify_recreated() {
    play("notify-recreated.pimap");
}

#[test]
fn notify_set_up() {
    play("notify-set-up.pimap");
}

#[test]
fn notify_set_up_overflow() {
    play("notify-set-up-overflow.pimap");
}

#[test]
fn watched_created() {
    play("watched-created.pimap");
}

#[test]
fn watched_missing() {
    play("watched-missing.pimap");
}

#[test]
fn pi_045_taken_over() {
    play("pi-045-taken-over.pimap");
}

#[test]
fn nq_018_made_anew() {
    play("nq-018-made-anew.pimap");
}
