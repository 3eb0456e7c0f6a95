//! A real Dovecot of the test's own: free ports, a directory of its own, gone with the test.
//!
//! Any user name logs in with the password `pw`. Needs Dovecot installed, root, and the user `vmail`.

// Each test file is a crate of its own and uses some of these.
#![allow(dead_code)]

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A running server.
pub struct Dovecot {
    pub imap: u16,
    pub imaps: u16,
    directory: PathBuf,
    child: Child,
}

const TEMPLATE: &str = include_str!("dovecot.conf");
static STARTED: AtomicUsize = AtomicUsize::new(0);

impl Dovecot {
    /// Starts a server that announces everything it has.
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// Starts one that announces little: no CONDSTORE, QRESYNC, NOTIFY, MOVE, ESEARCH, ENABLE, LITERAL+.
    pub fn start_poor() -> Self {
        Self::start_with("imap_capability = IMAP4rev1 IDLE UIDPLUS NAMESPACE")
    }

    /// Starts a server with more settings for `protocol imap`.
    pub fn start_with(protocol_imap: &str) -> Self {
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("pimap-upstream-{}-{number}", std::process::id()));
        std::fs::create_dir_all(directory.join("mail")).expect("directory for Dovecot");
        let (imap, imaps, lmtp) = (free_port(), free_port(), free_port());
        let certificate = rcgen::generate_simple_self_signed(vec!["localhost".into()]).expect("certificate");
        std::fs::write(directory.join("cert.pem"), certificate.cert.pem()).expect("certificate file");
        std::fs::write(directory.join("key.pem"), certificate.signing_key.serialize_pem()).expect("key file");
        let config = TEMPLATE
            .replace("@DIR@", directory.to_str().expect("UTF-8 path"))
            .replace("@IMAP@", &imap.to_string())
            .replace("@IMAPS@", &imaps.to_string())
            .replace("@LMTP@", &lmtp.to_string())
            .replace("@PROTOCOL_IMAP@", protocol_imap);
        let file = directory.join("dovecot.conf");
        std::fs::write(&file, config).expect("config file");
        run(
            Command::new("chown").args(["-R", "vmail"]).arg(directory.join("mail")),
            "chown to vmail (does the user exist?)",
        );
        let mut command = Command::new("dovecot");
        command.arg("-F").arg("-c").arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
        let child =
            command.spawn().expect("dovecot must be installed: apt-get install dovecot-imapd dovecot-lmtpd");
        let server = Self { imap, imaps, directory, child };
        server.wait_until_ready();
        server
    }

    fn wait_until_ready(&self) {
        let end = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(("127.0.0.1", self.imap)).is_err() {
            let log = || std::fs::read_to_string(self.directory.join("dovecot.log")).unwrap_or_default();
            assert!(Instant::now() < end, "Dovecot does not start:\n{}", log());
            std::thread::yield_now();
        }
    }

    /// The certificate that the server shows, as a file.
    pub fn certificate(&self) -> PathBuf {
        self.directory.join("cert.pem")
    }

    /// Runs `doveadm` and gives what it prints.
    pub fn doveadm(&self, arguments: &[&str]) -> String {
        run(Command::new("doveadm").arg("-c").arg(self.config()).args(arguments), "doveadm")
    }

    /// Saves a message into a mailbox, creating it.
    pub fn save(&self, user: &str, mailbox: &str, message: &[u8]) {
        use std::io::Write;
        if mailbox != "INBOX" {
            let _ = Command::new("doveadm")
                .arg("-c")
                .arg(self.config())
                .args(["mailbox", "create", "-u", user, mailbox])
                .output();
        }
        let mut child = Command::new("doveadm")
            .arg("-c")
            .arg(self.config())
            .args(["save", "-u", user, "-m", mailbox])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("doveadm runs");
        child.stdin.take().expect("piped").write_all(message).expect("doveadm reads");
        let output = child.wait_with_output().expect("doveadm ends");
        assert!(output.status.success(), "doveadm save: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Saves small messages.
    pub fn save_some(&self, user: &str, mailbox: &str, count: usize) {
        for n in 0..count {
            self.save(
                user,
                mailbox,
                format!("From: a@example.org\r\nSubject: number {n}\r\n\r\nText {n}\r\n").as_bytes(),
            );
        }
    }

    /// What the server has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join("dovecot.log")).unwrap_or_default()
    }

    fn config(&self) -> PathBuf {
        self.directory.join("dovecot.conf")
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").arg(&pid).status();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("bound").port()
}

fn run(command: &mut Command, what: &str) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{what}: {e}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{what}: {out}{err}");
    out.into_owned()
}
