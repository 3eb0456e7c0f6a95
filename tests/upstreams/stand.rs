//! A gateway before a server of any make.

use pimap_tests::dovecot::PASSWORD;
use pimap_tests::gateway::{Config, Gateway};
use pimap_tests::handset::Kind;
use pimap_tests::imap::{Imap, Reply};
use pimap_tests::phone::Phone;
use pimap_tests::server::{Make, Pushes, Server, Traits};
use pimap_tests::transcript::show;
use pimap_tests::wait::within;
use std::time::Duration;

/// How long a change may take to be known: what is polled every second is looked at by several commands, on a machine
/// that does other things besides.
const PROMISE: Duration = Duration::from_secs(20);

/// A server and a gateway before it. The gateway goes first.
pub struct Stand {
    pub gateway: Gateway,
    pub server: Server,
}

impl Stand {
    /// Both. A server that pushes is asked as seldom as usual, so that a push is one; others are polled and audited
    /// often, so that a test need not wait for minutes.
    pub fn before(make: Make) -> Stand {
        let server = Server::start(make);
        let config = server.config();
        let config = match server.traits().pushes {
            Pushes::Nothing => often(config),
            Pushes::WhereOpen | Pushes::Everywhere => config,
        };
        Stand { gateway: Gateway::start(config), server }
    }

    /// What may be expected of the server.
    pub fn traits(&self) -> Traits {
        self.server.traits()
    }

    /// A plain IMAP client that talks to the gateway.
    pub fn client(&self, user: &str) -> Imap {
        Imap::login(self.gateway.address("imap"), user, PASSWORD)
    }

    /// A reference handset.
    pub fn phone(&self, kind: Kind, user: &str) -> Phone {
        Phone::new(kind, user, PASSWORD, self.gateway.site(), self.gateway.address("imap"))
    }

    /// Another client of the account, past the gateway.
    pub fn other(&self) -> Imap {
        self.server.login("joe")
    }

    /// Mails arrive in INBOX, one with each subject.
    pub fn arrive(&self, subjects: &[&str]) {
        let mut other = self.other();
        for subject in subjects {
            let mail = pimap_tests::dovecot::mail("friend@example.org", subject, "Some text.");
            other.deliver("INBOX", &mail);
        }
    }
}

/// Polls and audits without patience.
pub fn often(config: Config) -> Config {
    config.with("upstream.poll_interval", "1s").with("upstream.audit_interval", "2s")
}

/// Waits for what the server's kind of watching promises.
#[track_caller]
pub fn eventually<T>(what: &str, condition: impl FnMut() -> Option<T>) -> T {
    within(PROMISE, condition).unwrap_or_else(|| panic!("waited {PROMISE:?} in vain: {what}"))
}

/// All untagged lines of a reply as text.
pub fn untagged(reply: &Reply) -> String {
    reply.untagged.iter().map(|line| show(line) + "\n").collect()
}
