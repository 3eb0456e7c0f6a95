//! Carries out requests: leases a connection, opens the mailbox as the request needs it, runs its commands, makes the answer.
//!
//! Rules kept here: EXAMINE to read and SELECT only to change (F27); a mailbox is opened, and its UIDVALIDITY compared, before a
//! command that depends on it is sent (F22); NOOP first when the connection has seen less than the owner (F21); what was lost
//! after a change was sent is in doubt and never repeated (F45).

mod append;
mod change;
mod expunge;
mod mailbox;
pub(crate) mod open;
mod order;
mod read;
mod sort;
mod sync;
mod wary;
mod within;

use crate::account::BodyStream;
use crate::connection::Connection;
use crate::fault::Fault;
use crate::machine::collect::Collected;
use crate::pool::{Lease, Pool};
use append::Appending;
use pimap_types::MailboxName;
use pimap_types::append::AppendPart;
use pimap_types::response::Status;
use pimap_types::search::ThreadAlgorithm;
use pimap_types::upstream::{Data, UpstreamReply, UpstreamRequest};
use pimap_wire::client::response::Condition;

pub(crate) use mailbox::{holds_any, status};
pub(crate) use read::fetch_facts;

/// Carries out one request.
pub(crate) async fn run(pool: &Pool, request: UpstreamRequest, stream: BodyStream) -> UpstreamReply {
    let mut attempt =
        Attempt { pool, request: &request, stream, streamed: false, appending: Appending::default() };
    match attempt.run().await {
        Ok(reply) => reply,
        Err((fault, in_doubt)) => UpstreamReply::Failed(fault.told(in_doubt)),
    }
}

/// A request on its way.
struct Attempt<'a> {
    pool: &'a Pool,
    request: &'a UpstreamRequest,
    stream: BodyStream,
    /// Something has passed through the stream: the request cannot be begun again.
    streamed: bool,
    appending: Appending,
}

impl Attempt<'_> {
    async fn run(&mut self) -> Result<UpstreamReply, (Fault, bool)> {
        let mut fresh = false;
        loop {
            let mailbox = mailbox_of(self.request);
            let mut lease = self.pool.lease(mailbox, fresh).await.map_err(|fault| (fault, false))?;
            lease.inside = Some(self.pool.doors.enter(&touched(self.request)).await);
            let outcome = self.on(&mut lease).await;
            let in_doubt = lease.connection.in_doubt;
            match outcome {
                Ok(reply) => {
                    // A connection in the middle of a command is of no use to anybody.
                    if self.appending.spoiled {
                        drop(lease)
                    } else {
                        self.pool.give_back(lease)
                    }
                    let kept = matches!(reply, UpstreamReply::Ok(_));
                    return match kept || self.appending.leaves_nothing(self.pool, self.request).await {
                        true => Ok(reply),
                        false => Err((Fault::Lost, true)),
                    };
                }
                // The command was refused before it was sent, or ended cleanly: the connection is as good as before.
                Err(
                    fault @ (Fault::NoSuchMailbox(_)
                    | Fault::NoAccess(_)
                    | Fault::UidValidityChanged
                    | Fault::Unsupported),
                ) if !self.appending.spoiled && !self.streamed => {
                    self.pool.give_back(lease);
                    return Err((fault, in_doubt));
                }
                // A connection that died while it had no work says nothing about upstream: once more, on a new one.
                Err(Fault::Lost)
                    if lease.reused && !in_doubt && !self.streamed && !self.appending.has_done_some() =>
                {
                    fresh = true;
                }
                Err(fault) => {
                    drop(lease);
                    if let (true, UpstreamRequest::Append(append)) = (in_doubt, self.request)
                        && let Some(reply) = self.appending.verified(self.pool, append).await
                    {
                        return Ok(reply);
                    }
                    // While it is not known whether a message is there, those before it stay: in doubt is all of it.
                    let in_doubt = in_doubt || !self.appending.leaves_nothing(self.pool, self.request).await;
                    return Err((fault, in_doubt));
                }
            }
        }
    }

    async fn on(&mut self, lease: &mut Lease) -> Result<UpstreamReply, Fault> {
        use UpstreamRequest::*;
        let connection = &mut lease.connection;
        match self.request {
            Sync { mailbox, known, facts } => {
                sync::sync(self.pool, connection, mailbox, known.as_ref(), *facts).await
            }
            Facts(at, uids) => {
                open::open(connection, at, false).await?;
                let uids = wary::nameable(connection, uids).await?;
                let facts = read::fetch_facts(connection, &uids).await?;
                Ok(UpstreamReply::Ok(Data::Facts(facts.into_values().collect())))
            }
            Search(at, charset, key) => {
                open::open(connection, at, false).await?;
                read::search(connection, charset.as_deref(), key).await
            }
            Sort(at, criteria, charset, key) => {
                open::open(connection, at, false).await?;
                if !sort::can_sort(connection, criteria) {
                    return order::sorted(self.pool, connection, at, criteria, (charset, key)).await;
                }
                sort::sort(connection, criteria, charset, key).await
            }
            Thread(at, algorithm, charset, key) => {
                if !sort::can_thread(connection, *algorithm) && *algorithm == ThreadAlgorithm::Refs {
                    return Err(Fault::Unsupported);
                }
                open::open(connection, at, false).await?;
                if !sort::can_thread(connection, *algorithm) {
                    return order::threaded(self.pool, connection, at, *algorithm, (charset, key)).await;
                }
                sort::thread(connection, *algorithm, charset, key).await
            }
            Fetch(at, uids, items) => {
                let BodyStream::Fetch(pieces) = &self.stream else { return Err(Fault::Cancelled) };
                open::open_to_fetch(connection, at, items).await?;
                let uids = wary::nameable(connection, uids).await?;
                let fetched =
                    read::fetch(self.pool, connection, at, &uids, items, pieces, &mut self.streamed).await?;
                wary::keep(connection).await?;
                Ok(fetched)
            }
            Store(at, uids, change, unchanged_since) => {
                open::open(connection, at, true).await?;
                let uids = wary::nameable(connection, uids).await?;
                let stored = change::store(connection, &uids, change, *unchanged_since).await?;
                wary::keep(connection).await?;
                Ok(stored)
            }
            Copy(at, uids, target) => {
                // A mailbox that is open to be read only takes no copies either (Courier).
                open::open(connection, at, at.mailbox == *target).await?;
                let uids = wary::nameable(connection, uids).await?;
                change::copy(connection, &uids, target).await
            }
            Move(at, uids, target) => {
                let capabilities = &connection.capabilities;
                let can_move = capabilities.r#move;
                if !can_move && !capabilities.uid_plus {
                    return Err(Fault::Unsupported);
                }
                open::open(connection, at, true).await?;
                let uids = wary::nameable(connection, uids).await?;
                let moved = match can_move {
                    true => change::r#move(connection, &uids, target).await?,
                    false => change::move_by_copy(connection, &uids, target).await?,
                };
                wary::keep(connection).await?;
                Ok(moved)
            }
            Expunge { at, uids, all_visible } => {
                let selective = connection.capabilities.uid_plus || *all_visible;
                let trash = match selective {
                    true => None,
                    false => Some(expunge::trash(connection, &at.mailbox).await?),
                };
                open::open(connection, at, true).await?;
                let expunged = match trash {
                    None => expunge::expunge(connection, uids).await?,
                    Some(trash) => expunge::expunge_by_move(connection, uids, &trash).await?,
                };
                wary::keep(connection).await?;
                Ok(expunged)
            }
            Append(append) => {
                let octets = match &mut self.stream {
                    BodyStream::Append(octets) => Some(octets),
                    _ if append.streams().is_none() => None,
                    _ => return Err(Fault::Cancelled),
                };
                if append.parts.iter().any(|part| matches!(part, AppendPart::Utf8 { .. })) {
                    return self
                        .appending
                        .run_in_utf8(self.pool, connection, append, octets, &mut self.streamed)
                        .await;
                }
                open::leave(connection, &append.mailbox).await?;
                self.appending.run(connection, append, octets, &mut self.streamed).await
            }
            List { subscribed, pattern, extended } => {
                mailbox::list(connection, *subscribed, pattern, *extended).await
            }
            Namespace => mailbox::namespace(connection).await,
            Status(mailbox, items) => mailbox::status_reply(connection, mailbox, items).await,
            Create(_) | Delete(_) | Rename(..) | Subscribe(_) | Unsubscribe(_) => {
                change::mailbox(self.pool, connection, self.request).await
            }
        }
    }
}

/// The mailbox that a request wants open.
fn mailbox_of(request: &UpstreamRequest) -> Option<&MailboxName> {
    use UpstreamRequest::*;
    match request {
        Sync { mailbox, .. } => Some(mailbox),
        Facts(at, _) | Search(at, ..) | Sort(at, ..) | Thread(at, ..) | Fetch(at, ..) => Some(&at.mailbox),
        Store(at, ..) | Copy(at, ..) | Move(at, ..) => Some(&at.mailbox),
        Expunge { at, .. } => Some(&at.mailbox),
        _ => None,
    }
}

/// The mailboxes that a request opens or looks into: none of them is deleted under it by another request of ours. A change of a name
/// keeps others out itself.
fn touched(request: &UpstreamRequest) -> Vec<&MailboxName> {
    use UpstreamRequest::*;
    let besides = match request {
        Copy(_, _, target) | Move(_, _, target) => Some(target),
        Status(mailbox, _) => Some(mailbox),
        Append(append) => Some(&append.mailbox),
        _ => None,
    };
    mailbox_of(request).into_iter().chain(besides).collect()
}

/// The answer to a command that upstream refused.
fn refused(condition: Condition, data: Option<Data>) -> UpstreamReply {
    UpstreamReply::Refused { code: condition.code_text, text: condition.text, data }
}

/// Whether upstream said OK.
fn is_ok(condition: &Condition) -> bool {
    condition.status == Status::Ok
}

/// Runs a command for its untagged data and its status.
async fn run_for(
    connection: &mut Connection,
    request: &pimap_wire::client::request::Request<'_>,
) -> Result<(Condition, Collected), Fault> {
    let mut collected = Collected::default();
    let condition = connection.run(request, &mut collected).await?;
    Ok((condition, collected))
}
