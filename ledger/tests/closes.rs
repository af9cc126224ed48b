//! Closing months and restating them.

use defray_ledger::{
    Closed, ClosedHow, ClosedMonth, Closing, FrozenOwnership, Ledger, LedgerError, MonthRecord, OpenError,
    PeriodState, PinnedHour, RenderedFile, Restating, Scope, WriteGuard,
};
use defray_pricing::digest::Digest;
use defray_pricing::money::Money;
use defray_pricing::ownership::{NamePattern, NamespaceFact, Origin, Span, TenancyRules, Timeline};
use defray_pricing::time::{BillingZone, Period};

use crate::support::things::{all, charge_day, cluster, first, month, now, recorded};
use crate::support::{Home, both};

fn october() -> Period {
    "2026-10".parse().unwrap()
}

fn everything() -> Scope {
    Scope::everything()
}

fn team_a() -> Scope {
    Scope::tenants(["team-a".into()].into())
}

fn ownership() -> FrozenOwnership {
    let span = |uid: &str, from: &str, until: Option<&str>| Span {
        cluster: cluster(),
        uid: uid.into(),
        from: from.parse().unwrap(),
        until: until.map(|text| text.parse().unwrap()),
        origin: Origin::Observed,
        fact: NamespaceFact {
            name: "shop".into(),
            labels: [("team".into(), "é".into())].into(),
            annotations: [].into(),
        },
    };
    let timeline = Timeline {
        namespaces: vec![
            span("1", "2026-10-01T00:00:00.000001Z", None),
            span("2", "2026-10-02T00:00:00Z", Some("2026-10-03T00:00:00Z")),
        ],
        observed_since: [(cluster(), now())].into(),
        ..Timeline::default()
    };
    let pattern = NamePattern { prefix: "vcluster-".to_owned(), suffix: String::new() };
    let tenancy = TenancyRules { namespace_pattern: Some(pattern), ..TenancyRules::default() };
    FrozenOwnership { timeline, tenancy, hours: [(cluster(), all())].into() }
}

fn file(name: &str, content: &str) -> RenderedFile {
    RenderedFile { name: name.to_owned(), content: content.into() }
}

/// Of the first hour as it is recorded now.
async fn closing(ledger: &Ledger) -> Closing {
    let entries = ledger.hours(&everything(), &cluster(), all()).await.unwrap();
    let pin = |entry: defray_ledger::HourEntry| PinnedHour {
        cluster: cluster(),
        hour: entry.hour,
        revision: entry.revision,
        digest: entry.digest,
    };
    Closing {
        at: now(),
        by: "ann@example.com".to_owned(),
        how: ClosedHow::Hand,
        forced: None,
        zone: BillingZone::UTC,
        engine_version: 2,
        hours: entries.into_iter().map(pin).collect(),
        ownership: ownership(),
        files: vec![file("statement.csv", "a;b\n"), file("summary.csv", "c\n")],
    }
}

/// A ledger with an hour, and October rated from it.
async fn rated(home: &Home) -> (Ledger, WriteGuard, MonthRecord) {
    let ledger = home.open().await;
    let guard = ledger.acquire().await.unwrap();
    ledger.record(&guard, vec![recorded(first(), 1)]).await.unwrap();
    ledger.put_day(&guard, charge_day("2026-10-01", "one", 1)).await.unwrap();
    let month = month("2026-10", "one", 22);
    ledger.put_month(&guard, month.clone()).await.unwrap();
    (ledger, guard, month)
}

async fn close(ledger: &Ledger, guard: &WriteGuard, month: &MonthRecord) -> ClosedMonth {
    let closing = closing(ledger).await;
    match ledger.close_month(guard, october(), month.inputs, closing).await.unwrap() {
        Closed::Now(closed) => closed,
        Closed::Already(closed) => panic!("closed before: {closed:?}"),
    }
}

/// One tenant's line is gone, the other's is dearer.
fn corrected() -> MonthRecord {
    let mut next = month("2026-10", "two", 25);
    next.statements.statements.remove(0);
    next.statements.amount = "25".parse().unwrap();
    next
}

async fn restating(ledger: &Ledger, reason: &str, month: MonthRecord) -> Restating {
    let days = vec![charge_day("2026-10-01", "two", 2)];
    let closing = Closing { how: ClosedHow::Schedule, ..closing(ledger).await };
    Restating { reason: reason.to_owned(), month, days, closing }
}

both! {
    async fn a_month_is_closed_with_everything_it_was_made_from(home: &Home) {
        let (ledger, guard, month) = rated(home).await;
        let closed = close(&ledger, &guard, &month).await;
        assert_eq!((closed.version, closed.seq, closed.state()), (1, 1, PeriodState::Closed));
        assert_eq!((closed.inputs, closed.book_digest), (month.inputs, month.book_digest));
        assert_eq!((closed.total, closed.hours_missing, closed.hours_lost), (Some("44".parse().unwrap()), 3, 2));
        assert_eq!((closed.by.as_str(), closed.reason.as_deref()), ("ann@example.com", None));
        ledger.close().await;
        drop(ledger);

        let ledger = home.open().await;
        assert_eq!(ledger.closes(&everything()).await.unwrap(), std::slice::from_ref(&closed));
        let periods = ledger.periods(&everything(), BillingZone::UTC).await.unwrap();
        assert_eq!((periods[0].state, periods[0].version), (PeriodState::Closed, 1));
        assert_eq!(ledger.close_ownership(&everything(), &closed).await.unwrap(), ownership());
        let pins = ledger.close_hours(&everything(), &closed).await.unwrap();
        assert_eq!((pins.len(), pins[0].hour, pins[0].revision), (1, first(), 1));
        assert_eq!(ledger.month(&everything(), october()).await.unwrap(), Some(month));
        assert_eq!(ledger.close_deltas(&everything(), &closed).await.unwrap(), []);
        assert_eq!(ledger.verify(&everything()).await.unwrap(), 1);
        let mine = ledger.close_of(&team_a(), october(), 1).await.unwrap().unwrap();
        assert_eq!(mine.total, None, "what all pay is not a tenant's to see");
    }

    /// Nothing of it is written twice, and nothing else is taken for it.
    async fn closing_again_is_closed_already_and_what_moved_on_is_refused(home: &Home) {
        let (ledger, guard, month) = rated(home).await;
        let early = ledger.close_month(&guard, october(), Digest::of(b"before"), closing(&ledger).await).await;
        assert!(matches!(early, Err(LedgerError::MovedOn(_))), "{early:?}");
        assert_eq!(ledger.closes(&everything()).await.unwrap(), []);
        let closed = close(&ledger, &guard, &month).await;
        let again = Closing { by: "bob".to_owned(), ..closing(&ledger).await };
        let again = ledger.close_month(&guard, october(), month.inputs, again).await.unwrap();
        assert_eq!(again, Closed::Already(closed.clone()));
        let other = ledger.close_month(&guard, october(), Digest::of(b"other"), closing(&ledger).await).await;
        assert!(matches!(other, Err(LedgerError::Closed(_))), "{other:?}");
        assert_eq!(ledger.closes(&everything()).await.unwrap(), [closed]);
        let never = ledger.close_month(&guard, october().next(), month.inputs, closing(&ledger).await).await;
        assert!(matches!(never, Err(LedgerError::Unknown(_))), "{never:?}");
    }

    /// What is pinned exists, with that content.
    async fn an_hour_that_is_not_recorded_so_is_pinned_by_nobody(home: &Home) {
        let (ledger, guard, month) = rated(home).await;
        let mut closing = closing(&ledger).await;
        closing.hours[0].digest = Digest::of(b"else");
        let error = ledger.close_month(&guard, october(), month.inputs, closing).await.unwrap_err();
        assert!(matches!(error, LedgerError::Unknown(_)), "{error}");
        assert_eq!(ledger.month(&everything(), october()).await.unwrap().unwrap().inputs, month.inputs);
        assert_eq!(ledger.closes(&everything()).await.unwrap(), []);
    }

    /// Late usage, another book: neither month nor day, and what it was made from stays readable.
    async fn what_comes_after_a_close_changes_nothing_of_it(home: &Home) {
        let (ledger, guard, rated) = rated(home).await;
        let closed = close(&ledger, &guard, &rated).await;
        let late = ledger.put_month(&guard, month("2026-10", "late", 9)).await.unwrap_err();
        assert!(matches!(late, LedgerError::Closed(_)), "{late}");
        let late = ledger.put_day(&guard, charge_day("2026-10-01", "late", 9)).await.unwrap_err();
        assert!(matches!(late, LedgerError::Closed(_)), "{late}");
        ledger.put_day(&guard, charge_day("2026-11-01", "open", 9)).await.unwrap();
        ledger.record(&guard, vec![recorded(first(), 2)]).await.unwrap();
        let used = ledger.pinned_usage(&everything(), &closed, all()).await.unwrap();
        assert_eq!(used.into_iter().map(|(_, usage)| usage).collect::<Vec<_>>(), [recorded(first(), 1).usage]);
        assert_eq!(ledger.usage(&everything(), all()).await.unwrap(), [recorded(first(), 2).usage]);
        assert_eq!(ledger.month(&everything(), october()).await.unwrap(), Some(rated));
        ledger.verify(&everything()).await.unwrap();
    }

    /// The old version stays what it was; the lines that moved are there with their sign, what is absent being zero.
    async fn a_restatement_is_the_next_version_and_the_lines_that_moved(home: &Home) {
        let (ledger, guard, first) = rated(home).await;
        let base = close(&ledger, &guard, &first).await;
        let next = corrected();
        let plan = restating(&ledger, "credit note 7", next.clone()).await;
        let second = match ledger.restate_month(&guard, &base, plan.clone()).await.unwrap() {
            Closed::Now(second) => second,
            Closed::Already(second) => panic!("{second:?}"),
        };
        assert_eq!((second.version, second.state(), second.seq), (2, PeriodState::Restated, 2));
        assert_eq!((second.previous, second.reason.as_deref()), (base.digest, Some("credit note 7")));
        let deltas = ledger.close_deltas(&everything(), &second).await.unwrap();
        let of = |tenant: &str| {
            let mine = deltas.iter().filter(|delta| delta.key.tenant.as_str() == tenant);
            Money::sum(mine.map(|delta| delta.amount)).unwrap().to_string()
        };
        assert_eq!((of("team-a"), of("team-b")), ("-22".to_owned(), "3".to_owned()));
        let sum = Money::sum(deltas.iter().map(|delta| delta.amount)).unwrap();
        assert_eq!(Some(sum), second.total.zip(base.total).map(|(new, old)| new.checked_sub(old).unwrap()));
        let seen = ledger.close_deltas(&team_a(), &second).await.unwrap();
        assert!(seen.len() == 1 && seen[0].key.tenant.as_str() == "team-a", "{seen:?}");
        assert_eq!(ledger.month(&everything(), october()).await.unwrap(), Some(next));
        assert_eq!(ledger.month_version(&everything(), october(), 1).await.unwrap(), Some(first));
        let day = ledger.day_inputs(&everything(), october()).await.unwrap();
        assert_eq!(day[&"2026-10-01".parse().unwrap()], Digest::of(b"two"));
        assert_eq!(ledger.versions(&everything(), october()).await.unwrap(), [base.clone(), second.clone()]);
        let again = ledger.restate_month(&guard, &base, plan).await.unwrap();
        assert_eq!(again, Closed::Already(second));
        ledger.close().await;
        drop(ledger);
        home.open().await.verify(&everything()).await.unwrap();
    }

    /// Each says what is in the way, and writes nothing.
    async fn a_restatement_needs_the_newest_version_and_something_to_say(home: &Home) {
        let (ledger, guard, first) = rated(home).await;
        let base = close(&ledger, &guard, &first).await;
        let same = MonthRecord { inputs: Digest::of(b"two"), hours_missing: 0, ..first };
        let same = restating(&ledger, "nothing", same).await;
        let nothing = ledger.restate_month(&guard, &base, same).await.unwrap_err();
        assert!(matches!(nothing, LedgerError::NothingToRestate(_)), "{nothing}");
        let plan = restating(&ledger, "one", corrected()).await;
        ledger.restate_month(&guard, &base, plan).await.unwrap();
        for (reason, euros) in [("one", 30), ("two", 25)] {
            let inputs = if euros == 25 { "two" } else { "three" };
            let plan = restating(&ledger, reason, month("2026-10", inputs, euros)).await;
            let error = ledger.restate_month(&guard, &base, plan).await.unwrap_err();
            assert!(matches!(error, LedgerError::AnotherVersion { planned: 1, version: 2, .. }), "{error}");
        }
        let elsewhere = restating(&ledger, "x", month("2026-11", "x", 1)).await;
        ledger.restate_month(&guard, &base, elsewhere).await.unwrap_err();
        assert_eq!(ledger.closes(&everything()).await.unwrap().len(), 2);
        ledger.verify(&everything()).await.unwrap();
    }

    /// The first writer wins, and two readers never share a file.
    async fn a_file_is_kept_as_it_was_first_sent(home: &Home) {
        let (ledger, guard, month) = rated(home).await;
        let closed = close(&ledger, &guard, &month).await;
        let (kept, bytes) = ledger.close_file(&everything(), &closed, "statement.csv").await.unwrap().unwrap();
        assert_eq!((kept.at_close, kept.length, bytes.as_slice()), (true, 4, b"a;b\n".as_slice()));
        assert!(ledger.close_file(&team_a(), &closed, "statement.csv").await.unwrap().is_none());
        let put = |scope: Scope, text: &'static str| {
            let (ledger, closed) = (ledger.clone(), closed.clone());
            async move {
                let file = file("statement.csv", text);
                ledger.keep_file(&scope, &closed, file).await.unwrap().1
            }
        };
        assert_eq!(put(everything(), "from a later release").await, b"a;b\n");
        assert_eq!(put(team_a(), "mine").await, b"mine");
        assert_eq!(put(team_a(), "other").await, b"mine");
        let both = Scope::tenants(["team-a".into(), "team-b".into()].into());
        assert_eq!(put(both.clone(), "ours").await, b"ours");
        let names = |files: Vec<defray_ledger::CloseFile>| {
            files.into_iter().map(|file| (file.name, file.at_close)).collect::<Vec<_>>()
        };
        let of = |scope: Scope| {
            let (ledger, closed) = (ledger.clone(), closed.clone());
            async move { names(ledger.close_files(&scope, &closed).await.unwrap()) }
        };
        let [statement, summary] = ["statement.csv", "summary.csv"].map(str::to_owned);
        assert_eq!(of(everything()).await, [(statement.clone(), true), (summary, true)]);
        assert_eq!(of(team_a()).await, [(statement, false)]);
        ledger.verify(&everything()).await.unwrap();
    }

    /// Neither by us nor behind our back.
    async fn the_database_itself_refuses_to_change_a_close(home: &Home) {
        let (ledger, guard, month) = rated(home).await;
        let base = close(&ledger, &guard, &month).await;
        let plan = restating(&ledger, "one", corrected()).await;
        ledger.restate_month(&guard, &base, plan).await.unwrap();
        for sql in [
            "UPDATE closes SET closed_by = 'me'",
            "DELETE FROM closes",
            "UPDATE close_hours SET revision = 2",
            "DELETE FROM close_hours",
            "UPDATE close_ownership SET period = '2026-11'",
            "DELETE FROM close_ownership",
            "UPDATE close_deltas SET amount_units = 0",
            "DELETE FROM close_deltas",
            "UPDATE close_files SET name = 'x'",
            "DELETE FROM close_files",
        ] {
            let said = home.refusal(sql).await;
            assert!(said.contains("a close is never changed"), "{sql}: {said}");
        }
        for sql in [
            "INSERT INTO close_hours VALUES ('2026-10', 1, 'else', 1, 1)",
            "INSERT INTO statements SELECT * FROM statements WHERE version = 1",
            "UPDATE months SET state = 'open' WHERE version = 2",
        ] {
            let said = home.refusal(sql).await;
            assert!(said.contains("a closed month is never changed"), "{sql}: {said}");
        }
        for sql in ["UPDATE close_head SET seq = 1", "DELETE FROM close_head"] {
            assert!(home.refusal(sql).await.contains("only grows"), "{sql}");
        }
    }

    /// One thing altered after the other, as a faulty disk or a curious administrator would.
    async fn whatever_is_altered_in_a_close_is_seen(home: &Home) {
        let (ledger, guard, month) = rated(home).await;
        let base = close(&ledger, &guard, &month).await;
        let plan = restating(&ledger, "one", corrected()).await;
        ledger.restate_month(&guard, &base, plan).await.unwrap();
        ledger.verify(&everything()).await.unwrap();
        home.tamper(
            "DROP TRIGGER closes_no_update; DROP TRIGGER closes_no_delete; DROP TRIGGER close_hours_no_update; \
             DROP TRIGGER close_ownership_no_update; DROP TRIGGER close_deltas_no_update; \
             DROP TRIGGER close_files_no_update; DROP TRIGGER close_files_no_delete; \
             DROP TRIGGER statement_lines_frozen_update; DROP TRIGGER month_coverage_frozen_update;",
            "DROP TRIGGER closes_append_only ON closes; DROP TRIGGER close_hours_append_only ON close_hours; \
             DROP TRIGGER close_ownership_append_only ON close_ownership; \
             DROP TRIGGER close_deltas_append_only ON close_deltas; \
             DROP TRIGGER close_files_append_only ON close_files; \
             DROP TRIGGER statement_lines_frozen ON statement_lines; \
             DROP TRIGGER month_coverage_frozen ON month_coverage;",
        ).await;
        for (alter, restore) in [
            ("UPDATE closes SET closed_by = 'x' WHERE version = 1", "UPDATE closes SET closed_by = 'ann@example.com'"),
            ("UPDATE closes SET forced_reason = '' WHERE version = 2", "UPDATE closes SET forced_reason = NULL"),
            ("UPDATE close_deltas SET amount_units = amount_units + 1", "UPDATE close_deltas SET amount_units = amount_units - 1"),
            ("UPDATE close_files SET name = 'all/x' WHERE name = 'all/summary.csv'", "UPDATE close_files SET name = 'all/summary.csv' WHERE name = 'all/x'"),
            ("UPDATE close_files SET at_close = 0 WHERE version = 1", "UPDATE close_files SET at_close = 1"),
            ("UPDATE statement_lines SET quantity = quantity + 1 WHERE version = 1 AND quantity IS NOT NULL",
             "UPDATE statement_lines SET quantity = quantity - 1 WHERE version = 1 AND quantity IS NOT NULL"),
            ("UPDATE month_coverage SET minutes = minutes - 1", "UPDATE month_coverage SET minutes = minutes + 1"),
        ] {
            home.tamper_same(alter).await;
            let seen = ledger.verify(&everything()).await;
            assert!(matches!(seen, Err(LedgerError::Corrupt(_))), "{alter}: {seen:?}");
            home.tamper_same(restore).await;
            ledger.verify(&everything()).await.unwrap();
        }
        home.tamper_same("UPDATE close_files SET content = sha256 WHERE version = 1").await;
        let seen = ledger.close_file(&everything(), &base, "statement.csv").await;
        assert!(matches!(seen, Err(LedgerError::Corrupt(_))), "altered bytes are not sent: {seen:?}");
    }

    /// As if the restatement had never been.
    async fn a_close_that_was_cut_off_is_seen_at_the_next_start(home: &Home) {
        let (ledger, guard, month) = rated(home).await;
        let base = close(&ledger, &guard, &month).await;
        let plan = restating(&ledger, "one", corrected()).await;
        ledger.restate_month(&guard, &base, plan).await.unwrap();
        ledger.close().await;
        drop(ledger);
        home.tamper(
            "PRAGMA foreign_keys = OFF; DROP TRIGGER closes_no_delete; DELETE FROM closes WHERE version = 2;",
            "DROP TRIGGER closes_append_only ON closes; SET session_replication_role = replica; \
             DELETE FROM closes WHERE version = 2;",
        ).await;
        let error = home.try_open().await.unwrap_err();
        assert!(matches!(error, OpenError::Corrupt { .. }), "{error}");
    }
}
