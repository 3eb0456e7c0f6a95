//! IMAP over TCP: `imap` (STARTTLS when there is a certificate) and `imaps` (TLS from the first octet).

use super::socket::{Place, accept};
use super::tls::Tls;
use crate::drive::conversation::{Conversation, Ended, Manner};
use crate::drive::link::Stream;
use crate::front::Front;
use crate::metrics::Connected;
use pimap_account::contract::{Transport, TransportKind};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
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

async fn imaps(stream: TcpStream, peer: SocketAddr, front: Arc<Front>, tls: Arc<Tls>, _place: Place) {
    let _connected = Connected::over("imaps");
    // Boxed: the handshake's size is not to be carried for the conversation's life (measured.md 2).
    if let Some(stream) = Box::pin(tls.accept_mail(stream)).await {
        secured(stream, peer, front, true).await;
    }
}

async fn imap(stream: TcpStream, peer: SocketAddr, front: Arc<Front>, tls: Option<Arc<Tls>>, _place: Place) {
    let _connected = Connected::over("imap");
    let allow_cleartext = front.settings.allow_cleartext;
    let manner = manner(peer, allow_cleartext, tls.is_some(), true);
    match begin(stream, Arc::clone(&front), manner).await {
        Ended::Over { membership, .. } => {
            if let Some(membership) = membership {
                membership.end(false);
            }
        }
        Ended::StartTls(Stream(stream)) => {
            if let Some(tls) = tls
                && let Some(stream) = Box::pin(tls.accept_mail(stream)).await
            {
                secured(stream, peer, front, false).await;
            }
        }
    }
}

async fn secured<S>(stream: S, peer: SocketAddr, front: Arc<Front>, greet: bool)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    if let Ended::Over { membership: Some(membership), .. } =
        begin(stream, front, manner(peer, true, false, greet)).await
    {
        membership.end(false);
    }
}

/// A conversation about to run; its future is little more than a pointer to it.
fn begin<S>(stream: S, front: Arc<Front>, manner: Manner) -> impl Future<Output = Ended<Stream<S>>> + Send
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    Box::new(Conversation::new(Stream(stream), front, manner, &[])).run()
}

fn manner(peer: SocketAddr, may_login: bool, starttls: bool, greet: bool) -> Manner {
    Manner {
        transport: Transport { kind: TransportKind::Tcp, may_show_key: may_login },
        may_login,
        starttls,
        peer: Some(peer),
        greet,
        cookie: None,
        presented: None,
        cursors: false,
        request: None,
        continuation: None,
    }
}
