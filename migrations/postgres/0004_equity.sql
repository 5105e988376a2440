-- What a run was worth, minute by minute of its own time: weeks of an equity curve in a few thousand rows.
--
-- The conventions of 0001 hold. The SQLite schema beside this one has the same tables and columns.

CREATE TABLE paper_equity (
    run_id             UUID NOT NULL REFERENCES runs (run_id),
    -- Start of the minute; the amounts are those after its first record, which is `seq`.
    minute_ns          BIGINT NOT NULL CHECK (minute_ns >= 0),
    seq                BIGINT NOT NULL CHECK (seq >= 0),
    -- Everything; positions at the lower of cost and bid.
    equity             NUMERIC(24, 6) NOT NULL,
    -- The highest equity that the limit on drawdown knew.
    high_water         NUMERIC(24, 6) NOT NULL,
    -- Free.
    cash               NUMERIC(24, 6) NOT NULL,
    -- Set aside for orders.
    reserved           NUMERIC(24, 6) NOT NULL,
    -- Positions at cost, without fees.
    locked             NUMERIC(24, 6) NOT NULL,
    -- Paid.
    fees               NUMERIC(24, 6) NOT NULL,
    -- Gains of sales and settlements, before fees: cash + reserved + locked + fees - realised = the start.
    realised           NUMERIC(24, 6) NOT NULL,
    PRIMARY KEY (run_id, minute_ns)
);
