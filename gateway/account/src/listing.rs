//! What LIST selects and tells (RFC 5258), computed from what upstream lists and what it says is subscribed.
//!
//! Pure: in go the handset's LIST and upstream's plain lists, out come the lines. So every upstream serves extended lists, and one
//! that announces LIST-EXTENDED is asked the same plain questions.

use crate::utf8;
use pimap_types::MailboxName;
use pimap_types::list::{List, ListPattern};
use pimap_types::response::ListItem;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// One LIST on its way: the questions still to ask, and what was heard.
pub(crate) struct Listing {
    /// Questions for upstream, `true` for LSUB; the first is the one under way, or next.
    pub(crate) questions: VecDeque<(bool, ListPattern)>,
    /// Mailboxes that exist.
    pub(crate) existing: Vec<ListItem>,
    /// Names that are subscribed.
    pub(crate) subscribed: Vec<ListItem>,
    /// All that is below was listed along: the patterns are matched here.
    deep: bool,
    /// The patterns are in UTF-8, and are matched here with names as people read them (RFC 6855 3).
    utf8: bool,
    /// Mailboxes whose STATUS is still to be told; the first is under way.
    pub(crate) statuses: VecDeque<MailboxName>,
    /// How many of them were counted here.
    pub(crate) counted: usize,
    /// The STATUS of some is left out.
    pub(crate) curtailed: bool,
}

/// A line of the answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Line {
    pub(crate) item: ListItem,
    /// It is told for what is below it: the selection option that holds there.
    pub(crate) parent_of: Option<&'static str>,
}

impl Listing {
    /// What upstream must be asked. `children_known`: it says of each mailbox whether it has children. `utf8`: the patterns are in
    /// UTF-8.
    pub(crate) fn new(list: &List, children_known: bool, utf8: bool) -> Self {
        let wants_children = list.returns.children || !list.extended;
        // The empty pattern asks for the delimiter only (RFC 3501 6.3.8).
        let named = |pattern: &&String| !pattern.is_empty();
        let deep = list.patterns.iter().all(|pattern| named(&pattern))
            && (list.selection.recursive_match
                || (wants_children && !children_known && list.reference.is_empty()));
        let ask = |pattern: &String, below: bool| {
            let star = if below && !pattern.ends_with('*') { "*" } else { "" };
            match utf8 && !pattern.is_empty() {
                true => utf8::wider(&list.reference, &format!("{pattern}{star}")),
                false => {
                    ListPattern { reference: list.reference.clone(), pattern: format!("{pattern}{star}") }
                }
            }
        };
        let mut questions: VecDeque<_> = list.patterns.iter().map(|p| (false, ask(p, deep))).collect();
        if list.selection.subscribed || list.returns.subscribed {
            // With `*` behind it LSUB names what is subscribed, and nothing because of what is below it (RFC 3501 6.3.9).
            questions.extend(list.patterns.iter().filter(named).map(|p| (true, ask(p, true))));
        }
        Self {
            questions,
            existing: Vec::new(),
            subscribed: Vec::new(),
            deep,
            utf8: utf8 && list.patterns.iter().any(|pattern| named(&pattern)),
            statuses: VecDeque::new(),
            counted: 0,
            curtailed: false,
        }
    }

    /// The lines of the answer.
    pub(crate) fn lines(&self, list: &List) -> Vec<Line> {
        let delimiter = self.existing.iter().chain(&self.subscribed).find_map(|item| item.delimiter);
        let patterns: Vec<String> = list.patterns.iter().map(|p| format!("{}{p}", list.reference)).collect();
        let matches = |name: &MailboxName| {
            let name = if self.utf8 { utf8::in_utf8(name.as_str()) } else { name.as_str().into() };
            patterns.iter().any(|pattern| is_match(pattern, &name, delimiter))
        };
        let existing: BTreeMap<&MailboxName, &ListItem> =
            self.existing.iter().map(|item| (&item.mailbox, item)).collect();
        let subscribed: BTreeSet<&MailboxName> = self.subscribed.iter().map(|item| &item.mailbox).collect();
        let selects = |name: &MailboxName| {
            let used = || existing.get(name).is_some_and(|item| has_use(item));
            (!list.selection.subscribed || subscribed.contains(name))
                && (!list.selection.special_use || used())
        };
        let mut seen = BTreeSet::new();
        let mut names: Vec<&MailboxName> = Vec::new();
        for item in self.existing.iter().chain(&self.subscribed) {
            // What is merely subscribed is told only where subscriptions select.
            let counts = existing.contains_key(&item.mailbox) || list.selection.subscribed;
            if counts && seen.insert(&item.mailbox) {
                names.push(&item.mailbox);
            }
        }
        let recursive = list.selection.recursive_match;
        let selected = || names.iter().copied().filter(|name| recursive && selects(name));
        let parents = parents_of(selected(), delimiter);
        // One that is not selected itself is told only for children that are not told themselves (RFC 5258 4).
        let needed = parents_of(selected().filter(|name| !matches(name)), delimiter);
        // A parent may neither exist nor be subscribed; it is told for its children all the same.
        let absent: Vec<MailboxName> =
            needed.iter().map(|name| MailboxName::new(name)).filter(|name| !seen.contains(name)).collect();
        let option = if list.selection.subscribed { "SUBSCRIBED" } else { "SPECIAL-USE" };
        let mut lines = Vec::new();
        for name in names.into_iter().chain(&absent) {
            let is_parent = parents.contains(name.as_str());
            // Upstream matched what it was asked for exactly.
            let matched = matches(name) || (!self.deep && !self.utf8 && existing.contains_key(name));
            if !matched || !(selects(name) || needed.contains(name.as_str())) {
                continue;
            }
            let found = existing.get(name).copied();
            let mut item = found.cloned().unwrap_or_else(|| nonexistent(name, delimiter));
            self.describe(&mut item, list, subscribed.contains(name), &existing);
            lines.push(Line { item, parent_of: is_parent.then_some(option) });
        }
        lines
    }

    /// The attributes that were asked for. A plain LIST tells what upstream told, with children where it is silent.
    fn describe(
        &self,
        item: &mut ListItem,
        list: &List,
        subscribed: bool,
        existing: &BTreeMap<&MailboxName, &ListItem>,
    ) {
        let returns = &list.returns;
        if list.extended {
            let use_wanted = returns.special_use || list.selection.special_use;
            item.attributes.retain(|attribute| {
                (returns.children || !is_one_of(attribute, &CHILDREN))
                    && (use_wanted || !is_one_of(attribute, &USES))
                    && !attribute.eq_ignore_ascii_case("\\Subscribed")
            });
            if subscribed && (returns.subscribed || list.selection.subscribed) {
                item.attributes.push("\\Subscribed".to_owned());
            }
        }
        let silent = !item.attributes.iter().any(|a| is_one_of(a, &CHILDREN) || is_one_of(a, &CHILDLESS));
        if silent && self.deep && (returns.children || !list.extended) {
            let prefix = item.delimiter.map(|delimiter| format!("{}{delimiter}", item.mailbox));
            let below = |prefix: &String| {
                let first = MailboxName::new(prefix);
                existing
                    .range::<&MailboxName, _>(&first..)
                    .next()
                    .is_some_and(|(name, _)| name.as_str().starts_with(prefix))
            };
            let has = prefix.is_some_and(|prefix| below(&prefix));
            item.attributes.push(if has { "\\HasChildren" } else { "\\HasNoChildren" }.to_owned());
        }
    }
}

const CHILDREN: [&str; 2] = ["\\HasChildren", "\\HasNoChildren"];
const CHILDLESS: [&str; 1] = ["\\Noinferiors"];
/// RFC 6154 2, RFC 8457 3.
const USES: [&str; 8] =
    ["\\All", "\\Archive", "\\Drafts", "\\Flagged", "\\Junk", "\\Sent", "\\Trash", "\\Important"];

fn is_one_of(attribute: &str, words: &[&str]) -> bool {
    words.iter().any(|word| word.eq_ignore_ascii_case(attribute))
}

/// Whether the mailbox has a special use.
fn has_use(item: &ListItem) -> bool {
    item.attributes.iter().any(|attribute| is_one_of(attribute, &USES))
}

/// Whether a mailbox can be opened at all.
pub(crate) fn is_selectable(item: &ListItem) -> bool {
    !item.attributes.iter().any(|attribute| is_one_of(attribute, &["\\Noselect", "\\NonExistent"]))
}

fn nonexistent(name: &MailboxName, delimiter: Option<char>) -> ListItem {
    ListItem { attributes: vec!["\\NonExistent".to_owned()], delimiter, mailbox: name.clone() }
}

/// Every name above one of these.
fn parents_of<'a>(
    names: impl Iterator<Item = &'a MailboxName>,
    delimiter: Option<char>,
) -> BTreeSet<&'a str> {
    let Some(delimiter) = delimiter else { return BTreeSet::new() };
    let above = |name: &'a MailboxName| {
        let name = name.as_str();
        name.match_indices(delimiter)
            .filter_map(move |(at, _)| name.get(..at))
            .filter(|name| !name.is_empty())
    };
    names.flat_map(above).collect()
}

/// Whether a name matches a pattern: `*` stands for anything, `%` for anything without the delimiter (RFC 3501 6.3.8). The
/// work is at most wildcards times length, whatever the two look like.
pub(crate) fn is_match(pattern: &str, name: &str, delimiter: Option<char>) -> bool {
    // INBOX in any case, and so in a pattern (RFC 3501 5.1).
    let folded =
        name == "INBOX" || name.strip_prefix("INBOX").is_some_and(|rest| rest.chars().next() == delimiter);
    let name = name.as_bytes();
    let same = |at: usize, byte: u8| {
        name.get(at).is_some_and(|own| *own == byte || (folded && at < 5 && own.eq_ignore_ascii_case(&byte)))
    };
    let starts = |at: usize, text: &[u8]| text.iter().enumerate().all(|(more, byte)| same(at + more, *byte));
    let mut reached = vec![false; name.len() + 1];
    let mut rest = pattern.as_bytes();
    let mut wildcard = None;
    reached[0] = true;
    loop {
        let length = rest.iter().position(|byte| matches!(byte, b'*' | b'%')).unwrap_or(rest.len());
        let (text, after) = rest.split_at(length);
        if let Some(wildcard) = wildcard {
            for at in 1..reached.len() {
                let passes = wildcard == b'*'
                    || delimiter.is_none_or(|d| name.get(at - 1).is_none_or(|byte| char::from(*byte) != d));
                reached[at] = reached[at] || (reached[at - 1] && passes);
            }
        }
        let mut next = vec![false; name.len() + 1];
        for at in (0..reached.len()).filter(|at| reached[*at]) {
            if starts(at, text)
                && let Some(end) = next.get_mut(at + text.len())
            {
                *end = true;
            }
        }
        reached = next;
        match after.split_first() {
            None => return reached.last().copied().unwrap_or_default(),
            Some((byte, after)) => (wildcard, rest) = (Some(*byte), after),
        }
    }
}

#[cfg(test)]
mod tests;
