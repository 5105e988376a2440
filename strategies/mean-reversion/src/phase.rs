//! Where one instrument stands: flat, on the way in, held, on the way out, or kept for its settlement.

use pm_arb_sdk::Timestamp;
use pm_arb_sdk::hold::Hold;
use pm_arb_sdk::state;
use std::fmt::{Display, Formatter, Result as Formatted};

/// See the top of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Nothing is held.
    Flat {
        /// No purchase before.
        not_before: Timestamp,
    },
    /// A purchase is on its way.
    Entering {
        /// Its tag.
        tag: u64,
    },
    /// Held, waiting for the mean.
    Long(Hold),
    /// A sale is on its way.
    Leaving {
        /// Its tag.
        tag: u64,
        /// What is sold.
        hold: Hold,
    },
    /// It could not be sold and settles.
    Kept,
}

impl Phase {
    /// Whether there is a position or an order.
    pub fn is_engaged(&self) -> bool {
        !matches!(self, Phase::Flat { .. })
    }

    /// Reads the words that [`Display`] writes.
    pub fn read(words: &[&str]) -> Result<Self, String> {
        Ok(match words {
            ["flat", not_before] => Phase::Flat {
                not_before: state::number(not_before)?,
            },
            ["entering", tag] => Phase::Entering {
                tag: state::number(tag)?,
            },
            ["long", hold @ ..] => Phase::Long(Hold::read(hold)?),
            ["leaving", tag, hold @ ..] => Phase::Leaving {
                tag: state::number(tag)?,
                hold: Hold::read(hold)?,
            },
            ["kept"] => Phase::Kept,
            other => return Err(state::unknown(other)),
        })
    }
}

impl Display for Phase {
    fn fmt(&self, f: &mut Formatter<'_>) -> Formatted {
        match self {
            Phase::Flat { not_before } => write!(f, "flat {not_before}"),
            Phase::Entering { tag } => write!(f, "entering {tag}"),
            Phase::Long(hold) => write!(f, "long {}", hold.words()),
            Phase::Leaving { tag, hold } => write!(f, "leaving {tag} {}", hold.words()),
            Phase::Kept => f.write_str("kept"),
        }
    }
}
