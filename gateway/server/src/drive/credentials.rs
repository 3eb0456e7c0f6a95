//! The credentials kept with an account, so that its watcher can come back after a restart (design D7, F50).
//!
//! One sealed row, [`ROW`], which the account owner never sees. `passthrough` keeps the password or token itself, `master`
//! only a digest of the password: enough to notice that it changed, which is what the credential epoch counts. A token is
//! one of many that come and go (every device has its own, each hour another), so that a new one is no new epoch; the
//! password that was known before it is remembered as a digest.

use pimap_types::{AccountKey, Credential, Secret};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The row's key. Rows under `secret/` are sealed by the driver.
pub const ROW: &[u8] = b"secret/credentials";
/// What begins the keys of rows that are sealed before they are stored.
pub const SEALED_PREFIX: &[u8] = b"secret/";

const VERSION: u8 = 1;
const KIND_PASSWORD: u8 = 0;
const KIND_DIGEST: u8 = 1;
/// A token after the digest of the last password, which is zeros where none was known.
const KIND_TOKEN: u8 = 2;
const DIGEST_BYTES: usize = 32;

/// A name and what upstream accepted with it just now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Credentials {
    /// The upstream login name: the account's key.
    pub account: AccountKey,
    /// The password or token.
    pub credential: Credential,
}

/// What is kept of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    /// Grows when the password changes.
    pub epoch: u64,
    content: Content,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Content {
    Password(Secret),
    Digest(PasswordDigest),
    Token(PasswordDigest, Secret),
}

/// SHA-256 of account and password; zeros: none was known.
#[derive(Clone, Debug)]
struct PasswordDigest(Secret);

impl PartialEq for PasswordDigest {
    fn eq(&self, other: &Self) -> bool {
        self.0.expose().ct_eq(other.0.expose()).into()
    }
}

impl Eq for PasswordDigest {}

impl PasswordDigest {
    fn unknown() -> Self {
        Self(Secret::new([0; DIGEST_BYTES]))
    }

    fn of(account: &AccountKey, password: &Secret) -> Self {
        let mut octets = Zeroizing::new(account.as_str().as_bytes().to_vec());
        octets.push(0);
        octets.extend_from_slice(password.expose());
        Self(Secret::new(Sha256::digest(&*octets).to_vec()))
    }
}

impl Kept {
    /// What is to be kept, given what was kept before: `None` when nothing has changed. `master`: neither password nor token
    /// is needed.
    pub fn after(before: Option<&Kept>, accepted: &Credentials, master: bool) -> Option<Kept> {
        let known = before.map_or_else(PasswordDigest::unknown, |kept| kept.digest(&accepted.account));
        let content = match (&accepted.credential, master) {
            (Credential::Password(password), false) => Content::Password(password.clone()),
            (Credential::Password(password), true) => {
                Content::Digest(PasswordDigest::of(&accepted.account, password))
            }
            (Credential::Token(token), false) => Content::Token(known.clone(), token.clone()),
            (Credential::Token(_), true) => Content::Digest(known.clone()),
        };
        let Some(before) = before else { return Some(Kept { epoch: 1, content }) };
        if before.content == content {
            return None;
        }
        let another = match &accepted.credential {
            Credential::Password(password) => {
                known != PasswordDigest::unknown() && known != PasswordDigest::of(&accepted.account, password)
            }
            Credential::Token(_) => false,
        };
        Some(Kept { epoch: before.epoch.saturating_add(u64::from(another)), content })
    }

    /// The digest of the last password that was known.
    fn digest(&self, account: &AccountKey) -> PasswordDigest {
        match &self.content {
            Content::Password(password) => PasswordDigest::of(account, password),
            Content::Digest(digest) | Content::Token(digest, _) => digest.clone(),
        }
    }

    /// Whether these are what is kept, as far as that is known.
    pub fn came_of(&self, credentials: &Credentials) -> bool {
        match (&credentials.credential, &self.content) {
            (Credential::Token(token), Content::Token(_, kept)) => kept == token,
            (Credential::Token(_), _) => false,
            (Credential::Password(password), _) => {
                self.digest(&credentials.account) == PasswordDigest::of(&credentials.account, password)
            }
        }
    }

    /// The password or token, if it is kept.
    pub fn credential(&self) -> Option<Credential> {
        match &self.content {
            Content::Password(password) => Some(Credential::Password(password.clone())),
            Content::Token(_, token) => Some(Credential::Token(token.clone())),
            Content::Digest(_) => None,
        }
    }

    /// The row's content before sealing.
    pub fn encode(&self) -> Secret {
        let (kind, first, second) = match &self.content {
            Content::Password(password) => (KIND_PASSWORD, password.expose(), &[][..]),
            Content::Digest(digest) => (KIND_DIGEST, digest.0.expose(), &[][..]),
            Content::Token(digest, token) => (KIND_TOKEN, digest.0.expose(), token.expose()),
        };
        Secret::new([&[VERSION, kind], &self.epoch.to_be_bytes()[..], first, second].concat())
    }

    /// Reads the row's content; `None` for one of another make.
    pub fn decode(row: &Secret) -> Option<Kept> {
        let (head, rest) = row.expose().split_first_chunk::<2>()?;
        let (epoch, rest) = rest.split_first_chunk::<8>()?;
        let content = match *head {
            [VERSION, KIND_PASSWORD] => Content::Password(Secret::new(rest)),
            [VERSION, KIND_DIGEST] => Content::Digest(PasswordDigest(Secret::new(rest))),
            [VERSION, KIND_TOKEN] => {
                let (digest, token) = rest.split_at_checked(DIGEST_BYTES)?;
                Content::Token(PasswordDigest(Secret::new(digest)), Secret::new(token))
            }
            _ => return None,
        };
        Some(Kept { epoch: u64::from_be_bytes(*epoch), content })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(credential: Credential) -> Credentials {
        Credentials { account: AccountKey::new("joe"), credential }
    }

    fn password(word: &str) -> Credentials {
        accepted(Credential::Password(Secret::new(word)))
    }

    fn token(word: &str) -> Credentials {
        accepted(Credential::Token(Secret::new(word)))
    }

    #[test]
    fn the_epoch_grows_with_another_password_only() {
        for master in [false, true] {
            let first = Kept::after(None, &password("one"), master).expect("kept");
            assert_eq!((first.epoch, first.credential().is_some()), (1, !master));
            assert_eq!(Kept::after(Some(&first), &password("one"), master), None);
            let second = Kept::after(Some(&first), &password("two"), master).expect("kept");
            assert_eq!(second.epoch, 2);
            assert_eq!(Kept::decode(&second.encode()), Some(second));
        }
    }

    /// Two devices with a token each must not kill each other's cookies, nor those that came of a password.
    #[test]
    fn tokens_come_and_go_within_an_epoch() {
        for master in [false, true] {
            let mut kept = Kept::after(None, &token("t1"), master).expect("kept");
            for next in [token("t2"), password("one"), token("t3"), password("one"), token("t1")] {
                kept = Kept::after(Some(&kept), &next, master).unwrap_or(kept);
                assert_eq!(kept.epoch, 1, "{master}");
                assert_eq!(kept.credential(), (!master).then_some(next.credential));
                assert_eq!(Kept::decode(&kept.encode()).as_ref(), Some(&kept));
            }
            let changed = Kept::after(Some(&kept), &password("two"), master).expect("kept");
            assert_eq!(changed.epoch, 2, "the token did not hide that the password changed");
        }
    }

    #[test]
    fn another_mode_keeps_anew() {
        let first = Kept::after(None, &password("one"), true).expect("kept");
        let anew = Kept::after(Some(&first), &password("one"), false).expect("kept");
        assert_eq!(anew.epoch, 1, "it is the same password");
    }

    #[test]
    fn foreign_rows_are_not_credentials() {
        let short = [&b"\x01\x02\0\0\0\0\0\0\0\x01"[..], b"too short for a digest"].concat();
        for row in
            [&b""[..], b"\x01", b"\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00", b"\x01\x07aaaaaaaa", &short]
        {
            assert_eq!(Kept::decode(&Secret::new(row)), None);
        }
    }
}
