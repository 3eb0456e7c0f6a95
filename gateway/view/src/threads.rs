//! Threads cut to a view (RFC 5256 4, F28).
//!
//! In go threads as upstream told them; out come those of the messages that have a name in the view, under that name. Refuses to
//! tell that a message was there which has none: its place goes, as RFC 5256 has dummies go.

#[cfg(test)]
mod tests;

use pimap_types::thread::{Place, Threads};

/// The threads of those messages that have a name there, under that name. Places of others are taken out as RFC 5256 takes
/// out dummies (REFERENCES, step 3): what stands below moves up, but replies without a common parent stay together.
pub fn prune<N: Copy, M>(threads: &Threads<N>, mut name: impl FnMut(N) -> Option<M>) -> Threads<M> {
    let mut pruned = Threads { places: Vec::with_capacity(threads.places.len()) };
    // Depths of the places taken out above the present one; a thread's first place stays, with or without a name.
    let mut out: Vec<u32> = Vec::new();
    let mut first = 0;
    for place in &threads.places {
        while out.last().is_some_and(|depth| *depth >= place.depth) {
            out.pop();
        }
        let message = place.message.and_then(&mut name);
        if place.depth == 0 {
            finish_thread(&mut pruned, first);
            first = pruned.places.len();
        } else if message.is_none() {
            out.push(place.depth);
            continue;
        }
        let moved_up = u32::try_from(out.len()).unwrap_or(u32::MAX);
        pruned.places.push(Place { depth: place.depth.saturating_sub(moved_up), message });
    }
    finish_thread(&mut pruned, first);
    pruned
}

/// The thread that begins at `first`, the last one, is whole: a beginning without message stays only above two replies or
/// more.
fn finish_thread<M>(threads: &mut Threads<M>, first: usize) {
    let Some((head, below)) = threads.places.get(first..).and_then(<[_]>::split_first) else { return };
    if head.message.is_some() || below.iter().filter(|place| place.depth == 1).count() > 1 {
        return;
    }
    threads.places.remove(first);
    for place in threads.places.iter_mut().skip(first) {
        place.depth = place.depth.saturating_sub(1);
    }
}

/// Threads of ORDEREDSUBJECT begin with their earliest message (RFC 5256 4): where that was taken out, with the next one.
pub fn begin_with_messages<M>(threads: &mut Threads<M>) {
    let mut after_dummy = false;
    threads.places.retain_mut(|place| {
        let is_dummy = place.message.is_none();
        if after_dummy {
            place.depth = 0;
        }
        after_dummy = is_dummy;
        !is_dummy
    });
}
