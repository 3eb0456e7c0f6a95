//! Log, then deliver (law 3): what a step shows to anybody outside is held until the batch that step depends on is
//! durable.
//!
//! Every output passes through here. A step's changes become one numbered batch; its outputs wait behind the youngest
//! batch given so far, in order. A step that changes nothing while nothing is outstanding passes straight through, so that
//! a NOOP costs no commit.

use crate::contract::Output;
use pimap_types::rows::{Batch, IndexChange, RowChange};
use std::collections::VecDeque;

/// Room for outputs that is kept from step to step.
const OUTPUTS_KEPT_MAX: usize = 8;

#[derive(Default)]
pub(crate) struct Outbox {
    /// The number of the youngest batch given to the store.
    given: u64,
    /// The youngest batch known to be durable.
    durable: u64,
    held: VecDeque<(u64, Output)>,
    batch: Batch,
    step: Vec<Output>,
}

impl Outbox {
    /// Something to show or do, once what it depends on is durable.
    pub(crate) fn push(&mut self, output: Output) {
        self.step.push(output);
    }

    /// A row changed.
    pub(crate) fn row(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.batch.rows.push((key, value));
    }

    /// Rows changed.
    pub(crate) fn rows(&mut self) -> &mut Vec<RowChange> {
        &mut self.batch.rows
    }

    /// An index entry changed.
    pub(crate) fn index(&mut self, change: IndexChange) {
        self.batch.index.push(change);
    }

    /// Ends a step: the batch goes to the store at once, the rest waits for it.
    pub(crate) fn end_step(&mut self, out: &mut Vec<Output>) {
        if !self.batch.is_empty() {
            self.given += 1;
            out.push(Output::Commit(self.given, std::mem::take(&mut self.batch)));
        }
        let given = self.given;
        self.held.extend(self.step.drain(..).map(|output| (given, output)));
        self.release(out);
        if self.held.is_empty() && self.held.capacity() + self.step.capacity() > 2 * OUTPUTS_KEPT_MAX {
            // An account idles longer than it works (D16).
            (self.held, self.step) = (VecDeque::new(), Vec::new());
        }
    }

    /// Batches up to `number` are durable.
    pub(crate) fn committed(&mut self, number: u64) {
        self.durable = self.durable.max(number.min(self.given));
    }

    /// A batch failed: what waited for it is never shown, and nothing is stored any more.
    pub(crate) fn give_up(&mut self) {
        self.batch = Batch::default();
        self.step.clear();
        self.held.clear();
        self.durable = self.given;
    }

    /// Whether anything waits for the store.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.held.is_empty()
    }

    fn release(&mut self, out: &mut Vec<Output>) {
        while self.held.front().is_some_and(|(number, _)| *number <= self.durable) {
            out.extend(self.held.pop_front().map(|(_, output)| output));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pimap_types::ConnectionId;

    fn finish(n: u64) -> Output {
        Output::Finish(ConnectionId(n))
    }

    #[test]
    fn outputs_wait_for_their_batch_and_keep_their_order() {
        let (mut outbox, mut out) = (Outbox::default(), Vec::new());
        outbox.push(finish(1));
        outbox.end_step(&mut out);
        assert_eq!(out, [finish(1)], "nothing changed, nothing to wait for");
        out.clear();

        outbox.row(b"k".to_vec(), None);
        outbox.push(finish(2));
        outbox.end_step(&mut out);
        outbox.push(finish(3));
        outbox.end_step(&mut out);
        assert!(matches!(&out[..], [Output::Commit(1, _)]), "{out:?}");
        out.clear();

        outbox.committed(1);
        outbox.end_step(&mut out);
        assert_eq!(out, [finish(2), finish(3)]);
    }
}
