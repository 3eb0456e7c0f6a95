//! Golden transcripts, played in the modelled world: the draft's examples as the digest has them, and the flaws found before
//! building. `UPDATE_GOLDEN=1` rewrites them with what was heard, to be reviewed like code.

use pimap_tests::transcript::play_file;
use pimap_tests::world::stage::WorldStage;
use std::path::Path;

#[path = "golden/counting.rs"]
mod counting;
#[path = "golden/filter.rs"]
mod filter;
#[path = "golden/notify.rs"]
mod notify;
#[path = "golden/sharing.rs"]
mod sharing;
#[path = "golden/utf8.rs"]
mod utf8;

fn play(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name);
    play_file(&path, &mut WorldStage::default());
}

#[test]
fn append_several() {
    play("append-several.pimap");
}

#[test]
fn append_several_poor() {
    play("append-several-poor.pimap");
}

#[test]
fn batch() {
    play("batch.pimap");
}

#[test]
fn batch_literals() {
    play("batch-literals.pimap");
}

#[test]
fn binary() {
    play("binary.pimap");
}

#[test]
fn binary_poor() {
    play("binary-poor.pimap");
}

#[test]
fn catenate_hidden() {
    play("catenate-hidden.pimap");
}

#[test]
fn cookie() {
    play("cookie.pimap");
}

#[test]
fn credentials_refused() {
    play("credentials-refused.pimap");
}

#[test]
fn cursor_login() {
    play("cursor-login.pimap");
}

#[test]
fn cursor_resume() {
    play("cursor-resume.pimap");
}

#[test]
fn esearch() {
    play("esearch.pimap");
}

#[test]
fn expiry() {
    play("expiry.pimap");
}

#[test]
fn f02_alternating() {
    play("f02-alternating.pimap");
}

#[test]
fn f02_pipelined() {
    play("f02-pipelined.pimap");
}

#[test]
fn f03_login_proves_nothing() {
    play("f03-login-proves-nothing.pimap");
}

#[test]
fn f04_named() {
    play("f04-named.pimap");
}

#[test]
fn f04_repeated() {
    play("f04-repeated.pimap");
}

#[test]
fn f05_batch() {
    play("f05-batch.pimap");
}

#[test]
fn f05_done() {
    play("f05-done.pimap");
}

#[test]
fn f07_lost_select() {
    play("f07-lost-select.pimap");
}

#[test]
fn f08_lost_resync() {
    play("f08-lost-resync.pimap");
}

#[test]
fn f09_crash() {
    play("f09-crash.pimap");
}

#[test]
fn f09_crash_offered() {
    play("f09-crash-offered.pimap");
}

#[test]
fn f11_expired_cursor() {
    play("f11-expired-cursor.pimap");
}

#[test]
fn f11_foreign_cursor() {
    play("f11-foreign-cursor.pimap");
}

#[test]
fn f13_re_entered() {
    play("f13-re-entered.pimap");
}

#[test]
fn f13_second_select() {
    play("f13-second-select.pimap");
}

#[test]
fn f14_change() {
    play("f14-change.pimap");
}

#[test]
fn f14_zombie() {
    play("f14-zombie.pimap");
}

#[test]
fn f15_flapping() {
    play("f15-flapping.pimap");
}

#[test]
fn f18_flagged() {
    play("f18-flagged.pimap");
}

#[test]
fn f18_undeleted() {
    play("f18-undeleted.pimap");
}

#[test]
fn f18_unseen() {
    play("f18-unseen.pimap");
}

#[test]
fn f19_delete_hidden() {
    play("f19-delete-hidden.pimap");
}

#[test]
fn f19_elsewhere() {
    play("f19-elsewhere.pimap");
}

#[test]
fn f19_elsewhere_poor() {
    play("f19-elsewhere-poor.pimap");
}

#[test]
fn f19_rename() {
    play("f19-rename.pimap");
}

#[test]
fn f19_resembles() {
    play("f19-resembles.pimap");
}

#[test]
fn f20_elsewhere() {
    play("f20-elsewhere.pimap");
}

#[test]
fn f20_no_uidplus() {
    play("f20-no-uidplus.pimap");
}

#[test]
fn f20_trash() {
    play("f20-trash.pimap");
}

#[test]
fn f21_own_writes() {
    play("f21-own-writes.pimap");
}

#[test]
fn f22_told_late() {
    play("f22-told-late.pimap");
}

#[test]
fn f22_recreated() {
    play("f22-recreated.pimap");
}

#[test]
fn f24_late_verdict() {
    play("f24-late-verdict.pimap");
}

#[test]
fn f27_recent() {
    play("f27-recent.pimap");
}

#[test]
fn f34_seen_elsewhere() {
    play("f34-seen-elsewhere.pimap");
}

#[test]
fn f35_echo() {
    play("f35-echo.pimap");
}

#[test]
fn f35_echo_poor() {
    play("f35-echo-poor.pimap");
}

#[test]
fn f38_idle() {
    play("f38-idle.pimap");
}

#[test]
fn f39_midnight() {
    play("f39-midnight.pimap");
}

#[test]
fn f39_widened() {
    play("f39-widened.pimap");
}

#[test]
fn f45_in_doubt() {
    play("f45-in-doubt.pimap");
}

#[test]
fn f50_login_old() {
    play("f50-login-old.pimap");
}

#[test]
fn f50_revoked() {
    play("f50-revoked.pimap");
}

#[test]
fn f53_unmounted() {
    play("f53-unmounted.pimap");
}

#[test]
fn filter_changed() {
    play("filter-changed.pimap");
}

#[test]
fn flags_by_number() {
    play("flags-by-number.pimap");
}

#[test]
fn idle() {
    play("idle.pimap");
}

#[test]
fn idle_misspoken() {
    play("idle-misspoken.pimap");
}

#[test]
fn idle_misspoken_stream() {
    play("idle-misspoken-stream.pimap");
}

#[test]
fn idle_pushed() {
    play("idle-pushed.pimap");
}

#[test]
fn inband_push() {
    play("inband-push.pimap");
}

#[test]
fn inband_stream() {
    play("inband-stream.pimap");
}

#[test]
fn law_3() {
    play("law-3.pimap");
}

#[test]
fn list_extended() {
    play("list-extended.pimap");
}

#[test]
fn list_extended_poor() {
    play("list-extended-poor.pimap");
}

#[test]
fn list_status_filtered() {
    play("list-status-filtered.pimap");
}

#[test]
fn login_authenticated() {
    play("login-authenticated.pimap");
}

#[test]
fn login_deleted() {
    play("login-deleted.pimap");
}

#[test]
fn login_events() {
    play("login-events.pimap");
}

#[test]
fn login_names() {
    play("login-names.pimap");
}

#[test]
fn login_new() {
    play("login-new.pimap");
}

#[test]
fn login_regular() {
    play("login-regular.pimap");
}

#[test]
fn login_resync() {
    play("login-resync.pimap");
}

#[test]
fn logout() {
    play("logout.pimap");
}

#[test]
fn move_visible() {
    play("move-visible.pimap");
}

#[test]
fn nq031_enable() {
    play("nq031-enable.pimap");
}

#[test]
fn nq033_condstore() {
    play("nq033-condstore.pimap");
}

#[test]
fn nq035_unchangedsince() {
    play("nq035-unchangedsince.pimap");
}

/// NQ-049
#[test]
fn nq049_race() {
    play("nq049-race.pimap");
}

#[test]
fn nq036_qresync() {
    play("nq036-qresync.pimap");
}

#[test]
fn nq036_qresync_poor() {
    play("nq036-qresync-poor.pimap");
}

#[test]
fn nq038_vanished() {
    play("nq038-vanished.pimap");
}

#[test]
fn nq040_expunge() {
    play("nq040-expunge.pimap");
}

#[test]
fn nq042_withheld() {
    play("nq042-withheld.pimap");
}

#[test]
fn partial() {
    play("partial.pimap");
}

#[test]
fn preferences() {
    play("preferences.pimap");
}

#[test]
fn regular_deleted() {
    play("regular-deleted.pimap");
}

#[test]
fn regular_qresync_mismatch() {
    play("regular-qresync-mismatch.pimap");
}

#[test]
fn regular_select_failed() {
    play("regular-select-failed.pimap");
}

#[test]
fn regular_selected_again() {
    play("regular-selected-again.pimap");
}

#[test]
fn regular_silent() {
    play("regular-silent.pimap");
}

#[test]
fn regular_silent_poor() {
    play("regular-silent-poor.pimap");
}

#[test]
fn regular_store() {
    play("regular-store.pimap");
}

#[test]
fn rename_inbox() {
    play("rename-inbox.pimap");
}

#[test]
fn search_beyond() {
    play("search-beyond.pimap");
}

#[test]
fn searchres() {
    play("searchres.pimap");
}

#[test]
fn searchres_two() {
    play("searchres-two.pimap");
}

#[test]
fn searchres_failed() {
    play("searchres-failed.pimap");
}

#[test]
fn sort() {
    play("sort.pimap");
}

#[test]
fn sort_poor() {
    play("sort-poor.pimap");
}

#[test]
fn status_deleted() {
    play("status-deleted.pimap");
}

#[test]
fn store_full() {
    play("store-full.pimap");
}

#[test]
fn thread() {
    play("thread.pimap");
}

#[test]
fn upstream_lost() {
    play("upstream-lost.pimap");
}

#[test]
fn xfilter() {
    play("xfilter.pimap");
}

#[test]
fn xprovision() {
    play("xprovision.pimap");
}

#[test]
fn nq_051_owed() {
    play("nq-051-owed.pimap");
}

#[test]
fn nq_051_put() {
    play("nq-051-put.pimap");
}

#[test]
fn nq070_move() {
    play("nq070-move.pimap");
}

#[test]
fn rfc3501_mailboxes() {
    play("rfc3501-mailboxes.pimap");
}

#[test]
fn rfc3501_store() {
    play("rfc3501-store.pimap");
}
