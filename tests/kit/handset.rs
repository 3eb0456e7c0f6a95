//! The reference handset: the executable definition of law 1, a handset is never lied to.
//!
//! [`Replica`] is what a handset holds and how it applies what it is told; [`Handset`] is the replica together with the
//! manners of one [`Kind`] of handset. Both are pure: response bytes go in, requests come out, and whoever drives them
//! owns the wire, so that the simulation and the tests on real sockets use the same one. Written from the protocol
//! text alone; it refuses to import anything of the gateway.
//!
//! The driver's duty: give every [`Request`] to the gateway as it stands, feed the body of the answer to
//! [`Handset::hear`], then call [`Handset::finished`] when the answer came whole or [`Handset::broken`] when it did
//! not; repeat [`Handset::catch_up`] until it wants nothing; then [`Replica::compare`] with the truth.

mod replica;

#[cfg(test)]
mod tests;

pub use replica::{MailboxTruth, Replica, Truth};

/// The kinds of handset that law 1 is kept for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// IMAP over TCP, one command at a time.
    Strict,
    /// IMAP over TCP, several commands in one packet, 2 to 8.
    Pipelining {
        /// How many commands it sends at once.
        depth: usize,
    },
    /// HTTP with a cookie and without cursors, a new connection for every POST.
    Cookie,
    /// LOGIN in every POST, as in the draft's own example; no cookie, no cursors.
    LoginEachPost,
    /// HTTP with a cookie and cursors.
    Cursor,
    /// Like [`Kind::Cookie`], with a library underneath that repeats identical bytes once when an answer fails.
    RetryingLibrary,
    /// Like [`Kind::Cookie`], behind a hop that carries several handsets over one connection.
    SharedHop,
    /// Like [`Kind::Strict`], with QRESYNC: it comes back by what it cached, not by its session (RFC 7162).
    Qresync {
        /// It names the UIDs that it knows.
        named: bool,
    },
    /// The same with CONDSTORE alone: UIDs are compared, and flags asked for by CHANGEDSINCE (RFC 7162 6, RFC 4549).
    Condstore,
    /// Like [`Kind::Strict`], with NOTIFY: it counts what is in mailboxes that it does not look at (RFC 5465).
    Notify {
        /// Removals wait for a command that may tell them; else they come at any time, and it speaks in UIDs only.
        delayed: bool,
        /// With QRESYNC besides.
        counting: bool,
    },
}

impl Kind {
    /// One of each.
    pub const ALL: [Kind; 14] = [
        Kind::Strict,
        Kind::Pipelining { depth: 2 },
        Kind::Pipelining { depth: 8 },
        Kind::Cookie,
        Kind::LoginEachPost,
        Kind::Cursor,
        Kind::RetryingLibrary,
        Kind::SharedHop,
        Kind::Qresync { named: false },
        Kind::Qresync { named: true },
        Kind::Condstore,
        Kind::Notify { delayed: true, counting: false },
        Kind::Notify { delayed: false, counting: false },
        Kind::Notify { delayed: false, counting: true },
    ];

    /// The road its requests take.
    pub fn road(self) -> Road {
        match self {
            Kind::Strict | Kind::Pipelining { .. } => Road::Tcp,
            Kind::Qresync { .. } | Kind::Condstore | Kind::Notify { .. } => Road::Tcp,
            Kind::SharedHop => Road::SharedHop,
            Kind::Cookie | Kind::LoginEachPost | Kind::Cursor | Kind::RetryingLibrary => Road::Post,
        }
    }

    fn keeps_cookies(self) -> bool {
        matches!(self, Kind::Cookie | Kind::Cursor | Kind::RetryingLibrary | Kind::SharedHop)
    }

    /// It keeps mod-sequences, and comes back by them.
    pub fn counts(self) -> bool {
        matches!(self, Kind::Qresync { .. } | Kind::Condstore | Kind::Notify { counting: true, .. })
    }

    /// It says QRESYNC.
    pub fn resynchronises(self) -> bool {
        self.counts() && self != Kind::Condstore
    }

    /// Removals may come at any time: message numbers mean nothing in what it says (RFC 5465 5.3).
    pub fn speaks_in_uids(self) -> bool {
        matches!(self, Kind::Notify { delayed: false, .. })
    }

    /// What it asks to be notified of.
    fn notify(self) -> Option<&'static str> {
        match self {
            Kind::Notify { delayed: true, .. } => Some(
                "NOTIFY SET STATUS (selected-delayed (MessageNew MessageExpunge FlagChange)) \
                 (personal (MessageNew MessageExpunge FlagChange MailboxName))",
            ),
            Kind::Notify { delayed: false, .. } => Some(
                "NOTIFY SET STATUS (selected (MessageNew (UID FLAGS) MessageExpunge FlagChange)) \
                 (personal (MessageNew MessageExpunge FlagChange MailboxName))",
            ),
            _ => None,
        }
    }
}

/// How a request travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Road {
    /// On the handset's own TCP connection; a new one has to be opened after a break.
    Tcp,
    /// As a POST on a connection of its own.
    Post,
    /// As a POST on a connection that other handsets use as well.
    SharedHop,
}

/// What the handset sends, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The commands with their line ends.
    pub body: Vec<u8>,
    /// The cookie it returns.
    pub cookie: Option<String>,
    /// The value of `PIMAP-Ack:`; empty when it wants cursors and has none yet, absent when it knows nothing of them.
    pub ack: Option<String>,
    /// How it travels.
    pub road: Road,
}

/// A handset of some kind, with its replica.
#[derive(Debug, Clone)]
pub struct Handset {
    /// Its kind.
    pub kind: Kind,
    /// What it holds.
    pub replica: Replica,
    /// It knows that others may have been the device while it was away: with a LOGIN it begins anew, unless cursors or
    /// mod-sequences say what it knew.
    pub wary: bool,
    login: String,
    cookie: Option<String>,
    must_login: bool,
    tags: u32,
    repeatable: Option<Request>,
}

impl Handset {
    /// A handset that was never connected. `user` is a login name such as `joe#P1`.
    pub fn new(kind: Kind, user: &str, password: &str) -> Handset {
        Handset {
            kind,
            replica: Replica::of(kind),
            wary: false,
            login: format!("LOGIN {} {}", quote(user), quote(password)),
            cookie: None,
            must_login: true,
            tags: 0,
            repeatable: None,
        }
    }

    /// The request with these commands (without tags). LOGIN comes first whenever the handset owes one.
    pub fn request(&mut self, commands: &[&str]) -> Request {
        let mut lines: Vec<&str> = Vec::new();
        let login = self.login.clone();
        if self.must_login || self.kind == Kind::LoginEachPost {
            if self.wary && self.kind != Kind::Cursor && !self.kind.counts() {
                self.replica.forget();
            }
            lines.push(&login);
        }
        let own = self.own_words(commands);
        lines.extend(own.iter().map(String::as_str));
        if let Kind::Pipelining { depth } = self.kind {
            // Whoever has not logged in yet waits for the answer: a NOOP before it would prove nothing.
            while !self.must_login && lines.len() < depth {
                lines.push("NOOP");
            }
        }
        let mut body = Vec::new();
        for line in lines {
            self.tags += 1;
            body.extend_from_slice(format!("A{} {line}\r\n", self.tags).as_bytes());
        }
        let request = Request {
            cookie: self.cookie.clone().filter(|_| self.kind.keeps_cookies()),
            ack: self.replica.begin(&body),
            road: self.kind.road(),
            body,
        };
        self.repeatable = (self.kind == Kind::RetryingLibrary).then(|| request.clone());
        request
    }

    /// The commands as this kind of handset says them.
    fn own_words(&self, commands: &[&str]) -> Vec<String> {
        let selects = |command: &&str| ["SELECT ", "EXAMINE "].iter().any(|verb| command.starts_with(verb));
        let notify = self.kind.notify();
        if !self.must_login || !self.kind.counts() && notify.is_none() {
            let said = |command: &&str| match selects(command) {
                true => self.replica.select(command),
                false => (*command).to_owned(),
            };
            return commands.iter().map(said).collect();
        }
        // It knows nothing of where its session is, and means nothing by numbers before it has selected.
        let enable = self.kind.resynchronises().then(|| "ENABLE QRESYNC".to_owned());
        let again = || self.replica.selected().map(|name| format!("SELECT {}", quote(name)));
        let select = commands.iter().copied().find(selects).map(str::to_owned);
        let select = select.or_else(|| again().filter(|_| self.kind.counts()));
        let select = select.map(|select| self.replica.select(&select));
        [enable, select, notify.map(str::to_owned)].into_iter().flatten().collect()
    }

    /// What the handset has to ask before it holds a whole replica again; nothing when it does.
    ///
    /// A mailbox that it was told to resynchronise is selected again; messages without UID and flags are fetched.
    pub fn catch_up(&mut self) -> Option<Request> {
        if self.must_login {
            return Some(self.request(&[]));
        }
        let notify = self.kind.notify().filter(|_| !self.replica.is_notified());
        let command = notify.map(str::to_owned).or_else(|| self.replica.missing())?;
        Some(self.request(&[&command]))
    }

    /// Keeps a cookie that an answer sets.
    pub fn keep_cookie(&mut self, cookie: &str) {
        self.cookie = Some(cookie.to_owned());
    }

    /// Applies response bytes, in pieces of any size. For HTTP these are the octets of the body, decoded.
    pub fn hear(&mut self, bytes: &[u8]) {
        self.replica.hear(bytes);
        if self.replica.take_login_done() {
            self.must_login = false;
        }
    }

    /// The answer came whole.
    pub fn finished(&mut self) {
        self.replica.finished();
        self.repeatable = None;
        if self.replica.logged_out() {
            self.must_login = true;
            self.cookie = None;
        }
    }

    /// The answer did not come whole, or not at all. A repeating library sends the returned request once more,
    /// and the handset above it never learns of the first answer; all others recover with their next request.
    pub fn broken(&mut self) -> Option<Request> {
        if let Some(request) = self.repeatable.take() {
            self.replica.unhear(&request.body);
            return Some(request);
        }
        let unsure = self.replica.broken();
        // D5, the handset's duty: after a broken answer begin with LOGIN or present a cursor. A cursor says nothing of
        // which mailbox is selected, so whoever lost the answer to a SELECT logs in all the same.
        self.must_login |= unsure || self.kind != Kind::Cursor || self.cookie.is_none();
        None
    }

    /// The gateway knows nothing of the session any more: the next request begins with LOGIN.
    pub fn turned_away(&mut self) {
        self.must_login = true;
    }
}

/// An argument as a quoted string, unless it is a plain atom.
fn quote(argument: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"(){%*\"\\]".contains(&byte);
    if !argument.is_empty() && argument.bytes().all(plain) {
        return argument.to_owned();
    }
    format!("\"{}\"", argument.replace('\\', "\\\\").replace('"', "\\\""))
}
