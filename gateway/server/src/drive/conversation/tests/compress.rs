//! COMPRESS within conversations: the turn, what is refused, what goes wrong afterwards.

use super::*;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A handset behind an OK to COMPRESS.
struct Packed {
    stream: DuplexStream,
    compress: Compress,
    decompress: Decompress,
    text: Vec<u8>,
}

impl Packed {
    async fn new(mut handset: Handset<DuplexStream>) -> Self {
        handset.send("z COMPRESS DEFLATE\r\n").await;
        handset.until("z OK DEFLATE active\r\n").await;
        Self {
            stream: handset.0,
            compress: Compress::new(Compression::default(), false),
            decompress: Decompress::new(false),
            text: Vec::new(),
        }
    }

    async fn send(&mut self, text: &str) {
        let mut octets = Vec::with_capacity(2 * text.len() + 64);
        self.compress.compress_vec(text.as_bytes(), &mut octets, FlushCompress::Sync).expect("packed");
        self.stream.write_all(&octets).await.expect("written");
    }

    /// What comes up to and with `end`; the end of the connection is an end as well.
    async fn until(&mut self, end: &str) -> String {
        let mut octets = [0; 4_096];
        loop {
            let found = self.text.windows(end.len()).position(|window| window == end.as_bytes());
            if let Some(at) = found {
                let rest = self.text.split_off(at + end.len());
                return String::from_utf8(std::mem::replace(&mut self.text, rest)).expect("text");
            }
            let length = self.stream.read(&mut octets).await.expect("read");
            assert!(length > 0, "ended before {end:?}: {:?}", String::from_utf8_lossy(&self.text));
            self.text.reserve(1 << 20);
            self.decompress
                .decompress_vec(&octets[..length], &mut self.text, FlushDecompress::Sync)
                .expect("unpacked");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn everything_behind_the_answer_is_compressed_both_ways() {
    let bench = Bench::new();
    let mut handset = logged_in(&bench).await;
    handset.send("c CAPABILITY\r\n").await;
    assert!(handset.until("c OK ").await.contains(" COMPRESS=DEFLATE "));
    let mut packed = Packed::new(handset).await;
    packed.send("d NOOP\r\ne CAPABILITY\r\n").await;
    packed.until("d OK NOOP completed\r\n").await;
    packed.until("e OK CAPABILITY completed\r\n").await;
    let large = "z".repeat(100_000);
    packed.send(&format!("f APPEND INBOX {{100000+}}\r\n{large}\r\n")).await;
    packed.until("f OK ").await;
    assert_eq!(bench.mail.appended.lock().expect("lock")[0].len(), 100_000);
    packed.send("g APPEND INBOX {5}\r\n").await;
    packed.until("+ Ready for literal data\r\n").await;
    packed.send("hello\r\n").await;
    packed.until("g OK ").await;
    packed.send("h COMPRESS DEFLATE\r\n").await;
    packed.until("h NO [COMPRESSIONACTIVE] DEFLATE is active already\r\n").await;
    packed.send("i IDLE\r\n").await;
    packed.until("+ idling\r\n").await;
    assert_eq!(packed.until("\r\n").await, "* OK Still here\r\n");
    packed.send("DONE\r\nj LOGOUT\r\n").await;
    packed.until("j OK LOGOUT completed\r\n").await;
    assert_eq!(packed.stream.read(&mut [0; 16]).await.expect("an end"), 0);
}

#[tokio::test(start_paused = true)]
async fn compress_is_refused_where_it_cannot_be() {
    let bench = Bench::new();
    let mut handset = connect(&bench, true, 1 << 16);
    handset.send("1 COMPRESS DEFLATE\r\n").await;
    handset.until("1 BAD log in first\r\n").await;
    let mut handset = logged_in(&bench).await;
    for (line, answer) in [
        ("1 COMPRESS LZW", "1 BAD unknown compression mechanism"),
        ("2 COMPRESS", "2 BAD "),
        ("3 COMPRESS DEFLATE DEFLATE", "3 BAD "),
    ] {
        handset.send(&format!("{line}\r\n")).await;
        let told = handset.until("\r\n").await;
        assert!(told.starts_with(answer), "{told}");
    }
    // Nobody could tell whether what follows is compressed.
    handset.send("4 COMPRESS DEFLATE\r\n5 NOOP\r\n").await;
    assert!(handset.until("\r\n").await.starts_with("4 BAD wait for the answer"));
    handset.until("5 OK NOOP completed\r\n").await;
}

#[tokio::test(start_paused = true)]
async fn octets_that_are_not_compressed_end_the_connection_with_a_word() {
    let bench = Bench::new();
    let mut packed = Packed::new(logged_in(&bench).await).await;
    packed.stream.write_all(b"d NOOP\r\n").await.expect("written");
    packed.until("* BYE the compressed data are broken\r\n").await;
    drop(packed);
    logged_in(&bench).await;
}

/// A bomb of empty lines says nothing, and is answered by nothing; what comes behind it is served.
#[tokio::test(start_paused = true)]
async fn a_bomb_is_swallowed() {
    let bench = Bench::new();
    let mut packed = Packed::new(logged_in(&bench).await).await;
    packed.send(&"\r\n".repeat(4 << 20)).await;
    packed.send("d NOOP\r\n").await;
    assert_eq!(packed.until("\r\n").await, "d OK NOOP completed\r\n");
    // One of a single line is refused for its length, and skipped up to a bound.
    packed.send(&format!("e NOOP {}\r\nf NOOP\r\n", "x".repeat(1 << 20))).await;
    let told = packed.until("f OK NOOP completed\r\n").await;
    assert!(told.starts_with("e BAD line too long\r\n"), "{told}");
}

/// Silence counts from the last command, though empty blocks come all the time.
#[tokio::test(start_paused = true)]
async fn empty_blocks_are_silence() {
    let bench = Bench::new();
    let mut packed = Packed::new(logged_in(&bench).await).await;
    let began = Instant::now();
    let flood = async {
        while packed.stream.write_all(&[0, 0, 0, 0xff, 0xff]).await.is_ok() {
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(7_200), flood).await.expect("it ended");
    assert_eq!(began.elapsed().as_secs() / 60, 30);
}

/// Numbers from a seed (SplitMix64).
fn below(state: &mut u64, end: usize) -> usize {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    ((mixed ^ (mixed >> 27)) % end as u64) as usize
}

/// What is said, and the end of what is heard before more is said.
fn steps(state: &mut u64) -> Vec<(String, String)> {
    let mut steps = Vec::new();
    for n in 0..8 {
        let size = below(state, 30_000);
        let filler = ["z", "word \r\n"][below(state, 2)].repeat(size / 7 + 1);
        let told = |verb: &str| format!("t{n} OK {verb} completed\r\n");
        match below(state, 7) {
            0 => steps.push((format!("t{n} CAPABILITY\r\n"), told("CAPABILITY"))),
            1 => steps.push((format!("t{n} NONSENSE {}\r\n", "x".repeat(size)), "\r\n".to_owned())),
            2 => steps.push((
                format!("t{n} APPEND INBOX {{{}+}}\r\n{filler}\r\n", filler.len()),
                format!("t{n} OK "),
            )),
            3 => {
                steps.push((
                    format!("t{n} APPEND INBOX {{{}}}\r\n", filler.len()),
                    "+ Ready for literal data\r\n".to_owned(),
                ));
                steps.push((format!("{filler}\r\n"), format!("t{n} OK ")));
            }
            4 => {
                // What is told unasked is a group of its own, and can be read when it comes.
                steps.push((format!("t{n} IDLE\r\n"), "* OK Still here\r\n".to_owned()));
                steps.push(("DONE\r\n".to_owned(), told("IDLE")));
            }
            5 => steps.push((format!("s{n} NOOP\r\nt{n} NOOP\r\n"), told("NOOP"))),
            _ => steps.push((format!("t{n} NOOP\r\n"), told("NOOP"))),
        }
    }
    steps
}

/// The same is said through COMPRESS as without, wherever both streams are cut and flushed; and every answer can be read before
/// anything more is said, which is what flushing with each of them means.
#[tokio::test(start_paused = true)]
async fn what_is_said_does_not_depend_on_where_the_stream_is_cut() {
    for seed in 0..12 {
        let mut state = seed;
        let steps = steps(&mut state);
        let (plain, compressed) = (Bench::new(), Bench::new());
        // One after the other: time goes on while one of them idles.
        let mut handset = logged_in(&plain).await;
        let mut expected = Vec::new();
        for (said, end) in &steps {
            handset.send(said).await;
            expected.push(handset.until(end).await);
        }
        let mut packed = Packed::new(logged_in(&compressed).await).await;
        for ((said, end), expected) in steps.iter().zip(expected) {
            let (first, second) = said.split_at(below(&mut state, said.len()));
            let mut octets = Vec::with_capacity(2 * said.len() + 128);
            let flush = [FlushCompress::None, FlushCompress::Sync, FlushCompress::Full][below(&mut state, 3)];
            packed.compress.compress_vec(first.as_bytes(), &mut octets, flush).expect("packed");
            packed
                .compress
                .compress_vec(second.as_bytes(), &mut octets, FlushCompress::Sync)
                .expect("packed");
            let mut rest = &octets[..];
            while !rest.is_empty() {
                let (now, later) = rest.split_at((1 + below(&mut state, 600)).min(rest.len()));
                packed.stream.write_all(now).await.expect("written");
                tokio::task::yield_now().await;
                rest = later;
            }
            assert_eq!(packed.until(end).await, expected, "seed {seed}: {}", &said[..said.len().min(60)]);
        }
        let kept = |bench: &Bench| bench.mail.appended.lock().expect("lock").clone();
        assert_eq!(kept(&compressed), kept(&plain), "seed {seed}");
    }
}
