//! The byte stream to an upstream server, with or without TLS, and how it is opened.

use crate::config::UpstreamConfig;
use crate::fault::Fault;
use rustls_pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A stream. TLS is boxed so that futures that move it stay small.
#[derive(Debug)]
pub(crate) enum Io {
    /// Cleartext.
    Tcp(TcpStream),
    /// TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Io {
    /// Opens a TCP connection. Both keep-alive and user timeout are set: the one is silent while data is unacknowledged, the
    /// other while nothing is sent, so only both notice every kind of vanished server.
    pub(crate) async fn open(config: &UpstreamConfig) -> Result<Io, Fault> {
        let stream = TcpStream::connect((config.host.as_str(), config.port)).await?;
        stream.set_nodelay(true)?;
        let socket = SockRef::from(&stream);
        let keepalive = TcpKeepalive::new()
            .with_time(Duration::from_secs(120))
            .with_interval(Duration::from_secs(20))
            .with_retries(3);
        socket.set_tcp_keepalive(&keepalive)?;
        #[cfg(target_os = "linux")]
        socket.set_tcp_user_timeout(Some(Duration::from_secs(60)))?;
        Ok(Io::Tcp(stream))
    }

    /// Puts TLS on. A certificate that does not hold is a server that is not there: nothing is sent to it.
    pub(crate) async fn secure(self, config: &UpstreamConfig) -> Result<Io, Fault> {
        let Io::Tcp(stream) = self else { return Err(Fault::Misbehaved) };
        let tls = config.tls.clone().ok_or(Fault::Unsupported)?;
        let name = ServerName::try_from(config.host.clone()).map_err(|_| Fault::Unsupported)?;
        match TlsConnector::from(tls).connect(name, stream).await {
            Ok(stream) => Ok(Io::Tls(Box::new(stream))),
            Err(error) => {
                tracing::warn!(host = %config.host, %error, "TLS with upstream failed");
                Err(Fault::Lost)
            }
        }
    }
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Io::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Io::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Io::Tcp(stream) => Pin::new(stream).poll_write(cx, octets),
            Io::Tls(stream) => Pin::new(stream).poll_write(cx, octets),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Io::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Io::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Io::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Io::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
