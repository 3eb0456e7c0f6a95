//! Response codes: what stands in brackets after OK, NO, BAD or BYE (RFC 3501 7.1, RFC 4315, 5530, 7162, 5465).

use super::cursor::Cursor;
use super::response::flags_of;
use pimap_types::Flags;
use pimap_types::number::{ModSeq, UidValidity};
use pimap_types::set::UidRanges;

/// A code that the gateway acts on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Code {
    /// `ALERT`: the text is for the person.
    Alert,
    /// `APPENDUID validity uids`; `None` when they are not in ascending order, so that nobody could tell whose they are.
    AppendUid(UidValidity, Option<UidRanges>),
    /// `CAPABILITY …`
    Capability(Vec<String>),
    /// `CLOSED`: what came before concerns the mailbox that was selected before.
    Closed,
    /// `COPYUID validity source target`; `None` when the two sets cannot be matched in ascending order.
    CopyUid(Option<(UidValidity, UidRanges, UidRanges)>),
    /// `EXPUNGEISSUED`
    ExpungeIssued,
    /// `HIGHESTMODSEQ n`
    HighestModSeq(ModSeq),
    /// `MODIFIED uids`: what a conditional STORE left alone (RFC 7162 3.1.3).
    Modified(UidRanges),
    /// `NOMODSEQ`: this mailbox has no mod-sequences.
    NoModSeq,
    /// `NOTIFICATIONOVERFLOW`: NOTIFY has been switched off by the server (RFC 5465 5.8).
    NotificationOverflow,
    /// `PERMANENTFLAGS (…)`, and whether `\*` was among them.
    PermanentFlags(Flags, bool),
    /// `READ-ONLY`
    ReadOnly,
    /// `READ-WRITE`
    ReadWrite,
    /// `UIDNEXT n`
    UidNext(u32),
    /// `UIDVALIDITY n`
    UidValidity(UidValidity),
    /// Any other, or one of the above that could not be read.
    Other,
}

impl Code {
    /// Reads the text between the brackets. A code that is known but broken is [`Code::Other`]: codes are advice, and a
    /// server that garbles one is not thereby unusable.
    pub(super) fn parse(text: &[u8]) -> Code {
        let mut cursor = Cursor::new(text);
        let Some(word) = cursor.text() else { return Code::Other };
        let word = word.to_ascii_uppercase();
        let _ = cursor.space();
        Self::parse_known(&word, &mut cursor).unwrap_or(Code::Other)
    }

    fn parse_known(word: &str, cursor: &mut Cursor<'_>) -> Option<Code> {
        Some(match word {
            "ALERT" => Code::Alert,
            "APPENDUID" => {
                let validity = UidValidity::new(cursor.number()?)?;
                cursor.space()?;
                let pairs = cursor.uid_pairs()?;
                let ascending = is_ascending(&pairs);
                Code::AppendUid(validity, ascending.then(|| UidRanges::from_pairs(pairs)))
            }
            "CAPABILITY" => Code::Capability(capability_words(cursor.rest())),
            "CLOSED" => Code::Closed,
            "COPYUID" => Code::CopyUid(copy_uid(cursor)?),
            "EXPUNGEISSUED" => Code::ExpungeIssued,
            "HIGHESTMODSEQ" => Code::HighestModSeq(mod_seq(cursor)?),
            "MODIFIED" => Code::Modified(UidRanges::from_pairs(cursor.uid_pairs()?)),
            "NOMODSEQ" => Code::NoModSeq,
            "NOTIFICATIONOVERFLOW" => Code::NotificationOverflow,
            "PERMANENTFLAGS" => {
                let words = cursor.words()?;
                let any = words.contains(&"\\*");
                Code::PermanentFlags(flags_of(words), any)
            }
            "READ-ONLY" => Code::ReadOnly,
            "READ-WRITE" => Code::ReadWrite,
            "UIDNEXT" => Code::UidNext(cursor.number()?),
            "UIDVALIDITY" => Code::UidValidity(UidValidity::new(cursor.number()?)?),
            _ => return None,
        })
    }
}

/// A mod-sequence has 63 bits (RFC 7162 7); more is refused.
pub(super) fn mod_seq(cursor: &mut Cursor<'_>) -> Option<ModSeq> {
    let value = cursor.number64()?;
    i64::try_from(value).is_ok().then_some(ModSeq(value))
}

/// Words of a CAPABILITY or ENABLED response, in capitals.
pub(super) fn capability_words(text: &[u8]) -> Vec<String> {
    let words = text.split(|b| *b == b' ').filter(|w| !w.is_empty());
    words.map(|w| String::from_utf8_lossy(w).to_ascii_uppercase()).collect()
}

/// RFC 4315 3: the n-th source UID became the n-th target UID, in the order written. Both sets leave here in ascending order, so
/// a server that wrote either in another order cannot be represented and counts as silent, which is true at least.
fn copy_uid(cursor: &mut Cursor<'_>) -> Option<Option<(UidValidity, UidRanges, UidRanges)>> {
    let validity = UidValidity::new(cursor.number()?)?;
    cursor.space()?;
    let source = cursor.uid_pairs()?;
    cursor.space()?;
    let target = cursor.uid_pairs()?;
    if !is_ascending(&source) || !is_ascending(&target) {
        return Some(None);
    }
    let (source, target) = (UidRanges::from_pairs(source), UidRanges::from_pairs(target));
    Some((source.len() == target.len()).then_some((validity, source, target)))
}

fn is_ascending(pairs: &[(u32, u32)]) -> bool {
    pairs.windows(2).all(|w| matches!(w, [a, b] if a.1 < b.0))
}
