//! The TLS stream against clients that are not ours, cut at every size.

use super::super::Tls;
use super::super::tests::{Issued, connect};
use super::*;
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_rustls::client::TlsStream as ClientStream;

/// A socket that takes and gives a few octets at a time, and sometimes none yet.
struct Choppy {
    socket: DuplexStream,
    most: u64,
    seed: u64,
}

impl Choppy {
    fn next(&mut self) -> u64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.seed >> 33
    }

    /// How many octets go this time; `None`: none, try again.
    fn portion(&mut self, cx: &Context<'_>) -> Option<usize> {
        if self.next().is_multiple_of(5) {
            cx.waker().wake_by_ref();
            return None;
        }
        let most = self.most;
        usize::try_from(1 + self.next() % most).ok()
    }
}

impl AsyncRead for Choppy {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(portion) = self.portion(cx) else { return Poll::Pending };
        let mut room = vec![0; portion.min(into.remaining())];
        let mut read = ReadBuf::new(&mut room);
        ready!(Pin::new(&mut self.socket).poll_read(cx, &mut read))?;
        into.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Choppy {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let Some(portion) = self.portion(cx) else { return Poll::Pending };
        Pin::new(&mut self.socket).poll_write(cx, &octets[..portion.min(octets.len())])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

async fn pair(
    version: &'static SupportedProtocolVersion,
    most: u64,
    room: usize,
) -> (TlsStream<Choppy>, ClientStream<DuplexStream>) {
    let issued = Issued::new();
    let tls = Tls::load(&issued.files).expect("loaded");
    let (ours, theirs) = tokio::io::duplex(room);
    let ours = Choppy { socket: ours, most, seed: most };
    let (server, client) = tokio::join!(tls.accept_mail(ours), connect(issued.client(version, &[]), theirs));
    (server.expect("accepted"), client.expect("connected"))
}

/// Octets that are not the same twice in a row of records.
fn text(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from((at ^ (at >> 9)) % 251).unwrap_or_default()).collect()
}

/// Nothing is allocated beside rustls' own state.
fn assert_idle<S>(stream: &mut TlsStream<S>) {
    assert_eq!(stream.session.held_bytes(), 0);
}

/// Gives back what comes until the other side ends, then says `bye`.
async fn echo<S: AsyncRead + AsyncWrite + Unpin>(mut server: TlsStream<S>) -> TlsStream<S> {
    let mut octets = vec![0; 5_000];
    loop {
        let length = server.read(&mut octets).await.expect("readable");
        if length == 0 {
            break;
        }
        server.write_all(&octets[..length]).await.expect("writable");
        server.flush().await.expect("flushed");
    }
    // The other side's end closes reading only.
    server.write_all(b"bye").await.expect("writable");
    server.shutdown().await.expect("shut down");
    server
}

#[tokio::test]
async fn however_it_is_cut_the_same_octets_come_back() {
    for version in [&TLS12, &TLS13] {
        for (most, room) in [(1, 1), (7, 64), (3_000, 1_000), (1 << 20, 1 << 20)] {
            let issued = Issued::new();
            let tls = Tls::load(&issued.files).expect("loaded");
            let (ours, theirs) = tokio::io::duplex(room);
            let ours = Choppy { socket: ours, most, seed: most };
            // On its own: the last octets of its handshake are read together with the first of the text.
            let echoing =
                tokio::spawn(async move { echo(tls.accept_mail(ours).await.expect("accepted")).await });
            let client = connect(issued.client(version, &[]), theirs).await.expect("connected");
            let sent = text(if most == 1 { 5_000 } else { 100_000 });
            let (mut read, mut write) = tokio::io::split(client);
            let writing = async {
                write.write_all(&sent).await.expect("writable");
                write.shutdown().await.expect("shut down");
            };
            let mut came = Vec::new();
            let reading = async { read.read_to_end(&mut came).await.expect("a clean end") };
            tokio::join!(writing, reading);
            assert!(came.strip_suffix(b"bye") == Some(&sent[..]), "{most}");
            assert_idle(&mut echoing.await.expect("no panic"));
        }
    }
}

#[tokio::test]
async fn keys_change_both_ways_in_mid_stream() {
    let (server, mut client) = pair(&TLS13, 100, 1_000).await;
    let echoing = tokio::spawn(echo(server));
    for turn in 0..5 {
        client.get_mut().1.refresh_traffic_keys().expect("refreshed");
        client.write_all(&text(10 + turn)).await.expect("writable");
        client.flush().await.expect("flushed");
        let mut came = vec![0; 10 + turn];
        client.read_exact(&mut came).await.expect("readable");
        assert_eq!(came, text(10 + turn));
    }
    client.shutdown().await.expect("shut down");
    let mut farewell = String::new();
    client.read_to_string(&mut farewell).await.expect("a clean end");
    assert_eq!(farewell, "bye");
    assert_idle(&mut echoing.await.expect("no panic"));
}

#[tokio::test]
async fn an_idle_connection_is_small_and_holds_no_buffer() {
    for version in [&TLS12, &TLS13] {
        let (mut server, mut client) = pair(version, 1 << 20, 1 << 20).await;
        assert_idle(&mut server);
        client.write_all(b"1 IDLE\r\n").await.expect("writable");
        client.flush().await.expect("flushed");
        let mut command = [0; 8];
        server.read_exact(&mut command).await.expect("readable");
        server.write_all(b"+ idling\r\n").await.expect("writable");
        server.flush().await.expect("flushed");
        assert_idle(&mut server);
        let mut answer = [0; 10];
        client.read_exact(&mut answer).await.expect("readable");
        assert_eq!((&command, &answer), (b"1 IDLE\r\n", b"+ idling\r\n"));
    }
    let octets = size_of::<Session>();
    assert!(octets <= 1_536, "{octets}");
    let octets = size_of::<TlsStream<tokio::net::TcpStream>>();
    assert!(octets <= 64, "{octets}");
}

#[tokio::test]
async fn bulk_arrives_whole_both_ways() {
    const PIECE: usize = 1 << 20;
    let issued = Issued::new();
    let tls = Tls::load(&issued.files).expect("loaded");
    let (ours, theirs) = tokio::io::duplex(1 << 18);
    let (server, client) = tokio::join!(tls.accept_mail(ours), connect(issued.client(&TLS13, &[]), theirs));
    let (mut server, mut client) = (server.expect("accepted"), client.expect("connected"));
    let piece = text(PIECE);
    let expected = piece.clone();
    let serving = tokio::spawn(async move {
        for _ in 0..64 {
            server.write_all(&piece).await.expect("writable");
        }
        server.flush().await.expect("flushed");
        let mut came = vec![0; PIECE];
        for _ in 0..16 {
            server.read_exact(&mut came).await.expect("readable");
            assert!(came == piece);
        }
        server
    });
    let mut came = vec![0; PIECE];
    for _ in 0..64 {
        client.read_exact(&mut came).await.expect("readable");
        assert!(came == expected);
    }
    for _ in 0..16 {
        client.write_all(&expected).await.expect("writable");
    }
    client.flush().await.expect("flushed");
    assert_idle(&mut serving.await.expect("no panic"));
}

#[tokio::test]
async fn small_pieces_written_together_make_one_record() {
    let (mut server, mut client) = pair(&TLS13, 1 << 20, 1 << 20).await;
    let slices = [IoSlice::new(b""), IoSlice::new(b"5\r\n"), IoSlice::new(b"hello"), IoSlice::new(b"\r\n")];
    let written = poll_fn(|cx| {
        loop {
            // The socket takes what it takes; the stream keeps the rest.
            match Pin::new(&mut server).poll_write_vectored(cx, &slices) {
                Poll::Pending => continue,
                done => return done,
            }
        }
    });
    assert_eq!(written.await.expect("writable"), 10);
    server.flush().await.expect("flushed");
    let mut came = [0; 100];
    let length = client.read(&mut came).await.expect("readable");
    assert_eq!(&came[..length], b"5\r\nhello\r\n");
}

async fn accept(octets: &[u8], issued: &Issued) -> (io::Error, Vec<u8>) {
    let tls = Tls::load(&issued.files).expect("loaded");
    let (ours, mut theirs) = tokio::io::duplex(1 << 20);
    theirs.write_all(octets).await.expect("room");
    theirs.shutdown().await.expect("shut down");
    let refused = TlsStream::accept(ours, tls.web.clone()).await.expect_err("not TLS");
    let mut answer = Vec::new();
    theirs.read_to_end(&mut answer).await.expect("readable");
    (refused, answer)
}

#[tokio::test]
async fn what_is_no_handshake_is_refused_with_an_alert() {
    const ALERT: u8 = 21;
    let issued = Issued::new();
    // A handshake message of 61 440 octets, as far as we let it go.
    let mut endless = vec![22, 3, 1, 0, 4, 1, 0, 0xf0, 0];
    for _ in 0..9 {
        endless.extend([22, 3, 1, 0x10, 0]);
        endless.extend([0; 0x1000]);
    }
    let (refused, _) = accept(&endless, &issued).await;
    assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
    let (garbage, tls_1_0) = (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", [22, 3, 1, 0, 5, 1, 0, 0, 1, 9]);
    for octets in [&garbage[..], &tls_1_0, &[0; 2_000], &[0xff; 2_000]] {
        let (refused, answer) = accept(octets, &issued).await;
        assert_eq!(refused.kind(), io::ErrorKind::InvalidData, "{octets:?}");
        assert_eq!(answer.first(), Some(&ALERT), "{octets:?}");
    }
}

#[tokio::test]
async fn a_handshake_cut_short_anywhere_ends_cleanly() {
    let issued = Issued::new();
    let config = Arc::new(issued.client(&TLS13, &["h2"]));
    let name = "localhost".try_into().expect("a name");
    let mut client = rustls::ClientConnection::new(config, name).expect("a client");
    let mut hello = Vec::new();
    client.write_tls(&mut hello).expect("written");
    for length in [0, 1, 4, 5, 6, hello.len() / 2, hello.len() - 1, hello.len()] {
        let (refused, answer) = accept(&hello[..length], &issued).await;
        assert_eq!(refused.kind(), io::ErrorKind::UnexpectedEof, "{length}");
        assert_eq!(answer.is_empty(), length < hello.len());
    }
}

#[tokio::test]
async fn an_end_that_nobody_announced_is_an_error() {
    for version in [&TLS12, &TLS13] {
        let (mut server, client) = pair(version, 1 << 20, 1 << 20).await;
        drop(client);
        let error = server.read(&mut [0; 10]).await.expect_err("cut");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        let error = async {
            server.write_all(b"late").await?;
            server.flush().await
        };
        assert_eq!(error.await.expect_err("gone").kind(), io::ErrorKind::BrokenPipe);
    }
}

#[tokio::test]
async fn a_forged_record_is_refused_after_what_came_before_it() {
    let issued = Issued::new();
    let tls = Tls::load(&issued.files).expect("loaded");
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let (server, client) = tokio::join!(tls.accept_mail(ours), connect(issued.client(&TLS13, &[]), theirs));
    let (mut server, mut client) = (server.expect("accepted"), client.expect("connected"));
    client.write_all(b"true").await.expect("writable");
    client.flush().await.expect("flushed");
    let forged = [&[23, 3, 3, 0, 32][..], &[0; 32]].concat();
    client.get_mut().0.write_all(&forged).await.expect("writable");
    let mut came = [0; 4];
    server.read_exact(&mut came).await.expect("readable");
    assert_eq!(&came, b"true");
    let error = server.read(&mut came).await.expect_err("forged");
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert!(server.write(b"more").await.is_err());
    let error = client.read(&mut came).await.expect_err("an alert");
    assert!(error.to_string().contains("BadRecordMac"), "{error}");
}
