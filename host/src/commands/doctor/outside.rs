//! What the pilot talks to: database, Redis, venues, and the time they say it is.

use super::settings::undone;
use super::{Finding, PATIENCE, Repair, Verdict, aside, bad, ok, quoted};
use crate::causes::chain;
use crate::clock::Clock;
use crate::config::Config;
use crate::config::layers::Layered;
use crate::net::http;
use crate::net::socket::Socket;
use crate::store::{Inspection, Store, StoreError, redact};
use std::io;
use std::net::{TcpListener, TcpStream};
use std::path::Path;

/// A probe reads no messages; its socket takes small ones.
const MESSAGE_MAX: usize = 64 << 10;
/// A clock that differs by more decides about prices that are not those of the moment. HTTP tells whole
/// seconds, and the answer was on its way.
const SKEW_MAX_SECS: u64 = 5;

/// `named`: by an option or the environment, not the file of the data folder.
pub(super) async fn database(url: &str, named: bool, dir: &Path) -> Finding {
    const WHAT: &str = "database";
    let shown = redact(url);
    let away = || {
        if named {
            "unset DATABASE_URL".to_owned()
        } else {
            aside(&dir.join("pm-arb.sqlite"))
        }
    };
    let found = match tokio::time::timeout(PATIENCE, Store::inspect(url)).await {
        Ok(Ok(found)) => found,
        // Neither the database nor its driver repeats a password, but a part of the URL might.
        Ok(Err(StoreError::Url { url })) => {
            let found = StoreError::Url { url }.to_string();
            return bad(Verdict::Fail, WHAT, found, away());
        }
        Ok(Err(e)) => return bad(Verdict::Fail, WHAT, chain(&e), away()),
        Err(_) => {
            return bad(
                Verdict::Fail,
                WHAT,
                format!("{shown} does not answer"),
                away(),
            );
        }
    };
    match found {
        Inspection::Absent => ok(
            WHAT,
            format!("{shown} is not there yet; the pilot creates it"),
        ),
        Inspection::Present { unknown, .. } if !unknown.is_empty() => bad(
            Verdict::Fail,
            WHAT,
            format!("{shown} has migrations of a newer program: {unknown:?}"),
            away(),
        ),
        Inspection::Present { pending, .. } if !pending.is_empty() => {
            let found = format!("{shown} lacks migrations {pending:?}; reports need them");
            let folder = quoted(dir);
            let advice = format!("pm-arb doctor --fix --data-dir {folder}");
            bad(Verdict::Fail, WHAT, found, advice).mended_by(Repair::Migrate(url.to_owned()))
        }
        Inspection::Present { forgotten, .. } if forgotten > 0 => bad(
            Verdict::Fail,
            WHAT,
            format!("{shown} holds {forgotten} transactions of ours that wait for nobody"),
            "psql \"$DATABASE_URL\" -c \"SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE application_name = 'pm-arb' AND state LIKE 'idle in transaction%'\"",
        ),
        Inspection::Present { .. } => ok(WHAT, format!("{shown} answers and has our schema")),
    }
}

pub(super) async fn redis(url: Option<&str>) -> Finding {
    const WHAT: &str = "redis";
    let Some(url) = url else {
        return ok(WHAT, "not used");
    };
    let tried = tokio::time::timeout(PATIENCE, async {
        let client = redis::Client::open(url)?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        redis::cmd("PING")
            .query_async::<String>(&mut connection)
            .await
    });
    let shown = redact(url);
    // The pilot trades without it.
    let advice = "unset REDIS_URL";
    match tried.await {
        Ok(Ok(_)) => ok(WHAT, format!("{shown} answers")),
        Ok(Err(e)) => bad(Verdict::Fail, WHAT, format!("{shown}: {e}"), advice),
        Err(_) => bad(
            Verdict::Fail,
            WHAT,
            format!("{shown} does not answer"),
            advice,
        ),
    }
}

/// Where the pages are, or whether there is room for them. `ours` is what a pilot of this folder says.
pub(super) fn dashboard(layered: &Layered, ours: Option<&str>) -> Finding {
    const WHAT: &str = "dashboard";
    if let Some(url) = ours {
        return at(WHAT, url);
    }
    let config = &layered.config.dashboard;
    let undone = || undone(layered.origins.get("dashboard.listen"));
    let address = match config.wished(None) {
        Ok(Some(address)) => address,
        Ok(None) => return ok(WHAT, "off"),
        Err(e) => return bad(Verdict::Fail, WHAT, chain(&e), undone()),
    };
    match TcpListener::bind(address) {
        Ok(_) => ok(WHAT, format!("{address} is free")),
        Err(e) if e.kind() == io::ErrorKind::AddrInUse && config.may_move(None) => bad(
            Verdict::Warn,
            WHAT,
            format!("{address} is taken by something else; a pilot takes a free port and names it"),
            format!("ss -ltnp 'sport = :{}'", address.port()),
        ),
        Err(e) => bad(Verdict::Fail, WHAT, format!("{address}: {e}"), undone()),
    }
}

/// Whether somebody listens where the pilot says that its pages are.
fn at(what: &str, url: &str) -> Finding {
    let place = url.split("://").nth(1).unwrap_or(url).trim_end_matches('/');
    let tried = match place.parse() {
        Ok(address) => TcpStream::connect_timeout(&address, PATIENCE).map_err(|e| e.to_string()),
        Err(_) => Err("is no address".to_owned()),
    };
    match tried {
        Ok(_) => ok(what, format!("our pilot answers at {url}")),
        Err(why) => bad(
            Verdict::Fail,
            what,
            format!("our pilot's pages should be at {url}: {why}"),
            "pm-arb health",
        ),
    }
}

/// They are part of the program: nothing of the system is trusted or needed.
pub(super) fn roots() -> Finding {
    let count = webpki_roots::TLS_SERVER_ROOTS.len();
    ok("tls roots", format!("{count}, built in"))
}

pub(super) async fn venues(config: &Config) -> Vec<Finding> {
    let feeds = &config.feeds;
    let mut findings = Vec::new();
    for (what, url) in [
        ("polymarket", &feeds.polymarket.gamma_url),
        ("kalshi", &feeds.kalshi.rest_url),
    ] {
        let advice = format!("curl -sSI {}", quoted(Path::new(url)));
        match http::probe(url).await {
            Ok(date) => {
                findings.push(ok(what, format!("{url} answers")));
                findings.extend(date.and_then(|date| clock(what, &date)));
            }
            Err(e) => findings.push(bad(Verdict::Fail, what, chain(&e), advice)),
        }
    }
    let sockets = [
        ("polymarket", &feeds.polymarket.ws_url),
        ("chainlink", &feeds.chainlink.ws_url),
        ("binance", &feeds.binance.ws_url),
    ];
    for (what, url) in sockets {
        // Binance's address is a base; its root takes a bare connection to `/ws`.
        let path = if what == "binance" {
            format!("{url}/ws")
        } else {
            url.clone()
        };
        findings.push(match Socket::connect(&path, &[], MESSAGE_MAX).await {
            Ok(socket) => {
                socket.close().await;
                ok(what, format!("{url} takes connections"))
            }
            Err(e) => {
                let http = path.replacen("ws", "http", 1);
                let advice = format!("curl -sSI {}", quoted(Path::new(&http)));
                bad(Verdict::Fail, what, chain(&e), advice)
            }
        });
    }
    findings
}

/// Our clock against the one of a venue, as its answer's `Date` tells it.
fn clock(venue: &str, date: &str) -> Option<Finding> {
    const WHAT: &str = "clock";
    let theirs = jiff::fmt::rfc2822::parse(date)
        .ok()?
        .timestamp()
        .as_second();
    let ours = i64::try_from(Clock::utc().now().0 / 1_000_000_000).ok()?;
    let apart = ours.abs_diff(theirs);
    Some(if apart > SKEW_MAX_SECS {
        let found = format!("{apart} s from that of {venue}");
        bad(Verdict::Fail, WHAT, found, "timedatectl set-ntp true")
    } else {
        ok(
            WHAT,
            format!("as that of {venue}, within {SKEW_MAX_SECS} s"),
        )
    })
}
