//! Known answers per command, bad input, and octets that mean nothing.

mod auth;
mod list;
mod message;
mod mod_seq;
mod notify;
mod pimap;

use super::*;
use bytes::Bytes;
use pimap_types::command::{
    Append, AppendPart, Cursor, FetchItem, Login, StatusItem, StoreChange, StoreMode,
};
use pimap_types::preference::*;
use pimap_types::search::SearchKey;
use pimap_types::set::{SequenceSet, SetNumber};
use pimap_types::{Credential, DeviceId, Flag, Flags, MailboxName, Secret, Target};
use proptest::prelude::*;
use std::sync::Arc;

fn decoded(line: &[u8]) -> Result<Command, DecodeError> {
    let octets = [b"A1 ", line, b"\r\n"].concat();
    decode(&CommandBytes::new(Bytes::from(octets))).map(|(tag, command)| {
        assert_eq!(tag, Tag::new("A1"));
        command
    })
}

#[track_caller]
fn check(line: &str, expected: Command) {
    assert_eq!(decoded(line.as_bytes()), Ok(expected), "{line}");
}

#[track_caller]
fn refused(status: Status, lines: &[&str]) {
    for line in lines {
        match decoded(line.as_bytes()) {
            Ok(command) => panic!("{line:?} was taken for {command:?}"),
            Err(error) => {
                assert_eq!(error.status, status, "{line}: {error:?}");
                assert_eq!(error.tag, Some(Tag::new("A1")), "{line}");
                assert!(!error.text.is_empty());
            }
        }
    }
}

fn mailbox(name: &str) -> MailboxName {
    MailboxName::new(name)
}

fn set(pairs: &[(u32, u32)]) -> SequenceSet {
    let number = |n| if n == 0 { SetNumber::Star } else { SetNumber::Number(n) };
    SequenceSet(pairs.iter().map(|(a, b)| (number(*a), number(*b))).collect())
}

fn login(local: &str, domain: Option<&str>, device: Option<&str>) -> Command {
    Command::Login(Login {
        local: local.to_owned(),
        domain: domain.map(str::to_owned),
        device: device.map(|device| DeviceId::new(device).expect("legal")),
        credential: Credential::Password(Secret::new(b"pw".as_slice())),
    })
}

#[test]
fn commands_without_arguments() {
    let all = [
        ("CAPABILITY", Command::Capability),
        ("noop", Command::Noop),
        ("Logout", Command::Logout),
        ("CLOSE", Command::Close),
        ("UNSELECT", Command::Unselect),
        ("CHECK", Command::Check),
        ("EXPUNGE", Command::Expunge),
        ("IDLE", Command::Idle),
    ];
    for (line, command) in all {
        check(line, command);
        refused(Status::Bad, &[&format!("{line} x")]);
    }
    refused(Status::Bad, &["", " NOOP", "XYZZY", "STARTTLS", "NOOP\0", "\u{7f}", "(NOOP)"]);
}

#[test]
fn a_tag_is_needed() {
    for octets in ["", "\r\n", " NOOP\r\n", "+ NOOP\r\n", "a+b NOOP\r\n", "(a NOOP\r\n", "a\u{e4} NOOP\r\n"] {
        let error = decode(&CommandBytes::new(Bytes::from(octets))).expect_err(octets);
        assert_eq!((error.tag, error.status), (None, Status::Bad), "{octets:?}");
    }
    let long = format!("{} NOOP\r\n", "t".repeat(pimap_types::limits::TAG_BYTES_MAX + 1));
    assert!(decode(&CommandBytes::new(Bytes::from(long))).is_err());
    assert!(decode(&CommandBytes::new(Bytes::from_static(b"K7Q2M4X5ZT3VJ6H1R8W9Y0B2CDA17 NOOP"))).is_ok());
}

#[test]
fn compress_names_a_mechanism() {
    check("COMPRESS DEFLATE", Command::Compress("DEFLATE".into()));
    check("compress deflate", Command::Compress("DEFLATE".into()));
    check("COMPRESS LZW", Command::Compress("LZW".into()));
    refused(
        Status::Bad,
        &["COMPRESS", "COMPRESS ", "COMPRESS \"DEFLATE\"", "COMPRESS DEFLATE 9", "COMPRESS (DEFLATE)"],
    );
}

#[test]
fn login_names_users_and_devices() {
    check("LOGIN joe#P6505551234 pw", login("joe", None, Some("P6505551234")));
    check("LOGIN joe#P6505551234@foo.com pw", login("joe", Some("foo.com"), Some("P6505551234")));
    check("LOGIN joe@Foo.com#P6505551234 pw", login("joe", Some("foo.com"), Some("P6505551234")));
    check("LOGIN \"joe#x#P1\" {2+}\r\npw", login("joe#x", None, Some("P1")));
    check("LOGIN joe \"pw\"", login("joe", None, None));
    check("LOGIN joe@foo.com pw", login("joe", Some("foo.com"), None));
    check("LOGIN {7+}\r\njos\u{e9} x pw", login("jos\u{e9} x", None, None));
    refused(
        Status::No,
        &[
            "LOGIN joe# pw",
            "LOGIN #P1 pw",
            "LOGIN joe#P1@ pw",
            "LOGIN joe@a#P1@b pw",
            "LOGIN joe#P1@a@b pw",
            "LOGIN @foo pw",
            "LOGIN joe@ pw",
            "LOGIN \"joe#P 1\" pw",
            "LOGIN {6+}\r\njoe#P\u{1} pw",
            "LOGIN \"\" pw",
            "LOGIN {5+}\r\njoe\r\n pw",
            "LOGIN \"joe#P*\" pw",
        ],
    );
    let long = format!("LOGIN joe#{} pw", "P".repeat(pimap_types::limits::DEVICE_ID_BYTES_MAX + 1));
    refused(Status::No, &[&long]);
    refused(
        Status::Bad,
        &[
            "LOGIN",
            "LOGIN joe",
            "LOGIN joe pw x",
            "LOGIN joe {5+}\r\npw",
            "LOGIN (joe) pw",
            "LOGIN \"joe pw",
            "LOGIN {3+}\r\nj\0e pw",
            "LOGIN \"jo\\e\" pw",
            "LOGIN \"j\u{f6}\" pw",
            "LOGIN joe {x}\r\n",
            "LOGIN joe {99999999999999999999+}\r\n",
        ],
    );
    assert_eq!(decoded(b"LOGIN \"a\\\"\\\\b\" pw"), Ok(login("a\"\\b", None, None)));
    assert!(!format!("{:?}", decoded(b"LOGIN joe hunter2")).contains("hunter2"));
}

#[test]
fn enable_and_mailbox_commands() {
    check("ENABLE condstore XPIMAPACK", Command::Enable(vec!["CONDSTORE".into(), "XPIMAPACK".into()]));
    refused(Status::Bad, &["ENABLE", "ENABLE ", "ENABLE A  B", &format!("ENABLE{}", " A".repeat(65))]);
    check(
        "SELECT inbox",
        Command::Select { mailbox: mailbox("INBOX"), read_only: false, parameters: Default::default() },
    );
    check(
        "EXAMINE \"My Mail\"",
        Command::Select { mailbox: mailbox("My Mail"), read_only: true, parameters: Default::default() },
    );
    check("CREATE {5+}\r\n&APg-", Command::Create(mailbox("&APg-")));
    // Whether UTF-8 may stand there is known to the account (RFC 6855 3).
    check("DELETE \"\u{f6}\\\"\"", Command::Delete(mailbox("\u{f6}\"")));
    check("DELETE {2+}\r\n\u{f6}", Command::Delete(mailbox("\u{f6}")));
    for octets in [&b"\xff"[..], b"\xc0\xaf", b"\xe0\x80\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc3"]
    {
        let line = [b"a DELETE \"", octets, b"\"\r\n"].concat();
        let error = decode(&CommandBytes::new(Bytes::from(line))).expect_err("no UTF-8");
        assert_eq!(error.status, Status::Bad, "{octets:x?}");
    }
    check("DELETE a]b", Command::Delete(mailbox("a]b")));
    check("RENAME a \"b c\"", Command::Rename(mailbox("a"), mailbox("b c")));
    check("SUBSCRIBE a", Command::Subscribe(mailbox("a")));
    check("UNSUBSCRIBE a", Command::Unsubscribe(mailbox("a")));
    use StatusItem::*;
    let items = vec![Messages, Unseen, UidNext, Recent, UidValidity, Size, AppendLimit, HighestModSeq];
    check(
        "STATUS a (MESSAGES unseen UIDNEXT RECENT MESSAGES UIDVALIDITY SIZE appendlimit HighestModSeq)",
        Command::Status(mailbox("a"), items),
    );
    refused(Status::No, &["SELECT \"\"", &format!("SELECT {}", "x".repeat(1_025))]);
    refused(
        Status::Bad,
        &[
            "SELECT",
            "SELECT a b",
            "SELECT (a)",
            "SELECT {4+}\r\na\r\nb",
            "SELECT \u{f6}",
            "SELECT \"a\u{85}b\"",
            "RENAME a",
            "SELECT \"a\tb\"",
            "STATUS a ()",
            "STATUS a MESSAGES",
            "STATUS a (MESSAGES ",
            "STATUS a (MESSAGES) x",
            "SELECT *",
            "CREATE \"a",
        ],
    );
}

#[test]
fn depth_costs_no_stack() {
    let deep = "(".repeat(4_000);
    refused(
        Status::Bad,
        &[
            &format!("NOOP {deep}"),
            &format!("SEARCH {deep}"),
            &format!("SEARCH {}", "NOT ".repeat(4_000)),
            &format!("SEARCH {}", "OR ".repeat(4_000)),
            &format!("XFILTER SET x \"\" {deep}"),
            &format!("FETCH 1 {deep}"),
            &format!("XSETPIMAPPREF XFILTER {deep}"),
        ],
    );
}

/// Octets near to commands.
fn almost() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        "A1 ",
        "LOGIN",
        "FETCH",
        "UID ",
        "SEARCH",
        "STORE",
        "XFILTER",
        "SET ",
        "GET ",
        "XSETPIMAPPREF",
        "PIMAP_XFILTER",
        "APPEND",
        "LIST",
        " ",
        " ",
        "(",
        ")",
        "[",
        "]",
        "\"",
        "\\",
        "{3+}\r\n",
        "{99999999999+}\r\n",
        "\r\n",
        "1:*",
        "*",
        "BODY[",
        "HEADER.FIELDS ",
        "<0.1>",
        "FLAGS",
        "\\Seen",
        "NOT ",
        "OR ",
        "CHARSET ",
        "UTF-8 ",
        "FROM ",
        "x",
        "1-Jun-2003",
        "ALL",
        "\0",
        "\u{f6}",
        "4294967296",
        "joe#P1@x",
    ];
    let word = prop_oneof![
        9 => prop::sample::select(words.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..6),
    ];
    prop::collection::vec(word, 0..20).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_octets_panic(octets in almost(), tagged in any::<bool>()) {
        let octets = if tagged { [b"A1 ".as_slice(), &octets].concat() } else { octets };
        if let Err(error) = decode(&CommandBytes::new(Bytes::from(octets))) {
            prop_assert!(error.status != Status::Ok && !error.text.is_empty());
        }
    }

    /// A command that is cut off anywhere is not another command, unless it is cut between whole words.
    #[test]
    fn a_cut_literal_is_no_command(length in 0usize..30) {
        let whole = b"A1 LOGIN {3+}\r\njoe {10+}\r\n0123456789";
        let cut = whole.get(..length).unwrap_or_default();
        prop_assert!(decode(&CommandBytes::new(Bytes::copy_from_slice(cut))).is_err());
    }

    #[test]
    fn sets_are_read_as_written(pairs in prop::collection::vec((1u32.., 1u32..), 1..40)) {
        let ranges = pimap_types::UidRanges::from_pairs(pairs);
        let mut text = Vec::new();
        crate::encode::write_set(&ranges, &mut text);
        let read = sequence_set(&mut Scanner::new(&text)).map(|set| set.resolve(0));
        prop_assert_eq!(read, Ok(ranges));
    }
}
