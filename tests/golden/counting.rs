//! The gateway's own mod-sequences: what is told of them, and their bounds.

use super::play;
use pimap_tests::transcript::play as play_text;
use pimap_tests::world::stage::WorldStage;
use pimap_types::limits::{
    LIST_STATUS_COUNTED_MAX as COUNTED_MAX, MOD_SEQ_MAILBOXES_PER_ACCOUNT_MAX as MAX,
    MOD_SEQS_PER_MAILBOX_MAX,
};

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
fn nq049_taken_over() {
    play("nq049-taken-over.pimap");
}

#[test]
fn nq042_two_devices() {
    play("nq042-two-devices.pimap");
}

/// The bound of mailboxes that one LIST has to look at: of the rest the STATUS is left out, whatever makes the gateway look.
#[test]
fn too_many_mailboxes_counted_by_one_list() {
    // One more than may be looked at; the server counts MESSAGES itself.
    let all = COUNTED_MAX + 1;
    for (upstream, item, told) in [
        ("rich", "MESSAGES", all),
        ("rich", "DELETED", COUNTED_MAX),
        ("rich", "HIGHESTMODSEQ", COUNTED_MAX),
        ("poor", "SIZE", COUNTED_MAX),
    ] {
        let mut names: Vec<String> = (1..=all).map(|n| format!("box/{n}")).collect();
        names.sort();
        let lists: String = names.iter().map(|name| format!("S: * LIST () \"/\" {name}\n")).collect();
        let number = if item == "HIGHESTMODSEQ" { "1763805600000001" } else { "0" };
        let status = |name: &String| format!("S: * STATUS {name} ({item} {number})\n");
        let statuses: String = names.iter().take(told).map(status).collect();
        let ending = match told == all {
            true => "",
            false => ", the status of some mailboxes left out",
        };
        let scene = format!(
            r#"# upstream: {upstream}
@ mailboxes {all}
C: a LOGIN joe#P1 secret
S: * SESSIONID $name
S: a OK [CAPABILITY ...] LOGIN completed
C: b LIST "" box/* RETURN (STATUS ({item}))
{lists}{statuses}S: b OK LIST completed{ending}
"#
        );
        let played = play_text(&scene, &mut WorldStage::default());
        assert!(
            played.is_ok(),
            "{item}: {}",
            played.err().map(|failure| failure.to_string()).unwrap_or_default()
        );
    }
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

/// F39: what was counted in one moment was more than is kept, then the store was lost: the count is above it all the same a second
/// later, and who comes back is told everything.
#[test]
fn a_store_lost_after_a_jump() {
    let changes: String = (0..=MOD_SEQS_PER_MAILBOX_MAX)
        .map(|n| format!("@ flag INBOX 1 {}\\\\Seen\n", if n % 2 == 0 { '+' } else { '-' }))
        .collect();
    let told = 1_763_805_600_000_001 + MOD_SEQS_PER_MAILBOX_MAX as u64 + 1;
    let scene = format!(
        r#"@ deliver INBOX
@ deliver INBOX
C: a LOGIN joe#P1 secret
S: * SESSIONID $name
S: a OK [CAPABILITY ...] LOGIN completed
C: b EXAMINE INBOX (CONDSTORE)
S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)
S: * OK [PERMANENTFLAGS ()] ...
S: * 2 EXISTS
S: * 0 RECENT
S: * OK [UNSEEN 1] ...
S: * OK [UIDVALIDITY 101] ...
S: * OK [UIDNEXT 3] ...
S: * OK [HIGHESTMODSEQ 1763805600000001] ...
S: b OK [READ-ONLY] EXAMINE completed
{changes}C: c NOOP
S: * 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ ({told}))
S: c OK NOOP completed
@ store lost
@ pass 1
S closes
C2: d LOGIN joe#P1 secret
S2: * SESSIONID $another
S2: d OK [CAPABILITY ...] LOGIN completed
C2: e EXAMINE INBOX (CONDSTORE)
S2: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)
S2: * OK [PERMANENTFLAGS ()] ...
S2: * 2 EXISTS
S2: * 0 RECENT
S2: * OK [UNSEEN 2] ...
S2: * OK [UIDVALIDITY 101] ...
S2: * OK [UIDNEXT 3] ...
S2: * OK [HIGHESTMODSEQ 1763805601000001] ...
S2: e OK [READ-ONLY] EXAMINE completed
C2: f UID FETCH 1:* (FLAGS) (CHANGEDSINCE {told})
S2: * 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (1763805601000001))
S2: * 2 FETCH (UID 2 FLAGS () MODSEQ (1763805601000001))
S2: f OK FETCH completed
"#
    );
    let played = play_text(&scene, &mut WorldStage::default());
    assert!(played.is_ok(), "{}", played.err().map(|failure| failure.to_string()).unwrap_or_default());
}
