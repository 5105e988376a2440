-- What grading and verdicts need beside the rows themselves: how every wish was judged and what less
-- honest executors would have made of it, where the markets stand, and what could not be used.
--
-- The conventions of 0001 hold. Lists are JSON text of integers in the units of the columns beside
-- them. The PostgreSQL schema beside this one has the same tables, columns and index names.

ALTER TABLE paper_trades ADD COLUMN fill INTEGER NOT NULL DEFAULT 0 CHECK (fill >= 0);
ALTER TABLE paper_trades ADD COLUMN market_family TEXT NOT NULL DEFAULT '';
ALTER TABLE paper_trades ADD COLUMN closes_ns INTEGER NOT NULL DEFAULT 0;
ALTER TABLE paper_trades ADD COLUMN fee_rule TEXT NOT NULL DEFAULT '';
ALTER TABLE paper_trades ADD COLUMN maker INTEGER NOT NULL DEFAULT 0 CHECK (maker IN (0, 1));
-- The book as it was walked: [[price, quantity, fee], …] in millionths, best first.
ALTER TABLE paper_trades ADD COLUMN levels TEXT NOT NULL DEFAULT '[]';
-- Whether a real trade printed there within a second; NULL while that is not known.
ALTER TABLE paper_trades ADD COLUMN tape TEXT CHECK (tape IN ('confirmed', 'not_seen', 'no_tape'));

-- An order that rests may be hit many times.
DROP INDEX paper_trades_one_fill_per_opportunity;
CREATE UNIQUE INDEX paper_trades_one_fill_per_opportunity
    ON paper_trades (opportunity_id, strategy_id, market_id, outcome, side, fill)
    WHERE status <> 'rejected';
CREATE INDEX paper_trades_strategy_id ON paper_trades (strategy_id);

-- A wish of a strategy, as it was judged.
CREATE TABLE paper_intents (
    run_id                   TEXT NOT NULL REFERENCES runs (run_id),
    intent_id                TEXT NOT NULL CHECK (intent_id <> ''),
    seq                      INTEGER NOT NULL CHECK (seq > 0),
    created_ns               INTEGER NOT NULL,
    -- When the database took the row, by its own clock.
    stored_ns                INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000000),
    strategy_id              TEXT NOT NULL CHECK (strategy_id <> ''),
    opportunity_id           TEXT NOT NULL CHECK (opportunity_id <> ''),
    opportunity_type         TEXT NOT NULL CHECK (opportunity_type IN ('oracle_lag', 'mispricing', 'cross_platform', 'signal')),
    -- The opportunity as the scanner saw it, as JSON; NULL for an idea of the strategy's own.
    opportunity              TEXT,
    time_in_force            TEXT NOT NULL CHECK (time_in_force IN ('fak', 'fok', 'gtc', 'gtd')),
    requested_quantity_micro INTEGER NOT NULL,
    -- What risk approved; NULL when it denied.
    approved_quantity_micro  INTEGER,
    rejection_reason         TEXT CHECK (rejection_reason <> ''),
    rejection_limit          TEXT,
    rejection_observed       TEXT,
    expected_edge_micro      INTEGER NOT NULL,
    payload_hash             BLOB NOT NULL,
    PRIMARY KEY (run_id, intent_id),
    CONSTRAINT paper_intents_judged CHECK ((approved_quantity_micro IS NULL) = (rejection_reason IS NOT NULL))
) STRICT;

-- Its legs, with the grades of an approved one. A denied wish reaches no executor, so it has none.
CREATE TABLE paper_grades (
    run_id                TEXT NOT NULL,
    intent_id             TEXT NOT NULL,
    leg                   INTEGER NOT NULL CHECK (leg >= 0),
    market_number         INTEGER NOT NULL,
    market_id             TEXT NOT NULL CHECK (market_id <> ''),
    instrument_number     INTEGER NOT NULL,
    outcome               TEXT NOT NULL,
    side                  TEXT NOT NULL CHECK (side IN ('buy', 'sell')),
    limit_price_micro     INTEGER NOT NULL,
    bid_price_micro       INTEGER,
    bid_quantity_micro    INTEGER,
    ask_price_micro       INTEGER,
    ask_quantity_micro    INTEGER,
    naive_quantity_micro  INTEGER,
    naive_price_micro     INTEGER,
    naive_value_micro     INTEGER,
    naive_fee_micro       INTEGER,
    mid_quantity_micro    INTEGER,
    mid_price_micro       INTEGER,
    mid_value_micro       INTEGER,
    mid_fee_micro         INTEGER,
    PRIMARY KEY (run_id, intent_id, leg),
    FOREIGN KEY (run_id, intent_id) REFERENCES paper_intents (run_id, intent_id)
) STRICT;

-- Where every market stands in which something was traded.
CREATE TABLE paper_markets (
    run_id          TEXT NOT NULL REFERENCES runs (run_id),
    market_number   INTEGER NOT NULL,
    venue           TEXT NOT NULL CHECK (venue <> ''),
    market_id       TEXT NOT NULL CHECK (market_id <> ''),
    market_slug     TEXT NOT NULL,
    market_family   TEXT NOT NULL,
    closes_ns       INTEGER NOT NULL,
    status          TEXT NOT NULL CHECK (status IN ('open', 'paused', 'pending', 'settled', 'void', 'disputed')),
    -- [[instrument number, name, payout of a share in millionths or null], …]
    outcomes        TEXT NOT NULL,
    evidence        TEXT NOT NULL,
    since_ns        INTEGER NOT NULL,
    updated_seq     INTEGER NOT NULL,
    PRIMARY KEY (run_id, market_number)
) STRICT;

-- How often something happened in a run that has no row of its own: inputs that could not be used,
-- looks of the scanner that led to nothing. Replaced by every newer count.
CREATE TABLE paper_counts (
    run_id       TEXT NOT NULL REFERENCES runs (run_id),
    kind         TEXT NOT NULL CHECK (kind IN ('input_refused', 'no_opportunity', 'opportunities', 'latency')),
    name         TEXT NOT NULL,
    count        INTEGER NOT NULL CHECK (count >= 0),
    updated_seq  INTEGER NOT NULL,
    PRIMARY KEY (run_id, kind, name)
) STRICT;
