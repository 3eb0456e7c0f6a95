//! Our certificate: read from files, and read again on SIGHUP without a connection noticing; and the handshakes it is for.

mod backlog;
mod session;
pub mod stream;
#[cfg(test)]
pub(super) mod tests;

use crate::config;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use stream::TlsStream;
use tokio::io::{AsyncRead, AsyncWrite};

/// For a handshake; longer: the connection is dropped (slow loris).
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(30);

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsFault {
    /// The file is not a chain of certificates in PEM.
    #[error("tls.certificate {0}: {1}")]
    Certificate(std::path::PathBuf, String),
    /// The file is not a key in PEM, or not the certificate's.
    #[error("tls.key {0}: {1}")]
    Key(std::path::PathBuf, String),
    /// rustls refuses its own defaults.
    #[error("tls: {0}")]
    Setup(#[from] rustls::Error),
}

/// Accepts TLS with the certificate of the day.
#[derive(Clone)]
pub struct Tls {
    files: config::Tls,
    current: Arc<Current>,
    mail: Arc<ServerConfig>,
    web: Arc<ServerConfig>,
}

/// The certificate that handshakes get.
struct Current(RwLock<Arc<CertifiedKey>>);

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Current(..)")
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Tls {
    /// Reads the files.
    pub fn load(files: &config::Tls) -> Result<Self, TlsFault> {
        let current = Arc::new(Current(RwLock::new(Arc::new(certified_key(files)?))));
        let config = |protocols: &[&[u8]]| -> Result<Arc<ServerConfig>, TlsFault> {
            let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()?
                .with_no_client_auth()
                .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
            config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
            Ok(Arc::new(config))
        };
        // HTTP/1.1 first: an idle stream costs half of what it costs over HTTP/2 (measured.md 2).
        let web = config(&[b"http/1.1", b"h2"])?;
        let mail = config(&[])?;
        Ok(Self { files: files.clone(), current, mail, web })
    }

    /// Reads the files again; when they are no good, the certificate stays what it was.
    pub fn reload(&self) -> Result<(), TlsFault> {
        let fresh = Arc::new(certified_key(&self.files)?);
        *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// TLS for a mail connection; `None`: the handshake failed, or took too long.
    pub async fn accept_mail<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> Option<TlsStream<S>> {
        shake(&self.mail, stream).await
    }

    /// TLS for HTTP; `None`: the handshake failed, or took too long.
    pub async fn accept_web<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> Option<TlsStream<S>> {
        shake(&self.web, stream).await
    }
}

async fn shake<S: AsyncRead + AsyncWrite + Unpin>(
    config: &Arc<ServerConfig>,
    stream: S,
) -> Option<TlsStream<S>> {
    match tokio::time::timeout(HANDSHAKE_PATIENCE, TlsStream::accept(stream, Arc::clone(config))).await {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(error)) => {
            tracing::debug!(%error, "TLS handshake");
            None
        }
        Err(_) => None,
    }
}

fn certified_key(files: &config::Tls) -> Result<CertifiedKey, TlsFault> {
    let certificate = |what: String| TlsFault::Certificate(files.certificate.clone(), what);
    let key = |what: String| TlsFault::Key(files.key.clone(), what);
    let chain: Vec<_> = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(|all| all.collect::<Result<_, _>>())
        .map_err(|error| certificate(error.to_string()))?;
    if chain.is_empty() {
        return Err(certificate("holds no certificate".into()));
    }
    let secret = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| key(error.to_string()))?;
    let pair = CertifiedKey::from_der(chain, secret, &ring::default_provider());
    pair.map_err(|error| key(error.to_string()))
}
