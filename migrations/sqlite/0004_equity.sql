-- What a run was worth, minute by minute of its own time: weeks of an equity curve in a few thousand rows.
--
-- The conventions of 0001 hold. The PostgreSQL schema beside this one has the same tables and columns.

CREATE TABLE paper_equity (
    run_id             TEXT NOT NULL REFERENCES runs (run_id),
    -- Start of the minute; the amounts are those after its first record, which is `seq`.
    minute_ns          INTEGER NOT NULL CHECK (minute_ns >= 0),
    seq                INTEGER NOT NULL CHECK (seq >= 0),
    -- Everything; positions at the lower of cost and bid.
    equity_micro       INTEGER NOT NULL,
    -- The highest equity that the limit on drawdown knew.
    high_water_micro   INTEGER NOT NULL,
    -- Free.
    cash_micro         INTEGER NOT NULL,
    -- Set aside for orders.
    reserved_micro     INTEGER NOT NULL,
    -- Positions at cost, without fees.
    locked_micro       INTEGER NOT NULL,
    -- Paid.
    fees_micro         INTEGER NOT NULL,
    -- Gains of sales and settlements, before fees: cash + reserved + locked + fees - realised = the start.
    realised_micro     INTEGER NOT NULL,
    PRIMARY KEY (run_id, minute_ns)
) STRICT, WITHOUT ROWID;
