-- Hours whose rows were let go of, long after the month they were billed in was closed. Digests, coverage and the chain
-- stay, and so do all statements.
CREATE TABLE pruned_hours (
    cluster  TEXT COLLATE "C" NOT NULL,
    hour     BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    PRIMARY KEY (cluster, hour, revision),
    FOREIGN KEY (cluster, hour, revision) REFERENCES hours (cluster, hour, revision)
);

-- Files of the archive that are gone because every hour in them is pruned.
CREATE TABLE pruned_files (
    digest BYTEA PRIMARY KEY REFERENCES archive_files (digest)
);

CREATE FUNCTION ledger_refuse_open_hours() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM close_hours c WHERE c.cluster = NEW.cluster AND c.hour = NEW.hour) THEN RETURN NEW; END IF;
    RAISE EXCEPTION 'an hour is pruned only once its month is closed';
END $$;
CREATE TRIGGER pruned_hours_only_closed BEFORE INSERT ON pruned_hours FOR EACH ROW EXECUTE FUNCTION ledger_refuse_open_hours();
CREATE TRIGGER pruned_hours_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON pruned_hours EXECUTE FUNCTION ledger_refuse('a pruned hour does not come back');
CREATE OR REPLACE FUNCTION ledger_refuse_unarchived() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM archived_hours a WHERE a.cluster = OLD.cluster AND a.hour = OLD.hour AND a.revision = OLD.revision)
        OR EXISTS (SELECT 1 FROM pruned_hours p WHERE p.cluster = OLD.cluster AND p.hour = OLD.hour AND p.revision = OLD.revision) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'a recorded hour is never deleted';
END $$;

-- An earlier release would take pruned rows for lost ones.
UPDATE ledger_head SET min_reader = 7;
