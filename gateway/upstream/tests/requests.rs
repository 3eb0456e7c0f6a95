//! Requests carried out against a real Dovecot, rich and poor.

mod dovecot;
mod support;

use bytes::Bytes;
use dovecot::Dovecot;
use pimap_types::append::{Append, AppendPart, AppendPiece};
use pimap_types::command::{FetchItem, StatusItem, StoreChange, StoreMode};
use pimap_types::search::SearchKey;
use pimap_types::upstream::*;
use pimap_types::{Credential, Flag, Flags, MailboxName, ModSeq, Secret, Uid};
use pimap_upstream::{
    AccountUpstream, BodyStream, Login, Security, UpstreamConfig, VerifyError, tls_client_config, verify,
};
use support::*;
use tokio::sync::mpsc;

/// RFC 7162 3.1.3, NQ-049: a change by another client since the state that is named is left alone, and told apart from our own.
#[tokio::test(flavor = "multi_thread")]
async fn a_condition_keeps_what_another_client_changed() {
    let server = Dovecot::start();
    server.save_some("joe", "INBOX", 3);
    let account = account(&server, "joe");
    let before = sync(&account, "INBOX", None, false).await;
    let here = || at("INBOX", &before, 0);
    let store = |since| UpstreamRequest::Store(here(), set(&[(1, 3)]), add(Flag::Deleted), Some(since));
    server.doveadm(&["flags", "add", "-u", "joe", "\\Flagged", "mailbox", "INBOX", "uid", "2"]);
    let Data::Stored { flags, modified } = data(&account, store(before.highest_mod_seq)).await else {
        panic!("stored")
    };
    assert_eq!(modified, set(&[(2, 2)]));
    assert_eq!(flags.iter().map(|report| report.uid.get()).collect::<Vec<_>>(), [1, 3]);
    assert!(flags.iter().all(|report| report.mod_seq > before.highest_mod_seq));
    let later = sync(&account, "INBOX", Some(known(&before)), false).await;
    let Delta::Since { changed, .. } = &later.delta else { panic!("a difference") };
    let of_two = changed.iter().find(|facts| facts.uid.get() == 2).expect("changed");
    assert!(of_two.flags.contains(&Flag::Flagged) && !of_two.flags.contains(&Flag::Deleted));
    // With what is known by then it holds.
    let Data::Stored { flags, modified } = data(&account, store(later.highest_mod_seq)).await else {
        panic!("stored")
    };
    assert!(modified.is_empty() && flags.iter().any(|report| report.uid.get() == 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_verified_by_exactly_one_login() {
    let server = Dovecot::start();
    let announced = verify(&config(&server), &login("joe"), None).await.expect("the right password");
    assert!(announced.has("QRESYNC") && !announced.has("XYZZY"), "{announced:?}");
    let bad = Login { user: "joe".into(), credential: Credential::Password(Secret::new("no")) };
    assert!(matches!(verify(&config(&server), &bad, None).await, Err(VerifyError::Refused(_))));
    assert_eq!(server.log().matches("Password mismatch").count(), 1, "{}", server.log());
    let nobody = UpstreamConfig::new("127.0.0.1", 1, Security::None);
    assert!(matches!(verify(&nobody, &login("joe"), None).await, Err(VerifyError::Unavailable(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_and_starttls_with_the_operators_authority_only() {
    let server = Dovecot::start();
    for (security, port) in [(Security::Tls, server.imaps), (Security::StartTls, server.imap)] {
        let mut config = UpstreamConfig::new("localhost", port, security);
        config.tls = Some(tls_client_config(Some(&server.certificate())).expect("reads the certificate"));
        assert!(verify(&config, &login("joe"), None).await.is_ok());
        config.tls = Some(tls_client_config(None).expect("built-in authorities"));
        assert!(matches!(verify(&config, &login("joe"), None).await, Err(VerifyError::Unavailable(_))));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_beyond_ascii_go_by_sasl() {
    let server = Dovecot::start();
    let bad = Login { user: "joe".into(), credential: Credential::Password(Secret::new("pwä")) };
    assert!(matches!(verify(&config(&server), &bad, None).await, Err(VerifyError::Refused(_))));
    assert!(server.log().contains("Password mismatch"), "{}", server.log());
    let odd = Login { user: "joe \"quoted\\".into(), credential: Credential::Password(Secret::new("pw")) };
    assert!(!matches!(verify(&config(&server), &odd, None).await, Err(VerifyError::Unavailable(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn catching_up_by_qresync() {
    let server = Dovecot::start();
    server.save_some("joe", "INBOX", 5);
    let account = account(&server, "joe");
    let first = sync(&account, "INBOX", None, true).await;
    let Delta::Full { uids: all, facts } = &first.delta else { panic!("in full") };
    assert_eq!(
        (all, uids(facts), first.messages, first.uid_next),
        (&set(&[(1, 5)]), vec![1, 2, 3, 4, 5], 5, 6)
    );
    assert!(
        first.highest_mod_seq > ModSeq(0) && facts.iter().all(|f| f.size > 10 && f.internal_date.0 > 10_000)
    );
    assert!(first.flags.contains(&Flag::Seen) && first.permanent_flags.0.contains(&Flag::Seen));

    server.doveadm(&["expunge", "-u", "joe", "mailbox", "INBOX", "uid", "2"]);
    server.doveadm(&["flags", "add", "-u", "joe", "\\Flagged", "mailbox", "INBOX", "uid", "4"]);
    server.save_some("joe", "INBOX", 1);
    let later = sync(&account, "INBOX", Some(known(&first)), true).await;
    let Delta::Since { vanished, changed } = &later.delta else { panic!("a difference") };
    assert_eq!((vanished, uids(changed)), (&set(&[(2, 2)]), vec![4, 6]));
    assert!(
        changed[0].flags.contains(&Flag::Flagged)
            && changed.iter().all(|f| f.size > 10 && f.mod_seq > ModSeq(0))
    );
    assert!(later.highest_mod_seq > first.highest_mod_seq && later.uid_next == 7);
    // Without facts: UIDs only.
    let bare = sync(&account, "INBOX", None, false).await;
    assert_eq!(bare.delta, Delta::Full { uids: set(&[(1, 1), (3, 6)]), facts: vec![] });
}

#[tokio::test(flavor = "multi_thread")]
async fn catching_up_by_condstore_alone() {
    let server = Dovecot::start_with("imap_capability = IMAP4rev1 IDLE UIDPLUS CONDSTORE ENABLE");
    server.save_some("joe", "INBOX", 5);
    let account = account(&server, "joe");
    let first = sync(&account, "INBOX", None, false).await;
    assert!(first.highest_mod_seq > ModSeq(0));
    let same = sync(&account, "INBOX", Some(known(&first)), false).await;
    assert_eq!(same.delta, Delta::Since { vanished: set(&[]), changed: vec![] });
    server.doveadm(&["expunge", "-u", "joe", "mailbox", "INBOX", "uid", "2"]);
    server.doveadm(&["flags", "add", "-u", "joe", "\\Flagged", "mailbox", "INBOX", "uid", "4"]);
    server.save_some("joe", "INBOX", 1);
    let later = sync(&account, "INBOX", Some(known(&first)), false).await;
    let Delta::Since { vanished, changed } = &later.delta else { panic!("a difference") };
    assert_eq!((vanished, uids(changed)), (&set(&[(2, 2)]), vec![4, 6]));
    assert!(changed.iter().all(|f| f.size > 10 && f.mod_seq > ModSeq(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poor_server_is_read_in_full() {
    let server = Dovecot::start_poor();
    server.save_some("joe", "INBOX", 3);
    let account = account(&server, "joe");
    let first = sync(&account, "INBOX", None, true).await;
    assert_eq!(first.highest_mod_seq, ModSeq(0));
    server.doveadm(&["expunge", "-u", "joe", "mailbox", "INBOX", "uid", "2"]);
    let later = sync(&account, "INBOX", Some(known(&first)), true).await;
    let Delta::Full { uids: all, facts } = &later.delta else { panic!("in full") };
    assert_eq!((all, uids(facts)), (&set(&[(1, 1), (3, 3)]), vec![1, 3]));
    let found = data(&account, UpstreamRequest::Search(at("INBOX", &later, 1), None, SearchKey::All)).await;
    assert_eq!(found, Data::Uids(set(&[(1, 1), (3, 3)])));
    // MOVE is put together where the server has none, of what it announces (NQ-076); what went is told by UID though the
    // server speaks in numbers.
    let to = MailboxName::new("Sent");
    let moving = UpstreamRequest::Move(at("INBOX", &later, 1), set(&[(3, 3)]), to);
    let Data::Copied { copy_uid, vanished } = data(&account, moving).await else { panic!("moved") };
    assert_eq!((copy_uid.map(|(_, from, _)| from), vanished), (Some(set(&[(3, 3)])), set(&[(3, 3)])));
    data(&account, UpstreamRequest::Store(at("INBOX", &later, 1), set(&[(1, 1)]), add(Flag::Deleted), None))
        .await;
    let expunge =
        UpstreamRequest::Expunge { at: at("INBOX", &later, 1), uids: set(&[(1, 1)]), all_visible: false };
    assert_eq!(data(&account, expunge).await, Data::Expunged(set(&[(1, 1)])));
    let empty = sync(&account, "Drafts", None, true).await;
    assert_eq!(empty.delta, Delta::Full { uids: set(&[]), facts: vec![] });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expunge_without_uidplus() {
    let server = Dovecot::start_with("imap_capability = IMAP4rev1 IDLE");
    server.save_some("joe", "INBOX", 4);
    let account = account(&server, "joe");
    let first = sync(&account, "INBOX", None, false).await;
    data(&account, UpstreamRequest::Store(at("INBOX", &first, 1), set(&[(2, 3)]), add(Flag::Deleted), None))
        .await;
    let expunge = |all_visible| UpstreamRequest::Expunge {
        at: at("INBOX", &first, 1),
        uids: set(&[(2, 3)]),
        all_visible,
    };
    assert_eq!(ask(&account, expunge(false)).await, UpstreamReply::Failed(UpstreamFault::Unsupported));
    assert_eq!(data(&account, expunge(true)).await, Data::Expunged(set(&[(2, 3)])));
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_answered_with_what_happened() {
    let server = Dovecot::start();
    server.save_some("joe", "INBOX", 6);
    let account = account(&server, "joe");
    let inbox = sync(&account, "INBOX", None, false).await;
    let here = || at("INBOX", &inbox, 1);
    let Data::Stored { flags: stored, .. } =
        data(&account, UpstreamRequest::Store(here(), set(&[(1, 2)]), add(Flag::Seen), None)).await
    else {
        panic!()
    };
    assert_eq!(stored.iter().map(|r| r.uid.get()).collect::<Vec<_>>(), [1, 2]);
    assert!(stored.iter().all(|r| r.flags.contains(&Flag::Seen) && r.mod_seq > ModSeq(0)));
    let Data::Facts(facts) = data(&account, UpstreamRequest::Facts(here(), set(&[(2, 3), (99, 99)]))).await
    else {
        panic!()
    };
    assert_eq!(uids(&facts), [2, 3]);

    data(&account, UpstreamRequest::Create(MailboxName::new("Arch \"ive"))).await;
    let target = MailboxName::new("Arch \"ive");
    let Data::Copied { copy_uid: Some((_, source, copies)), vanished } =
        data(&account, UpstreamRequest::Copy(here(), set(&[(1, 1), (4, 4)]), target.clone())).await
    else {
        panic!()
    };
    assert_eq!((source, copies, vanished), (set(&[(1, 1), (4, 4)]), set(&[(1, 2)]), set(&[])));
    let Data::Copied { copy_uid: Some((_, source, copies)), vanished } =
        data(&account, UpstreamRequest::Move(here(), set(&[(5, 5)]), target.clone())).await
    else {
        panic!()
    };
    assert_eq!((source, copies, vanished), (set(&[(5, 5)]), set(&[(3, 3)]), set(&[(5, 5)])));
    data(&account, UpstreamRequest::Store(here(), set(&[(3, 4)]), add(Flag::Deleted), None)).await;
    let expunge = UpstreamRequest::Expunge { at: here(), uids: set(&[(4, 4)]), all_visible: false };
    assert_eq!(data(&account, expunge).await, Data::Expunged(set(&[(4, 4)])));
    let refusal =
        ask(&account, UpstreamRequest::Copy(here(), set(&[(1, 1)]), MailboxName::new("No such"))).await;
    assert!(matches!(refusal, UpstreamReply::Refused { code: Some(code), .. } if code == "TRYCREATE"));

    let Data::Status(numbers) = data(
        &account,
        UpstreamRequest::Status(target.clone(), vec![StatusItem::Messages, StatusItem::UidNext]),
    )
    .await
    else {
        panic!()
    };
    assert_eq!(numbers, [(StatusItem::Messages, 3), (StatusItem::UidNext, 4)]);
    data(&account, UpstreamRequest::Subscribe(target.clone())).await;
    let pattern = pimap_types::command::ListPattern { reference: String::new(), pattern: "*".into() };
    for subscribed in [false, true] {
        let listed =
            data(&account, UpstreamRequest::List { subscribed, pattern: pattern.clone(), extended: false })
                .await;
        let Data::Listed(items) = listed else { panic!() };
        assert!(items.iter().any(|i| i.mailbox == target), "{items:?}");
        assert_eq!(items.iter().any(|i| i.mailbox.is_inbox()), !subscribed);
    }
    data(&account, UpstreamRequest::Unsubscribe(target.clone())).await;
    data(&account, UpstreamRequest::Rename(target.clone(), MailboxName::new("Old"))).await;
    data(&account, UpstreamRequest::Delete(MailboxName::new("Old"))).await;
    let gone = ask(&account, UpstreamRequest::Sync { mailbox: target, known: None, facts: false }).await;
    assert!(matches!(gone, UpstreamReply::Failed(UpstreamFault::NoSuchMailbox(_))), "{gone:?}");
}

fn append(mailbox: &str, parts: Vec<AppendPart>) -> Append {
    Append { mailbox: MailboxName::new(mailbox), parts }
}

fn plain_head() -> AppendPart {
    AppendPart::Message { flags: Flags::default(), date: None }
}

fn literal(size: usize) -> AppendPart {
    AppendPart::Literal { size: size as u64, binary: false }
}

/// An APPEND whose stream is these pieces.
async fn appended(account: &AccountUpstream, append: Append, pieces: Vec<AppendPiece>) -> UpstreamReply {
    let (sender, octets) = mpsc::channel(pieces.len() + 1);
    for piece in pieces {
        sender.send(piece).await.expect("room");
    }
    drop(sender);
    account.run(UpstreamRequest::Append(append), BodyStream::Append(octets)).await
}

fn bytes(octets: &'static [u8]) -> AppendPiece {
    AppendPiece::Bytes(Bytes::from_static(octets))
}

/// RFC 3502, RFC 4469: several messages and parts of messages in one command, all of them or none.
#[tokio::test(flavor = "multi_thread")]
async fn appending_several_and_in_parts() {
    let server = Dovecot::start();
    let account = account(&server, "joe");
    let (first, second): (&[u8], &[u8]) = (b"Subject: 1\r\n\r\none", b"Subject: 2\r\n\r\ntwo");
    let two = || append("Sent", vec![plain_head(), literal(first.len())]);
    let next = AppendPiece::Parts(vec![plain_head(), literal(second.len())]);
    let pieces = vec![bytes(first), next.clone(), bytes(second), AppendPiece::End];
    let reply = appended(&account, two(), pieces).await;
    let UpstreamReply::Ok(Data::Appended(Some((_, uids)))) = reply else { panic!("{reply:?}") };
    assert_eq!(uids.ranges(), [(1, 2)]);
    // Given up in the middle of the second: neither is there, and the next command finds a connection that works.
    let refused = AppendPiece::Refused { code: "BADURL".into(), text: "no".into() };
    let reply = appended(&account, two(), vec![bytes(first), next.clone(), refused]).await;
    assert!(
        matches!(&reply, UpstreamReply::Refused { code: Some(code), .. } if code == "BADURL"),
        "{reply:?}"
    );
    let reply = appended(&account, two(), vec![bytes(first), next, bytes(b"Subj")]).await;
    assert_eq!(reply, UpstreamReply::Failed(UpstreamFault::Cancelled));
    assert_eq!(sync(&account, "Sent", None, false).await.messages, 2);
    // Text, a part of what is there, and text again; then nothing but a URL.
    let header = AppendPart::Url("/Sent/;UID=1/;SECTION=HEADER".into());
    let parts = vec![plain_head(), AppendPart::Catenate, header.clone(), AppendPart::Text { size: 5 }];
    let pieces = vec![bytes(b"three"), AppendPiece::Parts(vec![AppendPart::EndCatenate]), AppendPiece::End];
    let reply = appended(&account, append("Sent", parts), pieces).await;
    assert!(matches!(reply, UpstreamReply::Ok(Data::Appended(Some(_)))), "{reply:?}");
    let parts = vec![plain_head(), AppendPart::Catenate, header, AppendPart::EndCatenate];
    let reply = ask(&account, UpstreamRequest::Append(append("Sent", parts))).await;
    assert!(matches!(reply, UpstreamReply::Ok(Data::Appended(Some(_)))), "{reply:?}");
    let sent = sync(&account, "Sent", None, true).await;
    let Delta::Full { facts, .. } = sent.delta else { panic!() };
    let sizes: Vec<u32> = facts.iter().map(|f| f.size).collect();
    assert_eq!(sizes, [17, 17, 19, 14]);
    let parts = vec![
        plain_head(),
        AppendPart::Catenate,
        AppendPart::Url("/Sent/;UID=99".into()),
        AppendPart::EndCatenate,
    ];
    let reply = ask(&account, UpstreamRequest::Append(append("Sent", parts))).await;
    assert!(
        matches!(&reply, UpstreamReply::Refused { code: Some(code), .. } if code.starts_with("BADURL")),
        "{reply:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn appending_small_and_large() {
    for server in [Dovecot::start(), Dovecot::start_poor()] {
        let account = account(&server, "joe");
        for size in [0_usize, 200, 300_000] {
            let head = "Subject: appended\r\n\r\n";
            let message: String = head.chars().chain(std::iter::repeat('x')).take(size).collect();
            let head = AppendPart::Message {
                flags: Flags::new([Flag::Seen]),
                date: Some(" 1-Feb-2004 10:00:00 +0000".into()),
            };
            let append = append("Sent", vec![head, literal(size)]);
            let (sender, octets) = mpsc::channel(2);
            let feed = async {
                for piece in message.as_bytes().chunks(10_000) {
                    if sender.send(AppendPiece::Bytes(Bytes::copy_from_slice(piece))).await.is_err() {
                        return;
                    }
                }
                let _ = sender.send(AppendPiece::End).await;
            };
            let run = account.run(UpstreamRequest::Append(append), BodyStream::Append(octets));
            let ((), reply) = tokio::join!(feed, run);
            match reply {
                UpstreamReply::Ok(Data::Appended(Some((_, uids)))) => assert!(uids.len() == 1 && size > 0),
                // Dovecot takes an empty message for the end of MULTIAPPEND.
                UpstreamReply::Refused { .. } => assert_eq!(size, 0),
                other => panic!("{size}: {other:?}"),
            }
        }
        let sent = sync(&account, "Sent", None, true).await;
        let Delta::Full { facts, .. } = sent.delta else { panic!() };
        assert_eq!(facts.iter().map(|f| f.size).collect::<Vec<_>>(), [200, 300_000]);
        assert!(
            facts
                .iter()
                .all(|f| f.flags.contains(&Flag::Seen) && f.internal_date.to_string() == "1-Feb-2004")
        );
        // A handset that goes away in the middle leaves nothing behind.
        let append = append("Sent", vec![plain_head(), literal(100_000)]);
        let (sender, octets) = mpsc::channel(2);
        sender.send(AppendPiece::Bytes(Bytes::from_static(b"Subject: half"))).await.expect("room");
        drop(sender);
        let reply = account.run(UpstreamRequest::Append(append), BodyStream::Append(octets)).await;
        assert_eq!(reply, UpstreamReply::Failed(UpstreamFault::Cancelled));
        assert_eq!(sync(&account, "Sent", None, false).await.messages, 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fetching_passes_on_what_was_asked_for() {
    let server = Dovecot::start();
    server.save(
        "joe",
        "INBOX",
        b"From: a@example.org\r\nSubject: x\r\n\r\nU7 OK done\r\n* 1 FETCH (UID 9)\r\n",
    );
    server.save("joe", "INBOX", b"From: b@example.org\r\nSubject: y\r\n\r\n");
    let account = account(&server, "joe");
    let inbox = sync(&account, "INBOX", None, false).await;
    let body = |peek| FetchItem::Section { peek, section: "TEXT".into(), partial: None };
    let (text, reply) = fetch(&account, at("INBOX", &inbox, 1), set(&[(1, 9)]), vec![body(true)]).await;
    assert_eq!(text, "<1:BODY[TEXT] {31}\r\nU7 OK done\r\n* 1 FETCH (UID 9)\r\n><2:BODY[TEXT] {0}\r\n>");
    assert!(matches!(reply, UpstreamReply::Ok(Data::Fetched { expunge_issued: false, .. })), "{reply:?}");
    let items = vec![FetchItem::Flags, FetchItem::Uid, FetchItem::Envelope, FetchItem::Size];
    let (text, _) = fetch(&account, at("INBOX", &inbox, 1), set(&[(2, 2)]), items).await;
    assert!(
        text.starts_with("<2:UID 2 FLAGS () ")
            && text.contains("ENVELOPE (NIL \"y\"")
            && text.contains("RFC822.SIZE ")
    );
    // Reading a body without peek marks it seen, and the mark is told to the owner though nobody asked for it.
    let (text, reply) = fetch(&account, at("INBOX", &inbox, 1), set(&[(1, 1)]), vec![body(false)]).await;
    assert!(text.starts_with("<1:BODY[TEXT] {31}") && !text.contains("FLAGS"), "{text}");
    let UpstreamReply::Ok(Data::Fetched { flags, .. }) = reply else { panic!("{reply:?}") };
    assert!(flags.iter().any(|r| r.uid.get() == 1 && r.flags.contains(&Flag::Seen)), "{flags:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_receiver_cancels_a_fetch() {
    let server = Dovecot::start();
    let mut message = b"Subject: large\r\n\r\n".to_vec();
    message.resize(20 << 20, b'x');
    server.save("joe", "INBOX", &message);
    let account = account(&server, "joe");
    let inbox = sync(&account, "INBOX", None, false).await;
    let (sender, mut pieces) = mpsc::channel(1);
    let body = FetchItem::Section { peek: true, section: String::new(), partial: None };
    let request = UpstreamRequest::Fetch(at("INBOX", &inbox, 1), set(&[(1, 1)]), vec![body]);
    let leave = async {
        assert_eq!(pieces.recv().await, Some(FetchPiece::Start(Uid::new(1).expect("not zero"))));
        drop(pieces);
    };
    let ((), reply) = tokio::join!(leave, account.run(request, BodyStream::Fetch(sender)));
    assert_eq!(reply, UpstreamReply::Failed(UpstreamFault::Cancelled));
    assert_eq!(sync(&account, "INBOX", None, false).await.messages, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handset_reads_its_own_writes_over_the_pool() {
    for server in [Dovecot::start(), Dovecot::start_poor()] {
        server.save_some("joe", "INBOX", 3);
        let account = account(&server, "joe");
        let inbox = sync(&account, "INBOX", None, false).await;
        let search =
            |version, key: SearchKey| UpstreamRequest::Search(at("INBOX", &inbox, version), None, key);
        // Two searches at once leave two connections with the mailbox open.
        tokio::join!(data(&account, search(1, SearchKey::All)), data(&account, search(1, SearchKey::All)));
        for round in 0..100_u64 {
            let (mode, expect) =
                if round % 2 == 0 { (StoreMode::Add, set(&[(2, 2)])) } else { (StoreMode::Remove, set(&[])) };
            let change = StoreChange { mode, silent: false, flags: Flags::new([Flag::Flagged]) };
            let version = round + 2;
            data(
                &account,
                UpstreamRequest::Store(at("INBOX", &inbox, version), set(&[(2, 2)]), change, None),
            )
            .await;
            let flagged = || search(version + 1, SearchKey::Flag(Flag::Flagged));
            let (a, b) = tokio::join!(data(&account, flagged()), data(&account, flagged()));
            assert_eq!((a, b), (Data::Uids(expect.clone()), Data::Uids(expect)), "round {round}");
        }
        assert!(account.connection_counts().1 <= 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recreated_mailbox_is_not_touched() {
    let server = Dovecot::start();
    server.save_some("joe", "Work", 3);
    let account = account(&server, "joe");
    let before = sync(&account, "Work", None, false).await;
    server.doveadm(&["mailbox", "delete", "-u", "joe", "Work"]);
    server.save_some("joe", "Work", 3);
    let store = UpstreamRequest::Store(at("Work", &before, 9), set(&[(1, 3)]), add(Flag::Deleted), None);
    let reply = ask(&account, store).await;
    assert_eq!(reply, UpstreamReply::Failed(UpstreamFault::UidValidityChanged));
    let now = sync(&account, "Work", Some(known(&before)), true).await;
    assert_ne!(now.uid_validity, before.uid_validity);
    let Delta::Full { facts, .. } = now.delta else { panic!("in full") };
    assert!(facts.len() == 3 && facts.iter().all(|f| !f.flags.contains(&Flag::Deleted)));
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_leaves_recent_to_other_clients() {
    let server = Dovecot::start();
    server.save_some("joe", "INBOX", 2);
    let account = account(&server, "joe");
    account.watch(WatchList {
        first: Some(MailboxName::new("INBOX")),
        mailboxes: vec![MailboxName::new("INBOX")],
        all: false,
    });
    let inbox = sync(&account, "INBOX", None, true).await;
    data(&account, UpstreamRequest::Search(at("INBOX", &inbox, 1), None, SearchKey::All)).await;
    let body = FetchItem::Section { peek: true, section: String::new(), partial: None };
    fetch(&account, at("INBOX", &inbox, 1), set(&[(1, 2)]), vec![body]).await;
    assert_eq!(plain_client_recent(&server, "joe").await, 2);
}

/// What a plain client is told of RECENT when it selects the INBOX.
async fn plain_client_recent(server: &Dovecot, user: &str) -> u32 {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", server.imap)).await.expect("connects");
    let commands = format!("a LOGIN {user} pw\r\nb SELECT INBOX\r\nc LOGOUT\r\n");
    stream.write_all(commands.as_bytes()).await.expect("writes");
    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("reads");
    let line = text.lines().find(|l| l.ends_with(" RECENT")).expect("RECENT");
    line.split(' ').nth(1).and_then(|n| n.parse().ok()).expect("a number")
}
