//! CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE: the folder set is the same in all repositories (P-IMAP 1.3);
//! filters hide messages, never mailboxes. What would destroy hidden mail is refused (F19).

use super::{Progress, no, ok};
use crate::account::{Account, Question};
use crate::connection::{Running, Stage};
use crate::contract::Carry;
use pimap_types::upstream::{UpstreamReply, UpstreamRequest};
use pimap_types::{Code, Command, ConnectionId, MailboxName, Response};

/// Own folder changes remembered; past it all are forgotten, and an echo may wake the device that made it.
const OWN_FOLDERS_MAX: usize = 64;

impl Account {
    fn ask_upstream(&mut self, conn: ConnectionId, request: UpstreamRequest) -> Progress {
        Progress::Asked(self.ask(request, Carry::Nothing, Question::Command(conn)), Stage::Asked)
    }

    /// Names whose event is an echo of the account's own doing. Where nothing reports such events they would only pile up.
    fn note_own_folders(&mut self, mailboxes: &[&MailboxName]) {
        if self.own_folders.len() > OWN_FOLDERS_MAX {
            self.own_folders.clear();
        }
        self.own_folders.extend(mailboxes.iter().map(|m| (*m).clone()));
    }

    pub(super) fn begin_create(
        &mut self,
        conn: ConnectionId,
        mailbox: &MailboxName,
        running: &mut Running,
    ) -> Progress {
        self.intend(conn, running);
        self.note_own_folders(&[mailbox]);
        self.ask_upstream(conn, UpstreamRequest::Create(mailbox.clone()))
    }

    /// DELETE of a mailbox that holds mail outside the device's view is refused (F19).
    pub(super) fn begin_delete(
        &mut self,
        conn: ConnectionId,
        mailbox: &MailboxName,
        running: &mut Running,
    ) -> Progress {
        if let Err(refused) = self.nothing_hidden(conn, mailbox, running.since) {
            return refused;
        }
        self.intend(conn, running);
        self.note_own_folders(&[mailbox]);
        self.ask_upstream(conn, UpstreamRequest::Delete(mailbox.clone()))
    }

    /// Whether the connection's device sees all that the mailbox holds; else the command waits or ends.
    fn nothing_hidden(
        &mut self,
        conn: ConnectionId,
        mailbox: &MailboxName,
        since: u64,
    ) -> Result<(), Progress> {
        let owner = self.connections.get(&conn).map(|c| c.owner.clone()).ok_or(Progress::Over)?;
        if self.options.delete_hidden || !self.is_filtered(&owner, mailbox) {
            return Ok(());
        }
        self.need_mailbox(conn, mailbox, since)?;
        let hidden = match (self.live_if_ready(&owner, mailbox), self.mirrors.get(mailbox)) {
            (Some(live), Some(mirror)) => !mirror.uids.difference(&live).is_empty(),
            _ => true,
        };
        match hidden {
            true => Err(no("CANNOT", "the mailbox holds messages that this device does not see")),
            false => Ok(()),
        }
    }

    /// RENAME. Of INBOX it moves the messages and leaves INBOX where it is (RFC 3501 6.3.5): hidden ones would be moved without the
    /// filter that hides them.
    pub(super) fn begin_rename(
        &mut self,
        conn: ConnectionId,
        from: &MailboxName,
        to: &MailboxName,
        running: &mut Running,
    ) -> Progress {
        if from.is_inbox()
            && let Err(refused) = self.nothing_hidden(conn, from, running.since)
        {
            return refused;
        }
        self.intend(conn, running);
        self.note_own_folders(&[from, to]);
        self.ask_upstream(conn, UpstreamRequest::Rename(from.clone(), to.clone()))
    }

    pub(super) fn begin_subscribe(
        &mut self,
        conn: ConnectionId,
        mailbox: &MailboxName,
        subscribe: bool,
    ) -> Progress {
        let request = match subscribe {
            true => UpstreamRequest::Subscribe(mailbox.clone()),
            false => UpstreamRequest::Unsubscribe(mailbox.clone()),
        };
        self.ask_upstream(conn, request)
    }

    pub(super) fn folder_changed(
        &mut self,
        conn: ConnectionId,
        command: &Command,
        reply: UpstreamReply,
    ) -> Progress {
        let UpstreamReply::Ok(_) = reply else { return self.refused(reply) };
        let owner = self.connections.get(&conn).map(|c| c.owner.clone());
        if let (Command::Delete(mailbox) | Command::Rename(mailbox, _), Some(owner)) = (command, &owner)
            && !mailbox.is_inbox()
        {
            // Whoever deletes the mailbox it has selected is in none now, and is told so (RFC 7162 3.2.11): a client that reads no more
            // than its tagged line would go on in it.
            if self.selected_of(conn).is_some_and(|(_, selected)| selected == *mailbox) {
                let text = "the mailbox is gone by that name: none is selected";
                self.write(conn, Response::ok_code(Code::word("CLOSED"), text));
            }
            if let Some(session) = self.session_mut(owner) {
                session.forget_mailbox(mailbox);
            }
        }
        match command {
            Command::Delete(mailbox) => self.mailbox_deleted(mailbox),
            // It is still there, without its messages.
            Command::Rename(from, _) if from.is_inbox() => self.sync(from),
            // Filters follow the name, the children's too (F19).
            Command::Rename(from, to) => {
                self.mailbox_renamed(from, to);
                self.mailbox_appeared(to);
            }
            Command::Create(mailbox) => self.mailbox_appeared(mailbox),
            _ => {}
        }
        self.folders_moved(conn, command);
        ok()
    }
}
