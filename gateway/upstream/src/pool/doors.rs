//! Who has which mailbox open, and mailboxes that nobody may enter now.
//!
//! While a mailbox is made, deleted or renamed by us, none of the account's own connections has it open: Dovecot (sdbox) answers a SELECT
//! of a mailbox that was deleted and made anew under another session's feet with "Mailbox was deleted under us", and goes on doing so.
//! Goes in: names. Comes out: guards. A request and a watcher hold an [`Inside`] for as long as they have the mailbox open; who changes
//! the name holds [`Shut`] from before its command to after its answer. Both wait for a bounded time only, and go on then: what
//! is refused or lost costs less than a command that hangs.

use super::{Idle, Pool};
use crate::execute::open;
use pimap_types::MailboxName;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};

/// How long who changes a name waits for those who have the mailbox open: a FETCH to a slow handset may take much longer.
const LEAVE_MAX: Duration = Duration::from_secs(3);
/// How long who wants to open a mailbox, or to change its name, waits for another that does.
const ENTER_MAX: Duration = Duration::from_secs(10);
/// What may stand between a mailbox's name and that of one below it. One too many costs an UNSELECT.
const DELIMITERS: [char; 5] = ['/', '.', '\\', '^', ':'];

/// Mailboxes that nobody may enter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Bar {
    mailboxes: Vec<MailboxName>,
    /// A RENAME takes along what is below (RFC 3501 6.3.5).
    below: bool,
}

impl Bar {
    pub(crate) fn new<'a>(mailboxes: impl IntoIterator<Item = &'a MailboxName>, below: bool) -> Self {
        Self { mailboxes: mailboxes.into_iter().cloned().collect(), below }
    }

    /// Whether the mailbox is one of them.
    pub(crate) fn bars(&self, name: &MailboxName) -> bool {
        self.mailboxes.iter().any(|mailbox| {
            let rest = name.as_str().strip_prefix(mailbox.as_str());
            rest.is_some_and(|rest| rest.is_empty() || self.below && rest.starts_with(DELIMITERS))
        })
    }

    fn overlaps(&self, other: &Bar) -> bool {
        let into = |one: &Bar, two: &Bar| one.mailboxes.iter().any(|mailbox| two.bars(mailbox));
        into(self, other) || into(other, self)
    }
}

/// Whether one of the bars is before this mailbox.
pub(crate) fn is_barred(bars: &[Bar], mailbox: &MailboxName) -> bool {
    bars.iter().any(|bar| bar.bars(mailbox))
}

/// All of an account.
pub(crate) struct Doors {
    /// How many are inside. The lock is held for a look or a change only; bars are looked at and changed under it.
    inside: Mutex<BTreeMap<MailboxName, usize>>,
    /// Wakes who waits for somebody to leave.
    left: Notify,
    bars: watch::Sender<Vec<Bar>>,
}

/// Has mailboxes open, until dropped.
pub(crate) struct Inside {
    doors: Arc<Doors>,
    mailboxes: Vec<MailboxName>,
}

impl Drop for Inside {
    fn drop(&mut self) {
        let mut inside = self.doors.inside();
        for mailbox in &self.mailboxes {
            if let Some(count) = inside.get_mut(mailbox) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    inside.remove(mailbox);
                }
            }
        }
        drop(inside);
        self.doors.left.notify_waiters();
    }
}

/// Keeps mailboxes shut, until dropped.
pub(crate) struct Shut {
    doors: Arc<Doors>,
    bar: Bar,
}

impl Shut {
    /// Whether the mailbox is one of them.
    pub(crate) fn bars(&self, mailbox: &MailboxName) -> bool {
        self.bar.bars(mailbox)
    }
}

impl Drop for Shut {
    fn drop(&mut self) {
        self.doors.bars.send_modify(|bars| {
            if let Some(at) = bars.iter().position(|bar| *bar == self.bar) {
                bars.swap_remove(at);
            }
        });
    }
}

impl Doors {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { inside: Mutex::default(), left: Notify::new(), bars: watch::Sender::default() })
    }

    fn inside(&self) -> MutexGuard<'_, BTreeMap<MailboxName, usize>> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bars, and every change of them.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Vec<Bar>> {
        self.bars.subscribe()
    }

    /// Enters, unless one of them is shut.
    pub(crate) fn try_enter(self: &Arc<Self>, mailboxes: &[&MailboxName]) -> Option<Inside> {
        let mut inside = self.inside();
        if mailboxes.iter().any(|mailbox| is_barred(&self.bars.borrow(), mailbox)) {
            return None;
        }
        Some(self.entered(&mut inside, mailboxes))
    }

    fn entered(
        self: &Arc<Self>,
        inside: &mut BTreeMap<MailboxName, usize>,
        mailboxes: &[&MailboxName],
    ) -> Inside {
        for mailbox in mailboxes {
            let count = inside.entry((*mailbox).clone()).or_default();
            *count = count.saturating_add(1);
        }
        Inside { doors: Arc::clone(self), mailboxes: mailboxes.iter().map(|m| (*m).clone()).collect() }
    }

    /// Enters as soon as none of them is shut, or after a while whatever is.
    pub(crate) async fn enter(self: &Arc<Self>, mailboxes: &[&MailboxName]) -> Inside {
        let until = Instant::now() + ENTER_MAX;
        let mut bars = self.subscribe();
        loop {
            if let Some(inside) = self.try_enter(mailboxes) {
                return inside;
            }
            let open = bars.wait_for(|bars| !mailboxes.iter().any(|mailbox| is_barred(bars, mailbox)));
            if tokio::time::timeout_at(until, open).await.is_err() {
                return self.entered(&mut self.inside(), mailboxes);
            }
        }
    }

    /// Nobody enters from now on. Who is inside is still there.
    async fn shut(self: &Arc<Self>, bar: Bar) -> Shut {
        let until = Instant::now() + ENTER_MAX;
        let mut bars = self.subscribe();
        loop {
            let free = |bars: &Vec<Bar>| !bars.iter().any(|other| other.overlaps(&bar));
            let waited = tokio::time::timeout_at(until, bars.wait_for(free)).await.map(|_| ());
            // Under the lock, so that nobody enters between the look at the bars and the entry.
            let _inside = self.inside();
            if waited.is_ok() && !free(&self.bars.borrow()) {
                continue;
            }
            self.bars.send_modify(|bars| bars.push(bar.clone()));
            return Shut { doors: Arc::clone(self), bar };
        }
    }

    /// Waits until nobody is inside.
    async fn is_left(&self, shut: &Shut) {
        loop {
            let left = self.left.notified();
            tokio::pin!(left);
            left.as_mut().enable();
            if !self.inside().keys().any(|mailbox| shut.bars(mailbox)) {
                return;
            }
            left.await;
        }
    }
}

impl Pool {
    /// Has all connections of the account leave these mailboxes, and keeps them out for as long as the answer lives. Who watches leaves
    /// by itself; connections without work are made to leave here.
    pub(crate) async fn shut(&self, bar: Bar) -> Shut {
        let shut = self.doors.shut(bar).await;
        self.want_spares_of(|mailbox| shut.bars(mailbox));
        let leave = async {
            self.doors.is_left(&shut).await;
            while let Some((Idle { mut connection, since }, mailbox)) = self.take_inside(&shut) {
                // A connection that does not leave is closed: that is leaving, too.
                if open::leave(&mut connection, &mailbox).await.is_ok() {
                    self.idle().push(Idle { connection, since });
                    self.returned.notify_one();
                }
            }
        };
        if timeout(LEAVE_MAX, leave).await.is_err() {
            tracing::debug!("a mailbox is still open on a connection of ours while its name is changed");
        }
        shut
    }

    fn take_inside(&self, shut: &Shut) -> Option<(Idle, MailboxName)> {
        let mut idle = self.idle();
        let opened = |entry: &Idle| entry.connection.selected.as_ref().map(|s| s.mailbox.clone());
        let (at, mailbox) = idle
            .iter()
            .enumerate()
            .find_map(|(at, entry)| Some((at, opened(entry).filter(|mailbox| shut.bars(mailbox))?)))?;
        Some((idle.swap_remove(at), mailbox))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> MailboxName {
        MailboxName::new(name)
    }

    #[test]
    fn a_rename_takes_along_what_is_below_and_no_neighbour() {
        let bar = Bar::new([&name("Work"), &name("Play")], true);
        for (mailbox, barred) in [
            ("Work", true),
            ("Work/2026", true),
            ("Work.2026", true),
            ("Play", true),
            ("Workshop", false),
            ("INBOX", false),
        ] {
            assert_eq!(bar.bars(&name(mailbox)), barred, "{mailbox}");
        }
        assert!(!Bar::new([&name("Work")], false).bars(&name("Work/2026")));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_enters_what_is_shut_and_who_is_inside_is_waited_for() {
        let doors = Doors::new();
        let work = name("Work");
        let inside = doors.try_enter(&[&work]).expect("open");
        let shut = doors.shut(Bar::new([&work], false)).await;
        assert!(doors.try_enter(&[&work]).is_none() && doors.try_enter(&[&name("INBOX")]).is_some());
        assert!(timeout(LEAVE_MAX, doors.is_left(&shut)).await.is_err());
        drop(inside);
        doors.is_left(&shut).await;
        // Another name change of it has its turn when this one is over.
        let next = doors.shut(Bar::new([&name("Work/2026"), &work], true));
        tokio::pin!(next);
        assert!(timeout(ENTER_MAX / 2, next.as_mut()).await.is_err());
        drop(shut);
        drop(next.await);
        assert!(doors.try_enter(&[&work]).is_some() && doors.inside().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever() {
        let doors = Doors::new();
        let work = name("Work");
        let _shut = doors.shut(Bar::new([&work], false)).await;
        let began = Instant::now();
        let _inside = doors.enter(&[&work]).await;
        let _second = doors.shut(Bar::new([&work], false)).await;
        assert_eq!(began.elapsed().as_secs(), 2 * ENTER_MAX.as_secs());
    }
}
