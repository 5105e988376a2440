//! Who is let in (W1): every route against names, origins and tokens that are not ours; and where a
//! dashboard refuses to listen at all.

use super::{Answer, Dashboard, ask, every_route};
use pm_arb::web::{DashboardConfig, Door, DoorError, HEALTHZ, UNLOCK, guard, live};
use std::os::unix::fs::PermissionsExt;

const TOKEN_WRONG: &str = "0000000000000000000000000000000000000000000000000000000000000000";

fn base64(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for part in text.as_bytes().chunks(3) {
        let bits = part
            .iter()
            .fold(0_u32, |bits, b| (bits << 8) | u32::from(*b))
            << (8 * (3 - part.len()));
        for i in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * i)) as usize & 63] as char;
            out.push(if i <= part.len() { letter } else { '=' });
        }
    }
    out
}

fn is_sealed(answer: &Answer) {
    for (name, part) in [
        (
            "content-security-policy",
            "default-src 'none'; script-src 'self';",
        ),
        ("content-security-policy", "frame-ancestors 'none'"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cache-control", ""),
    ] {
        let value = answer
            .header(name)
            .unwrap_or_else(|| panic!("no {name}: {}", answer.head));
        assert!(value.contains(part), "{name}: {value}");
        assert!(!value.contains("unsafe"), "{name}: {value}");
    }
}

/// Names that are not ours, or not unambiguous, get nothing on any route.
#[test]
fn no_route_answers_to_a_foreign_name() {
    let dashboard = Dashboard::start();
    let own = dashboard.address;
    let token = &dashboard.token;
    let names = [
        "Host: evil.example\r\n".to_owned(),
        format!("Host: evil.example:{}\r\n", own.port()),
        format!("Host: 127.0.0.1.evil.example:{}\r\n", own.port()),
        format!("Host: localhost.evil.example:{}\r\n", own.port()),
        format!("Host: evil@{own}\r\n"),
        "Host: 127.0.0.1:1\r\n".to_owned(),
        "Host: 127.0.0.1\r\n".to_owned(),
        "Host: \r\n".to_owned(),
        String::new(),
        format!("Host: {own}\r\nHost: evil.example\r\n"),
        format!("Host: {own}, evil.example\r\n"),
        format!("X-Forwarded-Host: {own}\r\nHost: evil.example\r\n"),
    ];
    for (method, path) in every_route() {
        for name in &names {
            // Not even with the token.
            let headers = format!("{name}Authorization: Bearer {token}\r\n");
            let answer = ask(own, method, &path, &headers, "");
            assert!(
                [400, 403].contains(&answer.status),
                "{method} {path} with {name:?}: {answer:?}"
            );
            if answer.status == 403 {
                is_sealed(&answer);
            }
        }
        let absolute = format!("http://evil.example{path}");
        let answer = ask(own, method, &absolute, &format!("Host: {own}\r\n"), "");
        assert!(
            [400, 403].contains(&answer.status),
            "{method} {absolute}: {answer:?}"
        );
    }
    for name in ["localhost", "127.0.0.1", "[::1]", "LOCALHOST"] {
        let headers = format!("Host: {name}:{}\r\n", own.port());
        assert_eq!(ask(own, "GET", "/", &headers, "").status, 200, "{name}");
    }
}

/// What could change something, or stream, is for our own pages and for programs.
#[test]
fn no_order_and_no_stream_for_another_site() {
    let dashboard = Dashboard::start();
    let own = dashboard.address;
    let token = format!("Authorization: Bearer {}\r\n", dashboard.token);
    let foreign = [
        "Origin: http://evil.example\r\n".to_owned(),
        "Origin: null\r\n".to_owned(),
        format!("Origin: http://evil.example:{}\r\n", own.port()),
        "Origin: http://127.0.0.1:1\r\n".to_owned(),
        format!("Origin: ftp://{own}\r\n"),
        "Sec-Fetch-Site: cross-site\r\n".to_owned(),
        "Sec-Fetch-Site: same-site\r\n".to_owned(),
        format!("Origin: http://{own}\r\nSec-Fetch-Site: cross-site\r\n"),
    ];
    for (method, path) in every_route() {
        let guarded = method != "GET" || path.starts_with(live::PATH);
        for from in &foreign {
            let answer = dashboard.ask(method, &path, &format!("{from}{token}"));
            assert_eq!(
                answer.status == 403,
                guarded,
                "{method} {path} with {from:?}: {answer:?}"
            );
            is_sealed(&answer);
        }
        let home = format!("Origin: http://{own}\r\nSec-Fetch-Site: same-origin\r\n{token}");
        let answer = dashboard.ask(method, &path, &home);
        assert!(
            ![401, 403].contains(&answer.status),
            "{method} {path}: {answer:?}"
        );
    }
}

/// Orders need the token; off loopback everything does but the probe of life.
#[test]
fn the_token_opens_what_needs_it_and_nothing_else_does() {
    let proxied = DashboardConfig {
        behind_proxy: true,
        ..DashboardConfig::default()
    };
    for (config, listen, everywhere) in [
        (DashboardConfig::default(), "127.0.0.1:0", false),
        (proxied, "0.0.0.0:0", true),
    ] {
        let dashboard = Dashboard::with(&config, listen);
        let bearer = format!("Authorization: Bearer {}\r\n", dashboard.token);
        let basic = format!(
            "Authorization: Basic {}\r\n",
            base64(&format!("me:{}", dashboard.token))
        );
        for (method, path) in every_route() {
            let needed = method != "GET" || path == UNLOCK || (everywhere && path != HEALTHZ);
            let answer = dashboard.ask(method, &path, "");
            assert_eq!(answer.status == 401, needed, "{method} {path}: {answer:?}");
            if needed {
                assert!(
                    answer
                        .header("www-authenticate")
                        .unwrap()
                        .starts_with("Basic")
                );
                assert!(!answer.body.contains(&dashboard.token));
            }
            for token in [&bearer, &basic] {
                let answer = dashboard.ask(method, &path, token);
                assert_ne!(answer.status, 401, "{method} {path}: {answer:?}");
            }
        }
        // A wrong one is refused however it is written, ten times; then nobody there is listened to.
        let wrong = |i: usize| match i % 3 {
            0 => format!("Authorization: Bearer {TOKEN_WRONG}\r\n"),
            1 => format!("Authorization: Basic {}\r\n", base64("me:")),
            _ => format!("Authorization: Bearer {}\r\n", &dashboard.token[1..]),
        };
        for i in 0..10 {
            let answer = dashboard.ask("POST", "/api/v1/halt", &wrong(i));
            assert_eq!(answer.status, 401, "{answer:?}");
        }
        for headers in [wrong(0), bearer.clone()] {
            let answer = dashboard.ask("POST", "/api/v1/halt", &headers);
            assert_eq!(answer.status, 429, "{answer:?}");
        }
    }
}

#[test]
fn no_get_changes_anything_and_no_body_is_endless() {
    let dashboard = Dashboard::start();
    let bearer = format!("Authorization: Bearer {}\r\n", dashboard.token);
    for path in ["/api/v1/halt", "/api/v1/resume"] {
        assert_eq!(dashboard.ask("GET", path, &bearer).status, 405);
        let long = format!("{bearer}Content-Type: application/json\r\nContent-Length: 65537\r\n");
        assert_eq!(dashboard.ask("POST", path, &long).status, 413);
    }
}

/// Nothing stands in for a page whose routes were forgotten.
#[test]
fn every_page_has_a_route_and_nothing_else_is_a_page() {
    let dashboard = Dashboard::start();
    for page in &pm_arb::web::pages::PAGES {
        let answer = dashboard.ask("GET", page.path, "");
        // 503: there is no database, which the page says.
        assert!(
            [200, 503].contains(&answer.status),
            "{}: {answer:?}",
            page.path
        );
        let heading = format!("<h1>{}</h1>", page.name);
        assert!(answer.body.contains(&heading), "{}: {answer:?}", page.path);
    }
    let answer = dashboard.ask("GET", "/trade", "");
    assert_eq!(answer.status, 404, "{answer:?}");
}

/// What a browser keeps for ever changes its name when it changes.
#[test]
fn assets_are_kept_and_data_is_not() {
    let dashboard = Dashboard::start();
    let mut weight = 0;
    for asset in pm_arb::web::assets::all() {
        let answer = dashboard.ask("GET", &asset.url(), "");
        assert!(
            answer
                .header("cache-control")
                .unwrap()
                .contains("immutable")
        );
        weight += answer.body.len();
        let tag = answer.header("etag").unwrap();
        let again = dashboard.ask("GET", &asset.url(), &format!("If-None-Match: {tag}\r\n"));
        assert_eq!((again.status, again.body.len()), (304, 0));
    }
    let page = dashboard.ask("GET", "/", "");
    assert_eq!(page.header("cache-control"), Some("no-store"));
    weight += page.body.len();
    assert!(weight < 200_000, "a page weighs {weight} bytes");
}

#[test]
fn a_door_that_is_not_safe_does_not_open() {
    let dir = tempfile::tempdir().unwrap();
    let config = DashboardConfig::default();
    let open =
        |config: &DashboardConfig, listen: &str| Door::open(config, Some(listen), dir.path());
    assert!(matches!(
        open(&config, "0.0.0.0:0"),
        Err(DoorError::Open(_))
    ));
    assert!(matches!(
        open(&config, "nowhere"),
        Err(DoorError::Address(_))
    ));
    let half = DashboardConfig {
        tls_cert: Some(dir.path().join("cert.pem")),
        ..config.clone()
    };
    assert!(matches!(
        open(&half, "127.0.0.1:0"),
        Err(DoorError::HalfTls)
    ));
    let none = DashboardConfig {
        tls_key: Some(dir.path().join("key.pem")),
        ..half
    };
    assert!(matches!(
        open(&none, "127.0.0.1:0"),
        Err(DoorError::Tls { .. })
    ));
    assert!(open(&config, "off").unwrap().is_none());

    // A port in use is refused by name when it was asked for.
    let taken = open(&config, "127.0.0.1:0").unwrap().unwrap();
    let address = taken.address().to_string();
    let error = open(&config, &address).err().unwrap();
    assert!(
        !error.is_config() && error.to_string().contains(&address),
        "{error}"
    );
    assert!(error.to_string().contains("--dashboard"), "{error}");

    // The token is for its owner, stays, and is replaced when it is too short to be one.
    let path = guard::token_path(dir.path());
    let token = std::fs::read_to_string(&path).unwrap();
    assert_eq!(token.len(), 64);
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    drop(open(&config, "127.0.0.1:0").unwrap());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), token);
    std::fs::write(&path, "secret").unwrap();
    drop(open(&config, "127.0.0.1:0").unwrap());
    let new = std::fs::read_to_string(&path).unwrap();
    assert!(new.len() == 64 && new != token);
}
