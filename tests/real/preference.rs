//! Preferences, named filters and provisioning (P-IMAP 5.2.1 to 5.2.3).

use pimap_tests::dovecot::mail;
use pimap_tests::imap::Imap;

use crate::stage::{Stage, line, refused, untagged};

const ALL: &str = "PIMAP_OUTBAND_ADDRESS PIMAP_OUTBAND_CHANNEL PIMAP_INBAND_NEW_FORMAT PIMAP_INBAND_PUSH \
    PIMAP_OUTBAND_FORMAT PIMAP_EVENT_FILTER PIMAP_XFILTER";

fn udp() -> Stage {
    Stage::with(|config| {
        config
            .with("channels.udp.listen", "127.0.0.1:0")
            .with("channels.udp.advertise_host", "push.example.org")
    })
}

/// PI-029, PI-055.
#[test]
fn preferences_have_their_defaults_until_they_are_set() {
    let stage = udp();
    let mut handset = stage.client("joe#P1");
    let told = untagged(&handset.ok(&format!("XGETPIMAPPREFS ({ALL})")));
    assert_eq!(told.lines().count(), 1, "one line: {told}");
    for pair in [
        "PIMAP_OUTBAND_ADDRESS NIL",
        "PIMAP_OUTBAND_CHANNEL NONE",
        "PIMAP_INBAND_NEW_FORMAT NONE",
        "PIMAP_INBAND_PUSH OFF",
        "PIMAP_OUTBAND_FORMAT EMN",
        "PIMAP_EVENT_FILTER NEW",
    ] {
        assert!(told.contains(pair), "{pair} in {told}");
    }
    stage.deliver(&["one", "two"]);
    assert!(untagged(&handset.ok("SELECT INBOX")).contains("* 2 EXISTS"), "the view is ALL");
}

/// PI-056, PI-030: what is set stays set, over sessions and over a kill -9.
#[test]
fn preferences_and_filters_outlive_sessions_and_crashes() {
    let mut stage = udp();
    stage.deliver(&["one"]);
    let mut handset = stage.client("joe#P1");
    for setting in [
        "PIMAP_OUTBAND_CHANNEL UDP",
        "PIMAP_OUTBAND_ADDRESS 192.0.2.7:5143",
        "PIMAP_INBAND_NEW_FORMAT (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])",
        "PIMAP_INBAND_PUSH ON",
        "PIMAP_OUTBAND_FORMAT EMN",
        "PIMAP_EVENT_FILTER ALL",
    ] {
        handset.ok(&format!("XSETPIMAPPREF {setting}"));
    }
    handset.ok("XFILTER SET MINE \"my filter\" (SUBJECT \"nothing has this\")");
    handset.ok("XSETPIMAPPREF PIMAP_XFILTER (INBOX V MINE)");
    handset.ok("LOGOUT");
    let told = |stage: &Stage| {
        let mut handset = stage.client("joe#P1");
        let told = untagged(&handset.ok(&format!("XGETPIMAPPREFS ({ALL})")));
        let filter = untagged(&handset.ok("XFILTER GET MINE (DESC CRITERIA)"));
        assert!(untagged(&handset.ok("SELECT INBOX")).contains("* 0 EXISTS"));
        told + &filter
    };
    let before = told(&stage);
    for part in [
        "192.0.2.7:5143",
        "CHANNEL UDP",
        "PUSH ON",
        "FILTER ALL",
        "(INBOX V MINE)",
        "my filter",
        "nothing has this",
    ] {
        assert!(before.contains(part), "{part} in {before}");
    }
    stage.gateway.kill();
    stage.gateway.restart();
    assert_eq!(told(&stage), before);
}

/// PI-057.
#[test]
fn what_is_not_supported_is_no_and_what_is_not_known_is_bad() {
    let stage = udp();
    let mut handset = stage.client("joe#P1");
    for (command, status) in [
        ("XSETPIMAPPREF PIMAP_OUTBAND_CHANNEL SMS", "NO"),
        ("XSETPIMAPPREF PIMAP_OUTBAND_FORMAT EXTENDED", "NO"),
        ("XSETPIMAPPREF PIMAP_INBAND_NEW_FORMAT (NONE)", "BAD"),
        ("XSETPIMAPPREF PIMAP_XFILTER (INBOX V NOSUCH)", "NO"),
        ("XSETPIMAPPREF PIMAP_SOMETHING ELSE", "BAD"),
        ("XSETPIMAPPREF PIMAP_INBAND_PUSH", "BAD"),
        ("XSETPIMAPPREF PIMAP_EVENT_FILTER", "BAD"),
        ("XGETPIMAPPREFS (PIMAP_SOMETHING)", "BAD"),
        ("XGETPIMAPPREFS", "BAD"),
    ] {
        refused(&mut handset, command, status);
    }
}

/// PI-058, PI-031: XFILTER is another name of PIMAP_XFILTER, and a setting replaces the one before.
#[test]
fn one_filter_of_each_type_is_active_for_a_mailbox() {
    let stage = Stage::new();
    stage.deliver(&["one", "two", "two"]);
    let mut handset = stage.client("joe#P1");
    handset.ok("XFILTER SET ONE \"\" (SUBJECT one)");
    handset.ok("XFILTER SET TWO \"\" (SUBJECT two)");
    handset.ok("XSETPIMAPPREF XFILTER (INBOX V ONE)");
    handset.ok("XSETPIMAPPREF PIMAP_XFILTER (INBOX N ONE)");
    handset.ok("XSETPIMAPPREF PIMAP_XFILTER (INBOX V TWO)");
    let told = untagged(&handset.ok("XGETPIMAPPREFS (PIMAP_XFILTER)"));
    assert!(
        told.contains("(INBOX V TWO)") && told.contains("(INBOX N ONE)") && !told.contains("V ONE"),
        "{told}"
    );
    assert!(untagged(&handset.ok("SELECT INBOX")).contains("* 2 EXISTS"));
}

/// PI-059.
#[test]
fn a_filter_for_all_mailboxes_is_for_those_to_come_too() {
    let stage = Stage::new();
    let mut handset = stage.client("joe#P1");
    handset.ok("XFILTER SET ONE \"\" (SUBJECT one)");
    handset.ok("XSETPIMAPPREF PIMAP_XFILTER (ALL V ONE)");
    let mut other = stage.dovecot.login("joe");
    other.ok("CREATE Later");
    for subject in ["one", "two", "one"] {
        other.append("Later", "", &mail("a@example.org", subject, "x"));
    }
    assert!(untagged(&handset.ok("SELECT Later")).contains("* 2 EXISTS"));
}

/// PI-062, PI-065.
#[test]
fn filters_are_made_asked_for_and_replaced() {
    let stage = Stage::new();
    let mut handset = stage.client("joe#P1");
    handset.ok("XFILTER SET \"my mail\" \"what I want\" (OR FROM \"a b\" SUBJECT x)");
    let both = untagged(&handset.ok("XFILTER GET \"my mail\" (DESC CRITERIA)"));
    assert!(both.contains("what I want") && both.contains("OR FROM \"a b\" SUBJECT x"), "{both}");
    let description = untagged(&handset.ok("XFILTER GET \"my mail\" (DESC)"));
    assert!(description.contains("what I want") && !description.contains("CRITERIA"), "{description}");
    handset.ok("XFILTER SET \"my mail\" \"other\" (SEEN)");
    let replaced = untagged(&handset.ok("XFILTER GET \"my mail\" (DESC CRITERIA)"));
    assert!(replaced.contains("other") && replaced.contains("(SEEN)"), "{replaced}");
    refused(&mut handset, "XFILTER GET NOSUCH (DESC)", "NO");
    for keys in ["1:3", "NEW", "OLD", "RECENT", "UID 1:3", "NOT RECENT"] {
        refused(&mut handset, &format!("XFILTER SET BAD \"\" ({keys})"), "NO");
    }
    refused(&mut handset, "XFILTER SET BAD \"\" (FROM)", "BAD");
    refused(&mut handset, "XFILTER GET BAD (DESC)", "NO");
}

/// PI-063.
#[test]
fn a_charset_is_honoured_or_refused_by_name() {
    let stage = Stage::new();
    stage.dovecot.deliver("joe", &mail("a@example.org", "=?utf-8?Q?Gr=C3=BC=C3=9Fe?=", "x"));
    stage.deliver(&["plain"]);
    let mut handset = stage.client("joe#P1");
    let text = refused(&mut handset, "XFILTER SET CHARSET KOI7-N X \"\" (SUBJECT a)", "NO");
    assert!(text.contains("BADCHARSET"), "{text}");
    handset.ok("XFILTER SET CHARSET UTF-8 HELLO \"\" (SUBJECT {6+}\r\nGr\u{fc}\u{df})");
    handset.ok("XSETPIMAPPREF PIMAP_XFILTER (INBOX V HELLO)");
    assert!(untagged(&handset.ok("SELECT INBOX")).contains("* 1 EXISTS"));
}

/// PI-050, PI-051, PI-052, PI-054.
#[test]
fn provisioning_lists_what_can_be_set_and_where_hello_goes() {
    let stage = udp();
    let mut handset = stage.client("joe#P1");
    let told = untagged(&handset.ok("XPROVISION"));
    for item in [
        "PIMAP_OUTBAND_CHANNEL (UDP NONE)",
        "PIMAP_INBAND_NEW_FORMAT (",
        "PIMAP_INBAND_PUSH (ON OFF)",
        "PIMAP_OUTBAND_FORMAT (EMN)",
        "PIMAP_EVENT_FILTER (ALL NONE NEW)",
        "XFILTER_TYPE (V N B)",
        "PIMAP_UDP_HOST (push.example.org)",
    ] {
        assert!(told.contains(item), "{item} in {told}");
    }
    assert!(!told.contains("OUTBAND_ADDRESS"), "{told}");
    let port = stage.gateway.address("udp").port();
    assert_eq!(line(&told, "* XPROVISION PIMAP_UDP_PORT"), format!("* XPROVISION PIMAP_UDP_PORT ({port})"));
    refused(&mut handset, "XPROVISION P2", "NO");
    let mut stranger = Imap::connect(stage.gateway.address("imap"));
    stranger.ok("LOGIN ann pw");
    refused(&mut stranger, "XPROVISION P1", "NO");
}

/// PI-052.
#[test]
fn without_udp_no_udp_address_is_given_out() {
    let stage = Stage::new();
    let told = untagged(&stage.client("joe#P1").ok("XPROVISION"));
    assert!(!told.contains("PIMAP_UDP") && told.contains("PIMAP_OUTBAND_CHANNEL (NONE)"), "{told}");
}
