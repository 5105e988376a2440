-- What grading and verdicts need beside the rows themselves: how every wish was judged and what less
-- honest executors would have made of it, where the markets stand, and what could not be used.
--
-- The conventions of 0001 hold. Lists are JSON text of integers, money and sizes in
-- millionths. The SQLite schema beside this one has the same tables, columns and index names.

ALTER TABLE paper_trades ADD COLUMN fill BIGINT NOT NULL DEFAULT 0 CHECK (fill >= 0);
ALTER TABLE paper_trades ADD COLUMN market_family TEXT NOT NULL DEFAULT '';
ALTER TABLE paper_trades ADD COLUMN closes_ns BIGINT NOT NULL DEFAULT 0;
ALTER TABLE paper_trades ADD COLUMN closes_at TIMESTAMPTZ NOT NULL GENERATED ALWAYS AS (to_timestamp((closes_ns / 1000) / 1e6)) STORED;
ALTER TABLE paper_trades ADD COLUMN fee_rule TEXT NOT NULL DEFAULT '';
ALTER TABLE paper_trades ADD COLUMN maker BOOLEAN NOT NULL DEFAULT FALSE;
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
    run_id                   UUID NOT NULL REFERENCES runs (run_id),
    intent_id                TEXT NOT NULL CHECK (intent_id <> ''),
    seq                      BIGINT NOT NULL CHECK (seq > 0),
    created_ns               BIGINT NOT NULL,
    -- When the database took the row, by its own clock.
    stored_ns                BIGINT NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint * 1000,
    strategy_id              TEXT NOT NULL CHECK (strategy_id <> ''),
    opportunity_id           TEXT NOT NULL CHECK (opportunity_id <> ''),
    opportunity_type         TEXT NOT NULL CHECK (opportunity_type IN ('oracle_lag', 'mispricing', 'cross_platform', 'signal')),
    -- The opportunity as the scanner saw it, as JSON; NULL for an idea of the strategy's own.
    opportunity              TEXT,
    time_in_force            TEXT NOT NULL CHECK (time_in_force IN ('fak', 'fok', 'gtc', 'gtd')),
    requested_quantity       NUMERIC(24, 6) NOT NULL,
    -- What risk approved; NULL when it denied.
    approved_quantity        NUMERIC(24, 6),
    rejection_reason         TEXT CHECK (rejection_reason <> ''),
    rejection_limit          TEXT,
    rejection_observed       TEXT,
    expected_edge            NUMERIC(24, 6) NOT NULL,
    payload_hash             BYTEA NOT NULL,
    PRIMARY KEY (run_id, intent_id),
    CONSTRAINT paper_intents_judged CHECK ((approved_quantity IS NULL) = (rejection_reason IS NOT NULL))
);

CREATE INDEX paper_intents_created_at ON paper_intents (created_ns);
CREATE INDEX paper_intents_strategy_id ON paper_intents (strategy_id);

-- Its legs, with the grades of an approved one. A denied wish reaches no executor, so it has none.
CREATE TABLE paper_grades (
    run_id                UUID NOT NULL,
    intent_id             TEXT NOT NULL,
    leg                   BIGINT NOT NULL CHECK (leg >= 0),
    market_number         BIGINT NOT NULL,
    market_id             TEXT NOT NULL CHECK (market_id <> ''),
    instrument_number     BIGINT NOT NULL,
    outcome               TEXT NOT NULL,
    side                  TEXT NOT NULL CHECK (side IN ('buy', 'sell')),
    limit_price           NUMERIC(24, 6) NOT NULL,
    bid_price             NUMERIC(24, 6),
    bid_quantity          NUMERIC(24, 6),
    ask_price             NUMERIC(24, 6),
    ask_quantity          NUMERIC(24, 6),
    naive_quantity        NUMERIC(24, 6),
    naive_price           NUMERIC(24, 6),
    naive_value           NUMERIC(24, 6),
    naive_fee             NUMERIC(24, 6),
    mid_quantity          NUMERIC(24, 6),
    mid_price             NUMERIC(24, 6),
    mid_value             NUMERIC(24, 6),
    mid_fee               NUMERIC(24, 6),
    PRIMARY KEY (run_id, intent_id, leg),
    FOREIGN KEY (run_id, intent_id) REFERENCES paper_intents (run_id, intent_id)
);

-- Denials beyond the number that is stored one by one: a strategy that runs away fills no table. Every
-- row counts one minute; its wishes and their legs come on top of the rows of the other tables.
CREATE TABLE paper_denials (
    run_id       UUID NOT NULL REFERENCES runs (run_id),
    strategy_id  TEXT NOT NULL CHECK (strategy_id <> ''),
    reason       TEXT NOT NULL CHECK (reason <> ''),
    minute_ns    BIGINT NOT NULL,
    -- When the database took the row, by its own clock.
    stored_ns    BIGINT NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint * 1000,
    wishes       BIGINT NOT NULL CHECK (wishes > 0),
    legs         BIGINT NOT NULL CHECK (legs >= 0),
    updated_seq  BIGINT NOT NULL,
    PRIMARY KEY (run_id, strategy_id, reason, minute_ns)
);

-- Where every market stands in which something was traded.
CREATE TABLE paper_markets (
    run_id          UUID NOT NULL REFERENCES runs (run_id),
    market_number   BIGINT NOT NULL,
    venue           TEXT NOT NULL CHECK (venue <> ''),
    market_id       TEXT NOT NULL CHECK (market_id <> ''),
    market_slug     TEXT NOT NULL,
    market_family   TEXT NOT NULL,
    closes_ns       BIGINT NOT NULL,
    status          TEXT NOT NULL CHECK (status IN ('open', 'paused', 'pending', 'settled', 'void', 'disputed', 'contradicted')),
    -- [[instrument number, name, payout of a share in millionths or null], …]
    outcomes        TEXT NOT NULL,
    evidence        TEXT NOT NULL,
    since_ns        BIGINT NOT NULL,
    updated_seq     BIGINT NOT NULL,
    PRIMARY KEY (run_id, market_number)
);

-- How often something happened in a run that has no row of its own: inputs that could not be used,
-- looks of the scanner that led to nothing. Replaced by every newer count.
CREATE TABLE paper_counts (
    run_id       UUID NOT NULL REFERENCES runs (run_id),
    kind         TEXT NOT NULL CHECK (kind IN ('input_refused', 'no_opportunity', 'opportunities', 'silence', 'latency')),
    name         TEXT NOT NULL,
    count        BIGINT NOT NULL CHECK (count >= 0),
    updated_seq  BIGINT NOT NULL,
    PRIMARY KEY (run_id, kind, name)
);

-- Wishes with their legs and grades, as people read them; a wish without a known leg has one row.
CREATE VIEW wishes AS
SELECT
    i.run_id,
    i.intent_id,
    i.seq,
    to_timestamp((i.created_ns / 1000) / 1e6) AS created_at,
    i.strategy_id,
    i.opportunity_id,
    i.opportunity_type,
    i.opportunity,
    i.time_in_force,
    i.requested_quantity,
    i.approved_quantity,
    i.expected_edge,
    i.rejection_reason,
    i.rejection_limit,
    i.rejection_observed,
    g.leg,
    g.market_id,
    g.outcome,
    g.side,
    g.limit_price,
    g.bid_price,
    g.bid_quantity,
    g.ask_price,
    g.ask_quantity,
    g.naive_quantity,
    g.naive_price,
    g.naive_value,
    g.naive_fee,
    g.mid_quantity,
    g.mid_price,
    g.mid_value,
    g.mid_fee
FROM paper_intents AS i
LEFT JOIN paper_grades AS g ON g.run_id = i.run_id AND g.intent_id = i.intent_id;
