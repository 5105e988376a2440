//! What a strategy may: what it asks for, what an operator grants, and the meeting of both.
//!
//! One shape for all three. The meeting is journalled before the load that it holds for and enforced by
//! the engine; memory and fuel are enforced by whoever runs the instance. Nothing here does I/O.

use crate::ids::Venue;
use crate::units::Usd;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// All of a kind, or some of it by name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Scope<T: Ord> {
    /// Whatever there is.
    #[default]
    All,
    /// These; possibly none.
    Only(BTreeSet<T>),
}

impl<T: Ord + Clone> Scope<T> {
    /// Whether it holds that.
    pub fn allows<Q: Ord + ?Sized>(&self, what: &Q) -> bool
    where
        T: std::borrow::Borrow<Q>,
    {
        match self {
            Scope::All => true,
            Scope::Only(some) => some.contains(what),
        }
    }

    /// What both hold.
    #[must_use]
    pub fn meet(&self, other: &Self) -> Self {
        match (self, other) {
            (Scope::All, one) | (one, Scope::All) => one.clone(),
            (Scope::Only(a), Scope::Only(b)) => Scope::Only(a.intersection(b).cloned().collect()),
        }
    }

    /// What is named here and not held by the other.
    pub fn beyond<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a T> {
        let named = match self {
            Scope::All => None,
            Scope::Only(some) => Some(some),
        };
        named
            .into_iter()
            .flatten()
            .filter(move |one| !other.allows(*one))
    }
}

/// See the top of the file. The default is everything: what no grant narrows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Capabilities {
    /// Whose markets it hears of and trades in.
    pub venues: Scope<Venue>,
    /// Markets by what decides them: [`SettlementRule::family`](crate::market::SettlementRule::family).
    pub families: Scope<String>,
    /// Price feeds, as `source.symbol`.
    pub oracles: Scope<String>,
    /// Cost of its largest order.
    pub order_max: Option<Usd>,
    /// Intents of one second.
    pub intents_per_second: Option<u32>,
    /// Bytes of all its linear memories.
    pub memory_bytes: Option<u64>,
    /// Fuel of one call.
    pub call_fuel: Option<u64>,
}

fn least<T: Ord + Copy>(a: Option<T>, b: Option<T>) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, None) | (None, one) => one,
    }
}

impl Capabilities {
    /// What both allow.
    #[must_use]
    pub fn meet(&self, other: &Self) -> Self {
        Self {
            venues: self.venues.meet(&other.venues),
            families: self.families.meet(&other.families),
            oracles: self.oracles.meet(&other.oracles),
            order_max: least(self.order_max, other.order_max),
            intents_per_second: least(self.intents_per_second, other.intents_per_second),
            memory_bytes: least(self.memory_bytes, other.memory_bytes),
            call_fuel: least(self.call_fuel, other.call_fuel),
        }
    }

    /// Every kind, as (what, how much of it) in words; numbers that are not limited here are "no limit of its own".
    #[must_use]
    pub fn words(&self) -> [(&'static str, String); 7] {
        fn names<T: Ord + ToString>(scope: &Scope<T>) -> String {
            match scope {
                Scope::All => "all".to_owned(),
                Scope::Only(some) if some.is_empty() => "none".to_owned(),
                Scope::Only(some) => {
                    let names: Vec<String> = some.iter().map(T::to_string).collect();
                    names.join(", ")
                }
            }
        }
        fn number<T: ToString>(number: Option<T>) -> String {
            number.map_or_else(|| "no limit of its own".to_owned(), |n| n.to_string())
        }
        [
            ("venues", names(&self.venues)),
            ("market families", names(&self.families)),
            ("oracles", names(&self.oracles)),
            ("cost of an order, $", number(self.order_max)),
            ("intents a second", number(self.intents_per_second)),
            ("bytes of memory", number(self.memory_bytes)),
            ("fuel a call", number(self.call_fuel)),
        ]
    }

    /// What is asked for here by name or number and not granted there, in words, one each.
    #[must_use]
    pub fn beyond(&self, granted: &Self) -> Vec<String> {
        let mut words = Vec::new();
        let mut say = |what: String| words.push(what);
        for venue in self.venues.beyond(&granted.venues) {
            say(format!("venue {venue}"));
        }
        for family in self.families.beyond(&granted.families) {
            say(format!("market family {family}"));
        }
        for oracle in self.oracles.beyond(&granted.oracles) {
            say(format!("oracle {oracle}"));
        }
        if let (Some(asked), Some(given)) = (self.order_max, granted.order_max)
            && asked > given
        {
            say(format!("orders of {asked} dollars (granted: {given})"));
        }
        let numbers = [
            (
                "intents a second",
                self.intents_per_second.map(u64::from),
                granted.intents_per_second.map(u64::from),
            ),
            ("bytes of memory", self.memory_bytes, granted.memory_bytes),
            ("fuel a call", self.call_fuel, granted.call_fuel),
        ];
        for (what, asked, given) in numbers {
            if let (Some(asked), Some(given)) = (asked, given)
                && asked > given
            {
                say(format!("{asked} {what} (granted: {given})"));
            }
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(names: &[&str]) -> Scope<String> {
        Scope::Only(names.iter().map(|n| (*n).to_owned()).collect())
    }

    #[test]
    fn what_may_be_is_what_is_asked_for_and_granted() {
        let asks = Capabilities {
            venues: Scope::Only([Venue::Polymarket, Venue::Kalshi].into()),
            families: only(&["candle"]),
            order_max: Some(Usd(500)),
            call_fuel: Some(7),
            ..Capabilities::default()
        };
        let granted = Capabilities {
            venues: Scope::Only([Venue::Polymarket].into()),
            order_max: Some(Usd(100)),
            intents_per_second: Some(5),
            ..Capabilities::default()
        };
        let may = asks.meet(&granted);
        assert_eq!(may, granted.meet(&asks), "either way round");
        assert!(may.venues.allows(&Venue::Polymarket) && !may.venues.allows(&Venue::Kalshi));
        assert!(may.families.allows("candle") && !may.families.allows("touch"));
        assert_eq!(
            (may.order_max, may.intents_per_second, may.call_fuel),
            (Some(Usd(100)), Some(5), Some(7))
        );
        assert_eq!(
            asks.beyond(&granted),
            ["venue kalshi", "orders of 0.0005 dollars (granted: 0.0001)"]
        );
        assert_eq!(may.beyond(&granted), [""; 0]);
        assert_eq!(Capabilities::default().beyond(&granted), [""; 0]);
    }
}
