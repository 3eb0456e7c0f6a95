//! A request body against the real account: whatever stands in it is answered, no law breaks, and the next request of the
//! session is served. The first octet chooses a body known whole, an open one, or plain TCP.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pimap_tests::world::World;
use pimap_tests::world::conversation::Manner;
use pimap_tests::world::mail::letter;
use pimap_tests::world::upstream::Traits;
use pimap_types::{Flags, MailboxName};

const LOGIN: &[u8] = b"A1 LOGIN joe#P1 secret\r\nA2 SELECT INBOX\r\n";

fuzz_target!(|octets: &[u8]| {
    let Some((choice, octets)) = octets.split_first() else { return };
    let mut world = World::new(Traits::RICH);
    let inbox = MailboxName::new("INBOX");
    for subject in ["one", "two", "three"] {
        world.deliver(&inbox, letter("bob@example.org", subject, "hello"), Flags::default(), 0);
    }
    let body = [LOGIN, octets].concat();
    let id = match choice % 3 {
        0 => world.post(Manner::default(), &body),
        1 => world.open_stream(Manner::default()),
        _ => world.dial(),
    };
    if choice % 3 != 0 {
        world.settle();
        world.feed(id, &body);
    }
    world.settle();
    world.end_input(id);
    world.settle();
    world.close(id, true);
    world.settle();

    let next = world.post(Manner::default(), b"B1 LOGIN joe#P1 secret\r\nB2 SELECT INBOX\r\nB3 FETCH 1:* FLAGS\r\n");
    world.settle();
    let answered = world.conversations.get(&next).map(|next| next.wire.iter().copied().collect::<Vec<u8>>());
    let answered = String::from_utf8_lossy(&answered.unwrap_or_default()).into_owned();
    assert!(answered.contains("B1 OK ") && answered.contains("B3 "), "{answered}");
    assert!(world.broken.is_empty(), "{:?}", world.broken);
});
