//! What a server's own SEARCH finds, in words that a person can review: the names of letters.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::corpus::LETTERS;

/// What a program was answered with: the places of the letters found in [`LETTERS`]; or nothing, where it was refused.
pub type Answer = Option<BTreeSet<usize>>;

/// What one server says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// The letters that it took.
    pub stored: BTreeSet<usize>,
    /// The answer to each key.
    pub answers: BTreeMap<String, Answer>,
}

impl Found {
    /// Reads what was kept of a server.
    pub fn kept(server: &str) -> Found {
        let text = std::fs::read_to_string(file(server)).unwrap_or_default();
        let mut found = Found::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (key, names) = line.rsplit_once(" = ").expect("a key and names");
            if key == "stored" {
                let all = (0..LETTERS.len()).collect();
                found.stored = read(names, &all).expect("letters");
            } else {
                let answer = read(names, &found.stored);
                found.answers.insert(key.to_owned(), answer);
            }
        }
        found
    }

    /// Keeps it.
    pub fn keep(&self, server: &str) {
        std::fs::write(file(server), self.text(server)).expect("a file to write");
    }

    /// One line a key, in the order of the file of keys.
    pub fn text(&self, server: &str) -> String {
        let all = (0..LETTERS.len()).collect();
        let mut text = format!(
            "# What SEARCH of {server} finds in the corpus; written by the test with PIMAP_RECORD=1.\nstored = {}\n",
            names(&Some(self.stored.clone()), &all)
        );
        for key in crate::corpus::KEYS.iter() {
            if let Some(answer) = self.answers.get(key.0) {
                text += &format!("{} = {}\n", key.0, names(answer, &self.stored));
            }
        }
        text
    }
}

/// Whether what is kept is to be written anew.
pub fn recording() -> bool {
    std::env::var_os("PIMAP_RECORD").is_some()
}

fn file(server: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("evaluators/found/{server}.txt"))
}

/// An answer in names, or in the names of those that are not in it where these are fewer.
pub fn names(answer: &Answer, all: &BTreeSet<usize>) -> String {
    let listed = |places: &mut dyn Iterator<Item = &usize>| {
        places.map(|place| LETTERS[*place].name.as_str()).collect::<Vec<_>>().join(" ")
    };
    match answer {
        None => "refused".to_owned(),
        Some(found) if found.is_empty() => "none".to_owned(),
        Some(found) if found == all => "all".to_owned(),
        Some(found) if found.len() * 2 > all.len() => {
            format!("all but {}", listed(&mut all.difference(found)))
        }
        Some(found) => listed(&mut found.iter()),
    }
}

fn read(names: &str, all: &BTreeSet<usize>) -> Answer {
    let place = |name: &str| {
        LETTERS.iter().position(|letter| letter.name == name).unwrap_or_else(|| panic!("no letter {name}"))
    };
    match names {
        "refused" => None,
        "none" => Some(BTreeSet::new()),
        "all" => Some(all.clone()),
        names => Some(match names.strip_prefix("all but ") {
            Some(names) => {
                let lacking: BTreeSet<usize> = names.split(' ').map(place).collect();
                all.difference(&lacking).copied().collect()
            }
            None => names.split(' ').map(place).collect(),
        }),
    }
}
