//! `thread-data` (RFC 5256 5): threads of any depth, read without recursion. What the line holds bounds them.

use super::cursor::Cursor;
use pimap_types::number::Uid;
use pimap_types::thread::{Place, Threads};

/// Reads ` (n n (n)(n))(n)`, or nothing, up to the end of the line.
pub(super) fn threads(cursor: &mut Cursor<'_>) -> Option<Threads<Uid>> {
    let mut places = Vec::new();
    // For each open list, the depth at which it began; and the depth of what comes next.
    let (mut lists, mut depth): (Vec<u32>, u32) = (Vec::new(), 0);
    // Nothing stands in the innermost list yet.
    let mut just_opened = false;
    loop {
        while cursor.eat(b' ').is_some() {}
        if cursor.is_done() {
            return lists.is_empty().then_some(Threads { places });
        }
        if cursor.eat(b'(').is_some() {
            if just_opened {
                // `((n)(n))`: replies whose parent is not there.
                places.push(Place { depth, message: None });
                depth = depth.checked_add(1)?;
            }
            lists.push(depth);
            just_opened = true;
        } else if cursor.eat(b')').is_some() {
            if just_opened {
                return None;
            }
            depth = lists.pop()?;
        } else {
            // A number outside of every list belongs to no thread.
            lists.last()?;
            places.push(Place { depth, message: Some(Uid::new(cursor.number()?)?) });
            depth = depth.checked_add(1)?;
            just_opened = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Vec<(u32, u32)>> {
        let threads = threads(&mut Cursor::new(text.as_bytes()))?;
        Some(threads.places.iter().map(|p| (p.depth, p.message.map_or(0, Uid::get))).collect())
    }

    /// The examples of RFC 5256 4.
    #[test]
    fn examples_are_read() {
        assert_eq!(
            read(" (2)(3 6 (4 23)(44 7 96))"),
            Some(vec![(0, 2), (0, 3), (1, 6), (2, 4), (3, 23), (2, 44), (3, 7), (4, 96)])
        );
        assert_eq!(read(" ((3)(5))"), Some(vec![(0, 0), (1, 3), (1, 5)]));
        assert_eq!(read(" (((1)(2))(3))"), Some(vec![(0, 0), (1, 0), (2, 1), (2, 2), (1, 3)]));
        assert_eq!(read(""), Some(vec![]));
    }

    #[test]
    fn what_is_no_thread_is_refused() {
        for text in [" 1", " (1", " (1))", " ()", " (1 ())", " (0)", " (x)", " (4294967296)", " )(", " (1)2"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }

    /// peers.md 5.2 (6), (7): depth costs memory as the line does, and no stack.
    #[test]
    fn depth_is_no_danger() {
        let deep = "(".repeat(500_000);
        assert_eq!(read(&deep), None);
        let whole = format!("{}1{}", "(".repeat(400_000), ")".repeat(400_000));
        assert_eq!(read(&whole).map(|places| places.len()), Some(400_000));
    }
}
