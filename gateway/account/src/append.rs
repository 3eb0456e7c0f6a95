//! What a handset may append: how large, how many, and which mail that is upstream already it may take parts of.
//!
//! CATENATE takes URLs, which upstream would follow wherever they lead: a hidden message could be copied into a visible one (F29). So a
//! URL is parsed, held against what the session sees, and written anew. The rules are a picture of the moment in which the
//! command begins, since URLs may come between streamed texts.

use crate::account::Account;
use crate::connection::Owner;
use crate::utf8::UTF8_ACCEPT;
use pimap_types::append::AppendPart;
use pimap_types::{ConnectionId, MailboxName, UidValidity};
use pimap_view::UidSet;
use pimap_wire::url::MessageUrl;
use std::collections::BTreeMap;

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AppendRules {
    /// The largest message, in octets.
    size_max: u64,
    /// Several messages in one command (RFC 3502).
    several: bool,
    /// Parts put together (RFC 4469).
    catenate: bool,
    /// NULs in a message (RFC 3516 4.4).
    binary: bool,
    /// UTF-8 in the header of a message (RFC 6855 4).
    utf8: bool,
    /// What is seen of mailboxes for which that is known.
    seen: BTreeMap<MailboxName, Seen>,
    /// What is seen of all others.
    elsewhere: Seen,
}

/// What a session sees of a mailbox.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Seen {
    Everything,
    Nothing,
    These(UidValidity, UidSet),
}

/// Why an APPEND is not carried out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Forbidden {
    /// A message is too large: `TOOBIG`.
    TooBig,
    /// Upstream cannot do it.
    Unsupported,
    /// A URL that is none, or that names what is not seen: `BADURL`, with the URL as it was written.
    Url(String),
}

impl Forbidden {
    /// The response code.
    pub fn code(&self) -> pimap_types::Code {
        use pimap_types::Code;
        match self {
            Forbidden::TooBig => Code::word("TOOBIG"),
            Forbidden::Unsupported => Code::word("CANNOT"),
            Forbidden::Url(url) => {
                let plain: String =
                    url.chars().filter(|c| c.is_ascii_graphic() && !"\"\\]".contains(*c)).collect();
                Code::Word(format!("BADURL \"{plain}\"").into())
            }
        }
    }

    /// The reason, for the handset.
    pub const fn text(&self) -> &'static str {
        match self {
            Forbidden::TooBig => "the mail server takes no message of this size",
            Forbidden::Unsupported => "the mail server cannot append this",
            Forbidden::Url(_) => "this URL names no message that is seen here",
        }
    }
}

impl AppendRules {
    /// Checks what was written; `first`: nothing of the command came before. URLs come back as they may go upstream.
    pub fn check(&self, parts: Vec<AppendPart>, first: bool) -> Result<Vec<AppendPart>, Forbidden> {
        let mut messages = usize::from(!first);
        let check = |part| {
            match &part {
                AppendPart::Message { .. } => {
                    messages += 1;
                    self.allowed(messages == 1 || self.several)?;
                }
                AppendPart::Literal { size, binary } => {
                    self.allowed(!binary || self.binary)?;
                    self.fits(*size)?;
                }
                AppendPart::Text { size } => self.fits(*size)?,
                AppendPart::Utf8 { size } => {
                    self.allowed(self.utf8)?;
                    self.fits(*size)?;
                }
                AppendPart::Catenate => self.allowed(self.catenate)?,
                AppendPart::Url(url) => return self.url(url).map(AppendPart::Url),
                AppendPart::EndUtf8 | AppendPart::EndCatenate => {}
            }
            Ok(part)
        };
        parts.into_iter().map(check).collect()
    }

    fn allowed(&self, allowed: bool) -> Result<(), Forbidden> {
        if allowed { Ok(()) } else { Err(Forbidden::Unsupported) }
    }

    fn fits(&self, size: u64) -> Result<(), Forbidden> {
        if size <= self.size_max { Ok(()) } else { Err(Forbidden::TooBig) }
    }

    fn url(&self, url: &str) -> Result<String, Forbidden> {
        let refused = || Forbidden::Url(url.to_owned());
        let mut read = MessageUrl::parse(url).ok_or_else(refused)?;
        match self.seen.get(&read.mailbox).unwrap_or(&self.elsewhere) {
            Seen::Everything => {}
            Seen::Nothing => return Err(refused()),
            Seen::These(validity, uids) => {
                // The UIDs mean something under this UIDVALIDITY only, which upstream is to compare.
                let named = *read.uid_validity.get_or_insert(*validity);
                if named != *validity || !uids.contains(read.uid) {
                    return Err(refused());
                }
            }
        }
        Ok(read.write())
    }
}

impl Account {
    /// The rules for an APPEND that begins now.
    pub(crate) fn append_rules(&self, conn: ConnectionId) -> AppendRules {
        let has = |word| self.upstream.announced.has(word);
        let owner = self.connections.get(&conn).map(|c| &c.owner);
        let (mut seen, mut elsewhere) = (BTreeMap::new(), Seen::Everything);
        if let Some(Owner::Device(id)) = owner
            && let Some(device) = self.devices.get(id)
        {
            let sees_all = |mailbox: &MailboxName| &*device.filter_names(mailbox).0 == "ALL";
            for mailbox in device.filtered_mailboxes() {
                seen.insert(
                    mailbox.clone(),
                    if sees_all(mailbox) { Seen::Everything } else { Seen::Nothing },
                );
            }
            if !device.sees_all_elsewhere() {
                elsewhere = Seen::Nothing;
            }
            for (mailbox, told) in device.session.iter().flat_map(|session| session.mailboxes()) {
                if !sees_all(mailbox) && !told.resync {
                    seen.insert(mailbox.clone(), Seen::These(told.uid_validity, told.view.clone()));
                }
            }
        }
        AppendRules {
            size_max: self.append_limit(),
            // One by one, and taken back if one fails: for that the gateway must be told UIDs, and expunge by them.
            several: has("MULTIAPPEND") || has("UIDPLUS"),
            catenate: has("CATENATE"),
            binary: has("BINARY"),
            utf8: has(UTF8_ACCEPT) && self.connections.get(&conn).is_some_and(|c| c.utf8),
            seen,
            elsewhere,
        }
    }
}

#[cfg(test)]
mod tests;
