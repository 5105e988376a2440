//! Scenarios of the whole engine, as data: what is done, and what comes of it.

mod execution;
mod limits;
mod outcomes;
mod random;
mod resting;
mod strategies;
mod world;
