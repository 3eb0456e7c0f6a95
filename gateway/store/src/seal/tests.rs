//! Seals open under the same key and context and under nothing else; key files are made, read and refused as told.

use super::{KEY_BYTES, NONCE_BYTES, SealKeyFault, Sealer, TAG_BYTES};
use crate::scratch::Scratch;
use base64::Engine;
use pimap_types::Secret;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

fn write(path: &Path, content: &[u8], mode: u32) {
    fs::write(path, content).expect("key file written");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("mode set");
}

fn sealer(scratch: &Scratch) -> (Sealer, PathBuf) {
    let path = scratch.path().join("seal.key");
    (Sealer::open_or_create(&path).expect("a key is made"), path)
}

#[test]
fn what_is_sealed_opens_again_also_after_a_restart() {
    let scratch = Scratch::new();
    let (first, path) = sealer(&scratch);
    for plain in [&b""[..], b"p", b"correct horse", &[0xFF; 5_000]] {
        let sealed = first.seal(b"joe", &Secret::new(plain));
        let again = Sealer::open_or_create(&path).expect("the key is read");
        assert_eq!(again.unseal(b"joe", &sealed), Some(Secret::new(plain)));
        assert_eq!(sealed.len(), 1 + NONCE_BYTES + plain.len() + TAG_BYTES);
    }
}

#[test]
fn a_seal_hides_its_secret_and_never_repeats() {
    let scratch = Scratch::new();
    let (sealer, _) = sealer(&scratch);
    let secret = Secret::new(*b"correct horse");
    let (one, two) = (sealer.seal(b"joe", &secret), sealer.seal(b"joe", &secret));
    assert_ne!(one, two, "a fresh nonce each time");
    assert!(!one.windows(7).any(|window| window == b"correct"));
    assert_eq!(format!("{sealer:?}"), "Sealer(..)");
}

#[test]
fn a_seal_opens_nowhere_else() {
    let scratch = Scratch::new();
    let (sealer, _) = sealer(&scratch);
    let sealed = sealer.seal(b"joe", &Secret::new(*b"correct horse"));
    assert_eq!(sealer.unseal(b"eve", &sealed), None, "another account");
    assert_eq!(sealer.unseal(b"", &sealed), None, "no context");

    let other = scratch.path().join("other.key");
    let other = Sealer::open_or_create(&other).expect("another key is made");
    assert_eq!(other.unseal(b"joe", &sealed), None, "another key");
}

#[test]
fn every_flipped_bit_and_every_cut_is_noticed() {
    let scratch = Scratch::new();
    let (sealer, _) = sealer(&scratch);
    let sealed = sealer.seal(b"joe", &Secret::new(*b"correct horse"));
    for bit in 0..sealed.len() * 8 {
        let mut bad = sealed.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(sealer.unseal(b"joe", &bad), None, "bit {bit}");
    }
    for length in 0..sealed.len() {
        assert_eq!(sealer.unseal(b"joe", &sealed[..length]), None, "cut to {length}");
    }
}

#[test]
fn a_new_key_file_is_for_its_owner_only_and_leaves_no_draft() {
    let scratch = Scratch::new();
    let path = scratch.path().join("made/on/the/way/seal.key");
    Sealer::open_or_create(&path).expect("directories and key are made");
    let mode = |path: &Path| fs::metadata(path).expect("metadata").permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    let directory = path.parent().expect("a parent");
    assert_eq!(mode(directory), 0o700);
    assert_eq!(fs::read_dir(directory).expect("listed").count(), 1);
}

#[test]
fn sealers_that_start_together_agree_on_one_key() {
    let scratch = Scratch::new();
    let path = scratch.path().join("seal.key");
    let sealers: Vec<Sealer> = std::thread::scope(|scope| {
        let start = || Sealer::open_or_create(&path).expect("opened or made");
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
        threads.into_iter().map(|thread| thread.join().expect("joined")).collect()
    });
    let sealed = sealers[0].seal(b"joe", &Secret::new(*b"x"));
    assert!(sealers.iter().all(|sealer| sealer.unseal(b"joe", &sealed).is_some()));
}

#[test]
fn an_operators_key_is_taken_raw_or_in_base64() {
    let scratch = Scratch::new();
    let key: [u8; KEY_BYTES] = std::array::from_fn(|at| at as u8 ^ 0x80);
    let text = base64::engine::general_purpose::STANDARD.encode(key);
    let (raw, lined) = (scratch.path().join("raw"), scratch.path().join("lined"));
    write(&raw, &key, 0o400);
    write(&lined, format!("  {text}\r\n").as_bytes(), 0o444);
    let raw = Sealer::open_or_create(&raw).expect("raw");
    let lined = Sealer::open_or_create(&lined).expect("base64 between blanks, readable by others");
    let sealed = raw.seal(b"joe", &Secret::new(*b"x"));
    assert_eq!(lined.unseal(b"joe", &sealed), Some(Secret::new(*b"x")));
}

#[test]
fn what_is_no_key_is_refused_and_left_alone() {
    let scratch = Scratch::new();
    let path = scratch.path().join("seal.key");
    for content in [&b""[..], b"\n", b"hunter2\n", &[7; 31], &[7; 33], &[b'A'; 5_000]] {
        write(&path, content, 0o600);
        let fault = Sealer::open_or_create(&path).expect_err("no key");
        assert!(matches!(fault, SealKeyFault::Unreadable(_)), "{fault}");
        assert_eq!(fs::read(&path).expect("still there"), content);
    }
    write(&path, &[7; KEY_BYTES], 0o622);
    let fault = Sealer::open_or_create(&path).expect_err("others may write");
    assert!(matches!(fault, SealKeyFault::Writable(_, 0o622)), "{fault}");
    let fault = Sealer::open_or_create(scratch.path()).expect_err("a directory");
    assert!(!fault.to_string().is_empty());
}
