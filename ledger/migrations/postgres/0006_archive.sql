-- Settled days are files outside the database: named after the digest of their content, and entered here. What a file
-- holds of which hour leaves hour_blobs in the same transaction; digests and the chain over them stay.
CREATE TABLE archive_files (
    digest  BYTEA PRIMARY KEY CHECK (length(digest) = 32),
    cluster TEXT COLLATE "C" NOT NULL,
    day     TEXT COLLATE "C" NOT NULL,
    bytes   BIGINT NOT NULL
);

CREATE TABLE archived_hours (
    cluster  TEXT COLLATE "C" NOT NULL,
    hour     BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    digest   BYTEA NOT NULL REFERENCES archive_files (digest),
    part     BIGINT NOT NULL CHECK (part >= 0),
    PRIMARY KEY (cluster, hour, revision),
    FOREIGN KEY (cluster, hour, revision) REFERENCES hours (cluster, hour, revision)
);
CREATE INDEX archived_hours_by_file ON archived_hours (digest);

-- Files about to be written. One that was never entered is swept.
CREATE TABLE archive_intents (
    digest BYTEA PRIMARY KEY,
    day    TEXT COLLATE "C" NOT NULL,
    since  BIGINT NOT NULL
);

CREATE TRIGGER archive_files_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON archive_files EXECUTE FUNCTION ledger_refuse('a file of the archive is never changed');
CREATE TRIGGER archived_hours_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON archived_hours EXECUTE FUNCTION ledger_refuse('a recorded hour is never changed');
-- Rows of an hour leave the database only once they are in a file.
CREATE FUNCTION ledger_refuse_unarchived() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM archived_hours a WHERE a.cluster = OLD.cluster AND a.hour = OLD.hour AND a.revision = OLD.revision) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'a recorded hour is never deleted';
END $$;
DROP TRIGGER hour_blobs_append_only ON hour_blobs;
CREATE TRIGGER hour_blobs_append_only BEFORE UPDATE OR TRUNCATE ON hour_blobs EXECUTE FUNCTION ledger_refuse('a recorded hour is never changed');
CREATE TRIGGER hour_blobs_no_delete BEFORE DELETE ON hour_blobs FOR EACH ROW EXECUTE FUNCTION ledger_refuse_unarchived();

-- An earlier release would look for rows that are elsewhere.
UPDATE ledger_head SET min_reader = 6;
