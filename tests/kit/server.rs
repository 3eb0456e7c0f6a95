//! Real upstream servers of every make, for tests that hold for each of them: started alike, described as data.
//!
//! [`Make`] names one, [`Traits`] says what may be expected of it, [`Server`] runs it in a directory and on a port of its
//! own. Dovecot comes from its package; the others are unpacked by `tests/servers/install`, since Debian's packages of
//! IMAP servers exclude one another. A server that cannot be started is a failed test and never a skipped one.

mod courier;
mod cyrus;
mod hoodiecrow;
mod mailutils;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::dovecot::{Dovecot, PASSWORD, Riches};
use crate::gateway::{Config, target};
use crate::gmail::Gmail;
use crate::imap::Imap;
use crate::process::{Running, run};
use crate::wait::{PATIENCE, Scratch, free_ports, within};

/// A server and what it announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Make {
    /// Dovecot with all that it has.
    Dovecot,
    /// Dovecot with CONDSTORE, but without QRESYNC, NOTIFY, MOVE and ESEARCH.
    DovecotCondstore,
    /// Dovecot that announces IDLE, UIDPLUS and NAMESPACE alone.
    DovecotPoor,
    /// Dovecot that announces nothing beyond RFC 3501.
    DovecotBare,
    /// Cyrus: QRESYNC and MOVE without NOTIFY, and an IDLE that pushes at once.
    Cyrus,
    /// GNU mailutils: no UIDPLUS, an IDLE that pushes nothing.
    Mailutils,
    /// Courier: UIDPLUS, an IDLE that pushes nothing, every mailbox below INBOX.
    Courier,
    /// hoodiecrow, with labels as Gmail has them.
    Hoodiecrow,
    /// Mailboxes that are labels, as far as Gmail can be resembled.
    Gmail,
}

/// How a server tells of changes by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushes {
    /// Of every mailbox (NOTIFY).
    Everywhere,
    /// Of the mailbox that is open (IDLE).
    WhereOpen,
    /// Of none, whatever it announces.
    Nothing,
}

/// What may be expected of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traits {
    /// `upstream.login`: how it knows its users.
    pub login: &'static str,
    /// What stands before the name of every mailbox but INBOX.
    pub prefix: &'static str,
    /// UIDPLUS: APPENDUID, COPYUID and UID EXPUNGE.
    pub uid_plus: bool,
    /// How it tells of changes.
    pub pushes: Pushes,
    /// Whether another client hears of changed flags by itself, or when it looks.
    pub tells_flags: bool,
    /// Whether a message that is appended twice to one mailbox is two.
    pub keeps_duplicates: bool,
}

impl Make {
    /// What may be expected of it.
    pub fn traits(self) -> Traits {
        let usual = Traits {
            login: "{local}",
            prefix: "",
            uid_plus: true,
            pushes: Pushes::WhereOpen,
            tells_flags: true,
            keeps_duplicates: true,
        };
        match self {
            Make::Dovecot => Traits { pushes: Pushes::Everywhere, ..usual },
            Make::DovecotCondstore | Make::DovecotPoor | Make::Cyrus => usual,
            Make::DovecotBare => Traits { uid_plus: false, pushes: Pushes::Nothing, ..usual },
            Make::Mailutils => {
                Traits { login: "{local}@{domain}", uid_plus: false, pushes: Pushes::Nothing, ..usual }
            }
            Make::Courier => Traits { prefix: "INBOX.", pushes: Pushes::Nothing, ..usual },
            Make::Hoodiecrow => Traits { tells_flags: false, ..usual },
            Make::Gmail => Traits { login: "{local}@{domain}", keeps_duplicates: false, ..usual },
        }
    }

    fn launch(self, scratch: &Scratch, port: u16) -> Launched {
        match self {
            Make::Cyrus => cyrus::launch(scratch, port),
            Make::Mailutils => mailutils::launch(scratch, port),
            Make::Courier => courier::launch(scratch, port),
            Make::Hoodiecrow => hoodiecrow::launch(scratch, port),
            Make::Dovecot | Make::DovecotCondstore | Make::DovecotPoor | Make::DovecotBare | Make::Gmail => {
                unreachable!("it has a fixture of its own")
            }
        }
    }

    fn riches(self) -> Option<Riches> {
        match self {
            Make::Dovecot => Some(Riches::Rich),
            Make::DovecotPoor => Some(Riches::Poor),
            Make::DovecotCondstore => Some(Riches::Just("IMAP4rev1 ENABLE CONDSTORE IDLE UIDPLUS UNSELECT")),
            Make::DovecotBare => Some(Riches::Just("IMAP4rev1")),
            _ => None,
        }
    }
}

/// A process that may become a server.
struct Launched {
    command: Command,
    /// What must live as long as it does.
    companion: Option<courier::Doorman>,
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    make: Make,
    imap: SocketAddr,
    // Dropped in this order: the process before its directory.
    held: Held,
}

#[derive(Debug)]
enum Held {
    Dovecot(#[expect(dead_code, reason = "held for its Drop")] Dovecot),
    /// Threads of this process.
    Gmail(Gmail),
    Other {
        process: Running,
        _companion: Option<courier::Doorman>,
        scratch: Scratch,
    },
}

impl Server {
    /// Starts one and waits until it serves.
    pub fn start(make: Make) -> Server {
        Server::start_in(make, None)
    }

    /// The same, in a time zone of its own (`TZ`, POSIX.1 8.3).
    pub fn start_in(make: Make, zone: Option<&str>) -> Server {
        if let Some(riches) = make.riches() {
            let dovecot = Dovecot::in_zone(&riches, zone);
            let server = Server { make, imap: dovecot.imap(), held: Held::Dovecot(dovecot) };
            server.prepare();
            return server;
        }
        if make == Make::Gmail {
            let gmail = Gmail::start();
            let server = Server { make, imap: gmail.address, held: Held::Gmail(gmail) };
            server.prepare();
            return server;
        }
        let scratch = Scratch::new("server");
        fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
        let mut output = String::new();
        // Somebody else may take a port between finding it free and binding it; then others are tried.
        for _ in 0..3 {
            let [port] = free_ports();
            let imap = SocketAddr::from(([127, 0, 0, 1], port));
            let Launched { mut command, companion } = make.launch(&scratch, port);
            let log = scratch.join("output");
            let file =
                || fs::File::options().create(true).append(true).open(&log).expect("a file for its output");
            command.stdout(file()).stderr(file());
            command.envs(zone.map(|zone| ("TZ", zone)));
            let mut process = Running::start(&mut command).unwrap_or_else(|e| panic!("{make:?}: {e}"));
            if serves(&mut process, imap, &user_of(make, "joe")) {
                let held = Held::Other { process, _companion: companion, scratch };
                let server = Server { make, imap, held };
                server.prepare();
                return server;
            }
            output = fs::read_to_string(&log).unwrap_or_default();
        }
        panic!("{make:?} does not start; tests/servers/install brings it\n{output}");
    }

    /// Which it is.
    pub fn make(&self) -> Make {
        self.make
    }

    /// What may be expected of it.
    pub fn traits(&self) -> Traits {
        self.make.traits()
    }

    /// Where IMAP is served.
    pub fn imap(&self) -> SocketAddr {
        self.imap
    }

    /// The one whose mailboxes are labels, if it is.
    pub fn gmail(&self) -> Option<&Gmail> {
        match &self.held {
            Held::Gmail(gmail) => Some(gmail),
            _ => None,
        }
    }

    /// A gateway before it, with everything as it usually is.
    pub fn config(&self) -> Config {
        Config::upstream(self.imap).with("upstream.login", self.traits().login)
    }

    /// A plain connection of that user, past the gateway.
    pub fn login(&self, user: &str) -> Imap {
        Imap::login(self.imap, &user_of(self.make, user), PASSWORD)
    }

    /// A mailbox by the name that this server has for it.
    pub fn name(&self, mailbox: &str) -> String {
        if mailbox.eq_ignore_ascii_case("INBOX") {
            mailbox.into()
        } else {
            self.traits().prefix.to_owned() + mailbox
        }
    }

    /// Every server has an INBOX, a Trash and an Archive for joe, however it begins.
    fn prepare(&self) {
        let mut other = self.login("joe");
        // mailutils makes INBOX when it is first opened.
        other.ok("SELECT INBOX");
        for mailbox in ["Trash", "Archive"] {
            // What is there already is as good.
            other.command(&format!("CREATE \"{}\"", self.name(mailbox)));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Held::Other { process, scratch, .. } = &mut self.held {
            if std::thread::panicking() {
                eprintln!("{}", fs::read_to_string(scratch.join("output")).unwrap_or_default());
            }
            // Its children end with it only when it may say so to them.
            process.signal("TERM");
            let _ = process.wait(Duration::from_secs(3));
        }
    }
}

/// A user as that server knows it.
fn user_of(make: Make, user: &str) -> String {
    make.traits().login.replace("{local}", user).replace("{domain}", "example.org")
}

/// Waits until a user can log in; `false` when the process ends instead.
fn serves(process: &mut Running, address: SocketAddr, user: &str) -> bool {
    let served = within(PATIENCE, || {
        if process.exited().is_some() {
            return Some(false);
        }
        Imap::try_login(address, user, PASSWORD).is_some().then_some(true)
    });
    served == Some(true)
}

/// Where `tests/servers/install` unpacked a server.
fn unpacked(name: &str) -> PathBuf {
    let servers = std::env::var_os("PIMAP_SERVERS").map_or_else(|| target().join("servers"), PathBuf::from);
    let place = servers.join(name);
    assert!(place.is_dir(), "{name} is not in {}: run tests/servers/install {name}", servers.display());
    place
}

/// The user whose mail it is: the one that `make setup` makes, or whoever runs the test.
struct Owner {
    name: String,
    user: u32,
    group: u32,
}

impl Owner {
    fn find() -> Owner {
        let id = |arguments: &[&str]| run(Command::new("id").args(arguments), b"").trim().to_owned();
        let name = if id(&["-un"]) == "root" { "vmail".to_owned() } else { id(&["-un"]) };
        let number = |option: &str| id(&[option, &name]).parse().expect("a number");
        Owner { user: number("-u"), group: number("-g"), name }
    }

    /// Makes a directory of theirs.
    fn directory(&self, path: &Path) {
        fs::create_dir_all(path).expect("a directory");
        std::os::unix::fs::chown(path, Some(self.user), Some(self.group)).expect("a directory of theirs");
    }
}

/// Fills in the words between at signs.
fn filled(template: &str, words: &[(&str, &str)]) -> String {
    words.iter().fold(template.to_owned(), |text, (word, value)| text.replace(word, value))
}
