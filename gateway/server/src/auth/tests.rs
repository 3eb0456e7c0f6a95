//! What is remembered of a password and for how long, and whose account a login name is.

use super::*;
use crate::config::{LoginTemplate, Security};
use pimap_types::Secret;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// An upstream where the password is `right`, which counts how often it is asked.
#[derive(Clone, Default)]
struct Counting {
    asked: Arc<AtomicUsize>,
    down: bool,
}

impl Verifier for Counting {
    fn verify(
        &self,
        _login: &str,
        credential: &Credential,
        _origin: Option<Origin>,
    ) -> BoxFuture<'static, Verdict> {
        let right = *credential == Credential::Password(Secret::new("right"));
        let (asked, down) = (self.asked.clone(), self.down);
        Box::pin(async move {
            asked.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(100)).await;
            match (down, right) {
                (true, _) => Verdict::Unavailable,
                (false, true) => Verdict::Accepted(Announced::new(["SORT"])),
                (false, false) => Verdict::Refused,
            }
        })
    }
}

fn authenticator(verifier: &Counting, change: impl FnOnce(&mut Upstream)) -> Authenticator {
    let mut upstream = Upstream {
        host: "mail.example.net".into(),
        port: 143,
        security: Security::Cleartext,
        ca_file: None,
        connections_per_account_max: 3,
        spare_watchers_max: None,
        auth: Auth::Passthrough,
        login: LoginTemplate("{local}".into()),
        fold_case: false,
        accept_cache: Duration::from_secs(300),
        send_client_id: false,
        poll_interval: Duration::from_secs(30),
        audit_interval: Duration::from_secs(300),
    };
    change(&mut upstream);
    Authenticator::new(&upstream, None, Box::new(verifier.clone()))
}

fn login(local: &str, domain: Option<&str>, password: &str) -> Login {
    Login {
        local: local.into(),
        domain: domain.map(Into::into),
        device: None,
        credential: Credential::Password(Secret::new(password)),
    }
}

#[tokio::test(start_paused = true)]
async fn an_accepted_password_is_asked_about_again_after_five_minutes() {
    let upstream = Counting::default();
    let authenticator = authenticator(&upstream, |_| {});
    for (seconds, asked) in [(0, 1), (200, 1), (101, 2)] {
        tokio::time::advance(Duration::from_secs(seconds)).await;
        let admission = authenticator.admit(&login("joe", None, "right"), None).await.expect("let in");
        assert_eq!(admission.credentials.account.as_str(), "joe");
        assert_eq!(admission.mail_address, "joe@mail.example.net");
        assert_eq!(upstream.asked.load(Ordering::Relaxed), asked);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_password_costs_one_attempt_a_minute_and_no_other_password() {
    let upstream = Counting::default();
    let authenticator = authenticator(&upstream, |_| {});
    for _ in 0..50 {
        let refused = authenticator.admit(&login("joe", None, "stale"), None).await;
        assert_eq!(refused, Err(Refusal::Credential));
    }
    assert_eq!(upstream.asked.load(Ordering::Relaxed), 1);
    assert!(authenticator.admit(&login("joe", None, "right"), None).await.is_ok());
    tokio::time::advance(Duration::from_secs(61)).await;
    assert!(authenticator.admit(&login("joe", None, "stale"), None).await.is_err());
    assert_eq!(upstream.asked.load(Ordering::Relaxed), 3);
    // The handset with the old password locks nobody out.
    assert!(authenticator.admit(&login("joe", None, "right"), None).await.is_ok());
    assert_eq!(upstream.asked.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn a_burst_costs_one_upstream_login() {
    let upstream = Counting::default();
    let authenticator = authenticator(&upstream, |_| {});
    let joe = login("joe", None, "right");
    let burst = (0..20).map(|_| authenticator.admit(&joe, None));
    assert!(futures_util::future::join_all(burst).await.iter().all(Result::is_ok));
    assert_eq!(upstream.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_remembered_when_told_so_or_forgotten_or_down() {
    let upstream = Counting::default();
    let always = authenticator(&upstream, |upstream| upstream.accept_cache = Duration::ZERO);
    for _ in 0..2 {
        assert!(always.admit(&login("joe", None, "right"), None).await.is_ok());
    }
    assert_eq!(upstream.asked.load(Ordering::Relaxed), 2);

    let upstream = Counting::default();
    let forgetting = authenticator(&upstream, |_| {});
    for _ in 0..2 {
        let admission = forgetting.admit(&login("joe", None, "right"), None).await.expect("let in");
        forgetting.forget(&admission.credentials.account);
    }
    assert_eq!(upstream.asked.load(Ordering::Relaxed), 2);

    let upstream = Counting { down: true, ..Counting::default() };
    let down = authenticator(&upstream, |_| {});
    for _ in 0..2 {
        assert_eq!(down.admit(&login("joe", None, "right"), None).await, Err(Refusal::Unavailable));
    }
    assert_eq!(upstream.asked.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn the_account_is_the_upstream_name() {
    let upstream = Counting::default();
    let by_domain = authenticator(&upstream, |upstream| {
        upstream.login = LoginTemplate("{local}@{domain}".into());
        upstream.fold_case = true;
    });
    let admission = by_domain.admit(&login("Joe", Some("Example.ORG"), "right"), None).await.expect("let in");
    assert_eq!(admission.credentials.account.as_str(), "joe@example.org");
    assert_eq!(admission.mail_address, "Joe@Example.ORG");
    assert_eq!(by_domain.admit(&login("joe", None, "right"), None).await, Err(Refusal::Name));
}

#[tokio::test(start_paused = true)]
async fn a_name_that_could_name_a_master_user_is_refused_unasked() {
    let upstream = Counting::default();
    let master = authenticator(&upstream, |upstream| {
        upstream.auth = Auth::Master {
            user: "gate".into(),
            password: crate::config::MasterPassword("unused".into()),
            separator: '+',
        };
    });
    for name in ["joe+gate", "joe*gate", "joe%", ""] {
        assert_eq!(master.admit(&login(name, None, "right"), None).await, Err(Refusal::Name), "{name}");
    }
    assert_eq!(upstream.asked.load(Ordering::Relaxed), 0);
    assert!(master.admit(&login("joe", None, "right"), None).await.is_ok());
}
