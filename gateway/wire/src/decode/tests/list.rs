//! LIST in all its forms, LSUB, NAMESPACE.

use super::*;
use pimap_types::list::{List, ListPattern, ListReturn, ListSelection};

fn list(reference: &str, pattern: &str) -> List {
    List { reference: reference.into(), patterns: vec![pattern.into()], ..List::default() }
}

#[test]
fn list_patterns() {
    check("LIST \"\" *", Command::List(list("", "*")));
    check("LSUB ~/Mail %", Command::Lsub(ListPattern { reference: "~/Mail".into(), pattern: "%".into() }));
    check("LIST \"\" \"\"", Command::List(list("", "")));
    check("LIST \"\" \"a b%\"", Command::List(list("", "a b%")));
    // Wildcards side by side collapse: no matcher backtracks through thousands of them.
    check("LIST \"\" %*%%*a%%%b", Command::List(list("", "*a%b")));
    check(&format!("LIST \"\" {}", "%*".repeat(5_000)), Command::List(list("", "*")));
    refused(Status::Bad, &["LIST \"\"", "LIST \"\" ", "LSUB \"\" (a b)", "LSUB (SUBSCRIBED) \"\" a", "LIST"]);
    let long = format!("LIST \"\" {}", "x".repeat(1_025));
    refused(Status::No, &[&long, &format!("LIST \"\" {}", "a*".repeat(17))]);
}

/// RFC 5258 3, RFC 5819, RFC 6154.
#[test]
fn list_with_options() {
    let extended = |pattern: &str| List { extended: true, ..list("", pattern) };
    let selection = ListSelection { subscribed: true, recursive_match: true, special_use: false };
    check(
        "LIST (subscribed RECURSIVEMATCH REMOTE) \"\" %",
        Command::List(List { selection, ..extended("%") }),
    );
    check("LIST () \"\" %", Command::List(extended("%")));
    check("LIST \"\" (INBOX \"a b\" c%)", {
        let patterns = vec!["INBOX".into(), "a b".into(), "c%".into()];
        Command::List(List { patterns, ..extended("") })
    });
    check("LIST \"\" * RETURN ()", Command::List(extended("*")));
    let status = vec![StatusItem::Messages, StatusItem::Size];
    let returns = ListReturn { subscribed: true, children: true, special_use: true, status };
    check(
        "LIST \"\" * return (SUBSCRIBED CHILDREN SPECIAL-USE STATUS (MESSAGES SIZE MESSAGES))",
        Command::List(List { returns, ..extended("*") }),
    );
    refused(
        Status::Bad,
        &[
            "LIST (RECURSIVEMATCH) \"\" *",
            "LIST (REMOTE RECURSIVEMATCH) \"\" *",
            "LIST (XYZZY) \"\" *",
            "LIST (SUBSCRIBED",
            "LIST (SUBSCRIBED) \"\"",
            "LIST \"\" ()",
            "LIST \"\" (a",
            "LIST \"\" * RETURN",
            "LIST \"\" * RETURN CHILDREN",
            "LIST \"\" * RETURN (XYZZY)",
            "LIST \"\" * RETURN (STATUS)",
            "LIST \"\" * RETURN (STATUS ())",
            "LIST \"\" * RETURN (STATUS (XYZZY))",
            "LIST \"\" * GIVE (CHILDREN)",
            &format!("LIST \"\" ({})", ["a"; 33].join(" ")),
        ],
    );
}

#[test]
fn namespace_has_no_arguments() {
    check("NAMESPACE", Command::Namespace);
    refused(Status::Bad, &["NAMESPACE x"]);
}
