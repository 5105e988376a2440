-- Two roles beside the owner of the database: pm_app writes what a pilot writes, pm_ro reads.
--
-- Neither can delete, truncate or change the schema, and what a trade was when it was made can not be changed
-- afterwards by anybody but the owner. Run it as the owner, after `pm-arb migrate`, in the schema of the tables;
-- running it again is fine. Then give each role a password: \password pm_app
--
--   pilot                          DATABASE_URL=postgres://pm_app:…@host/db
--   report, trades, dashboard      DATABASE_URL=postgres://pm_ro:…@host/db

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'pm_app') THEN
        CREATE ROLE pm_app LOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'pm_ro') THEN
        CREATE ROLE pm_ro LOGIN;
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO pm_app, pm_ro', current_schema());
    EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA %I FROM pm_app, pm_ro', current_schema());
    EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO pm_app, pm_ro', current_schema());
END
$$;

ALTER ROLE pm_ro SET default_transaction_read_only = on;

-- Rows that stand as they were written, but for what is known only later.
GRANT INSERT ON runs, paper_trades, paper_intents, paper_grades, paper_equity, paper_alerts TO pm_app;
GRANT UPDATE (persisted_seq) ON runs TO pm_app;
GRANT UPDATE (status, remaining_quantity, exit_price, realized_pnl, fees, resolved_ns, settlement_evidence, updated_seq, tape)
    ON paper_trades TO pm_app;

-- Rows that a newer count or state replaces.
GRANT INSERT, UPDATE ON paper_denials, paper_markets, paper_counts TO pm_app;
