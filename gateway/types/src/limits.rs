//! Every bound of the gateway, with its unit in its name and the outcome on overflow in its comment (law 5).

/// A device ID's length in bytes; longer: LOGIN answers NO.
pub const DEVICE_ID_BYTES_MAX: usize = 64;
/// A command line without its literals (RFC 7162 4 asks for 8192); longer: BAD, the line is swallowed.
pub const LINE_BYTES_MAX: usize = 65_536;
/// A line before LOGIN; longer: BAD, the line is swallowed. An AUTHENTICATE whose initial response has the 12288 octets of
/// RFC 4954 4 fits.
pub const LINE_BEFORE_LOGIN_BYTES_MAX: usize = 16_384;
/// A literal that stands for a string argument; longer: BAD `[TOOBIG]`, swallowed (`{n+}`) or refused (`{n}`).
pub const STRING_LITERAL_BYTES_MAX: u64 = 65_536;
/// Literals within one command; more: BAD.
pub const LITERALS_PER_COMMAND_MAX: usize = 64;
/// All string literals of one command together; more: BAD.
pub const COMMAND_BYTES_MAX: usize = 1 << 20;
/// The message of an APPEND; longer: NO `[TOOBIG]`. It is streamed, never held.
pub const APPEND_BYTES_MAX: u64 = 128 << 20;
/// Parts of one APPEND (messages, texts, URLs); more: NO `[LIMIT]`.
pub const APPEND_PARTS_MAX: usize = 4_096;
/// A URL of CATENATE in bytes; longer: NO `[BADURL]`.
pub const URL_BYTES_MAX: usize = 4_096;
/// A non-synchronizing literal over its limit is swallowed up to this size; beyond it the connection is closed
/// with BYE, since reading on would cost more than it is worth.
pub const SWALLOW_BYTES_MAX: u64 = 256 << 20;
/// Depth of parentheses, NOT and OR in a search program or filter; deeper: BAD.
pub const NESTING_MAX: usize = 32;
/// Ranges in one sequence set; more: BAD.
pub const SET_RANGES_MAX: usize = 4_096;
/// Keys in one search program or filter; more: BAD.
pub const SEARCH_KEYS_MAX: usize = 256;
/// Criteria in one SORT; more: BAD.
pub const SORT_CRITERIA_MAX: usize = 16;
/// Messages that the gateway sorts or threads by itself for one command, where upstream cannot; more: `NO [LIMIT]`, nothing is fetched.
pub const ORDERED_MESSAGES_MAX: u64 = 50_000;
/// Octets held of them at a time; more: `NO [LIMIT]`.
pub const ORDERED_BYTES_MAX: usize = 32 << 20;
/// What one message may say of itself for that; one that says more counts as having said nothing.
pub const DESCRIBED_BYTES_MAX: usize = 64 << 10;
/// Named filters per account; more: NO `[LIMIT]`.
pub const NAMED_FILTERS_PER_ACCOUNT_MAX: usize = 64;
/// A filter's name in bytes; longer: NO.
pub const FILTER_NAME_BYTES_MAX: usize = 128;
/// A filter's description in bytes; longer: NO.
pub const FILTER_DESCRIPTION_BYTES_MAX: usize = 1_024;
/// A filter's criteria as written, in bytes; longer: NO.
pub const FILTER_CRITERIA_BYTES_MAX: usize = 8_192;
/// Devices per account; more: LOGIN answers NO `[LIMIT]`.
pub const DEVICES_PER_ACCOUNT_MAX: usize = 32;
/// Open handset connections per account; more: LOGIN answers NO `[LIMIT]`.
pub const CONNECTIONS_PER_ACCOUNT_MAX: usize = 64;
/// Mailboxes told within one session; more: the one selected longest ago is forgotten (its next SELECT is a first
/// one, preceded by RESYNC).
pub const MAILBOXES_PER_SESSION_MAX: usize = 64;
/// Messages of a mailbox whose mod-sequences are kept one by one; more: the floor rises, and a handset that asks for what
/// changed since a number below it is told of every message.
pub const MOD_SEQS_PER_MAILBOX_MAX: usize = 4_096;
/// Mailboxes of an account whose mod-sequences outlive the sessions that used them; more: those of the mailbox used longest ago
/// begin anew.
pub const MOD_SEQ_MAILBOXES_PER_ACCOUNT_MAX: usize = 256;
/// Offers of one session that are not acknowledged; more: the mailboxes they concern go to RESYNC.
pub const OFFERS_UNACKNOWLEDGED_MAX: usize = 512;
/// Filter activations (mailbox, kind) per device; more: NO `[LIMIT]`.
pub const ACTIVATIONS_PER_DEVICE_MAX: usize = 256;
/// Commands of one HTTP request; more: NO `[LIMIT]`, not executed.
pub const COMMANDS_PER_REQUEST_MAX: u32 = 1_000;
/// Mutation records kept per session for recognising repeats; the oldest is dropped.
pub const MUTATION_RECORDS_MAX: usize = 64;
/// Event groups of one NOTIFY; more: NO `[NOTIFICATIONOVERFLOW]`.
pub const NOTIFY_GROUPS_MAX: usize = 64;
/// Mailboxes that one NOTIFY names; more: NO `[NOTIFICATIONOVERFLOW]`.
pub const NOTIFY_NAMES_MAX: usize = 1_000;
/// Mailboxes of whose messages one connection is notified; more: NO `[NOTIFICATIONOVERFLOW]`, and when they come to be more
/// later, an untagged OK with that code, after which nothing is notified (RFC 5465 5.8).
pub const NOTIFY_MAILBOXES_MAX: usize = 256;
/// Mailbox and subscription changes that wait to be told to one connection; more: as above.
pub const NOTIFY_CHANGES_MAX: usize = 1_024;
/// PIMAP_INBAND_NEW_FORMAT as text, in bytes; longer: NO.
pub const NEW_FORMAT_BYTES_MAX: usize = 4_096;
/// A mailbox name in bytes; longer: NO.
pub const MAILBOX_NAME_BYTES_MAX: usize = 1_024;
/// Mailboxes one LIST may return; more: NO `[LIMIT]`.
pub const LIST_ITEMS_MAX: usize = 20_000;
/// Patterns of one LIST; more: BAD.
pub const LIST_PATTERNS_MAX: usize = 32;
/// Wildcards of one pattern that matter; more: NO.
pub const LIST_WILDCARDS_MAX: usize = 16;
/// Mailboxes of which one LIST tells the STATUS; of the rest it is left out, and the tagged OK says so (RFC 5819 2).
pub const LIST_STATUS_MAX: usize = 2_000;
/// Mailboxes whose messages one LIST has to count itself, at a SELECT and SEARCH each; of the rest the STATUS is left out,
/// and the tagged OK says so.
pub const LIST_STATUS_COUNTED_MAX: usize = 64;
/// Untagged responses to one command of ours, besides four for each message there is; more: that upstream connection is closed.
pub const UPSTREAM_UNTAGGED_MAX: u64 = 100_000;
/// An upstream response line without its literals; longer: that upstream connection is closed.
pub const UPSTREAM_LINE_BYTES_MAX: usize = 1 << 20;
/// An upstream literal that must be understood, not streamed; longer: that upstream connection is closed.
pub const UPSTREAM_LITERAL_BYTES_MAX: u64 = 1 << 20;
/// A piece of a streamed body held at once.
pub const PIECE_BYTES_MAX: usize = 16 << 10;
/// Pieces in flight between upstream and handset; beyond it the upstream is not read.
pub const PIECES_IN_FLIGHT_MAX: usize = 2;
/// Messages upstream may claim in one mailbox; more: the mailbox is refused (a lying server).
pub const MESSAGES_PER_MAILBOX_MAX: u32 = 20_000_000;
/// Takeovers of a connection that was alive within 30 s, per 10 minutes (F15); more: the newcomer gets
/// `NO [INUSE]`.
pub const TAKEOVERS_PER_TEN_MINUTES_MAX: usize = 4;
/// UID ranges in one search sent upstream to evaluate a filter's atom: at 22 octets each they stay below the 8192 octets
/// of a command line that RFC 7162 4 asks of a server. More: the smallest gaps are searched along, the answer is cut.
pub const UPSTREAM_SEARCH_RANGES_MAX: usize = 320;
/// A tag in bytes (a session ID of 26 may stand before the handset's own); longer: untagged BAD.
pub const TAG_BYTES_MAX: usize = 128;
/// An outband address in bytes; longer: NO.
pub const OUTBAND_ADDRESS_BYTES_MAX: usize = 256;
/// A notification ID of XPROVISION in bytes; longer: NO.
pub const NOTIFICATION_ID_BYTES_MAX: usize = 256;
/// Pairs in one ID (RFC 2971 3.3); more: BAD.
pub const ID_PAIRS_MAX: usize = 30;
/// The name of a field of ID in bytes (RFC 2971 3.3); longer: BAD.
pub const ID_FIELD_BYTES_MAX: usize = 30;
/// The value of a field of ID in bytes (RFC 2971 3.3); longer: BAD.
pub const ID_VALUE_BYTES_MAX: usize = 1_024;
/// A command that waits for its literal in another request, in bytes; longer: BAD.
pub const HALF_COMMAND_BYTES_MAX: usize = 128 << 10;
/// All commands that wait so, in bytes; more: BAD.
pub const HALF_COMMANDS_BYTES_MAX: usize = 16 << 20;
/// Refused logins on one connection; more: BYE.
pub const LOGINS_REFUSED_MAX: u32 = 10;
/// Words in one ENABLE; more: BAD.
pub const ENABLE_WORDS_MAX: usize = 64;
/// An account's name in the store, in bytes; longer: the batch is refused.
pub const STORE_ACCOUNT_BYTES_MAX: usize = 1_024;
/// A stored row's key in bytes; longer: the batch is refused.
pub const STORE_KEY_BYTES_MAX: usize = 1_024;
/// A stored row's value in bytes; longer: the batch is refused.
pub const STORE_VALUE_BYTES_MAX: usize = 1 << 20;
/// Rows and index entries that one batch changes; more: the batch is refused.
pub const STORE_BATCH_CHANGES_MAX: usize = 16_384;
/// Keys and values of one batch together, in bytes; more: the batch is refused.
pub const STORE_BATCH_BYTES_MAX: usize = 16 << 20;
/// Batches waiting in line for the store, in bytes; more: the newest is refused, since a store so far behind is as good
/// as failed and waiting would only hide it.
pub const STORE_BACKLOG_BYTES_MAX: usize = 256 << 20;
/// Accounts that one look-up in the store's index names; more: any of them up to this number.
pub const STORE_FOUND_ACCOUNTS_MAX: usize = 1_024;
