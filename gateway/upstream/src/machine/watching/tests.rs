//! What a watching connection's lines mean for the account.

use super::*;
use pimap_wire::client::assemble::Assembler;
use pimap_wire::client::frame::ResponseFramer;

fn watching(uid_next: u32) -> Watching {
    let mut watching = Watching::default();
    let uid_validity = UidValidity::new(3).expect("not zero");
    watching.open(Some(Open { mailbox: MailboxName::new("INBOX"), uid_validity, uid_next }));
    watching
}

/// Feeds lines that arrive together.
fn feed(watching: &mut Watching, lines: &[&str]) -> Vec<UpstreamEvent> {
    let (mut framer, mut assembler, mut out) = (ResponseFramer::new(), Assembler::default(), Vec::new());
    framer.buffer().extend_from_slice(format!("{}\r\n", lines.join("\r\n")).as_bytes());
    while let Some(piece) = framer.next_piece().expect("frames") {
        if let Some(response) = assembler.push(piece).expect("parses") {
            watching.on_response(response, &mut out).expect("understands");
        }
    }
    watching.settle(&mut out);
    out
}

fn facts(uid: u32) -> String {
    format!("* 9 FETCH (UID {uid} FLAGS () INTERNALDATE \" 1-Feb-2004 10:00:00 +0000\" RFC822.SIZE 9)")
}

fn uids(event: &UpstreamEvent) -> Vec<u32> {
    match event {
        UpstreamEvent::Changed { facts, .. } => facts.iter().map(|f| f.uid.get()).collect(),
        UpstreamEvent::Vanished { uids, .. } => uids.iter().map(Uid::get).collect(),
        _ => vec![],
    }
}

#[test]
fn a_burst_is_one_event() {
    let mut watching = watching(5);
    let out = feed(&mut watching, &["* 5 EXISTS", &facts(6), &facts(5), "* 7 EXISTS", &facts(7)]);
    assert_eq!(out.len(), 1);
    assert_eq!(uids(&out[0]), [5, 6, 7]);
    assert_eq!((watching.due(), watching.opened().map(|o| o.uid_next)), (None, Some(8)));
}

/// Nobody says what is gone: the owner looks. Who is said to be gone is counted off.
#[test]
fn a_count_that_goes_down_by_itself_is_looked_into() {
    let look = [look_at(MailboxName::new("INBOX"))];
    let mut watching = watching(5);
    watching.holds(4);
    assert_eq!(feed(&mut watching, &["* 4 EXISTS"]), []);
    assert_eq!(feed(&mut watching, &["* 3 EXISTS"]), look);
    assert_eq!(feed(&mut watching, &["* 3 EXISTS"]), []);
    assert_eq!(feed(&mut watching, &["* VANISHED 2", "* 2 EXISTS"]).len(), 1, "what vanished, and no look");
    assert_eq!(feed(&mut watching, &["* 1 EXPUNGE", "* 1 EXISTS"]), look);
}

#[test]
fn arrivals_without_facts_are_asked_for_by_uid() {
    let mut watching = watching(5);
    // The count is what it was: one came, one went.
    assert_eq!(feed(&mut watching, &["* VANISHED 2", "* 4 EXISTS"]).len(), 1);
    assert_eq!(watching.due(), Some(Due::Arrivals(5)));
    watching.asked(&Due::Arrivals(5));
    assert_eq!(watching.due(), None);
    // No UIDNEXT: nothing to ask from.
    let mut watching = self::watching(0);
    assert_eq!(feed(&mut watching, &["* 4 EXISTS"]), [look_at(MailboxName::new("INBOX"))]);
}

#[test]
fn flags_alone_want_the_other_facts() {
    let mut watching = watching(9);
    let lines = ["* 1 FETCH (UID 4 FLAGS (\\Seen))", "* 2 FETCH (UID 6 FLAGS ())", "* VANISHED 6"];
    assert_eq!(uids(&feed(&mut watching, &lines)[0]), [6]);
    assert_eq!(watching.due(), Some(Due::Facts(UidRanges::from_pairs([(4, 4)]))));
}

#[test]
fn sequence_numbers_only_say_look() {
    let mut watching = watching(9);
    let look = [look_at(MailboxName::new("INBOX"))];
    assert_eq!(feed(&mut watching, &["* 3 EXPUNGE", "* 1 FETCH (FLAGS (\\Seen))", "* 2 EXPUNGE"]), look);
    assert_eq!(feed(&mut watching, &["* OK Still here"]), []);
}

#[test]
fn repeated_numbers_are_told_once() {
    let mut watching = watching(9);
    watching.watch(WatchList { first: None, mailboxes: vec![MailboxName::new("Work")], all: false });
    let line = "* STATUS Work (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 1 HIGHESTMODSEQ 8)";
    assert_eq!(feed(&mut watching, &[line, "* STATUS Other (MESSAGES 1)", line]).len(), 1);
    assert_eq!(feed(&mut watching, &["* STATUS Work (MESSAGES 4 UIDNEXT 5)"]).len(), 1);
}

#[test]
fn an_overflow_or_bye_ends_it() {
    let mut watching = watching(9);
    for (line, fault) in [("* OK [NOTIFICATIONOVERFLOW] x", Fault::Overflowed), ("* BYE x", Fault::Lost)] {
        let response = UpstreamResponse::parse(line.as_bytes()).expect("parses");
        assert_eq!(watching.on_response(response, &mut Vec::new()), Err(fault));
    }
}
