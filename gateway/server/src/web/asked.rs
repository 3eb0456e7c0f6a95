//! The head of a request, judged: what the handset asks for, or the status that answers it.

use crate::front::COOKIE;
use http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE as COOKIE_HEADER, EXPECT,
};
use http::{HeaderMap, HeaderName, StatusCode};
use pimap_types::Secret;
use pimap_types::command::Cursor;
use pimap_types::limits::SWALLOW_BYTES_MAX;
use sha2::{Digest, Sha256};

/// The media type of requests and responses.
pub const MEDIA_TYPE: &str = "application/vnd.pimap";
/// The header that presents a cursor, or by being there says that cursors are understood (design D5).
pub const ACK: HeaderName = HeaderName::from_static("pimap-ack");
/// The header that names a request, so that a repeat is recognised (F4).
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header that names the half command of an earlier request, which this body goes on with (F6).
pub const CONTINUE: HeaderName = HeaderName::from_static("pimap-continue");

const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;

/// What a request asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    /// SHA-256 of the session cookie.
    pub cookie: Option<[u8; 32]>,
    /// The cursor presented.
    pub presented: Option<Cursor>,
    /// Whether cursors are understood.
    pub cursors: bool,
    /// `Idempotency-Key`.
    pub named: Option<Named>,
    /// The token of a half command that the body goes on with (F6).
    pub continues: Option<Secret>,
    /// Whether the response may be gzipped.
    pub gzip: bool,
    /// Whether the handset waits for `100 Continue`.
    pub expects: bool,
}

/// The name that a handset gave its request. Only digests of it are kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Named {
    /// SHA-256 of it.
    pub hash: [u8; 32],
    /// What a digest of the body begins with: who reads the store cannot try passwords against it without knowing the name.
    salt: Secret,
}

impl Named {
    fn new(key: &[u8]) -> Self {
        let salt = Sha256::new_with_prefix("what the request says").chain_update(key);
        Self { hash: Sha256::digest(key).into(), salt: Secret::new(salt.finalize().to_vec()) }
    }

    /// A digest of a body of this length that begins like this.
    pub fn digest(&self, length: u64, beginning: &[u8]) -> [u8; 16] {
        let salted = Sha256::new_with_prefix(self.salt.expose()).chain_update(length.to_be_bytes());
        let digest: [u8; 32] = salted.chain_update(beginning).finalize().into();
        digest.first_chunk().copied().unwrap_or_default()
    }
}

/// A request that is answered by its status.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refused(pub StatusCode, pub &'static str);

/// Judges the head of a POST.
pub fn judge(head: &HeaderMap) -> Result<Asked, Refused> {
    let bad = |text| Refused(StatusCode::BAD_REQUEST, text);
    if !head.get(CONTENT_TYPE).is_some_and(|value| is_ours(value.as_bytes())) {
        return Err(Refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the content type is application/vnd.pimap"));
    }
    if head.get(CONTENT_ENCODING).is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "request bodies are not encoded"));
    }
    let length = head.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > SWALLOW_BYTES_MAX) {
        return Err(Refused(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large"));
    }
    let ack = single(head, &ACK).map_err(|()| bad("more than one PIMAP-Ack"))?;
    let presented = match ack {
        None | Some(b"") => None,
        Some(cursor) => Some(parse_cursor(cursor).ok_or(bad("PIMAP-Ack is no cursor"))?),
    };
    let key = single(head, &IDEMPOTENCY_KEY).map_err(|()| bad("more than one Idempotency-Key"))?;
    if key.is_some_and(|key| key.is_empty() || key.len() > IDEMPOTENCY_KEY_BYTES_MAX) {
        return Err(bad("Idempotency-Key is empty or too long"));
    }
    let continues = single(head, &CONTINUE).map_err(|()| bad("more than one PIMAP-Continue"))?;
    Ok(Asked {
        continues: continues.map(Secret::new),
        cookie: session_cookie(head).map(|cookie| Sha256::digest(cookie).into()),
        presented,
        cursors: ack.is_some(),
        named: key.map(Named::new),
        gzip: allows_gzip(head),
        expects: head.contains_key(EXPECT),
    })
}

fn parse_cursor(octets: &[u8]) -> Option<Cursor> {
    pimap_wire::decode::parse_cursor(std::str::from_utf8(octets).ok()?)
}

/// A header that means something only once.
fn single<'a>(head: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a [u8]>, ()> {
    let mut all = head.get_all(name).iter();
    match (all.next(), all.next()) {
        (_, Some(_)) => Err(()),
        (value, None) => Ok(value.map(|value| value.as_bytes().trim_ascii())),
    }
}

fn is_ours(content_type: &[u8]) -> bool {
    let essence = content_type.split(|octet| *octet == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(MEDIA_TYPE.as_bytes())
}

/// The session cookie. Of several of the name the first counts: the one with the longest path (RFC 6265 5.4).
fn session_cookie(head: &HeaderMap) -> Option<&[u8]> {
    head.get_all(COOKIE_HEADER)
        .iter()
        .flat_map(|value| value.as_bytes().split(|octet| *octet == b';'))
        .find_map(|pair| pair.trim_ascii().strip_prefix(COOKIE.as_bytes())?.strip_prefix(b"="))
        .filter(|cookie| !cookie.is_empty())
}

/// Whether gzip is among what the handset accepts, with a weight above zero (RFC 9110 12.5.3).
fn allows_gzip(head: &HeaderMap) -> bool {
    let mut any = None;
    for item in head
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|v| v.split(','))
    {
        let mut parts = item.split(';').map(str::trim);
        let coding = parts.next().unwrap_or_default();
        let wanted = parts.all(|parameter| !is_zero_weight(parameter));
        if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") {
            return wanted;
        }
        if coding == "*" {
            any = Some(wanted);
        }
    }
    any.unwrap_or(false)
}

fn is_zero_weight(parameter: &str) -> bool {
    let Some((name, weight)) = parameter.split_once('=') else { return false };
    // A weight that is no number is no wish either.
    name.trim().eq_ignore_ascii_case("q") && weight.trim().parse::<f32>().is_ok_and(|weight| weight <= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn head(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut head = HeaderMap::new();
        head.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        for (name, value) in pairs {
            head.append(*name, HeaderValue::from_str(value).expect("legal"));
        }
        head
    }

    #[track_caller]
    fn refused(head: &HeaderMap, status: u16) {
        let Err(Refused(code, _)) = judge(head) else { panic!("accepted") };
        assert_eq!(code.as_u16(), status);
    }

    #[test]
    fn only_our_media_type_is_taken() {
        let mut other = head(&[]);
        for (value, taken) in [
            ("application/vnd.pimap", true),
            ("Application/VND.PIMAP; charset=us-ascii", true),
            ("application/vnd.pimapx", false),
            ("text/plain", false),
            ("", false),
        ] {
            other.insert(CONTENT_TYPE, HeaderValue::from_str(value).expect("legal"));
            assert_eq!(judge(&other).is_ok(), taken, "{value}");
        }
        other.remove(CONTENT_TYPE);
        refused(&other, 415);
        refused(&head(&[("content-encoding", "gzip")]), 415);
    }

    #[test]
    fn bodies_over_the_limit_are_refused_by_their_length() {
        refused(&head(&[("content-length", "268435457")]), 413);
        assert!(judge(&head(&[("content-length", "268435456")])).is_ok());
    }

    #[test]
    fn a_cursor_is_presented_or_only_understood() {
        let none = judge(&head(&[])).expect("taken");
        assert_eq!((none.cursors, none.presented), (false, None));
        let empty = judge(&head(&[("pimap-ack", "")])).expect("taken");
        assert_eq!((empty.cursors, empty.presented), (true, None));
        let cursor = judge(&head(&[("pimap-ack", "12.34")])).expect("taken");
        assert_eq!(cursor.presented, Some(Cursor { incarnation: 12, position: 34 }));
        refused(&head(&[("pimap-ack", "nonsense")]), 400);
        refused(&head(&[("pimap-ack", "1.1"), ("pimap-ack", "1.2")]), 400);
    }

    #[test]
    fn a_request_is_named_by_its_key() {
        let named = judge(&head(&[("idempotency-key", "abc")])).expect("taken").named;
        assert_eq!(named.map(|named| named.hash), Some(Sha256::digest("abc").into()));
        refused(&head(&[("idempotency-key", &"x".repeat(256))]), 400);
        let continues = judge(&head(&[("pimap-continue", "token")])).expect("taken").continues;
        assert_eq!(continues, Some(Secret::new("token")));
        refused(&head(&[("pimap-continue", "a"), ("pimap-continue", "b")]), 400);
    }

    #[test]
    fn the_session_cookie_is_found_among_others() {
        let cookie = |value| judge(&head(&[("cookie", value)])).expect("taken").cookie;
        let expected = Some(Sha256::digest("secret").into());
        assert_eq!(cookie("a=b; PIMAPSESSION=secret; c=d"), expected);
        assert_eq!(cookie("PIMAPSESSION=secret"), expected);
        assert_eq!(cookie("XPIMAPSESSION=secret"), None);
        assert_eq!(cookie("PIMAPSESSION="), None);
    }

    #[test]
    fn gzip_only_when_it_is_allowed() {
        for (value, allowed) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip; q=0.000, *", false),
            ("*", true),
            ("*;q=0", false),
            ("identity", false),
            ("br;q=1, deflate", false),
            ("", false),
        ] {
            assert_eq!(judge(&head(&[("accept-encoding", value)])).expect("taken").gzip, allowed, "{value}");
        }
        assert!(!judge(&head(&[])).expect("taken").gzip);
    }
}
