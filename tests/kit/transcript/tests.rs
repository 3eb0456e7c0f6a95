//! The runner on a stage that only echoes.

use std::collections::VecDeque;

use super::pattern::{Captures, Pattern};
use super::run::rewrite;
use super::*;

/// Says back each line that it is sent, after its tag; `@ say` queues a line, `@ close` ends the connection.
#[derive(Default)]
struct Echo {
    said: VecDeque<Vec<u8>>,
    closed: bool,
    head: Vec<(String, String)>,
}

impl Stage for Echo {
    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        self.head.push((name.to_owned(), value.to_owned()));
        Ok(())
    }

    fn send(&mut self, _: &Party, line: &[u8]) -> Result<(), String> {
        let tag = line.split(|&byte| byte == b' ').next().unwrap_or_default();
        self.said.push_back([b"* ", line].concat());
        self.said.push_back([tag, b" OK echo of ", line].concat());
        Ok(())
    }

    fn hear(&mut self, _: &Party, _: Patience) -> Result<Heard, String> {
        Ok(match self.said.pop_front() {
            Some(line) => Heard::Line(line),
            None if self.closed => Heard::Closed,
            None => Heard::Quiet,
        })
    }

    fn act(&mut self, words: &str) -> Result<(), String> {
        match words.split_once(' ') {
            Some(("say", line)) => self.said.push_back(line.as_bytes().to_vec()),
            _ if words == "close" => self.closed = true,
            _ => return Err(format!("no such act: {words}")),
        }
        Ok(())
    }

    fn parties(&self) -> Vec<Party> {
        vec![Party::Handset(String::new())]
    }
}

fn failure(text: &str) -> Failure {
    play(text, &mut Echo::default()).expect_err("a scene that fails")
}

#[test]
fn a_scene_with_captures_free_text_groups_and_an_end_is_played() {
    let mut echo = Echo::default();
    let scene = "# title: an echo\n\
        C: a1 SESSIONID k7\n\
        S: * a1 SESSIONID $id\n\
        S: a1 OK ...\n\
        @ say * 2 EXISTS\n\
        S: * 2 EXISTS\n\
        \n\
        C: a2 HAVE $id\n\
        S{\n\
          a2 OK ...\n\
          * a2 HAVE k7\n\
        }\n\
        @ close\n\
        S closes\n";
    assert_eq!(play(scene, &mut echo), Ok(()));
    assert_eq!(echo.head, [("title".to_owned(), "an echo".to_owned())]);
}

#[test]
fn a_line_left_over_fails_before_the_next_act_and_at_the_end() {
    let failed = failure("C: a1 X\nS: * a1 X\nC: a2 X\n");
    assert_eq!((failed.line, failed.got.as_str()), (3, "a1 OK echo of a1 X"));
    let failed = failure("C: a1 X\nS: * a1 X\n");
    assert_eq!((failed.expected.as_str(), failed.got.as_str()), ("nothing more", "a1 OK echo of a1 X"));
}

#[test]
fn a_line_too_few_another_value_and_a_wrong_act_fail() {
    assert_eq!(failure("S: * 1 EXISTS\n").got, "(nothing)");
    assert_eq!(failure("@ say x 1\n@ say x 2\nS: x $n\nS: x $n\n").line, 2);
    assert_eq!(failure("@ dance\n").got, "no such act: dance");
    assert_eq!(failure("C: a1 $unheard\n").got, "$unheard was never heard");
    assert_eq!(failure("S{\n  a OK ...\n").line, 0);
    let swapped = failure("C: a1 X\nS{\n  * a1 Y\n  a1 OK ...\n}\n");
    assert_eq!(swapped.got, "* a1 X");
}

#[test]
fn free_text_cannot_hide_data() {
    assert!(Pattern::read("* 4 ...", true).is_err());
    assert!(Pattern::read("* OK [UIDVALIDITY ...", true).is_err());
    assert!(Pattern::read("* OK [UIDVALIDITY 7] ...", true).is_ok());
    assert!(Pattern::read("+ ...", true).is_ok());
}

#[test]
fn every_octet_can_be_written() {
    let all: Vec<u8> = (0..=255).chain(*b"$name \\$x ...").collect();
    let pattern = Pattern::read(&show(&all), false).expect("what show wrote");
    assert_eq!(pattern.fill(&Captures::new()), Ok(all));
}

#[test]
fn a_rewritten_scene_keeps_what_matches_and_is_then_true() {
    let stale = "# title: stale\n\
        C: a1 ID k7\n\
        S: * a1 ID $id\n\
        S: * 9 EXISTS\n\
        @ say * 3 EXISTS\n\
        S{\n  * 3 EXISTS\n}\n\
        C: a2 HAVE $id\n";
    let fresh = rewrite(stale, &mut Echo::default()).expect("a rewritten scene");
    assert_eq!(
        fresh,
        "# title: stale\n\
        C: a1 ID k7\n\
        S: * a1 ID $id\n\
        S: a1 OK echo of a1 ID k7\n\
        @ say * 3 EXISTS\n\
        S{\n  * 3 EXISTS\n}\n\
        C: a2 HAVE $id\n\
        S: * a2 HAVE k7\n\
        S: a2 OK echo of a2 HAVE k7\n"
    );
    assert_eq!(play(&fresh, &mut Echo::default()), Ok(()));
}
