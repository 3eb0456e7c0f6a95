//! The tables of the file and the reads and writes on them.
//!
//! Rows are keyed (account, row key) as a pair, not joined by a separator: an account's name is a login name, and a name
//! with any octet in it must not reach into another account's rows. All rows of an account stand together.

use pimap_types::AccountKey;
use pimap_types::limits::STORE_FOUND_ACCOUNTS_MAX;
use pimap_types::rows::{Batch, IndexKey, Rows};
use redb::{
    Database, Durability, Error, ReadTransaction, ReadableDatabase, ReadableTable, Table, TableDefinition,
    TableError, WriteTransaction,
};

/// The format of the tables below; raised when they change.
pub(super) const FORMAT: u64 = 1;

const ROWS: TableDefinition<(&str, &[u8]), &[u8]> = TableDefinition::new("rows");
/// Entry and account → nothing: an entry may have several accounts.
const INDEX: TableDefinition<(&[u8], &str), ()> = TableDefinition::new("index");
const FACTS: TableDefinition<&str, u64> = TableDefinition::new("facts");
const FORMAT_FACT: &str = "format";
const CHECKED_FACT: &str = "checked";

/// The file's format. A new file gets ours, with its tables, so that no reader meets a missing table.
pub(super) fn format(database: &Database) -> Result<u64, Error> {
    match database.begin_read()?.open_table(FACTS) {
        Ok(facts) => Ok(facts.get(FORMAT_FACT)?.map_or(0, |format| format.value())),
        Err(TableError::TableDoesNotExist(_)) => {
            let writing = begin(database)?;
            writing.open_table(ROWS)?;
            writing.open_table(INDEX)?;
            writing.open_table(FACTS)?.insert(FORMAT_FACT, FORMAT)?;
            writing.commit()?;
            Ok(FORMAT)
        }
        Err(error) => Err(error.into()),
    }
}

/// Makes several batches durable in one transaction.
pub(super) fn write<'a>(
    database: &Database,
    batches: impl Iterator<Item = (&'a AccountKey, &'a Batch)>,
) -> Result<(), Error> {
    let writing = begin(database)?;
    {
        let mut rows = writing.open_table(ROWS)?;
        let mut index = writing.open_table(INDEX)?;
        for (account, batch) in batches {
            apply(&mut rows, &mut index, account.as_str(), batch)?;
        }
    }
    Ok(writing.commit()?)
}

/// Writes something, to learn whether that works.
pub(super) fn check(database: &Database) -> Result<(), Error> {
    let writing = begin(database)?;
    {
        let mut facts = writing.open_table(FACTS)?;
        let before = facts.get(CHECKED_FACT)?.map_or(0, |count| count.value());
        facts.insert(CHECKED_FACT, before.wrapping_add(1))?;
    }
    Ok(writing.commit()?)
}

fn begin(database: &Database) -> Result<WriteTransaction, Error> {
    let mut writing = database.begin_write()?;
    // On disk before it is acknowledged. Quick repair stays off: it would cost each commit 0.2 ms to spare a killed
    // gateway a second at its next start.
    writing.set_durability(Durability::Immediate)?;
    writing.set_quick_repair(false);
    Ok(writing)
}

fn apply(
    rows: &mut Table<'_, (&str, &[u8]), &[u8]>,
    index: &mut Table<'_, (&[u8], &str), ()>,
    account: &str,
    batch: &Batch,
) -> Result<(), Error> {
    for (key, value) in &batch.rows {
        match value {
            Some(value) => rows.insert((account, key.as_slice()), value.as_slice())?,
            None => rows.remove((account, key.as_slice()))?,
        };
    }
    for change in &batch.index {
        let entry = entry(&change.key);
        if change.present {
            index.insert((entry.as_slice(), account), ())?;
        } else {
            index.remove((entry.as_slice(), account))?;
        }
    }
    Ok(())
}

/// All rows of an account in key order.
pub(super) fn rows(snapshot: &ReadTransaction, account: &AccountKey) -> Result<Rows, Error> {
    let table = snapshot.open_table(ROWS)?;
    let name = account.as_str();
    let after = successor(name);
    let mut rows = Rows::new();
    for row in table.range((name, &b""[..])..(after.as_str(), &b""[..]))? {
        let (key, value) = row?;
        rows.push((key.value().1.to_vec(), value.value().to_vec()));
    }
    Ok(rows)
}

/// The accounts that have rows. Leaps from account to account instead of reading every row.
pub(super) fn accounts(snapshot: &ReadTransaction) -> Result<Vec<AccountKey>, Error> {
    let table = snapshot.open_table(ROWS)?;
    let mut accounts = Vec::new();
    let mut from = String::new();
    while let Some(row) = table.range((from.as_str(), &b""[..])..)?.next() {
        let (key, _) = row?;
        let account = key.value().0;
        accounts.push(AccountKey::new(account));
        from = successor(account);
    }
    Ok(accounts)
}

/// The accounts under an index entry.
pub(super) fn find(snapshot: &ReadTransaction, key: &IndexKey) -> Result<Vec<AccountKey>, Error> {
    let table = snapshot.open_table(INDEX)?;
    let entry = entry(key);
    let mut accounts = Vec::new();
    for found in table.range((entry.as_slice(), "")..)?.take(STORE_FOUND_ACCOUNTS_MAX) {
        let (found, _) = found?;
        let (of, account) = found.value();
        if of != entry.as_slice() {
            break;
        }
        accounts.push(AccountKey::new(account));
    }
    Ok(accounts)
}

/// An index entry's octets: its kind first, so that no device ID can pose as a cookie, nor either as a session.
fn entry(key: &IndexKey) -> Vec<u8> {
    match key {
        IndexKey::Cookie(hash) => [&b"c"[..], hash].concat(),
        IndexKey::Session(hash) => [&b"s"[..], hash].concat(),
        IndexKey::Device(device) => [&b"d"[..], device.as_str().as_bytes()].concat(),
    }
}

/// The least name that is greater.
fn successor(name: &str) -> String {
    [name, "\0"].concat()
}

/// Pretends that another version wrote the file.
#[cfg(test)]
pub(super) fn set_format(database: &Database, format: u64) -> Result<(), Error> {
    let writing = begin(database)?;
    writing.open_table(FACTS)?.insert(FORMAT_FACT, format)?;
    Ok(writing.commit()?)
}
