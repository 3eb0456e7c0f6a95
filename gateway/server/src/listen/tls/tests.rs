//! The TLS listeners: certificates, protocols, reload.

use super::*;
use rustls::ClientConfig;
use rustls::version::{TLS12, TLS13};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream as ClientStream;

/// A certificate of our own making, in files that go with it.
pub(in crate::listen) struct Issued {
    pub(in crate::listen) files: config::Tls,
    roots: rustls::RootCertStore,
    _folder: Folder,
}

struct Folder(std::path::PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

impl Issued {
    pub(in crate::listen) fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("pimap-test-{:032x}", rand::random::<u128>()));
        std::fs::create_dir(&folder).expect("a folder");
        let files = config::Tls { certificate: folder.join("certificate.pem"), key: folder.join("key.pem") };
        let mut issued = Self { files, roots: rustls::RootCertStore::empty(), _folder: Folder(folder) };
        issued.renew();
        issued
    }

    /// Another certificate and key in the same files; only this one is trusted from now on.
    fn renew(&mut self) {
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        std::fs::write(&self.files.certificate, pair.cert.pem()).expect("written");
        std::fs::write(&self.files.key, pair.signing_key.serialize_pem()).expect("written");
        self.roots = rustls::RootCertStore::empty();
        self.roots.add(pair.cert.der().clone()).expect("a root");
    }

    /// A handset's side that speaks `version` and offers `protocols`.
    pub(in crate::listen) fn client(
        &self,
        version: &'static rustls::SupportedProtocolVersion,
        protocols: &[&str],
    ) -> ClientConfig {
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .expect("a version")
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        config
    }
}

/// Connects a handset by TLS.
pub(in crate::listen) async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
    config: ClientConfig,
    socket: S,
) -> std::io::Result<ClientStream<S>> {
    let name = "localhost".try_into().expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, socket).await
}

#[tokio::test]
async fn http_1_1_comes_first_and_h2_if_there_is_nothing_else() {
    let issued = Issued::new();
    let tls = Tls::load(&issued.files).expect("loaded");
    for version in [&TLS12, &TLS13] {
        for (offered, agreed) in
            [(&["h2", "http/1.1"][..], Some(&b"http/1.1"[..])), (&["h2"], Some(b"h2")), (&[], None)]
        {
            let (ours, theirs) = tokio::io::duplex(1 << 10);
            let (server, client) =
                tokio::join!(tls.accept_web(ours), connect(issued.client(version, offered), theirs));
            assert_eq!(server.expect("accepted").protocol(), agreed);
            assert_eq!(client.expect("connected").get_ref().1.alpn_protocol(), agreed);
        }
    }
}

#[tokio::test]
async fn a_new_certificate_is_for_new_handshakes_and_a_broken_one_for_none() {
    let mut issued = Issued::new();
    let tls = Tls::load(&issued.files).expect("loaded");
    let shakes = async |issued: &Issued| {
        let (ours, theirs) = tokio::io::duplex(1 << 10);
        let (server, client) =
            tokio::join!(tls.accept_mail(ours), connect(issued.client(&TLS13, &[]), theirs));
        server.is_some() && client.is_ok()
    };
    assert!(shakes(&issued).await);
    issued.renew();
    assert!(!shakes(&issued).await);
    tls.reload().expect("reloaded");
    assert!(shakes(&issued).await);
    std::fs::write(&issued.files.certificate, "nothing").expect("written");
    assert!(matches!(tls.reload(), Err(TlsFault::Certificate(..))));
    assert!(shakes(&issued).await);
}

#[tokio::test(start_paused = true)]
async fn whoever_does_not_shake_hands_is_waited_for_only_so_long() {
    let issued = Issued::new();
    let tls = Tls::load(&issued.files).expect("loaded");
    let (ours, _theirs) = tokio::io::duplex(1 << 10);
    let began = tokio::time::Instant::now();
    assert!(tls.accept_mail(ours).await.is_none());
    assert_eq!(began.elapsed(), HANDSHAKE_PATIENCE);
}
