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

CREATE INDEX paper_intents_created_at ON paper_intents (created_ns);
CREATE INDEX paper_intents_strategy_id ON paper_intents (strategy_id);

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

-- Denials beyond the number that is stored one by one: a strategy that runs away fills no table. Every
-- row counts one minute; its wishes and their legs come on top of the rows of the other tables.
CREATE TABLE paper_denials (
    run_id       TEXT NOT NULL REFERENCES runs (run_id),
    strategy_id  TEXT NOT NULL CHECK (strategy_id <> ''),
    reason       TEXT NOT NULL CHECK (reason <> ''),
    minute_ns    INTEGER NOT NULL,
    -- When the database took the row, by its own clock.
    stored_ns    INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000000),
    wishes       INTEGER NOT NULL CHECK (wishes > 0),
    legs         INTEGER NOT NULL CHECK (legs >= 0),
    updated_seq  INTEGER NOT NULL,
    PRIMARY KEY (run_id, strategy_id, reason, minute_ns)
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
    status          TEXT NOT NULL CHECK (status IN ('open', 'paused', 'pending', 'settled', 'void', 'disputed', 'contradicted')),
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
    kind         TEXT NOT NULL CHECK (kind IN ('input_refused', 'no_opportunity', 'opportunities', 'silence', 'latency')),
    name         TEXT NOT NULL,
    count        INTEGER NOT NULL CHECK (count >= 0),
    updated_seq  INTEGER NOT NULL,
    PRIMARY KEY (run_id, kind, name)
) STRICT;

-- The view of 0001 with the columns from above.
DROP VIEW trades;
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
    fill,
    venue,
    market_id,
    market_slug,
    market_family,
    iif(closes_ns IS NULL, NULL, strftime('%Y-%m-%dT%H:%M:%S', closes_ns / 1000000000, 'unixepoch') || printf('.%09dZ', closes_ns % 1000000000)) AS closes_at,
    outcome,
    side,
    iif(requested_quantity_micro IS NULL, NULL, printf('%s%d.%06d', iif(requested_quantity_micro < 0, '-', ''), abs(requested_quantity_micro) / 1000000, abs(requested_quantity_micro) % 1000000)) AS requested_quantity,
    iif(quantity_micro IS NULL, NULL, printf('%s%d.%06d', iif(quantity_micro < 0, '-', ''), abs(quantity_micro) / 1000000, abs(quantity_micro) % 1000000)) AS quantity,
    iif(price_micro IS NULL, NULL, printf('%s%d.%06d', iif(price_micro < 0, '-', ''), abs(price_micro) / 1000000, abs(price_micro) % 1000000)) AS price,
    iif(cost_micro IS NULL, NULL, printf('%s%d.%06d', iif(cost_micro < 0, '-', ''), abs(cost_micro) / 1000000, abs(cost_micro) % 1000000)) AS cost,
    iif(fees_micro IS NULL, NULL, printf('%s%d.%06d', iif(fees_micro < 0, '-', ''), abs(fees_micro) / 1000000, abs(fees_micro) % 1000000)) AS fees,
    fee_rule,
    maker,
    levels,
    tape,
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

-- Wishes with their legs and grades, as people read them; a wish without a known leg has one row.
CREATE VIEW wishes AS
SELECT
    i.run_id,
    i.intent_id,
    i.seq,
    strftime('%Y-%m-%dT%H:%M:%S', i.created_ns / 1000000000, 'unixepoch') || printf('.%09dZ', i.created_ns % 1000000000) AS created_at,
    i.strategy_id,
    i.opportunity_id,
    i.opportunity_type,
    i.opportunity,
    i.time_in_force,
    iif(i.requested_quantity_micro IS NULL, NULL, printf('%s%d.%06d', iif(i.requested_quantity_micro < 0, '-', ''), abs(i.requested_quantity_micro) / 1000000, abs(i.requested_quantity_micro) % 1000000)) AS requested_quantity,
    iif(i.approved_quantity_micro IS NULL, NULL, printf('%s%d.%06d', iif(i.approved_quantity_micro < 0, '-', ''), abs(i.approved_quantity_micro) / 1000000, abs(i.approved_quantity_micro) % 1000000)) AS approved_quantity,
    iif(i.expected_edge_micro IS NULL, NULL, printf('%s%d.%06d', iif(i.expected_edge_micro < 0, '-', ''), abs(i.expected_edge_micro) / 1000000, abs(i.expected_edge_micro) % 1000000)) AS expected_edge,
    i.rejection_reason,
    i.rejection_limit,
    i.rejection_observed,
    g.leg,
    g.market_id,
    g.outcome,
    g.side,
    iif(g.limit_price_micro IS NULL, NULL, printf('%s%d.%06d', iif(g.limit_price_micro < 0, '-', ''), abs(g.limit_price_micro) / 1000000, abs(g.limit_price_micro) % 1000000)) AS limit_price,
    iif(g.bid_price_micro IS NULL, NULL, printf('%s%d.%06d', iif(g.bid_price_micro < 0, '-', ''), abs(g.bid_price_micro) / 1000000, abs(g.bid_price_micro) % 1000000)) AS bid_price,
    iif(g.bid_quantity_micro IS NULL, NULL, printf('%s%d.%06d', iif(g.bid_quantity_micro < 0, '-', ''), abs(g.bid_quantity_micro) / 1000000, abs(g.bid_quantity_micro) % 1000000)) AS bid_quantity,
    iif(g.ask_price_micro IS NULL, NULL, printf('%s%d.%06d', iif(g.ask_price_micro < 0, '-', ''), abs(g.ask_price_micro) / 1000000, abs(g.ask_price_micro) % 1000000)) AS ask_price,
    iif(g.ask_quantity_micro IS NULL, NULL, printf('%s%d.%06d', iif(g.ask_quantity_micro < 0, '-', ''), abs(g.ask_quantity_micro) / 1000000, abs(g.ask_quantity_micro) % 1000000)) AS ask_quantity,
    iif(g.naive_quantity_micro IS NULL, NULL, printf('%s%d.%06d', iif(g.naive_quantity_micro < 0, '-', ''), abs(g.naive_quantity_micro) / 1000000, abs(g.naive_quantity_micro) % 1000000)) AS naive_quantity,
    iif(g.naive_price_micro IS NULL, NULL, printf('%s%d.%06d', iif(g.naive_price_micro < 0, '-', ''), abs(g.naive_price_micro) / 1000000, abs(g.naive_price_micro) % 1000000)) AS naive_price,
    iif(g.naive_value_micro IS NULL, NULL, printf('%s%d.%06d', iif(g.naive_value_micro < 0, '-', ''), abs(g.naive_value_micro) / 1000000, abs(g.naive_value_micro) % 1000000)) AS naive_value,
    iif(g.naive_fee_micro IS NULL, NULL, printf('%s%d.%06d', iif(g.naive_fee_micro < 0, '-', ''), abs(g.naive_fee_micro) / 1000000, abs(g.naive_fee_micro) % 1000000)) AS naive_fee,
    iif(g.mid_quantity_micro IS NULL, NULL, printf('%s%d.%06d', iif(g.mid_quantity_micro < 0, '-', ''), abs(g.mid_quantity_micro) / 1000000, abs(g.mid_quantity_micro) % 1000000)) AS mid_quantity,
    iif(g.mid_price_micro IS NULL, NULL, printf('%s%d.%06d', iif(g.mid_price_micro < 0, '-', ''), abs(g.mid_price_micro) / 1000000, abs(g.mid_price_micro) % 1000000)) AS mid_price,
    iif(g.mid_value_micro IS NULL, NULL, printf('%s%d.%06d', iif(g.mid_value_micro < 0, '-', ''), abs(g.mid_value_micro) / 1000000, abs(g.mid_value_micro) % 1000000)) AS mid_value,
    iif(g.mid_fee_micro IS NULL, NULL, printf('%s%d.%06d', iif(g.mid_fee_micro < 0, '-', ''), abs(g.mid_fee_micro) / 1000000, abs(g.mid_fee_micro) % 1000000)) AS mid_fee
FROM paper_intents AS i
LEFT JOIN paper_grades AS g ON g.run_id = i.run_id AND g.intent_id = i.intent_id;
