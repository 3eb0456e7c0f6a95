//! Rules of the repository that a compiler does not check, each as a test that can fail.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Files that git keeps, by path from the root, with their text; what is not text is left out.
fn tracked() -> Vec<(String, String)> {
    let output = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output().expect("git runs");
    assert!(output.status.success(), "not in a git clone");
    let names = String::from_utf8(output.stdout).expect("names in UTF-8");
    let files = names.split('\0').filter(|name| !name.is_empty());
    files
        .filter_map(|name| Some((name.to_owned(), std::fs::read_to_string(root().join(name)).ok()?)))
        .collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the root of the repository").to_owned()
}

/// Fails with every finding at once.
#[track_caller]
fn none(rule: &str, findings: Vec<String>) {
    assert!(findings.is_empty(), "{rule}:\n  {}", findings.join("\n  "));
}

/// Lines of Rust files with file and line number, for the rules that look for words.
fn rust_lines(files: &[(String, String)]) -> impl Iterator<Item = (&str, usize, &str)> {
    files.iter().filter(|(name, _)| name.ends_with(".rs")).flat_map(|(name, text)| {
        text.lines().enumerate().map(move |(at, line)| (name.as_str(), at + 1, line))
    })
}

#[test]
fn rooms_import_only_what_the_layout_allows() {
    let allowed: toml::Table = include_str!("tidy/edges.toml").parse().expect("edges.toml");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    let output = Command::new(cargo).args(arguments).current_dir(root()).output().expect("cargo runs");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("metadata");
    let packages = metadata["packages"].as_array().expect("packages");
    let mut findings = Vec::new();
    for package in packages {
        let name = package["name"].as_str().expect("a name");
        let Some(edges) = allowed.get(name).and_then(|edges| edges.as_array()) else {
            findings.push(format!("{name} has no row in tests/tidy/edges.toml"));
            continue;
        };
        let edges: BTreeSet<&str> = edges.iter().filter_map(|edge| edge.as_str()).collect();
        let dependencies = package["dependencies"].as_array().expect("dependencies");
        let rooms = dependencies.iter().filter_map(|dependency| dependency["name"].as_str());
        for room in rooms.filter(|room| room.starts_with("pimap-") && !edges.contains(room)) {
            findings.push(format!("{name} imports {room}"));
        }
    }
    for name in allowed.keys().filter(|name| !packages.iter().any(|package| package["name"] == name.as_str()))
    {
        findings.push(format!("edges.toml names {name}, which is no room"));
    }
    none("crate edges", findings);
}

#[test]
fn rooms_that_decide_do_no_io() {
    let pure = [
        "gateway/types/",
        "gateway/wire/",
        "gateway/view/",
        "gateway/session/",
        "gateway/account/",
        "filters/",
    ];
    let banned =
        ["std::net", "std::fs", "std::thread", "Instant::now", "SystemTime::now", "tokio::", "std::env"];
    let files = tracked();
    let lines = rust_lines(&files).filter(|(name, _, line)| {
        let tests = name.contains("tests") || name.contains("/fuzz/");
        !tests && pure.iter().any(|room| name.starts_with(room)) && !line.trim_start().starts_with("//")
    });
    let found = lines.filter(|(_, _, line)| banned.iter().any(|word| line.contains(word)));
    none(
        "I/O or a clock in a room that decides",
        found.map(|(f, n, line)| format!("{f}:{n}: {line}")).collect(),
    );
}

#[test]
fn every_module_says_what_it_holds() {
    let files = tracked();
    let bare = files.iter().filter(|(name, text)| name.ends_with(".rs") && !text.starts_with("//!"));
    none("modules that do not begin with //!", bare.map(|(name, _)| name.clone()).collect());
}

#[test]
fn nothing_unfinished_is_kept() {
    // In two halves, so that this file does not find itself.
    let banned = [
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("dbg", "!("),
        concat!("#[ig", "nore"),
        concat!("FIX", "ME"),
        concat!("thread::", "sleep"),
    ];
    let files = tracked();
    // The kit polls conditions; its wait.rs is the one place that sleeps.
    let lines = rust_lines(&files).filter(|(name, _, _)| *name != "tests/kit/wait.rs");
    let found = lines.filter(|(_, _, line)| banned.iter().any(|word| line.contains(word)));
    none(
        "unfinished work or sleeps",
        found.map(|(f, n, line)| format!("{f}:{n}: {}", line.trim())).collect(),
    );
}

#[test]
fn no_path_of_one_machine_is_written_down() {
    let banned =
        [concat!("/wo", "rk/"), concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/Us", "ers/")];
    let mut findings = Vec::new();
    for (name, text) in tracked() {
        for (at, line) in text.lines().enumerate() {
            // A path begins where no word is before it: `network/work/x` is none.
            let starts = |word: &&str| {
                line.match_indices(*word).any(|(at, _)| {
                    let before = line[..at].chars().next_back();
                    before.is_none_or(|before| !before.is_alphanumeric() && !"_-./}".contains(before))
                })
            };
            if banned.iter().any(starts) {
                findings.push(format!("{name}:{}: {}", at + 1, line.trim()));
            }
        }
    }
    none("paths of one machine", findings);
}

/// One row of docs/conformance.tsv.
struct Row {
    id: String,
    status: String,
    tests: Vec<String>,
}

/// The table; its form is checked on the way.
fn conformance() -> Vec<Row> {
    let text = std::fs::read_to_string(root().join("docs/conformance.tsv")).expect("docs/conformance.tsv");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("id\trequirement\tstatus\ttest\tnote"), "the head of docs/conformance.tsv");
    let row = |(at, line): (usize, &str)| {
        let cells: Vec<&str> = line.split('\t').collect();
        let [id, requirement, status, tests, _] = cells[..] else { panic!("row {}: not five cells", at + 2) };
        assert!(!requirement.is_empty(), "{id} requires nothing");
        let tests = tests.split_whitespace().map(str::to_owned).collect();
        Row { id: id.to_owned(), status: status.to_owned(), tests }
    };
    lines.enumerate().map(row).collect()
}

#[test]
fn conformance_rows_are_complete_and_in_order() {
    let rows = conformance();
    let expected = (1..=118).map(|n| format!("PI-{n:03}"));
    // The second checklist has gaps between its chapters.
    let second = (1..=27).chain(30..=64).chain(70..=76).map(|n| format!("NQ-{n:03}"));
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(ids, expected.chain(second).collect::<Vec<_>>());
}

#[test]
fn conformance_rows_name_tests_that_exist() {
    let files: BTreeMap<String, String> = tracked().into_iter().collect();
    let mut findings = Vec::new();
    for row in conformance() {
        match row.status.as_str() {
            "planned" | "declined" if row.tests.is_empty() => {}
            "planned" | "declined" => findings.push(format!("{} is {} and names a test", row.id, row.status)),
            "done" | "partial" if row.tests.is_empty() => findings.push(format!("{} names no test", row.id)),
            "done" | "partial" => {}
            other => findings.push(format!("{} has no status: {other:?}", row.id)),
        }
        let missing = row.tests.iter().filter(|test| !exists(test, &files));
        findings.extend(missing.map(|test| format!("{}: there is no test {test}", row.id)));
    }
    none("docs/conformance.tsv", findings);
}

/// Scenarios found before building (S) and inputs that broke others (C from clients, U from upstream): each has its test, or a
/// reason why not yet.
#[test]
fn flaws_name_tests_that_exist() {
    let files: BTreeMap<String, String> = tracked().into_iter().collect();
    let text = files.get("docs/flaws.tsv").expect("docs/flaws.tsv");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("id\tscenario or input\tstatus\ttest\tnote"), "the head of docs/flaws.tsv");
    let (mut ids, mut findings) = (Vec::new(), Vec::new());
    for line in lines {
        let cells: Vec<&str> = line.split('\t').collect();
        let [id, _, status, tests, note] = cells[..] else { panic!("not five cells: {line}") };
        ids.push(id.to_owned());
        let tests: Vec<&str> = tests.split_whitespace().collect();
        let sound = match status {
            "shown" => !tests.is_empty(),
            "part" => !tests.is_empty() && !note.is_empty(),
            "later" => tests.is_empty() && !note.is_empty(),
            _ => false,
        };
        if !sound {
            findings.push(format!("{id} is {status:?} with {} tests and the note {note:?}", tests.len()));
        }
        let missing = tests.iter().filter(|test| !exists(test, &files));
        findings.extend(missing.map(|test| format!("{id}: there is no test {test}")));
    }
    let numbered = |mark: char, last: u32| (1..=last).map(move |n| format!("{mark}-{n:02}"));
    let expected: Vec<String> = numbered('S', 32).chain(numbered('C', 12)).chain(numbered('U', 9)).collect();
    assert_eq!(ids, expected);
    none("docs/flaws.tsv", findings);
}

/// A test is named as `path/to/file.rs::function`, or as the path of a golden transcript.
fn exists(test: &str, files: &BTreeMap<String, String>) -> bool {
    let Some((file, function)) = test.split_once("::") else {
        return test.starts_with("tests/golden/") && files.contains_key(test);
    };
    let Some(text) = files.get(file) else { return false };
    let lines: Vec<&str> = text.lines().collect();
    let is_it = |line: &&str| line.contains(&format!("fn {function}("));
    lines.iter().position(is_it).is_some_and(|at| {
        // The attribute stands right above, perhaps with others and comments between.
        let above =
            lines[..at].iter().rev().take_while(|line| !line.trim().is_empty() && !line.starts_with('}'));
        above.clone().any(|line| line.trim_start().starts_with("#[") && line.contains("test"))
            // A property stands inside proptest!, where the attribute is the same.
            || lines[at].contains("in ") && text.contains("proptest!")
    })
}

#[test]
fn citations_of_requirements_exist() {
    let known: BTreeSet<String> = conformance().into_iter().map(|row| row.id).collect();
    let mut findings = Vec::new();
    for (name, text) in tracked() {
        for (at, line) in text.lines().enumerate() {
            for cited in citations(line).filter(|cited| !known.contains(*cited)) {
                findings.push(format!("{name}:{}: {cited}", at + 1));
            }
        }
    }
    none("citations of no known requirement", findings);
}

/// Every `PI-nnn` and `NQ-nnn` of a line.
fn citations(line: &str) -> impl Iterator<Item = &str> {
    let at = ["PI-", "NQ-"].into_iter().flat_map(|mark| line.match_indices(mark).map(|(at, _)| at));
    at.filter_map(|at| {
        let begins = !line[..at].ends_with(|before: char| before.is_alphanumeric());
        let cited = line.get(at..at + 6)?;
        let digits = cited[3..].bytes().all(|byte| byte.is_ascii_digit());
        (begins && digits).then_some(cited)
    })
}

#[test]
fn golden_transcripts_can_be_read_and_say_what_they_are_about() {
    let mut findings = Vec::new();
    for (name, text) in tracked().into_iter().filter(|(name, _)| name.ends_with(".pimap")) {
        match pimap_tests::transcript::Script::read(&text) {
            Ok(script) if script.head("title").is_some() && script.head("cites").is_some() => {}
            Ok(_) => findings.push(format!("{name}: no title or no citation in its head")),
            Err(error) => findings.push(format!("{name}: {error}")),
        }
    }
    none("golden transcripts", findings);
}

#[test]
fn the_rules_see_what_they_look_for() {
    assert_eq!(citations("PI-001, NQ-076 (API-123, PI-1)").collect::<Vec<_>>(), ["PI-001", "NQ-076"]);
    let file = "#[test]\nfn real() {\n}\n\nfn helper() {\n}\n".to_owned();
    let files =
        BTreeMap::from([("a.rs".to_owned(), file), ("tests/golden/x.pimap".to_owned(), String::new())]);
    assert!(exists("a.rs::real", &files) && exists("tests/golden/x.pimap", &files));
    assert!(
        !exists("a.rs::helper", &files)
            && !exists("b.rs::real", &files)
            && !exists("tests/golden/y.pimap", &files)
    );
}
