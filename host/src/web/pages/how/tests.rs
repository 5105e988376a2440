//! The page and the API as they answer, whatever they are asked.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::rulebook::built_in;
use crate::snapshot::{Example, Instant, Money};
use crate::web::live::Live;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use pm_arb_core::ids::Timestamp;
use std::sync::Arc;
use tower::ServiceExt as _;

async fn ask(uri: &str) -> (StatusCode, String) {
    let (_, pilot) = tokio::sync::watch::channel(None);
    let (_, ending) = tokio::sync::watch::channel(false);
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", dir.path().join("none.sqlite").display());
    let rules = Arc::new(built_in().unwrap());
    let app = App::new(pilot, &url, rules, dir.path().into(), Live::new(ending));
    let routes = routes().merge(crate::web::api::routes()).with_state(app);
    let request = Request::get(uri).body(Body::empty()).unwrap();
    let answer = routes.oneshot(request).await.unwrap();
    let status = answer.status();
    let body = axum::body::to_bytes(answer.into_body(), 1 << 20)
        .await
        .unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn the_page_shows_what_the_api_says() {
    let query = "day=2026-09-01&left=300&price=0.81&bid=0.79&spot=97100&qty=40";
    let (status, json) = ask(&format!("/api/v1/how?{query}")).await;
    assert_eq!(status, StatusCode::OK, "{json}");
    let said: serde_json::Value = serde_json::from_str(&json).unwrap();
    let pairs: Vec<_> = query.split('&').filter_map(|p| p.split_once('=')).collect();
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
        .collect();
    let inputs = Form::of(&pairs, Timestamp(0)).read.unwrap();
    let worked = how::work(&inputs, &built_in().unwrap()).unwrap();
    assert_eq!(said, serde_json::to_value(&worked).unwrap());
    let (status, page) = ask(&format!("/how-it-works?{query}")).await;
    assert_eq!(status, StatusCode::OK);
    let trade = worked.trade.as_ref().unwrap();
    for number in [
        panels::chance(worked.fair.digital),
        panels::chance(worked.fair.model),
        panels::chance(worked.fair.blend),
        panels::chance(trade.break_even),
        trade.fee.to_string(),
        worked.rules.fee.rule.clone(),
    ] {
        assert!(page.contains(&number), "{number}");
    }
    assert!(page.len() < 200_000 && !page.contains("style=") && !page.contains("<script>"));
    for id in ["idea", "ask", "now", "types", "glossary"] {
        assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
    }
}

#[tokio::test]
async fn nonsense_is_kept_named_and_never_computed_with() {
    let hostile = [
        ("spot=%3Cscript%3Ealert(1)%3C/script%3E", "spot"),
        ("price=NaN&qty=-1", "price"),
        ("left=999999999999999999999999999999999999999999", "left"),
        ("day=0000-00-00", "day"),
        ("venue=%00", "venue"),
        ("spot=%ff%fe", "spot"),
        ("volatility=0", "volatility"),
    ];
    for (query, field) in hostile {
        let (status, page) = ask(&format!("/how-it-works?{query}")).await;
        assert_eq!(status, StatusCode::OK, "{query}");
        assert!(page.contains(&format!("id=\"{field}-problem\"")), "{query}");
        assert!(
            !page.contains("<script>alert") && page.contains("Not computed"),
            "{query}"
        );
        let (status, said) = ask(&format!("/api/v1/how?{query}")).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{query}: {said}");
        assert!(said.contains(field), "{said}");
    }
    let (status, said) = ask("/api/v1/how?sopt=1").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(said.contains("sopt"), "{said}");
    let (status, said) = ask("/api/v1/calibration").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(said.contains("pm-arb calibrate"), "{said}");
}

#[test]
fn what_can_not_be_judged_says_why_and_shows_no_number() {
    let example = Example {
        venue: "polymarket".into(),
        market: "btc-updown-5m-1".into(),
        question: "<b>Up?</b>".into(),
        outcome: "Up".into(),
        family: "up-down 5m".into(),
        oracle: "chainlink btcusd".into(),
        closes_at: Instant(Timestamp::from_secs(1)),
        left_ms: 61_250,
        fee_rule: "rulebook".into(),
        venue_delay_ms: None,
        bid: None,
        judged: None,
        verdict: "NO_STRIKE".into(),
        edge_min: Money::default(),
    };
    let shown = now::shown(&example).into_string();
    assert!(
        shown.contains("The price to beat is not known yet."),
        "{shown}"
    );
    assert!(
        shown.contains("61.2") && shown.contains("&lt;b&gt;Up?"),
        "{shown}"
    );
    assert!(
        shown.contains("nobody bids") && !shown.contains("0.0000"),
        "{shown}"
    );
}
