//! NOTIFY (RFC 5465).

use super::*;
use pimap_types::notify::{EventGroup, Events, MailboxFilter, Notify, SelectedEvents};

const MESSAGES: Events = Events { messages: true, flags: false, name: false, subscription: false };

fn set(selected: SelectedEvents, groups: Vec<EventGroup>) -> Command {
    Command::Notify(Notify::Set { status: false, selected, groups })
}

fn group(mailboxes: MailboxFilter, events: Events) -> EventGroup {
    EventGroup { mailboxes, events }
}

#[test]
fn events_are_asked_for() {
    check("NOTIFY NONE", Command::Notify(Notify::None));
    let flags = Events { flags: true, ..MESSAGES };
    let items = vec![FetchItem::Uid, FetchItem::Flags];
    check(
        "notify set (Selected (MessageNew (uid flags uid) MessageExpunge)) \
         (personal (MessageNew FlagChange MessageExpunge))",
        set(
            SelectedEvents { messages: true, flags: false, delayed: false, items },
            vec![group(MailboxFilter::Personal, flags)],
        ),
    );
    let delayed = SelectedEvents { messages: true, flags: true, delayed: true, items: Vec::new() };
    check(
        "NOTIFY SET (SELECTED-DELAYED (FlagChange MessageExpunge MessageNew)) (subscribed NONE)",
        set(delayed, vec![group(MailboxFilter::Subscribed, Events::default())]),
    );
    let names = Events { name: true, subscription: true, ..Events::default() };
    check(
        "NOTIFY SET STATUS (inboxes (MailboxName SubscriptionChange)) (subtree Lists (MessageNew MessageExpunge))",
        Command::Notify(Notify::Set {
            status: true,
            selected: SelectedEvents::default(),
            groups: vec![
                group(MailboxFilter::Inboxes, names),
                group(MailboxFilter::Subtree(vec![mailbox("Lists")]), MESSAGES),
            ],
        }),
    );
}

/// RFC 5465 6.6: wildcards are characters like others.
#[test]
fn names_are_taken_as_they_are() {
    let named = |names: &[&str]| {
        let names = names.iter().map(|name| mailbox(name)).collect();
        set(SelectedEvents::default(), vec![group(MailboxFilter::Mailboxes(names), MESSAGES)])
    };
    check("NOTIFY SET (mailboxes inbox (MessageNew MessageExpunge))", named(&["INBOX"]));
    check(
        "NOTIFY SET (mailboxes (\"*\" \"a%\" {3+}\r\nb c) (MessageNew MessageExpunge))",
        named(&["*", "a%", "b c"]),
    );
}

#[test]
fn rules_of_what_goes_together() {
    refused(
        Status::Bad,
        &[
            "NOTIFY",
            "NOTIFY ",
            "NOTIFY FOO",
            "NOTIFY NONE x",
            "NOTIFY SET",
            "NOTIFY SET STATUS",
            "NOTIFY SET STATUS ",
            "NOTIFY SET FOO (selected NONE)",
            "NOTIFY SET ()",
            "NOTIFY SET (selected)",
            "NOTIFY SET (selected ())",
            "NOTIFY SET (selected NONE",
            "NOTIFY SET (selected NONE)(personal NONE)",
            "NOTIFY SET (selected FOO)",
            "NOTIFY SET (nowhere NONE)",
            "NOTIFY SET (mailboxes NONE)",
            "NOTIFY SET (mailboxes () NONE)",
            "NOTIFY SET (personal (MessageNew MessageExpunge)) ",
            // MessageNew and MessageExpunge only together; FlagChange only with both (RFC 5465 5).
            "NOTIFY SET (personal (MessageNew))",
            "NOTIFY SET (personal (MessageExpunge))",
            "NOTIFY SET (selected (FlagChange))",
            "NOTIFY SET (selected (FlagChange MessageNew))",
            // The first examples of the RFC are written against its own grammar.
            "NOTIFY SET (subtree Lists MessageNew)",
            // One specifier for the selected mailbox, and message events only (RFC 5465 6.1).
            "NOTIFY SET (selected NONE) (selected-delayed NONE)",
            "NOTIFY SET (selected NONE) (selected NONE)",
            "NOTIFY SET (selected (MessageNew MessageExpunge MailboxName))",
            "NOTIFY SET (selected-delayed (SubscriptionChange))",
            // Items are fetched of the selected mailbox only.
            "NOTIFY SET (personal (MessageNew (UID) MessageExpunge))",
            "NOTIFY SET (selected (MessageNew () MessageExpunge))",
            "NOTIFY SET (selected (MessageNew (FOO) MessageExpunge))",
        ],
    );
}

/// RFC 5465 3.1: NO, not BAD, and what is supported is listed.
#[test]
fn unsupported_events_are_named() {
    let code = "BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange)";
    for line in [
        "NOTIFY SET (selected (XFuture))",
        "NOTIFY SET (personal (MessageNew MessageExpunge AnnotationChange))",
        "NOTIFY SET (personal (ServerMetadataChange)) (selected (MessageNew))",
    ] {
        let error = decoded(line.as_bytes()).expect_err(line);
        assert_eq!((error.status, error.code), (Status::No, Some(Code::Word(code.into()))), "{line}");
    }
    // What cannot be read is still BAD.
    refused(Status::Bad, &["NOTIFY SET (personal (XFuture)) x", "NOTIFY SET (personal (XFuture)"]);
}

#[test]
fn too_much_at_once() {
    let groups = |n: usize| format!("NOTIFY SET {}", vec!["(personal NONE)"; n].join(" "));
    assert!(decoded(groups(64).as_bytes()).is_ok());
    let names = |n: usize| format!("NOTIFY SET (mailboxes ({}) NONE)", vec!["a"; n].join(" "));
    assert!(decoded(names(1_000).as_bytes()).is_ok());
    for line in [groups(65), names(1_001)] {
        let error = decoded(line.as_bytes()).expect_err("too much");
        assert_eq!(error.code, Some(Code::word("NOTIFICATIONOVERFLOW")));
        assert_eq!(error.status, Status::No);
    }
}
