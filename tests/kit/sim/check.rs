//! What the truth is: the mail, seen through a device's filter, judged here a second time.

use super::phone::Phone;
use super::plan::CRITERIA;
use crate::handset::MailboxTruth;
use crate::response::Flags;
use crate::world::World;
use crate::world::mail::{Message, meets};
use pimap_session::SessionLog;
use pimap_types::search::{Field, SearchKey};
use pimap_types::{Date, DeviceId, Flag, MailboxName, Uid};

/// Whether a message passes criteria as they were written.
pub fn passes(criteria: &str, uid: u32, message: &Message, today: Date) -> bool {
    let flagged = SearchKey::Flag(Flag::Flagged);
    let anna = SearchKey::Field(Field::From, b"anna".to_vec());
    let not = |flag: Flag| SearchKey::Not(Box::new(SearchKey::Flag(flag)));
    let program = match CRITERIA.iter().position(|known| *known == criteria) {
        Some(0) => not(Flag::Seen),
        Some(1) => flagged,
        Some(2) => not(Flag::Deleted),
        Some(3) => anna,
        Some(4) => SearchKey::DaysBeforeToday(1),
        Some(5) => SearchKey::Or(Box::new(flagged), Box::new(anna)),
        Some(6) => SearchKey::And(vec![not(Flag::Seen), SearchKey::Field(Field::Subject, b"re".to_vec())]),
        Some(7) => not(Flag::Flagged),
        _ => return criteria == "ALL",
    };
    meets(&program, uid, message, uid, today)
}

/// The mailbox as it is behind a filter.
pub fn truth(world: &mut World, mailbox: &MailboxName, criteria: &str) -> Option<MailboxTruth> {
    let today = world.now.date(0);
    let state = world.mailbox(mailbox)?;
    let seen = state.messages.iter().filter(|(uid, message)| passes(criteria, **uid, message, today));
    let flags = |m: &Message| -> Flags { m.flags.iter().map(|f| f.as_str().to_ascii_lowercase()).collect() };
    Some(MailboxTruth {
        uid_validity: state.uid_validity.get(),
        messages: seen.map(|(uid, message)| (*uid, flags(message))).collect(),
    })
}

/// What the handset holds of its selected mailbox is what its session was told, as it is durable (law 1).
pub fn compare_with_session(phone: &Phone, world: &World) -> Vec<String> {
    let mut found: Vec<String> = phone.handset.replica.lies().to_vec();
    if phone.shared.is_some() {
        // The other one may have moved the session on meanwhile: the truth is looked for when everything rests.
        return found;
    }
    let device = DeviceId::new(&phone.device).expect("a device ID");
    let Some(session) = world.sessions().remove(&device) else { return found };
    let replica = &phone.handset.replica;
    let selected = session.selected.as_ref().map(|s| s.mailbox.as_str().to_owned());
    // A handset in no mailbox is told of none, and would say so; one that must select again, or deleted the mailbox, will.
    let Some(name) = replica.selected().filter(|name| !replica.must_resync(name)).map(str::to_owned) else {
        return found;
    };
    let deleted = session.told(&MailboxName::new(&name)).is_none();
    if selected.as_deref() != Some(&name) && !(selected.is_none() && deleted) {
        found.push(format!("the handset is in {name}, its session in {selected:?}"));
        return found;
    }
    let Some(told) = session.told(&MailboxName::new(&name)) else { return found };
    // What it was told before a mailbox went to RESYNC it knows all the same.
    if let (Some(known), Some(withheld), false) = (replica.known_mod_seq(), told.withheld_from, told.resync)
        && known > withheld.0
    {
        // F38: it would come back with that number, and never hear of what is withheld.
        found.push(format!(
            "the handset may take {known} for what it knows of {name}, what came after {} is withheld",
            withheld.0
        ));
    }
    let held = replica.uids(&name);
    match (held, told.resync) {
        (None, _) | (_, true) => {}
        (Some(held), false) => {
            let view: Vec<u32> = told.view.iter().map(Uid::get).collect();
            let same =
                held.len() == view.len() && held.iter().zip(&view).all(|(h, v)| h.is_none_or(|h| h == *v));
            if !same {
                found.push(format!("the handset holds {held:?} of {name}, it was told {view:?}"));
            }
        }
    }
    found
}

/// Whether a pushed event of the device's mailbox is untold and nothing will tell it: no stream, and nobody was woken. In
/// other mailboxes a wake-up is settled by any contact, and the event waits for a SELECT.
pub fn unpushed(session: &SessionLog, device: &DeviceId, world: &World) -> bool {
    let untold = session.selected_told().is_some_and(|(_, told)| told.has_pushed());
    untold && !world.woken.contains(device)
}
