//! THREAD (RFC 5256 3): ORDEREDSUBJECT and REFERENCES, step by step as it numbers them.
//!
//! Messages that others refer to and that are not there are *dummies*. They are numbered behind the messages, so that a node's number
//! says which it is. Trees are tables of parents and children, walked along lists of their own: nothing recurses.

use super::casemap;
use super::identity::identities;
use super::sent;
use super::subject::BaseSubject;
use pimap_types::thread::{Place, Threads};
use pimap_types::{Timestamp, Uid};
use pimap_wire::client::envelope::Described;
use std::collections::HashMap;

/// Links looked at in all before threading is given up: what honest mail of as many messages as may be threaded never needs, and a few
/// hundred milliseconds of hostile mail.
pub(crate) const STEPS_MAX: u64 = 50_000_000;

/// The references were made to cost more than [`STEPS_MAX`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TooEntangled;

/// A message to be threaded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Threadable {
    pub(crate) uid: Uid,
    sent: Timestamp,
    /// As it is compared.
    subject: Box<str>,
    reply_or_forward: bool,
    identity: Option<Box<[u8]>>,
    /// From the first ancestor to the parent.
    references: Vec<Box<[u8]>>,
}

impl Threadable {
    /// `referring`: by references too, not by subject alone.
    pub(crate) fn new(uid: Uid, told: &Described, referring: bool) -> Self {
        let BaseSubject { text, reply_or_forward } = BaseSubject::of(&told.envelope.subject);
        let (mut identity, mut references) = (None, Vec::new());
        if referring {
            identity = identities(&told.envelope.message_id).into_iter().next();
            references = identities(&told.references);
            if references.is_empty() {
                references = identities(&told.envelope.in_reply_to);
                references.truncate(1);
            }
        }
        let subject = casemap::mapped(&text).into_boxed_str();
        Self { uid, sent: sent(told), subject, reply_or_forward, identity, references }
    }

    /// About what it takes to hold and to thread it: identifiers become nodes of a table.
    pub(crate) fn octets(&self) -> usize {
        let identities = self.identity.iter().chain(&self.references);
        size_of::<Self>() + self.subject.len() + identities.map(|id| id.len() + 96).sum::<usize>()
    }
}

/// ORDEREDSUBJECT: by subject, then by sent date; the later ones of a subject are replies to the first.
pub(crate) fn by_subject(mut messages: Vec<Threadable>) -> Threads<Uid> {
    messages.sort_by(|a, b| (&a.subject, a.sent, a.uid).cmp(&(&b.subject, b.sent, b.uid)));
    let mut threads: Vec<&[Threadable]> = messages.chunk_by(|a, b| a.subject == b.subject).collect();
    threads.sort_by_key(|thread| thread.first().map(|first| (first.sent, first.uid)));
    let place =
        |(at, message): (usize, &Threadable)| Place { depth: u32::from(at > 0), message: Some(message.uid) };
    Threads { places: threads.into_iter().flat_map(|thread| thread.iter().enumerate().map(place)).collect() }
}

/// REFERENCES. The messages ascend by UID.
pub(crate) fn by_references(messages: &[Threadable]) -> Result<Threads<Uid>, TooEntangled> {
    let parents = Links::of(messages)?.pruned()?;
    let mut forest = Forest::of(messages, &parents);
    // (4)
    for dummy in messages.len()..forest.children.len() {
        forest.sort_children(dummy);
    }
    let mut top = std::mem::take(&mut forest.top);
    forest.sort(&mut top);
    // (5), (6)
    let mut top = forest.gather(top);
    for node in 0..forest.children.len() {
        forest.sort_children(node);
    }
    forest.sort(&mut top);
    Ok(forest.told(top))
}

/// Who is whose parent, by references (step 1).
struct Links {
    messages: usize,
    parents: Vec<Option<usize>>,
    /// Whether a node ever had a child: one that never had is nobody's ancestor.
    is_parent: Vec<bool>,
    steps: u64,
}

impl Links {
    fn of(messages: &[Threadable]) -> Result<Links, TooEntangled> {
        let mut nodes: HashMap<&[u8], usize> = HashMap::new();
        for (at, message) in messages.iter().enumerate() {
            // Of several messages with one identifier the first has it, and the others have none.
            if let Some(identity) = &message.identity {
                nodes.entry(&**identity).or_insert(at);
            }
        }
        let count = messages.len();
        let mut links =
            Links { messages: count, parents: vec![None; count], is_parent: vec![false; count], steps: 0 };
        for (at, message) in messages.iter().enumerate() {
            let mut before = None;
            for reference in &message.references {
                let node = *nodes.entry(&**reference).or_insert_with(|| {
                    links.parents.push(None);
                    links.is_parent.push(false);
                    links.parents.len() - 1
                });
                // (A) A link that is there stays.
                if let Some(before) = before
                    && links.parent(node).is_none()
                {
                    links.link(before, node)?;
                }
                before = Some(node);
            }
            // (B) What the message itself says of its parent holds.
            if let Some(parent) = links.parents.get_mut(at) {
                *parent = None;
            }
            if let Some(parent) = before {
                links.link(parent, at)?;
            }
        }
        Ok(links)
    }

    fn parent(&self, node: usize) -> Option<usize> {
        self.parents.get(node).copied().flatten()
    }

    fn step(&mut self) -> Result<(), TooEntangled> {
        self.steps += 1;
        if self.steps > STEPS_MAX { Err(TooEntangled) } else { Ok(()) }
    }

    /// Makes `child` a child of `parent`, unless that makes a loop.
    fn link(&mut self, parent: usize, child: usize) -> Result<(), TooEntangled> {
        if parent == child {
            return Ok(());
        }
        if self.is_parent.get(child) == Some(&true) {
            let mut above = self.parent(parent);
            while let Some(node) = above {
                self.step()?;
                if node == child {
                    return Ok(());
                }
                above = self.parent(node);
            }
        }
        if let (Some(slot), Some(has)) = (self.parents.get_mut(child), self.is_parent.get_mut(parent)) {
            (*slot, *has) = (Some(parent), true);
        }
        Ok(())
    }

    /// Step 3: for each message its parent, dummies passed over but for those at the top; and for those none.
    fn pruned(mut self) -> Result<Vec<Option<usize>>, TooEntangled> {
        for at in 0..self.messages {
            let mut path = Vec::new();
            let mut parent = self.parent(at);
            while let Some(node) = parent.filter(|node| *node >= self.messages)
                && let Some(above) = self.parent(node)
            {
                self.step()?;
                path.push(node);
                parent = Some(above);
            }
            // Those that follow have the way before them made short.
            for node in path.into_iter().chain([at]) {
                if let Some(slot) = self.parents.get_mut(node) {
                    *slot = parent;
                }
            }
        }
        Ok(self.parents)
    }
}

/// Trees of messages, with dummies at the top alone.
struct Forest<'a> {
    messages: &'a [Threadable],
    children: Vec<Vec<usize>>,
    /// What has no parent (step 2).
    top: Vec<usize>,
}

impl<'a> Forest<'a> {
    /// The rest of step 3: a dummy at the top with one child gives way to it.
    fn of(messages: &'a [Threadable], parents: &[Option<usize>]) -> Self {
        let mut children = vec![Vec::new(); parents.len()];
        let mut top = Vec::new();
        for (at, parent) in parents.iter().enumerate().take(messages.len()) {
            match parent.and_then(|parent| children.get_mut(parent)) {
                Some(siblings) => siblings.push(at),
                None => top.push(at),
            }
        }
        for (dummy, below) in children.iter_mut().enumerate().skip(messages.len()) {
            match below.as_slice() {
                [] => {}
                [_] => top.append(below),
                _ => top.push(dummy),
            }
        }
        Self { messages, children, top }
    }

    fn is_dummy(&self, node: usize) -> bool {
        node >= self.messages.len()
    }

    fn children(&self, node: usize) -> &[usize] {
        self.children.get(node).map_or(&[], Vec::as_slice)
    }

    /// The message that stands for a node: of a dummy its first child.
    fn message(&self, node: usize) -> Option<&'a Threadable> {
        let node = if self.is_dummy(node) { *self.children(node).first()? } else { node };
        self.messages.get(node)
    }

    fn sort(&self, siblings: &mut [usize]) {
        siblings.sort_by_key(|node| self.message(*node).map(|message| (message.sent, message.uid)));
    }

    fn sort_children(&mut self, node: usize) {
        let Some(children) = self.children.get_mut(node) else { return };
        let mut children = std::mem::take(children);
        self.sort(&mut children);
        if let Some(slot) = self.children.get_mut(node) {
            *slot = children;
        }
    }

    /// Step 5: threads with one base subject become one.
    fn gather(&mut self, top: Vec<usize>) -> Vec<usize> {
        let subject = |forest: &Self, node| {
            forest.message(node).map(|message| &*message.subject).filter(|s| !s.is_empty())
        };
        // (B)
        let mut table: HashMap<&'a str, usize> = HashMap::new();
        for node in &top {
            let Some(subject) = subject(self, *node) else { continue };
            let known = table.entry(subject).or_insert(*node);
            let better = !self.is_dummy(*known)
                && (self.is_dummy(*node) || (self.is_reply(*known) && !self.is_reply(*node)));
            if better {
                *known = *node;
            }
        }
        // (C) Nodes that went below another are left out of the top; a new dummy takes the place of the later of its two.
        let mut gathered = Vec::with_capacity(top.len());
        let mut below = vec![false; self.children.len()];
        for node in top {
            let known = subject(self, node).and_then(|subject| table.get_mut(subject));
            let Some(known) = known.filter(|known| **known != node) else {
                gathered.push(node);
                continue;
            };
            if self.is_dummy(*known) {
                let mut moved = match self.is_dummy(node) {
                    true => self.children.get_mut(node).map(std::mem::take).unwrap_or_default(),
                    false => vec![node],
                };
                if let Some(children) = self.children.get_mut(*known) {
                    children.append(&mut moved);
                }
            } else if self.is_reply(node) && !self.is_reply(*known) {
                if let Some(children) = self.children.get_mut(*known) {
                    children.push(node);
                }
            } else {
                if let Some(below) = below.get_mut(*known) {
                    *below = true;
                }
                self.children.push(vec![*known, node]);
                *known = self.children.len() - 1;
                gathered.push(*known);
            }
        }
        gathered.retain(|node| below.get(*node) != Some(&true));
        gathered
    }

    fn is_reply(&self, node: usize) -> bool {
        !self.is_dummy(node) && self.messages.get(node).is_some_and(|message| message.reply_or_forward)
    }

    /// The places in order: each node before its children.
    fn told(&self, top: Vec<usize>) -> Threads<Uid> {
        let mut places = Vec::with_capacity(self.children.len());
        let mut waiting: Vec<(usize, u32)> = top.into_iter().rev().map(|node| (node, 0)).collect();
        while let Some((node, depth)) = waiting.pop() {
            places.push(Place { depth, message: self.messages.get(node).map(|message| message.uid) });
            waiting.extend(self.children(node).iter().rev().map(|child| (*child, depth.saturating_add(1))));
        }
        Threads { places }
    }
}

#[cfg(test)]
mod tests;
