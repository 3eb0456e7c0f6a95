//! Commands cut by the end of a request's body right after `{n}`: kept for a minute, until the request that brings the
//! literal names them by `PIMAP-Continue` (digest 16.3, F6).
//!
//! Refuses guesses: without the right token, in time and with the cookie of the same session, nothing of a body is taken for a
//! literal, and nothing of a literal for a command. A token is good for one literal; the same request again, known by its body or by
//! its `Idempotency-Key`, is answered as such.

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
/// How long one that has its literal is kept for a repeat of that request, as long as a repeat is recognised at all (F4).
const REPEATED_FOR: Duration = Duration::from_secs(600);

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
    continued: Option<Continuer>,
}

/// What continued a half command: SHA-256 of its `Idempotency-Key` or of its body, nothing for a long body without a key, which is
/// never known again.
type Continuer = Option<[u8; 32]>;

impl Half {
    fn is_of_use(&self) -> bool {
        self.since.elapsed() < if self.continued.is_some() { REPEATED_FOR } else { PATIENCE }
    }
}

/// What comes of the wish to go on with a half command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Resumed {
    /// Its octets: go on.
    Half(Bytes),
    /// There is none, or it is another session's, or it has become too old: nothing was done.
    Unknown,
    /// Another request went on with it, or one of which it cannot be told whether it was this one.
    Continued,
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
        halves.retain(|_, half| half.is_of_use());
        let room = |halves: &HashMap<_, Half>| {
            let held: usize = halves.values().map(|half| half.octets.len() + ENTRY_BYTES).sum();
            held + octets.len() + ENTRY_BYTES <= HALF_COMMANDS_BYTES_MAX
        };
        if octets.len() > HALF_COMMAND_BYTES_MAX {
            return false;
        }
        if !room(&halves) {
            // Those that only a repeat would ask for make room.
            halves.retain(|_, half| half.continued.is_none());
        }
        if !room(&halves) {
            return false;
        }
        let half = Half { octets, cookie, since: Instant::now(), continued: None };
        halves.insert(Sha256::digest(token.0.expose()).into(), half);
        true
    }

    /// The half command that a request goes on with.
    pub fn resume(&self, token: &[u8], cookie: Option<[u8; 32]>, continuer: Continuer) -> Resumed {
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        let half = halves.get_mut(&<[u8; 32]>::from(Sha256::digest(token)));
        let is_its = |half: &&mut Half| half.cookie.is_none() || half.cookie == cookie;
        let Some(half) = half.filter(|half| half.is_of_use()).filter(is_its) else { return Resumed::Unknown };
        match half.continued {
            Some(before) if before.is_none() || before != continuer => return Resumed::Continued,
            _ => half.continued = Some(continuer),
        }
        Resumed::Half(half.octets.clone())
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
        let (mine, body) = (Some([1; 32]), Some([2; 32]));
        assert_eq!(continuations.resume(text, mine, body), Resumed::Unknown, "nothing is kept yet");
        assert!(continuations.keep(&token, HALF, mine));
        assert_eq!(continuations.resume(b"guess", mine, body), Resumed::Unknown);
        assert_eq!(continuations.resume(text, None, body), Resumed::Unknown);
        assert_eq!(continuations.resume(text, Some([9; 32]), body), Resumed::Unknown);
        for _ in 0..2 {
            assert_eq!(continuations.resume(text, mine, body), Resumed::Half(HALF), "and the same again");
            // As long as a repeat is recognised.
            tokio::time::advance(PATIENCE).await;
        }
        for other in [Some([3; 32]), None] {
            let told = continuations.resume(text, mine, other);
            assert_eq!(told, Resumed::Continued, "another body is another request");
        }
        tokio::time::advance(REPEATED_FOR).await;
        assert_eq!(continuations.resume(text, mine, body), Resumed::Unknown);
        let late = Token::new();
        assert!(continuations.keep(&late, HALF, None));
        tokio::time::advance(PATIENCE).await;
        assert_eq!(continuations.resume(late.text().expose(), None, None), Resumed::Unknown);
    }

    /// Two requests that are not known again may be one and the same.
    #[tokio::test(start_paused = true)]
    async fn a_long_body_without_a_name_goes_on_once() {
        let continuations = Continuations::default();
        let token = Token::new();
        assert!(continuations.keep(&token, HALF, None));
        assert_eq!(continuations.resume(token.text().expose(), None, None), Resumed::Half(HALF));
        assert_eq!(continuations.resume(token.text().expose(), None, None), Resumed::Continued);
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
        assert!(continuations.keep(&Token::new(), large.clone(), None), "what is too old makes room");
        let tokens: Vec<Token> = (1..kept).map(|_| Token::new()).collect();
        assert!(tokens.iter().all(|token| continuations.keep(token, large.clone(), None)));
        assert!(!continuations.keep(&Token::new(), large.clone(), None));
        continuations.resume(tokens[0].text().expose(), None, None);
        assert!(
            continuations.keep(&Token::new(), large, None),
            "what only a repeat would ask for makes room"
        );
    }
}
