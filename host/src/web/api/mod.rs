//! The same data for programs: `/api/v1`.
//!
//! Each slice has a file with its routes.

pub mod risk;
pub mod strategies;
