//! The outbox.

use chrono::{DateTime, TimeDelta, Utc};
use defray_ledger::{Delivery, DeliveryState, DisabledEndpoint, LedgerError, Outcome, Scope};
use defray_pricing::digest::Digest;

use crate::support::both;
use crate::support::things::now;

fn delivery(report: &str, revision: u32, body: &str) -> Delivery {
    Delivery {
        sink: "finops".to_owned(),
        report_id: report.to_owned(),
        revision,
        idempotency_key: format!("key-{report}-{revision}"),
        body: body.as_bytes().to_vec(),
        content_digest: Digest::of(body.as_bytes()),
        enqueued_at: now(),
    }
}

fn at(minutes: i64) -> DateTime<Utc> {
    now() + TimeDelta::minutes(minutes)
}

both! {
    /// With the same key and the same bytes, across a restart, until it is delivered.
    async fn what_is_enqueued_stays_due_until_it_is_settled(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        let everything = Scope::everything();
        assert_eq!(ledger.enqueue(&guard, vec![delivery("a", 1, "{}"), delivery("b", 1, "é")]).await.unwrap(), 2);
        assert_eq!(ledger.enqueue(&guard, vec![delivery("a", 1, "{}")]).await.unwrap(), 0);
        ledger.close().await;
        drop(ledger);

        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        let due = ledger.due(&everything, "finops", at(0), 10).await.unwrap();
        assert_eq!(due.iter().map(|entry| entry.delivery.clone()).collect::<Vec<_>>(), [
            delivery("a", 1, "{}"),
            delivery("b", 1, "é")
        ]);
        assert!(ledger.due(&everything, "other", at(0), 10).await.unwrap().is_empty());
        let retry = Outcome::Retry { reason: "503".into(), status: Some(503), next_at: at(5) };
        ledger.settle(&guard, due[0].id, &retry).await.unwrap();
        ledger.settle(&guard, due[1].id, &Outcome::Delivered { status: 201, at: at(1) }).await.unwrap();
        assert!(ledger.due(&everything, "finops", at(4), 10).await.unwrap().is_empty());
        let again = ledger.due(&everything, "finops", at(5), 10).await.unwrap();
        assert_eq!((again[0].id, again[0].attempts, again[0].last_status), (due[0].id, 1, Some(503)));
        assert_eq!(again[0].delivery, delivery("a", 1, "{}"));
        let done = ledger.deliveries(&everything, Some(DeliveryState::Delivered), 10).await.unwrap();
        assert_eq!((done.len(), done[0].delivered_at, done[0].last_status), (1, Some(at(1)), Some(201)));
        let error = ledger.settle(&guard, due[1].id, &retry).await.unwrap_err();
        assert!(matches!(error, LedgerError::Unknown(_)), "{error}");
    }

    /// Never one key with two bodies.
    async fn another_body_under_a_known_key_is_refused(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        ledger.enqueue(&guard, vec![delivery("a", 1, "one")]).await.unwrap();
        let mut reused = delivery("a", 2, "two");
        reused.idempotency_key = "key-a-1".to_owned();
        for bad in [delivery("a", 1, "two"), reused] {
            let error = ledger.enqueue(&guard, vec![delivery("b", 1, "x"), bad]).await.unwrap_err();
            assert!(matches!(error, LedgerError::KeyReused { .. }), "{error}");
        }
        assert_eq!(ledger.deliveries(&Scope::everything(), None, 10).await.unwrap().len(), 1);
        for sql in ["UPDATE outbox SET idempotency_key = 'x'", "UPDATE outbox SET revision = 9"] {
            let said = home.refusal(sql).await;
            assert!(said.contains("one idempotency key, the same bytes"), "{sql}: {said}");
        }
    }

    /// Revisions of one report arrive in order; one report never holds up another.
    async fn revisions_wait_for_their_turn(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        let everything = Scope::everything();
        let all = vec![delivery("a", 1, "1"), delivery("a", 2, "2"), delivery("b", 1, "3")];
        ledger.enqueue(&guard, all).await.unwrap();
        let bodies = async |minutes: i64| -> Vec<Vec<u8>> {
            let due = ledger.due(&everything, "finops", at(minutes), 10).await.unwrap();
            due.into_iter().map(|entry| entry.delivery.body).collect()
        };
        assert_eq!(bodies(0).await, [b"1".to_vec(), b"3".to_vec()]);
        let first = ledger.due(&everything, "finops", at(0), 1).await.unwrap().remove(0).id;
        let wait = Outcome::Retry { reason: "down".into(), status: None, next_at: at(30) };
        ledger.settle(&guard, first, &wait).await.unwrap();
        assert_eq!(bodies(1).await, [b"3".to_vec()]);
        ledger.settle(&guard, first, &Outcome::Dead { reason: "400".into(), status: Some(400) }).await.unwrap();
        assert_eq!(bodies(1).await, [b"2".to_vec(), b"3".to_vec()]);
        assert_eq!(ledger.latest(&everything, "finops", "a").await.unwrap().unwrap().delivery.revision, 2);
        assert!(ledger.latest(&everything, "finops", "z").await.unwrap().is_none());
        assert_eq!(ledger.revive(&guard, "another", at(0)).await.unwrap(), 0);
        assert_eq!(ledger.revive(&guard, "finops", at(0)).await.unwrap(), 1);
        assert_eq!(bodies(1).await, [b"1".to_vec(), b"3".to_vec()]);
        assert_eq!(ledger.revive(&guard, "finops", at(0)).await.unwrap(), 0, "nothing is dead");
    }

    /// A receiver keeps what came last: it must not be the older one.
    async fn what_a_newer_revision_has_replaced_is_not_tried_again(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        let everything = Scope::everything();
        ledger.enqueue(&guard, vec![delivery("a", 1, "old"), delivery("b", 1, "alone")]).await.unwrap();
        for entry in ledger.due(&everything, "finops", at(0), 10).await.unwrap() {
            let refused = Outcome::Dead { reason: "422".into(), status: Some(422) };
            ledger.settle(&guard, entry.id, &refused).await.unwrap();
        }
        ledger.enqueue(&guard, vec![delivery("a", 2, "new")]).await.unwrap();
        let newer = ledger.due(&everything, "finops", at(1), 10).await.unwrap().remove(0).id;
        ledger.settle(&guard, newer, &Outcome::Delivered { status: 200, at: at(1) }).await.unwrap();
        assert_eq!(ledger.revive(&guard, "finops", at(2)).await.unwrap(), 1);
        let due = ledger.due(&everything, "finops", at(2), 10).await.unwrap();
        assert_eq!(due.into_iter().map(|entry| entry.delivery.body).collect::<Vec<_>>(), [b"alone".to_vec()]);
    }

    /// By prefix of the id, taken literally; counted by state.
    async fn what_is_newest_and_how_much_waits_is_known(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        let everything = Scope::everything();
        let mut late = delivery("s/1/b", 1, "x");
        late.enqueued_at = at(9);
        let all = vec![delivery("s/1/a", 1, "1"), delivery("s/1/a", 2, "2"), delivery("s/10/a", 1, "3"), late];
        ledger.enqueue(&guard, all).await.unwrap();
        let latest = ledger.latest_revisions(&everything, "finops", "s/1/").await.unwrap();
        let seen: Vec<_> = latest.iter().map(|(id, entry)| (id.as_str(), entry.revision, entry.enqueued_at)).collect();
        assert_eq!(seen, [("s/1/a", 2, at(0)), ("s/1/b", 1, at(9))]);
        assert_eq!(latest["s/1/a"].content_digest, Digest::of(b"2"));
        assert!(ledger.latest_revisions(&everything, "finops", "%").await.unwrap().is_empty());
        let first = ledger.due(&everything, "finops", at(9), 1).await.unwrap()[0].id;
        ledger.settle(&guard, first, &Outcome::Delivered { status: 200, at: at(9) }).await.unwrap();
        let counts = ledger.delivery_counts(&everything).await.unwrap();
        let counts: Vec<_> = counts.into_iter().map(|entry| (entry.state, entry.count, entry.oldest)).collect();
        assert_eq!(counts, [(DeliveryState::Delivered, 1, at(0)), (DeliveryState::Pending, 3, at(0))]);
    }

    /// Kept until the sink names another endpoint, or somebody tries this one again.
    async fn a_receiver_that_is_gone_is_remembered(home: &Home) {
        let ledger = home.open().await;
        let guard = ledger.acquire().await.unwrap();
        let gone = DisabledEndpoint {
            sink: "finops".into(),
            endpoint: "https://finops.example/in".into(),
            reason: "410 Gone".into(),
            at: at(0),
        };
        ledger.disable(&guard, &gone).await.unwrap();
        ledger.disable(&guard, &DisabledEndpoint { at: at(9), ..gone.clone() }).await.unwrap();
        assert_eq!(ledger.disabled(&Scope::everything()).await.unwrap(), [gone]);
        ledger.disabled(&Scope::tenants([].into())).await.unwrap_err();
        ledger.revive(&guard, "another", at(10)).await.unwrap();
        assert_eq!(ledger.disabled(&Scope::everything()).await.unwrap().len(), 1);
        ledger.revive(&guard, "finops", at(10)).await.unwrap();
        assert!(ledger.disabled(&Scope::everything()).await.unwrap().is_empty());
        ledger.due(&Scope::tenants([].into()), "finops", at(0), 1).await.unwrap_err();
    }
}
