//! Where a set stands: idle, on the way into its first leg, with a leg to hedge, on the way to the hedge,
//! on the way out, locked, or kept.
//!
//! ```text
//! idle ─► entering ─► legged ─► hedging ─► locked ─► (settled)
//!   ▲        │         │  ▲        │
//!   └────────┘         ▼  └────────┘  the hedge did not fill
//!   └────────────── leaving ─► kept   the leg could not be sold
//! ```

use pm_arb_sdk::hold::Hold;
use pm_arb_sdk::{Timestamp, state};
use std::fmt::{Display, Formatter, Result as Formatted};

/// An answer that does not come is not waited for longer than this.
const SILENCE: u64 = 30_000_000_000;

/// An order on its way that takes what it can, or all, at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// Its tag: when it was sent, or a little later.
    pub tag: u64,
    /// Legs that have not been answered.
    pub waiting: usize,
}

impl Ticket {
    /// A leg of it was answered; what is then left to wait for.
    pub fn answered(mut self, tag: u64) -> Self {
        if tag == self.tag {
            self.waiting = self.waiting.saturating_sub(1);
        }
        self
    }

    /// Whether nothing more is expected.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.waiting == 0 || self.tag.saturating_add(SILENCE) < now
    }

    fn words(&self) -> String {
        format!("{} {}", self.tag, self.waiting)
    }

    fn read(tag: &str, waiting: &str) -> Result<Self, String> {
        Ok(Self {
            tag: state::number(tag)?,
            waiting: state::number(waiting)?,
        })
    }
}

/// See the top of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Nothing is held or on its way.
    Idle {
        /// No entry before.
        not_before: Timestamp,
    },
    /// The first leg is on its way.
    Entering(Ticket),
    /// More of some legs is held than of others.
    Legged(Hold),
    /// The missing legs are on their way.
    Hedging(Ticket, Hold),
    /// What is too much is on its way out.
    Leaving(Ticket, Hold),
    /// Equal shares of every leg: it settles with a gain.
    Locked,
    /// What is too much could not be sold: it settles as it will.
    Kept,
}

impl Phase {
    /// Whether anything is held or on its way.
    pub fn is_engaged(&self) -> bool {
        !matches!(self, Phase::Idle { .. })
    }

    /// The order it waits for.
    pub fn ticket(&mut self) -> Option<&mut Ticket> {
        match self {
            Phase::Entering(ticket) | Phase::Hedging(ticket, _) | Phase::Leaving(ticket, _) => {
                Some(ticket)
            }
            _ => None,
        }
    }

    /// Reads the words that [`Display`] writes.
    pub fn read(words: &[&str]) -> Result<Self, String> {
        Ok(match words {
            ["idle", not_before] => Phase::Idle {
                not_before: state::number(not_before)?,
            },
            ["entering", tag, waiting] => Phase::Entering(Ticket::read(tag, waiting)?),
            ["legged", hold @ ..] => Phase::Legged(Hold::read(hold)?),
            ["hedging", tag, waiting, hold @ ..] => {
                Phase::Hedging(Ticket::read(tag, waiting)?, Hold::read(hold)?)
            }
            ["leaving", tag, waiting, hold @ ..] => {
                Phase::Leaving(Ticket::read(tag, waiting)?, Hold::read(hold)?)
            }
            ["locked"] => Phase::Locked,
            ["kept"] => Phase::Kept,
            other => return Err(state::unknown(other)),
        })
    }
}

impl Display for Phase {
    fn fmt(&self, f: &mut Formatter<'_>) -> Formatted {
        match self {
            Phase::Idle { not_before } => write!(f, "idle {not_before}"),
            Phase::Entering(ticket) => write!(f, "entering {}", ticket.words()),
            Phase::Legged(hold) => write!(f, "legged {}", hold.words()),
            Phase::Hedging(ticket, hold) => {
                write!(f, "hedging {} {}", ticket.words(), hold.words())
            }
            Phase::Leaving(ticket, hold) => {
                write!(f, "leaving {} {}", ticket.words(), hold.words())
            }
            Phase::Locked => f.write_str("locked"),
            Phase::Kept => f.write_str("kept"),
        }
    }
}
