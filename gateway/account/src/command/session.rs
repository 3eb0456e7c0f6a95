//! LOGOUT, ENABLE and XACK: commands about the session itself. Refuses what comes too late, before anything is changed.

use super::{Progress, bad, no, ok};
use crate::account::Account;
use crate::connection::{Owner, Running};
use crate::contract::{Count, Output};
use crate::utf8::UTF8_ACCEPT;
use pimap_types::command::Cursor;
use pimap_types::{ConnectionId, Response, Status};

impl Account {
    pub(super) fn begin_logout(&mut self, conn: ConnectionId, running: &Running) -> Progress {
        let Some(owner) = self.connections.get(&conn).map(|c| c.owner.clone()) else { return Progress::Over };
        self.write(conn, Response::Bye { code: None, text: "see you".into() });
        if let Some(tag) = &running.tag {
            self.write(conn, Response::tagged(tag, Status::Ok, "LOGOUT completed"));
        }
        self.count(Count::Command("LOGOUT", "ok"));
        if let Owner::Device(id) = owner {
            self.end_session(&id);
        }
        if let Some(c) = self.connections.get_mut(&conn) {
            c.finished = true;
        }
        self.outbox.push(Output::Finish(conn));
        Progress::Over
    }

    pub(super) fn begin_enable(&mut self, conn: ConnectionId, words: &[String]) -> Progress {
        let asked = |known: &str| words.iter().any(|word| word == known);
        let utf8 = asked(UTF8_ACCEPT) && self.upstream.announced.has(UTF8_ACCEPT);
        if utf8 && self.connections.get(&conn).is_some_and(|c| c.selected_here) {
            // RFC 5161 3.1; names would change their spelling under the handset.
            return bad("ENABLE UTF8=ACCEPT comes before SELECT");
        }
        let known = ["XPIMAPACK", "CONDSTORE", "QRESYNC", UTF8_ACCEPT].into_iter();
        let known = known.filter(|word| asked(word) && (utf8 || *word != UTF8_ACCEPT));
        self.write(conn, Response::Enabled(known.map(str::to_owned).collect()));
        if let Some(c) = self.connections.get_mut(&conn) {
            c.enabled = true;
            c.cursors |= asked("XPIMAPACK") && matches!(c.owner, Owner::Device(_));
            c.utf8 |= utf8;
        }
        if asked("CONDSTORE") {
            self.enable_condstore(conn);
        }
        if asked("QRESYNC") {
            self.enable_qresync(conn);
        }
        ok()
    }

    /// XACK: a cursor on a connection that stays open.
    pub(super) fn begin_ack(&mut self, conn: ConnectionId, cursor: Cursor) -> Progress {
        let Some(owner) = self.connections.get(&conn).map(|c| c.owner.clone()) else { return Progress::Over };
        let Some(session) = self.session_mut(&owner) else { return no("CLIENTBUG", "no session") };
        match session.acknowledge_cursor(cursor) {
            Ok(()) => {
                session.use_cursors();
                if let Some(c) = self.connections.get_mut(&conn) {
                    c.cursors = true;
                    c.inband_at = None;
                    c.interactive = true;
                    c.reads = true;
                }
                ok()
            }
            Err(_) => no("CLIENTBUG", "this cursor was not given by this session"),
        }
    }
}
