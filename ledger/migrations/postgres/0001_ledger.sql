-- What is remembered. Money rests as units, 1e-9 and 1e-18; quantities as 1e-6; instants as microseconds
-- since 1970; hours as hours since 1970; digests as 32 bytes.
CREATE TABLE ledger_head (
    id         BIGINT PRIMARY KEY CHECK (id = 1),
    min_reader BIGINT NOT NULL,
    epoch      BIGINT NOT NULL,
    writes     BIGINT NOT NULL
);
INSERT INTO ledger_head VALUES (1, 1, 0, 0);

-- The newest link of each cluster's chain: a cut-off tail is seen.
CREATE TABLE chain_heads (
    cluster TEXT COLLATE "C" PRIMARY KEY,
    seq     BIGINT NOT NULL,
    chain   BYTEA NOT NULL
);

CREATE TABLE hours (
    cluster     TEXT COLLATE "C" NOT NULL,
    hour        BIGINT NOT NULL,
    revision    BIGINT NOT NULL CHECK (revision >= 1),
    seq         BIGINT NOT NULL CHECK (seq >= 1),
    digest      BYTEA NOT NULL CHECK (length(digest) = 32),
    blob_digest BYTEA NOT NULL CHECK (length(blob_digest) = 32),
    chain       BYTEA NOT NULL CHECK (length(chain) = 32),
    measured_at BIGINT NOT NULL,
    PRIMARY KEY (cluster, hour, revision),
    UNIQUE (cluster, seq)
);
CREATE INDEX hours_by_hour ON hours (hour, cluster, revision);

CREATE TABLE hour_blobs (
    cluster  TEXT COLLATE "C" NOT NULL,
    hour     BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    content  BYTEA NOT NULL,
    PRIMARY KEY (cluster, hour, revision),
    FOREIGN KEY (cluster, hour, revision) REFERENCES hours (cluster, hour, revision)
);

CREATE TABLE hour_coverage (
    cluster  TEXT COLLATE "C" NOT NULL,
    hour     BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    source   TEXT COLLATE "C" NOT NULL,
    minutes  BIGINT NOT NULL CHECK (minutes BETWEEN 0 AND 60),
    PRIMARY KEY (cluster, hour, revision, source),
    FOREIGN KEY (cluster, hour, revision) REFERENCES hours (cluster, hour, revision)
);

CREATE TABLE missing_hours (
    cluster    TEXT COLLATE "C" NOT NULL,
    hour       BIGINT NOT NULL,
    reason     TEXT COLLATE "C" NOT NULL,
    tries      BIGINT NOT NULL,
    first_seen BIGINT NOT NULL,
    next_try   BIGINT NOT NULL,
    PRIMARY KEY (cluster, hour)
);

CREATE TABLE observed_clusters (
    cluster    TEXT COLLATE "C" PRIMARY KEY,
    since      BIGINT NOT NULL,
    last       BIGINT NOT NULL
);

CREATE TABLE spans (
    id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind    TEXT COLLATE "C" NOT NULL CHECK (kind IN ('tenant', 'namespace', 'node')),
    cluster TEXT COLLATE "C" NOT NULL,
    uid     TEXT COLLATE "C" NOT NULL,
    since   BIGINT NOT NULL,
    until   BIGINT CHECK (until >= since),
    origin  TEXT COLLATE "C" NOT NULL CHECK (origin IN ('observed', 'assumed')),
    fact    TEXT COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX spans_open ON spans (kind, cluster, uid) WHERE until IS NULL;
CREATE INDEX spans_by_object ON spans (cluster, kind, uid, since);

CREATE TABLE charge_days (
    day    TEXT COLLATE "C" PRIMARY KEY,
    period TEXT COLLATE "C" NOT NULL,
    inputs BYTEA NOT NULL,
    blob_digest BYTEA NOT NULL,
    content BYTEA NOT NULL
);
CREATE INDEX charge_days_by_period ON charge_days (period);

CREATE TABLE day_charges (
    day               TEXT COLLATE "C" NOT NULL REFERENCES charge_days (day),
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
    namespace         TEXT COLLATE "C",
    quantity          BIGINT,
    unit              TEXT COLLATE "C",
    amount_units      BIGINT NOT NULL,
    amount_nanos      BIGINT NOT NULL,
    amount_attos      BIGINT NOT NULL,
    PRIMARY KEY (day, n)
);
CREATE INDEX day_charges_by_tenant ON day_charges (tenant, day);

CREATE TABLE months (
    period        TEXT COLLATE "C" NOT NULL,
    version       BIGINT NOT NULL CHECK (version >= 1),
    state         TEXT COLLATE "C" NOT NULL CHECK (state IN ('open', 'closed', 'restated')),
    currency      TEXT COLLATE "C" NOT NULL,
    inputs        BYTEA NOT NULL,
    hours_missing BIGINT NOT NULL,
    book_digest   BYTEA NOT NULL,
    PRIMARY KEY (period, version)
);

CREATE TABLE month_books (
    period  TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    n       BIGINT NOT NULL,
    label   TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (period, version, n),
    FOREIGN KEY (period, version) REFERENCES months (period, version)
);

CREATE TABLE month_coverage (
    period        TEXT COLLATE "C" NOT NULL,
    version       BIGINT NOT NULL,
    cluster       TEXT COLLATE "C" NOT NULL,
    minutes       BIGINT NOT NULL,
    total_minutes BIGINT NOT NULL,
    PRIMARY KEY (period, version, cluster),
    FOREIGN KEY (period, version) REFERENCES months (period, version)
);

CREATE TABLE statements (
    period       TEXT COLLATE "C" NOT NULL,
    version      BIGINT NOT NULL,
    n            BIGINT NOT NULL,
    cost_center  TEXT COLLATE "C" NOT NULL,
    tenant       TEXT COLLATE "C" NOT NULL,
    exact_units  BIGINT NOT NULL,
    exact_nanos  BIGINT NOT NULL,
    exact_attos  BIGINT NOT NULL,
    amount_units BIGINT NOT NULL,
    amount_nanos BIGINT NOT NULL,
    amount_attos BIGINT NOT NULL,
    PRIMARY KEY (period, version, n),
    UNIQUE (period, version, cost_center, tenant),
    FOREIGN KEY (period, version) REFERENCES months (period, version)
);

CREATE TABLE statement_lines (
    period            TEXT COLLATE "C" NOT NULL,
    version           BIGINT NOT NULL,
    statement         BIGINT NOT NULL,
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
    quantity          BIGINT,
    unit              TEXT COLLATE "C",
    unit_price        TEXT COLLATE "C",
    exact_units       BIGINT NOT NULL,
    exact_nanos       BIGINT NOT NULL,
    exact_attos       BIGINT NOT NULL,
    rounding_units    BIGINT NOT NULL,
    rounding_nanos    BIGINT NOT NULL,
    rounding_attos    BIGINT NOT NULL,
    amount_units      BIGINT NOT NULL,
    amount_nanos      BIGINT NOT NULL,
    amount_attos      BIGINT NOT NULL,
    PRIMARY KEY (period, version, statement, n),
    FOREIGN KEY (period, version, statement) REFERENCES statements (period, version, n)
);

CREATE TABLE month_charges (
    period            TEXT COLLATE "C" NOT NULL,
    version           BIGINT NOT NULL,
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
    namespace         TEXT COLLATE "C",
    quantity          BIGINT,
    unit              TEXT COLLATE "C",
    amount_units      BIGINT NOT NULL,
    amount_nanos      BIGINT NOT NULL,
    amount_attos      BIGINT NOT NULL,
    PRIMARY KEY (period, version, n),
    FOREIGN KEY (period, version) REFERENCES months (period, version)
);

CREATE TABLE books (
    digest BYTEA NOT NULL,
    n      BIGINT NOT NULL,
    name   TEXT COLLATE "C" NOT NULL,
    text   TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (digest, n)
);

CREATE TABLE outbox (
    id              BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sink            TEXT COLLATE "C" NOT NULL,
    report_id       TEXT COLLATE "C" NOT NULL,
    revision        BIGINT NOT NULL CHECK (revision >= 1),
    idempotency_key TEXT COLLATE "C" NOT NULL UNIQUE,
    body            BYTEA NOT NULL,
    content_digest  BYTEA NOT NULL,
    enqueued_at     BIGINT NOT NULL,
    state           TEXT COLLATE "C" NOT NULL CHECK (state IN ('pending', 'delivered', 'dead')),
    attempts        BIGINT NOT NULL,
    next_at         BIGINT NOT NULL,
    last_status     BIGINT,
    last_reason     TEXT COLLATE "C",
    delivered_at    BIGINT,
    UNIQUE (sink, report_id, revision)
);
CREATE INDEX outbox_pending ON outbox (sink, next_at) WHERE state = 'pending';

CREATE TABLE disabled_endpoints (
    sink     TEXT COLLATE "C" NOT NULL,
    endpoint TEXT COLLATE "C" NOT NULL,
    reason   TEXT COLLATE "C" NOT NULL,
    at       BIGINT NOT NULL,
    PRIMARY KEY (sink, endpoint)
);

-- What is only ever appended.
CREATE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '%', TG_ARGV[0]; END $$;
CREATE FUNCTION ledger_refuse_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE r RECORD;
BEGIN
    IF TG_OP = 'INSERT' THEN r := NEW; ELSE r := OLD; END IF;
    IF EXISTS (SELECT 1 FROM months m WHERE m.period = r.period AND m.version = r.version AND m.state <> 'open') THEN
        RAISE EXCEPTION 'a closed month is never changed';
    END IF;
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER hours_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON hours EXECUTE FUNCTION ledger_refuse('a recorded hour is never changed');
CREATE TRIGGER hour_blobs_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON hour_blobs EXECUTE FUNCTION ledger_refuse('a recorded hour is never changed');
CREATE TRIGGER hour_coverage_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON hour_coverage EXECUTE FUNCTION ledger_refuse('a recorded hour is never changed');
CREATE TRIGGER books_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON books EXECUTE FUNCTION ledger_refuse('a remembered price book is never changed');
CREATE TRIGGER spans_no_delete BEFORE DELETE OR TRUNCATE ON spans EXECUTE FUNCTION ledger_refuse('ownership is never deleted');
CREATE TRIGGER spans_only_end BEFORE UPDATE ON spans FOR EACH ROW
WHEN (OLD.until IS NOT NULL OR NEW.until IS NULL OR NEW.kind <> OLD.kind OR NEW.cluster <> OLD.cluster
  OR NEW.uid <> OLD.uid OR NEW.since <> OLD.since OR NEW.origin <> OLD.origin OR NEW.fact <> OLD.fact)
EXECUTE FUNCTION ledger_refuse('a span of ownership only ever ends');
CREATE TRIGGER outbox_no_delete BEFORE DELETE OR TRUNCATE ON outbox EXECUTE FUNCTION ledger_refuse('a delivery is never deleted');
CREATE TRIGGER outbox_same_bytes BEFORE UPDATE OF sink, report_id, revision, idempotency_key, body, content_digest ON outbox
FOR EACH ROW EXECUTE FUNCTION ledger_refuse('one idempotency key, the same bytes');

-- A closed month is frozen, and everything that hangs from it.
CREATE TRIGGER months_frozen BEFORE UPDATE OR DELETE ON months FOR EACH ROW WHEN (OLD.state <> 'open')
EXECUTE FUNCTION ledger_refuse('a closed month is never changed');
CREATE TRIGGER month_books_frozen BEFORE INSERT OR UPDATE OR DELETE ON month_books FOR EACH ROW EXECUTE FUNCTION ledger_refuse_frozen();
CREATE TRIGGER month_coverage_frozen BEFORE INSERT OR UPDATE OR DELETE ON month_coverage FOR EACH ROW EXECUTE FUNCTION ledger_refuse_frozen();
CREATE TRIGGER statements_frozen BEFORE INSERT OR UPDATE OR DELETE ON statements FOR EACH ROW EXECUTE FUNCTION ledger_refuse_frozen();
CREATE TRIGGER statement_lines_frozen BEFORE INSERT OR UPDATE OR DELETE ON statement_lines FOR EACH ROW EXECUTE FUNCTION ledger_refuse_frozen();
CREATE TRIGGER month_charges_frozen BEFORE INSERT OR UPDATE OR DELETE ON month_charges FOR EACH ROW EXECUTE FUNCTION ledger_refuse_frozen();
