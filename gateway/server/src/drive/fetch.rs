//! A FETCH on its way from upstream to a handset, piece by piece, its messages numbered as the handset knows them (F25).

use super::outbox::{Batch, Gone, Outbox};
use super::upstream::{AccountUpstream, Carried};
use pimap_account::contract::FrozenModSeqs;
use pimap_types::limits::{PIECE_BYTES_MAX, PIECES_IN_FLIGHT_MAX};
use pimap_types::upstream::{FetchPiece, UpstreamFault, UpstreamReply, UpstreamRequest};
use pimap_view::UidSet;
use pimap_wire::encode::{fetch_head, fetch_tail};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use tokio::sync::mpsc;

/// Executes a FETCH, its pieces going straight to the connection. The reply comes after the last piece was written.
pub async fn fetch(
    upstream: Arc<dyn AccountUpstream>,
    request: UpstreamRequest,
    outbox: Arc<Outbox>,
    numbers: Arc<UidSet>,
    mod_seqs: Option<Arc<FrozenModSeqs>>,
) -> UpstreamReply {
    let (to, pieces) = mpsc::channel(PIECES_IN_FLIGHT_MAX);
    let asked = upstream.run(request, Carried::Fetch(to));
    let written = translate(pieces, &outbox, &numbers, mod_seqs.as_deref());
    // In this order: who fills the channel has had its turn when the other finds nothing in it.
    let (reply, written) = tokio::join!(biased; asked, written);
    match (reply, written) {
        (UpstreamReply::Ok(_) | UpstreamReply::Refused { .. }, Err(Gone)) => {
            UpstreamReply::Failed(UpstreamFault::Cancelled)
        }
        (reply, _) => reply,
    }
}

/// Writes pieces as FETCH responses. Messages that are not in `numbers` are dropped: the handset was not told of them.
async fn translate(
    mut pieces: mpsc::Receiver<FetchPiece>,
    outbox: &Outbox,
    numbers: &UidSet,
    mod_seqs: Option<&FrozenModSeqs>,
) -> Result<(), Gone> {
    let mut mod_seq = None;
    let mut message = OpenMessage { outbox, open: false };
    let mut batch = Batch::default();
    while let Some(piece) = next(&mut pieces, &mut batch, outbox).await? {
        match piece {
            FetchPiece::Start(uid) => {
                if let Some(position) = numbers.rank(uid) {
                    batch.begin(&fetch_head(position));
                    message.open = true;
                    mod_seq = mod_seqs.map(|mod_seqs| mod_seqs.of(uid));
                }
            }
            FetchPiece::Bytes(octets) if message.open => batch.push(&octets),
            FetchPiece::Bytes(_) => {}
            FetchPiece::End => {
                if message.open {
                    batch.end(&fetch_tail(mod_seq));
                    message.open = false;
                }
            }
        }
        if batch.len() >= PIECE_BYTES_MAX {
            outbox.stream(&mut batch).await?;
        }
    }
    outbox.stream(&mut batch).await
}

/// The next piece. Before it is waited for, what was gathered goes out; but only when whoever fills the channel, in the same
/// task, has had a turn and found nothing more at hand.
async fn next(
    pieces: &mut mpsc::Receiver<FetchPiece>,
    batch: &mut Batch,
    outbox: &Outbox,
) -> Result<Option<FetchPiece>, Gone> {
    if let Ok(piece) = pieces.try_recv() {
        return Ok(Some(piece));
    }
    if !batch.is_empty() {
        turn().await;
        match pieces.try_recv() {
            Ok(piece) => return Ok(Some(piece)),
            Err(_) => outbox.stream(batch).await?,
        }
    }
    Ok(pieces.recv().await)
}

/// Lets the other half of the task run once. (tokio's own yielding would look for octets on every socket first.)
async fn turn() {
    let mut turned = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut turned, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A message half written: whatever ends the stream before it is whole and on its way, the task's death included, ends the
/// connection.
struct OpenMessage<'a> {
    outbox: &'a Outbox,
    open: bool,
}

impl Drop for OpenMessage<'_> {
    fn drop(&mut self) {
        // Its end may have been gathered and not gone out: the outbox knows what it was given.
        self.outbox.break_message();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pimap_types::{Response, Status, Tag, Uid};

    fn uid(n: u32) -> Uid {
        Uid::new(n).expect("not zero")
    }

    fn numbers(uids: &[u32]) -> UidSet {
        let mut set = UidSet::new();
        for n in uids {
            set.insert(uid(*n));
        }
        set
    }

    async fn written(outbox: &Outbox) -> String {
        let taken = poll_fn(|cx| outbox.poll_take(cx)).await;
        String::from_utf8(taken.octets.to_vec()).expect("text")
    }

    #[tokio::test]
    async fn messages_are_numbered_as_the_handset_knows_them_and_others_dropped() {
        let (to, pieces) = mpsc::channel(16);
        let outbox = Outbox::default();
        for (n, items) in [(7, "UID 7"), (8, "UID 8"), (9, "UID 9")] {
            to.send(FetchPiece::Start(uid(n))).await.expect("sent");
            to.send(FetchPiece::Bytes(items.into())).await.expect("sent");
            to.send(FetchPiece::End).await.expect("sent");
        }
        drop(to);
        translate(pieces, &outbox, &numbers(&[3, 7, 9]), None).await.expect("written");
        assert_eq!(written(&outbox).await, "* 2 FETCH (UID 7)\r\n* 3 FETCH (UID 9)\r\n");
    }

    #[tokio::test]
    async fn a_line_waits_until_the_message_is_whole() {
        let (to, pieces) = mpsc::channel(16);
        let outbox = Outbox::default();
        to.send(FetchPiece::Start(uid(1))).await.expect("sent");
        to.send(FetchPiece::Bytes("BODY[] {3}\r\na".into())).await.expect("sent");
        let numbers = numbers(&[1]);
        let translating = translate(pieces, &outbox, &numbers, None);
        let interrupting = async {
            assert_eq!(written(&outbox).await, "* 1 FETCH (BODY[] {3}\r\na");
            // Also when the message has gone on since in a batch of its own.
            to.send(FetchPiece::Bytes("b".into())).await.expect("sent");
            assert_eq!(written(&outbox).await, "b");
            outbox.write(&Response::Exists(2));
            to.send(FetchPiece::Bytes("c".into())).await.expect("sent");
            to.send(FetchPiece::End).await.expect("sent");
            drop(to);
        };
        let (result, ()) = tokio::join!(translating, interrupting);
        assert_eq!(result, Ok(()));
        assert_eq!(written(&outbox).await, "c)\r\n* 2 EXISTS\r\n");
    }

    /// What upstream has at hand is one packet, however little the channel holds at a time.
    #[tokio::test]
    async fn messages_at_hand_go_together() {
        let (to, pieces) = mpsc::channel(PIECES_IN_FLIGHT_MAX);
        let outbox = Outbox::default();
        let numbers = numbers(&[1, 2, 3]);
        let upstream = async {
            for n in 1..=3 {
                to.send(FetchPiece::Start(uid(n))).await.expect("sent");
                to.send(FetchPiece::Bytes("FLAGS ()".into())).await.expect("sent");
                to.send(FetchPiece::End).await.expect("sent");
            }
            drop(to);
        };
        let translating = translate(pieces, &outbox, &numbers, None);
        let ((), result, first) = tokio::join!(biased; upstream, translating, written(&outbox));
        assert_eq!(result, Ok(()));
        let all = "* 1 FETCH (FLAGS ())\r\n* 2 FETCH (FLAGS ())\r\n* 3 FETCH (FLAGS ())\r\n";
        assert_eq!(first, all);
    }

    /// Lines do not wait for the end of a FETCH: where one message ends and the next has begun, they come between the two.
    #[tokio::test]
    async fn a_line_comes_between_two_messages_of_one_batch() {
        let (to, pieces) = mpsc::channel(16);
        let outbox = Outbox::default();
        to.send(FetchPiece::Start(uid(1))).await.expect("sent");
        to.send(FetchPiece::Bytes("UID 1".into())).await.expect("sent");
        let numbers = numbers(&[1, 2]);
        let translating = translate(pieces, &outbox, &numbers, None);
        let interrupting = async {
            assert_eq!(written(&outbox).await, "* 1 FETCH (UID 1");
            outbox.write(&Response::Exists(2));
            to.try_send(FetchPiece::End).expect("room");
            to.try_send(FetchPiece::Start(uid(2))).expect("room");
            to.try_send(FetchPiece::Bytes("UID ".into())).expect("room");
            assert_eq!(written(&outbox).await, ")\r\n* 2 EXISTS\r\n* 2 FETCH (UID ");
            to.try_send(FetchPiece::Bytes("2".into())).expect("room");
            to.try_send(FetchPiece::End).expect("room");
            drop(to);
        };
        let (result, ()) = tokio::join!(translating, interrupting);
        assert_eq!(result, Ok(()));
        assert_eq!(written(&outbox).await, "2)\r\n");
        assert!(outbox.is_whole());
    }

    /// A stream given up between a message's end being gathered and going out: what was begun is broken off.
    #[tokio::test]
    async fn an_end_that_was_only_gathered_is_none() {
        let outbox = Outbox::default();
        let mut batch = Batch::default();
        batch.begin(b"* 1 FETCH (");
        outbox.stream(&mut batch).await.expect("room");
        let message = OpenMessage { outbox: &outbox, open: false };
        batch.end(b")\r\n");
        drop(message);
        assert!(!outbox.is_whole());
        let taken = poll_fn(|cx| outbox.poll_take(cx)).await;
        assert!(matches!(taken.signals.first(), Some(super::super::outbox::Signal::Finish)));
    }

    #[tokio::test]
    async fn a_message_cut_short_ends_the_connection() {
        let (to, pieces) = mpsc::channel(16);
        let outbox = Outbox::default();
        to.send(FetchPiece::Start(uid(1))).await.expect("sent");
        to.send(FetchPiece::Bytes("BODY[] {3}\r\nab".into())).await.expect("sent");
        drop(to);
        translate(pieces, &outbox, &numbers(&[1]), None).await.expect("no fault of the handset's");
        outbox.write(&Response::tagged(&Tag::new("a"), Status::No, "lost"));
        let taken = poll_fn(|cx| outbox.poll_take(cx)).await;
        assert_eq!(&taken.octets[..], b"* 1 FETCH (BODY[] {3}\r\nab");
        assert!(matches!(taken.signals.first(), Some(super::super::outbox::Signal::Finish)));
    }

    #[tokio::test]
    async fn a_slow_handset_holds_the_stream_back() {
        let (to, pieces) = mpsc::channel(1);
        let outbox = Outbox::default();
        let numbers = numbers(&[1]);
        let flood = async {
            to.send(FetchPiece::Start(uid(1))).await.expect("sent");
            let mut sent = 0;
            let piece = bytes::Bytes::from(vec![b'x'; 16 << 10]);
            while to.try_send(FetchPiece::Bytes(piece.clone())).is_ok() || sent == 0 {
                sent += 1;
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
            }
            sent
        };
        let sent = tokio::select! {
            _ = translate(pieces, &outbox, &numbers, None) => 0,
            sent = flood => sent,
        };
        assert!((1..8).contains(&sent), "{sent} pieces were taken");
    }
}
