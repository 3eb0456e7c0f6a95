//! Response codes (RFC 3501 7.1, RFC 4315 3, design D5).

use super::string::{write_flag, write_list, write_ranges, write_set};
use pimap_types::{Code, Flag, ModSeq};
use std::io::Write;

/// `[code] ` with the space behind it. A COPYUID without UIDs says nothing and is left out.
pub(super) fn write_code(code: &Code, out: &mut Vec<u8>) {
    if matches!(code, Code::CopyUid(_, source, target) if source.is_empty() || target.is_empty()) {
        return;
    }
    out.push(b'[');
    // Writing into a vector cannot fail.
    let _ = match code {
        Code::Word(word) => {
            write_inner(word, out);
            Ok(())
        }
        Code::UidValidity(validity) => write!(out, "UIDVALIDITY {validity}"),
        Code::UidNext(next) => write!(out, "UIDNEXT {next}"),
        Code::Unseen(seq) => write!(out, "UNSEEN {seq}"),
        Code::PermanentFlags(flags, keywords) => {
            out.extend_from_slice(b"PERMANENTFLAGS ");
            write_list(flags.iter().map(Flag::as_str).chain(keywords.then_some("\\*")), write_flag, out);
            Ok(())
        }
        Code::AppendUid(validity, uids) => {
            let written = write!(out, "APPENDUID {validity} ");
            write_set(uids, out);
            written
        }
        Code::CopyUid(validity, source, target) => {
            let written = write!(out, "COPYUID {validity} ");
            write_set(source, out);
            out.push(b' ');
            write_set(target, out);
            written
        }
        Code::HighestModSeq(ModSeq(n)) => write!(out, "HIGHESTMODSEQ {n}"),
        Code::Modified(ranges) => {
            out.extend_from_slice(b"MODIFIED ");
            write_ranges(ranges, out);
            Ok(())
        }
        Code::Capability(words) => {
            out.extend_from_slice(b"CAPABILITY ");
            write_inner(words, out);
            Ok(())
        }
        Code::Cursor(cursor) => write!(out, "PIMAPCURSOR {}.{}", cursor.incarnation, cursor.position),
    };
    out.extend_from_slice(b"] ");
}

/// A ready-made code, which cannot close its own bracket.
fn write_inner(text: &str, out: &mut Vec<u8>) {
    out.extend(text.bytes().filter(|byte| matches!(byte, b' '..=b'~') && *byte != b']'));
}
