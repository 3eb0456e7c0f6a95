//! A real Dovecot for one test: its own directory, its own ports, gone when dropped.
//!
//! Any user name is welcome with the password "pw"; `master*user` with "master-pw" is a master login. Runs as root with
//! the users that `make setup` makes, or as whoever runs the test.

#[cfg(test)]
mod tests;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::certificate::Certificate;
use crate::imap::Imap;
use crate::process::{Running, run};
use crate::wait::{PATIENCE, Scratch, free_ports, within};

const CONFIG: &str = include_str!("dovecot.conf");

/// The password of every user.
pub const PASSWORD: &str = "pw";

/// The master user and its password.
pub const MASTER: (&str, &str) = ("master", "master-pw");

/// What a Dovecot announces after login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Riches {
    /// All that it can: NOTIFY, QRESYNC, CONDSTORE, MOVE, ESEARCH and more.
    Rich,
    /// `IMAP4rev1 IDLE UIDPLUS NAMESPACE`.
    Poor,
    /// Exactly these capabilities.
    Just(&'static str),
}

/// A running Dovecot.
#[derive(Debug)]
pub struct Dovecot {
    // The process is dropped before its directory goes.
    process: Running,
    scratch: Scratch,
    ports: [u16; 3],
    certificate: Certificate,
    zone: Option<String>,
}

impl Dovecot {
    /// Starts one with all capabilities and waits until it serves.
    pub fn start() -> Dovecot {
        Dovecot::with(&Riches::Rich)
    }

    /// Starts one that can do little.
    pub fn poor() -> Dovecot {
        Dovecot::with(&Riches::Poor)
    }

    /// Starts one and waits until it serves.
    pub fn with(riches: &Riches) -> Dovecot {
        Dovecot::in_zone(riches, None)
    }

    /// The same, in a time zone of its own (`TZ`, POSIX.1 8.3).
    pub fn in_zone(riches: &Riches, zone: Option<&str>) -> Dovecot {
        let scratch = Scratch::new("dovecot");
        // Dovecot's own users must be able to reach their sockets in there.
        fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
        let certificate = Certificate::write(scratch.path());
        let users = Users::find();
        fs::create_dir(scratch.join("mail")).expect("the mail directory");
        if users.mail.0 == "vmail" {
            run(Command::new("chown").arg("vmail:vmail").arg(scratch.join("mail")), b"");
        }
        fs::write(scratch.join("masters"), format!("{}:{{PLAIN}}{}\n", MASTER.0, MASTER.1)).expect("masters");
        // Somebody else may take a port between finding it free and binding it; then others are tried.
        for _ in 0..5 {
            let ports = free_ports();
            fs::write(scratch.join("dovecot.conf"), config(&scratch, &users, ports, riches))
                .expect("dovecot.conf");
            if let Some(process) = launch(&scratch, ports, zone) {
                let zone = zone.map(str::to_owned);
                let dovecot = Dovecot { process, scratch, ports, certificate, zone };
                dovecot.settle("joe");
                return dovecot;
            }
        }
        let log = fs::read_to_string(scratch.join("dovecot.log")).unwrap_or_default();
        panic!("Dovecot does not start; `make setup` installs what it needs\n{log}");
    }

    /// Makes the mailboxes that everybody has, as they are for somebody who has had mail before. Without that, Dovecot makes
    /// each when it is first opened, and answers one of two connections that open it at once with NO [ALREADYEXISTS].
    pub fn settle(&self, user: &str) {
        let mut client = self.login(user);
        for mailbox in ["INBOX", "Drafts", "Sent", "Trash"] {
            client.ok(&format!("STATUS {mailbox} (UIDVALIDITY)"));
        }
    }

    /// Where IMAP is served, plain and with STARTTLS.
    pub fn imap(&self) -> SocketAddr {
        local(self.ports[0])
    }

    /// Where IMAP over TLS is served.
    pub fn imaps(&self) -> SocketAddr {
        local(self.ports[1])
    }

    /// Its certificate, for `ca_file`.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// A plain connection of that user, past the gateway.
    pub fn login(&self, user: &str) -> Imap {
        Imap::login(self.imap(), user, PASSWORD)
    }

    /// Delivers a mail to INBOX as mail arrives in the world: by LMTP.
    pub fn deliver(&self, user: &str, message: &[u8]) {
        let mut stream = TcpStream::connect(local(self.ports[2])).expect("LMTP");
        stream.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
        let mut answers = BufReader::new(stream.try_clone().expect("a second handle"));
        let mut answer = |wanted: &str| loop {
            let mut line = String::new();
            answers.read_line(&mut line).expect("an LMTP answer");
            if line.as_bytes().get(3) != Some(&b'-') {
                assert!(line.starts_with(wanted), "LMTP said {line}");
                return;
            }
        };
        answer("220");
        for (command, wanted) in [
            ("LHLO test".to_owned(), "250"),
            ("MAIL FROM:<sender@example.org>".to_owned(), "250"),
            (format!("RCPT TO:<{user}>"), "250"),
            ("DATA".to_owned(), "354"),
        ] {
            stream.write_all(format!("{command}\r\n").as_bytes()).expect("LMTP takes commands");
            answer(wanted);
        }
        stream.write_all(&dot_stuffed(message)).expect("LMTP takes the message");
        answer("250");
    }

    /// Puts a mail into any mailbox.
    pub fn save(&self, user: &str, mailbox: &str, message: &[u8]) {
        run(self.doveadm_command().args(["save", "-u", user, "-m", mailbox]), message);
    }

    /// Runs `doveadm` with this configuration and gives what it prints.
    pub fn doveadm(&self, arguments: &[&str]) -> String {
        run(self.doveadm_command().args(arguments), b"")
    }

    /// Ends all connections of a user, as a server does that restarts or runs out of patience.
    pub fn kick(&self, user: &str) {
        self.doveadm(&["kick", user]);
    }

    /// Stops serving and ends all connections, mails kept; [`Dovecot::resume`] serves again on the same ports.
    pub fn stop(&mut self) {
        self.process.signal("TERM");
        self.process.wait(PATIENCE);
        // Its children go on with the connections they have.
        self.process.kill_now();
    }

    /// Serves again after [`Dovecot::stop`].
    pub fn resume(&mut self) {
        self.process = launch(&self.scratch, self.ports, self.zone.as_deref())
            .expect("Dovecot starts again on its ports");
    }

    /// Serves again with another configuration, as an operator changes it: its text and the directory of its files go in.
    pub fn reconfigure(&mut self, change: impl FnOnce(String, &std::path::Path) -> String) {
        self.stop();
        let file = self.scratch.join("dovecot.conf");
        let text = fs::read_to_string(&file).expect("dovecot.conf");
        fs::write(&file, change(text, self.scratch.path())).expect("dovecot.conf");
        self.resume();
    }

    /// Its first process, for whoever looks at it from outside.
    pub fn process_id(&mut self) -> u32 {
        self.process.child().id()
    }

    /// What it logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.scratch.join("dovecot.log")).unwrap_or_default()
    }

    fn doveadm_command(&self) -> Command {
        let mut command = Command::new("doveadm");
        command.arg("-c").arg(self.scratch.join("dovecot.conf"));
        command
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        // Its children end with it only when it may say so to them.
        self.process.signal("TERM");
        let _ = self.process.wait(Duration::from_secs(3));
    }
}

/// A mail with the usual headers, for tests that only need one.
pub fn mail(from: &str, subject: &str, text: &str) -> Vec<u8> {
    let id = rand::random::<u64>();
    format!(
        "From: {from}\r\nTo: joe@example.org\r\nSubject: {subject}\r\nDate: Mon, 06 Mar 2006 09:00:00 +0000\r\n\
         Message-ID: <{id:016x}@example.org>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n{text}\r\n"
    )
    .into_bytes()
}

/// RFC 5321 4.5.2: a line that begins with a dot gets another, the end is a dot alone.
fn dot_stuffed(message: &[u8]) -> Vec<u8> {
    let mut stuffed = Vec::with_capacity(message.len() + 8);
    for line in message.split_inclusive(|&byte| byte == b'\n') {
        if line.starts_with(b".") {
            stuffed.push(b'.');
        }
        stuffed.extend_from_slice(line);
    }
    if !stuffed.ends_with(b"\r\n") {
        stuffed.extend_from_slice(b"\r\n");
    }
    stuffed.extend_from_slice(b".\r\n");
    stuffed
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// The users that Dovecot's parts run as, each with its group.
struct Users {
    internal: (String, String),
    login: String,
    mail: (String, String),
}

impl Users {
    fn find() -> Users {
        let id = |option: &str| run(Command::new("id").arg(option), b"").trim().to_owned();
        let (user, group) = (id("-un"), id("-gn"));
        if user == "root" {
            let pair = |name: &str| (name.to_owned(), name.to_owned());
            return Users { internal: pair("dovecot"), login: "dovenull".to_owned(), mail: pair("vmail") };
        }
        Users { internal: (user.clone(), group.clone()), login: user.clone(), mail: (user, group) }
    }
}

fn config(scratch: &Scratch, users: &Users, ports: [u16; 3], riches: &Riches) -> String {
    let capability = match riches {
        Riches::Rich => String::new(),
        Riches::Poor => "  imap_capability = IMAP4rev1 IDLE UIDPLUS NAMESPACE".to_owned(),
        Riches::Just(list) => format!("  imap_capability = {list}"),
    };
    let directory = scratch.path().display().to_string();
    let port = ports.map(|port| port.to_string());
    let words: [(&str, &str); 10] = [
        ("@DIR@", &directory),
        ("@INTERNAL_USER@", &users.internal.0),
        ("@INTERNAL_GROUP@", &users.internal.1),
        ("@LOGIN_USER@", &users.login),
        ("@MAIL_USER@", &users.mail.0),
        ("@MAIL_GROUP@", &users.mail.1),
        ("@CAPABILITY@", &capability),
        ("@IMAP@", &port[0]),
        ("@IMAPS@", &port[1]),
        ("@LMTP@", &port[2]),
    ];
    words.iter().fold(CONFIG.to_owned(), |text, (word, value)| text.replace(word, value))
}

/// Starts the daemon and waits until it lets a user in; nothing when it ends instead.
fn launch(scratch: &Scratch, ports: [u16; 3], zone: Option<&str>) -> Option<Running> {
    let output = fs::File::create(scratch.join("output")).expect("a file for its output");
    let mut command = Command::new("dovecot");
    command.arg("-F").arg("-c").arg(scratch.join("dovecot.conf"));
    command.stdout(Stdio::null()).stderr(output).envs(zone.map(|zone| ("TZ", zone)));
    let mut process = Running::start(&mut command).ok()?;
    let ready = within(PATIENCE, || {
        if process.exited().is_some() {
            return Some(false);
        }
        logs_in(local(ports[0]), &scratch.path().display().to_string()).then_some(true)
    });
    (ready == Some(true)).then_some(process)
}

/// Whether a user can log in: the greeting comes before the processes behind it are ready. It names the directory,
/// so that another test's server on a port that was taken is not mistaken for this one.
fn logs_in(address: SocketAddr, greeting: &str) -> bool {
    let converse = || {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(format!("a LOGIN ready {PASSWORD}\r\nb LOGOUT\r\n").as_bytes())?;
        let mut answers = String::new();
        stream.read_to_string(&mut answers)?;
        Ok::<_, std::io::Error>(answers)
    };
    converse().is_ok_and(|answers| answers.contains(greeting) && answers.contains("\r\na OK "))
}
