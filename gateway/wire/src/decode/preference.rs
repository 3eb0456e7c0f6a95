//! XSETPIMAPPREF and XGETPIMAPPREFS (P-IMAP 5.2.2, digest 10).

use super::mailbox::checked;
use super::message::fetch_criteria;
use super::{DecodeError, Parsed, Scanner, filter};
use pimap_types::Command;
use pimap_types::command::FetchItem;
use pimap_types::limits::{NEW_FORMAT_BYTES_MAX, OUTBAND_ADDRESS_BYTES_MAX};
use pimap_types::preference::{
    Activation, ChannelKind, EventFilter, FilterKind, FilterScope, NewFormat, OutbandFormat, PreferenceName,
    PreferenceSetting,
};

/// `SP "(" pref-name *(SP pref-name) ")"`; repetition is dropped.
pub(super) fn list(scanner: &mut Scanner<'_>) -> Parsed<Command> {
    scanner.space()?;
    let mut names = Vec::new();
    for name in scanner.list(preference_name)? {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(Command::XgetPimapPrefs(names))
}

fn preference_name(scanner: &mut Scanner<'_>) -> Parsed<PreferenceName> {
    let word = scanner.atom("a preference")?.to_ascii_uppercase();
    match word.as_str() {
        // The aliases are the draft's own slips (digest E10) and a spelling of draft -12.
        "XFILTER" => Ok(PreferenceName::Xfilter),
        "PIMAP_IN-BAND_NEW_FORMAT" => Ok(PreferenceName::InbandNewFormat),
        "L_HTTP_TUNNEL" => Err(DecodeError::no("L_HTTP_TUNNEL is not a preference of this service")),
        word => {
            let known = PreferenceName::ALL.into_iter().find(|name| name.as_str() == word);
            known.ok_or(DecodeError::bad("unknown preference"))
        }
    }
}

/// `SP pref-setting`
pub(super) fn set(scanner: &mut Scanner<'_>) -> Parsed<Command> {
    scanner.space()?;
    let name = preference_name(scanner)?;
    scanner.space()?;
    let setting = match name {
        PreferenceName::OutbandAddress => Some(PreferenceSetting::OutbandAddress(address(scanner)?)),
        PreferenceName::OutbandChannel => {
            ChannelKind::parse(value_word(scanner)?).map(PreferenceSetting::OutbandChannel)
        }
        PreferenceName::InbandNewFormat => Some(PreferenceSetting::InbandNewFormat(new_format(scanner)?)),
        PreferenceName::InbandPush => {
            chosen(scanner, &[("ON", true), ("OFF", false)])?.map(PreferenceSetting::InbandPush)
        }
        PreferenceName::OutbandFormat => {
            let formats = [("EMN", OutbandFormat::Emn), ("EXTENDED", OutbandFormat::Extended)];
            chosen(scanner, &formats)?.map(PreferenceSetting::OutbandFormat)
        }
        PreferenceName::EventFilter => {
            let filters = [EventFilter::All, EventFilter::New, EventFilter::None];
            let words = filters.map(|filter| (filter.as_str(), filter));
            chosen(scanner, &words)?.map(PreferenceSetting::EventFilter)
        }
        PreferenceName::Xfilter => Some(PreferenceSetting::Xfilter(activation(scanner)?)),
    };
    Ok(Command::XsetPimapPref(setting.unwrap_or(PreferenceSetting::Unsupported(name))))
}

fn value_word<'a>(scanner: &mut Scanner<'a>) -> Parsed<&'a str> {
    scanner.atom("a value")
}

/// The value of the word that comes next, in any case; `None` for another word.
fn chosen<T: Copy>(scanner: &mut Scanner<'_>, words: &[(&str, T)]) -> Parsed<Option<T>> {
    let word = value_word(scanner)?;
    Ok(words.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, value)| *value))
}

fn address(scanner: &mut Scanner<'_>) -> Parsed<String> {
    let address = scanner.astring()?;
    match address.printable_ascii() {
        None => Err(DecodeError::bad("an address is printable ASCII")),
        Some(text) if text.len() > OUTBAND_ADDRESS_BYTES_MAX => Err(DecodeError::no("address too long")),
        Some(text) => Ok(text.to_owned()),
    }
}

/// `"NONE" / "ALL" / "FAST" / "FULL" / fetch-att / "(" fetch-att *(SP fetch-att) ")"`, kept in the form in which it was
/// written: what is set is what GET answers.
fn new_format(scanner: &mut Scanner<'_>) -> Parsed<NewFormat> {
    let mut ahead = *scanner;
    let word = ahead.run(|byte| byte.is_ascii_alphanumeric()).to_ascii_uppercase();
    if word == b"NONE" {
        *scanner = ahead;
        return Ok(NewFormat::None);
    }
    let listed = scanner.peek() == Some(b'(');
    let items = fetch_criteria(scanner)?;
    let text = match word.as_slice() {
        b"ALL" => "ALL".to_owned(),
        b"FAST" => "FAST".to_owned(),
        b"FULL" => "FULL".to_owned(),
        _ => {
            let text = items.iter().map(FetchItem::to_string).collect::<Vec<_>>().join(" ");
            if listed { format!("({text})") } else { text }
        }
    };
    if text.len() > NEW_FORMAT_BYTES_MAX {
        return Err(DecodeError::no("too many items"));
    }
    Ok(NewFormat::Items { text: text.into(), items: items.into() })
}

/// Reads a PIMAP_INBAND_NEW_FORMAT as [`NewFormat::as_str`] gives it.
pub fn parse_new_format(text: &str) -> Option<NewFormat> {
    let mut scanner = Scanner::new(text.as_bytes());
    let format = new_format(&mut scanner).ok()?;
    scanner.end().ok().map(|()| format)
}

/// `"(" mailbox SP ("V" / "N" / "B") SP filter-name ")"`
fn activation(scanner: &mut Scanner<'_>) -> Parsed<Activation> {
    scanner.expect(b'(', "a parenthesised activation")?;
    let mailbox = scanner.wide_astring()?;
    let all = mailbox.is_atom && mailbox.octets.eq_ignore_ascii_case(b"ALL");
    let scope =
        if all { FilterScope::AllMailboxes } else { FilterScope::Mailbox(checked(mailbox.printable())?) };
    scanner.space()?;
    let kind = match scanner.atom("V, N or B")?.to_ascii_uppercase().as_str() {
        "V" | "VIEW" => FilterKind::View,
        "N" | "NOTIF" => FilterKind::Notification,
        "B" | "BOTH" => FilterKind::Both,
        _ => return Err(DecodeError::bad("expected V, N or B")),
    };
    scanner.space()?;
    let filter = filter::filter_name(scanner)?;
    scanner.expect(b')', "a closing parenthesis")?;
    Ok(Activation { scope, kind, filter })
}
