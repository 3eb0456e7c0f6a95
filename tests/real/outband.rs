//! Wake-ups over UDP (P-IMAP 3.2.3, 5.1.6, B.2): who may register, what is sent, and what is not.

use std::time::Duration;

use pimap_tests::dovecot::mail;
use pimap_tests::udp::{Bell, key, open, seal};

use crate::stage::{Stage, line, untagged};

const DEVICE: &str = "P6505551234";

fn stage() -> Stage {
    Stage::with(|config| {
        config.with("channels.udp.listen", "127.0.0.1:0").with("channels.udp.advertise_host", "127.0.0.1")
    })
}

/// Provisions the device, wants to be woken by `channel` for every mail, and gives its key.
fn provisioned(stage: &Stage, channel: &str) -> [u8; 16] {
    let mut handset = stage.client(&format!("joe#{DEVICE}"));
    let told = untagged(&handset.ok("XPROVISION"));
    let text = line(&told, "* XPROVISION PIMAP_ENC_KEY (").trim_end_matches(')');
    let device_key = key(&text["* XPROVISION PIMAP_ENC_KEY (".len()..]).expect("a key of 128 bits");
    handset.ok(&format!("XSETPIMAPPREF PIMAP_OUTBAND_CHANNEL {channel}"));
    handset.ok("XSETPIMAPPREF PIMAP_XFILTER (INBOX N ALL)");
    handset.ok("SELECT INBOX");
    // Said after the answer was heard: it proves that it was (D5).
    handset.ok("NOOP");
    device_key
}

/// PI-107.
#[test]
fn hello_with_the_right_key_is_answered_with_the_gateways_address() {
    let stage = stage();
    let device_key = provisioned(&stage, "UDP");
    let bell = Bell::new(stage.gateway.address("udp"));
    let answer = bell.hello(DEVICE, &device_key).expect("an answer");
    let sealed = answer.strip_prefix("OK ").unwrap_or_else(|| panic!("{answer}"));
    let address = open(&device_key, sealed).expect("sealed with the device's key");
    assert_eq!(String::from_utf8_lossy(&address), stage.gateway.address("udp").to_string());
}

/// PI-108: whoever cannot seal with the key hears so in clear, however wrong it is.
#[test]
fn hello_without_the_key_is_refused_in_clear() {
    let stage = stage();
    let device_key = provisioned(&stage, "UDP");
    let wrong = [7; 16];
    let iv = [1; 16];
    for datagram in [
        format!("HELLO {DEVICE} {}", seal(&wrong, &iv, DEVICE.as_bytes())),
        format!("HELLO {DEVICE} {}", seal(&device_key, &iv, b"P0000000000")),
        format!("HELLO P0000000000 {}", seal(&wrong, &iv, b"P0000000000")),
    ] {
        // One answer a second to one network (F37): each waits for its turn by asking again.
        let bell = Bell::new(stage.gateway.address("udp"));
        bell.patience(Duration::from_millis(300));
        let answer = (0..40).find_map(|_| {
            bell.send(&datagram);
            bell.hear()
        });
        assert_eq!(answer.as_deref(), Some("INVALID ENCRYPTION KEY"), "{datagram}");
    }
}

/// F37: a HELLO heard by somebody else and sent again moves nothing.
#[test]
fn a_replayed_hello_moves_nothing() {
    let stage = stage();
    let device_key = provisioned(&stage, "UDP");
    let bell = Bell::new(stage.gateway.address("udp"));
    let hello = format!("HELLO {DEVICE} {}", seal(&device_key, &[9; 16], DEVICE.as_bytes()));
    bell.send(&hello);
    assert!(bell.hear().is_some_and(|answer| answer.starts_with("OK")));
    let thief = Bell::new(stage.gateway.address("udp"));
    thief.patience(Duration::from_millis(300));
    thief.send(&hello);
    stage.deliver(&["hello"]);
    bell.patience(Duration::from_secs(30));
    assert!(bell.hear().is_some_and(|wake| wake.starts_with("<emn ")), "the device is still woken");
    while let Some(heard) = thief.hear() {
        assert!(!heard.contains("emn"), "{heard}");
    }
}

/// PI-098, PI-105: a mail while nobody is connected: a wake-up that names the account and the time, then the mail itself;
/// the address outlives a crash of the gateway.
#[test]
fn a_handset_that_is_away_is_woken_also_after_a_crash() {
    let mut stage = stage();
    let device_key = provisioned(&stage, "UDP");
    let bell = Bell::new(stage.gateway.address("udp"));
    assert!(bell.hello(DEVICE, &device_key).is_some_and(|answer| answer.starts_with("OK")));
    stage.deliver(&["first"]);
    bell.patience(Duration::from_secs(30));
    let wake = bell.hear().expect("a wake-up");
    assert!(wake.starts_with("<emn mailbox=\"mailat:joe@example.org\" timestamp=\"20"), "{wake}");
    assert!(wake.contains("Z\""), "{wake}");
    let mut handset = stage.client(&format!("joe#{DEVICE}"));
    assert!(untagged(&handset.ok("SELECT INBOX")).contains("* 1 EXISTS"));
    drop(handset);
    stage.gateway.kill();
    stage.gateway.restart();
    stage.deliver(&["second"]);
    let wake = bell.hear().expect("a wake-up after the restart");
    assert!(wake.starts_with("<emn "), "{wake}");
}

/// PI-104, PI-106: channel NONE is silent, a dead channel loses nothing.
#[test]
fn no_channel_and_a_dead_channel_lose_nothing() {
    let stage = stage();
    let device_key = provisioned(&stage, "NONE");
    let bell = Bell::new(stage.gateway.address("udp"));
    assert!(bell.hello(DEVICE, &device_key).is_some_and(|answer| answer.starts_with("OK")));
    // Another device of the account is woken, which proves that this one was passed over.
    let mut second = stage.client("joe#P2");
    let told = untagged(&second.ok("XPROVISION"));
    let text = line(&told, "* XPROVISION PIMAP_ENC_KEY (").trim_end_matches(')');
    let second_key = key(&text["* XPROVISION PIMAP_ENC_KEY (".len()..]).expect("a key");
    second.ok("XSETPIMAPPREF PIMAP_OUTBAND_CHANNEL UDP");
    second.ok("XSETPIMAPPREF PIMAP_XFILTER (INBOX N ALL)");
    second.ok("SELECT INBOX");
    second.ok("NOOP");
    drop(second);
    let other_bell = Bell::new(stage.gateway.address("udp"));
    assert!(other_bell.hello("P2", &second_key).is_some_and(|answer| answer.starts_with("OK")));
    stage.dovecot.deliver("joe", &mail("a@example.org", "one", "x"));
    other_bell.patience(Duration::from_secs(30));
    assert!(other_bell.hear().is_some_and(|wake| wake.starts_with("<emn ")));
    bell.patience(Duration::from_millis(200));
    assert_eq!(bell.hear(), None, "channel NONE");
    // The second one's socket is gone now: its wake-ups go nowhere, its events do not.
    drop(other_bell);
    stage.dovecot.deliver("joe", &mail("a@example.org", "two", "x"));
    let told = stage.post("a LOGIN joe#P2 pw\r\nb NOOP\r\n").text();
    assert!(told.contains("* 2 EXISTS") && !told.contains("* RESYNC"), "{told}");
}

/// F14: a push into a connection that is dead without knowing it proves nothing: a device that acknowledges what it gets, and
/// this time does not, is woken all the same (ADR 7).
#[test]
fn a_push_that_nobody_acknowledges_is_followed_by_a_wake_up() {
    let stage = stage();
    let device_key = provisioned(&stage, "UDP");
    let bell = Bell::new(stage.gateway.address("udp"));
    assert!(bell.hello(DEVICE, &device_key).is_some_and(|answer| answer.starts_with("OK")));
    let mut handset = stage.client(&format!("joe#{DEVICE}"));
    handset.ok("ENABLE XPIMAPACK");
    handset.ok("SELECT INBOX");
    let tag = handset.begin("IDLE");
    while !handset.line().starts_with(b"+") {}
    stage.deliver(&["urgent"]);
    // It arrives, but as far as the gateway can know the handset is in a tunnel.
    assert_eq!(handset.line(), b"* 1 EXISTS");
    bell.patience(Duration::from_secs(40));
    assert!(bell.hear().is_some_and(|wake| wake.starts_with("<emn ")));
    handset.send(b"DONE\r\n");
    assert!(handset.finish(&tag).condition.is_ok());
}
