//! A broken invariant ends the run at the record that broke it, and the sums that stand in for counting
//! are right. Everything here is broken on purpose, behind the engine's back.

use super::world::{World, buy};
use crate::ids::{InstrumentId, Seq, Venue};
use crate::ledger::{Account, Holding};
use crate::position::Positions;
use crate::units::Usd;

/// A world that holds ten shares of instrument 0.
fn holding() -> World {
    let mut w = World::new();
    w.wish(buy(0, 52, 10));
    w.at(400).tick();
    w.check(&["leg 0 open 10@0.52 fee 0.00"]);
    w
}

/// The last words of a run, which must be the only ones.
fn last_words(w: &mut World) -> String {
    let [line] = &w.lines()[..] else {
        panic!("one line: the end");
    };
    line.clone()
}

fn ends(mut w: World, kind: &str, why: &str) {
    w.tick();
    let said = last_words(&mut w);
    let named = format!("ABORT record {} ({kind}): ", w.seq());
    assert!(said.starts_with(&named), "{said} is not {named}");
    assert!(said.contains(why), "{said} does not say {why}");
    // Nothing is done any more.
    w.wish(buy(0, 52, 10));
    w.at(5_000).tick();
    w.check(&[]);
}

#[test]
fn money_out_of_nothing_ends_the_run() {
    let mut w = holding();
    w.engine.ledger.conjure(Account::Cash, Usd(1));
    ends(w, "tick", "money is not conserved");
}

#[test]
fn money_that_is_not_there_ends_the_run() {
    let mut w = holding();
    let cash = w.engine.ledger.cash();
    w.engine.ledger.conjure(Account::Cash, Usd(-cash.0 - 1));
    w.engine.ledger.conjure(Account::Capital, Usd(cash.0 + 1));
    ends(w, "tick", "overdrawn");
}

#[test]
fn locked_money_without_a_position_ends_the_run() {
    let mut w = holding();
    w.engine.positions = Positions::default();
    ends(w, "tick", "positions cost 0.00 USD");
}

#[test]
fn a_row_that_was_told_and_is_not_held_ends_the_run() {
    let mut w = holding();
    // Worth nothing, so that the money agrees.
    let row = *w
        .engine
        .positions
        .rows_of(crate::ids::StrategyId(0), InstrumentId(0))
        .first()
        .unwrap();
    let mut position = w.engine.positions.get(row).unwrap().clone();
    position.cost = Usd(0);
    let other = crate::ids::TradeId { seq: Seq(1), n: 9 };
    w.engine.positions.open(other, position);
    ends(w, "tick", "2 rows are held and 1 were told as open");
}

#[test]
fn a_fill_that_risk_did_not_approve_ends_the_run() {
    let mut w = World::new();
    w.wish(buy(0, 52, 10));
    w.engine.ward = super::super::Ward::default();
    w.at(10);
    ends(w, "tick", "an order is under way that risk did not approve");

    // The same where the order fills in the very step.
    let mut w = World::new();
    w.wish(buy(0, 52, 10));
    w.engine.ward = super::super::Ward::default();
    w.at(400).tick();
    let said = w.lines();
    assert_eq!(said[0], "leg 0 open 10@0.52 fee 0.00");
    assert!(
        said[1].contains("is a fill of an intent that was not approved"),
        "{said:?}"
    );
}

#[test]
fn a_violation_below_the_top_of_a_book_is_seen_too() {
    let mut w = holding();
    w.engine.ledger.conjure(Account::Cash, Usd(1));
    // The record that concerns nobody: a level behind the best.
    w.bid(0, 30, 10);
    assert!(last_words(&mut w).contains("(book level): money is not conserved"));
}

#[test]
fn an_audit_finds_a_sum_that_is_not_the_sum_of_its_parts() {
    let mut w = holding();
    assert_eq!(w.engine.audit(), Ok(()));
    let holding = Holding {
        strategy: crate::ids::StrategyId(0),
        venue: Venue::Polymarket,
        market: crate::ids::MarketId(0),
    };
    // On an account that no total hears of.
    w.engine.ledger.misfile(Account::Locked(holding), Usd(7));
    let said = w.engine.audit().unwrap_err();
    assert!(said.contains("running totals"), "{said}");
    // Found by the next housekeeping at the latest.
    w.at(700_000).tick();
    assert!(last_words(&mut w).starts_with("ABORT record"));
}

#[test]
fn worth_follows_the_bid_without_a_look_at_what_did_not_change() {
    let mut w = World::new();
    w.market(1, |_| {});
    w.book(1, &[(60, 100)], &[(64, 100)]);
    w.wish(buy(0, 52, 10));
    w.wish(buy(2, 64, 10));
    w.at(400).tick();
    assert_eq!(w.lines().len(), 2);
    let worth = |w: &mut World| {
        w.engine.equity();
        w.engine.positions.worth()
    };
    // 10 at 0.48 and 10 at 0.60.
    assert_eq!(worth(&mut w), Usd(10_800_000));
    w.bid(0, 50, 5);
    assert_eq!(worth(&mut w), Usd(11_000_000));
    // Never above cost.
    w.bid(2, 63, 5);
    w.bid(0, 51, 5);
    assert_eq!(worth(&mut w), Usd(11_400_000));
    // Interrupted: the last bid stands; an empty book afterwards is worth nothing.
    w.step(crate::event::Event::Gap {
        scope: crate::event::GapScope::Instrument(InstrumentId(2)),
        cause: String::new(),
    });
    assert_eq!(worth(&mut w), Usd(11_400_000));
    w.book(1, &[], &[]);
    assert_eq!(worth(&mut w), Usd(5_100_000));
    // A market that pauses keeps its mark, and is marked again when it trades again.
    let trading = |open| crate::event::Event::Trading {
        market: crate::ids::MarketId(0),
        open,
    };
    w.step(trading(false));
    w.bid(0, 51, 0);
    assert_eq!(worth(&mut w), Usd(5_100_000));
    w.step(trading(true));
    assert_eq!(worth(&mut w), Usd(5_000_000));
    assert_eq!(w.engine.audit(), Ok(()));
}
