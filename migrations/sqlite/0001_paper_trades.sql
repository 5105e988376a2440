-- What the pilot keeps: one row per leg that was filled or refused, and the runs they belong to.
--
-- Money and sizes are INTEGER millionths (column names end in `_micro`), times are INTEGER nanoseconds
-- since 1970 (`_ns`), uuids are text. SQLite has no exact decimal type, and money here never becomes
-- floating point. The view `trades` shows decimals (as text) and readable times.
-- The PostgreSQL schema beside this one has the same tables, constraints and index names.

CREATE TABLE runs (
    run_id         TEXT PRIMARY KEY NOT NULL CHECK (length(run_id) = 36),
    source         TEXT NOT NULL CHECK (source <> ''),
    created_ns     INTEGER NOT NULL,
    host_version   TEXT NOT NULL,
    -- The engine's settings as JSON text, for reading; the journal holds the ones that count.
    config         TEXT NOT NULL,
    -- Every effect of the run up to this journal record is in this database.
    persisted_seq  INTEGER NOT NULL DEFAULT 0 CHECK (persisted_seq >= 0)
) STRICT;

CREATE TABLE paper_trades (
    id                     TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 36),
    run_id                 TEXT NOT NULL REFERENCES runs (run_id),
    -- The journal record that caused the row, and which row of that record it is.
    seq                    INTEGER NOT NULL CHECK (seq > 0),
    n                      INTEGER NOT NULL CHECK (n >= 0),
    created_ns             INTEGER NOT NULL,
    -- When the database took the row, by its own clock: a recording of April may be traded in May.
    stored_ns              INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000000),

    opportunity_id         TEXT NOT NULL CHECK (opportunity_id <> ''),
    opportunity_type       TEXT NOT NULL CHECK (opportunity_type IN ('oracle_lag', 'mispricing', 'cross_platform', 'signal')),
    intent_id              TEXT NOT NULL CHECK (intent_id <> ''),
    leg                    INTEGER NOT NULL CHECK (leg >= 0),

    venue                  TEXT NOT NULL CHECK (venue <> ''),
    market_id              TEXT NOT NULL CHECK (market_id <> ''),
    market_slug            TEXT NOT NULL,
    market_number          INTEGER NOT NULL,
    instrument_number      INTEGER NOT NULL,
    outcome                TEXT NOT NULL CHECK (outcome <> ''),
    side                   TEXT NOT NULL CHECK (side IN ('buy', 'sell')),

    requested_quantity_micro   INTEGER NOT NULL,
    quantity_micro             INTEGER NOT NULL CHECK (quantity_micro >= 0),
    price_micro                INTEGER NOT NULL,
    cost_micro                 INTEGER NOT NULL,
    fees_micro                 INTEGER NOT NULL CHECK (fees_micro >= 0),
    expected_edge_micro        INTEGER NOT NULL,

    strategy_id            TEXT NOT NULL CHECK (strategy_id <> ''),
    strategy_version       TEXT NOT NULL,
    strategy_digest        TEXT NOT NULL,
    generation             INTEGER NOT NULL,

    risk_approved          INTEGER NOT NULL CHECK (risk_approved IN (0, 1)),
    risk_rejection_reason  TEXT CHECK (risk_rejection_reason <> ''),
    rejection_limit        TEXT,
    rejection_observed     TEXT,

    decided_ns             INTEGER NOT NULL,
    arrived_ns             INTEGER NOT NULL,
    decision_book_age_ns   INTEGER NOT NULL,
    fill_book_age_ns       INTEGER NOT NULL,
    book_epoch             INTEGER NOT NULL,
    -- SHA-256 of the row as first written: tells a resend from a contradiction.
    payload_hash           BLOB NOT NULL,

    -- From here on: replaced as a whole by every later update.
    status                 TEXT NOT NULL CHECK (status IN ('open', 'closed', 'resolved', 'rejected')),
    remaining_quantity_micro   INTEGER NOT NULL,
    exit_price_micro           INTEGER,
    realized_pnl_micro         INTEGER,
    resolved_ns            INTEGER,
    settlement_evidence    TEXT,
    -- The journal record of the newest state; an older one never overwrites it.
    updated_seq            INTEGER NOT NULL,

    CONSTRAINT paper_trades_one_row_per_effect UNIQUE (run_id, seq, n),
    CONSTRAINT paper_trades_quantities CHECK (remaining_quantity_micro >= 0 AND remaining_quantity_micro <= quantity_micro),
    -- A rejection is a row of its own and never a position.
    CONSTRAINT paper_trades_rejected CHECK (status <> 'rejected' OR (
        quantity_micro = 0 AND remaining_quantity_micro = 0 AND cost_micro = 0 AND fees_micro = 0
        AND risk_rejection_reason IS NOT NULL
        AND exit_price_micro IS NULL AND realized_pnl_micro IS NULL AND resolved_ns IS NULL)),
    -- Only what risk approved and the market filled is a position.
    CONSTRAINT paper_trades_filled CHECK (status = 'rejected' OR (
        risk_approved AND risk_rejection_reason IS NULL
        AND quantity_micro > 0 AND price_micro > 0 AND price_micro < 1000000)),
    CONSTRAINT paper_trades_open CHECK (status <> 'open' OR resolved_ns IS NULL),
    CONSTRAINT paper_trades_ended CHECK (status NOT IN ('closed', 'resolved') OR (
        resolved_ns IS NOT NULL AND realized_pnl_micro IS NOT NULL AND exit_price_micro IS NOT NULL
        AND remaining_quantity_micro = 0))
) STRICT;

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

-- The rows as people read them. NULL stays NULL.
CREATE VIEW trades AS
SELECT
    id,
    run_id,
    seq,
    n,
    iif(created_ns IS NULL, NULL, strftime('%Y-%m-%dT%H:%M:%S', created_ns / 1000000000, 'unixepoch') || printf('.%09dZ', created_ns % 1000000000)) AS created_at,
    opportunity_id,
    opportunity_type,
    intent_id,
    leg,
    venue,
    market_id,
    market_slug,
    outcome,
    side,
    iif(requested_quantity_micro IS NULL, NULL, printf('%s%d.%06d', iif(requested_quantity_micro < 0, '-', ''), abs(requested_quantity_micro) / 1000000, abs(requested_quantity_micro) % 1000000)) AS requested_quantity,
    iif(quantity_micro IS NULL, NULL, printf('%s%d.%06d', iif(quantity_micro < 0, '-', ''), abs(quantity_micro) / 1000000, abs(quantity_micro) % 1000000)) AS quantity,
    iif(price_micro IS NULL, NULL, printf('%s%d.%06d', iif(price_micro < 0, '-', ''), abs(price_micro) / 1000000, abs(price_micro) % 1000000)) AS price,
    iif(cost_micro IS NULL, NULL, printf('%s%d.%06d', iif(cost_micro < 0, '-', ''), abs(cost_micro) / 1000000, abs(cost_micro) % 1000000)) AS cost,
    iif(fees_micro IS NULL, NULL, printf('%s%d.%06d', iif(fees_micro < 0, '-', ''), abs(fees_micro) / 1000000, abs(fees_micro) % 1000000)) AS fees,
    iif(expected_edge_micro IS NULL, NULL, printf('%s%d.%06d', iif(expected_edge_micro < 0, '-', ''), abs(expected_edge_micro) / 1000000, abs(expected_edge_micro) % 1000000)) AS expected_edge,
    strategy_id,
    strategy_version,
    strategy_digest,
    generation,
    risk_approved,
    risk_rejection_reason,
    rejection_limit,
    rejection_observed,
    iif(decided_ns IS NULL, NULL, strftime('%Y-%m-%dT%H:%M:%S', decided_ns / 1000000000, 'unixepoch') || printf('.%09dZ', decided_ns % 1000000000)) AS decided_at,
    iif(arrived_ns IS NULL, NULL, strftime('%Y-%m-%dT%H:%M:%S', arrived_ns / 1000000000, 'unixepoch') || printf('.%09dZ', arrived_ns % 1000000000)) AS arrived_at,
    status,
    iif(remaining_quantity_micro IS NULL, NULL, printf('%s%d.%06d', iif(remaining_quantity_micro < 0, '-', ''), abs(remaining_quantity_micro) / 1000000, abs(remaining_quantity_micro) % 1000000)) AS remaining_quantity,
    iif(exit_price_micro IS NULL, NULL, printf('%s%d.%06d', iif(exit_price_micro < 0, '-', ''), abs(exit_price_micro) / 1000000, abs(exit_price_micro) % 1000000)) AS exit_price,
    iif(realized_pnl_micro IS NULL, NULL, printf('%s%d.%06d', iif(realized_pnl_micro < 0, '-', ''), abs(realized_pnl_micro) / 1000000, abs(realized_pnl_micro) % 1000000)) AS realized_pnl,
    iif(resolved_ns IS NULL, NULL, strftime('%Y-%m-%dT%H:%M:%S', resolved_ns / 1000000000, 'unixepoch') || printf('.%09dZ', resolved_ns % 1000000000)) AS resolved_at,
    settlement_evidence
FROM paper_trades;
