//! Who owned what, when.

use chrono::{DateTime, TimeDelta, Utc};
use defray_ledger::{Assumed, Changes, Ledger, LedgerError, Observation, Scope, WriteGuard};
use defray_pricing::names::Uid;
use defray_pricing::ownership::{NamespaceFact, NodeFact, Origin, Span, TenantFact, Timeline};

use crate::support::both;
use crate::support::things::{cluster, now};

fn tenant(team: &str, cost_center: &str) -> (Uid, TenantFact) {
    let fact = TenantFact {
        name: team.to_owned(),
        team: team.into(),
        cost_center: cost_center.into(),
        owner_email: "owner@bank.example".to_owned(),
        ad_group: None,
        services: ["kafka".into()].into(),
        node_pool_size: Some(3),
        node_pool_instance_type: None,
        malformed: None,
    };
    (Uid::from(format!("uid-{team}")), fact)
}

fn namespace(uid: &str, name: &str) -> (Uid, NamespaceFact) {
    (
        Uid::from(uid),
        NamespaceFact {
            name: name.into(),
            labels: [("team".into(), "a".into())].into(),
            annotations: [("note".into(), "b".into())].into(),
        },
    )
}

fn node(name: &str) -> (Uid, NodeFact) {
    let fact = NodeFact {
        name: name.to_owned(),
        pool: "default".into(),
        instance_type: "m5".into(),
        capacity_type: "".into(),
        dedicated_to: Some("team-a".to_owned()),
    };
    (Uid::from(name), fact)
}

fn tenants(list: &[(Uid, TenantFact)]) -> Observation {
    Observation { tenants: Some(list.to_vec()), ..Observation::default() }
}

fn namespaces(list: &[(Uid, NamespaceFact)]) -> Observation {
    Observation { namespaces: Some(list.to_vec()), ..Observation::default() }
}

fn at(minutes: i64) -> DateTime<Utc> {
    now() + TimeDelta::minutes(minutes)
}

async fn see(ledger: &Ledger, guard: &WriteGuard, minutes: i64, observation: &Observation) -> (u64, u64) {
    let Changes { opened, closed } =
        ledger.observe(guard, &cluster(), at(minutes), observation).await.unwrap().total();
    (opened, closed)
}

async fn timeline(ledger: &Ledger) -> Timeline {
    ledger.timeline(&Scope::everything()).await.unwrap()
}

both! {
    /// Whatever the kind, with every field.
    async fn facts_come_back_as_they_were_seen(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        let all = Observation {
            tenants: Some(vec![tenant("team-a", "CC1")]),
            namespaces: Some(vec![namespace("n1", "vcluster-team-a")]),
            nodes: Some(vec![node("node-1")]),
            ..Observation::default()
        };
        assert_eq!(see(&ledger, &guard, 0, &all).await, (3, 0));
        let seen = timeline(&ledger).await;
        assert_eq!(seen.tenants[0].fact, tenant("team-a", "CC1").1);
        assert_eq!(seen.namespaces[0].fact, namespace("n1", "vcluster-team-a").1);
        assert_eq!(seen.nodes[0].fact, node("node-1").1);
        assert_eq!((seen.nodes[0].from, seen.nodes[0].until, seen.nodes[0].origin), (at(0), None, Origin::Observed));
        assert_eq!(seen.observed_since, [(cluster(), at(0))].into());
    }

    /// Every minute, after every restart: no new spans.
    async fn the_same_lists_again_change_nothing(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        let list = tenants(&[tenant("team-a", "CC1"), tenant("team-b", "CC2")]);
        assert_eq!(see(&ledger, &guard, 0, &list).await, (2, 0));
        let before = timeline(&ledger).await;
        assert_eq!(see(&ledger, &guard, 0, &list).await, (0, 0));
        ledger.close().await;
        drop(ledger);
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        assert_eq!(see(&ledger, &guard, 5, &list).await, (0, 0));
        assert_eq!(timeline(&ledger).await, before);
    }

    /// A changed cost centre ends one span and begins the next at the same moment.
    async fn a_change_splits_the_span(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        see(&ledger, &guard, 0, &tenants(&[tenant("team-a", "CC1")])).await;
        assert_eq!(see(&ledger, &guard, 90, &tenants(&[tenant("team-a", "CC2")])).await, (1, 1));
        let spans = timeline(&ledger).await.tenants;
        let seen: Vec<_> =
            spans.iter().map(|span| (span.fact.cost_center.as_str(), span.from, span.until)).collect();
        assert_eq!(seen, [("CC1", at(0), Some(at(90))), ("CC2", at(90), None)]);
    }

    /// What was deleted while nobody watched ends when it is found absent.
    async fn what_is_gone_after_a_restart_ends_then(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        see(&ledger, &guard, 0, &namespaces(&[namespace("n1", "one"), namespace("n2", "two")])).await;
        ledger.close().await;
        drop(ledger);
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        assert_eq!(see(&ledger, &guard, 600, &namespaces(&[namespace("n2", "two")])).await, (0, 1));
        let spans = timeline(&ledger).await.namespaces;
        assert_eq!((spans[0].uid.as_str(), spans[0].until), ("n1", Some(at(600))));
        assert_eq!((spans[1].uid.as_str(), spans[1].until), ("n2", None));
        // An empty list is a list; a kind that was not listed stays as it is.
        assert_eq!(see(&ledger, &guard, 601, &Observation::default()).await, (0, 0));
        assert_eq!(see(&ledger, &guard, 602, &namespaces(&[])).await, (0, 1));
    }

    /// Since it was made, but not since before it was looked for and not found; at first, since now.
    async fn a_new_object_holds_since_it_was_made(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        let made = |list: &[(Uid, NamespaceFact)], minutes: i64| Observation {
            created: list.iter().map(|(uid, _)| (uid.clone(), at(minutes))).collect(),
            ..namespaces(list)
        };
        let (one, two, three, four) =
            (namespace("n1", "1"), namespace("n2", "2"), namespace("n3", "3"), namespace("n4", "4"));
        let mut list = vec![one];
        see(&ledger, &guard, 0, &made(&list, -60)).await;
        for (add, minutes, created) in [(two, 10, 4), (three, 20, -5), (four, 30, 99)] {
            list.push(add);
            assert_eq!(see(&ledger, &guard, minutes, &made(&list, created)).await, (1, 0));
        }
        let spans = timeline(&ledger).await.namespaces;
        let seen: Vec<_> = spans.iter().map(|span| (span.uid.as_str(), span.from)).collect();
        assert_eq!(seen, [("n1", at(0)), ("n2", at(4)), ("n3", at(10)), ("n4", at(30))]);
    }

    /// A tenant whose resource became malformed keeps what was known of it, and says so from then on.
    async fn what_cannot_be_read_is_not_gone(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        see(&ledger, &guard, 0, &tenants(&[tenant("team-a", "CC1"), tenant("team-b", "CC2")])).await;
        let unreadable = |reason: &str| Observation {
            unreadable: [(tenant("team-a", "CC1").0, reason.to_owned()), ("uid-never-seen".into(), String::new())].into(),
            ..tenants(&[])
        };
        assert_eq!(see(&ledger, &guard, 10, &unreadable("no team")).await, (1, 2));
        assert_eq!(see(&ledger, &guard, 15, &unreadable("no team")).await, (0, 0), "said once");
        assert_eq!(see(&ledger, &guard, 20, &unreadable("no cost centre")).await, (1, 1));
        assert_eq!(see(&ledger, &guard, 30, &tenants(&[tenant("team-a", "CC1")])).await, (1, 1), "mended");
        assert_eq!(see(&ledger, &guard, 40, &unreadable("no team")).await, (1, 1));
        assert_eq!(see(&ledger, &guard, 50, &tenants(&[])).await, (0, 1), "deleted before it was mended");
        let spans = timeline(&ledger).await.tenants;
        let of_a = spans.iter().filter(|span| span.uid.as_str() == "uid-team-a");
        let seen: Vec<_> = of_a
            .map(|span| (span.fact.cost_center.as_str(), span.fact.malformed.as_deref(), span.from, span.until))
            .collect();
        assert_eq!(seen, [
            ("CC1", None, at(0), Some(at(10))),
            ("CC1", Some("no team"), at(10), Some(at(20))),
            ("CC1", Some("no cost centre"), at(20), Some(at(30))),
            ("CC1", None, at(30), Some(at(40))),
            ("CC1", Some("no team"), at(40), Some(at(50))),
        ]);
    }

    /// Only a tenant says that it is malformed: a namespace and a node go on as they were.
    async fn a_namespace_that_cannot_be_read_goes_on(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        see(&ledger, &guard, 0, &namespaces(&[namespace("n1", "one")])).await;
        let unreadable = [("n1".into(), "a label".to_owned())].into();
        let unreadable = Observation { unreadable, ..namespaces(&[]) };
        assert_eq!(see(&ledger, &guard, 10, &unreadable).await, (0, 0));
    }

    /// Another uid is another namespace, whatever its name; the same uid seen again begins anew.
    async fn a_namespace_created_again_is_another_one(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        see(&ledger, &guard, 0, &namespaces(&[namespace("n1", "same")])).await;
        see(&ledger, &guard, 10, &namespaces(&[namespace("n2", "same")])).await;
        see(&ledger, &guard, 20, &namespaces(&[namespace("n1", "same"), namespace("n2", "same")])).await;
        let spans = timeline(&ledger).await.namespaces;
        let seen: Vec<_> = spans.iter().map(|span| (span.uid.as_str(), span.from, span.until)).collect();
        assert_eq!(seen, [("n1", at(0), Some(at(10))), ("n2", at(10), None), ("n1", at(20), None)]);
    }

    /// The past is not rewritten because a clock went wrong.
    async fn a_clock_that_went_back_is_refused(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        see(&ledger, &guard, 10, &tenants(&[tenant("team-a", "CC1")])).await;
        let before = timeline(&ledger).await;
        let error = ledger.observe(&guard, &cluster(), at(9), &tenants(&[])).await.unwrap_err();
        assert!(matches!(error, LedgerError::ClockWentBack { .. }), "{error}");
        assert_eq!(timeline(&ledger).await, before);
        // Another cluster has its own time.
        ledger.observe(&guard, &"other".into(), at(0), &tenants(&[])).await.unwrap();
    }

    /// Two changes in one instant: the last one holds, the other held for no time.
    async fn two_changes_in_one_instant_leave_the_last(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        see(&ledger, &guard, 0, &tenants(&[tenant("team-a", "CC1")])).await;
        see(&ledger, &guard, 0, &tenants(&[tenant("team-a", "CC2")])).await;
        see(&ledger, &guard, 0, &tenants(&[tenant("team-a", "CC3")])).await;
        let spans = timeline(&ledger).await.tenants;
        assert_eq!(spans.iter().map(|span| span.fact.cost_center.as_str()).collect::<Vec<_>>(), ["CC3"]);
    }

    /// Before the first observation only, once, marked as what it is.
    async fn assumed_spans_end_where_observation_begins(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        let span = |uid: &str, from: i64, until: Option<i64>| Span {
            cluster: cluster(),
            uid: Uid::from(uid),
            from: at(from),
            until: until.map(at),
            origin: Origin::Observed,
            fact: namespace(uid, uid).1,
        };
        let assumed = Assumed {
            namespaces: vec![span("n1", -600, None), span("n2", -600, Some(-300)), span("n3", -60, Some(60))],
            ..Assumed::default()
        };
        assert_eq!(ledger.assume(&guard, &cluster(), &assumed).await.unwrap().opened, 3);
        assert_eq!(ledger.assume(&guard, &cluster(), &assumed).await.unwrap().opened, 0);
        assert_eq!(see(&ledger, &guard, 0, &namespaces(&[namespace("n1", "n1")])).await, (1, 1));
        let late = Assumed { namespaces: vec![span("n4", -5, None), span("n5", 5, None)], ..Assumed::default() };
        assert_eq!(ledger.assume(&guard, &cluster(), &late).await.unwrap().opened, 1);
        let spans = timeline(&ledger).await.namespaces;
        let seen: Vec<_> = spans.iter().map(|s| (s.uid.as_str(), s.from, s.until, s.origin)).collect();
        assert_eq!(seen, [
            ("n1", at(-600), Some(at(0)), Origin::Assumed),
            ("n2", at(-600), Some(at(-300)), Origin::Assumed),
            ("n3", at(-60), Some(at(0)), Origin::Assumed),
            ("n4", at(-5), Some(at(0)), Origin::Assumed),
            ("n1", at(0), None, Origin::Observed),
        ]);
        let mut foreign = assumed.clone();
        foreign.namespaces[0].cluster = "other".into();
        ledger.assume(&guard, &cluster(), &foreign).await.unwrap_err();
    }

    /// The timeline names every tenant: it is not for one of them.
    async fn a_tenant_does_not_see_the_timeline(home: &Home) {
        let ledger = home.open().await;
        let error = ledger.timeline(&Scope::tenants(["team-a".into()].into())).await.unwrap_err();
        assert!(matches!(error, LedgerError::OutOfScope(_)), "{error}");
    }

    /// A span only ever ends.
    async fn spans_cannot_be_changed_behind_our_back(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        see(&ledger, &guard, 0, &tenants(&[tenant("team-a", "CC1")])).await;
        see(&ledger, &guard, 1, &tenants(&[])).await;
        for sql in ["UPDATE spans SET until = NULL", "UPDATE spans SET until = until + 1", "UPDATE spans SET fact = ''"] {
            let said = home.refusal(sql).await;
            assert!(said.contains("only ever ends"), "{sql}: {said}");
        }
        assert!(home.refusal("DELETE FROM spans").await.contains("never deleted"));
    }
}
