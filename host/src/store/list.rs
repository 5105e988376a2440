//! Pages of the list of trades: filters, an order, and a place in it to go on from.
//!
//! Owns the question behind lists that people page through. A page is a range of an index of migration
//! 0003 wherever one fits, found by the last row's place and never by counting rows; a place stays valid
//! while rows come in. Everything a person types is a parameter, never SQL.

use super::ask::{self, Bind};
use super::view::{self, TradeView};
use super::{Store, StoreError, TRADES_MAX};
use pm_arb_core::ids::Timestamp;
use pm_arb_core::units::Usd;
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// Counting stops here: "more than 10,000" is all that a person needs to know.
pub const COUNT_MAX: u64 = 10_000;
/// Most markets that a part of a name may mean; of more, those that close last.
pub const MARKETS_MEANT: usize = 32;
/// Longest text that a filter compares with, in bytes.
pub const TEXT_MAX: usize = 200;

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// When it was filled or refused.
    #[default]
    Time,
    /// What it gained; rows that have gained or lost nothing yet are left out.
    Pnl,
    /// What was promised a share.
    Edge,
    /// Shares.
    Quantity,
}

impl Sort {
    /// Every order.
    pub const ALL: [Sort; 4] = [Sort::Time, Sort::Pnl, Sort::Edge, Sort::Quantity];

    /// As in a URL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Sort::Time => "time",
            Sort::Pnl => "pnl",
            Sort::Edge => "edge",
            Sort::Quantity => "quantity",
        }
    }

    fn column(self) -> &'static str {
        match self {
            Sort::Time => "t.created_ns",
            Sort::Pnl => "^t.realized_pnl",
            Sort::Edge => "^t.expected_edge",
            Sort::Quantity => "^t.quantity",
        }
    }

    fn of(self, t: &TradeView) -> i64 {
        match self {
            Sort::Time => i64::try_from(t.created.0).unwrap_or(i64::MAX),
            Sort::Pnl => t.realized_pnl.unwrap_or_default().0,
            Sort::Edge => t.expected_edge.0,
            Sort::Quantity => t.quantity.0,
        }
    }
}

/// Which trades, in which order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TradeQuery {
    /// Of one run.
    pub run: Option<Uuid>,
    /// Not before that.
    pub since: Option<Timestamp>,
    /// Before that.
    pub until: Option<Timestamp>,
    /// By name.
    pub strategy: Option<String>,
    /// The venue's name of the market, or a part of its readable name.
    pub market: Option<String>,
    /// Where.
    pub venue: Option<String>,
    /// Type of the opportunity.
    pub kind: Option<String>,
    /// "open", "closed", "resolved" or "rejected".
    pub status: Option<String>,
    /// Code of the refusal.
    pub reason: Option<String>,
    /// "buy" or "sell".
    pub side: Option<String>,
    /// What the tape says.
    pub tape: Option<String>,
    /// Gained at least that.
    pub min_pnl: Option<Usd>,
    /// Gained at most that.
    pub max_pnl: Option<Usd>,
    /// The order.
    pub sort: Sort,
    /// Smallest, or oldest, first.
    pub ascending: bool,
}

impl TradeQuery {
    /// Whether it leaves anything out.
    #[must_use]
    pub fn is_filtered(&self) -> bool {
        let order = Self {
            sort: self.sort,
            ascending: self.ascending,
            ..Self::default()
        };
        *self != order
    }
}

/// A place in a list: beside a row, towards one end. Opaque to whoever keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    sort: Sort,
    ascending: bool,
    /// Towards the beginning of the list.
    back: bool,
    value: i64,
    id: Uuid,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            sort, value, id, ..
        } = self;
        let way = if self.back { 'b' } else { 'f' };
        let order = if self.ascending { 'a' } else { 'd' };
        write!(f, "{}.{order}{way}.{value}.{}", sort.as_str(), id.simple())
    }
}

/// What is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no place in a list; leave it out to begin at the beginning")]
pub struct NoPlace;

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let mut parts = text.splitn(4, '.');
        let (Some(sort), Some(way), Some(value), Some(id)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(NoPlace);
        };
        let sort = Sort::ALL.into_iter().find(|s| s.as_str() == sort);
        let (ascending, back) = match way {
            "af" => (true, false),
            "ab" => (true, true),
            "df" => (false, false),
            "db" => (false, true),
            _ => return Err(NoPlace),
        };
        Ok(Self {
            sort: sort.ok_or(NoPlace)?,
            ascending,
            back,
            value: value.parse().map_err(|_| NoPlace)?,
            id: Uuid::try_parse(id).map_err(|_| NoPlace)?,
        })
    }
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TradePageOf {
    /// In the order of the list.
    pub rows: Vec<TradeView>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Place>,
    /// Where the page before ends; `None` at the beginning.
    pub previous: Option<Place>,
    /// Whether the text meant more markets than [`MARKETS_MEANT`]: the list is of the last of them.
    pub markets_cut: bool,
}

/// Conditions and parameters so far.
#[derive(Debug, Clone, Default)]
struct Wheres {
    sql: String,
    binds: Vec<Bind>,
    /// Of the typed text, when there is one.
    markets: Option<Vec<String>>,
    markets_cut: bool,
}

impl Wheres {
    /// The number of a new parameter.
    fn bind(&mut self, value: Bind) -> usize {
        self.binds.push(value);
        self.binds.len()
    }

    fn and(&mut self, condition: &str) {
        self.sql.push_str(" AND ");
        self.sql.push_str(condition);
    }

    fn text(&mut self, column: &str, value: &str) {
        let n = self.bind(Bind::Text(Some(value.to_owned())));
        self.and(&format!("{column} = ${n}"));
    }

    fn int(&mut self, condition: impl Fn(usize) -> String, value: i64) {
        let n = self.bind(Bind::Int(value));
        self.and(&condition(n));
    }

    /// `t.market_id IN (…)`, for counting.
    fn with_markets(mut self) -> Self {
        if let Some(markets) = self.markets.take() {
            let numbers: Vec<String> = markets
                .into_iter()
                .map(|m| format!("${}", self.bind(Bind::Text(Some(m)))))
                .collect();
            self.and(&format!("t.market_id IN ({})", numbers.join(", ")));
        }
        self
    }
}

const WHAT: &str = "the list of trades";

impl Store {
    /// The rows and refusals that were made last, the newest first.
    pub async fn newest(&self, limit: usize) -> Result<Vec<TradeView>, StoreError> {
        Ok(self
            .page_of(&TradeQuery::default(), None, limit)
            .await?
            .rows)
    }

    /// A page of at most `limit` rows (and at most [`TRADES_MAX`]) from `place` on, or the first.
    /// The place must be of a page of the same order.
    pub async fn page_of(
        &self,
        query: &TradeQuery,
        place: Option<Place>,
        limit: usize,
    ) -> Result<TradePageOf, StoreError> {
        let place = place.filter(|p| p.sort == query.sort && p.ascending == query.ascending);
        let sparse = self.is_sparse(query).await?;
        let mut wheres = self.wheres(query, sparse).await?;
        let back = place.is_some_and(|p| p.back);
        let (order, beyond) = match query.ascending != back {
            true => ("ASC", ">"),
            false => ("DESC", "<"),
        };
        let key = query.sort.column();
        if let Some(place) = place {
            let value = wheres.bind(Bind::Int(place.value));
            let value = match query.sort {
                Sort::Time => format!("${value}"),
                _ => format!("^{value}"),
            };
            let id = wheres.bind(Bind::Text(Some(place.id.to_string())));
            wheres.and(&format!("({key}, t.id) {beyond} ({value}, ~{id})"));
        }
        let limit = limit.clamp(1, TRADES_MAX);
        let one_more = wheres.bind(Bind::Int(i64::try_from(limit + 1).unwrap_or(i64::MAX)));
        let ends = format!("ORDER BY {key} {order}, t.id {order} LIMIT ${one_more}");
        let template = match wheres.markets.take() {
            None => format!("SELECT {} WHERE 1 = 1{} {ends}", view::COLUMNS, wheres.sql),
            // The first rows of each market are a range of an index; the page is among them.
            Some(markets) => {
                let mut parts = Vec::with_capacity(markets.len());
                for (n, market) in markets.into_iter().enumerate() {
                    let market = wheres.bind(Bind::Text(Some(market)));
                    parts.push(format!(
                        "SELECT id FROM (SELECT t.id FROM paper_trades t
                         WHERE t.market_id = ${market}{} {ends}) AS m{n}",
                        wheres.sql
                    ));
                }
                format!(
                    "SELECT {} WHERE t.id IN ({}) {ends}",
                    view::COLUMNS,
                    parts.join(" UNION ALL ")
                )
            }
        };
        let read = ask::all(&self.readers, WHAT, &template, &wheres.binds, view::view);
        let mut rows = read.await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        if back {
            rows.reverse();
        }
        let beside = |row: Option<&TradeView>, back: bool| {
            row.map(|row| Place {
                sort: query.sort,
                ascending: query.ascending,
                back,
                value: query.sort.of(row),
                id: row.id,
            })
        };
        let (is_next, is_previous) = match (back, place) {
            (true, _) => (true, more),
            (false, place) => (more, place.is_some()),
        };
        Ok(TradePageOf {
            next: beside(rows.last(), false).filter(|_| is_next),
            previous: beside(rows.first(), true).filter(|_| is_previous),
            rows,
            markets_cut: wheres.markets_cut,
        })
    }

    /// How many rows the list has; counting stops above [`COUNT_MAX`].
    pub async fn count_of(&self, query: &TradeQuery) -> Result<u64, StoreError> {
        let mut wheres = self.wheres(query, true).await?.with_markets();
        let n = wheres.bind(Bind::Int(i64::try_from(COUNT_MAX + 1).unwrap_or(i64::MAX)));
        let template = format!(
            "SELECT count(*) FROM (SELECT 1 AS one FROM paper_trades t WHERE 1 = 1{} LIMIT ${n}) AS counted",
            wheres.sql
        );
        let count = ask::all(&self.readers, WHAT, &template, &wheres.binds, |c| c.int()).await?;
        let count = count.into_iter().next().unwrap_or_default();
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Whether the filter leaves so few rows that finding them first and ordering them then is the better
    /// way. By time every index has the order already.
    async fn is_sparse(&self, query: &TradeQuery) -> Result<bool, StoreError> {
        if query.sort == Sort::Time || !query.is_filtered() || query.market.is_some() {
            return Ok(true);
        }
        Ok(self.count_of(query).await? <= COUNT_MAX)
    }

    /// Conditions of the filter. When it is not sparse, SQLite is told to walk the index of the order.
    async fn wheres(&self, query: &TradeQuery, sparse: bool) -> Result<Wheres, StoreError> {
        let mut wheres = Wheres::default();
        let mark = if sparse { "" } else { "!" };
        // What a strategy gained has an index of its own, in order.
        let of_strategy = if query.sort == Sort::Pnl { "" } else { mark };
        let mut texts = vec![
            (format!("{of_strategy}t.strategy_id"), &query.strategy),
            ("t.venue".to_owned(), &query.venue),
            (format!("{mark}t.opportunity_type"), &query.kind),
            ("t.side".to_owned(), &query.side),
            ("t.tape".to_owned(), &query.tape),
            (format!("{mark}t.risk_rejection_reason"), &query.reason),
        ];
        // A row with a reason is a rejection: one condition less, and no wrong index.
        if query.reason.is_none() || query.status.as_deref() != Some("rejected") {
            texts.push((format!("{mark}t.status"), &query.status));
        }
        for (column, value) in texts {
            if let Some(value) = value {
                wheres.text(&column, value);
            }
        }
        let ns = |at: Timestamp| i64::try_from(at.0).unwrap_or(i64::MAX);
        if let Some(since) = query.since {
            wheres.int(|n| format!("t.created_ns >= ${n}"), ns(since));
        }
        if let Some(until) = query.until {
            wheres.int(|n| format!("t.created_ns < ${n}"), ns(until));
        }
        if let Some(min) = query.min_pnl {
            wheres.int(|n| format!("^t.realized_pnl >= ^{n}"), min.0);
        }
        if let Some(max) = query.max_pnl {
            wheres.int(|n| format!("^t.realized_pnl <= ^{n}"), max.0);
        }
        if query.sort == Sort::Pnl {
            wheres.and("^t.realized_pnl IS NOT NULL");
        }
        if let Some(run) = query.run {
            self.within_run(run, &mut wheres).await?;
        }
        if let Some(market) = &query.market {
            self.markets_meant(market, &mut wheres).await?;
        }
        Ok(wheres)
    }

    /// Rows of the run, and so rows of its time: a run's time never goes back.
    async fn within_run(&self, run: Uuid, wheres: &mut Wheres) -> Result<(), StoreError> {
        let ends = "SELECT (SELECT t.created_ns FROM paper_trades t WHERE t.run_id = ~1
                            ORDER BY t.seq LIMIT 1),
                           (SELECT t.created_ns FROM paper_trades t WHERE t.run_id = ~1
                            ORDER BY t.seq DESC LIMIT 1)";
        let run = Bind::Text(Some(run.to_string()));
        let read = |c: &mut dyn ask::Columns| Ok((c.maybe_int()?, c.maybe_int()?));
        let ends = ask::all(&self.readers, WHAT, ends, std::slice::from_ref(&run), read).await?;
        if let Some((Some(first), Some(last))) = ends.into_iter().next() {
            wheres.int(|n| format!("t.created_ns >= ${n}"), first);
            wheres.int(|n| format!("t.created_ns <= ${n}"), last);
        }
        let n = wheres.bind(run);
        wheres.and(&format!("!t.run_id = ~{n}"));
        Ok(())
    }

    /// The markets that a text means: the one of that id, or those with it in their readable name. A
    /// market enters its table with the first wish about it.
    async fn markets_meant(&self, text: &str, wheres: &mut Wheres) -> Result<(), StoreError> {
        let like: String = text
            .to_lowercase()
            .chars()
            .flat_map(|c| match c {
                '%' | '_' | '\\' => vec!['\\', c],
                _ => vec![c],
            })
            .collect();
        let template = "SELECT m.market_id, max(m.closes_ns) FROM paper_markets m
             WHERE m.market_id = $1 OR lower(m.market_slug) LIKE $2 ESCAPE '\\'
             GROUP BY m.market_id ORDER BY 2 DESC, 1 LIMIT $3";
        let binds = [
            Bind::Text(Some(text.to_owned())),
            Bind::Text(Some(format!("%{like}%"))),
            Bind::Int(i64::try_from(MARKETS_MEANT + 1).unwrap_or(i64::MAX)),
        ];
        let mut markets = ask::all(&self.readers, WHAT, template, &binds, |c| c.text()).await?;
        wheres.markets_cut = markets.len() > MARKETS_MEANT;
        markets.truncate(MARKETS_MEANT);
        if markets.is_empty() {
            markets.push(text.to_owned());
        }
        wheres.markets = Some(markets);
        Ok(())
    }

    /// The row of that id.
    pub async fn trade_view(&self, id: Uuid) -> Result<Option<TradeView>, StoreError> {
        let template = format!("SELECT {} WHERE t.id = ~1", view::COLUMNS);
        let binds = [Bind::Text(Some(id.to_string()))];
        let found = ask::all(&self.readers, "a trade", &template, &binds, view::view).await?;
        Ok(found.into_iter().next())
    }

    /// The names that the list's filters offer: strategies, venues.
    pub async fn offered(&self) -> Result<Offered, StoreError> {
        // Steps from name to name along an index instead of reading every row.
        const NAMES: &str = "WITH RECURSIVE names(name) AS (
                SELECT min(t.strategy_id) FROM paper_trades t
                UNION ALL
                SELECT (SELECT min(t.strategy_id) FROM paper_trades t WHERE t.strategy_id > n.name)
                FROM names n WHERE n.name IS NOT NULL)
             SELECT name FROM names WHERE name IS NOT NULL LIMIT 200";
        const REASONS: &str = "WITH RECURSIVE names(name) AS (
                SELECT min(t.risk_rejection_reason) FROM paper_trades t
                WHERE t.risk_rejection_reason IS NOT NULL
                UNION ALL
                SELECT (SELECT min(t.risk_rejection_reason) FROM paper_trades t
                        WHERE t.risk_rejection_reason > n.name)
                FROM names n WHERE n.name IS NOT NULL)
             SELECT name FROM names WHERE name IS NOT NULL LIMIT 200";
        let names = |sql: &'static str| ask::all(&self.readers, WHAT, sql, &[], |c| c.text());
        Ok(Offered {
            strategies: names(NAMES).await?,
            reasons: names(REASONS).await?,
        })
    }
}

/// Names that occur.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Offered {
    /// Of strategies.
    pub strategies: Vec<String>,
    /// Of reasons of refusals.
    pub reasons: Vec<String>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_place_is_read_back_as_it_was_written_and_nothing_else_is_one() {
        for sort in Sort::ALL {
            for (ascending, back) in [(true, true), (true, false), (false, true), (false, false)] {
                let place = Place {
                    sort,
                    ascending,
                    back,
                    value: -1_234_567,
                    id: Uuid::from_u128(0xfeed),
                };
                assert_eq!(place.to_string().parse(), Ok(place));
            }
        }
        let id = Uuid::from_u128(1).simple();
        for wrong in [
            "",
            "time",
            &format!("time.df.x.{id}"),
            &format!("age.df.1.{id}"),
            &format!("time.dd.1.{id}"),
            "time.df.1.nothing",
            &format!("time.df.99999999999999999999.{id}"),
        ] {
            assert_eq!(wrong.parse::<Place>(), Err(NoPlace), "{wrong:?}");
        }
    }
}
