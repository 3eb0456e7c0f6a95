//! What every accepted socket gets, and the accept loop that no fault of one connection ends.

use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Connections of one listener; more: they wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 100_000;
/// A keep-alive probe wakes the radio, so it comes as seldom as the `* OK Still here` that makes it needless.
const KEEPALIVE_TIME: Duration = Duration::from_secs(240);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_RETRIES: u32 = 4;
/// How long written octets may stay unacknowledged: a zombie's session must be free for the next request (F14).
const USER_TIMEOUT: Duration = Duration::from_secs(30);
/// After a failed accept (no file descriptor left): trying again at once would only burn the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A connection's place among those that a listener may have; kept for as long as the connection lives.
pub type Place = OwnedSemaphorePermit;

/// Accepts connections until told to stop, and runs one task for each.
pub async fn accept<F>(
    listener: TcpListener,
    mut stopping: watch::Receiver<bool>,
    serve: impl Fn(TcpStream, SocketAddr, Place) -> F + Send + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut stopping) => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                if let Err(error) = prepare(&stream) {
                    // The peer is gone already, or the system knows less than we ask of it: it serves all the same.
                    tracing::debug!(%peer, %error, "socket options");
                }
                // Spawned as it is: a future around it would hold it twice, once given and once awaited (D16).
                tokio::spawn(serve(stream, peer, place));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Waits until the gateway drains, or is gone.
pub async fn stopped(stopping: &mut watch::Receiver<bool>) {
    drop(stopping.wait_for(|stopping| *stopping).await);
}

/// Small writes leave at once; a peer that vanished is noticed, whether anything is written to it or not (measured.md 1:
/// only both settings together notice both).
fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_TIME)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_RETRIES);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))
}
