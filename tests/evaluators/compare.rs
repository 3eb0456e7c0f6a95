//! One server, the gateway before it, and every search key on every letter.

use std::collections::{BTreeMap, BTreeSet};

use pimap_tests::dovecot::PASSWORD;
use pimap_tests::gateway::Gateway;
use pimap_tests::imap::{Imap, Reply};
use pimap_tests::response::{Flags, Response};
use pimap_tests::server::{Make, Server};
use pimap_types::Date;

use crate::corpus::{KEYS, Key, LETTERS, Letter};
use crate::found::{Answer, Found, names, recording};

/// The zone that every server lives in: west of Greenwich, with a summer time of the rules of 2006 and 2007 alike on all days of the
/// corpus. A day of the server's is then none of UTC's.
const ZONE: &str = "EST5EDT,M4.1.0,M10.5.0";

/// Letters that the server took, with the UIDs it gave them.
struct Stored(Vec<(u32, usize)>);

impl Stored {
    /// The letters of these UIDs; a UID that no letter has is a failure.
    fn letters(&self, uids: &[u32]) -> BTreeSet<usize> {
        let place = |uid: &u32| self.0.iter().find(|(of, _)| of == uid).map(|(_, place)| *place);
        uids.iter().map(|uid| place(uid).unwrap_or_else(|| panic!("UID {uid} has no letter"))).collect()
    }
}

/// Terms of which a server's SEARCH says other things than its FETCH. The gateway decides them by what FETCH shows, to itself and to the
/// handset alike, and this is what it is held against.
const CONTRADICTED: &[(Make, &[&str])] = &[(Make::Mailutils, &["ON", "SINCE", "BEFORE", "KEYWORD"])];

/// One of so many terms about content is also looked at as a view, which takes longest: all take the same way to the server.
const VIEWED: usize = 5;

/// One of so many terms is asked through the gateway where each answer waits for a delayed acknowledgement of TCP's, several times.
const ASKED_OF_SLOW: usize = 3;

/// Holds the gateway's verdicts against the server's, and the server's against what is kept of it.
pub fn compare(make: Make, server_name: &str) {
    let server = Server::start_in(make, Some(ZONE));
    let mut direct = server.login("joe");
    let stored = store(&mut direct);
    let mut found = Found { stored: stored.0.iter().map(|(_, place)| *place).collect(), ..Found::default() };
    for key in KEYS.iter() {
        found.answers.insert(key.0.to_owned(), search(&mut direct, &stored, *key));
    }
    let facts = facts(&mut direct, &stored);
    // Not LOGOUT: it takes GNU mailutils a second.
    drop(direct);

    let gateway = Gateway::start(server.config());
    let mut client = Imap::login(gateway.address("imap"), "joe", PASSWORD);
    let mut handset = Imap::login(gateway.address("imap"), "joe#P1", PASSWORD);
    client.ok("SELECT INBOX");
    let mut differing = Vec::new();
    for (at, key) in KEYS.iter().enumerate() {
        let own_term = key.of_facts();
        let contradicted =
            own_term && CONTRADICTED.iter().any(|(of, words)| *of == make && words.contains(&key.word()));
        let expected = match contradicted {
            true => {
                Some(facts.iter().filter(|(_, facts)| facts.meet(*key)).map(|(place, _)| *place).collect())
            }
            false => found.answers[key.0].clone(),
        };
        let mut says = Vec::new();
        let asked = make != Make::Mailutils || contradicted || at % ASKED_OF_SLOW == 0;
        if asked && (!own_term || at % VIEWED == 0) {
            says.push(("SEARCH", search(&mut client, &stored, *key)));
        }
        if asked && (own_term || at % VIEWED == 0) {
            says.push(("a view", Some(view(&mut handset, &stored, *key))));
        }
        for (who, says) in says.iter().filter(|(_, says)| *says != expected) {
            differing.push(format!(
                "{}: {who} says {}\n    and not {}",
                key.0,
                names(says, &found.stored),
                names(&expected, &found.stored)
            ));
        }
        // A contradiction that is none any more has no place in the list.
        if own_term && !contradicted {
            let by_fetch =
                facts.iter().filter(|(_, facts)| facts.meet(*key)).map(|(place, _)| *place).collect();
            if found.answers[key.0] != Some(by_fetch) {
                differing.push(format!("{}: SEARCH of the server says other things than its FETCH", key.0));
            }
        }
    }
    if recording() {
        found.keep(server_name);
    }
    differing.extend(changed(&Found::kept(server_name), &found));
    assert!(differing.is_empty(), "{make:?}: {} differ\n  {}", differing.len(), differing.join("\n  "));
}

/// What the server says otherwise than it was kept.
fn changed(kept: &Found, found: &Found) -> Vec<String> {
    let mut changed = Vec::new();
    if kept.stored != found.stored {
        let all = (0..LETTERS.len()).collect();
        changed.push(format!("stored: now {}", names(&Some(found.stored.clone()), &all)));
    }
    for key in KEYS.iter().filter(|key| kept.answers.get(key.0) != found.answers.get(key.0)) {
        let kept = kept.answers.get(key.0).map(|answer| names(answer, &kept.stored));
        let now = names(&found.answers[key.0], &found.stored);
        changed.push(format!("{}: was kept as {kept:?}, and is {now}", key.0));
    }
    changed
}

/// Stores every letter that the server takes.
fn store(direct: &mut Imap) -> Stored {
    let mut places = Vec::new();
    for (place, letter) in LETTERS.iter().enumerate() {
        if append(direct, letter) {
            places.push(place);
        }
    }
    direct.ok("SELECT INBOX");
    let mut uids = uids_of(&direct.ok("UID SEARCH ALL")).expect("the UIDs of all");
    uids.sort_unstable();
    assert_eq!(uids.len(), places.len(), "as many messages as were taken");
    Stored(uids.into_iter().zip(places).collect())
}

fn append(direct: &mut Imap, letter: &Letter) -> bool {
    let Letter { received, flags, octets, .. } = letter;
    let tag = direct.begin(&format!("APPEND INBOX ({flags}) \"{received}\" {{{}}}", octets.len()));
    let asked = direct.line();
    if !asked.starts_with(b"+") {
        return false;
    }
    direct.send(octets);
    direct.send(b"\r\n");
    direct.finish(&tag).condition.is_ok()
}

fn search(client: &mut Imap, stored: &Stored, key: Key) -> Answer {
    let reply = client.command(&format!("UID SEARCH {}{}", key.charset(), key.written()));
    reply.condition.is_ok().then(|| stored.letters(&uids_of(&reply).unwrap_or_default()))
}

/// What a device sees with that filter.
fn view(handset: &mut Imap, stored: &Stored, key: Key) -> BTreeSet<usize> {
    handset.ok(&format!("XFILTER SET {}CORPUS \"\" ({})", key.charset(), key.written()));
    handset.ok("XSETPIMAPPREF PIMAP_XFILTER (INBOX V CORPUS)");
    handset.ok("SELECT INBOX");
    let reply = handset.ok("UID SEARCH ALL");
    stored.letters(&uids_of(&reply).expect("a SEARCH"))
}

fn uids_of(reply: &Reply) -> Option<Vec<u32>> {
    reply.responses().find_map(|response| match response {
        Response::Search(uids) => Some(uids),
        _ => None,
    })
}

/// What the server's FETCH shows of a letter, as far as terms of facts look at it.
struct Facts {
    flags: Flags,
    received: Date,
    size: u32,
}

impl Facts {
    /// The term evaluated by hand. Programs are no terms.
    fn meet(&self, key: Key) -> bool {
        let argument = key.0.split(' ').nth(1).unwrap_or_default();
        let day = || Date::parse(argument).expect("a date");
        let size = || argument.parse::<u32>().expect("a size");
        let set = |flag: &str| self.flags.iter().any(|set| set.eq_ignore_ascii_case(flag));
        match key.word() {
            "ON" => self.received == day(),
            "SINCE" => self.received >= day(),
            "BEFORE" => self.received < day(),
            "LARGER" => self.size > size(),
            "SMALLER" => self.size < size(),
            "KEYWORD" => set(argument),
            word => match word.strip_prefix("UN") {
                Some(flag) => !set(&format!("\\{flag}")),
                None => set(&format!("\\{word}")),
            },
        }
    }
}

fn facts(direct: &mut Imap, stored: &Stored) -> BTreeMap<usize, Facts> {
    let flags: BTreeMap<u32, Flags> = direct.flags_of("1:*").into_iter().collect();
    let reply = direct.ok("UID FETCH 1:* (UID INTERNALDATE RFC822.SIZE)");
    let lines = reply.untagged.iter().map(|line| String::from_utf8_lossy(line).into_owned());
    let told: Vec<(u32, Date, u32)> = lines
        .filter_map(|line| {
            let after = |word: &str| line.split_once(word).map(|(_, rest)| rest);
            let number = |word: &str| after(word)?.split([' ', ')']).next()?.parse().ok();
            let date = after("INTERNALDATE \"")?.get(..11).and_then(Date::parse)?;
            Some((number("UID ")?, date, number("RFC822.SIZE ")?))
        })
        .collect();
    assert_eq!(told.len(), stored.0.len(), "the facts of every message");
    let facts = |(uid, received, size): (u32, Date, u32)| {
        let place = stored.letters(&[uid]).into_iter().next().expect("a letter");
        (place, Facts { flags: flags[&uid].clone(), received, size })
    };
    told.into_iter().map(facts).collect()
}
