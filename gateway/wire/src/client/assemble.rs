//! Puts the pieces of one response together where the response is to be understood, not passed on.
//!
//! In: [`Piece`]s. Out: [`UpstreamResponse`]s. Literals are held up to [`UPSTREAM_LITERAL_BYTES_MAX`] per response; those of a
//! FETCH are passed over, since nothing the gateway wants to know of a message comes in one. Beyond the limit the connection is given up:
//! a server that sends 4 GiB unasked is not worth reading on.

use super::Malformed;
use super::fetch::{FetchPart, FetchScanner};
use super::frame::Piece;
use super::response::{FetchFacts, UpstreamResponse};
use pimap_types::limits::UPSTREAM_LITERAL_BYTES_MAX;

/// Holds the beginning of a response until its end has come.
#[derive(Default)]
pub struct Assembler {
    held: Held,
    /// Literal octets announced by the current response.
    literal_bytes: u64,
}

#[derive(Default)]
enum Held {
    #[default]
    Nothing,
    Octets(Vec<u8>),
    Fetch(FetchScanner, FetchFacts),
}

impl Assembler {
    /// Takes a piece in; gives the response that it completes.
    pub fn push(&mut self, piece: Piece) -> Result<Option<UpstreamResponse>, Malformed> {
        match piece {
            Piece::Line { text, start, literal } => {
                if start {
                    *self = Self::default();
                }
                self.literal_bytes = self.literal_bytes.saturating_add(literal.unwrap_or(0));
                if self.literal_bytes > UPSTREAM_LITERAL_BYTES_MAX {
                    return Err(Malformed);
                }
                self.line(text, literal.is_some())
            }
            Piece::Literal { octets, .. } => {
                if let Held::Octets(held) = &mut self.held {
                    held.extend_from_slice(&octets);
                }
                Ok(None)
            }
        }
    }

    fn line(&mut self, text: bytes::Bytes, literal: bool) -> Result<Option<UpstreamResponse>, Malformed> {
        match std::mem::take(&mut self.held) {
            Held::Nothing => {
                if let Some((scanner, rest)) = FetchScanner::begin(&text) {
                    return self.fetch(scanner, FetchFacts::default(), &rest, literal);
                }
                if !literal {
                    return UpstreamResponse::parse(&text).map(Some);
                }
                self.held = Held::Octets(text.to_vec());
                Ok(None)
            }
            Held::Octets(mut held) => {
                held.extend_from_slice(&text);
                if !literal {
                    return UpstreamResponse::parse(&held).map(Some);
                }
                self.held = Held::Octets(held);
                Ok(None)
            }
            Held::Fetch(scanner, facts) => self.fetch(scanner, facts, &text, literal),
        }
    }

    fn fetch(
        &mut self,
        mut scanner: FetchScanner,
        mut facts: FetchFacts,
        text: &bytes::Bytes,
        literal: bool,
    ) -> Result<Option<UpstreamResponse>, Malformed> {
        let mut parts = Vec::new();
        scanner.on_line(text, literal, &mut parts)?;
        for part in parts {
            if let FetchPart::Item(fact, _) = part {
                facts.add(fact);
            }
        }
        if scanner.is_done() {
            return Ok(Some(UpstreamResponse::Fetch(facts)));
        }
        self.held = Held::Fetch(scanner, facts);
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::frame::ResponseFramer;
    use pimap_types::Uid;

    fn responses(octets: &[u8]) -> Result<Vec<UpstreamResponse>, Malformed> {
        let (mut framer, mut assembler, mut out) = (ResponseFramer::new(), Assembler::default(), Vec::new());
        framer.buffer().extend_from_slice(octets);
        while let Some(piece) = framer.next_piece().map_err(|_| Malformed)? {
            out.extend(assembler.push(piece)?);
        }
        Ok(out)
    }

    #[test]
    fn literals_of_a_fetch_are_passed_over_and_names_may_be_literals() {
        let got =
            responses(b"* 1 FETCH (BODY[] {5}\r\nab)\r\n UID 3)\r\n* LIST () \"/\" {3}\r\na\"b\r\n").unwrap();
        assert_eq!(got.len(), 2);
        assert!(matches!(&got[0], UpstreamResponse::Fetch(f) if f.uid == Uid::new(3)));
        assert!(matches!(&got[1], UpstreamResponse::List { item, .. } if item.mailbox.as_str() == "a\"b"));
    }

    #[test]
    fn a_huge_unasked_literal_costs_the_connection() {
        assert_eq!(responses(b"* 1 FETCH (BODY[] {4294967295}\r\n"), Err(Malformed));
        assert_eq!(responses(b"* XNEW {1048577}\r\n"), Err(Malformed));
    }
}
