//! Equity over time: told at the first record of a minute, at the bids of then, changing nothing.

use super::world::{World, buy};
use crate::effect::{Effect, EquitySample};
use crate::ids::Timestamp;
use crate::units::Usd;

fn told(w: &World) -> Vec<EquitySample> {
    w.effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::RecordEquity(sample) => Some(*sample),
            _ => None,
        })
        .collect()
}

#[test]
fn every_minute_with_a_record_is_told_once_and_balances() {
    let mut w = World::new();
    w.wish(buy(0, 52, 10));
    for ms in [30_000, 59_999, 60_000, 60_001, 200_000] {
        w.at(ms).book(0, &[(40, 100)], &[(52, 100)]);
    }
    let told = told(&w);
    let start = told[0].minute.0;
    let minutes: Vec<u64> = told
        .iter()
        .map(|s| (s.minute.0 - start) / 60_000_000_000)
        .collect();
    assert_eq!(minutes, [0, 1, 3]);
    assert_eq!(start % 60_000_000_000, 0);
    let capital = w.engine.capital();
    for s in &told {
        let sum = s.cash.0 + s.reserved.0 + s.locked.0 + s.fees.0 - s.realised.0;
        assert_eq!(Usd(sum), capital, "{s:?}");
        assert!(s.high_water >= s.equity);
    }
    // Bought at 52 cents, worth 40 now: told although no money moved since.
    assert_eq!(told[0].equity, capital);
    let last = told[told.len() - 1];
    assert_eq!(last.locked, Usd(5_200_000));
    assert_eq!(last.equity.0, last.cash.0 + last.reserved.0 + 4_000_000);
    assert_eq!(w.engine.equity_now(), last.equity);
}

#[test]
fn an_engine_without_money_tells_nothing() {
    let mut engine = crate::engine::Engine::new();
    let mut effects = Vec::new();
    let record = crate::event::Record {
        seq: crate::ids::Seq(1),
        at: Timestamp::from_secs(60),
        event: crate::event::Event::Tick,
    };
    engine.step(&record, &mut effects);
    assert!(!effects.iter().any(|e| matches!(e, Effect::RecordEquity(_))));
}

#[test]
fn a_day_counts_what_happened_on_it() {
    let mut w = World::new();
    w.wish(buy(0, 52, 10));
    w.at(1_000).book(0, &[(48, 100)], &[(52, 100)]);
    let today = w.engine.today();
    assert_eq!((today.trades, today.closed), (1, 0));
    assert_eq!(today.start.0 % 86_400_000_000_000, 0);
    // Noon, and a day later.
    w.at(86_400_000).book(0, &[(48, 100)], &[(52, 100)]);
    let tomorrow = w.engine.today();
    assert_eq!((tomorrow.trades, tomorrow.refused), (0, 0));
    assert_eq!(tomorrow.start.0 - today.start.0, 86_400_000_000_000);
    assert_eq!(w.engine.summary().total_trades, 1);
}
