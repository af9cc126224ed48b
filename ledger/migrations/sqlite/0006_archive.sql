-- Settled days are files outside the database: named after the digest of their content, and entered here. What a file
-- holds of which hour leaves hour_blobs in the same transaction; digests and the chain over them stay.
CREATE TABLE archive_files (
    digest  BLOB PRIMARY KEY CHECK (length(digest) = 32),
    cluster TEXT NOT NULL,
    day     TEXT NOT NULL,
    bytes   INTEGER NOT NULL
) STRICT;

CREATE TABLE archived_hours (
    cluster  TEXT NOT NULL,
    hour     INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    digest   BLOB NOT NULL REFERENCES archive_files (digest),
    part     INTEGER NOT NULL CHECK (part >= 0),
    PRIMARY KEY (cluster, hour, revision),
    FOREIGN KEY (cluster, hour, revision) REFERENCES hours (cluster, hour, revision)
) STRICT;
CREATE INDEX archived_hours_by_file ON archived_hours (digest);

-- Files about to be written. One that was never entered is swept.
CREATE TABLE archive_intents (
    digest BLOB PRIMARY KEY,
    day    TEXT NOT NULL,
    since  INTEGER NOT NULL
) STRICT;

CREATE TRIGGER archive_files_no_update BEFORE UPDATE ON archive_files BEGIN SELECT RAISE(ABORT, 'a file of the archive is never changed'); END;
CREATE TRIGGER archive_files_no_delete BEFORE DELETE ON archive_files BEGIN SELECT RAISE(ABORT, 'a file of the archive is never forgotten'); END;
CREATE TRIGGER archived_hours_no_update BEFORE UPDATE ON archived_hours BEGIN SELECT RAISE(ABORT, 'a recorded hour is never changed'); END;
CREATE TRIGGER archived_hours_no_delete BEFORE DELETE ON archived_hours BEGIN SELECT RAISE(ABORT, 'a recorded hour is never deleted'); END;
-- Rows of an hour leave the database only once they are in a file.
DROP TRIGGER hour_blobs_no_delete;
CREATE TRIGGER hour_blobs_no_delete BEFORE DELETE ON hour_blobs
WHEN NOT EXISTS (SELECT 1 FROM archived_hours a WHERE a.cluster = OLD.cluster AND a.hour = OLD.hour AND a.revision = OLD.revision)
BEGIN SELECT RAISE(ABORT, 'a recorded hour is never deleted'); END;

-- An earlier release would look for rows that are elsewhere.
UPDATE ledger_head SET min_reader = 6;
