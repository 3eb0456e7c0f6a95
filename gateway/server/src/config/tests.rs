//! The contract's example, its defaults, the environment, and every mistake by its key.

use super::read::read;
use super::*;

const WHOLE: &str = r#"
[listen]
http = "127.0.0.1:8080"
imap = "127.0.0.1:1143"
imaps = "127.0.0.1:1993"
admin = "127.0.0.1:9090"
allow_cleartext = false
[tls]
certificate = "cert.pem"
key = "key.pem"
[upstream]
host = "127.0.0.1"
port = 143
security = "starttls"
ca_file = "ca.pem"
connections_per_account_max = 4
spare_watchers_max = 1
auth = { mode = "master", user = "gate", password_file = "pw", separator = "*" }
login = "{local}@{domain}"
accept_cache = "1m"
poll_interval = "10s"
audit_interval = "2m"
send_client_id = true
[session]
default_domain = "example.org"
retention = "24h"
idle_timeout = "30m"
log_events_max = 10000
time_zone = "-05:30"
sid_tags = "everywhere"
[store]
kind = "embedded"
path = "/var/lib/pimap-gateway"
url = "redis://127.0.0.1/"
seal_key_file = "seal.key"
[channels.udp]
listen = "0.0.0.0:5143"
advertise_host = "push.example.org"
[log]
format = "json"
level = "debug"
"#;

const SMALL: &str = "[listen]\nhttp = \"127.0.0.1:0\"\n[upstream]\nhost = \"mail\"\n";

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn the_example_of_the_contract_is_understood() {
    let config = read(WHOLE, []).expect("no mistake");
    assert_eq!(config.upstream.security, Security::StartTls);
    assert_eq!(config.upstream.connections_per_account_max, 4);
    assert_eq!(config.upstream.spare_watchers_max, Some(1));
    let many = WHOLE.replace("spare_watchers_max = 1", "spare_watchers_max = 3");
    assert_eq!(read(&many, []).expect_err("none is left")[0].key, "upstream.spare_watchers_max");
    assert!(matches!(&config.upstream.auth, Auth::Master { user, separator: '*', .. } if user == "gate"));
    assert_eq!(config.upstream.login.apply("joe", "example.org"), "joe@example.org");
    assert_eq!(config.session.retention, Duration::from_secs(86_400));
    // Without a word of it a login holds for a day where there is a master user, and as long as the session where there is none.
    assert_eq!(config.session.login_valid, Some(Duration::from_secs(86_400)));
    assert_eq!(read(SMALL, []).expect("no mistake").session.login_valid, None);
    let short = SMALL.to_owned() + "[session]\nlogin_valid = \"90m\"\n";
    assert_eq!(read(&short, []).expect("no mistake").session.login_valid, Some(Duration::from_secs(5_400)));
    assert_eq!(config.session.zone_minutes, -330);
    assert!(config.upstream.send_client_id);
    assert_eq!(config.session.sid_tags, SidTags::Everywhere);
    assert_eq!(config.udp.as_ref().map(|udp| udp.listen.port()), Some(5143));
    assert_eq!(config.log, Log { format: LogFormat::Json, level: LogLevel::Debug });
    let words = explain::explain(&config);
    assert!(words.contains("https://127.0.0.1:8080/pimap"), "{words}");
    assert!(words.contains("NAME*gate"), "{words}");
}

#[test]
fn defaults_are_those_of_the_contract() {
    let config = read(SMALL, []).expect("no mistake");
    assert_eq!((config.upstream.port, config.upstream.security), (993, Security::Tls));
    assert_eq!(config.upstream.connections_per_account_max, 3);
    assert_eq!(config.upstream.spare_watchers_max, None);
    assert!(matches!(config.upstream.auth, Auth::Passthrough));
    assert_eq!(config.upstream.accept_cache, Duration::from_secs(300));
    let intervals = (config.upstream.poll_interval, config.upstream.audit_interval);
    assert_eq!(intervals, (Duration::from_secs(30), Duration::from_secs(300)));
    assert_eq!(config.session.idle_timeout, Duration::from_secs(1_800));
    assert_eq!(config.session.log_events_max, 10_000);
    assert_eq!(config.store.kind, StoreKind::Embedded("/var/lib/pimap-gateway".into()));
    assert!(!config.listen.allow_cleartext && !config.session.delete_hidden);
    assert!(!config.upstream.send_client_id);
    assert_eq!(config.session.sid_tags, SidTags::Http);
    let nonsense = format!("{SMALL}[session]\nsid_tags = \"tcp\"\n");
    assert_eq!(read(&nonsense, []).expect_err("no such place")[0].key, "session.sid_tags");
}

#[test]
fn every_key_can_come_from_the_environment() {
    let from_environment = variables(&[
        ("PIMAP_LISTEN__IMAP", "127.0.0.1:1143"),
        ("PIMAP_LISTEN__ALLOW_CLEARTEXT", "true"),
        ("PIMAP_UPSTREAM__HOST", "other"),
        ("PIMAP_UPSTREAM__PORT", "1143"),
        ("PIMAP_UPSTREAM__AUTH__MODE", "passthrough"),
        ("PIMAP_CHANNELS__UDP__LISTEN", "127.0.0.1:0"),
        ("PIMAP_CHANNELS__UDP__ADVERTISE_HOST", "push"),
        // What a cluster sets by itself for a service of our name.
        ("PIMAP_GATEWAY_PORT", "tcp://10.0.0.1:80"),
        ("HOME", "/root"),
    ]);
    let config = read(SMALL, from_environment).expect("no mistake");
    assert_eq!((config.upstream.host.as_str(), config.upstream.port), ("other", 1143));
    assert!(config.listen.allow_cleartext);
    assert!(config.udp.is_some() && config.listen.imap.is_some());
}

#[test]
fn all_mistakes_are_reported_at_once_with_their_keys() {
    let file = r#"
[listen]
http = "nonsense"
imaps = "127.0.0.1:1993"
https = "127.0.0.1:1"
allow_cleartext = "perhaps"
[upstream]
port = 70000
security = "ssl"
auth = { mode = "master", separator = "ab" }
login = "{user}"
accept_cache = "1h"
poll_interval = "0s"
[session]
retention = "soon"
login_valid = "0s"
log_events_max = 0
time_zone = "CET"
[store]
kind = "redis"
[channels.udp]
listen = "0.0.0.0:1"
[channels.sip]
[submission]
[log]
level = "loud"
[extra]
x = 1
"#;
    let mistakes = read(file, variables(&[("PIMAP_LOG__FORMAT", "xml")])).expect_err("mistakes");
    let keys: Vec<_> = mistakes.iter().map(|mistake| mistake.key.as_str()).collect();
    for key in [
        "listen.http",
        "listen.https",
        "listen.imaps",
        "listen.allow_cleartext",
        "upstream.host",
        "upstream.port",
        "upstream.security",
        "upstream.auth.user",
        "upstream.auth.password_file",
        "upstream.auth.separator",
        "upstream.login",
        "upstream.accept_cache",
        "upstream.poll_interval",
        "session.retention",
        "session.login_valid",
        "session.log_events_max",
        "session.time_zone",
        "store.kind",
        "channels.udp.advertise_host",
        "channels.sip",
        "submission",
        "log.level",
        "log.format (PIMAP_LOG__FORMAT)",
        "extra",
    ] {
        assert!(keys.contains(&key), "{key} is not among {keys:?}");
    }
    assert_eq!(keys.len(), 24, "{keys:?}");
    let redis = mistakes.iter().find(|mistake| mistake.key == "store.kind").expect("reported");
    assert!(redis.what.contains("not built in yet"));
}

#[test]
fn a_file_that_is_not_toml_is_one_mistake() {
    let mistakes = read("[listen\nhttp", []).expect_err("mistakes");
    assert_eq!(mistakes.len(), 1);
}

#[test]
fn a_user_name_is_not_a_template() {
    let template = LoginTemplate("{local}@{domain}".into());
    assert_eq!(template.apply("{domain}", "example.org"), "{domain}@example.org");
}

#[test]
fn a_domain_that_the_template_needs_must_be_known() {
    let file = format!("{SMALL}login = \"{{local}}@{{domain}}\"\n");
    let mistakes = read(&file, []).expect_err("mistakes");
    assert_eq!(mistakes[0].key, "session.default_domain");
}
