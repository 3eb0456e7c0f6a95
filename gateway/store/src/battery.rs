//! The battery: what every backend must pass, told as scenes.
//!
//! In goes a way to open a store at a named place; a place never opened before is empty. Each scene uses a place of its
//! own, so the scenes of one run cannot disturb each other. [`run`] holds what is true of any store, [`run_durable`] adds
//! what is true of one that outlives its process, where opening a place again after `close` finds what was left there.

mod hostile;
mod many;

use crate::contract::Store;
use pimap_types::rows::{Batch, IndexChange, IndexKey, RowChange, Rows};
use pimap_types::{AccountKey, DeviceId};

/// Runs all scenes that need no reopening.
pub async fn run(open: impl AsyncFn(&'static str) -> Box<dyn Store>) {
    an_empty_store_knows_nothing(&*open("empty").await).await;
    rows_come_back_in_key_order(&*open("order-of-keys").await).await;
    a_later_entry_of_a_batch_wins(&*open("later-wins").await).await;
    what_is_acknowledged_is_seen(&*open("seen").await).await;
    accounts_are_found_by_index(&*open("index").await).await;
    a_dropped_answer_withdraws_nothing(&*open("dropped").await).await;
    a_closed_store_refuses_after_finishing_the_line(&*open("closed").await).await;
    hostile::names_do_not_reach_into_each_other(&*open("names").await).await;
    hostile::any_octets_are_kept(&*open("octets").await).await;
    hostile::limits_are_met_and_not_passed(&*open("limits").await).await;
    hostile::nothing_is_stored_behind_a_hole(&*open("hole").await).await;
    many::batches_in_line_keep_their_order(&*open("line").await).await;
    many::readers_see_whole_batches_only(&*open("whole").await).await;
    many::random_batches_agree_with_a_plain_map(&*open("random").await).await;
}

/// Runs all scenes, those across a reopening included.
pub async fn run_durable(open: impl AsyncFn(&'static str) -> Box<dyn Store>) {
    run(&open).await;
    what_was_acknowledged_survives_reopening(&open).await;
}

async fn an_empty_store_knows_nothing(store: &dyn Store) {
    let loaded = store.load(&account("nobody")).await.expect("loaded");
    assert_eq!((loaded.rows, loaded.doubt), (Rows::new(), false));
    assert_eq!(store.accounts().await, Ok(Vec::new()));
    assert_eq!(store.find(&cookie(1)).await, Ok(Vec::new()));
    assert_eq!(store.check().await, Ok(()));
    assert_eq!(
        store.commit(&account("nobody"), Batch::default()).await,
        Ok(()),
        "an empty batch is no fault"
    );
    assert_eq!(store.load(&account("nobody")).await.expect("loaded").rows, Rows::new());
}

async fn rows_come_back_in_key_order(store: &dyn Store) {
    let joe = account("joe");
    store
        .commit(&joe, rows([put("b", "2"), put("", "0"), put("a\0", "1"), put("a", "")]))
        .await
        .expect("stored");
    assert_eq!(contents(store, &joe).await, kept([("", "0"), ("a", ""), ("a\0", "1"), ("b", "2")]));
    store.commit(&joe, rows([put("b", "two"), delete("a"), delete("never there")])).await.expect("stored");
    assert_eq!(contents(store, &joe).await, kept([("", "0"), ("a\0", "1"), ("b", "two")]));
    store.commit(&joe, rows([delete(""), delete("a\0"), delete("b")])).await.expect("stored");
    assert_eq!(contents(store, &joe).await, Rows::new());
}

async fn a_later_entry_of_a_batch_wins(store: &dyn Store) {
    let joe = account("joe");
    let batch = rows([put("a", "1"), put("b", "1"), put("a", "2"), delete("b"), delete("c"), put("c", "3")]);
    store.commit(&joe, batch).await.expect("stored");
    assert_eq!(contents(store, &joe).await, kept([("a", "2"), ("c", "3")]));

    let mut batch = rows([]);
    batch.index = vec![present(cookie(1)), absent(cookie(1)), absent(cookie(2)), present(cookie(2))];
    store.commit(&joe, batch).await.expect("stored");
    assert_eq!(store.find(&cookie(1)).await, Ok(Vec::new()));
    assert_eq!(store.find(&cookie(2)).await, Ok(vec![joe]));
}

async fn what_is_acknowledged_is_seen(store: &dyn Store) {
    let joe = account("joe");
    for number in 0..50 {
        let value = number.to_string();
        store.commit(&joe, rows([put("n", &value)])).await.expect("stored");
        assert_eq!(contents(store, &joe).await, kept([("n", value.as_str())]));
    }
}

async fn accounts_are_found_by_index(store: &dyn Store) {
    let (joe, eve) = (account("joe"), account("eve"));
    let phone = |name| IndexKey::Device(DeviceId::new(name).expect("a device ID"));
    let with = |index| Batch { rows: vec![put("a", "")], index };
    let joes = with(vec![present(cookie(1)), present(phone("phone")), present(phone("phone1"))]);
    store.commit(&joe, joes).await.expect("stored");
    let eves = with(vec![present(cookie(2)), present(phone("phone"))]);
    store.commit(&eve, eves).await.expect("stored");

    assert_found(store, &cookie(1), &[&joe]).await;
    assert_found(store, &cookie(2), &[&eve]).await;
    assert_found(store, &cookie(3), &[]).await;
    assert_found(store, &phone("phone"), &[&eve, &joe]).await;
    assert_found(store, &phone("phone1"), &[&joe]).await;
    assert_found(store, &phone("phon"), &[]).await;

    // Eve gives up her phone and, wrongly, Joe's cookie: each account disposes of its own entries only.
    let gone = Batch { rows: Vec::new(), index: vec![absent(phone("phone")), absent(cookie(1))] };
    store.commit(&eve, gone).await.expect("stored");
    assert_found(store, &phone("phone"), &[&joe]).await;
    assert_found(store, &cookie(1), &[&joe]).await;
    assert_found(store, &cookie(2), &[&eve]).await;
}

async fn a_dropped_answer_withdraws_nothing(store: &dyn Store) {
    let joe = account("joe");
    drop(store.commit(&joe, rows([put("a", "1")])));
    store.commit(&joe, rows([put("b", "2")])).await.expect("stored");
    assert_eq!(contents(store, &joe).await, kept([("a", "1"), ("b", "2")]));
}

async fn a_closed_store_refuses_after_finishing_the_line(store: &dyn Store) {
    let joe = account("joe");
    let before = store.commit(&joe, rows([put("a", "1")]));
    let closing = store.close();
    let after = store.commit(&joe, rows([put("b", "2")]));
    before.await.expect("in line before the end");
    closing.await.expect("closed");
    after.await.expect_err("behind the end");
    store.commit(&joe, rows([put("c", "3")])).await.expect_err("closed");
    store.load(&joe).await.expect_err("closed");
    store.find(&cookie(1)).await.expect_err("closed");
    store.accounts().await.expect_err("closed");
    store.check().await.expect_err("closed");
    store.close().await.expect("closing twice is closing");
}

async fn what_was_acknowledged_survives_reopening(open: impl AsyncFn(&'static str) -> Box<dyn Store>) {
    let names = ["joe", "eve", "joe@example.org"].map(account);
    for life in 0..3_u8 {
        let store = open("reopened").await;
        for (at, name) in names.iter().enumerate() {
            let before = life.checked_sub(1).map(|old| old.to_string());
            let expected: Vec<_> = before.iter().map(|old| ("life", old.as_str())).collect();
            let loaded = store.load(name).await.expect("loaded");
            assert_eq!(loaded.rows, kept(expected), "life {life}");
            assert!(!loaded.doubt, "closed in good order");
            let hash = |life: u8| cookie(10 * life + at as u8);
            let mut batch = rows([put("life", life.to_string()), put("gone", ""), delete("gone")]);
            batch.index.push(present(hash(life)));
            if let Some(old) = life.checked_sub(1) {
                assert_found(&*store, &hash(old), &[name]).await;
                batch.index.push(absent(hash(old)));
            }
            store.commit(name, batch).await.expect("stored");
        }
        assert_eq!(sorted(store.accounts().await.expect("listed")), sorted(names.to_vec()));
        store.close().await.expect("closed");
    }
    let store = open("reopened").await;
    assert_found(&*store, &cookie(0), &[]).await;
}

fn account(name: &str) -> AccountKey {
    AccountKey::new(name)
}

fn cookie(number: u8) -> IndexKey {
    IndexKey::Cookie([number; 32])
}

fn put(key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> RowChange {
    (key.as_ref().to_vec(), Some(value.as_ref().to_vec()))
}

fn delete(key: impl AsRef<[u8]>) -> RowChange {
    (key.as_ref().to_vec(), None)
}

fn rows(rows: impl Into<Vec<RowChange>>) -> Batch {
    Batch { rows: rows.into(), index: Vec::new() }
}

fn present(key: IndexKey) -> IndexChange {
    IndexChange { key, present: true }
}

fn absent(key: IndexKey) -> IndexChange {
    IndexChange { key, present: false }
}

fn kept<'a>(rows: impl IntoIterator<Item = (&'a str, &'a str)>) -> Rows {
    rows.into_iter().map(|(key, value)| (key.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
}

async fn contents(store: &dyn Store, account: &AccountKey) -> Rows {
    store.load(account).await.expect("loaded").rows
}

async fn assert_found(store: &dyn Store, key: &IndexKey, expected: &[&AccountKey]) {
    assert_eq!(found(store, key).await.iter().collect::<Vec<_>>(), expected, "under {key:?}");
}

async fn found(store: &dyn Store, key: &IndexKey) -> Vec<AccountKey> {
    sorted(store.find(key).await.expect("found"))
}

fn sorted(mut accounts: Vec<AccountKey>) -> Vec<AccountKey> {
    accounts.sort();
    accounts
}
