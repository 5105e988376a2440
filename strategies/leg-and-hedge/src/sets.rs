//! Sets of outcomes that surely pay together, and how much of each leg is held.
//!
//! Two outcomes of one market are a set from its listing on; others are learnt from the opportunities
//! the host announces.

use crate::phase::Phase;
use pm_arb_sdk::keep::Exposure;
use pm_arb_sdk::state::{self, Writer};
use std::collections::BTreeMap;

/// Sets known at once; one more is not learnt until another ends.
pub const SETS_MAX: usize = 4_096;

/// A set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// Its instruments, in rising order.
    pub legs: Vec<u32>,
    /// What one share of every leg pays.
    pub pays: i64,
    /// Where it stands.
    pub phase: Phase,
}

/// What is held of a set, leg by leg, seen as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Shares of the legs that are held most.
    pub most: i64,
    /// Shares of every leg.
    pub matched: i64,
    /// The legs that are held most.
    pub full: Vec<u32>,
    /// The others, with what is missing.
    pub missing: Vec<(u32, i64)>,
}

impl Set {
    /// What is held of it.
    pub fn held(&self, exposure: &Exposure) -> Held {
        let of = |leg: &u32| exposure.qty(*leg);
        let most = self.legs.iter().map(of).max().unwrap_or(0);
        let matched = self.legs.iter().map(of).min().unwrap_or(0);
        let (full, short): (Vec<u32>, Vec<u32>) = self.legs.iter().partition(|leg| of(leg) == most);
        Held {
            most,
            matched,
            full,
            missing: short
                .into_iter()
                .map(|leg| (leg, most - of(&leg)))
                .collect(),
        }
    }
}

/// Every set that is known, by its number.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sets {
    next: u32,
    by_number: BTreeMap<u32, Set>,
    of: BTreeMap<u32, Vec<u32>>,
}

impl Sets {
    /// Learns one, if it is new; its number.
    pub fn learn(&mut self, mut legs: Vec<u32>, pays: i64) -> Option<u32> {
        legs.sort_unstable();
        legs.dedup();
        let with_first = legs.first().map_or(&[][..], |leg| self.of(*leg));
        let is_it = |number: &&u32| self.get(**number).is_some_and(|set| set.legs == legs);
        if let Some(number) = with_first.iter().find(is_it) {
            return Some(*number);
        }
        if legs.len() < 2 || self.by_number.len() >= SETS_MAX {
            return None;
        }
        let phase = Phase::Idle { not_before: 0 };
        Some(self.insert(Set { legs, pays, phase }))
    }

    fn insert(&mut self, set: Set) -> u32 {
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        for leg in &set.legs {
            self.of.entry(*leg).or_default().push(number);
        }
        self.by_number.insert(number, set);
        number
    }

    /// The numbers of the sets that an instrument is a leg of.
    pub fn of(&self, instrument: u32) -> &[u32] {
        self.of.get(&instrument).map_or(&[], Vec::as_slice)
    }

    /// One of them.
    pub fn get(&self, number: u32) -> Option<&Set> {
        self.by_number.get(&number)
    }

    /// Moves one on.
    pub fn put(&mut self, number: u32, phase: Phase) {
        if let Some(set) = self.by_number.get_mut(&number) {
            set.phase = phase;
        }
    }

    /// Those with something held or on its way.
    pub fn engaged(&self) -> impl Iterator<Item = (u32, &Set)> {
        let all = self.by_number.iter().map(|(number, set)| (*number, set));
        all.filter(|(_, set)| set.phase.is_engaged())
    }

    /// Forgets the idle ones of which a leg is no longer traded.
    pub fn retain(&mut self, is_open: impl Fn(u32) -> bool) {
        self.by_number
            .retain(|_, set| set.phase.is_engaged() || set.legs.iter().all(|leg| is_open(*leg)));
        let kept = &self.by_number;
        self.of.retain(|_, numbers| {
            numbers.retain(|number| kept.contains_key(number));
            !numbers.is_empty()
        });
    }

    /// Writes `set PAYS LEG,LEG,… PHASE` lines of those that must be remembered.
    pub fn write(&self, out: &mut Writer) {
        for (_, set) in self.engaged() {
            let legs: Vec<String> = set.legs.iter().map(u32::to_string).collect();
            out.line(format_args!(
                "set {} {} {}",
                set.pays,
                legs.join(","),
                set.phase
            ));
        }
    }

    /// Reads the words after `set`.
    pub fn read(&mut self, words: &[&str]) -> Result<(), String> {
        let [pays, legs, phase @ ..] = words else {
            return Err(state::unknown(words));
        };
        let legs: Result<Vec<u32>, String> = legs.split(',').map(state::number).collect();
        let set = Set {
            legs: legs?,
            pays: state::number(pays)?,
            phase: Phase::read(phase)?,
        };
        self.insert(set);
        Ok(())
    }
}
