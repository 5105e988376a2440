//! How It Works in numbers: one situation, worked through by the code that trades.
//!
//! ```text
//! query ─► inputs ─┬─► stage: the engine with one oracle, one market, one book ─► what the scanner says
//!                  ├─► rulebook of the day ─► fee, delay, minimum, tick
//!                  └─► paper executor ─► what a fill costs ─► what it pays
//! ```
//!
//! Owns the order of the questions and the shape of the answer, which the page draws and the API sends.
//! Every probability is the fair-value code's, every fee the venue rule's, every fill the executor's; what
//! is unknown is absent, with its reason, and never a number.

pub mod inputs;
mod solve;
mod stage;
#[cfg(test)]
mod tests;
mod trade;

pub use solve::{Arrival, SpotPoint};
pub use trade::{Basket, OddsPoint, Trade};

use crate::snapshot::{Judged, Money, Shares};
use inputs::Inputs;
use pm_arb_core::fair_value::{self, Calibration, Rate, TimeLeft};
use pm_arb_core::ids::{Nanos, Timestamp, Venue};
use pm_arb_core::market::FeeSchedule;
use pm_arb_core::reason::Reason;
use pm_arb_core::rulebook::{Day, Family, Rulebook, Subject, Table};
use pm_arb_core::units::{Price, Usd};
use serde::Serialize;
use stage::Stage;
use utoipa::ToSchema;

/// Times left at which the same situation is shown again, in seconds.
pub const HORIZONS: [u64; 5] = [900, 3_600, 3 * 3_600, 6 * 3_600, 86_400];
/// The kind of market whose rows are asked for where a venue's rules differ by kind.
const KALSHI_FEE_KIND: &str = "quadratic";
const KALSHI_TICK_KIND: &str = "linear_cent";

/// One situation, worked through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Worked {
    /// What was asked, as it was read.
    pub asked: Asked,
    /// The venue's rules of that day.
    pub rules: Rules,
    /// What YES is worth.
    pub fair: Fair,
    /// The same with other times left.
    pub horizons: Vec<Horizon>,
    /// What the scanner makes of the offer.
    pub verdict: Verdict,
    /// What buying comes to; absent with the reason in `trade_refused`.
    pub trade: Option<Trade>,
    /// Why there is no trade.
    pub trade_refused: Option<Refused>,
    /// When the order arrives, and what may have happened by then.
    pub arrival: Arrival,
    /// Fair value against the spot.
    pub by_spot: Vec<SpotPoint>,
    /// Baskets that pay a dollar whatever happens, by the day's fee.
    pub baskets: Vec<Basket>,
}

/// What was asked, as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Asked {
    /// The oracle's price, USD.
    pub spot: String,
    /// The threshold, USD.
    pub strike: String,
    /// Basis points a year.
    pub volatility_bps: i32,
    /// Seconds until the close.
    pub left_secs: u64,
    /// Best ask of YES.
    pub price: Money,
    /// Best bid of YES.
    pub bid: Option<Money>,
    /// Shares.
    pub qty: Shares,
    /// Where.
    pub venue: &'static str,
    /// Day of the rules.
    pub day: String,
}

/// A venue's rules of a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Rules {
    /// What takers pay.
    pub fee: Rule,
    /// How long a taker order is held.
    pub delay: Rule,
    /// Smallest order.
    pub minimum: Rule,
    /// Step of prices.
    pub tick: Rule,
    /// The fee's history, with what one share at this price paid.
    pub fees_by_date: Vec<DatedFee>,
    /// What of the asked order breaks a rule: each with its code.
    pub broken: Vec<Refused>,
}

/// A rule in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Rule {
    /// `None`: nobody knows, and orders that need it are refused.
    pub says: Option<String>,
    /// Which row told.
    pub rule: String,
    /// Where the row was read or measured.
    pub source: Option<String>,
}

/// A fee from a date on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DatedFee {
    /// From this day.
    pub from: String,
    /// The formula; `null` when nobody knows.
    pub says: Option<String>,
    /// What one share at the asked price pays.
    pub per_share: Option<Money>,
    /// Where it was read.
    pub source: String,
    /// Whether it is the one in force on the asked day.
    pub in_force: bool,
}

/// A refusal by its code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Refused {
    /// The code.
    pub code: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

/// What YES is worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Fair {
    /// By the plain digital.
    pub digital: Money,
    /// By the model, before any outcome taught it anything.
    pub model: Money,
    /// Middle of the book; absent without a bid, or when the book is too wide.
    pub middle: Option<Money>,
    /// By both.
    pub blend: Money,
    /// The model's laws, one by one.
    pub laws: Vec<LawSays>,
}

/// One law of the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LawSays {
    /// Which.
    pub law: &'static str,
    /// The probability it gives.
    pub says: Money,
    /// How much its word counts before any outcome.
    pub weight: Money,
}

/// The same situation with another time left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Horizon {
    /// Seconds.
    pub left_secs: u64,
    /// By the plain digital.
    pub digital: Money,
    /// By the model.
    pub model: Money,
}

/// What the scanner makes of the offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Verdict {
    /// `opportunity`, `no_edge`, or the code of a reason.
    pub code: &'static str,
    /// In words.
    pub meaning: &'static str,
    /// Step by step; absent when nothing could be judged.
    pub judged: Option<Judged>,
    /// The model alone less price and fee: beyond `edge_max` nothing is believed.
    pub unblended: Option<Money>,
    /// Least edge a share that is reported.
    pub edge_min: Money,
    /// Largest that is believed.
    pub edge_max: Money,
}

impl From<Reason> for Refused {
    fn from(reason: Reason) -> Self {
        Self {
            code: reason.code(),
            meaning: reason.meaning().trim(),
        }
    }
}

/// A price, and so a probability, in dollars.
pub(crate) fn money(price: Price) -> Money {
    Money(Usd(price.0))
}

/// Works a situation through. A refusal is one of the program's own: the situation is none that it can
/// judge.
pub fn work(inputs: &Inputs, book: &Rulebook) -> Result<Worked, Refused> {
    let at = stage::instant(inputs);
    let fee_of = fee_subject(inputs.venue);
    let fee = book.taker_fees.on(&fee_of, at).says;
    let delay_rule = book.taker_delays.on(&plain_subject(inputs.venue), at).says;
    let delay = inputs.delay.or(delay_rule);
    // An unknown fee is what the engine is told, too: it refuses the order by itself.
    let schedule = fee.unwrap_or(FeeSchedule::Unknown);
    let stage = Stage::set(inputs, schedule);
    let estimate = stage.estimate()?;
    let offer = stage.offer();
    let calibration = Calibration::default();
    let rate = Rate::annual(inputs.volatility);
    let distance = fair_value::digital(inputs.spot, inputs.strike, rate.over(inputs.left));
    let laws = distance.and_then(|d| calibration.opinions(d));
    let laws = laws.ok_or(Reason::RiskError)?;
    let horizons = HORIZONS
        .iter()
        .map(|secs| horizon(inputs, &calibration, *secs));
    let horizons: Option<Vec<_>> = horizons.collect();
    let trade = trade::buy(inputs, schedule, delay, estimate.fair, estimate.model);
    let haircut = calibration.haircut(TimeLeft::of(inputs.left));
    let (trade, trade_refused) = match trade {
        Ok(trade) => (Some(trade), None),
        Err(reason) => (None, Some(reason.into())),
    };
    Ok(Worked {
        asked: asked(inputs),
        rules: rules(inputs, book, at, &fee_of),
        fair: Fair {
            digital: money(estimate.digital),
            model: money(estimate.model),
            middle: estimate.book.map(money),
            blend: money(estimate.fair),
            laws: laws
                .iter()
                .map(|opinion| LawSays {
                    law: opinion.law,
                    says: money(opinion.says),
                    weight: money(opinion.weight),
                })
                .collect(),
        },
        horizons: horizons.ok_or(Reason::RiskError)?,
        verdict: verdict(inputs, &offer),
        trade,
        trade_refused,
        arrival: solve::arrival(inputs, schedule, delay, haircut, estimate.book),
        by_spot: solve::by_spot(inputs, estimate.book),
        baskets: trade::baskets(inputs.venue, schedule, book, at),
    })
}

fn horizon(inputs: &Inputs, calibration: &Calibration, secs: u64) -> Option<Horizon> {
    let left = Nanos::from_ms(secs.checked_mul(1_000)?);
    let variance = Rate::annual(inputs.volatility).over(left);
    let distance = fair_value::digital(inputs.spot, inputs.strike, variance)?;
    Some(Horizon {
        left_secs: secs,
        digital: money(distance.normal()?),
        model: money(calibration.model(distance)?),
    })
}

fn verdict(inputs: &Inputs, offer: &Result<pm_arb_core::scanner::Offer, Reason>) -> Verdict {
    let config = stage::config(inputs);
    let (code, meaning) = match offer.as_ref().map(|offer| offer.verdict) {
        Ok(Ok(true)) => (
            "opportunity",
            "The scanner reports it; whether anybody buys is for strategies and the risk guardian to say.",
        ),
        Ok(Ok(false)) => (
            "no_edge",
            "Too little is left after fee and haircut: nothing is reported.",
        ),
        Ok(Err(reason)) => (reason.code(), reason.meaning().trim()),
        Err(reason) => (reason.code(), reason.meaning().trim()),
    };
    let offer = offer.as_ref().ok();
    Verdict {
        code,
        meaning,
        judged: offer.map(Judged::of),
        unblended: offer.map(|offer| Money(offer.worth.unblended)),
        edge_min: Money(config.scanner.edge_min),
        edge_max: Money(config.risk.edge_max),
    }
}

fn asked(inputs: &Inputs) -> Asked {
    Asked {
        spot: inputs.spot.to_string(),
        strike: inputs.strike.to_string(),
        volatility_bps: inputs.volatility.0,
        left_secs: inputs.left.0 / 1_000_000_000,
        price: money(inputs.price),
        bid: inputs.bid.map(money),
        qty: Shares(inputs.qty),
        venue: inputs.venue.as_str(),
        day: Day(inputs.day).to_string(),
    }
}

/// Crypto markets of a venue, of the kind that a fee is asked for.
pub(crate) fn fee_subject(venue: Venue) -> Subject {
    match venue {
        Venue::Polymarket => plain_subject(venue),
        Venue::Kalshi => Subject::kind(venue, Family::Crypto, KALSHI_FEE_KIND),
    }
}

fn plain_subject(venue: Venue) -> Subject {
    Subject::of(venue, Family::Crypto)
}

fn rules(inputs: &Inputs, book: &Rulebook, at: Timestamp, fee_of: &Subject) -> Rules {
    let plain = plain_subject(inputs.venue);
    let grid = match inputs.venue {
        Venue::Polymarket => plain.clone(),
        Venue::Kalshi => Subject::kind(inputs.venue, Family::Crypto, KALSHI_TICK_KIND),
    };
    let fees = &book.taker_fees;
    let in_force = fees.row_on(fee_of, at).map(|(from, _)| from);
    let dated = fees.rows(fee_of).map(|(from, row)| DatedFee {
        from: Day(from).to_string(),
        says: row.says.as_ref().map(crate::rulebook::fee_in_words),
        per_share: row
            .says
            .and_then(|fee| fee.per_share(inputs.price))
            .map(Money),
        source: row.source.clone(),
        in_force: in_force == Some(from),
    });
    let mut broken = Vec::new();
    if book
        .minimums
        .on(&plain, at)
        .says
        .is_some_and(|min| inputs.qty < min)
    {
        broken.push(Reason::BelowMinimum.into());
    }
    let off_tick =
        |price: Price, grid: &pm_arb_core::rulebook::Grid| !price.is_on_tick(grid.tick_at(price));
    let ticks = book.ticks.on(&grid, at).says;
    if ticks.is_some_and(|grid| off_tick(inputs.price, &grid)) {
        broken.push(Reason::OffTick.into());
    }
    Rules {
        fee: rule(fees, fee_of, at, crate::rulebook::fee_in_words),
        delay: rule(&book.taker_delays, &plain, at, |d| format!("{} ms", d.ms())),
        minimum: rule(&book.minimums, &plain, at, |qty| format!("{qty} shares")),
        tick: rule(&book.ticks, &grid, at, ToString::to_string),
        fees_by_date: dated.collect(),
        broken,
    }
}

fn rule<T: Clone>(
    table: &Table<Subject, T>,
    of: &Subject,
    at: Timestamp,
    words: impl Fn(&T) -> String,
) -> Rule {
    let told = table.on(of, at);
    Rule {
        says: told.says.as_ref().map(words),
        rule: told.rule,
        source: table.row_on(of, at).map(|(_, row)| row.source.clone()),
    }
}
