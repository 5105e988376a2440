-- What people were told: swaps, roll-backs and quarantines of strategies with their generations, operators' words,
-- halts, settlements in dispute.
--
-- The conventions of 0001 hold. The SQLite schema beside this one has the same tables, columns and
-- index names.

CREATE TABLE paper_alerts (
    -- Derived from all of it: the same alert of a record is one row, whoever stores it.
    id      UUID PRIMARY KEY,
    run_id  UUID NOT NULL REFERENCES runs (run_id),
    -- The journal record that led to it.
    seq     BIGINT NOT NULL CHECK (seq >= 0),
    -- When, in the run's time.
    at_ns   BIGINT NOT NULL CHECK (at_ns >= 0),
    level   TEXT NOT NULL CHECK (level IN ('info', 'warning', 'critical')),
    -- Stable, for programs: STRATEGY_REVERTED, HALTED.
    code    TEXT NOT NULL,
    -- For people; cut at 2,000 characters.
    text    TEXT NOT NULL
);

CREATE INDEX paper_alerts_run_id_seq ON paper_alerts (run_id, seq);
