//! A table by dense number. Numbers are given out from zero, so a position is the fastest key there
//! is; what is gone leaves eight bytes behind.

/// Values by number.
#[derive(Debug)]
pub(crate) struct Table<T> {
    slots: Vec<Option<Box<T>>>,
    /// Numbers from here on are refused: an absurd one must not take the machine's memory.
    limit: usize,
}

impl<T> Table<T> {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            slots: Vec::new(),
            limit,
        }
    }

    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        self.slots.get(index)?.as_deref()
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.slots.get_mut(index)?.as_deref_mut()
    }

    /// Whether the table can hold that number.
    pub(crate) fn admits(&self, index: usize) -> bool {
        index < self.limit
    }

    /// The entry of that number, made when missing; `None` beyond the limit.
    pub(crate) fn entry(&mut self, index: usize, make: impl FnOnce() -> T) -> Option<&mut T> {
        if !self.admits(index) {
            return None;
        }
        if index >= self.slots.len() {
            self.slots.resize_with(index + 1, || None);
        }
        let slot = self.slots.get_mut(index)?;
        Some(slot.get_or_insert_with(|| Box::new(make())))
    }

    pub(crate) fn remove(&mut self, index: usize) -> Option<T> {
        self.slots.get_mut(index)?.take().map(|boxed| *boxed)
    }

    /// In order of their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &T)> {
        let slots = self.slots.iter().enumerate();
        slots.filter_map(|(i, slot)| Some((i, slot.as_deref()?)))
    }

    /// In order of their numbers.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (usize, &mut T)> {
        let slots = self.slots.iter_mut().enumerate();
        slots.filter_map(|(i, slot)| Some((i, slot.as_deref_mut()?)))
    }
}
