//! Outputs of the account, carried out.

use super::{Happening, Task};
use crate::drive::fetch::fetch;
use crate::drive::outbox::Signal;
use crate::drive::upstream::Carried;
use pimap_account::contract::Carry;
use pimap_account::{Input, Output};
use pimap_types::limits::PIECES_IN_FLIGHT_MAX;
use pimap_types::rows::StoreFault;
use pimap_types::upstream::{UpstreamFault, UpstreamReply, UpstreamRequest};
use pimap_types::{ConnectionId, Response, Ticket};
use std::sync::Arc;
use tokio::sync::mpsc;

impl Task<'_> {
    pub(super) fn carry_out(&mut self, output: Output) {
        match output {
            Output::Write(conn, response) => self.write(conn, &response),
            Output::SetCookie(conn, cookie) => {
                if let Some(seat) = self.seats.get(&conn) {
                    seat.outbox.set_cookie(cookie);
                }
            }
            Output::Complete { conn, idling } => {
                if let Some(seat) = self.seats.get_mut(&conn) {
                    seat.busy = false;
                    seat.outbox.signal(Signal::Complete { idling });
                }
            }
            Output::Finish(conn) => self.signal(conn, Signal::Finish),
            Output::Reused(conn) => {
                if let Some(seat) = self.seats.get(&conn) {
                    seat.outbox.refuse_reused();
                }
            }
            Output::Ask(ticket, request, carry) => self.ask(ticket, request, carry),
            Output::Cancel(ticket) => {
                if let Some(question) = self.cancels.get(&ticket) {
                    question.abort();
                }
            }
            Output::Commit(number, batch) => self.commit(Some(number), batch),
            Output::Watch(list) => self.upstream.watch(list),
            Output::Wake(wake) => self.wakes.on_wake(wake, self.now()),
            Output::Contact(device) => self.wakes.on_contact(&device),
            Output::Count(count) => crate::metrics::count(&count),
        }
    }

    fn write(&mut self, conn: ConnectionId, response: &Response) {
        let Some(seat) = self.seats.get_mut(&conn) else { return };
        if let (false, Some(instant)) = (seat.busy, self.caused_at) {
            seat.outbox.stamp(instant);
        }
        seat.lines = seat.outbox.write(response);
    }

    fn signal(&self, conn: ConnectionId, signal: Signal) {
        if let Some(seat) = self.seats.get(&conn) {
            seat.outbox.signal(signal);
        }
    }

    fn ask(&mut self, ticket: Ticket, request: UpstreamRequest, carry: Carry) {
        // A mutation that was sent must end by itself (F45), so only reads can be called off.
        let may_cancel = !request.is_mutation();
        let upstream = Arc::clone(&self.upstream);
        let question = match carry {
            Carry::Nothing => {
                let asked = upstream.run(request, Carried::Nothing);
                self.questions.spawn(async move { (ticket, asked.await) })
            }
            Carry::FetchTo(conn, numbers, mod_seqs) => match self.seats.get(&conn) {
                Some(seat) => {
                    let outbox = Arc::clone(&seat.outbox);
                    self.questions.spawn(async move {
                        (ticket, fetch(upstream, request, outbox, numbers, mod_seqs).await)
                    })
                }
                None => self.questions.spawn(cancelled(ticket)),
            },
            Carry::AppendFrom(conn, rules) => {
                let (to, message) = mpsc::channel(PIECES_IN_FLIGHT_MAX);
                self.signal(conn, Signal::TakeAppend(to, rules));
                let asked = upstream.run(request, Carried::Append(message));
                self.questions.spawn(async move { (ticket, asked.await) })
            }
        };
        self.tickets.insert(question.id(), ticket);
        if may_cancel {
            self.cancels.insert(ticket, question);
        }
    }

    /// A question ended without an answer: it was called off, or its task panicked. Its ticket is answered all the same.
    pub(super) fn on_lost_question(&mut self, error: &tokio::task::JoinError) -> Option<Happening> {
        let ticket = self.tickets.remove(&error.id())?;
        let fault = if error.is_cancelled() { UpstreamFault::Cancelled } else { UpstreamFault::Misbehaved };
        Some(Happening::Reply(ticket, UpstreamReply::Failed(fault)))
    }

    /// The batch that was first in line is durable, or is not.
    pub(super) fn on_stored(&mut self, result: Result<(), StoreFault>) {
        let Some(commit) = self.commits.pop_front() else { return };
        crate::metrics::store_seconds("commit", commit.began.elapsed());
        match (result, commit.number) {
            (Ok(()), Some(number)) => self.step(Input::Committed(number)),
            (Ok(()), None) => {}
            (Err(fault), number) => {
                if let Some(number) = number {
                    self.step(Input::CommitFailed(number, fault.clone()));
                }
                // Nothing later is stored either. What is in memory may be ahead of the disk, and only loading tells by how
                // much: the account begins anew, and its connections are told.
                self.failed = Some(fault);
            }
        }
    }
}

async fn cancelled(ticket: Ticket) -> (Ticket, UpstreamReply) {
    (ticket, UpstreamReply::Failed(UpstreamFault::Cancelled))
}
