//! Scenarios of the whole engine, as data: what is done, and what comes of it.

mod execution;
mod families;
mod limits;
mod outcomes;
mod random;
mod strategies;
mod world;
