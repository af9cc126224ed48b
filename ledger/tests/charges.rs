//! Charge days.

use defray_ledger::{LedgerError, Scope};
use defray_pricing::digest::Digest;
use defray_pricing::forecast::RatedDay;
use defray_pricing::money::Money;
use defray_pricing::names::TenantName;
use defray_pricing::rating::Control;

use crate::support::things::{charge_day, charges, control};
use crate::support::{both, day};

fn only(tenant: &str) -> Scope {
    Scope::tenants([tenant.into()].into())
}

both! {
    /// Hour by hour as rated, and folded: quantities and amounts add up exactly.
    async fn a_day_comes_back_hour_by_hour_and_folded(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        let put = charge_day("2026-10-05", "one", 7);
        assert!(ledger.put_day(&guard, put.clone()).await.unwrap());
        let everything = Scope::everything();
        assert_eq!(ledger.day_hours(&everything, put.day).await.unwrap(), put.hours);
        let folded = ledger.day_charges(&everything, put.day).await.unwrap();
        assert_eq!(folded.len(), charges(7).len());
        for (folded, single) in folded.iter().zip(charges(7)) {
            assert_eq!((&folded.key, &folded.namespace), (&single.key, &single.namespace));
            assert_eq!(folded.amount, single.amount.checked_add(single.amount).unwrap());
            let twice = single.quantity.map(|(q, unit)| (q.checked_add(q).unwrap(), unit));
            assert_eq!(folded.quantity, twice);
        }
        assert!(ledger.day_hours(&everything, day("2026-10-06")).await.unwrap().is_empty());
    }

    /// The same inputs write nothing; others replace every row.
    async fn a_day_is_replaced_whole_under_its_digest(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        let everything = Scope::everything();
        assert!(ledger.put_day(&guard, charge_day("2026-10-05", "one", 7)).await.unwrap());
        assert!(!ledger.put_day(&guard, charge_day("2026-10-05", "one", 8)).await.unwrap());
        let mut fewer = charge_day("2026-10-05", "two", 9);
        fewer.hours[0].1.truncate(1);
        fewer.hours.truncate(1);
        assert!(ledger.put_day(&guard, fewer.clone()).await.unwrap());
        assert_eq!(ledger.day_charges(&everything, fewer.day).await.unwrap(), fewer.hours[0].1);
        ledger.put_day(&guard, charge_day("2026-11-01", "three", 1)).await.unwrap();
        let inputs = ledger.day_inputs(&everything, "2026-10".parse().unwrap()).await.unwrap();
        assert_eq!(inputs, [(fewer.day, Digest::of(b"two"))].into());
    }

    /// In SQL, in the stored file, everywhere.
    async fn a_tenant_sees_its_own_charges_only(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        let put = charge_day("2026-10-05", "one", 7);
        ledger.put_day(&guard, put.clone()).await.unwrap();
        let (from, until) = (day("2026-10-01"), day("2026-11-01"));
        let a = TenantName::from("team-a");
        let daily = ledger.daily(&only("team-a"), from, until).await.unwrap();
        assert_eq!(daily.len(), 2);
        assert!(daily.iter().all(|amount| amount.charge.key.tenant == a && amount.day == put.day));
        let charges = ledger.day_charges(&only("team-a"), put.day).await.unwrap();
        assert!(charges.len() == 2 && charges.iter().all(|charge| charge.key.tenant == a));
        let hours = ledger.day_hours(&only("team-a"), put.day).await.unwrap();
        assert_eq!(hours.len(), 3);
        assert!(hours.iter().flat_map(|(_, charges)| charges).all(|charge| charge.key.tenant == a));
        for nobody in [Scope::tenants([].into()), only("team-c"), only("team-a' OR '1'='1")] {
            assert!(ledger.daily(&nobody, from, until).await.unwrap().is_empty());
            assert!(ledger.day_charges(&nobody, put.day).await.unwrap().is_empty());
        }
        let totals = ledger.daily_totals(&only("team-a"), from, until).await.unwrap();
        let sum = Money::sum(daily.iter().map(|amount| amount.charge.amount)).unwrap();
        let of: Vec<_> = totals.iter().map(|t| (t.day, t.tenant.clone(), t.cost_center.as_str(), t.amount)).collect();
        assert_eq!(of, [(put.day, a, "CC-team-a", sum)]);
        assert_eq!(ledger.daily_totals(&Scope::everything(), from, until).await.unwrap().len(), 2);
        let both = ledger.daily(&Scope::tenants(["team-a".into(), "team-b".into()].into()), from, until).await.unwrap();
        assert_eq!(both, ledger.daily(&Scope::everything(), from, until).await.unwrap());
        assert!(ledger.daily(&Scope::everything(), day("2026-10-06"), until).await.unwrap().is_empty());
    }

    /// Of all its days, each as it was last rated, and nobody's but who sees everything.
    async fn what_was_paid_for_adds_up_over_the_days_of_a_period(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        let (everything, october) = (Scope::everything(), "2026-10".parse().unwrap());
        assert_eq!(ledger.period_control(&everything, october).await.unwrap(), Some(Control::default()));
        for (day, inputs, seed) in
            [("2026-10-05", "one", 7), ("2026-10-06", "one", 8), ("2026-10-05", "two", 9), ("2026-11-01", "one", 5)]
        {
            ledger.put_day(&guard, charge_day(day, inputs, seed)).await.unwrap();
        }
        let mut sum = control(9);
        sum.add(&control(8)).unwrap();
        assert_eq!(ledger.period_control(&everything, october).await.unwrap(), Some(sum));
        let days = ledger.rated_days(&only("team-c"), day("2026-10-05"), day("2026-10-06")).await.unwrap();
        let until = Some(charge_day("2026-10-05", "", 0).hours[2].0.next());
        assert_eq!(days, [RatedDay { day: day("2026-10-05"), hours: 3, whole_hours: 2, until }]);
        let refused = ledger.period_control(&only("team-a"), october).await.unwrap_err();
        assert!(matches!(refused, LedgerError::OutOfScope(_)), "{refused}");
        // As a release that did not keep them left a day.
        home.tamper_same("DELETE FROM day_pools WHERE day = '2026-10-06'").await;
        home.tamper_same("DELETE FROM day_totals WHERE day = '2026-10-06'").await;
        assert_eq!(ledger.period_control(&everything, october).await.unwrap(), None);
    }

    /// What does not fit is an error; nothing wraps.
    async fn an_amount_that_does_not_fit_is_refused(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        let mut put = charge_day("2026-10-05", "one", 7);
        put.hours[0].1[0].amount = Money::from_attos(i128::MAX);
        ledger.put_day(&guard, put.clone()).await.unwrap_err();
        assert!(ledger.day_charges(&Scope::everything(), put.day).await.unwrap().is_empty());
    }
}
