//! Trades as the engine would record them, for tests of what happens to them afterwards.

use pm_arb_core::effect::{Rejection, TradeRecord, TradeStatus, TradeUpdate};
use pm_arb_core::ids::{
    InstrumentId, IntentId, MarketId, Nanos, OpportunityId, Seq, StrategyId, Timestamp, TradeId,
    Venue,
};
use pm_arb_core::opportunity::OpportunityKind;
use pm_arb_core::reason::Reason;
use pm_arb_core::units::{Price, Qty, Usd};

/// A bought leg: 5 shares of `Up` at 0.48, from record `seq`, of an opportunity of its own.
pub fn bought(seq: u64, n: u16) -> TradeRecord {
    let at = Timestamp(1_790_000_000_123_456_789 + seq * 1_000_000_000);
    TradeRecord {
        id: TradeId { seq: Seq(seq), n },
        at,
        opportunity: OpportunityId { seq: Seq(seq), n },
        kind: OpportunityKind::OracleLag,
        intent: IntentId {
            seq: Seq(seq),
            n: 0,
        },
        leg: n,
        fill: 0,
        venue: Venue::Polymarket,
        market: MarketId(7),
        market_native_id: "0xc0ffee".into(),
        market_slug: "btc-updown-15m-1790000000".into(),
        instrument: InstrumentId(14),
        outcome: "Up".into(),
        buy: true,
        requested_qty: Qty(6_500_000),
        qty: Qty(5_000_000),
        price: Price(480_000),
        cost: Usd(2_400_000),
        fees: Usd(87_360),
        expected_edge: Usd(31_250),
        strategy: StrategyId(0),
        strategy_name: "oracle-sniper".into(),
        strategy_version: "1.2.0".into(),
        strategy_digest: [0xab; 32],
        generation: 3,
        risk_approved: true,
        rejection: None,
        status: TradeStatus::Open,
        decided_at: Timestamp(at.0 - 300_000_000),
        arrived_at: at,
        decision_book_age: Nanos(41_000_001),
        fill_book_age: Nanos(7_000_003),
        book_epoch: 2,
        market_family: "up-down 15m".into(),
        closes_at: at,
        fee_rule: "rulebook".into(),
        maker: false,
        levels: Vec::new(),
    }
}

/// The same leg, refused.
pub fn refused(seq: u64, n: u16, reason: Reason, by_risk: bool) -> TradeRecord {
    TradeRecord {
        qty: Qty(0),
        cost: Usd(0),
        fees: Usd(0),
        risk_approved: !by_risk,
        rejection: Some(Rejection {
            reason,
            limit: "5000 ms".into(),
            observed: "7310 ms".into(),
        }),
        status: TradeStatus::Rejected,
        ..bought(seq, n)
    }
}

/// The leg of record `seq`, paid out.
pub fn settled(seq: u64, n: u16, pnl: i64) -> TradeUpdate {
    TradeUpdate {
        id: TradeId { seq: Seq(seq), n },
        at: Timestamp(1_790_000_900_000_000_001),
        status: TradeStatus::Resolved,
        remaining_qty: Qty(0),
        exit_price: Price(if pnl > 0 { 1_000_000 } else { 0 }),
        realized_pnl: Usd(pnl),
        fees: Usd(87_360),
        evidence: "chainlink btcusd 65048.07 >= 65012.44".into(),
    }
}
