//! A medium that fails: every single write, growth and sync of a run is made to fail once, and a full disk gets room.

use crate::contract::Store;
use crate::embedded::{Embedded, OpenFault, file, tables};
use crate::scratch::Scratch;
use pimap_types::AccountKey;
use pimap_types::rows::{Batch, Rows, StoreFault};
use redb::backends::FileBackend;
use redb::{Builder, Database, StorageBackend};
use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// When the medium fails: at the operation of this number and, if so wished, at all that follow.
#[derive(Debug, Default)]
struct Plan {
    done: AtomicU64,
    fail_from: AtomicU64,
    fail_until: AtomicU64,
}

impl Plan {
    fn fails(&self, from: u64, until: u64) {
        self.done.store(0, Ordering::SeqCst);
        self.fail_from.store(from, Ordering::SeqCst);
        self.fail_until.store(until, Ordering::SeqCst);
    }

    fn step(&self, kind: io::ErrorKind) -> io::Result<()> {
        let number = self.done.fetch_add(1, Ordering::SeqCst);
        let failing = self.fail_from.load(Ordering::SeqCst)..self.fail_until.load(Ordering::SeqCst);
        if failing.contains(&number) { Err(kind.into()) } else { Ok(()) }
    }
}

#[derive(Debug)]
struct Medium {
    file: FileBackend,
    plan: Arc<Plan>,
    kind: io::ErrorKind,
}

impl StorageBackend for Medium {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.plan.step(self.kind)?;
        self.file.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.plan.step(self.kind)?;
        self.file.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.plan.step(self.kind)?;
        self.file.write(offset, data)
    }
    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}

fn open(path: &Path, plan: &Arc<Plan>, kind: io::ErrorKind) -> Result<Database, OpenFault> {
    let refused = |error: redb::Error| OpenFault::Refused(path.to_owned(), Box::new(error));
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .map_err(|e| OpenFault::Io(path.to_owned(), e))?;
    let file = FileBackend::new(file).map_err(|error| refused(error.into()))?;
    let medium = Medium { file, plan: Arc::clone(plan), kind };
    let database = Builder::new().set_cache_size(1 << 20).create_with_backend(medium);
    let database = database.map_err(|error| refused(error.into()))?;
    tables::format(&database).map_err(refused)?;
    Ok(database)
}

/// A store whose medium fails as planned; it is whole at first.
fn store(scratch: &Scratch, kind: io::ErrorKind) -> (Embedded, Arc<Plan>) {
    let path = file::prepare(scratch.path()).expect("prepared");
    let plan = Arc::new(Plan::default());
    let opener_plan = Arc::clone(&plan);
    let store = Embedded::start(Box::new(move || open(&path, &opener_plan, kind))).expect("opened");
    (store, plan)
}

/// A batch of two rows that belong together, heavy enough to make the file grow now and then.
fn pair(number: u8) -> Batch {
    let value = vec![number; 40_000];
    let rows = [b"left", &b"right"[..]].map(|side| (side.to_vec(), Some(value.clone())));
    Batch { rows: rows.to_vec(), index: Vec::new() }
}

/// Which batch is stored; both its rows must be there.
fn number_of(rows: &Rows) -> Option<u8> {
    let numbers: Vec<Option<u8>> = rows.iter().map(|(_, value)| value.first().copied()).collect();
    match numbers[..] {
        [] => None,
        [left, right] => {
            assert_eq!(left, right, "half a batch is stored");
            left
        }
        _ => panic!("{} rows", rows.len()),
    }
}

#[tokio::test]
async fn each_failing_operation_leaves_whole_batches_and_a_store_that_goes_on() {
    let account = AccountKey::new("joe");
    let (mut failed, mut at) = (0, 0);
    // Until a run has fewer operations than the one that is to fail.
    loop {
        let scratch = Scratch::new();
        let (store, plan) = store(&scratch, io::ErrorKind::Other);
        plan.fails(at, at + 1);
        let mut acknowledged = None;
        let mut faults = 0;
        for number in 1..=6 {
            // Only one operation fails, so the second try must pass.
            while store.commit(&account, pair(number)).await.is_err() {
                faults += 1;
                assert!(faults == 1, "operation {at}: the store came back after one fault");
                let stored = number_of(&store.load(&account).await.expect("loaded after the fault").rows);
                assert!(
                    stored == acknowledged || stored == Some(number),
                    "operation {at}: {stored:?} is stored, {acknowledged:?} was acknowledged"
                );
            }
            acknowledged = Some(number);
        }
        if store.check().await.is_err() {
            faults += 1;
            store.check().await.expect("ready again");
        }
        assert!(faults <= 1, "operation {at}: {faults} faults of one failure");
        // Closing is among the operations that fail; then the next opening has a repair to do.
        drop(store);
        let reached = plan.done.load(Ordering::SeqCst) > at;
        let store = Embedded::open(scratch.path()).expect("opened on a sound medium");
        assert_eq!(number_of(&store.load(&account).await.expect("loaded").rows), Some(6));
        failed += faults;
        if !reached {
            break;
        }
        at += 1;
    }
    assert!(at > 20 && failed > 20, "{failed} faults were seen at {at} operations");
}

#[tokio::test]
async fn a_full_disk_is_named_and_left_behind_when_there_is_room() {
    let scratch = Scratch::new();
    let (joe, eve) = (AccountKey::new("joe"), AccountKey::new("eve"));
    let (store, plan) = store(&scratch, io::ErrorKind::StorageFull);
    store.commit(&joe, pair(1)).await.expect("room at first");

    plan.fails(0, u64::MAX);
    let (second, third) = (store.commit(&joe, pair(2)), store.commit(&joe, pair(3)));
    assert_eq!(second.await, Err(StoreFault::Full));
    third.await.expect_err("nothing behind a hole");
    assert_eq!(store.check().await, Err(StoreFault::Full));
    assert_eq!(store.commit(&eve, pair(1)).await, Err(StoreFault::Full));

    plan.fails(0, 0);
    store.check().await.expect("room again: the check itself brings the store back");
    store.commit(&joe, pair(4)).await.expect_err("joe must be loaded first");
    let stored = number_of(&store.load(&joe).await.expect("loaded").rows);
    assert_eq!(stored, Some(1), "what was acknowledged, and nothing of what was refused");
    store.commit(&joe, pair(5)).await.expect("stored");
    drop(store);

    let store = Embedded::open(scratch.path()).expect("opened on a sound medium");
    assert_eq!(number_of(&store.load(&joe).await.expect("loaded").rows), Some(5));
    assert_eq!(number_of(&store.load(&eve).await.expect("loaded").rows), None);
}
