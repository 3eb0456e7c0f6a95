//! A conditional STORE and what upstream makes of its condition (NQ-049).

use crate::connection::{Conditional, Owner, Running, Stage as Progressed, Task};
use crate::contract::Output;
use crate::sync::tests::Stage;
use pimap_types::command::{StoreChange, StoreMode};
use pimap_types::mod_seq::SelectParameters;
use pimap_types::set::{SequenceSet, SetNumber};
use pimap_types::upstream::{Data, Delta, FlagsReport, Synced, UpstreamReply, UpstreamRequest};
use pimap_types::{
    Code, Command, ConnectionId, Date, Flag, Flags, MailboxName, MessageFacts, ModSeq, Response, Status,
    Target, Uid, UidRanges, UidValidity,
};

const CONN: ConnectionId = ConnectionId(1);

/// One message, as a server with mod-sequences has it.
struct Server {
    /// Its flags and mod-sequence.
    flags: Flags,
    mod_seq: u64,
    /// HIGHESTMODSEQ as it is told.
    highest: u64,
    /// Conditions that came, in order.
    conditions: Vec<Option<u64>>,
    /// So many conditions fail, whatever they are.
    fails: usize,
    /// What another client sets before the first of them.
    race: Option<Flag>,
}

impl Server {
    fn new() -> Server {
        Server { flags: Flags::default(), mod_seq: 10, highest: 10, conditions: vec![], fails: 0, race: None }
    }

    fn facts(&self) -> MessageFacts {
        let uid = Uid::new(1).expect("not zero");
        let (flags, mod_seq) = (self.flags.clone(), ModSeq(self.mod_seq));
        MessageFacts { uid, flags, internal_date: Date(1), size: 1, mod_seq }
    }

    fn set(&mut self, flag: Flag) {
        self.flags = Flags::new(self.flags.iter().cloned().chain([flag]));
        self.mod_seq += 1;
    }

    fn reply(&mut self, request: &UpstreamRequest) -> UpstreamReply {
        UpstreamReply::Ok(match request {
            UpstreamRequest::Sync { known, .. } => {
                self.highest = self.highest.max(self.mod_seq);
                let delta = match known {
                    Some(_) => Delta::Since { vanished: UidRanges::new(), changed: vec![self.facts()] },
                    None => Delta::Full { uids: one(), facts: vec![self.facts()] },
                };
                Data::Synced(Box::new(Synced {
                    uid_validity: UidValidity::new(9).expect("not zero"),
                    uid_next: 2,
                    highest_mod_seq: ModSeq(self.highest),
                    messages: 1,
                    flags: Flags::default(),
                    permanent_flags: (Flags::default(), true),
                    delta,
                }))
            }
            UpstreamRequest::Store(_, uids, change, since) => {
                self.conditions.push(since.map(|since| since.0));
                if let Some(flag) = self.race.take() {
                    self.set(flag);
                }
                let fails = self.conditions.len() <= self.fails;
                if fails || since.is_some_and(|since| self.mod_seq > since.0) {
                    return UpstreamReply::Ok(Data::Stored { flags: vec![], modified: uids.clone() });
                }
                change.flags.iter().for_each(|flag| self.set(flag.clone()));
                let MessageFacts { uid, flags, mod_seq, .. } = self.facts();
                Data::Stored { flags: vec![FlagsReport { uid, flags, mod_seq }], modified: UidRanges::new() }
            }
            _ => Data::Uids(UidRanges::new()),
        })
    }
}

fn one() -> UidRanges {
    UidRanges::from_pairs([(1, 1)])
}

/// STORE of `\Deleted` on the condition that nothing changed since SELECT; the tagged answer.
fn stores(server: &mut Server) -> (Status, Option<Code>) {
    let mut stage = Stage::new();
    stage.open(CONN);
    let parameters = SelectParameters { condstore: true, ..SelectParameters::default() };
    let select = Command::Select { mailbox: MailboxName::new("INBOX"), read_only: false, parameters };
    let out = stage.command_on(CONN, "b", select);
    let out = stage.answer(out, |request| server.reply(request));
    let known = out.iter().find_map(|output| match output {
        Output::Write(_, Response::Untagged { code: Some(Code::HighestModSeq(known)), .. }) => Some(*known),
        _ => None,
    });
    let target = Target::Uids(SequenceSet(vec![(SetNumber::Number(1), SetNumber::Number(1))]));
    let deleted = Flags::new([Flag::Deleted]);
    let change = StoreChange { mode: StoreMode::Add, silent: false, flags: deleted };
    let store = Command::Store(target, change, Some(known.expect("HIGHESTMODSEQ")));
    let out = stage.command_on(CONN, "c", store);
    let out = stage.answer(out, |request| server.reply(request));
    let tagged = out.iter().find_map(|output| match output {
        Output::Write(_, Response::Tagged { status, code, .. }) => Some((*status, code.clone())),
        _ => None,
    });
    tagged.expect("an answer")
}

fn modified() -> (Status, Option<Code>) {
    (Status::Ok, Some(Code::Modified(vec![(1, 1)])))
}

/// What is judged is what upstream is held to, in its own numbers.
#[test]
fn the_condition_goes_upstream_in_its_own_numbers() {
    let mut server = Server::new();
    assert_eq!(stores(&mut server), (Status::Ok, None));
    assert_eq!(server.conditions, [Some(10)]);
    assert!(server.flags.contains(&Flag::Deleted));
}

/// Another client between the look and the STORE: its change is not overwritten, and not tried again.
#[test]
fn what_changed_in_between_is_left_alone() {
    let mut server = Server { race: Some(Flag::Flagged), ..Server::new() };
    assert_eq!(stores(&mut server), modified());
    assert_eq!(server.conditions, [Some(10)]);
    assert!(!server.flags.contains(&Flag::Deleted));
}

/// MODIFIED although nothing changed that the handset does not know: tried again, with what upstream says by then.
#[test]
fn modified_is_tried_again_where_the_handsets_condition_holds() {
    let mut server = Server { fails: 2, ..Server::new() };
    assert_eq!(stores(&mut server), (Status::Ok, None));
    assert_eq!(server.conditions.len(), 3);
    assert!(server.flags.contains(&Flag::Deleted));
}

/// A server that fails every condition is not asked for ever.
#[test]
fn it_is_given_up_in_the_end() {
    let mut server = Server { fails: usize::MAX, ..Server::new() };
    assert_eq!(stores(&mut server), modified());
    assert_eq!(server.conditions.len(), 4);
    assert!(!server.flags.contains(&Flag::Deleted));
}

/// Without mod-sequences upstream is asked for no condition.
#[test]
fn a_server_without_mod_sequences_is_sent_no_condition() {
    let mut server = Server { mod_seq: 0, highest: 0, ..Server::new() };
    assert_eq!(stores(&mut server), (Status::Ok, None));
    assert_eq!(server.conditions, [None]);
}

/// The mailbox must be synchronised again by the time the answer is due: a number would name another message, and OK alone would say
/// that all of it was done.
#[test]
fn what_was_left_alone_is_named_by_numbers_only_while_they_hold() {
    let mut server = Server::new();
    let mut stage = Stage::new();
    stage.open(CONN);
    let (mailbox, parameters) = (MailboxName::new("INBOX"), SelectParameters::default());
    let select = Command::Select { mailbox: mailbox.clone(), read_only: false, parameters };
    let out = stage.command_on(CONN, "b", select);
    stage.answer(out, |request| server.reply(request));
    let running = Running {
        tag: None,
        task: Task::Command(Command::Noop),
        stage: Progressed::Start,
        since: 0,
        ticket: None,
        parked: None,
        index: 0,
        aimed: None,
        intended: true,
        cancelled: false,
        conditional: Conditional { modified: one(), ..Conditional::default() },
        behind: None,
    };
    let set = || SequenceSet(vec![(SetNumber::Number(1), SetNumber::Number(1))]);
    let told = |stage: &Stage, target: &Target| {
        let ending = stage.account.stored_ending(CONN, target, &running);
        (ending.status, ending.code)
    };
    assert_eq!(told(&stage, &Target::Mobile(set())), modified());
    stage.account.break_truth(&Owner::Regular(CONN), &mailbox, "gap");
    assert_eq!(told(&stage, &Target::Mobile(set())), (Status::No, None));
    assert_eq!(told(&stage, &Target::Uids(set())), modified(), "a UID names what it named");
}
