//! Hands prints and fills to the tape, and what it says to the world.

use super::{Engine, Turn};
use crate::effect::{Effect, TradeRecord};
use crate::event::Print;

impl Engine {
    /// A trade between others printed.
    pub(super) fn printed(&mut self, print: &Print, turn: &mut Turn<'_>) {
        let Some(market) = self.data.market_of(print.instrument) else {
            return;
        };
        let mut confirmed = Vec::new();
        self.tape
            .printed(print, &market.spec, turn.at, &mut confirmed);
        for said in confirmed {
            self.emit(Effect::Corroborate(said), turn);
            turn.reschedule = true;
        }
    }

    /// A row was filled: the tape says something of it within a second.
    pub(super) fn watch_tape(&mut self, row: &TradeRecord, turn: &mut Turn<'_>) {
        let Some(market) = self.data.market(row.market) else {
            return;
        };
        match self.tape.filled(row, &market.spec) {
            Some(said) => self.emit(Effect::Corroborate(said), turn),
            None => turn.reschedule = true,
        }
    }

    /// Fills whose second is over without a print.
    pub(super) fn decide_tape(&mut self, turn: &mut Turn<'_>) {
        while let Some(said) = self.tape.decide(turn.at) {
            self.emit(Effect::Corroborate(said), turn);
        }
    }
}
