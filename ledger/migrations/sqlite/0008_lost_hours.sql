-- Hours that no metrics store has any more: since when that is known; empty while an hour may still be measured.
ALTER TABLE missing_hours ADD COLUMN lost_since INTEGER;
-- How many of them a month has, besides those that are missing.
ALTER TABLE months ADD COLUMN hours_lost INTEGER NOT NULL DEFAULT 0;
ALTER TABLE closes ADD COLUMN hours_lost INTEGER NOT NULL DEFAULT 0;

-- An earlier release would take lost hours for missing ones, and a close that has some for damaged.
UPDATE ledger_head SET min_reader = 8;
