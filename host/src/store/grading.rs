//! The rows beside the trades: wishes as they were judged, their grades, markets, counts.
//!
//! Owns the columns of the tables of migration 0002 and how the engine's records become them. It talks
//! to no database.

use super::StoreError;
use super::field::{TableRow, row};
use super::row::{Side, opportunity_key, storable};
use pm_arb_core::effect::{DenialCount, IntentLegRecord, IntentRecord, MarketRecord};
use pm_arb_core::ids::{Seq, Timestamp, Venue};
use pm_arb_core::opportunity::OpportunityKind;
use pm_arb_core::units::{Price, Qty, Usd};
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CountKind {
    /// Inputs that could not be used, by reason.
    InputRefused,
    /// Looks of the scanner that led to nothing, by reason.
    NoOpportunity,
    /// Episodes of edges, by opportunity type.
    Opportunities,
    /// Silences of a minute and more, by stream.
    Silence,
    /// Parts of the stages of the funnel.
    Funnel,
}

impl CountKind {
    /// Every kind.
    pub const ALL: [CountKind; 5] = [
        CountKind::InputRefused,
        CountKind::NoOpportunity,
        CountKind::Opportunities,
        CountKind::Silence,
        CountKind::Funnel,
    ];

    /// The name used in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            CountKind::InputRefused => "input_refused",
            CountKind::NoOpportunity => "no_opportunity",
            CountKind::Opportunities => "opportunities",
            CountKind::Silence => "silence",
            CountKind::Funnel => "funnel",
        }
    }
}

/// A table that takes whole rows.
pub(super) trait Table: TableRow {
    /// Its name.
    const NAME: &'static str;
    /// The columns of its primary key.
    const KEY: &'static [&'static str];
    /// Whether a row is replaced by a newer state of it (by `updated_seq`); otherwise it stands.
    const REPLACED: bool;
}

row! {
    /// A row of `paper_intents`: a wish as it was judged.
    pub struct StoredIntent {
        /// The run it belongs to.
        run_id: Uuid,
        /// Its number in the run.
        intent_id: String,
        /// The journal record that caused it.
        seq: Seq,
        /// When it was decided.
        created_ns: Timestamp,
        /// The strategy's name.
        strategy_id: String,
        /// Acted on; unique across runs.
        opportunity_id: String,
        /// Its family.
        opportunity_type: OpportunityKind,
        /// The opportunity as the scanner saw it, as JSON.
        opportunity: Option<String>,
        /// "fak", "fok", "gtc" or "gtd".
        time_in_force: String,
        /// Shares of every leg, as wished.
        requested_quantity: Qty,
        /// As approved.
        approved_quantity: Option<Qty>,
        /// Why it was denied.
        rejection_reason: Option<String>,
        /// The limit that applied.
        rejection_limit: Option<String>,
        /// What was observed against it.
        rejection_observed: Option<String>,
        /// Claimed gain per share.
        expected_edge: Usd,
        /// SHA-256 of the effect that made the row and its legs.
        payload_hash: [u8; 32],
    }
}

row! {
    /// A row of `paper_grades`: one leg of a wish, and its grades when it was approved.
    pub struct StoredGrade {
        /// The run it belongs to.
        run_id: Uuid,
        /// The wish.
        intent_id: String,
        /// Which leg.
        leg: u16,
        /// The run's number of the market.
        market_number: u32,
        /// The venue's name of the market.
        market_id: String,
        /// The run's number of the outcome.
        instrument_number: u32,
        /// Name of the outcome.
        outcome: String,
        /// Bought or sold.
        side: Side,
        /// Worst acceptable price.
        limit_price: Price,
        /// Best bid of the decision's book.
        bid_price: Option<Price>,
        /// Its size.
        bid_quantity: Option<Qty>,
        /// Best ask of the decision's book.
        ask_price: Option<Price>,
        /// Its size.
        ask_quantity: Option<Qty>,
        /// Booked at the requested price: shares.
        naive_quantity: Option<Qty>,
        /// Price.
        naive_price: Option<Price>,
        /// Dollars.
        naive_value: Option<Usd>,
        /// Fee.
        naive_fee: Option<Usd>,
        /// Booked at the middle of the book: shares.
        mid_quantity: Option<Qty>,
        /// Price.
        mid_price: Option<Price>,
        /// Dollars.
        mid_value: Option<Usd>,
        /// Fee.
        mid_fee: Option<Usd>,
    }
}

row! {
    /// A row of `paper_markets`: where a market stands.
    pub struct StoredMarket {
        /// The run it belongs to.
        run_id: Uuid,
        /// The run's number of it.
        market_number: u32,
        /// Where.
        venue: Venue,
        /// The venue's name of it.
        market_id: String,
        /// Readable name.
        market_slug: String,
        /// What kind of question it is.
        market_family: String,
        /// When it closes.
        closes_ns: Timestamp,
        /// Its state.
        status: String,
        /// `[[instrument number, name, payout in millionths or null], …]`
        outcomes: String,
        /// What the state rests on.
        evidence: String,
        /// Since when.
        since_ns: Timestamp,
        /// The journal record of this state.
        updated_seq: Seq,
    }
}

row! {
    /// A row of `paper_denials`: denied wishes without rows of their own, by minute.
    pub struct StoredDenials {
        /// The run it belongs to.
        run_id: Uuid,
        /// The strategy's name.
        strategy_id: String,
        /// Why.
        reason: String,
        /// Start of the minute.
        minute_ns: Timestamp,
        /// Wishes.
        wishes: u64,
        /// Their legs with a market.
        legs: u64,
        /// The journal record of this state.
        updated_seq: Seq,
    }
}

row! {
    /// A row of `paper_counts`.
    pub struct StoredCount {
        /// The run it belongs to.
        run_id: Uuid,
        /// What is counted.
        kind: CountKind,
        /// Which.
        name: String,
        /// How often.
        count: u64,
        /// The journal record up to which was counted.
        updated_seq: Seq,
    }
}

impl Table for StoredIntent {
    const NAME: &'static str = "paper_intents";
    const KEY: &'static [&'static str] = &["run_id", "intent_id"];
    const REPLACED: bool = false;
}

impl Table for StoredGrade {
    const NAME: &'static str = "paper_grades";
    const KEY: &'static [&'static str] = &["run_id", "intent_id", "leg"];
    const REPLACED: bool = false;
}

impl Table for StoredMarket {
    const NAME: &'static str = "paper_markets";
    const KEY: &'static [&'static str] = &["run_id", "market_number"];
    const REPLACED: bool = true;
}

impl Table for StoredDenials {
    const NAME: &'static str = "paper_denials";
    const KEY: &'static [&'static str] = &["run_id", "strategy_id", "reason", "minute_ns"];
    const REPLACED: bool = true;
}

impl Table for StoredCount {
    const NAME: &'static str = "paper_counts";
    const KEY: &'static [&'static str] = &["run_id", "kind", "name"];
    const REPLACED: bool = true;
}

impl StoredIntent {
    pub(super) fn of(run_id: Uuid, intent: &IntentRecord) -> Result<Self, StoreError> {
        let hash = |source| StoreError::HashIntent {
            intent: intent.id.to_string(),
            source,
        };
        let payload = postcard::to_stdvec(intent).map_err(hash)?;
        let seen = intent.seen.as_ref().map(serde_json::to_string).transpose();
        let rejection = intent.verdict.as_ref().err();
        Ok(Self {
            run_id,
            intent_id: intent.id.to_string(),
            seq: intent.id.seq,
            created_ns: intent.at,
            strategy_id: intent.strategy_name.clone(),
            opportunity_id: opportunity_key(run_id, intent.opportunity),
            opportunity_type: intent.kind,
            opportunity: seen.map_err(|source| StoreError::Json {
                intent: intent.id.to_string(),
                source,
            })?,
            time_in_force: intent.time_in_force.clone(),
            requested_quantity: intent.qty,
            approved_quantity: intent.verdict.as_ref().ok().copied(),
            rejection_reason: rejection.map(|r| r.reason.code().to_owned()),
            rejection_limit: rejection.map(|r| r.limit.clone()),
            rejection_observed: rejection.map(|r| r.observed.clone()),
            expected_edge: intent.expected_edge,
            payload_hash: Sha256::digest(&payload).into(),
        })
    }
}

impl StoredGrade {
    pub(super) fn of(run_id: Uuid, intent: &IntentRecord) -> Vec<Self> {
        let of_leg = |leg: &IntentLegRecord| {
            let (naive, mid) = (leg.naive, leg.mid);
            Self {
                run_id,
                intent_id: intent.id.to_string(),
                leg: leg.leg,
                market_number: leg.market.0,
                market_id: leg.market_native_id.clone(),
                instrument_number: leg.instrument.0,
                outcome: leg.outcome.clone(),
                side: if leg.buy { Side::Buy } else { Side::Sell },
                limit_price: leg.limit,
                bid_price: leg.bid.map(|b| b.0),
                bid_quantity: leg.bid.map(|b| b.1),
                ask_price: leg.ask.map(|a| a.0),
                ask_quantity: leg.ask.map(|a| a.1),
                naive_quantity: naive.map(|g| g.qty),
                naive_price: naive.map(|g| g.price),
                naive_value: naive.map(|g| g.value),
                naive_fee: naive.map(|g| g.fee),
                mid_quantity: mid.map(|g| g.qty),
                mid_price: mid.map(|g| g.price),
                mid_value: mid.map(|g| g.value),
                mid_fee: mid.map(|g| g.fee),
            }
        };
        intent.legs.iter().map(of_leg).collect()
    }
}

impl StoredMarket {
    pub(super) fn of(run_id: Uuid, cause: Seq, market: &MarketRecord) -> Self {
        let outcomes = market
            .outcomes
            .iter()
            .map(|(instrument, name, payout)| json!([instrument.0, name, payout.map(|p| p.0)]))
            .collect();
        Self {
            run_id,
            market_number: market.market.0,
            venue: market.venue,
            market_id: market.native_id.clone(),
            market_slug: market.slug.clone(),
            market_family: market.family.clone(),
            closes_ns: storable(market.closes_at),
            status: market.status.as_str().to_owned(),
            outcomes: serde_json::Value::Array(outcomes).to_string(),
            evidence: market.evidence.clone(),
            since_ns: market.at,
            updated_seq: cause,
        }
    }
}

impl StoredDenials {
    pub(super) fn of(run_id: Uuid, cause: Seq, count: &DenialCount) -> Self {
        Self {
            run_id,
            strategy_id: count.strategy_name.clone(),
            reason: count.reason.code().to_owned(),
            minute_ns: count.minute,
            wishes: count.wishes,
            legs: count.legs,
            updated_seq: cause,
        }
    }
}
