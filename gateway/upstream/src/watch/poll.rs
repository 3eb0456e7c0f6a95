//! Looks at mailboxes by STATUS where nothing is pushed, and at all watched ones now and then whatever is pushed (F49).
//!
//! Polling covers what watching connections do not: everything without NOTIFY but mailboxes that are open on one; those too without
//! IDLE, or once an audit has caught the server pushing nothing (some announce IDLE and stay silent); such a server gets another chance
//! after a time. A round ends where upstream fails, not where it says NO, and the next one waits (F50).

use super::{Coverage, Numbers, WatchState};
use crate::backoff::Backoff;
use crate::execute::{holds_any, status};
use crate::fault::Fault;
use crate::machine::watching::{look_at, status_event};
use crate::pool::Pool;
use pimap_types::command::{ListPattern, StatusItem};
use pimap_types::response::{ListItem, Status};
use pimap_types::upstream::{Data, UpstreamEvent, UpstreamFault, UpstreamReply, UpstreamRequest, WatchList};
use pimap_types::{MailboxName, UidRanges};
use pimap_wire::client::response::StatusNumbers;
use std::collections::HashSet;
use std::future::pending;
use std::time::Duration;
use tokio::sync::{mpsc, watch as watch_channel};
use tokio::time::{Instant, sleep, sleep_until};

/// Mailboxes polled for an account; beyond it only the first so many are.
const POLLED_MAX: usize = 1_000;
/// Rounds of polling between two looks at which mailboxes there are.
const ROUNDS_PER_LIST: u32 = 10;
/// How long a change may take from STATUS showing it to its event, before the server counts as silent.
const EVENT_DELAY_MAX: Duration = Duration::from_secs(5);
/// Audits after which a silent server is relied upon once more; twice as many each time it is caught, up to so many times.
const AUDITS_OF_DISTRUST: u32 = 12;
const DISTRUST_DOUBLED_MAX: u32 = 5;

/// Polls and audits until nobody listens.
pub(crate) async fn poll(
    pool: &Pool,
    state: &WatchState,
    mut list: watch_channel::Receiver<WatchList>,
    events: &mpsc::Sender<UpstreamEvent>,
    seed: u64,
) {
    let mut poller = Poller::new(pool, state, events);
    let mut backoff = Backoff::new(seed);
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
                let failed = Box::pin(poller.round(&list_now, &coverage)).await.is_err();
                let pause = pause(failed, &mut backoff);
                next_poll = Instant::now() + pool.config.poll_interval.max(pause);
                next_audit = next_audit.max(Instant::now() + pause);
            }
            // With one connection for everything too: what is polled is told once, and who was told may have failed to look.
            () = sleep_until(next_audit), if !idle => {
                let failed = Box::pin(poller.audit(&list_now)).await.is_err();
                let pause = pause(failed, &mut backoff);
                next_audit = Instant::now() + pool.config.audit_interval.max(pause);
                next_poll = next_poll.max(Instant::now() + pause);
            }
            () = at(poller.trusts_again) => {
                poller.trusts_again = None;
                state.change(|c| c.distrusted = false);
                // Who is still silent is caught by what it kept silent about meanwhile.
                next_audit = next_audit.min(Instant::now());
            }
            () = events.closed() => return,
        }
    }
}

/// How long upstream is left alone after a round.
fn pause(failed: bool, backoff: &mut Backoff) -> Duration {
    if failed {
        return backoff.next_delay();
    }
    backoff.reset();
    Duration::ZERO
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
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
    /// The mailbox that upstream failed at: the next round begins behind it, or one that always fails would hide the others.
    failed_at: Option<MailboxName>,
    /// Numbers that an audit has looked into: what had come up to this UIDNEXT was told, or is gone.
    settled: Numbers,
    /// When a server that was caught is relied upon again.
    trusts_again: Option<Instant>,
    /// How often it was caught.
    caught: u32,
}

/// What upstream says of a mailbox's numbers.
enum Told {
    Numbers(StatusNumbers),
    /// NO: it is gone, or not to be looked into.
    Refused,
    /// Nothing.
    Nothing,
}

impl<'a> Poller<'a> {
    fn new(pool: &'a Pool, state: &'a WatchState, events: &'a mpsc::Sender<UpstreamEvent>) -> Self {
        Self {
            pool,
            state,
            events,
            told: Numbers::new(),
            others: Vec::new(),
            rounds: 0,
            audits: 0,
            failed_at: None,
            settled: Numbers::new(),
            trusts_again: None,
            caught: 0,
        }
    }

    /// Tells the numbers of uncovered mailboxes that have changed.
    async fn round(&mut self, list: &WatchList, coverage: &Coverage) -> Result<(), Fault> {
        if list.all && self.rounds.is_multiple_of(ROUNDS_PER_LIST) {
            self.look_for_others().await?;
        }
        self.rounds = self.rounds.wrapping_add(1);
        let others: &[MailboxName] = if list.all { &self.others } else { &[] };
        let mut seen = HashSet::new();
        let mailboxes = list.mailboxes.iter().chain(others);
        let mailboxes = mailboxes.filter(|m| !coverage.covers(m) && seen.insert(*m)).take(POLLED_MAX);
        let keep = |m: &MailboxName| list.mailboxes.contains(m) || list.all;
        self.told.retain(|mailbox, _| keep(mailbox));
        for mailbox in self.behind_failed(mailboxes.cloned().collect()) {
            let Some(numbers) = self.look(&mailbox).await? else { continue };
            if self.told.insert(mailbox.clone(), numbers) != Some(numbers) {
                self.tell(status_event(mailbox, numbers)).await?;
            }
        }
        Ok(())
    }

    /// The mailboxes in their order, those first that upstream was not asked for because it failed.
    fn behind_failed(&mut self, mut mailboxes: Vec<MailboxName>) -> Vec<MailboxName> {
        let failed_at = self.failed_at.take();
        if let Some(at) = mailboxes.iter().position(|mailbox| Some(mailbox) == failed_at.as_ref()) {
            mailboxes.rotate_left(at + 1);
        }
        mailboxes
    }

    async fn tell(&self, event: UpstreamEvent) -> Result<(), Fault> {
        self.events.send(event).await.map_err(|_| Fault::Lost)
    }

    /// The numbers of a mailbox, if upstream tells them. One that had numbers and is refused now is for the owner to look at.
    async fn look(&mut self, mailbox: &MailboxName) -> Result<Option<StatusNumbers>, Fault> {
        match self.numbers(mailbox).await {
            Ok(Told::Numbers(numbers)) => return Ok(Some(numbers)),
            Ok(Told::Refused) => {
                if self.told.remove(mailbox).is_some() {
                    self.tell(look_at(mailbox.clone())).await?;
                }
            }
            Ok(Told::Nothing) => {}
            Err(fault) => {
                self.failed_at = Some(mailbox.clone());
                return Err(fault);
            }
        }
        Ok(None)
    }

    /// Tells the numbers of every watched mailbox, changed or not: the owner compares. The open mailbox's UIDNEXT is compared here
    /// too; when the event is still missing after a while, this server's pushing is not relied upon any more.
    async fn audit(&mut self, list: &WatchList) -> Result<(), Fault> {
        self.audits = self.audits.wrapping_add(1);
        self.settled.retain(|mailbox, _| list.mailboxes.contains(mailbox));
        let mailboxes = list.mailboxes.iter().take(POLLED_MAX).cloned().collect();
        for mailbox in &self.behind_failed(mailboxes) {
            let Some(numbers) = self.look(mailbox).await? else { continue };
            self.told.insert(mailbox.clone(), numbers);
            if self.untold(mailbox, numbers).is_some() {
                sleep(EVENT_DELAY_MAX.min(self.pool.config.audit_interval)).await;
                if self.is_missed(mailbox, numbers).await? {
                    self.distrust().await?;
                }
            }
            // Without mod-sequences no number tells of changed flags: every other time the owner is to look itself.
            let blind = numbers.highest_mod_seq.is_none() && self.audits.is_multiple_of(2);
            let event = if blind { look_at(mailbox.clone()) } else { status_event(mailbox.clone(), numbers) };
            self.tell(event).await?;
        }
        Ok(())
    }

    /// The UIDs given out that no event has told of and no audit has looked into.
    fn untold(&self, mailbox: &MailboxName, numbers: StatusNumbers) -> Option<UidRanges> {
        let coverage = self.state.coverage();
        let told = coverage.told(mailbox).filter(|n| *n > 0 && coverage.covers(mailbox))?;
        let settled = self.settled.get(mailbox).filter(|s| s.uid_validity == numbers.uid_validity);
        let from = settled.and_then(|s| s.uid_next).unwrap_or(0).max(told);
        let next = numbers.uid_next.filter(|next| *next > from)?;
        Some(UidRanges::from_pairs([(from, next - 1)]))
    }

    /// Whether a message is there that no event has told of. One that came and was moved away at once leaves a UIDNEXT and nothing to
    /// tell.
    async fn is_missed(&mut self, mailbox: &MailboxName, numbers: StatusNumbers) -> Result<bool, Fault> {
        let (Some(uids), Some(uid_validity)) = (self.untold(mailbox, numbers), numbers.uid_validity) else {
            return Ok(false);
        };
        let mut lease = self.pool.lease(Some(mailbox), false).await?;
        lease.inside = self.pool.doors.try_enter(&[mailbox]);
        if lease.inside.is_none() {
            self.pool.give_back(lease);
            return Ok(false);
        }
        match holds_any(&mut lease.connection, mailbox, uid_validity, &uids).await {
            Ok(missed) => {
                self.pool.give_back(lease);
                if !missed {
                    self.settled.insert(mailbox.clone(), numbers);
                }
                Ok(missed)
            }
            // Something else has happened to it meanwhile, which is told below.
            Err(Fault::NoSuchMailbox(_) | Fault::NoAccess(_) | Fault::UidValidityChanged) => {
                self.pool.give_back(lease);
                Ok(false)
            }
            Err(fault) => Err(fault),
        }
    }

    /// Relies upon nothing that upstream pushes, for a time: who was out of order for a moment is not polled for ever.
    async fn distrust(&mut self) -> Result<(), Fault> {
        tracing::warn!("upstream did not push what it had promised to: polling from now on");
        let audits = AUDITS_OF_DISTRUST << self.caught.min(DISTRUST_DOUBLED_MAX);
        self.caught = self.caught.saturating_add(1);
        self.trusts_again = Some(Instant::now() + self.pool.config.audit_interval.saturating_mul(audits));
        self.state.change(|c| c.distrusted = true);
        self.tell(UpstreamEvent::Missed).await
    }

    async fn look_for_others(&mut self) -> Result<(), Fault> {
        let pattern = ListPattern { reference: String::new(), pattern: "*".into() };
        let request = UpstreamRequest::List { subscribed: false, pattern, extended: false };
        let reply = crate::execute::run(self.pool, request, crate::account::BodyStream::None).await;
        let out_of_reach = [UpstreamFault::Unavailable, UpstreamFault::CredentialsRefused];
        if matches!(&reply, UpstreamReply::Failed(fault) if out_of_reach.contains(fault)) {
            return Err(Fault::Lost);
        }
        if let UpstreamReply::Ok(Data::Listed(items)) = reply {
            let selectable = |item: &ListItem| {
                !item
                    .attributes
                    .iter()
                    .any(|a| a.eq_ignore_ascii_case("\\Noselect") || a.eq_ignore_ascii_case("\\NonExistent"))
            };
            self.others = items.into_iter().filter(selectable).map(|item| item.mailbox).collect();
        }
        Ok(())
    }

    async fn numbers(&self, mailbox: &MailboxName) -> Result<Told, Fault> {
        let items = [StatusItem::Messages, StatusItem::UidNext, StatusItem::UidValidity];
        let mut lease = self.pool.lease(None, false).await?;
        let mod_seq = lease.connection.capabilities.condstore;
        // A mailbox that is being deleted or made is not looked into meanwhile.
        lease.inside = self.pool.doors.try_enter(&[mailbox]);
        if lease.inside.is_none() {
            self.pool.give_back(lease);
            return Ok(Told::Nothing);
        }
        let mut answer = status(&mut lease.connection, mailbox, &items, mod_seq).await;
        if lease.reused && answer == Err(Fault::Lost) {
            // A connection that died while it had no work says nothing about upstream: once more, on a new one.
            let inside = lease.inside.take();
            drop(lease);
            lease = self.pool.lease(None, true).await?;
            lease.inside = inside;
            answer = status(&mut lease.connection, mailbox, &items, mod_seq).await;
        }
        let (condition, numbers) = answer?;
        self.pool.give_back(lease);
        Ok(match (condition.status, numbers) {
            (Status::Ok, Some(numbers)) => Told::Numbers(numbers),
            (Status::No, _) => Told::Refused,
            _ => Told::Nothing,
        })
    }
}
