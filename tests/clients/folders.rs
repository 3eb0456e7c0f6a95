//! Mailboxes as a person sees them: subjects, flags and texts, read from a Maildir and from a server.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use pimap_tests::imap::Imap;
use pimap_tests::response::Response;

/// The flags of a message by the letters that a Maildir has for them: D F R S T.
pub type Letters = BTreeSet<char>;

/// What a mailbox holds: flags by subject. Subjects in these tests are unique within a mailbox.
pub type Held = BTreeMap<String, Letters>;

/// A file of a Maildir.
#[derive(Debug, Clone)]
pub struct Item {
    /// Where it is.
    pub path: PathBuf,
    /// The subject of its message.
    pub subject: String,
    /// Its flags.
    pub letters: Letters,
}

/// The messages of a Maildir, whose texts must be those of their subjects.
#[track_caller]
pub fn maildir(path: &Path) -> Vec<Item> {
    let mut items = Vec::new();
    for part in ["cur", "new"] {
        let entries = fs::read_dir(path.join(part)).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        for entry in entries {
            let path = entry.expect("an entry of a Maildir").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let letters = name.split_once(":2,").map_or("", |(_, letters)| letters);
            let text = fs::read_to_string(&path).expect("a message");
            let subject = subject(&text).unwrap_or_else(|| panic!("no subject in {text}"));
            assert!(text.contains(&format!("The text of {subject}.")), "the text is another's: {text}");
            // Synchronisers keep keywords and marks of their own as lower case letters.
            let letters = letters.chars().filter(char::is_ascii_uppercase).collect();
            items.push(Item { path, subject, letters });
        }
    }
    items
}

/// What a Maildir holds.
#[track_caller]
pub fn in_maildir(path: &Path) -> Held {
    let items = maildir(path);
    let held: Held = items.iter().map(|item| (item.subject.clone(), item.letters.clone())).collect();
    assert_eq!(held.len(), items.len(), "a message is there twice in {path:?}");
    held
}

/// What a mailbox of a server holds, looked at without changing it.
#[track_caller]
pub fn at_server(server: &mut Imap, mailbox: &str) -> Held {
    server.ok(&format!("EXAMINE \"{mailbox}\""));
    let reply = server.ok("UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])");
    server.ok("UNSELECT");
    let mut held = Held::new();
    for response in reply.responses() {
        let Response::Fetch(_, fetched) = response else { continue };
        // Without it, it is news of a message whose answer came already; what it says shows at the next look.
        let Some(header) = fetched.items.get("BODY[HEADER.FIELDS (SUBJECT)]") else { continue };
        let subject = subject(&String::from_utf8_lossy(header)).expect("a subject");
        let letters = fetched.flags.iter().flatten().filter_map(|flag| letter(flag)).collect();
        assert!(held.insert(subject.clone(), letters).is_none(), "{subject} is there twice in {mailbox}");
    }
    held
}

/// The UID of the message with that subject in the selected mailbox.
#[track_caller]
pub fn uid(server: &mut Imap, subject: &str) -> u32 {
    let found = server.ok(&format!("UID SEARCH SUBJECT \"{subject}\""));
    let uids = found.responses().find_map(|response| match response {
        Response::Search(uids) => Some(uids),
        _ => None,
    });
    match uids.unwrap_or_default()[..] {
        [uid] => uid,
        ref other => panic!("{subject} is at {other:?}"),
    }
}

/// `held(&[("one", "FS"), ("two", "")])`
pub fn held(messages: &[(&str, &str)]) -> Held {
    messages.iter().map(|(subject, letters)| ((*subject).to_owned(), letters.chars().collect())).collect()
}

fn letter(flag: &str) -> Option<char> {
    Some(match flag {
        "\\draft" => 'D',
        "\\flagged" => 'F',
        "\\answered" => 'R',
        "\\seen" => 'S',
        "\\deleted" => 'T',
        _ => return None,
    })
}

fn subject(text: &str) -> Option<String> {
    text.lines().find_map(|line| line.strip_prefix("Subject: ")).map(|subject| subject.trim().to_owned())
}
