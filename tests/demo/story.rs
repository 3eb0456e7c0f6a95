//! Telling what happens: numbered steps, notes, and both sides of each conversation.

use std::collections::BTreeMap;
use std::io::{IsTerminal, stdout};
use std::sync::atomic::{AtomicU32, Ordering};

use pimap_tests::handset::Handset;
use pimap_tests::http::{Post, Site};
use pimap_tests::response::Lines;
use pimap_tests::transcript::show;

/// Longer lines are cut for the eye.
const WIDTH: usize = 140;

/// Begins the next step of the story.
pub fn step(title: &str) {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let (bold, plain) = if stdout().is_terminal() { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    println!("\n{bold}{number}. {title}{plain}");
}

/// Something that happened.
pub fn note(text: &str) {
    println!("   {text}");
}

/// A handset that tells what it says and hears.
pub struct Story {
    pub handset: Handset,
    pub site: Site,
    provisioned: BTreeMap<String, String>,
}

impl Story {
    pub fn new(handset: Handset, site: Site) -> Story {
        Story { handset, site, provisioned: BTreeMap::new() }
    }

    /// One POST with these commands.
    pub fn post(&mut self, commands: &[&str]) -> Result<(), String> {
        let request = self.handset.request(commands);
        self.send(&request)
    }

    /// Lets the handset ask for what it lacks.
    pub fn catch_up(&mut self) -> Result<(), String> {
        while let Some(request) = self.handset.catch_up() {
            self.send(&request)?;
        }
        Ok(())
    }

    fn send(&mut self, request: &pimap_tests::handset::Request) -> Result<(), String> {
        self.show_request(&request.body);
        let answer =
            self.site.post(&Post::of(request)).map_err(|broken| format!("no answer: {}", broken.reason))?;
        if answer.status != 200 {
            return Err(format!("HTTP {}: {}", answer.status, answer.text()));
        }
        if let Some(cookie) = answer.cookie() {
            self.handset.keep_cookie(cookie);
        }
        let mut lines = Lines::default();
        lines.push(&answer.body);
        let lines: Vec<Vec<u8>> = lines.collect();
        self.show_lines(&lines);
        self.handset.hear(&answer.body);
        self.handset.finished();
        let refused = |line: &&Vec<u8>| {
            let mut words = line.split(|&byte| byte == b' ');
            words.next() != Some(b"*") && matches!(words.next(), Some(b"NO" | b"BAD"))
        };
        match lines.iter().find(refused) {
            Some(line) => Err(format!("the gateway refused: {}", show(line))),
            None => Ok(()),
        }
    }

    /// The radio is gone; the handset knows nothing of what was on its way.
    pub fn lose_radio(&mut self) {
        self.handset.broken();
        self.handset.turned_away();
    }

    /// What XPROVISION said of that item.
    pub fn provisioned(&self, item: &str) -> Option<String> {
        self.provisioned.get(item).cloned()
    }

    /// Prints what the handset sends.
    pub fn show_request(&self, body: &[u8]) {
        String::from_utf8_lossy(body).lines().for_each(|line| print_line("C:", line));
    }

    /// Prints what the gateway says, and keeps what it provisions.
    pub fn show_lines(&mut self, lines: &[Vec<u8>]) {
        for line in lines {
            let line = show(line);
            print_line("S:", &line);
            if let Some((item, value)) =
                line.strip_prefix("* XPROVISION ").and_then(|rest| rest.split_once(" ("))
            {
                self.provisioned.insert(item.to_owned(), value.trim_end_matches(')').to_owned());
            }
        }
    }
}

fn print_line(side: &str, line: &str) {
    // What cannot be printed stays escaped; a backslash by itself can.
    let line = &line.replace("\\\\", "\\");
    match line.char_indices().nth(WIDTH) {
        Some((cut, _)) => println!("   {side} {}…", &line[..cut]),
        None => println!("   {side} {line}"),
    }
}
