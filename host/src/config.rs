//! `pm-arb.toml`: what people write down, and how it becomes the engine's settings.
//!
//! Every key has a default and a unit in its name. Unknown keys are errors with their line. Money is
//! written as a decimal string ("10000", "0.05") and read exactly. Owns nothing at run time.

use crate::alerts::config::AlertsConfig;
/// What strategies may.
pub mod grants;
/// Files and the environment on top of the defaults.
pub mod layers;
/// What takes over, and what only might.
pub mod takeover;

use takeover::Swap;

use crate::oracle::binance::BinanceConfig;
use crate::oracle::chainlink::ChainlinkConfig;
use crate::shadow::ShadowKeys;
use crate::venue::kalshi::KalshiConfig;
use crate::venue::polymarket::PolymarketConfig;
use crate::web::DashboardConfig;
use grants::GrantKeys;
use pm_arb_core::config::{
    Allocation, EngineConfig, Execution, FillModel, Latency, RiskLimits, ScannerConfig,
};
use pm_arb_core::ids::Nanos;
use pm_arb_core::latency;
use pm_arb_core::units::{Bps, ParseUnitError, Price, Usd};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Why a configuration was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can not be read.
    #[error("cannot read the configuration {path}; check the path given to --config")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is not what we expect.
    #[error("{path}: {source}")]
    Parse {
        /// Which.
        path: PathBuf,
        /// Where and why, with the line.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// There is no such key.
    #[error("{at}: unknown key {key}{}", instead.as_ref().map_or_else(
        || "; docs/configuration.md lists them all".to_owned(),
        |key| format!("; did you mean {key}?")
    ))]
    Unknown {
        /// File and line, or the environment.
        at: String,
        /// Which key.
        key: String,
        /// What was probably meant.
        instead: Option<String>,
    },
    /// A variable does not say what its key expects.
    #[error("environment: {name}: {why}")]
    Env {
        /// Which variable.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// A value is out of its range, and it is known who wrote it.
    #[error("{at}: {key} {why}")]
    At {
        /// File and line, or variable.
        at: String,
        /// Which key.
        key: Cow<'static, str>,
        /// What is wrong with it.
        why: String,
    },
    /// A value is out of its range.
    #[error("{key} {why}")]
    Value {
        /// Which key.
        key: Cow<'static, str>,
        /// What is wrong with it.
        why: String,
    },
}

/// The commented file that `pm-arb init` writes, and that docs/configuration.md shows: every key with its
/// default, its unit and what it does.
pub const TEMPLATE: &str = include_str!("config/pm-arb.toml");

/// The variables of this process that are text.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// The whole file.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Paper money and its distribution.
    pub capital: Capital,
    /// Limits of the risk guardian.
    pub risk: Risk,
    /// How orders travel.
    pub execution: ExecutionKeys,
    /// What the scanner looks for.
    pub scanner: Scanner,
    /// What a new version of a strategy must do.
    pub swap: Swap,
    /// The simulated venues.
    pub sim: Sim,
    /// Rules of venues.
    pub rules: Rules,
    /// Candidates beside what trades.
    pub shadow: ShadowKeys,
    /// The dashboard.
    pub dashboard: DashboardConfig,
    /// Live market data.
    pub feeds: Feeds,
    /// Who is told when something is wrong.
    pub alerts: AlertsConfig,
    /// What strategies may, of what they ask for.
    pub grants: GrantKeys,
    /// Settings handed to strategies, by strategy name: `[strategies.oracle-sniper] haircut = "0.02"`.
    pub strategies: BTreeMap<String, BTreeMap<String, String>>,
    /// The file it was read from; none for the defaults.
    #[serde(skip)]
    pub file: Option<PathBuf>,
}

/// `[capital]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Capital {
    /// Paper dollars at the start of a run.
    pub starting_cash: String,
    /// Least share of equity of one strategy.
    pub share_min_bps: i32,
    /// Largest share of equity of one strategy.
    pub share_max_bps: i32,
    /// Settled trades after which a strategy's result moves its share.
    pub trades_min: u32,
}

/// `[risk]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[allow(
    missing_docs,
    reason = "each key is RiskLimits' field of the same name, which documents it"
)]
pub struct Risk {
    pub position_per_market_bps: i32,
    pub position_per_venue_bps: i32,
    pub daily_loss_bps: i32,
    pub drawdown_bps: i32,
    pub order_value_max: String,
    pub profit_min: String,
    pub edge_max: String,
    pub slippage_of_edge_bps: i32,
    pub collar: String,
    pub book_age_max_ms: u64,
    pub oracle_age_max_ms: u64,
    pub expiry_min_ms: u64,
    pub intents_per_second: u32,
}

/// `[execution]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExecutionKeys {
    /// Where the time from decision to the venue's door comes from.
    pub latency: LatencyFrom,
    /// That time where it is constant, or not measured yet; the venue's own delay comes on top.
    pub own_latency_ms: u64,
    /// Other draws for another seed.
    pub latency_seed: u64,
    /// By whose rules orders fill.
    pub fills: FillsBy,
    /// `[share of orders in basis points, at most so many milliseconds]`, for draws.
    pub latency_quantiles: Vec<(i32, u64)>,
}

/// See [`ExecutionKeys::fills`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FillsBy {
    /// Ours.
    Honest,
    /// The book of the decision, at once: as other backtesters fill.
    DecisionBook,
    /// The middle of the book, however large the order: as the most generous of them do.
    Mid,
}

/// See [`ExecutionKeys::latency`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LatencyFrom {
    /// Measured in a live pilot, constant otherwise.
    Auto,
    /// Always `own_latency_ms`.
    Constant,
    /// As last measured, which is journalled; `own_latency_ms` before the first time.
    Measured,
    /// Drawn from `latency_quantiles`.
    Drawn,
}

/// `[scanner]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[allow(
    missing_docs,
    reason = "each key is ScannerConfig's field of the same name, which documents it"
)]
pub struct Scanner {
    pub edge_min: String,
    pub rearm_ms: u64,
    pub leg_skew_max_ms: u64,
    pub volatility_prior_bps: i32,
}

/// `[sim]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sim {
    /// World seconds a wall second, unless `--speed` says otherwise.
    pub speed: f64,
    /// How far its market makers lag the oracle.
    pub maker_lag_ms: u64,
}

/// `[rules]`: what markets do not say themselves.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Files of rules, on top of the built-in ones; later ones win (docs/rules.md).
    pub files: Vec<PathBuf>,
}

/// `[feeds]`: where live data comes from.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Feeds {
    /// `[feeds.polymarket]`
    pub polymarket: PolymarketConfig,
    /// `[feeds.kalshi]`
    pub kalshi: KalshiConfig,
    /// `[feeds.binance]`
    pub binance: BinanceConfig,
    /// `[feeds.chainlink]`
    pub chainlink: ChainlinkConfig,
}

impl Default for Capital {
    fn default() -> Self {
        let d = EngineConfig::default();
        Self {
            starting_cash: d.starting_cash.to_string(),
            share_min_bps: d.allocation.share_min.0,
            share_max_bps: d.allocation.share_max.0,
            trades_min: d.allocation.trades_min,
        }
    }
}

impl Default for Risk {
    fn default() -> Self {
        let d = EngineConfig::default().risk;
        Self {
            position_per_market_bps: d.position_per_market.0,
            position_per_venue_bps: d.position_per_venue.0,
            daily_loss_bps: d.daily_loss.0,
            drawdown_bps: d.drawdown.0,
            order_value_max: d.order_value_max.to_string(),
            profit_min: d.profit_min.to_string(),
            edge_max: d.edge_max.to_string(),
            slippage_of_edge_bps: d.slippage_of_edge.0,
            collar: d.collar.to_string(),
            book_age_max_ms: d.book_age_max.ms(),
            oracle_age_max_ms: d.oracle_age_max.ms(),
            expiry_min_ms: d.expiry_min.ms(),
            intents_per_second: d.intents_per_second,
        }
    }
}

impl Default for ExecutionKeys {
    fn default() -> Self {
        Self {
            latency: LatencyFrom::Auto,
            own_latency_ms: 50,
            latency_seed: 0,
            fills: FillsBy::Honest,
            latency_quantiles: Vec::new(),
        }
    }
}

impl Default for Scanner {
    fn default() -> Self {
        let d = EngineConfig::default().scanner;
        Self {
            edge_min: d.edge_min.to_string(),
            rearm_ms: d.rearm.ms(),
            leg_skew_max_ms: d.leg_skew_max.ms(),
            volatility_prior_bps: d.volatility_prior.0,
        }
    }
}

impl Default for Sim {
    fn default() -> Self {
        Self {
            speed: 20.0,
            maker_lag_ms: 2_000,
        }
    }
}

impl Config {
    /// Reads a file, if one is named, and what the environment sets on top of it.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        layers::read(path, environment()).map(|layered| layered.config)
    }

    /// The engine's settings for a live pilot: they differ in where latency comes from.
    pub fn live_engine(&self) -> Result<EngineConfig, ConfigError> {
        let mut config = self.engine()?;
        if self.execution.latency == LatencyFrom::Auto {
            config.execution.latency = self.execution.of(LatencyFrom::Measured)?;
        }
        Ok(config)
    }

    /// The engine's settings for simulated venues and replays.
    pub fn engine(&self) -> Result<EngineConfig, ConfigError> {
        let (c, r, s) = (&self.capital, &self.risk, &self.scanner);
        let config = EngineConfig {
            starting_cash: usd("capital.starting_cash", &c.starting_cash)?,
            risk: RiskLimits {
                position_per_market: share(
                    "risk.position_per_market_bps",
                    r.position_per_market_bps,
                )?,
                position_per_venue: share("risk.position_per_venue_bps", r.position_per_venue_bps)?,
                daily_loss: share("risk.daily_loss_bps", r.daily_loss_bps)?,
                drawdown: share("risk.drawdown_bps", r.drawdown_bps)?,
                order_value_max: usd("risk.order_value_max", &r.order_value_max)?,
                profit_min: usd("risk.profit_min", &r.profit_min)?,
                edge_max: usd("risk.edge_max", &r.edge_max)?,
                slippage_of_edge: share("risk.slippage_of_edge_bps", r.slippage_of_edge_bps)?,
                collar: Price(usd("risk.collar", &r.collar)?.0),
                book_age_max: Nanos::from_ms(r.book_age_max_ms),
                oracle_age_max: Nanos::from_ms(r.oracle_age_max_ms),
                expiry_min: Nanos::from_ms(r.expiry_min_ms),
                intents_per_second: r.intents_per_second,
            },
            allocation: Allocation {
                share_min: share("capital.share_min_bps", c.share_min_bps)?,
                share_max: share("capital.share_max_bps", c.share_max_bps)?,
                trades_min: c.trades_min,
            },
            execution: Execution {
                latency: self.execution.of(self.execution.latency)?,
                fills: match self.execution.fills {
                    FillsBy::Honest => FillModel::Honest,
                    FillsBy::DecisionBook => FillModel::DecisionBook,
                    FillsBy::Mid => FillModel::Mid,
                },
            },
            scanner: ScannerConfig {
                edge_min: usd("scanner.edge_min", &s.edge_min)?,
                rearm: Nanos::from_ms(s.rearm_ms),
                leg_skew_max: Nanos::from_ms(s.leg_skew_max_ms),
                // Volatility may exceed 100 % a year, so it is no share.
                volatility_prior: Bps(s.volatility_prior_bps),
            },
        };
        if config.allocation.share_min > config.allocation.share_max {
            return Err(value(
                "capital.share_min_bps",
                "is larger than capital.share_max_bps",
            ));
        }
        if config.scanner.volatility_prior.0 <= 0 {
            return Err(value("scanner.volatility_prior_bps", "must be positive"));
        }
        if !(self.sim.speed.is_finite() && self.sim.speed > 0.0) {
            return Err(value("sim.speed", "must be a positive number"));
        }
        self.shadow_policy()?;
        Ok(config)
    }

    /// The settings of every strategy, by its name, in order.
    #[must_use]
    pub fn all_strategy_params(&self) -> BTreeMap<String, Vec<(String, String)>> {
        let pairs = |params: &BTreeMap<String, String>| {
            params.iter().map(|(k, v)| (k.clone(), v.clone())).collect()
        };
        self.strategies
            .iter()
            .map(|(name, params)| (name.clone(), pairs(params)))
            .collect()
    }
}

impl ExecutionKeys {
    fn of(&self, from: LatencyFrom) -> Result<Latency, ConfigError> {
        let own = Nanos::from_ms(self.own_latency_ms);
        Ok(match from {
            LatencyFrom::Auto | LatencyFrom::Constant => Latency::Constant(own),
            LatencyFrom::Measured => Latency::Measured { otherwise: own },
            LatencyFrom::Drawn => {
                let quantile = |&(share, ms): &(i32, u64)| (Bps(share), Nanos::from_ms(ms));
                let quantiles: Vec<_> = self.latency_quantiles.iter().map(quantile).collect();
                latency::check(&quantiles)
                    .map_err(|why| value("execution.latency_quantiles", why.to_string()))?;
                Latency::Drawn {
                    seed: self.latency_seed,
                    quantiles,
                }
            }
        })
    }
}

fn value(key: &'static str, why: impl Into<String>) -> ConfigError {
    ConfigError::Value {
        key: key.into(),
        why: why.into(),
    }
}

impl ConfigError {
    /// The same of another key.
    fn with_key(self, key: String) -> Self {
        match self {
            Self::Value { why, .. } => Self::Value {
                key: key.into(),
                why,
            },
            other => other,
        }
    }
}

fn usd(key: &'static str, text: &str) -> Result<Usd, ConfigError> {
    let amount =
        Usd::parse(text).map_err(|e: ParseUnitError| value(key, format!("= {text:?} {e}")))?;
    if amount < Usd::ZERO {
        return Err(value(key, "must not be negative"));
    }
    Ok(amount)
}

fn share(key: &'static str, bps: i32) -> Result<Bps, ConfigError> {
    if (0..=10_000).contains(&bps) {
        Ok(Bps(bps))
    } else {
        Err(value(key, "must lie between 0 and 10000"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_written_defaults_are_the_engines() {
        assert_eq!(Config::default().engine().unwrap(), EngineConfig::default());
        let text = toml::to_string(&Config::default()).unwrap();
        let read: Config = toml::from_str(&text).unwrap();
        assert_eq!(read.engine().unwrap(), EngineConfig::default());
    }

    #[test]
    fn latency_is_constant_measured_or_drawn() {
        let own = Nanos::from_ms(70);
        let (constant, measured) = (Latency::Constant(own), Latency::Measured { otherwise: own });
        let drawn = Latency::Drawn {
            seed: 3,
            quantiles: vec![(Bps(5_000), Nanos::from_ms(40)), (Bps(10_000), own)],
        };
        for (latency, elsewhere, live) in [
            ("auto", &constant, &measured),
            ("constant", &constant, &constant),
            ("measured", &measured, &measured),
            ("drawn", &drawn, &drawn),
        ] {
            let text = format!(
                "[execution]\nlatency = \"{latency}\"\nown_latency_ms = 70\nlatency_seed = 3\n\
                 latency_quantiles = [[5000, 40], [10000, 70]]"
            );
            let config: Config = toml::from_str(&text).unwrap();
            assert_eq!(&config.engine().unwrap().execution.latency, elsewhere);
            assert_eq!(&config.live_engine().unwrap().execution.latency, live);
        }
        assert!(toml::from_str::<Config>("[execution]\nlatency = \"fast\"").is_err());
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for (text, word) in [
            ("[risk]\ndrawdown_bps = 20000", "drawdown_bps"),
            ("[capital]\nstarting_cash = \"lots\"", "starting_cash"),
            ("[risk]\nprofit_min = \"-1\"", "profit_min"),
            (
                "[execution]\nlatency = \"drawn\"",
                "execution.latency_quantiles",
            ),
            (
                "[execution]\nlatency = \"drawn\"\nlatency_quantiles = [[5000, 40], [9000, 30], [10000, 90]]",
                "execution.latency_quantiles must rise",
            ),
            (
                "[execution]\nlatency = \"drawn\"\nlatency_quantiles = [[9999, 40]]",
                "execution.latency_quantiles must end at a share of 10000",
            ),
            (
                "[shadow]\nerror_rate_bps = 0",
                "shadow.error_rate_bps must lie",
            ),
            (
                "[shadow]\nmarkets_min = 50\nmarkets_max = 40",
                "shadow.markets_min must lie",
            ),
            ("[shadow]\ndrawdown_max = \"-1\"", "shadow.drawdown_max"),
            ("[shadow]\nfuel_times_max = 0", "shadow.fuel_times_max"),
        ] {
            let config: Config = toml::from_str(text).unwrap();
            assert!(
                config.engine().unwrap_err().to_string().contains(word),
                "{text}"
            );
        }
        assert!(toml::from_str::<Config>("[risk]\nmax_drawdown = 1").is_err());
    }
}
