//! TLS for the sessions: rustls with ring; own authority, or no check at all for a server on this machine.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::error::{LoadError, TlsError};

/// A client's configuration: the certificates of `authority` (PEM) are the only ones trusted, as authorities or, for a
/// self-signed server, as its own; without a file nothing is checked, which is right for a test server and wrong for
/// all else.
///
/// # Errors
/// A file that cannot be read or holds no certificate.
pub fn config(authority: Option<&Path>) -> Result<Arc<ClientConfig>, LoadError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(TlsError::from)?;
    let trust = authority.map(|path| Trust::read(path, &provider)).transpose()?;
    let check = Arc::new(Check { provider, trust });
    Ok(Arc::new(builder.dangerous().with_custom_certificate_verifier(check).with_no_client_auth()))
}

/// The name to ask for and to check: the host as typed, without a trailing dot.
pub fn server_name(host: &str) -> Result<ServerName<'static>, LoadError> {
    ServerName::try_from(host.trim_end_matches('.').to_owned())
        .map_err(|_| TlsError::Name { host: host.to_owned() }.into())
}

/// What a file of certificates makes trusted.
#[derive(Debug)]
struct Trust {
    chains: Arc<WebPkiServerVerifier>,
    certificates: Vec<CertificateDer<'static>>,
}

impl Trust {
    fn read(path: &Path, provider: &Arc<CryptoProvider>) -> Result<Self, TlsError> {
        let certificates: Vec<_> =
            CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(unusable(path))?;
        if certificates.is_empty() {
            return Err(TlsError::NoCertificate { path: path.to_owned() });
        }
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            roots.add(certificate.clone()).map_err(unusable(path))?;
        }
        let chains = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .build()
            .map_err(unusable(path))?;
        Ok(Self { chains, certificates })
    }
}

/// For `map_err`: the file of trusted certificates cannot be used.
fn unusable<E: std::error::Error + Send + Sync + 'static>(path: &Path) -> impl FnOnce(E) -> TlsError {
    move |error| TlsError::Authority { path: path.to_owned(), source: Box::new(error) }
}

/// Checks the server's certificate where there is something to check it by; signatures of the handshake always.
#[derive(Debug)]
struct Check {
    provider: Arc<CryptoProvider>,
    trust: Option<Trust>,
}

impl ServerCertVerifier for Check {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match &self.trust {
            // The very certificate that the user gave: what `openssl req -x509` makes calls itself an authority,
            // and webpki takes no authority for a server.
            Some(trust) if !trust.certificates.contains(certificate) => {
                trust.chains.verify_server_cert(certificate, between, name, ocsp, now)
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
