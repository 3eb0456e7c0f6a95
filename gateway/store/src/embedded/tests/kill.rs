//! kill -9 at random moments: a child process commits and prints what was acknowledged, the parent kills it and compares.
//!
//! The child is this test binary once more, told by an environment variable where to write. kill -9 keeps what the
//! kernel has; a power cut is redb's order of syncs and is not tried here.

use crate::contract::Store;
use crate::embedded::Embedded;
use crate::scratch::Scratch;
use pimap_types::AccountKey;
use pimap_types::rows::{Batch, IndexChange, IndexKey, StoreFault};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const DIRECTORY: &str = "PIMAP_STORE_KILL_DIRECTORY";
const TEST: &str = "embedded::tests::kill::acknowledged_batches_survive_kills";
const KILLS: u32 = 15;
const KILLS_WHILE_MADE: u32 = 10;
const ACCOUNTS: u64 = 8;
/// Batches of which an account keeps rows; older ones are deleted by the batch that comes.
const KEPT: u64 = 5;

fn account(number: u64) -> AccountKey {
    AccountKey::new(&format!("user{number}@example.org"))
}

fn cookie(account: u64, batch: u64) -> IndexKey {
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&account.to_be_bytes());
    hash[8..16].copy_from_slice(&batch.to_be_bytes());
    IndexKey::Cookie(hash)
}

fn row_key(batch: u64, side: u8) -> Vec<u8> {
    [&batch.to_be_bytes()[..], &[side]].concat()
}

/// Two rows and a cookie come, those of the oldest batch go; all or nothing.
fn batch(account: u64, number: u64) -> Batch {
    let value = vec![number as u8; 10 + (number as usize * 37) % 3_000];
    let mut batch = Batch::default();
    for side in [0, 1] {
        batch.rows.push((row_key(number, side), Some(value.clone())));
        if let Some(old) = number.checked_sub(KEPT) {
            batch.rows.push((row_key(old, side), None));
        }
    }
    batch.index.push(IndexChange { key: cookie(account, number), present: true });
    if let Some(old) = number.checked_sub(KEPT) {
        batch.index.push(IndexChange { key: cookie(account, old), present: false });
    }
    batch
}

/// The greatest batch stored, after checking that exactly it and those it kept are there, whole.
async fn check(store: &Embedded, number: u64) -> Option<u64> {
    let rows = store.load(&account(number)).await.expect("loaded").rows;
    let (last, _) = rows.last()?;
    let last = u64::from_be_bytes(last[..8].try_into().expect("eight octets"));
    let kept = last.saturating_sub(KEPT - 1)..=last;
    let keys: Vec<Vec<u8>> = rows.iter().map(|(key, _)| key.clone()).collect();
    let expected: Vec<Vec<u8>> = kept.clone().flat_map(|n| [row_key(n, 0), row_key(n, 1)]).collect();
    assert_eq!(keys, expected, "account {number}: no gap, no orphan");
    for n in last.saturating_sub(2 * KEPT)..=last + 1 {
        let found = store.find(&cookie(number, n)).await.expect("found");
        assert_eq!(!found.is_empty(), kept.contains(&n), "account {number}: index of batch {n}, last {last}");
    }
    Some(last)
}

/// Commits for all accounts at once until killed; a line per acknowledgement.
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn write_until_killed(directory: &Path) {
    std::io::stdout().write_all(b"opening\n").expect("the parent reads");
    let store = Arc::new(Embedded::open(directory).expect("opened"));
    let mut writers = Vec::new();
    for number in 0..ACCOUNTS {
        let next = check(&store, number).await.map_or(0, |last| last + 1);
        writers.push(tokio::spawn(write_account(Arc::clone(&store), number, next)));
    }
    for writer in writers {
        writer.await.expect("no panic").expect("stored");
    }
}

async fn write_account(store: Arc<Embedded>, number: u64, mut next: u64) -> Result<(), StoreFault> {
    loop {
        // Two in flight, so that order and holes are at stake too.
        let first = store.commit(&account(number), batch(number, next));
        let second = store.commit(&account(number), batch(number, next + 1));
        for answer in [first, second] {
            answer.await?;
            let line = format!("stored {number} {next}\n");
            std::io::stdout().write_all(line.as_bytes()).expect("the parent reads");
            next += 1;
        }
    }
}

fn start(directory: &Path) -> Child {
    Command::new(std::env::current_exe().expect("this binary"))
        // With one thread the harness would print the test's name before our first line.
        .args(["--exact", TEST, "--nocapture", "--test-threads=2"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the child starts")
}

/// Reads acknowledgements until enough are seen, kills, and reads what was still printed before the end.
fn run_and_kill(directory: &Path, acknowledged: &mut [Option<u64>], enough: u32, late: Duration) -> u32 {
    let mut child = start(directory);
    let mut output = BufReader::new(child.stdout.take().expect("piped"));
    let (mut seen, mut opening, mut killed) = (0, false, false);
    let mut line = String::new();
    while output.read_line(&mut line).expect("read") > 0 {
        // A line cut short by the kill was not an acknowledgement anybody saw.
        let words: Vec<&str> = line.trim_end().split(' ').collect();
        match (line.ends_with('\n'), &words[..]) {
            (true, ["opening"]) => opening = true,
            (true, ["stored", account, batch]) => {
                let account: usize = account.parse().expect("an account");
                acknowledged[account] = Some(batch.parse().expect("a batch"));
                seen += 1;
            }
            _ => {}
        }
        line.clear();
        if opening && seen >= enough && !killed {
            let moment = Instant::now() + late;
            while Instant::now() < moment {
                std::hint::spin_loop();
            }
            child.kill().expect("killed");
            killed = true;
        }
    }
    child.wait().expect("reaped");
    assert!(killed, "the child ended by itself after {seen} acknowledgements");
    seen
}

#[test]
fn acknowledged_batches_survive_kills() {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        return write_until_killed(Path::new(&directory));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    // Kills while the file is being made, each time in a fresh directory.
    for _ in 0..KILLS_WHILE_MADE {
        let scratch = Scratch::new();
        kill_and_check(&runtime, scratch.path(), &mut vec![None; ACCOUNTS as usize], 0);
    }
    // Kills anywhere in the round of write, sync and answer, all on one file.
    let scratch = Scratch::new();
    let mut acknowledged = vec![None; ACCOUNTS as usize];
    let mut total = 0;
    for _ in 0..KILLS {
        let enough = rand::random_range(1..200);
        total += kill_and_check(&runtime, scratch.path(), &mut acknowledged, enough);
    }
    assert!(total > KILLS, "only {total} acknowledgements were put to the test");
}

/// One life and death of a child, then the comparison of what it was told with what is stored.
fn kill_and_check(runtime: &Runtime, directory: &Path, acknowledged: &mut [Option<u64>], enough: u32) -> u32 {
    let late = Duration::from_micros(rand::random_range(0..3_000));
    let seen = run_and_kill(directory, acknowledged, enough, late);
    let store = Embedded::open(directory).expect("opened after the kill");
    for (number, acknowledged) in acknowledged.iter().enumerate() {
        let stored = runtime.block_on(check(&store, number as u64));
        assert!(
            stored >= *acknowledged,
            "account {number}: {acknowledged:?} acknowledged, {stored:?} stored"
        );
    }
    seen
}
