//! Mail servers that can little, are slow, stop, or die in the middle: the handset hears it and keeps its session.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use pimap_tests::dovecot::{Dovecot, PASSWORD, Riches, mail};
use pimap_tests::gateway::Config;
use pimap_tests::handset::Kind;
use pimap_tests::imap::Imap;
use pimap_tests::phone::Radio;
use pimap_tests::wait::eventually;

use crate::stage::{Stage, line, session_id, untagged};

/// A server without NOTIFY, QRESYNC, CONDSTORE and MOVE serves as well.
#[test]
fn a_server_that_can_little_serves_as_well() {
    let stage = Stage::before(Dovecot::poor(), |config| config);
    stage.deliver(&["one", "two", "three"]);
    let mut other = stage.dovecot.login("joe");
    let mut phone = stage.phone(Kind::Cookie, "joe#P1");
    assert!(phone.say(&["SELECT INBOX"], Radio::Good));
    phone.catch_up();
    // A push over IDLE.
    let mut client = stage.client("joe#P2");
    client.ok("SELECT INBOX");
    let tag = client.begin("IDLE");
    assert!(client.line().starts_with(b"+"));
    stage.deliver(&["four"]);
    assert_eq!(client.line(), b"* 4 EXISTS");
    client.send(b"DONE\r\n");
    client.finish(&tag);
    client.ok("UID MOVE 4 Trash");
    // And a resume with what happened meanwhile.
    other.ok("SELECT INBOX");
    other.ok("UID STORE 1 +FLAGS (\\Seen)");
    other.ok("UID STORE 2 +FLAGS (\\Deleted)");
    other.ok("UID EXPUNGE 2");
    eventually("the same as the truth", || {
        phone.say(&["NOOP"], Radio::Good);
        phone.catch_up();
        other.ok("NOOP");
        let held = phone.handset.replica.uids("INBOX");
        (held == Some(vec![Some(1), Some(3)])).then_some(())
    });
    assert_eq!(phone.handset.replica.lies(), &[] as &[String]);
}

/// F48: without NOTIFY, three devices that look at three mailboxes hear of each without a poll, over no more connections than an
/// account may have, one of them left for commands.
#[test]
fn three_mailboxes_are_heard_of_at_once() {
    let stage = Stage::before(Dovecot::poor(), |config| {
        config.with("upstream.connections_per_account_max", 4).with("upstream.poll_interval", "1h")
    });
    let mailboxes = ["INBOX", "Work", "Archive"];
    let mut clients: Vec<(Imap, String)> = mailboxes
        .iter()
        .zip(1..)
        .map(|(mailbox, device)| {
            if *mailbox != "INBOX" {
                stage.dovecot.doveadm(&["mailbox", "create", "-u", "joe", mailbox]);
            }
            stage.dovecot.save("joe", mailbox, &mail("a@example.org", "before", "x"));
            let mut client = stage.client(&format!("joe#P{device}"));
            client.ok(&format!("SELECT {mailbox}"));
            let tag = client.begin("IDLE");
            assert!(client.line().starts_with(b"+"));
            (client, tag)
        })
        .collect();
    for round in 2..4 {
        for ((client, _), mailbox) in clients.iter_mut().zip(mailboxes) {
            stage.dovecot.save("joe", mailbox, &mail("a@example.org", "after", "x"));
            assert_eq!(client.line(), format!("* {round} EXISTS").into_bytes(), "{mailbox}");
        }
    }
    let sessions = stage.dovecot.doveadm(&["who", "-1", "joe"]);
    let logged_in = sessions.lines().filter(|line| line.starts_with("joe ")).count();
    assert!((3..=4).contains(&logged_in), "{sessions}");
    for (client, tag) in &mut clients {
        client.send(b"DONE\r\n");
        client.finish(tag);
    }
}

/// PI-117: a server that is down: LOGIN of a known handset is refused by what is wrong, not as a wrong password, and
/// everything is there when it is back.
#[test]
fn a_server_that_is_down_is_said_to_be_and_found_again() {
    let mut stage = Stage::new();
    stage.deliver(&["one"]);
    let mut web = stage.web();
    let id = session_id(&web.say("a LOGIN joe#P1 pw\r\nb SELECT INBOX\r\n"));
    web.say("c NOOP\r\n");
    stage.dovecot.stop();
    let told = web.say("d FETCH 1 (BODY[])\r\n");
    let answer = told.lines().last().expect("a line");
    assert!(answer.starts_with("d NO") || answer.starts_with("* BYE"), "{told}");
    let told = stage.post("e LOGIN ann#P1 pw\r\n").text();
    let refused = line(&told, "e ");
    assert!(refused.starts_with("e NO") && !refused.contains("AUTHENTICATIONFAILED"), "{told}");
    stage.dovecot.resume();
    stage.deliver(&["two"]);
    eventually("everything is as it should be", || {
        let told = web.say("f LOGIN joe#P1 pw\r\ng FETCH 1:* (UID)\r\n");
        (told.contains("* SESSION SELECTED") && session_id(&told) == id && told.contains("* 2 FETCH (UID 2)"))
            .then_some(())
    });
}

/// All upstream connections are ended by the server, as an administrator does it.
#[test]
fn kicked_connections_are_made_again() {
    let stage = Stage::new();
    stage.deliver(&["one"]);
    let mut client = stage.client("joe#P1");
    client.ok("SELECT INBOX");
    client.ok("FETCH 1 (FLAGS BODY.PEEK[])");
    stage.dovecot.kick("joe");
    stage.deliver(&["two"]);
    eventually("the arrival", || untagged(&client.ok("NOOP")).contains("* 2 EXISTS").then_some(()));
    client.ok("UID FETCH 2 (BODY.PEEK[])");
}

/// A relay before the mail server that can stop, hold back and cut.
struct Relay {
    address: SocketAddr,
    /// Octets of the server that are still let through, over all connections.
    left: Arc<AtomicUsize>,
    holds: Arc<AtomicBool>,
    /// The same on a connection that would tell of the keyword `Standing`.
    holds_changes: Arc<AtomicBool>,
    links: Arc<Mutex<Vec<TcpStream>>>,
}

impl Relay {
    fn before(server: SocketAddr) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let relay = Relay {
            address,
            left: Arc::new(AtomicUsize::new(usize::MAX)),
            holds: Arc::default(),
            holds_changes: Arc::default(),
            links: Arc::default(),
        };
        let (left, links) = (relay.left.clone(), relay.links.clone());
        let (holds, holds_changes) = (relay.holds.clone(), relay.holds_changes.clone());
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(server) else { continue };
                links.lock().expect("the links").push(client.try_clone().expect("a handle"));
                let (mut up, mut to) =
                    (client.try_clone().expect("a handle"), server.try_clone().expect("a handle"));
                thread::spawn(move || {
                    let _ = std::io::copy(&mut up, &mut to);
                    let _ = to.shutdown(Shutdown::Both);
                });
                let (left, holds, holds_changes) = (left.clone(), holds.clone(), holds_changes.clone());
                thread::spawn(move || downwards(server, client, &left, &holds, &holds_changes));
            }
        });
        relay
    }

    /// Lets through so many octets more, then cuts every connection that wants to bring another.
    fn cut_after(&self, octets: usize) {
        self.left.store(octets, Ordering::SeqCst);
    }

    /// Lets everything through again.
    fn mend(&self) {
        self.left.store(usize::MAX, Ordering::SeqCst);
    }
}

fn downwards(
    mut server: TcpStream,
    mut client: TcpStream,
    left: &AtomicUsize,
    holds: &AtomicBool,
    holds_changes: &AtomicBool,
) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = server.read(&mut buffer) {
        eventually_free(holds);
        if buffer[..length].windows(8).any(|octets| octets == b"Standing") {
            eventually_free(holds_changes);
        }
        let allowed = left.load(Ordering::SeqCst).min(length);
        if left.load(Ordering::SeqCst) != usize::MAX {
            left.fetch_sub(allowed, Ordering::SeqCst);
        }
        if client.write_all(&buffer[..allowed]).is_err() || allowed < length {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}

/// Waits while octets are held back, however long the test wants that.
fn eventually_free(holds: &AtomicBool) {
    let _ = pimap_tests::wait::within(std::time::Duration::from_secs(600), || {
        (!holds.load(Ordering::SeqCst)).then_some(())
    });
}

fn behind_relay() -> (Stage, Relay) {
    let dovecot = Dovecot::with(&Riches::Rich);
    let relay = Relay::before(dovecot.imap());
    let port = i64::from(relay.address.port());
    let stage = Stage::before(dovecot, |config: Config| config.with("upstream.port", port));
    (stage, relay)
}

/// A server that dies inside a literal: the handset's answer breaks off, since what was announced cannot be delivered;
/// nothing of it is taken for something else, the session is kept, the next request gets the mail whole.
#[test]
fn a_server_that_dies_inside_a_literal_costs_one_answer() {
    let (stage, relay) = behind_relay();
    let body = "0123456789abcdef".repeat(20_000);
    stage.dovecot.deliver("joe", &pimap_tests::dovecot::mail("a@example.org", "large", &body));
    let mut first = Imap::connect(stage.gateway.address("imap"));
    let id = session_id(&untagged(&first.ok("LOGIN joe#P1 pw")));
    first.ok("SELECT INBOX");
    first.ok("FETCH 1 (BODY.PEEK[]<0.10>)");
    relay.cut_after(100_000);
    let tag = first.begin("FETCH 1 (BODY.PEEK[])");
    let mut whole = false;
    while let Some(line) = first.line_within(pimap_tests::wait::PATIENCE) {
        whole |= line.starts_with(format!("{tag} OK").as_bytes());
    }
    assert!(!whole, "an answer that was cut claims to be whole");
    relay.mend();
    let mut again = eventually("a new connection", || {
        let mut client = Imap::connect(stage.gateway.address("imap"));
        let reply = client.command(&format!("LOGIN joe#P1 {PASSWORD}"));
        if reply.condition.is_ok() {
            assert_eq!(session_id(&untagged(&reply)), id);
            return Some(client);
        }
        None
    });
    let told = eventually("the mail", || {
        let reply = again.command("FETCH 1 (BODY.PEEK[])");
        reply.condition.is_ok().then(|| untagged(&reply))
    });
    assert!(told.contains(&body[..64]) && told.len() > body.len(), "{} octets", told.len());
}

/// A server that answers nothing for a while: other people are served, and the slow answer comes whole.
#[test]
fn a_slow_server_holds_up_only_its_own_answers() {
    let (stage, relay) = behind_relay();
    stage.deliver(&["one"]);
    let mut client = stage.client("joe#P1");
    client.ok("SELECT INBOX");
    relay.holds.store(true, Ordering::SeqCst);
    let tag = client.begin("FETCH 1 (BODY.PEEK[])");
    let capability = stage.post("a CAPABILITY\r\n").text();
    assert!(line(&capability, "a ").starts_with("a OK"));
    relay.holds.store(false, Ordering::SeqCst);
    let reply = client.finish(&tag);
    assert!(reply.condition.is_ok(), "{reply:?}");
    assert!(untagged(&reply).contains("Some text."));
    drop(relay.links);
}

/// A gateway that stood still for as long as everything it held took to be lost, with a STORE under way: what it did is not done a second
/// time after others have changed it, and the handset comes to hold what is true (flaws section 3 item 32, one node).
#[test]
fn a_gateway_that_stood_still_does_nothing_twice() {
    let (stage, relay) = behind_relay();
    stage.deliver(&["one", "two", "three"]);
    let mut client = stage.client("joe#P1");
    client.ok("SELECT INBOX");
    client.ok("STORE 1 +FLAGS (\\Answered)");
    let mut other = stage.dovecot.login("joe");
    other.ok("SELECT INBOX");
    relay.holds_changes.store(true, Ordering::SeqCst);
    let tag = client.begin("STORE 1 +FLAGS (Standing)");
    let is_marked = |other: &mut Imap| {
        other.ok("NOOP");
        format!("{:?}", other.flags_of("1")).to_lowercase().contains("standing")
    };
    eventually("the effect", || is_marked(&mut other).then_some(()));
    stage.gateway.signal("STOP");
    other.ok("UID STORE 1 -FLAGS (Standing)");
    other.ok("UID STORE 2 +FLAGS (\\Deleted)");
    other.ok("UID EXPUNGE 2");
    for link in relay.links.lock().expect("the links").iter() {
        let _ = link.shutdown(Shutdown::Both);
    }
    relay.holds_changes.store(false, Ordering::SeqCst);
    stage.gateway.signal("CONT");
    let reply = client.finish(&tag);
    let in_doubt = reply.condition.code == ["PIMAPINDOUBT"];
    assert!(reply.condition.is_ok() || in_doubt, "{:?}", reply.condition);
    let truth = other.flags_of("1:*");
    assert_eq!(truth.len(), 2);
    eventually("the truth", || {
        client.ok("NOOP");
        (client.flags_of("1:*") == truth).then_some(())
    });
    assert!(!is_marked(&mut other), "it was done again");
}
