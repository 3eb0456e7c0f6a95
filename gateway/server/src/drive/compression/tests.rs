//! Deflate streams against flate2's own ends, cut, swollen, silent and broken.

use super::*;
use crate::drive::link::Stream;
use flate2::{Compress, Compression as Level, Decompress, FlushCompress, FlushDecompress};
use std::future::poll_fn;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// A handset's compressor, which remembers all it said.
fn packed(compress: &mut Compress, text: &[u8], flush: FlushCompress) -> Vec<u8> {
    let mut octets = Vec::with_capacity(2 * text.len() + 64);
    compress.compress_vec(text, &mut octets, flush).expect("packed");
    octets
}

/// What a handset unpacks of a whole stream so far.
fn unpacked(octets: &[u8], room: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(room + 64);
    Decompress::new(false).decompress_vec(octets, &mut text, FlushDecompress::Sync).expect("unpacked");
    text
}

/// Octets that deflate cannot make smaller.
fn noise(length: usize) -> Vec<u8> {
    let mut seed = 88_172_645_463_325_252_u64;
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

async fn send(compression: &mut Compression, link: &mut Stream<DuplexStream>, text: &[u8], last: bool) {
    let mut octets = Bytes::copy_from_slice(text);
    poll_fn(|cx| compression.poll_send(link, cx, &mut octets, last)).await.expect("sent");
}

async fn read(compression: &mut Compression, link: &mut Stream<DuplexStream>) -> io::Result<Vec<u8>> {
    let mut text = BytesMut::new();
    poll_fn(|cx| compression.poll_read(link, cx, &mut text)).await?;
    Ok(text.to_vec())
}

#[tokio::test]
async fn answers_and_events_make_one_stream_and_each_can_be_read_when_it_came() {
    let (ours, mut theirs) = tokio::io::duplex(1 << 20);
    let (mut link, mut compression) = (Stream(ours), Compression::default());
    let (large, hard) = (vec![b'x'; 200_000], noise(100_000));
    let says: [(&[u8], bool); 6] = [
        (b"* 1 EXISTS\r\n", true),
        (b"* 1 FETCH (FLAGS ())\r\n", false),
        (&large, false),
        (b"a OK done\r\n", true),
        (&hard, false),
        (b"b OK done\r\n", true),
    ];
    let (mut stream, mut said) = (Vec::new(), Vec::new());
    for (text, last) in says {
        send(&mut compression, &mut link, text, last).await;
        said.extend_from_slice(text);
        let before = stream.len();
        theirs.read_buf(&mut stream).await.expect("octets");
        while unpacked(&stream, said.len()) != said {
            assert!(stream.len() - before < text.len() + 1_000, "it is not whole");
            theirs.read_buf(&mut stream).await.expect("octets");
        }
        assert_eq!(compression.packer.rests(), last);
    }
    assert_eq!(compression.unsent(), 0);
}

#[tokio::test]
async fn a_size_tells_nothing_of_another_answer_or_another_handset() {
    let (ours, mut theirs) = tokio::io::duplex(1 << 16);
    let mut link = Stream(ours);
    let mut lengths = Vec::new();
    let mut compression = Compression::default();
    for secret in
        ["XPROVISION 0123456789abcdef0123456789abcdef", "nothing of the kind, but equally long text."]
    {
        for mut connection in [Compression::default(), std::mem::take(&mut compression)] {
            send(&mut connection, &mut link, secret.as_bytes(), true).await;
            let mut octets = BytesMut::new();
            theirs.read_buf(&mut octets).await.expect("octets");
            octets.clear();
            // A guess, in an answer of its own.
            send(&mut connection, &mut link, b"* XPROVISION 0123456789abcdef0123456789abcdef\r\n", true)
                .await;
            theirs.read_buf(&mut octets).await.expect("octets");
            lengths.push(octets.to_vec());
        }
    }
    assert!(lengths.windows(2).all(|two| two[0] == two[1]));
}

#[tokio::test]
async fn a_slow_socket_gets_all_of_it() {
    let (ours, mut theirs) = tokio::io::duplex(7);
    let (mut link, mut compression) = (Stream(ours), Compression::default());
    let text = noise(10_000);
    let expected = text.clone();
    let sending = async move {
        send(&mut compression, &mut link, &text, true).await;
        assert!(compression.packer.rests());
    };
    let reading = async {
        let mut stream = Vec::new();
        theirs.read_to_end(&mut stream).await.expect("octets");
        assert!(unpacked(&stream, 10_000) == expected);
    };
    tokio::join!(sending, reading);
}

#[tokio::test]
async fn commands_however_they_are_cut_come_out_and_nothing_is_held_between_them() {
    for pieces in [1, 3, 1_000_000] {
        let (ours, mut theirs) = tokio::io::duplex(1 << 20);
        let (mut link, mut compression) = (Stream(ours), Compression::default());
        let mut compress = Compress::new(Level::best(), false);
        let letter = [noise(40_000), b"\r\n".to_vec()].concat();
        let lines: [&[u8]; 6] = [
            b"1 NOOP\r\n",
            b"2 NOOP\r\n",
            &[b' '; 70_000],
            &letter,
            b"3 SELECT INBOX\r\n",
            b"4 SELECT INBOX\r\n",
        ];
        for line in lines {
            let octets = packed(&mut compress, line, FlushCompress::Sync);
            for piece in octets.chunks(pieces) {
                theirs.write_all(piece).await.expect("written");
            }
            let mut text = Vec::new();
            while text.len() < line.len() {
                text.extend(read(&mut compression, &mut link).await.expect("text"));
            }
            assert!(text == line);
            // The flush itself may still be on its way: it yields no text.
            let mut none = BytesMut::new();
            assert!(
                poll_fn(|cx| Poll::Ready(compression.poll_read(&mut link, cx, &mut none))).await.is_pending()
            );
            let (window, at_work) = compression.unpacker.held();
            assert_eq!(at_work, !line.ends_with(b"\n"));
            assert!(at_work || window <= 32 << 10, "{window}");
            assert_eq!(compression.heard.capacity(), 0);
        }
    }
}

#[tokio::test]
async fn a_stored_block_that_looks_like_a_flush_is_not_one() {
    let (ours, mut theirs) = tokio::io::duplex(1 << 16);
    let (mut link, mut compression) = (Stream(ours), Compression::default());
    let text = b"a APPEND x {9+}\r\n\0\0\xff\xff\r\n!!!\r\n";
    let length = u16::try_from(text.len()).expect("short");
    let mut block = vec![0];
    block.extend_from_slice(&length.to_le_bytes());
    block.extend_from_slice(&(!length).to_le_bytes());
    block.extend_from_slice(text);
    block.extend_from_slice(&[0, 0, 0, 0xff, 0xff]);
    let (first, second) = block.split_at(5 + 21);
    assert!(first.ends_with(&[0, 0, 0xff, 0xff]));
    theirs.write_all(first).await.expect("written");
    let mut all = read(&mut compression, &mut link).await.expect("text");
    assert!(compression.unpacker.held().1);
    theirs.write_all(second).await.expect("written");
    all.extend(read(&mut compression, &mut link).await.expect("text"));
    assert_eq!(all, text);
    assert!(!compression.unpacker.held().1);
}

/// A deflate bomb: 64 MiB in 64 KiB. It is unpacked no faster than it is read, and nothing piles up.
#[tokio::test]
async fn a_bomb_bursts_slowly() {
    let (ours, mut theirs) = tokio::io::duplex(1 << 20);
    let (mut link, mut compression) = (Stream(ours), Compression::default());
    let mut compress = Compress::new(Level::best(), false);
    let bomb = packed(&mut compress, &vec![b'\n'; 64 << 20], FlushCompress::Sync);
    assert!(bomb.len() < 100_000);
    theirs.write_all(&bomb).await.expect("written");
    let mut total = 0;
    while total < 64 << 20 {
        let text = read(&mut compression, &mut link).await.expect("text");
        assert!(text.len() <= 8 << 10);
        assert!(compression.unpacker.held().0 <= 256 << 10 && compression.heard.capacity() <= 64 << 10);
        total += text.len();
    }
    assert_eq!(total, 64 << 20);
}

/// Others get their turn while it bursts.
#[tokio::test]
async fn a_bomb_does_not_starve_its_neighbours() {
    let (ours, mut theirs) = tokio::io::duplex(1 << 20);
    let (mut link, mut compression) = (Stream(ours), Compression::default());
    let bomb = packed(&mut Compress::new(Level::best(), false), &vec![b'\n'; 16 << 20], FlushCompress::Sync);
    theirs.write_all(&bomb).await.expect("written");
    let mut text = BytesMut::new();
    let given = poll_fn(|cx| {
        loop {
            match compression.poll_read(&mut link, cx, &mut text) {
                Poll::Ready(read) => assert_eq!(read.expect("text"), Read::Octets),
                Poll::Pending => return Poll::Ready(text.len()),
            }
        }
    })
    .await;
    assert!(given < 4 << 20, "{given} octets without a pause");
}

/// CVE-2026-73209's kind: blocks that hold nothing, for ever. They are read and forgotten.
#[tokio::test]
async fn chunks_that_yield_nothing_neither_end_nor_grow_anything() {
    let (ours, mut theirs) = tokio::io::duplex(1 << 20);
    let (mut link, mut compression) = (Stream(ours), Compression::default());
    for _ in 0..50 {
        theirs.write_all(&[0, 0, 0, 0xff, 0xff].repeat(1_000)).await.expect("written");
        let mut text = BytesMut::new();
        let polled = poll_fn(|cx| Poll::Ready(compression.poll_read(&mut link, cx, &mut text))).await;
        assert!(polled.is_pending() && text.is_empty());
        assert_eq!((compression.heard.capacity(), compression.unpacker.held().0), (0, 0));
    }
    theirs
        .write_all(&packed(&mut Compress::new(Level::fast(), false), b"1 NOOP\r\n", FlushCompress::Sync))
        .await
        .expect("written");
    assert_eq!(read(&mut compression, &mut link).await.expect("text"), b"1 NOOP\r\n");
    drop(theirs);
    let mut text = BytesMut::new();
    let end = poll_fn(|cx| compression.poll_read(&mut link, cx, &mut text)).await.expect("an end");
    assert_eq!(end, Read::End);
}

#[tokio::test]
async fn what_is_no_stream_or_follows_its_end_is_an_error() {
    let mut finished = packed(&mut Compress::new(Level::best(), false), b"1 NOOP\r\n", FlushCompress::Finish);
    finished.push(0);
    let mut compress = Compress::new(Level::best(), false);
    packed(&mut compress, b"1 SELECT INBOX\r\n", FlushCompress::Sync);
    let too_far = packed(&mut compress, b"2 SELECT INBOX\r\n", FlushCompress::Sync);
    let zlib = vec![0x78, 0x9c, 0xff, 0xff, 0xff];
    for octets in [b"1 NOOP\r\n".to_vec(), zlib, too_far, finished] {
        // Another connection's decompressor lies ready, with all that it had unpacked.
        let mut earlier = Unpacker::default();
        let text =
            packed(&mut Compress::new(Level::best(), false), b"0 SELECT INBOX\r\n", FlushCompress::Sync);
        earlier.unpack(&text, &mut BytesMut::new()).expect("text");
        earlier.rest();
        let (ours, mut theirs) = tokio::io::duplex(1 << 16);
        let (mut link, mut compression) = (Stream(ours), Compression::default());
        theirs.write_all(&octets).await.expect("written");
        drop(theirs);
        let mut result = read(&mut compression, &mut link).await;
        while result.as_ref().is_ok_and(|text| !text.is_empty()) {
            result = read(&mut compression, &mut link).await;
        }
        assert_eq!(result.expect_err("broken").kind(), io::ErrorKind::InvalidData, "{octets:?}");
    }
}
