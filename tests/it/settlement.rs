//! Settlement on a recorded day: once with nothing but the settlement source's own ticks, once with the
//! venue's word as well.
#![allow(clippy::unwrap_used)]

use crate::support::recordings;
use pm_arb::import::{self, Format, ImportRequest};
use pm_arb::journal::JournalReader;
use pm_arb_core::effect::{Effect, MarketRecord, Message};
use pm_arb_core::engine::Engine;
use pm_arb_core::event::{Event, Record, StrategyChange, StrategyChangeKind};
use pm_arb_core::ids::{MarketId, Seq, StrategyId, Timestamp};
use pm_arb_core::market::{MarketSpec, MarketStatus, SettlementRule};
use pm_arb_core::strategy::{
    Intent, IntentLeg, Manifest, Output, Quote, Strategy, StrategyEvent, StrategyFault,
    TimeInForce, Topics,
};
use pm_arb_core::units::{Price, Qty, SpotPrice, Usd};
use std::collections::{BTreeMap, BTreeSet};

/// Wishes something in every market. The recording has no books, so it is always denied, and every
/// market has rows.
struct Wisher;

impl Strategy for Wisher {
    fn on_quote(&mut self, _: Timestamp, _: &Quote, _: &mut Output) -> Result<(), StrategyFault> {
        Ok(())
    }

    fn on_event(
        &mut self,
        _: Timestamp,
        event: &StrategyEvent<'_>,
        out: &mut Output,
    ) -> Result<(), StrategyFault> {
        if let StrategyEvent::MarketListed(spec) = event {
            out.intents.push(Intent {
                opportunity: None,
                tag: 0,
                legs: vec![IntentLeg {
                    instrument: spec.outcomes[0].instrument,
                    buy: true,
                    limit: Price(500_000),
                }],
                qty: Qty(10_000_000),
                time_in_force: TimeInForce::Fak,
                expected_edge: Usd(10_000),
            });
        }
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Vec<u8>, StrategyFault> {
        Ok(Vec::new())
    }
}

/// What became of the markets.
#[derive(Default)]
struct Day {
    /// The last row of each.
    rows: BTreeMap<MarketId, MarketRecord>,
    alerts: Vec<String>,
    refused: usize,
}

fn step_all(events: impl IntoIterator<Item = (Timestamp, Event)>) -> Day {
    let mut engine = Engine::new();
    engine.install(StrategyId(0), Box::new(Wisher));
    let (mut day, mut effects) = (Day::default(), Vec::new());
    for (n, (at, event)) in (1..).zip(events) {
        let seq = Seq(n);
        engine.step(&Record { seq, at, event }, &mut effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::RecordMarket(row) => {
                    day.rows.insert(row.market, *row);
                }
                Effect::Publish(message) => {
                    if let Message::Alert(alert) = *message {
                        day.alerts.push(alert.code);
                    }
                }
                Effect::Abort(text) => panic!("{text}"),
                _ => {}
            }
        }
    }
    day.refused = engine.status().refused_inputs.len();
    day
}

fn loaded() -> Event {
    Event::Strategy(Box::new(StrategyChange {
        id: StrategyId(0),
        kind: StrategyChangeKind::Loaded {
            manifest: Manifest {
                name: "wisher".to_owned(),
                version: "1".to_owned(),
                topics: Topics {
                    markets: true,
                    ..Topics::default()
                },
            },
            digest: [0; 32],
            generation: 1,
            params: Vec::new(),
            restored: false,
        },
    }))
}

/// The strike that the recorder of this market noted, told with the outcome.
fn noted_strike(evidence: &str) -> Option<SpotPrice> {
    SpotPrice::parse(evidence.split_once("recorded strike ")?.1).ok()
}

fn paid(row: &MarketRecord) -> Option<Vec<Price>> {
    row.outcomes.iter().map(|(_, _, paid)| *paid).collect()
}

#[test]
fn a_recorded_day_settles_on_its_closing_ticks_and_on_nothing_else() {
    let Some(data) = recordings("a_recorded_day_settles_on_its_closing_ticks_and_on_nothing_else")
    else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    import::run(&ImportRequest {
        from: Format::ChainlinkMarkets,
        out: run.clone(),
        files: vec![data.join("aligned/btc5m_20260724_chainlink")],
    })
    .unwrap();
    let mut journal = JournalReader::open(&run).unwrap();
    let mut events: Vec<(Timestamp, Event)> = Vec::new();
    let mut specs: BTreeMap<MarketId, MarketSpec> = BTreeMap::new();
    let mut outcomes: BTreeMap<MarketId, Vec<Price>> = BTreeMap::new();
    let mut ticks: BTreeSet<u64> = BTreeSet::new();
    while let Some(record) = journal.next().unwrap() {
        match &record.event {
            Event::MarketListed(spec) => {
                specs.insert(spec.id, (**spec).clone());
            }
            Event::Resolved(r) => {
                outcomes.insert(r.market, r.payouts.clone());
            }
            Event::OracleTick(tick) => {
                ticks.insert(tick.source_time.secs());
            }
            _ => {}
        }
        events.push((record.at, record.event.clone()));
        if record.seq == Seq(1) {
            events.push((record.at, loaded()));
        }
    }
    assert_eq!((specs.len(), outcomes.len()), (193, 193));

    // Nothing but ticks. Where the feed began after the opening, the venue's price to beat comes with
    // the close, as it does live; its outcome never does.
    let mut stated = BTreeSet::new();
    let ticks_only: Vec<_> = events
        .iter()
        .filter_map(|(at, event)| {
            let Event::Resolved(resolution) = event else {
                return Some((*at, event.clone()));
            };
            let mut spec = specs.get(&resolution.market)?.clone();
            let known = ticks.contains(&spec.opens_at.secs());
            let noted = noted_strike(&resolution.evidence).filter(|_| !known)?;
            if let SettlementRule::UpDown { strike, .. } = &mut spec.settlement {
                *strike = Some(noted);
            }
            stated.insert(spec.id);
            Some((*at, Event::MarketListed(Box::new(spec))))
        })
        .collect();
    let day = step_all(ticks_only);
    assert_eq!((day.rows.len(), day.refused), (193, 0));
    assert_eq!(day.alerts, [] as [String; 0]);
    let (mut settled, mut without_close, mut without_strike) = (0, 0, 0);
    for (id, spec) in &specs {
        let row = &day.rows[id];
        let has = |second: Timestamp| ticks.contains(&second.secs());
        let strike = has(spec.opens_at) || stated.contains(id);
        if has(spec.closes_at) && strike {
            settled += 1;
            assert_eq!(row.status, MarketStatus::Settled, "{row:?}");
            assert_eq!(paid(row).as_ref(), outcomes.get(id), "{row:?}");
            assert!(
                row.evidence.starts_with("chainlink btcusd at second"),
                "{row:?}"
            );
            continue;
        }
        assert_eq!(
            (row.status, paid(row)),
            (MarketStatus::Pending, None),
            "{row:?}"
        );
        let lacks = |which: &str, second: Timestamp| {
            row.evidence
                .contains(&format!("{which} second {}", second.secs()))
        };
        assert_eq!(
            lacks("closing", spec.closes_at),
            !has(spec.closes_at),
            "{row:?}"
        );
        assert_eq!(lacks("opening", spec.opens_at), !strike, "{row:?}");
        if has(spec.closes_at) {
            without_strike += 1;
        } else {
            without_close += 1;
        }
    }
    println!(
        "ticks alone: {settled} of 193 settled, all as recorded; pending: {without_close} without a tick \
         of the closing second, {without_strike} without one of the opening second"
    );
    assert_eq!((settled, without_close, without_strike), (165, 16, 12));

    // With the venue's word: all of them, and nothing is in dispute.
    let day = step_all(events);
    assert_eq!(day.alerts, [] as [String; 0]);
    let (mut by_ticks, mut by_venue) = (0, 0);
    for (id, row) in &day.rows {
        assert_eq!(row.status, MarketStatus::Settled, "{row:?}");
        assert_eq!(paid(row).as_ref(), outcomes.get(id), "{row:?}");
        if row.evidence.starts_with("polymarket pays") {
            by_venue += 1;
            assert!(
                row.evidence
                    .contains("not recomputed: chainlink btcusd has no value")
            );
        } else {
            by_ticks += 1;
        }
    }
    println!("with the venue's word: {by_ticks} by ticks, {by_venue} by the venue, 0 disputed");
    assert_eq!((by_ticks, by_venue), (164, 29));
}
