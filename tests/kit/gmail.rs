//! A server where mailboxes are labels, as Gmail's are, for tests of the whole gateway and of plain clients.
//!
//! Gmail itself is not to be had in a test. This resembles what Google's documentation of its IMAP extensions and the logs that makers of
//! clients publish say of it: one message stands in the mailbox of each of its labels, under a UID of each, with flags in common and
//! `\Deleted` of its own; All Mail holds it once more; EXPUNGE takes a label away; COPY gives one; what is moved to the Trash loses all;
//! APPEND of a message that is there gives it a label; SEARCH finds whole words; one account has so many connections; OK may say
//! that it is slow on purpose. What was left out is UTF8=ACCEPT and everything that Gmail announces and the gateway never asks
//! for (QUOTA, XLIST, COMPRESS=DEFLATE): announced like there, answered NO.
//!
//! [`account`] is the mail, [`session`] a connection, [`letter`] what a message consists of, [`search`] what is found, [`read`] how
//! commands are read.

mod account;
mod letter;
mod read;
mod search;
mod session;

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use account::Account;

/// What the owner of an account may set, and what Google does to it.
#[derive(Debug, Clone)]
pub struct Habits {
    /// "Auto-Expunge on": what is marked `\Deleted` is expunged at once. Gmail's own default.
    pub auto_expunge: bool,
    /// So many connections an account may have.
    pub connections_max: usize,
    /// Everything is answered late on purpose, which each OK says.
    pub throttled: bool,
    /// The day's bandwidth is used up: reading is refused.
    pub exhausted: bool,
}

#[derive(Debug)]
struct Shared {
    habits: Habits,
    accounts: HashMap<String, Account>,
    connections: HashMap<String, usize>,
    log: Vec<String>,
}

/// A running server.
#[derive(Debug, Clone)]
pub struct Gmail {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

impl Gmail {
    /// Starts one that waits with expunging until it is told to. It runs as long as the test's process; any name is a user, whose password
    /// (and token) is [`PASSWORD`](crate::dovecot::PASSWORD).
    pub fn start() -> Gmail {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("bound");
        let habits = Habits { auto_expunge: false, connections_max: 15, throttled: false, exhausted: false };
        let shared =
            Shared { habits, accounts: HashMap::new(), connections: HashMap::new(), log: Vec::new() };
        let gmail = Gmail { address, shared: Arc::new(Mutex::new(shared)) };
        let server = gmail.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let server = server.clone();
                // An error means that the client hung up.
                thread::spawn(move || drop(session::serve(stream, &server)));
            }
        });
        gmail
    }

    /// Changes its habits.
    pub fn set(&self, change: impl FnOnce(&mut Habits)) {
        change(&mut self.lock().habits);
    }

    /// How many connections of a user are logged in.
    pub fn connections(&self, user: &str) -> usize {
        self.lock().connections.get(user).copied().unwrap_or(0)
    }

    /// Commands of a user so far, without their tags.
    pub fn said_by(&self, user: &str) -> Vec<String> {
        let own = |line: &String| {
            line.split_once(' ').filter(|(who, _)| *who == user).map(|(_, rest)| rest.to_owned())
        };
        self.lock().log.iter().filter_map(own).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
