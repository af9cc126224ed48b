//! Recording hours.

use defray_ledger::{LedgerError, OpenError, RecordedHour, Scope};
use defray_pricing::names::ClusterName;
use defray_pricing::time::HourRange;

use crate::support::things::{all, cluster, first, now, recorded, usage};
use crate::support::{Home, both};

both! {
    /// Rows of every kind come back as they went in, also after a restart.
    async fn what_is_recorded_comes_back_to_the_last_digit(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        let hours: Vec<RecordedHour> = [3, 1, 2].map(|n| recorded(at(n), n)).into();
        let done = ledger.record(&guard, hours.clone()).await.unwrap();
        assert!(done.iter().all(|hour| hour.changed && hour.revision == 1));
        ledger.close().await;
        drop(ledger);

        let ledger = home.open().await;
        let usage = ledger.usage(&Scope::everything(), all()).await.unwrap();
        let expected: Vec<_> = [1, 2, 0].map(|n| hours[n].usage.clone()).into();
        assert_eq!(usage, expected);
        let entries = ledger.hours(&Scope::everything(), &cluster(), all()).await.unwrap();
        assert_eq!(entries.len(), 3);
        assert_eq!(entries[0].coverage, expected[0].coverage);
        assert_eq!(entries[0].measured_at, hours[1].measured_at);
        assert_eq!(ledger.verify(&Scope::everything()).await.unwrap(), 3);
    }

    /// The digest is of the content: neither row order nor the time of measuring is part of it.
    async fn the_same_content_again_is_no_revision(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        ledger.record(&guard, vec![recorded(first(), 1)]).await.unwrap();
        let mut again = recorded(first(), 1);
        again.usage.compute.reverse();
        again.measured_at = now();
        let done = ledger.record(&guard, vec![again.clone(), again]).await.unwrap();
        assert!(done.iter().all(|hour| !hour.changed && hour.revision == 1), "{done:?}");
        assert_eq!(ledger.verify(&Scope::everything()).await.unwrap(), 1);
    }

    /// Both revisions are kept, the newer one is current.
    async fn other_content_is_the_next_revision(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        for (seed, revision, changed) in [(1, 1, true), (2, 2, true), (2, 2, false), (1, 3, true)] {
            let done = ledger.record(&guard, vec![recorded(first(), seed)]).await.unwrap();
            assert_eq!((done[0].revision, done[0].changed), (revision, changed));
        }
        let usage = ledger.usage(&Scope::everything(), all()).await.unwrap();
        assert_eq!(usage, [recorded(first(), 1).usage]);
        assert_eq!(ledger.verify(&Scope::everything()).await.unwrap(), 3);
    }

    /// Clusters have chains of their own; usage comes in the order of hour, cluster.
    async fn clusters_do_not_mix(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        let mut hours = Vec::new();
        for name in ["b", "a"] {
            for n in [1, 0] {
                let usage = usage(&ClusterName::from(name), at(n), 5);
                hours.push(RecordedHour { usage, measured_at: now() });
            }
        }
        ledger.record(&guard, hours).await.unwrap();
        let got = ledger.usage(&Scope::everything(), all()).await.unwrap();
        let got: Vec<_> = got.iter().map(|usage| (usage.hour, usage.cluster.as_str())).collect();
        assert_eq!(got, [(at(0), "a"), (at(0), "b"), (at(1), "a"), (at(1), "b")]);
        let one = HourRange { from: at(1), until: at(2) };
        assert_eq!(ledger.hours(&Scope::everything(), &"a".into(), one).await.unwrap().len(), 1);
        let clusters = ledger.clusters(&Scope::everything()).await.unwrap();
        assert_eq!(clusters, ["a".into(), "b".into()]);
    }

    /// A narrow look at what is there: which hours, which is the latest, and what each was read from.
    async fn which_hours_are_there_is_told_without_what_is_in_them(home: &Home) {
        let ledger = home.open().await;
        let everything = Scope::everything();
        assert_eq!(ledger.latest_hour(&everything).await.unwrap(), None);
        let guard = ledger.acquire().await.unwrap();
        for (n, seed) in [(4, 1), (0, 1), (2, 1), (2, 2)] {
            ledger.record(&guard, vec![recorded(at(n), seed)]).await.unwrap();
        }
        let other = RecordedHour { usage: usage(&"a".into(), at(3), 1), measured_at: now() };
        ledger.record(&guard, vec![other]).await.unwrap();
        let range = HourRange { from: at(0), until: at(4) };
        let hours = ledger.recorded_hours(&everything, &cluster(), range).await.unwrap();
        assert_eq!(hours, [at(0), at(2)].into());
        assert_eq!(ledger.latest_hour(&everything).await.unwrap(), Some((cluster(), at(4))));
        let entries = ledger.hours(&everything, &cluster(), all()).await.unwrap();
        let digests: Vec<_> = entries.iter().map(|entry| (entry.digest, entry.hour)).collect();
        let read = ledger.usage_with_digests(&everything, all()).await.unwrap();
        let read: Vec<_> = read
            .iter()
            .filter(|(_, usage)| usage.cluster == cluster())
            .map(|(digest, usage)| (*digest, usage.hour))
            .collect();
        assert_eq!(read, digests);
    }

    /// Clusters belong to no single tenant.
    async fn a_tenants_reader_is_told_nothing_of_clusters(home: &Home) {
        let ledger = home.open().await;
        let one = Scope::tenants(["a".into()].into());
        let refused = |error: LedgerError| matches!(error, LedgerError::OutOfScope(_));
        assert!(refused(ledger.clusters(&one).await.unwrap_err()));
        assert!(refused(ledger.hours(&one, &cluster(), all()).await.unwrap_err()));
        assert!(refused(ledger.recorded_hours(&one, &cluster(), all()).await.unwrap_err()));
        assert!(refused(ledger.latest_hour(&one).await.unwrap_err()));
        assert!(refused(ledger.day_inputs(&one, "2026-10".parse().unwrap()).await.unwrap_err()));
    }

    /// A row key that is there twice would be billed twice or dropped: neither.
    async fn two_rows_of_one_key_are_refused(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        let mut twice = recorded(first(), 1);
        twice.usage.nodes.push(twice.usage.nodes[0].clone());
        let error = ledger.record(&guard, vec![recorded(at(1), 1), twice]).await.unwrap_err();
        assert!(matches!(error, LedgerError::Encode(_)), "{error}");
        assert!(ledger.usage(&Scope::everything(), all()).await.unwrap().is_empty());
    }

    /// Noted with each try, gone once recorded; a recorded hour is not missing.
    async fn a_missing_hour_is_noted_until_it_is_recorded(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        let later = now() + chrono::TimeDelta::minutes(10);
        ledger.note_missing(&guard, &cluster(), at(2), "no route", now(), later).await.unwrap();
        ledger.note_missing(&guard, &cluster(), at(1), "no route", now(), later).await.unwrap();
        ledger.note_missing(&guard, &cluster(), at(1), "partial answer", later, later).await.unwrap();
        let missing = ledger.missing(&Scope::everything()).await.unwrap();
        assert_eq!(missing.len(), 2);
        assert_eq!((missing[0].hour, missing[0].tries, missing[0].reason.as_str()), (at(1), 2, "partial answer"));
        assert_eq!((missing[0].first_seen, missing[0].next_try), (now(), later));
        ledger.record(&guard, vec![recorded(at(1), 1)]).await.unwrap();
        ledger.note_missing(&guard, &cluster(), at(1), "late", now(), later).await.unwrap();
        let missing = ledger.missing(&Scope::everything()).await.unwrap();
        assert_eq!(missing.iter().map(|hour| hour.hour).collect::<Vec<_>>(), [at(2)]);
    }

    /// Since when is kept, it is gone once a store has it after all, and a recorded hour is none.
    async fn an_hour_is_lost_until_it_is_found_or_recorded(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        let day = now() + chrono::TimeDelta::days(1);
        let noted = async || {
            let missing = ledger.missing(&Scope::everything()).await.unwrap();
            let brief = |note: defray_ledger::Missing| (note.hour, note.reason, note.next_try, note.lost_since);
            missing.into_iter().map(brief).collect::<Vec<_>>()
        };
        for hour in [at(1), at(2)] {
            ledger.note_missing(&guard, &cluster(), hour, "no data", now(), now()).await.unwrap();
        }
        let hours = [at(1), at(2), at(3)];
        ledger.note_lost(&guard, &cluster(), &hours, "forgotten", now(), now()).await.unwrap();
        ledger.note_lost(&guard, &cluster(), &hours, "twice", day, now()).await.unwrap();
        ledger.put_off_lost(&guard, &cluster(), day).await.unwrap();
        let lost = |hour| (hour, "forgotten".to_owned(), day, Some(now()));
        assert_eq!(noted().await, [lost(at(1)), lost(at(2))], "the third was never missed");
        ledger.note_found(&guard, &cluster(), &[at(2)], "there again", day).await.unwrap();
        assert_eq!(noted().await, [lost(at(1)), (at(2), "there again".to_owned(), day, None)]);
        ledger.record(&guard, vec![recorded(at(1), 1), recorded(at(2), 1)]).await.unwrap();
        assert_eq!(noted().await, []);
    }

    /// An hour that cannot even be tried has a reason and no tries; of hours that count no more nothing is noted.
    async fn an_hour_that_waits_has_a_reason_and_no_tries(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        let noted = async || {
            let missing = ledger.missing(&Scope::everything()).await.unwrap();
            missing.into_iter().map(|note| (note.hour, note.tries, note.reason)).collect::<Vec<_>>()
        };
        ledger.record(&guard, vec![recorded(at(1), 1)]).await.unwrap();
        ledger.note_missing(&guard, &cluster(), at(3), "no data", now(), now()).await.unwrap();
        for reason in ["forbidden", "nobody answers"] {
            ledger.note_waiting(&guard, &cluster(), &[at(1), at(2), at(3)], reason, now()).await.unwrap();
        }
        let why = || "nobody answers".to_owned();
        assert_eq!(noted().await, [(at(2), 0, why()), (at(3), 1, why())]);
        let counted = HourRange { from: at(0), until: at(3) };
        ledger.forget_missing(&guard, &"other".into(), HourRange { from: at(0), until: at(0) }).await.unwrap();
        ledger.forget_missing(&guard, &cluster(), counted).await.unwrap();
        assert_eq!(noted().await, [(at(2), 0, why())]);
    }

    /// One bit of a stored file, and neither reading nor opening goes on.
    async fn a_flipped_bit_in_a_stored_hour_is_seen(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        ledger.record(&guard, vec![recorded(first(), 1)]).await.unwrap();
        home.tamper(
            "DROP TRIGGER hour_blobs_no_update; UPDATE hour_blobs SET content = \
             CAST(substr(content, 1, 99) || (CASE WHEN substr(content, 100, 1) = x'00' THEN x'01' ELSE x'00' END) \
             || substr(content, 101) AS BLOB);",
            "DROP TRIGGER hour_blobs_append_only ON hour_blobs; \
             UPDATE hour_blobs SET content = set_byte(content, 99, get_byte(content, 99) # 1);",
        )
        .await;
        let error = ledger.usage(&Scope::everything(), all()).await.unwrap_err();
        assert!(matches!(error, LedgerError::Corrupt(_)), "{error}");
        ledger.close().await;
        drop(ledger);
        let error = home.try_open().await.unwrap_err();
        assert!(matches!(error, OpenError::Corrupt { .. }), "{error}");
    }

    /// Altered, dropped or cut off: the chain does not hold.
    async fn what_breaks_the_chain_is_seen_at_the_next_start(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        for n in 0..4 {
            ledger.record(&guard, vec![recorded(at(n), n)]).await.unwrap();
        }
        ledger.close().await;
        drop(ledger);
        let unprotected = "DROP TRIGGER hours_no_update; DROP TRIGGER hours_no_delete; \
             DROP TRIGGER hour_blobs_no_delete; DROP TRIGGER hour_coverage_no_delete;";
        home.tamper(
            unprotected,
            "DROP TRIGGER hours_append_only ON hours; DROP TRIGGER hour_blobs_no_delete ON hour_blobs; \
             DROP TRIGGER hour_coverage_append_only ON hour_coverage;",
        )
        .await;
        home.open().await.close().await;
        home.tamper_same("UPDATE chain_heads SET seq = seq + 1;").await;
        corrupt(home).await;
        home.tamper_same("UPDATE chain_heads SET seq = seq - 1;").await;
        home.open().await.close().await;
        home.tamper_same(
            "CREATE TABLE kept AS SELECT seq, digest FROM hours; \
             UPDATE hours SET digest = (SELECT k.digest FROM kept k WHERE k.seq = 1) WHERE seq = 2;",
        )
        .await;
        corrupt(home).await;
        home.tamper_same("UPDATE hours SET digest = (SELECT k.digest FROM kept k WHERE k.seq = hours.seq);").await;
        home.open().await.close().await;
        // A tail that was cut off.
        home.tamper_same(
            "DELETE FROM hour_blobs WHERE hour = (SELECT hour FROM hours WHERE seq = 4); \
             DELETE FROM hour_coverage WHERE hour = (SELECT hour FROM hours WHERE seq = 4); \
             DELETE FROM hours WHERE seq = 4;",
        )
        .await;
        corrupt(home).await;
        // And the head moved back with it, but not to where it was.
        home.tamper_same("UPDATE chain_heads SET seq = 3;").await;
        corrupt(home).await;
    }

    /// The database itself refuses, also `INSERT OR REPLACE`.
    async fn a_recorded_hour_cannot_be_changed_behind_our_back(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        ledger.record(&guard, vec![recorded(first(), 1)]).await.unwrap();
        for sql in [
            "UPDATE hours SET revision = 7",
            "DELETE FROM hours",
            "UPDATE hour_blobs SET hour = 7",
            "DELETE FROM hour_blobs",
            "UPDATE hour_coverage SET minutes = 60",
            "DELETE FROM hour_coverage",
        ] {
            let said = home.refusal(sql).await;
            assert!(said.contains("recorded hour is never"), "{sql}: {said}");
        }
        if matches!(home, Home::Directory(_)) {
            let said = home.refusal("INSERT OR REPLACE INTO hour_blobs SELECT cluster, hour, revision, x'00' FROM hour_blobs").await;
            assert!(said.contains("never deleted"), "{said}");
        }
    }
}

async fn corrupt(home: &Home) {
    let error = home.try_open().await.unwrap_err();
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error}");
}

fn at(n: i64) -> defray_pricing::time::Hour {
    defray_pricing::time::Hour::from_index(first().index() + n)
}
