//! What the running pilot says: finds the market or opportunity that is meant and says how it stands now.
//!
//! Called on the engine's thread between two records, for one question at a time; it reads, and what it
//! answers is bounded by [`NAMES_MAX`] names and the looks of one market.

use super::words::{clock, ms, names_like, seconds};
use super::{Fact, NAMES_MAX, Name, Verdict};
use crate::snapshot::Instant;
use pm_arb_core::engine::{BookNow, Engine, MarketNow, OpportunityNow};
use pm_arb_core::ids::{MarketId, OpportunityId, Seq};
use pm_arb_core::market::MarketStatus;
use pm_arb_core::market_data::MarketState;
use pm_arb_core::reason::Reason;
use pm_arb_core::scanner::{Left, Look, LookAt};
use serde::{Deserialize, Serialize};

/// What the pilot knows of a question.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Live {
    /// How what is meant stands; `None` when that is not one thing that is known.
    pub verdict: Option<Verdict>,
    /// The markets that may be meant, or the nearest ones.
    pub names: Vec<Name>,
    /// Whether `names` may be meant; otherwise they are only near.
    pub meant: bool,
}

/// Answers one question.
#[must_use]
pub fn of(engine: &Engine, about: &str) -> Live {
    let about = about.trim();
    if let Some(id) = opportunity_id(about) {
        let now = engine.opportunity(id);
        return Live {
            verdict: now.map(|now| opportunity(engine, &now)),
            ..Live::default()
        };
    }
    let data = engine.market_data();
    let exact = |m: &&MarketState| m.spec.slug == about || m.spec.native_id == about;
    let all = || data.markets().map(|m| (m.spec.slug.as_str(), m));
    // The newest of equal names: a question of now.
    let one = data.markets().filter(exact).last().map(|m| m.spec.id);
    let (mut like, meant) = match one {
        Some(_) => (Vec::new(), true),
        None => names_like(about, all(), |m| m.spec.native_id.as_str()),
    };
    let one = one.or(match like.as_slice() {
        [only] if meant => Some(only.spec.id),
        _ => None,
    });
    if let Some(now) = one.and_then(|id: MarketId| engine.why(id)) {
        return Live {
            verdict: Some(market(engine, &now)),
            meant: true,
            ..Live::default()
        };
    }
    // Those that trade first, then the newest.
    like.sort_by_key(|m| (!m.is_open(), std::cmp::Reverse(m.spec.closes_at)));
    like.truncate(NAMES_MAX);
    Live {
        names: like.into_iter().map(name).collect(),
        meant,
        ..Live::default()
    }
}

/// `SEQ.N`, or the same after the beginning of a run's id.
pub(super) fn opportunity_id(text: &str) -> Option<OpportunityId> {
    let text = match text.split_once('-') {
        Some((run, rest)) if run.len() == 8 && run.bytes().all(|b| b.is_ascii_hexdigit()) => rest,
        _ => text,
    };
    let (seq, n) = text.split_once('.')?;
    Some(OpportunityId {
        seq: Seq(seq.parse().ok()?),
        n: n.parse().ok()?,
    })
}

fn name(market: &MarketState) -> Name {
    Name {
        slug: market.spec.slug.clone(),
        id: market.spec.native_id.clone(),
        venue: market.spec.venue.as_str().to_owned(),
        status: market.status.as_str().to_owned(),
    }
}

/// Why not: a code where there is one, and what was compared.
struct Cause {
    code: Option<Reason>,
    because: String,
    limit: String,
    observed: String,
    tradable: bool,
}

impl Cause {
    fn of(reason: Reason, limit: impl Into<String>, observed: impl Into<String>) -> Self {
        Self {
            code: Some(reason),
            because: super::words::clause(reason.meaning()),
            limit: limit.into(),
            observed: observed.into(),
            tradable: false,
        }
    }
}

fn market(engine: &Engine, now: &MarketNow) -> Verdict {
    let cause = cause(now);
    Verdict {
        at: Instant(now.now),
        market: engine.market_data().market(now.market).map(name),
        code: cause.code.map(|r| r.code().to_owned()),
        because: cause.because,
        limit: cause.limit,
        observed: cause.observed,
        tradable: cause.tradable,
        facts: facts(engine, now),
    }
}

/// The first thing that stands in the way, in the order in which the engine meets them.
fn cause(now: &MarketNow) -> Cause {
    if let Some(why) = &now.halted {
        return Cause::of(Reason::Halted, "not halted", why);
    }
    if now.status != MarketStatus::Open || now.closes_at <= now.now {
        let state = format!(
            "{}, its end is {}",
            now.status.as_str(),
            clock(now.closes_at)
        );
        let best = now.mark.and_then(|mark| mark.best);
        let best = best.map_or_else(String::new, |(left, at)| {
            let least = now.edge_min;
            format!(
                "; the most its prices ever left was {} at {} ({least} needed)",
                amount(left),
                clock(at)
            )
        });
        return Cause::of(
            Reason::MarketClosed,
            "an open market",
            format!("{state}{best}"),
        );
    }
    let left = now.closes_at.since(now.now);
    if left < now.expiry_min {
        let limit = format!("{} before the close", ms(now.expiry_min));
        return Cause::of(Reason::NearExpiry, limit, ms(left));
    }
    let worth = |look: &&Look| {
        look.refused.is_none() && look.left.is_some_and(|l| l.net && l.usd >= now.edge_min)
    };
    if let Some(left) = now
        .looks
        .iter()
        .filter(worth)
        .filter_map(|l| l.left)
        .max_by_key(|l| l.usd)
    {
        return Cause {
            code: None,
            because: "an edge is there now and no strategy's order for it has filled".to_owned(),
            limit: format!("at least {} USD a share", now.edge_min),
            observed: amount(left),
            tradable: true,
        };
    }
    let model = |look: &&Look| matches!(look.at, LookAt::Outcome(_));
    let of_model: Vec<&Look> = now.looks.iter().filter(model).collect();
    let others: Vec<&Look> = now.looks.iter().filter(|l| !model(l)).collect();
    let found = [of_model, others]
        .into_iter()
        .find_map(|looks| looked(now, &looks));
    found.unwrap_or_else(|| Cause {
        code: None,
        because: "nothing is looked for in it: no oracle decides it and no two prices of it can be compared".to_owned(),
        limit: "an oracle, or two prices to compare".to_owned(),
        observed: format!("{} outcomes, {} looks", now.books.len(), now.looks.len()),
        tradable: false,
    })
}

/// What looks of one sort say: how little they leave, or why nothing can be said.
fn looked(now: &MarketNow, looks: &[&Look]) -> Option<Cause> {
    let open = looks.iter().filter(|l| l.refused.is_none());
    if let Some(left) = open.filter_map(|l| l.left).max_by_key(|l| l.usd) {
        return Some(Cause {
            code: None,
            because: "its prices leave too little".to_owned(),
            limit: format!("at least {} USD a share after fees", now.edge_min),
            observed: amount(left),
            tradable: false,
        });
    }
    let refused = looks.iter().find(|l| l.refused.is_some())?;
    let reason = refused.refused?;
    let (limit, observed) = compared(now, refused, reason);
    Some(Cause::of(reason, limit, observed))
}

/// What was compared when a look was refused.
fn compared(now: &MarketNow, look: &Look, reason: Reason) -> (String, String) {
    let of = |book: &&BookNow| book.refused == Some(reason);
    let book = now.books.iter().find(of);
    let about = super::reasons::about(reason);
    let usual = || (about.limit.to_owned(), about.observed.to_owned());
    match (reason, book) {
        (
            Reason::NoBook
            | Reason::StaleBook
            | Reason::CrossedBook
            | Reason::OneSidedBook
            | Reason::PlaceholderBook,
            Some(book),
        ) => {
            let limit = match reason {
                Reason::StaleBook => format!("at most {}", ms(now.limits.book_age_max)),
                _ => about.limit.to_owned(),
            };
            (limit, book_words(book))
        }
        (Reason::StaleOracle, _) => {
            let limit = format!("at most {}", ms(now.limits.oracle_age_max));
            let observed = now.oracle.as_ref().map(|o| match o.age {
                Some(age) => format!("{} is {} old", o.name, ms(age)),
                None => format!("{} has no value", o.name),
            });
            (limit, observed.unwrap_or_else(|| "no oracle".to_owned()))
        }
        (Reason::EdgeImplausible, _) => {
            let limit = format!("at most {} USD a share", now.limits.edge_max);
            (
                limit,
                look.left.map_or_else(|| about.observed.to_owned(), amount),
            )
        }
        _ => usual(),
    }
}

fn amount(left: Left) -> String {
    let Left { usd, net } = left;
    if net {
        format!("{usd} USD a share after fees")
    } else {
        format!("at most {usd} USD a share before fees")
    }
}

fn book_words(book: &BookNow) -> String {
    let side = |level: Option<(pm_arb_core::units::Price, pm_arb_core::units::Qty)>| {
        level.map_or("none".to_owned(), |(price, qty)| {
            format!("{price} USD × {qty}")
        })
    };
    let age = book.age.map_or("never heard of".to_owned(), |age| {
        format!("{} old", ms(age))
    });
    format!(
        "{}: {age}, bid {}, ask {}",
        book.outcome,
        side(book.bid),
        side(book.ask)
    )
}

fn facts(engine: &Engine, now: &MarketNow) -> Vec<Fact> {
    let fact = |name: &str, value: String| Fact {
        name: name.to_owned(),
        value,
    };
    let mut facts = vec![
        fact("state", now.status.as_str().to_owned()),
        fact(
            "closes",
            format!("{} ({})", clock(now.closes_at), until(now)),
        ),
        fact(
            "fee",
            if now.fee_known { "known" } else { "unknown" }.to_owned(),
        ),
    ];
    if !now.unknown.is_empty() {
        facts.push(fact("unknown", now.unknown.join(", ")));
    }
    for book in &now.books {
        let usable = book
            .refused
            .map_or("usable".to_owned(), |r| r.code().to_owned());
        facts.push(fact("book", format!("{}; {usable}", book_words(book))));
    }
    if let Some(oracle) = &now.oracle {
        let age = oracle
            .age
            .map_or("no value".to_owned(), |age| format!("{} old", ms(age)));
        let fresh = if oracle.fresh { "fresh" } else { "not fresh" };
        let strike = if oracle.strike_known {
            "known"
        } else {
            "unknown"
        };
        facts.push(fact(
            "oracle",
            format!("{}: {age}, {fresh}; price to beat {strike}", oracle.name),
        ));
    }
    for look in &now.looks {
        facts.push(fact(
            &format!("look: {}", look_words(engine, look)),
            match (look.refused, look.left) {
                (Some(reason), Some(left)) => format!("{reason} ({})", amount(left)),
                (Some(reason), None) => reason.code().to_owned(),
                (None, Some(left)) => amount(left),
                (None, None) => "nothing".to_owned(),
            },
        ));
    }
    if let Some((best, at)) = now.mark.and_then(|m| m.best) {
        facts.push(fact(
            "best so far",
            format!("{} at {}", amount(best), clock(at)),
        ));
    }
    if let Some((reason, at)) = now.mark.and_then(|m| m.refused) {
        facts.push(fact(
            "last refused look",
            format!("{reason} at {}", clock(at)),
        ));
    }
    facts.push(fact("held", if now.held { "yes" } else { "no" }.to_owned()));
    facts
}

fn until(now: &MarketNow) -> String {
    match now.closes_at.since(now.now).ms() {
        0 => "over".to_owned(),
        left => format!("in {}", seconds(left)),
    }
}

fn look_words(engine: &Engine, look: &Look) -> String {
    let data = engine.market_data();
    let outcome = |i| {
        let market = data.market_of(i)?;
        let (_, outcome) = market.spec.outcome(i)?;
        Some(outcome.name.clone())
    };
    let slug = |id| {
        data.market(id)
            .map_or_else(|| format!("market {id}"), |m| m.spec.slug.clone())
    };
    match look.at {
        LookAt::Outcome(i) => format!("{} against its oracle", outcome(i).unwrap_or_default()),
        LookAt::Complement => "both outcomes for a dollar".to_owned(),
        LookAt::Set(n) => format!("outcome {} of every market of the set", n + 1),
        LookAt::Implication(other) => format!("with {}", slug(other)),
        LookAt::Pair(a, b) => {
            let of = |i| data.market_id_of(i).map(slug).unwrap_or_default();
            format!(
                "{} on one venue, the opposite on the other ({} and {})",
                outcome(a).unwrap_or_default(),
                of(a),
                of(b)
            )
        }
    }
}

fn opportunity(engine: &Engine, now: &OpportunityNow) -> Verdict {
    let seen = &now.seen;
    let data = engine.market_data();
    let market = seen.legs.first().and_then(|leg| data.market(leg.market));
    let (because, tradable) = match (now.wished, now.shown) {
        (true, _) => (
            "a strategy has wished for it; what came of that is told below",
            false,
        ),
        (false, true) => ("no strategy has wished for it so far", true),
        (false, false) => ("no strategy wished for it while it was there", false),
    };
    let halted = engine.is_halted();
    let verdict = Verdict {
        at: Instant(now.now),
        market: market.map(name),
        code: halted.map(|_| Reason::Halted.code().to_owned()),
        because: halted.map_or_else(
            || because.to_owned(),
            |_| super::words::clause(Reason::Halted.meaning()),
        ),
        limit: halted.map_or_else(
            || format!("at least {} USD a share", now.edge_min),
            |_| "not halted".to_owned(),
        ),
        observed: halted.map_or_else(
            || format!("{} USD a share for {} shares", seen.edge, seen.qty),
            str::to_owned,
        ),
        tradable: tradable && halted.is_none(),
        facts: Vec::new(),
    };
    let fact = |name: &str, value: String| Fact {
        name: name.to_owned(),
        value,
    };
    let mut facts = vec![
        fact("type", seen.kind.as_str().to_owned()),
        fact("last told", clock(seen.at)),
        fact("there now", if now.shown { "yes" } else { "no" }.to_owned()),
        fact("edge", format!("{} USD a share after fees", seen.edge)),
        fact("size", format!("{} shares", seen.qty)),
    ];
    for (leg, slug) in seen.legs.iter().zip(&now.slugs) {
        let age = ms(leg.book_age);
        facts.push(fact(
            "leg",
            format!(
                "{slug}: {} USD × {}, fee {} USD a share, book {age} old",
                leg.price, leg.qty, leg.fee
            ),
        ));
    }
    Verdict { facts, ..verdict }
}
