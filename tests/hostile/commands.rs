//! Commands that are well formed and mean no good.

use std::time::{Duration, Instant};

use crate::siege::{Foe, Siege};

/// CVE-2026-42391: pairs without number before login.
#[test]
fn an_id_of_many_pairs_is_refused() {
    let siege = Siege::begin();
    let mut foe = Foe::outside(&siege.gateway);
    for pairs in [31, 500, 200_000] {
        let list = "\"k\" \"v\" ".repeat(pairs);
        foe.is_refused(format!("a ID ({})\r\n", list.trim_end()).as_bytes(), "a");
    }
    siege.end();
}

/// imap-proto#90: recursion is bounded, wherever a program can nest.
#[test]
fn nested_search_keys_are_refused() {
    let siege = Siege::begin();
    let mut foe = Foe::inside(&siege.gateway);
    for depth in [33, 1_000, 7_000] {
        foe.is_refused(format!("a SEARCH {}ALL{}\r\n", "(".repeat(depth), ")".repeat(depth)).as_bytes(), "a");
        foe.is_refused(format!("a SEARCH {}ALL\r\n", "NOT ".repeat(depth)).as_bytes(), "a");
        foe.is_refused(format!("a SEARCH {}ALL ALL\r\n", "OR ALL ".repeat(depth)).as_bytes(), "a");
    }
    foe.is_refused(format!("a SEARCH {}\r\n", "ALL ".repeat(257)).as_bytes(), "a");
    foe.is_refused(b"a FETCH 1 (BODY[1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.99999999999])\r\n", "a");
    siege.end();
}

/// CVE-2026-33607: wildcards that make a matcher go back and forth.
#[test]
fn patterns_of_many_wildcards_are_answered_in_time() {
    let siege = Siege::begin();
    let mut foe = Foe::inside(&siege.gateway);
    foe.says(format!("c CREATE {}\r\n", "a".repeat(200)).as_bytes(), "c");
    for pattern in ["%*".repeat(400), "*a".repeat(100) + "b", "*".repeat(1_000), "a*%".repeat(300)] {
        let begun = Instant::now();
        foe.says(format!("a LIST \"\" {pattern}\r\n").as_bytes(), "a");
        foe.says(format!("a LSUB \"\" {pattern}\r\n").as_bytes(), "a");
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?} for {pattern}", begun.elapsed());
        foe.is_heard();
    }
    siege.end();
}

/// Sets that are long, reversed, beyond everything, or name what cannot be.
#[test]
fn sets_of_any_shape_are_bounded() {
    let siege = Siege::begin();
    let mut foe = Foe::inside(&siege.gateway);
    for set in ["0", "-1", "0:1", "1:0", "4294967296", "1,,2", "1:", ":1", "*:*:*", "1:2:3", ",", "1,"] {
        foe.is_refused(format!("a FETCH {set} FLAGS\r\n").as_bytes(), "a");
        foe.is_refused(format!("a UID FETCH {set} FLAGS\r\n").as_bytes(), "a");
    }
    foe.is_refused(format!("a FETCH {} FLAGS\r\n", ["1:*"; 5_000].join(",")).as_bytes(), "a");
    // Each message once, however often it is named; nothing for a UID that nobody has.
    let told = {
        foe.send(format!("a UID FETCH {} FLAGS\r\n", ["1:*"; 1_000].join(",")).as_bytes());
        foe.answer("a")
    };
    assert_eq!(told.len(), 3, "{told:?}");
    for set in ["4294967295:4294967294", "77:4294967295", "2147483647"] {
        foe.send(format!("a UID FETCH {set} FLAGS\r\n").as_bytes());
        assert_eq!(foe.answer("a").len(), 1, "{set}");
    }
    // RFC 3501 6.4.8: `n:*` names the last one, reversed or beyond.
    for set in ["4294967295:*", "*:4294967295", "*:1"] {
        foe.send(format!("a UID FETCH {set} FLAGS\r\n").as_bytes());
        assert!(foe.answer("a").pop().expect("a tag").starts_with("a OK"), "{set}");
    }
    siege.end();
}

/// Names and texts that would be commands upstream if they were put together from strings.
#[test]
fn nothing_that_is_quoted_becomes_a_command_upstream() {
    let siege = Siege::begin();
    let mut foe = Foe::inside(&siege.gateway);
    for argument in [
        "{21+}\r\nx\r\nb DELETE Drafts\r\nc",
        "{22+}\r\nx\" \"y\r\nb DELETE Sent\r",
        "\"x\\\" NIL) b DELETE Drafts\"",
    ] {
        for command in
            ["SELECT", "CREATE", "SUBSCRIBE", "SEARCH SUBJECT", "RENAME INBOX", "COPY 1", "LIST \"\""]
        {
            foe.send(format!("a {command} {argument}\r\n").as_bytes());
            foe.answer("a");
            foe.is_heard();
        }
    }
    foe.send(b"l LIST \"\" *\r\n");
    let list = foe.answer("l").join("\n");
    assert!(list.contains("Drafts") && list.contains("Sent"), "{list}");
    siege.end();
}

/// A mail of commands, in an APPEND that the server refuses before it comes to the mail: it may forget to skip it.
#[test]
fn no_mail_becomes_commands_upstream() {
    let siege = Siege::begin();
    let mut foe = Foe::inside(&siege.gateway);
    let mail =
        "z2 SELECT INBOX\r\nz3 UID STORE 1 +FLAGS (\\Deleted)\r\nz4 UID EXPUNGE 1\r\nz5 DELETE Drafts\r\n";
    let size = mail.len();
    for append in [
        format!("a APPEND Drafts (\\Foo) {{{size}+}}\r\n{mail}"),
        format!("a APPEND Drafts (\\Foo) \"no date\" {{{size}+}}\r\n{mail}"),
        format!("a APPEND Drafts ({}) {{{size}+}}\r\n{mail}", "k".repeat(5_000)),
        format!("a APPEND Nowhere {{{size}+}}\r\n{mail}"),
        format!("a APPEND Drafts {{1+}}\r\nx (\\Foo) {{{size}+}}\r\n{mail}"),
        format!("a APPEND Drafts (\\Foo) CATENATE (TEXT {{{size}+}}\r\n{mail})"),
        format!("a APPEND Drafts CATENATE (URL \"/INBOX/;UID=99\" TEXT {{{size}+}}\r\n{mail})"),
    ] {
        let told = foe.says(format!("{append}\r\n").as_bytes(), "a");
        assert!(told.contains(" NO ") || told.contains(" BAD "), "{append}: {told}");
        // Nor are its answers taken for those of others.
        let next = foe.says(b"l LIST \"\" Drafts\r\n", "l");
        assert!(next.starts_with("l OK"), "{append}: {next}");
    }
    foe.send(b"l LIST \"\" *\r\n");
    let list = foe.answer("l").join("\n");
    assert!(list.contains("Drafts") && list.contains("Sent"), "{list}");
    siege.end();
}
