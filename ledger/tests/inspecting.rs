//! What an inspection finds: whatever was altered, and where.

use defray_ledger::{LedgerError, Scope};

use crate::support::filled::filled;
use crate::support::{Home, both};

async fn faults(home: &Home) -> Vec<String> {
    let ledger = home.open().await;
    let inspection = ledger.inspect(&Scope::everything()).await.unwrap();
    ledger.close().await;
    inspection.faults.into_iter().map(|fault| format!("{}: {}", fault.place, fault.reason)).collect()
}

both! {
    /// Alterations that the database itself takes for good data, one after another, each undone.
    async fn what_was_altered_is_named(home: &Home) {
        filled(home).await.close().await;
        assert_eq!(faults(home).await, [""; 0]);
        let disarm = "DROP TRIGGER statements_frozen_update; DROP TRIGGER statement_lines_frozen_update; \
             DROP TRIGGER hour_coverage_no_update; DROP TRIGGER hour_blobs_no_update; DROP TRIGGER close_files_no_update;";
        home.tamper(
            disarm,
            "ALTER TABLE statements DISABLE TRIGGER USER; ALTER TABLE statement_lines DISABLE TRIGGER USER; \
             ALTER TABLE hour_coverage DISABLE TRIGGER USER; ALTER TABLE hour_blobs DISABLE TRIGGER USER; \
             ALTER TABLE close_files DISABLE TRIGGER USER;",
        )
        .await;
        for (alter, undo, place) in [
            (
                "UPDATE statements SET amount_units = amount_units + 1 WHERE period = '2026-10' AND n = 1",
                "UPDATE statements SET amount_units = amount_units - 1 WHERE period = '2026-10' AND n = 1",
                "2026-10 version 1, CC-team-b team-b: its lines do not add up to its amount",
            ),
            (
                "UPDATE statement_lines SET rounding_attos = rounding_attos + 1 WHERE period = '2026-10' AND statement = 0 AND n = 0",
                "UPDATE statement_lines SET rounding_attos = rounding_attos - 1 WHERE period = '2026-10' AND statement = 0 AND n = 0",
                "2026-10 version 1, CC-team-a team-a: a line is not its exact amount and its rounding",
            ),
            (
                "UPDATE close_files SET at_close = 1 - at_close WHERE version = 1",
                "UPDATE close_files SET at_close = 1 - at_close WHERE version = 1",
                "the closed months: ",
            ),
            (
                "UPDATE day_charges SET tenant = 'team-x' WHERE day = '2026-10-01' AND n = 0",
                "UPDATE day_charges SET tenant = 'team-a' WHERE day = '2026-10-01' AND n = 0",
                "the charges of 2026-10-01: its rows are not what its hours add up to",
            ),
            (
                "UPDATE day_totals SET metered_nanos = metered_nanos + 1 WHERE day = '2026-09-30'",
                "UPDATE day_totals SET metered_nanos = metered_nanos - 1 WHERE day = '2026-09-30'",
                "the charges of 2026-09-30: its charges do not add up to its control total",
            ),
            (
                "UPDATE day_totals SET hours = hours + 1 WHERE day = '2026-09-30'",
                "UPDATE day_totals SET hours = hours - 1 WHERE day = '2026-09-30'",
                "the charges of 2026-09-30: it counts other hours than its file holds",
            ),
            (
                "UPDATE hour_coverage SET minutes = minutes - 1 WHERE hour = (SELECT MIN(hour) FROM hours) AND source = 'cadvisor' AND cluster = 'prod-2'",
                "UPDATE hour_coverage SET minutes = minutes + 1 WHERE hour = (SELECT MIN(hour) FROM hours) AND source = 'cadvisor' AND cluster = 'prod-2'",
                "prod-2 2026-10-01T00:00:00Z revision 1: its coverage is not what was recorded with its rows",
            ),
        ] {
            home.tamper_same(alter).await;
            let found = faults(home).await;
            assert!(found.len() == 1 && found[0].starts_with(place), "{alter}: {found:?}");
            home.tamper_same(undo).await;
            assert_eq!(faults(home).await, [""; 0]);
        }
    }

    /// An hour far from the end of its chain, which opening a ledger does not read; and all else is still looked at.
    async fn one_bit_of_an_old_hour_is_found_and_the_look_goes_on(home: &Home) {
        filled(home).await.close().await;
        home.tamper(
            "DROP TRIGGER hour_blobs_no_update; UPDATE hour_blobs SET content = \
             CAST(substr(content, 1, 99) || (CASE WHEN substr(content, 100, 1) = x'00' THEN x'01' ELSE x'00' END) \
             || substr(content, 101) AS BLOB) WHERE hour = (SELECT hour FROM hours WHERE seq = 2 AND cluster = 'prod-1') \
             AND cluster = 'prod-1'; UPDATE day_totals SET hours = 9 WHERE day = '2026-09-30'",
            "ALTER TABLE hour_blobs DISABLE TRIGGER USER; UPDATE hour_blobs SET content = \
             set_byte(content, 99, get_byte(content, 99) # 1) WHERE hour = (SELECT hour FROM hours WHERE seq = 2 AND \
             cluster = 'prod-1') AND cluster = 'prod-1'; UPDATE day_totals SET hours = 9 WHERE day = '2026-09-30'",
        )
        .await;
        let found = faults(home).await;
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("prod-1 2026-10-01T01:00:00Z revision 1: "), "{found:?}");
        assert!(found[0].ends_with("do not match their digest"), "{found:?}");
    }

    /// Two ledgers are compared by it: it knows nothing of how often they were opened.
    async fn the_digest_is_of_what_is_remembered_and_of_nothing_else(home: &Home) {
        let ledger = filled(home).await;
        let digest = async || ledger.inspect(&Scope::everything()).await.unwrap().digest.unwrap();
        let before = digest().await;
        ledger.health().await.unwrap();
        ledger.acquire().await.unwrap();
        assert_eq!(digest().await, before);
        home.tamper_same("UPDATE missing_hours SET tries = tries + 1").await;
        assert_ne!(digest().await, before);
        let refused = ledger.inspect(&Scope::tenants([].into())).await.unwrap_err();
        assert!(matches!(refused, LedgerError::OutOfScope(_)), "{refused}");
    }
}

/// Rows that refer to nothing: only where somebody switched the database's own guard off.
#[tokio::test]
async fn rows_that_refer_to_nothing_are_counted() {
    let home = Home::directory();
    filled(&home).await.close().await;
    home.tamper_same("PRAGMA foreign_keys = OFF; DELETE FROM charge_days WHERE day = '2026-09-30'").await;
    let found = faults(&home).await;
    let of = |table: &str, rows: u32| {
        format!("the table {table}: {rows} rows refer to rows of charge_days that are not there")
    };
    assert_eq!(found, [of("day_charges", 4), of("day_totals", 1)]);
}
