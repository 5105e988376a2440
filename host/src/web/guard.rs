//! Who is let in: the name that was called, where the question comes from, and the token.
//!
//! Browsers can be made to call a loopback address by a name of an attacker's (DNS rebinding), and to send
//! forms from any page: so the name is checked on every route, and the origin wherever something could
//! change or stream. The token is 32 random bytes in the data folder; what needs it is said by
//! [`Guard::admit`]. Nothing here answers with more than a reason.

use super::answer::Refusal;
use super::door::DoorError;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq as _;

/// Random bytes of the token.
const TOKEN_BYTES: usize = 32;
/// Wrong tokens of one address within [`FAILURES_WITHIN`] after which it is not listened to.
const FAILURES_MAX: usize = 10;
/// See [`FAILURES_MAX`].
const FAILURES_WITHIN: Duration = Duration::from_secs(60);
/// Addresses whose failures are remembered; at the limit the one that failed longest ago is forgotten.
const FAILING_MAX: usize = 1_024;

/// Where a request came from; put into it by the server.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

/// The checks of one dashboard.
pub struct Guard {
    /// Lower case, `name` or `name:port`.
    names: Vec<String>,
    loopback: bool,
    token: String,
    token_path: PathBuf,
    failures: Mutex<BTreeMap<IpAddr, Vec<Instant>>>,
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard")
            .field("names", &self.names)
            .field("token", &"…")
            .finish_non_exhaustive()
    }
}

impl Guard {
    /// For a dashboard at that address; makes the token when the folder holds none.
    pub fn new(address: SocketAddr, hosts: &[String], data_dir: &Path) -> Result<Self, DoorError> {
        let port = address.port();
        let mut names: Vec<String> = ["localhost", "127.0.0.1", "[::1]"]
            .iter()
            .map(|name| format!("{name}:{port}"))
            .collect();
        names.push(address.to_string());
        names.extend(hosts.iter().map(|host| host.to_ascii_lowercase()));
        let token_path = token_path(data_dir);
        Ok(Self {
            names,
            loopback: address.ip().is_loopback(),
            token: token(&token_path)?,
            token_path,
            failures: Mutex::default(),
        })
    }

    /// Lets a request in, or says why not.
    pub fn admit<B>(&self, request: &Request<B>) -> Result<(), Refusal> {
        let headers = request.headers();
        let host = self.host(request)?;
        let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
        let path = request.uri().path();
        if changes || path == super::live::PATH {
            same_origin(headers, &host)?;
        }
        if changes || path == super::UNLOCK || (!self.loopback && path != super::HEALTHZ) {
            let peer = request.extensions().get::<Peer>();
            let peer = peer.map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.0);
            self.token(headers, peer, Instant::now())?;
        }
        Ok(())
    }

    /// The name that was called, when it is one of ours.
    fn host<B>(&self, request: &Request<B>) -> Result<String, Refusal> {
        let foreign = |what: String| {
            Refusal::new(
                StatusCode::FORBIDDEN,
                "foreign-host",
                what,
                "call the dashboard by the address it names at its start, or add this name to `hosts` under [dashboard]",
            )
        };
        let mut hosts = request.headers().get_all(header::HOST).iter();
        let host = match (hosts.next(), hosts.next()) {
            (Some(host), None) => host.to_str().unwrap_or_default().to_ascii_lowercase(),
            (None, _) => return Err(foreign("the request names no host".into())),
            (Some(_), Some(_)) => return Err(foreign("the request names two hosts".into())),
        };
        if let Some(authority) = request.uri().authority()
            && !authority.as_str().eq_ignore_ascii_case(&host)
        {
            return Err(foreign("the request names two hosts".into()));
        }
        let name = without_port(&host);
        if self
            .names
            .iter()
            .any(|known| *known == host || known == name)
        {
            Ok(host)
        } else {
            Err(foreign(format!("{host:?} is no name of this dashboard")))
        }
    }

    fn token(&self, headers: &HeaderMap, peer: IpAddr, now: Instant) -> Result<(), Refusal> {
        let help = || {
            format!(
                "send the token in {} as `Authorization: Bearer TOKEN`, or as the password when the browser asks",
                self.token_path.display()
            )
        };
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.retain(|_, times| {
            times.retain(|at| now.duration_since(*at) < FAILURES_WITHIN);
            !times.is_empty()
        });
        let Some(given) = given(headers) else {
            let what = "this needs the dashboard's token";
            return Err(Refusal::new(
                StatusCode::UNAUTHORIZED,
                "token-missing",
                what,
                help(),
            ));
        };
        if failures
            .get(&peer)
            .is_some_and(|times| times.len() >= FAILURES_MAX)
        {
            return Err(Refusal::new(
                StatusCode::TOO_MANY_REQUESTS,
                "token-failures",
                format!("{FAILURES_MAX} wrong tokens within a minute"),
                "wait a minute; `pm-arb halt` works meanwhile",
            ));
        }
        if bool::from(given.as_bytes().ct_eq(self.token.as_bytes())) {
            return Ok(());
        }
        if failures.len() >= FAILING_MAX
            && let Some(oldest) = failures
                .iter()
                .min_by_key(|(_, times)| times.last().copied())
                .map(|(peer, _)| *peer)
        {
            failures.remove(&oldest);
        }
        failures.entry(peer).or_default().push(now);
        let what = "this is not the dashboard's token";
        Err(Refusal::new(
            StatusCode::UNAUTHORIZED,
            "token-wrong",
            what,
            help(),
        ))
    }
}

/// Where a data folder keeps it.
#[must_use]
pub fn token_path(data_dir: &Path) -> PathBuf {
    data_dir.join("dashboard.token")
}

fn token(path: &Path) -> Result<String, DoorError> {
    let failed = |what| {
        let path = path.to_owned();
        move |source| DoorError::Token { what, path, source }
    };
    match std::fs::read_to_string(path) {
        Ok(text) if text.trim().len() >= 2 * TOKEN_BYTES => return Ok(text.trim().to_owned()),
        Ok(_) => std::fs::remove_file(path).map_err(failed("replace"))?,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(failed("read")(e)),
    }
    let mut bytes = [0; TOKEN_BYTES];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes)
        .map_err(|_| failed("draw")(io::Error::other("the system gives no random bytes")))?;
    let token: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed("keep"))?;
    }
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(token.as_bytes()))
        .map_err(failed("keep"))?;
    Ok(token)
}

/// `name:port` without its port; an address in brackets keeps them.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Browsers say where a request comes from; programs say nothing.
fn same_origin(headers: &HeaderMap, host: &str) -> Result<(), Refusal> {
    let foreign = |what: String| {
        Refusal::new(
            StatusCode::FORBIDDEN,
            "foreign-origin",
            what,
            "use the dashboard's own pages, or a program that sends no Origin",
        )
    };
    for origin in headers.get_all(header::ORIGIN) {
        let origin = origin.to_str().unwrap_or_default().to_ascii_lowercase();
        let authority = origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"));
        if authority != Some(host) {
            return Err(foreign(format!("the request comes from {origin:?}")));
        }
    }
    for site in headers.get_all("sec-fetch-site") {
        if !matches!(site.as_bytes(), b"same-origin" | b"none") {
            return Err(foreign(format!(
                "the request comes from another site: {site:?}"
            )));
        }
    }
    Ok(())
}

/// The token that was sent: Bearer, or the password of Basic, so that a browser can ask for it.
fn given(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = text.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(base64(rest.trim())?).ok()?;
    pair.split_once(':')
        .map(|(_, password)| password.to_owned())
}

/// RFC 4648, with or without padding.
fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let (mut bits, mut held) = (0_u32, 0_u32);
    for c in text.trim_end_matches('=').bytes() {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from((bits >> held) & 0xff).ok()?);
        }
        bits &= 0xff;
    }
    Some(bytes)
}
