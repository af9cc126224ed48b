-- Hours whose rows were let go of, long after the month they were billed in was closed. Digests, coverage and the chain
-- stay, and so do all statements.
CREATE TABLE pruned_hours (
    cluster  TEXT NOT NULL,
    hour     INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (cluster, hour, revision),
    FOREIGN KEY (cluster, hour, revision) REFERENCES hours (cluster, hour, revision)
) STRICT, WITHOUT ROWID;

-- Files of the archive that are gone because every hour in them is pruned.
CREATE TABLE pruned_files (
    digest BLOB PRIMARY KEY REFERENCES archive_files (digest)
) STRICT;

CREATE TRIGGER pruned_hours_only_closed BEFORE INSERT ON pruned_hours
WHEN NOT EXISTS (SELECT 1 FROM close_hours c WHERE c.cluster = NEW.cluster AND c.hour = NEW.hour)
BEGIN SELECT RAISE(ABORT, 'an hour is pruned only once its month is closed'); END;
CREATE TRIGGER pruned_hours_no_update BEFORE UPDATE ON pruned_hours BEGIN SELECT RAISE(ABORT, 'a pruned hour does not come back'); END;
CREATE TRIGGER pruned_hours_no_delete BEFORE DELETE ON pruned_hours BEGIN SELECT RAISE(ABORT, 'a pruned hour does not come back'); END;
DROP TRIGGER hour_blobs_no_delete;
CREATE TRIGGER hour_blobs_no_delete BEFORE DELETE ON hour_blobs
WHEN NOT EXISTS (SELECT 1 FROM archived_hours a WHERE a.cluster = OLD.cluster AND a.hour = OLD.hour AND a.revision = OLD.revision)
  AND NOT EXISTS (SELECT 1 FROM pruned_hours p WHERE p.cluster = OLD.cluster AND p.hour = OLD.hour AND p.revision = OLD.revision)
BEGIN SELECT RAISE(ABORT, 'a recorded hour is never deleted'); END;

-- An earlier release would take pruned rows for lost ones.
UPDATE ledger_head SET min_reader = 7;
