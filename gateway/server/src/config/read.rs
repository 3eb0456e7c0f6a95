//! From a file's text and the environment to a [`Config`].

use super::section::{Findings, Section};
use super::value::{address, duration, login_template, zone};
use super::*;
use toml::{Table, Value};

/// Reads a configuration. `file` is the text of the file, `environment` every variable of the process.
pub fn read(
    file: &str,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, Vec<Mistake>> {
    let mut findings = Findings::default();
    let mut table = match file.parse::<Table>() {
        Ok(table) => table,
        // Nothing can be said about the keys of a file that is not TOML.
        Err(error) => {
            return Err(vec![Mistake { key: "file".into(), what: error.to_string().trim_end().to_owned() }]);
        }
    };
    overlay(&mut table, environment, &mut findings);
    let mut root = Section::root(table, &findings);
    let listen = listen(root.section("listen"));
    let tls = tls(root.section("tls"));
    let upstream = upstream(root.section("upstream"));
    let is_master = upstream.as_ref().is_some_and(|upstream| matches!(upstream.auth, Auth::Master { .. }));
    let session = session(root.section("session"), is_master);
    let store = store(root.section("store"));
    let udp = channels(root.section("channels"));
    let log = log(root.section("log"));
    if root.section("submission").present {
        findings.mistake("submission", "is not built in yet");
    }
    root.end();
    if let (Some(_), None) = (listen.imaps, &tls) {
        findings.mistake("listen.imaps", "needs [tls] with certificate and key");
    }
    if upstream.as_ref().is_some_and(|upstream| upstream.login.wants_domain())
        && session.default_domain.is_none()
    {
        findings.mistake("session.default_domain", "is missing, and upstream.login uses {domain}");
    }
    match (findings.into_mistakes(), upstream, store) {
        (mistakes, Some(upstream), Some(store)) if mistakes.is_empty() => {
            Ok(Config { listen, tls, upstream, session, store, udp, log })
        }
        (mistakes, ..) => Err(mistakes),
    }
}

/// Lays `PIMAP_SECTION__KEY` over the file. Names without `__` are not ours: a cluster sets `PIMAP_GATEWAY_PORT` by
/// itself for a service called `pimap-gateway`.
fn overlay(
    table: &mut Table,
    environment: impl IntoIterator<Item = (String, String)>,
    findings: &mut Findings,
) {
    let mut variables: Vec<_> = environment
        .into_iter()
        .filter(|(name, _)| name.starts_with("PIMAP_") && name.contains("__"))
        .collect();
    variables.sort();
    for (name, value) in variables {
        let path: Vec<String> = name["PIMAP_".len()..].split("__").map(str::to_ascii_lowercase).collect();
        findings.variables.insert(path.join("."), name);
        set(table, &path, value);
    }
}

/// Sets the key at the end of `path`, making the sections on the way.
fn set(table: &mut Table, path: &[String], value: String) {
    match path {
        [] => {}
        [key] => drop(table.insert(key.clone(), Value::String(value))),
        [section, rest @ ..] => {
            let entry = table.entry(section.as_str()).or_insert_with(|| Value::Table(Table::new()));
            if !entry.is_table() {
                *entry = Value::Table(Table::new());
            }
            if let Value::Table(within) = entry {
                set(within, rest, value);
            }
        }
    }
}

fn listen(mut section: Section<'_>) -> Listen {
    let listen = Listen {
        http: section.parsed("http", address),
        imap: section.parsed("imap", address),
        imaps: section.parsed("imaps", address),
        admin: section.parsed("admin", address),
        allow_cleartext: section.switch("allow_cleartext", false),
    };
    if listen.http.is_none() && listen.imap.is_none() && listen.imaps.is_none() {
        section.mistake("http", "is missing, and so are listen.imap and listen.imaps: nobody could call");
    }
    section.end();
    listen
}

fn tls(mut section: Section<'_>) -> Option<Tls> {
    let (certificate, key) = (section.text("certificate"), section.text("key"));
    if section.present {
        for (name, value) in [("certificate", &certificate), ("key", &key)] {
            if value.is_none() {
                section.mistake(name, "is missing");
            }
        }
    }
    section.end();
    Some(Tls { certificate: certificate?.into(), key: key?.into() })
}

fn upstream(mut section: Section<'_>) -> Option<Upstream> {
    let host = section.text("host");
    if host.is_none() {
        section.mistake("host", "is missing: the mail server's name");
    }
    let modes = [("tls", Security::Tls), ("starttls", Security::StartTls), ("none", Security::Cleartext)];
    let security = section.word("security", &modes).unwrap_or(Security::Tls);
    let usual_port = if security == Security::Tls { 993 } else { 143 };
    let port =
        section.number("port", 1..=65_535).and_then(|port| u16::try_from(port).ok()).unwrap_or(usual_port);
    let ca_file = section.text("ca_file").map(PathBuf::from);
    let connections = section.number("connections_per_account_max", 1..=32).unwrap_or(3);
    let spares = section.number("spare_watchers_max", 0..=30);
    if spares.is_some_and(|spares| spares > connections.saturating_sub(2)) {
        section.mistake(
            "spare_watchers_max",
            "is too large: of connections_per_account_max one watches in any case and one is left for commands",
        );
    }
    let auth = auth(section.section("auth"));
    let login = section.parsed("login", login_template).unwrap_or_else(|| LoginTemplate("{local}".into()));
    let fold_case = section.switch("fold_case", false);
    let accept_cache = section.parsed("accept_cache", duration).unwrap_or(Duration::from_secs(300));
    if accept_cache > Duration::from_secs(300) {
        section.mistake("accept_cache", "is longer than 5m: a changed password would be accepted too long");
    }
    let send_client_id = section.switch("send_client_id", false);
    let mut interval = |key, usual| match section.parsed(key, duration) {
        Some(Duration::ZERO) => {
            section.mistake(key, "is zero: the mail server would be asked without a pause");
            usual
        }
        interval => interval.unwrap_or(usual),
    };
    let poll_interval = interval("poll_interval", Duration::from_secs(30));
    let audit_interval = interval("audit_interval", Duration::from_secs(300));
    section.end();
    Some(Upstream {
        host: host?,
        port,
        security,
        ca_file,
        connections_per_account_max: usize::try_from(connections).unwrap_or(3),
        spare_watchers_max: spares.and_then(|n| usize::try_from(n).ok()),
        auth: auth?,
        login,
        fold_case,
        accept_cache,
        send_client_id,
        poll_interval,
        audit_interval,
    })
}

fn auth(mut section: Section<'_>) -> Option<Auth> {
    let master = section.word("mode", &[("passthrough", false), ("master", true)]).unwrap_or(false);
    let (user, file) = (section.text("user"), section.text("password_file"));
    let one_character = |text: &str| {
        let mut characters = text.chars();
        match (characters.next(), characters.next()) {
            (Some(character), None) if character.is_ascii_punctuation() => Ok(character),
            _ => Err(format!("{text:?} is not one punctuation character")),
        }
    };
    let separator = section.parsed("separator", one_character);
    if master {
        for (name, value) in [("user", &user), ("password_file", &file)] {
            if value.is_none() {
                section.mistake(name, "is missing: auth.mode is master");
            }
        }
    } else {
        for (name, set) in
            [("user", user.is_some()), ("password_file", file.is_some()), ("separator", separator.is_some())]
        {
            if set {
                section.mistake(name, "has no meaning: auth.mode is passthrough");
            }
        }
    }
    section.end();
    if !master {
        return Some(Auth::Passthrough);
    }
    Some(Auth::Master {
        user: user?,
        password: MasterPassword(file?.into()),
        separator: separator.unwrap_or('*'),
    })
}

const SID_TAGS: [(&str, SidTags); 3] =
    [("off", SidTags::Off), ("http", SidTags::Http), ("everywhere", SidTags::Everywhere)];

/// How long a login holds where the gateway is let in as master user, whatever became of the password.
const MASTER_LOGIN_VALID: Duration = Duration::from_secs(24 * 3600);

fn session(mut section: Section<'_>, is_master: bool) -> Session {
    let domain = |text: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        if text.bytes().all(plain) { Ok(text.to_owned()) } else { Err(format!("{text:?} is not a domain")) }
    };
    let session = Session {
        default_domain: section.parsed("default_domain", domain),
        retention: section.parsed("retention", duration).unwrap_or(Duration::from_secs(24 * 3600)),
        login_valid: section.parsed("login_valid", duration).or(is_master.then_some(MASTER_LOGIN_VALID)),
        idle_timeout: section.parsed("idle_timeout", duration).unwrap_or(Duration::from_secs(30 * 60)),
        log_events_max: section
            .number("log_events_max", 1..=1_000_000)
            .and_then(|n| usize::try_from(n).ok())
            .unwrap_or(10_000),
        zone_minutes: section.parsed("time_zone", zone).unwrap_or(0),
        delete_hidden: section.word("delete_hidden", &[("refuse", false), ("allow", true)]).unwrap_or(false),
        sid_tags: section.word("sid_tags", &SID_TAGS).unwrap_or_default(),
    };
    let times = [
        ("retention", Some(session.retention)),
        ("login_valid", session.login_valid),
        ("idle_timeout", Some(session.idle_timeout)),
    ];
    for (key, value) in times {
        if value.is_some_and(|value| value < Duration::from_secs(1)) {
            section.mistake(key, "is shorter than 1s");
        }
    }
    section.end();
    session
}

fn store(mut section: Section<'_>) -> Option<Store> {
    let kind = section.word("kind", &[("embedded", "embedded"), ("redis", "redis"), ("memory", "memory")]);
    let kind = kind.unwrap_or("embedded");
    let path = section.text("path").map_or_else(|| PathBuf::from("/var/lib/pimap-gateway"), PathBuf::from);
    // A file may keep `path` and `url` side by side and switch by `kind`.
    section.ignore("url");
    let seal_key_file = section.text("seal_key_file").map(PathBuf::from);
    let kind = match kind {
        "memory" => Some(StoreKind::Memory),
        "redis" => {
            section.mistake("kind", "redis is not built in yet; use embedded");
            None
        }
        _ => Some(StoreKind::Embedded(path)),
    };
    section.end();
    Some(Store { kind: kind?, seal_key_file })
}

fn channels(mut section: Section<'_>) -> Option<Udp> {
    for channel in ["sip", "sms"] {
        if section.section(channel).present {
            section.mistake(channel, "is not built in yet");
        }
    }
    let udp = udp(section.section("udp"));
    section.end();
    udp
}

fn udp(mut section: Section<'_>) -> Option<Udp> {
    let listen = section.parsed("listen", address);
    let advertise_host = section.text("advertise_host");
    let advertise_port =
        section.number("advertise_port", 1..=65_535).and_then(|port| u16::try_from(port).ok());
    if section.present {
        for (name, missing) in [("listen", listen.is_none()), ("advertise_host", advertise_host.is_none())] {
            if missing {
                section.mistake(name, "is missing");
            }
        }
    }
    section.end();
    Some(Udp { listen: listen?, advertise_host: advertise_host?, advertise_port })
}

fn log(mut section: Section<'_>) -> Log {
    let levels = [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Trace];
    let log = Log {
        format: section
            .word("format", &[("plain", LogFormat::Plain), ("json", LogFormat::Json)])
            .unwrap_or(LogFormat::Plain),
        level: section.word("level", &levels.map(|level| (level.as_str(), level))).unwrap_or(LogLevel::Info),
    };
    section.end();
    log
}
