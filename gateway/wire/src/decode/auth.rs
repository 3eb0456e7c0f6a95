//! LOGIN (RFC 3501 6.2.3, P-IMAP 5.1.4), AUTHENTICATE (RFC 3501 6.2.2, RFC 4959), ID (RFC 2971), ENABLE (RFC 5161) and
//! COMPRESS (RFC 4978).

use super::{DecodeError, Parsed, Scanner};
use crate::sasl::from_base64;
use pimap_types::command::Login;
use pimap_types::limits::{ENABLE_WORDS_MAX, ID_FIELD_BYTES_MAX, ID_PAIRS_MAX, ID_VALUE_BYTES_MAX};
use pimap_types::{Command, Credential, DeviceId, Secret};

/// The arguments of LOGIN.
pub(super) fn login(scanner: &mut Scanner<'_>) -> Parsed<Command> {
    scanner.space()?;
    let user = scanner.astring()?;
    scanner.space()?;
    let password = Secret::new(scanner.astring()?.octets.into_owned());
    let user = user.printable().ok_or(DecodeError::no("user name not acceptable"))?;
    Ok(Command::Login(split_user(user)?.login(Credential::Password(password))))
}

/// The arguments of AUTHENTICATE. Whether there is such a mechanism is not asked here.
pub(super) fn authenticate(scanner: &mut Scanner<'_>) -> Parsed<Command> {
    scanner.space()?;
    let mechanism = scanner.atom("a mechanism")?.to_ascii_uppercase();
    let initial = match scanner.accept(b' ') {
        false => None,
        true => match scanner.run(|octet| octet != b'\r' && octet != b'\n') {
            // An initial response without content (RFC 4959 3).
            b"=" => Some(Secret::new([])),
            text => Some(from_base64(text).and_then(|octets| match octets.expose() {
                b"" => Err(DecodeError::bad("an empty initial response is written as =")),
                _ => Ok(octets),
            })?),
        },
    };
    Ok(Command::Authenticate { mechanism, initial })
}

/// The argument of ID: NIL, or pairs of a name and a value. The bounds are RFC 2971's own (3.3).
pub(super) fn id(scanner: &mut Scanner<'_>) -> Parsed<Command> {
    if scanner.end().is_ok() {
        // RFC 2971 3.1 wants NIL; there are clients that leave it out.
        return Ok(Command::Id(Vec::new()));
    }
    scanner.space()?;
    if scanner.peek() != Some(b'(') {
        nil(scanner)?;
        return Ok(Command::Id(Vec::new()));
    }
    scanner.accept(b'(');
    let mut pairs: Vec<(String, Option<String>)> = Vec::new();
    while !scanner.accept(b')') {
        if pairs.len() >= ID_PAIRS_MAX {
            return Err(DecodeError::bad("too many fields"));
        }
        if !pairs.is_empty() {
            scanner.space()?;
        }
        let name = text(scanner, ID_FIELD_BYTES_MAX)?;
        scanner.space()?;
        let value = match scanner.peek() {
            Some(b'"' | b'{') => Some(text(scanner, ID_VALUE_BYTES_MAX)?),
            _ => nil(scanner).map(|()| None)?,
        };
        if pairs.iter().any(|(known, _)| known.eq_ignore_ascii_case(&name)) {
            return Err(DecodeError::bad("a field is named twice"));
        }
        pairs.push((name, value));
    }
    Ok(Command::Id(pairs))
}

fn nil(scanner: &mut Scanner<'_>) -> Parsed<()> {
    match scanner.atom("NIL")?.eq_ignore_ascii_case("NIL") {
        true => Ok(()),
        false => Err(DecodeError::bad("expected NIL or a string")),
    }
}

fn text(scanner: &mut Scanner<'_>, bytes_max: usize) -> Parsed<String> {
    let octets = scanner.string()?;
    if octets.len() > bytes_max {
        return Err(DecodeError::bad("a field is too long"));
    }
    Ok(String::from_utf8_lossy(&octets).into_owned())
}

/// A user name, split.
pub(crate) struct User<'a> {
    pub(crate) local: &'a str,
    pub(crate) domain: Option<&'a str>,
    pub(crate) device: Option<DeviceId>,
}

impl User<'_> {
    /// The login with what proves it.
    pub(crate) fn login(self, credential: Credential) -> Login {
        Login {
            local: self.local.to_owned(),
            // Two spellings of a domain must not make two accounts of one.
            domain: self.domain.map(str::to_ascii_lowercase),
            device: self.device,
            credential,
        }
    }
}

/// Splits at the **last** `#`, since user names may contain one; the domain may stand on either side of the device
/// (digest 4.1), but not on both.
pub(crate) fn split_user(user: &str) -> Parsed<User<'_>> {
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
