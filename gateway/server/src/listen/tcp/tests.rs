//! Real sockets: what a connection at rest does when it is spoken to, written to, left, drained or out of time.

use super::*;
use crate::config;
use crate::drive::lot::Lot;
use crate::listen::tls::tests::{Issued, connect};
use crate::testing::{Bench, Handset};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// For what must happen without the clock.
const PATIENCE: Duration = Duration::from_secs(20);

/// A gateway on a real port, with a lot.
struct Site {
    bench: Bench,
    address: SocketAddr,
    lot: Arc<Lot>,
    _stopping: watch::Sender<bool>,
}

impl Site {
    async fn open(tls: Option<&config::Tls>) -> Self {
        let bench = Bench::new();
        let (lot, warden) = Lot::open().expect("a lot");
        tokio::spawn(warden.run());
        bench.front.lot.set(Arc::clone(&lot)).expect("the only lot");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let (stop, stopping) = watch::channel(false);
        let front = Arc::clone(&bench.front);
        match tls.map(|files| Tls::load(files).expect("a certificate")) {
            None => drop(tokio::spawn(serve_imap(listener, front, None, stopping))),
            Some(tls) => drop(tokio::spawn(serve_imaps(listener, front, tls, stopping))),
        }
        Self { bench, address, lot, _stopping: stop }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("connected")
    }

    /// A handset with INBOX selected.
    async fn handset(&self, login: &str) -> Handset<TcpStream> {
        selected(self.connect().await, login).await
    }

    /// A handset that idles, and whose connection rests.
    async fn resting(&self) -> Handset<TcpStream> {
        let mut handset = self.handset("joe#P1").await;
        idle(&mut handset).await;
        self.rest(1).await;
        handset
    }

    /// Waits until so many connections rest.
    async fn rest(&self, many: usize) {
        let all = async {
            while self.lot.resting() != many {
                tokio::task::yield_now().await;
            }
        };
        let resting = || format!("{} at rest instead of {many}", self.lot.resting());
        tokio::time::timeout(PATIENCE, all).await.unwrap_or_else(|_| panic!("{}", resting()));
    }
}

async fn selected<S: AsyncRead + AsyncWrite + Unpin>(stream: S, login: &str) -> Handset<S> {
    let mut handset = Handset::new(stream);
    handset.send(&format!("a LOGIN {login} pw\r\n")).await;
    handset.until("a OK").await;
    handset.send("b SELECT INBOX\r\n").await;
    handset.until("SELECT completed\r\n").await;
    handset
}

async fn idle<S: AsyncRead + AsyncWrite + Unpin>(handset: &mut Handset<S>) {
    handset.send("c IDLE\r\n").await;
    handset.until("+ idling\r\n").await;
}

#[tokio::test]
async fn a_command_rouses_and_the_session_goes_on() {
    let site = Site::open(None).await;
    let mut handset = site.resting().await;
    handset.send("DO").await;
    site.rest(0).await;
    handset.send("NE\r\nd FETCH 1 FLAGS\r\ne NOOP\r\n").await;
    assert_eq!(handset.until("\r\n").await, "c OK IDLE completed\r\n");
    handset.until("e OK NOOP completed\r\n").await;
    // Again and again.
    for _ in 0..3 {
        idle(&mut handset).await;
        site.rest(1).await;
        handset.send("DONE\r\n").await;
        handset.until("c OK IDLE completed\r\n").await;
    }
    handset.send("f LOGIN joe#P1 pw\r\n").await;
    assert_eq!(handset.until("\r\n").await, "f BAD already logged in\r\n");
    handset.send("g LOGOUT\r\n").await;
    assert!(handset.rest().await.ends_with("g OK LOGOUT completed\r\n"));
}

#[tokio::test]
async fn a_push_rouses_and_the_connection_rests_again() {
    let site = Site::open(None).await;
    let mut handset = site.resting().await;
    for uid in 1..=3 {
        site.bench.mail.deliver(uid).await;
        handset.until(&format!("* {uid} EXISTS\r\n")).await;
        site.rest(1).await;
    }
    handset.send("DONE\r\nd LOGOUT\r\n").await;
    assert!(handset.rest().await.contains("c OK IDLE completed\r\n"));
}

/// Every event and every DONE may come while the connection lies down or rises: none is lost, whichever comes first.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pushes_and_commands_that_cross_the_way_to_rest_arrive() {
    let site = Site::open(None).await;
    let mut handset = site.handset("joe#P1").await;
    for uid in 1..=200 {
        idle(&mut handset).await;
        let (told, ()) = tokio::join!(
            async {
                if uid % 2 == 0 {
                    handset.send("DONE\r\n").await;
                    return String::new();
                }
                handset.until(&format!("* {uid} EXISTS\r\n")).await
            },
            site.bench.mail.deliver(uid),
        );
        if !told.is_empty() {
            handset.send("DONE\r\n").await;
        }
        handset.until("c OK IDLE completed\r\n").await;
        handset.send("d NOOP\r\n").await;
        handset.until("d OK NOOP completed\r\n").await;
    }
    handset.send("e STATUS INBOX (MESSAGES)\r\nf SEARCH ALL\r\n").await;
    let known = handset.until("f OK").await;
    assert!(!known.contains("BAD"), "{known}");
}

#[tokio::test]
async fn whoever_hangs_up_or_is_taken_over_is_gone() {
    let site = Site::open(None).await;
    let handset = site.resting().await;
    drop(handset);
    site.rest(0).await;
    // A second connection takes the session over from one that rests.
    let mut first = site.resting().await;
    let second = site.handset("joe#P1").await;
    assert!(first.rest().await.starts_with("* BYE "));
    site.rest(0).await;
    drop(second);
}

#[tokio::test]
async fn a_draining_gateway_says_goodbye_to_those_at_rest() {
    let site = Site::open(None).await;
    let mut handset = site.resting().await;
    let draining = site.bench.front.directory.drain(PATIENCE);
    let leaving = async {
        assert!(handset.rest().await.starts_with("* BYE "));
        drop(handset);
    };
    tokio::join!(draining, leaving);
    assert_eq!(site.lot.resting(), 0);
}

#[tokio::test]
async fn an_account_that_fails_says_so_to_those_at_rest() {
    let site = Site::open(None).await;
    let mut handset = site.resting().await;
    crate::testing::PANIC.set(true);
    site.bench.mail.deliver(1).await;
    assert!(handset.rest().await.starts_with("* BYE [UNAVAILABLE]"));
}

#[tokio::test]
async fn time_goes_on_at_rest() {
    let site = Site::open(None).await;
    let mut handset = site.resting().await;
    tokio::time::pause();
    for _ in 0..20 {
        assert_eq!(handset.until("\r\n").await, "* OK Still here\r\n");
    }
    tokio::time::resume();
    handset.send("DONE\r\n").await;
    handset.until("c OK IDLE completed\r\n").await;
    // Between commands it rests after a while, and is logged out in the end.
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    let farewell = handset.rest().await;
    assert!(farewell.starts_with("* BYE autologout"), "{farewell}");
    assert_eq!(began.elapsed().as_secs() / 60, 30);
}

#[tokio::test]
async fn between_commands_a_connection_rests_after_a_while() {
    let site = Site::open(None).await;
    let mut handset = site.handset("joe#P1").await;
    assert_eq!(site.lot.resting(), 0);
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    while site.lot.resting() == 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(began.elapsed() < PATIENCE, "it stays up");
    }
    assert!(began.elapsed() >= Duration::from_secs(4));
    tokio::time::resume();
    handset.send("c NOOP\r\n").await;
    handset.until("c OK NOOP completed\r\n").await;
    assert_eq!(site.lot.resting(), 0);
}

#[tokio::test]
async fn tls_rests_and_rises_but_not_within_a_record() {
    let issued = Issued::new();
    let site = Site::open(Some(&issued.files)).await;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let stream = connect(issued.client(version, &[]), site.connect().await).await.expect("TLS");
        let mut handset = selected(stream, "joe#P1").await;
        for _ in 0..3 {
            idle(&mut handset).await;
            site.rest(1).await;
            handset.send("DONE\r\n").await;
            handset.until("c OK IDLE completed\r\n").await;
        }
        idle(&mut handset).await;
        site.rest(1).await;
        // The head of a record: what is left of it is still to come, and the connection stays up for it.
        let whole = cut_record(&mut handset).await;
        site.rest(0).await;
        handset.0.get_mut().0.write_all(&whole).await.expect("written");
        handset.until("c OK IDLE completed\r\n").await;
        handset.send("d LOGOUT\r\n").await;
        handset.rest().await;
    }
}

/// Sends all of a DONE but its last octet, which is returned.
async fn cut_record(handset: &mut Handset<tokio_rustls::client::TlsStream<TcpStream>>) -> Vec<u8> {
    use std::io::Write;
    let (socket, session) = handset.0.get_mut();
    session.writer().write_all(b"DONE\r\n").expect("room");
    let mut octets = Vec::new();
    while session.wants_write() {
        session.write_tls(&mut octets).expect("a record");
    }
    let last = octets.split_off(octets.len() - 1);
    socket.write_all(&octets).await.expect("written");
    last
}

#[tokio::test]
async fn a_compressed_connection_rests_too() {
    let site = Site::open(None).await;
    let mut handset = site.handset("joe#P1").await;
    handset.send("z COMPRESS DEFLATE\r\n").await;
    handset.until("z OK DEFLATE active\r\n").await;
    let mut stream = handset.0;
    let mut compress = Compress::new(Compression::default(), false);
    let mut decompress = Decompress::new(false);
    for _ in 0..3 {
        for (line, answer, many) in [("c IDLE\r\n", "+ idling\r\n", 1), ("DONE\r\n", "IDLE completed\r\n", 0)]
        {
            let mut octets = Vec::with_capacity(128);
            compress.compress_vec(line.as_bytes(), &mut octets, FlushCompress::Sync).expect("packed");
            stream.write_all(&octets).await.expect("written");
            let mut text = Vec::with_capacity(1 << 10);
            while !text.ends_with(answer.as_bytes()) {
                let mut heard = [0; 256];
                let length = stream.read(&mut heard).await.expect("read");
                assert!(length > 0, "ended");
                decompress
                    .decompress_vec(&heard[..length], &mut text, FlushDecompress::Sync)
                    .expect("unpacked");
            }
            site.rest(many).await;
        }
    }
}
