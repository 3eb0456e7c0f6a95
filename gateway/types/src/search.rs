//! Search programs (RFC 3501 6.4.4) and filter criteria (P-IMAP 5.2.3): one tree for both.

use crate::mailbox::Flag;
use crate::message::Date;
use crate::number::ModSeq;
use crate::set::{SequenceSet, UidRanges};

/// One key of a search program. Strings are octets in the program's charset.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum SearchKey {
    /// Every message.
    All,
    /// All of these (a parenthesised list, and the top level).
    And(Vec<SearchKey>),
    /// Either.
    Or(Box<SearchKey>, Box<SearchKey>),
    /// Not that.
    Not(Box<SearchKey>),
    /// The flag is set: `SEEN`, `KEYWORD $Junk` … (`UNSEEN` is `Not(Flag(Seen))`).
    Flag(Flag),
    /// `RECENT` (session-dependent; never allowed in a stored filter).
    Recent,
    /// `NEW`: recent and unseen (session-dependent).
    New,
    /// `OLD`: not recent (session-dependent).
    Old,
    /// `LARGER n`, in octets.
    Larger(u32),
    /// `SMALLER n`, in octets.
    Smaller(u32),
    /// `BEFORE date` on INTERNALDATE.
    Before(Date),
    /// `ON date` on INTERNALDATE.
    On(Date),
    /// `SINCE date` on INTERNALDATE.
    Since(Date),
    /// `SENTBEFORE date` on the Date: header.
    SentBefore(Date),
    /// `SENTON date`.
    SentOn(Date),
    /// `SENTSINCE date`.
    SentSince(Date),
    /// `OLDER n`: received more than so many seconds ago (RFC 5032); never allowed in a stored filter (F31).
    Older(u32),
    /// `YOUNGER n`: received within so many seconds (RFC 5032).
    Younger(u32),
    /// `DAYSBEFORETODAY n`: received today or within the n days before (P-IMAP 5.2.3).
    DaysBeforeToday(u32),
    /// `HEADER name text`; `FROM`, `TO`, `CC`, `BCC` and `SUBJECT` keep their own spelling as [`SearchKey::Field`].
    Header(Vec<u8>, Vec<u8>),
    /// `FROM`, `TO`, `CC`, `BCC`, `SUBJECT` with their text.
    Field(Field, Vec<u8>),
    /// `BODY text`.
    Body(Vec<u8>),
    /// `TEXT text`.
    Text(Vec<u8>),
    /// `MODSEQ n` (RFC 7162 3.1.5): changed at that mod-sequence or later, by the gateway's own count (F39).
    ModSeq(ModSeq),
    /// `UID set`.
    Uid(SequenceSet),
    /// A bare sequence set: positions in the client view.
    Sequence(SequenceSet),
    /// `$`, bare or after UID: the messages that the session last saved (RFC 5182).
    Saved,
}

/// A part of a list of messages (RFC 9394): places in it, as written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PartialRange {
    /// One end, from 1 up.
    pub first: u32,
    /// The other; which is larger makes no difference.
    pub last: u32,
    /// Counted from the highest UID downwards, written with `-`; else from the lowest up.
    pub from_end: bool,
}

impl PartialRange {
    /// What of the list it means.
    pub fn of(&self, list: &UidRanges) -> UidRanges {
        let (near, far) = (u64::from(self.first.min(self.last)), u64::from(self.first.max(self.last)));
        if !self.from_end {
            return list.at_places(near, far);
        }
        // The last is place 1 from the end.
        match (list.len() + 1).checked_sub(near) {
            None | Some(0) => UidRanges::new(),
            Some(last) => list.at_places((list.len() + 1).saturating_sub(far), last),
        }
    }
}

/// What a search is to return (RFC 4731 3.1, RFC 5182 2.1, RFC 9394 3.1). `RETURN ()` is `RETURN (ALL)`; without RETURN there are none.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct ReturnOptions {
    /// MIN: the lowest number found.
    pub min: bool,
    /// MAX: the highest.
    pub max: bool,
    /// ALL: every number, as a set.
    pub all: bool,
    /// PARTIAL: some of the numbers; never beside ALL.
    pub partial: Option<PartialRange>,
    /// COUNT: how many.
    pub count: bool,
    /// SAVE: what is found becomes `$`.
    pub save: bool,
}

/// One criterion of SORT (RFC 5256 3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SortCriterion {
    /// REVERSE
    pub reverse: bool,
    /// By what.
    pub key: SortKey,
}

/// By what SORT orders (RFC 5256 3, RFC 5957 3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SortKey {
    /// INTERNALDATE.
    Arrival,
    /// The mailbox of the first Cc address.
    Cc,
    /// The sent date.
    Date,
    /// The display name of the first From address (SORT=DISPLAY).
    DisplayFrom,
    /// The display name of the first To address (SORT=DISPLAY).
    DisplayTo,
    /// The mailbox of the first From address.
    From,
    /// RFC822.SIZE.
    Size,
    /// The base subject.
    Subject,
    /// The mailbox of the first To address.
    To,
}

impl SortKey {
    /// Every key, for grammars.
    pub const ALL: [SortKey; 9] = [
        SortKey::Arrival,
        SortKey::Cc,
        SortKey::Date,
        SortKey::DisplayFrom,
        SortKey::DisplayTo,
        SortKey::From,
        SortKey::Size,
        SortKey::Subject,
        SortKey::To,
    ];

    /// The key's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            SortKey::Arrival => "ARRIVAL",
            SortKey::Cc => "CC",
            SortKey::Date => "DATE",
            SortKey::DisplayFrom => "DISPLAYFROM",
            SortKey::DisplayTo => "DISPLAYTO",
            SortKey::From => "FROM",
            SortKey::Size => "SIZE",
            SortKey::Subject => "SUBJECT",
            SortKey::To => "TO",
        }
    }

    /// Whether it is one of SORT=DISPLAY.
    pub const fn is_display(self) -> bool {
        matches!(self, SortKey::DisplayFrom | SortKey::DisplayTo)
    }
}

/// How THREAD gathers messages (RFC 5256 4; REFS is REFERENCES without regard to subjects, draft-ietf-morg-inthread).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ThreadAlgorithm {
    /// By base subject, then by date.
    OrderedSubject,
    /// By References and In-Reply-To, then by base subject.
    References,
    /// By References and In-Reply-To alone.
    Refs,
}

impl ThreadAlgorithm {
    /// Every algorithm, for grammars.
    pub const ALL: [ThreadAlgorithm; 3] =
        [ThreadAlgorithm::OrderedSubject, ThreadAlgorithm::References, ThreadAlgorithm::Refs];

    /// The algorithm's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            ThreadAlgorithm::OrderedSubject => "ORDEREDSUBJECT",
            ThreadAlgorithm::References => "REFERENCES",
            ThreadAlgorithm::Refs => "REFS",
        }
    }

    /// What a server announces that has it.
    pub const fn capability(self) -> &'static str {
        match self {
            ThreadAlgorithm::OrderedSubject => "THREAD=ORDEREDSUBJECT",
            ThreadAlgorithm::References => "THREAD=REFERENCES",
            ThreadAlgorithm::Refs => "THREAD=REFS",
        }
    }
}

impl SearchKey {
    /// Whether it asks for mod-sequences: the answer then tells one (RFC 7162 3.1.5).
    pub fn names_mod_seq(&self) -> bool {
        match self {
            SearchKey::And(keys) => keys.iter().any(SearchKey::names_mod_seq),
            SearchKey::Or(a, b) => a.names_mod_seq() || b.names_mod_seq(),
            SearchKey::Not(key) => key.names_mod_seq(),
            key => matches!(key, SearchKey::ModSeq(_)),
        }
    }

    /// Whether all texts of the program are plain: then there is no charset for a server to refuse.
    pub fn is_ascii(&self) -> bool {
        match self {
            SearchKey::And(keys) => keys.iter().all(SearchKey::is_ascii),
            SearchKey::Or(a, b) => a.is_ascii() && b.is_ascii(),
            SearchKey::Not(key) => key.is_ascii(),
            SearchKey::Header(name, text) => name.is_ascii() && text.is_ascii(),
            SearchKey::Field(_, text) | SearchKey::Body(text) | SearchKey::Text(text) => text.is_ascii(),
            _ => true,
        }
    }
}

/// A header field with a search key of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Field {
    /// `FROM`
    From,
    /// `TO`
    To,
    /// `CC`
    Cc,
    /// `BCC`
    Bcc,
    /// `SUBJECT`
    Subject,
}

impl Field {
    /// The key's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Field::From => "FROM",
            Field::To => "TO",
            Field::Cc => "CC",
            Field::Bcc => "BCC",
            Field::Subject => "SUBJECT",
        }
    }
}

/// Filter criteria as a handset wrote them, and what they mean.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Criteria {
    /// The keys between the parentheses, as octets that a GET returns (literals rewritten as quoted strings or
    /// non-synchronizing literals).
    pub source: Vec<u8>,
    /// The charset named in SET, if any, in capitals.
    pub charset: Option<String>,
    /// The parsed program.
    pub key: SearchKey,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9394 3.1: places from either end, and nothing where there is none.
    #[test]
    fn a_part_of_a_list_is_what_counting_finds() {
        let list = UidRanges::from_pairs([(2, 4), (7, 7), (10, 12), (u32::MAX, u32::MAX)]);
        let uids: Vec<u32> = list.iter().map(crate::Uid::get).collect();
        let ends = [1, 2, 3, 4, 5, 7, 8, 9, 20, u32::MAX];
        for (first, last) in ends.into_iter().flat_map(|first| ends.map(|last| (first, last))) {
            let (near, far) = (first.min(last) as usize, first.max(last) as usize);
            for from_end in [false, true] {
                let mut counted = uids.clone();
                if from_end {
                    counted.reverse();
                }
                let mut right: Vec<u32> = counted.into_iter().take(far).skip(near - 1).collect();
                right.sort_unstable();
                let part = PartialRange { first, last, from_end };
                let found: Vec<u32> = part.of(&list).iter().map(crate::Uid::get).collect();
                assert_eq!(found, right, "{part:?}");
                assert!(part.of(&UidRanges::new()).is_empty());
            }
        }
    }
}
