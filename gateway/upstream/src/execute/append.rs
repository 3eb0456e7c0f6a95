//! APPEND: literals and what follows them go through one after the other (RFC 3502, RFC 4469; [`several`] where the server lacks that). A message that is given up leaves its
//! command incomplete, so that the server throws it away. What was sent and not answered is looked for, by Message-ID and size, and never
//! sent again (F45). Only what has a UID from the UIDNEXT on that was told before the octets went can be it: an older copy of the same
//! message (a draft saved twice, a message sent to oneself) is another message.
//!
//! That one is not found proves nothing, since a server may still be at work on what it was sent: it stays in doubt.

mod several;

use super::mailbox::status;
use super::open::{plain, select};
use super::read::{fetch_facts, search_or_fail};
use super::{is_ok, refused};
use crate::connection::Connection;
use crate::fault::Fault;
use crate::machine::collect::Collected;
use crate::machine::letter::Letter;
use crate::pool::Pool;
use pimap_types::append::{AppendPart, AppendPiece, streams};
use pimap_types::command::Append;
use pimap_types::list::StatusItem;
use pimap_types::search::SearchKey;
use pimap_types::set::{SequenceSet, SetNumber};
use pimap_types::upstream::{Data, UpstreamReply, UpstreamRequest};
use pimap_types::{MailboxName, UidRanges, UidValidity};
use pimap_wire::client::request::{Encoded, Request, encode_parts};
use pimap_wire::client::response::Condition;
use pimap_wire::utf7;
use several::{Done, up_to_next};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::sleep;

/// How long after looking in vain the message is looked for once more.
const LOOKED_FOR_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// An APPEND on its way.
#[derive(Default)]
pub(super) struct Appending {
    /// The message, where the command is one message in one literal.
    letter: Option<Letter>,
    /// The mailbox before it, where that was told: what has a lower UID is another message.
    before: Option<(UidValidity, u32)>,
    /// What is appended already, where the server takes one message at a time.
    done: Done,
    /// Another message follows the one that is on its way.
    followed: bool,
    /// The connection stands in the middle of a command: it is of no further use.
    pub(super) spoiled: bool,
}

/// What came through the stream.
enum Came {
    /// The command is whole; what follows is for another one.
    End(Vec<AppendPart>),
    /// Upstream refused it on the way.
    Refused(Condition),
    /// The handset's side gave it up, with this answer.
    GivenUp(UpstreamReply),
}

impl Appending {
    /// Sends the command, or one for each of its messages. `octets` is missing where nothing is streamed.
    pub(super) async fn run(
        &mut self,
        connection: &mut Connection,
        append: &Append,
        mut octets: Option<&mut mpsc::Receiver<AppendPiece>>,
        streamed: &mut bool,
    ) -> Result<UpstreamReply, Fault> {
        let one_by_one = !connection.announced.has("MULTIAPPEND");
        let mut parts = append.parts.clone();
        loop {
            let (one, mut next) = up_to_next(&parts, 1, one_by_one);
            let one = Append { mailbox: append.mailbox.clone(), parts: one.to_vec() };
            self.followed = !next.is_empty();
            let mut collected = Collected::default();
            let more;
            match self.send(connection, &one, octets.as_deref_mut(), streamed, &mut collected).await? {
                Came::End(behind) if next.is_empty() => {
                    more = behind;
                    next = &more;
                }
                Came::End(_) => {}
                Came::Refused(condition) => return Ok(refused(condition, None)),
                Came::GivenUp(reply) => {
                    self.spoiled = true;
                    return Ok(reply);
                }
            }
            let uids = match self.ended(connection, append, collected).await? {
                Ok(uids) => uids,
                Err(condition) => return Ok(refused(condition, None)),
            };
            self.done.add(uids);
            if next.is_empty() {
                return Ok(UpstreamReply::Ok(Data::Appended(self.done.all())));
            }
            parts = next.to_vec();
        }
    }

    /// Sends a command up to its end.
    async fn send(
        &mut self,
        connection: &mut Connection,
        append: &Append,
        octets: Option<&mut mpsc::Receiver<AppendPiece>>,
        streamed: &mut bool,
        collected: &mut Collected,
    ) -> Result<Came, Fault> {
        (self.letter, self.before) = (None, None);
        if octets.is_some() && is_one_literal(&append.parts) {
            self.letter = Some(Letter::default());
            self.before = told_before(connection, &append.mailbox).await?;
        }
        connection.in_doubt = append.streams().is_none();
        if let Some(condition) = connection.send(&Request::Append(append), collected).await? {
            return Ok(Came::Refused(condition));
        }
        let (Some(octets), Some(size)) = (octets, append.streams()) else { return Ok(Came::End(Vec::new())) };
        *streamed = true;
        let at = Streamed { left: size, in_list: is_in_list(&append.parts) };
        self.stream(connection, octets, at, collected).await
    }

    /// Waits for the answer: where the message is, if that is known, or the refusal.
    async fn ended(
        &mut self,
        connection: &mut Connection,
        append: &Append,
        mut collected: Collected,
    ) -> Result<Result<Option<(UidValidity, UidRanges)>, Condition>, Fault> {
        let condition = connection.finish(&mut collected).await?;
        connection.notice(&collected);
        connection.in_doubt = false;
        if !is_ok(&condition) {
            return Ok(Err(condition));
        }
        if collected.append_uid.is_some() {
            return Ok(Ok(collected.append_uid));
        }
        // A server with UIDPLUS may leave APPENDUID out (RFC 4315 3). The message is there, whatever comes of looking for it.
        Ok(Ok(self.found(connection, &append.mailbox).await.unwrap_or(None)))
    }

    /// Whether a command that has not succeeded has left nothing behind; what had been appended is taken back for that.
    pub(super) async fn leaves_nothing(&self, pool: &Pool, request: &UpstreamRequest) -> bool {
        match request {
            UpstreamRequest::Append(append) => self.done.take_back(pool, &append.mailbox).await,
            _ => true,
        }
    }

    /// Whether a message of this command was appended.
    pub(super) fn has_done_some(&self) -> bool {
        !self.done.is_empty()
    }

    /// The same of messages with UTF-8 in their headers, which only a connection takes that enabled it (RFC 6855 4). Such a one speaks
    /// of mailboxes in UTF-8, and of such messages as few expect: it is new, and of no use to anybody else.
    pub(super) async fn run_in_utf8(
        &mut self,
        pool: &Pool,
        connection: &mut Connection,
        append: &Append,
        octets: Option<&mut mpsc::Receiver<AppendPiece>>,
        streamed: &mut bool,
    ) -> Result<UpstreamReply, Fault> {
        connection.abandon().await;
        *connection = pool.connect().await?;
        let mut collected = Collected::default();
        let condition = connection.run(&Request::EnableUtf8, &mut collected).await?;
        if !is_ok(&condition) || !collected.enabled.iter().any(|word| word == "UTF8=ACCEPT") {
            return Err(Fault::Unsupported);
        }
        self.spoiled = true;
        let name = append.mailbox.as_str();
        let mailbox =
            utf7::decode(name).map_or_else(|| append.mailbox.clone(), |name| MailboxName::new(&name));
        let append = Append { mailbox, parts: append.parts.clone() };
        self.run(connection, &append, octets, streamed).await
    }

    async fn stream(
        &mut self,
        connection: &mut Connection,
        octets: &mut mpsc::Receiver<AppendPiece>,
        Streamed { mut left, mut in_list }: Streamed,
        collected: &mut Collected,
    ) -> Result<Came, Fault> {
        loop {
            // From the last octet on the server may have it.
            connection.in_doubt = left == 0;
            match octets.recv().await {
                Some(AppendPiece::Bytes(piece)) => {
                    left = left.checked_sub(piece.len() as u64).ok_or(Fault::Cancelled)?;
                    if let Some(letter) = &mut self.letter {
                        letter.push(&piece);
                    }
                    connection.in_doubt = left == 0;
                    connection.write_message(&piece).await?;
                }
                Some(AppendPiece::Parts(parts)) if left == 0 => {
                    let one_by_one = !connection.announced.has("MULTIAPPEND");
                    let (parts, next) = up_to_next(&parts, 0, one_by_one);
                    self.followed = !next.is_empty();
                    if parts.is_empty() && !in_list {
                        connection.write(b"\r\n").await?;
                        return whole(octets, next).await;
                    }
                    self.letter = None;
                    connection.in_doubt = streams(parts).is_none();
                    left = streams(parts).unwrap_or(0);
                    in_list = is_in_list(parts);
                    let Encoded { parts, message_waits } = encode_parts(parts)?;
                    if let Some(condition) = connection.send_parts(&parts, message_waits, collected).await? {
                        return Ok(Came::Refused(condition));
                    }
                    if connection.in_doubt {
                        // That was the end of the line.
                        return whole(octets, next).await;
                    }
                }
                // The line's end would make a command of what is none while the list of CATENATE is open.
                Some(AppendPiece::End) if left == 0 && !in_list => {
                    connection.write(b"\r\n").await?;
                    return Ok(Came::End(Vec::new()));
                }
                Some(AppendPiece::Refused { code, text }) => {
                    connection.in_doubt = false;
                    return Ok(Came::GivenUp(UpstreamReply::Refused { code: Some(code), text, data: None }));
                }
                // Its command is not whole: the server has nothing to execute.
                _ => {
                    connection.in_doubt = false;
                    return Err(Fault::Cancelled);
                }
            }
        }
    }

    /// The message's UID, where its Message-ID and size name exactly one that was not there before (NQ-055).
    async fn found(
        &self,
        connection: &mut Connection,
        mailbox: &MailboxName,
    ) -> Result<Option<(UidValidity, UidRanges)>, Fault> {
        let Some(mark) = self.mark() else { return Ok(None) };
        Ok(Hits::of(connection, mailbox, &mark).await?.one(&mark))
    }

    fn mark(&self) -> Option<Mark> {
        let letter = self.letter.as_ref()?;
        let (validity, uid_next) = self.before?;
        Some(Mark { id: letter.message_id()?, size: letter.size(), validity, uid_next })
    }

    /// The connection was lost after the message was sent: its UID, where it is found on a new one; a second look is for a server
    /// that was still at work. Nothing: it stays in doubt.
    pub(super) async fn verified(&self, pool: &Pool, append: &Append) -> Option<UpstreamReply> {
        // One of several found says nothing of the others.
        let mark = self.mark().filter(|_| !self.followed && self.done.is_empty())?;
        let seen = match looked_for(pool, &append.mailbox, &mark).await {
            // There it is, or there is something that could be it.
            Some(hits) if !hits.named.is_empty() => hits,
            _ => {
                sleep(LOOKED_FOR_AGAIN_AFTER).await;
                looked_for(pool, &append.mailbox, &mark).await?
            }
        };
        seen.one(&mark).map(|found| UpstreamReply::Ok(Data::Appended(Some(found))))
    }
}

/// The end of a command behind which `next` follows. Where that streams nothing, all of it has come.
async fn whole(octets: &mut mpsc::Receiver<AppendPiece>, next: &[AppendPart]) -> Result<Came, Fault> {
    if streams(next).is_none() && !matches!(octets.recv().await, Some(AppendPiece::End) | None) {
        return Err(Fault::Cancelled);
    }
    Ok(Came::End(next.to_vec()))
}

async fn looked_for(pool: &Pool, mailbox: &MailboxName, mark: &Mark) -> Option<Hits> {
    let mut lease = pool.lease(None, true).await.ok()?;
    let hits = Hits::of(&mut lease.connection, mailbox, mark).await.ok()?;
    pool.give_back(lease);
    Some(hits)
}

/// UIDVALIDITY and UIDNEXT as they are now. One question more for each message, and the mirror is not asked instead: it may lag behind,
/// and what it does not know of yet is just what must not be taken for the new message. A mailbox that cannot be asked about is for the
/// APPEND itself to be refused (`TRYCREATE`).
async fn told_before(
    connection: &mut Connection,
    mailbox: &MailboxName,
) -> Result<Option<(UidValidity, u32)>, Fault> {
    let items = [StatusItem::UidNext, StatusItem::UidValidity];
    let (condition, numbers) = status(connection, mailbox, &items, false).await?;
    let numbers = numbers.filter(|_| is_ok(&condition));
    Ok(numbers.and_then(|numbers| Some((numbers.uid_validity?, numbers.uid_next?))))
}

/// What a message is known by.
struct Mark {
    id: String,
    size: u64,
    validity: UidValidity,
    /// It has this UID or a higher one.
    uid_next: u32,
}

/// Where the stream stands.
struct Streamed {
    /// Octets of the literal that are still to come.
    left: u64,
    /// Within the list of CATENATE.
    in_list: bool,
}

/// New messages that carry a Message-ID, and those of them that are as large as the one looked for.
struct Hits {
    validity: UidValidity,
    named: UidRanges,
    as_large: UidRanges,
}

impl Hits {
    async fn of(connection: &mut Connection, mailbox: &MailboxName, mark: &Mark) -> Result<Hits, Fault> {
        let resync = plain(connection);
        // EXAMINE, so that \Recent stays where it is (F27).
        select(connection, mailbox, true, resync).await?;
        let validity = connection.selected.as_ref().map(|selected| selected.uid_validity);
        let validity = validity.ok_or(Fault::Misbehaved)?;
        let new = SequenceSet(vec![(SetNumber::Number(mark.uid_next), SetNumber::Star)]);
        let id = SearchKey::Header(b"Message-ID".to_vec(), mark.id.as_bytes().to_vec());
        let found = search_or_fail(connection, &SearchKey::And(vec![SearchKey::Uid(new), id])).await?;
        // `n:*` also names the last message when that is below n (RFC 3501 6.4.8).
        let named = found.intersection(&UidRanges::from_pairs([(mark.uid_next, u32::MAX)]));
        let mut as_large = UidRanges::new();
        // Several messages with one Message-ID: none of them is known to be the one (NQ-055).
        if named.len() == 1 {
            let facts = fetch_facts(connection, &named).await?;
            let fits = facts.values().filter(|facts| u64::from(facts.size) == mark.size);
            as_large = UidRanges::from_uids(fits.map(|facts| facts.uid));
        }
        Ok(Hits { validity, named, as_large })
    }

    fn one(self, mark: &Mark) -> Option<(UidValidity, UidRanges)> {
        // In a mailbox made anew meanwhile UIDs say nothing about before and after.
        let is_one = self.validity == mark.validity && self.named.len() == 1 && !self.as_large.is_empty();
        is_one.then_some((self.validity, self.as_large))
    }
}

/// Whether the command is one message in one literal.
fn is_one_literal(parts: &[AppendPart]) -> bool {
    matches!(parts, [AppendPart::Message { .. }, AppendPart::Literal { .. }])
}

/// Whether what was sent so far ends within the list of CATENATE.
fn is_in_list(parts: &[AppendPart]) -> bool {
    matches!(parts.last(), Some(AppendPart::Text { .. }))
}
