//! Differences between two lists of mailboxes.

use super::*;

fn name(name: &str) -> MailboxName {
    MailboxName::new(name)
}

fn item(text: &str) -> ListItem {
    let (attributes, mailbox) = text.split_once(' ').map_or(("", text), |(a, m)| (a, m));
    let attributes = attributes.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    ListItem { attributes, delimiter: Some('/'), mailbox: name(mailbox) }
}

/// Mailboxes as `\Attribute,\Attribute name` or `name`; then those subscribed.
fn list(items: &[&str], subscribed: &[&str]) -> MailboxList {
    let all = |texts: &[&str]| texts.iter().map(|text| item(text)).collect();
    MailboxList::new(all(items), all(subscribed), Namespaces::default())
}

/// Each change as one line: the old name, if there is one, attributes and name; `S` before changes of subscriptions.
fn told(before: &MailboxList, after: &MailboxList) -> Vec<String> {
    let line = |change: &Change| {
        let old = change.old_name.as_ref().map_or_else(String::new, |old| format!("{old} > "));
        let kind = if change.subscription { "S " } else { "" };
        format!("{kind}{old}{} ({})", change.item.mailbox, change.item.attributes.join(" "))
    };
    changes(before, after).iter().map(line).collect()
}

#[test]
fn names_that_come_and_go_are_told_with_their_parents() {
    let before = list(&["INBOX", "a", "a/b"], &[]);
    let after = list(&["INBOX", "\\HasNoChildren a", "new"], &[]);
    assert_eq!(told(&before, &after), ["a/b (\\NonExistent)", "a (\\HasNoChildren)", "new ()"]);
    assert_eq!(told(&before, &before), [""; 0]);

    // A parent that is no mailbox is affected too (RFC 5465 5.4).
    let deep = list(&["INBOX", "a", "a/b", "x/y"], &[]);
    assert_eq!(told(&before, &deep), ["x/y ()", "x (\\NonExistent \\HasChildren)"]);
    // What upstream lists as not existing does not exist.
    let ghost = list(&["INBOX", "a", "\\NonExistent a/b"], &[]);
    assert_eq!(told(&before, &ghost), ["a/b (\\NonExistent)", "a ()"]);
}

#[test]
fn a_renamed_tree_is_one_line() {
    let mut before = list(&["INBOX", "a", "a/b", "a/b/c", "ab"], &[]);
    before.renamed = vec![(name("a"), name("z"))];
    let after = list(&["INBOX", "z", "z/b", "z/b/c", "ab"], &[]);
    assert_eq!(told(&before, &after), ["a > z ()"]);

    // A server that reports each of them makes no difference.
    before.renamed = vec![(name("a/b"), name("z/b")), (name("a/b/c"), name("z/b/c")), (name("a"), name("z"))];
    assert_eq!(told(&before, &after), ["a > z ()"]);

    // A renaming that was undone meanwhile, or never happened, is none.
    assert_eq!(told(&before, &before.clone()), [""; 0]);
    let gone = list(&["INBOX", "ab"], &[]);
    assert_eq!(told(&before, &gone).len(), 3, "each name once, as itself or as a parent");
}

#[test]
fn inbox_renamed_stays() {
    let mut before = list(&["INBOX", "INBOX/x"], &[]);
    before.renamed = vec![(name("inbox"), name("old"))];
    let after = list(&["INBOX", "INBOX/x", "old"], &[]);
    assert_eq!(told(&before, &after), ["INBOX > old ()"]);
}

#[test]
fn subscriptions_are_told_with_true_attributes() {
    let before = list(&["INBOX", "\\HasNoChildren a"], &["INBOX"]);
    let after = list(&["INBOX", "\\HasNoChildren a"], &["a", "gone"]);
    let lines = told(&before, &after);
    assert_eq!(
        lines,
        ["S INBOX ()", "S a (\\HasNoChildren \\Subscribed)", "S gone (\\NonExistent \\Subscribed)"]
    );
}

#[test]
fn filters_mean_what_the_list_has() {
    let list = list(&["INBOX", "Lists", "Lists/a", "Listsb", "\\Noselect top", "*"], &["Lists/a", "gone"]);
    let meant = |filter: MailboxFilter| -> Vec<&str> {
        list.selectable().filter(|name| list.matches(&filter, name)).map(|n| n.as_str()).collect()
    };
    assert_eq!(meant(MailboxFilter::Personal), ["*", "INBOX", "Lists", "Lists/a", "Listsb"]);
    assert_eq!(meant(MailboxFilter::Inboxes), meant(MailboxFilter::Personal));
    assert_eq!(meant(MailboxFilter::Subscribed), ["Lists/a"]);
    assert_eq!(meant(MailboxFilter::Subtree(vec![name("Lists")])), ["Lists", "Lists/a"]);
    assert_eq!(meant(MailboxFilter::Subtree(vec![name("")])).len(), 5);
    assert_eq!(meant(MailboxFilter::Mailboxes(vec![name("*"), name("top"), name("none")])), ["*"]);
    assert_eq!(meant(MailboxFilter::Mailboxes(vec![name("%")])), [""; 0]);
}

/// RFC 5465 6.2: what others share is not one's own, though it is listed.
#[test]
fn personal_is_what_no_narrower_namespace_claims() {
    let namespace = |prefix: &str| Namespace { prefix: prefix.into(), delimiter: Some('/') };
    let mut list = list(&["INBOX", "a", "Shared/x", "Other/joe/INBOX", "Shared"], &[]);
    list.namespaces = Namespaces {
        personal: vec![namespace("")],
        other_users: vec![namespace("Other/")],
        shared: vec![namespace("Shared/")],
    };
    let personal = |list: &MailboxList| -> Vec<String> {
        let own = list.selectable().filter(|name| list.matches(&MailboxFilter::Personal, name));
        own.map(MailboxName::to_string).collect()
    };
    assert_eq!(personal(&list), ["INBOX", "Shared", "a"]);
    // Everything not otherwise named is shared, and one's own has a prefix.
    list.namespaces.personal = vec![namespace("a")];
    list.namespaces.shared = vec![namespace("")];
    assert_eq!(personal(&list), ["INBOX", "a"]);
}
