//! The machine as a handset, a stranger and a moved handset see it.

use super::*;
use crate::px1::BLOCK_BYTES;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pimap_types::Secret;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp(1_077_259_200_000);
const MINUTE: i64 = 60_000;
const DEVICE: &str = "P6505551234";
/// The example of digest 8.4.
const HELLO: &str = "HELLO P6505551234 EBESExQVFhcYGRobHB0eH0QHjo9SXEVVzMLpbSHbwJ8= 192.0.2.44";

fn secret() -> Secret {
    Secret::new((0u8..16).collect::<Vec<_>>())
}

fn key() -> Key {
    Key::new(&secret()).unwrap()
}

fn joe() -> AccountKey {
    AccountKey::new("joe")
}

fn device() -> DeviceId {
    DeviceId::new(DEVICE).unwrap()
}

fn candidate(account: &str, key: Secret) -> Candidate {
    Candidate { account: AccountKey::new(account), key, stored: None }
}

fn machine_at(host: &str) -> Machine {
    Machine::new(&UdpSettings::new(host), 5143, 42)
}

fn machine() -> Machine {
    machine_at("192.0.2.7")
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A HELLO under a fresh IV, long enough for any answer.
fn fresh(device: &str, n: u8) -> String {
    format!("HELLO {device} {} 192.0.2.44 and more words", key().seal([n; BLOCK_BYTES], device.as_bytes()))
}

/// Both steps, as the transport takes them; the laws of size and proof hold for every answer.
#[track_caller]
fn say(
    machine: &mut Machine,
    from: &str,
    datagram: &str,
    candidates: &[Candidate],
    now: Timestamp,
) -> Answer {
    let answer = match machine.on_datagram(address(from), datagram.as_bytes(), now) {
        Step::LookUp(question) => machine.on_candidates(question, candidates, now),
        Step::Settled(answer) => answer,
    };
    let reply = answer.reply.as_deref().unwrap_or_default();
    assert!(reply.len() <= datagram.len(), "{} > {}", reply.len(), datagram.len());
    let proved = matches!(answer.verdict, Verdict::Refreshed | Verdict::Moved);
    assert_eq!(answer.bound.is_empty(), !proved);
    assert!(!matches!(answer.verdict, Verdict::NotHello | Verdict::TooOften) || answer.reply.is_none());
    assert_eq!(answer.to, address(from));
    answer
}

fn text(answer: &Answer) -> Option<&str> {
    answer.reply.as_deref().map(|octets| str::from_utf8(octets).unwrap())
}

fn opened_address(answer: &Answer) -> String {
    let sealed = text(answer).and_then(|text| text.strip_prefix("OK ")).expect("OK and an address");
    let plain = key().open(&Sealed::parse(sealed.as_bytes()).unwrap()).unwrap();
    String::from_utf8(plain.to_vec()).unwrap()
}

#[test]
fn the_right_key_gets_ok_and_the_address() {
    let mut machine = machine();
    let answer = say(&mut machine, "198.51.100.9:40000", HELLO, &[candidate("joe", secret())], NOW);
    assert_eq!(answer.verdict, Verdict::Moved);
    assert_eq!(opened_address(&answer), "192.0.2.7:5143");
    assert_eq!(machine.address_of(&joe(), &device(), NOW), Some(address("198.51.100.9:40000")));
    let expires = NOW.plus_ms(15 * MINUTE);
    assert_eq!((answer.bound[0].0.clone(), answer.bound[0].1.expires), (joe(), expires));
}

#[test]
fn no_key_wrong_key_and_no_ciphertext_get_invalid() {
    let wrong = candidate("joe", Secret::new(vec![1; 16]));
    let short = candidate("joe", Secret::new(vec![1; 5]));
    for (datagram, candidates) in [
        (HELLO, vec![]),
        (HELLO, vec![wrong.clone()]),
        (HELLO, vec![short, wrong]),
        ("HELLO P9999999999 xxxx", vec![]),
        // Right key, other device ID inside.
        (&HELLO.replace(DEVICE, "P6505551235"), vec![candidate("joe", secret())]),
    ] {
        let mut machine = machine();
        let answer = say(&mut machine, "198.51.100.9:40000", datagram, &candidates, NOW);
        assert_eq!(
            (answer.verdict, text(&answer)),
            (Verdict::Invalid, Some("INVALID ENCRYPTION KEY")),
            "{datagram}"
        );
        assert_eq!(machine.address_of(&joe(), &device(), NOW), None);
    }
}

#[test]
fn what_cannot_be_right_is_not_looked_up() {
    let mut machine = machine();
    let step = machine.on_datagram(address("198.51.100.9:4"), b"HELLO P9999999999 xxxx", NOW);
    assert!(matches!(step, Step::Settled(Answer { verdict: Verdict::Invalid, .. })));
    for from in [
        "198.51.100.9:0",
        "255.255.255.255:4",
        "224.0.0.1:4",
        "0.0.0.0:4",
        "[ff02::1]:4",
        "[::ffff:224.0.0.1]:4",
    ] {
        let answer = say(&mut machine, from, HELLO, &[candidate("joe", secret())], NOW);
        assert_eq!((answer.verdict, answer.reply), (Verdict::NotHello, None), "{from}");
    }
}

#[test]
fn answers_are_never_longer_than_requests() {
    let joe = [candidate("joe", secret())];
    // Two blocks of address, and a HELLO too short for them: bare OK; net-char makes room.
    let hello = fresh(DEVICE, 1);
    let short = hello.split(' ').take(3).collect::<Vec<_>>().join(" ");
    let mut machine = machine_at("push.example.org");
    assert_eq!(text(&say(&mut machine, "192.0.2.1:4", &short, &joe, NOW)), Some("OK"));
    assert_eq!(
        opened_address(&say(&mut machine, "192.0.2.1:4", &fresh(DEVICE, 2), &joe, NOW)),
        "push.example.org:5143"
    );
    // 21 octets leave no room for INVALID, 22 do.
    assert_eq!(text(&say(&mut machine, "192.0.2.1:4", "HELLO P999999999 xxxx", &[], NOW)), None);
    assert_eq!(
        text(&say(&mut machine, "192.0.2.1:4", "HELLO P9999999999 xxxx", &[], NOW)),
        Some("INVALID ENCRYPTION KEY")
    );
}

#[test]
fn strangers_get_one_answer_a_second_for_each_prefix() {
    let mut machine = machine();
    let mut answered = |from: &str, ms| say(&mut machine, from, HELLO, &[], NOW.plus_ms(ms)).reply.is_some();
    assert!(answered("198.51.100.9:40000", 0));
    assert!(!answered("198.51.100.9:40001", 0));
    assert!(!answered("198.51.100.77:40000", 999));
    assert!(!answered("[::ffff:198.51.100.77]:40000", 999));
    assert!(answered("198.51.101.9:40000", 999));
    assert!(answered("198.51.100.10:40000", 1_000));
    assert!(answered("[2001:db8:1:2::1]:4", 1_000));
    assert!(!answered("[2001:db8:1:2:ffff::1]:4", 1_000));
    assert!(answered("[2001:db8:1:3::1]:4", 1_000));
}

#[test]
fn a_replayed_hello_is_answered_and_moves_nothing() {
    let (mut machine, joe_only) = (machine(), [candidate("joe", secret())]);
    let home = "198.51.100.9:40000";
    assert_eq!(say(&mut machine, home, HELLO, &joe_only, NOW).verdict, Verdict::Moved);
    let answer = say(&mut machine, "203.0.113.66:666", HELLO, &joe_only, NOW.plus_ms(MINUTE));
    assert_eq!(answer.verdict, Verdict::Replayed);
    assert!(text(&answer).is_some_and(|text| text.starts_with("OK ")));
    assert_eq!(machine.address_of(&joe(), &device(), NOW.plus_ms(MINUTE)), Some(address(home)));
    // Nor does it lengthen the life, nor is it a source of many answers.
    assert_eq!(say(&mut machine, "203.0.113.66:666", HELLO, &joe_only, NOW.plus_ms(MINUTE)).reply, None);
    say(&mut machine, home, HELLO, &joe_only, NOW.plus_ms(10 * MINUTE));
    assert_eq!(machine.address_of(&joe(), &device(), NOW.plus_ms(15 * MINUTE)), None);
    // Nor does it bind after the end, nor in another machine that has what was stored.
    let stored = Registration::decode(&machine.export(&joe(), &device()).unwrap().encode());
    assert_eq!(
        say(&mut machine, home, HELLO, &joe_only, NOW.plus_ms(20 * MINUTE)).verdict,
        Verdict::Replayed
    );
    let mut other = machine_at("192.0.2.7");
    let with_stored = [Candidate { stored, ..candidate("joe", secret()) }];
    assert_eq!(say(&mut other, "203.0.113.66:666", HELLO, &with_stored, NOW).verdict, Verdict::Replayed);
}

#[test]
fn another_spelling_of_a_replayed_hello_is_one_too() {
    let (mut machine, joe_only) = (machine(), [candidate("joe", secret())]);
    say(&mut machine, "198.51.100.9:40000", HELLO, &joe_only, NOW);
    for spelling in
        [HELLO.replace("HELLO", "hello"), HELLO.replace(" 192.0.2.44", "\r\n"), format!("{HELLO} again")]
    {
        assert_eq!(say(&mut machine, "203.0.113.6:6", &spelling, &joe_only, NOW).verdict, Verdict::Replayed);
    }
    // The last sextet has two spare bits; base64 that sets them is not accepted as a new text.
    let loose = HELLO.replace("wJ8=", "wJ9=");
    assert_eq!(say(&mut machine, "203.0.113.6:6", &loose, &joe_only, NOW).verdict, Verdict::Invalid);
}

/// CBC has no integrity: with the plain text of our OK known, a stranger can compute an IV under which its
/// block decrypts to the device ID.
#[test]
fn our_own_answer_cannot_be_turned_into_a_hello() {
    for host in ["192.0.2.7", "push.example.org"] {
        let (mut machine, joe_only) = (machine_at(host), [candidate("joe", secret())]);
        let answer = say(&mut machine, "198.51.100.9:40000", &fresh(DEVICE, 1), &joe_only, NOW);
        let octets = STANDARD.decode(&text(&answer).unwrap()[3..]).unwrap();
        let mut plain = opened_address(&answer).into_bytes();
        let padding = BLOCK_BYTES - plain.len() % BLOCK_BYTES;
        plain.extend(vec![padding as u8; padding]);
        let mut wanted = DEVICE.as_bytes().to_vec();
        wanted.extend(vec![5; 5]);
        for block in 0..plain.len() / BLOCK_BYTES {
            let at = block * BLOCK_BYTES;
            let mut forged: Vec<u8> =
                (0..BLOCK_BYTES).map(|i| octets[at + i] ^ plain[at + i] ^ wanted[i]).collect();
            forged.extend(&octets[at + BLOCK_BYTES..at + 2 * BLOCK_BYTES]);
            let forged = STANDARD.encode(forged);
            assert!(
                key().proves(&Sealed::parse(forged.as_bytes()).unwrap(), DEVICE.as_bytes()),
                "the forgery is one"
            );
            let datagram = format!("HELLO {DEVICE} {forged}");
            assert_eq!(
                say(&mut machine, "203.0.113.6:6", &datagram, &joe_only, NOW).verdict,
                Verdict::Invalid
            );
        }
        assert_eq!(machine.address_of(&joe(), &device(), NOW), Some(address("198.51.100.9:40000")));
    }
}

#[test]
fn a_registration_ends_unless_refreshed_and_follows_the_handset() {
    let (mut machine, joe_only) = (machine(), [candidate("joe", secret())]);
    let (first, second) = ("198.51.100.9:40000", "198.51.100.9:51111");
    say(&mut machine, first, &fresh(DEVICE, 1), &joe_only, NOW);
    assert_eq!(machine.address_of(&joe(), &device(), NOW.plus_ms(15 * MINUTE - 1)), Some(address(first)));
    assert_eq!(machine.address_of(&joe(), &device(), NOW.plus_ms(15 * MINUTE)), None);
    let again = NOW.plus_ms(14 * MINUTE);
    assert_eq!(say(&mut machine, first, &fresh(DEVICE, 2), &joe_only, again).verdict, Verdict::Refreshed);
    assert_eq!(machine.address_of(&joe(), &device(), NOW.plus_ms(28 * MINUTE)), Some(address(first)));
    // The NAT gave it another port.
    assert_eq!(say(&mut machine, second, &fresh(DEVICE, 3), &joe_only, again).verdict, Verdict::Moved);
    assert_eq!(machine.address_of(&joe(), &device(), again), Some(address(second)));
    machine.forget(&joe(), &device());
    assert_eq!(machine.address_of(&joe(), &device(), again), None);
}

#[test]
fn a_clock_that_steps_back_lengthens_no_life() {
    let (mut machine, joe_only) = (machine(), [candidate("joe", secret())]);
    say(&mut machine, "198.51.100.9:40000", HELLO, &joe_only, NOW);
    let earlier = NOW.plus_ms(-600 * MINUTE);
    assert!(machine.address_of(&joe(), &device(), earlier).is_some());
    assert!(machine.address_of(&joe(), &device(), earlier.plus_ms(15 * MINUTE)).is_none());
}

#[test]
fn the_key_decides_between_accounts_with_one_device_id() {
    let mut machine = machine();
    let mut candidates: Vec<_> =
        (0..7).map(|n| candidate(&format!("squatter{n}"), Secret::new(vec![n; 16]))).collect();
    candidates.push(candidate("joe", secret()));
    let answer = say(&mut machine, "198.51.100.9:40000", HELLO, &candidates, NOW);
    assert_eq!(answer.bound.iter().map(|(account, _)| account.as_str()).collect::<Vec<_>>(), ["joe"]);
    assert_eq!(machine.address_of(&AccountKey::new("squatter0"), &device(), NOW), None);
    // A ninth is not tried.
    candidates.insert(0, candidate("squatter8", Secret::new(vec![8; 16])));
    assert_eq!(
        say(&mut machine, "198.51.100.9:40000", &fresh(DEVICE, 9), &candidates, NOW).verdict,
        Verdict::Invalid
    );
}

#[test]
fn one_device_cannot_write_without_end() {
    let (mut machine, joe_only) = (machine(), [candidate("joe", secret())]);
    let verdicts: Vec<_> = (0..12)
        .map(|n| say(&mut machine, "198.51.100.9:4", &fresh(DEVICE, n), &joe_only, NOW).verdict)
        .collect();
    assert_eq!(verdicts.iter().filter(|v| **v == Verdict::TooOften).count(), 2);
    // What was turned away was not remembered: it is good later.
    let later = NOW.plus_ms(1_000);
    assert_eq!(
        say(&mut machine, "198.51.100.9:4", &fresh(DEVICE, 11), &joe_only, later).verdict,
        Verdict::Refreshed
    );
}

#[test]
fn a_stored_registration_comes_back() {
    let mut machine = machine();
    let stored = Registration::new(address("[2001:db8::1]:9"), NOW.plus_ms(MINUTE));
    machine.import(joe(), device(), &stored);
    assert_eq!(machine.address_of(&joe(), &device(), NOW), Some(address("[2001:db8::1]:9")));
    assert_eq!(machine.address_of(&joe(), &device(), NOW.plus_ms(MINUTE)), None);
    // An older copy does not take the place of a newer one.
    machine.import(joe(), device(), &Registration::new(address("192.0.2.1:9"), NOW));
    assert_eq!(machine.export(&joe(), &device()), Some(&stored));
}

/// Two gateways share the rows: what the other one has stored counts, for replays and for the address.
#[test]
fn what_another_gateway_stored_meanwhile_counts() {
    let (mut here, mut there) = (machine(), machine());
    say(&mut here, "198.51.100.9:1", &fresh(DEVICE, 1), &[candidate("joe", secret())], NOW);
    let stored = here.export(&joe(), &device()).cloned();
    let with_stored = [Candidate { stored, ..candidate("joe", secret()) }];
    say(&mut there, "198.51.100.9:2", &fresh(DEVICE, 2), &with_stored, NOW.plus_ms(MINUTE));
    let stored = there.export(&joe(), &device()).cloned();
    let with_stored = [Candidate { stored, ..candidate("joe", secret()) }];
    for n in [1, 2] {
        let answer =
            say(&mut here, "203.0.113.6:6", &fresh(DEVICE, n), &with_stored, NOW.plus_ms(2 * MINUTE));
        assert_eq!(answer.verdict, Verdict::Replayed, "{n}");
    }
    assert_eq!(here.address_of(&joe(), &device(), NOW.plus_ms(2 * MINUTE)), Some(address("198.51.100.9:2")));
}

proptest! {
    /// Whatever is sent from wherever, with or without keys: no answer is longer than its request, nobody
    /// without the key is bound, and no prefix gets more unproved answers than one a second.
    #[test]
    fn laws_hold_for_any_datagrams(
        datagrams in proptest::collection::vec(
            (prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..120),
                "HELLO [A-Z]{1,3} [A-Za-z0-9+/=]{0,70}( [a-z ]{0,20})?".prop_map(String::into_bytes),
                (0u8..3, 1usize..20).prop_map(|(n, length)| fresh(&"P".repeat(length), n).into_bytes()),
            ], any::<bool>(), 0u8..3, 0i64..2_000),
            0..40,
        ),
    ) {
        let (mut machine, mut now, mut unproved) = (machine(), NOW, 0);
        for (datagram, has_key, host, ms) in datagrams {
            now = now.plus_ms(ms);
            let from = address(&format!("198.51.100.{host}:7"));
            let candidates = if has_key { vec![candidate("joe", secret())] } else { vec![] };
            let answer = match machine.on_datagram(from, &datagram, now) {
                Step::LookUp(question) => machine.on_candidates(question, &candidates, now),
                Step::Settled(answer) => answer,
            };
            let reply_bytes = answer.reply.as_ref().map_or(0, Vec::len);
            prop_assert!(reply_bytes <= datagram.len());
            prop_assert!(has_key || answer.bound.is_empty());
            if !matches!(answer.verdict, Verdict::Moved | Verdict::Refreshed) && reply_bytes > 0 {
                unproved += 1;
            }
            prop_assert!(unproved <= 1 + now.since_ms(NOW) / 1_000);
        }
    }
}
