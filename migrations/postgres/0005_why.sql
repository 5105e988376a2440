-- What "why not?" asks for: the funnel as the pilot last counted it, and the wishes of a market or an
-- opportunity without looking through all of them.
--
-- The conventions of 0001 hold. The SQLite schema beside this one has the same tables, columns and
-- index names.

-- 'funnel': one part of one stage, named 'stage/passed', 'stage/refused/CODE', 'stage/entered/N/…',
-- 'stage/ended/N/…' or 'stage/waiting/N/…'; 'taken_ns' is when it was counted, by the pilot's wall clock.
ALTER TABLE paper_counts DROP CONSTRAINT paper_counts_kind_check;
ALTER TABLE paper_counts ADD CONSTRAINT paper_counts_kind_check
    CHECK (kind IN ('input_refused', 'no_opportunity', 'opportunities', 'silence', 'latency', 'funnel'));

CREATE INDEX paper_grades_market_id ON paper_grades (market_id);
CREATE INDEX paper_intents_opportunity_id ON paper_intents (opportunity_id);
CREATE INDEX paper_markets_market_id ON paper_markets (market_id);
