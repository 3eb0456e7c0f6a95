//! A session taken up without LOGIN: by its cookie (digest 16.4), or by its SESSIONID before a tag (P-IMAP 1.2.3, digest
//! 4.5). The account has the last word on both.
//!
//! A session ID is looked for only on a connection that is not logged in, where the operator allows it, where a password might be
//! sent too, and never with a command that needs no session: an honest client's tags of 26 capitals are only tags (F16).

use super::{Conversation, Deferred, Found, Joining, Phase};
use crate::drive::link::Link;
use pimap_account::contract::OpenBy;
use pimap_types::{Code, Command, Response, Status, Tag};
use sha2::{Digest, Sha256};

/// A session ID's length: fixed, so that it can be told from what follows it.
const SESSION_ID_BYTES: usize = 26;

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

    /// The connection was opened by a session ID, and this tag begins with another one: whatever is meant, it is not this session.
    pub(super) fn names_another(&self, deferred: &Deferred) -> bool {
        self.session_id.is_some()
            && self.named_session(deferred).is_some_and(|named| Some(named) != self.session_id)
    }

    /// Looks up whose session that is. A name that is written stands above a cookie that comes along by itself.
    pub(super) fn recall(&mut self, deferred: Deferred) {
        let (named, cookie) = (self.named_session(&deferred), self.manner.cookie);
        let front = self.front.clone();
        let found = Box::pin(async move {
            if let Some(named) = named
                && let Some(account) = front.directory.by_session(named).await
            {
                return Some((account, OpenBy::SessionId(named)));
            }
            let cookie = cookie?;
            Some((front.directory.by_cookie(cookie).await?, OpenBy::Cookie(cookie)))
        });
        self.phase = Phase::Recalling { found, command: Box::new(deferred) };
    }

    /// The account is known, or there is none.
    pub(super) fn on_recalled(&mut self, found: Option<Found>) {
        let phase = std::mem::replace(&mut self.phase, Phase::Listening);
        let Phase::Recalling { command, .. } = phase else { return };
        match found {
            Some((account, by)) => {
                match by {
                    OpenBy::SessionId(named) => self.session_id = Some(named),
                    // A cookie is tried once; what comes after is like a request without one.
                    _ => self.manner.cookie = None,
                }
                self.join(account, by, None, Joining::Again(command));
            }
            None => {
                self.manner.cookie = None;
                self.refuse_without_session(*command);
            }
        }
    }

    /// The handset takes up a session that is not there: it is to log in (digest 16.1). To one that named it the untagged LOGIN
    /// says so (digest 4.5).
    pub(super) fn refuse_without_session(&mut self, deferred: Deferred) {
        self.session_id = None;
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
