//! A configuration in words, for `check`: what the gateway would do, not the keys again.

use super::{Auth, Config, Security, StoreKind};
use pimap_account::contract::SidTags;

/// Explains a configuration, one statement per line. Names files; opens none but to say that one cannot be read.
pub fn explain(config: &Config) -> String {
    let mut text = String::new();
    let mut say = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    let secured = config.tls.is_some();
    if let Some(address) = config.listen.http {
        say(format!("Handsets call {}://{address}/pimap.", if secured { "https" } else { "http" }));
    }
    if let Some(address) = config.listen.imap {
        let how = if secured { ", STARTTLS offered" } else { ", without TLS" };
        say(format!("Handsets and mail programs call imap://{address}{how}."));
    }
    if let Some(address) = config.listen.imaps {
        say(format!("Handsets and mail programs call imaps://{address}."));
    }
    if let Some(address) = config.listen.admin {
        say(format!("Health and metrics are at http://{address}/."));
    }
    say(match (config.listen.allow_cleartext, secured) {
        (true, _) => {
            "Passwords and device keys may cross the network WITHOUT TLS (listen.allow_cleartext).".into()
        }
        (false, true) => "Passwords are taken over TLS only.".into(),
        (false, false) => "Nobody can log in: neither [tls] nor listen.allow_cleartext is set.".into(),
    });
    upstream(config, &mut say);
    sessions(config, &mut say);
    for (key, path) in files(config) {
        if let Err(error) = std::fs::File::open(path) {
            say(format!("Note: {key} = {} cannot be read here: {error}.", path.display()));
        }
    }
    text
}

fn upstream(config: &Config, say: &mut impl FnMut(String)) {
    let upstream = &config.upstream;
    let security = match upstream.security {
        Security::Tls => "TLS",
        Security::StartTls => "STARTTLS",
        Security::Cleartext => "no TLS",
    };
    say(format!("Mail is at {}:{} with {security}.", upstream.host, upstream.port));
    say(match &upstream.auth {
        Auth::Passthrough => "The gateway logs in there with each user's own password, kept sealed.".into(),
        Auth::Master { user, separator, .. } => format!(
            "The gateway logs in there as NAME{separator}{user}; each user's own password is verified there too."
        ),
    });
    say(format!(
        "The user local@domain is known there as {}{}.",
        upstream.login.apply("local", "domain"),
        if upstream.fold_case { ", in lower case" } else { "" }
    ));
    say(match upstream.accept_cache.as_secs() {
        0 => "Every LOGIN is verified there.".into(),
        seconds => format!("An accepted password is accepted again for {seconds} s without asking there."),
    });
    if upstream.send_client_id {
        say("It is told each handset's address when that logs in (ID x-originating-ip).".into());
    }
    let (most, most_spare) =
        (upstream.connections_per_account_max, upstream.connections_per_account_max.saturating_sub(2));
    say(format!("An account costs it at most {most} connections, one of them watching all the time."));
    say(match upstream.spare_watchers_max.unwrap_or(most_spare) {
        0 => "Where it has no NOTIFY, mailboxes besides the first are polled.".into(),
        spare => format!("Where it has no NOTIFY, {spare} more watch while no command needs them."),
    });
}

fn sessions(config: &Config, say: &mut impl FnMut(String)) {
    let session = &config.session;
    if let Some(domain) = &session.default_domain {
        say(format!("A login name without a domain means @{domain}."));
    }
    say(format!(
        "A session without a connection lives {} s; a connection without commands {} s.",
        session.retention.as_secs(),
        session.idle_timeout.as_secs()
    ));
    if let Some(valid) = session.login_valid {
        say(format!(
            "A cookie or SESSIONID stands for a LOGIN for {} s; then another is asked for.",
            valid.as_secs()
        ));
    }
    say(format!("Past {} events in one mailbox a handset is told RESYNC.", session.log_events_max));
    say(format!("Days begin at midnight, {:+} minutes from UTC.", session.zone_minutes));
    say(if session.delete_hidden {
        "DELETE removes a mailbox even if it holds mail that the handset cannot see.".into()
    } else {
        "DELETE is refused for a mailbox that holds mail the handset cannot see.".into()
    });
    say(match session.sid_tags {
        SidTags::Off => "A SESSIONID before a tag means nothing.".into(),
        SidTags::Http => "A SESSIONID before a tag takes its session up, over HTTP.".into(),
        SidTags::Everywhere => "A SESSIONID before a tag takes its session up, over HTTP and TCP.".into(),
    });
    say(match &config.store.kind {
        StoreKind::Memory => "Sessions are kept in MEMORY: a restart forgets them.".into(),
        StoreKind::Embedded(path) => format!("Sessions are kept in {}.", path.display()),
    });
    if let Some(udp) = &config.udp {
        let port = udp.advertise_port.unwrap_or_else(|| udp.listen.port());
        say(format!(
            "Handsets are woken over UDP from {}; they are told {}:{port}.",
            udp.listen, udp.advertise_host
        ));
    }
}

fn files(config: &Config) -> Vec<(&'static str, &std::path::Path)> {
    let mut files: Vec<(&'static str, &std::path::Path)> = Vec::new();
    if let Some(tls) = &config.tls {
        files.push(("tls.certificate", &tls.certificate));
        files.push(("tls.key", &tls.key));
    }
    if let Some(ca) = &config.upstream.ca_file {
        files.push(("upstream.ca_file", ca));
    }
    if let Auth::Master { password, .. } = &config.upstream.auth {
        files.push(("upstream.auth.password_file", &password.0));
    }
    files
}
