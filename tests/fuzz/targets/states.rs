//! Whatever a handset says in any state of its connection is answered, no law breaks, and whoever comes after it is served. The
//! first octet chooses the state, the second how the rest is cut; mail comes and goes between the pieces.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pimap_tests::world::World;
use pimap_tests::world::mail::letter;
use pimap_tests::world::upstream::Traits;
use pimap_types::command::{StoreChange, StoreMode};
use pimap_types::{Flag, Flags, MailboxName};

/// What brings a connection into each state: not authenticated, challenged, within a literal before login, authenticated,
/// selected, read-only, with CONDSTORE and QRESYNC, idling, within a message that was asked for and one that was not; notified at once
/// and with items, notified with delay and counting, idling under NOTIFY, notified as a regular client. COMPRESS is below what is
/// modelled here.
const STATES: [&str; 14] = [
    "",
    "A1 AUTHENTICATE PLAIN\r\n",
    "A1 LOGIN {6}\r\n",
    "A1 LOGIN joe#P1 secret\r\n",
    "A1 LOGIN joe#P1 secret\r\nA2 SELECT INBOX\r\n",
    "A1 LOGIN joe#P1 secret\r\nA2 EXAMINE INBOX\r\n",
    "A1 LOGIN joe#P1 secret\r\nA2 ENABLE QRESYNC\r\nA3 SELECT INBOX\r\n",
    "A1 LOGIN joe#P1 secret\r\nA2 SELECT INBOX\r\nA3 IDLE\r\n",
    "A1 LOGIN joe#P1 secret\r\nA2 APPEND INBOX {40}\r\n",
    "A1 LOGIN joe#P1 secret\r\nA2 SELECT INBOX\r\nA3 APPEND Work {40+}\r\na: b",
    "A1 LOGIN joe#P1 secret\r\nA2 SELECT INBOX\r\nA3 NOTIFY SET STATUS (selected (MessageNew (UID FLAGS BODY.PEEK[]) MessageExpunge FlagChange)) (personal (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange))\r\n",
    "A1 LOGIN joe#P1 secret\r\nA2 ENABLE QRESYNC\r\nA3 SELECT INBOX\r\nA4 NOTIFY SET (selected-delayed (MessageNew MessageExpunge)) (inboxes (MessageNew MessageExpunge))\r\n",
    "A1 LOGIN joe#P1 secret\r\nA2 NOTIFY SET (personal (MessageNew MessageExpunge FlagChange))\r\nA3 SELECT INBOX\r\nA4 IDLE\r\n",
    "A1 LOGIN joe secret\r\nA2 SELECT Work\r\nA3 NOTIFY SET STATUS (selected (MessageNew (UID) MessageExpunge)) (mailboxes (INBOX) (MessageNew MessageExpunge))\r\n",
];

/// Another client delivers, flags and removes.
fn mail_moves(world: &mut World, turn: usize) {
    let names = ["INBOX", "Work"].map(MailboxName::new);
    let name = &names[turn % 2];
    match turn % 3 {
        0 => drop(world.deliver(name, letter("eve@example.org", "more", "x"), Flags::default(), 0)),
        1 => world.remove(name, [1 + turn as u32 % 5]),
        _ => {
            let flags = Flags::new([Flag::Seen]);
            let change = StoreChange { mode: StoreMode::Add, silent: false, flags };
            world.store(name, 1 + turn as u32 % 5, &change);
        }
    }
}

fuzz_target!(|octets: &[u8]| {
    let [choice, cut, octets @ ..] = octets else { return };
    let mut world = World::new(if choice & 0x80 == 0 { Traits::RICH } else { Traits::POOR });
    let inbox = MailboxName::new("INBOX");
    world.upstream.mail.create(&MailboxName::new("Work"));
    for subject in ["one", "two", "three"] {
        world.deliver(&inbox, letter("bob@example.org", subject, "hello"), Flags::default(), 0);
    }
    let id = world.dial();
    world.settle();
    world.feed(id, STATES[usize::from(choice & 0x7f) % STATES.len()].as_bytes());
    world.settle();
    for (turn, piece) in octets.chunks(usize::from(*cut) + 1).enumerate() {
        world.feed(id, piece);
        world.settle();
        mail_moves(&mut world, turn);
        world.settle();
    }
    world.end_input(id);
    world.settle();
    world.close(id, choice % 2 == 0);
    world.settle();

    let next = world.dial();
    world.feed(next, b"B1 LOGIN joe#P2 secret\r\nB2 NOOP\r\n");
    world.settle();
    let answered = world.conversations.get(&next).map(|next| next.wire.iter().copied().collect::<Vec<u8>>());
    let answered = String::from_utf8_lossy(&answered.unwrap_or_default()).into_owned();
    assert!(answered.contains("\r\nB2 OK "), "{answered}");
    assert!(world.broken.is_empty(), "{:?}", world.broken);
});
