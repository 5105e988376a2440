//! A row as a person reads it: everything stored of one fill or refusal, with the grades of its leg.
//!
//! Owns the questions behind `pm-arb trades`, `pm-arb trade` and the exports. Columns that rows of older
//! versions lack are empty, never made up.

use super::analysis::{Filter, MATCHES, time, uuid};
use super::ask::{self, Bind, Columns};
use super::{Side, Store, StoreError, TRADES_MAX};
use pm_arb_core::ids::Timestamp;
use pm_arb_core::units::{ONE, Price, Qty, Rounding, Usd, div_round};
use uuid::Uuid;

/// A row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "the names are the columns of paper_trades")]
pub struct TradeView {
    pub id: Uuid,
    pub run_id: Uuid,
    pub seq: i64,
    pub n: i64,
    pub created: Timestamp,
    pub opportunity_id: String,
    pub opportunity_type: String,
    pub intent_id: String,
    pub leg: i64,
    pub fill: i64,
    pub venue: String,
    pub market_id: String,
    pub market_slug: String,
    pub market_family: String,
    pub market_number: i64,
    pub closes: Timestamp,
    pub outcome: String,
    pub side: String,
    pub requested_quantity: Qty,
    pub quantity: Qty,
    pub price: Price,
    pub cost: Usd,
    pub fees: Usd,
    pub fee_rule: String,
    pub maker: bool,
    pub levels: String,
    pub expected_edge: Usd,
    pub strategy_id: String,
    pub strategy_version: String,
    pub strategy_digest: String,
    pub generation: i64,
    pub risk_approved: bool,
    pub reason: Option<String>,
    pub limit: Option<String>,
    pub observed: Option<String>,
    pub decided: Timestamp,
    pub arrived: Timestamp,
    pub decision_book_age_ns: i64,
    pub fill_book_age_ns: i64,
    pub book_epoch: i64,
    pub status: String,
    pub remaining_quantity: Qty,
    pub exit_price: Option<Price>,
    pub realized_pnl: Option<Usd>,
    pub resolved: Option<Timestamp>,
    pub evidence: Option<String>,
    pub tape: Option<String>,
    /// Of the leg, not of this fill of it: `None` for a leg that was not graded.
    pub naive: Option<GradeView>,
    /// See `naive`.
    pub mid: Option<GradeView>,
}

/// What an executor that is not honest booked of a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the columns of paper_grades")]
pub struct GradeView {
    pub quantity: Qty,
    pub price: Price,
    pub value: Usd,
    pub fee: Usd,
}

impl GradeView {
    /// Gained or lost once a share pays `payout`; `None` when it does not fit. What the shares pay is
    /// rounded against the trade: down for bought ones, up for sold ones.
    #[must_use]
    pub fn against(&self, side: Side, payout: Price) -> Option<Usd> {
        let (rounding, sign) = match side {
            Side::Buy => (Rounding::Down, 1),
            Side::Sell => (Rounding::Up, -1),
        };
        let exact = i128::from(payout.0) * i128::from(self.quantity.0);
        let paid = div_round(exact, i128::from(ONE), rounding)?;
        let gain = sign * (paid - i128::from(self.value.0)) - i128::from(self.fee.0);
        i64::try_from(gain).ok().map(Usd)
    }
}

/// A wish as it was judged.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the columns of paper_intents")]
pub struct IntentView {
    pub created: Timestamp,
    /// As JSON; `None` for an idea of the strategy's own.
    pub opportunity: Option<String>,
    pub time_in_force: String,
    pub requested_quantity: Qty,
    pub approved_quantity: Option<Qty>,
    pub reason: Option<String>,
    pub limit: Option<String>,
    pub observed: Option<String>,
    pub expected_edge: Usd,
}

/// The book's top when a leg was decided, and what the market came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the columns of the tables")]
pub struct LegView {
    pub limit_price: Price,
    pub bid: Option<(Price, Qty)>,
    pub ask: Option<(Price, Qty)>,
}

/// Where the market of a row stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the columns of paper_markets")]
pub struct MarketView {
    pub status: String,
    pub outcomes: String,
    pub evidence: String,
    pub since: Timestamp,
}

/// A trade with all that is known around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TradePage {
    /// The row.
    pub trade: TradeView,
    /// The wish it came of; `None` in rows of older versions.
    pub intent: Option<IntentView>,
    /// Its leg of the wish.
    pub leg: Option<LegView>,
    /// Its market.
    pub market: Option<MarketView>,
    /// The other rows of the same intent.
    pub siblings: Vec<TradeView>,
}

pub(super) const COLUMNS: &str = "@t.id, @t.run_id, t.seq, t.n, t.created_ns, t.opportunity_id, t.opportunity_type,
    t.intent_id, t.leg, t.fill, t.venue, t.market_id, t.market_slug, t.market_family, t.market_number,
    t.closes_ns, t.outcome, t.side, #t.requested_quantity, #t.quantity, #t.price, #t.cost, #t.fees,
    t.fee_rule, t.maker, t.levels, #t.expected_edge, t.strategy_id, t.strategy_version,
    t.strategy_digest, t.generation, t.risk_approved, t.risk_rejection_reason, t.rejection_limit,
    t.rejection_observed, t.decided_ns, t.arrived_ns, t.decision_book_age_ns, t.fill_book_age_ns,
    t.book_epoch, t.status, #t.remaining_quantity, #t.exit_price, #t.realized_pnl, t.resolved_ns,
    t.settlement_evidence, t.tape, #g.naive_quantity, #g.naive_price, #g.naive_value, #g.naive_fee,
    #g.mid_quantity, #g.mid_price, #g.mid_value, #g.mid_fee
    FROM paper_trades t LEFT JOIN paper_grades g
      ON g.run_id = t.run_id AND g.intent_id = t.intent_id AND g.leg = t.leg";

impl Store {
    /// Rows and refusals of a state (any when `None`), newest first, at most `limit` (and at most
    /// [`TRADES_MAX`]).
    pub async fn trade_views(
        &self,
        filter: &Filter,
        status: Option<&str>,
        limit: usize,
    ) -> Result<Vec<TradeView>, StoreError> {
        let template = format!(
            "SELECT {COLUMNS} WHERE {MATCHES} AND (CAST($4 AS TEXT) IS NULL OR t.status = $4)
             ORDER BY t.created_ns DESC, t.run_id, t.seq DESC, t.n DESC LIMIT $5"
        );
        let mut binds = filter.binds();
        binds.push(Bind::Text(status.map(str::to_owned)));
        let limit = i64::try_from(limit.min(TRADES_MAX)).unwrap_or(i64::MAX);
        binds.push(Bind::Int(limit));
        ask::all(&self.readers, "trades", &template, &binds, view).await
    }

    /// How many rows and refusals there are.
    pub async fn count_trades(&self, filter: &Filter) -> Result<u64, StoreError> {
        let template = format!("SELECT count(*) FROM paper_trades t WHERE {MATCHES}");
        let read = |c: &mut dyn Columns| c.int();
        let counts = ask::all(&self.readers, "trades", &template, &filter.binds(), read).await?;
        Ok(counts.first().map_or(0, |n| n.unsigned_abs()))
    }

    /// Every row and refusal, oldest first, one at a time: for exports of any length.
    pub async fn each_trade(
        &self,
        filter: &Filter,
        take: impl FnMut(TradeView) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let template =
            format!("SELECT {COLUMNS} WHERE {MATCHES} ORDER BY t.created_ns, t.run_id, t.seq, t.n");
        let binds = filter.binds();
        ask::each(&self.readers, "trades", &template, &binds, view, take).await
    }

    /// The rows whose id begins with `prefix` (hex digits and dashes), at most `limit`.
    pub async fn trades_like(
        &self,
        prefix: &str,
        limit: usize,
    ) -> Result<Vec<TradeView>, StoreError> {
        let hex: String = prefix
            .chars()
            .filter(char::is_ascii_hexdigit)
            .take(32)
            .collect();
        // Ids that begin so are a range of the index of ids.
        let end = |fill: &str| Uuid::parse_str(&(hex.clone() + &fill.repeat(32 - hex.len())));
        let (Ok(first), Ok(last)) = (end("0"), end("f")) else {
            return Ok(Vec::new());
        };
        // With dashes where an id has them, or without any.
        let prefix = prefix.to_ascii_lowercase();
        if !first.to_string().starts_with(&prefix)
            && !first.simple().to_string().starts_with(&prefix)
        {
            return Ok(Vec::new());
        }
        let template = format!(
            "SELECT {COLUMNS} WHERE t.id >= ~1 AND t.id <= ~2
             ORDER BY t.created_ns DESC, t.seq DESC, t.n DESC LIMIT $3"
        );
        let binds = [
            Bind::Text(Some(first.to_string())),
            Bind::Text(Some(last.to_string())),
            Bind::Int(i64::try_from(limit.min(TRADES_MAX)).unwrap_or(i64::MAX)),
        ];
        ask::all(&self.readers, "trades", &template, &binds, view).await
    }

    /// All that is known around a trade.
    pub async fn trade_page(&self, trade: TradeView) -> Result<TradePage, StoreError> {
        const WHAT: &str = "a trade";
        let of_intent = [
            Bind::Text(Some(trade.run_id.to_string())),
            Bind::Text(Some(trade.intent_id.clone())),
        ];
        let leg = [of_intent.to_vec(), vec![Bind::Int(trade.leg)]].concat();
        let of_market = [
            Bind::Text(Some(trade.run_id.to_string())),
            Bind::Int(trade.market_number),
        ];
        // By its leg alone: asked for the whole order, SQLite takes the index by sequence, and so every row of the run.
        let siblings = format!(
            "SELECT {COLUMNS} WHERE t.run_id = ~1 AND t.intent_id = $2 ORDER BY t.leg LIMIT {TRADES_MAX}"
        );
        let r = &self.readers;
        let intents = ask::all(r, WHAT, INTENT, &of_intent, intent).await?;
        let legs = ask::all(r, WHAT, LEG, &leg, leg_view).await?;
        let markets = ask::all(r, WHAT, MARKET, &of_market, market).await?;
        let mut siblings = ask::all(r, WHAT, &siblings, &of_intent, view).await?;
        siblings.retain(|row| row.id != trade.id);
        siblings.sort_by_key(|row| (row.leg, row.fill, row.seq, row.n));
        Ok(TradePage {
            trade,
            intent: intents.into_iter().next(),
            leg: legs.into_iter().next(),
            market: markets.into_iter().next(),
            siblings,
        })
    }
}

const INTENT: &str = "SELECT created_ns, opportunity, time_in_force, #requested_quantity,
    #approved_quantity, rejection_reason, rejection_limit, rejection_observed, #expected_edge
    FROM paper_intents WHERE run_id = ~1 AND intent_id = $2";

const LEG: &str = "SELECT #limit_price, #bid_price, #bid_quantity, #ask_price, #ask_quantity
    FROM paper_grades WHERE run_id = ~1 AND intent_id = $2 AND leg = $3";

const MARKET: &str = "SELECT status, outcomes, evidence, since_ns
    FROM paper_markets WHERE run_id = ~1 AND market_number = $2";

fn intent(c: &mut dyn Columns) -> Result<IntentView, sqlx::Error> {
    Ok(IntentView {
        created: time(c.int()?),
        opportunity: c.maybe_text()?,
        time_in_force: c.text()?,
        requested_quantity: Qty(c.int()?),
        approved_quantity: c.maybe_int()?.map(Qty),
        reason: c.maybe_text()?,
        limit: c.maybe_text()?,
        observed: c.maybe_text()?,
        expected_edge: Usd(c.int()?),
    })
}

fn leg_view(c: &mut dyn Columns) -> Result<LegView, sqlx::Error> {
    let limit_price = Price(c.int()?);
    let (bid, bids, ask, asks) = (
        c.maybe_int()?,
        c.maybe_int()?,
        c.maybe_int()?,
        c.maybe_int()?,
    );
    let level = |(price, qty)| (Price(price), Qty(qty));
    Ok(LegView {
        limit_price,
        bid: bid.zip(bids).map(level),
        ask: ask.zip(asks).map(level),
    })
}

fn market(c: &mut dyn Columns) -> Result<MarketView, sqlx::Error> {
    Ok(MarketView {
        status: c.text()?,
        outcomes: c.text()?,
        evidence: c.text()?,
        since: time(c.int()?),
    })
}

pub(super) fn view(c: &mut dyn Columns) -> Result<TradeView, sqlx::Error> {
    Ok(TradeView {
        id: uuid(&c.text()?)?,
        run_id: uuid(&c.text()?)?,
        seq: c.int()?,
        n: c.int()?,
        created: time(c.int()?),
        opportunity_id: c.text()?,
        opportunity_type: c.text()?,
        intent_id: c.text()?,
        leg: c.int()?,
        fill: c.int()?,
        venue: c.text()?,
        market_id: c.text()?,
        market_slug: c.text()?,
        market_family: c.text()?,
        market_number: c.int()?,
        closes: time(c.int()?),
        outcome: c.text()?,
        side: c.text()?,
        requested_quantity: Qty(c.int()?),
        quantity: Qty(c.int()?),
        price: Price(c.int()?),
        cost: Usd(c.int()?),
        fees: Usd(c.int()?),
        fee_rule: c.text()?,
        maker: c.flag()?,
        levels: c.text()?,
        expected_edge: Usd(c.int()?),
        strategy_id: c.text()?,
        strategy_version: c.text()?,
        strategy_digest: c.text()?,
        generation: c.int()?,
        risk_approved: c.flag()?,
        reason: c.maybe_text()?,
        limit: c.maybe_text()?,
        observed: c.maybe_text()?,
        decided: time(c.int()?),
        arrived: time(c.int()?),
        decision_book_age_ns: c.int()?,
        fill_book_age_ns: c.int()?,
        book_epoch: c.int()?,
        status: c.text()?,
        remaining_quantity: Qty(c.int()?),
        exit_price: c.maybe_int()?.map(Price),
        realized_pnl: c.maybe_int()?.map(Usd),
        resolved: c.maybe_int()?.map(time),
        evidence: c.maybe_text()?,
        tape: c.maybe_text()?,
        naive: grade(c)?,
        mid: grade(c)?,
    })
}

pub(super) fn grade(c: &mut dyn Columns) -> Result<Option<GradeView>, sqlx::Error> {
    let (quantity, price, value, fee) = (
        c.maybe_int()?,
        c.maybe_int()?,
        c.maybe_int()?,
        c.maybe_int()?,
    );
    Ok(match (quantity, price, value, fee) {
        (Some(quantity), Some(price), Some(value), Some(fee)) => Some(GradeView {
            quantity: Qty(quantity),
            price: Price(price),
            value: Usd(value),
            fee: Usd(fee),
        }),
        _ => None,
    })
}
