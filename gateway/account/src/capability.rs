//! What is announced, as data: each capability with what it depends on. Nothing stands here before it works, and nothing that an
//! upstream is needed for is promised where upstream does not have it (RFC 3501 6.1.1, P-IMAP 5.1.3).

use crate::account::Account;
use crate::contract::TransportKind;
use crate::utf8::UTF8_ACCEPT;
use pimap_types::ConnectionId;
use pimap_types::limits::APPEND_BYTES_MAX;
use pimap_types::upstream::Announced;
use std::borrow::Cow;
use std::sync::Arc;

/// What a capability depends on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Needs {
    /// Nothing: the gateway does it before any server.
    Nothing,
    /// That upstream announces this word.
    Upstream(&'static str),
    /// That upstream announces one of these: what it lacks of the one is made of the other.
    Either(&'static str, &'static str),
    /// A connection that stays open.
    Stream,
    /// A connection of IMAP's own: HTTP has a coding of its own for its bodies.
    Tcp,
}

/// In the order in which they are written.
const TABLE: &[(&str, Needs)] = &[
    ("IMAP4rev1", Needs::Nothing),
    ("LITERAL+", Needs::Nothing),
    ("ID", Needs::Nothing),
    ("IDLE", Needs::Stream),
    ("NOTIFY", Needs::Stream),
    // Without it EXPUNGE cannot be selective in every view, and whoever is promised UID EXPUNGE stops there (F20).
    ("UIDPLUS", Needs::Upstream("UIDPLUS")),
    ("MOVE", Needs::Either("MOVE", "UIDPLUS")),
    ("UNSELECT", Needs::Nothing),
    ("NAMESPACE", Needs::Nothing),
    ("CHILDREN", Needs::Nothing),
    ("LIST-EXTENDED", Needs::Nothing),
    ("LIST-STATUS", Needs::Nothing),
    ("SPECIAL-USE", Needs::Upstream("SPECIAL-USE")),
    // All messages or none: without UIDPLUS those that went before a refused one could not be taken back (RFC 3502 1).
    ("MULTIAPPEND", Needs::Either("MULTIAPPEND", "UIDPLUS")),
    ("CATENATE", Needs::Upstream("CATENATE")),
    ("BINARY", Needs::Upstream("BINARY")),
    ("STATUS=SIZE", Needs::Upstream("STATUS=SIZE")),
    ("ENABLE", Needs::Nothing),
    // Names would do without upstream; messages with UTF-8 in their headers do not.
    (UTF8_ACCEPT, Needs::Upstream(UTF8_ACCEPT)),
    ("COMPRESS=DEFLATE", Needs::Tcp),
    ("ESEARCH", Needs::Nothing),
    ("SEARCHRES", Needs::Nothing),
    ("PARTIAL", Needs::Nothing),
    ("WITHIN", Needs::Nothing),
    ("SORT", Needs::Nothing),
    ("SORT=DISPLAY", Needs::Nothing),
    ("THREAD=ORDEREDSUBJECT", Needs::Nothing),
    ("THREAD=REFERENCES", Needs::Nothing),
    // A draft that nobody finished: passed on, not made here.
    ("THREAD=REFS", Needs::Upstream("THREAD=REFS")),
    ("CONDSTORE", Needs::Nothing),
    ("QRESYNC", Needs::Nothing),
    // The protocol's version; its parts that work are named one by one.
    ("XPIMAPv1", Needs::Nothing),
    ("xPIMAPcomplyrev06", Needs::Nothing),
    ("XPIMAPPREF", Needs::Nothing),
    ("XPROVISION", Needs::Nothing),
    ("XFILTER", Needs::Nothing),
];

/// What is announced before LOGIN, when upstream has not been asked yet.
pub fn before_login(kind: TransportKind) -> String {
    line(kind, &Announced::default())
}

fn line(kind: TransportKind, announced: &Announced) -> String {
    let holds = |needs: Needs| match needs {
        Needs::Nothing => true,
        Needs::Upstream(word) => announced.has(word),
        Needs::Either(one, other) => announced.has(one) || announced.has(other),
        Needs::Stream => kind != TransportKind::HttpBatch,
        Needs::Tcp => kind == TransportKind::Tcp,
    };
    let words = TABLE.iter().filter(|(_, needs)| holds(*needs)).map(|(word, _)| Cow::Borrowed(*word));
    let limit = append_limit(announced).map(|limit| Cow::Owned(format!("APPENDLIMIT={limit}")));
    words.chain(limit).collect::<Vec<_>>().join(" ")
}

/// The largest message that may be appended (RFC 7889): upstream's limit, or ours where that is smaller. Nothing while upstream is
/// unknown, or has limits that differ by mailbox.
fn append_limit(announced: &Announced) -> Option<u64> {
    if announced.is_empty() || announced.has("APPENDLIMIT") {
        return None;
    }
    let upstream = announced.words().find_map(|word| word.strip_prefix("APPENDLIMIT=")?.parse().ok());
    Some(upstream.unwrap_or(APPEND_BYTES_MAX).min(APPEND_BYTES_MAX))
}

impl Account {
    /// The largest message that may be appended, as far as known.
    pub(crate) fn append_limit(&self) -> u64 {
        append_limit(&self.upstream.announced).unwrap_or(APPEND_BYTES_MAX)
    }

    /// CAPABILITY after login on this connection, without the word itself.
    pub(crate) fn capability(&self, conn: ConnectionId) -> Arc<str> {
        let kind = self.connections.get(&conn).map_or(TransportKind::Tcp, |c| c.transport.kind);
        line(kind, &self.upstream.announced).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P-IMAP 5.1.6: methods are listed when XENCRYPTED is there, RC40 never (digest 6).
    #[test]
    fn encryption_that_is_not_there_is_not_announced() {
        let words = before_login(TransportKind::Tcp);
        assert!(words.split(' ').any(|word| word == "XPIMAPv1"));
        assert!(!words.contains("XENCRYPTED") && !words.contains("RC40"));
    }

    /// RFC 7889: what upstream would refuse is not promised.
    #[test]
    fn the_smaller_append_limit_counts() {
        let limit = |words: &[&str]| append_limit(&Announced::new(words));
        assert_eq!(limit(&["IMAP4REV1"]), Some(APPEND_BYTES_MAX));
        assert_eq!(limit(&["APPENDLIMIT=1000"]), Some(1_000));
        assert_eq!(limit(&["APPENDLIMIT=99999999999999"]), Some(APPEND_BYTES_MAX));
        assert_eq!(limit(&["APPENDLIMIT"]), None);
        assert_eq!(limit(&["APPENDLIMIT=x"]), Some(APPEND_BYTES_MAX));
        assert!(line(TransportKind::Tcp, &Announced::new(["APPENDLIMIT=9"])).ends_with(" APPENDLIMIT=9"));
        assert!(!before_login(TransportKind::Tcp).contains("APPENDLIMIT"));
    }

    /// RFC 7162 3.2.2: QRESYNC implies that ENABLE and CONDSTORE are there (NQ-030); the gateway counts by itself, before any server
    /// (F41).
    #[test]
    fn who_announces_qresync_announces_what_it_needs() {
        let words = before_login(TransportKind::HttpBatch);
        assert!(
            ["ENABLE", "CONDSTORE", "QRESYNC"].iter().all(|needed| words.split(' ').any(|w| w == *needed))
        );
    }

    /// IDLE cannot be issued where the response ends with the request (digest 16.3).
    #[test]
    fn a_batch_is_not_promised_idle() {
        let has_idle = |kind| before_login(kind).split(' ').any(|word| word == "IDLE");
        assert!(has_idle(TransportKind::Tcp) && has_idle(TransportKind::HttpStream));
        assert!(!has_idle(TransportKind::HttpBatch));
    }

    /// RFC 4978 is about a connection; a body over HTTP has `Content-Encoding` (digest 16.3).
    #[test]
    fn only_a_connection_of_its_own_is_compressed() {
        let compresses = |kind| before_login(kind).split(' ').any(|word| word == "COMPRESS=DEFLATE");
        assert!(compresses(TransportKind::Tcp));
        assert!(!compresses(TransportKind::HttpStream) && !compresses(TransportKind::HttpBatch));
    }

    /// OLDER and YOUNGER (RFC 5032) are found by INTERNALDATE where it must be, SORT and THREAD (RFC 5256) made here.
    #[test]
    fn what_upstream_must_do_is_promised_where_it_can() {
        let words = |announced: &[&str]| line(TransportKind::Tcp, &Announced::new(announced.iter().copied()));
        let has = |announced: &[&str], word: &str| words(announced).split(' ').any(|known| known == word);
        for word in [UTF8_ACCEPT, "THREAD=REFS"] {
            assert!(!has(&["IMAP4REV1"], word) && has(&["IMAP4REV1", word], word), "{word}");
        }
        let here = [
            "ESEARCH",
            "SEARCHRES",
            "WITHIN",
            "SORT",
            "SORT=DISPLAY",
            "THREAD=REFERENCES",
            "THREAD=ORDEREDSUBJECT",
        ];
        assert!(here.iter().all(|word| has(&["IMAP4REV1"], word)));
    }

    /// RFC 6851, RFC 4315 and RFC 3502 by a server that has none of them: what would be refused is not promised (digest 23).
    #[test]
    fn what_uidplus_makes_possible_is_promised_with_it() {
        let has = |announced: &[&str], word: &str| {
            let words = line(TransportKind::Tcp, &Announced::new(announced));
            words.split(' ').any(|w| w == word)
        };
        for (announced, can_move, can_choose, several) in [
            (&["IMAP4REV1"][..], false, false, false),
            (&["IMAP4REV1", "UIDPLUS"], true, true, true),
            (&["IMAP4REV1", "MOVE"], true, false, false),
            (&["IMAP4REV1", "MULTIAPPEND"], false, false, true),
        ] {
            let promised = ["MOVE", "UIDPLUS", "MULTIAPPEND"].map(|word| has(announced, word));
            assert_eq!(promised, [can_move, can_choose, several]);
        }
    }
}
