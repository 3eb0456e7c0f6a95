//! Conversations over an in-memory pipe on paused time: logins, literals, silence, faults, draining.

mod compress;
mod sasl;

use super::*;
use crate::drive::link::Stream;
use crate::front::Settings;
use crate::testing::{Bench, Handset};
use pimap_account::contract::SidTags;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::DuplexStream;
use tokio::time::Instant;

fn manner(may_login: bool) -> Manner {
    Manner { starttls: !may_login, greet: true, ..Manner::of_tcp(may_login) }
}

/// A handset connected over TCP, with `room` octets between the two.
fn connect(bench: &Bench, may_login: bool, room: usize) -> Handset<DuplexStream> {
    let (ours, theirs) = tokio::io::duplex(room);
    let conversation = Conversation::new(Stream(ours), bench.front.clone(), manner(may_login), &[]);
    tokio::spawn(async move {
        if let Ended::Over { membership: Some(membership), .. } = Box::new(conversation).run().await {
            membership.end(false);
        }
    });
    Handset::new(theirs)
}

async fn logged_in(bench: &Bench) -> Handset<DuplexStream> {
    let mut handset = connect(bench, true, 1 << 16);
    handset.send("a LOGIN joe#P1 pw\r\nb SELECT INBOX\r\n").await;
    handset.until("SELECT completed\r\n").await;
    handset
}

#[tokio::test(start_paused = true)]
async fn before_login_little_is_answered_and_nothing_else_allowed() {
    let bench = Bench::new();
    let mut handset = connect(&bench, true, 1 << 16);
    assert!(handset.until("\r\n").await.starts_with("* OK [CAPABILITY IMAP4rev1 "));
    handset.send("1 NOOP\r\n2 SELECT INBOX\r\n3 NONSENSE (((\r\n4 CAPABILITY\r\n").await;
    assert_eq!(handset.until("\r\n").await, "1 OK NOOP completed\r\n");
    assert_eq!(handset.until("\r\n").await, "2 BAD log in first\r\n");
    assert!(handset.until("\r\n").await.starts_with("3 BAD "));
    assert!(handset.until("4 OK CAPABILITY completed\r\n").await.contains(" XPIMAPv1 "));
    handset.send("5 LOGIN joe#P1 wrong\r\n").await;
    assert!(handset.until("\r\n").await.starts_with("5 NO [AUTHENTICATIONFAILED]"));
    handset.send("6 LOGOUT\r\n").await;
    let farewell = handset.until("6 OK LOGOUT completed\r\n").await;
    assert!(farewell.starts_with("* BYE "), "{farewell}");
    assert_eq!(handset.rest().await, "");
}

#[tokio::test(start_paused = true)]
async fn a_password_in_clear_text_is_not_even_tried() {
    let mut handset = connect(&Bench::new(), false, 1 << 16);
    let greeting = handset.until("\r\n").await;
    assert!(greeting.contains("STARTTLS LOGINDISABLED]") && !greeting.contains("AUTH="), "{greeting}");
    handset.send("1 LOGIN joe#P1 pw\r\n").await;
    assert!(handset.until("\r\n").await.starts_with("1 NO [PRIVACYREQUIRED]"));
}

#[tokio::test(start_paused = true)]
async fn clear_text_behind_starttls_is_dropped() {
    let bench = Bench::new();
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let conversation = Conversation::new(Stream(ours), bench.front.clone(), manner(false), &[]);
    let mut handset = Handset::new(theirs);
    handset.send("1 STARTTLS\r\n2 NOOP\r\n").await;
    let Ended::StartTls(link) = Box::new(conversation).run().await else { panic!("TLS was to begin") };
    drop(link);
    assert!(handset.rest().await.ends_with("1 OK begin TLS negotiation now\r\n"));
}

#[tokio::test(start_paused = true)]
async fn octet_by_octet_or_all_at_once_is_the_same() {
    let bench = Bench::new();
    let script = "a LOGIN joe#P1 pw\r\nb SELECT INBOX\r\nc IDLE\r\nDONE\r\nd NOOP\r\ne LOGOUT\r\n";
    let mut answers = Vec::new();
    for pieces in [1, script.len()] {
        let mut handset = connect(&bench, true, 1 << 16);
        for piece in script.as_bytes().chunks(pieces) {
            handset.send(std::str::from_utf8(piece).expect("text")).await;
            tokio::task::yield_now().await;
        }
        let all = handset.rest().await;
        let tagged = |line: &&str| !line.starts_with(['*', '+']);
        answers.push(all.lines().filter(tagged).map(str::to_owned).collect::<Vec<_>>());
    }
    assert_eq!(answers[0].len(), 5);
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test(start_paused = true)]
async fn an_idle_handset_is_kept_for_hours_and_told_so() {
    let bench = Bench::new();
    let mut handset = logged_in(&bench).await;
    handset.send("c IDLE\r\n").await;
    handset.until("+ idling\r\n").await;
    let began = Instant::now();
    for _ in 0..45 {
        assert_eq!(handset.until("\r\n").await, "* OK Still here\r\n");
    }
    assert_eq!(began.elapsed().as_secs() / 60, 180);
    handset.send("DONE\r\nd IDLE\r\n").await;
    handset.until("c OK IDLE completed\r\n").await;
    handset.until("+ idling\r\n").await;
    handset.send("junk\r\ne NOOP\r\n").await;
    let answers = handset.until("e OK NOOP completed\r\n").await;
    assert!(answers.starts_with("d BAD "), "{answers}");
}

#[tokio::test(start_paused = true)]
async fn silence_ends_a_connection_but_not_before_its_time() {
    let bench = Bench::new();
    let mut handset = connect(&bench, true, 1 << 16);
    let began = Instant::now();
    handset.until("* BYE login timeout\r\n").await;
    assert_eq!(began.elapsed().as_secs(), 60);

    let mut handset = logged_in(&bench).await;
    let began = Instant::now();
    tokio::time::sleep(Duration::from_secs(150)).await;
    handset.send("c NOOP\r\n").await;
    handset.until("c OK NOOP completed\r\n").await;
    handset.until("* BYE autologout; idle for too long\r\n").await;
    assert_eq!(began.elapsed().as_secs(), 150 + 1_800);
    assert_eq!(handset.rest().await, "");
}

#[tokio::test(start_paused = true)]
async fn a_handset_that_never_reads_is_cut_off() {
    let settings =
        Settings { idle_timeout: Duration::from_secs(36_000), allow_cleartext: true, sid_tags: SidTags::Off };
    let bench = Bench::with(settings);
    let (ours, mut theirs) = tokio::io::duplex(64);
    let conversation = Conversation::new(Stream(ours), bench.front.clone(), manner(true), &[]);
    let running = tokio::spawn(async move {
        matches!(Box::new(conversation).run().await, Ended::Over { membership: None, whole: false })
    });
    let began = Instant::now();
    let commands = "1 NOOP\r\n".repeat(60_000);
    let flood = tokio::io::AsyncWriteExt::write_all(&mut theirs, commands.as_bytes());
    assert!(
        tokio::time::timeout(Duration::from_secs(600), flood).await.is_ok_and(|written| written.is_err())
    );
    assert!(running.await.expect("no panic"));
    assert_eq!(began.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn the_message_of_an_append_is_asked_for_streamed_or_skipped() {
    let bench = Bench::new();
    let mut handset = logged_in(&bench).await;
    handset.send("c APPEND INBOX {11}\r\n").await;
    assert!(handset.until("\r\n").await.starts_with("+ "));
    handset.send("x DELETE y\n\r\nd NOOP\r\n").await;
    handset.until("c OK ").await;
    handset.until("d OK NOOP completed\r\n").await;
    let large = "z".repeat(100_000);
    handset.send(&format!("e APPEND INBOX {{100000+}}\r\n{large}\r\nf NOOP\r\n")).await;
    handset.until("e OK ").await;
    handset.until("f OK NOOP completed\r\n").await;
    let appended: Vec<_> = bench.mail.appended.lock().expect("lock").iter().map(Vec::len).collect();
    assert_eq!(appended, [11, 100_000]);
    // Too large for anybody: refused before it is sent.
    handset.send("g APPEND INBOX {9999999999}\r\n").await;
    let refused = handset.until("\r\n").await;
    assert!(refused.starts_with("g NO [TOOBIG]"), "{refused}");
    handset.send("h NOOP\r\n").await;
    handset.until("h OK NOOP completed\r\n").await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_stalls_gives_upstream_back() {
    let bench = Bench::new();
    let mut handset = logged_in(&bench).await;
    let began = Instant::now();
    handset.send("c APPEND INBOX {500+}\r\nhalf").await;
    handset.until("* BYE the message came too slowly\r\n").await;
    assert_eq!(began.elapsed().as_secs(), 300);
    handset.rest().await;
    assert!(bench.mail.appended.lock().expect("lock").is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_append_cut_short_never_reaches_its_mailbox() {
    let bench = Bench::new();
    let mut handset = logged_in(&bench).await;
    handset.send("c APPEND INBOX {5+}\r\nhellojunk\r\nd NOOP\r\n").await;
    let answers = handset.until("d OK NOOP completed\r\n").await;
    assert!(!answers.contains("c OK"), "{answers}");
    assert!(bench.mail.appended.lock().expect("lock").is_empty());
}

/// RFC 4469: the list is to be closed, or there is no command; what follows a literal is text, or there is none either.
#[tokio::test(start_paused = true)]
async fn an_append_that_turns_out_to_be_none_is_refused_once() {
    let bench = Bench::new();
    let mut handset = logged_in(&bench).await;
    let long = "x".repeat(70_000);
    for (tail, told) in [
        ("", "c NO [CLIENTBUG] the list"),
        ("\0)", "c NO [CLIENTBUG] a bare CR"),
        (&long, "c NO [CLIENTBUG] line too"),
    ] {
        handset.send(&format!("c APPEND INBOX CATENATE (TEXT {{5+}}\r\nhello{tail}\r\nd NOOP\r\n")).await;
        let answers = handset.until("d OK NOOP completed\r\n").await;
        assert!(answers.contains(told), "{answers}");
        assert_eq!(
            answers.matches("\r\nc ").count() + usize::from(answers.starts_with("c ")),
            1,
            "{answers}"
        );
    }
    assert!(bench.mail.appended.lock().expect("lock").is_empty());
    handset.send("c APPEND INBOX CATENATE (TEXT {5+}\r\nhello)\r\n").await;
    handset.until("c OK ").await;
    assert_eq!(bench.mail.appended.lock().expect("lock").len(), 1);
}

/// What still comes of an APPEND that upstream refused in the middle asks for nothing, and costs no later command its octets.
#[tokio::test(start_paused = true)]
async fn the_rest_of_a_refused_append_is_skipped() {
    let bench = Bench::new();
    let mut handset = logged_in(&bench).await;
    let half = "z".repeat(20_000);
    handset.send(&format!("c APPEND Full CATENATE (TEXT {{40000+}}\r\n{half}")).await;
    handset.until("c NO [OVERQUOTA] full\r\n").await;
    handset.send(&format!("{half} URL {{13}}\r\n")).await;
    // It has its answer, and waits for no other.
    tokio::time::sleep(Duration::from_secs(1)).await;
    handset.send("d NOOP\r\n").await;
    assert_eq!(handset.until("\r\n").await, "d OK NOOP completed\r\n");
    // One that does not read on sends what it had in mind.
    handset.send(&format!("e APPEND Full {{40000+}}\r\n{half}")).await;
    handset.until("e NO [OVERQUOTA] full\r\n").await;
    handset.send(&format!("{half} {{9+}}\r\nx LOGOUT\n\0\r\nf NOOP\r\n")).await;
    assert_eq!(handset.until("\r\n").await, "f OK NOOP completed\r\n");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_refuses_costs_the_accounts_connections_and_nothing_else() {
    let bench = Bench::new();
    let mut joe = logged_in(&bench).await;
    let mut stranger = connect(&bench, true, 1 << 16);
    stranger.until("ready\r\n").await;
    bench.store.fails.store(true, Ordering::Relaxed);
    joe.send("c XSETPIMAPPREF PIMAP_INBAND_PUSH ON\r\n").await;
    joe.until("* BYE ").await;
    stranger.send("1 NOOP\r\n").await;
    stranger.until("1 OK NOOP completed\r\n").await;
    bench.store.fails.store(false, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(10)).await;
    logged_in(&bench).await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_costs_its_account_and_a_question_only_its_answer() {
    let bench = Bench::new();
    let mut joe = logged_in(&bench).await;
    joe.send("c CREATE Work\r\n").await;
    joe.until("c NO ").await;
    let mut ann = connect(&bench, true, 1 << 16);
    ann.send("a LOGIN ann#P1 pw\r\nb SELECT INBOX\r\n").await;
    ann.until("b OK ").await;
    crate::testing::PANIC.set(true);
    joe.send("d NOOP\r\n").await;
    joe.until("* BYE [UNAVAILABLE]").await;
    ann.send("c NOOP\r\n").await;
    ann.until("c OK NOOP completed\r\n").await;
    logged_in(&bench).await;
}

#[tokio::test(start_paused = true)]
async fn credentials_are_sealed_and_bring_the_watcher_back() {
    use pimap_store::Store;
    let bench = Bench::new();
    let mut joe = logged_in(&bench).await;
    joe.send("c LOGOUT\r\n").await;
    joe.rest().await;
    let rows = bench.store.load(&pimap_types::AccountKey::new("joe")).await.expect("loaded").rows;
    let sealed = rows.iter().find(|(key, _)| key == crate::drive::credentials::ROW).expect("kept");
    assert!(!sealed.1.windows(2).any(|window| window == b"pw"));

    let again = bench.restarted();
    assert_eq!(again.front.directory.awaken().await, Ok(1));
    while again.mail.logins.lock().expect("lock").is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let login = again.mail.logins.lock().expect("lock")[0].clone();
    assert_eq!((login.name.as_str(), login.credential.secret().expose()), ("joe", &b"pw"[..]));
}

#[tokio::test(start_paused = true)]
async fn draining_says_goodbye_and_lets_nobody_in() {
    let bench = Bench::new();
    let mut handset = logged_in(&bench).await;
    let draining = bench.front.directory.drain(Duration::from_secs(10));
    let leaving = async {
        handset.until("* BYE ").await;
        handset.rest().await;
        drop(handset);
    };
    let began = Instant::now();
    tokio::join!(draining, leaving);
    assert!(began.elapsed() < Duration::from_secs(10));
    let mut late = connect(&bench, true, 1 << 16);
    late.send("a LOGIN joe#P1 pw\r\n").await;
    late.until("a NO [UNAVAILABLE]").await;
}

/// What an idle handset costs here (D16): a task that is little more than a pointer, the conversation, and its outbox.
#[tokio::test(start_paused = true)]
async fn an_idle_conversation_is_small() {
    let bench = Bench::new();
    let (ours, _theirs) = tokio::io::duplex(64);
    let conversation = Conversation::new(Stream(ours), bench.front.clone(), manner(true), &[]);
    let (itself, outbox) = (size_of_val(&conversation), size_of::<Outbox>());
    let running = size_of_val(&Box::new(conversation).run());
    assert!(running <= 64 && itself <= 768 && outbox <= 152, "{running} {itself} {outbox}");
    let at_rest = size_of::<rest::AtRest<tokio::net::TcpStream>>();
    assert!(at_rest <= 160, "{at_rest}");
}
