//! APPEND of the modelled server: all messages of a command, or none.

use super::answer::{no_target, refused};
use super::{Upstream, said};
use pimap_types::append::{Append, AppendPart, AppendPiece};
use pimap_types::upstream::{Data, UpstreamFault, UpstreamReply};
use pimap_types::{Flags, Uid, UidRanges};
use pimap_wire::url::MessageUrl;

impl Upstream {
    /// Puts the messages together; URLs name what this server holds.
    pub(super) fn append(
        &mut self,
        append: Append,
        pieces: Option<Vec<AppendPiece>>,
    ) -> Result<UpstreamReply, UpstreamFault> {
        let (today, uid_plus) = (self.today, self.traits.uid_plus);
        if !self.mail.mailboxes.contains_key(&append.mailbox) {
            return Ok(no_target());
        }
        let needs_stream = append.streams().is_some();
        let mut messages: Vec<(Flags, Vec<u8>)> = Vec::new();
        let mut rest = [AppendPiece::Parts(append.parts)].into_iter().chain(pieces.into_iter().flatten());
        let mut whole = !needs_stream;
        for piece in &mut rest {
            let parts = match piece {
                AppendPiece::Parts(parts) => parts,
                AppendPiece::Bytes(octets) => {
                    messages.last_mut().ok_or(UpstreamFault::Misbehaved)?.1.extend_from_slice(&octets);
                    continue;
                }
                AppendPiece::Refused { code, text } => {
                    return Ok(UpstreamReply::Refused { code: Some(code), text, data: None });
                }
                AppendPiece::End => {
                    whole = true;
                    continue;
                }
            };
            for part in parts {
                match part {
                    AppendPart::Message { flags, .. } => messages.push((flags, Vec::new())),
                    AppendPart::Url(url) => match self.resolved(&url) {
                        Some(octets) => {
                            messages.last_mut().ok_or(UpstreamFault::Misbehaved)?.1.extend(octets);
                        }
                        None => return Ok(refused(Some(&format!("BADURL \"{url}\"")), "no such message")),
                    },
                    _ => {}
                }
            }
        }
        if !whole {
            return Err(UpstreamFault::Cancelled);
        }
        let state = self.mail.mailboxes.get_mut(&append.mailbox).ok_or(UpstreamFault::Misbehaved)?;
        let uids: Vec<u32> =
            messages.into_iter().map(|(flags, text)| state.deliver(text, flags, today)).collect();
        let told = UidRanges::from_uids(uids.iter().filter_map(|uid| Uid::new(*uid)));
        let told = uid_plus.then_some((state.uid_validity, told));
        self.changed(&append.mailbox, &uids);
        Ok(said(Data::Appended(told)))
    }

    fn resolved(&self, url: &str) -> Option<Vec<u8>> {
        let url = MessageUrl::parse(url)?;
        let state = self.mail.mailboxes.get(&url.mailbox)?;
        let holds = url.uid_validity.is_none_or(|validity| validity == state.uid_validity);
        state.messages.get(&url.uid.get()).filter(|_| holds).map(|message| message.text.clone())
    }
}
