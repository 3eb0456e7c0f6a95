//! Scenes with many batches at once: order, atomicity as readers see it, and agreement with a plain map.

use super::{account, contents, delete, put, rows, sorted};
use crate::contract::Store;
use pimap_types::AccountKey;
use pimap_types::rows::{Batch, IndexChange, IndexKey, Rows};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};

pub(super) async fn batches_in_line_keep_their_order(store: &dyn Store) {
    const BATCHES: u32 = 200;
    let (joe, eve) = (account("joe"), account("eve"));
    let mut answers = Vec::new();
    for number in 0..BATCHES {
        // Each batch overwrites one row, adds its own and deletes that of the batch before: any swap would show.
        let batch = || {
            let mut batch = rows([put("last", number.to_be_bytes()), put(number.to_be_bytes(), "")]);
            batch.rows.extend(number.checked_sub(1).map(|before| delete(before.to_be_bytes())));
            batch
        };
        answers.push(store.commit(&joe, batch()));
        answers.push(store.commit(&eve, batch()));
    }
    // Asked for the last one first: the place in line was taken when commit was called.
    while let Some(answer) = answers.pop() {
        answer.await.expect("stored");
    }
    let last = (BATCHES - 1).to_be_bytes();
    let expected: Rows = vec![(last.to_vec(), Vec::new()), (b"last".to_vec(), last.to_vec())];
    assert_eq!(contents(store, &joe).await, expected);
    assert_eq!(contents(store, &eve).await, expected);
}

pub(super) async fn readers_see_whole_batches_only(store: &dyn Store) {
    const ROUNDS: u32 = 30;
    let accounts: Vec<AccountKey> = (0..32).map(|n| account(&format!("user{n}"))).collect();
    for round in 0..ROUNDS {
        let value = round.to_string().repeat(100);
        let whole = || rows([put("left", &value), put("middle", &value), put("right", &value)]);
        let answers: Vec<_> = accounts.iter().map(|name| store.commit(name, whole())).collect();
        // Read while the batches are on their way: an account has the old three values or the new three.
        for (name, answer) in accounts.iter().zip(answers) {
            let seen = contents(store, name).await;
            let values: BTreeSet<&Vec<u8>> = seen.iter().map(|(_, value)| value).collect();
            assert!(values.len() <= 1 && matches!(seen.len(), 0 | 3), "half a batch of {name:?} was seen");
            answer.await.expect("stored");
            let after = contents(store, name).await;
            assert!(
                after.len() == 3 && after.iter().all(|(_, kept)| kept == value.as_bytes()),
                "round {round}"
            );
        }
    }
    assert_eq!(sorted(store.accounts().await.expect("listed")), sorted(accounts));
}

/// What a store should hold, written down as plainly as can be.
#[derive(Default)]
struct Oracle {
    rows: BTreeMap<(AccountKey, Vec<u8>), Vec<u8>>,
    index: BTreeSet<(IndexKey, AccountKey)>,
}

impl Oracle {
    fn commit(&mut self, account: &AccountKey, batch: &Batch) {
        for (key, value) in &batch.rows {
            match value {
                Some(value) => self.rows.insert((account.clone(), key.clone()), value.clone()),
                None => self.rows.remove(&(account.clone(), key.clone())),
            };
        }
        for IndexChange { key, present } in &batch.index {
            let entry = (key.clone(), account.clone());
            if *present {
                self.index.insert(entry)
            } else {
                self.index.remove(&entry)
            };
        }
    }

    fn load(&self, account: &AccountKey) -> Rows {
        let own = self.rows.iter().filter(|((of, _), _)| of == account);
        own.map(|((_, key), value)| (key.clone(), value.clone())).collect()
    }

    fn find(&self, key: &IndexKey) -> Vec<AccountKey> {
        self.index.iter().filter(|(entry, _)| entry == key).map(|(_, account)| account.clone()).collect()
    }
}

pub(super) async fn random_batches_agree_with_a_plain_map(store: &dyn Store) {
    // A fixed seed: a failure is to be seen again, and the wanderings of one seed are long enough.
    let mut random = StdRng::seed_from_u64(6);
    let accounts: Vec<AccountKey> = ["a", "b", "ab", "a\0"].map(account).to_vec();
    let cookies: Vec<IndexKey> = (0..6).map(super::cookie).collect();
    let mut oracle = Oracle::default();
    for _ in 0..60 {
        let mut answers = Vec::new();
        for _ in 0..random.random_range(1..20) {
            let name = &accounts[random.random_range(0..accounts.len())];
            let batch = random_batch(&mut random, &cookies);
            oracle.commit(name, &batch);
            answers.push(store.commit(name, batch));
        }
        for answer in answers {
            answer.await.expect("stored");
        }
        for name in &accounts {
            assert_eq!(contents(store, name).await, oracle.load(name));
        }
        for key in &cookies {
            assert_eq!(super::found(store, key).await, oracle.find(key));
        }
    }
}

fn random_batch(random: &mut StdRng, cookies: &[IndexKey]) -> Batch {
    let mut batch = Batch::default();
    for _ in 0..random.random_range(0..12) {
        let key = vec![b'k'; random.random_range(0..6)];
        let weight = if random.random_bool(0.05) { 20_000 } else { 40 };
        let value = vec![random.random(); random.random_range(0..weight)];
        batch.rows.push((key, random.random_bool(0.7).then_some(value)));
    }
    for _ in 0..random.random_range(0..4) {
        let key = cookies[random.random_range(0..cookies.len())].clone();
        batch.index.push(IndexChange { key, present: random.random_bool(0.6) });
    }
    batch
}
