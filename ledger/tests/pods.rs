//! In which virtual namespace each pod was, when.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use defray_ledger::{Changes, Ledger, LedgerError, PodChange, PodFact, Scope, SeenPod, WriteGuard};
use defray_pricing::names::Uid;
use defray_pricing::time::Hour;

use crate::support::both;
use crate::support::things::{cluster, now};

/// Minutes from noon.
fn at(minutes: i64) -> DateTime<Utc> {
    now() + TimeDelta::minutes(minutes)
}

fn pod(uid: &str, name: &str, inside: &str, created: i64) -> SeenPod {
    let fact = PodFact {
        namespace: "vcluster-team-a".into(),
        name: name.to_owned(),
        virtual_namespace: inside.into(),
    };
    SeenPod { uid: Uid::from(uid), created: Some(at(created)), fact }
}

fn seen(pod: &SeenPod, minutes: i64) -> PodChange {
    PodChange::Seen { pod: pod.clone(), at: at(minutes) }
}

fn gone(pod: &SeenPod, minutes: i64) -> PodChange {
    PodChange::Gone { uid: pod.uid.clone(), at: at(minutes) }
}

async fn follow(ledger: &Ledger, guard: &WriteGuard, changes: &[PodChange]) -> (u64, u64) {
    let Changes { opened, closed } = ledger.follow_pods(guard, &cluster(), changes).await.unwrap();
    (opened, closed)
}

async fn list(ledger: &Ledger, guard: &WriteGuard, minutes: i64, pods: &[SeenPod]) -> (u64, u64) {
    let before = here(ledger).await;
    let Changes { opened, closed } =
        ledger.list_pods(guard, &cluster(), at(minutes), &before, pods).await.unwrap();
    (opened, closed)
}

async fn here(ledger: &Ledger) -> BTreeSet<Uid> {
    ledger.pods_now(&Scope::everything(), &cluster()).await.unwrap()
}

/// What is known of the hour that begins so many hours from noon: uid, virtual namespace, minutes from noon.
async fn known(ledger: &Ledger, hours: i64) -> Vec<(String, String, i64, Option<i64>)> {
    let hour = Hour::containing(at(hours * 60));
    let spans = ledger.pods(&Scope::everything(), &cluster(), hour).await.unwrap();
    let minutes = |moment: DateTime<Utc>| (moment - now()).num_minutes();
    let row = |span: &defray_pricing::ownership::Span<PodFact>| {
        let inside = span.fact.virtual_namespace.as_str().to_owned();
        (span.uid.as_str().to_owned(), inside, minutes(span.from), span.until.map(minutes))
    };
    spans.iter().map(row).collect()
}

fn row(uid: &str, inside: &str, from: i64, until: Option<i64>) -> (String, String, i64, Option<i64>) {
    (uid.to_owned(), inside.to_owned(), from, until)
}

both! {
    /// It was there since it was made, until it was seen to go, and is known in every hour between.
    async fn a_pod_that_came_and_went_is_known_in_its_hours(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        let (long, short) = (pod("u1", "web", "shop", -70), pod("u2", "job", "batch", 12));
        assert_eq!(follow(&ledger, &guard, &[seen(&long, 10), seen(&short, 13)]).await, (2, 0));
        assert_eq!(here(&ledger).await, ["u1".into(), "u2".into()].into());
        assert_eq!(follow(&ledger, &guard, &[gone(&short, 20)]).await, (0, 1));
        assert_eq!(known(&ledger, -2).await, [row("u1", "shop", -70, None)], "before it was seen");
        assert_eq!(known(&ledger, 0).await, [row("u2", "batch", 12, Some(20)), row("u1", "shop", -70, None)]);
        assert_eq!(known(&ledger, 1).await, [row("u1", "shop", -70, None)]);
        assert_eq!(known(&ledger, -3).await, []);
        let facts = ledger.pods(&Scope::everything(), &cluster(), Hour::containing(at(0))).await.unwrap();
        assert_eq!([&facts[0].fact, &facts[1].fact], [&short.fact, &long.fact]);
    }

    /// What an hour that may be measured already was made of stays: a pod that no list and no watch told of in time
    /// is known from the last list on, as an object is that is owned.
    async fn a_pod_that_is_learned_of_late_is_in_no_hour_before_the_last_list(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        let (watched, listed, newer) = (pod("u1", "a", "x", 10), pod("u2", "b", "x", 20), pod("u3", "c", "x", 68));
        assert_eq!(list(&ledger, &guard, 65, &[]).await, (0, 0));
        follow(&ledger, &guard, &[seen(&watched, 70), seen(&newer, 70)]).await;
        assert_eq!(known(&ledger, 0).await, []);
        assert_eq!(known(&ledger, 1).await, [row("u1", "x", 65, None), row("u3", "x", 68, None)]);
        list(&ledger, &guard, 130, &[watched, listed, newer]).await;
        assert_eq!(known(&ledger, 0).await, [], "a list that missed it once counts like any");
        assert_eq!(known(&ledger, 1).await[1], row("u2", "x", 65, None));
    }

    /// Whole lives between two writes are kept, in the instant they had.
    async fn a_life_within_one_batch_is_kept(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        let short = pod("u1", "job", "batch", 5);
        assert_eq!(follow(&ledger, &guard, &[seen(&short, 5), gone(&short, 5)]).await, (1, 1));
        assert_eq!(known(&ledger, 0).await, [row("u1", "batch", 5, Some(5))]);
    }

    /// Every watch begins with all there is, after every restart.
    async fn the_same_again_changes_nothing(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        let (one, two) = (pod("u1", "web", "shop", 0), pod("u2", "a-0", "(control plane)", 0));
        let life = [seen(&one, 1), seen(&two, 1), gone(&two, 2)];
        assert_eq!(follow(&ledger, &guard, &life).await, (2, 1));
        let before = known(&ledger, 0).await;
        assert_eq!(follow(&ledger, &guard, &life).await, (0, 0));
        assert_eq!(list(&ledger, &guard, 3, std::slice::from_ref(&one)).await, (0, 0));
        ledger.close().await;
        drop(ledger);
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        assert_eq!(follow(&ledger, &guard, &[seen(&one, 4)]).await, (0, 0));
        assert_eq!(list(&ledger, &guard, 4, std::slice::from_ref(&one)).await, (0, 0));
        assert_eq!(known(&ledger, 0).await, before);
    }

    /// What went while nobody watched ends at the list; what came is known since it was made.
    async fn a_list_finds_what_the_watch_missed(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        let (one, two, three) = (pod("u1", "a", "x", 0), pod("u2", "b", "x", 0), pod("u3", "c", "x", 30));
        assert_eq!(ledger.pods_listed(&Scope::everything(), &cluster()).await.unwrap(), None);
        assert_eq!(list(&ledger, &guard, 1, &[one.clone(), two.clone()]).await, (2, 0));
        assert_eq!(list(&ledger, &guard, 90, &[two, three]).await, (1, 1));
        assert_eq!(known(&ledger, 0).await, [
            row("u1", "x", 0, Some(90)),
            row("u2", "x", 0, None),
            row("u3", "x", 30, None),
        ]);
        assert_eq!(ledger.pods_listed(&Scope::everything(), &cluster()).await.unwrap(), Some(at(90)));
        assert_eq!(list(&ledger, &guard, 91, &[]).await, (0, 2), "an empty list is a list");
    }

    /// A list and a watch at the same time: neither undoes what the other saw later.
    async fn a_list_that_was_overtaken_by_the_watch_undoes_nothing(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        let (goes, comes) = (pod("u1", "a", "x", 0), pod("u2", "b", "x", 10));
        follow(&ledger, &guard, &[seen(&goes, 1)]).await;
        let before = here(&ledger).await;
        // The list is begun, and holds the one that goes and not yet the one that comes.
        follow(&ledger, &guard, &[gone(&goes, 11), seen(&comes, 11)]).await;
        let listed = std::slice::from_ref(&goes);
        let done = ledger.list_pods(&guard, &cluster(), at(10), &before, listed).await.unwrap();
        assert_eq!(done, Changes::default());
        assert_eq!(known(&ledger, 0).await, [row("u1", "x", 0, Some(11)), row("u2", "x", 10, None)]);
    }

    /// Labels can be changed while a pod runs; of one name the last is the last.
    async fn changed_labels_and_reused_names_follow_each_other(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        let (first, again) = (pod("u2", "db-0", "x", 0), pod("u1", "db-0", "y", 20));
        let moved = SeenPod { fact: PodFact { virtual_namespace: "z".into(), ..again.fact.clone() }, ..again.clone() };
        follow(&ledger, &guard, &[seen(&first, 0), gone(&first, 19), seen(&again, 21), seen(&moved, 30)]).await;
        let lives = [row("u2", "x", 0, Some(19)), row("u1", "y", 20, Some(30)), row("u1", "z", 30, None)];
        assert_eq!(known(&ledger, 0).await, lives);
        follow(&ledger, &guard, &[seen(&moved, 40)]).await;
        assert_eq!(known(&ledger, 0).await, lives);
    }

    /// A list of somebody else's pods ended them all; the next right one takes them up again.
    async fn a_pod_that_is_there_after_all_begins_anew(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        let one = pod("u1", "a", "x", 0);
        list(&ledger, &guard, 1, std::slice::from_ref(&one)).await;
        assert_eq!(list(&ledger, &guard, 2, &[]).await, (0, 1));
        assert_eq!(list(&ledger, &guard, 3, std::slice::from_ref(&one)).await, (1, 0));
        assert_eq!(known(&ledger, 0).await, [row("u1", "x", 0, Some(2)), row("u1", "x", 3, None)]);
    }

    /// The API server's clock may be ahead of ours, and ours may go back.
    async fn clocks_that_disagree_make_no_span_that_ends_before_it_begins(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        let ahead = pod("u1", "a", "x", 50);
        follow(&ledger, &guard, &[seen(&ahead, 10), gone(&ahead, 5)]).await;
        assert_eq!(known(&ledger, 0).await, [row("u1", "x", 10, Some(10))]);
        list(&ledger, &guard, 20, &[]).await;
        let error = ledger.list_pods(&guard, &cluster(), at(19), &BTreeSet::new(), &[]).await.unwrap_err();
        assert!(matches!(error, LedgerError::ClockWentBack { .. }), "{error}");
        ledger.list_pods(&guard, &"other".into(), at(0), &BTreeSet::new(), &[]).await.unwrap();
    }

    /// Hours that had settled by a list may be measured. A clock that went back after it moves nothing in them.
    async fn what_a_clock_that_went_back_sees_is_in_no_hour_before_the_last_list(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        let (gone_now, moved, here) = (pod("u1", "a", "x", 5), pod("u2", "b", "x", 5), pod("u3", "c", "x", 30));
        let inside = pod("u2", "b", "y", 5);
        list(&ledger, &guard, 10, &[gone_now.clone(), moved]).await;
        list(&ledger, &guard, 65, &[gone_now.clone(), pod("u2", "b", "x", 5)]).await;
        let before = known(&ledger, 0).await;
        let back = [gone(&gone_now, 40), seen(&inside, 41), seen(&here, 42), gone(&here, 43)];
        follow(&ledger, &guard, &back).await;
        let from_then_on = |rows: Vec<(String, String, i64, Option<i64>)>| -> Vec<_> {
            rows.into_iter().map(|(uid, inside, from, _)| (uid, inside, from)).collect()
        };
        assert_eq!(from_then_on(known(&ledger, 0).await), from_then_on(before));
        let after = [row("u1", "x", 5, Some(65)), row("u2", "x", 5, Some(65)), row("u2", "y", 65, None)];
        let short = row("u3", "x", 65, Some(65));
        assert_eq!(known(&ledger, 1).await, [&after[..], &[short]].concat());
    }

    /// A day of a large cluster in one list, and its hour, in the time of a few statements.
    async fn many_pods_are_taken_in_at_once(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        let all: Vec<SeenPod> = (0..1_200).map(|n| pod(&format!("u{n}"), &format!("p{n}"), "x", 0)).collect();
        assert_eq!(list(&ledger, &guard, 1, &all).await, (1_200, 0));
        assert_eq!(list(&ledger, &guard, 2, &all[600..]).await, (0, 600));
        assert_eq!(known(&ledger, 0).await.len(), 1_200);
        assert_eq!(known(&ledger, 1).await.len(), 600);
    }

    /// The names of pods are not for one tenant.
    async fn a_tenant_does_not_see_pods(home: &Home) {
        let ledger = home.open().await;
        let tenant = Scope::tenants(["team-a".into()].into());
        let hour = Hour::containing(at(0));
        for error in [
            ledger.pods(&tenant, &cluster(), hour).await.map(drop).unwrap_err(),
            ledger.pods_now(&tenant, &cluster()).await.map(drop).unwrap_err(),
            ledger.pods_listed(&tenant, &cluster()).await.map(drop).unwrap_err(),
        ] {
            assert!(matches!(error, LedgerError::OutOfScope(_)), "{error}");
        }
    }

    /// A span only ever ends, and what holds stays.
    async fn pods_cannot_be_changed_behind_our_back(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        let one = pod("u1", "a", "x", 0);
        follow(&ledger, &guard, &[seen(&one, 1)]).await;
        for sql in ["UPDATE pods SET virtual_namespace = 'y', until = since", "UPDATE pods SET since = since - 1"] {
            let said = home.refusal(sql).await;
            assert!(said.contains("only ever ends"), "{sql}: {said}");
        }
        assert!(home.refusal("DELETE FROM pods").await.contains("never forgotten"));
        follow(&ledger, &guard, &[gone(&one, 2)]).await;
        assert!(home.refusal("UPDATE pods SET until = until + 1").await.contains("only ever ends"));
    }

    /// Whoever was replaced writes nothing.
    async fn a_replaced_writer_is_refused(home: &Home) {
        let ledger = home.open().await;
        let old = ledger.acquire().await.unwrap();
        ledger.acquire().await.unwrap();
        let one = pod("u1", "a", "x", 0);
        let error = ledger.follow_pods(&old, &cluster(), &[seen(&one, 1)]).await.unwrap_err();
        assert!(matches!(error, LedgerError::Fenced { .. }), "{error}");
    }
}
