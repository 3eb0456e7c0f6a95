//! A modelled upstream: answers questions and reports events exactly as the vocabulary promises, at its own pace.
//!
//! In go the owner's questions and the acts of other clients; out come replies and events, delivered when the world says so:
//! a question is carried out at one moment and answered at a later one, in any order among questions, and no order is
//! promised between a reply and an event. Events of one watching connection keep their order; while it is down they are
//! lost, and `Back` says so afterwards.

mod answer;
mod append;
mod hear;

use super::mail::Mail;
use pimap_account::contract::Carry;
use pimap_types::append::AppendPiece;
use pimap_types::command::StoreChange;
use pimap_types::upstream::{
    Announced, Data, UpstreamEvent, UpstreamFault, UpstreamReply, UpstreamRequest, WatchList,
};
use pimap_types::{Date, MailboxName, Ticket, Uid};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What the server can do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Traits {
    /// CONDSTORE.
    pub mod_seqs: bool,
    /// QRESYNC, which has CONDSTORE in it: it tells by UID what is gone.
    pub qresync: bool,
    /// UIDPLUS.
    pub uid_plus: bool,
    /// MOVE.
    pub r#move: bool,
    /// NOTIFY.
    pub notify: bool,
    /// IDLE: the mailbox that is open is heard of at once.
    pub idle: bool,
    /// Everything about mailboxes: NAMESPACE, CHILDREN, LIST-EXTENDED, SPECIAL-USE, STATUS=SIZE.
    pub mailboxes: bool,
    /// THREAD=REFS and WITHIN, and SORT and THREAD of its own.
    pub sort: bool,
    /// MULTIAPPEND, CATENATE and BINARY.
    pub append: bool,
    /// So many mailboxes beside the first are watched on connections to spare where there is IDLE and no NOTIFY (F48).
    pub spares: usize,
}

impl Traits {
    /// A server that has everything.
    pub const RICH: Traits = Traits {
        mod_seqs: true,
        qresync: true,
        uid_plus: true,
        r#move: true,
        notify: true,
        idle: true,
        mailboxes: true,
        sort: true,
        append: true,
        spares: 0,
    };
    /// A server that has nothing but IDLE.
    pub const POOR: Traits = Traits {
        mod_seqs: false,
        qresync: false,
        uid_plus: false,
        r#move: false,
        notify: false,
        idle: true,
        mailboxes: false,
        sort: false,
        append: false,
        spares: 0,
    };

    /// What such a server announces.
    pub fn announced(self) -> Announced {
        let rich = [
            (self.mod_seqs, "CONDSTORE"),
            (self.qresync, "QRESYNC"),
            (self.idle, "IDLE"),
            (self.uid_plus, "UIDPLUS"),
            (self.r#move, "MOVE"),
            (self.notify, "NOTIFY"),
            (self.mailboxes, "NAMESPACE"),
            (self.mailboxes, "CHILDREN"),
            (self.mailboxes, "LIST-EXTENDED"),
            (self.mailboxes, "SPECIAL-USE"),
            (self.mailboxes, "STATUS=SIZE"),
            (self.sort, "SORT"),
            (self.sort, "THREAD=ORDEREDSUBJECT"),
            (self.sort, "THREAD=REFERENCES"),
            (self.sort, "WITHIN"),
            (self.append, "MULTIAPPEND"),
            (self.append, "CATENATE"),
            (self.append, "BINARY"),
            (self.append, "UTF8=ACCEPT"),
        ];
        let has = rich.into_iter().filter(|(has, _)| *has).map(|(_, word)| word);
        Announced::new(["IMAP4REV1"].into_iter().chain(has))
    }
}

/// How far a question is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Sent, not carried out.
    Asked,
    /// Carried out; the answer is on its way.
    Done(UpstreamReply, Vec<(Uid, Vec<u8>)>),
}

/// A question.
#[derive(Clone, Debug)]
pub struct Question {
    /// Its ticket.
    pub ticket: Ticket,
    /// What is asked.
    pub request: UpstreamRequest,
    /// Where its body comes from or goes.
    pub carry: Carry,
    /// How far it is.
    pub stage: Stage,
}

/// An answer as the driver gets it: pieces of a FETCH first.
#[derive(Clone, Debug)]
pub struct Answered {
    /// Which question.
    pub ticket: Ticket,
    /// Where pieces go.
    pub carry: Carry,
    /// Messages of a FETCH: items between parentheses.
    pub pieces: Vec<(Uid, Vec<u8>)>,
    /// The reply.
    pub reply: UpstreamReply,
}

/// The server and its side of the gateway.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// What it can do.
    pub traits: Traits,
    /// The mail.
    pub mail: Mail,
    /// Whether it can be reached.
    pub reachable: bool,
    /// Questions not answered yet, oldest first.
    pub questions: Vec<Question>,
    /// Events on their way, in order.
    pub events: VecDeque<UpstreamEvent>,
    /// Today in the server's zone.
    pub today: Date,
    /// So many looks at a mailbox find it empty, as one whose disk is not mounted (F53).
    pub unmounted: u32,
    /// What another client does to a message right before the next STORE.
    pub race: Option<(MailboxName, u32, StoreChange)>,
    /// It refuses to search the content of mail.
    pub unsearchable: bool,
    /// How the next searches of content are refused: the code, or none.
    pub search_refusals: Vec<Option<String>>,
    watch: WatchList,
    /// The watching connection is up.
    watching: bool,
    /// A gateway is there that wants a watching connection.
    wanted: bool,
    /// Mailboxes that changed and are told of by the next poll.
    unpolled: BTreeSet<MailboxName>,
    /// What a NOOP in the open mailbox will be told, where there is no IDLE.
    unheard: Vec<UpstreamEvent>,
    /// Mailboxes watched on connections to spare, and whether each has its connection now.
    spares: BTreeMap<MailboxName, bool>,
    /// What those connections heard. Nothing is promised of its order beside `events`.
    spare_events: VecDeque<UpstreamEvent>,
}

impl Upstream {
    /// A server with an empty INBOX.
    pub fn new(traits: Traits) -> Upstream {
        let mut mail = Mail::default();
        mail.create(&MailboxName::new("INBOX"));
        Upstream {
            traits,
            mail,
            reachable: true,
            questions: Vec::new(),
            events: VecDeque::new(),
            unmounted: 0,
            unsearchable: false,
            search_refusals: Vec::new(),
            today: Date(0),
            race: None,
            watch: WatchList::default(),
            watching: false,
            wanted: false,
            unpolled: BTreeSet::new(),
            unheard: Vec::new(),
            spares: BTreeMap::new(),
            spare_events: VecDeque::new(),
        }
    }

    // === the gateway's side ===

    /// A question is sent.
    pub fn ask(&mut self, ticket: Ticket, request: UpstreamRequest, carry: Carry) {
        let stage = match self.reachable {
            true => Stage::Asked,
            false => Stage::Done(UpstreamReply::Failed(UpstreamFault::Unavailable), Vec::new()),
        };
        self.questions.push(Question { ticket, request, carry, stage });
    }

    /// A question is called off; one that changes mail ends by itself.
    pub fn cancel(&mut self, ticket: Ticket) {
        let reads = |q: &&mut Question| q.ticket == ticket && !q.request.is_mutation();
        if let Some(question) = self.questions.iter_mut().find(reads) {
            question.stage = Stage::Done(UpstreamReply::Failed(UpstreamFault::Cancelled), Vec::new());
        }
    }

    /// Watch these.
    pub fn watch(&mut self, list: WatchList) {
        let left = std::mem::replace(&mut self.watch, list).first;
        self.wanted = true;
        if !self.watching {
            return self.connect_watcher();
        }
        let Some(first) = self.watch.first.clone().filter(|first| left.as_ref() != Some(first)) else {
            return self.assign_spares();
        };
        self.unheard.clear();
        // What was on its way about the mailbox that is left is lost with it; the one that is opened tells its numbers.
        self.events.extend(left.map(look_at));
        let event = self.status_event(&first);
        self.events.push_back(event);
        self.assign_spares();
    }

    /// The gateway died: its questions are answered to nobody, its watching connection is gone. `carried_out` decides
    /// which of the changes still under way happen all the same.
    pub fn abandon(&mut self, mut carried_out: impl FnMut() -> bool) {
        for question in std::mem::take(&mut self.questions) {
            let append = matches!(question.request, UpstreamRequest::Append(_));
            if question.stage == Stage::Asked && question.request.is_mutation() && !append && carried_out() {
                self.carry_out(question.request, None);
            }
        }
        (self.watching, self.wanted) = (false, false);
        self.events.clear();
        self.lose_spares();
    }

    /// Carries a question out. An APPEND needs its message.
    pub fn execute(&mut self, at: usize, message: Option<Vec<AppendPiece>>) {
        let Some(request) = self.questions.get(at).map(|q| q.request.clone()) else { return };
        let (reply, pieces) = self.carry_out(request, message);
        self.questions[at].stage = Stage::Done(reply, pieces);
    }

    /// The answer to a question that was carried out.
    pub fn answer(&mut self, at: usize) -> Option<Answered> {
        let Stage::Done(reply, pieces) = self.questions.get(at)?.stage.clone() else { return None };
        let Question { ticket, carry, .. } = self.questions.remove(at);
        Some(Answered { ticket, carry, pieces, reply })
    }

    /// It does not take any more what the gateway logs in with.
    pub fn refuse(&mut self) {
        self.lose_connections();
        self.events.push_back(UpstreamEvent::CredentialsRefused);
    }

    /// The connections are lost. Changes that were sent are in doubt; what was not sent did not happen.
    pub fn lose_connections(&mut self) {
        self.reachable = false;
        for question in &mut self.questions {
            let doubtful =
                question.request.is_mutation() && !matches!(question.request, UpstreamRequest::Append(_));
            let fault = match (&question.stage, doubtful) {
                (Stage::Done(UpstreamReply::Ok(_) | UpstreamReply::Refused { .. }, _), true) => {
                    UpstreamFault::InDoubt
                }
                (Stage::Done(UpstreamReply::Failed(fault), _), _) => fault.clone(),
                _ => UpstreamFault::Unavailable,
            };
            question.stage = Stage::Done(UpstreamReply::Failed(fault), Vec::new());
        }
        self.lose_spares();
        if std::mem::take(&mut self.watching) {
            // What the dead connection had said and nobody had heard is lost with it.
            self.events.clear();
            self.events.push_back(UpstreamEvent::Lost);
        }
    }

    /// The server can be reached again.
    pub fn come_back(&mut self) {
        self.reachable = true;
        self.connect_watcher();
    }

    /// Only the watching connection breaks, and is made anew; no connection is spared while there is none.
    pub fn lose_watcher(&mut self) {
        self.lose_spares();
        if std::mem::take(&mut self.watching) {
            self.events.clear();
            self.events.push_back(UpstreamEvent::Lost);
            self.connect_watcher();
        }
    }

    /// The watching connection looks alive and hears nothing any more (F49).
    pub fn deafen(&mut self) {
        self.lose_spares();
        self.watching = false;
    }

    fn connect_watcher(&mut self) {
        if !self.wanted || !self.reachable || self.watching {
            return;
        }
        self.watching = true;
        let Traits { mod_seqs, uid_plus, r#move, notify, .. } = self.traits;
        let announced = self.traits.announced();
        self.events.push_back(UpstreamEvent::Back { notify, mod_seqs, uid_plus, r#move, announced });
        self.unpolled.clear();
        self.unheard.clear();
        self.assign_spares();
    }

    /// Polls by STATUS the mailboxes that no connection hears of, and the open one by NOOP. Connections to spare that rested
    /// watch again.
    pub fn poll(&mut self) {
        if !self.watching {
            return;
        }
        self.begin_spares();
        self.events.append(&mut VecDeque::from(std::mem::take(&mut self.unheard)));
        for mailbox in std::mem::take(&mut self.unpolled) {
            let event = self.status_event(&mailbox);
            self.events.push_back(event);
        }
    }

    /// The event at the front is heard twice.
    pub fn repeat_event(&mut self) {
        if let Some(event) = self.events.front().cloned() {
            self.events.push_front(event);
        }
    }
}

fn look_at(mailbox: MailboxName) -> UpstreamEvent {
    UpstreamEvent::Status {
        mailbox,
        uid_validity: None,
        uid_next: None,
        messages: None,
        highest_mod_seq: None,
    }
}

/// Upstream said yes.
fn said(data: Data) -> UpstreamReply {
    UpstreamReply::Ok(data)
}
