//! The server: a thread and a runtime of its own, connections with limits, an end in time.
//!
//! Everything that a connection may do is bounded: how many there are, how long a header, a request or an
//! answer that nobody reads may take. At the limit of connections the oldest that asks nothing gives way,
//! so that sockets which only sit there keep nobody out; when all of them are busy, a new one is told so.

use super::app::App;
use super::door::Door;
use super::guard::Peer;
use super::{live, patient::Patient, routes};
use crate::agent::{AgentContext, AgentError};
use axum::body::Body;
use axum::http::{Request, header};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tower::Service as _;

/// Connections at a time.
pub const CONNECTIONS_MAX: usize = 128;
/// A connection must have sent the head of a request within this time, and greeted before that.
pub const HEADER_TIME: Duration = Duration::from_secs(10);
/// Longest head of a request, in bytes.
const HEADER_BYTES: usize = 64 * 1024;
/// What is still open at the end has this long to finish.
const END_GRACE: Duration = Duration::from_secs(1);
/// A busy accept loop is a living one; an idle one shows so this often.
const BEAT_EVERY: Duration = Duration::from_secs(5);
/// After a failure to accept (too many open files), a pause.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// What a connection above the limit is told, whole.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 10\r\n\
Connection: close\r\nContent-Length: 135\r\n\r\n\
{\"code\":\"connections\",\"what\":\"all 128 connections of the dashboard are in use\",\"help\":\"close some of its pages, or try again in 10 s\"}\n";

/// What makes the parts of an [`App`] inside the dashboard's runtime.
pub type MakeApp = Arc<dyn Fn(live::Live) -> App + Send + Sync>;

/// Runs a dashboard until it is told to stop, on a thread and a runtime of its own: whatever it draws or
/// waits for, the rest of the process does not notice.
pub async fn run(context: AgentContext, door: Arc<Door>, make: MakeApp) -> Result<(), AgentError> {
    let (done, ended) = tokio::sync::oneshot::channel();
    let spawned = std::thread::Builder::new()
        .name("dashboard".into())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let result = match runtime {
                Ok(runtime) => {
                    let result = runtime.block_on(serve(context, &door, make));
                    runtime.shutdown_background();
                    result
                }
                Err(e) => Err(failed("start its runtime")(e)),
            };
            // Whoever waited may have gone.
            let _ = done.send(result);
        });
    spawned.map_err(failed("start its thread"))?;
    ended
        .await
        .unwrap_or_else(|_| Err(AgentError::Failed("the dashboard's thread panicked".into())))
}

fn failed(what: &'static str) -> impl Fn(io::Error) -> AgentError {
    move |e| AgentError::Failed(format!("the dashboard cannot {what}: {e}"))
}

async fn serve(context: AgentContext, door: &Door, make: MakeApp) -> Result<(), AgentError> {
    let listener = door.listener().map_err(failed("listen"))?;
    let (end, ending) = watch::channel(false);
    let app = make(live::Live::new(ending.clone()));
    let router = routes::router(app.clone(), door.guard());
    let mut drawing = tokio::spawn(live::draw(app));
    let table = Arc::new(Table::default());
    let mut tasks = JoinSet::new();
    context.ready();
    loop {
        tokio::select! {
            biased;
            () = context.stopped() => break,
            ended = &mut drawing => {
                let why = ended.err().map_or_else(String::new, |e| e.to_string());
                return Err(AgentError::Failed(format!("a page could not be drawn: {why}")));
            }
            Some(_) = tasks.join_next() => {}
            accepted = listener.accept() => match accepted {
                Err(error) => {
                    tracing::warn!(%error, "the dashboard cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
                Ok((stream, peer)) => {
                    context.beat();
                    match table.enter() {
                        Some(seat) => {
                            let talk = Talk {
                                stream,
                                peer: peer.ip(),
                                seat,
                                ending: ending.clone(),
                            };
                            tasks.spawn(talk.hold(door.tls(), router.clone()));
                        }
                        None => drop(tasks.spawn(refuse(stream))),
                    }
                }
            },
            () = tokio::time::sleep(BEAT_EVERY) => context.beat(),
        }
    }
    end.send_replace(true);
    let all = async { while tasks.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(END_GRACE, all).await;
    drawing.abort();
    Ok(())
}

async fn refuse(mut stream: TcpStream) {
    let say = async {
        stream.write_all(FULL).await?;
        stream.shutdown().await
    };
    let _ = tokio::time::timeout(END_GRACE, say).await;
}

/// The connections, the oldest first.
#[derive(Default)]
struct Table(Mutex<(u64, BTreeMap<u64, Arc<Held>>)>);

/// One connection.
#[derive(Default)]
struct Held {
    /// A request is being answered.
    busy: AtomicBool,
    /// It has to give way.
    cut: Notify,
}

/// A connection's place in the table, until dropped.
struct Seat {
    number: u64,
    held: Arc<Held>,
    table: Arc<Table>,
}

impl Table {
    fn enter(self: &Arc<Self>) -> Option<Seat> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, held) = &mut *table;
        if held.len() >= CONNECTIONS_MAX {
            let idle = held
                .iter()
                .find(|(_, held)| !held.busy.load(Ordering::Relaxed));
            let number = idle.map(|(number, _)| *number)?;
            if let Some(idle) = held.remove(&number) {
                idle.cut.notify_one();
            }
        }
        *last += 1;
        let new = Arc::new(Held::default());
        held.insert(*last, new.clone());
        Some(Seat {
            number: *last,
            held: new,
            table: self.clone(),
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut table = self.table.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.1.remove(&self.number);
    }
}

/// One connection from its beginning to its end.
struct Talk {
    stream: TcpStream,
    peer: IpAddr,
    seat: Seat,
    ending: watch::Receiver<bool>,
}

impl Talk {
    async fn hold(self, tls: Option<tokio_rustls::TlsAcceptor>, router: axum::Router) {
        let held = self.seat.held.clone();
        let Talk {
            stream,
            peer,
            seat,
            ending,
        } = self;
        let talking = async move {
            // Small answers at once; failing to say so costs speed only.
            let _ = stream.set_nodelay(true);
            match tls {
                None => http(Patient::new(stream), peer, seat, ending, router).await,
                Some(tls) => {
                    let greeted = tokio::time::timeout(HEADER_TIME, tls.accept(stream)).await;
                    if let Ok(Ok(stream)) = greeted {
                        http(Patient::new(stream), peer, seat, ending, router).await;
                    }
                }
            }
        };
        tokio::select! {
            biased;
            () = held.cut.notified() => {}
            () = talking => {}
        }
    }
}

/// Answers requests until either side has enough.
async fn http<S>(
    stream: Patient<S>,
    peer: IpAddr,
    seat: Seat,
    mut ending: watch::Receiver<bool>,
    router: axum::Router,
) where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let held = &seat.held;
    let service = hyper::service::service_fn(|mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        held.busy.store(true, Ordering::Relaxed);
        let answer = router.clone().call(request.map(Body::new));
        answered(answer, held)
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_buf_size(HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    // How a connection ends is its other side's business.
    tokio::select! {
        biased;
        _ = connection.as_mut() => return,
        _ = ending.wait_for(|ending| *ending) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// A stream keeps its connection busy to its end; after any other answer it may give way.
async fn answered<E>(
    answer: impl Future<Output = Result<axum::response::Response, E>>,
    held: &Held,
) -> Result<axum::response::Response, E> {
    let answer = answer.await?;
    let streams = answer
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind == "text/event-stream");
    held.busy.store(streams, Ordering::Relaxed);
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_connection_above_the_limit_is_told_is_whole() {
        let text = std::str::from_utf8(FULL).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("Content-Length: {}", body.len())),
            "{}",
            body.len()
        );
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert!(
            body["what"]
                .as_str()
                .unwrap()
                .contains(&CONNECTIONS_MAX.to_string())
        );
    }

    #[test]
    fn at_the_limit_the_oldest_idle_connection_gives_way_and_a_busy_one_never() {
        let table = Arc::new(Table::default());
        let mut seats: Vec<Seat> = (0..CONNECTIONS_MAX)
            .map(|_| table.enter().unwrap())
            .collect();
        for seat in &seats {
            seat.held.busy.store(true, Ordering::Relaxed);
        }
        assert!(table.enter().is_none());
        seats[7].held.busy.store(false, Ordering::Relaxed);
        seats[9].held.busy.store(false, Ordering::Relaxed);
        let new = table.enter().unwrap();
        let left: Vec<u64> = table.0.lock().unwrap().1.keys().copied().collect();
        assert!(!left.contains(&8) && left.contains(&10) && left.contains(&new.number));
        assert_eq!(left.len(), CONNECTIONS_MAX);
        seats.clear();
        drop(new);
        assert!(table.0.lock().unwrap().1.is_empty());
    }
}
