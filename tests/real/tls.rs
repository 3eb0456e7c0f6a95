//! HTTPS and IMAP over TLS, and what may be said without them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use pimap_tests::dovecot::Dovecot;
use pimap_tests::gateway::{Config, Gateway};
use pimap_tests::http::{Post, Site};
use pimap_tests::imap::Imap;
use pimap_tests::wait::PATIENCE;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::stage::{line, post, refused, session_id, untagged};

fn gateway(dovecot: &Dovecot, allow_cleartext: bool) -> Gateway {
    let config = Config::before(dovecot)
        .with("listen.imaps", "127.0.0.1:0")
        .with("listen.allow_cleartext", allow_cleartext)
        .with("channels.udp.listen", "127.0.0.1:0")
        .with("channels.udp.advertise_host", "127.0.0.1");
    Gateway::start_tls(config)
}

/// A conversation over TLS: everything sent at once, everything heard to the end of the connection.
fn converse(mut stream: TcpStream, config: Arc<ClientConfig>, commands: &str) -> String {
    stream.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
    stream.flush().expect("a socket");
    let name = ServerName::try_from("localhost").expect("a host name");
    let session = ClientConnection::new(config, name).expect("a TLS session");
    let mut stream = StreamOwned::new(session, stream);
    stream.write_all(commands.as_bytes()).expect("a TLS connection");
    let mut heard = Vec::new();
    // The end may come without close_notify; what was heard counts.
    let _ = stream.read_to_end(&mut heard);
    String::from_utf8_lossy(&heard).into_owned()
}

const SESSION: &str = "a LOGIN joe#P1 pw\r\nb XPROVISION\r\nc LOGOUT\r\n";

/// PI-118, PI-053, PI-042.
#[test]
fn over_tls_there_is_a_session_and_its_key() {
    let dovecot = Dovecot::start();
    let gateway = gateway(&dovecot, false);
    let site = gateway.site();
    let web = post(&site, &Post::new(SESSION));
    assert!(
        web.header("Set-Cookie")
            .is_some_and(|cookie| cookie.contains("Secure") && cookie.contains("HttpOnly"))
    );
    let trusted = site.tls.clone().expect("TLS");
    let stream = TcpStream::connect(gateway.address("imaps")).expect("imaps");
    let imaps = converse(stream, trusted, SESSION);
    for text in [web.text(), imaps] {
        session_id(&text);
        assert!(text.contains("PIMAP_ENC_KEY (") && text.contains("PIMAP_ENC_ALG (AES)"), "{text}");
        assert!(line(&text, "c ").starts_with("c OK"), "{text}");
    }
}

#[test]
fn starttls_secures_a_connection_that_began_in_cleartext() {
    let dovecot = Dovecot::start();
    let gateway = gateway(&dovecot, false);
    let mut stream = TcpStream::connect(gateway.address("imap")).expect("imap");
    stream.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
    stream.write_all(b"a STARTTLS\r\n").expect("a command");
    let mut heard = Vec::new();
    let mut octet = [0];
    while !heard.ends_with(b"\r\n") || !heard.windows(4).any(|four| four == b"a OK") {
        stream.read_exact(&mut octet).expect("an answer");
        heard.push(octet[0]);
    }
    let text = converse(stream, gateway.site().tls.expect("TLS"), SESSION);
    session_id(&text);
    assert!(text.contains("PIMAP_ENC_KEY ("), "{text}");
}

/// LOGIN in cleartext is refused where it is not allowed, and says why; CAPABILITY announces it (RFC 3501 6.2.3).
#[test]
fn a_password_is_not_taken_in_cleartext() {
    let dovecot = Dovecot::start();
    let gateway = gateway(&dovecot, false);
    let mut client = Imap::connect(gateway.address("imap"));
    let capability = untagged(&client.ok("CAPABILITY"));
    assert!(capability.contains("LOGINDISABLED") && capability.contains("STARTTLS"), "{capability}");
    assert!(refused(&mut client, "LOGIN joe#P1 pw", "NO").contains("[PRIVACYREQUIRED]"));
    // Nor by HTTP on a gateway without a certificate.
    let plain = Gateway::start(Config::before(&dovecot).with("listen.allow_cleartext", false));
    let answer = post(&plain.site(), &Post::new("a LOGIN joe#P1 pw\r\n"));
    assert!(line(&answer.text(), "a ").starts_with("a NO [PRIVACYREQUIRED]"), "{}", answer.text());
    assert_eq!(answer.cookie(), None);
}

/// PI-053: where cleartext is allowed, it is for everything, keys too; a plain connection to an HTTPS port gets nothing.
#[test]
fn keys_in_cleartext_are_a_decision_of_the_operator() {
    let dovecot = Dovecot::start();
    let allowed = gateway(&dovecot, true);
    let mut client = Imap::login(allowed.address("imap"), "joe#P1", "pw");
    assert!(untagged(&client.ok("XPROVISION")).contains("PIMAP_ENC_KEY ("));
    let plain = Site::plain(allowed.address("http"));
    assert!(plain.post(&Post::new(SESSION)).is_err(), "no HTTP on the port of HTTPS");
    assert_eq!(post(&allowed.site(), &Post::new(SESSION)).status, 200);
}

/// The gateway verifies the upstream's certificate.
#[test]
fn upstream_is_reached_over_tls_when_its_certificate_is_known() {
    let dovecot = Dovecot::start();
    let config = |trusted: bool| {
        let config = Config::before(&dovecot)
            .with("upstream.port", i64::from(dovecot.imaps().port()))
            .with("upstream.security", "tls");
        match trusted {
            true => config.with("upstream.ca_file", dovecot.certificate().certificate.display().to_string()),
            false => config,
        }
    };
    let gateway = Gateway::start(config(true));
    session_id(&post(&gateway.site(), &Post::new(SESSION)).text());
    let wary = Gateway::start(config(false));
    let text = post(&wary.site(), &Post::new(SESSION)).text();
    assert!(line(&text, "a ").starts_with("a NO"), "{text}");
}
