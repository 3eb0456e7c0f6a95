//! Commands cut where a literal begins, and continued by the next request (digest 16.3, F6).

use super::*;

/// The token in a response's head.
fn token_of(head: &str) -> String {
    head.lines().find_map(|line| line.strip_prefix("pimap-continue: ")).expect("a token").to_owned()
}

/// F6, flaws section 3 item 6: a literal in the request after, its token, and what looks like commands in it.
#[tokio::test(start_paused = true)]
async fn a_literal_may_come_with_the_next_request() {
    let bench = Bench::new();
    let (mut handset, _serving) = connect(&bench);
    let mail = "From: x\r\n\r\nz DELETE INBOX\r\n";
    let half = format!("1 LOGIN joe#P1 pw\r\n2 APPEND INBOX {{{}}}\r\n", mail.len());
    handset.send(&counted(&half, "")).await;
    let head = handset.until("\r\n\r\n").await;
    let token = token_of(&head);
    let body = handset.until("\r\n0\r\n\r\n").await;
    assert!(body.contains("\r\n1 OK ") && body.contains("+ Ready for literal data\r\n"), "{body}");
    let cookie = format!("Cookie: {}\r\n", cookie(&head));
    let continued = |token: &str, cookie: &str| {
        counted(&format!("{mail}\r\n3 NOOP\r\n"), &format!("{cookie}PIMAP-Continue: {token}\r\n"))
    };
    // A wrong token, or the right one of somebody else: nothing of the body is looked at.
    for wrong in [continued("0123456789abcdef0123456789abcdef", &cookie), continued(&token, "")] {
        let (mut stranger, _serving) = connect(&bench);
        stranger.send(&wrong).await;
        let answer = stranger.rest().await;
        assert!(
            answer.starts_with("HTTP/1.1 409 ") && !answer.contains(" BAD ") && !answer.contains("z "),
            "{answer}"
        );
    }
    // Twice the same is done once.
    for _ in 0..2 {
        handset.send(&continued(&token, &cookie)).await;
        let body = handset.until("\r\n0\r\n\r\n").await;
        assert!(body.contains("2 OK ") && body.contains("\r\n3 OK "), "{body}");
    }
    assert_eq!(*bench.mail.appended.lock().expect("lock"), [mail.as_bytes()]);
    // Too late.
    handset.send(&counted("4 APPEND INBOX {5}\r\n", &cookie)).await;
    let head = handset.until("\r\n\r\n").await;
    let token = token_of(&head);
    handset.until("\r\n0\r\n\r\n").await;
    tokio::time::advance(std::time::Duration::from_secs(60)).await;
    let (mut handset, _serving) = connect(&bench);
    handset.send(&continued(&token, &cookie)).await;
    assert!(handset.until("\r\n\r\n").await.starts_with("HTTP/1.1 409 "));
    assert_eq!(bench.mail.appended.lock().expect("lock").len(), 1);
}

/// The other half comes with the cookie of the session in which the first one stood, also when that was used up by an earlier command.
#[tokio::test(start_paused = true)]
async fn a_half_command_stays_in_its_session() {
    let bench = Bench::new();
    let ((name, mine), (_, other)) = (log_in(&bench, "P1").await, log_in(&bench, "P2").await);
    let (head, body) = post(&bench, "1 CHECK\r\n2 APPEND INBOX {5}\r\n", &mine).await;
    assert!(body.contains("1 OK ") && body.contains("+ Ready"), "{body}");
    let token = format!("PIMAP-Continue: {}\r\n", token_of(&head));
    for wrong in ["", &other] {
        let (head, _) = post(&bench, "hello\r\n", &format!("{wrong}{token}")).await;
        assert!(head.starts_with("HTTP/1.1 409 "), "{wrong}: {head}");
    }
    let (_, body) = post(&bench, "hello\r\n", &format!("{mine}{token}")).await;
    assert!(body.contains("2 OK "), "{body}");
    // Named by a tag it says itself whose it is, and one beside it does not.
    let (head, _) = post(&bench, &format!("{name}A1 CHECK\r\n{name}A2 APPEND INBOX {{5}}\r\n"), "").await;
    let (_, body) = post(&bench, "hello\r\n", &format!("PIMAP-Continue: {}\r\n", token_of(&head))).await;
    assert!(body.contains(&format!("{name}A2 OK ")), "{body}");
    let (_, body) = post(&bench, &format!("{name}A1 CHECK\r\nA2 APPEND INBOX {{5}}\r\n"), "").await;
    assert!(body.contains("A1 OK ") && body.contains("A2 BAD ") && !body.contains("+ Ready"), "{body}");
    // A regular session ends with its request.
    let (_, body) = post(&bench, "1 LOGIN joe pw\r\n2 APPEND INBOX {5}\r\n", &mine).await;
    assert!(body.contains("1 OK ") && body.contains("2 BAD ") && !body.contains("+ Ready"), "{body}");
    assert_eq!(bench.mail.appended.lock().expect("lock").len(), 2);
}

/// Half commands are not stored: after a restart the handset is told to send the whole one, and its session is as it was.
#[tokio::test(start_paused = true)]
async fn a_half_command_does_not_survive_a_restart() {
    let bench = Bench::new();
    let (_, cookie) = log_in(&bench, "P1").await;
    let (head, _) = post(&bench, "1 APPEND INBOX {24}\r\n", &cookie).await;
    let token = format!("PIMAP-Continue: {}\r\n", token_of(&head));
    let bench = bench.restarted();
    let (head, body) = post(&bench, "x\r\n\r\n2 CREATE a\r\n3 LOGOUT\r\n", &format!("{cookie}{token}")).await;
    assert!(head.starts_with("HTTP/1.1 409 "), "{head}");
    assert_eq!(body, "there is no such command to continue (any more): send it again as a whole\n");
    assert!(bench.mail.appended.lock().expect("lock").is_empty());
    let (_, body) = post(&bench, "1 CHECK\r\n2 APPEND INBOX {5+}\r\nhello\r\n", &cookie).await;
    assert!(body.contains("1 OK ") && body.contains("2 OK "), "{body}");
}

/// F4, F6: a long literal whose answer was lost. By its name it is known again; without one nobody can say whether it is the same.
#[tokio::test(start_paused = true)]
async fn a_long_literal_that_comes_again_is_not_said_to_be_unknown() {
    let bench = Bench::new();
    let (_, cookie) = log_in(&bench, "P1").await;
    let mail = "x".repeat(100_000);
    for (named, again) in [("Idempotency-Key: k1\r\n", "HTTP/1.1 200 "), ("", "HTTP/1.1 409 ")] {
        let before = bench.mail.appended.lock().expect("lock").len();
        let (head, _) = post(&bench, "1 APPEND INBOX {100000}\r\n", &cookie).await;
        let headers = format!("{cookie}{named}PIMAP-Continue: {}\r\n", token_of(&head));
        let (head, body) = post(&bench, &format!("{mail}\r\n"), &headers).await;
        assert!(head.starts_with("HTTP/1.1 200 ") && body.contains("1 OK "), "{head}{body}");
        let (head, body) = post(&bench, &format!("{mail}\r\n"), &headers).await;
        assert!(head.starts_with(again), "{named}{head}{body}");
        assert!(body.contains("1 OK ") || body.contains("may have been done"), "{body}");
        assert_eq!(bench.mail.appended.lock().expect("lock").len(), before + 1);
    }
}
