//! APPEND: literals and what follows them go through one after the other (RFC 3502, RFC 4469). A message that is given up leaves its
//! command incomplete, so that the server throws it away. What was sent and not answered is looked for, by Message-ID and size, and never
//! sent again (F45).

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
use pimap_types::search::SearchKey;
use pimap_types::upstream::{Data, UpstreamReply};
use pimap_types::{MailboxName, UidRanges, UidValidity};
use pimap_wire::client::request::{Encoded, Request, encode_parts};
use pimap_wire::client::response::Condition;
use tokio::sync::mpsc;

/// An APPEND on its way.
#[derive(Default)]
pub(super) struct Appending {
    /// The message, where the command is one message in one literal.
    letter: Option<Letter>,
    /// The connection stands in the middle of a command: it is of no further use.
    pub(super) spoiled: bool,
}

/// What came through the stream.
enum Came {
    /// The command is whole.
    End,
    /// Upstream refused it on the way.
    Refused(Condition),
    /// The handset's side gave it up, with this answer.
    GivenUp(UpstreamReply),
}

impl Appending {
    /// Sends the command. `octets` is missing where nothing is streamed.
    pub(super) async fn run(
        &mut self,
        connection: &mut Connection,
        append: &Append,
        octets: Option<&mut mpsc::Receiver<AppendPiece>>,
        streamed: &mut bool,
    ) -> Result<UpstreamReply, Fault> {
        let mut collected = Collected::default();
        connection.in_doubt = append.streams().is_none();
        if let Some(condition) = connection.send(&Request::Append(append), &mut collected).await? {
            return Ok(refused(condition, None));
        }
        if let (Some(octets), Some(size)) = (octets, append.streams()) {
            *streamed = true;
            self.letter = is_one_literal(&append.parts).then(Letter::default);
            match self.stream(connection, octets, size, &mut collected).await? {
                Came::End => {}
                Came::Refused(condition) => return Ok(refused(condition, None)),
                Came::GivenUp(reply) => {
                    self.spoiled = true;
                    return Ok(reply);
                }
            }
        }
        let condition = connection.finish(&mut collected).await?;
        connection.notice(&collected);
        if !is_ok(&condition) {
            return Ok(refused(condition, None));
        }
        let mut uids = collected.append_uid;
        if uids.is_none() && !connection.capabilities.uid_plus {
            // The message is there, whatever comes of looking for it.
            connection.in_doubt = false;
            uids = self.found(connection, &append.mailbox).await.unwrap_or(None);
        }
        Ok(UpstreamReply::Ok(Data::Appended(uids)))
    }

    async fn stream(
        &mut self,
        connection: &mut Connection,
        octets: &mut mpsc::Receiver<AppendPiece>,
        mut left: u64,
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
                    self.letter = None;
                    connection.in_doubt = streams(&parts).is_none();
                    left = streams(&parts).unwrap_or(0);
                    let Encoded { parts, message_waits } =
                        encode_parts(&parts, connection.capabilities.literal_plus)?;
                    if let Some(condition) = connection.send_parts(&parts, message_waits, collected).await? {
                        return Ok(Came::Refused(condition));
                    }
                    if connection.in_doubt {
                        // That was the end of the line.
                        return match octets.recv().await {
                            Some(AppendPiece::End) | None => Ok(Came::End),
                            Some(_) => Err(Fault::Cancelled),
                        };
                    }
                }
                Some(AppendPiece::End) if left == 0 => {
                    connection.write(b"\r\n").await?;
                    return Ok(Came::End);
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

    /// The message's UID, where its Message-ID and size name exactly one (NQ-055).
    async fn found(
        &self,
        connection: &mut Connection,
        mailbox: &MailboxName,
    ) -> Result<Option<(UidValidity, UidRanges)>, Fault> {
        let Some((id, size)) = self.mark() else { return Ok(None) };
        let hits = Hits::of(connection, mailbox, &id, size).await?;
        Ok(hits.one().map(|uids| (hits.validity, uids)))
    }

    fn mark(&self) -> Option<(String, u64)> {
        let letter = self.letter.as_ref()?;
        Some((letter.message_id()?, letter.size()))
    }

    /// The connection was lost after the message was sent: whether it is there, as far as that can be found out on a new one.
    pub(super) async fn verified(&self, pool: &Pool, append: &Append) -> Option<UpstreamReply> {
        let (id, size) = self.mark()?;
        let mut lease = pool.lease(None, true).await.ok()?;
        let hits = Hits::of(&mut lease.connection, &append.mailbox, &id, size).await.ok()?;
        pool.give_back(lease);
        match hits.one() {
            Some(uids) => Some(UpstreamReply::Ok(Data::Appended(Some((hits.validity, uids))))),
            None if hits.named.is_empty() => {
                Some(UpstreamReply::Failed(pimap_types::upstream::UpstreamFault::Unavailable))
            }
            None => None,
        }
    }
}

/// Messages that carry a Message-ID, and those of them that are as large as the one looked for.
struct Hits {
    validity: UidValidity,
    named: UidRanges,
    as_large: UidRanges,
}

impl Hits {
    async fn of(
        connection: &mut Connection,
        mailbox: &MailboxName,
        id: &str,
        size: u64,
    ) -> Result<Hits, Fault> {
        let resync = plain(connection);
        // EXAMINE, so that \Recent stays where it is (F27).
        select(connection, mailbox, true, resync).await?;
        let validity = connection.selected.as_ref().map(|selected| selected.uid_validity);
        let validity = validity.ok_or(Fault::Misbehaved)?;
        let key = SearchKey::Header(b"Message-ID".to_vec(), id.as_bytes().to_vec());
        let named = search_or_fail(connection, &key).await?;
        let mut as_large = UidRanges::new();
        // Several messages with one Message-ID: none of them is known to be the one (NQ-055).
        if named.len() == 1 {
            let facts = fetch_facts(connection, &named).await?;
            let fits = facts.values().filter(|facts| u64::from(facts.size) == size);
            as_large = UidRanges::from_uids(fits.map(|facts| facts.uid));
        }
        Ok(Hits { validity, named, as_large })
    }

    fn one(&self) -> Option<UidRanges> {
        (self.named.len() == 1 && !self.as_large.is_empty()).then(|| self.as_large.clone())
    }
}

/// Whether the command is one message in one literal.
fn is_one_literal(parts: &[AppendPart]) -> bool {
    matches!(parts, [AppendPart::Message { .. }, AppendPart::Literal { .. }])
}
