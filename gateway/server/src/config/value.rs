//! Strings that mean something: durations, zone offsets, addresses. Each says what it wanted when it is not satisfied.

use super::LoginTemplate;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

/// `250ms`, `30s`, `5m`, `24h`, `7d`, and `0`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let wanted = || format!("{text:?} is not a duration such as 30s, 5m, 24h or 7d");
    let number: u64 = number.parse().map_err(|_| wanted())?;
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "" if number == 0 => 0,
        _ => return Err(wanted()),
    };
    let ms = number.checked_mul(unit_ms).filter(|ms| *ms <= 10 * 366 * 86_400_000);
    ms.map(Duration::from_millis).ok_or_else(|| format!("{text:?} is longer than ten years"))
}

/// `+01:00`, `-05:30`, `Z`: minutes east of UTC.
pub(super) fn zone(text: &str) -> Result<i32, String> {
    let wanted = || format!("{text:?} is not a zone offset such as +01:00, -05:30 or Z");
    if matches!(text, "Z" | "UTC") {
        return Ok(0);
    }
    let (sign, rest) = match text.split_at_checked(1) {
        Some(("+", rest)) => (1, rest),
        Some(("-", rest)) => (-1, rest),
        _ => return Err(wanted()),
    };
    let (hours, minutes) = rest.split_once(':').ok_or_else(wanted)?;
    let two_digits = |part: &str| {
        (part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit()))
            .then(|| part.parse::<i32>().ok())
            .flatten()
    };
    match (two_digits(hours), two_digits(minutes)) {
        (Some(hours @ 0..=14), Some(minutes @ 0..=59)) => Ok(sign * (hours * 60 + minutes)),
        _ => Err(wanted()),
    }
}

/// `127.0.0.1:8080`, `[::]:993`, `localhost:143`.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let found = text.to_socket_addrs().ok().and_then(|mut all| all.next());
    found.ok_or_else(|| format!("{text:?} is not an address with a port, such as 0.0.0.0:8080"))
}

/// A login template: `{local}` once at least, `{domain}`, and fixed text.
pub(super) fn login_template(text: &str) -> Result<LoginTemplate, String> {
    let rest = text.replace("{local}", "").replace("{domain}", "");
    if !text.contains("{local}") {
        return Err(format!("{text:?} lacks {{local}}: all users would share one account"));
    }
    if rest.contains(['{', '}', '*', '%', '"', '\\']) || rest.chars().any(char::is_control) {
        return Err(format!("{text:?} holds more than {{local}}, {{domain}} and plain text"));
    }
    Ok(LoginTemplate(text.to_owned()))
}
