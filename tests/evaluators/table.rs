//! `docs/filters.md`: its table of what differs between the servers is made of what is kept of each.

use std::collections::BTreeMap;
use std::path::Path;

use crate::corpus::{KEYS, LETTERS};
use crate::found::{Found, recording};

/// The servers, by the names of their files and of people.
const SERVERS: [(&str, &str); 3] =
    [("dovecot", "Dovecot 2.3.19"), ("cyrus", "Cyrus 3.6.1"), ("mailutils", "GNU mailutils 3.15")];

const BEGIN: &str = "<!-- what differs: written by `PIMAP_RECORD=1 cargo test --test evaluators` -->\n";
const END: &str = "<!-- end of what differs -->\n";

/// Checks the table of the document, or writes it.
pub fn check() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/filters.md");
    let text = std::fs::read_to_string(&path).expect("docs/filters.md");
    let (before, rest) = text.split_once(BEGIN).expect("where the table begins");
    let (written, after) = rest.split_once(END).expect("where it ends");
    let table = table();
    if recording() {
        std::fs::write(&path, format!("{before}{BEGIN}{table}{END}{after}")).expect("docs/filters.md");
    } else {
        assert!(
            written == table,
            "docs/filters.md is not what the servers say: write it with PIMAP_RECORD=1"
        );
    }
}

/// One row for each key and each way in which the servers differ about it, with the letters that they differ about.
fn table() -> String {
    let found = SERVERS.map(|(file, _)| Found::kept(file));
    let mut table = format!("| search key | letters | {} |\n", SERVERS.map(|(_, name)| name).join(" | "));
    table += "|---|---|---|---|---|\n";
    for key in KEYS.iter() {
        let mut rows: BTreeMap<[Option<bool>; 3], Vec<&str>> = BTreeMap::new();
        for (place, letter) in LETTERS.iter().enumerate() {
            let says = found.each_ref().map(|found| {
                let answer = found.answers.get(key.0).expect("every key is kept").as_ref();
                answer.filter(|_| found.stored.contains(&place)).map(|letters| letters.contains(&place))
            });
            let (yes, no) = (says.contains(&Some(true)), says.contains(&Some(false)));
            if yes && no {
                rows.entry(says).or_default().push(&letter.name);
            }
        }
        for (says, letters) in rows {
            let cells = says.map(|says| match says {
                Some(true) => "found",
                Some(false) => "–",
                None => "",
            });
            table += &format!("| `{}` | {} | {} |\n", key.0, listed(&letters), cells.join(" | "));
        }
    }
    table
}

/// Letters by name, many of them by number.
fn listed(letters: &[&str]) -> String {
    match letters.get(..3) {
        Some(first) if letters.len() > 12 => format!("{} and {} more", first.join(", "), letters.len() - 3),
        _ => letters.join(", "),
    }
}
