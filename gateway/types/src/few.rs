//! A map in order for a handful of entries. Most sessions have told one mailbox and most devices judge one; a node of a
//! `BTreeMap` has room for eleven (design D16).

/// See the module. Entries are found by halving and inserted by moving those behind them.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Few<K, V>(Vec<(K, V)>);

impl<K, V> Default for Few<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord, V> Few<K, V> {
    /// No entries.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn place(&self, key: &K) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.cmp(key))
    }

    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.place(key).ok().and_then(|at| self.0.get(at)).map(|(_, value)| value)
    }

    /// The value of a key, to be changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let at = self.place(key).ok()?;
        self.0.get_mut(at).map(|(_, value)| value)
    }

    /// Whether the key has a value.
    pub fn contains_key(&self, key: &K) -> bool {
        self.place(key).is_ok()
    }

    /// Gives a key a value; the one before is returned.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.place(&key) {
            Ok(at) => self.0.get_mut(at).map(|(_, known)| std::mem::replace(known, value)),
            Err(at) => {
                if self.0.is_empty() {
                    self.0.reserve_exact(1);
                }
                self.0.insert(at, (key, value));
                None
            }
        }
    }

    /// Takes a key out with its value.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.place(key).ok()?;
        let (_, value) = self.0.remove(at);
        Some(value)
    }

    /// Takes out all entries that do not `stay`.
    pub fn retain(&mut self, mut stay: impl FnMut(&K, &mut V) -> bool) {
        self.0.retain_mut(|(key, value)| stay(key, value));
    }

    /// Takes all entries out.
    pub fn clear(&mut self) {
        self.0 = Vec::new();
    }

    /// The entries in order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> + Clone {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// The entries in order, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.0.iter_mut().map(|(key, value)| (&*key, value))
    }

    /// The keys in order.
    pub fn keys(&self) -> impl Iterator<Item = &K> + Clone {
        self.0.iter().map(|(key, _)| key)
    }

    /// The values in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &V> + Clone {
        self.0.iter().map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::Few;
    use std::collections::BTreeMap;

    #[test]
    fn it_is_what_a_tree_is() {
        let (mut few, mut tree) = (Few::new(), BTreeMap::new());
        let mut seed = 7_u32;
        for _ in 0..2_000 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (key, act) = (seed >> 20 & 31, seed >> 28);
            match act {
                0..8 => assert_eq!(few.insert(key, seed), tree.insert(key, seed)),
                8..13 => assert_eq!(few.remove(&key), tree.remove(&key)),
                13 => {
                    assert_eq!(few.get_mut(&key).map(std::mem::take), tree.get_mut(&key).map(std::mem::take))
                }
                14 => {
                    few.retain(|k, _| k % 5 != key % 5);
                    tree.retain(|k, _| k % 5 != key % 5);
                }
                _ => few.iter_mut().chain(tree.iter_mut()).for_each(|(_, v)| *v |= 1),
            }
            assert!(
                few.iter().eq(tree.iter()) && few.keys().eq(tree.keys()) && few.values().eq(tree.values())
            );
            assert_eq!((few.get(&key), few.contains_key(&key)), (tree.get(&key), tree.contains_key(&key)));
            assert_eq!((few.len(), few.is_empty()), (tree.len(), tree.is_empty()));
        }
        few.clear();
        assert!(few.is_empty());
    }

    #[test]
    fn one_entry_has_room_for_one() {
        let mut few = Few::new();
        few.insert("INBOX", 1);
        assert_eq!(few.0.capacity(), 1);
    }
}
