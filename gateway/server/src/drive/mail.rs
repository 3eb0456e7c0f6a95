//! What reaches an account's task, and the handle to send it by.
//!
//! The queue has no bound of its own: each connection has at most one command, one DONE, one MoreInput, one Drained and
//! one Closed outstanding, and each device one HELLO, so that connections and devices are its bound.

use super::credentials::Credentials;
use super::outbox::Outbox;
use pimap_account::contract::{Input, Open};
use pimap_types::{AccountKey, ConnectionId, DeviceId, Secret};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// A letter to an account's task.
#[derive(Debug)]
pub enum Mail {
    // Boxed where they are large: a queue has room for 32 letters at least, and an idle account has none (D16).
    /// Something for the account itself.
    Input(Box<Input>),
    /// A connection joins; with `credentials` its password was verified just now.
    Join {
        /// What the account is told; the credential epoch is filled in by the task.
        open: Box<Open>,
        /// Where its lines go.
        outbox: Arc<Outbox>,
        /// What upstream accepted.
        credentials: Option<Box<Credentials>>,
    },
    /// Upstream refused somebody these just now.
    Refused(Box<Credentials>),
    /// That many lines of the account were handed to the socket.
    Drained {
        /// The connection.
        conn: ConnectionId,
        /// As [`Outbox::write`] counted them.
        lines: u64,
    },
    /// A device's key, for the UDP channel.
    DeviceKey(DeviceId, oneshot::Sender<KeyAnswer>),
}

impl Mail {
    /// Nobody will read this letter: a connection that wanted to join is told.
    pub(crate) fn return_to_sender(self) {
        if let Mail::Join { outbox, .. } = self {
            outbox.fail();
        }
    }
}

/// A device's key and its last registration.
pub type KeyAnswer = Option<(Secret, Option<Vec<u8>>)>;

/// Where an account's letters go.
#[derive(Clone, Debug)]
pub struct AccountHandle {
    /// The account.
    pub key: AccountKey,
    /// Its letter box.
    pub(crate) mail: mpsc::UnboundedSender<Mail>,
}

impl AccountHandle {
    /// Sends a letter. When the task is gone its connections learn it by their outboxes, so nothing is returned here.
    pub fn send(&self, mail: Mail) {
        if let Err(undelivered) = self.mail.send(mail) {
            undelivered.0.return_to_sender();
        }
    }
}

/// A connection's membership in an account: when it is dropped, the account learns that the connection is gone.
#[derive(Debug)]
pub struct Membership {
    /// The account.
    pub account: AccountHandle,
    /// The connection.
    pub conn: ConnectionId,
    told: bool,
}

impl Membership {
    /// A connection that joined, or is about to.
    pub fn new(account: AccountHandle, conn: ConnectionId) -> Self {
        Self { account, conn, told: false }
    }

    /// Sends an input of this connection.
    pub fn input(&self, input: Input) {
        self.account.send(Mail::Input(Box::new(input)));
    }

    /// The connection ended; `clean`: all of its HTTP response was written.
    pub fn end(mut self, clean: bool) {
        self.told = true;
        self.input(Input::Closed { conn: self.conn, clean });
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        if !self.told {
            self.input(Input::Closed { conn: self.conn, clean: false });
        }
    }
}
