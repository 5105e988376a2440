//! What a report needs to know of many rows: fills, graded wishes, markets, counts.
//!
//! Owns the questions and the types of their answers. Fills and wishes are streamed, the legs of an
//! intent one after the other; what is made of them is the report's. Nothing is written.

use super::ask::{self, Bind, Columns};
use super::view::{self, GradeView};
use super::{Side, Store, StoreError};
use pm_arb_core::ids::Timestamp;
use pm_arb_core::units::{Price, Qty, Rounding, Usd, div_round};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Most runs that are looked through when one is named by a prefix.
pub const RUNS_MAX: usize = 10_000;
/// Most markets of one report; with more it asks for a narrower period.
pub const MARKETS_MAX: usize = 200_000;

/// Which rows: those made *or stored* since then, of one run, of one strategy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Zero for all.
    pub since: Timestamp,
    /// Of one run only.
    pub run_id: Option<Uuid>,
    /// Of one strategy only.
    pub strategy: Option<String>,
}

impl Filter {
    pub(super) fn binds(&self) -> Vec<Bind> {
        vec![
            Bind::Int(i64::try_from(self.since.0).unwrap_or(i64::MAX)),
            Bind::Text(self.run_id.map(|id| id.to_string())),
            Bind::Text(self.strategy.clone()),
        ]
    }
}

/// The condition of a [`Filter`] on the rows of a table that is named `t`.
pub(super) const MATCHES: &str = "(t.created_ns >= $1 OR t.stored_ns >= $1) \
    AND (CAST($2 AS TEXT) IS NULL OR @t.run_id = $2) \
    AND (CAST($3 AS TEXT) IS NULL OR t.strategy_id = $3)";

/// A run that the database knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownRun {
    /// Its identity.
    pub id: Uuid,
    /// Where its inputs come from.
    pub source: String,
    /// When it began, by its own clock.
    pub created: Timestamp,
}

/// A fill, as far as statistics go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fill {
    /// The intent: its run and its id in it.
    pub intent: (String, String),
    /// Which leg.
    pub leg: i64,
    /// Who.
    pub strategy: String,
    /// Type of the opportunity.
    pub kind: String,
    /// The market's kind of question; empty in rows of older versions.
    pub family: String,
    /// `venue market`: the same in every run, because its outcome is.
    pub market: String,
    /// Readable name of the market.
    pub slug: String,
    /// When it was decided.
    pub decided: Timestamp,
    /// When the market closes; zero in rows of older versions.
    pub closes: Timestamp,
    /// Shares.
    pub qty: Qty,
    /// Claimed gain per share.
    pub expected_edge: Usd,
    /// "open", "closed" or "resolved".
    pub status: String,
    /// Gained or lost; `None` while it is open.
    pub pnl: Option<Usd>,
    /// What the tape says of it, when it was asked.
    pub tape: Option<String>,
}

/// What one executor made of a leg, held against what its market paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Made {
    /// Shares.
    pub qty: Qty,
    /// Gained or lost.
    pub pnl: Usd,
}

/// A leg of an approved wish, as three executors booked it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WishedLeg {
    /// The intent: its run and its id in it.
    pub intent: (String, String),
    /// Who.
    pub strategy: String,
    /// The three results, once the market has paid; `None` before.
    pub made: Option<[Made; 3]>,
    /// Whether the book had a middle.
    pub has_mid: bool,
    /// What a share pays and since when, once the market has paid.
    pub paid: Option<(Price, Timestamp)>,
    /// Bought or sold.
    pub side: Side,
    /// As the naive executor booked it.
    pub naive: Option<GradeView>,
    /// As it was filled.
    pub fills: Booked,
}

/// The fills of a leg together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Booked {
    /// Paid or received for the shares.
    pub value: Usd,
    /// The same shares at the price of the first level that was met.
    pub at_first: Usd,
    /// Fees.
    pub fees: Usd,
}

/// Where the executors stand in [`WishedLeg::made`].
pub const NAIVE: usize = 0;
/// See [`NAIVE`].
pub const MID: usize = 1;
/// See [`NAIVE`].
pub const HONEST: usize = 2;

/// A market with trades, and what is locked in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarketState {
    /// Where.
    pub venue: String,
    /// The venue's name of it.
    pub market_id: String,
    /// Readable name.
    pub slug: String,
    /// Kind of question.
    pub family: String,
    /// When it closes.
    pub closes: Timestamp,
    /// "open", "paused", "pending", "settled", "void" or "disputed".
    pub status: String,
    /// What the state rests on.
    pub evidence: String,
    /// Since when.
    pub since: Timestamp,
    /// Paid for shares still held, without fees.
    pub locked: Usd,
}

/// How often something happened that has no row of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count {
    /// "input_refused", "no_opportunity", "opportunities", "silence" or "latency".
    pub kind: String,
    /// Which.
    pub name: String,
    /// How often.
    pub count: u64,
}

impl Store {
    /// The runs of the database, the one that was written to last first.
    pub async fn runs(&self) -> Result<Vec<KnownRun>, StoreError> {
        ask::all(
            &self.readers,
            "the runs",
            "SELECT @r.run_id, r.source, r.created_ns FROM runs r
             ORDER BY coalesce((SELECT t.stored_ns FROM paper_trades t WHERE t.run_id = r.run_id
                                ORDER BY t.seq DESC, t.n DESC LIMIT 1), 0) DESC,
                      r.created_ns DESC, r.run_id LIMIT $1",
            &[Bind::Int(i64::try_from(RUNS_MAX).unwrap_or(i64::MAX))],
            |c| {
                Ok(KnownRun {
                    id: uuid(&c.text()?)?,
                    source: c.text()?,
                    created: time(c.int()?),
                })
            },
        )
        .await
    }

    /// Every strategy that has a row, by name.
    pub async fn strategies(&self) -> Result<Vec<String>, StoreError> {
        let names = "SELECT strategy_id FROM paper_trades GROUP BY strategy_id
                     UNION SELECT strategy_id FROM paper_intents GROUP BY strategy_id ORDER BY 1";
        ask::all(&self.readers, "the strategies", names, &[], |c| c.text()).await
    }

    /// Every fill, the legs of an intent one after the other.
    pub async fn fills(
        &self,
        filter: &Filter,
        take: impl FnMut(Fill) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let template = format!(
            "SELECT @t.run_id, t.intent_id, t.leg, t.strategy_id, t.opportunity_type, t.market_family,
                    t.venue, t.market_id, t.market_slug, t.decided_ns, t.closes_ns, #t.quantity,
                    #t.expected_edge, t.status, #t.realized_pnl, t.tape
             FROM paper_trades t WHERE t.status <> 'rejected' AND {MATCHES}
             ORDER BY t.run_id, t.intent_id, t.leg, t.seq, t.n"
        );
        let binds = filter.binds();
        ask::each(&self.readers, "fills", &template, &binds, fill, take).await
    }

    /// Every leg of an approved wish, the legs of an intent one after the other.
    pub async fn wishes(
        &self,
        filter: &Filter,
        take: impl FnMut(WishedLeg) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let template = format!(
            "SELECT @t.run_id, t.intent_id, t.strategy_id, g.side, g.instrument_number, m.outcomes,
                    m.since_ns, #g.naive_quantity, #g.naive_price, #g.naive_value, #g.naive_fee,
                    #g.mid_quantity, #g.mid_price, #g.mid_value, #g.mid_fee,
                    coalesce(h.quantity, 0), coalesce(h.pnl, 0), coalesce(h.open, 0),
                    coalesce(h.cost, 0), coalesce(h.at_first, 0), coalesce(h.fees, 0)
             FROM paper_intents t
             JOIN paper_grades g ON g.run_id = t.run_id AND g.intent_id = t.intent_id
             LEFT JOIN paper_markets m ON m.run_id = g.run_id AND m.market_number = g.market_number
                  AND m.status IN ('settled', 'void')
             LEFT JOIN (SELECT f.run_id, f.intent_id, f.leg,
                               CAST(sum(#f.quantity) AS BIGINT) AS quantity,
                               CAST(sum(#f.realized_pnl) AS BIGINT) AS pnl,
                               CAST(sum(#f.cost) AS BIGINT) AS cost,
                               CAST(sum(coalesce(%f, #f.cost)) AS BIGINT) AS at_first,
                               CAST(sum(#f.fees) AS BIGINT) AS fees,
                               count(*) FILTER (WHERE f.status = 'open') AS open
                        FROM paper_trades f WHERE f.status <> 'rejected'
                          AND (CAST($2 AS TEXT) IS NULL OR @f.run_id = $2)
                        GROUP BY f.run_id, f.intent_id, f.leg) h
                  ON h.run_id = g.run_id AND h.intent_id = g.intent_id AND h.leg = g.leg
             WHERE t.rejection_reason IS NULL AND {MATCHES}
             ORDER BY t.run_id, t.intent_id, g.leg"
        );
        let binds = filter.binds();
        ask::each(&self.readers, "wishes", &template, &binds, wish, take).await
    }

    /// Every market in which the filter's trades were made or shares are still held.
    pub async fn market_states(&self, filter: &Filter) -> Result<Vec<MarketState>, StoreError> {
        const WHAT: &str = "markets";
        let mut locked: BTreeMap<(String, i64), Usd> = BTreeMap::new();
        let held = "SELECT @t.run_id, t.market_number, #t.quantity, #t.remaining_quantity, #t.cost
             FROM paper_trades t WHERE t.status = 'open'
               AND (CAST($1 AS TEXT) IS NULL OR @t.run_id = $1)
               AND (CAST($2 AS TEXT) IS NULL OR t.strategy_id = $2)";
        let binds = filter.binds();
        let who: Vec<Bind> = binds.iter().skip(1).cloned().collect();
        let read = |c: &mut dyn Columns| {
            let market = (c.text()?, c.int()?);
            let (all, left, cost) = (c.int()?, c.int()?, c.int()?);
            let cost = i128::from(cost) * i128::from(left);
            let cost = div_round(cost, i128::from(all), Rounding::Up).unwrap_or_default();
            Ok((market, amount(cost)?))
        };
        ask::each(&self.readers, WHAT, held, &who, read, |(market, cost)| {
            let sum = locked.entry(market).or_default();
            *sum = add(*sum, cost)?;
            bounded(locked.len(), WHAT)
        })
        .await?;
        let template = "SELECT @m.run_id, m.market_number, m.venue, m.market_id, m.market_slug, m.market_family,
                    m.closes_ns, m.status, m.evidence, m.since_ns
             FROM paper_markets m WHERE EXISTS (
                 SELECT 1 FROM paper_trades t WHERE t.market_id = m.market_id AND t.run_id = m.run_id
                   AND t.status <> 'rejected' AND (t.status = 'open' OR t.created_ns >= $1 OR t.stored_ns >= $1)
                   AND (CAST($2 AS TEXT) IS NULL OR @t.run_id = $2)
                   AND (CAST($3 AS TEXT) IS NULL OR t.strategy_id = $3))
             ORDER BY m.closes_ns, m.run_id, m.market_number";
        let mut found = Vec::new();
        let read = |c: &mut dyn Columns| {
            let key = (c.text()?, c.int()?);
            Ok(MarketState {
                venue: c.text()?,
                market_id: c.text()?,
                slug: c.text()?,
                family: c.text()?,
                closes: time(c.int()?),
                status: c.text()?,
                evidence: c.text()?,
                since: time(c.int()?),
                locked: locked.get(&key).copied().unwrap_or_default(),
            })
        };
        ask::each(&self.readers, WHAT, template, &binds, read, |market| {
            found.push(market);
            bounded(found.len(), WHAT)
        })
        .await?;
        Ok(found)
    }

    /// What happened without a row of its own in the runs of the filter, whole runs at a time. The funnel
    /// is apart ([`Store::funnel`]).
    pub async fn counts(&self, filter: &Filter) -> Result<Vec<Count>, StoreError> {
        let template = "SELECT c.kind, c.name, CAST(sum(c.count) AS BIGINT) FROM paper_counts c
             JOIN runs r ON r.run_id = c.run_id
             WHERE c.kind <> 'funnel' AND (CAST($2 AS TEXT) IS NULL OR @c.run_id = $2)
               AND ($2 IS NOT NULL OR r.created_ns >= $1 OR EXISTS (
                    SELECT 1 FROM paper_trades t WHERE t.run_id = c.run_id
                      AND (t.created_ns >= $1 OR t.stored_ns >= $1)))
             GROUP BY c.kind, c.name";
        let read = |c: &mut dyn Columns| {
            Ok(Count {
                kind: c.text()?,
                name: c.text()?,
                count: u64::try_from(c.int()?).unwrap_or_default(),
            })
        };
        let binds: Vec<Bind> = filter.binds().into_iter().take(2).collect();
        let mut counts = ask::all(&self.readers, "counts", template, &binds, read).await?;
        counts.sort_by(|a, b| {
            let by_count = b.count.cmp(&a.count);
            a.kind
                .cmp(&b.kind)
                .then(by_count)
                .then_with(|| a.name.cmp(&b.name))
        });
        Ok(counts)
    }
}

fn fill(c: &mut dyn Columns) -> Result<Fill, sqlx::Error> {
    let intent = (c.text()?, c.text()?);
    let (leg, strategy, kind, family) = (c.int()?, c.text()?, c.text()?, c.text()?);
    let (venue, market, slug) = (c.text()?, c.text()?, c.text()?);
    let (decided, closes) = (time(c.int()?), time(c.int()?));
    let (qty, expected_edge) = (Qty(c.int()?), Usd(c.int()?));
    let status = c.text()?;
    let pnl = c.maybe_int()?.map(Usd).filter(|_| status != "open");
    Ok(Fill {
        intent,
        leg,
        strategy,
        kind,
        family,
        market: format!("{venue} {market}"),
        slug,
        decided,
        closes,
        qty,
        expected_edge,
        status,
        pnl,
        tape: c.maybe_text()?,
    })
}

fn wish(c: &mut dyn Columns) -> Result<WishedLeg, sqlx::Error> {
    let intent = (c.text()?, c.text()?);
    let strategy = c.text()?;
    let side = match c.text()?.as_str() {
        "buy" => Side::Buy,
        _ => Side::Sell,
    };
    let instrument = c.int()?;
    let payout = match c.maybe_text()? {
        Some(outcomes) => payout_of(&outcomes, instrument)?,
        None => None,
    };
    let paid = payout.zip(c.maybe_int()?.map(time));
    let [naive, mid] = [view::grade(c)?, view::grade(c)?];
    let honest = Made {
        qty: Qty(c.int()?),
        pnl: Usd(c.int()?),
    };
    let open = c.int()?;
    let fills = Booked {
        value: Usd(c.int()?),
        at_first: Usd(c.int()?),
        fees: Usd(c.int()?),
    };
    let made = match payout {
        Some(payout) if open == 0 => {
            let [naive, mid] = [naive, mid].map(|g| match g {
                Some(g) => made(g, side, payout),
                None => Ok(Made::default()),
            });
            Some([naive?, mid?, honest])
        }
        _ => None,
    };
    Ok(WishedLeg {
        intent,
        strategy,
        made,
        has_mid: mid.is_some(),
        paid,
        side,
        naive,
        fills,
    })
}

/// What an executor that is not honest made of a leg once a share pays `payout`.
fn made(g: GradeView, side: Side, payout: Price) -> Result<Made, sqlx::Error> {
    let pnl = g.against(side, payout);
    let pnl = pnl.ok_or_else(|| sqlx::Error::Decode("a result does not fit".into()))?;
    Ok(Made {
        qty: g.quantity,
        pnl,
    })
}

/// What a share of the instrument pays, from `[[instrument, name, payout or null], …]`.
fn payout_of(outcomes: &str, instrument: i64) -> Result<Option<Price>, sqlx::Error> {
    let outcomes: Vec<(i64, String, Option<i64>)> =
        serde_json::from_str(outcomes).map_err(|e| sqlx::Error::Decode(e.into()))?;
    let found = outcomes
        .into_iter()
        .find(|(known, ..)| *known == instrument);
    Ok(found.and_then(|(_, _, payout)| payout).map(Price))
}

pub(super) fn uuid(text: &str) -> Result<Uuid, sqlx::Error> {
    Uuid::parse_str(text).map_err(|e| sqlx::Error::Decode(e.into()))
}

/// A stored time; one before 1970 is none of ours and becomes zero.
pub(super) fn time(ns: i64) -> Timestamp {
    Timestamp(u64::try_from(ns).unwrap_or_default())
}

fn amount(exact: i128) -> Result<Usd, sqlx::Error> {
    i64::try_from(exact)
        .map(Usd)
        .map_err(|e| sqlx::Error::Decode(e.into()))
}

fn add(a: Usd, b: Usd) -> Result<Usd, StoreError> {
    a.checked_add(b).ok_or_else(|| StoreError::Read {
        what: "amounts",
        source: sqlx::Error::Decode("their sum overflows".into()),
    })
}

fn bounded(count: usize, what: &'static str) -> Result<(), StoreError> {
    if count > MARKETS_MAX {
        return Err(StoreError::TooMany {
            what,
            limit: MARKETS_MAX,
        });
    }
    Ok(())
}
