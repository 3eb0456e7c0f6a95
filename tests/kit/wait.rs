//! Waiting by condition: polling helpers, free ports and scratch directories.
//!
//! Refuses fixed sleeps: a test waits for what it needs, at most [`PATIENCE`], and says what was missing when it gives
//! up. The tiny poll interval in here is the only sleep of the test tree.

use std::fs;
use std::io;
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The longest a test waits for anything that should happen.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(5);

/// Waits until `condition` yields a value; panics with `what` after [`PATIENCE`].
#[track_caller]
pub fn eventually<T>(what: &str, condition: impl FnMut() -> Option<T>) -> T {
    match within(PATIENCE, condition) {
        Some(value) => value,
        None => panic!("waited {PATIENCE:?} in vain: {what}"),
    }
}

/// Waits until `condition` yields a value, at most `limit`.
pub fn within<T>(limit: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = condition() {
            return Some(value);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(POLL);
    }
}

/// Reads again after a signal: a read with a timeout is not taken up again by the system (signal(7)).
pub fn uninterrupted(mut read: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match read() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Ports of 127.0.0.1 that nobody listens on, all different, free for TCP and for UDP.
///
/// Another process may take one between this call and its use, so whoever binds them retries with new ones.
pub fn free_ports<const N: usize>() -> [u16; N] {
    let mut held: Vec<(TcpListener, UdpSocket)> = Vec::new();
    while held.len() < N {
        let tcp = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let port = tcp.local_addr().expect("its number").port();
        if let Ok(udp) = UdpSocket::bind(("127.0.0.1", port)) {
            held.push((tcp, udp));
        }
    }
    std::array::from_fn(|at| held[at].0.local_addr().expect("its number").port())
}

/// A directory of one fixture, removed when dropped; kept when the test panics or `PIMAP_KEEP` is set.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Makes a fresh directory whose name begins with `name`.
    pub fn new(name: &str) -> Scratch {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("pimap-{name}-{}-{number}", std::process::id()));
            match fs::create_dir(&path) {
                Ok(()) => return Scratch { path },
                // Left behind by a process of the same number, or in use by one: numbers are shared across the walls of containers.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => panic!("{}: {error}", path.display()),
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path inside it.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::thread::panicking() || std::env::var_os("PIMAP_KEEP").is_some() {
            eprintln!("kept for a look: {}", self.path.display());
        } else {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}
