//! The upstream-facing half of the wire: commands towards an IMAP server, responses from it.
