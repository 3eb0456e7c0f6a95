//! Looks at mailboxes by STATUS where nothing is pushed, and at all watched ones now and then whatever is pushed (F49).
//!
//! Polling covers what watching connections do not: everything without NOTIFY but mailboxes that are open on one; those too without
//! IDLE, or once an audit has caught the server pushing nothing (some announce IDLE and stay silent).

use super::{Coverage, Numbers, WatchState};
use crate::execute::status;
use crate::fault::Fault;
use crate::machine::watching::{look_at, status_event};
use crate::pool::Pool;
use pimap_types::MailboxName;
use pimap_types::command::{ListPattern, StatusItem};
use pimap_types::response::{ListItem, Status};
use pimap_types::upstream::{Data, UpstreamEvent, UpstreamReply, UpstreamRequest, WatchList};
use pimap_wire::client::response::StatusNumbers;
use std::collections::HashSet;
use std::time::Duration;
use tokio::sync::{mpsc, watch as watch_channel};
use tokio::time::{Instant, sleep, sleep_until};

/// Mailboxes polled for an account; beyond it only the first so many are.
const POLLED_MAX: usize = 1_000;
/// Rounds of polling between two looks at which mailboxes there are.
const ROUNDS_PER_LIST: u32 = 10;
/// How long a change may take from STATUS showing it to its event, before the server counts as silent.
const EVENT_DELAY_MAX: Duration = Duration::from_secs(5);

/// Polls and audits until nobody listens.
pub(crate) async fn poll(
    pool: &Pool,
    state: &WatchState,
    mut list: watch_channel::Receiver<WatchList>,
    events: &mpsc::Sender<UpstreamEvent>,
) {
    let mut poller =
        Poller { pool, state, events, told: Numbers::new(), others: Vec::new(), rounds: 0, audits: 0 };
    let mut next_poll = Instant::now() + pool.config.poll_interval;
    let mut next_audit = Instant::now() + pool.config.audit_interval;
    let mut changes = state.subscribe();
    while !events.is_closed() {
        let list_now = list.borrow_and_update().clone();
        let coverage = changes.borrow_and_update().clone();
        let polled = uncovered(&coverage, &list_now);
        let idle = list_now.mailboxes.is_empty() && !list_now.all;
        tokio::select! {
            changed = list.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
            _ = changes.changed() => continue,
            () = sleep_until(next_poll), if polled => {
                Box::pin(poller.round(&list_now, &coverage)).await;
                next_poll = Instant::now() + pool.config.poll_interval;
            }
            () = sleep_until(next_audit), if !idle && coverage.connected => {
                Box::pin(poller.audit(&list_now)).await;
                next_audit = Instant::now() + pool.config.audit_interval;
            }
            () = events.closed() => return,
        }
    }
}

/// Whether anything is to be polled.
fn uncovered(coverage: &Coverage, list: &WatchList) -> bool {
    if coverage.notify && !coverage.distrusted {
        return false;
    }
    list.all || list.mailboxes.iter().any(|mailbox| !coverage.covers(mailbox))
}

struct Poller<'a> {
    pool: &'a Pool,
    state: &'a WatchState,
    events: &'a mpsc::Sender<UpstreamEvent>,
    /// Numbers told last.
    told: Numbers,
    /// Mailboxes not named in the list, where all matter.
    others: Vec<MailboxName>,
    rounds: u32,
    audits: u32,
}

impl Poller<'_> {
    /// Tells the numbers of uncovered mailboxes that have changed.
    async fn round(&mut self, list: &WatchList, coverage: &Coverage) {
        if list.all && self.rounds.is_multiple_of(ROUNDS_PER_LIST) {
            self.look_for_others().await;
        }
        self.rounds = self.rounds.wrapping_add(1);
        let others: &[MailboxName] = if list.all { &self.others } else { &[] };
        let mut seen = HashSet::new();
        let mailboxes = list.mailboxes.iter().chain(others);
        let mailboxes = mailboxes.filter(|m| !coverage.covers(m) && seen.insert(*m)).take(POLLED_MAX);
        for mailbox in mailboxes.cloned().collect::<Vec<_>>() {
            let Ok(Some(numbers)) = self.numbers(&mailbox).await else { continue };
            if self.told.insert(mailbox.clone(), numbers) != Some(numbers)
                && self.events.send(status_event(mailbox, numbers)).await.is_err()
            {
                return;
            }
        }
        let keep = |m: &MailboxName| list.mailboxes.contains(m) || list.all;
        self.told.retain(|mailbox, _| keep(mailbox));
    }

    /// Tells the numbers of every watched mailbox, changed or not: the owner compares. The open mailbox's UIDNEXT is compared here
    /// too; when the event is still missing after a while, this server's pushing is not relied upon any more.
    async fn audit(&mut self, list: &WatchList) {
        self.audits = self.audits.wrapping_add(1);
        for mailbox in list.mailboxes.iter().take(POLLED_MAX) {
            let Ok(Some(numbers)) = self.numbers(mailbox).await else { continue };
            self.told.insert(mailbox.clone(), numbers);
            if self.is_missed(mailbox, numbers) {
                sleep(EVENT_DELAY_MAX.min(self.pool.config.audit_interval)).await;
                if self.is_missed(mailbox, numbers) {
                    tracing::warn!("upstream did not push what it had promised to: polling from now on");
                    self.state.change(|c| c.distrusted = true);
                    if self.events.send(UpstreamEvent::Missed).await.is_err() {
                        return;
                    }
                }
            }
            // Without mod-sequences no number tells of changed flags: every other time the owner is to look itself.
            let blind = numbers.highest_mod_seq.is_none() && self.audits.is_multiple_of(2);
            let event = if blind { look_at(mailbox.clone()) } else { status_event(mailbox.clone(), numbers) };
            if self.events.send(event).await.is_err() {
                return;
            }
        }
    }

    fn is_missed(&self, mailbox: &MailboxName, numbers: StatusNumbers) -> bool {
        let coverage = self.state.coverage();
        let told = coverage.told(mailbox).filter(|n| *n > 0 && coverage.covers(mailbox));
        let Some(told) = told else { return false };
        numbers.uid_next.is_some_and(|now| now > told)
    }

    async fn look_for_others(&mut self) {
        let pattern = ListPattern { reference: String::new(), pattern: "*".into() };
        let request = UpstreamRequest::List { subscribed: false, pattern, extended: false };
        let reply = crate::execute::run(self.pool, request, crate::account::BodyStream::None).await;
        if let UpstreamReply::Ok(Data::Listed(items)) = reply {
            let selectable = |item: &ListItem| {
                !item
                    .attributes
                    .iter()
                    .any(|a| a.eq_ignore_ascii_case("\\Noselect") || a.eq_ignore_ascii_case("\\NonExistent"))
            };
            self.others = items.into_iter().filter(selectable).map(|item| item.mailbox).collect();
        }
    }

    async fn numbers(&self, mailbox: &MailboxName) -> Result<Option<StatusNumbers>, Fault> {
        let items = [StatusItem::Messages, StatusItem::UidNext, StatusItem::UidValidity];
        let mut lease = self.pool.lease(None, false).await?;
        let mod_seq = lease.connection.capabilities.condstore;
        // A mailbox that is being deleted or made is not looked into meanwhile.
        lease.inside = self.pool.doors.try_enter(&[mailbox]);
        if lease.inside.is_none() {
            self.pool.give_back(lease);
            return Ok(None);
        }
        let (condition, numbers) = status(&mut lease.connection, mailbox, &items, mod_seq).await?;
        self.pool.give_back(lease);
        Ok(numbers.filter(|_| condition.status == Status::Ok))
    }
}
