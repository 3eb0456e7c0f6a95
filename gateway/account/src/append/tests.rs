//! What passes and what does not.

use super::*;
use pimap_types::{Flags, Uid};

fn rules() -> AppendRules {
    let mut uids = UidSet::new();
    uids.insert(Uid::new(7).unwrap());
    let validity = UidValidity::new(5).unwrap();
    AppendRules {
        size_max: 100,
        several: false,
        catenate: true,
        binary: false,
        utf8: false,
        seen: BTreeMap::from([
            (MailboxName::new("INBOX"), Seen::These(validity, uids)),
            (MailboxName::new("Hidden"), Seen::Nothing),
        ]),
        elsewhere: Seen::Everything,
    }
}

fn url(url: &str) -> Result<String, Forbidden> {
    rules().url(url)
}

/// F29: a hidden message is not copied into a visible one.
#[test]
fn a_url_is_held_against_the_view_and_written_anew() {
    assert_eq!(url("/inbox/;uid=7"), Ok("/INBOX;UIDVALIDITY=5/;UID=7".to_owned()));
    assert_eq!(url("/Work;UIDVALIDITY=9/;UID=1"), Ok("/Work;UIDVALIDITY=9/;UID=1".to_owned()));
    for hidden in ["/INBOX/;UID=8", "/INBOX;UIDVALIDITY=6/;UID=7", "/Hidden/;UID=1", "/%48idden/;UID=1", "x"]
    {
        assert_eq!(url(hidden), Err(Forbidden::Url(hidden.to_owned())));
    }
    let code = Forbidden::Url("/a]\"\r\n b".to_owned()).code();
    assert_eq!(code, pimap_types::Code::Word("BADURL \"/ab\"".into()));
}

#[test]
fn what_upstream_cannot_do_is_not_begun() {
    let message = || AppendPart::Message { flags: Flags::default(), date: None };
    let literal = |size, binary| AppendPart::Literal { size, binary };
    let check = |parts: &[AppendPart], first| rules().check(parts.to_vec(), first).map(drop);
    assert_eq!(check(&[message(), literal(100, false)], true), Ok(()));
    assert_eq!(check(&[message(), literal(101, false)], true), Err(Forbidden::TooBig));
    assert_eq!(check(&[AppendPart::Text { size: 101 }], false), Err(Forbidden::TooBig));
    assert_eq!(check(&[message(), literal(1, true)], true), Err(Forbidden::Unsupported));
    assert_eq!(check(&[message(), literal(1, false)], false), Err(Forbidden::Unsupported));
    let plain = AppendRules { catenate: false, ..rules() };
    assert_eq!(plain.check(vec![message(), AppendPart::Catenate], true), Err(Forbidden::Unsupported));
}
