//! Commands cut by the end of a request's body right after `{n}`: kept for a minute, until the request that brings the
//! literal names them by `PIMAP-Continue` (digest 16.3, F6).
//!
//! Refuses guesses: without the right token, in time and with the cookie of the same session, nothing of a body is taken for a
//! literal, and nothing of a literal for a command. A token is good for one literal; the same body again is the same request
//! again, and is answered as such.

use bytes::Bytes;
use pimap_types::Secret;
use pimap_types::limits::{HALF_COMMAND_BYTES_MAX, HALF_COMMANDS_BYTES_MAX};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long a half command waits for its literal.
const PATIENCE: Duration = Duration::from_secs(60);

/// What names a half command: 128 random bits. It does not print.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Token(Secret);

impl Token {
    /// Another one that nobody has seen.
    pub fn new() -> Self {
        Self(Secret::new(format!("{:032x}", rand::random::<u128>())))
    }

    /// Its text, for the header.
    pub fn text(&self) -> &Secret {
        &self.0
    }
}

impl Default for Token {
    fn default() -> Self {
        Self::new()
    }
}

/// A command without its literal.
struct Half {
    octets: Bytes,
    /// SHA-256 of the session cookie that the next request must bring.
    cookie: Option<[u8; 32]>,
    since: Instant,
    /// SHA-256 of the body that continued it; zeros for one that was not read whole at once.
    continued_by: Option<[u8; 32]>,
}

/// The half commands of this process.
#[derive(Default)]
pub struct Continuations {
    // By SHA-256 of the token, so that a look-up tells nothing of it. Never held across an await.
    halves: Mutex<HashMap<[u8; 32], Half>>,
}

impl Continuations {
    /// Keeps a half command; false: there is no room for it.
    pub fn keep(&self, token: &Token, octets: Bytes, cookie: Option<[u8; 32]>) -> bool {
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        halves.retain(|_, half| now.duration_since(half.since) < PATIENCE);
        let held: usize = halves.values().map(|half| half.octets.len() + ENTRY_BYTES).sum();
        if octets.len() > HALF_COMMAND_BYTES_MAX
            || held + octets.len() + ENTRY_BYTES > HALF_COMMANDS_BYTES_MAX
        {
            return false;
        }
        let half = Half { octets, cookie, since: now, continued_by: None };
        halves.insert(Sha256::digest(token.0.expose()).into(), half);
        true
    }

    /// The half command that a body goes on with. `body` is its SHA-256, if it was read whole.
    pub fn resume(&self, token: &[u8], cookie: Option<[u8; 32]>, body: Option<[u8; 32]>) -> Option<Bytes> {
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        let half = halves.get_mut(&<[u8; 32]>::from(Sha256::digest(token)))?;
        let in_time = half.since.elapsed() < PATIENCE;
        let is_its = half.cookie.is_none() || half.cookie == cookie;
        let is_first_or_again = half.continued_by.is_none_or(|by| Some(by) == body);
        if !(in_time && is_its && is_first_or_again) {
            return None;
        }
        half.continued_by = Some(body.unwrap_or_default());
        Some(half.octets.clone())
    }
}

/// What an entry costs beside its octets.
const ENTRY_BYTES: usize = 160;

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: Bytes = Bytes::from_static(b"a APPEND x {3+}\r\n");

    #[tokio::test(start_paused = true)]
    async fn a_token_is_good_for_one_literal_in_time_and_in_its_session() {
        let continuations = Continuations::default();
        let token = Token::new();
        let text = token.text().expose();
        let mine = Some([1; 32]);
        assert_eq!(continuations.resume(text, mine, Some([2; 32])), None, "nothing is kept yet");
        assert!(continuations.keep(&token, HALF, mine));
        assert_eq!(continuations.resume(b"guess", mine, Some([2; 32])), None);
        assert_eq!(continuations.resume(text, None, Some([2; 32])), None);
        assert_eq!(continuations.resume(text, Some([9; 32]), Some([2; 32])), None);
        for _ in 0..2 {
            assert_eq!(continuations.resume(text, mine, Some([2; 32])), Some(HALF), "and the same again");
        }
        for other in [Some([3; 32]), None] {
            assert_eq!(continuations.resume(text, mine, other), None, "another body is another request");
        }
        let late = Token::new();
        assert!(continuations.keep(&late, HALF, None));
        tokio::time::advance(PATIENCE).await;
        assert_eq!(continuations.resume(late.text().expose(), None, None), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_kept_is_bounded() {
        let continuations = Continuations::default();
        assert!(!continuations.keep(
            &Token::new(),
            Bytes::from(vec![b'x'; HALF_COMMAND_BYTES_MAX + 1]),
            None
        ));
        let large = Bytes::from(vec![b'x'; HALF_COMMAND_BYTES_MAX]);
        let kept = (0..).take_while(|_| continuations.keep(&Token::new(), large.clone(), None)).count();
        assert_eq!(kept, HALF_COMMANDS_BYTES_MAX / (HALF_COMMAND_BYTES_MAX + ENTRY_BYTES));
        tokio::time::advance(PATIENCE).await;
        assert!(continuations.keep(&Token::new(), large, None), "what is too old makes room");
    }
}
