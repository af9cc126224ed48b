-- What is remembered. Money rests as units, 1e-9 and 1e-18; quantities as 1e-6; instants as microseconds
-- since 1970; hours as hours since 1970; digests as 32 bytes.
PRAGMA application_id = 1684366962;

CREATE TABLE ledger_head (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    min_reader INTEGER NOT NULL,
    epoch      INTEGER NOT NULL,
    writes     INTEGER NOT NULL
) STRICT;
INSERT INTO ledger_head VALUES (1, 1, 0, 0);

-- The newest link of each cluster's chain: a cut-off tail is seen.
CREATE TABLE chain_heads (
    cluster TEXT PRIMARY KEY,
    seq     INTEGER NOT NULL,
    chain   BLOB NOT NULL
) STRICT;

CREATE TABLE hours (
    cluster     TEXT NOT NULL,
    hour        INTEGER NOT NULL,
    revision    INTEGER NOT NULL CHECK (revision >= 1),
    seq         INTEGER NOT NULL CHECK (seq >= 1),
    digest      BLOB NOT NULL CHECK (length(digest) = 32),
    blob_digest BLOB NOT NULL CHECK (length(blob_digest) = 32),
    chain       BLOB NOT NULL CHECK (length(chain) = 32),
    measured_at INTEGER NOT NULL,
    PRIMARY KEY (cluster, hour, revision),
    UNIQUE (cluster, seq)
) STRICT;
CREATE INDEX hours_by_hour ON hours (hour, cluster, revision);

CREATE TABLE hour_blobs (
    cluster  TEXT NOT NULL,
    hour     INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    content  BLOB NOT NULL,
    PRIMARY KEY (cluster, hour, revision),
    FOREIGN KEY (cluster, hour, revision) REFERENCES hours (cluster, hour, revision)
) STRICT;

CREATE TABLE hour_coverage (
    cluster  TEXT NOT NULL,
    hour     INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    source   TEXT NOT NULL,
    minutes  INTEGER NOT NULL CHECK (minutes BETWEEN 0 AND 60),
    PRIMARY KEY (cluster, hour, revision, source),
    FOREIGN KEY (cluster, hour, revision) REFERENCES hours (cluster, hour, revision)
) STRICT;

CREATE TABLE missing_hours (
    cluster    TEXT NOT NULL,
    hour       INTEGER NOT NULL,
    reason     TEXT NOT NULL,
    tries      INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    next_try   INTEGER NOT NULL,
    PRIMARY KEY (cluster, hour)
) STRICT;

CREATE TABLE observed_clusters (
    cluster    TEXT PRIMARY KEY,
    since      INTEGER NOT NULL,
    last       INTEGER NOT NULL
) STRICT;

CREATE TABLE spans (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    kind    TEXT NOT NULL CHECK (kind IN ('tenant', 'namespace', 'node')),
    cluster TEXT NOT NULL,
    uid     TEXT NOT NULL,
    since   INTEGER NOT NULL,
    until   INTEGER CHECK (until >= since),
    origin  TEXT NOT NULL CHECK (origin IN ('observed', 'assumed')),
    fact    TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX spans_open ON spans (kind, cluster, uid) WHERE until IS NULL;
CREATE INDEX spans_by_object ON spans (cluster, kind, uid, since);

CREATE TABLE charge_days (
    day    TEXT PRIMARY KEY,
    period TEXT NOT NULL,
    inputs BLOB NOT NULL,
    blob_digest BLOB NOT NULL,
    content BLOB NOT NULL
) STRICT;
CREATE INDEX charge_days_by_period ON charge_days (period);

CREATE TABLE day_charges (
    day               TEXT NOT NULL REFERENCES charge_days (day),
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
    namespace         TEXT,
    quantity          INTEGER,
    unit              TEXT,
    amount_units      INTEGER NOT NULL,
    amount_nanos      INTEGER NOT NULL,
    amount_attos      INTEGER NOT NULL,
    PRIMARY KEY (day, n)
) STRICT, WITHOUT ROWID;
CREATE INDEX day_charges_by_tenant ON day_charges (tenant, day);

CREATE TABLE months (
    period        TEXT NOT NULL,
    version       INTEGER NOT NULL CHECK (version >= 1),
    state         TEXT NOT NULL CHECK (state IN ('open', 'closed', 'restated')),
    currency      TEXT NOT NULL,
    inputs        BLOB NOT NULL,
    hours_missing INTEGER NOT NULL,
    book_digest   BLOB NOT NULL,
    PRIMARY KEY (period, version)
) STRICT;

CREATE TABLE month_books (
    period  TEXT NOT NULL,
    version INTEGER NOT NULL,
    n       INTEGER NOT NULL,
    label   TEXT NOT NULL,
    PRIMARY KEY (period, version, n),
    FOREIGN KEY (period, version) REFERENCES months (period, version)
) STRICT;

CREATE TABLE month_coverage (
    period        TEXT NOT NULL,
    version       INTEGER NOT NULL,
    cluster       TEXT NOT NULL,
    minutes       INTEGER NOT NULL,
    total_minutes INTEGER NOT NULL,
    PRIMARY KEY (period, version, cluster),
    FOREIGN KEY (period, version) REFERENCES months (period, version)
) STRICT;

CREATE TABLE statements (
    period       TEXT NOT NULL,
    version      INTEGER NOT NULL,
    n            INTEGER NOT NULL,
    cost_center  TEXT NOT NULL,
    tenant       TEXT NOT NULL,
    exact_units  INTEGER NOT NULL,
    exact_nanos  INTEGER NOT NULL,
    exact_attos  INTEGER NOT NULL,
    amount_units INTEGER NOT NULL,
    amount_nanos INTEGER NOT NULL,
    amount_attos INTEGER NOT NULL,
    PRIMARY KEY (period, version, n),
    UNIQUE (period, version, cost_center, tenant),
    FOREIGN KEY (period, version) REFERENCES months (period, version)
) STRICT;

CREATE TABLE statement_lines (
    period            TEXT NOT NULL,
    version           INTEGER NOT NULL,
    statement         INTEGER NOT NULL,
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
    quantity          INTEGER,
    unit              TEXT,
    unit_price        TEXT,
    exact_units       INTEGER NOT NULL,
    exact_nanos       INTEGER NOT NULL,
    exact_attos       INTEGER NOT NULL,
    rounding_units    INTEGER NOT NULL,
    rounding_nanos    INTEGER NOT NULL,
    rounding_attos    INTEGER NOT NULL,
    amount_units      INTEGER NOT NULL,
    amount_nanos      INTEGER NOT NULL,
    amount_attos      INTEGER NOT NULL,
    PRIMARY KEY (period, version, statement, n),
    FOREIGN KEY (period, version, statement) REFERENCES statements (period, version, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE month_charges (
    period            TEXT NOT NULL,
    version           INTEGER NOT NULL,
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
    namespace         TEXT,
    quantity          INTEGER,
    unit              TEXT,
    amount_units      INTEGER NOT NULL,
    amount_nanos      INTEGER NOT NULL,
    amount_attos      INTEGER NOT NULL,
    PRIMARY KEY (period, version, n),
    FOREIGN KEY (period, version) REFERENCES months (period, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE books (
    digest BLOB NOT NULL,
    n      INTEGER NOT NULL,
    name   TEXT NOT NULL,
    text   TEXT NOT NULL,
    PRIMARY KEY (digest, n)
) STRICT;

CREATE TABLE outbox (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    sink            TEXT NOT NULL,
    report_id       TEXT NOT NULL,
    revision        INTEGER NOT NULL CHECK (revision >= 1),
    idempotency_key TEXT NOT NULL UNIQUE,
    body            BLOB NOT NULL,
    content_digest  BLOB NOT NULL,
    enqueued_at     INTEGER NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'dead')),
    attempts        INTEGER NOT NULL,
    next_at         INTEGER NOT NULL,
    last_status     INTEGER,
    last_reason     TEXT,
    delivered_at    INTEGER,
    UNIQUE (sink, report_id, revision)
) STRICT;
CREATE INDEX outbox_pending ON outbox (sink, next_at) WHERE state = 'pending';

CREATE TABLE disabled_endpoints (
    sink     TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    reason   TEXT NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (sink, endpoint)
) STRICT;

-- What is only ever appended.
CREATE TRIGGER hours_no_update BEFORE UPDATE ON hours BEGIN SELECT RAISE(ABORT, 'a recorded hour is never changed'); END;
CREATE TRIGGER hours_no_delete BEFORE DELETE ON hours BEGIN SELECT RAISE(ABORT, 'a recorded hour is never deleted'); END;
CREATE TRIGGER hour_blobs_no_update BEFORE UPDATE ON hour_blobs BEGIN SELECT RAISE(ABORT, 'a recorded hour is never changed'); END;
CREATE TRIGGER hour_blobs_no_delete BEFORE DELETE ON hour_blobs BEGIN SELECT RAISE(ABORT, 'a recorded hour is never deleted'); END;
CREATE TRIGGER hour_coverage_no_update BEFORE UPDATE ON hour_coverage BEGIN SELECT RAISE(ABORT, 'a recorded hour is never changed'); END;
CREATE TRIGGER hour_coverage_no_delete BEFORE DELETE ON hour_coverage BEGIN SELECT RAISE(ABORT, 'a recorded hour is never deleted'); END;
CREATE TRIGGER books_no_update BEFORE UPDATE ON books BEGIN SELECT RAISE(ABORT, 'a remembered price book is never changed'); END;
CREATE TRIGGER books_no_delete BEFORE DELETE ON books BEGIN SELECT RAISE(ABORT, 'a remembered price book is never deleted'); END;
CREATE TRIGGER spans_no_delete BEFORE DELETE ON spans BEGIN SELECT RAISE(ABORT, 'ownership is never deleted'); END;
CREATE TRIGGER spans_only_end BEFORE UPDATE ON spans
WHEN OLD.until IS NOT NULL OR NEW.until IS NULL OR NEW.kind <> OLD.kind OR NEW.cluster <> OLD.cluster
  OR NEW.uid <> OLD.uid OR NEW.since <> OLD.since OR NEW.origin <> OLD.origin OR NEW.fact <> OLD.fact
BEGIN SELECT RAISE(ABORT, 'a span of ownership only ever ends'); END;
CREATE TRIGGER outbox_no_delete BEFORE DELETE ON outbox BEGIN SELECT RAISE(ABORT, 'a delivery is never deleted'); END;
CREATE TRIGGER outbox_same_bytes BEFORE UPDATE OF sink, report_id, revision, idempotency_key, body, content_digest ON outbox
BEGIN SELECT RAISE(ABORT, 'one idempotency key, the same bytes'); END;

-- A closed month is frozen, and everything that hangs from it.
CREATE TRIGGER months_frozen_update BEFORE UPDATE ON months WHEN OLD.state <> 'open'
BEGIN SELECT RAISE(ABORT, 'a closed month is never changed'); END;
CREATE TRIGGER months_frozen_delete BEFORE DELETE ON months WHEN OLD.state <> 'open'
BEGIN SELECT RAISE(ABORT, 'a closed month is never deleted'); END;
CREATE TRIGGER month_books_frozen_insert BEFORE INSERT ON month_books
WHEN EXISTS (SELECT 1 FROM months m WHERE m.period = NEW.period AND m.version = NEW.version AND m.state <> 'open')
BEGIN SELECT RAISE(ABORT, 'a closed month is never changed'); END;
CREATE TRIGGER month_books_frozen_update BEFORE UPDATE ON month_books
WHEN EXISTS (SELECT 1 FROM months m WHERE m.period = OLD.period AND m.version = OLD.version AND m.state <> 'open')
BEGIN SELECT RAISE(ABORT, 'a closed month is never changed'); END;
CREATE TRIGGER month_books_frozen_delete BEFORE DELETE ON month_books
WHEN EXISTS (SELECT 1 FROM months m WHERE m.period = OLD.period AND m.version = OLD.version AND m.state <> 'open')
BEGIN SELECT RAISE(ABORT, 'a closed month is never changed'); END;
CREATE TRIGGER month_coverage_frozen_insert BEFORE INSERT ON month_coverage
WHEN EXISTS (SELECT 1 FROM months m WHERE m.period = NEW.period AND m.version = NEW.version AND m.state <> 'open')
BEGIN SELECT RAISE(ABORT, 'a closed month is never changed'); END;
CREATE TRIGGER month_coverage_frozen_update BEFORE UPDATE ON month_coverage
WHEN EXISTS (SELECT 1 FROM months m WHERE m.period = OLD.period AND m.version = OLD.version AND m.state <> 'open')
BEGIN SELECT RAISE(ABORT, 'a closed month is never changed'); END;
CREATE TRIGGER month_coverage_frozen_delete BEFORE DELETE ON month_coverage
WHEN EXISTS (SELECT 1 FROM months m WHERE m.period = OLD.period AND m.version = OLD.version AND m.state <> 'open')
BEGIN SELECT RAISE(ABORT, 'a closed month is never changed'); END;
CREATE TRIGGER statements_frozen_insert BEFORE INSERT ON statements
WHEN EXISTS (SELECT 1 FROM months m WHERE m.period = NEW.period AND m.version = NEW.version AND m.state <> 'open')
BEGIN SELECT RAISE(ABORT, 'a closed month is never changed'); END;
CREATE TRIGGER statements_frozen_update BEFORE UPDATE ON statements
WHEN EXISTS (SELECT 1 FROM months m WHERE m.period = OLD.period AND m.version = OLD.version AND m.state <> 'open')
BEGIN SELECT RAISE(ABORT, 'a closed month is never changed'); END;
CREATE TRIGGER statements_frozen_delete BEFORE DELETE ON statements
WHEN EXISTS (SELECT 1 FROM months m WHERE m.period = OLD.period AND m.version = OLD.version AND m.state <> 'open')
BEGIN SELECT RAISE(ABORT, 'a closed month is never changed'); END;
CREATE TRIGGER statement_lines_frozen_insert BEFORE INSERT ON statement_lines
WHEN EXISTS (SELECT 1 FROM months m WHERE m.period = NEW.period AND m.version = NEW.version AND m.state <> 'open')
BEGIN SELECT RAISE(ABORT, 'a closed month is never changed'); END;
CREATE TRIGGER statement_lines_frozen_update BEFORE UPDATE ON statement_lines
WHEN EXISTS (SELECT 1 FROM months m WHERE m.period = OLD.period AND m.version = OLD.version AND m.state <> 'open')
BEGIN SELECT RAISE(ABORT, 'a closed month is never changed'); END;
CREATE TRIGGER statement_lines_frozen_delete BEFORE DELETE ON statement_lines
WHEN EXISTS (SELECT 1 FROM months m WHERE m.period = OLD.period AND m.version = OLD.version AND m.state <> 'open')
BEGIN SELECT RAISE(ABORT, 'a closed month is never changed'); END;
CREATE TRIGGER month_charges_frozen_insert BEFORE INSERT ON month_charges
WHEN EXISTS (SELECT 1 FROM months m WHERE m.period = NEW.period AND m.version = NEW.version AND m.state <> 'open')
BEGIN SELECT RAISE(ABORT, 'a closed month is never changed'); END;
CREATE TRIGGER month_charges_frozen_update BEFORE UPDATE ON month_charges
WHEN EXISTS (SELECT 1 FROM months m WHERE m.period = OLD.period AND m.version = OLD.version AND m.state <> 'open')
BEGIN SELECT RAISE(ABORT, 'a closed month is never changed'); END;
CREATE TRIGGER month_charges_frozen_delete BEFORE DELETE ON month_charges
WHEN EXISTS (SELECT 1 FROM months m WHERE m.period = OLD.period AND m.version = OLD.version AND m.state <> 'open')
BEGIN SELECT RAISE(ABORT, 'a closed month is never changed'); END;
