//! The talking of a connection that watches: opens a mailbox, waits in IDLE, asks for facts of what it was told of, tells the owner.
//!
//! What responses mean is decided by [`crate::machine::watching`]. Never SELECT: `\Recent` stays where it is (F27). Goes on until the
//! connection ends, or until it is not to watch any more.

use super::{WatchState, back};
use crate::connection::{COMMAND_TIME_MAX, Connection};
use crate::execute::{fetch_facts, open};
use crate::fault::Fault;
use crate::machine::collect::Collected;
use crate::machine::watching::{Due, Open, Watching, look_at};
use crate::pool::doors::{Bar, Inside, is_barred};
use crate::pool::{Pool, Spare};
use pimap_types::response::Status;
use pimap_types::upstream::{UpstreamEvent, WatchList};
use pimap_types::{MailboxName, limits};
use pimap_wire::client::request::Request;
use pimap_wire::client::response::UpstreamResponse;
use std::future::pending;
use std::time::Duration;
use tokio::sync::{mpsc, watch as watch_channel};
use tokio::time::{Instant, sleep_until, timeout};

/// How long an arrival's facts may follow its EXISTS by themselves (NOTIFY) before they are asked for.
const FACTS_FOLLOW: Duration = Duration::from_millis(500);
/// Responses after which the owner is told, while the server goes on speaking within a command.
const GATHERED_MAX: u64 = 256;

/// One watching connection.
pub(super) struct Watcher<'a> {
    connection: &'a mut Connection,
    watching: Watching,
    pool: &'a Pool,
    state: &'a WatchState,
    events: &'a mpsc::Sender<UpstreamEvent>,
    out: Vec<UpstreamEvent>,
    /// It is set up: before, nothing is told, for [`UpstreamEvent::Back`] comes first.
    begun: bool,
    /// The mailbox that is watched on a connection to spare; none: this is the account's watching connection.
    spare: Option<&'a MailboxName>,
    /// The mailbox that is open on the watching connection; a connection to spare has its lease for that.
    inside: Option<Inside>,
    /// The mailbox that was to be opened, and was shut.
    kept_out: Option<MailboxName>,
}

/// Why waiting has ended.
enum Woken {
    Octets,
    List,
    Credentials,
    Leave,
    /// The mailbox that is open is being deleted or renamed, or one that was is to be had again.
    Door,
    Renew,
    Ask,
}

/// What ends waiting besides the server and time.
pub(super) enum Interrupts<'a> {
    /// The account's watching connection: another list, other credentials.
    First {
        /// What to watch.
        list: &'a mut watch_channel::Receiver<WatchList>,
        /// The credentials.
        epochs: &'a mut watch_channel::Receiver<u64>,
    },
    /// A connection to spare: a command needs it, or its mailbox is not to be watched on it any more.
    Spare {
        /// Whether a command needs it.
        spare: &'a Spare,
        /// What is watched on connections to spare.
        assigned: &'a mut watch_channel::Receiver<Vec<MailboxName>>,
        /// The credentials.
        epochs: &'a mut watch_channel::Receiver<u64>,
    },
}

impl Interrupts<'_> {
    /// The next; cancel-safe.
    async fn next(&mut self) -> Result<Woken, Fault> {
        match self {
            Interrupts::First { list, epochs } => tokio::select! {
                changed = list.changed() => changed.map(|()| Woken::List).map_err(|_| Fault::Lost),
                _ = epochs.changed() => Ok(Woken::Credentials),
            },
            Interrupts::Spare { spare, assigned, epochs } => tokio::select! {
                () = spare.is_wanted() => Ok(Woken::Leave),
                left = assigned.wait_for(|assigned| !assigned.contains(spare.mailbox())) => {
                    left.map(|_| Woken::Leave).map_err(|_| Fault::Lost)
                }
                _ = epochs.changed() => Ok(Woken::Credentials),
            },
        }
    }
}

impl<'a> Watcher<'a> {
    /// On a connection that is logged in.
    pub(super) fn new(
        connection: &'a mut Connection,
        pool: &'a Pool,
        state: &'a WatchState,
        events: &'a mpsc::Sender<UpstreamEvent>,
        spare: Option<&'a MailboxName>,
    ) -> Self {
        Self {
            connection,
            watching: Watching::default(),
            pool,
            state,
            events,
            out: Vec::new(),
            begun: false,
            spare,
            inside: None,
            kept_out: None,
        }
    }

    /// Sets up the account's watching connection; ends with [`UpstreamEvent::Back`].
    pub(super) async fn begin(&mut self, list: &mut watch_channel::Receiver<WatchList>) -> Result<(), Fault> {
        let can = self.connection.capabilities;
        self.connection.events = Some(Vec::new());
        let list_now = list.borrow_and_update().clone();
        self.watching.watch(list_now.clone());
        if can.notify && can.idle && !self.state.is_overflowing() {
            let mod_seq = self.connection.condstore;
            self.watching.notify = self.converse(&Request::Notify { mod_seq }).await?;
        }
        let told = std::mem::take(&mut self.out);
        self.open_first(&list_now).await?;
        let first = std::mem::replace(&mut self.out, vec![back(self.connection, self.watching.notify)]);
        self.out.extend(told);
        self.out.extend(first);
        self.tell().await?;
        let notify = self.watching.notify;
        self.state.change(|c| (c.connected, c.notify, c.idle) = (true, notify, can.idle));
        self.begun = true;
        Ok(())
    }

    /// Sets up a connection to spare; whether its mailbox can be watched.
    pub(super) async fn begin_spare(&mut self, mailbox: &MailboxName) -> Result<bool, Fault> {
        self.connection.events = Some(Vec::new());
        self.open(mailbox).await?;
        self.tell().await?;
        self.begun = true;
        Ok(self.watching.opened().is_some())
    }

    /// Watches until the connection ends; ends well when it is not to watch any more.
    pub(super) async fn run(&mut self, mut interrupts: Interrupts<'_>) -> Result<(), Fault> {
        while self.round(&mut interrupts).await? {}
        Ok(())
    }

    /// One IDLE, and what it led to; whether to go on.
    async fn round(&mut self, interrupts: &mut Interrupts<'_>) -> Result<bool, Fault> {
        let may = self.connection.capabilities.idle;
        let idle = may
            && (self.watching.notify || self.watching.opened().is_some())
            && Box::pin(self.idle()).await?;
        let woken = self.wait(interrupts, idle).await?;
        Box::pin(self.after(woken, idle, interrupts)).await
    }

    /// Leaves IDLE and does what waiting was ended for; whether to go on.
    async fn after(
        &mut self,
        woken: Woken,
        idle: bool,
        interrupts: &mut Interrupts<'_>,
    ) -> Result<bool, Fault> {
        if idle {
            self.connection.write(b"DONE\r\n").await?;
            self.finish().await?;
        } else if matches!(woken, Woken::Renew) {
            self.converse(&Request::Noop).await?;
        }
        match (&woken, interrupts) {
            (Woken::Credentials, _) => return Err(Fault::Lost),
            (Woken::List | Woken::Door, Interrupts::First { list, .. }) => {
                let now = list.borrow_and_update().clone();
                self.watching.watch(now.clone());
                self.leave_shut().await?;
                self.open_first(&now).await?;
            }
            _ => {}
        }
        self.ask().await?;
        self.tell().await?;
        // One to spare is of no use where IDLE is refused.
        Ok(!matches!(woken, Woken::Leave) && (self.spare.is_none() || self.connection.capabilities.idle))
    }

    /// Begins IDLE: waits for `+`. A server that announced it and refuses is polled instead.
    async fn idle(&mut self) -> Result<bool, Fault> {
        timeout(COMMAND_TIME_MAX, self.begin_idle()).await.map_err(|_| Fault::Lost)?
    }

    async fn begin_idle(&mut self) -> Result<bool, Fault> {
        let mut collected = Collected::default();
        if self.connection.send(&Request::Idle, &mut collected).await?.is_some() {
            return Err(Fault::Misbehaved);
        }
        loop {
            match self.connection.response().await? {
                UpstreamResponse::Continuation => return Ok(true),
                response @ UpstreamResponse::Tagged(..) => {
                    self.connection.absorb(response, &mut collected)?;
                    self.connection.capabilities.idle = false;
                    // One to spare that is refused says nothing about the one that watches first.
                    if self.spare.is_none() {
                        self.state.change(|c| (c.idle, c.notify) = (false, false));
                    }
                    return Ok(false);
                }
                response => self.on_news(response).await?,
            }
        }
    }

    /// Waits, telling what comes, until there is something to do besides.
    async fn wait(&mut self, interrupts: &mut Interrupts<'_>, idle: bool) -> Result<Woken, Fault> {
        let patience = if idle { self.pool.config.idle_renewal } else { self.pool.config.poll_interval };
        let renew = Instant::now() + patience;
        let mut ask_at: Option<Instant> = None;
        let mut bars = self.pool.doors.subscribe();
        loop {
            while let Some(response) = self.connection.buffered_response()? {
                if matches!(response, UpstreamResponse::Tagged(..)) {
                    return Err(Fault::Misbehaved);
                }
                self.watching.on_response(response, &mut self.out)?;
            }
            self.tell().await?;
            ask_at = match self.watching.due() {
                None => None,
                Some(Due::Arrivals(_)) if self.watching.notify => {
                    ask_at.or(Some(Instant::now() + FACTS_FOLLOW))
                }
                Some(_) => return Ok(Woken::Ask),
            };
            let ask = async {
                match ask_at {
                    Some(at) => sleep_until(at).await,
                    None => pending().await,
                }
            };
            // A connection to spare is told by its place.
            let opened = self.watching.opened().filter(|_| self.spare.is_none()).map(|o| o.mailbox.clone());
            let kept_out = self.kept_out.clone();
            let moves = move |bars: &Vec<Bar>| {
                opened.as_ref().is_some_and(|mailbox| is_barred(bars, mailbox))
                    || kept_out.as_ref().is_some_and(|mailbox| !is_barred(bars, mailbox))
            };
            let woken = tokio::select! {
                read = self.connection.wait_for_octets() => { read?; Woken::Octets }
                interrupt = interrupts.next() => interrupt?,
                _ = bars.wait_for(moves) => Woken::Door,
                () = sleep_until(renew) => Woken::Renew,
                () = ask => Woken::Ask,
                () = self.events.closed() => return Err(Fault::Lost),
            };
            if !matches!(woken, Woken::Octets) {
                return Ok(woken);
            }
        }
    }

    /// Runs a command whose untagged data are news; whether it was accepted.
    async fn converse(&mut self, request: &Request<'_>) -> Result<bool, Fault> {
        let mut collected = Collected::default();
        if let Some(condition) = self.connection.send(request, &mut collected).await? {
            return Ok(condition.status == Status::Ok);
        }
        self.finish().await
    }

    /// Reads to the tagged response; whether it is OK.
    async fn finish(&mut self) -> Result<bool, Fault> {
        timeout(COMMAND_TIME_MAX, self.read_to_end()).await.map_err(|_| Fault::Lost)?
    }

    async fn read_to_end(&mut self) -> Result<bool, Fault> {
        loop {
            match self.connection.response().await? {
                response @ UpstreamResponse::Tagged(..) => {
                    let condition = self.connection.absorb(response, &mut Collected::default())?;
                    return Ok(condition.is_some_and(|c| c.status == Status::Ok));
                }
                response => self.on_news(response).await?,
            }
        }
    }

    /// Takes in what was said within a command. Who goes on and on is not answering, and nothing piles up here until it ends (D14).
    async fn on_news(&mut self, response: UpstreamResponse) -> Result<(), Fault> {
        let said = self.connection.count_said(0)?;
        self.watching.on_response(response, &mut self.out)?;
        match self.begun {
            true if said.is_multiple_of(GATHERED_MAX) => self.tell().await,
            false if self.out.len() > limits::LIST_ITEMS_MAX => Err(Fault::Misbehaved),
            _ => Ok(()),
        }
    }

    /// Opens the first mailbox of the list, if it is another than before; its numbers are told, because what happened
    /// before is not.
    async fn open_first(&mut self, list: &WatchList) -> Result<(), Fault> {
        let wanted = list.first.as_ref();
        self.kept_out = None;
        if self.watching.opened().map(|open| &open.mailbox) == wanted {
            return Ok(());
        }
        match wanted {
            Some(mailbox) => self.open(mailbox).await,
            None => Ok(()),
        }
    }

    async fn open(&mut self, mailbox: &MailboxName) -> Result<(), Fault> {
        // What was on its way about the mailbox that is left is lost with it.
        let entered = match self.spare {
            Some(_) => None,
            None => match self.pool.doors.try_enter(&[mailbox]) {
                None => {
                    self.kept_out = Some(mailbox.clone());
                    return Ok(());
                }
                entered => entered,
            },
        };
        self.out.extend(self.watching.opened().map(|left| look_at(left.mailbox.clone())));
        let resync = open::plain(self.connection);
        match open::select(self.connection, mailbox, true, resync).await {
            Ok(collected) => {
                let uid_validity = collected.uid_validity.ok_or(Fault::Misbehaved)?;
                let uid_next = collected.uid_next.unwrap_or(0);
                self.watching.open(Some(Open { mailbox: mailbox.clone(), uid_validity, uid_next }));
                self.watching.holds(collected.exists.unwrap_or(0));
                // The one before was left with the same command.
                self.inside = entered;
                self.out.push(UpstreamEvent::Status {
                    mailbox: mailbox.clone(),
                    uid_validity: Some(uid_validity),
                    uid_next: collected.uid_next,
                    messages: collected.exists,
                    highest_mod_seq: collected.highest_mod_seq,
                });
            }
            // Gone, or not to be opened: the owner learns that when it looks.
            Err(Fault::NoSuchMailbox(_) | Fault::NoAccess(_)) => {
                self.watching.open(None);
                self.inside = None;
                self.out.push(look_at(mailbox.clone()));
            }
            Err(fault) => return Err(fault),
        }
        self.told_meanwhile()
    }

    /// Leaves the open mailbox while its name is being changed.
    async fn leave_shut(&mut self) -> Result<(), Fault> {
        let opened = self.watching.opened().map(|open| open.mailbox.clone());
        let bars = self.pool.doors.subscribe();
        let Some(mailbox) = opened.filter(|mailbox| is_barred(&bars.borrow(), mailbox)) else {
            return Ok(());
        };
        // What is still to be asked of it can be asked no more: the owner looks.
        self.out.push(look_at(mailbox.clone()));
        open::leave(self.connection, &mailbox).await?;
        self.watching.open(None);
        self.inside = None;
        self.told_meanwhile()
    }

    /// Asks for facts that events did not bring.
    async fn ask(&mut self) -> Result<(), Fault> {
        while let Some(due) = self.watching.due() {
            let facts = match &due {
                Due::Facts(uids) => fetch_facts(self.connection, uids).await?,
                Due::Arrivals(from) => open::facts_from(self.connection, *from).await?,
            };
            self.watching.asked(&due);
            // `n:*` names the last message even when it is below n, and flags of others may have come in between: telling
            // what has not changed is harmless, losing what has is not.
            facts.into_values().for_each(|facts| self.watching.on_facts(facts));
            let news = std::mem::take(&mut self.connection.news);
            if (news.any || news.nameless)
                && let Some(open) = self.watching.opened()
            {
                // Something else happened while we asked; its own lines were not kept.
                self.out.push(look_at(open.mailbox.clone()));
            }
        }
        self.told_meanwhile()
    }

    /// Takes in the events that came while a command ran.
    fn told_meanwhile(&mut self) -> Result<(), Fault> {
        for response in self.connection.events.as_mut().map(std::mem::take).unwrap_or_default() {
            self.watching.on_response(response, &mut self.out)?;
        }
        Ok(())
    }

    /// Tells what has come together; waits for the owner if it is slow, and reads nothing meanwhile.
    async fn tell(&mut self) -> Result<(), Fault> {
        self.watching.settle(&mut self.out);
        if !self.out.is_empty() {
            let open = self.watching.opened().map(|o| (o.mailbox.clone(), o.uid_next));
            self.state.change(|c| match (self.spare, open) {
                (None, open) => c.open = open,
                (Some(_), open) => c.spares.extend(open),
            });
        }
        for event in self.out.drain(..) {
            self.events.send(event).await.map_err(|_| Fault::Lost)?;
        }
        Ok(())
    }
}
