//! A WebSocket with limits: on connecting, on what comes in, on what waits to go out.
//!
//! Owns one connection. Protocol pings are answered by the library while the socket is read.
//! It does not reconnect: its owner decides when, and says so to the engine first.

use futures_util::{SinkExt, StreamExt};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WsError, Message, Utf8Bytes};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// Connecting, TLS and handshake take no longer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Handing one message to the network takes no longer.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);
/// Saying goodbye takes no longer.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// What may wait to be written.
const WRITE_BUFFER_MAX: usize = 1 << 20;

/// Why a socket is of no use (any more).
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The address or a header is none.
    #[error("{url:?} is no usable WebSocket address; check the configuration")]
    Address {
        /// Which.
        url: String,
        /// Why.
        #[source]
        source: Box<WsError>,
    },
    /// No connection.
    #[error("cannot connect to {url}; it is tried again")]
    Connect {
        /// Where.
        url: String,
        /// Why.
        #[source]
        source: Box<WsError>,
    },
    /// It took too long.
    #[error("{what} took longer than {limit:?}; it is tried again")]
    Timeout {
        /// What.
        what: &'static str,
        /// How long was given.
        limit: Duration,
    },
    /// It broke.
    #[error("the connection broke; it is replaced")]
    Broken(#[source] Box<WsError>),
    /// The venue closed it.
    #[error("the venue closed the connection ({code}: {reason}); it is replaced")]
    Closed {
        /// The close code, 1005 when none was given.
        code: u16,
        /// In the venue's words.
        reason: String,
    },
}

/// One connection.
#[derive(Debug)]
pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    connected: Instant,
    /// Pings sent so far; their number is their content.
    pings: u64,
    /// When the last one was asked for, while its answer is awaited.
    pinged: Option<Instant>,
    /// How long the answer to the last one took, until somebody asks.
    round_trip: Option<Duration>,
}

impl Socket {
    /// Connects. A message larger than `message_max` breaks the connection.
    pub async fn connect(
        url: &str,
        headers: &[(&'static str, String)],
        message_max: usize,
    ) -> Result<Self, SocketError> {
        super::install_tls();
        let address = |source: WsError| SocketError::Address {
            url: url.to_owned(),
            source: Box::new(source),
        };
        let mut request = url.into_client_request().map_err(address)?;
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).map_err(|e| address(WsError::from(e)))?;
            request
                .headers_mut()
                .insert(HeaderName::from_static(name), value);
        }
        let config = WebSocketConfig::default()
            .max_message_size(Some(message_max))
            .max_frame_size(Some(message_max))
            .max_write_buffer_size(WRITE_BUFFER_MAX);
        let connecting = tokio_tungstenite::connect_async_with_config(request, Some(config), true);
        let (stream, _) = tokio::time::timeout(CONNECT_TIMEOUT, connecting)
            .await
            .map_err(|_| SocketError::Timeout {
                what: "connecting",
                limit: CONNECT_TIMEOUT,
            })?
            .map_err(|source| SocketError::Connect {
                url: url.to_owned(),
                source: Box::new(source),
            })?;
        Ok(Self {
            stream,
            connected: Instant::now(),
            pings: 0,
            pinged: None,
            round_trip: None,
        })
    }

    /// How long it has been connected.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.connected.elapsed()
    }

    /// Sends a text message.
    pub async fn send(&mut self, text: impl Into<Utf8Bytes>) -> Result<(), SocketError> {
        self.hand_over(Message::Text(text.into())).await
    }

    /// Sends a protocol ping; [`Self::take_round_trip`] tells how long its answer took. One that is
    /// overtaken by the next is not waited for any more.
    pub async fn ping(&mut self) -> Result<(), SocketError> {
        self.pings = self.pings.wrapping_add(1);
        self.pinged = Some(Instant::now());
        let number = self.pings.to_be_bytes().to_vec();
        self.hand_over(Message::Ping(number.into())).await
    }

    /// From asking for the last answered ping to reading its answer; once.
    pub fn take_round_trip(&mut self) -> Option<Duration> {
        self.round_trip.take()
    }

    async fn hand_over(&mut self, message: Message) -> Result<(), SocketError> {
        let sending = self.stream.send(message);
        tokio::time::timeout(SEND_TIMEOUT, sending)
            .await
            .map_err(|_| SocketError::Timeout {
                what: "sending",
                limit: SEND_TIMEOUT,
            })?
            .map_err(broken)
    }

    /// The next text message; `None` for a sign of life without content (ping, pong, binary).
    /// May be dropped while waiting without losing a message.
    pub async fn next(&mut self) -> Result<Option<Utf8Bytes>, SocketError> {
        match self.stream.next().await {
            Some(Ok(Message::Text(text))) => Ok(Some(text)),
            Some(Ok(Message::Close(frame))) => Err(SocketError::Closed {
                code: frame.as_ref().map_or(1005, |frame| frame.code.into()),
                reason: frame.map_or_else(String::new, |frame| frame.reason.to_string()),
            }),
            Some(Ok(Message::Pong(number))) => {
                if number.as_ref() == self.pings.to_be_bytes() {
                    self.round_trip = self.pinged.take().map(|at| at.elapsed());
                }
                Ok(None)
            }
            Some(Ok(_)) => Ok(None),
            Some(Err(error)) => Err(broken(error)),
            None => Err(SocketError::Closed {
                code: 1006,
                reason: String::new(),
            }),
        }
    }

    /// Says goodbye, briefly.
    pub async fn close(mut self) {
        // Whether the venue hears it makes no difference to us.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, self.stream.close(None)).await;
    }
}

fn broken(error: WsError) -> SocketError {
    SocketError::Broken(Box::new(error))
}
