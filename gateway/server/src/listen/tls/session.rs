//! rustls' unbuffered connection as a machine without a socket: records go in, text comes out, and the other way round.
//!
//! Refused: records that are none, and handshake messages that do not fit [`PARTIAL_BYTES_MAX`]; what the other side is to
//! be told about it is among the outgoing octets.

use super::backlog::Backlog;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus,
};
use rustls::{Error, ServerConfig};
use std::io;
use std::sync::Arc;

/// Kept of what is not whole yet. The largest record has 18 437 octets (RFC 5246 6.2.3), no honest ClientHello has more,
/// and rustls would gather handshake messages up to 64 KiB.
const PARTIAL_BYTES_MAX: usize = 32 << 10;
/// What one record adds to its content, at most.
const RECORD_EXTRA_BYTES: usize = 64;
/// Content of one record.
const RECORD_BYTES: usize = 16 << 10;

/// See the module.
pub(super) struct Session {
    tls: UnbufferedServerConnection,
    /// Octets of what is not whole yet. rustls knows places in it, so it is shown to it at every call.
    partial: Vec<u8>,
    incoming: Backlog,
    outgoing: Backlog,
    input_ended: bool,
    output_ended: bool,
    failure: Option<Error>,
}

/// What is to be done once rustls lets text be written.
enum Wish<'a> {
    Nothing,
    Seal { octets: &'a [u8], sealed: &'a mut Vec<u8>, length: &'a mut usize },
    Close,
}

impl Session {
    pub(super) fn new(config: Arc<ServerConfig>) -> Result<Self, Error> {
        Ok(Self {
            tls: UnbufferedServerConnection::new(config)?,
            partial: Vec::new(),
            incoming: Backlog::default(),
            outgoing: Backlog::default(),
            input_ended: false,
            output_ended: false,
            failure: None,
        })
    }

    /// What [`Session::take_in`] left over, and is to be given again.
    pub(super) fn partial(&self) -> &[u8] {
        &self.partial
    }

    /// Decrypted octets to be read.
    pub(super) fn incoming(&mut self) -> &mut Backlog {
        &mut self.incoming
    }

    /// Octets for the socket.
    pub(super) fn outgoing(&mut self) -> &mut Backlog {
        &mut self.outgoing
    }

    /// Nothing is half read or unread, nothing waits for the socket, and neither side has ended.
    pub(super) fn is_quiet(&self) -> bool {
        self.partial.is_empty()
            && self.incoming.is_empty()
            && self.outgoing.is_empty()
            && !(self.input_ended || self.output_ended)
            && self.failure.is_none()
    }

    /// Octets allocated beside rustls' own.
    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        self.partial.capacity() + self.incoming.capacity() + self.outgoing.capacity()
    }

    pub(super) fn is_handshaking(&self) -> bool {
        self.tls.is_handshaking()
    }

    pub(super) fn protocol(&self) -> Option<&[u8]> {
        self.tls.alpn_protocol()
    }

    /// The other side said that nothing more will come.
    pub(super) fn input_ended(&self) -> bool {
        self.input_ended
    }

    /// Why nothing more can be understood, when that is so.
    pub(super) fn failure(&self) -> Option<io::Error> {
        let failure = self.failure.clone()?;
        Some(io::Error::new(io::ErrorKind::InvalidData, failure))
    }

    /// Takes records: those that were partial, and what came after them.
    pub(super) fn take_in(&mut self, records: &mut [u8]) {
        self.partial = Vec::new();
        if self.failure.is_some() || self.input_ended {
            return;
        }
        match self.advance(records, Wish::Nothing) {
            Ok(_) if self.input_ended => {}
            Ok(used) if records.len() - used <= PARTIAL_BYTES_MAX => self.partial = records[used..].to_vec(),
            Ok(_) => self.failure = Some(Error::General("a message is too long".into())),
            Err(error) => self.failure = Some(error),
        }
    }

    /// Encrypts octets to the front of `sealed`; returns how many octets that made.
    pub(super) fn seal(&mut self, octets: &[u8], sealed: &mut Vec<u8>) -> io::Result<usize> {
        if self.output_ended || self.failure.is_some() || self.is_handshaking() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let room = octets.len() + (octets.len() / RECORD_BYTES + 1) * RECORD_EXTRA_BYTES;
        if sealed.len() < room {
            sealed.resize(room, 0);
        }
        let mut length = 0;
        self.again(Wish::Seal { octets, sealed, length: &mut length })?;
        if length == 0 {
            // rustls has nothing more to say on this connection.
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        Ok(length)
    }

    /// Says that nothing more will be written. Before the handshake is over there is nobody to say it to.
    pub(super) fn close(&mut self) {
        if self.output_ended {
            return;
        }
        self.output_ended = true;
        if self.failure.is_none() && !self.is_handshaking() && self.again(Wish::Close).is_err() {
            tracing::debug!("TLS ends without close_notify");
        }
    }

    /// Runs rustls though nothing came in.
    fn again(&mut self, wish: Wish<'_>) -> io::Result<()> {
        let mut partial = std::mem::take(&mut self.partial);
        let used = self.advance(&mut partial, wish).map_err(|error| {
            self.failure = Some(error.clone());
            io::Error::other(error)
        })?;
        if !self.input_ended {
            partial.drain(..used);
            self.partial = partial;
        }
        Ok(())
    }

    /// Runs rustls until it has nothing more to do. Returns how many octets it is done with.
    fn advance(&mut self, records: &mut [u8], mut wish: Wish<'_>) -> Result<usize, Error> {
        let mut used = 0;
        loop {
            let UnbufferedStatus { mut discard, state, .. } =
                self.tls.process_tls_records(&mut records[used..]);
            let state = match state {
                Ok(state) => state,
                Err(error) => {
                    self.take_alerts(&mut records[used + discard..]);
                    return Err(error);
                }
            };
            let mut finished = false;
            match state {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        self.incoming.append(record.payload);
                        discard += record.discard;
                    }
                }
                ConnectionState::EncodeTlsData(mut message) => {
                    self.outgoing.fill(|room| match message.encode(room) {
                        Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size })) => {
                            Err(required_size)
                        }
                        encoded => Ok(encoded.unwrap_or_default()),
                    });
                }
                // Where octets go out they go in order, so they count as sent once they are in line.
                ConnectionState::TransmitTlsData(message) => message.done(),
                ConnectionState::PeerClosed => self.input_ended = true,
                ConnectionState::BlockedHandshake => finished = true,
                ConnectionState::WriteTraffic(mut traffic) => {
                    finished = true;
                    match &mut wish {
                        Wish::Nothing => {}
                        Wish::Seal { octets, sealed, length } => {
                            **length = fit(sealed, |room| traffic.encrypt(octets, room))?;
                        }
                        Wish::Close => {
                            let mut alert = Vec::new();
                            let length = fit(&mut alert, |room| traffic.queue_close_notify(room))?;
                            self.outgoing.append(&alert[..length]);
                        }
                    }
                }
                ConnectionState::Closed => {
                    self.input_ended = true;
                    finished = true;
                }
                // Early data is not offered, so nothing else can come.
                _ => return Err(Error::General("unexpected TLS state".into())),
            }
            used += discard;
            if finished {
                return Ok(used);
            }
        }
    }

    /// After a failure: what the other side is told about it. rustls gives that out before it looks at the records, which
    /// it must not do a second time.
    fn take_alerts(&mut self, records: &mut [u8]) {
        while self.tls.wants_write() {
            let status = self.tls.process_tls_records(records);
            let Ok(ConnectionState::EncodeTlsData(mut alert)) = status.state else { return };
            self.outgoing.fill(|room| match alert.encode(room) {
                Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size })) => {
                    Err(required_size)
                }
                encoded => Ok(encoded.unwrap_or_default()),
            });
        }
    }
}

/// Encrypts into `buffer`, which grows when it is too small.
fn fit(
    buffer: &mut Vec<u8>,
    mut encrypt: impl FnMut(&mut [u8]) -> Result<usize, EncryptError>,
) -> Result<usize, Error> {
    loop {
        match encrypt(buffer) {
            Ok(length) => return Ok(length),
            Err(EncryptError::InsufficientSize(InsufficientSizeError { required_size }))
                if required_size > buffer.len() =>
            {
                buffer.resize(required_size, 0);
            }
            Err(_) => return Err(Error::EncryptError),
        }
    }
}
