//! IMAP over TCP: `imap` (STARTTLS when there is a certificate) and `imaps` (TLS from the first octet).

#[cfg(test)]
mod tests;

use super::socket::{Place, accept};
use super::tls::Tls;
use crate::drive::conversation::rest::AtRest;
use crate::drive::conversation::{Conversation, Ended, Manner};
use crate::drive::link::{Socket, Stream};
use crate::drive::lot::Sleeper;
use crate::front::Front;
use crate::metrics::{self, Connected};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;

/// Serves `imap`.
pub async fn serve_imap(
    listener: TcpListener,
    front: Arc<Front>,
    tls: Option<Tls>,
    stopping: watch::Receiver<bool>,
) {
    let tls = tls.map(Arc::new);
    accept(listener, stopping, move |stream, peer, place| {
        imap(stream, peer, Arc::clone(&front), tls.clone(), place)
    })
    .await;
}

/// Serves `imaps`.
pub async fn serve_imaps(
    listener: TcpListener,
    front: Arc<Front>,
    tls: Tls,
    stopping: watch::Receiver<bool>,
) {
    let tls = Arc::new(tls);
    accept(listener, stopping, move |stream, peer, place| {
        imaps(stream, peer, Arc::clone(&front), Arc::clone(&tls), place)
    })
    .await;
}

async fn imaps(stream: TcpStream, peer: SocketAddr, front: Arc<Front>, tls: Arc<Tls>, place: Place) {
    let guest = Guest { _connected: Connected::over("imaps"), _place: place };
    // Boxed: the handshake's size is not to be carried for the conversation's life (measured.md 2).
    if let Some(stream) = Box::pin(tls.accept_mail(stream)).await {
        drop(converse(begin(stream, front, manner(peer, true, false, true)), guest).await);
    }
}

async fn imap(stream: TcpStream, peer: SocketAddr, front: Arc<Front>, tls: Option<Arc<Tls>>, place: Place) {
    let guest = Guest { _connected: Connected::over("imap"), _place: place };
    let hello = manner(peer, front.settings.allow_cleartext, tls.is_some(), true);
    let conversation = begin(stream, Arc::clone(&front), hello);
    if let Some((Stream(stream), guest)) = converse(conversation, guest).await
        && let Some(tls) = tls
        && let Some(stream) = Box::pin(tls.accept_mail(stream)).await
    {
        drop(converse(begin(stream, front, manner(peer, true, false, false)), guest).await);
    }
}

/// What a connection occupies for as long as it lives, at rest or not.
struct Guest {
    _connected: Connected,
    _place: Place,
}

/// A connection at rest.
struct Resting<S: Socket> {
    conversation: AtRest<S>,
    guest: Guest,
    _counted: metrics::AtRest,
}

impl<S: Socket> Resting<S> {
    fn new(conversation: AtRest<S>, guest: Guest) -> Self {
        Self { conversation, guest, _counted: metrics::AtRest::begin() }
    }
}

impl<S: Socket> Sleeper for Resting<S> {
    fn socket(&self) -> RawFd {
        self.conversation.as_raw_fd()
    }

    fn rouse(self: Box<Self>, runtime: &Handle) {
        runtime.spawn(async move {
            let Self { conversation, guest, .. } = *self;
            match Conversation::rise(conversation) {
                // TLS is not started any more after a login.
                Ok(conversation) => drop(converse(conversation, guest).await),
                Err(error) => tracing::debug!(%error, "a connection at rest is lost"),
            }
        });
    }
}

/// Runs a conversation until it ends or rests, or TLS is to begin.
async fn converse<S: Socket>(
    mut conversation: Box<Conversation<Stream<S>>>,
    guest: Guest,
) -> Option<(Stream<S>, Guest)> {
    loop {
        // Little more than a pointer to it.
        match conversation.run().await {
            Ended::Over { membership, .. } => {
                if let Some(membership) = membership {
                    membership.end(false);
                }
                return None;
            }
            Ended::StartTls(stream) => return Some((stream, guest)),
            Ended::Quiet(mut quiet) => match quiet.bed() {
                Some((lot, key, deadline)) => {
                    match quiet.lie_down() {
                        Ok(conversation) => {
                            lot.settle(key, Box::new(Resting::new(conversation, guest)), deadline);
                        }
                        Err(error) => {
                            tracing::debug!(%error, "a connection is lost on its way to rest");
                            lot.release(key);
                        }
                    }
                    return None;
                }
                None => conversation = quiet,
            },
        }
    }
}

/// A conversation about to run.
fn begin<S: Socket>(stream: S, front: Arc<Front>, manner: Manner) -> Box<Conversation<Stream<S>>> {
    let mut conversation = Box::new(Conversation::new(Stream(stream), front, manner, &[]));
    conversation.allow_rest();
    conversation
}

fn manner(peer: SocketAddr, may_login: bool, starttls: bool, greet: bool) -> Manner {
    Manner { starttls, peer: Some(peer), greet, ..Manner::of_tcp(may_login) }
}
