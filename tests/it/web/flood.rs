//! Sockets that only sit there, bodies that never come, viewers that never read (W2): everybody else is
//! answered meanwhile, and at the end nobody holds it up. Times are printed, not judged.

use super::{Dashboard, ask, connect};
use pm_arb::web::{live, server};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Sockets that begin a request and never end it.
const SLOW: usize = 1_000;
/// Questions asked meanwhile.
const ASKED: usize = 200;

/// Asks again and again; every answer must come.
fn answered(dashboard: &Dashboard, what: &str) {
    let mut times: Vec<Duration> = (0..ASKED)
        .map(|i| {
            let path = ["/healthz", "/api/v1/openapi.json", "/", "/metrics"][i % 4];
            let began = Instant::now();
            let answer = dashboard.ask("GET", path, "");
            assert_eq!(answer.status, 200, "{what}: {path}: {answer:?}");
            began.elapsed()
        })
        .collect();
    times.sort();
    let at = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1e3;
    println!(
        "{what}: {ASKED} answers, p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
        at(50),
        at(99),
        at(100)
    );
}

/// Reads until the other side closes; a socket that stays open fails.
fn is_cut(mut stream: TcpStream) {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => {}
        Err(e) => assert!(
            !matches!(
                e.kind(),
                std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
            ),
            "a slow socket was not cut: {e}"
        ),
    }
}

#[test]
fn a_thousand_slow_sockets_keep_nobody_out_and_are_cut() {
    let dashboard = Dashboard::start();
    answered(&dashboard, "alone");
    let slow: Vec<TcpStream> = (0..SLOW)
        .map(|i| {
            let mut stream = connect(dashboard.address);
            let head = format!("GET / HTTP/1.1\r\nX-{i}: ");
            // The oldest are cut while this goes on: whether it still arrives does not matter.
            let _ = stream.write_all(head.as_bytes());
            stream
        })
        .collect();
    answered(&dashboard, "among 1,000 slow sockets");
    let began = Instant::now();
    slow.into_iter().for_each(is_cut);
    println!("all cut after {:.1} s more", began.elapsed().as_secs_f64());
    answered(&dashboard, "afterwards");
}

#[test]
fn a_body_that_never_comes_is_waited_for_so_long_only() {
    let dashboard = Dashboard::start();
    let mut stream = connect(dashboard.address);
    let head = format!(
        "POST /api/v1/halt HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 40\r\n\r\n{{",
        dashboard.address, dashboard.token
    );
    stream.write_all(head.as_bytes()).unwrap();
    answered(&dashboard, "beside a slow body");
    let began = Instant::now();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 504"), "{text}");
    println!("given up after {:.1} s more", began.elapsed().as_secs_f64());
}

#[test]
fn viewers_that_never_read_have_a_limit_and_do_not_hold_up_the_end() {
    let mut dashboard = Dashboard::start();
    let watch = |address| {
        let mut stream = connect(address);
        let head = format!("GET /live?page=/ HTTP/1.1\r\nHost: {address}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        // The head of the answer, so that it is a viewer for certain.
        let mut first = [0; 12];
        stream.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        stream
    };
    let viewers: Vec<TcpStream> = (0..live::VIEWERS_MAX)
        .map(|_| watch(dashboard.address))
        .collect();
    let refused = dashboard.ask("GET", "/live?page=/", "");
    assert_eq!(refused.status, 503, "{refused:?}");
    answered(&dashboard, "beside 112 viewers that do not read");

    // With every other connection busy as well, a new one is told so rather than left waiting.
    let busy: Vec<TcpStream> = (live::VIEWERS_MAX..server::CONNECTIONS_MAX)
        .map(|_| {
            let mut stream = connect(dashboard.address);
            let head = format!(
                "POST /api/v1/halt HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\
                 Content-Type: application/json\r\nContent-Length: 40\r\nExpect: 100-continue\r\n\r\n",
                dashboard.address, dashboard.token
            );
            stream.write_all(head.as_bytes()).unwrap();
            // Answered when the handler waits for the body.
            let mut first = [0; 12];
            stream.read_exact(&mut first).unwrap();
            assert_eq!(&first, b"HTTP/1.1 100");
            stream
        })
        .collect();
    let host = format!("Host: {}\r\n", dashboard.address);
    let full = ask(dashboard.address, "GET", "/healthz", &host, "");
    assert_eq!(full.status, 503, "{full:?}");
    assert!(full.body.contains("connections"), "{full:?}");
    drop(busy);

    let began = Instant::now();
    assert!(dashboard.end());
    println!(
        "ended after {:.2} s with viewers attached",
        began.elapsed().as_secs_f64()
    );
    viewers.into_iter().for_each(is_cut);
}
