//! The gateway's own mod-sequences: what is told of them, and their bounds.

use super::play;
use pimap_tests::transcript::play as play_text;
use pimap_tests::world::stage::WorldStage;
use pimap_types::limits::MOD_SEQ_MAILBOXES_PER_ACCOUNT_MAX as MAX;

#[test]
fn f39_expired() {
    play("f39-expired.pimap");
}

#[test]
fn f39_store_lost() {
    play("f39-store-lost.pimap");
}

#[test]
fn nq038_announced() {
    play("nq038-announced.pimap");
}

#[test]
fn nq040_resync() {
    play("nq040-resync.pimap");
}

#[test]
fn nq042_two_devices() {
    play("nq042-two-devices.pimap");
}

/// The bound of mailboxes with mod-sequences: the one that was used longest ago is kept no more, and who comes back to it is told
/// everything, with a number above all it was told.
#[test]
fn too_many_mailboxes_counted() {
    for (others, highest) in [(MAX - 1, "1763805600000001"), (MAX, "1763805600000002")] {
        let status = |n: usize| {
            // Captures have letters only.
            let any: String = n.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect();
            format!(
                "C: c STATUS box/{n} (HIGHESTMODSEQ)\nS: * STATUS box/{n} (HIGHESTMODSEQ $any_{any})\n\
                 S: c OK STATUS completed\n"
            )
        };
        let statuses: String = (1..=others).map(status).collect();
        let changed = |n: u32| format!("S: * {n} FETCH (UID {n} FLAGS () MODSEQ ({highest}))\n");
        let told: String = if others == MAX { (1..=2).map(changed).collect() } else { String::new() };
        let scene = format!(
            r#"@ mailboxes {others}
@ deliver INBOX
@ deliver INBOX
C: a LOGIN joe#P1 secret
S: * SESSIONID $name
S: a OK [CAPABILITY ...] LOGIN completed
C: b STATUS INBOX (HIGHESTMODSEQ)
S: * STATUS INBOX (HIGHESTMODSEQ 1763805600000001)
S: b OK STATUS completed
@ pass 6000
{statuses}C: d EXAMINE INBOX
S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)
S: * OK [PERMANENTFLAGS ()] ...
S: * 2 EXISTS
S: * 0 RECENT
S: * OK [UNSEEN 1] ...
S: * OK [UIDVALIDITY 101] ...
S: * OK [UIDNEXT 3] ...
S: * OK [HIGHESTMODSEQ {highest}] ...
S: d OK [READ-ONLY] EXAMINE completed
C: e UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1763805600000001)
{told}S: e OK FETCH completed
"#
        );
        let played = play_text(&scene, &mut WorldStage::default());
        assert!(played.is_ok(), "{}", played.err().map(|failure| failure.to_string()).unwrap_or_default());
    }
}
