//! In which order mailboxes have a claim on being watched.

use crate::contract::{Input, Output};
use crate::sync::tests::{Stage, countless};
use pimap_types::mod_seq::SelectParameters;
use pimap_types::upstream::{Data, UpstreamReply, UpstreamRequest, WatchList};
use pimap_types::{Command, ConnectionId, MailboxName, UidRanges};

/// Has a mailbox selected, and answers what it takes; the last list that upstream was given.
fn selects(stage: &mut Stage, conn: ConnectionId, name: &str) -> Option<WatchList> {
    let mailbox = MailboxName::new(name);
    let select = Command::Select { mailbox, read_only: true, parameters: SelectParameters::default() };
    let out = stage.command_on(conn, "b", select);
    let out = stage.answer(out, |request| match request {
        UpstreamRequest::Sync { facts, .. } => countless(*facts),
        _ => UpstreamReply::Ok(Data::Uids(UidRanges::new())),
    });
    watched(&out)
}

fn watched(out: &[Output]) -> Option<WatchList> {
    out.iter().rev().find_map(|output| match output {
        Output::Watch(list) => Some(list.clone()),
        _ => None,
    })
}

fn names(list: Option<WatchList>) -> Vec<String> {
    let list = list.expect("another list");
    list.mailboxes.iter().map(|mailbox| mailbox.as_str().to_owned()).collect()
}

/// F48: connections to spare go to those that somebody looks at.
#[test]
fn what_a_live_stream_shows_comes_first() {
    let mut stage = Stage::new();
    for (conn, name, expected) in [
        (1, "Work", &["Work"][..]),
        (2, "Archive", &["Archive", "Work"]),
        (3, "Zoo", &["Archive", "Work", "Zoo"]),
    ] {
        stage.open(ConnectionId(conn));
        assert_eq!(names(selects(&mut stage, ConnectionId(conn), name)), expected);
    }
    let idling = watched(&stage.command_on(ConnectionId(3), "c", Command::Idle)).expect("another list");
    assert_eq!(idling.first, Some(MailboxName::new("Zoo")));
    assert_eq!(names(Some(idling)), ["Zoo", "Archive", "Work"]);
    let gone = stage.step(Input::Closed { conn: ConnectionId(3), clean: true });
    assert_eq!(names(watched(&gone)), ["Archive", "Work"]);
}
