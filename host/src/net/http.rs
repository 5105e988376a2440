//! HTTP: GET of JSON, with a time limit, a size limit and our own roots of trust.

use crate::feed_board::FeedBoard;
use serde_json::Value;
use std::time::{Duration, SystemTime};

/// A whole request takes no longer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Connecting takes no longer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A larger answer is refused.
const BODY_MAX: usize = 16 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The client could not be set up.
    #[error("cannot set up an HTTP client")]
    Setup(#[source] reqwest::Error),
    /// No answer came.
    #[error("GET {url} failed; check the network and the address")]
    Send {
        /// Where.
        url: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The venue answered with an error.
    #[error("GET {url} answered {status}")]
    Status {
        /// Where.
        url: String,
        /// Its code.
        status: u16,
    },
    /// The answer is too long.
    #[error("GET {url} answered more than {BODY_MAX} bytes")]
    TooLong {
        /// Where.
        url: String,
    },
    /// The answer is not JSON.
    #[error("GET {url} did not answer JSON")]
    NotJson {
        /// Where.
        url: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

impl HttpError {
    /// Whether the thing asked for does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, HttpError::Status { status: 404, .. })
    }
}

/// A client.
#[derive(Debug, Clone)]
pub struct Http {
    client: reqwest::Client,
    clock: Option<(FeedBoard, &'static str)>,
}

fn builder(timeout: Duration) -> reqwest::ClientBuilder {
    super::install_tls();
    let roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let tls = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .timeout(timeout)
        .connect_timeout(CONNECT_TIMEOUT.min(timeout))
        .user_agent(concat!("pm-arb/", env!("CARGO_PKG_VERSION")))
}

/// A client for messages to people. It follows no redirection: what it sends may be secret.
pub fn client_for_posts(timeout: Duration) -> Result<reqwest::Client, HttpError> {
    let client = builder(timeout).redirect(reqwest::redirect::Policy::none());
    client.build().map_err(HttpError::Setup)
}

impl Http {
    /// A client that trusts the Mozilla roots, as the sockets do.
    pub fn new() -> Result<Self, HttpError> {
        let client = builder(TIMEOUT).build().map_err(HttpError::Setup)?;
        Ok(Self {
            client,
            clock: None,
        })
    }

    /// The same, comparing our clock with the answers' dates on that board, under that name.
    #[must_use]
    pub fn noting(mut self, board: &FeedBoard, source: &'static str) -> Self {
        self.clock = Some((board.clone(), source));
        self
    }

    /// The JSON at `url`.
    pub async fn json(&self, url: &str, query: &[(&str, &str)]) -> Result<Value, HttpError> {
        let send = |source| HttpError::Send {
            url: url.to_owned(),
            source,
        };
        let request = self.client.get(url).query(query);
        let asked = SystemTime::now();
        let mut response = request.send().await.map_err(send)?;
        if let Some((board, source)) = &self.clock
            && let Some(date) = response.headers().get("date").and_then(|v| v.to_str().ok())
        {
            board.dated(source, date, asked);
        }
        if !response.status().is_success() {
            return Err(HttpError::Status {
                url: url.to_owned(),
                status: response.status().as_u16(),
            });
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(send)? {
            if body.len() + chunk.len() > BODY_MAX {
                return Err(HttpError::TooLong {
                    url: url.to_owned(),
                });
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).map_err(|source| HttpError::NotJson {
            url: url.to_owned(),
            source,
        })
    }
}

/// Whether a host answers at all, and what day and time it says it is; what else it answers does not matter.
pub async fn probe(url: &str) -> Result<Option<String>, HttpError> {
    let http = Http::new()?;
    let answer = http
        .client
        .get(url)
        .send()
        .await
        .map_err(|source| HttpError::Send {
            url: url.to_owned(),
            source,
        })?;
    let date = answer.headers().get("date");
    Ok(date.and_then(|date| Some(date.to_str().ok()?.to_owned())))
}
