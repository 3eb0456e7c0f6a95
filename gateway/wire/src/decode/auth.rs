//! LOGIN (RFC 3501 6.2.3, P-IMAP 5.1.4), ENABLE (RFC 5161) and COMPRESS (RFC 4978).

use super::{DecodeError, Parsed, Scanner};
use pimap_types::command::Login;
use pimap_types::limits::ENABLE_WORDS_MAX;
use pimap_types::{Command, DeviceId, Secret};

/// The arguments of LOGIN.
pub(super) fn login(scanner: &mut Scanner<'_>) -> Parsed<Command> {
    scanner.space()?;
    let user = scanner.astring()?;
    scanner.space()?;
    let password = Secret::new(scanner.astring()?.octets.into_owned());
    let user = user.printable().ok_or(DecodeError::no("user name not acceptable"))?;
    let User { local, domain, device } = split_user(user)?;
    Ok(Command::Login(Login {
        local: local.to_owned(),
        // Two spellings of a domain must not make two accounts of one.
        domain: domain.map(str::to_ascii_lowercase),
        device,
        password,
    }))
}

struct User<'a> {
    local: &'a str,
    domain: Option<&'a str>,
    device: Option<DeviceId>,
}

/// Splits at the **last** `#`, since user names may contain one; the domain may stand on either side of the device
/// (digest 4.1), but not on both.
fn split_user(user: &str) -> Parsed<User<'_>> {
    const NAME: DecodeError = DecodeError::no("user name not acceptable");
    let (name, device, domain) = match user.rsplit_once('#') {
        None => (user, None, None),
        Some((name, device)) => {
            let (device, domain) = match device.split_once('@') {
                Some((device, domain)) => (device, Some(domain)),
                None => (device, None),
            };
            let device = DeviceId::new(device).ok_or(DecodeError::no("device ID not acceptable"))?;
            (name, Some(device), domain)
        }
    };
    let (local, domain) = match (name.rsplit_once('@'), domain) {
        (Some(_), Some(_)) => return Err(DecodeError::no("more than one domain in the user name")),
        (Some((local, domain)), None) => (local, Some(domain)),
        (None, domain) => (name, domain),
    };
    let legal = |domain: &str| !domain.is_empty() && !domain.contains(['@', '#', ' ']);
    if local.is_empty() || !domain.is_none_or(legal) {
        return Err(NAME);
    }
    Ok(User { local, domain, device })
}

/// The mechanism of COMPRESS; whether it is known is not the grammar's to say.
pub(super) fn compress(scanner: &mut Scanner<'_>) -> Parsed<Command> {
    scanner.space()?;
    Ok(Command::Compress(scanner.atom("a compression mechanism")?.to_ascii_uppercase()))
}

/// The words of ENABLE. Unknown ones are legal and ignored later (RFC 5161 3.1).
pub(super) fn enable(scanner: &mut Scanner<'_>) -> Parsed<Command> {
    let mut words = Vec::new();
    scanner.space()?;
    loop {
        if words.len() >= ENABLE_WORDS_MAX {
            return Err(DecodeError::bad("too many words"));
        }
        words.push(scanner.atom("a capability")?.to_ascii_uppercase());
        if !scanner.accept(b' ') {
            return Ok(Command::Enable(words));
        }
    }
}
