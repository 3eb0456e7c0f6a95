//! What the end of a command does to the session.

use crate::contract::{CommandInput, Input, Output, Pending};
use crate::sync::tests::{Stage, countless};
use pimap_types::mod_seq::SelectParameters;
use pimap_types::upstream::{Data, UpstreamReply, UpstreamRequest};
use pimap_types::{Code, Command, ConnectionId, MailboxName, Response, Status, Tag, UidRanges};

const CONN: ConnectionId = ConnectionId(1);

fn reply(request: &UpstreamRequest) -> UpstreamReply {
    match request {
        UpstreamRequest::Sync { facts, .. } => countless(*facts),
        _ => UpstreamReply::Ok(Data::Uids(UidRanges::new())),
    }
}

fn select(name: &str) -> Command {
    let (mailbox, parameters) = (MailboxName::new(name), SelectParameters::default());
    Command::Select { mailbox, read_only: false, parameters }
}

fn tagged(out: &[Output]) -> Option<(Status, Option<Code>)> {
    out.iter().find_map(|output| match output {
        Output::Write(_, Response::Tagged { status, code, .. }) => Some((*status, code.clone())),
        _ => None,
    })
}

/// A tag that names another session: the SELECT is not this session's, whose mailbox stays selected.
#[test]
fn a_select_for_another_session_leaves_this_one_alone() {
    let mut stage = Stage::new();
    stage.open(CONN);
    let out = stage.command_on(CONN, "b", select("INBOX"));
    let out = stage.answer(out, reply);
    assert_eq!(tagged(&out), Some((Status::Ok, Some(Code::word("READ-WRITE")))));
    let out = stage.step(Input::Command(CommandInput {
        conn: CONN,
        tag: Tag::new("c"),
        command: select("Work"),
        pending: Pending::Nothing,
        pipelined: false,
        named: Some([0; 32]),
    }));
    assert_eq!(tagged(&out), Some((Status::No, Some(Code::word("CLIENTBUG")))));
    let out = stage.command_on(CONN, "d", Command::Unselect);
    assert_eq!(tagged(&out), Some((Status::Ok, None)), "it was selected");
}
