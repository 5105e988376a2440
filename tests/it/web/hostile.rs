//! Strings that want to be more than text (W3), in every place of a picture that holds text, in queries
//! and in paths: pages keep exactly the elements and attributes that they have with harmless ones.

use super::Dashboard;
use pm_arb::clock::Clock;
use pm_arb::snapshot::Snapshot;
use pm_arb::web::app::View;
use pm_arb::web::{layout, pages::PAGES};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Element and attribute: what a browser would see of a page's shape.
type Shape = BTreeSet<(String, String)>;

/// More than a hundred: each attack bare, and as it would break out of text, attributes, URLs and scripts.
fn corpus() -> Vec<String> {
    let attacks = [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<svg/onload=alert(1)>",
        "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
        "<iframe srcdoc='<script>alert(1)</script>'>",
        "<a href=javascript:alert(1)>x</a>",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)//",
        "data:text/html,<script>alert(1)</script>",
        "<body onload=alert(1)>",
        "<style>*{background:url(//evil.example)}</style>",
        "<link rel=stylesheet href=//evil.example>",
        "<meta http-equiv=refresh content='0;url=//evil.example'>",
        "<base href=//evil.example/>",
        "<form action=//evil.example><input name=token>",
        "<!-- --><script>alert(1)</script>",
        "<![CDATA[<script>alert(1)</script>]]>",
        "</script><script>alert(1)</script>",
        "{{constructor.constructor('alert(1)')()}}",
        "${alert(1)}",
        "'; DROP TABLE paper_trades; --",
        "1' OR '1'='1",
        "\r\nX-Injected: 1\r\n\r\n<script>alert(1)</script>",
        "\u{1b}[2J\u{1b}]0;owned\u{7}",
        "\u{202e}txt.exe\u{2066}",
        "%3Cscript%3Ealert(1)%3C/script%3E",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
    ];
    let wraps: [fn(&str) -> String; 4] = [
        str::to_owned,
        |a| format!("\"><x>{a}"),
        |a| format!("' onmouseover='alert(1)' x='{a}"),
        |a| format!("</title></textarea></section></svg>{a}<!--"),
    ];
    let all: Vec<String> = attacks
        .iter()
        .flat_map(|a| wraps.iter().map(move |w| w(a)))
        .collect();
    assert!(all.len() >= 100);
    all
}

/// What a tokenizer of HTML sees: tags with their attributes; links and what they lead to are checked.
fn shape(page: &str) -> Shape {
    let mut shape = Shape::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let name: String = rest
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '!')
            .collect();
        rest = &rest[name.len()..];
        shape.insert((name.clone(), String::new()));
        loop {
            rest = rest.trim_start_matches([' ', '\n', '/']);
            let end = rest.find(['=', '>', ' ']).unwrap_or(rest.len());
            let attribute = rest[..end].to_ascii_lowercase();
            rest = &rest[end..];
            if !attribute.is_empty() {
                shape.insert((name.clone(), attribute.clone()));
            }
            if let Some(value) = rest.strip_prefix("=\"") {
                let (value, after) = value.split_once('"').unwrap_or((value, ""));
                rest = after;
                if ["href", "src", "action"].contains(&attribute.as_str()) {
                    let ours = value.starts_with(['/', '#', '?']) && !value.starts_with("//");
                    assert!(ours, "{name} {attribute} leads to {value:?}");
                }
            } else if let Some(value) = rest.strip_prefix('=') {
                rest = value.trim_start_matches(|c| c != ' ' && c != '>');
            } else if let Some(after) = rest.strip_prefix('>') {
                rest = after;
                break;
            } else if rest.is_empty() {
                break;
            }
        }
    }
    shape
}

/// The places of a picture that may hold any text, as JSON pointers.
fn texts(picture: &Value) -> Vec<String> {
    fn walk(value: &Value, at: &str, found: &mut Vec<String>) {
        match value {
            Value::String(_) => found.push(at.to_owned()),
            Value::Array(all) => all
                .iter()
                .enumerate()
                .for_each(|(i, v)| walk(v, &format!("{at}/{i}"), found)),
            Value::Object(all) => all
                .iter()
                .for_each(|(k, v)| walk(v, &format!("{at}/{k}"), found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(picture, "", &mut found);
    // Amounts, times and states are not text: the picture would not be read back.
    found.retain(|at| {
        let mut changed = picture.clone();
        *changed.pointer_mut(at).unwrap() = "any".into();
        serde_json::from_value::<Snapshot>(changed).is_ok()
    });
    found
}

fn drawn(picture: &Value, failed: &str) -> Vec<(String, String)> {
    let pilot: Snapshot = serde_json::from_value(picture.clone()).unwrap();
    let view = View {
        now: Clock::utc().now(),
        pilot: Some(Arc::new(pilot)),
        records_failed: Some(failed.to_owned()),
        ..View::default()
    };
    let page = |page: &layout::Page| {
        let panels = page.panels.map_or_else(Vec::new, |draw| draw(&view));
        let text = layout::document(&view, page, &panels).into_string();
        (page.name.to_owned(), text)
    };
    PAGES.iter().map(page).collect()
}

/// Called by the pilot's test, which has a real picture.
pub fn pictures_stay_text(mut picture: Value) {
    picture["trading"]["halted"] = "harmless".into();
    let places = texts(&picture);
    assert!(places.len() >= 10, "{places:?}");
    let harmless: Vec<Shape> = drawn(&picture, "harmless")
        .iter()
        .map(|(_, p)| shape(p))
        .collect();
    let corpus = corpus();
    // Every attack stands somewhere, and every place has had several.
    let rounds = corpus.len().div_ceil(places.len()).max(5);
    let mut seen = 0;
    for round in 0..rounds {
        let mut poisoned = picture.clone();
        let mut attacks = corpus.iter().cycle().skip(round * places.len());
        for place in &places {
            let attack = attacks.next().unwrap().as_str();
            *poisoned.pointer_mut(place).unwrap() = attack.into();
        }
        let halted = &corpus[round];
        poisoned["trading"]["halted"] = halted.as_str().into();
        for ((name, page), harmless) in drawn(&poisoned, halted).iter().zip(&harmless) {
            let more: Vec<_> = shape(page).difference(harmless).cloned().collect();
            assert!(more.is_empty(), "{name} got {more:?} by round {round}");
            seen += page.matches("alert(1)").count();
        }
    }
    assert!(
        seen > 0,
        "no attack was shown at all: does this test still look at pages?"
    );
}

#[test]
fn this_test_would_see_an_attack() {
    let harmless = shape("<p class=\"a\">x</p><a href=\"/x\">y</a>");
    for attack in ["<script>", "<p onclick=\"x\">", "<p class=\"a\"onload=x>"] {
        assert!(!shape(attack).is_subset(&harmless), "{attack}");
    }
    assert!(std::panic::catch_unwind(|| shape("<a href=\"javascript:x\">")).is_err());
}

#[test]
fn queries_and_paths_stay_text() {
    let dashboard = Dashboard::start();
    let encode = |text: &str| -> String { text.bytes().map(|b| format!("%{b:02X}")).collect() };
    for attack in corpus() {
        let coded = encode(&attack);
        for path in [
            format!("/{coded}"),
            format!("/trades?strategy={coded}&sort={coded}&page={coded}"),
            format!("/how-it-works?spot={coded}"),
            format!("/api/v1/{coded}"),
            format!("/assets/{coded}"),
            format!("/live?page={coded}"),
        ] {
            let answer = dashboard.ask("GET", &path, "Accept: text/html\r\n");
            assert!(
                answer.status < 500 || answer.status == 503,
                "{path}: {answer:?}"
            );
            assert!(answer.header("x-injected").is_none(), "{answer:?}");
            assert_eq!(
                answer.header("x-content-type-options"),
                Some("nosniff"),
                "{path}"
            );
            let html = answer
                .header("content-type")
                .is_some_and(|kind| kind.contains("html"));
            if html {
                let found = shape(&answer.body);
                assert!(
                    !found
                        .iter()
                        .any(|(_, attribute)| attribute.starts_with("on")),
                    "{path}"
                );
                assert!(!found.contains(&("x".into(), String::new())), "{path}");
                assert!(!found.contains(&("iframe".into(), String::new())), "{path}");
            }
        }
    }
}
