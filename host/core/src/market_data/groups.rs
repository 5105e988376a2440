//! Markets that belong together under a name of the venue's: exclusive sets, pairs over venues.

use crate::ids::MarketId;
use std::collections::BTreeMap;

/// Open markets by the name they share.
#[derive(Debug)]
pub(crate) struct Groups<K> {
    by_name: BTreeMap<K, u32>,
    groups: Vec<Group<K>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Group<K> {
    name: Option<K>,
    /// Ascending.
    members: Vec<MarketId>,
}

impl<K> Default for Groups<K> {
    fn default() -> Self {
        Self {
            by_name: BTreeMap::new(),
            groups: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<K: Ord + Clone> Groups<K> {
    /// Adds a market and returns the number of its group, which holds until the group is empty.
    pub(crate) fn join(&mut self, name: K, market: MarketId) -> u32 {
        let number = match self.by_name.get(&name) {
            Some(number) => *number,
            None => self.open(name),
        };
        if let Some(group) = self.groups.get_mut(number as usize)
            && let Err(at) = group.members.binary_search(&market)
        {
            group.members.insert(at, market);
        }
        number
    }

    /// Takes a market out. An empty group is forgotten.
    pub(crate) fn leave(&mut self, number: u32, market: MarketId) {
        let Some(group) = self.groups.get_mut(number as usize) else {
            return;
        };
        group.members.retain(|m| *m != market);
        if group.members.is_empty()
            && let Some(name) = group.name.take()
        {
            self.by_name.remove(&name);
            self.free.push(number);
        }
    }

    /// Its open markets, ascending.
    pub(crate) fn members(&self, number: u32) -> &[MarketId] {
        let group = self.groups.get(number as usize);
        group.map_or(&[], |g| g.members.as_slice())
    }

    fn open(&mut self, name: K) -> u32 {
        let group = Group {
            name: Some(name.clone()),
            members: Vec::new(),
        };
        let number = match self.free.pop() {
            Some(number) => number,
            // At most one group a market, and markets are numbered by u32.
            None => self.groups.len() as u32,
        };
        match self.groups.get_mut(number as usize) {
            Some(slot) => *slot = group,
            None => self.groups.push(group),
        }
        self.by_name.insert(name, number);
        number
    }
}
