//! IDLE (RFC 2177, P-IMAP 5.1.5): events flow until DONE, or until something else is written, which is refused.

use super::{Progress, bad};
use crate::account::Account;
use crate::announce::{Afterwards, Done, Waiting};
use crate::connection::Running;
use crate::contract::Count;
use pimap_session::{Departures, Flush};
use pimap_types::{Command, ConnectionId, Response, Status, Tag};

impl Account {
    pub(super) fn begin_idle(&mut self, conn: ConnectionId, running: &mut Running) -> Progress {
        if !self.can_idle(conn) {
            return bad("IDLE needs a connection that stays open: send the request chunked");
        }
        if let Some(c) = self.connections.get_mut(&conn) {
            c.idle = running.tag.clone();
        }
        self.write(conn, Response::Continuation("idling".into()));
        self.complete(conn, true);
        Progress::Over
    }

    /// DONE: what polled events were held back is told, then the tagged answer (digest 7).
    pub(crate) fn done(&mut self, conn: ConnectionId, done: Done) {
        if self.is_held_up(conn, || Waiting::Done(done)) {
            return;
        }
        let Done { pending, pipelined, misspoken } = done;
        let now = self.now;
        let Some(c) = self.connections.get_mut(&conn).filter(|c| !c.finished) else { return };
        let Some(tag) = c.idle.take() else { return };
        c.last_heard = now;
        c.pending = pending;
        // Who writes something else does not go by what it reads.
        c.pipelined |= pipelined || misspoken;
        c.interactive |= !c.pipelined;
        c.reads |= !c.pipelined;
        c.commands += 1;
        // E-2: octets sent after `+` prove everything written before it, and nothing after it (F2).
        let (owner, handed, pipelined) = (c.owner.clone(), c.handed, c.pipelined);
        if !pipelined && let Some(session) = self.session_mut(&owner).filter(|s| !s.cursors) {
            session.acknowledge(handed);
        }
        if let Some(id) = self.device_of(conn) {
            self.heard_again(&id);
        }
        let departures = self.permitted(conn, Departures::All);
        self.tell_elsewhere(conn);
        let wanted = self.wanted(conn, Some(&Command::Idle));
        let telling = self.tell_news(conn, Flush { pushed_only: false, departures }, wanted);
        let status = if misspoken { Status::Bad } else { Status::Ok };
        self.announce(conn, telling, Afterwards::Done(tag, status));
    }

    /// What DONE tells is told.
    pub(crate) fn done_told(&mut self, conn: ConnectionId, tag: &Tag, status: Status) {
        self.limit_known_mod_seq(conn);
        self.tell_cursor(conn);
        let (result, text) = match status {
            Status::Ok => ("ok", "IDLE completed"),
            _ => ("bad", "expected DONE"),
        };
        self.count(Count::Command("IDLE", result));
        self.write(conn, Response::tagged(tag, status, text));
        self.complete(conn, false);
    }
}
