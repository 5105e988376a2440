-- What "why not?" asks for: the funnel as the pilot last counted it, and the wishes of a market or an
-- opportunity without looking through all of them.
--
-- The conventions of 0001 hold. The PostgreSQL schema beside this one has the same tables, columns and
-- index names.

-- A check of a table can not be changed: the table is made anew.
CREATE TABLE paper_counts_new (
    run_id       TEXT NOT NULL REFERENCES runs (run_id),
    -- 'funnel': one part of one stage, named 'stage/passed', 'stage/refused/CODE', 'stage/entered/N/…',
    -- 'stage/ended/N/…' or 'stage/waiting/N/…'; 'taken_ns' is when it was counted, by the pilot's wall clock.
    kind         TEXT NOT NULL CHECK (kind IN ('input_refused', 'no_opportunity', 'opportunities', 'silence', 'latency', 'funnel')),
    name         TEXT NOT NULL,
    count        INTEGER NOT NULL CHECK (count >= 0),
    updated_seq  INTEGER NOT NULL,
    PRIMARY KEY (run_id, kind, name)
) STRICT;
INSERT INTO paper_counts_new SELECT run_id, kind, name, count, updated_seq FROM paper_counts;
DROP TABLE paper_counts;
ALTER TABLE paper_counts_new RENAME TO paper_counts;

CREATE INDEX paper_grades_market_id ON paper_grades (market_id);
CREATE INDEX paper_intents_opportunity_id ON paper_intents (opportunity_id);
CREATE INDEX paper_markets_market_id ON paper_markets (market_id);
