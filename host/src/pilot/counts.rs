//! What a run counts and keeps no row of, as the database takes it: totals since the run began.

use crate::clock::Clock;
use crate::snapshot::Funnel;
use crate::store::{CountKind, StoreOp};
use pm_arb_core::engine::Engine;
use pm_arb_core::ids::Seq;
use pm_arb_core::opportunity::OpportunityKind;

/// The kinds that the scanner counts episodes of, in its order.
const SCANNED: [OpportunityKind; 3] = [
    OpportunityKind::OracleLag,
    OpportunityKind::Mispricing,
    OpportunityKind::CrossPlatform,
];

/// The counts as of record `cause`, the last one stepped.
#[must_use]
pub fn of(engine: &Engine, cause: Seq) -> StoreOp {
    let scanned = engine.scanner().counts();
    let status = engine.status();
    let silences = status.silences.into_iter();
    let silences = silences.map(|(stream, n)| (CountKind::Silence, stream, n));
    let refused = status
        .refused_inputs
        .iter()
        .map(|(reason, n)| (CountKind::InputRefused, reason.code().to_owned(), *n));
    let nothing = scanned
        .by_reason()
        .map(|(reason, n)| (CountKind::NoOpportunity, reason.code().to_owned(), n));
    let seen = SCANNED
        .iter()
        .zip(scanned.episodes)
        .map(|(kind, n)| (CountKind::Opportunities, kind.as_str().to_owned(), n));
    let funnel = Funnel::of(engine).to_counts(Clock::utc().now());
    let funnel = funnel
        .into_iter()
        .map(|(name, n)| (CountKind::Funnel, name, n));
    let counts = refused.chain(nothing).chain(seen).chain(silences);
    StoreOp::Counts {
        cause,
        counts: counts.chain(funnel).collect(),
    }
}
