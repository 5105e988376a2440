//! oracle-sniper: buys an outcome whose ask has not followed the oracle yet.
//!
//! It acts on the host's oracle-lag opportunities. One entry each, at the ask it was seen at, when
//! `fair − ask − fee − haircut ≥ edge_min`; sized by a fraction of Kelly, within what is offered, what
//! is free and what one outcome may cost. No order costs more than 500 dollars, which is all it asks to be
//! allowed.
//!
//! | setting          | default | meaning                                                          |
//! |------------------|---------|------------------------------------------------------------------|
//! | `edge_min`       | 0.01    | least gain a share after all costs, in dollars                   |
//! | `haircut`        | 0.01    | taken off the model's probability: it is not that sure           |
//! | `kelly_fraction` | 0.25    | share of the Kelly stake that is bet                             |
//! | `stake_max`      | 0.05    | largest share of the free capital in one order                   |
//! | `exposure_max`   | 200     | dollars that one outcome may cost in all                         |
//! | `seconds_min`    | 5       | no entry later than this before the close                        |

use pm_arb_sdk::keep::{Exposure, Grids, Taken};
use pm_arb_sdk::money::{ONE, over_down, times_down};
use pm_arb_sdk::state::{self, Writer};
use pm_arb_sdk::{
    Event, Host, Intent, IntentLeg, Opportunity, OpportunityKind, Settings, Strategy, TimeInForce,
    Timestamp, Topics, Wants,
};

/// No order costs more, whatever the settings: what it asks the host for.
const ORDER_MAX: i64 = 500 * ONE;

/// The settings of the table above, in millionths.
struct Rules {
    edge_min: i64,
    haircut: i64,
    kelly_fraction: i64,
    stake_max: i64,
    exposure_max: i64,
    seconds_min: i64,
}

/// The strategy.
pub struct OracleSniper {
    rules: Rules,
    grids: Grids,
    taken: Taken,
    exposure: Exposure,
}

/// What a share is expected to gain after all costs, and the capital it needs.
fn edge_and_cost(rules: &Rules, fair: i64, ask: i64, fee: i64) -> Option<(i64, i64)> {
    let cost = ask.checked_add(fee)?;
    let edge = fair.checked_sub(rules.haircut)?.checked_sub(cost)?;
    (edge >= rules.edge_min && cost > 0 && cost < ONE).then_some((edge, cost))
}

/// The stake for a share that costs `cost` and is worth `cost + edge` on average: the Kelly share
/// of the capital is `edge ÷ (1 − cost)`, of which the rules bet a fraction, up to a cap.
fn stake(rules: &Rules, edge: i64, cost: i64, free_capital: i64) -> Option<i64> {
    let kelly = over_down(edge, ONE.checked_sub(cost)?)?;
    let share = times_down(kelly, rules.kelly_fraction)?.min(rules.stake_max);
    times_down(free_capital.max(0), share)
}

impl OracleSniper {
    fn decide(&self, now: Timestamp, seen: &Opportunity) -> Option<Intent> {
        let [leg] = seen.legs.as_slice() else {
            return None;
        };
        let seconds_left = i64::try_from(seen.closes_at.saturating_sub(now) / 1_000).ok()?;
        if seen.kind != OpportunityKind::OracleLag
            || self.taken.contains(seen.id)
            || seconds_left < self.rules.seconds_min
        {
            return None;
        }
        let (edge, cost) = edge_and_cost(&self.rules, leg.fair?, leg.price, leg.fee)?;
        let room = self.rules.exposure_max - self.exposure.cost(leg.instrument);
        let stake = stake(&self.rules, edge, cost, seen.free_capital)?
            .min(room)
            .min(ORDER_MAX);
        let wanted = over_down(stake, cost)?.min(seen.qty).min(leg.qty);
        Some(Intent {
            opportunity: Some(seen.id),
            tag: 0,
            legs: vec![IntentLeg {
                instrument: leg.instrument,
                buy: true,
                limit: leg.price,
            }],
            qty: self.grids.fit(seen, wanted)?,
            time_in_force: TimeInForce::Fak,
            expected_edge: edge,
        })
    }
}

impl Strategy for OracleSniper {
    const NAME: &'static str = "oracle-sniper";
    const TOPICS: Topics = Topics::MARKETS.union(Topics::ORACLE_LAG);
    const WANTS: Wants = Wants {
        families: Wants::ORACLE_FAMILIES,
        order_max: Some(ORDER_MAX),
        // Many markets of one asset may lag at once.
        intents_per_second: Some(20),
        memory_kib: Some(8_192),
        ..Wants::ALL
    };

    fn new(settings: &mut Settings) -> Result<Self, String> {
        Ok(Self {
            rules: Rules {
                edge_min: settings.decimal("edge_min", 10_000, 0..=ONE)?,
                haircut: settings.decimal("haircut", 10_000, 0..=ONE)?,
                kelly_fraction: settings.decimal("kelly_fraction", 250_000, 0..=ONE)?,
                stake_max: settings.decimal("stake_max", 50_000, 0..=ONE)?,
                exposure_max: settings.decimal("exposure_max", 200 * ONE, 0..=1_000_000 * ONE)?,
                seconds_min: settings.decimal("seconds_min", 5 * ONE, 0..=86_400 * ONE)?,
            },
            grids: Grids::default(),
            taken: Taken::default(),
            exposure: Exposure::default(),
        })
    }

    fn on_event(&mut self, now: Timestamp, event: &Event, host: &mut dyn Host) {
        self.grids.hear(event);
        self.exposure.hear(event);
        if let Event::Opportunity(seen) = event
            && let Some(intent) = self.decide(now, seen)
            && host.submit(&intent)
        {
            self.taken.insert(seen.id);
        }
    }

    fn snapshot(&self) -> Vec<u8> {
        let mut out = Writer::new(Self::NAME, Self::STATE);
        self.taken.write(&mut out);
        self.exposure.write(&mut out);
        out.into_bytes()
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), String> {
        for words in state::read(Self::NAME, Self::STATE, bytes)? {
            match words.as_slice() {
                ["taken", seq, n] => self.taken.read(seq, n)?,
                ["held", instrument, qty, cost] => self.exposure.read(instrument, qty, cost)?,
                other => return Err(state::unknown(other)),
            }
        }
        Ok(())
    }
}

pm_arb_sdk::export!(crate::OracleSniper);

#[cfg(test)]
mod tests;
