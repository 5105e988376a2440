//! Why something was not traded, answered in a sentence with the limit and what was observed.
//!
//! ```text
//! question ─► running pilot (control socket): the market now ─┐
//!          └► database: what was wished, refused and traded ──┴─► Answer
//! ```
//!
//! The command line and the API ask the same way and give the same answer. Nothing here changes anything.

mod ask;
/// What the running pilot says.
pub mod live;
/// Every reason explained.
pub mod reasons;
mod words;

pub use ask::{AskError, ask};

use crate::snapshot::Instant;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Longest question, in bytes.
pub const QUESTION_MAX: usize = 200;
/// Most names an answer offers, and most past events it tells.
pub const NAMES_MAX: usize = 10;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Answer {
    /// What was asked.
    pub asked: String,
    /// Whether it was found.
    pub found: Found,
    /// The answer in words.
    pub sentence: String,
    /// What it is about: a market's readable name, an opportunity, a trade.
    pub subject: Option<String>,
    /// How it stands now, by the running pilot; `None` without one, or where it does not know it.
    pub now: Option<Verdict>,
    /// What was wished, refused and traded, newest first.
    pub before: Vec<Past>,
    /// Names that may have been meant.
    pub names: Vec<Name>,
}

/// Whether what was asked for was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// Yes.
    Answered,
    /// It may be one of several: the names say which.
    Ambiguous,
    /// No: the names are the nearest ones.
    Unknown,
}

/// A market by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct Name {
    /// Readable.
    pub slug: String,
    /// The venue's.
    pub id: String,
    /// Where.
    pub venue: String,
    /// Its state.
    pub status: String,
}

/// How something stands now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Verdict {
    /// The run's own time of the answer.
    pub at: Instant,
    /// Its market, by name; the first one of an opportunity.
    pub market: Option<Name>,
    /// The reason's code, where a refusal is the reason.
    pub code: Option<String>,
    /// What keeps it from being traded, in words that follow "not traded because".
    pub because: String,
    /// The limit, with its unit.
    pub limit: String,
    /// What is observed against it, with its unit.
    pub observed: String,
    /// Whether it can be traded as things stand: an edge is there.
    pub tradable: bool,
    /// Everything that was looked at.
    pub facts: Vec<Fact>,
}

/// Something that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Fact {
    /// What.
    pub name: String,
    /// How it is.
    pub value: String,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Past {
    /// When, by the run's own time.
    pub at: Instant,
    /// What, in words.
    pub what: String,
    /// The reason's code, of a refusal.
    pub code: Option<String>,
    /// The limit that applied.
    pub limit: Option<String>,
    /// What was observed against it.
    pub observed: Option<String>,
    /// The trade's id, where there is a row.
    pub trade: Option<String>,
}
