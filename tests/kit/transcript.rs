//! Golden transcripts: conversations kept as text and replayed line by line.
//!
//! A file is a scene. Its head is `# name: value` lines that set the stage. Then, one act a line:
//!
//! ```text
//! C: a1 NOOP             the handset sends a line; `C2:` does so on the connection named 2
//! S: * 4 EXISTS          the gateway answers exactly this; `S2:` on the connection named 2
//! S{                     these lines in any order, up to `}`
//! S closes               the gateway closes the connection
//! U> UID FETCH 4 (FLAGS) the gateway sends this upstream
//! U< * 4 FETCH …         the upstream server answers this
//! @ upstream delivers …  an act of the world, free words that the stage understands
//! ```
//!
//! Octets are written as they are, except `\r`, `\n`, `\\`, `\xNN`; a literal stands in its line as `{3}\r\nabc`.
//! In expected lines `...` stands for free text at the end of a status line, `[CAPABILITY ...]` for whatever is listed there, and `$name` (lower case) for a
//! word that is remembered and put in wherever `$name` comes again; a plain dollar before a small letter is
//! `\$`. Strict: every line is listed and nothing may be left over. With `UPDATE_GOLDEN=1` the file is rewritten with what
//! was heard, to be reviewed like code.

mod pattern;
mod run;
mod script;

#[cfg(test)]
mod tests;

pub use pattern::{Captures, Pattern, show};
pub use run::{Failure, play, play_file};
pub use script::{Act, Script};

/// Who a connection of the scene belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    /// A handset's connection; the name is empty for `C:`, `2` for `C2:`.
    Handset(String),
    /// The upstream connection.
    Upstream,
}

/// What was heard on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A whole line without its line end, literals included.
    Line(Vec<u8>),
    /// Nothing more is coming for now.
    Quiet,
    /// The other side closed.
    Closed,
}

/// How long the stage should listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// A line is due: wait for it as long as it reasonably takes.
    Due,
    /// Nothing is due: report only what is there already, or is certain to come.
    Leftover,
}

/// Where scenes are played: the machine in this process, or real sockets.
pub trait Stage {
    /// One `# name: value` line of the head.
    fn set(&mut self, name: &str, value: &str) -> Result<(), String>;

    /// Sends one line, without its line end, from the handset to the gateway or from upstream to the gateway.
    fn send(&mut self, party: &Party, line: &[u8]) -> Result<(), String>;

    /// The next line that the gateway sends to that party.
    fn hear(&mut self, party: &Party, patience: Patience) -> Result<Heard, String>;

    /// An act of the world.
    fn act(&mut self, words: &str) -> Result<(), String>;

    /// The connections that may have said something, for the search of leftovers.
    fn parties(&self) -> Vec<Party>;
}
