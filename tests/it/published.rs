//! Another backtester's published results, reproduced to the cent, and what our rules make of the same
//! entries.
//!
//! `resolvedkit` 0.1.0 publishes two rule strategies on 18 settled BTC 15-minute markets. The numbers
//! for the 12 of them that are recorded here come from running that package on these 12 alone (at 250
//! dollars a trade and no latency); on all 18 it prints the published table. The rules are written anew
//! below from their description. They see the recorded depth; what fills is the engine's business.

use crate::support::recordings;
use pm_arb_core::config::{Allocation, EngineConfig, Execution, FillModel, Latency, RiskLimits};
use pm_arb_core::effect::{Effect, TradeRecord};
use pm_arb_core::engine::Engine;
use pm_arb_core::event::{
    BookSnapshot, Event, OracleTick, Record, Resolution, StrategyChange, StrategyChangeKind,
};
use pm_arb_core::ids::{
    InstrumentId, MarketId, Nanos, OracleId, Seq, StrategyId, Timestamp, Venue,
};
use pm_arb_core::market::{FeeSchedule, MarketSpec, OracleSpec, Outcome, SettlementRule};
use pm_arb_core::strategy::{
    Intent, IntentLeg, Manifest, Output, Quote, Strategy, StrategyEvent, StrategyFault,
    TimeInForce, Topics,
};
use pm_arb_core::units::{Bps, ONE, Price, Qty, SpotPrice, Usd};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

const STAKE: i64 = 250 * ONE;
const SLIPPAGE: i64 = 20_000;
const CLOCK: OracleId = OracleId(0);

/// One of the two published strategies.
#[derive(Clone, Copy)]
struct Rules {
    favourite: bool,
    within: Nanos,
    asks: (i64, i64),
    /// Take profit and stop loss, from the entry price.
    exit: Option<(i64, i64)>,
}

const LATE_FAVOURITE: Rules = Rules {
    favourite: true,
    within: Nanos::from_ms(120_000),
    asks: (600_000, 900_000),
    exit: None,
};
const EARLY_UNDERDOG: Rules = Rules {
    favourite: false,
    within: Nanos::from_ms(600_000),
    asks: (300_000, 500_000),
    exit: Some((50_000, 100_000)),
};

type Levels = Vec<(Price, Qty)>;

/// One side of one market at one time.
struct Shot {
    at: Timestamp,
    market: usize,
    /// 0 is Up.
    side: usize,
    bids: Levels,
    asks: Levels,
}

struct Recorded {
    specs: Vec<MarketSpec>,
    payouts: Vec<Vec<Price>>,
    shots: Vec<Shot>,
}

fn millionths(value: &Value) -> i64 {
    let text = value.to_string();
    Usd::parse(&text).map_or_else(
        // Prices of the venue have at most four decimals; what the file has beyond is its encoding.
        |_| (value.as_f64().unwrap() * ONE as f64).round() as i64,
        |usd| usd.0,
    )
}

fn levels(shot: &Value, side: &str) -> Levels {
    let column = |what: &str| shot[format!("{side}_{what}")].as_array().unwrap().clone();
    let pairs = column("px").into_iter().zip(column("sz"));
    pairs
        .map(|(price, size)| (Price(millionths(&price)), Qty(millionths(&size))))
        .filter(|(_, size)| *size > Qty::ZERO)
        .collect()
}

fn recorded(folder: &Path, honest: bool) -> Recorded {
    let mut all = Recorded {
        specs: Vec::new(),
        payouts: Vec::new(),
        shots: Vec::new(),
    };
    let list = std::fs::read_to_string(folder.join("markets.jsonl")).unwrap();
    for (n, line) in list.lines().enumerate() {
        let market: Value = serde_json::from_str(line).unwrap();
        let slug = market["slug"].as_str().unwrap();
        let number = u32::try_from(n).unwrap();
        let outcome = |i: u32, name: &str| Outcome {
            instrument: InstrumentId(2 * number + i),
            name: name.into(),
            native_id: format!("{slug}:{name}"),
        };
        all.specs.push(MarketSpec {
            id: MarketId(number),
            venue: Venue::Polymarket,
            native_id: market["market_id"].as_str().unwrap().into(),
            slug: slug.into(),
            question: String::new(),
            outcomes: vec![outcome(0, "Up"), outcome(1, "Down")],
            tick: Price(1_000),
            lot: Qty(if honest { 10_000 } else { 1 }),
            min_qty: Qty(if honest { 5 * ONE } else { 0 }),
            fee: FeeSchedule::polymarket(70_000),
            maker_fee: FeeSchedule::Free,
            fee_rule: "crypto, September 2026".into(),
            taker_delay: Some(Nanos::from_ms(250)),
            opens_at: Timestamp::from_ms(market["start_ts"].as_u64().unwrap()),
            closes_at: Timestamp::from_ms(market["end_ts"].as_u64().unwrap()),
            settlement: SettlementRule::VenueOnly,
            exclusive_set: None,
            pair_key: None,
        });
        let pays = ["payout_up", "payout_down"].map(|key| Price(millionths(&market[key])));
        all.payouts.push(pays.to_vec());
        let file = std::fs::File::open(folder.join(format!("{slug}.jsonl.gz"))).unwrap();
        let mut text = String::new();
        flate2::read::GzDecoder::new(file)
            .read_to_string(&mut text)
            .unwrap();
        for line in text.lines() {
            let shot: Value = serde_json::from_str(line).unwrap();
            all.shots.push(Shot {
                at: Timestamp::from_ms(shot["ts"].as_u64().unwrap()),
                market: n,
                side: usize::from(shot["side"] == "DOWN"),
                bids: levels(&shot, "bid"),
                asks: levels(&shot, "ask"),
            });
        }
    }
    // As the package reads them: by time, and of one time Down before Up.
    all.shots
        .sort_by_key(|shot| (shot.at, shot.market, core::cmp::Reverse(shot.side)));
    all
}

/// What a rule strategy knows of one market.
#[derive(Clone, Default)]
struct Stance {
    /// The newest shot of each side.
    seen: [Option<usize>; 2],
    pending: bool,
    side: Option<usize>,
    bought: bool,
    held: i64,
    /// Of what is held, in 1e-12 dollars.
    cost: i128,
}

struct Player {
    rules: Rules,
    model: FillModel,
    all: Arc<Recorded>,
    stances: Vec<Stance>,
}

impl Player {
    /// Twice the middle; a missing bid counts as nothing, a missing ask as a dollar.
    fn doubled_middle(&self, shot: usize) -> i64 {
        let shot = &self.all.shots[shot];
        let bid = shot.bids.first().map_or(0, |level| level.0.0);
        bid + shot.asks.first().map_or(ONE, |level| level.0.0)
    }

    fn look(&mut self, now: Timestamp, n: usize) -> Option<Intent> {
        let shot = &self.all.shots[n];
        let (market, side) = (shot.market, shot.side);
        self.stances[market].seen[side] = Some(n);
        let stance = &self.stances[market];
        if stance.pending {
            return None;
        }
        if stance.bought {
            let (profit, loss) = self.rules.exit?;
            let bid = shot.bids.first()?.0.0;
            if stance.held == 0 || stance.side != Some(side) {
                return None;
            }
            // bid ≥ entry + profit or bid ≤ entry − loss, the entry being cost / held.
            let product = |price: i64| i128::from(price) * i128::from(stance.held);
            let out = product(bid - profit) >= stance.cost || product(bid + loss) <= stance.cost;
            let qty = stance.held;
            return out.then(|| self.wish(market, side, false, Price(1_000), qty));
        }
        let left = self.all.specs[market].closes_at.since(now);
        if left == Nanos(0) || left > self.rules.within {
            return None;
        }
        let (up, down) = (stance.seen[0]?, stance.seen[1]?);
        let favourite = usize::from(self.doubled_middle(up) < self.doubled_middle(down));
        let side = if self.rules.favourite {
            favourite
        } else {
            1 - favourite
        };
        let chosen = stance.seen[side]?;
        let ask = self.all.shots[chosen].asks.first()?.0.0;
        if !(self.rules.asks.0..=self.rules.asks.1).contains(&ask) {
            return None;
        }
        let limit = Price(ask + SLIPPAGE);
        // The package spends dollars when it fills, on the book of that moment: where this side's shot
        // of the same time is still to come, that one.
        let coming = self
            .all
            .shots
            .get(n + 1)
            .filter(|next| (next.at, next.market, next.side) == (shot.at, market, side));
        let chosen = if coming.is_some() { n + 1 } else { chosen };
        let qty = match self.model {
            FillModel::Mid => {
                let shares = i128::from(2 * STAKE) * i128::from(ONE);
                i64::try_from(shares / i128::from(self.doubled_middle(chosen))).unwrap()
            }
            _ => affordable(&self.all.shots[chosen].asks, limit),
        };
        self.stances[market].side = Some(side);
        Some(self.wish(market, side, true, limit, qty))
    }

    fn wish(&self, market: usize, side: usize, buy: bool, limit: Price, qty: i64) -> Intent {
        let spec = &self.all.specs[market];
        Intent {
            opportunity: None,
            tag: market as u64,
            legs: vec![IntentLeg {
                instrument: spec.outcomes[side].instrument,
                buy,
                limit,
            }],
            qty: Qty(qty - qty % spec.lot.0),
            time_in_force: TimeInForce::Fak,
            expected_edge: Usd::ZERO,
        }
    }
}

/// Shares that the stake buys at no worse than the limit.
fn affordable(asks: &Levels, limit: Price) -> i64 {
    let (mut left, mut shares) = (i128::from(STAKE) * i128::from(ONE), 0_i128);
    for (price, size) in asks.iter().take_while(|level| level.0 <= limit) {
        let price = i128::from(price.0);
        let take = i128::from(size.0).min(left / price);
        shares += take;
        left -= take * price;
    }
    i64::try_from(shares).unwrap()
}

impl Strategy for Player {
    fn on_quote(&mut self, _: Timestamp, _: &Quote, _: &mut Output) -> Result<(), StrategyFault> {
        Ok(())
    }

    fn on_event(
        &mut self,
        now: Timestamp,
        event: &StrategyEvent<'_>,
        out: &mut Output,
    ) -> Result<(), StrategyFault> {
        match event {
            StrategyEvent::OracleTick(tick) => {
                let n = usize::try_from(tick.price.0).unwrap() - 1;
                if let Some(intent) = self.look(now, n) {
                    self.stances[self.all.shots[n].market].pending = true;
                    out.intents.push(intent);
                }
            }
            StrategyEvent::Filled(fill) => {
                let stance = &mut self.stances[usize::try_from(fill.tag).unwrap()];
                stance.pending = false;
                if fill.bought {
                    stance.bought = true;
                    stance.held += fill.qty.0;
                    stance.cost += i128::from(fill.price.0) * i128::from(fill.qty.0);
                } else {
                    let left = stance.held - fill.qty.0;
                    stance.cost = stance.cost * i128::from(left) / i128::from(stance.held);
                    stance.held = left;
                }
            }
            StrategyEvent::Refused(refused) => {
                self.stances[usize::try_from(refused.tag).unwrap()].pending = false;
            }
            _ => {}
        }
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Vec<u8>, StrategyFault> {
        Ok(Vec::new())
    }
}

/// Everything allowed: what is compared is how orders fill.
fn config(model: FillModel, honest: bool) -> EngineConfig {
    let all = Bps(10_000);
    let default = EngineConfig::default();
    EngineConfig {
        starting_cash: Usd(100_000 * ONE),
        risk: RiskLimits {
            position_per_market: all,
            position_per_venue: all,
            daily_loss: all,
            drawdown: all,
            order_value_max: Usd(10_000 * ONE),
            profit_min: Usd::ZERO,
            edge_max: Usd(ONE),
            collar: Price(ONE),
            expiry_min: Nanos(0),
            ..default.risk
        },
        allocation: Allocation {
            share_max: all,
            ..default.allocation
        },
        execution: Execution {
            latency: Latency::Constant(if honest { Nanos::from_ms(50) } else { Nanos(0) }),
            fills: model,
        },
        ..default
    }
}

/// What a run came to.
#[derive(Debug, Default)]
struct Came {
    traded: usize,
    invested: Usd,
    fees: Usd,
    won: usize,
    pnl: Usd,
    refused: BTreeMap<&'static str, usize>,
}

fn play(folder: &Path, rules: Rules, model: FillModel) -> Came {
    let honest = model == FillModel::Honest;
    let all = Arc::new(recorded(folder, honest));
    let mut table = Table::new(config(model, honest), &all);
    let player = Player {
        rules,
        model,
        stances: vec![Stance::default(); all.specs.len()],
        all: Arc::clone(&all),
    };
    table.seat(player);
    let mut next = 0;
    while let Some(first) = all.shots.get(next) {
        // Shots of one market and time are known together before anybody acts on them, one by one.
        let same = |shot: &&Shot| (shot.at, shot.market) == (first.at, first.market);
        let end = next + all.shots[next..].iter().take_while(same).count();
        for shot in &all.shots[next..end] {
            let book = BookSnapshot {
                instrument: all.specs[shot.market].outcomes[shot.side].instrument,
                more: false,
                venue_time: shot.at,
                bids: shot.bids.clone(),
                asks: shot.asks.clone(),
            };
            table.step(first.at, Event::Snapshot(Box::new(book)));
        }
        for n in next..end {
            let tick = OracleTick {
                oracle: CLOCK,
                price: SpotPrice(n as i128 + 1),
                source_time: Timestamp(first.at.0 + (n - next) as u64),
            };
            table.step(first.at, Event::OracleTick(tick));
        }
        next = end;
    }
    table.settle(&all);
    table.came()
}

/// An engine and what it did.
struct Table {
    engine: Engine,
    seq: u64,
    at: Timestamp,
    effects: Vec<Effect>,
}

impl Table {
    fn new(config: EngineConfig, all: &Recorded) -> Self {
        let mut table = Self {
            engine: Engine::new(),
            seq: 0,
            at: all.shots[0].at,
            effects: Vec::new(),
        };
        table.step(table.at, Event::Configured(Box::new(config)));
        let clock = OracleSpec {
            id: CLOCK,
            source: "clock".into(),
            symbol: "shots".into(),
            proxy: None,
        };
        table.step(table.at, Event::OracleListed(Box::new(clock)));
        for spec in &all.specs {
            table.step(table.at, Event::MarketListed(Box::new(spec.clone())));
        }
        table
    }

    fn seat(&mut self, player: Player) {
        let id = StrategyId(1);
        self.engine.install(id, Box::new(player));
        let manifest = Manifest {
            name: "rules".into(),
            version: "1".into(),
            topics: Topics {
                oracle_ticks: true,
                ..Topics::default()
            },
        };
        let kind = StrategyChangeKind::Loaded {
            manifest,
            digest: [0; 32],
            generation: 1,
            params: Vec::new(),
            restored: false,
        };
        let change = StrategyChange { id, kind };
        self.step(self.at, Event::Strategy(Box::new(change)));
    }

    fn step(&mut self, at: Timestamp, event: Event) {
        self.seq += 1;
        self.at = at;
        let record = Record {
            seq: Seq(self.seq),
            at,
            event,
        };
        self.engine.step(&record, &mut self.effects);
    }

    fn settle(&mut self, all: &Recorded) {
        for (spec, payouts) in all.specs.iter().zip(&all.payouts) {
            let resolution = Resolution {
                market: spec.id,
                payouts: payouts.clone(),
                evidence: "recorded payouts".into(),
            };
            let at = self.at.max(spec.closes_at).plus(Nanos::from_ms(1_000));
            self.step(at, Event::Resolved(Box::new(resolution)));
        }
    }

    fn came(&self) -> Came {
        let mut came = Came::default();
        let mut by_market: BTreeMap<MarketId, i64> = BTreeMap::new();
        let mut market_of = BTreeMap::new();
        for effect in &self.effects {
            match effect {
                Effect::RecordTrade(trade) => {
                    let TradeRecord { id, market, .. } = **trade;
                    if let Some(why) = &trade.rejection {
                        *came.refused.entry(why.reason.code()).or_default() += 1;
                        continue;
                    }
                    market_of.insert(id, market);
                    by_market.entry(market).or_default();
                    came.invested.0 += trade.cost.0;
                }
                Effect::Abort(why) => panic!("{why}"),
                _ => {}
            }
        }
        // The last state of every row counts.
        let mut last = BTreeMap::new();
        for effect in &self.effects {
            if let Effect::UpdateTrade(update) = effect {
                last.insert(update.id, (update.realized_pnl.0, update.fees.0));
            }
        }
        for (id, (pnl, fees)) in last {
            *by_market.entry(market_of[&id]).or_default() += pnl;
            came.pnl.0 += pnl;
            came.fees.0 += fees;
        }
        came.traded = by_market.len();
        came.won = by_market.values().filter(|pnl| **pnl > 0).count();
        came
    }
}

/// To the nearest cent.
fn cents(amount: Usd) -> i64 {
    (amount.0 + 5_000).div_euclid(10_000)
}

#[test]
fn published_results_are_reproduced_to_the_cent() {
    let Some(data) = recordings("published_results_are_reproduced_to_the_cent") else {
        return;
    };
    let folder = data.join("polymarket/l2_btc15m_20260928");
    let (book, mid) = (FillModel::DecisionBook, FillModel::Mid);
    // Markets traded, invested, fees, markets won, profit: in cents.
    let published = [
        (
            "late_favorite",
            LATE_FAVOURITE,
            book,
            4,
            81_763,
            1_354,
            4,
            24_065,
        ),
        (
            "late_favorite",
            LATE_FAVOURITE,
            mid,
            4,
            100_000,
            1_785,
            4,
            32_551,
        ),
        (
            "early_underdog_scalp",
            EARLY_UNDERDOG,
            book,
            6,
            101_317,
            8_425,
            2,
            -16_365,
        ),
        (
            "early_underdog_scalp",
            EARLY_UNDERDOG,
            mid,
            6,
            150_000,
            13_019,
            3,
            -20_702,
        ),
    ];
    let played = published.map(|(name, rules, model, ..)| {
        let came = play(&folder, rules, model);
        println!("{name} {model:?}: {came:?}");
        (
            came.traded,
            cents(came.invested),
            cents(came.fees),
            came.won,
            cents(came.pnl),
        )
    });
    for (name, rules) in [
        ("late_favorite", LATE_FAVOURITE),
        ("early_underdog_scalp", EARLY_UNDERDOG),
    ] {
        let ours = play(&folder, rules, FillModel::Honest);
        println!("{name} under our rules: {ours:?}");
        assert!(ours.traded > 0, "{name}");
    }
    for ((name, _, model, traded, invested, fees, won, pnl), got) in published.iter().zip(played) {
        let published = (*traded, *invested, *fees, *won, *pnl);
        assert_eq!(got, published, "{name} {model:?}");
    }
}
