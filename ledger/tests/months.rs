//! Months and the list of periods.

use defray_ledger::{LedgerError, PeriodState, Scope};
use defray_pricing::money::Money;
use defray_pricing::time::BillingZone;

use crate::support::both;
use crate::support::things::{cluster, hour, month, recorded};

both! {
    /// To the last digit, with its coverage and the editions of its book.
    async fn a_month_comes_back_as_it_went_in(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        let put = month("2026-10", "one", 22);
        assert!(ledger.put_month(&guard, put.clone()).await.unwrap());
        let october = "2026-10".parse().unwrap();
        assert_eq!(ledger.month(&Scope::everything(), october).await.unwrap(), Some(put.clone()));
        assert_eq!(ledger.month_control(&Scope::everything(), october).await.unwrap(), put.control);
        assert!(!ledger.put_month(&guard, put).await.unwrap());
        let mut next = month("2026-10", "two", 23);
        next.statements.statements.pop();
        next.statements.amount = "23".parse().unwrap();
        next.book_versions.pop();
        assert!(ledger.put_month(&guard, next.clone()).await.unwrap());
        assert_eq!(ledger.month(&Scope::everything(), october).await.unwrap(), Some(next));
        assert_eq!(ledger.month(&Scope::everything(), "2026-11".parse().unwrap()).await.unwrap(), None);
    }

    /// Its statements, their total, and no one else's name.
    async fn a_tenant_sees_its_own_statements_only(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        ledger.put_month(&guard, month("2026-10", "one", 22)).await.unwrap();
        let october = "2026-10".parse().unwrap();
        let mine = ledger.month(&Scope::tenants(["team-a".into()].into()), october).await.unwrap().unwrap();
        assert_eq!(mine.statements.statements, month("2026-10", "one", 22).statements.statements[..1]);
        assert_eq!(mine.statements.amount.to_string(), "22");
        assert!(mine.statements.month_level.is_empty());
        assert_eq!(mine.control, None, "what the platform paid is not a tenant's to see");
        assert!(!format!("{mine:?}").contains("team-b"));
        let none = ledger.month(&Scope::tenants([].into()), october).await.unwrap().unwrap();
        assert_eq!((none.statements.statements.len(), none.statements.amount), (0, Money::ZERO));
        let periods = ledger.periods(&Scope::tenants(["team-a".into()].into()), BillingZone::UTC).await.unwrap();
        assert_eq!((periods[0].statements, periods[0].amount), (1, Some("22".parse().unwrap())));
    }

    /// Those with hours, those with statements, those with both.
    async fn periods_are_listed_with_what_is_known_of_them(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        let hours = ["2026-09-30T21:00:00Z", "2026-09-30T22:00:00Z", "2026-10-05T00:00:00Z"];
        let hours = hours.map(|text| recorded(hour(text), 1)).into();
        ledger.record(&guard, hours).await.unwrap();
        ledger.record(&guard, vec![recorded(hour("2026-10-05T00:00:00Z"), 2)]).await.unwrap();
        ledger.put_month(&guard, month("2026-10", "one", 22)).await.unwrap();
        ledger.put_month(&guard, month("2026-12", "one", 5)).await.unwrap();
        let zone = BillingZone::new("Europe/Berlin").unwrap();
        let periods = ledger.periods(&Scope::everything(), zone).await.unwrap();
        let seen: Vec<_> = periods
            .iter()
            .map(|entry| (entry.period.to_string(), entry.hours, entry.hours_measured, entry.amount.map(|a| a.to_string())))
            .collect();
        let two = |text: &str| Some(text.to_owned());
        assert_eq!(seen, [
            ("2026-09".to_owned(), 720, 1, None),
            ("2026-10".to_owned(), 745, 2, two("44")),
            ("2026-12".to_owned(), 744, 0, two("10")),
        ]);
        assert_eq!(periods[1].measured, [(cluster(), 2)].into());
        assert_eq!((periods[1].version, periods[1].state, periods[1].statements), (1, PeriodState::Open, 2));
        assert_eq!((periods[1].hours_missing, periods[1].hours_lost), (3, 2));
        assert_eq!(periods[1].coverage[&cluster()].minutes, 44_000);
    }

    /// Neither by us nor behind our back.
    async fn a_closed_month_is_never_replaced(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        ledger.put_month(&guard, month("2026-10", "one", 22)).await.unwrap();
        home.tamper_same("UPDATE months SET state = 'closed'").await;
        let error = ledger.put_month(&guard, month("2026-10", "two", 1)).await.unwrap_err();
        assert!(matches!(error, LedgerError::Closed(_)), "{error}");
        for sql in [
            "UPDATE months SET state = 'open'",
            "DELETE FROM statement_lines",
            "UPDATE statements SET amount_units = 0",
            "DELETE FROM month_charges",
            "UPDATE month_coverage SET minutes = 0",
            "DELETE FROM month_books",
            "DELETE FROM month_pools",
            "UPDATE month_totals SET fixed_units = 0",
            "INSERT INTO month_books VALUES ('2026-10', 1, 9, 'x')",
        ] {
            let said = home.refusal(sql).await;
            assert!(said.contains("a closed month is never changed"), "{sql}: {said}");
        }
    }
}
