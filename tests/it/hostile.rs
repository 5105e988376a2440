//! Hostile strategies beside honest ones, in the real host: nothing they do reaches their neighbours.

mod clock;
mod ring;
