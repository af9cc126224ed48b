-- What was paid for and charged, before what acts on the month: per day, replaced whole with it, and per
-- month, frozen with it; and how complete a day is: its rated hours, those in which every cluster that counted
-- was measured, and the first hour after them. A day that was rated before this has none and is rated again.
CREATE TABLE day_totals (
    day TEXT COLLATE "C" PRIMARY KEY REFERENCES charge_days (day),
    hours BIGINT NOT NULL,
    whole_hours BIGINT NOT NULL,
    until BIGINT,
    metered_units BIGINT NOT NULL,
    metered_nanos BIGINT NOT NULL,
    metered_attos BIGINT NOT NULL,
    fixed_units BIGINT NOT NULL,
    fixed_nanos BIGINT NOT NULL,
    fixed_attos BIGINT NOT NULL,
    service_fees_units BIGINT NOT NULL,
    service_fees_nanos BIGINT NOT NULL,
    service_fees_attos BIGINT NOT NULL,
    cut_units BIGINT NOT NULL,
    cut_nanos BIGINT NOT NULL,
    cut_attos BIGINT NOT NULL
);

CREATE TABLE day_pools (
    day TEXT COLLATE "C" NOT NULL REFERENCES day_totals (day),
    n BIGINT NOT NULL,
    cluster TEXT COLLATE "C",
    pool TEXT COLLATE "C" NOT NULL,
    paid_units BIGINT NOT NULL,
    paid_nanos BIGINT NOT NULL,
    paid_attos BIGINT NOT NULL,
    recovered_units BIGINT NOT NULL,
    recovered_nanos BIGINT NOT NULL,
    recovered_attos BIGINT NOT NULL,
    idle_units BIGINT NOT NULL,
    idle_nanos BIGINT NOT NULL,
    idle_attos BIGINT NOT NULL,
    rated_units BIGINT NOT NULL,
    rated_nanos BIGINT NOT NULL,
    rated_attos BIGINT NOT NULL,
    rated_nodes_units BIGINT NOT NULL,
    rated_nodes_nanos BIGINT NOT NULL,
    rated_nodes_attos BIGINT NOT NULL,
    uncosted BIGINT NOT NULL,
    PRIMARY KEY (day, n)
);

CREATE TABLE month_totals (
    period TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    metered_units BIGINT NOT NULL,
    metered_nanos BIGINT NOT NULL,
    metered_attos BIGINT NOT NULL,
    fixed_units BIGINT NOT NULL,
    fixed_nanos BIGINT NOT NULL,
    fixed_attos BIGINT NOT NULL,
    service_fees_units BIGINT NOT NULL,
    service_fees_nanos BIGINT NOT NULL,
    service_fees_attos BIGINT NOT NULL,
    cut_units BIGINT NOT NULL,
    cut_nanos BIGINT NOT NULL,
    cut_attos BIGINT NOT NULL,
    PRIMARY KEY (period, version),
    FOREIGN KEY (period, version) REFERENCES months (period, version)
);

CREATE TABLE month_pools (
    period TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    n BIGINT NOT NULL,
    cluster TEXT COLLATE "C",
    pool TEXT COLLATE "C" NOT NULL,
    paid_units BIGINT NOT NULL,
    paid_nanos BIGINT NOT NULL,
    paid_attos BIGINT NOT NULL,
    recovered_units BIGINT NOT NULL,
    recovered_nanos BIGINT NOT NULL,
    recovered_attos BIGINT NOT NULL,
    idle_units BIGINT NOT NULL,
    idle_nanos BIGINT NOT NULL,
    idle_attos BIGINT NOT NULL,
    rated_units BIGINT NOT NULL,
    rated_nanos BIGINT NOT NULL,
    rated_attos BIGINT NOT NULL,
    rated_nodes_units BIGINT NOT NULL,
    rated_nodes_nanos BIGINT NOT NULL,
    rated_nodes_attos BIGINT NOT NULL,
    uncosted BIGINT NOT NULL,
    PRIMARY KEY (period, version, n),
    FOREIGN KEY (period, version) REFERENCES month_totals (period, version)
);

CREATE TRIGGER month_totals_frozen BEFORE INSERT OR UPDATE OR DELETE ON month_totals FOR EACH ROW EXECUTE FUNCTION ledger_refuse_frozen();
CREATE TRIGGER month_pools_frozen BEFORE INSERT OR UPDATE OR DELETE ON month_pools FOR EACH ROW EXECUTE FUNCTION ledger_refuse_frozen();

-- An earlier release would replace a day and leave these as they were.
UPDATE ledger_head SET min_reader = 3;
