//! UTF8=ACCEPT (RFC 6855): a handset that enabled it speaks of mailboxes in UTF-8, and searches in it.
//!
//! Inside the account, and towards upstream, a mailbox has one spelling, modified UTF-7: names are turned into it when a command is taken
//! in, and out of it when a response is written. Refuses names that a mailbox cannot have (RFC 5198 2), and UTF-8 from who did not
//! enable it.

use crate::account::Account;
use crate::command::{Progress, bad, no};
use pimap_types::limits::MAILBOX_NAME_BYTES_MAX;
use pimap_types::list::ListPattern;
use pimap_types::notify::{MailboxFilter, Notify};
use pimap_types::preference::{Activation, FilterScope, PreferenceSetting};
use pimap_types::response::PreferenceValue;
use pimap_types::{Command, ConnectionId, MailboxName, Response};
use pimap_wire::utf7;
use std::borrow::Cow;
use unicode_normalization::is_nfc;

/// The capability, and the word of ENABLE.
pub(crate) const UTF8_ACCEPT: &str = "UTF8=ACCEPT";

/// Brings the names in a command into modified UTF-7. A name that no mailbox can have stays as it is, beyond ASCII, and is refused by
/// [`Account::refused_text`].
pub(crate) fn take_in(command: &mut Command) {
    // What is there already may be in any form; what comes to be is in that of RFC 5198.
    let made = match command {
        Command::Create(_) => Some(0),
        Command::Rename(..) => Some(1),
        _ => None,
    };
    for (at, name) in names_of(command).into_iter().enumerate() {
        let fresh = made == Some(at);
        if let Some(encoded) = canonical(name.as_str(), fresh) {
            *name = MailboxName::new(&encoded);
        }
    }
}

/// A name in modified UTF-7; nothing where it cannot be a mailbox's.
fn canonical(name: &str, fresh: bool) -> Option<String> {
    let legal = !name.chars().any(is_prohibited) && (!fresh || is_nfc(name));
    let encoded = legal.then(|| utf7::encode(name))?;
    (encoded.len() <= MAILBOX_NAME_BYTES_MAX).then_some(encoded)
}

/// RFC 6855 3: neither control characters nor the separators of lines and paragraphs.
fn is_prohibited(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

/// Every mailbox that a command names; patterns are none.
fn names_of(command: &mut Command) -> Vec<&mut MailboxName> {
    match command {
        Command::Create(name)
        | Command::Delete(name)
        | Command::Subscribe(name)
        | Command::Unsubscribe(name)
        | Command::Status(name, _)
        | Command::Select { mailbox: name, .. }
        | Command::Copy(_, name)
        | Command::Move(_, name) => vec![name],
        Command::Rename(from, to) => vec![from, to],
        Command::Append(append) => vec![&mut append.mailbox],
        Command::Notify(Notify::Set { groups, .. }) => {
            let named = groups.iter_mut().filter_map(|group| match &mut group.mailboxes {
                MailboxFilter::Subtree(names) | MailboxFilter::Mailboxes(names) => Some(names),
                _ => None,
            });
            named.flatten().collect()
        }
        Command::XsetPimapPref(PreferenceSetting::Xfilter(Activation {
            scope: FilterScope::Mailbox(name),
            ..
        })) => vec![name],
        _ => Vec::new(),
    }
}

/// A response with the names in it in UTF-8. A name of upstream's that is no modified UTF-7 is told as it stands.
pub(crate) fn told(response: Response) -> Response {
    match response {
        Response::List { subscribed, mut item } => {
            item.mailbox = readable(&item.mailbox);
            Response::List { subscribed, item }
        }
        Response::ListParent(mut item, option) => {
            item.mailbox = readable(&item.mailbox);
            Response::ListParent(item, option)
        }
        Response::Renamed { mut item, old_name } => {
            item.mailbox = readable(&item.mailbox);
            Response::Renamed { item, old_name: readable(&old_name) }
        }
        Response::Namespace(mut namespaces) => {
            let all = [&mut namespaces.personal, &mut namespaces.other_users, &mut namespaces.shared];
            for namespace in all.into_iter().flatten() {
                namespace.prefix = in_utf8(&namespace.prefix).into_owned();
            }
            Response::Namespace(namespaces)
        }
        Response::Status(mailbox, numbers) => Response::Status(readable(&mailbox), numbers),
        Response::Folder(mailbox) => Response::Folder(readable(&mailbox)),
        Response::Preferences(mut pairs) => {
            for (_, value) in &mut pairs {
                if let PreferenceValue::Activation(Some(mailbox), ..) = value {
                    *mailbox = readable(mailbox);
                }
            }
            Response::Preferences(pairs)
        }
        other => other,
    }
}

fn readable(name: &MailboxName) -> MailboxName {
    MailboxName::new(&in_utf8(name.as_str()))
}

/// A name as people read it.
pub(crate) fn in_utf8(name: &str) -> Cow<'_, str> {
    utf7::decode(name).map_or(Cow::Borrowed(name), Cow::Owned)
}

/// A pattern in UTF-8 as upstream is asked, which may find more than is meant: what stands beyond ASCII has another spelling beside each
/// other character, so from there on anything is asked for. ASCII characters stand for themselves in modified UTF-7, but for `&`.
pub(crate) fn wider(reference: &str, pattern: &str) -> ListPattern {
    if reference.is_ascii() && pattern.is_ascii() {
        return ListPattern { reference: utf7::encode(reference), pattern: utf7::encode(pattern) };
    }
    let whole = format!("{reference}{pattern}");
    let plain: String = whole.chars().take_while(char::is_ascii).collect();
    ListPattern { reference: String::new(), pattern: format!("{}*", utf7::encode(&plain)) }
}

impl Account {
    /// UTF-8 where it is not enabled, and what RFC 6855 forbids where it is.
    pub(crate) fn refused_text(&self, conn: ConnectionId, command: &mut Command) -> Option<Progress> {
        let enabled = self.connections.get(&conn)?.utf8;
        let patterns_plain = match command {
            Command::List(list) => {
                list.reference.is_ascii() && list.patterns.iter().all(|pattern| pattern.is_ascii())
            }
            Command::Lsub(pattern) => pattern.reference.is_ascii() && pattern.pattern.is_ascii(),
            _ => true,
        };
        let names_plain = names_of(command).iter().all(|name| name.as_str().is_ascii());
        match command {
            Command::Search { charset: Some(_), .. } if enabled => {
                Some(bad("text is in UTF-8 here: CHARSET is not to be named"))
            }
            Command::Search { charset: None, program, .. } if !enabled && !program.is_ascii() => {
                Some(bad("8-bit text needs CHARSET UTF-8"))
            }
            _ if enabled && !names_plain => Some(no("CANNOT", "no mailbox can have this name")),
            _ if !(enabled || names_plain && patterns_plain) => {
                Some(bad("a mailbox name is 7-bit text in modified UTF-7"))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
