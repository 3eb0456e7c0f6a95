//! When a mailbox is ready to be told of.

use super::*;
use crate::contract::{
    CommandInput, Input, Open, OpenBy, Options, Pending, SidTags, Transport, TransportKind,
};
use pimap_types::mod_seq::SelectParameters;
use pimap_types::upstream::{Announced, Delta, Synced};
use pimap_types::{
    AccountKey, Command, ConnectionId, Date, Flags, MessageFacts, ModSeq, Response, Tag, Timestamp,
    UidRanges, UidValidity,
};
use std::sync::Arc;

const CONN: ConnectionId = ConnectionId(1);

pub(crate) struct Stage {
    pub(crate) account: Account,
    now: i64,
}

impl Stage {
    pub(crate) fn new() -> Stage {
        let options = Options {
            retention_ms: 86_400_000,
            login_valid_ms: None,
            log_events_max: 100,
            udp: None,
            channels: Vec::new(),
            zone_minutes: 0,
            delete_hidden: false,
            sid_tags: SidTags::Off,
        };
        let account = Account::new(AccountKey::new("joe"), Arc::new(options), [7; 32]);
        Stage { account, now: 1_000 }
    }

    /// One input; every batch is durable at once.
    pub(crate) fn step(&mut self, input: Input) -> Vec<Output> {
        self.now += 1;
        let (mut out, mut from) = (Vec::new(), 0);
        self.account.step(Timestamp(self.now), input, &mut out);
        while from < out.len() {
            if let Output::Commit(number, _) = out[from] {
                self.account.step(Timestamp(self.now), Input::Committed(number), &mut out);
            }
            from += 1;
        }
        out
    }

    fn command(&mut self, tag: &str, command: Command) -> Vec<Output> {
        self.command_on(CONN, tag, command)
    }

    /// A regular session begins.
    pub(crate) fn open(&mut self, conn: ConnectionId) -> Vec<Output> {
        self.step(Input::Open(Open {
            conn,
            by: OpenBy::Login {
                tag: Tag::new("a"),
                command: "LOGIN",
                device: None,
                mail_address: "joe@example.org".into(),
                credential_epoch: 1,
            },
            transport: Transport { kind: TransportKind::Tcp, may_show_key: false },
            presented: None,
            cursors: false,
            request: None,
            pending: Pending::Nothing,
            // The gateway has just started, and the cookie of a session came before any LOGIN.
            announced: Announced::default(),
        }))
    }

    /// Answers each question as it comes, until none is left; all outputs.
    pub(crate) fn answer(
        &mut self,
        mut out: Vec<Output>,
        mut reply: impl FnMut(&UpstreamRequest) -> UpstreamReply,
    ) -> Vec<Output> {
        let mut at = 0;
        while let Some(output) = out.get(at) {
            at += 1;
            if let Output::Ask(ticket, request, _) = output {
                let (ticket, reply) = (*ticket, reply(request));
                out.extend(self.step(Input::Reply(ticket, reply)));
            }
        }
        out
    }

    pub(crate) fn command_on(&mut self, conn: ConnectionId, tag: &str, command: Command) -> Vec<Output> {
        let tag = Tag::new(tag);
        self.step(Input::Command(CommandInput {
            conn,
            tag,
            command,
            pending: Pending::Nothing,
            pipelined: false,
            named: None,
        }))
    }
}

fn synchronisations(out: &[Output]) -> Vec<(Ticket, bool)> {
    out.iter()
        .filter_map(|output| match output {
            Output::Ask(ticket, UpstreamRequest::Sync { facts, .. }, _) => Some((*ticket, *facts)),
            _ => None,
        })
        .collect()
}

/// Two messages in a mailbox that has no mod-sequences.
pub(crate) fn countless(facts: bool) -> UpstreamReply {
    let uids: Vec<Uid> = [1, 2].into_iter().filter_map(Uid::new).collect();
    let told = |uid: &Uid| MessageFacts {
        uid: *uid,
        flags: Flags::default(),
        internal_date: Date(1),
        size: 1,
        mod_seq: ModSeq(0),
    };
    UpstreamReply::Ok(Data::Synced(Box::new(Synced {
        uid_validity: UidValidity::new(9).expect("not zero"),
        uid_next: 3,
        highest_mod_seq: ModSeq(0),
        messages: 2,
        flags: Flags::default(),
        permanent_flags: (Flags::default(), true),
        delta: Delta::Full {
            uids: UidRanges::from_uids(uids.iter().copied()),
            facts: if facts { uids.iter().map(told).collect() } else { Vec::new() },
        },
    })))
}

fn says_bye(out: &[Output]) -> bool {
    out.iter().any(|output| matches!(output, Output::Write(_, Response::Bye { .. })))
}

/// What is told of a mailbox before its flags are known could never be told on: nobody could say whose flags changed.
#[test]
fn a_mailbox_without_mod_sequences_is_not_told_of_before_its_flags_are_known() {
    let mut stage = Stage::new();
    stage.open(CONN);
    let mailbox = MailboxName::new("INBOX");
    let select = Command::Select {
        mailbox: mailbox.clone(),
        read_only: false,
        parameters: SelectParameters::default(),
    };
    let asked = synchronisations(&stage.command("b", select));
    assert_eq!(
        asked.iter().map(|(_, facts)| *facts).collect::<Vec<_>>(),
        [false],
        "it is taken for a good server"
    );
    let out = stage.step(Input::Reply(asked[0].0, countless(false)));
    let again = synchronisations(&out);
    assert_eq!(again.iter().map(|(_, facts)| *facts).collect::<Vec<_>>(), [true], "{out:?}");
    let mut out = stage.step(Input::Reply(again[0].0, countless(true)));
    // The watcher says now that the server has no mod-sequences: what is known already is enough.
    let announced = Announced::new(["IMAP4REV1"]);
    out.extend(stage.step(Input::Upstream(UpstreamEvent::Back {
        notify: false,
        mod_seqs: false,
        uid_plus: false,
        r#move: false,
        announced,
    })));
    for (ticket, facts) in synchronisations(&out) {
        assert!(facts);
        out.extend(stage.step(Input::Reply(ticket, countless(true))));
    }
    let searches: Vec<Ticket> = out
        .iter()
        .filter_map(|output| match output {
            Output::Ask(ticket, UpstreamRequest::Search(..), _) => Some(*ticket),
            _ => None,
        })
        .collect();
    for ticket in searches {
        out.extend(stage.step(Input::Reply(ticket, UpstreamReply::Ok(Data::Uids(UidRanges::new())))));
    }
    let selected = out.iter().any(|output| {
        matches!(output, Output::Write(_, Response::Tagged { status: Status::Ok, code: Some(code), .. })
            if *code == Code::word("READ-WRITE"))
    });
    assert!(selected && !says_bye(&out), "{out:?}");
}
