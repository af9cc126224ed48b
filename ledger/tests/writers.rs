//! Who may write, and what half a write leaves behind.

use defray_ledger::{LedgerError, Scope};

use crate::support::both;
use crate::support::things::{all, first, month, recorded};

both! {
    /// The newest guard wins; the older one is refused from then on.
    async fn an_older_epoch_cannot_write(home: &Home) {
        let ledger = home.open().await;
        let old = ledger.acquire().await.unwrap();
        ledger.record(&old, vec![recorded(first(), 1)]).await.unwrap();
        let new = ledger.acquire().await.unwrap();
        assert!(new.epoch() > old.epoch());
        let error = ledger.record(&old, vec![recorded(first(), 2)]).await.unwrap_err();
        assert!(matches!(error, LedgerError::Fenced { .. }), "{error}");
        let error = ledger.put_month(&old, month("2026-10", "x", 1)).await.unwrap_err();
        assert!(matches!(error, LedgerError::Fenced { .. }), "{error}");
        ledger.record(&new, vec![recorded(first(), 2)]).await.unwrap();
        assert_eq!(ledger.usage(&Scope::everything(), all()).await.unwrap(), [recorded(first(), 2).usage]);
    }

    /// Whichever statement of a write fails, nothing of it is kept, and the next write works.
    async fn a_failure_in_the_middle_keeps_nothing(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        ledger.put_month(&guard, month("2026-10", "before", 1)).await.unwrap();
        ledger.record(&guard, vec![recorded(first(), 1)]).await.unwrap();
        let everything = Scope::everything();
        let october = "2026-10".parse().unwrap();
        let before = ledger.month(&everything, october).await.unwrap();
        for (away, back) in [
            ("ALTER TABLE statement_lines RENAME TO gone", "ALTER TABLE gone RENAME TO statement_lines"),
            ("ALTER TABLE month_charges RENAME TO gone", "ALTER TABLE gone RENAME TO month_charges"),
            ("ALTER TABLE month_books RENAME TO gone", "ALTER TABLE gone RENAME TO month_books"),
            ("ALTER TABLE month_coverage RENAME TO gone", "ALTER TABLE gone RENAME TO month_coverage"),
            ("ALTER TABLE hour_blobs RENAME TO gone", "ALTER TABLE gone RENAME TO hour_blobs"),
            ("ALTER TABLE hour_coverage RENAME TO gone", "ALTER TABLE gone RENAME TO hour_coverage"),
            ("ALTER TABLE chain_heads RENAME TO gone", "ALTER TABLE gone RENAME TO chain_heads"),
        ] {
            home.tamper_same(away).await;
            if away.contains("month") || away.contains("statement") {
                ledger.put_month(&guard, month("2026-10", "after", 2)).await.unwrap_err();
            } else {
                ledger.record(&guard, vec![recorded(first(), 2)]).await.unwrap_err();
            }
            home.tamper_same(back).await;
            assert_eq!(ledger.month(&everything, october).await.unwrap(), before, "{away}");
            let usage = ledger.usage(&everything, all()).await.unwrap();
            assert_eq!(usage, [recorded(first(), 1).usage], "{away}");
            assert_eq!(ledger.verify(&everything).await.unwrap(), 1, "{away}");
        }
        assert!(ledger.put_month(&guard, month("2026-10", "after", 2)).await.unwrap());
    }

    /// A write that is given up half-way, as when the daemon is told to stop, leaves nothing.
    async fn a_cancelled_write_keeps_nothing(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        let mut cut = 0;
        for millis in 0..40 {
            let write = ledger.record(&guard, (0..30).map(|n| recorded(hour(n), millis)).collect());
            if tokio::time::timeout(std::time::Duration::from_millis(millis.unsigned_abs()), write).await.is_err() {
                cut += 1;
            }
            let revisions = ledger.hours(&Scope::everything(), &"prod-1".into(), all()).await.unwrap();
            let of_first = revisions.first().map(|hour| hour.revision);
            assert!(revisions.iter().all(|hour| Some(hour.revision) == of_first), "half a write");
            assert!(revisions.is_empty() || revisions.len() == 30);
        }
        assert!(cut > 0, "nothing was cut short: the test says nothing");
        ledger.verify(&Scope::everything()).await.unwrap();
    }

    /// Reads and writes at once neither block nor see halves.
    async fn the_probe_writes(home: &Home) {
        let ledger = home.open().await;
        ledger.health().await.unwrap();
        home.tamper_same("ALTER TABLE ledger_head RENAME TO gone").await;
        ledger.health().await.unwrap_err();
        home.tamper_same("ALTER TABLE gone RENAME TO ledger_head").await;
        ledger.health().await.unwrap();
    }
}

fn hour(n: i64) -> defray_pricing::time::Hour {
    defray_pricing::time::Hour::from_index(first().index() + n)
}
