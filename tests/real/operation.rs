//! What an operator sees: the command line, signals, health and metrics.

use std::net::TcpListener;
use std::time::Duration;

use pimap_tests::dovecot::Dovecot;
use pimap_tests::gateway::{Config, Gateway, check};
use pimap_tests::http::{Answer, Post, Site};
use pimap_tests::wait::{PATIENCE, eventually};

use crate::stage::{Stage, post, session_id, untagged};

fn get(gateway: &Gateway, path: &str) -> Answer {
    post(&Site::plain(gateway.address("admin")), &Post::new("").line("GET", path))
}

/// SIGTERM: BYE to whoever is connected, the sessions stay.
#[test]
fn a_stopped_gateway_says_bye_and_keeps_its_sessions() {
    let mut stage = Stage::new();
    stage.deliver(&["one"]);
    let mut handset = pimap_tests::imap::Imap::connect(stage.gateway.address("imap"));
    let id = session_id(&untagged(&handset.ok("LOGIN joe#P1 pw")));
    handset.ok("SELECT INBOX");
    let tag = handset.begin("IDLE");
    assert!(handset.line().starts_with(b"+"), "{tag}");
    let status = stage.gateway.terminate(PATIENCE).expect("an end");
    assert!(status.success(), "{status}");
    let farewell = String::from_utf8_lossy(&handset.line()).into_owned();
    assert!(farewell.starts_with("* BYE"), "{farewell}");
    stage.deliver(&["two"]);
    stage.gateway.restart();
    let told =
        untagged(&pimap_tests::imap::Imap::connect(stage.gateway.address("imap")).ok("LOGIN joe#P1 pw"));
    assert_eq!(session_id(&told), id);
    assert!(told.contains("* SESSION SELECTED\n* FOLDER INBOX\n"), "{told}");
}

/// Its ports are its handsets'; somebody else's connection may have been given one while it was down.
#[test]
fn a_gateway_comes_back_to_its_ports_once_they_are_free() {
    let mut stage = Stage::new();
    let address = stage.gateway.address("http");
    stage.gateway.kill();
    let taken = TcpListener::bind(address).expect("the port is free");
    let log = stage.gateway.directory().join("gateway.log");
    let gone = std::thread::spawn(move || {
        let said = || std::fs::read_to_string(&log).ok()?.contains("Address already in use").then_some(());
        eventually("the gateway says that its port is taken", said);
        drop(taken);
    });
    stage.gateway.restart();
    gone.join().expect("it said so");
    assert_eq!(stage.gateway.address("http"), address);
}

/// All mistakes at once, each by the name of its key, and the status of a bad configuration.
#[test]
fn check_names_every_mistake_of_a_configuration() {
    let output = check(
        "[listen]\nhttp = \"nowhere\"\nimaps = \"127.0.0.1:0\"\n[upstream]\nport = 0\nsecurity = \"perhaps\"\n\
         [session]\nretention = \"long\"\nlenght = 3\n[channels.udp]\nlisten = \"0.0.0.0:5143\"\n",
    );
    assert_eq!(output.status.code(), Some(64));
    let told =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    for key in [
        "listen.http",
        "listen.imaps",
        "upstream.host",
        "upstream.port",
        "upstream.security",
        "session.retention",
        "session.lenght",
        "channels.udp.advertise_host",
    ] {
        assert!(told.contains(key), "{key} in\n{told}");
    }
    let good = check("[listen]\nhttp = \"127.0.0.1:8080\"\n[upstream]\nhost = \"mail.example.org\"\n");
    assert_eq!(good.status.code(), Some(0), "{}", String::from_utf8_lossy(&good.stderr));
}

#[test]
fn health_and_metrics_have_the_names_of_the_contract() {
    let stage = Stage::new();
    stage.deliver(&["one"]);
    assert_eq!(get(&stage.gateway, "/healthz").status, 200);
    eventually("readiness", || (get(&stage.gateway, "/readyz").status == 200).then_some(()));
    let mut handset = stage.client("joe#P1");
    handset.ok("SELECT INBOX");
    stage.deliver(&["two"]);
    eventually("the arrival", || untagged(&handset.ok("NOOP")).contains("* 2 EXISTS").then_some(()));
    // Gauges of an account are looked at once a second.
    let metrics = eventually("the watching connection", || {
        let metrics = get(&stage.gateway, "/metrics").text();
        metrics.contains("pimap_upstream_connections{role=\"watch\"} 1").then_some(metrics)
    });
    for name in [
        "pimap_sessions 1",
        "pimap_connections{transport=\"imap\"} 1",
        "pimap_events_total{class=",
        "pimap_commands_total{command=",
        "pimap_store_seconds",
    ] {
        assert!(metrics.contains(name), "{name} in\n{metrics}");
    }
    assert!(!metrics.contains("joe"), "no names of people in metrics");
}

/// Law 7: nothing that is secret reaches the log, however much is logged.
#[test]
fn no_secret_is_logged() {
    let dovecot = Dovecot::start();
    dovecot.deliver("joe", &pimap_tests::dovecot::mail("a@example.org", "confidential", "unspeakable"));
    let config = Config::before(&dovecot)
        .with("log.level", "trace")
        .with("channels.udp.listen", "127.0.0.1:0")
        .with("channels.udp.advertise_host", "127.0.0.1");
    let mut gateway = Gateway::start(config);
    let body = "a LOGIN joe#P1 pw\r\nb XPROVISION\r\nc SELECT INBOX\r\nd FETCH 1 (BODY[])\r\n\
                e LOGIN joe#P1 \"not the passw0rd\"\r\n";
    let answer = post(&gateway.site(), &Post::new(body));
    post(&gateway.site(), &Post::new("f LOGIN ann#P1 \"not the passw0rd\"\r\n"));
    let text = answer.text();
    let id = session_id(&text);
    let cookie = answer.cookie().expect("a cookie").split_once('=').expect("its value").1.to_owned();
    let key = text
        .split("PIMAP_ENC_KEY (")
        .nth(1)
        .and_then(|rest| rest.split(')').next())
        .expect("a key")
        .to_owned();
    gateway.terminate(Duration::from_secs(10));
    let log = gateway.log();
    assert!(!log.is_empty());
    for secret in
        ["not the passw0rd", "LOGIN joe pw", "\"pw\"", &id, &cookie, &key, "unspeakable", "confidential"]
    {
        assert!(!log.contains(secret), "{secret:?} in the log");
    }
}
