//! Figures of trading: money, counts, denials, the funnel, limits, strategies. Nothing is computed here
//! that the picture does not say, but the drawdown.

use super::{Figures, dollars, label};
use crate::snapshot::{Risk, Snapshot, StrategyRow, Trading};
use pm_arb_core::units::Usd;
use std::fmt;

type Done = Result<(), fmt::Error>;

impl Figures<'_> {
    pub(super) fn pilot(&mut self, pilot: &Snapshot, now_ns: u64) -> Done {
        let age = now_ns.saturating_sub(pilot.taken.0.0) as f64 / 1e9;
        self.gauge(
            "pm_arb_snapshot_age_seconds",
            "Age of the picture these figures are from",
            age,
        )?;
        self.counter(
            "pm_arb_records",
            "Records in the journal of this run",
            pilot.run.seq,
        )?;
        self.trading(&pilot.trading)?;
        self.risk(&pilot.risk)?;
        let rows = pilot.funnel.rows();
        let of = |row: &crate::snapshot::funnel::Row| {
            let mut labels = label("stage", &row.stage);
            labels.push(("part", row.part.to_owned()));
            labels.push(("name", row.name.clone()));
            labels
        };
        self.each(
            &rows,
            of,
            "pm_arb_funnel",
            "What entered, passed, was refused, ended or waits, by stage",
            |row| Some(row.count as f64),
        )?;
        self.strategies(&pilot.strategies.strategies)?;
        self.system(&pilot.system)
    }

    fn trading(&mut self, trading: &Trading) -> Done {
        let halted = f64::from(u8::from(trading.halted.is_some()));
        self.gauge("pm_arb_halted", "1 while trading is halted", halted)?;
        let (equity, high) = (trading.equity.0, trading.high_water.0);
        let fallen = Usd(high.0.saturating_sub(equity.0).max(0));
        for (name, help, amount) in [
            (
                "pm_arb_capital_dollars",
                "What the run began with",
                trading.capital.0,
            ),
            (
                "pm_arb_equity_dollars",
                "Everything, marked at the lower of cost and bid",
                equity,
            ),
            ("pm_arb_high_water_dollars", "The highest equity", high),
            (
                "pm_arb_drawdown_dollars",
                "Equity below its highest",
                fallen,
            ),
            (
                "pm_arb_realized_pnl_dollars",
                "Gains and losses of what was sold or settled, after fees",
                trading.results.realized_pnl.0,
            ),
            ("pm_arb_cash_dollars", "Free money", trading.cash.0),
            (
                "pm_arb_reserved_dollars",
                "Set aside for orders in flight and at rest",
                trading.reserved.0,
            ),
            (
                "pm_arb_locked_dollars",
                "Positions at cost",
                trading.locked.0,
            ),
            (
                "pm_arb_fees_dollars",
                "Fees paid in this run",
                trading.fees.0,
            ),
        ] {
            self.gauge(name, help, dollars(amount))?;
        }
        for (name, help, count) in [
            (
                "pm_arb_open_trades",
                "Rows that are open",
                trading.open_trades,
            ),
            (
                "pm_arb_orders_in_flight",
                "Orders on their way",
                trading.orders_in_flight,
            ),
            (
                "pm_arb_orders_resting",
                "Orders that rest in a queue",
                trading.orders_resting,
            ),
        ] {
            self.gauge(name, help, count as f64)?;
        }
        let (activity, results) = (&trading.activity, &trading.results);
        for (name, help, count) in [
            (
                "pm_arb_opportunities",
                "Opportunities found",
                activity.opportunities,
            ),
            (
                "pm_arb_intents",
                "Wishes of strategies, one with all its legs",
                activity.intents,
            ),
            ("pm_arb_intents_denied", "Of them denied", activity.denied),
            ("pm_arb_fills", "Legs filled", activity.fills),
            ("pm_arb_trades_settled", "Trades ended", activity.settled),
            ("pm_arb_trades_won", "Trades that gained", results.wins),
            ("pm_arb_trades_lost", "Trades that lost", results.losses),
        ] {
            self.counter(name, help, count)?;
        }
        Ok(())
    }

    fn risk(&mut self, risk: &Risk) -> Done {
        self.count_each(
            &risk.denials,
            |denied| label("reason", &denied.code),
            "pm_arb_denials",
            "Wishes denied since this process began, by reason",
            |denied| denied.intents,
        )?;
        let of = |limit: &crate::snapshot::LimitUse| {
            let mut labels = label("limit", &limit.code);
            labels.push(("of", limit.of.clone().unwrap_or_default()));
            labels
        };
        self.each(
            &risk.in_use,
            of,
            "pm_arb_limit_used",
            "Used part of a limit; 1 is all of it",
            |limit| Some(limit.used_bps as f64 / 10_000.0),
        )
    }

    fn strategies(&mut self, rows: &[StrategyRow]) -> Done {
        let name = |row: &StrategyRow| label("strategy", &row.name);
        let state = |row: &StrategyRow| {
            let mut labels = name(row);
            labels.push(("state", row.state.as_str().to_owned()));
            labels
        };
        self.each(
            rows,
            state,
            "pm_arb_strategy_state",
            "1 for the state it is in",
            |_| Some(1.0),
        )?;
        type Read = fn(&StrategyRow) -> f64;
        let gauges: [(&str, &str, Read); 11] = [
            (
                "pm_arb_strategy_net_dollars",
                "Gains of what was sold or settled, after all its fees",
                |s| dollars(s.net.0),
            ),
            (
                "pm_arb_strategy_committed_dollars",
                "Tied up in its orders and positions",
                |s| dollars(s.committed.0),
            ),
            ("pm_arb_strategy_share", "Share of equity, 0 to 1", |s| {
                f64::from(s.share_bps) / 10_000.0
            }),
            ("pm_arb_strategy_generation", "Which load of it runs", |s| {
                f64::from(s.generation)
            }),
            (
                "pm_arb_strategy_fuel_mean",
                "Fuel of a call on average, of this generation",
                |s| s.costs.fuel_mean as f64,
            ),
            (
                "pm_arb_strategy_fuel_max",
                "Fuel of the dearest call",
                |s| s.costs.fuel_max as f64,
            ),
            (
                "pm_arb_strategy_fuel_limit",
                "Fuel that a call may use",
                |s| s.costs.fuel_limit as f64,
            ),
            (
                "pm_arb_strategy_call_mean_seconds",
                "Time of a timed call on average",
                |s| s.costs.time_mean_ns as f64 / 1e9,
            ),
            (
                "pm_arb_strategy_call_p99_seconds",
                "99 of 100 timed calls took no longer, to a quarter",
                |s| s.costs.time_p99_ns as f64 / 1e9,
            ),
            (
                "pm_arb_strategy_call_max_seconds",
                "Time of the slowest timed call",
                |s| s.costs.time_max_ns as f64 / 1e9,
            ),
            ("pm_arb_strategy_memory_bytes", "Its memories", |s| {
                s.costs.memory as f64
            }),
        ];
        for (figure, help, read) in gauges {
            self.each(rows, name, figure, help, |row| Some(read(row)))?;
        }
        type Count = fn(&StrategyRow) -> u64;
        let counters: [(&str, &str, Count); 5] = [
            ("pm_arb_strategy_calls", "Calls", |s| s.calls),
            ("pm_arb_strategy_intents", "Its wishes", |s| s.intents),
            ("pm_arb_strategy_denied", "Of them denied", |s| s.denied),
            ("pm_arb_strategy_fills", "Its legs filled", |s| s.fills),
            ("pm_arb_strategy_faults", "Calls that failed", |s| s.faults),
        ];
        for (figure, help, read) in counters {
            self.count_each(rows, name, figure, help, read)?;
        }
        Ok(())
    }
}
