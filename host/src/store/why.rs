//! What the database knows of one market or one opportunity: its wishes, refusals and trades; and the funnel
//! as the pilot last counted it.
//!
//! Every answer is bounded by the caller's limit and served from indexes. Nothing is written.

use super::analysis::{time, uuid};
use super::ask::{self, Bind, Columns};
use super::{Store, StoreError};
use pm_arb_core::ids::Timestamp;
use pm_arb_core::units::{Price, Qty, Usd};
use uuid::Uuid;

const WHAT: &str = "what became of a market";

/// A market in which something was wished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownMarket {
    /// The venue's name of it.
    pub market_id: String,
    /// Readable name.
    pub slug: String,
    /// Where.
    pub venue: String,
    /// Its state.
    pub status: String,
    /// What the state rests on.
    pub evidence: String,
    /// When it closes.
    pub closes: Timestamp,
}

/// A wish, as it was judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wished {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub strategy: String,
    /// Type of the opportunity.
    pub kind: String,
    /// Acted on; unique across runs.
    pub opportunity: String,
    /// Shares.
    pub qty: Qty,
    /// Claimed gain per share.
    pub edge: Usd,
    /// Why it was denied: code, limit, what was observed; `None` when it was approved.
    pub denied: Option<(String, String, String)>,
    /// In which market, by the venue's name; the first of several.
    pub market: Option<String>,
}

/// A fill of an approved order, or its refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traded {
    /// Its id.
    pub id: Uuid,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub strategy: String,
    /// Readable name of the market.
    pub slug: String,
    /// "buy" or "sell".
    pub side: String,
    /// Name of the outcome.
    pub outcome: String,
    /// Shares.
    pub qty: Qty,
    /// At that.
    pub price: Price,
    /// "open", "closed", "resolved" or "rejected".
    pub status: String,
    /// Gained or lost, once it is over.
    pub pnl: Option<Usd>,
    /// Why it was not filled: code, limit, what was observed.
    pub refused: Option<(String, String, String)>,
}

/// What wishes and trades are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of<'a> {
    /// A market, by the venue's name of it.
    Market(&'a str),
    /// An opportunity, by its name outside its run.
    Opportunity(&'a str),
}

impl Store {
    /// The markets that have rows and that go by exactly that name, readable or the venue's, newest first.
    pub async fn markets_named(
        &self,
        name: &str,
        limit: usize,
    ) -> Result<Vec<KnownMarket>, StoreError> {
        let which = "m.market_slug = $1 OR m.market_id = $3";
        let names = [name.to_owned(), name.to_owned()];
        self.markets(which, &names, limit).await
    }

    /// The markets that have rows and of which the readable name contains a text, or the venue's name begins
    /// with it, newest first. Case does not matter.
    pub async fn markets_like(
        &self,
        part: &str,
        limit: usize,
    ) -> Result<Vec<KnownMarket>, StoreError> {
        // The text is text, not a pattern.
        let escaped = part
            .to_lowercase()
            .replace('\\', "\\\\")
            .replace('%', "\\%")
            .replace('_', "\\_");
        let like =
            "lower(m.market_slug) LIKE $1 ESCAPE '\\' OR lower(m.market_id) LIKE $3 ESCAPE '\\'";
        let patterns = [format!("%{escaped}%"), format!("{escaped}%")];
        self.markets(like, &patterns, limit).await
    }

    async fn markets(
        &self,
        which: &str,
        texts: &[String],
        limit: usize,
    ) -> Result<Vec<KnownMarket>, StoreError> {
        // A market of several runs is one market: its newest state counts.
        let template = format!(
            "SELECT m.market_id, m.market_slug, m.venue, m.status, m.evidence, m.closes_ns
             FROM paper_markets m WHERE {which}
             ORDER BY m.closes_ns DESC, m.since_ns DESC, m.run_id LIMIT $2"
        );
        let read = |c: &mut dyn Columns| {
            Ok(KnownMarket {
                market_id: c.text()?,
                slug: c.text()?,
                venue: c.text()?,
                status: c.text()?,
                evidence: c.text()?,
                closes: time(c.int()?),
            })
        };
        let text = |n: usize| Bind::Text(texts.get(n).cloned());
        let binds = [text(0), bound(limit), text(1)];
        let mut found = ask::all(&self.readers, WHAT, &template, &binds, read).await?;
        let mut seen = std::collections::BTreeSet::new();
        found.retain(|m| seen.insert((m.venue.clone(), m.market_id.clone())));
        Ok(found)
    }

    /// The opportunities that strategies wished for and whose name outside their run ends so, newest first.
    pub async fn opportunities_like(
        &self,
        end: &str,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        let template = "SELECT i.opportunity_id FROM paper_intents i
             WHERE i.opportunity_id = $1 OR i.opportunity_id LIKE $3
             GROUP BY i.opportunity_id ORDER BY max(i.created_ns) DESC LIMIT $2";
        let text = |text: String| Bind::Text(Some(text));
        let binds = [text(end.to_owned()), bound(limit), text(format!("%-{end}"))];
        ask::all(&self.readers, WHAT, template, &binds, |c| c.text()).await
    }

    /// The newest wishes, newest first.
    pub async fn wished(&self, of: Of<'_>, limit: usize) -> Result<Vec<Wished>, StoreError> {
        let (which, name) = match of {
            Of::Market(id) => (
                "(i.run_id, i.intent_id) IN (SELECT h.run_id, h.intent_id FROM paper_grades h
                     WHERE h.market_id = $1)",
                id,
            ),
            Of::Opportunity(key) => ("i.opportunity_id = $1", key),
        };
        let template = format!(
            "SELECT i.created_ns, i.strategy_id, i.opportunity_type, i.opportunity_id,
                    #i.requested_quantity, #i.expected_edge, i.rejection_reason, i.rejection_limit,
                    i.rejection_observed,
                    (SELECT min(g.market_id) FROM paper_grades g
                     WHERE g.run_id = i.run_id AND g.intent_id = i.intent_id)
             FROM paper_intents i WHERE {which}
             ORDER BY i.created_ns DESC, i.run_id, i.seq DESC LIMIT $2"
        );
        let binds = [Bind::Text(Some(name.to_owned())), bound(limit)];
        ask::all(&self.readers, WHAT, &template, &binds, |c| {
            Ok(Wished {
                at: time(c.int()?),
                strategy: c.text()?,
                kind: c.text()?,
                opportunity: c.text()?,
                qty: Qty(c.int()?),
                edge: Usd(c.int()?),
                denied: refusal(c)?,
                market: c.maybe_text()?,
            })
        })
        .await
    }

    /// The newest fills and refusals of approved orders, newest first.
    pub async fn traded(&self, of: Of<'_>, limit: usize) -> Result<Vec<Traded>, StoreError> {
        let (which, name) = match of {
            Of::Market(id) => ("t.market_id = $1", id),
            // By the index of its wishes: a row has none of its own for that.
            Of::Opportunity(key) => (
                "t.opportunity_id = $1 AND t.market_id IN (SELECT g.market_id FROM paper_intents i
                     JOIN paper_grades g ON g.run_id = i.run_id AND g.intent_id = i.intent_id
                     WHERE i.opportunity_id = $1)",
                key,
            ),
        };
        let template = format!(
            "SELECT @t.id, t.created_ns, t.strategy_id, t.market_slug, t.side, t.outcome, #t.quantity,
                    #t.price, t.status, #t.realized_pnl, t.risk_rejection_reason, t.rejection_limit,
                    t.rejection_observed
             FROM paper_trades t WHERE {which} AND t.risk_approved
             ORDER BY t.created_ns DESC, t.run_id, t.seq DESC, t.n DESC LIMIT $2"
        );
        let binds = [Bind::Text(Some(name.to_owned())), bound(limit)];
        ask::all(&self.readers, WHAT, &template, &binds, traded).await
    }

    /// The funnel of the run that was counted last, by name.
    pub async fn funnel(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let template = "SELECT c.name, c.count FROM paper_counts c
             WHERE c.kind = 'funnel' AND c.run_id = (
                 SELECT d.run_id FROM paper_counts d WHERE d.kind = 'funnel' AND d.name = 'taken_ns'
                 ORDER BY d.count DESC LIMIT 1)
             ORDER BY c.name";
        ask::all(&self.readers, "the funnel", template, &[], |c| {
            Ok((c.text()?, u64::try_from(c.int()?).unwrap_or_default()))
        })
        .await
    }
}

fn bound(limit: usize) -> Bind {
    Bind::Int(i64::try_from(limit).unwrap_or(i64::MAX))
}

fn refusal(c: &mut dyn Columns) -> Result<Option<(String, String, String)>, sqlx::Error> {
    let (code, limit, observed) = (c.maybe_text()?, c.maybe_text()?, c.maybe_text()?);
    Ok(code.map(|code| {
        (
            code,
            limit.unwrap_or_default(),
            observed.unwrap_or_default(),
        )
    }))
}

fn traded(c: &mut dyn Columns) -> Result<Traded, sqlx::Error> {
    let (id, at, strategy) = (uuid(&c.text()?)?, time(c.int()?), c.text()?);
    let (slug, side, outcome) = (c.text()?, c.text()?, c.text()?);
    let (qty, price, status) = (Qty(c.int()?), Price(c.int()?), c.text()?);
    let pnl = c.maybe_int()?.map(Usd).filter(|_| status != "open");
    Ok(Traded {
        id,
        at,
        strategy,
        slug,
        side,
        outcome,
        qty,
        price,
        status,
        pnl,
        refused: refusal(c)?,
    })
}
