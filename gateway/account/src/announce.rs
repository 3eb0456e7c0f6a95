//! Arrivals announced with items: by a FETCH instead of EXISTS (PIMAP_INBAND_NEW_FORMAT, P-IMAP 5.2.2 [3]), or behind it
//! (MessageNew with items, RFC 5465 5.2).
//!
//! The arrival is told first, that is, it is an offer of the log and durable; then upstream is asked for the items of exactly
//! those messages, and their lines stream to the handset unasked. Whatever was to follow (the tagged line of a command, of
//! DONE, of LOGIN) and whatever comes meanwhile (one command, or DONE) waits. Numbers cannot change under it, because nothing
//! else is told on the connection until it is over. A message of which no line came is told by EXISTS, so that no number is
//! ever skipped (F26).

use crate::account::{Account, Question};
use crate::command::finish::Finished;
use crate::connection::Owner;
use crate::contract::{Carry, CommandInput, Output, Pending};
use pimap_session::{Flush, Wanted};
use pimap_types::command::FetchItem;
use pimap_types::preference::NewFormat;
use pimap_types::upstream::{Data, UpstreamReply, UpstreamRequest};
use pimap_types::{Command, ConnectionId, MailboxName, Response, Status, Tag, Ticket, Uid, UidRanges};
use std::sync::Arc;

/// How arrivals are announced on a connection.
pub(crate) struct Format {
    items: Vec<FetchItem>,
    /// The FETCH stands for EXISTS.
    instead: bool,
}

/// Arrivals that were told and are to be announced with items.
pub(crate) struct News {
    mailbox: MailboxName,
    uids: UidRanges,
    format: Format,
}

/// What telling came to.
#[derive(Default)]
pub(crate) struct Telling {
    /// Lines were written.
    pub(crate) wrote: bool,
    /// To be announced now, before anything else is written.
    pub(crate) news: Option<News>,
}

/// An announcement under way on a connection.
pub(crate) struct Announcing {
    ticket: Ticket,
    mailbox: MailboxName,
    uids: UidRanges,
    instead: bool,
    then: Afterwards,
}

/// What an announcement holds up.
pub(crate) enum Afterwards {
    /// Nothing: it was pushed.
    Pushed,
    /// The end of a command.
    Finish(Box<Finished>),
    /// The end of IDLE, and how it ends.
    Done(Tag, Status),
    /// The end of LOGIN.
    Login {
        /// Its tag.
        tag: Option<Tag>,
        /// The handset knows what an earlier answer to LOGIN told.
        informed: bool,
    },
}

/// What came while an announcement was pushed.
pub(crate) enum Waiting {
    Command(CommandInput),
    Done(Done),
}

/// What ended an IDLE, and what follows it.
#[derive(Clone, Copy)]
pub(crate) struct Done {
    pub(crate) pending: Pending,
    pub(crate) pipelined: bool,
    pub(crate) misspoken: bool,
}

impl Account {
    /// How arrivals are announced on this connection; `None`: by EXISTS alone. NOTIFY, once used, is all that counts.
    pub(crate) fn format_of(&self, conn: ConnectionId) -> Option<Format> {
        let c = self.connections.get(&conn)?;
        let peeking = |items: &[FetchItem]| items.iter().cloned().map(FetchItem::peeking).collect::<Vec<_>>();
        if let Some(notify) = &c.notify {
            let items = peeking(&notify.selected.items);
            return (!items.is_empty()).then_some(Format { items, instead: false });
        }
        let Owner::Device(id) = &c.owner else { return None };
        let NewFormat::Items { items, .. } = &self.devices.get(id)?.preferences.new_format else {
            return None;
        };
        let mut items = peeking(items);
        if !items.contains(&FetchItem::Uid) {
            items.insert(0, FetchItem::Uid);
        }
        Some(Format { items, instead: true })
    }

    /// Tells what is untold and wanted, as [`Account::tell`] does, with arrivals in the connection's own format.
    pub(crate) fn tell_news(&mut self, conn: ConnectionId, flush: Flush, wanted: Wanted) -> Telling {
        let Some((owner, mailbox)) = self.selected_of(conn) else { return Telling::default() };
        let told_max = |account: &Account| {
            account.session(&owner).and_then(|s| s.told(&mailbox)).map_or(0, |told| told.told_max)
        };
        let before = told_max(self);
        let format = self.format_of(conn);
        let instead = format.as_ref().is_some_and(|format| format.instead);
        let wrote = self.tell_wanted(conn, flush, wanted, instead);
        let told = self.session(&owner).and_then(|s| s.told(&mailbox)).filter(|told| !told.resync);
        let arrived = told.map(|told| UidRanges::from_uids(told.view.above(Uid::new(before))));
        let (Some(format), Some(mut uids)) = (format, arrived) else { return Telling { wrote, news: None } };
        if !format.instead
            && let Some(notify) = self.connections.get(&conn).and_then(|c| c.notify.as_ref())
        {
            // RFC 5465 5.2: not of what the client itself put there.
            uids = notify.not_own(&mailbox, &uids);
        }
        let news = (!uids.is_empty()).then_some(News { mailbox, uids, format });
        Telling { wrote, news }
    }

    /// Goes on at once when there is nothing to announce, else when it is announced.
    pub(crate) fn announce(&mut self, conn: ConnectionId, telling: Telling, then: Afterwards) {
        let Some(News { mailbox, uids, format: Format { items, instead } }) = telling.news else {
            return self.go_on_after(conn, then);
        };
        let live = self.connections.get(&conn).filter(|c| !c.finished).map(|c| c.owner.clone());
        let at = self.mirrors.get(&mailbox).and_then(|mirror| mirror.at(&mailbox));
        let (Some(owner), Some(at)) = (live, at) else {
            self.tell_count(conn, &mailbox, instead);
            return self.go_on_after(conn, then);
        };
        let numbers = Arc::new(self.numbers(&owner, &mailbox));
        let counted = self.is_counting(&owner) || items.contains(&FetchItem::ModSeq);
        let mut items = items;
        items.retain(|item| *item != FetchItem::ModSeq);
        if counted && !items.contains(&FetchItem::Uid) {
            // RFC 7162 3.2.4: what is told unasked names the message by its UID.
            items.insert(0, FetchItem::Uid);
        }
        let mod_seqs = if counted { self.mod_seqs_of(conn, &mailbox, &uids) } else { None };
        let request = UpstreamRequest::Fetch(at, uids.clone(), items);
        let ticket = self.ask(request, Carry::FetchTo(conn, numbers, mod_seqs), Question::Announce(conn));
        if let Some(c) = self.connections.get_mut(&conn) {
            c.announcing = Some(Box::new(Announcing { ticket, mailbox, uids, instead, then }));
        }
    }

    /// `* n EXISTS` of the view as told, for what no FETCH has announced.
    fn tell_count(&mut self, conn: ConnectionId, mailbox: &MailboxName, instead: bool) {
        let owner = self.connections.get(&conn).map(|c| c.owner.clone());
        let told = owner.as_ref().and_then(|owner| self.session(owner)).and_then(|s| s.told(mailbox));
        if let Some(told) = told.filter(|told| instead && !told.resync) {
            let count = told.view.len();
            self.write(conn, Response::Exists(count));
        }
    }

    /// The items have streamed by, or could not be had.
    pub(crate) fn announced(&mut self, conn: ConnectionId, ticket: Ticket, reply: UpstreamReply) {
        let Some(c) = self.connections.get_mut(&conn) else { return };
        let Some(announcing) = c.announcing.take_if(|announcing| announcing.ticket == ticket) else { return };
        let owner = c.owner.clone();
        let Announcing { mailbox, uids, instead, then, .. } = *announcing;
        let shown = match reply {
            UpstreamReply::Ok(Data::Fetched { flags, expunge_issued, shown })
            | UpstreamReply::Refused { data: Some(Data::Fetched { flags, expunge_issued, shown }), .. } => {
                for report in &flags {
                    self.apply_flags(&mailbox, report, Some(&owner));
                }
                if expunge_issued {
                    self.sync(&mailbox);
                }
                shown
            }
            _ => UidRanges::new(),
        };
        if shown.intersection(&uids) != uids {
            self.tell_count(conn, &mailbox, instead);
        }
        self.go_on_after(conn, then);
    }

    fn go_on_after(&mut self, conn: ConnectionId, then: Afterwards) {
        match then {
            Afterwards::Pushed => {
                self.tell_cursor(conn);
                self.take_waiting(conn);
            }
            Afterwards::Finish(finished) => self.finish_told(conn, *finished),
            Afterwards::Done(tag, status) => self.done_told(conn, &tag, status),
            Afterwards::Login { tag, informed } => self.login_told(conn, tag.as_ref(), informed),
        }
    }

    /// What came meanwhile is taken up.
    fn take_waiting(&mut self, conn: ConnectionId) {
        let waiting = self.connections.get_mut(&conn).and_then(|c| c.waiting.take());
        match waiting.map(|waiting| *waiting) {
            Some(Waiting::Command(input)) => self.command(input),
            Some(Waiting::Done(done)) => self.done(conn, done),
            None => {}
        }
    }

    /// Keeps what comes while an announcement is under way: one command, or DONE, since a connection has no more than one
    /// at a time. False: nothing is under way.
    pub(crate) fn is_held_up(&mut self, conn: ConnectionId, waiting: impl FnOnce() -> Waiting) -> bool {
        let Some(c) = self.connections.get_mut(&conn).filter(|c| c.announcing.is_some()) else {
            return false;
        };
        c.waiting.get_or_insert_with(|| Box::new(waiting()));
        true
    }

    /// More input came behind a command that waits.
    pub(crate) fn note_more_behind(&mut self, conn: ConnectionId) {
        let waiting = self.connections.get_mut(&conn).and_then(|c| c.waiting.as_deref_mut());
        if let Some(Waiting::Command(CommandInput { pending, .. }) | Waiting::Done(Done { pending, .. })) =
            waiting
        {
            *pending = Pending::More;
        }
    }

    /// The connection's output has ended: the announcement is called off.
    pub(crate) fn cancel_announcing(&mut self, conn: ConnectionId) {
        let Some(c) = self.connections.get_mut(&conn) else { return };
        c.waiting = None;
        if let Some(announcing) = c.announcing.take() {
            self.outbox.push(Output::Cancel(announcing.ticket));
        }
    }

    /// Which kinds of event are told on this connection, with the answer to this command or by themselves (RFC 5465 3.1).
    pub(crate) fn wanted(&self, conn: ConnectionId, by: Option<&Command>) -> Wanted {
        let notify = self.connections.get(&conn).and_then(|c| c.notify.as_ref());
        let Some(notify) = notify else { return Wanted::ALL };
        let selected = &notify.selected;
        let base =
            Wanted { arrivals: selected.messages, departures: selected.messages, flags: selected.flags };
        match by {
            // What SELECT describes is up to date; NOTIFY is a NOOP too, and what came before it was wanted.
            Some(Command::Select { .. } | Command::Notify(_)) => Wanted::ALL,
            // What a command was asked to do is its answer, not an event.
            Some(Command::Store(..) | Command::Fetch(..)) => Wanted { flags: true, ..base },
            Some(Command::Expunge | Command::UidExpunge(_) | Command::Move(..)) => {
                Wanted { departures: true, ..base }
            }
            _ => base,
        }
    }
}
