//! What is named: sessions before a tag (digest 4.5), requests by `Idempotency-Key` (F4).

use super::*;

/// P-IMAP 1.2.3: a session is taken up by its name before a tag, without cookie or LOGIN, and known by it alone.
#[tokio::test(start_paused = true)]
async fn a_tag_takes_a_session_up() {
    let bench = Bench::new();
    let (mut handset, _serving) = connect(&bench);
    let session_id = |body: &str| body.split_once("* SESSIONID ").expect("a session").1[..26].to_owned();
    handset.send(&counted("1 LOGIN joe#P1 pw\r\n2 SELECT INBOX\r\n", "")).await;
    let one = session_id(&handset.until("\r\n0\r\n\r\n").await);
    handset.send(&counted("1 LOGIN joe#P2 pw\r\n", "")).await;
    let two = session_id(&handset.until("\r\n0\r\n\r\n").await);
    let batch = format!("{one}A1 CHECK\r\n{one}A2 CHECK\r\nA3 CHECK\r\n{two}A4 CHECK\r\n");
    handset.send(&counted(&batch, "")).await;
    let body = handset.until("\r\n0\r\n\r\n").await;
    for answer in
        [format!("{one}A1 OK "), format!("{one}A2 OK "), "A3 OK ".into(), format!("{two}A4 NO [CLIENTBUG]")]
    {
        assert!(body.contains(&format!("\r\n{answer}")), "{answer} is not in {body}");
    }
    // The second device is in no mailbox.
    handset.send(&counted(&format!("{two}A1 CHECK\r\n"), "")).await;
    assert!(handset.until("\r\n0\r\n\r\n").await.contains(&format!("{two}A1 BAD ")));
    // Unknown: LOGIN is asked for. What needs no session has only a tag.
    let unknown = "K7Q2M4X5ZT3VJ6H1R8W9Y0B2CD";
    handset
        .send(&counted(&format!("{unknown}A17 CHECK\r\n{unknown}A18 NOOP\r\n{one}A1 CHECK\r\n"), ""))
        .await;
    let body = handset.until("\r\n0\r\n\r\n").await;
    assert!(body.contains(&format!("* LOGIN\r\n{unknown}A17 NO session does not exist\r\n")), "{body}");
    assert!(
        body.contains(&format!("{unknown}A18 OK NOOP")) && body.contains(&format!("{one}A1 OK ")),
        "{body}"
    );
    // It ends with the session.
    handset.send(&counted(&format!("{one}A1 LOGOUT\r\n"), "")).await;
    handset.until("\r\n0\r\n\r\n").await;
    handset.send(&counted("1 LOGIN joe#P1 pw\r\n2 LOGOUT\r\n", "")).await;
    handset.until("\r\n0\r\n\r\n").await;
    handset.send(&counted(&format!("{one}A1 CHECK\r\n"), "")).await;
    assert!(handset.until("\r\n0\r\n\r\n").await.contains("* LOGIN\r\n"));
}

/// F16: a command is executed in the session that its tag names, or not at all.
#[tokio::test(start_paused = true)]
async fn a_tag_that_names_another_session_is_never_executed_in_this_one() {
    let bench = Bench::new();
    let ((one, cookie), (two, _)) = (log_in(&bench, "P1").await, log_in(&bench, "P2").await);
    let gone = "K7Q2M4X5ZT3VJ6H1R8W9Y0B2CD";
    // A cookie beside it does not stand in for a session that is not there; a tag alone goes on by the cookie.
    let (_, body) =
        post(&bench, &format!("{gone}A1 APPEND INBOX {{2+}}\r\nhi\r\nA2 CHECK\r\n"), &cookie).await;
    assert!(body.contains(&format!("* LOGIN\r\n{gone}A1 NO session does not exist\r\n")), "{body}");
    assert!(body.contains("\r\nA2 OK "), "{body}");
    // Once the cookie has opened its session, every name is held against it.
    let batch = format!(
        "A1 CHECK\r\n{two}A2 APPEND INBOX {{2+}}\r\nhi\r\n{gone}A3 CHECK\r\n{one}A4 CHECK\r\n{two}A5 NOOP\r\n"
    );
    let (_, body) = post(&bench, &batch, &cookie).await;
    for answer in ["A1 OK ", "A2 NO [CLIENTBUG]", "A3 NO [CLIENTBUG]", "A4 OK ", "A5 OK "] {
        assert!(body.contains(answer), "{answer} is not in {body}");
    }
    // Whoever logged in has tags of any kind, but for the names of other sessions.
    let batch = format!(
        "1 LOGIN joe#P1 pw\r\n{two}A2 APPEND INBOX {{2+}}\r\nhi\r\n550E8400E29B41D4A716446655440000 CHECK\r\n{one}A4 CHECK\r\n"
    );
    let (_, body) = post(&bench, &batch, "").await;
    for answer in ["1 OK ", "A2 NO [CLIENTBUG]", "550E8400E29B41D4A716446655440000 OK ", "A4 OK "] {
        assert!(body.contains(answer), "{answer} is not in {body}");
    }
    assert!(bench.mail.appended.lock().expect("lock").is_empty());
}

/// The Idempotency-Key HTTP header field, 2.7: the name of one request is not good for another, and nothing of that is done.
#[tokio::test(start_paused = true)]
async fn a_name_is_good_for_one_request() {
    let bench = Bench::new();
    let (_, cookie) = log_in(&bench, "P1").await;
    let named = format!("{cookie}Idempotency-Key: k1\r\n");
    let append = |mail: &str| format!("1 CAPABILITY\r\n2 APPEND INBOX {{{}+}}\r\n{mail}\r\n", mail.len());
    for _ in 0..2 {
        let (head, body) = post(&bench, &append("hello"), &named).await;
        assert!(head.starts_with("HTTP/1.1 200 ") && body.contains("2 OK "), "{head}{body}");
    }
    let long = |end| format!("{}{end}", "x".repeat(100_000));
    for other in [append("hellx"), append("hello, world"), append(&long("1"))] {
        let (head, body) = post(&bench, &other, &named).await;
        assert!(head.starts_with("HTTP/1.1 422 ") && !body.contains("2 OK "), "{head}{body}");
        assert!(body.contains("Idempotency-Key"), "{body}");
        let by_login = format!("0 LOGIN joe#P1 pw\r\n{other}");
        let (head, _) = post(&bench, &by_login, "Idempotency-Key: k1\r\n").await;
        assert!(head.starts_with("HTTP/1.1 422 ") && !head.contains("set-cookie"), "{head}");
    }
    assert_eq!(bench.mail.appended.lock().expect("lock").len(), 1);
    // The same again is still answered, after a restart too; and another name is another request.
    let again = bench.restarted();
    let (_, body) = post(&again, &append("hello"), &named).await;
    assert!(body.contains("2 OK ") && again.mail.appended.lock().expect("lock").is_empty(), "{body}");
    let (head, _) = post(&again, &append("hellx"), &named).await;
    assert!(head.starts_with("HTTP/1.1 422 "), "{head}");
    let (_, body) = post(&again, &append("hellx"), &named.replace("k1", "k2")).await;
    assert!(body.contains("2 OK "), "{body}");
    assert_eq!(again.mail.appended.lock().expect("lock").len(), 1);
}
