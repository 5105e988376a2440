//! The dashboard over TLS, with a certificate made for the test: `pm-arb dashboard --listen` off loopback
//! speaks it, speaks nothing else, and shows nothing but its pulse without the token.

use super::{Answer, connect, parse};
use crate::support::pm_arb;
use pm_arb::web::{HEALTHZ, guard};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;

struct Alone {
    child: Child,
    address: SocketAddr,
}

impl Drop for Alone {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `pm-arb dashboard --listen 0.0.0.0:0`; what it says of its address must be https.
fn start(dir: &Path) -> Alone {
    let config = dir.join("pm-arb.toml");
    let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    let text = format!("[dashboard]\ntls_cert = {cert:?}\ntls_key = {key:?}\n");
    std::fs::write(&config, text).unwrap();
    let mut child = pm_arb(&["dashboard", "--listen", "0.0.0.0:0"])
        .args(["--config", config.to_str().unwrap()])
        .args(["--data-dir", dir.join("data").to_str().unwrap()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let stdout = child.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut said).unwrap();
    let (_, rest) = said
        .split_once("dashboard: https://")
        .unwrap_or_else(|| panic!("it says {said:?}"));
    let address: SocketAddr = rest.split('/').next().unwrap().parse().unwrap();
    Alone {
        child,
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())),
    }
}

/// A request over TLS by a client that trusts this certificate and no other.
fn ask_tls(address: SocketAddr, cert: &Path, path: &str, headers: &str) -> Answer {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(cert).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = rustls::StreamOwned::new(connection, connect(address));
    let port = address.port();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n{headers}Connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    // The end may come without a word; what was said by then is the answer.
    let _ = stream.read_to_end(&mut bytes);
    parse(&bytes, path)
}

#[test]
fn off_loopback_it_speaks_tls_only_and_reading_needs_the_token() {
    let dir = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let cert = dir.path().join("cert.pem");
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(dir.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let alone = start(dir.path());
    let token = std::fs::read_to_string(guard::token_path(&dir.path().join("data"))).unwrap();
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let read = |path: &str, headers: &str| ask_tls(alone.address, &cert, path, headers);

    assert_eq!(read(HEALTHZ, "").status, 200);
    for path in ["/", "/risk", "/metrics", "/api/v1/openapi.json"] {
        let answer = read(path, "");
        assert_eq!(answer.status, 401, "{path}: {answer:?}");
        assert!(!answer.body.contains(&token), "{path}");
        let answer = read(path, &bearer);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
    assert!(read("/", &bearer).body.contains("<h1>Overview</h1>"));

    // Plain HTTP gets nothing, not even the pulse, and with the token as little.
    for path in [HEALTHZ, "/"] {
        let mut stream = connect(alone.address);
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        assert!(!bytes.starts_with(b"HTTP/"), "{path}: {bytes:?}");
    }
}
