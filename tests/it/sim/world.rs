//! The world without a socket: deterministic, joinable at any time, worth trading and not a gift.

use std::collections::BTreeMap;

use pm_arb::sim::book::{Outcome, Side};
use pm_arb::sim::spec::MarketKey;
use pm_arb::sim::world::{Stamped, World, WorldEvent};

use super::{LAG_MS, ORIGIN_S};

fn play(world: &mut World, steps: usize) -> Vec<Stamped> {
    let mut events = Vec::new();
    (0..steps).for_each(|_| world.step(&mut events));
    events
}

#[test]
fn same_seed_same_world_and_another_seed_another() {
    let events = |seed| play(&mut World::new(seed, ORIGIN_S, LAG_MS).unwrap(), 3_000);
    let first = events(7);
    assert!(
        first.len() > 10_000,
        "five minutes with {} events",
        first.len()
    );
    assert_eq!(first, events(7));
    assert_ne!(first, events(8));
    assert!(
        first.windows(2).all(|pair| pair[0].at_ns <= pair[1].at_ns),
        "events are in order of time"
    );
}

#[test]
fn joining_later_finds_the_same_world() {
    let mut watched = World::new(3, ORIGIN_S, LAG_MS).unwrap();
    play(&mut watched, 31_234);
    let mut joined = World::joined_at(3, ORIGIN_S, LAG_MS, watched.now_ns()).unwrap();
    assert_eq!(joined.now_ns(), watched.now_ns());
    assert_eq!(play(&mut joined, 4_000), play(&mut watched, 4_000));
    for start_s in (ORIGIN_S..ORIGIN_S + 3_000).step_by(300) {
        let key = MarketKey::UpDown { start_s };
        assert!(watched.winner(key).is_some());
        assert_eq!(joined.winner(key), watched.winner(key));
    }
}

#[test]
fn a_world_may_begin_between_two_range_events() {
    let origin_s = ORIGIN_S + 300;
    let mut world = World::new(4, origin_s, LAG_MS).unwrap();
    let early = MarketKey::Range {
        start_s: ORIGIN_S,
        bucket: 0,
    };
    let next = MarketKey::Range {
        start_s: ORIGIN_S + 900,
        bucket: 0,
    };
    assert!(!world.has_listed(early) && !world.has_listed(next));
    play(&mut world, 6_000);
    assert!(!world.has_listed(early) && world.has_listed(next));
    let mut joined = World::joined_at(4, origin_s, LAG_MS, world.now_ns()).unwrap();
    assert_eq!(play(&mut joined, 600), play(&mut world, 600));
}

#[test]
fn refuses_worlds_that_cannot_be() {
    assert!(World::new(1, ORIGIN_S + 1, LAG_MS).is_err());
    assert!(World::new(1, ORIGIN_S, 60_000).is_err());
    assert!(World::joined_at(1, ORIGIN_S, LAG_MS, (ORIGIN_S - 1) * 1_000_000_000).is_err());
    assert!(
        World::joined_at(
            1,
            ORIGIN_S,
            LAG_MS,
            (ORIGIN_S + pm_arb::sim::world::AGE_S_MAX + 300) * 1_000_000_000
        )
        .is_err()
    );
}

/// Edge after fees of each kind now: oracle lag, bucket sum, cross venue.
fn edges(world: &World) -> [f64; 3] {
    let now_s = world.now_ns() / 1_000_000_000;
    let start_s = now_s / 300 * 300;
    let (up_down, kalshi) = (MarketKey::UpDown { start_s }, MarketKey::Kalshi { start_s });
    let cost = |key, outcome, rate: f64| {
        let (_, market) = world.markets().find(|(other, _)| *other == key)?;
        let ask = f64::from(market.book().best_from(outcome, Side::Ask)?) / 1e4;
        Some(ask + rate * ask * (1.0 - ask))
    };
    let left_s = (start_s + 300) as f64 - world.now_ns() as f64 / 1e9;
    let price = world.price_e8() as f64 / 1e8;
    let up = world
        .payoff(up_down)
        .unwrap()
        .probability(price, world.believed_sigma() * left_s.max(0.1).sqrt());
    let lag = [(Outcome::Yes, up), (Outcome::No, 1.0 - up)]
        .map(|(o, fair)| cost(up_down, o, 0.07).map_or(-1.0, |c| fair - c));
    let buckets = (0..3).map(|bucket| {
        cost(
            MarketKey::Range {
                start_s: now_s / 900 * 900,
                bucket,
            },
            Outcome::Yes,
            0.04,
        )
    });
    let sum = buckets.sum::<Option<f64>>().map_or(-1.0, |sum| 1.0 - sum);
    let cross = [(Outcome::Yes, Outcome::No), (Outcome::No, Outcome::Yes)].map(|(here, there)| {
        let both = cost(up_down, here, 0.07).zip(cost(kalshi, there, 0.07));
        both.map_or(-1.0, |(a, b)| 1.0 - a - b)
    });
    [lag[0].max(lag[1]), sum, cross[0].max(cross[1])]
}

#[test]
fn offers_all_three_kinds_of_opportunity_within_minutes_and_no_free_lunch() {
    for seed in [1, 2, 3] {
        let mut world = World::new(seed, ORIGIN_S, LAG_MS).unwrap();
        let (mut first_s, mut hits, mut events) = ([None; 3], [0_u32; 3], Vec::new());
        let (mut open, mut wins, mut losses) = (Vec::new(), 0, 0);
        let steps = 10 * 60 * 60;
        for step in 0..steps {
            events.clear();
            world.step(&mut events);
            for (kind, edge) in edges(&world).into_iter().enumerate() {
                if edge > 0.003 {
                    hits[kind] += 1;
                    first_s[kind].get_or_insert(step / 10);
                }
            }
            // A naive taker: whichever side the lag makes look two cents cheap, every two seconds.
            let key = MarketKey::UpDown {
                start_s: world.now_ns() / 1_000_000_000 / 300 * 300,
            };
            if step % 20 == 0 && edges(&world)[0] > 0.02 {
                let price = world.price_e8();
                let side = if price >= world.settlement_at(key.start_s()).unwrap() {
                    Outcome::Yes
                } else {
                    Outcome::No
                };
                open.push((key, side));
            }
            for stamped in &events {
                if let WorldEvent::Resolved(resolved, winner) = stamped.event {
                    for (_, side) in open.extract_if(.., |(key, _)| *key == resolved) {
                        if side == winner {
                            wins += 1
                        } else {
                            losses += 1
                        }
                    }
                }
            }
        }
        for kind in 0..3 {
            let share = f64::from(hits[kind]) / steps as f64;
            assert!(
                first_s[kind].is_some_and(|s| s < 600),
                "seed {seed} kind {kind}: first after {:?} s",
                first_s[kind]
            );
            assert!(
                share < 0.35,
                "seed {seed} kind {kind}: there {share:.3} of the time is no opportunity but a gift"
            );
        }
        assert!(
            wins > 0 && losses > 0,
            "seed {seed}: naive taker wins {wins}, loses {losses}"
        );
    }
}

#[test]
fn books_are_never_crossed_and_windows_settle_on_the_boundary_values() {
    let mut world = World::new(11, ORIGIN_S, LAG_MS).unwrap();
    let (mut events, mut ticks, mut resolved) = (Vec::new(), BTreeMap::new(), 0);
    for _ in 0..14_000 {
        events.clear();
        world.step(&mut events);
        for (key, market) in world.markets() {
            if let (Some((bid, _)), Some((ask, _))) =
                (market.book().best(Side::Bid), market.book().best(Side::Ask))
            {
                assert!(bid < ask, "{key:?} at {}", world.now_ns());
            }
        }
        for stamped in &events {
            match stamped.event {
                WorldEvent::Settlement { second, value_e8 } => _ = ticks.insert(second, value_e8),
                WorldEvent::Resolved(
                    key @ (MarketKey::UpDown { .. } | MarketKey::Kalshi { .. }),
                    winner,
                ) => {
                    let Some(start) = ticks.get(&key.start_s()) else {
                        continue;
                    };
                    let up = ticks[&key.close_s()] >= *start;
                    assert_eq!(
                        winner,
                        if up { Outcome::Yes } else { Outcome::No },
                        "{key:?}"
                    );
                    assert!(stamped.at_ns > key.close_s() * 1_000_000_000);
                    resolved += 1;
                }
                WorldEvent::Resolved(..) => resolved += 1,
                _ => {}
            }
        }
    }
    assert!(resolved >= 9, "{resolved} markets settled in 23 minutes");
    // Exactly one bucket of a range event wins.
    let winners = (0..3).filter(|bucket| {
        world.winner(MarketKey::Range {
            start_s: ORIGIN_S,
            bucket: *bucket,
        }) == Some(Outcome::Yes)
    });
    assert_eq!(winners.count(), 1);
}

#[test]
fn levels_lie_on_the_grid_and_the_winners_asks_vanish_before_the_end() {
    let mut world = World::new(5, ORIGIN_S, LAG_MS).unwrap();
    let (mut events, mut ticks) = (Vec::new(), BTreeMap::new());
    let (mut fine, mut clear, mut vanished) = (0, 0, 0);
    for _ in 0..36_000 {
        events.clear();
        world.step(&mut events);
        for stamped in &events {
            match stamped.event {
                WorldEvent::TickSize { key, old, new } => {
                    assert_eq!((old, new, key.is_kalshi()), (100, 10, false));
                    ticks.insert(key, new);
                    fine += 1;
                }
                WorldEvent::Level {
                    key, price, size, ..
                } => {
                    let tick = ticks.get(&key).copied().unwrap_or(100);
                    assert!(
                        price > 0 && price < 10_000 && price % tick == 0,
                        "{key:?} {price}"
                    );
                    assert!(
                        size == 0 || size >= 500,
                        "{key:?}: {size} hundredths of a share"
                    );
                }
                WorldEvent::Fill { size, left, .. } => assert!(size > 0 && left >= 0),
                _ => {}
            }
        }
        let now_ms = world.now_ns() / 1_000_000;
        if now_ms % 300_000 == 297_000 {
            let key = MarketKey::UpDown {
                start_s: now_ms / 300_000 * 300,
            };
            let (_, market) = world.markets().find(|(other, _)| *other == key).unwrap();
            let price = world.price_e8() as f64 / 1e8;
            let sigma = world.believed_sigma() * 3_f64.sqrt();
            let up = world.payoff(key).unwrap().probability(price, sigma);
            if !(0.001..=0.999).contains(&up) {
                let winner = if up > 0.5 { Outcome::Yes } else { Outcome::No };
                clear += 1;
                vanished += u32::from(market.book().best_from(winner, Side::Ask).is_none());
            }
        }
    }
    assert!(
        fine > 0 && clear > 3,
        "{fine} fine ticks, {clear} clear endings in an hour"
    );
    assert_eq!(vanished, clear);
}

#[test]
fn makers_with_a_longer_lag_are_further_from_the_truth() {
    let error = |lag_ms| {
        let mut world = World::new(2, ORIGIN_S, lag_ms).unwrap();
        let (mut sum, mut count) = (0.0, 0.0);
        for step in 0..18_000_u32 {
            world.step(&mut Vec::new());
            let key = MarketKey::UpDown {
                start_s: world.now_ns() / 1_000_000_000 / 300 * 300,
            };
            let left_s = key.close_s() as f64 - world.now_ns() as f64 / 1e9;
            let Some((_, market)) = world.markets().find(|(other, _)| *other == key) else {
                continue;
            };
            let tops = [Side::Bid, Side::Ask].map(|side| market.book().best(side));
            if let ([Some((bid, _)), Some((ask, _))], true) =
                (tops, left_s > 60.0 && step % 10 == 0)
            {
                let deviation = world.believed_sigma() * left_s.sqrt();
                let fair = world
                    .payoff(key)
                    .unwrap()
                    .probability(world.price_e8() as f64 / 1e8, deviation);
                sum += (f64::from(bid + ask) / 2e4 - fair).abs();
                count += 1.0;
            }
        }
        sum / count
    };
    let (prompt, usual, slow) = (error(0), error(LAG_MS), error(8_000));
    assert!(
        prompt < usual && usual < slow,
        "mean errors {prompt:.4} {usual:.4} {slow:.4}"
    );
}
