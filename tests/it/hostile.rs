//! Hostile strategies beside honest ones, in the real host: nothing they do reaches their neighbours.
//!
//! Everything hostile is built here from source and takes the place of a strategy that does nothing, in
//! the slot that is asked first, while two shipped strategies trade the events of a simulated run. Their
//! wishes and fills, as they go to the database, are byte for byte those beside the one that does nothing.

mod arena;
mod bytes;
mod calls;
mod clock;
mod compiling;
mod files;
pub mod money;
mod ring;
mod table;
