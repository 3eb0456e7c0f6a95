//! What is true of the embedded store alone: its file, its lock, its end, and the battery on top of both.

mod fault;
mod kill;

use super::{Embedded, OpenFault, file, tables};
use crate::battery;
use crate::contract::Store;
use crate::scratch::Scratch;
use pimap_types::AccountKey;
use pimap_types::rows::Batch;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn put(key: &[u8], value: &[u8]) -> Batch {
    Batch { rows: vec![(key.to_vec(), Some(value.to_vec()))], index: Vec::new() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn embedded_passes_the_battery_across_reopening() {
    let scratch = Scratch::new();
    battery::run_durable(async |place| {
        let store = Embedded::open(&scratch.path().join(place)).expect("opened");
        Box::new(store) as Box<dyn Store>
    })
    .await;
}

#[test]
fn directory_and_file_are_for_their_owner_only() {
    let scratch = Scratch::new();
    let directory = scratch.path().join("made/on/the/way");
    let store = Embedded::open(&directory).expect("opened");
    let mode = |path: &Path| fs::metadata(path).expect("metadata").permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    assert_eq!(mode(&directory.join("store.redb")), 0o600);
    drop(store);
}

#[test]
fn the_file_has_one_owner_at_a_time() {
    let scratch = Scratch::new();
    let first = Embedded::open(scratch.path()).expect("opened");
    let Err(fault) = Embedded::open(scratch.path()) else { panic!("opened twice") };
    assert!(matches!(fault, OpenFault::InUse(_)), "{fault}");
    assert!(fault.to_string().contains("another gateway"), "{fault}");
    drop(first);
    Embedded::open(scratch.path()).expect("free again once dropped");
}

#[test]
fn stores_that_start_together_make_one_file() {
    let scratch = Scratch::new();
    let opened: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| Embedded::open(scratch.path()))).collect();
        threads.into_iter().map(|thread| thread.join().expect("joined")).collect()
    });
    // They are all held here, so exactly one has the file, and what was made on the way is swept or linked.
    assert_eq!(opened.iter().filter(|result| result.is_ok()).count(), 1);
    drop(opened);
    drop(Embedded::open(scratch.path()).expect("opened again"));
    assert_eq!(fs::read_dir(scratch.path()).expect("listed").count(), 1);
}

#[test]
fn a_draft_left_by_a_kill_is_swept_away() {
    let scratch = Scratch::new();
    fs::write(scratch.path().join("store.redb.00.new"), [0; 4_096]).expect("written");
    fs::write(scratch.path().join("seal.key"), b"not ours").expect("written");
    let store = Embedded::open(scratch.path()).expect("opened");
    let listed = fs::read_dir(scratch.path()).expect("listed").map(|entry| entry.expect("entry").file_name());
    let mut names: Vec<_> = listed.collect();
    names.sort();
    assert_eq!(names, ["seal.key", "store.redb"]);
    drop(store);
}

#[test]
fn what_is_no_store_is_refused_and_left_alone() {
    let scratch = Scratch::new();
    let path = scratch.path().join("store.redb");
    fs::write(&path, b"something else that somebody may need").expect("written");
    let Err(fault) = Embedded::open(scratch.path()) else { panic!("opened") };
    assert!(matches!(fault, OpenFault::Refused(..)), "{fault}");
    assert_eq!(fs::read(&path).expect("read"), b"something else that somebody may need");

    let Err(fault) = Embedded::open(&path) else { panic!("opened below a file") };
    assert!(matches!(fault, OpenFault::Io(..)), "{fault}");
}

#[test]
fn a_format_of_the_future_is_refused() {
    let scratch = Scratch::new();
    let path = file::prepare(scratch.path()).expect("prepared");
    let database = file::open(&path).expect("opened");
    tables::set_format(&database, tables::FORMAT + 1).expect("written");
    drop(database);
    let Err(fault) = Embedded::open(scratch.path()) else { panic!("opened") };
    assert!(matches!(fault, OpenFault::Format { found: 2, known: 1, .. }), "{fault}");
}

#[tokio::test]
async fn dropping_the_store_finishes_what_stands_in_line() {
    let scratch = Scratch::new();
    let account = AccountKey::new("joe");
    let store = Embedded::open(scratch.path()).expect("opened");
    let answers: Vec<_> = (0..100_u8).map(|n| store.commit(&account, put(&[n], b"kept"))).collect();
    drop(store);
    for answer in answers {
        answer.await.expect("durable although the store is gone");
    }
    let store = Embedded::open(scratch.path()).expect("opened again");
    assert_eq!(store.load(&account).await.expect("loaded").rows.len(), 100);
}

#[tokio::test]
async fn a_line_that_grows_without_end_is_refused() {
    let scratch = Scratch::new();
    let account = AccountKey::new("joe");
    let store = Embedded::open(scratch.path()).expect("opened");
    // As if that much were waiting already: what is tested is the refusal, not the disk.
    store.backlog.store(super::STORE_BACKLOG_BYTES_MAX, std::sync::atomic::Ordering::Relaxed);
    store.commit(&account, put(b"a", b"")).await.expect_err("too far behind");
    store.backlog.store(0, std::sync::atomic::Ordering::Relaxed);
    store.commit(&account, put(b"b", b"")).await.expect_err("behind the hole");
    assert_eq!(store.load(&account).await.expect("loaded").rows, Vec::new());
    store.commit(&account, put(b"c", b"")).await.expect("mended by loading");
    assert_eq!(store.backlog.load(std::sync::atomic::Ordering::Relaxed), 0, "what was stored weighs nothing");
}
