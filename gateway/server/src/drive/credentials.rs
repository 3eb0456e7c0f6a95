//! The credentials kept with an account, so that its watcher can come back after a restart (design D7, F50).
//!
//! One sealed row, [`ROW`], which the account owner never sees. `passthrough` keeps the password itself, `master` only a
//! digest of it: enough to notice that it changed, which is what the credential epoch counts.

use pimap_types::{AccountKey, Secret};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The row's key. Rows under `secret/` are sealed by the driver.
pub const ROW: &[u8] = b"secret/credentials";
/// What begins the keys of rows that are sealed before they are stored.
pub const SEALED_PREFIX: &[u8] = b"secret/";

const VERSION: u8 = 1;
const KIND_PASSWORD: u8 = 0;
const KIND_DIGEST: u8 = 1;

/// A name and password that upstream accepted just now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Credentials {
    /// The upstream login name: the account's key.
    pub account: AccountKey,
    /// The password.
    pub password: Secret,
}

/// What is kept of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    /// Grows when the password changes.
    pub epoch: u64,
    kind: u8,
    proof: Secret,
}

impl Kept {
    /// What is to be kept, given what was kept before: `None` when nothing has changed. `master`: the password itself is
    /// not needed.
    pub fn after(before: Option<&Kept>, accepted: &Credentials, master: bool) -> Option<Kept> {
        let (kind, proof) = if master {
            (KIND_DIGEST, Secret::new(digest(accepted)))
        } else {
            (KIND_PASSWORD, accepted.password.clone())
        };
        match before {
            Some(kept) if kept.kind == kind && kept.proof == proof => None,
            Some(kept) => Some(Kept { epoch: kept.epoch.saturating_add(1), kind, proof }),
            None => Some(Kept { epoch: 1, kind, proof }),
        }
    }

    /// The password, if it is kept.
    pub fn password(&self) -> Option<&Secret> {
        (self.kind == KIND_PASSWORD).then_some(&self.proof)
    }

    /// The row's content before sealing.
    pub fn encode(&self) -> Secret {
        let mut octets = Vec::with_capacity(10 + self.proof.expose().len());
        octets.extend_from_slice(&[VERSION, self.kind]);
        octets.extend_from_slice(&self.epoch.to_be_bytes());
        octets.extend_from_slice(self.proof.expose());
        Secret::new(octets)
    }

    /// Reads the row's content; `None` for one of another make.
    pub fn decode(row: &Secret) -> Option<Kept> {
        let (head, rest) = row.expose().split_first_chunk::<2>()?;
        let (epoch, proof) = rest.split_first_chunk::<8>()?;
        let [VERSION, kind @ (KIND_PASSWORD | KIND_DIGEST)] = *head else { return None };
        Some(Kept { epoch: u64::from_be_bytes(*epoch), kind, proof: Secret::new(proof) })
    }
}

fn digest(accepted: &Credentials) -> Vec<u8> {
    let mut octets = Zeroizing::new(accepted.account.as_str().as_bytes().to_vec());
    octets.push(0);
    octets.extend_from_slice(accepted.password.expose());
    Sha256::digest(&*octets).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(password: &str) -> Credentials {
        Credentials { account: AccountKey::new("joe"), password: Secret::new(password) }
    }

    #[test]
    fn the_epoch_grows_with_another_password_only() {
        for master in [false, true] {
            let first = Kept::after(None, &accepted("one"), master).expect("kept");
            assert_eq!((first.epoch, first.password().is_some()), (1, !master));
            assert_eq!(Kept::after(Some(&first), &accepted("one"), master), None);
            let second = Kept::after(Some(&first), &accepted("two"), master).expect("kept");
            assert_eq!(second.epoch, 2);
            assert_eq!(Kept::decode(&second.encode()), Some(second));
        }
    }

    #[test]
    fn another_mode_keeps_anew() {
        let first = Kept::after(None, &accepted("one"), true).expect("kept");
        assert!(Kept::after(Some(&first), &accepted("one"), false).is_some());
    }

    #[test]
    fn foreign_rows_are_not_credentials() {
        for row in [&b""[..], b"\x01", b"\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00", b"\x01\x07aaaaaaaa"] {
            assert_eq!(Kept::decode(&Secret::new(row)), None);
        }
    }
}
