//! APPEND towards upstream, literal by literal.

use super::writer::Writer;
use super::{Encoded, Unencodable};
use pimap_types::append::{AppendPart, streams};

/// A message up to this size is sent with its APPEND without asking (LITERAL+): a refusal costs no more than a round trip.
const APPEND_UNASKED_BYTES_MAX: u64 = 64 << 10;

/// What follows a literal of APPEND, its line end included.
pub fn encode_parts(all: &[AppendPart], literal_plus: bool) -> Result<Encoded, Unencodable> {
    let mut out = Writer::new(literal_plus);
    parts(&mut out, all)?;
    let message_waits = literal(&mut out, all);
    out.raw("\r\n");
    Ok(Encoded { parts: out.into_parts(), message_waits })
}

/// Everything but the size of the literal at the end.
pub(super) fn parts(out: &mut Writer, parts: &[AppendPart]) -> Result<(), Unencodable> {
    let mut first_in_list = false;
    for part in parts {
        match part {
            AppendPart::Message { flags, date } => {
                if !flags.is_empty() {
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

/// The head of the literal at the end; whether a `+` must be awaited before its octets.
pub(super) fn literal(out: &mut Writer, parts: &[AppendPart]) -> bool {
    let Some(size) = streams(parts) else { return false };
    let unasked = out.may_send_unasked() && size <= APPEND_UNASKED_BYTES_MAX;
    out.raw("{");
    out.number(size);
    out.raw(if unasked { "+}" } else { "}" });
    !unasked
}
