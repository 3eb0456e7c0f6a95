//! Messages as clients send them, and as nobody should.

use super::*;
use pimap_types::{DeviceId, Status};
use proptest::prelude::*;

fn secret(octets: impl AsRef<[u8]>) -> Secret {
    Secret::new(octets.as_ref())
}

fn said(mechanism: Mechanism, message: &str) -> Parsed<Said> {
    read(mechanism, &secret(message))
}

#[track_caller]
fn login_of(said: Parsed<Said>) -> Login {
    match said {
        Ok(Said::Login(login)) => login,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refused(said: Parsed<Said>, status: Status) {
    match said {
        Err(error) => assert_eq!(error.status, status, "{error:?}"),
        Ok(said) => panic!("{said:?}"),
    }
}

#[test]
fn plain_carries_a_name_as_login_does() {
    let login = login_of(said(Mechanism::Plain, "\0joe#P1@Example.ORG\0p w"));
    assert_eq!(login.local, "joe");
    assert_eq!(login.domain.as_deref(), Some("example.org"));
    assert_eq!(login.device, DeviceId::new("P1"));
    assert_eq!(login.credential, Credential::Password(secret("p w")));
}

/// F42: an authorisation identity other than one's own would let anyone in.
#[test]
fn nobody_acts_for_another_user() {
    for own in ["joe#P1\0joe#P1\0pw", "joe\0joe#P1\0pw", "joe@a.org\0joe#P1@A.org\0pw"] {
        login_of(said(Mechanism::Plain, own));
    }
    for other in
        ["ann\0joe\0pw", "joe#P2\0joe#P1\0pw", "joe@b.org\0joe@a.org\0pw", "*\0joe\0pw", "joe#P1\0joe\0pw"]
    {
        refused(said(Mechanism::Plain, other), Status::No);
    }
}

#[test]
fn plain_is_three_parts_and_has_a_password() {
    for message in ["", "joe", "\0joe", "joe\0pw", "\0joe\0pw\0", "\0joe\0p\0w"] {
        refused(said(Mechanism::Plain, message), Status::Bad);
    }
    for message in ["\0joe\0", "\0\0pw", "\0jo\r\ne\0pw", "\0joe#\0pw"] {
        refused(said(Mechanism::Plain, message), Status::No);
    }
}

#[test]
fn login_asks_twice() {
    let Ok(Said::User(user)) = said(Mechanism::Login, "joe#P1") else { panic!("no user") };
    let login = login(&user, &secret("pw")).expect("a login");
    assert_eq!((login.local.as_str(), login.device), ("joe", DeviceId::new("P1")));
    assert!(super::login(&secret("joe"), &secret("")).is_err());
}

#[test]
fn tokens_are_found_in_both_shapes() {
    let bearer = "n,a=joe#P1@example.org,\x01host=mail\x01port=143\x01auth=Bearer vF9.df-t_4~q+/=\x01\x01";
    let xoauth2 = "user=joe#P1@example.org\x01auth=Bearer vF9.df-t_4~q+/=\x01\x01";
    for (mechanism, message) in [(Mechanism::OAuthBearer, bearer), (Mechanism::XOAuth2, xoauth2)] {
        let login = login_of(said(mechanism, message));
        assert_eq!((login.local.as_str(), login.domain.as_deref()), ("joe", Some("example.org")));
        assert_eq!(login.credential, Credential::Token(secret("vF9.df-t_4~q+/=")));
    }
    let escaped = login_of(said(Mechanism::OAuthBearer, "n,a=a=2Cb=3Dc,\x01auth=bearer t\x01\x01"));
    assert_eq!(escaped.local, "a,b=c");
}

#[test]
fn no_token_asks_what_is_needed() {
    for message in ["n,,\x01\x01", "n,a=joe,\x01auth=\x01\x01", "y,,\x01host=x\x01\x01"] {
        assert_eq!(said(Mechanism::OAuthBearer, message), Ok(Said::Discovery), "{message:?}");
    }
}

/// What goes upstream between separators must not bring separators of its own.
#[test]
fn what_is_no_token_goes_nowhere() {
    for token in ["", " ", "a b", "a\x02", "=", "a=b", "jö", "a\r\nb", "\""] {
        let message = format!("user=joe\x01auth=Bearer {token}\x01\x01");
        refused(said(Mechanism::XOAuth2, &message), Status::Bad);
    }
    for message in [
        "",
        "user=joe",
        "joe\x01auth=Bearer t\x01\x01",
        "user=joe\x01auth=Basic t\x01\x01",
        "user=joe\x01auth=Bearer t",
        "user=joe\x01auth=Bearer t\x01auth=Bearer u\x01\x01",
    ] {
        refused(said(Mechanism::XOAuth2, message), Status::Bad);
    }
    for message in [
        "n,a=joe\x01auth=Bearer t\x01\x01",
        "x,a=joe,\x01auth=Bearer t\x01\x01",
        "n,a==2,\x01auth=Bearer t\x01\x01",
    ] {
        refused(said(Mechanism::OAuthBearer, message), Status::Bad);
    }
    for message in ["p=tls-unique,a=joe,\x01auth=Bearer t\x01\x01", "n,,\x01auth=Bearer t\x01\x01"] {
        refused(said(Mechanism::OAuthBearer, message), Status::No);
    }
}

#[test]
fn what_is_written_upstream_is_read_the_same() {
    let token = secret("tok.en");
    let bearer = write_oauth_bearer("a,b=c", "mail.example.org", 993, &token);
    let login = login_of(read(Mechanism::OAuthBearer, &bearer));
    assert_eq!((login.local.as_str(), &login.credential), ("a,b=c", &Credential::Token(token.clone())));
    let login = login_of(read(Mechanism::XOAuth2, &write_xoauth2("joe", &token)));
    assert_eq!(login.credential, Credential::Token(token));
    let login = login_of(read(Mechanism::Plain, &write_plain("joe", &secret("pw"))));
    assert_eq!(login.credential, Credential::Password(secret("pw")));
}

/// CVE-2026-33603: white space, missing padding and foreign letters inside base64.
#[test]
fn base64_is_strict() {
    assert_eq!(from_base64(b"AGpvZQBwdw==").expect("legal").expose(), b"\0joe\0pw");
    for text in
        ["AGpvZQBwdw", "AGpv\tZQBwdw==", "AGpv ZQBwdw==", "AGpvZQBwdx==", "AGpvZQBwdw==x", "A", "=", "-_-_"]
    {
        assert!(from_base64(text.as_bytes()).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn no_octets_make_it_stumble(octets in proptest::collection::vec(prop_oneof![Just(0u8), Just(1), Just(b'='), Just(b','), any::<u8>()], 0..64)) {
        for mechanism in [Mechanism::Plain, Mechanism::Login, Mechanism::OAuthBearer, Mechanism::XOAuth2] {
            if let Ok(Said::Login(login)) = read(mechanism, &secret(&octets)) {
                prop_assert!(!login.local.is_empty());
                prop_assert_eq!(login.credential.is_token(), mechanism.is_for_tokens());
            }
        }
        drop(from_base64(&octets));
    }
}
