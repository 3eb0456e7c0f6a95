//! Upstreams that lie, flood and break off, seen from where it matters: a handset before the whole gateway gets a clear answer and
//! never a lie, memory does not grow with what an upstream says, and other accounts notice nothing (design D14).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pimap_tests::fake::{Answer, Fake, Said, items};
use pimap_tests::gateway::{Config, Gateway};
use pimap_tests::http::Post;
use pimap_tests::wait::eventually;

use crate::siege::Foe;

/// What floods may cost, KiB: see the siege.
const GROWTH_KIB: u64 = 24 * 1024;
const FACTS: &str = "FLAGS INTERNALDATE RFC822.SIZE";
const BODY: &str = "UID FETCH 2 (BODY.PEEK[])";
const FLAGS: &str = "UID FETCH 1:* (FLAGS)";
const SEARCH: &str = "UID SEARCH TEXT x";

/// What the handset is to hear.
enum Heard {
    /// SELECT is refused by this code.
    NoMailbox,
    /// The command is refused so.
    Refused(&'static str),
    /// These untagged lines, and OK.
    Told(&'static [&'static str]),
    /// One untagged line that begins so, and OK.
    Begins(&'static str),
    /// A part of a message, and then nothing more: neither a tagged line nor an end in good order.
    Cut,
}

/// One upstream: what it answers to one command, what the handset asks after SELECT INBOX, and hears.
struct Case {
    user: &'static str,
    to: &'static str,
    answer: fn() -> Answer,
    ask: &'static str,
    heard: Heard,
}

fn opened(lines: &[&str]) -> Answer {
    let all = [&["* FLAGS (\\Seen)"], lines, &["* OK [UIDNEXT 4] x", "{tag} OK [READ-WRITE] x"]].concat();
    Answer::lines(&all)
}

fn facts(numbers: &[(u32, u32)]) -> Answer {
    let line = |(number, uid): &(u32, u32)| {
        items(*uid, FACTS).replacen(&format!("* {uid} "), &format!("* {number} "), 1)
    };
    Answer::Say([numbers.iter().map(line).collect::<String>().as_bytes(), b"{tag} OK x\r\n"].concat())
}

fn flood(first: &str, again: &str) -> Answer {
    Answer::Flood(first.as_bytes().to_vec(), again.as_bytes().to_vec(), 64 << 20)
}

const ALL: Heard =
    Heard::Told(&["* 1 FETCH (UID 1 FLAGS ())", "* 2 FETCH (UID 2 FLAGS ())", "* 3 FETCH (UID 3 FLAGS ())"]);
const BUG: Heard = Heard::Refused("SERVERBUG");

/// Lies that fit into a few lines.
fn lies() -> Vec<Case> {
    let case = |user, to, answer, ask, heard| Case { user, to, answer, ask, heard };
    let two = || opened(&["* 3 EXISTS", "* OK [UIDVALIDITY 7] x", "* OK [UIDVALIDITY 9] x"]);
    let none = || opened(&["* 3 EXISTS"]);
    let many = || opened(&["* 1000000000 EXISTS", "* OK [UIDVALIDITY 7] x"]);
    let twice = || facts(&[(1, 1), (2, 1), (3, 3)]);
    let back = || facts(&[(3, 3), (1, 1), (1, 1), (2, 2)]);
    let beyond = || facts(&[(1, 1), (2, 2), (3, 3), (99, 99)]);
    let nul = || Answer::Say(b"* 2 FETCH (UID 2 BODY[1]<0> \"a\0b\xff\")\r\n{tag} OK x\r\n".to_vec());
    let text = || Answer::Say(b"{tag} NO a\0b\x07c\rd\r\n".to_vec());
    let names = || {
        let named = b"* LIST () \"/\" \"\xff\xfe\"\r\n* LIST () \"/\" \"a\0b\"\r\n* LIST () \"/\" INBOX\r\n";
        Answer::Say([named, &b"{tag} OK x\r\n"[..]].concat())
    };
    let tag = || Answer::lines(&["* SEARCH 1", "A999 OK done", "{tag} OK x"]);
    let zero = || Answer::lines(&["* 0 EXPUNGE", "* SEARCH 1", "{tag} OK x"]);
    let high = || Answer::lines(&["* 1 FETCH (UID 1 MODSEQ (9223372036854775808999))", "{tag} OK x"]);
    // imap-proto#90: nesting that a recursive parser follows to the end of its stack. Nobody parses it here.
    let deep = || {
        let nested =
            [b"* 2 FETCH (UID 2 BODYSTRUCTURE ".to_vec(), vec![b'('; 400_000], vec![b')'; 400_000]].concat();
        Answer::Say([nested, b")\r\n{tag} OK x\r\n".to_vec()].concat())
    };
    let nested = Heard::Begins("* 2 FETCH (UID 2 BODYSTRUCTURE ((((");
    let preauth = || Answer::lines(&["* PREAUTH welcome", "{tag} OK x"]);
    let both = Heard::Told(&["* 1 FETCH (UID 1 FLAGS ())", "* 2 FETCH (UID 3 FLAGS ())"]);
    let four = Heard::Told(&[
        "* 1 FETCH (UID 1 FLAGS ())",
        "* 2 FETCH (UID 2 FLAGS ())",
        "* 3 FETCH (UID 3 FLAGS ())",
        "* 4 FETCH (UID 99 FLAGS ())",
    ]);
    vec![
        case("two-validities", "EXAMINE", two, FLAGS, ALL),
        case("no-validity", "EXAMINE", none, FLAGS, Heard::NoMailbox),
        case("a-billion", "EXAMINE", many, FLAGS, Heard::NoMailbox),
        case("a-uid-twice", "UID FETCH", twice, FLAGS, both),
        case(
            "uids-descending",
            "UID FETCH 1:*",
            back,
            "UID FETCH 1:* (UID)",
            Heard::Told(&["* 1 FETCH (UID 1)", "* 2 FETCH (UID 2)", "* 3 FETCH (UID 3)"]),
        ),
        // Its numbers are nobody's but its own: what it says there is, is there.
        case("beyond-exists", "UID FETCH", beyond, FLAGS, four),
        case(
            "nul",
            "UID FETCH 2",
            nul,
            "UID FETCH 2 (BODY.PEEK[1]<0.9>)",
            Heard::Told(&["* 2 FETCH (UID 2 BODY[1]<0> \"a?b\u{fffd}\")"]),
        ),
        case("nul-in-text", "UID SEARCH TEXT", text, SEARCH, Heard::Refused("")),
        case(
            "odd-names",
            "LIST",
            names,
            "LIST \"\" *",
            Heard::Told(&["* LIST (\\HasNoChildren) \"/\" INBOX"]),
        ),
        case("foreign-tag", "UID SEARCH TEXT", tag, SEARCH, BUG),
        case("expunge-zero", "UID SEARCH TEXT", zero, SEARCH, BUG),
        case("mod-sequence", "UID SEARCH TEXT", high, SEARCH, BUG),
        case("deep-structure", "UID FETCH 2", deep, "UID FETCH 2 (BODYSTRUCTURE)", nested),
        case("preauth", "UID SEARCH TEXT", preauth, SEARCH, BUG),
    ]
}

/// Those that go on and on.
fn floods() -> Vec<Case> {
    let case = |user, to, answer, ask, heard| Case { user, to, answer, ask, heard };
    let broken = || Answer::Close(b"* 2 FETCH (UID 2 BODY[] {100}\r\nhalf of it\r\n* BYE down\r\n".to_vec());
    let endless = || flood("* OK ", "xxxxxxxxxxxxxxxx");
    let body = || flood("* 2 FETCH (UID 2 BODY[] {4294967295}\r\n", "xxxxxxxxxxxxxxxx");
    let unasked = || flood("* 2 FETCH (UID 2 BODY[] {4294967295}\r\n", "xxxxxxxxxxxxxxxx");
    let status = || flood("", "* OK still at it\r\n");
    let flags = || flood("", "* 1 FETCH (UID 1 FLAGS (\\Seen))\r\n");
    let list = || flood("", "* LIST () \"/\" a-name-that-takes-some-room\r\n");
    let found = || flood("", "* SEARCH 1 2 3\r\n");
    let idle = || flood("+ idling\r\n", "* 3 EXISTS\r\n");
    vec![
        case("bye-in-literal", "UID FETCH 2", broken, BODY, Heard::Cut),
        case("endless-line", "UID FETCH 2", endless, BODY, BUG),
        case("four-gibibytes", "UID FETCH 2", body, BODY, Heard::Cut),
        case("four-unasked", "UID SEARCH TEXT", unasked, SEARCH, BUG),
        case("status-flood", "UID SEARCH TEXT", status, SEARCH, BUG),
        case("flags-flood", "UID SEARCH TEXT", flags, SEARCH, BUG),
        case("flags-in-body", "UID FETCH 2", flags, BODY, BUG),
        case("list-flood", "LIST", list, "LIST \"\" *", BUG),
        case("search-flood", "UID SEARCH TEXT", found, SEARCH, BUG),
        case("idle-flood", "IDLE", idle, FLAGS, ALL),
    ]
}

/// A gateway before such upstreams, and before an honest one for everybody else. The device logs in as the same user with another
/// account behind it, so that neither profits from the other.
fn gateway(cases: fn() -> Vec<Case>) -> (Fake, Gateway) {
    let fake = Fake::start(move |said: &Said<'_>| {
        let user = said.user.strip_prefix("web-").unwrap_or(said.user);
        let case = cases().into_iter().find(|case| case.user == user && said.command.starts_with(case.to));
        case.map_or(Answer::Honest, |case| (case.answer)())
    });
    let gateway = Gateway::start(Config::upstream(fake.address));
    (fake, gateway)
}

/// What a conversation came to: its lines, and whether it ended as it should.
fn check(case: &Case, lines: &[String], whole: bool, road: &str) {
    let told = || format!("{} by {road}: {lines:#?}, whole: {whole}", case.user);
    let tagged = |tag: &str| lines.iter().find(|line| line.starts_with(tag)).cloned().unwrap_or_default();
    assert_eq!(whole, !matches!(case.heard, Heard::Cut), "{}", told());
    let from = lines.iter().position(|line| line.starts_with("s ")).unwrap_or_else(|| panic!("{}", told()));
    let validities = lines[..from].iter().filter(|line| line.starts_with("* OK [UIDVALIDITY ")).count();
    match &case.heard {
        Heard::NoMailbox => {
            assert!(tagged("s ").starts_with("s NO [SERVERBUG]"), "{}", told());
            assert_eq!(validities, 0, "{}", told());
        }
        Heard::Refused(code) => {
            let expected = if code.is_empty() { "a NO ".to_owned() } else { format!("a NO [{code}]") };
            assert!(tagged("a ").starts_with(&expected), "{}", told());
            let odd = |octet: u8| octet.is_ascii_control();
            assert!(!tagged("a ").bytes().any(odd), "{}", told());
        }
        Heard::Told(untagged) => {
            assert!(tagged("a ").starts_with("a OK") && validities == 1, "{}", told());
            let mut heard: Vec<&String> =
                lines[from + 1..].iter().filter(|line| line.starts_with("* ")).collect();
            heard.sort();
            assert_eq!(heard, *untagged, "{}", told());
        }
        Heard::Begins(begins) => {
            assert!(tagged("a ").starts_with("a OK") && lines[from + 1].starts_with(begins), "{}", told());
        }
        // How much of the message came is chance.
        Heard::Cut => assert_eq!(tagged("a "), "", "{}", told()),
    }
}

/// The first octets of what was left of a line, so that a failure can be read.
fn some(text: &str) -> String {
    text.chars().take(200).collect()
}

fn by_tcp(gateway: &Gateway, case: &Case) {
    let mut foe = Foe::outside(gateway);
    foe.send(format!("l LOGIN {} pw\r\ns SELECT INBOX\r\n", case.user).as_bytes());
    let mut lines = foe.answer("s");
    foe.send(format!("a {}\r\n", case.ask).as_bytes());
    let mut whole = false;
    while let Some(line) = foe.line() {
        whole = line.starts_with("a ");
        lines.push(line);
        if whole {
            break;
        }
    }
    if !whole {
        lines.push(some(&String::from_utf8_lossy(foe.unread())));
    }
    check(case, &lines, whole, "TCP");
    if whole && !matches!(case.heard, Heard::NoMailbox) {
        foe.is_heard();
    }
}

fn by_http(gateway: &Gateway, case: &Case) {
    let body = format!("l LOGIN web-{}#P1 pw\r\ns SELECT INBOX\r\na {}\r\n", case.user, case.ask);
    let (text, whole) = match gateway.site().post(&Post::new(body)) {
        Ok(answer) => (answer.text(), true),
        Err(broken) => (broken.heard.expect("a head").text(), false),
    };
    let lines: Vec<String> = text.split("\r\n").map(some).collect();
    check(case, &lines, whole, "HTTP");
}

/// Somebody with an honest upstream is served as ever.
fn bystander(gateway: &Gateway) {
    let begun = Instant::now();
    let mut foe = Foe::inside(gateway);
    foe.send(b"a UID FETCH 2 (BODY.PEEK[])\r\n");
    let told = foe.answer("a").concat();
    assert!(told.contains("Subject: letter 2") && told.contains("a OK"), "{told}");
    assert!(begun.elapsed() < Duration::from_secs(10), "it took {:?}", begun.elapsed());
}

#[test]
fn a_lie_is_answered_by_name_or_has_no_effect() {
    let (_fake, gateway) = gateway(lies);
    for case in lies() {
        by_tcp(&gateway, &case);
        by_http(&gateway, &case);
    }
    bystander(&gateway);
    assert!(!gateway.log().contains("panicked"), "{}", gateway.log());
}

#[test]
fn what_never_ends_is_ended_and_costs_nobody_else() {
    let (_fake, mut gateway) = gateway(floods);
    bystander(&gateway);
    let resident = gateway.resident_kib();
    std::thread::scope(|scope| {
        let gateway = &gateway;
        // Half of them beside each other, and the bystander beside all.
        for half in 0..2 {
            scope.spawn(move || {
                for case in floods().into_iter().skip(half).step_by(2) {
                    by_tcp(gateway, &case);
                    by_http(gateway, &case);
                }
            });
        }
        for _ in 0..5 {
            bystander(gateway);
        }
    });
    bystander(&gateway);
    eventually("the memory is given back", || {
        (gateway.resident_kib() <= resident + GROWTH_KIB).then_some(())
    });
    assert!(!gateway.log().contains("panicked"), "{}", gateway.log());
}

#[test]
fn what_is_announced_after_login_is_what_counts() {
    let fake = Fake::start(|said| match (said.command, said.user) {
        ("CAPABILITY", "") => Answer::lines(&["* CAPABILITY IMAP4rev1 UIDPLUS MOVE SORT IDLE", "{tag} OK x"]),
        ("CAPABILITY", _) => Answer::lines(&["* CAPABILITY IMAP4rev1", "{tag} OK x"]),
        _ => Answer::Honest,
    });
    let gateway = Gateway::start(Config::upstream(fake.address));
    let mut foe = Foe::outside(&gateway);
    foe.send(b"l LOGIN joe pw\r\nc CAPABILITY\r\n");
    let told = foe.answer("c").join("\n");
    assert!(!["UIDPLUS", "MOVE"].iter().any(|word| told.contains(&format!(" {word} "))), "{told}");
    foe.says(b"s SELECT INBOX\r\n", "s");
    for command in ["MOVE 1 Trash", "UID EXPUNGE 1", "SORT (DATE) UTF-8 ALL", "EXPUNGE"] {
        foe.says(format!("a {command}\r\n").as_bytes(), "a");
    }
    foe.is_heard();
    let asked = fake.said_by("joe");
    assert!(asked.iter().any(|said| said.starts_with("UID SEARCH") || said.starts_with("UID FETCH")));
    let foreign = ["UID MOVE", "UID EXPUNGE", "UID SORT", "IDLE"];
    assert!(!asked.iter().any(|said| foreign.iter().any(|verb| said.starts_with(verb))), "{asked:#?}");
}

/// EXISTS goes down and no EXPUNGE says what is gone: the gateway looks, and tells what it finds.
#[test]
fn a_count_that_goes_down_is_looked_into() {
    // How often IDLE may begin; from the second time on a message really is gone.
    let allowed = Arc::new(AtomicUsize::new(0));
    let (may, idles) = (Arc::clone(&allowed), AtomicUsize::new(0));
    let fake = Fake::start(move |said| {
        let two = may.load(Ordering::SeqCst) > 1;
        match said.command {
            "IDLE" => {
                let number = idles.fetch_add(1, Ordering::SeqCst);
                eventually("IDLE may begin", || (may.load(Ordering::SeqCst) > number).then_some(()));
                Answer::lines(&["+ idling", ["* 2 EXISTS", "* 1 EXISTS"][number.min(1)]])
            }
            command if two && command.starts_with("UID FETCH 1:") => facts(&[(1, 1), (2, 3)]),
            // `n:*` names the last one, whatever n is.
            command if two && command.starts_with("UID FETCH 4:*") => facts(&[(2, 3)]),
            command if two && (command.starts_with("EXAMINE") || command.starts_with("SELECT")) => {
                opened(&["* 2 EXISTS", "* OK [UIDVALIDITY 7] x"])
            }
            _ => Answer::Honest,
        }
    });
    let gateway = Gateway::start(Config::upstream(fake.address));
    let mut foe = Foe::inside(&gateway);
    allowed.store(1, Ordering::SeqCst);
    eventually("it is looked into", || {
        let looks = |said: &&String| said.starts_with("UID FETCH 1:");
        (fake.said_by("joe").iter().filter(looks).count() > 1).then_some(())
    });
    foe.send(b"n NOOP\r\n");
    assert_eq!(foe.answer("n").len(), 1, "nobody is gone because a number is smaller");
    allowed.store(usize::MAX, Ordering::SeqCst);
    eventually("the removal is told, and of the right message", || {
        foe.send(b"n NOOP\r\n");
        let told = foe.answer("n");
        assert!(told.len() == 1 || told[0] == "* 2 EXPUNGE", "{told:?}");
        (told.len() > 1).then_some(())
    });
    foe.send(b"a UID FETCH 1:* (UID)\r\n");
    assert_eq!(foe.answer("a")[..2], ["* 1 FETCH (UID 1)", "* 2 FETCH (UID 3)"]);
}
