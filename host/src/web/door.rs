//! The dashboard's door: where it listens, by which certificate, and that it listens nowhere unsafe.
//!
//! Owns the listening socket for the life of the process, so that a dashboard that fails and is started
//! again keeps its address. Reads the certificate once.

use super::guard::Guard;
use serde::{Deserialize, Serialize};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// Where it listens unless told otherwise.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:8787";

/// `[dashboard]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct DashboardConfig {
    /// `ADDRESS:PORT`, or `off`.
    pub listen: String,
    /// Names under which browsers reach it, besides the loopback ones: `name` or `name:port`.
    pub hosts: Vec<String>,
    /// Something in front of it speaks TLS; without that or a certificate it listens on loopback only.
    pub behind_proxy: bool,
    /// Certificate chain, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_cert: Option<PathBuf>,
    /// Its private key, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_key: Option<PathBuf>,
}

impl Default for DashboardConfig {
    fn default() -> Self {
        Self {
            listen: DEFAULT_LISTEN.into(),
            hosts: Vec::new(),
            behind_proxy: false,
            tls_cert: None,
            tls_key: None,
        }
    }
}

impl DashboardConfig {
    /// Where it is to listen: as `asked` for one start, or as configured. `None` when it is `off`.
    pub fn wished(&self, asked: Option<&str>) -> Result<Option<SocketAddr>, DoorError> {
        let wish = asked.unwrap_or(&self.listen);
        if wish == "off" {
            return Ok(None);
        }
        let wished: SocketAddr = wish.parse().map_err(|_| DoorError::Address(wish.into()))?;
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            return Err(DoorError::HalfTls);
        }
        if !wished.ip().is_loopback() && self.tls_cert.is_none() && !self.behind_proxy {
            return Err(DoorError::Open(wished));
        }
        Ok(Some(wished))
    }

    /// Whether another port is taken when this one is not free: nobody chose it.
    #[must_use]
    pub fn may_move(&self, asked: Option<&str>) -> bool {
        asked.is_none() && self.listen == DEFAULT_LISTEN
    }
}

/// Why there is no dashboard.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// The address is none.
    #[error(
        "the dashboard cannot listen on {0:?}; write ADDRESS:PORT, such as {DEFAULT_LISTEN}, or off"
    )]
    Address(String),
    /// Passwords and prices would travel in the clear.
    #[error(
        "the dashboard would listen on {0}, which others can reach, without TLS; set dashboard.tls_cert and \
         dashboard.tls_key, or dashboard.behind_proxy = true when something in front of it speaks TLS, or \
         listen on {DEFAULT_LISTEN} and come through an ssh tunnel"
    )]
    Open(SocketAddr),
    /// Half a certificate.
    #[error("dashboard.tls_cert and dashboard.tls_key belong together; set both or neither")]
    HalfTls,
    /// The certificate can not be used.
    #[error("the dashboard's certificate or key {path} cannot be used: {why}")]
    Tls {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Something else listens there.
    #[error(
        "the dashboard cannot listen on {address}; choose another address with --dashboard 127.0.0.1:PORT \
         (pm-arb dashboard: --listen), or do without: --dashboard off"
    )]
    Bind {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The token can not be kept.
    #[error("cannot {what} the dashboard's token {path}")]
    Token {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl DoorError {
    /// Whether another configuration is the remedy, rather than another state of the machine.
    #[must_use]
    pub fn is_config(&self) -> bool {
        !matches!(self, DoorError::Bind { .. } | DoorError::Token { .. })
    }
}

/// A socket that listens, and who is let in.
pub struct Door {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    guard: Arc<Guard>,
}

impl Door {
    /// Opens it. `asked` is an address given for this start; without one the configured counts, and when
    /// that is the default and taken, any free port is taken and said. `None` when it is `off`.
    pub fn open(
        config: &DashboardConfig,
        asked: Option<&str>,
        data_dir: &Path,
    ) -> Result<Option<Self>, DoorError> {
        let Some(wished) = config.wished(asked)? else {
            return Ok(None);
        };
        let tls = tls(config)?;
        let bind = |address: SocketAddr| {
            TcpListener::bind(address).map_err(|source| DoorError::Bind { address, source })
        };
        let listener = match bind(wished) {
            Err(DoorError::Bind { address, source })
                if config.may_move(asked) && source.kind() == io::ErrorKind::AddrInUse =>
            {
                tracing::warn!("{address} is taken; the dashboard takes a free port instead");
                bind(SocketAddr::new(address.ip(), 0))?
            }
            other => other?,
        };
        let failed = |source| DoorError::Bind {
            address: wished,
            source,
        };
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let guard = Guard::new(address, &config.hosts, data_dir)?;
        Ok(Some(Self {
            listener,
            address,
            tls,
            guard: Arc::new(guard),
        }))
    }

    /// Its address as a browser wants it.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/", self.address)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Who is let in.
    #[must_use]
    pub fn guard(&self) -> Arc<Guard> {
        self.guard.clone()
    }

    /// Whether, and how, it speaks TLS.
    pub(super) fn tls(&self) -> Option<TlsAcceptor> {
        self.tls.clone()
    }

    /// The socket, for the runtime of one life of the dashboard.
    pub(super) fn listener(&self) -> io::Result<tokio::net::TcpListener> {
        tokio::net::TcpListener::from_std(self.listener.try_clone()?)
    }
}

fn tls(config: &DashboardConfig) -> Result<Option<TlsAcceptor>, DoorError> {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let (Some(cert), Some(key)) = (&config.tls_cert, &config.tls_key) else {
        return Ok(None);
    };
    crate::net::install_tls();
    let failed = |path: &Path, why: String| DoorError::Tls {
        path: path.to_owned(),
        why,
    };
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| failed(cert, e.to_string()))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|e| failed(key, e.to_string()))?;
    let mut server = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|e| failed(cert, e.to_string()))?;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(server))))
}
