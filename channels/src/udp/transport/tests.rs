//! The channel over real sockets on the loopback interface. Every wait is for a datagram or a call, none for
//! time; a paused clock is of no use here, since to a runtime a socket looks idle.

use super::*;
use crate::Channels;
use crate::px1::{BLOCK_BYTES, Key, Sealed};
use pimap_types::Secret;
use std::collections::HashMap;
use std::sync::Mutex;

const DEVICE: &str = "P6505551234";
/// 2004-02-20T06:40:00Z.
const NOON: Timestamp = Timestamp(1_077_259_200_000);

fn secret() -> Secret {
    Secret::new((0u8..16).collect::<Vec<_>>())
}

fn key() -> Key {
    Key::new(&secret()).unwrap()
}

fn device() -> DeviceId {
    DeviceId::new(DEVICE).unwrap()
}

fn joe() -> AccountKey {
    AccountKey::new("joe")
}

fn hello(n: u8) -> String {
    format!("HELLO {DEVICE} {} 127.0.0.1", key().seal([n; BLOCK_BYTES], DEVICE.as_bytes()))
}

/// Joe's device only, kept as the server would keep it.
#[derive(Clone, Default)]
struct Rows(Arc<Mutex<HashMap<Name, Vec<u8>>>>);

type Name = (AccountKey, DeviceId);

impl Rows {
    fn of(&self, account: &AccountKey, device: &DeviceId) -> Option<Registration> {
        let rows = self.0.lock().unwrap();
        rows.get(&(account.clone(), device.clone())).and_then(|octets| Registration::decode(octets))
    }
}

impl KeyDirectory for Rows {
    async fn keys_of(&self, asked: &DeviceId) -> Vec<Candidate> {
        assert_ne!(asked.as_str(), "PANIC", "as asked for");
        let stored = self.of(&joe(), asked);
        if *asked == device() { vec![Candidate { account: joe(), key: secret(), stored }] } else { vec![] }
    }
    async fn on_bound(&self, account: &AccountKey, device: &DeviceId, registration: Registration) {
        self.0.lock().unwrap().insert((account.clone(), device.clone()), registration.encode());
    }
}

async fn channel(rows: &Rows) -> UdpChannel {
    let settings = UdpSettings { clock: || NOON, ..UdpSettings::new("127.0.0.1") };
    UdpChannel::bind("127.0.0.1:0".parse().unwrap(), settings, rows.clone()).await.unwrap()
}

/// A handset: a socket that talks to the channel's only.
struct Handset(UdpSocket);

impl Handset {
    async fn of(channel: &UdpChannel) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(channel.local_addr()).await.unwrap();
        Self(socket)
    }

    async fn heard(&self) -> String {
        let mut buffer = [0; 2_048];
        let length =
            timeout(Duration::from_secs(20), self.0.recv(&mut buffer)).await.expect("a datagram").unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    async fn ask(&self, datagram: &str) -> String {
        self.0.send(datagram.as_bytes()).await.unwrap();
        self.heard().await
    }
}

fn notice() -> Notice {
    Notice {
        account: joe(),
        device: device(),
        channel: ChannelKind::Udp,
        format: OutbandFormat::Emn,
        address: None,
        mail_address: "joe@foo.com".to_owned(),
        event_time: NOON,
    }
}

const EMN: &str = r#"<emn mailbox="mailat:joe@foo.com" timestamp="2004-02-20T06:40:00Z"></emn>"#;

#[tokio::test]
async fn hello_ok_notice() {
    let rows = Rows::default();
    let channel = channel(&rows).await;
    assert_eq!(channel.send(&notice()).await, Outcome::NoAddress);

    let handset = Handset::of(&channel).await;
    let answer = handset.ask(&hello(1)).await;
    let sealed = Sealed::parse(answer.strip_prefix("OK ").expect(&answer).as_bytes()).unwrap();
    assert_eq!(key().open(&sealed).unwrap().as_slice(), channel.local_addr().to_string().as_bytes());
    // Stored before the answer was heard.
    let stored = rows.of(&joe(), &device()).expect("a stored registration");
    assert_eq!(stored.address, handset.0.local_addr().unwrap());

    let channels = Channels::default().with(Arc::new(channel.clone()));
    assert_eq!(channels.send(&notice()).await, Outcome::Accepted);
    assert_eq!(handset.heard().await, EMN);

    // The NAT gives another port: notices follow the fresh HELLO.
    let moved = Handset::of(&channel).await;
    assert!(moved.ask(&hello(2)).await.starts_with("OK "));
    assert_eq!(channel.send(&notice()).await, Outcome::Accepted);
    assert_eq!(moved.heard().await, EMN);
    let counts: HashMap<_, _> = channel.counts().collect();
    assert_eq!((counts[&Verdict::Moved], counts[&Verdict::Invalid]), (2, 0));
}

#[tokio::test]
async fn a_replay_is_answered_but_notices_stay() {
    let channel = channel(&Rows::default()).await;
    let (handset, stranger) = (Handset::of(&channel).await, Handset::of(&channel).await);
    let recorded = hello(1);
    assert!(handset.ask(&recorded).await.starts_with("OK "));
    assert!(stranger.ask(&recorded).await.starts_with("OK "));
    assert_eq!(channel.send(&notice()).await, Outcome::Accepted);
    assert_eq!(handset.heard().await, EMN);
}

#[tokio::test]
async fn wrong_keys_hear_invalid_and_noise_hears_nothing() {
    let channel = channel(&Rows::default()).await;
    let handset = Handset::of(&channel).await;
    for noise in [
        &b""[..],
        b"\0\xFF\xFE",
        b"HELLO",
        &[b'x'; 5_000],
        b"HELLO PANIC EBESExQVFhcYGRobHB0eH0QHjo9SXEVVzMLpbSHbwJ8=",
    ] {
        handset.0.send(noise).await.unwrap();
    }
    // The clock stands still, so that this is the only answer that any stranger gets.
    let wrong = Key::new(&Secret::new(vec![1; 16])).unwrap().seal([1; BLOCK_BYTES], DEVICE.as_bytes());
    assert_eq!(handset.ask(&format!("HELLO {DEVICE} {wrong}")).await, "INVALID ENCRYPTION KEY");
    assert!(handset.ask(&hello(1)).await.starts_with("OK "));
}

#[tokio::test]
async fn a_restart_keeps_the_address_and_what_was_heard() {
    let rows = Rows::default();
    let before = channel(&rows).await;
    let handset = Handset::of(&before).await;
    assert!(handset.ask(&hello(1)).await.starts_with("OK "));
    let exported = before.export(joe(), device()).await;
    assert_eq!(exported, rows.of(&joe(), &device()));
    drop(before);

    let after = channel(&rows).await;
    after.import(joe(), device(), exported.unwrap()).await;
    handset.0.connect(after.local_addr()).await.unwrap();
    assert_eq!(after.send(&notice()).await, Outcome::Accepted);
    assert_eq!(handset.heard().await, EMN);
    let stranger = Handset::of(&after).await;
    assert!(stranger.ask(&hello(1)).await.starts_with("OK "));
    assert_eq!(after.export(joe(), device()).await.unwrap().address, handset.0.local_addr().unwrap());
    after.forget(joe(), device()).await;
    assert_eq!(after.send(&notice()).await, Outcome::NoAddress);
}

#[tokio::test]
async fn what_the_channel_cannot_carry_is_refused() {
    let channel = channel(&Rows::default()).await;
    let refused = [
        Notice { format: OutbandFormat::Extended, ..notice() },
        Notice { channel: ChannelKind::Sms, ..notice() },
        Notice { mail_address: "joe\r\n@foo.com".to_owned(), ..notice() },
    ];
    for notice in refused {
        assert_eq!(channel.send(&notice).await, Outcome::Refused, "{notice:?}");
    }
}

#[tokio::test]
async fn dropping_the_last_handle_frees_the_socket() {
    let channel = channel(&Rows::default()).await;
    let (address, orders) = (channel.local_addr(), channel.orders.downgrade());
    drop(channel);
    while orders.upgrade().is_some() || std::net::UdpSocket::bind(address).is_err() {
        tokio::task::yield_now().await;
    }
    assert!(orders.upgrade().is_none());
}
