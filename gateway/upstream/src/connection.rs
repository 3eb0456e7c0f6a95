//! One connection to upstream, logged in: writes commands, reads responses, remembers which mailbox is open.
//!
//! Every read is cancel-safe: state changes only after octets have arrived. The end of the stream is always a fault, never an
//! empty answer. While it waits it holds no buffer (design D16).

use crate::fault::Fault;
use crate::io::Io;
use crate::machine::collect::Collected;
use bytes::Bytes;
use pimap_types::number::{ModSeq, UidValidity};
use pimap_types::set::UidRanges;
use pimap_types::upstream::Announced;
use pimap_types::{MailboxName, limits};
use pimap_wire::client::assemble::Assembler;
use pimap_wire::client::capability::Capabilities;
use pimap_wire::client::frame::{Piece, ResponseFramer};
use pimap_wire::client::request::{Encoded, Request};
use pimap_wire::client::response::{Condition, UpstreamResponse};
use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

thread_local! {
    /// Where octets land before they go to the framer: one buffer per thread instead of one per waiting connection.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; limits::PIECE_BYTES_MAX]);
}

/// How long one command that streams no body may take as a whole: a server that goes on saying things for ever is not
/// working on ours.
pub(crate) const COMMAND_TIME_MAX: Duration = Duration::from_secs(600);

/// The mailbox open on a connection.
#[derive(Clone, Debug)]
pub(crate) struct Selected {
    /// Its name.
    pub(crate) mailbox: MailboxName,
    /// Its UIDVALIDITY as this connection was told.
    pub(crate) uid_validity: UidValidity,
    /// Opened by EXAMINE: not good for changes.
    pub(crate) examined: bool,
    /// The owner's version that this connection has seen (F21).
    pub(crate) as_of: u64,
    /// Messages as far as was told.
    pub(crate) exists: u32,
}

/// A connection after login.
pub(crate) struct Connection {
    io: Io,
    framer: ResponseFramer,
    assembler: Assembler,
    last_number: u64,
    /// Untagged responses since the last command.
    said: u64,
    response_timeout: Duration,
    /// What the server can do.
    pub(crate) capabilities: Capabilities,
    /// Everything that was announced after login.
    pub(crate) announced: Announced,
    /// QRESYNC is on: VANISHED instead of EXPUNGE, UID and MODSEQ in every FETCH.
    pub(crate) qresync: bool,
    /// CONDSTORE is on for the whole connection; else each SELECT asks for it.
    pub(crate) condstore: bool,
    /// The open mailbox.
    pub(crate) selected: Option<Selected>,
    /// The credentials it was opened with.
    pub(crate) epoch: u64,
    /// A mutation was sent whose request is not answered yet (F45).
    pub(crate) in_doubt: bool,
    /// What was noticed in the open mailbox besides answers.
    pub(crate) news: News,
    /// On the watching connection, STATUS and LIST are events whatever command runs: here they wait to be told.
    pub(crate) events: Option<Vec<UpstreamResponse>>,
}

/// News of the open mailbox that no request asked for: a reason for the owner to look (F46, F47).
#[derive(Clone, Copy, Default)]
pub(crate) struct News {
    /// Something changed.
    pub(crate) any: bool,
    /// The highest mod-sequence seen with it.
    pub(crate) mod_seq: Option<ModSeq>,
    /// A FETCH came that does not say whose it is.
    pub(crate) nameless: bool,
}

impl Connection {
    /// Wraps a stream; nothing has been said on it that would matter.
    pub(crate) fn new(io: Io, framer: ResponseFramer, response_timeout: Duration) -> Self {
        Self {
            io,
            framer,
            assembler: Assembler::default(),
            last_number: 0,
            said: 0,
            response_timeout,
            capabilities: Capabilities::default(),
            announced: Announced::default(),
            qresync: false,
            condstore: false,
            selected: None,
            epoch: 0,
            in_doubt: false,
            news: News::default(),
            events: None,
        }
    }

    /// The stream and what was read ahead, for TLS or for logging in.
    pub(crate) fn into_parts(self) -> (Io, ResponseFramer) {
        (self.io, self.framer)
    }

    /// Runs one command to its tagged response; untagged data go to `collected`.
    pub(crate) async fn run(
        &mut self,
        request: &Request<'_>,
        collected: &mut Collected,
    ) -> Result<Condition, Fault> {
        let run = async {
            if let Some(refused) = self.send(request, collected).await? {
                return Ok(refused);
            }
            self.finish(collected).await
        };
        timeout(COMMAND_TIME_MAX, run).await.map_err(|_| Fault::Lost)?
    }

    /// Writes a command, waiting for `+` before each literal. A tagged response instead of a `+` refuses the command and is
    /// given back.
    pub(crate) async fn send(
        &mut self,
        request: &Request<'_>,
        collected: &mut Collected,
    ) -> Result<Option<Condition>, Fault> {
        self.last_number += 1;
        self.said = 0;
        let Encoded { parts, message_waits } = request.encode(self.last_number)?;
        self.send_parts(&parts, message_waits, collected).await
    }

    /// Writes parts of a command, waiting for `+` between them and, if so said, behind the last.
    pub(crate) async fn send_parts(
        &mut self,
        parts: &[Vec<u8>],
        message_waits: bool,
        collected: &mut Collected,
    ) -> Result<Option<Condition>, Fault> {
        let last = parts.len().saturating_sub(1);
        for (at, part) in parts.iter().enumerate() {
            self.write(part).await?;
            if (at < last || message_waits)
                && let Some(refused) = self.continuation(collected).await?
            {
                return Ok(Some(refused));
            }
        }
        Ok(None)
    }

    /// Waits for `+`; gives the tagged response that came instead.
    pub(crate) async fn continuation(
        &mut self,
        collected: &mut Collected,
    ) -> Result<Option<Condition>, Fault> {
        loop {
            match self.response().await? {
                UpstreamResponse::Continuation => return Ok(None),
                response => {
                    if let Some(condition) = self.absorb(response, collected)? {
                        return Ok(Some(condition));
                    }
                }
            }
        }
    }

    /// Reads to the tagged response of the last command.
    pub(crate) async fn finish(&mut self, collected: &mut Collected) -> Result<Condition, Fault> {
        loop {
            let response = self.response().await?;
            if let Some(condition) = self.absorb(response, collected)? {
                return Ok(condition);
            }
        }
    }

    /// Takes one response in; gives the condition when it ends the running command. A tag that is not the running one's was
    /// never asked for: whoever sends it has lost the thread.
    pub(crate) fn absorb(
        &mut self,
        response: UpstreamResponse,
        collected: &mut Collected,
    ) -> Result<Option<Condition>, Fault> {
        match response {
            UpstreamResponse::Tagged(number, condition) => {
                if number != self.last_number {
                    return Err(Fault::Misbehaved);
                }
                collected.condition(&condition);
                Ok(Some(condition))
            }
            UpstreamResponse::Bye(condition) => {
                tracing::debug!(text = %condition.text, "upstream said BYE");
                Err(Fault::Lost)
            }
            UpstreamResponse::Preauth => Err(Fault::Misbehaved),
            UpstreamResponse::Esearch(Some(number), _) if number != self.last_number => {
                Err(Fault::Misbehaved)
            }
            response => {
                self.count_said(collected.exists.unwrap_or(0))?;
                let waiting = self.events.as_mut().filter(|events| events.len() < limits::LIST_ITEMS_MAX);
                match (response, waiting) {
                    (
                        event @ (UpstreamResponse::Status(..) | UpstreamResponse::List { .. }),
                        Some(events),
                    ) => {
                        events.push(event);
                    }
                    (response, _) => {
                        self.note(&response);
                        collected.absorb(response)?;
                    }
                }
                Ok(None)
            }
        }
    }

    /// Counts an untagged response: whoever goes on and on is not answering (D14). Gives how many there were.
    pub(crate) fn count_said(&mut self, exists: u32) -> Result<u64, Fault> {
        let exists = self.selected.as_ref().map_or(0, |selected| selected.exists).max(exists);
        self.said += 1;
        match self.said > limits::UPSTREAM_UNTAGGED_MAX + 4 * u64::from(exists) {
            true => Err(Fault::Misbehaved),
            false => Ok(self.said),
        }
    }

    /// Keeps the count of messages of the open mailbox.
    fn note(&mut self, response: &UpstreamResponse) {
        let Some(selected) = &mut self.selected else { return };
        match response {
            UpstreamResponse::Exists(n) => selected.exists = *n,
            UpstreamResponse::Expunge(_) => selected.exists = selected.exists.saturating_sub(1),
            UpstreamResponse::Vanished { earlier: false, uids } => {
                let gone = u32::try_from(uids.len()).unwrap_or(u32::MAX);
                selected.exists = selected.exists.saturating_sub(gone);
            }
            _ => {}
        }
    }

    /// Remembers what a command brought besides its answer; nothing of the FETCH data was an answer.
    pub(crate) fn notice(&mut self, collected: &Collected) {
        self.notice_besides(collected, &UidRanges::new());
    }

    /// The same; FETCH data of `answered` were the answer. A FETCH without UID is news to the watching connection only: such a
    /// server reports every change of ours on all other connections.
    pub(crate) fn notice_besides(&mut self, collected: &Collected, answered: &UidRanges) {
        self.news.any |= collected.exists.is_some() || collected.expunged > 0 || collected.vanished_now;
        self.news.nameless |= collected.nameless;
        for (_, facts) in collected.fetched.iter().filter(|(uid, _)| !answered.contains(**uid)) {
            if let Some(mod_seq) = facts.mod_seq {
                self.news.any = true;
                self.news.mod_seq = self.news.mod_seq.max(Some(mod_seq));
            }
        }
    }

    /// The next whole response.
    pub(crate) async fn response(&mut self) -> Result<UpstreamResponse, Fault> {
        loop {
            let piece = self.piece().await?;
            if let Some(response) = self.assembler.push(piece)? {
                return Ok(response);
            }
        }
    }

    /// Puts a piece towards a response.
    pub(crate) fn assemble(&mut self, piece: Piece) -> Result<Option<UpstreamResponse>, Fault> {
        Ok(self.assembler.push(piece)?)
    }

    /// A whole response that is buffered already.
    pub(crate) fn buffered_response(&mut self) -> Result<Option<UpstreamResponse>, Fault> {
        while let Some(piece) = self.framer.next_piece()? {
            if let Some(response) = self.assembler.push(piece)? {
                self.count_said(0)?;
                return Ok(Some(response));
            }
        }
        Ok(None)
    }

    /// The next piece; silence for longer than the configured time is a lost connection.
    pub(crate) async fn piece(&mut self) -> Result<Piece, Fault> {
        loop {
            if let Some(piece) = self.framer.next_piece()? {
                return Ok(piece);
            }
            timeout(self.response_timeout, self.fill()).await.map_err(|_| Fault::Lost)??;
        }
    }

    /// Waits for octets as long as it takes: for IDLE.
    pub(crate) async fn wait_for_octets(&mut self) -> Result<(), Fault> {
        self.fill().await
    }

    async fn fill(&mut self) -> Result<(), Fault> {
        let (io, framer) = (&mut self.io, &mut self.framer);
        let octets = poll_fn(|cx| {
            SCRATCH.with_borrow_mut(|scratch| {
                let mut read = ReadBuf::new(scratch);
                ready!(Pin::new(&mut *io).poll_read(cx, &mut read))?;
                framer.buffer().extend_from_slice(read.filled());
                Poll::Ready(Ok::<usize, std::io::Error>(read.filled().len()))
            })
        });
        if octets.await? == 0 { Err(Fault::Lost) } else { Ok(()) }
    }

    /// Reads what is there without waiting; whether the connection still lives, as far as can be known.
    pub(crate) async fn is_alive(&mut self) -> bool {
        loop {
            let filled = {
                let fill = self.fill();
                tokio::pin!(fill);
                poll_fn(|cx| Poll::Ready(fill.as_mut().poll(cx))).await
            };
            match filled {
                Poll::Pending => return true,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return false,
            }
            // More than this unasked on an idle connection: not worth keeping.
            if self.framer.buffer().len() > limits::UPSTREAM_LINE_BYTES_MAX {
                return false;
            }
        }
    }

    /// Whether nothing has been read that was not looked at.
    pub(crate) fn nothing_buffered(&self) -> bool {
        self.framer.is_idle()
    }

    /// Writes octets and flushes them.
    pub(crate) async fn write(&mut self, octets: &[u8]) -> Result<(), Fault> {
        let write = async {
            self.io.write_all(octets).await?;
            self.io.flush().await
        };
        timeout(self.response_timeout, write).await.map_err(|_| Fault::Lost)??;
        Ok(())
    }

    /// Writes a part of a message; not flushed, for more follows.
    pub(crate) async fn write_message(&mut self, octets: &Bytes) -> Result<(), Fault> {
        timeout(self.response_timeout, self.io.write_all(octets)).await.map_err(|_| Fault::Lost)??;
        Ok(())
    }

    /// Ends the connection without a word: a new one is to take its place.
    pub(crate) async fn abandon(&mut self) {
        let _ = timeout(Duration::from_secs(1), self.io.shutdown()).await;
    }

    /// Says LOGOUT and waits a little for the server to hear it.
    pub(crate) async fn log_out(mut self) {
        let bye = async {
            let mut collected = Collected::default();
            let _ = self.run(&Request::Logout, &mut collected).await;
        };
        let _ = timeout(Duration::from_secs(5), bye).await;
    }
}
