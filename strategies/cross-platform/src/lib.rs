//! cross-platform: buys YES on one venue and NO of the same question on another, for less than a dollar.
//!
//! It acts on the host's cross-platform opportunities. The two venues read the same source, but not
//! necessarily at the same instant or with the same rounding: the haircut is the price of that
//! difference. Both legs in equal shares, each whole or not at all. No pair of orders costs more than 1000
//! dollars, which is all it asks to be allowed.
//!
//! | setting        | default | meaning                                                         |
//! |----------------|---------|-----------------------------------------------------------------|
//! | `edge_min`     | 0.01    | least gain a pair after fees and haircut, in dollars            |
//! | `haircut`      | 0.01    | dollars a pair for the case that the venues decide differently  |
//! | `stake_max`    | 0.1     | largest share of the free capital in one pair of orders         |
//! | `exposure_max` | 300     | dollars that one outcome may cost in all                        |
//! | `seconds_min`  | 10      | no entry later than this before the close                       |

use pm_arb_sdk::keep::{Exposure, Grids, Taken};
use pm_arb_sdk::money::{ONE, over_down, times_down};
use pm_arb_sdk::state::{self, Writer};
use pm_arb_sdk::{
    Event, Host, Intent, IntentLeg, Opportunity, OpportunityKind, OpportunityLeg, Settings,
    Strategy, TimeInForce, Timestamp, Topics, Wants,
};

/// No pair of orders costs more, whatever the settings: what it asks the host for.
const ORDER_MAX: i64 = 1_000 * ONE;

/// The settings of the table above, in millionths.
struct Rules {
    edge_min: i64,
    haircut: i64,
    stake_max: i64,
    exposure_max: i64,
    seconds_min: i64,
}

/// The strategy.
pub struct CrossPlatform {
    rules: Rules,
    grids: Grids,
    taken: Taken,
    exposure: Exposure,
}

/// What a pair gains after fees and haircut, and what it costs: it pays one dollar.
fn edge_and_cost(rules: &Rules, a: &OpportunityLeg, b: &OpportunityLeg) -> Option<(i64, i64)> {
    let cost = a
        .price
        .checked_add(a.fee)?
        .checked_add(b.price)?
        .checked_add(b.fee)?;
    let edge = ONE.checked_sub(cost)?.checked_sub(rules.haircut)?;
    (edge >= rules.edge_min && cost > 0).then_some((edge, cost))
}

impl CrossPlatform {
    fn decide(&self, now: Timestamp, seen: &Opportunity) -> Option<Intent> {
        let [a, b] = seen.legs.as_slice() else {
            return None;
        };
        let seconds_left = i64::try_from(seen.closes_at.saturating_sub(now) / 1_000).ok()?;
        if seen.kind != OpportunityKind::CrossPlatform
            || a.market == b.market
            || self.taken.contains(seen.id)
            || seconds_left < self.rules.seconds_min
        {
            return None;
        }
        let (edge, cost) = edge_and_cost(&self.rules, a, b)?;
        let stake = times_down(seen.free_capital.max(0), self.rules.stake_max)?.min(ORDER_MAX);
        let wanted = over_down(stake, cost)?
            .min(self.room(a)?)
            .min(self.room(b)?)
            .min(seen.qty);
        let buy = |leg: &OpportunityLeg| IntentLeg {
            instrument: leg.instrument,
            buy: true,
            limit: leg.price,
        };
        Some(Intent {
            opportunity: Some(seen.id),
            tag: 0,
            legs: vec![buy(a), buy(b)],
            qty: self.grids.fit(seen, wanted)?,
            time_in_force: TimeInForce::Fok,
            expected_edge: edge,
        })
    }

    /// Shares of a leg that fit under the exposure and are offered.
    fn room(&self, leg: &OpportunityLeg) -> Option<i64> {
        let left = self.rules.exposure_max - self.exposure.cost(leg.instrument);
        Some(over_down(left, leg.price.checked_add(leg.fee)?)?.min(leg.qty))
    }
}

impl Strategy for CrossPlatform {
    const NAME: &'static str = "cross-platform";
    const TOPICS: Topics = Topics::MARKETS.union(Topics::CROSS_PLATFORM);
    // It needs both venues; what decides a market is the pair's business.
    const WANTS: Wants = Wants {
        venues: &["polymarket", "kalshi"],
        order_max: Some(ORDER_MAX),
        intents_per_second: Some(20),
        memory_kib: Some(8_192),
        ..Wants::ALL
    };

    fn new(settings: &mut Settings) -> Result<Self, String> {
        Ok(Self {
            rules: Rules {
                edge_min: settings.decimal("edge_min", 10_000, 0..=ONE)?,
                haircut: settings.decimal("haircut", 10_000, 0..=ONE)?,
                stake_max: settings.decimal("stake_max", 100_000, 0..=ONE)?,
                exposure_max: settings.decimal("exposure_max", 300 * ONE, 0..=1_000_000 * ONE)?,
                seconds_min: settings.decimal("seconds_min", 10 * ONE, 0..=86_400 * ONE)?,
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

pm_arb_sdk::export!(crate::CrossPlatform);

#[cfg(test)]
mod tests;
