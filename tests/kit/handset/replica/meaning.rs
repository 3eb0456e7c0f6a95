//! What a command that the handset sent means for the lines that answer it.

/// What a command in flight means for the lines that answer it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    Login,
    /// A mailbox, and whether the handset said what it knows of it.
    Select(String, bool),
    Leave,
    Logout,
    /// FETCH, STORE, SEARCH, COPY, SORT, THREAD: no EXPUNGE inside (RFC 3501 7.4.1); in their UID forms only after all that
    /// answers them, which the order of applying sees to (F25).
    Numbers {
        silent: bool,
        by_uid: bool,
    },
    Other,
}

/// What a line sent by the handset means; nothing for a line without a tag, such as DONE.
pub(super) fn meaning(line: &[u8]) -> Option<(String, Meaning)> {
    let line = String::from_utf8_lossy(line);
    let (tag, rest) = line.split_once(' ')?;
    let (mut word, mut arguments) = rest.split_once(' ').unwrap_or((rest, ""));
    let by_uid = word.eq_ignore_ascii_case("UID");
    if by_uid {
        (word, arguments) = arguments.split_once(' ').unwrap_or((arguments, ""));
    }
    let meaning = match word.to_ascii_uppercase().as_str() {
        "LOGIN" | "AUTHENTICATE" => Meaning::Login,
        "SELECT" | "EXAMINE" => Meaning::Select(mailbox(arguments), arguments.contains(" (QRESYNC ")),
        "CLOSE" | "UNSELECT" => Meaning::Leave,
        "LOGOUT" => Meaning::Logout,
        "FETCH" | "STORE" | "SEARCH" | "COPY" | "SORT" | "THREAD" => {
            Meaning::Numbers { silent: arguments.to_ascii_uppercase().contains("FLAGS.SILENT"), by_uid }
        }
        _ => Meaning::Other,
    };
    Some((tag.to_owned(), meaning))
}

/// The mailbox that SELECT names; INBOX in any case is INBOX.
fn mailbox(arguments: &str) -> String {
    let name = match arguments.strip_prefix('"').and_then(|rest| rest.rsplit_once('"')) {
        Some((inner, _)) => inner.replace("\\\"", "\"").replace("\\\\", "\\"),
        None => arguments.split(' ').next().unwrap_or_default().to_owned(),
    };
    if name.eq_ignore_ascii_case("INBOX") { "INBOX".to_owned() } else { name }
}
