//! What is asked about mailboxes, through the gateway and straight to Dovecot: the same, on a rich server and on a poor one.

use std::collections::BTreeSet;

use pimap_tests::dovecot::{Dovecot, PASSWORD};
use pimap_tests::imap::{Imap, Reply};
use pimap_tests::transcript::show;

use crate::stage::{Stage, untagged};

/// Untagged lines without regard to order, quotes and attributes that only say that nothing is known.
fn told(reply: &Reply) -> BTreeSet<String> {
    let line = |line: &Vec<u8>| {
        let text = show(line).replace("\\\\", "\\").replace('"', "");
        let Some((head, rest)) = text.strip_prefix("* LIST (").and_then(|t| t.split_once(')')) else {
            return text;
        };
        let idle = ["\\Marked", "\\UnMarked"];
        let words: BTreeSet<&str> =
            head.split(' ').filter(|word| !word.is_empty() && !idle.contains(word)).collect();
        format!("* LIST ({}){rest}", words.into_iter().collect::<Vec<_>>().join(" "))
    };
    reply.untagged.iter().map(line).collect()
}

fn prepare(stage: &Stage) -> Imap {
    let mut direct = Imap::login(stage.dovecot.imap(), "joe", PASSWORD);
    for command in [
        "CREATE Work",
        "CREATE Work/Old",
        "CREATE Work/Old/Older",
        "CREATE Play",
        "SUBSCRIBE Work/Old",
        "SUBSCRIBE Play",
        "SUBSCRIBE INBOX",
    ] {
        direct.ok(command);
    }
    stage.deliver(&["one", "two"]);
    direct
}

const COMMANDS: [&str; 17] = [
    "NAMESPACE",
    "LIST \"\" \"\"",
    "LIST \"\" *",
    "LIST \"\" %",
    "LIST \"\" inbox",
    "LIST Work/ %",
    "LSUB \"\" *",
    "LIST \"\" % RETURN (CHILDREN)",
    "LIST \"\" (Work/% Pl% inbox) RETURN (SUBSCRIBED)",
    "LIST (SUBSCRIBED) \"\" *",
    "LIST (SUBSCRIBED RECURSIVEMATCH) \"\" %",
    "LIST (SUBSCRIBED RECURSIVEMATCH) \"\" W* RETURN (CHILDREN)",
    "LIST (SPECIAL-USE) \"\" *",
    "LIST \"\" * RETURN (SPECIAL-USE)",
    "LIST \"\" (INBOX Work) RETURN (STATUS (MESSAGES UIDNEXT UIDVALIDITY UNSEEN))",
    "STATUS INBOX (MESSAGES UIDNEXT SIZE)",
    "LIST \"\" nothing",
];

/// RFC 5258, RFC 5819, RFC 6154, RFC 8438, RFC 2342: Dovecot is the reference.
#[test]
fn a_rich_server_is_told_as_it_tells_itself() {
    let stage = Stage::new();
    let mut direct = prepare(&stage);
    let mut client = stage.client("joe");
    for command in COMMANDS {
        assert_eq!(told(&client.ok(command)), told(&direct.ok(command)), "{command}");
    }
}

/// A server that has none of it is told as one that has everything, but for special uses, which nobody knows there.
#[test]
fn a_poor_server_is_told_as_a_rich_one() {
    let stage = Stage::before(Dovecot::poor(), |config| config);
    let mut direct = prepare(&stage);
    let mut client = stage.client("joe");
    let capability = untagged(&client.ok("CAPABILITY"));
    for word in ["NAMESPACE", "CHILDREN", "LIST-EXTENDED", "LIST-STATUS"] {
        assert!(capability.split_whitespace().any(|has| has == word), "{capability}");
    }
    assert!(!capability.contains("SPECIAL-USE") && !capability.contains("STATUS=SIZE"), "{capability}");
    for command in COMMANDS.iter().filter(|command| !command.contains("SPECIAL-USE")) {
        // Dovecot can do what it does not announce, and so is the reference here too.
        assert_eq!(told(&client.ok(command)), told(&direct.ok(command)), "{command}");
    }
}

/// The numbers of a mailbox are those of the mobile repository; what is not filtered is upstream's to count.
#[test]
fn the_status_in_a_list_is_of_the_mobile_repository() {
    let stage = Stage::new();
    let mut direct = prepare(&stage);
    direct.ok("SELECT INBOX");
    direct.ok("UID STORE 2 +FLAGS (\\Flagged)");
    direct.ok("UID COPY 1:2 Work");
    let mut handset = stage.client("joe#P1");
    handset.ok("XFILTER SET F \"\" (FLAGGED)");
    handset.ok("XSETPIMAPPREF PIMAP_XFILTER (INBOX V F)");
    let reply = untagged(&handset.ok("LIST \"\" (INBOX Work) RETURN (STATUS (MESSAGES UIDNEXT))"));
    assert!(reply.contains("* STATUS INBOX (MESSAGES 1 UIDNEXT 3)"), "{reply}");
    assert!(reply.contains("* STATUS Work (MESSAGES 2 UIDNEXT 3)"), "{reply}");
}
