//! What is shown as used of a limit is what the check finds: filled until it denies, and compared.

use super::world::{World, buy};
use crate::config::EngineConfig;
use crate::effect::{Effect, Message, Rejection};
use crate::ids::{MarketId, Venue};
use crate::risk::LimitsInUse;
use crate::strategy::Intent;
use crate::units::{Bps, Usd};

fn with(change: impl FnOnce(&mut EngineConfig)) -> World {
    let mut config = EngineConfig::default();
    config.risk.intents_per_second = 1_000;
    change(&mut config);
    World::with(config)
}

/// The denial of a wish, and what was in use just before it.
fn judged(w: &mut World, wish: Intent) -> (Option<Rejection>, LimitsInUse) {
    let used = w.engine.limits_in_use();
    let before = w.effects.len();
    w.wish(wish);
    let verdict = w.effects[before..].iter().find_map(|effect| match effect {
        Effect::Publish(message) => match &**message {
            Message::Decision(decision) => Some(decision.verdict.clone()),
            _ => None,
        },
        _ => None,
    });
    (verdict.unwrap().err(), used)
}

/// Wishes the same until it is denied: the denial, what was in use, and what each order set aside.
fn until_denied(w: &mut World, wish: &Intent) -> (Rejection, LimitsInUse, Usd) {
    let mut each = Usd::ZERO;
    for _ in 0..100 {
        let before = w.engine.status().reserved;
        let (denied, used) = judged(w, wish.clone());
        if let Some(denied) = denied {
            return (denied, used, each);
        }
        each = Usd(w.engine.status().reserved.0 - before.0);
    }
    panic!("nothing was denied");
}

#[test]
fn what_is_tied_up_in_a_market_and_on_a_venue_is_what_the_check_adds_to() {
    let mut w = with(|c| c.risk.position_per_market = Bps(10));
    let (denied, used, each) = until_denied(&mut w, &buy(0, 52, 2));
    // Below the minimum size of the market nothing is wished for.
    assert_eq!(denied.reason.code(), "BELOW_MINIMUM");
    assert!(used.markets.is_empty() && each == Usd::ZERO);

    let (denied, used, each) = until_denied(&mut w, &buy(0, 52, 5));
    let place = used.markets[0];
    assert_eq!(
        (denied.reason.code(), place.place),
        ("POS_LIMIT_MARKET", MarketId(0))
    );
    let with_this = Usd(place.used.0 + each.0);
    assert!(each > Usd::ZERO && place.used > Usd::ZERO);
    assert_eq!(denied.observed, format!("{with_this} USD with this order"));
    let limit = used.market_limit.unwrap();
    assert!(
        denied.limit.starts_with(&format!("{limit} USD")),
        "{denied:?}"
    );

    let mut w = with(|c| c.risk.position_per_venue = Bps(10));
    let (denied, used, each) = until_denied(&mut w, &buy(0, 52, 5));
    assert_eq!(denied.reason.code(), "POS_LIMIT_VENUE");
    let venue = used
        .venues
        .iter()
        .find(|v| v.place == Venue::Polymarket)
        .unwrap();
    let with_this = Usd(venue.used.0 + each.0);
    assert_eq!(denied.observed, format!("{with_this} USD with this order"));
    assert!(
        denied
            .limit
            .starts_with(&format!("{} USD", used.venue_limit.unwrap()))
    );
}

#[test]
fn what_is_free_is_what_the_check_compares_with() {
    let mut w = with(|c| {
        c.starting_cash = Usd(40_000_000);
        c.risk.position_per_market = Bps(10_000);
        c.risk.position_per_venue = Bps(10_000);
    });
    let (denied, used, each) = until_denied(&mut w, &buy(0, 52, 5));
    assert_eq!(denied.reason.code(), "CAPITAL");
    let strategy = used.strategies[0];
    assert!(
        denied
            .limit
            .starts_with(&format!("{} USD free", strategy.free)),
        "{denied:?}"
    );
    assert_eq!(denied.observed, format!("{each} USD with fees"));
    assert_eq!(strategy.free.0, strategy.capital.0 - strategy.committed.0);
}

#[test]
fn the_rate_and_the_losses_are_those_of_the_denials() {
    let mut w = with(|c| c.risk.intents_per_second = 3);
    let (denied, used, _) = until_denied(&mut w, &buy(0, 52, 5));
    assert_eq!(
        denied.observed,
        format!("{} in the last second", used.strategies[0].intents)
    );
    w.at(1_000).tick();
    assert_eq!(w.engine.limits_in_use().strategies[0].intents, 0);

    // Nine shares bought at 0.52; the bid falls to 0.47, and no money moves.
    let mut w = with(|c| {
        c.starting_cash = Usd(40_000_000);
        c.risk.drawdown = Bps(100);
        c.risk.position_per_market = Bps(10_000);
    });
    w.wish(buy(0, 52, 9));
    w.at(300).tick();
    w.bid(0, 48, 0);
    w.bid(0, 47, 100);
    let (denied, used) = judged(&mut w, buy(0, 52, 9));
    let (denied, drawdown) = (denied.unwrap(), used.drawdown.unwrap());
    assert_eq!(denied.reason.code(), "DRAWDOWN");
    assert_eq!(denied.observed, format!("{} USD lost", drawdown.lost));
    assert!(denied.limit.starts_with(&format!("{} USD", drawdown.limit)));
    assert!(drawdown.is_reached() && drawdown.lost > Usd::ZERO);
    assert!(!used.day.unwrap().is_reached());
    assert_eq!(
        used.equity,
        w.engine.limits_in_use().equity,
        "looking changed nothing"
    );
}
