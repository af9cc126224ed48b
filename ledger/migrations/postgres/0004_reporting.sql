-- Statements in the reporting currency of their cost centre; empty where it has none, amounts where it has no rate.
ALTER TABLE statements ADD COLUMN reporting_currency TEXT COLLATE "C";
ALTER TABLE statements ADD COLUMN exchange_rate TEXT COLLATE "C";
ALTER TABLE statements ADD COLUMN reporting_units BIGINT;
ALTER TABLE statements ADD COLUMN reporting_nanos BIGINT;
ALTER TABLE statements ADD COLUMN reporting_attos BIGINT;
ALTER TABLE statement_lines ADD COLUMN reporting_units BIGINT;
ALTER TABLE statement_lines ADD COLUMN reporting_nanos BIGINT;
ALTER TABLE statement_lines ADD COLUMN reporting_attos BIGINT;
