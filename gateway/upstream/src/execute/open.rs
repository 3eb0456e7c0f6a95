//! Opens mailboxes on a pool connection, and makes sure that what is open is what the request means.

use super::{is_ok, run_for};
use crate::connection::{Connection, Selected};
use crate::fault::Fault;
use crate::machine::collect::Collected;
use pimap_types::command::FetchItem;
use pimap_types::response::Status;
use pimap_types::upstream::MailboxAt;
use pimap_types::{MailboxName, MessageFacts, Uid};
use pimap_wire::client::request::{Request, Resync, UidsArgument};
use pimap_wire::client::response::Condition;
use std::collections::BTreeMap;

/// Has the mailbox open under its UIDVALIDITY, writable if so asked, and as new as the owner needs it.
pub(super) async fn open(connection: &mut Connection, at: &MailboxAt, writable: bool) -> Result<(), Fault> {
    let opens_anew = super::wary::manners(connection).opens_anew;
    let fits = |s: &Selected| {
        let same = s.mailbox == at.mailbox && s.uid_validity == at.uid_validity;
        same && !opens_anew && !(writable && s.examined)
    };
    match connection.selected.clone() {
        Some(selected) if fits(&selected) => {
            if selected.as_of < at.at_least {
                // F21: without it this connection would answer from before the owner's last change.
                let (condition, collected) = run_for(connection, &Request::Noop).await?;
                connection.notice(&collected);
                if !is_ok(&condition) {
                    return Err(Fault::Lost);
                }
                if let Some(selected) = &mut connection.selected {
                    selected.as_of = at.at_least;
                }
            }
        }
        _ => {
            let resync = plain(connection);
            select(connection, &at.mailbox, !writable, resync).await?;
            if let Some(selected) = &mut connection.selected {
                selected.as_of = at.at_least;
            }
        }
    }
    match &connection.selected {
        Some(selected) if selected.uid_validity == at.uid_validity => Ok(()),
        _ => Err(Fault::UidValidityChanged),
    }
}

/// Has the mailbox open as a FETCH of these items needs it: reading a body sets `\Seen` (RFC 3501 6.4.5), which EXAMINE would
/// not allow; and where it must not, EXAMINE alone keeps some items from it.
pub(super) async fn open_to_fetch(
    connection: &mut Connection,
    at: &MailboxAt,
    items: &[FetchItem],
) -> Result<(), Fault> {
    let open_to_change = connection.selected.as_ref().is_some_and(|selected| !selected.examined);
    if open_to_change && items.iter().any(FetchItem::needs_examine) {
        connection.selected = None;
    }
    open(connection, at, items.iter().any(FetchItem::sets_seen)).await
}

/// How to open a mailbox without asking for changes.
pub(crate) fn plain(connection: &Connection) -> Resync {
    let ask = connection.capabilities.condstore && !connection.condstore;
    if ask { Resync::Condstore } else { Resync::Plain }
}

/// SELECT or EXAMINE; what was open before is open no more, whatever comes.
pub(crate) async fn select(
    connection: &mut Connection,
    mailbox: &MailboxName,
    read_only: bool,
    resync: Resync,
) -> Result<Collected, Fault> {
    connection.selected = None;
    let (mut condition, mut collected) =
        run_for(connection, &Request::Select { mailbox, read_only, resync }).await?;
    if condition.status == Status::Bad && resync != Resync::Plain {
        // Announced, but not understood.
        let plain = Request::Select { mailbox, read_only, resync: Resync::Plain };
        (condition, collected) = run_for(connection, &plain).await?;
    }
    if code_of(&condition) == "ALREADYEXISTS" {
        // Dovecot makes a mailbox when it is first opened; of two who open it at once one is told that the other has made it.
        let again = Request::Select { mailbox, read_only, resync: plain(connection) };
        (condition, collected) = run_for(connection, &again).await?;
    }
    if !is_ok(&condition) {
        return Err(cannot_open(condition));
    }
    // Without UIDVALIDITY no UID means anything: such a server cannot be served.
    let uid_validity = collected.uid_validity.ok_or(Fault::Misbehaved)?;
    connection.selected = Some(Selected {
        mailbox: mailbox.clone(),
        uid_validity,
        examined: read_only,
        as_of: 0,
        exists: collected.exists.unwrap_or(0),
    });
    Ok(collected)
}

/// Leaves this mailbox if it is the open one: a STATUS of it is told from the moment when it was last looked at, however
/// long ago (NQ-059, RFC 3501 6.3.10), and where it is open by EXAMINE some servers refuse to save into it (Courier). Never
/// by CLOSE of what is open to be changed, which would expunge (NQ-053, NQ-054).
pub(crate) async fn leave(connection: &mut Connection, mailbox: &MailboxName) -> Result<(), Fault> {
    let Some(selected) = connection.selected.clone().filter(|s| s.mailbox == *mailbox) else { return Ok(()) };
    let unselect = connection.capabilities.unselect;
    if !unselect && !selected.examined {
        let resync = plain(connection);
        select(connection, mailbox, true, resync).await?;
    }
    connection.selected = None;
    let request = if unselect { Request::Unselect } else { Request::Close };
    let (condition, _) = run_for(connection, &request).await?;
    if is_ok(&condition) { Ok(()) } else { Err(Fault::Lost) }
}

/// The name of a condition's code, in capitals; empty: it has none.
fn code_of(condition: &Condition) -> String {
    let code = condition.code_text.as_deref().unwrap_or_default();
    code.split(' ').next().unwrap_or_default().to_ascii_uppercase()
}

/// A mailbox that is merely out of order now must not look deleted (RFC 5530 3).
fn cannot_open(condition: Condition) -> Fault {
    match code_of(&condition).as_str() {
        "UNAVAILABLE" | "SERVERBUG" | "INUSE" | "LIMIT" | "CORRUPTION" => Fault::Lost,
        "NOPERM" => Fault::NoAccess(condition.text),
        _ => Fault::NoSuchMailbox(condition.text),
    }
}

/// Facts of the open mailbox's messages from this UID on; `n:*` also names the last one below it (RFC 3501 6.4.8).
pub(crate) async fn facts_from(
    connection: &mut Connection,
    first: u32,
) -> Result<BTreeMap<Uid, MessageFacts>, Fault> {
    super::read::facts_of(connection, UidsArgument::From(first), None, None).await
}
