//! Questions that the fair-value code answers when it is asked often: at which spot is nothing left, how
//! does the value run over the spot, and how likely is it that the oracle takes an edge back before an
//! order arrives.
//!
//! Owns the search by halves and nothing of the formulas.

use super::inputs::Inputs;
use super::money;
use crate::snapshot::Money;
use pm_arb_core::fair_value::{self, Calibration, Rate};
use pm_arb_core::ids::Nanos;
use pm_arb_core::market::FeeSchedule;
use pm_arb_core::units::{Price, SpotPrice, Usd};
use serde::Serialize;
use utoipa::ToSchema;

/// Halvings: enough for a hundredth of a millionth of the range.
const HALVINGS: u32 = 64;
/// Points of the curve over the spot.
const SPOT_STEPS: i128 = 60;
/// The curve reaches from where the model gives this probability to where it gives the rest.
const CURVE_FROM: Price = Price(5_000);

/// When the order arrives, and what may have happened by then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Arrival {
    /// From decision to the venue's door.
    pub latency_ms: u64,
    /// The venue's delay; absent when no rule says.
    pub venue_delay_ms: Option<u64>,
    /// Both.
    pub arrival_ms: Option<u64>,
    /// The spot at which nothing is left after fee and haircut at that moment.
    pub break_even_spot: Option<String>,
    /// How likely the oracle's value is still beyond that spot on arrival, by the model's own volatility.
    /// It says nothing of those who quote.
    pub oracle_still_there: Option<Money>,
    /// The spot at which the offered price is what the model says now: where the market stands still.
    pub spot_of_price: Option<String>,
    /// What the model said there, before the move.
    pub fair_before: Option<Money>,
}

/// A point of the curve over the spot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SpotPoint {
    /// The oracle's price, USD.
    pub spot: String,
    /// By the plain digital.
    pub digital: Money,
    /// By the model.
    pub model: Money,
    /// By model and market together.
    pub blend: Money,
}

/// What the model says of a spot with so much left.
fn model(inputs: &Inputs, spot: SpotPrice, left: Nanos) -> Option<Price> {
    let variance = Rate::annual(inputs.volatility).over(left);
    let distance = fair_value::digital(spot, inputs.strike, variance)?;
    Calibration::default().model(distance)
}

fn blend(model: Price, middle: Option<Price>) -> Price {
    middle.map_or(model, |book| Calibration::default().blend(model, book))
}

/// The lowest spot of which `enough` holds, which holds of all above it; `None` when it holds nowhere, or
/// everywhere.
fn lowest(inputs: &Inputs, enough: impl Fn(SpotPrice) -> Option<bool>) -> Option<SpotPrice> {
    let (mut low, mut high) = (inputs.strike.0 / 64, inputs.strike.0.checked_mul(64)?);
    if low <= 0 || enough(SpotPrice(low))? || !enough(SpotPrice(high))? {
        return None;
    }
    for _ in 0..HALVINGS {
        let middle = low + (high - low) / 2;
        if enough(SpotPrice(middle))? {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(SpotPrice(high))
}

/// The spot at which the model gives a probability.
fn spot_of(inputs: &Inputs, p: Price) -> Option<SpotPrice> {
    lowest(inputs, |spot| Some(model(inputs, spot, inputs.left)? >= p))
}

pub(super) fn arrival(
    inputs: &Inputs,
    fee: FeeSchedule,
    delay: Option<Nanos>,
    haircut: Usd,
    middle: Option<Price>,
) -> Arrival {
    let travel = delay.map(|delay| Nanos(inputs.latency.0.saturating_add(delay.0)));
    let before_close = travel.filter(|travel| *travel < inputs.left);
    let break_even = before_close.and_then(|travel| {
        let left = Nanos(inputs.left.0 - travel.0);
        let costs = Usd(inputs.price.0).checked_add(fee.per_share(inputs.price)?)?;
        let costs = Price(costs.checked_add(haircut)?.0);
        lowest(inputs, |spot| {
            Some(blend(model(inputs, spot, left)?, middle) >= costs)
        })
    });
    let still = break_even.zip(before_close).and_then(|(spot, travel)| {
        let variance = Rate::annual(inputs.volatility).over(travel);
        let distance = fair_value::digital(inputs.spot, spot, variance)?;
        Calibration::default().model(distance)
    });
    let spot_of_price = spot_of(inputs, inputs.price);
    let before = spot_of_price.and_then(|spot| model(inputs, spot, inputs.left));
    Arrival {
        latency_ms: inputs.latency.ms(),
        venue_delay_ms: delay.map(Nanos::ms),
        arrival_ms: travel.map(Nanos::ms),
        break_even_spot: break_even.map(cents),
        oracle_still_there: still.map(money),
        spot_of_price: spot_of_price.map(cents),
        fair_before: before.map(money),
    }
}

/// Cut to millionths of a dollar: what the search found has no more to say.
fn cents(spot: SpotPrice) -> String {
    SpotPrice(spot.0 - spot.0 % 1_000_000_000_000).to_string()
}

pub(super) fn by_spot(inputs: &Inputs, middle: Option<Price>) -> Vec<SpotPoint> {
    let ends = [CURVE_FROM, CURVE_FROM.complement()].map(|p| spot_of(inputs, p));
    let given = [Some(inputs.spot), Some(inputs.strike)];
    let all = || ends.iter().chain(&given).flatten().copied();
    let (Some(low), Some(high)) = (all().min(), all().max()) else {
        return Vec::new();
    };
    let step = (high.0 - low.0) / SPOT_STEPS;
    let point = |i: i128| {
        let spot = SpotPrice(low.0 + step * i);
        let variance = Rate::annual(inputs.volatility).over(inputs.left);
        let distance = fair_value::digital(spot, inputs.strike, variance)?;
        let model = Calibration::default().model(distance)?;
        Some(SpotPoint {
            spot: cents(spot),
            digital: money(distance.normal()?),
            model: money(model),
            blend: money(blend(model, middle)),
        })
    };
    (0..=SPOT_STEPS).filter_map(point).collect()
}
