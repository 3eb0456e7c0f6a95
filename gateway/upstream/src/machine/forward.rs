//! Turns the FETCH responses of one plan into the pieces that a handset gets, while they stream by.
//!
//! In: pieces of FETCH responses. Out: [`FetchPiece`]s for messages of the plan, holding exactly what was asked for: UID, FLAGS and
//! MODSEQ that were not asked for are dropped (UID is always asked for upstream), `\Recent` is taken out of FLAGS (F27),
//! NUL, which no line may hold (RFC 3501 9), is shown as `?`, all else passes octet for octet. FETCH responses that merely report new flags are kept for the owner and not shown: they were not the
//! answer (F46). A message is shown once.
//!
//! Holds no body, except where a server writes a literal before the UID and the plan has more than one message: then up to
//! [`UPSTREAM_LITERAL_BYTES_MAX`]; beyond it [`Fault::UidTooLate`].

use crate::fault::Fault;
use bytes::Bytes;
use pimap_types::command::FetchItem;
use pimap_types::limits::{PIECE_BYTES_MAX, UPSTREAM_LITERAL_BYTES_MAX, UPSTREAM_UNTAGGED_MAX};
use pimap_types::number::{ModSeq, Uid};
use pimap_types::set::UidRanges;
use pimap_types::upstream::{FetchPiece, FlagsReport};
use pimap_types::{Flag, Flags};
use pimap_wire::client::fetch::{Fact, FetchPart, FetchScanner};
use pimap_wire::client::frame::Piece;
use std::collections::{BTreeMap, BTreeSet};

/// What was asked for, as far as it decides what passes.
#[derive(Clone, Copy, Debug)]
struct Asked {
    uid: bool,
    flags: bool,
    internal_date: bool,
    size: bool,
    /// Anything besides.
    other: bool,
}

/// The forwarder of one plan.
pub(crate) struct Forwarder {
    asked: Asked,
    plan: UidRanges,
    /// The plan's only message.
    only: Option<Uid>,
    shown: BTreeSet<Uid>,
    flags: BTreeMap<Uid, FlagsReport>,
    current: Option<Message>,
    /// FETCH responses so far.
    begun: u64,
    /// FETCH responses about messages outside the plan, or about nobody: the owner had better look.
    pub(crate) strangers: bool,
}

/// The message whose FETCH streams by.
struct Message {
    scanner: FetchScanner,
    uid: Option<Uid>,
    flags: Option<Flags>,
    mod_seq: ModSeq,
    /// Octets to show, not shown yet: small items, and bodies that came before the UID.
    held: Vec<Bytes>,
    held_bytes: u64,
    /// Whether anything was put out or held, so that a space is due.
    any: bool,
    started: bool,
    /// Something was said that only an answer says.
    answers: bool,
    /// Not to be shown.
    dropped: bool,
}

impl Forwarder {
    pub(crate) fn new(plan: UidRanges, items: &[FetchItem]) -> Self {
        let has = |item: FetchItem| items.contains(&item);
        let small = |i: &FetchItem| {
            matches!(i, FetchItem::Uid | FetchItem::Flags | FetchItem::InternalDate | FetchItem::Size)
        };
        let asked = Asked {
            uid: has(FetchItem::Uid),
            flags: has(FetchItem::Flags),
            internal_date: has(FetchItem::InternalDate),
            size: has(FetchItem::Size),
            other: !items.iter().all(small),
        };
        let only = if plan.len() == 1 { plan.iter().next() } else { None };
        Self {
            asked,
            plan,
            only,
            shown: BTreeSet::new(),
            flags: BTreeMap::new(),
            current: None,
            begun: 0,
            strangers: false,
        }
    }

    /// Whether the piece is of a FETCH; others go to the assembler.
    pub(crate) fn wants(&mut self, piece: &Piece) -> bool {
        match piece {
            Piece::Line { text, start: true, .. } => {
                self.current = FetchScanner::begin(text).map(|(scanner, _)| Message::new(scanner));
                self.current.is_some()
            }
            _ => self.current.is_some(),
        }
    }

    /// Takes a piece that [`Forwarder::wants`] wanted.
    pub(crate) fn push(&mut self, piece: Piece, out: &mut Vec<FetchPiece>) -> Result<(), Fault> {
        let Some(mut message) = self.current.take() else { return Ok(()) };
        let mut parts = Vec::new();
        match piece {
            Piece::Line { text, start, literal } => {
                self.begun += u64::from(start);
                if self.begun > UPSTREAM_UNTAGGED_MAX + 4 * self.plan.len() {
                    return Err(Fault::Misbehaved);
                }
                let text = without_nul(text);
                let text = match FetchScanner::begin(&text) {
                    Some((_, rest)) if start => rest,
                    _ => text,
                };
                message.scanner.on_line(&text, literal.is_some(), &mut parts)?;
            }
            Piece::Literal { octets, .. } => message.scanner.on_literal(octets, &mut parts),
        }
        for part in parts {
            match part {
                FetchPart::Item(fact, octets) => self.item(&mut message, fact, octets)?,
                FetchPart::Other { octets, begins } => {
                    message.answers = true;
                    self.name(&mut message);
                    message.show(octets, begins)?;
                    self.flush(&mut message, out);
                }
                FetchPart::End => {
                    self.end(message, out);
                    return Ok(());
                }
            }
        }
        self.current = Some(message);
        Ok(())
    }

    /// UIDs of the plan that have been shown.
    pub(crate) fn shown(&self) -> UidRanges {
        UidRanges::from_uids(self.shown.iter().copied())
    }

    /// Flags reported for messages of the plan.
    pub(crate) fn into_flags(self) -> Vec<FlagsReport> {
        self.flags.into_values().collect()
    }

    fn item(&self, message: &mut Message, fact: Fact, octets: Bytes) -> Result<(), Fault> {
        match fact {
            Fact::Uid(uid) => {
                if message.uid.is_some_and(|known| known != uid) {
                    return Err(Fault::Misbehaved);
                }
                message.uid = Some(uid);
                message.dropped |= !self.plan.contains(uid) || self.shown.contains(&uid) && !message.started;
                if self.asked.uid {
                    message.show(Bytes::from(format!("UID {uid}")), true)?;
                }
                message.answers |=
                    !(self.asked.other || self.asked.flags || self.asked.internal_date || self.asked.size);
            }
            Fact::Flags(flags) => {
                if self.asked.flags {
                    message.show(flags_item(&flags), true)?;
                }
                message.flags = Some(flags);
                message.answers |= !(self.asked.other || self.asked.internal_date || self.asked.size);
            }
            Fact::ModSeq(mod_seq) => message.mod_seq = mod_seq,
            Fact::InternalDate(..) if self.asked.internal_date => {
                message.answers = true;
                message.show(octets, true)?;
            }
            Fact::Size(_) if self.asked.size => {
                message.answers = true;
                message.show(octets, true)?;
            }
            Fact::InternalDate(..) | Fact::Size(_) => {}
        }
        Ok(())
    }

    /// A body before its UID can only be of the plan's one message.
    fn name(&self, message: &mut Message) {
        if message.uid.is_none()
            && let Some(only) = self.only
        {
            message.uid = Some(only);
            message.dropped |= self.shown.contains(&only);
        }
    }

    /// Puts out what is held, once the message is known.
    fn flush(&mut self, message: &mut Message, out: &mut Vec<FetchPiece>) {
        let Some(uid) = message.uid else { return };
        if message.dropped {
            message.held.clear();
            message.held_bytes = 0;
            return;
        }
        if !message.started {
            message.started = true;
            self.shown.insert(uid);
            out.push(FetchPiece::Start(uid));
        }
        for mut octets in message.held.drain(..) {
            while octets.len() > PIECE_BYTES_MAX {
                out.push(FetchPiece::Bytes(octets.split_to(PIECE_BYTES_MAX)));
            }
            out.push(FetchPiece::Bytes(octets));
        }
        message.held_bytes = 0;
    }

    fn end(&mut self, mut message: Message, out: &mut Vec<FetchPiece>) {
        let Some(uid) = message.uid else {
            self.strangers = true;
            return;
        };
        if message.answers {
            self.flush(&mut message, out);
        }
        if message.started {
            out.push(FetchPiece::End);
        }
        self.strangers |= !self.plan.contains(uid);
        match message.flags.take().filter(|_| self.plan.contains(uid)) {
            Some(flags) => {
                self.flags.insert(uid, FlagsReport { uid, flags, mod_seq: message.mod_seq });
            }
            // Dovecot reports the \Seen that a body sets with the body, and its MODSEQ in a line of its own afterwards.
            None => {
                if let Some(report) = self.flags.get_mut(&uid) {
                    report.mod_seq = report.mod_seq.max(message.mod_seq);
                }
            }
        }
    }
}

impl Message {
    fn new(scanner: FetchScanner) -> Self {
        Self {
            scanner,
            uid: None,
            flags: None,
            mod_seq: ModSeq(0),
            held: Vec::new(),
            held_bytes: 0,
            any: false,
            started: false,
            answers: false,
            dropped: false,
        }
    }

    fn show(&mut self, octets: Bytes, begins: bool) -> Result<(), Fault> {
        if self.dropped {
            return Ok(());
        }
        if begins && std::mem::replace(&mut self.any, true) {
            self.held.push(Bytes::from_static(b" "));
        }
        self.held_bytes = self.held_bytes.saturating_add(octets.len() as u64);
        self.held.push(octets);
        // The limit is for octets that wait for their UID; with it known they leave at once.
        if self.uid.is_none() && self.held_bytes > UPSTREAM_LITERAL_BYTES_MAX {
            return Err(Fault::UidTooLate);
        }
        Ok(())
    }
}

fn without_nul(line: Bytes) -> Bytes {
    if !line.contains(&0) {
        return line;
    }
    line.iter().map(|octet| if *octet == 0 { b'?' } else { *octet }).collect()
}

fn flags_item(flags: &Flags) -> Bytes {
    let words: Vec<&str> = flags.iter().map(Flag::as_str).collect();
    Bytes::from(format!("FLAGS ({})", words.join(" ")))
}

#[cfg(test)]
mod tests;
