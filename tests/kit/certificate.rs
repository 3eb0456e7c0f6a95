//! Self-signed certificates for the servers of a test, and clients that trust exactly those.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// A certificate for `localhost` and 127.0.0.1, written as two PEM files.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The certificate, which is its own authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl Certificate {
    /// Makes a new one in `directory`.
    pub fn write(directory: &Path) -> Certificate {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).expect("a self-signed certificate");
        let files = Certificate { certificate: directory.join("cert.pem"), key: directory.join("key.pem") };
        fs::write(&files.certificate, made.cert.pem()).expect("cert.pem");
        fs::write(&files.key, made.signing_key.serialize_pem()).expect("key.pem");
        files
    }

    /// A TLS client that trusts this certificate and no other.
    pub fn client(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        let der = CertificateDer::from_pem_file(&self.certificate).expect("a certificate in PEM");
        roots.add(der).expect("a certificate that can be trusted");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config)
    }
}
