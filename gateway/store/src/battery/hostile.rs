//! Scenes with names, octets and sizes that somebody chose to do harm.

use super::{account, assert_found, contents, delete, kept, put, rows, sorted};
use crate::contract::Store;
use pimap_types::limits::{
    STORE_ACCOUNT_BYTES_MAX, STORE_BATCH_BYTES_MAX, STORE_BATCH_CHANGES_MAX, STORE_KEY_BYTES_MAX,
    STORE_VALUE_BYTES_MAX,
};
use pimap_types::rows::{Batch, IndexChange, IndexKey, RowChange, Rows, StoreFault};

pub(super) async fn names_do_not_reach_into_each_other(store: &dyn Store) {
    let long = "x".repeat(STORE_ACCOUNT_BYTES_MAX);
    let names = [
        "",
        "a",
        "a\0",
        "a\0a",
        "a\0\0",
        "aa",
        "a:",
        "a/b",
        "{a}",
        "a}",
        "a*",
        "a?[b]",
        "a\r\nb",
        "A",
        "å",
        "a\u{301}",
        "\u{10FFFF}",
        " ",
        &long,
    ];
    for name in names {
        let own = rows([put("k", name), put("a", "1"), put("\0", "2"), put("a\0k", "3")]);
        store.commit(&account(name), own).await.expect("stored");
    }
    let expected = |name| kept([("\0", "2"), ("a", "1"), ("a\0k", "3"), ("k", name)]);
    for name in names {
        assert_eq!(contents(store, &account(name)).await, expected(name), "account {name:?}");
    }
    let listed = sorted(store.accounts().await.expect("listed"));
    assert_eq!(listed, sorted(names.map(account).to_vec()));

    let emptied = rows(["k", "a", "\0", "a\0k"].map(delete));
    store.commit(&account("a\0"), emptied).await.expect("stored");
    for name in names {
        let expected = if name == "a\0" { Rows::new() } else { expected(name) };
        assert_eq!(contents(store, &account(name)).await, expected, "account {name:?}");
    }
}

pub(super) async fn any_octets_are_kept(store: &dyn Store) {
    let joe = account("joe");
    let all: Vec<u8> = (0..=255).collect();
    let mut expected: Rows = all.iter().map(|&octet| (vec![octet], vec![octet, 0, !octet])).collect();
    expected.push((vec![0xFF; STORE_KEY_BYTES_MAX], b"* BYE\r\n{3+}\r\n".to_vec()));
    expected.push((b"value".to_vec(), all.repeat(STORE_VALUE_BYTES_MAX / 256)));
    let changes: Vec<RowChange> = expected.iter().map(|(key, value)| put(key, value)).collect();
    store.commit(&joe, rows(changes)).await.expect("stored");
    expected.sort();
    assert!(contents(store, &joe).await == expected, "some octets were changed");
}

pub(super) async fn limits_are_met_and_not_passed(store: &dyn Store) {
    let (joe, eve) = (account("joe"), account("eve"));
    let many = |count: usize| rows((0..count).map(|n| put(n.to_be_bytes(), "")).collect::<Vec<_>>());
    let heavy = |count: usize| {
        let value = vec![0; STORE_VALUE_BYTES_MAX - 1];
        rows((0..count).map(|n| put([n as u8], &value)).collect::<Vec<_>>())
    };
    let values = STORE_BATCH_BYTES_MAX / STORE_VALUE_BYTES_MAX;
    let indexed = |count: usize| {
        let entry = |n: usize| {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&n.to_be_bytes());
            IndexChange { key: IndexKey::Cookie(hash), present: true }
        };
        Batch { rows: vec![put("a", "")], index: (0..count).map(entry).collect() }
    };
    let passing = [
        rows([put(vec![b'k'; STORE_KEY_BYTES_MAX + 1], "")]),
        rows([delete(vec![b'k'; STORE_KEY_BYTES_MAX + 1])]),
        rows([put("k", vec![0; STORE_VALUE_BYTES_MAX + 1])]),
        many(STORE_BATCH_CHANGES_MAX + 1),
        indexed(STORE_BATCH_CHANGES_MAX),
        heavy(values + 1),
    ];
    for batch in passing {
        let mut whole = batch;
        whole.rows.insert(0, put("first", "must not be stored"));
        let fault = store.commit(&joe, whole).await.expect_err("over a limit");
        assert!(matches!(&fault, StoreFault::Failed(why) if why.contains("at most")), "{fault:?}");
        assert_eq!(contents(store, &joe).await, Rows::new(), "nothing of it");
    }
    assert_found(store, &IndexKey::Cookie([0; 32]), &[]).await;
    let nameless = account(&"x".repeat(STORE_ACCOUNT_BYTES_MAX + 1));
    store.commit(&nameless, rows([put("a", "")])).await.expect_err("a name over the limit");

    store.commit(&joe, many(STORE_BATCH_CHANGES_MAX)).await.expect("as many as may be");
    assert_eq!(contents(store, &joe).await.len(), STORE_BATCH_CHANGES_MAX);
    store.commit(&eve, heavy(values)).await.expect("as heavy as may be");
    assert_eq!(contents(store, &eve).await.len(), values);
}

pub(super) async fn nothing_is_stored_behind_a_hole(store: &dyn Store) {
    let (joe, eve) = (account("joe"), account("eve"));
    let too_long = || rows([put(vec![b'k'; STORE_KEY_BYTES_MAX + 1], "")]);
    let line = [
        store.commit(&joe, rows([put("a", "1")])),
        store.commit(&joe, too_long()),
        store.commit(&joe, rows([put("b", "2")])),
        store.commit(&eve, rows([put("c", "3")])),
    ];
    let mut stored = Vec::new();
    for answer in line {
        stored.push(answer.await.is_ok());
    }
    assert_eq!(stored, [true, false, false, true]);
    store.commit(&joe, rows([put("d", "4")])).await.expect_err("still behind the hole");
    store.commit(&joe, Batch::default()).await.expect_err("not even nothing");

    assert_eq!(contents(store, &joe).await, kept([("a", "1")]));
    store.commit(&joe, rows([put("e", "5")])).await.expect("loading has mended it");
    assert_eq!(contents(store, &joe).await, kept([("a", "1"), ("e", "5")]));
    assert_eq!(contents(store, &eve).await, kept([("c", "3")]), "others are not concerned");
}
