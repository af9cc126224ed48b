-- Statements in the reporting currency of their cost centre; empty where it has none, amounts where it has no rate.
ALTER TABLE statements ADD COLUMN reporting_currency TEXT;
ALTER TABLE statements ADD COLUMN exchange_rate TEXT;
ALTER TABLE statements ADD COLUMN reporting_units INTEGER;
ALTER TABLE statements ADD COLUMN reporting_nanos INTEGER;
ALTER TABLE statements ADD COLUMN reporting_attos INTEGER;
ALTER TABLE statement_lines ADD COLUMN reporting_units INTEGER;
ALTER TABLE statement_lines ADD COLUMN reporting_nanos INTEGER;
ALTER TABLE statement_lines ADD COLUMN reporting_attos INTEGER;
