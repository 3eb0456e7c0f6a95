//! Coming to rest: faults stop, all that is under way ends, every handset catches up, and what it holds is compared with the
//! truth.

use super::plan::{CRITERIA, Plan, REDEFINED};
use super::{MAILBOXES, Sim, check};
use crate::handset::{Kind, MailboxTruth};
use crate::world::conversation::Phase;
use pimap_types::{DeviceId, MailboxName};
use std::collections::BTreeMap;

type Found = Result<(), Vec<String>>;

impl Sim {
    /// Before anything else: filters are defined by a handset that has no faults yet.
    pub(super) fn prepare(&mut self) -> Found {
        if !self.faults.filters {
            return Ok(());
        }
        let Some(first) = self.phones.iter().position(|phone| !phone.regular) else { return Ok(()) };
        // Some say nothing of their own with their LOGIN.
        self.ask(first, &["NOOP".to_owned()])?;
        let define = |(at, criteria): (usize, &&str)| format!("XFILTER SET F{at} \"\" ({criteria})");
        for command in
            CRITERIA.iter().enumerate().map(define).chain([format!("XFILTER SET {REDEFINED} \"\" (ALL)")])
        {
            self.ask(first, &[command])?;
        }
        Ok(())
    }

    /// A handset with QRESYNC begins where it has something to come back to.
    pub(super) fn begin_counting(&mut self, at: usize) -> Found {
        if !self.phones[at].handset.kind.counts() {
            return Ok(());
        }
        self.ask(at, &["SELECT INBOX".to_owned()])?;
        self.catch_up(at)
    }

    /// Everything under way ends; then every handset asks, and holds the truth.
    pub(super) fn rest(&mut self) -> Found {
        self.note("@ everything comes to rest".to_owned());
        if !self.world.upstream.reachable {
            self.world.upstream.come_back();
        }
        self.quiet()?;
        self.check_pushes()?;
        for at in 0..self.phones.len() {
            self.check_truth(at, false)?;
            self.check_elsewhere(at)?;
        }
        Ok(())
    }

    /// What a handset with NOTIFY counts in mailboxes that it does not look at is there behind its filter.
    fn check_elsewhere(&mut self, at: usize) -> Found {
        if !matches!(self.phones[at].handset.kind, Kind::Notify { .. }) {
            return Ok(());
        }
        if self.faults.folders || self.faults.replaced {
            // Where upstream does not tell of mailboxes, they are looked at now and then.
            self.world.pass(31_000);
            self.quiet()?;
        }
        self.catch_up(at)?;
        self.audit()?;
        for name in self.phones[at].handset.replica.in_doubt() {
            if self.world.mailbox(&MailboxName::new(&name)).is_some() {
                self.ask(at, &[format!("STATUS {name} (MESSAGES UIDNEXT UIDVALIDITY)")])?;
            }
        }
        for name in MAILBOXES {
            let criteria = self.view_filter(at, name)?;
            let Some(truth) = check::truth(&mut self.world, &MailboxName::new(name), &criteria) else {
                continue;
            };
            if let Some(lie) = self.phones[at].handset.replica.compare_elsewhere(name, &truth) {
                return Err(vec![format!("{} ({criteria}): {lie}", self.phones[at].device)]);
            }
        }
        Ok(())
    }

    /// The end of a run: every handset selects anew, which shows what events cannot tell.
    pub(super) fn end(&mut self) -> Found {
        self.note("@ the end".to_owned());
        self.world.pass(11 * 60_000);
        for at in 0..self.phones.len() {
            for name in MAILBOXES {
                if self.world.mailbox(&MailboxName::new(name)).is_some() {
                    if self.phones[at].handset.kind.counts() {
                        // What it cached, however long ago, is all it comes back with.
                        let Sim { phones, world, rng, .. } = self;
                        phones[at].lose_radio(world, rng);
                        self.quiet()?;
                    }
                    self.ask(at, &[format!("SELECT {name}")])?;
                    self.check_truth(at, true)?;
                }
            }
        }
        Ok(())
    }

    /// Nothing is under way any more.
    fn quiet(&mut self) -> Found {
        for _ in 0..2_000 {
            for at in 0..self.phones.len() {
                for id in std::mem::take(&mut self.phones[at].zombies) {
                    self.world.close(id, false);
                }
                for id in std::mem::take(&mut self.phones[at].departing) {
                    self.world.close(id, true);
                }
            }
            self.world.settle();
            self.check_world()?;
            if self.phones.iter().all(|phone| phone.is_idle()) {
                return Ok(());
            }
            for at in 0..self.phones.len() {
                self.phone_acts(at, false)?;
                self.check_world()?;
            }
        }
        let stuck = self.phones.iter().filter(|p| !p.is_idle()).map(|phone| {
            let conversation = phone.connection().and_then(|id| self.world.conversations.get(&id));
            let at = conversation.map(|c| (c.phase.clone(), c.has_output(), c.wire.len()));
            format!("{} is never answered; its connection: {at:?}", phone.device)
        });
        Err(stuck.chain([format!("questions: {:?}", self.world.upstream.questions)]).collect())
    }

    /// A handset says something, on a good radio, and is answered.
    fn ask(&mut self, at: usize, commands: &[String]) -> Found {
        let plan = Plan { commands: commands.to_vec(), ..Plan::default() };
        let Sim { phones, world, rng, .. } = self;
        phones[at].begin(world, &plan, false, false, rng);
        self.quiet()
    }

    /// The handset asks until it lacks nothing.
    fn catch_up(&mut self, at: usize) -> Found {
        for _ in 0..12 {
            let Sim { phones, world, rng, .. } = self;
            if !phones[at].catch_up(world, rng) {
                return Ok(());
            }
            self.quiet()?;
            // Whoever was turned away for coming too often waits a while; whoever asked for a message that is gone is told so
            // by NOOP only.
            self.world.pass(700_000);
            self.ask(at, &["NOOP".to_owned()])?;
        }
        Err(vec![format!("{} never gets into step", self.phones[at].device)])
    }

    /// What the handset holds of its mailbox is what is there behind its filter. Unless it has `selected` just now, a message
    /// that came back below others may be missing: events cannot announce it (digest 1.3).
    fn check_truth(&mut self, at: usize, selected: bool) -> Found {
        if self.phones[at].handset.kind == Kind::LoginEachPost {
            return self.check_truth_at_once(at);
        }
        self.catch_up(at)?;
        self.audit()?;
        if !selected {
            self.ask(at, &["NOOP".to_owned()])?;
            self.catch_up(at)?;
        }
        let Some(name) = self.phones[at].handset.replica.selected().map(str::to_owned) else { return Ok(()) };
        let mailbox = MailboxName::new(&name);
        let criteria = self.view_filter(at, &name)?;
        let Some(mut truth) = check::truth(&mut self.world, &mailbox, &criteria) else {
            return Err(vec![format!("{name} is selected, and is not there")]);
        };
        let device = DeviceId::new(&self.phones[at].device).expect("a device ID");
        if let Some(session) = self.world.sessions().remove(&device).filter(|_| !selected)
            && let Some(told) = session.told(&mailbox)
        {
            // Where no filter was ever set nothing comes back.
            let filtered = self.faults.filters;
            let unannounced = |uid: u32| {
                filtered && uid <= told.told_max && !told.view.iter().any(|held| held.get() == uid)
            };
            truth.messages.retain(|(uid, _)| !unannounced(*uid));
        }
        self.compare(at, &criteria, &truth)
    }

    /// Without mod-sequences nothing tells of new flags in a mailbox that no connection has open: they are found by an audit, every ten
    /// minutes (docs/upstreams.md).
    fn audit(&mut self) -> Found {
        if self.world.upstream.traits.mod_seqs {
            return Ok(());
        }
        self.world.pass(11 * 60_000);
        self.world.upstream.audit();
        self.quiet()
    }

    /// A request that begins with LOGIN proves nothing (F3), so such a handset is told RESYNC again and again; it looks at a
    /// mailbox and selects it in one request.
    fn check_truth_at_once(&mut self, at: usize) -> Found {
        let Some(name) = self.phones[at].handset.replica.selected().map(str::to_owned) else { return Ok(()) };
        let criteria = self.view_filter(at, &name)?;
        let mailbox = MailboxName::new(&name);
        let Some(truth) = check::truth(&mut self.world, &mailbox, &criteria) else { return Ok(()) };
        let commands = [format!("SELECT {name}"), "UID FETCH 1:* (UID FLAGS)".to_owned(), "NOOP".to_owned()];
        self.ask(at, &commands)?;
        self.compare(at, &criteria, &truth)
    }

    fn compare(&self, at: usize, criteria: &str, truth: &MailboxTruth) -> Found {
        let found = self.phones[at].handset.replica.compare_selected(truth);
        if found.is_empty() {
            return Ok(());
        }
        Err(found.into_iter().map(|lie| format!("{} ({criteria}): {lie}", self.phones[at].device)).collect())
    }

    /// The criteria of the view filter of a mailbox, as the gateway tells them.
    fn view_filter(&mut self, at: usize, mailbox: &str) -> Result<String, Vec<String>> {
        if self.phones[at].regular {
            return Ok("ALL".to_owned());
        }
        let heard = self.answer_to(at, "XGETPIMAPPREFS (PIMAP_XFILTER)")?;
        let mut active: BTreeMap<(String, char), String> = BTreeMap::new();
        for group in heard.split('(').skip(2) {
            let words: Vec<&str> = group.trim_end_matches([')', ' ']).split(' ').collect();
            let [scope, kind, name, ..] = words[..] else { continue };
            let name = name.trim_end_matches(')').to_owned();
            active.insert((scope.to_owned(), kind.chars().next().unwrap_or('?')), name);
        }
        let of =
            |scope: &str| ['V', 'B'].iter().find_map(|kind| active.get(&(scope.to_owned(), *kind))).cloned();
        let Some(name) = of(mailbox).or_else(|| of("ALL")) else {
            return Err(vec![format!("no view filter is told: {heard}")]);
        };
        if name == "ALL" {
            return Ok(name);
        }
        let heard = self.answer_to(at, &format!("XFILTER GET {name} (CRITERIA)"))?;
        let criteria = heard.split_once("CRITERIA (").and_then(|(_, rest)| rest.strip_suffix("))"));
        criteria.map(str::to_owned).ok_or_else(|| vec![format!("no criteria are told: {heard}")])
    }

    /// The untagged line that answers a command.
    fn answer_to(&mut self, at: usize, command: &str) -> Result<String, Vec<String>> {
        self.gather();
        let from = self.transcript.len();
        self.ask(at, &[command.to_owned()])?;
        self.gather();
        let word = command.split(' ').next().unwrap_or_default();
        let head = format!("S{at}: * {word} ");
        let line = self.transcript[from..].iter().find(|line| line.starts_with(&head));
        line.cloned().ok_or_else(|| vec![format!("{command} is not answered")])
    }

    /// Every pushed event that is untold has a stream that tells it, or woke its device.
    fn check_pushes(&mut self) -> Found {
        let streaming = self.world.conversations.values().any(|c| c.phase != Phase::Over);
        if streaming || self.phones.iter().any(|phone| phone.shared.is_some()) {
            return Ok(());
        }
        for (device, session) in self.world.sessions() {
            if check::unpushed(&session, &device, &self.world) && self.channel_is_set(&device) {
                return Err(vec![format!(
                    "a pushed event of {device} was neither told nor did it wake the device"
                )]);
            }
        }
        Ok(())
    }

    fn channel_is_set(&self, device: &DeviceId) -> bool {
        // The last such command that was answered with OK decides; what was set by a lost one is unknown, hence not looked at.
        let at = self.phones.iter().position(|p| p.device == device.as_str());
        let at = at.map(|at| at.to_string()).unwrap_or_default();
        let mut set = false;
        let mut sure = true;
        for line in &self.transcript {
            if line.starts_with(&format!("C{at}: ")) && line.contains("PIMAP_OUTBAND_CHANNEL") {
                set = !line.ends_with("NONE");
                sure = true;
            } else if line.starts_with(&format!("@ {at}")) {
                sure = false;
            }
        }
        set && sure
    }
}
