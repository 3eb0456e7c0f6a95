//! The built gateway as its users run it: a process with a configuration file, started, killed and started again.
//!
//! Knows the outside contract alone: the command line, the configuration keys, the `listening …` lines, signals.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use toml::{Table, Value};

use crate::certificate::Certificate;
use crate::dovecot::Dovecot;
use crate::http::Site;
use crate::process::Running;
use crate::wait::{PATIENCE, Scratch, within};

/// A configuration, built key by key: `with("session.retention", "2s")`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config(Table);

impl Config {
    /// A gateway before that Dovecot: HTTP, IMAP and admin on free ports, cleartext allowed, the embedded store in the
    /// directory of the fixture.
    pub fn before(dovecot: &Dovecot) -> Config {
        Config::upstream(dovecot.imap())
    }

    /// The same before any server at that address.
    pub fn upstream(address: SocketAddr) -> Config {
        Config::default()
            .with("listen.http", "127.0.0.1:0")
            .with("listen.imap", "127.0.0.1:0")
            .with("listen.admin", "127.0.0.1:0")
            .with("listen.allow_cleartext", true)
            .with("upstream.host", address.ip().to_string())
            .with("upstream.port", i64::from(address.port()))
            .with("upstream.security", "none")
            .with("session.default_domain", "example.org")
            .with("store.kind", "embedded")
    }

    /// Sets one key of one section.
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Config {
        let (section, name) = key.rsplit_once('.').expect("a key with its section");
        let mut table = &mut self.0;
        for part in section.split('.') {
            let entry = table.entry(part).or_insert_with(|| Value::Table(Table::new()));
            table = entry.as_table_mut().expect("a section");
        }
        table.insert(name.to_owned(), value.into());
        self
    }

    fn get(&self, key: &str) -> Option<&Value> {
        let (section, name) = key.rsplit_once('.')?;
        let mut table = &self.0;
        for part in section.split('.') {
            table = table.get(part)?.as_table()?;
        }
        table.get(name)
    }

    /// The configuration as a file.
    pub fn text(&self) -> String {
        self.0.to_string()
    }
}

/// Addresses by the name of their listener, as the gateway tells them.
type Listeners = Arc<Mutex<BTreeMap<String, SocketAddr>>>;

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    process: Running,
    listeners: Listeners,
    config: Config,
    certificate: Option<Certificate>,
    scratch: Scratch,
}

impl Gateway {
    /// Starts one with this configuration and waits until it serves.
    pub fn start(config: Config) -> Gateway {
        let scratch = Scratch::new("gateway");
        let store = scratch.join("store").display().to_string();
        let seal = scratch.join("seal.key").display().to_string();
        let mut config = config;
        for (key, value) in [("store.path", store), ("store.seal_key_file", seal)] {
            if config.get(key).is_none() {
                config = config.with(key, value);
            }
        }
        Gateway::launch(config, None, scratch)
    }

    /// The same with TLS on HTTP and, where configured, on IMAP.
    pub fn start_tls(config: Config) -> Gateway {
        let scratch = Scratch::new("gateway");
        let certificate = Certificate::write(scratch.path());
        let config = config
            .with("tls.certificate", certificate.certificate.display().to_string())
            .with("tls.key", certificate.key.display().to_string())
            .with("store.path", scratch.join("store").display().to_string())
            .with("store.seal_key_file", scratch.join("seal.key").display().to_string());
        Gateway::launch(config, Some(certificate), scratch)
    }

    fn launch(config: Config, certificate: Option<Certificate>, scratch: Scratch) -> Gateway {
        let (process, listeners) = spawn(&config, &scratch);
        let mut gateway = Gateway { process, listeners, config, certificate, scratch };
        gateway.until_it_serves().unwrap_or_else(|reason| panic!("{reason}"));
        gateway
    }

    /// The address of a listener: `http`, `imap`, `imaps`, `admin`, `udp`.
    #[track_caller]
    pub fn address(&self, name: &str) -> SocketAddr {
        let told = || self.listeners.lock().expect("the listeners").get(name).copied();
        within(PATIENCE, told).unwrap_or_else(|| panic!("no `listening {name}` line\n{}", self.log()))
    }

    /// Where HTTP is served, with the trust it takes.
    pub fn site(&self) -> Site {
        Site { address: self.address("http"), tls: self.certificate.as_ref().map(Certificate::client) }
    }

    /// `kill -9`: no byte is written any more when this returns.
    pub fn kill(&mut self) {
        self.process.kill_now();
    }

    /// Starts it again on the same store and the same ports.
    pub fn restart(&mut self) {
        self.keep_ports();
        let began = Instant::now();
        loop {
            let told = self.log().len();
            (self.process, self.listeners) = spawn(&self.config, &self.scratch);
            match self.until_it_serves() {
                Ok(()) => return,
                // Somebody else's connection may have been given one of the ports meanwhile; it goes again.
                Err(_) if self.is_port_taken(told) && began.elapsed() < PATIENCE => {}
                Err(reason) => panic!("{reason}"),
            }
        }
    }

    /// Whether what it wrote since then says that an address is in use.
    fn is_port_taken(&self, since: usize) -> bool {
        self.log().get(since..).is_some_and(|log| log.contains("Address already in use"))
    }

    /// SIGTERM; the answer is how it ended, or nothing when it did not within `limit`.
    pub fn terminate(&mut self, limit: Duration) -> Option<ExitStatus> {
        self.process.signal("TERM");
        self.process.wait(limit)
    }

    /// Another signal: `STOP` freezes it, `CONT` thaws it, `HUP` reloads.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// What it wrote to its standard error, over all its lives.
    pub fn log(&self) -> String {
        fs::read_to_string(self.scratch.join("gateway.log")).unwrap_or_default()
    }

    /// The resident memory in KiB.
    pub fn resident_kib(&mut self) -> u64 {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.process.child().id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok())
            .expect("VmRSS of a running gateway")
    }

    /// Its process, for whoever looks at it from outside.
    pub fn process_id(&mut self) -> u32 {
        self.process.child().id()
    }

    /// Where its files are.
    pub fn directory(&self) -> &std::path::Path {
        self.scratch.path()
    }

    /// Waits until it serves; else what it left behind: its log, and the file it was to be configured by.
    fn until_it_serves(&mut self) -> Result<(), String> {
        let process = &mut self.process;
        let listeners = &self.listeners;
        let wanted =
            ["http", "imap"].into_iter().find(|name| self.config.get(&format!("listen.{name}")).is_some());
        let wanted = wanted.expect("a configured listener");
        let served = within(PATIENCE, || {
            if let Some(status) = process.exited() {
                return Some(Err(format!("the gateway ended with {status}")));
            }
            listeners.lock().expect("the listeners").contains_key(wanted).then_some(Ok(()))
        });
        let reason = match served {
            Some(Ok(())) => return Ok(()),
            Some(Err(reason)) => reason,
            None => format!("no `listening {wanted}` line"),
        };
        let file =
            fs::read_to_string(self.scratch.join("gateway.toml")).unwrap_or_else(|error| error.to_string());
        Err(format!("{reason}\nits log:\n{}\nits configuration:\n{file}", self.log()))
    }

    /// Writes the ports that were found into the configuration, so that handsets find it there again.
    fn keep_ports(&mut self) {
        let listeners = self.listeners.lock().expect("the listeners").clone();
        for (name, address) in listeners {
            let key = if name == "udp" { "channels.udp.listen".to_owned() } else { format!("listen.{name}") };
            if self.config.get(&key).is_some() {
                self.config = std::mem::take(&mut self.config).with(&key, address.to_string());
            }
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(40).collect();
            eprintln!("the end of the gateway's log:");
            tail.iter().rev().for_each(|line| eprintln!("  {line}"));
        }
    }
}

/// Runs `pimap-gateway check` on a configuration text.
pub fn check(text: &str) -> Output {
    let scratch = Scratch::new("check");
    let file = scratch.join("gateway.toml");
    fs::write(&file, text).expect("gateway.toml");
    let output = Command::new(binary()).arg("check").arg("--config").arg(&file).stdin(Stdio::null()).output();
    output.expect("the gateway runs")
}

fn spawn(config: &Config, scratch: &Scratch) -> (Running, Listeners) {
    let file = scratch.join("gateway.toml");
    fs::write(&file, config.text()).expect("gateway.toml");
    let log =
        fs::File::options().create(true).append(true).open(scratch.join("gateway.log")).expect("gateway.log");
    let mut command = Command::new(binary());
    command.arg("serve").arg("--config").arg(&file).stdout(Stdio::piped()).stderr(log);
    let mut process = Running::start(&mut command).expect("the gateway starts");
    let output = process.child().stdout.take().expect("its standard output");
    let listeners = Listeners::default();
    let told = Arc::clone(&listeners);
    // Ends with the gateway, whose end of the pipe goes with it.
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let mut words = line.split(' ');
            if let (Some("listening"), Some(name), Some(address)) = (words.next(), words.next(), words.next())
                && let Ok(address) = address.parse()
            {
                told.lock().expect("the listeners").insert(name.to_owned(), address);
            }
        }
    });
    (process, listeners)
}

/// The gateway's program: `PIMAP_GATEWAY` names it, else it is built like the test that asks.
pub fn binary() -> &'static PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("PIMAP_GATEWAY") {
        Some(path) => PathBuf::from(path),
        None => build(),
    })
}

/// Where this program was built: target/PROFILE.
fn profile() -> PathBuf {
    // A test runs as target/PROFILE/deps/NAME, the demo as target/PROFILE/demo.
    let own = std::env::current_exe().expect("the path of this program");
    let deps = own.parent().expect("its directory");
    if deps.ends_with("deps") { deps.parent().expect("the profile").into() } else { deps.into() }
}

/// The target directory.
pub fn target() -> PathBuf {
    profile().parent().expect("the target directory").into()
}

fn build() -> PathBuf {
    let (profile, target) = (profile(), target());
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--quiet", "--package", "pimap-gateway", "--target-dir"]).arg(target);
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    if profile.ends_with("release") {
        command.arg("--release");
    }
    let status = command.stdin(Stdio::null()).status().expect("cargo runs");
    assert!(status.success(), "the gateway does not build");
    profile.join("pimap-gateway")
}
