//! Sealing: how a secret becomes a row's value (law 7, design D13).
//!
//! Holds the key of `[store] seal_key_file` and nothing else. In goes a secret with the context it belongs to, out comes
//! `version ‖ nonce ‖ AES-256-GCM(secret)`; the context is authenticated, not stored, so a sealed password copied into
//! another account's rows opens nothing there. Refuses a key file that is not exactly one key, or that others may write.
//! Random 96-bit nonces keep their promise for 2³² seals under one key (NIST SP 800-38D 8.3); a gateway seals once per
//! changed password or new device.

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead, KeyInit, Nonce, Payload};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use pimap_types::Secret;
use rand::TryRng;
use rand::rngs::{SysError, SysRng};
use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The first octet of everything sealed; another one is a seal of the future, which does not open.
const VERSION: u8 = 1;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
const KEY_BYTES: usize = 32;
/// Longer than any way of writing 32 octets down, short enough to read before judging.
const KEY_FILE_BYTES_MAX: u64 = 1_024;
const OTHERS_MAY_WRITE: u32 = 0o022;
const OTHERS_MAY_READ: u32 = 0o044;

/// Why there is no sealer.
#[derive(Debug, thiserror::Error)]
pub enum SealKeyFault {
    /// The file is there but holds something else.
    #[error("{0} holds no seal key: expected 32 octets, raw or in base64")]
    Unreadable(PathBuf),
    /// Whoever may write the key could have chosen it.
    #[error("{0} may be written by others than its owner (mode {1:03o})")]
    Writable(PathBuf, u32),
    /// The system refused to read or make it.
    #[error("seal key {0}: {1}")]
    Io(PathBuf, #[source] io::Error),
    /// The system gave no random octets for a new key.
    #[error("no randomness for a seal key: {0}")]
    Randomness(#[from] SysError),
}

/// Seals and unseals under one key.
pub struct Sealer {
    cipher: Aes256Gcm,
}

impl Sealer {
    /// Takes the key from a file; makes the file, for its owner only, when there is none.
    pub fn open_or_create(path: &Path) -> Result<Self, SealKeyFault> {
        let io = |error| SealKeyFault::Io(path.to_owned(), error);
        match File::open(path) {
            Ok(file) => Self::read(path, file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create(path)?;
                Self::read(path, File::open(path).map_err(io)?)
            }
            Err(error) => Err(io(error)),
        }
    }

    fn read(path: &Path, file: File) -> Result<Self, SealKeyFault> {
        let io = |error| SealKeyFault::Io(path.to_owned(), error);
        let mode = file.metadata().map_err(io)?.permissions().mode() & 0o777;
        if mode & OTHERS_MAY_WRITE != 0 {
            return Err(SealKeyFault::Writable(path.to_owned(), mode));
        }
        if mode & OTHERS_MAY_READ != 0 {
            // Not refused: a secret mounted into a container is often readable by all of its one user.
            tracing::warn!(path = %path.display(), mode = format!("{mode:03o}"), "seal key is readable by others");
        }
        let mut text = Zeroizing::new(Vec::with_capacity(KEY_FILE_BYTES_MAX as usize));
        file.take(KEY_FILE_BYTES_MAX).read_to_end(&mut text).map_err(io)?;
        let key = parse_key(&text).ok_or_else(|| SealKeyFault::Unreadable(path.to_owned()))?;
        let cipher =
            Aes256Gcm::new_from_slice(&*key).map_err(|_| SealKeyFault::Unreadable(path.to_owned()))?;
        Ok(Self { cipher })
    }

    /// Seals a secret. The context (the account's name and what the secret is) must be given again to open it.
    pub fn seal(&self, context: &[u8], plain: &Secret) -> Vec<u8> {
        let mut nonce = [0_u8; NONCE_BYTES];
        rand::fill(&mut nonce);
        let payload = Payload { msg: plain.expose(), aad: &associated(context) };
        let mut sealed = Vec::with_capacity(1 + NONCE_BYTES + plain.expose().len() + TAG_BYTES);
        sealed.push(VERSION);
        sealed.extend_from_slice(&nonce);
        // GCM refuses only what is longer than 64 GiB. Were that ever given, what is returned is too short to open: the
        // secret is lost, which costs a login, and never stored in the clear.
        if let Ok(text) = self.cipher.encrypt(&Nonce::<Aes256Gcm>::from(nonce), payload) {
            sealed.extend_from_slice(&text);
        }
        sealed
    }

    /// Opens what was sealed under this key with the same context; nothing otherwise, whatever the reason.
    pub fn unseal(&self, context: &[u8], sealed: &[u8]) -> Option<Secret> {
        let (version, rest) = sealed.split_first()?;
        let (nonce, text) = rest.split_first_chunk::<NONCE_BYTES>()?;
        if *version != VERSION {
            return None;
        }
        let payload = Payload { msg: text, aad: &associated(context) };
        let plain = self.cipher.decrypt(&Nonce::<Aes256Gcm>::from(*nonce), payload).ok()?;
        Some(Secret::new(plain))
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(..)")
    }
}

/// The version is authenticated with the context, so that a later version cannot be passed off as this one.
fn associated(context: &[u8]) -> Vec<u8> {
    [&[VERSION], context].concat()
}

fn parse_key(text: &[u8]) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    if let Ok(raw) = <[u8; KEY_BYTES]>::try_from(text) {
        return Some(Zeroizing::new(raw));
    }
    let decoded = Zeroizing::new(BASE64.decode(text.trim_ascii()).ok()?);
    Some(Zeroizing::new(<[u8; KEY_BYTES]>::try_from(decoded.as_slice()).ok()?))
}

/// Writes a new key beside its place and links it there: a reader never sees half a key, and of two processes that
/// start together one wins and both read the winner's.
fn create(path: &Path) -> Result<(), SealKeyFault> {
    let io = |error| SealKeyFault::Io(path.to_owned(), error);
    let mut key = Zeroizing::new([0_u8; KEY_BYTES]);
    SysRng.try_fill_bytes(&mut *key)?;
    let mut text = Zeroizing::new(BASE64.encode(*key));
    text.push('\n');

    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(io)?;
    let draft = path.with_extension(format!("{:016x}.new", rand::random::<u64>()));
    let written = write_and_link(&draft, path, text.as_bytes());
    // Linked or not, the draft has served; a leftover would only be a spare key nobody uses.
    let _ = std::fs::remove_file(&draft);
    written.and_then(|()| File::open(directory)?.sync_all()).map_err(io)
}

fn write_and_link(draft: &Path, path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    file.write_all(text)?;
    file.sync_all()?;
    match std::fs::hard_link(draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    }
}

#[cfg(test)]
mod tests;
