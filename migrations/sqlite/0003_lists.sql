-- Indexes for lists of a million rows: every filter of the list leads one, followed by the order of the
-- list and the row's id, so that a page is a range of an index. One with more columns replaces the one
-- it begins like. Nothing of the rows changes. The PostgreSQL schema beside this one has the same names.

DROP INDEX paper_trades_created_at;
DROP INDEX paper_trades_market_id;
DROP INDEX paper_trades_status;
DROP INDEX paper_trades_opportunity_type;
DROP INDEX paper_trades_strategy_id;

CREATE INDEX paper_trades_created_at ON paper_trades (created_ns, id);
CREATE INDEX paper_trades_market_id ON paper_trades (market_id, created_ns, id);
CREATE INDEX paper_trades_status ON paper_trades (status, created_ns, id);
CREATE INDEX paper_trades_opportunity_type ON paper_trades (opportunity_type, created_ns, id);
CREATE INDEX paper_trades_strategy_id ON paper_trades (strategy_id, created_ns, id);
CREATE INDEX paper_trades_reason ON paper_trades (risk_rejection_reason, created_ns, id)
    WHERE risk_rejection_reason IS NOT NULL;
CREATE INDEX paper_trades_realized_pnl ON paper_trades (realized_pnl_micro, id)
    WHERE realized_pnl_micro IS NOT NULL;
-- A strategy that was only ever refused has nothing here, and is seen to have nothing at once.
CREATE INDEX paper_trades_strategy_pnl ON paper_trades (strategy_id, realized_pnl_micro, id)
    WHERE realized_pnl_micro IS NOT NULL;
CREATE INDEX paper_trades_expected_edge ON paper_trades (expected_edge_micro, id);
CREATE INDEX paper_trades_quantity ON paper_trades (quantity_micro, id);

-- The rows of one wish: the story of a trade, and the comparison with dishonest executors.
CREATE INDEX paper_trades_intent ON paper_trades (run_id, intent_id, leg);
