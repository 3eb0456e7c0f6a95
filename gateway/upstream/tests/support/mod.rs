//! Short words for what the tests of this room say again and again.

// Each test file is a crate of its own and uses some of these.
#![allow(dead_code)]

use crate::dovecot::Dovecot;
use pimap_types::command::{FetchItem, StoreChange, StoreMode};
use pimap_types::set::UidRanges;
use pimap_types::upstream::*;
use pimap_types::{Credential, Flag, Flags, MailboxName, MessageFacts, Secret};
use pimap_upstream::{AccountUpstream, BodyStream, Login, Security, UpstreamConfig};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

pub fn config(server: &Dovecot) -> UpstreamConfig {
    at_port(server.imap)
}

/// Settings for a server on this host.
pub fn at_port(port: u16) -> UpstreamConfig {
    UpstreamConfig::new("127.0.0.1", port, Security::None)
}

pub fn login(user: &str) -> Login {
    Login { user: user.into(), credential: Credential::Password(Secret::new("pw")) }
}

/// An account, and its events thrown away.
pub fn account(server: &Dovecot, user: &str) -> AccountUpstream {
    quiet_account(config(server), user)
}

/// An account with other settings, its events thrown away.
pub fn quiet_account(config: UpstreamConfig, user: &str) -> AccountUpstream {
    let (events, mut listen) = mpsc::channel(64);
    tokio::spawn(async move { while listen.recv().await.is_some() {} });
    AccountUpstream::start(Arc::new(config), login(user), events)
}

/// The next event that fits; what comes before it is passed over. Fails when none comes for a long time.
pub async fn event<T>(
    events: &mut mpsc::Receiver<UpstreamEvent>,
    fits: impl Fn(&UpstreamEvent) -> Option<T>,
) -> T {
    let mut passed = Vec::new();
    let wait = async {
        loop {
            let event = events.recv().await.expect("the account lives");
            match fits(&event) {
                Some(found) => return found,
                None => passed.push(event),
            }
        }
    };
    match tokio::time::timeout(Duration::from_secs(30), wait).await {
        Ok(found) => found,
        Err(_) => panic!("no such event; passed over: {passed:?}"),
    }
}

pub async fn ask(account: &AccountUpstream, request: UpstreamRequest) -> UpstreamReply {
    account.run(request, BodyStream::None).await
}

pub async fn data(account: &AccountUpstream, request: UpstreamRequest) -> Data {
    match ask(account, request.clone()).await {
        UpstreamReply::Ok(data) => data,
        other => panic!("{request:?}: {other:?}"),
    }
}

pub async fn sync(account: &AccountUpstream, mailbox: &str, known: Option<Known>, facts: bool) -> Synced {
    let request = UpstreamRequest::Sync { mailbox: MailboxName::new(mailbox), known, facts };
    match data(account, request).await {
        Data::Synced(synced) => *synced,
        other => panic!("{other:?}"),
    }
}

pub fn known(synced: &Synced) -> Known {
    let Delta::Full { uids, .. } = &synced.delta else { panic!("not in full") };
    Known {
        uid_validity: synced.uid_validity,
        highest_mod_seq: synced.highest_mod_seq,
        uids: uids.clone(),
        facts: false,
    }
}

pub fn at(mailbox: &str, synced: &Synced, at_least: u64) -> MailboxAt {
    MailboxAt { mailbox: MailboxName::new(mailbox), uid_validity: synced.uid_validity, at_least }
}

pub fn set(pairs: &[(u32, u32)]) -> UidRanges {
    UidRanges::from_pairs(pairs.iter().copied())
}

pub fn uids(facts: &[MessageFacts]) -> Vec<u32> {
    facts.iter().map(|f| f.uid.get()).collect()
}

pub fn add(flag: Flag) -> StoreChange {
    StoreChange { mode: StoreMode::Add, silent: false, flags: Flags::new([flag]) }
}

pub async fn fetch(
    account: &AccountUpstream,
    at: MailboxAt,
    uids: UidRanges,
    items: Vec<FetchItem>,
) -> (String, UpstreamReply) {
    let (sender, mut pieces) = mpsc::channel(2);
    let collect = async {
        let mut text = String::new();
        while let Some(piece) = pieces.recv().await {
            match piece {
                FetchPiece::Start(uid) => text.push_str(&format!("<{uid}:")),
                FetchPiece::Bytes(octets) => text.push_str(&String::from_utf8_lossy(&octets)),
                FetchPiece::End => text.push('>'),
            }
        }
        text
    };
    let run = account.run(UpstreamRequest::Fetch(at, uids, items), BodyStream::Fetch(sender));
    tokio::join!(collect, run)
}
