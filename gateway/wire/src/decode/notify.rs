//! NOTIFY (RFC 5465 8), with the rules that hold whatever the state: which events go together, and with which mailboxes.

use super::mailbox::mailbox;
use super::message::fetch_item;
use super::{DecodeError, Parsed, Scanner};
use pimap_types::command::FetchItem;
use pimap_types::limits::{NOTIFY_GROUPS_MAX, NOTIFY_NAMES_MAX};
use pimap_types::notify::{EventGroup, Events, MailboxFilter, Notify, SUPPORTED_EVENTS, SelectedEvents};
use pimap_types::{Code, Command, MailboxName, Status};

/// `SP ("NONE" / "SET" [SP "STATUS"] SP event-group *(SP event-group))`
pub(super) fn notify(scanner: &mut Scanner<'_>) -> Parsed<Command> {
    scanner.space()?;
    match scanner.atom("SET or NONE")?.to_ascii_uppercase().as_str() {
        "NONE" => Ok(Command::Notify(Notify::None)),
        "SET" => set(scanner).map(Command::Notify),
        _ => Err(DecodeError::bad("expected SET or NONE")),
    }
}

/// One group as it is written.
struct Group {
    filter: Filter,
    events: Wanted,
}

enum Filter {
    Selected { delayed: bool },
    Other(MailboxFilter),
}

/// Events as they are written.
#[derive(Default)]
struct Wanted {
    new: bool,
    items: Option<Vec<FetchItem>>,
    expunge: bool,
    flags: bool,
    name: bool,
    subscription: bool,
    unsupported: bool,
}

fn set(scanner: &mut Scanner<'_>) -> Parsed<Notify> {
    scanner.space()?;
    let status = scanner.peek() != Some(b'(');
    if status {
        if !scanner.atom("STATUS or an event group")?.eq_ignore_ascii_case("STATUS") {
            return Err(DecodeError::bad("expected STATUS or an event group"));
        }
        scanner.space()?;
    }
    let mut groups = vec![group(scanner)?];
    while scanner.accept(b' ') {
        groups.push(group(scanner)?);
    }
    // Only what is written right can be refused for what it means: a syntax error further on is BAD all the same.
    scanner.end()?;
    if groups.iter().any(|group| group.events.unsupported) {
        return Err(unsupported());
    }
    let named = |group: &Group| match &group.filter {
        Filter::Other(MailboxFilter::Subtree(names) | MailboxFilter::Mailboxes(names)) => names.len(),
        _ => 0,
    };
    if groups.len() > NOTIFY_GROUPS_MAX || groups.iter().map(named).sum::<usize>() > NOTIFY_NAMES_MAX {
        return Err(DecodeError::no("too much is asked for at once").coded("NOTIFICATIONOVERFLOW"));
    }
    checked(status, groups)
}

/// RFC 5465 5: an unsupported event is NO, and the answer says which are not (NQ-007).
fn unsupported() -> DecodeError {
    let code = format!("BADEVENT ({})", SUPPORTED_EVENTS.join(" "));
    let text = "this event is not supported".into();
    DecodeError { tag: None, status: Status::No, code: Some(Code::Word(code.into())), text }
}

/// The rules of RFC 5465 5 and 6.1.
fn checked(status: bool, written: Vec<Group>) -> Parsed<Notify> {
    let (mut selected, mut groups) = (None, Vec::new());
    for Group { filter, events } in written {
        if events.new != events.expunge {
            return Err(DecodeError::bad("MessageNew and MessageExpunge go together"));
        }
        if events.flags && !events.new {
            return Err(DecodeError::bad("FlagChange goes with MessageNew and MessageExpunge"));
        }
        match filter {
            Filter::Selected { .. } if events.name || events.subscription => {
                return Err(DecodeError::bad("only message events of the selected mailbox can be asked for"));
            }
            Filter::Selected { .. } if selected.is_some() => {
                return Err(DecodeError::bad("the selected mailbox is spoken of twice"));
            }
            Filter::Selected { delayed } => {
                let items = events.items.unwrap_or_default();
                selected = Some(SelectedEvents { messages: events.new, flags: events.flags, delayed, items });
            }
            Filter::Other(_) if events.items.is_some() => {
                return Err(DecodeError::bad("items can be asked for of the selected mailbox only"));
            }
            Filter::Other(mailboxes) => {
                let Wanted { new: messages, flags, name, subscription, .. } = events;
                groups.push(EventGroup { mailboxes, events: Events { messages, flags, name, subscription } });
            }
        }
    }
    Ok(Notify::Set { status, selected: selected.unwrap_or_default(), groups })
}

/// `"(" filter-mailboxes SP events ")"`
fn group(scanner: &mut Scanner<'_>) -> Parsed<Group> {
    scanner.expect(b'(', "an event group")?;
    let filter = match scanner.atom("a mailbox specifier")?.to_ascii_uppercase().as_str() {
        "SELECTED" => Filter::Selected { delayed: false },
        "SELECTED-DELAYED" => Filter::Selected { delayed: true },
        "INBOXES" => Filter::Other(MailboxFilter::Inboxes),
        "PERSONAL" => Filter::Other(MailboxFilter::Personal),
        "SUBSCRIBED" => Filter::Other(MailboxFilter::Subscribed),
        // What is below the empty name is everything.
        "SUBTREE" if scanner.rest().starts_with(b" \"\" ") => {
            scanner.take(3);
            Filter::Other(MailboxFilter::Subtree(vec![MailboxName::new("")]))
        }
        "SUBTREE" => Filter::Other(MailboxFilter::Subtree(mailboxes(scanner)?)),
        "MAILBOXES" => Filter::Other(MailboxFilter::Mailboxes(mailboxes(scanner)?)),
        _ => return Err(DecodeError::bad("unknown mailbox specifier")),
    };
    scanner.space()?;
    let events = events(scanner)?;
    scanner.expect(b')', "the end of the event group")?;
    Ok(Group { filter, events })
}

/// `SP (mailbox / "(" mailbox *(SP mailbox) ")")`; names are taken as they are, without wildcards (RFC 5465 6.6).
fn mailboxes(scanner: &mut Scanner<'_>) -> Parsed<Vec<MailboxName>> {
    scanner.space()?;
    if scanner.peek() == Some(b'(') { scanner.list(mailbox) } else { Ok(vec![mailbox(scanner)?]) }
}

/// `"NONE" / "(" event *(SP event) ")"`
fn events(scanner: &mut Scanner<'_>) -> Parsed<Wanted> {
    let mut wanted = Wanted::default();
    if scanner.peek() != Some(b'(') {
        return match scanner.atom("events")? {
            word if word.eq_ignore_ascii_case("NONE") => Ok(wanted),
            _ => Err(DecodeError::bad("expected a list of events, or NONE")),
        };
    }
    scanner.expect(b'(', "a list of events")?;
    loop {
        event(scanner, &mut wanted)?;
        if !scanner.accept(b' ') {
            break;
        }
    }
    scanner.expect(b')', "the end of the events")?;
    Ok(wanted)
}

fn event(scanner: &mut Scanner<'_>, wanted: &mut Wanted) -> Parsed<()> {
    match scanner.atom("an event")?.to_ascii_uppercase().as_str() {
        "MESSAGENEW" => {
            wanted.new = true;
            if scanner.rest().starts_with(b" (") {
                scanner.space()?;
                let mut items: Vec<FetchItem> = Vec::new();
                for item in scanner.list(fetch_item)?.into_iter().flatten() {
                    if !items.contains(&item) {
                        items.push(item);
                    }
                }
                wanted.items = Some(items);
            }
        }
        "MESSAGEEXPUNGE" => wanted.expunge = true,
        "FLAGCHANGE" => wanted.flags = true,
        "MAILBOXNAME" => wanted.name = true,
        "SUBSCRIPTIONCHANGE" => wanted.subscription = true,
        // AnnotationChange, the metadata events, and whatever may be thought of.
        _ => wanted.unsupported = true,
    }
    Ok(())
}
