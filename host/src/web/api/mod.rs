//! The same data for programs: `/api/v1`. Each slice has a file with its routes.

/// Trades, one trade, the report.
pub mod trades;
