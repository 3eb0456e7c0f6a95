//! What a large message costs. Alone in its file: the process's memory is measured.

mod dovecot;
mod support;

use dovecot::Dovecot;
use pimap_types::command::FetchItem;
use pimap_types::upstream::*;
use pimap_upstream::BodyStream;
use support::*;
use tokio::sync::mpsc;

/// Resident memory of this process in KiB.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("proc");
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).expect("VmRSS");
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_mebibytes_stream_through_a_slow_consumer() {
    let server = Dovecot::start();
    let mut message = b"Subject: large\r\n\r\n".to_vec();
    message.resize(30 << 20, b'x');
    server.save("joe", "INBOX", &message);
    let length = message.len();
    drop(message);
    let account = account(&server, "joe");
    let inbox = sync(&account, "INBOX", None, false).await;
    let (sender, mut pieces) = mpsc::channel(pimap_types::limits::PIECES_IN_FLIGHT_MAX);
    let body = FetchItem::Section { peek: true, section: String::new(), partial: None };
    let request = UpstreamRequest::Fetch(at("INBOX", &inbox, 1), set(&[(1, 1)]), vec![body]);
    let slow = async {
        let (before, mut peak, mut octets) = (resident_kib(), 0, 0);
        loop {
            // Slower than the server, whatever the machine: the next piece is taken only when no more fit in between.
            while pieces.len() < pimap_types::limits::PIECES_IN_FLIGHT_MAX && !pieces.is_closed() {
                tokio::task::yield_now().await;
            }
            match pieces.recv().await {
                Some(FetchPiece::Bytes(piece)) => {
                    assert!(piece.len() <= pimap_types::limits::PIECE_BYTES_MAX);
                    octets += piece.len();
                    peak = peak.max(resident_kib());
                }
                Some(_) => {}
                None => break,
            }
        }
        (octets, peak.saturating_sub(before))
    };
    let ((octets, grown), reply) = tokio::join!(slow, account.run(request, BodyStream::Fetch(sender)));
    assert!(matches!(reply, UpstreamReply::Ok(Data::Fetched { .. })), "{reply:?}");
    assert!(octets > length && octets < length + 100, "{octets}");
    assert!(grown < 4 << 10, "grew by {grown} KiB");
}
