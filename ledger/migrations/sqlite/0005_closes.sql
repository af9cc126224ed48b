-- Months that were closed or restated: each version under a digest of everything it was made from and came to, which
-- holds the digest of the close before it, whatever its period.
CREATE TABLE closes (
    period            TEXT NOT NULL,
    version           INTEGER NOT NULL,
    seq               INTEGER NOT NULL UNIQUE CHECK (seq >= 1),
    closed_at         INTEGER NOT NULL,
    closed_by         TEXT NOT NULL,
    how               TEXT NOT NULL CHECK (how IN ('hand', 'schedule')),
    forced_reason     TEXT,
    restate_reason    TEXT CHECK ((restate_reason IS NULL) = (version = 1)),
    zone              TEXT NOT NULL,
    engine_version    INTEGER NOT NULL,
    hours_missing     INTEGER NOT NULL,
    total_units       INTEGER NOT NULL,
    total_nanos       INTEGER NOT NULL,
    total_attos       INTEGER NOT NULL,
    inputs            BLOB NOT NULL CHECK (length(inputs) = 32),
    book_digest       BLOB NOT NULL CHECK (length(book_digest) = 32),
    ownership_digest  BLOB NOT NULL CHECK (length(ownership_digest) = 32),
    hours_digest      BLOB NOT NULL CHECK (length(hours_digest) = 32),
    statements_digest BLOB NOT NULL CHECK (length(statements_digest) = 32),
    deltas_digest     BLOB NOT NULL CHECK (length(deltas_digest) = 32),
    files_digest      BLOB NOT NULL CHECK (length(files_digest) = 32),
    previous          BLOB NOT NULL CHECK (length(previous) = 32),
    digest            BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    PRIMARY KEY (period, version),
    FOREIGN KEY (period, version) REFERENCES months (period, version)
) STRICT;

-- The newest close: a cut-off tail is seen.
CREATE TABLE close_head (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    seq    INTEGER NOT NULL,
    digest BLOB NOT NULL
) STRICT;

-- Which revision of each hour a version was made from: what is pinned is never swept.
CREATE TABLE close_hours (
    period   TEXT NOT NULL,
    version  INTEGER NOT NULL,
    cluster  TEXT NOT NULL,
    hour     INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (period, version, cluster, hour),
    FOREIGN KEY (period, version) REFERENCES closes (period, version),
    FOREIGN KEY (cluster, hour, revision) REFERENCES hours (cluster, hour, revision)
) STRICT, WITHOUT ROWID;
CREATE INDEX close_hours_by_hour ON close_hours (cluster, hour, revision);

-- Who owned what when it was closed, as far as it decided that month, and by which rules: later spans change nothing.
CREATE TABLE close_ownership (
    period      TEXT NOT NULL,
    version     INTEGER NOT NULL,
    blob_digest BLOB NOT NULL CHECK (length(blob_digest) = 32),
    content     BLOB NOT NULL,
    PRIMARY KEY (period, version),
    FOREIGN KEY (period, version) REFERENCES closes (period, version)
) STRICT;

-- What a restatement changed, line by line: what it adds to the version before.
CREATE TABLE close_deltas (
    period            TEXT NOT NULL,
    version           INTEGER NOT NULL CHECK (version >= 2),
    n                 INTEGER NOT NULL,
    cost_center       TEXT NOT NULL,
    tenant            TEXT NOT NULL,
    cluster           TEXT,
    virtual_namespace TEXT,
    kind              TEXT NOT NULL,
    pool              TEXT,
    instance_type     TEXT,
    capacity_type     TEXT,
    item              TEXT NOT NULL,
    list_price        TEXT,
    amount_units      INTEGER NOT NULL,
    amount_nanos      INTEGER NOT NULL,
    amount_attos      INTEGER NOT NULL,
    PRIMARY KEY (period, version, n),
    FOREIGN KEY (period, version) REFERENCES closes (period, version)
) STRICT, WITHOUT ROWID;

-- The bytes of every file of a version that was ever sent: those it was closed with, and others before they were
-- first sent. Names begin with whose view it is; `digest` is of the name and the rest of the row.
CREATE TABLE close_files (
    period   TEXT NOT NULL,
    version  INTEGER NOT NULL,
    name     TEXT NOT NULL,
    at_close INTEGER NOT NULL CHECK (at_close IN (0, 1)),
    length   INTEGER NOT NULL CHECK (length >= 0),
    sha256   BLOB NOT NULL CHECK (length(sha256) = 32),
    digest   BLOB NOT NULL CHECK (length(digest) = 32),
    content  BLOB NOT NULL,
    PRIMARY KEY (period, version, name),
    FOREIGN KEY (period, version) REFERENCES closes (period, version)
) STRICT;

-- Nothing of it ever changes, and nothing but files comes to it once it is done.
CREATE TRIGGER closes_no_update BEFORE UPDATE ON closes BEGIN SELECT RAISE(ABORT, 'a close is never changed'); END;
CREATE TRIGGER closes_no_delete BEFORE DELETE ON closes BEGIN SELECT RAISE(ABORT, 'a close is never changed'); END;
CREATE TRIGGER close_hours_no_update BEFORE UPDATE ON close_hours BEGIN SELECT RAISE(ABORT, 'a close is never changed'); END;
CREATE TRIGGER close_hours_no_delete BEFORE DELETE ON close_hours BEGIN SELECT RAISE(ABORT, 'a close is never changed'); END;
CREATE TRIGGER close_ownership_no_update BEFORE UPDATE ON close_ownership BEGIN SELECT RAISE(ABORT, 'a close is never changed'); END;
CREATE TRIGGER close_ownership_no_delete BEFORE DELETE ON close_ownership BEGIN SELECT RAISE(ABORT, 'a close is never changed'); END;
CREATE TRIGGER close_deltas_no_update BEFORE UPDATE ON close_deltas BEGIN SELECT RAISE(ABORT, 'a close is never changed'); END;
CREATE TRIGGER close_deltas_no_delete BEFORE DELETE ON close_deltas BEGIN SELECT RAISE(ABORT, 'a close is never changed'); END;
CREATE TRIGGER close_files_no_update BEFORE UPDATE ON close_files BEGIN SELECT RAISE(ABORT, 'a close is never changed'); END;
CREATE TRIGGER close_files_no_delete BEFORE DELETE ON close_files BEGIN SELECT RAISE(ABORT, 'a close is never changed'); END;
CREATE TRIGGER closes_frozen_insert BEFORE INSERT ON closes
WHEN EXISTS (SELECT 1 FROM months m WHERE m.period = NEW.period AND m.version = NEW.version AND m.state <> 'open')
BEGIN SELECT RAISE(ABORT, 'a closed month is never changed'); END;
CREATE TRIGGER close_hours_frozen_insert BEFORE INSERT ON close_hours
WHEN EXISTS (SELECT 1 FROM months m WHERE m.period = NEW.period AND m.version = NEW.version AND m.state <> 'open')
BEGIN SELECT RAISE(ABORT, 'a closed month is never changed'); END;
CREATE TRIGGER close_ownership_frozen_insert BEFORE INSERT ON close_ownership
WHEN EXISTS (SELECT 1 FROM months m WHERE m.period = NEW.period AND m.version = NEW.version AND m.state <> 'open')
BEGIN SELECT RAISE(ABORT, 'a closed month is never changed'); END;
CREATE TRIGGER close_deltas_frozen_insert BEFORE INSERT ON close_deltas
WHEN EXISTS (SELECT 1 FROM months m WHERE m.period = NEW.period AND m.version = NEW.version AND m.state <> 'open')
BEGIN SELECT RAISE(ABORT, 'a closed month is never changed'); END;
CREATE TRIGGER close_head_only_forward BEFORE UPDATE ON close_head WHEN NEW.seq <= OLD.seq
BEGIN SELECT RAISE(ABORT, 'the chain of closes only grows'); END;
CREATE TRIGGER close_head_no_delete BEFORE DELETE ON close_head
BEGIN SELECT RAISE(ABORT, 'the chain of closes only grows'); END;

-- An earlier release would write what was sent of a closed month anew.
UPDATE ledger_head SET min_reader = 5;
