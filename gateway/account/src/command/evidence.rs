//! What a command proves of what came before it: that an answer was read (E-1, F2), or that it was executed already (F4).

use crate::account::Account;
use crate::connection::{Ending, Task};
use crate::contract::TransportKind;
use pimap_session::Repeat;
use pimap_types::{Code, Command, ConnectionId, Status};

impl Account {
    /// E-1: going on, on a connection that never pipelined, proves that the earlier response was read (F2).
    pub(super) fn take_evidence(&mut self, conn: ConnectionId, pipelined: bool) {
        let Some(c) = self.connections.get_mut(&conn) else { return };
        c.pipelined |= pipelined;
        // The first command of an HTTP body has no earlier response on this connection.
        let answered_before = c.handed > 0;
        if c.pipelined || !c.is_stream() || !answered_before {
            return;
        }
        c.interactive = true;
        // An open HTTP body may be a batch that trickles in: only a handset that answered a `+` there, or presented a cursor,
        // is known to read before it goes on.
        if c.transport.kind == TransportKind::HttpStream && !c.reads {
            return;
        }
        let (owner, handed) = (c.owner.clone(), c.handed);
        if let Some(session) = self.session_mut(&owner).filter(|s| !s.cursors) {
            session.acknowledge(handed);
        }
    }

    /// A command of a request that was executed before is answered from the record (F4). True: it was.
    pub(super) fn answer_repeat(&mut self, conn: ConnectionId) -> bool {
        let now = self.now;
        let Some(c) = self.connections.get(&conn) else { return true };
        let (Some(key), Some(running)) = (c.request.as_deref().copied(), c.running.as_ref()) else {
            return false;
        };
        let Task::Command(command) = &running.task else { return false };
        if !is_remembered(command) {
            return false;
        }
        let (owner, index, command) = (c.owner.clone(), running.index, command.clone());
        let found = self.session(&owner).map_or(Repeat::New, |s| s.requests.find(key, index, now));
        match found {
            Repeat::New => false,
            Repeat::Answered(status, code, text) => {
                if matches!(command, Command::Close) && status == Status::Ok {
                    self.closed_mailbox(conn);
                }
                self.finish(conn, Ending::new(status, code.map(|c| Code::Word(c.into())), text));
                true
            }
            Repeat::Reused => {
                let text = "this Idempotency-Key is that of another request";
                self.finish(conn, Ending::new(Status::No, Some(Code::word("CLIENTBUG")), text));
                true
            }
            Repeat::InDoubt => {
                let text = "it was begun before and may or may not have been done";
                self.finish(conn, Ending::new(Status::No, Some(Code::word("PIMAPINDOUBT")), text));
                true
            }
        }
    }
}

/// Commands that a repeated request must not execute again (F4). Flags by UID are idempotent, but a repeat of a STORE by
/// number is not; preferences and filters are.
fn is_remembered(command: &Command) -> bool {
    matches!(
        command,
        Command::Store(..)
            | Command::Copy(..)
            | Command::Move(..)
            | Command::Expunge
            | Command::UidExpunge(_)
            | Command::Close
            | Command::Append(_)
            | Command::Create(_)
            | Command::Delete(_)
            | Command::Rename(..)
    )
}
