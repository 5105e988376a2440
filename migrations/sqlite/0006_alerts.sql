-- What people were told: swaps, roll-backs and quarantines of strategies with their generations, operators' words,
-- halts, settlements in dispute.
--
-- The conventions of 0001 hold. The PostgreSQL schema beside this one has the same tables, columns and
-- index names.

CREATE TABLE paper_alerts (
    -- Derived from all of it: the same alert of a record is one row, whoever stores it.
    id      TEXT PRIMARY KEY NOT NULL,
    run_id  TEXT NOT NULL REFERENCES runs (run_id),
    -- The journal record that led to it.
    seq     INTEGER NOT NULL CHECK (seq >= 0),
    -- When, in the run's time.
    at_ns   INTEGER NOT NULL CHECK (at_ns >= 0),
    level   TEXT NOT NULL CHECK (level IN ('info', 'warning', 'critical')),
    -- Stable, for programs: STRATEGY_REVERTED, HALTED.
    code    TEXT NOT NULL,
    -- For people; cut at 2,000 characters.
    text    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX paper_alerts_run_id_seq ON paper_alerts (run_id, seq);
