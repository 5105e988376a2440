//! Pages of a list of any length.
//!
//! Owns the questions behind lists of trades that people page through.

use super::ask::{self, Bind};
use super::view::{self, TradeView};
use super::{Store, StoreError};

impl Store {
    /// The rows and refusals that were made last, the newest first.
    pub async fn newest(&self, limit: usize) -> Result<Vec<TradeView>, StoreError> {
        let template = format!(
            "SELECT {} ORDER BY t.created_ns DESC, t.id DESC LIMIT $1",
            view::COLUMNS
        );
        let limit = [Bind::Int(i64::try_from(limit).unwrap_or(i64::MAX))];
        ask::all(
            &self.readers,
            "the newest trades",
            &template,
            &limit,
            view::view,
        )
        .await
    }
}
