//! What the framer must see in a line: a literal's head at its end, and whether that literal is APPEND's message.

use crate::syntax::leading_tag;

/// The octets of a line's end that are kept while it is skipped: room for any literal's head that is not absurd.
pub(super) const TAIL_BYTES: usize = 64;

/// A literal announced by the end of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Literal {
    /// Its octets; the largest number where the one written is larger.
    pub(super) size: u64,
    /// `{n}` rather than `{n+}` (RFC 7888).
    pub(super) synchronizing: bool,
}

/// A line without the CR of its line end.
pub(super) fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The literal whose head `{n}` or `{n+}` ends the line. Whether a literal makes sense there is not asked: a brace
/// cannot stand in an atom, so that a line which ends like this is either a literal or no command at all.
pub(super) fn trailing_literal(line: &[u8]) -> Option<Literal> {
    let inner = line.strip_suffix(b"}")?;
    let (inner, synchronizing) = match inner.strip_suffix(b"+") {
        Some(inner) => (inner, false),
        None => (inner, true),
    };
    let start = inner.iter().rposition(|byte| !byte.is_ascii_digit());
    let digits = inner.get(start.map_or(0, |index| index + 1)..)?;
    // Of a line that is being skipped only the tail is left: so many digits that no brace is in sight are taken for a
    // literal as well, since what follows must not be taken for a command.
    let braced = match start {
        Some(index) => inner.get(index) == Some(&b'{'),
        None => digits.len() + 3 >= TAIL_BYTES,
    };
    if digits.is_empty() || !braced {
        return None;
    }
    let add = |size: u64, digit: &u8| size.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
    Some(Literal { size: digits.iter().fold(0, add), synchronizing })
}

/// Whether the literal that ends the line is streamed as (a part of) an APPEND's message: any literal of APPEND but its
/// mailbox and the URLs of CATENATE. `command` is the command from its tag up to the end of the line, `literals` how many
/// came before.
pub(super) fn is_append_message(command: &[u8], literals: usize) -> bool {
    let Some(tag) = leading_tag(command) else { return false };
    let after_tag = command.get(tag.0.len() + 1..).unwrap_or_default();
    let (Some(word), Some(arguments)) = (after_tag.get(..7), after_tag.get(7..)) else { return false };
    word.eq_ignore_ascii_case(b"APPEND ")
        && (literals > 0 || arguments.first() != Some(&b'{'))
        && !(is_url(arguments) && has_catenate(arguments))
}

/// Whether the literal that ends the text is the argument of URL.
pub(super) fn is_url(text: &[u8]) -> bool {
    let before =
        text.iter().rposition(|byte| *byte == b'{').and_then(|at| text.get(..at)).unwrap_or_default();
    let tail = before.get(before.len().saturating_sub(5)..).unwrap_or_default();
    tail.eq_ignore_ascii_case(b" URL ") || tail.eq_ignore_ascii_case(b"(URL ")
}

fn has_catenate(arguments: &[u8]) -> bool {
    arguments.windows(10).any(|window| window.eq_ignore_ascii_case(b"CATENATE ("))
}
