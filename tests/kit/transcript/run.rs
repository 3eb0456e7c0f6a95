//! Playing a scene on a stage, strictly or to rewrite it.

use std::fmt;
use std::path::Path;

use super::pattern::{Captures, Pattern, show};
use super::script::{Act, Script};
use super::{Heard, Party, Patience, Stage};

/// Why a scene did not come out as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The line of the scene; 0 when it is about the whole of it.
    pub line: usize,
    /// What was written.
    pub expected: String,
    /// What happened instead.
    pub got: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: expected\n    {}\ngot\n    {}", self.line, self.expected, self.got)
    }
}

/// Plays a scene strictly.
pub fn play(text: &str, stage: &mut dyn Stage) -> Result<(), Failure> {
    let script = read(text)?;
    let mut player = Player { stage, captures: Captures::new() };
    for (line, act, _) in &script.0 {
        player.perform(act).map_err(|(expected, got)| Failure { line: *line, expected, got })?;
    }
    player.nothing_left().map_err(|(expected, got)| Failure { line: script.0.len(), expected, got })
}

/// Plays the scene in a file; panics with what went wrong. With `UPDATE_GOLDEN=1` rewrites the file instead.
#[track_caller]
pub fn play_file(path: &Path, stage: &mut dyn Stage) {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let update = std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1");
    let played = if update {
        rewrite(&text, stage).map(|new| {
            if new != text {
                std::fs::write(path, new).expect("the rewritten scene");
            }
        })
    } else {
        play(&text, stage)
    };
    if let Err(failure) = played {
        panic!("{}: {failure}\nUPDATE_GOLDEN=1 rewrites it with what was heard.", path.display());
    }
}

/// Plays the acts of a scene and writes down what was really heard between them. Expected lines that match are
/// kept as they were written, with their free text and captures.
pub(super) fn rewrite(text: &str, stage: &mut dyn Stage) -> Result<String, Failure> {
    let script = read(text)?;
    let mut player = Player { stage, captures: Captures::new() };
    let mut out = String::new();
    for (line, act, source) in &script.0 {
        if !matches!(act, Act::Hear(..) | Act::HearAnyOrder(..) | Act::Closes(_) | Act::Nothing) {
            player.write_leftovers(&mut out);
        }
        match act {
            Act::Nothing | Act::Head(..) => {
                out.push_str(source);
                out.push('\n');
            }
            Act::Hear(party, expected) => player.rewrite_line(party, expected, &mut out),
            Act::HearAnyOrder(party, lines) => player.rewrite_group(party, lines, &mut out),
            Act::Closes(party) => {
                if player.hear(party, Patience::Due) == Ok(Heard::Closed) {
                    out.push_str(&act.write());
                }
            }
            Act::Send(..) | Act::World(_) => out.push_str(&act.write()),
        }
        if matches!(act, Act::Head(..) | Act::Send(..) | Act::World(_)) {
            player.perform_unchecked(act).map_err(|got| Failure {
                line: *line,
                expected: source.clone(),
                got,
            })?;
        }
    }
    player.write_leftovers(&mut out);
    Ok(out)
}

fn read(text: &str) -> Result<Script, Failure> {
    Script::read(text).map_err(|got| Failure { line: 0, expected: "a scene".to_owned(), got })
}

struct Player<'a> {
    stage: &'a mut dyn Stage,
    captures: Captures,
}

type Played = Result<(), (String, String)>;

impl Player<'_> {
    fn perform(&mut self, act: &Act) -> Played {
        match act {
            Act::Nothing => Ok(()),
            Act::Hear(party, expected) => self.expect_line(party, expected),
            Act::HearAnyOrder(party, lines) => self.expect_group(party, lines),
            Act::Closes(party) => match self.hear(party, Patience::Due) {
                Ok(Heard::Closed) => Ok(()),
                other => Err(("the end of the connection".to_owned(), describe(other))),
            },
            Act::Head(..) => self.perform_unchecked(act).map_err(|got| (act.write(), got)),
            Act::Send(..) | Act::World(_) => {
                self.nothing_left()?;
                self.perform_unchecked(act).map_err(|got| (act.write(), got))
            }
        }
    }

    fn perform_unchecked(&mut self, act: &Act) -> Result<(), String> {
        match act {
            Act::Head(name, value) => self.stage.set(name, value),
            Act::Send(party, line) => {
                let line = Pattern::read(line, false)?.fill(&self.captures)?;
                self.stage.send(party, &line)
            }
            Act::World(words) => {
                let words = Pattern::read(words, false)?.fill(&self.captures)?;
                self.stage.act(&String::from_utf8_lossy(&words))
            }
            _ => Ok(()),
        }
    }

    fn hear(&mut self, party: &Party, patience: Patience) -> Result<Heard, String> {
        self.stage.hear(party, patience)
    }

    fn expect_line(&mut self, party: &Party, expected: &str) -> Played {
        let fail = |got: String| (expected.to_owned(), got);
        let pattern = Pattern::read(expected, true).map_err(fail)?;
        match self.hear(party, Patience::Due) {
            Ok(Heard::Line(line)) if pattern.matches(&line, &mut self.captures) => Ok(()),
            other => Err((expected.to_owned(), describe(other))),
        }
    }

    /// Lines without captures are matched first, so that a capture cannot take a line that another names exactly.
    fn expect_group(&mut self, party: &Party, lines: &[String]) -> Played {
        let mut open: Vec<&String> = lines.iter().collect();
        open.sort_by_key(|line| line.contains('$'));
        while !open.is_empty() {
            let heard = self.hear(party, Patience::Due);
            let found = match &heard {
                Ok(Heard::Line(line)) => self.find(line, &open).map_err(|got| (lines.join("\n    "), got))?,
                _ => None,
            };
            let all =
                |open: &[&String]| open.iter().map(|line| line.as_str()).collect::<Vec<_>>().join("\n    ");
            match found {
                Some(at) => drop(open.remove(at)),
                None => return Err((all(&open), describe(heard))),
            }
        }
        Ok(())
    }

    fn find(&mut self, line: &[u8], open: &[&String]) -> Result<Option<usize>, String> {
        for (at, expected) in open.iter().enumerate() {
            if Pattern::read(expected, true)?.matches(line, &mut self.captures) {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    fn nothing_left(&mut self) -> Played {
        for party in self.stage.parties() {
            match self.hear(&party, Patience::Leftover) {
                Ok(Heard::Quiet | Heard::Closed) => {}
                other => return Err(("nothing more".to_owned(), describe(other))),
            }
        }
        Ok(())
    }

    fn write_leftovers(&mut self, out: &mut String) {
        for party in self.stage.parties() {
            while let Ok(Heard::Line(line)) = self.hear(&party, Patience::Leftover) {
                out.push_str(&Act::Hear(party.clone(), written(&line)).write());
            }
        }
    }

    fn rewrite_line(&mut self, party: &Party, expected: &str, out: &mut String) {
        let pattern = Pattern::read(expected, true);
        let Ok(Heard::Line(line)) = self.hear(party, Patience::Due) else { return };
        let kept = pattern.is_ok_and(|pattern| pattern.matches(&line, &mut self.captures));
        let text = if kept { expected.to_owned() } else { written(&line) };
        out.push_str(&Act::Hear(party.clone(), text).write());
    }

    fn rewrite_group(&mut self, party: &Party, lines: &[String], out: &mut String) {
        let mut heard = Vec::new();
        for _ in lines {
            match self.hear(party, Patience::Due) {
                Ok(Heard::Line(line)) => {
                    let open: Vec<&String> = lines.iter().filter(|line| !heard.contains(*line)).collect();
                    let found = self.find(&line, &open).ok().flatten();
                    heard.push(found.map_or_else(|| written(&line), |at| open[at].clone()));
                }
                _ => break,
            }
        }
        out.push_str(&Act::HearAnyOrder(party.clone(), heard).write());
    }
}

/// A line as a scene has it: what a CAPABILITY code lists grows with the gateway and is no part of most scenes.
fn written(line: &[u8]) -> String {
    let text = show(line);
    match text.split_once("[CAPABILITY ") {
        Some((before, rest)) => match rest.split_once(']') {
            Some((_, after)) => format!("{before}[CAPABILITY ...]{after}"),
            None => text,
        },
        None => text,
    }
}

fn describe(heard: Result<Heard, String>) -> String {
    match heard {
        Ok(Heard::Line(line)) => show(&line),
        Ok(Heard::Quiet) => "(nothing)".to_owned(),
        Ok(Heard::Closed) => "(the connection is closed)".to_owned(),
        Err(error) => format!("(the stage: {error})"),
    }
}
