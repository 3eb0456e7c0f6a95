//! APPEND towards upstream, literal by literal.

use super::writer::Writer;
use super::{Encoded, Unencodable};
use pimap_types::append::{AppendPart, streams};

/// What follows a literal of APPEND, its line end included.
pub fn encode_parts(all: &[AppendPart]) -> Result<Encoded, Unencodable> {
    let mut out = Writer::new();
    parts(&mut out, all)?;
    let message_waits = literal(&mut out, all);
    out.raw("\r\n");
    Ok(Encoded { parts: out.into_parts(), message_waits })
}

/// Everything but the size of the literal at the end.
pub(super) fn parts(out: &mut Writer, parts: &[AppendPart]) -> Result<(), Unencodable> {
    let mut first_in_list = false;
    let mut left = parts.iter();
    while let Some(part) = left.next() {
        match part {
            AppendPart::Message { flags, date } => {
                // Courier knows UTF8 behind flags alone, and no flags are flags too (RFC 3501 9).
                let utf8 = matches!(left.as_slice().first(), Some(AppendPart::Utf8 { .. }));
                if utf8 || !flags.is_empty() {
                    out.raw(" ");
                    out.flags(flags)?;
                }
                if let Some(date) = date {
                    out.raw(" ");
                    out.string(date.as_bytes())?;
                }
            }
            AppendPart::Utf8 { .. } => out.raw(" UTF8 (~"),
            AppendPart::EndUtf8 | AppendPart::EndCatenate => out.raw(")"),
            AppendPart::Literal { binary, .. } => out.raw(if *binary { " ~" } else { " " }),
            AppendPart::Catenate => out.raw(" CATENATE ("),
            AppendPart::Text { .. } => out.raw(if first_in_list { "TEXT " } else { " TEXT " }),
            AppendPart::Url(url) => {
                out.raw(if first_in_list { "URL " } else { " URL " });
                out.string(url.as_bytes())?;
            }
        }
        first_in_list = *part == AppendPart::Catenate;
    }
    Ok(())
}

/// The head of the literal at the end, if there is one: a `+` must be awaited before its octets.
pub(super) fn literal(out: &mut Writer, parts: &[AppendPart]) -> bool {
    let Some(size) = streams(parts) else { return false };
    out.raw("{");
    out.number(size);
    out.raw("}");
    true
}
