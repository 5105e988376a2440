//! Scenarios of the whole engine, as data: what is done, and what comes of it.

mod ahead;
mod equity;
mod execution;
mod families;
mod funnel;
mod grading;
mod grants;
mod invariants;
mod limits;
mod outcomes;
mod random;
mod resting;
mod strategies;
mod travel;
mod usage;
mod world;
