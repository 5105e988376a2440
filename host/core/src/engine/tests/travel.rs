//! How long orders travel, as their rows tell it.

use super::world::{World, buy, group};
use crate::config::{EngineConfig, Latency};
use crate::effect::Effect;
use crate::event::Event;
use crate::ids::{Nanos, Timestamp, Venue};
use crate::reason::Reason;
use crate::units::Bps;

/// A world whose orders travel so; market 1 is Kalshi's. Both delay a taker by 250 ms.
fn world(latency: Latency) -> World {
    let mut config = EngineConfig::default();
    config.execution.latency = latency;
    let mut w = World::with(config);
    w.market(1, |m| m.venue = Venue::Kalshi);
    w.book(1, &[(48, 100)], &[(52, 100)]);
    w
}

/// Milliseconds from decision to arrival of the rows since the last look, by leg.
fn travelled(w: &mut World) -> Vec<u64> {
    let ms = |from: Timestamp, to: Timestamp| to.since(from).ms();
    let rows = w.effects.drain(..).filter_map(|effect| match effect {
        Effect::RecordTrade(row) => Some(ms(row.decided_at, row.arrived_at)),
        _ => None,
    });
    rows.collect()
}

#[test]
fn a_measured_way_is_the_last_measurement_of_that_venue() {
    let mut w = world(Latency::Measured {
        otherwise: Nanos::from_ms(50),
    });
    let both = |w: &mut World| {
        w.wish(group(&[(0, 52), (2, 52)], 5));
        let later = (w.now.0 - super::world::START * 1_000_000_000) / 1_000_000 + 1_000;
        w.book(0, &[(48, 100)], &[(52, 100)]);
        w.book(1, &[(48, 100)], &[(52, 100)]);
        w.at(later).tick();
        travelled(w)
    };
    assert_eq!(both(&mut w), [300, 300], "nothing was measured yet");
    for (own, expected) in [(120, vec![300, 370]), (80, vec![300, 330])] {
        w.step(Event::Latency {
            venue: Venue::Kalshi,
            own: Nanos::from_ms(own),
        });
        assert_eq!(both(&mut w), expected);
    }
    w.step(Event::Latency {
        venue: Venue::Polymarket,
        own: Nanos::from_ms(10),
    });
    assert_eq!(both(&mut w), [260, 330]);
    let last: Vec<_> = w.engine.status().latencies;
    assert_eq!(
        last,
        [
            (Venue::Polymarket, Nanos::from_ms(10)),
            (Venue::Kalshi, Nanos::from_ms(80))
        ]
    );
}

#[test]
fn a_drawn_way_lies_in_its_table_and_is_the_same_in_a_replay() {
    let latency = Latency::Drawn {
        seed: 1,
        quantiles: vec![
            (Bps(1), Nanos::from_ms(100)),
            (Bps(10_000), Nanos::from_ms(200)),
        ],
    };
    let run = || {
        let mut w = world(latency.clone());
        for n in 1..=5 {
            w.wish(buy(0, 52, 5));
            w.at(1_000 * n).tick();
        }
        travelled(&mut w)
    };
    let first = run();
    assert_eq!(first.len(), 5);
    assert!(first.iter().all(|ms| (350..=450).contains(ms)), "{first:?}");
    assert!(first.iter().any(|ms| *ms != first[0]), "{first:?}");
    assert_eq!(first, run());
}

#[test]
fn a_table_that_does_not_cover_every_order_sends_none() {
    let mut w = world(Latency::Drawn {
        seed: 1,
        quantiles: vec![(Bps(9_999), Nanos::from_ms(100))],
    });
    w.lines();
    w.wish(buy(0, 52, 5));
    w.check(&[&format!("leg 0 rejected {}", Reason::RiskError)]);
}
