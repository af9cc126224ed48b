-- Months that were closed or restated: each version under a digest of everything it was made from and came to, which
-- holds the digest of the close before it, whatever its period.
CREATE TABLE closes (
    period            TEXT COLLATE "C" NOT NULL,
    version           BIGINT NOT NULL,
    seq               BIGINT NOT NULL UNIQUE CHECK (seq >= 1),
    closed_at         BIGINT NOT NULL,
    closed_by         TEXT COLLATE "C" NOT NULL,
    how               TEXT COLLATE "C" NOT NULL CHECK (how IN ('hand', 'schedule')),
    forced_reason     TEXT COLLATE "C",
    restate_reason    TEXT COLLATE "C" CHECK ((restate_reason IS NULL) = (version = 1)),
    zone              TEXT COLLATE "C" NOT NULL,
    engine_version    BIGINT NOT NULL,
    hours_missing     BIGINT NOT NULL,
    total_units       BIGINT NOT NULL,
    total_nanos       BIGINT NOT NULL,
    total_attos       BIGINT NOT NULL,
    inputs            BYTEA NOT NULL CHECK (length(inputs) = 32),
    book_digest       BYTEA NOT NULL CHECK (length(book_digest) = 32),
    ownership_digest  BYTEA NOT NULL CHECK (length(ownership_digest) = 32),
    hours_digest      BYTEA NOT NULL CHECK (length(hours_digest) = 32),
    statements_digest BYTEA NOT NULL CHECK (length(statements_digest) = 32),
    deltas_digest     BYTEA NOT NULL CHECK (length(deltas_digest) = 32),
    files_digest      BYTEA NOT NULL CHECK (length(files_digest) = 32),
    previous          BYTEA NOT NULL CHECK (length(previous) = 32),
    digest            BYTEA NOT NULL UNIQUE CHECK (length(digest) = 32),
    PRIMARY KEY (period, version),
    FOREIGN KEY (period, version) REFERENCES months (period, version)
);

-- The newest close: a cut-off tail is seen.
CREATE TABLE close_head (
    id     BIGINT PRIMARY KEY CHECK (id = 1),
    seq    BIGINT NOT NULL,
    digest BYTEA NOT NULL
);

-- Which revision of each hour a version was made from: what is pinned is never swept.
CREATE TABLE close_hours (
    period   TEXT COLLATE "C" NOT NULL,
    version  BIGINT NOT NULL,
    cluster  TEXT COLLATE "C" NOT NULL,
    hour     BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    PRIMARY KEY (period, version, cluster, hour),
    FOREIGN KEY (period, version) REFERENCES closes (period, version),
    FOREIGN KEY (cluster, hour, revision) REFERENCES hours (cluster, hour, revision)
);
CREATE INDEX close_hours_by_hour ON close_hours (cluster, hour, revision);

-- Who owned what when it was closed, as far as it decided that month, and by which rules: later spans change nothing.
CREATE TABLE close_ownership (
    period      TEXT COLLATE "C" NOT NULL,
    version     BIGINT NOT NULL,
    blob_digest BYTEA NOT NULL CHECK (length(blob_digest) = 32),
    content     BYTEA NOT NULL,
    PRIMARY KEY (period, version),
    FOREIGN KEY (period, version) REFERENCES closes (period, version)
);

-- What a restatement changed, line by line: what it adds to the version before.
CREATE TABLE close_deltas (
    period            TEXT COLLATE "C" NOT NULL,
    version           BIGINT NOT NULL CHECK (version >= 2),
    n                 BIGINT NOT NULL,
    cost_center       TEXT COLLATE "C" NOT NULL,
    tenant            TEXT COLLATE "C" NOT NULL,
    cluster           TEXT COLLATE "C",
    virtual_namespace TEXT COLLATE "C",
    kind              TEXT COLLATE "C" NOT NULL,
    pool              TEXT COLLATE "C",
    instance_type     TEXT COLLATE "C",
    capacity_type     TEXT COLLATE "C",
    item              TEXT COLLATE "C" NOT NULL,
    list_price        TEXT COLLATE "C",
    amount_units      BIGINT NOT NULL,
    amount_nanos      BIGINT NOT NULL,
    amount_attos      BIGINT NOT NULL,
    PRIMARY KEY (period, version, n),
    FOREIGN KEY (period, version) REFERENCES closes (period, version)
);

-- The bytes of every file of a version that was ever sent: those it was closed with, and others before they were
-- first sent. Names begin with whose view it is; `digest` is of the name and the rest of the row.
CREATE TABLE close_files (
    period   TEXT COLLATE "C" NOT NULL,
    version  BIGINT NOT NULL,
    name     TEXT COLLATE "C" NOT NULL,
    at_close BIGINT NOT NULL CHECK (at_close IN (0, 1)),
    length   BIGINT NOT NULL CHECK (length >= 0),
    sha256   BYTEA NOT NULL CHECK (length(sha256) = 32),
    digest   BYTEA NOT NULL CHECK (length(digest) = 32),
    content  BYTEA NOT NULL,
    PRIMARY KEY (period, version, name),
    FOREIGN KEY (period, version) REFERENCES closes (period, version)
);

-- Nothing of it ever changes, and nothing but files comes to it once it is done.
CREATE TRIGGER closes_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON closes EXECUTE FUNCTION ledger_refuse('a close is never changed');
CREATE TRIGGER close_hours_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON close_hours EXECUTE FUNCTION ledger_refuse('a close is never changed');
CREATE TRIGGER close_ownership_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON close_ownership EXECUTE FUNCTION ledger_refuse('a close is never changed');
CREATE TRIGGER close_deltas_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON close_deltas EXECUTE FUNCTION ledger_refuse('a close is never changed');
CREATE TRIGGER close_files_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON close_files EXECUTE FUNCTION ledger_refuse('a close is never changed');
CREATE TRIGGER closes_frozen BEFORE INSERT ON closes FOR EACH ROW EXECUTE FUNCTION ledger_refuse_frozen();
CREATE TRIGGER close_hours_frozen BEFORE INSERT ON close_hours FOR EACH ROW EXECUTE FUNCTION ledger_refuse_frozen();
CREATE TRIGGER close_ownership_frozen BEFORE INSERT ON close_ownership FOR EACH ROW EXECUTE FUNCTION ledger_refuse_frozen();
CREATE TRIGGER close_deltas_frozen BEFORE INSERT ON close_deltas FOR EACH ROW EXECUTE FUNCTION ledger_refuse_frozen();
CREATE TRIGGER close_head_only_forward BEFORE UPDATE ON close_head FOR EACH ROW WHEN (NEW.seq <= OLD.seq)
EXECUTE FUNCTION ledger_refuse('the chain of closes only grows');
CREATE TRIGGER close_head_no_delete BEFORE DELETE OR TRUNCATE ON close_head EXECUTE FUNCTION ledger_refuse('the chain of closes only grows');

-- An earlier release would write what was sent of a closed month anew.
UPDATE ledger_head SET min_reader = 5;
