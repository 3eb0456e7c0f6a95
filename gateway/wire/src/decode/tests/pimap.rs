//! The commands that P-IMAP adds.

use super::*;

#[test]
fn provision_and_cursor() {
    let device = |id: &str| DeviceId::new(id);
    check("XPROVISION", Command::Xprovision { device: None, notification_id: None });
    check(
        "XPROVISION P6505551234",
        Command::Xprovision { device: device("P6505551234"), notification_id: None },
    );
    let notification_id = Some("push 1".to_owned());
    check("xprovision P1 \"push 1\"", Command::Xprovision { device: device("P1"), notification_id });
    refused(
        Status::No,
        &["XPROVISION joe#P1", "XPROVISION \"\"", &format!("XPROVISION P1 {}", "x".repeat(257))],
    );
    refused(Status::Bad, &["XPROVISION ", "XPROVISION P1 x y", "XPROVISION (P1)"]);

    let cursor = Cursor { incarnation: 17, position: u64::MAX };
    check("XACK 17.18446744073709551615", Command::Xack(cursor));
    assert_eq!(parse_cursor("17.18446744073709551615"), Some(cursor));
    for wrong in [
        "",
        ".",
        "1.",
        ".1",
        "1",
        "1.2.3",
        "+1.2",
        "1.-2",
        "1.18446744073709551616",
        " 1.2",
        "1.2 ",
        "0x1.2",
        "\u{661}.1",
    ] {
        assert_eq!(parse_cursor(wrong), None, "{wrong:?}");
        if wrong.trim() == wrong {
            refused(Status::Bad, &[&format!("XACK {wrong}")]);
        }
    }
}

#[test]
fn preferences() {
    use PreferenceName as Name;
    use PreferenceSetting as Setting;
    let sets = |line: &str, setting| check(&format!("XSETPIMAPPREF {line}"), Command::XsetPimapPref(setting));
    let activates = |line: &str, scope, kind, filter: &str| {
        sets(line, Setting::Xfilter(Activation { scope, kind, filter: Arc::from(filter) }));
    };
    let inbox = FilterScope::Mailbox(mailbox("INBOX"));
    sets("PIMAP_OUTBAND_ADDRESS 13335559999", Setting::OutbandAddress("13335559999".into()));
    sets(
        "PIMAP_OUTBAND_ADDRESS \"sip:joe@example.org\"",
        Setting::OutbandAddress("sip:joe@example.org".into()),
    );
    sets("pimap_outband_channel wap_push", Setting::OutbandChannel(ChannelKind::WapPush));
    sets("PIMAP_OUTBAND_CHANNEL PIGEON", Setting::Unsupported(Name::OutbandChannel));
    sets("PIMAP_INBAND_NEW_FORMAT NONE", Setting::InbandNewFormat(NewFormat::None));
    use FetchItem::{Body, Envelope, InternalDate, Size};
    let text = FetchItem::Section { peek: false, section: "TEXT".into(), partial: Some((0, 100)) };
    let formats = [
        ("all", "ALL", vec![FetchItem::Flags, InternalDate, Size, Envelope]),
        ("FAST", "FAST", vec![FetchItem::Flags, InternalDate, Size]),
        ("Full", "FULL", vec![FetchItem::Flags, InternalDate, Size, Envelope, Body]),
        ("flags", "FLAGS", vec![FetchItem::Flags]),
        ("rfc822.size", "RFC822.SIZE", vec![Size]),
        ("(flags BODY[TEXT]<0.100> FLAGS)", "(FLAGS BODY[TEXT]<0.100>)", vec![FetchItem::Flags, text]),
        ("(UID)", "(UID)", vec![FetchItem::Uid]),
    ];
    for (written, text, items) in formats {
        let format = NewFormat::Items { text: text.into(), items: items.into() };
        assert_eq!(crate::decode::parse_new_format(text), Some(format.clone()), "{text}");
        sets(&format!("PIMAP_IN-BAND_NEW_FORMAT {written}"), Setting::InbandNewFormat(format));
    }
    let fields = "X".repeat(pimap_types::limits::NEW_FORMAT_BYTES_MAX);
    refused(
        Status::No,
        &[&format!("XSETPIMAPPREF PIMAP_INBAND_NEW_FORMAT BODY.PEEK[HEADER.FIELDS ({fields})]")],
    );
    assert_eq!(crate::decode::parse_new_format("FLAGS x"), None, "a row that was damaged");
    sets("PIMAP_INBAND_PUSH on", Setting::InbandPush(true));
    sets("PIMAP_INBAND_PUSH OFF", Setting::InbandPush(false));
    sets("PIMAP_OUTBAND_FORMAT EMN", Setting::OutbandFormat(OutbandFormat::Emn));
    sets("PIMAP_OUTBAND_FORMAT EXTENDED", Setting::OutbandFormat(OutbandFormat::Extended));
    sets("PIMAP_OUTBAND_FORMAT MORSE", Setting::Unsupported(Name::OutbandFormat));
    sets("PIMAP_EVENT_FILTER ALL", Setting::EventFilter(EventFilter::All));
    sets("PIMAP_EVENT_FILTER none", Setting::EventFilter(EventFilter::None));
    activates("PIMAP_XFILTER (INBOX B PROFILE1)", inbox.clone(), FilterKind::Both, "PROFILE1");
    activates("XFILTER (inbox notif \"my filter\")", inbox.clone(), FilterKind::Notification, "my filter");
    activates("XFILTER (INBOX VIEW all)", inbox, FilterKind::View, "ALL");
    activates("XFILTER (all V NONE)", FilterScope::AllMailboxes, FilterKind::View, "NONE");
    activates("XFILTER (\"ALL\" V x)", FilterScope::Mailbox(mailbox("ALL")), FilterKind::View, "x");
    activates("XFILTER ({3+}\r\nALL BOTH x)", FilterScope::Mailbox(mailbox("ALL")), FilterKind::Both, "x");
    refused(
        Status::No,
        &[
            "XSETPIMAPPREF L_HTTP_TUNNEL 80",
            &format!("XSETPIMAPPREF PIMAP_OUTBAND_ADDRESS {}", "1".repeat(257)),
        ],
    );
    refused(
        Status::Bad,
        &[
            "XSETPIMAPPREF",
            "XSETPIMAPPREF PIMAP_WHAT ON",
            "XSETPIMAPPREF PIMAP_INBAND_PUSH",
            "XSETPIMAPPREF PIMAP_INBAND_PUSH (ON)",
            "XSETPIMAPPREF PIMAP_INBAND_NEW_FORMAT WHAT",
            "XSETPIMAPPREF PIMAP_INBAND_NEW_FORMAT ()",
            "XSETPIMAPPREF PIMAP_INBAND_NEW_FORMAT (NONE)",
            "XSETPIMAPPREF PIMAP_INBAND_NEW_FORMAT NONE x",
            "XSETPIMAPPREF PIMAP_INBAND_NEW_FORMAT UID FLAGS",
            "XSETPIMAPPREF PIMAP_XFILTER INBOX V x",
            "XSETPIMAPPREF PIMAP_XFILTER (INBOX Q x)",
            "XSETPIMAPPREF PIMAP_XFILTER (INBOX V)",
            "XSETPIMAPPREF PIMAP_XFILTER (INBOX V x",
            "XSETPIMAPPREF PIMAP_XFILTER (INBOX V \"\")",
            "XSETPIMAPPREF PIMAP_OUTBAND_ADDRESS {2+}\r\n\r\n",
        ],
    );

    let names = vec![Name::OutbandChannel, Name::Xfilter];
    check("XGETPIMAPPREFS (PIMAP_OUTBAND_CHANNEL PIMAP_XFILTER XFILTER)", Command::XgetPimapPrefs(names));
    check("XGETPIMAPPREF (PIMAP_EVENT_FILTER)", Command::XgetPimapPrefs(vec![Name::EventFilter]));
    refused(
        Status::Bad,
        &["XGETPIMAPPREFS", "XGETPIMAPPREFS ()", "XGETPIMAPPREFS (WHAT)", "XGETPIMAPPREFS PIMAP_XFILTER"],
    );
}

#[test]
fn filters() {
    let get = |name: &str, description, criteria| Command::XfilterGet {
        name: Arc::from(name),
        description,
        criteria,
    };
    check("XFILTER GET PROFILE1 (DESC CRITERIA)", get("PROFILE1", true, true));
    check("XFILTER GET CHARSET utf-8 \"my filter\" (criteria)", get("my filter", false, true));
    check("XFILTER GET CHARSET (DESC)", get("CHARSET", true, false));
    check("XFILTER GET all (CRITERIA DESC)", get("ALL", true, true));
    let line = "XFILTER SET FROM_JOHN \"EMAILS FROM JOHN SINCE JUN-1-2003\" (SINCE 1-Jun-2003 FROM \"John\")";
    let Ok(Command::XfilterSet { name, description, criteria }) = decoded(line.as_bytes()) else {
        panic!("{line}")
    };
    assert_eq!(
        (&*name, description.as_slice()),
        ("FROM_JOHN", b"EMAILS FROM JOHN SINCE JUN-1-2003".as_slice())
    );
    assert_eq!(criteria.source, b"SINCE 1-Jun-2003 FROM \"John\"");
    assert_eq!(crate::search::parse_criteria(&criteria.source, None), Ok(criteria));
    refused(
        Status::No,
        &[
            "XFILTER GET CHARSET KOI8-R x (DESC)",
            "XFILTER SET CHARSET KOI8-R x \"\" (ALL)",
            "XFILTER SET x \"\" (NEW)",
            &format!("XFILTER SET x \"{}\" (ALL)", "d".repeat(1_025)),
            &format!("XFILTER SET {} \"\" (ALL)", "n".repeat(129)),
            &format!("XFILTER SET x \"\" (TEXT {{8192+}}\r\n{})", "t".repeat(8_192)),
        ],
    );
    refused(
        Status::Bad,
        &[
            "XFILTER",
            "XFILTER DEL x",
            "XFILTER GET x",
            "XFILTER GET x ()",
            "XFILTER GET x (DESC DESC)",
            "XFILTER GET x (WHAT)",
            "XFILTER SET x (ALL)",
            "XFILTER SET x desc (ALL)",
            "XFILTER SET x \"\" ()",
            "XFILTER SET x \"\" (ALL",
            "XFILTER SET x \"\" ALL",
            "XFILTER SET x \"\" (ALL) y",
            "XFILTER SET \"\" \"\" (ALL)",
        ],
    );
}
