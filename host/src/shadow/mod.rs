//! Candidates that run beside what trades: the same facts, the same books, a ledger of their own.
//!
//! ```text
//! journal ─► Follower ─► twin   (Engine + Loader, as recorded)      ─┐
//!                     └► shadow (the same, until the candidate came) ─┴► Paired ─► Sequential ─► policy
//! ```
//!
//! The core is a pure function over the journal, so a shadow is another engine that steps the same
//! journal: from its first record, as the run was, up to the order that began the shadow; there the
//! candidate takes the place, and the state, of the shadow's own copy of what runs. The twin goes on as
//! recorded. Both start from the same books of account, so that two versions that decide alike come to
//! the same cent, and what differs is the candidate's doing.
//!
//! It runs on threads of its own, reads the journal from the disk, and never touches what trades. What it
//! comes to (a promotion, an end) is an order like any other, by the loader on the engine's thread.

mod board;
mod follower;
mod keeper;
mod paired;
mod policy;
mod report;
mod sequential;
mod world;

pub use board::{Begin, BeginError, Shadows, Wanted};
pub use follower::{Ending, Follower, ShadowError, Step};
pub use keeper::{Keeper, run};
pub use paired::{PAIRS_KEPT, Pair, Paired};
pub use policy::{NewBytes, Policy, Promote, ShadowKeys, Verdict};
pub use report::{Figures, PairRow, Phase, ShadowRow};
pub use sequential::Sequential;

/// Shadows at a time: each is two engines with instances of every strategy, and half a core while it
/// catches up. One more is refused by name; one that its file asks for waits in the file.
pub const SHADOWS_MAX: usize = 2;
/// A shadow that had caught up and is so many records behind again can not keep up: it ends and says so.
/// What it has not read waits on the disk, in the journal, and takes no memory.
pub const BEHIND_MAX: u64 = 5_000_000;
