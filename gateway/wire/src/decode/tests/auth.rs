//! AUTHENTICATE and ID.

use super::*;

fn authenticate(mechanism: &str, initial: Option<&[u8]>) -> Command {
    Command::Authenticate { mechanism: mechanism.to_owned(), initial: initial.map(Secret::new) }
}

#[test]
fn authenticate_takes_a_mechanism_and_may_bring_its_first_message() {
    check("AUTHENTICATE plain", authenticate("PLAIN", None));
    check("authenticate X-NEW", authenticate("X-NEW", None));
    check("AUTHENTICATE PLAIN AGpvZQBwdw==", authenticate("PLAIN", Some(b"\0joe\0pw")));
    check("AUTHENTICATE EXTERNAL =", authenticate("EXTERNAL", Some(b"")));
    refused(
        Status::Bad,
        &[
            "AUTHENTICATE",
            "AUTHENTICATE ",
            "AUTHENTICATE PLAIN ",
            "AUTHENTICATE PLAIN  AGpvZQBwdw==",
            "AUTHENTICATE PLAIN AGpvZQBwdw== ",
            "AUTHENTICATE PLAIN AGpv\tZQBwdw==",
            "AUTHENTICATE PLAIN AGpvZQBwdw",
            "AUTHENTICATE PLAIN *",
            "AUTHENTICATE PLAIN \"AGpvZQBwdw==\"",
            "AUTHENTICATE (PLAIN)",
        ],
    );
}

#[test]
fn id_is_nil_or_a_bounded_list_of_pairs() {
    check("ID NIL", Command::Id(Vec::new()));
    check("ID nil", Command::Id(Vec::new()));
    check("ID", Command::Id(Vec::new()));
    check("ID ()", Command::Id(Vec::new()));
    let pair = |name: &str, value: Option<&str>| (name.to_owned(), value.map(str::to_owned));
    check(
        "ID (\"name\" \"Mail\" \"os\" NIL \"vendor\" {2+}\r\nAB)",
        Command::Id(vec![pair("name", Some("Mail")), pair("os", None), pair("vendor", Some("AB"))]),
    );
    refused(
        Status::Bad,
        &[
            "ID x",
            "ID (\"name\")",
            "ID (\"name\" x)",
            "ID (name \"x\")",
            "ID (\"a\" \"x\"\"b\" \"y\")",
            "ID (\"a\" \"x\" \"A\" \"y\")",
            "ID (\"a\" \"x\"",
            "ID ((\"a\" \"x\"))",
        ],
    );
    let list = |count: usize| {
        let pairs: Vec<String> = (0..count).map(|n| format!("\"f{n}\" NIL")).collect();
        format!("ID ({})", pairs.join(" "))
    };
    assert!(decoded(list(30).as_bytes()).is_ok());
    // CVE-2026-42391: millions of pairs from a stranger.
    refused(Status::Bad, &[&list(31), &format!("ID (\"{}\" NIL)", "n".repeat(31))]);
    assert!(decoded(format!("ID (\"a\" \"{}\")", "v".repeat(1_024)).as_bytes()).is_ok());
    refused(Status::Bad, &[&format!("ID (\"a\" \"{}\")", "v".repeat(1_025))]);
}
