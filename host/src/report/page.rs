//! One trade whole.
//!
//! The page answers, from top to bottom: what was seen, who wished what, what risk said, how the order
//! travelled, what the book gave level by level, for which fee, what less honest executors would have
//! booked, and what it came to on which evidence. What a row of an older version lacks is left out.

use super::text::{Style, cut, instant, per_share, signed, tame, wrapped};
use crate::store::Side;
use crate::store::view::{GradeView, IntentView, TradePage, TradeView};
use pm_arb_core::ids::{Nanos, Timestamp};
use pm_arb_core::opportunity::{Opportunity, OpportunityKind};
use pm_arb_core::units::{Price, Qty, Usd};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Where running text ends.
const WIDTH: usize = 78;

/// Title and lines of a part of the page.
struct Part(&'static str, Vec<(String, String)>);

impl Part {
    fn line(&mut self, name: &str, value: impl Into<String>) {
        self.1.push((name.to_owned(), value.into()));
    }
}

/// The page as text, ending in a line break.
#[must_use]
pub fn render(page: &TradePage, style: Style) -> String {
    let t = &page.trade;
    let mut text = String::new();
    let _ = writeln!(text, "TRADE {}  {}", t.id, t.status.to_uppercase());
    let what = format!(
        "{} {} {} of {}",
        t.side,
        if t.quantity.0 > 0 {
            t.quantity
        } else {
            t.requested_quantity
        },
        tame(&t.outcome),
        tame(&t.market_slug)
    );
    let _ = writeln!(text, "{what} on {}, for {}", t.venue, tame(&t.strategy_id));
    for part in [
        opportunity(page),
        decision(page),
        order(page),
        execution(t),
        grades(page, style),
        outcome(page, style),
    ] {
        if part.1.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n{}", part.0);
        for (name, value) in part.1 {
            let mut lines = wrapped(&value, WIDTH).into_iter();
            // A value with columns keeps its spaces.
            let first = if value.starts_with(' ') {
                Some(value.clone())
            } else {
                lines.next()
            };
            let _ = writeln!(text, "  {name:<11} {}", first.unwrap_or_default());
            if !value.starts_with(' ') {
                for line in lines {
                    let _ = writeln!(text, "  {:<11} {line}", "");
                }
            }
        }
    }
    if !page.siblings.is_empty() {
        let _ = writeln!(text, "\nOTHER ROWS OF THE SAME INTENT");
        for line in super::list::siblings(&page.siblings, style) {
            let _ = writeln!(text, "{line}");
        }
    }
    text
}

fn opportunity(page: &TradePage) -> Part {
    let mut part = Part("OPPORTUNITY", Vec::new());
    let t = &page.trade;
    part.line(
        "Id",
        format!("{} ({})", t.opportunity_id, t.opportunity_type),
    );
    let Some(seen) = page.intent.as_ref().and_then(|i| i.opportunity.as_deref()) else {
        if page.intent.is_some() {
            part.line("Seen", "by the strategy itself; the scanner reported none");
        }
        return part;
    };
    let Ok(o) = serde_json::from_str::<Opportunity>(seen) else {
        part.line("Seen", tame(seen));
        return part;
    };
    part.line("Seen", instant(o.at));
    part.line(
        "Edge",
        format!(
            "{} a share after {}, {} shares offered",
            per_share(o.edge),
            match o.kind {
                OpportunityKind::OracleLag => "fees and haircut",
                _ => "fees",
            },
            o.qty
        ),
    );
    if let Some(relation) = o.relation {
        part.line("Relation", relation.to_string());
    }
    if o.oracle_age.0 > 0 {
        part.line("Oracle", format!("{} old", span(o.oracle_age)));
    }
    for (n, leg) in o.legs.iter().enumerate() {
        let fair = leg
            .fair
            .map_or(String::new(), |fair| format!(", fair {fair}"));
        part.line(
            &format!("Leg {n}"),
            format!(
                "instrument {} ({}): ask {} for {}{fair}, fee {}, book {} old",
                leg.instrument,
                leg.venue,
                leg.price,
                leg.qty,
                leg.fee,
                span(leg.book_age)
            ),
        );
    }
    part
}

fn decision(page: &TradePage) -> Part {
    let mut part = Part("DECISION", Vec::new());
    let t = &page.trade;
    part.line(
        "Strategy",
        format!(
            "{} {} (generation {}, {})",
            tame(&t.strategy_id),
            tame(&t.strategy_version),
            t.generation,
            cut(&t.strategy_digest, 12)
        ),
    );
    part.line("Promise", format!("{} a share", per_share(t.expected_edge)));
    let denied = |reason: &str, limit: &Option<String>, observed: &Option<String>| {
        let mut text = reason.to_owned();
        for (word, value) in [("limit", limit), ("observed", observed)] {
            if let Some(value) = value.as_deref().filter(|v| !v.is_empty()) {
                let _ = write!(text, ", {word} {}", tame(value));
            }
        }
        text
    };
    match &page.intent {
        Some(IntentView {
            requested_quantity: asked,
            approved_quantity: Some(approved),
            ..
        }) => part.line(
            "Risk",
            format!("approved {approved} of {asked} shares a leg"),
        ),
        Some(i) => {
            let reason = i.reason.as_deref().unwrap_or("without a reason");
            part.line(
                "Risk",
                format!("denied: {}", denied(reason, &i.limit, &i.observed)),
            );
        }
        None if t.risk_approved => part.line("Risk", "approved"),
        None => part.line("Risk", "denied"),
    }
    if let Some(reason) = t.reason.as_deref().filter(|_| t.risk_approved) {
        let why = denied(reason, &t.limit, &t.observed);
        part.line("Refused", format!("by the executor: {why}"));
    } else if let (Some(reason), None) = (&t.reason, &page.intent) {
        part.line("Why", denied(reason, &t.limit, &t.observed));
    }
    part
}

fn order(page: &TradePage) -> Part {
    let mut part = Part("ORDER", Vec::new());
    let t = &page.trade;
    if let Some(intent) = &page.intent {
        part.line("Kind", intent.time_in_force.to_uppercase());
    }
    if let Some(leg) = &page.leg {
        part.line("Limit", leg.limit_price.to_string());
        let level = |level: Option<(Price, Qty)>| {
            level.map_or("none".to_owned(), |(price, qty)| {
                format!("{price} for {qty}")
            })
        };
        part.line(
            "Book then",
            format!("bid {}, ask {}", level(leg.bid), level(leg.ask)),
        );
    }
    part.line(
        "Decided",
        format!(
            "{} on a book {} old",
            instant(t.decided),
            span_of(t.decision_book_age_ns)
        ),
    );
    if let Some(latency) = t.arrived.0.checked_sub(t.decided.0) {
        part.line(
            "Arrived",
            format!(
                "{}, {} later, at a book {} old (epoch {})",
                instant(t.arrived),
                span(Nanos(latency)),
                span_of(t.fill_book_age_ns),
                t.book_epoch
            ),
        );
    }
    part
}

/// `[[price, quantity, fee], …]` in millionths.
fn levels(t: &TradeView) -> Vec<(Price, Qty, Usd)> {
    let levels: Vec<(i64, i64, i64)> = serde_json::from_str(&t.levels).unwrap_or_default();
    levels
        .into_iter()
        .map(|(price, qty, fee)| (Price(price), Qty(qty), Usd(fee)))
        .collect()
}

fn execution(t: &TradeView) -> Part {
    let mut part = Part("BOOK AS WALKED", Vec::new());
    if t.quantity.0 == 0 {
        return part;
    }
    let levels = levels(t);
    if !levels.is_empty() {
        part.line(
            "Level",
            format!(" {:>9}  {:>14}  {:>12}", "price", "shares", "fee"),
        );
        for (n, (price, qty, fee)) in levels.iter().enumerate() {
            let (price, qty, fee) = (price.to_string(), qty.to_string(), fee.to_string());
            part.line(
                &(n + 1).to_string(),
                format!(" {price:>9}  {qty:>14}  {fee:>12}"),
            );
        }
    }
    part.line(
        "Filled",
        format!(
            "{} of {} shares at {} on average, {} {}",
            t.quantity,
            t.requested_quantity,
            t.price,
            t.cost,
            if t.side == "buy" { "paid" } else { "received" }
        ),
    );
    let rule = match t.fee_rule.as_str() {
        "" => String::new(),
        rule => format!(" ({})", tame(rule)),
    };
    let role = if t.maker { "as maker" } else { "as taker" };
    part.line("Fee", format!("{} so far, {role}{rule}", t.fees));
    let tape = match t.tape.as_deref() {
        Some("confirmed") => "a real trade printed at these prices within a second",
        Some("not_seen") => "no real trade printed at these prices within a second",
        Some("no_tape") => "the feed carries no trades of this market",
        _ => "not asked",
    };
    part.line("Tape", tape);
    part
}

fn grades(page: &TradePage, style: Style) -> Part {
    let mut part = Part("BOOKED THREE WAYS (this leg)", Vec::new());
    let t = &page.trade;
    if t.naive.is_none() && t.mid.is_none() {
        return part;
    }
    let payout = payout(page);
    let side = match t.side.as_str() {
        "buy" => Side::Buy,
        _ => Side::Sell,
    };
    let graded = |grade: Option<GradeView>| {
        let Some(g) = grade else {
            return "nothing: there was no such price".to_owned();
        };
        let gain = payout.and_then(|payout| g.against(side, payout));
        let gain = gain.map_or(String::new(), |gain| {
            format!(", came to {}", style.dress(gain, signed(gain)))
        });
        format!(
            "{} at {}, {} and a fee of {}{gain}",
            g.quantity, g.price, g.value, g.fee
        )
    };
    part.line("Naive", graded(t.naive));
    part.line("Mid", graded(t.mid));
    let leg: Vec<&TradeView> = page
        .siblings
        .iter()
        .chain([t])
        .filter(|row| row.leg == t.leg)
        .collect();
    let sum = |of: fn(&TradeView) -> i64| leg.iter().map(|r| of(r)).fold(0, i64::saturating_add);
    let ended = leg.iter().all(|row| row.status != "open");
    let pnl = Usd(sum(|row| row.realized_pnl.unwrap_or_default().0));
    let gain = if ended {
        format!(", came to {}", style.dress(pnl, signed(pnl)))
    } else {
        String::new()
    };
    part.line(
        "Honest",
        format!(
            "{} for {} and a fee of {}{gain}",
            Qty(sum(|row| row.quantity.0)),
            Usd(sum(|row| row.cost.0)),
            Usd(sum(|row| row.fees.0))
        ),
    );
    part
}

/// What a share of the row's outcome paid, once it did.
fn payout(page: &TradePage) -> Option<Price> {
    let market = page.market.as_ref()?;
    let ended = ["settled", "void"].contains(&market.status.as_str());
    let outcomes: Vec<(i64, String, Option<i64>)> =
        serde_json::from_str(&market.outcomes).unwrap_or_default();
    let found = outcomes
        .into_iter()
        .find(|(_, name, _)| *name == page.trade.outcome);
    found.filter(|_| ended)?.2.map(Price)
}

fn outcome(page: &TradePage, style: Style) -> Part {
    let mut part = Part("OUTCOME", Vec::new());
    let t = &page.trade;
    if t.closes.0 > 0 {
        part.line("Closes", instant(t.closes));
    }
    if let Some(market) = &page.market {
        let since = instant(market.since);
        part.line("Market", format!("{} since {since}", market.status));
        if !market.evidence.is_empty() {
            part.line("Because", tame(&market.evidence));
        }
    }
    if t.status == "rejected" {
        part.line("P&L", "none: it never was a position");
        return part;
    }
    if t.remaining_quantity.0 > 0 {
        part.line("Held", format!("{} shares", t.remaining_quantity));
    }
    if let (Some(price), Some(at)) = (t.exit_price, t.resolved) {
        part.line("Exit", format!("at {price} on {}", instant(at)));
    }
    if let Some(evidence) = &t.evidence
        && page.market.as_ref().is_none_or(|m| m.evidence != *evidence)
    {
        part.line("Evidence", tame(evidence));
    }
    match t.realized_pnl {
        Some(pnl) if t.status != "open" => {
            part.line(
                "P&L",
                style.dress(pnl, format!("{} (exactly {pnl})", signed(pnl))),
            );
        }
        _ => part.line("P&L", "not known yet"),
    }
    part
}

fn span_of(ns: i64) -> String {
    span(Nanos(u64::try_from(ns).unwrap_or_default()))
}

/// `41.0 ms`, `3.2 s`
fn span(ns: Nanos) -> String {
    let tenths_ms = ns.0 / 100_000;
    if tenths_ms < 10_000 {
        format!("{}.{} ms", tenths_ms / 10, tenths_ms % 10)
    } else {
        let tenths = ns.0 / 100_000_000;
        format!("{}.{} s", tenths / 10, tenths % 10)
    }
}

/// The page for programs.
#[must_use]
pub fn json(page: &TradePage) -> Value {
    let raw = |text: &str| serde_json::from_str::<Value>(text).unwrap_or(Value::Null);
    let level = |level: Option<(Price, Qty)>| {
        level.map(|(price, qty)| json!({"price": price.to_string(), "quantity": qty.to_string()}))
    };
    let rfc3339 = |at: Timestamp| super::text::rfc3339(at);
    let walked: Vec<Value> = levels(&page.trade)
        .into_iter()
        .map(|(price, qty, fee)| {
            json!({"price": price.to_string(), "quantity": qty.to_string(), "fee": fee.to_string()})
        })
        .collect();
    json!({
        "schema": "pm-arb.trade/1",
        "trade": super::export::json(&page.trade),
        "levels": walked,
        "intent": page.intent.as_ref().map(|i| json!({
            "decided_at": rfc3339(i.created),
            "opportunity": i.opportunity.as_deref().map(raw),
            "time_in_force": i.time_in_force,
            "requested_quantity": i.requested_quantity.to_string(),
            "approved_quantity": i.approved_quantity.map(|q| q.to_string()),
            "reason": i.reason,
            "limit": i.limit,
            "observed": i.observed,
            "expected_edge": i.expected_edge.to_string(),
        })),
        "book_at_decision": page.leg.as_ref().map(|l| json!({
            "limit_price": l.limit_price.to_string(),
            "bid": level(l.bid),
            "ask": level(l.ask),
        })),
        "market": page.market.as_ref().map(|m| json!({
            "status": m.status,
            "outcomes": raw(&m.outcomes),
            "evidence": m.evidence,
            "since": rfc3339(m.since),
        })),
        "siblings": page.siblings.iter().map(super::export::json).collect::<Vec<_>>(),
    })
}
