-- What was paid for and charged, before what acts on the month: per day, replaced whole with it, and per
-- month, frozen with it; and how complete a day is: its rated hours, those in which every cluster that counted
-- was measured, and the first hour after them. A day that was rated before this has none and is rated again.
CREATE TABLE day_totals (
    day TEXT PRIMARY KEY REFERENCES charge_days (day),
    hours INTEGER NOT NULL,
    whole_hours INTEGER NOT NULL,
    until INTEGER,
    metered_units INTEGER NOT NULL,
    metered_nanos INTEGER NOT NULL,
    metered_attos INTEGER NOT NULL,
    fixed_units INTEGER NOT NULL,
    fixed_nanos INTEGER NOT NULL,
    fixed_attos INTEGER NOT NULL,
    service_fees_units INTEGER NOT NULL,
    service_fees_nanos INTEGER NOT NULL,
    service_fees_attos INTEGER NOT NULL,
    cut_units INTEGER NOT NULL,
    cut_nanos INTEGER NOT NULL,
    cut_attos INTEGER NOT NULL
) STRICT;

CREATE TABLE day_pools (
    day TEXT NOT NULL REFERENCES day_totals (day),
    n INTEGER NOT NULL,
    cluster TEXT,
    pool TEXT NOT NULL,
    paid_units INTEGER NOT NULL,
    paid_nanos INTEGER NOT NULL,
    paid_attos INTEGER NOT NULL,
    recovered_units INTEGER NOT NULL,
    recovered_nanos INTEGER NOT NULL,
    recovered_attos INTEGER NOT NULL,
    idle_units INTEGER NOT NULL,
    idle_nanos INTEGER NOT NULL,
    idle_attos INTEGER NOT NULL,
    rated_units INTEGER NOT NULL,
    rated_nanos INTEGER NOT NULL,
    rated_attos INTEGER NOT NULL,
    rated_nodes_units INTEGER NOT NULL,
    rated_nodes_nanos INTEGER NOT NULL,
    rated_nodes_attos INTEGER NOT NULL,
    uncosted INTEGER NOT NULL,
    PRIMARY KEY (day, n)
) STRICT;

CREATE TABLE month_totals (
    period TEXT NOT NULL,
    version INTEGER NOT NULL,
    metered_units INTEGER NOT NULL,
    metered_nanos INTEGER NOT NULL,
    metered_attos INTEGER NOT NULL,
    fixed_units INTEGER NOT NULL,
    fixed_nanos INTEGER NOT NULL,
    fixed_attos INTEGER NOT NULL,
    service_fees_units INTEGER NOT NULL,
    service_fees_nanos INTEGER NOT NULL,
    service_fees_attos INTEGER NOT NULL,
    cut_units INTEGER NOT NULL,
    cut_nanos INTEGER NOT NULL,
    cut_attos INTEGER NOT NULL,
    PRIMARY KEY (period, version),
    FOREIGN KEY (period, version) REFERENCES months (period, version)
) STRICT;

CREATE TABLE month_pools (
    period TEXT NOT NULL,
    version INTEGER NOT NULL,
    n INTEGER NOT NULL,
    cluster TEXT,
    pool TEXT NOT NULL,
    paid_units INTEGER NOT NULL,
    paid_nanos INTEGER NOT NULL,
    paid_attos INTEGER NOT NULL,
    recovered_units INTEGER NOT NULL,
    recovered_nanos INTEGER NOT NULL,
    recovered_attos INTEGER NOT NULL,
    idle_units INTEGER NOT NULL,
    idle_nanos INTEGER NOT NULL,
    idle_attos INTEGER NOT NULL,
    rated_units INTEGER NOT NULL,
    rated_nanos INTEGER NOT NULL,
    rated_attos INTEGER NOT NULL,
    rated_nodes_units INTEGER NOT NULL,
    rated_nodes_nanos INTEGER NOT NULL,
    rated_nodes_attos INTEGER NOT NULL,
    uncosted INTEGER NOT NULL,
    PRIMARY KEY (period, version, n),
    FOREIGN KEY (period, version) REFERENCES month_totals (period, version)
) STRICT;

CREATE TRIGGER month_totals_frozen_insert BEFORE INSERT ON month_totals
WHEN EXISTS (SELECT 1 FROM months m WHERE m.period = NEW.period AND m.version = NEW.version AND m.state <> 'open')
BEGIN SELECT RAISE(ABORT, 'a closed month is never changed'); END;
CREATE TRIGGER month_totals_frozen_update BEFORE UPDATE ON month_totals
WHEN EXISTS (SELECT 1 FROM months m WHERE m.period = OLD.period AND m.version = OLD.version AND m.state <> 'open')
BEGIN SELECT RAISE(ABORT, 'a closed month is never changed'); END;
CREATE TRIGGER month_totals_frozen_delete BEFORE DELETE ON month_totals
WHEN EXISTS (SELECT 1 FROM months m WHERE m.period = OLD.period AND m.version = OLD.version AND m.state <> 'open')
BEGIN SELECT RAISE(ABORT, 'a closed month is never changed'); END;
CREATE TRIGGER month_pools_frozen_insert BEFORE INSERT ON month_pools
WHEN EXISTS (SELECT 1 FROM months m WHERE m.period = NEW.period AND m.version = NEW.version AND m.state <> 'open')
BEGIN SELECT RAISE(ABORT, 'a closed month is never changed'); END;
CREATE TRIGGER month_pools_frozen_update BEFORE UPDATE ON month_pools
WHEN EXISTS (SELECT 1 FROM months m WHERE m.period = OLD.period AND m.version = OLD.version AND m.state <> 'open')
BEGIN SELECT RAISE(ABORT, 'a closed month is never changed'); END;
CREATE TRIGGER month_pools_frozen_delete BEFORE DELETE ON month_pools
WHEN EXISTS (SELECT 1 FROM months m WHERE m.period = OLD.period AND m.version = OLD.version AND m.state <> 'open')
BEGIN SELECT RAISE(ABORT, 'a closed month is never changed'); END;

-- An earlier release would replace a day and leave these as they were.
UPDATE ledger_head SET min_reader = 3;
