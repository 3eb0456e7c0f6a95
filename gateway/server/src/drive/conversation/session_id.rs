//! A session taken up without LOGIN: by its cookie (digest 16.4), or by its SESSIONID before a tag (P-IMAP 1.2.3, digest
//! 4.5). The account has the last word on both.
//!
//! A session ID is looked for only where the operator allows it, where a password might be sent too, and never with a command that needs
//! no session: an honest client's tags of 26 capitals are only tags (F16). Once looked for it is taken at its word: nothing is executed in
//! another session than the one named, whatever cookie comes along and whichever session is open.

use super::{Conversation, Deferred, Found, Joining, Phase};
use crate::drive::link::Link;
use pimap_account::contract::OpenBy;
use pimap_types::{Code, Command, Response, Status, Tag};
use sha2::{Digest, Sha256};

/// A session ID's length: fixed, so that it can be told from what follows it.
const SESSION_ID_BYTES: usize = 26;

/// What took a session up without LOGIN, by its SHA-256.
#[derive(Clone, Copy)]
pub(super) enum TakenUp {
    /// The request's cookie.
    Cookie([u8; 32]),
    /// Its name before a tag.
    Name([u8; 32]),
}

/// SHA-256 of what may be a session ID at the head of a tag.
fn session_id_of(tag: &Tag) -> Option<[u8; 32]> {
    let (head, rest) = tag.0.as_bytes().split_at_checked(SESSION_ID_BYTES)?;
    let is_one = head.iter().all(|octet| octet.is_ascii_uppercase() || octet.is_ascii_digit());
    (is_one && !rest.is_empty()).then(|| Sha256::digest(head).into())
}

/// Whether a command has nothing to do with a session, so that its tag is only a tag.
fn is_about_no_session(command: &Command) -> bool {
    matches!(
        command,
        Command::Capability
            | Command::Noop
            | Command::Logout
            | Command::Id(_)
            | Command::Login(_)
            | Command::Authenticate { .. }
    )
}

impl<L: Link> Conversation<L> {
    /// The session that a command's tag names.
    pub(super) fn named_session(&self, deferred: &Deferred) -> Option<[u8; 32]> {
        let allowed =
            self.manner.may_login && self.front.settings.sid_tags.are_on(self.manner.transport.kind);
        let named = session_id_of(&deferred.tag).filter(|_| allowed)?;
        (!is_about_no_session(&deferred.command)).then_some(named)
    }

    /// The request's cookie, as long as it was not tried.
    pub(super) fn cookie(&self) -> Option<[u8; 32]> {
        self.manner.cookie.filter(|_| !self.cookie_tried)
    }

    /// Gives a command to the account. Where the session was taken up without LOGIN, a tag that names one names this one, or the command
    /// is not executed. Whoever logged in names nothing by tags (digest 4.5): they are only tags, unless they happen to be the name of a
    /// session, which has to be looked up.
    pub(super) fn give_as_named(&mut self, deferred: Deferred) {
        let named = self.named_session(&deferred);
        match named.filter(|_| self.taken_up.is_none()) {
            None => self.give(deferred, named),
            Some(_) => self.recall(deferred),
        }
    }

    /// Looks up whose session that is. A name that is written stands above a cookie that comes along by itself: if it is no session's,
    /// the command is not executed in the cookie's.
    pub(super) fn recall(&mut self, deferred: Deferred) {
        let (named, cookie) = (self.named_session(&deferred), self.cookie());
        let front = self.front.clone();
        let found = Box::pin(async move {
            match (named, cookie) {
                (Some(named), _) => {
                    Some((front.directory.by_session(named).await?, OpenBy::SessionId(named)))
                }
                (None, Some(cookie)) => {
                    Some((front.directory.by_cookie(cookie).await?, OpenBy::Cookie(cookie)))
                }
                (None, None) => None,
            }
        });
        self.phase = Phase::Recalling { found, command: Box::new(deferred) };
    }

    /// The account is known, or there is none.
    pub(super) fn on_recalled(&mut self, found: Option<Found>) {
        let phase = std::mem::replace(&mut self.phase, Phase::Listening);
        let Phase::Recalling { command, .. } = phase else { return };
        let named = self.named_session(&command);
        // A cookie is tried once.
        self.cookie_tried |= named.is_none();
        if self.membership.is_some() {
            return self.give(*command, named.filter(|_| found.is_some()));
        }
        match found {
            Some((account, by)) => {
                self.taken_up = match by {
                    OpenBy::SessionId(named) => Some(TakenUp::Name(named)),
                    OpenBy::Cookie(cookie) => Some(TakenUp::Cookie(cookie)),
                    OpenBy::Login { .. } => None,
                };
                self.join(account, by, None, Joining::Again(command));
            }
            None => self.refuse_without_session(*command),
        }
    }

    /// The cookie that a half command's other half must come with, if it must; `None`: it cannot be continued, since the next request
    /// would not find its session.
    pub(super) fn bearer(&self, tag: Option<&Tag>) -> Option<Option<[u8; 32]>> {
        match (self.taken_up, &self.membership) {
            (Some(TakenUp::Cookie(cookie)), _) => Some(Some(cookie)),
            // It says itself whose it is.
            (Some(TakenUp::Name(name)), _) => (tag.and_then(session_id_of) == Some(name)).then_some(None),
            // A regular session has no cookie, and ends with its connection.
            (None, Some(_)) => self.outbox.cookie_hash().map(Some),
            (None, None) => Some(self.manner.cookie),
        }
    }

    /// The handset takes up a session that is not there: it is to log in (digest 16.1). To one that named it the untagged LOGIN
    /// says so (digest 4.5).
    pub(super) fn refuse_without_session(&mut self, deferred: Deferred) {
        self.taken_up = None;
        if self.named_session(&deferred).is_some() {
            self.outbox.write_own(&Response::Login);
            return self.refuse(deferred, Status::No, None, "session does not exist");
        }
        let code = Some(Code::word("AUTHENTICATIONFAILED"));
        self.refuse(deferred, Status::No, code, "no session: log in first");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_session_id() {
        for tag in ["K7Q2M4X5ZT3VJ6H1R8W9Y0B2CDA17", "ABCDEFGHIJKLMNOPQRSTUVWXYZa"] {
            assert_eq!(session_id_of(&Tag::new(tag)), Some(Sha256::digest(&tag[..26]).into()));
        }
        for tag in
            ["A1", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "ABCDEFGHIJKLMnOPQRSTUVWXYZ1", "ABCDEFGHIJKLM.OPQRSTUVWXYZ1"]
        {
            assert_eq!(session_id_of(&Tag::new(tag)), None, "{tag}");
        }
    }
}
