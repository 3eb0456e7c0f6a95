//! STATUS on a real Dovecot, of a mailbox that a connection has open.

#![allow(clippy::unwrap_used)]

mod dovecot;
mod support;

use dovecot::Dovecot;
use pimap_types::MailboxName;
use pimap_types::list::StatusItem;
use pimap_types::search::SearchKey;
use pimap_types::upstream::{Data, MailboxAt, UpstreamRequest};
use support::{account, data, sync};

/// NQ-059: asked on a connection that has the mailbox open, a server tells what that connection knew when it last looked.
#[tokio::test(flavor = "multi_thread")]
async fn status_is_not_asked_of_an_open_mailbox() {
    for server in [Dovecot::start(), Dovecot::start_poor()] {
        server.save_some("joe", "INBOX", 2);
        let account = account(&server, "joe");
        let inbox = MailboxName::new("INBOX");
        let opened = sync(&account, "INBOX", None, true).await;
        for messages in 3..6 {
            server.save_some("joe", "INBOX", 1);
            let request = UpstreamRequest::Status(inbox.clone(), vec![StatusItem::Messages]);
            assert_eq!(data(&account, request).await, Data::Status(vec![(StatusItem::Messages, messages)]));
            // It is open again afterwards.
            let at = MailboxAt { mailbox: inbox.clone(), uid_validity: opened.uid_validity, at_least: 0 };
            data(&account, UpstreamRequest::Search(at, None, SearchKey::All)).await;
        }
    }
}
