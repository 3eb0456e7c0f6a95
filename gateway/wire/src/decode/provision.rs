//! XPROVISION (P-IMAP 5.2.1) and XACK with its cursor (design D5).

use super::{DecodeError, Parsed, Scanner};
use pimap_types::command::Cursor;
use pimap_types::limits::NOTIFICATION_ID_BYTES_MAX;
use pimap_types::{Command, DeviceId};

/// `[SP device-id [SP notif-id]]`: the grammar of the draft wants the device, its example leaves it out (digest E8).
pub(super) fn provision(scanner: &mut Scanner<'_>) -> Parsed<Command> {
    let (mut device, mut notification_id) = (None, None);
    if scanner.accept(b' ') {
        let name = scanner.astring()?;
        let name = name.printable_ascii().and_then(DeviceId::new);
        device = Some(name.ok_or(DecodeError::no("device ID not acceptable"))?);
        if scanner.accept(b' ') {
            let id = scanner.astring()?;
            let id = id.printable_ascii().filter(|id| id.len() <= NOTIFICATION_ID_BYTES_MAX);
            notification_id = Some(id.ok_or(DecodeError::no("notification ID not acceptable"))?.to_owned());
        }
    }
    Ok(Command::Xprovision { device, notification_id })
}

/// `SP cursor`
pub(super) fn acknowledge(scanner: &mut Scanner<'_>) -> Parsed<Command> {
    scanner.space()?;
    let text = scanner.atom("a cursor")?;
    parse_cursor(text).map(Command::Xack).ok_or(DecodeError::bad("expected a cursor"))
}

/// Reads `<incarnation>.<n>`, as in XACK and in the `PIMAP-Ack` header; both are plain decimal numbers of 64 bits.
pub fn parse_cursor(text: &str) -> Option<Cursor> {
    let number = |digits: &str| {
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if plain { digits.parse().ok() } else { None }
    };
    let (incarnation, position) = text.split_once('.')?;
    Some(Cursor { incarnation: number(incarnation)?, position: number(position)? })
}
