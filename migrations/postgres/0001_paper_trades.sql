-- What the pilot keeps: one row per leg that was filled or refused, and the runs they belong to.
--
-- Money and sizes are NUMERIC with six decimals, exactly the program's own unit.
-- Every time is kept twice: `*_ns` (nanoseconds since 1970, exact, written by the program) and a
-- generated TIMESTAMPTZ of the same name for people (microseconds, cut).
-- The SQLite schema beside this one has the same tables, constraints and index names.

CREATE TABLE runs (
    run_id         UUID PRIMARY KEY,
    source         TEXT NOT NULL CHECK (source <> ''),
    created_ns     BIGINT NOT NULL,
    created_at     TIMESTAMPTZ NOT NULL GENERATED ALWAYS AS (to_timestamp((created_ns / 1000) / 1e6)) STORED,
    host_version   TEXT NOT NULL,
    -- The engine's settings as JSON text, for reading; the journal holds the ones that count.
    config         TEXT NOT NULL,
    -- Every effect of the run up to this journal record is in this database.
    persisted_seq  BIGINT NOT NULL DEFAULT 0 CHECK (persisted_seq >= 0)
);

CREATE TABLE paper_trades (
    id                     UUID PRIMARY KEY,
    run_id                 UUID NOT NULL REFERENCES runs (run_id),
    -- The journal record that caused the row, and which row of that record it is.
    seq                    BIGINT NOT NULL CHECK (seq > 0),
    n                      BIGINT NOT NULL CHECK (n >= 0),
    created_ns             BIGINT NOT NULL,
    created_at             TIMESTAMPTZ NOT NULL GENERATED ALWAYS AS (to_timestamp((created_ns / 1000) / 1e6)) STORED,
    -- When the database took the row, by its own clock: a recording of April may be traded in May.
    stored_ns              BIGINT NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint * 1000,

    opportunity_id         TEXT NOT NULL CHECK (opportunity_id <> ''),
    opportunity_type       TEXT NOT NULL CHECK (opportunity_type IN ('oracle_lag', 'mispricing', 'cross_platform', 'signal')),
    intent_id              TEXT NOT NULL CHECK (intent_id <> ''),
    leg                    BIGINT NOT NULL CHECK (leg >= 0),

    venue                  TEXT NOT NULL CHECK (venue <> ''),
    market_id              TEXT NOT NULL CHECK (market_id <> ''),
    market_slug            TEXT NOT NULL,
    market_number          BIGINT NOT NULL,
    instrument_number      BIGINT NOT NULL,
    outcome                TEXT NOT NULL CHECK (outcome <> ''),
    side                   TEXT NOT NULL CHECK (side IN ('buy', 'sell')),

    requested_quantity     NUMERIC(24, 6) NOT NULL,
    quantity               NUMERIC(24, 6) NOT NULL CHECK (quantity >= 0),
    price                  NUMERIC(24, 6) NOT NULL,
    cost                   NUMERIC(24, 6) NOT NULL,
    fees                   NUMERIC(24, 6) NOT NULL CHECK (fees >= 0),
    expected_edge          NUMERIC(24, 6) NOT NULL,

    strategy_id            TEXT NOT NULL CHECK (strategy_id <> ''),
    strategy_version       TEXT NOT NULL,
    strategy_digest        TEXT NOT NULL,
    generation             BIGINT NOT NULL,

    risk_approved          BOOLEAN NOT NULL,
    risk_rejection_reason  TEXT CHECK (risk_rejection_reason <> ''),
    rejection_limit        TEXT,
    rejection_observed     TEXT,

    decided_ns             BIGINT NOT NULL,
    decided_at             TIMESTAMPTZ NOT NULL GENERATED ALWAYS AS (to_timestamp((decided_ns / 1000) / 1e6)) STORED,
    arrived_ns             BIGINT NOT NULL,
    arrived_at             TIMESTAMPTZ NOT NULL GENERATED ALWAYS AS (to_timestamp((arrived_ns / 1000) / 1e6)) STORED,
    decision_book_age_ns   BIGINT NOT NULL,
    fill_book_age_ns       BIGINT NOT NULL,
    book_epoch             BIGINT NOT NULL,
    -- SHA-256 of the row as first written: tells a resend from a contradiction.
    payload_hash           BYTEA NOT NULL,

    -- From here on: replaced as a whole by every later update.
    status                 TEXT NOT NULL CHECK (status IN ('open', 'closed', 'resolved', 'rejected')),
    remaining_quantity     NUMERIC(24, 6) NOT NULL,
    exit_price             NUMERIC(24, 6),
    realized_pnl           NUMERIC(24, 6),
    resolved_ns            BIGINT,
    resolved_at            TIMESTAMPTZ GENERATED ALWAYS AS (to_timestamp((resolved_ns / 1000) / 1e6)) STORED,
    settlement_evidence    TEXT,
    -- The journal record of the newest state; an older one never overwrites it.
    updated_seq            BIGINT NOT NULL,

    CONSTRAINT paper_trades_one_row_per_effect UNIQUE (run_id, seq, n),
    CONSTRAINT paper_trades_quantities CHECK (remaining_quantity >= 0 AND remaining_quantity <= quantity),
    -- A rejection is a row of its own and never a position.
    CONSTRAINT paper_trades_rejected CHECK (status <> 'rejected' OR (
        quantity = 0 AND remaining_quantity = 0 AND cost = 0 AND fees = 0
        AND risk_rejection_reason IS NOT NULL
        AND exit_price IS NULL AND realized_pnl IS NULL AND resolved_ns IS NULL)),
    -- Only what risk approved and the market filled is a position.
    CONSTRAINT paper_trades_filled CHECK (status = 'rejected' OR (
        risk_approved AND risk_rejection_reason IS NULL
        AND quantity > 0 AND price > 0 AND price < 1)),
    CONSTRAINT paper_trades_open CHECK (status <> 'open' OR resolved_ns IS NULL),
    CONSTRAINT paper_trades_ended CHECK (status NOT IN ('closed', 'resolved') OR (
        resolved_ns IS NOT NULL AND realized_pnl IS NOT NULL AND exit_price IS NOT NULL
        AND remaining_quantity = 0))
);

CREATE INDEX paper_trades_created_at ON paper_trades (created_ns);
CREATE INDEX paper_trades_stored ON paper_trades (stored_ns);
CREATE INDEX paper_trades_market_id ON paper_trades (market_id);
CREATE INDEX paper_trades_status ON paper_trades (status);
CREATE INDEX paper_trades_opportunity_type ON paper_trades (opportunity_type);

-- A strategy acts once on one side of one outcome of an opportunity. Both legs of "buy YES and NO"
-- fit, and a rejection takes nobody's place.
CREATE UNIQUE INDEX paper_trades_one_fill_per_opportunity
    ON paper_trades (opportunity_id, strategy_id, market_id, outcome, side)
    WHERE status <> 'rejected';
