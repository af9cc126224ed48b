//! Nothing lost, one effect per key, the same bytes on every try.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use defray::push::SigningSecret;
use defray::push::webhook;
use defray_ledger::{DeliveryState, Scope};

use super::receiver::{Act, Receiver};
use super::{Office, sink};

#[tokio::test]
async fn every_report_arrives_once() {
    let receiver = Receiver::start(&[]).await;
    let office = Office::open().await;
    office.bill("2026-09", &[("team-a", 100)]).await;
    office.bill("2026-10", &[("team-a", 123_450), ("team-b", 200)]).await;
    let pusher = office.pusher(&sink(&receiver));
    let said = pusher.run().await.unwrap();
    assert_eq!(said, "3 reports new or revised, 3 delivered, 0 waiting");
    assert_eq!(pusher.run().await.unwrap(), "0 reports new or revised, 0 delivered, 0 waiting");
    // Neither does a restart send anything twice.
    assert_eq!(
        office.pusher(&sink(&receiver)).run().await.unwrap(),
        "0 reports new or revised, 0 delivered, 0 waiting"
    );
    let requests = receiver.requests();
    assert_eq!(requests.len(), 3);
    assert_eq!(requests.iter().map(|request| &request.key).collect::<BTreeSet<_>>().len(), 3);
    let body = requests[1].json();
    assert_eq!((&body["TenantName"], &body["Costs"]["Total"]), (&"team-a".into(), &1234.5.into()));
    assert_eq!((&body["ReportId"], &body["Revision"]), (&"prod-1/2026-10/team-a/CC1234".into(), &1.into()));
    assert_eq!(requests[1].header("ce-subject"), Some("team-a/2026-10"));
    assert_eq!(requests[1].header("ce-source"), Some("/clusters/prod-1/cost-attribution"));
    assert_eq!(requests[1].header("ce-type"), Some("defray.cost.report.open.v1"));
    assert_eq!(requests[1].header("ce-time"), Some("2026-10-20T12:00:00Z"));
    assert_eq!(requests[1].header("authorization"), None);
    let metrics = office.telemetry.render().unwrap();
    assert!(metrics.contains("defray_deliveries{sink=\"finops\",state=\"delivered\"} 3"), "{metrics}");
}

#[tokio::test]
async fn a_change_is_the_next_revision_and_no_change_is_none() {
    let receiver = Receiver::start(&[]).await;
    let office = Office::open().await;
    office.bill("2026-10", &[("team-a", 100), ("team-b", 200)]).await;
    let pusher = office.pusher(&sink(&receiver));
    pusher.run().await.unwrap();
    office.bill("2026-10", &[("team-a", 101), ("team-b", 200)]).await;
    // An open month moves every hour; the receiver need not hear of each. It is 12:00, and said at 13:00.
    office.wait(3599);
    pusher.run().await.unwrap();
    assert_eq!(receiver.requests().len(), 2);
    office.wait(1);
    pusher.run().await.unwrap();
    assert_eq!(receiver.requests().len(), 3);
    // Said at the moment itself, it is not said once more before the next day's.
    office.bill("2026-10", &[("team-a", 102), ("team-b", 200)]).await;
    office.wait(86_399);
    pusher.run().await.unwrap();
    assert_eq!(receiver.requests().len(), 3);
    office.wait(1);
    pusher.run().await.unwrap();
    let expected = [
        ("prod-1/2026-10/team-a/CC1234".to_owned(), vec![1, 2, 3]),
        ("prod-1/2026-10/team-b/CC1234".to_owned(), vec![1]),
    ];
    assert_eq!(receiver.applied(), BTreeMap::from(expected));
}

#[tokio::test]
async fn moments_that_nobody_was_there_for_are_caught_up_with_once() {
    let receiver = Receiver::start(&[]).await;
    let office = Office::open().await;
    office.bill("2026-10", &[("team-a", 100)]).await;
    office.pusher(&sink(&receiver)).run().await.unwrap();
    office.bill("2026-10", &[("team-a", 101)]).await;
    let office = office.reopen().await;
    // Three days later, and not at the hour of the schedule.
    office.wait(3 * 86_400 + 7200);
    let pusher = office.pusher(&sink(&receiver));
    pusher.run().await.unwrap();
    assert_eq!(receiver.requests().len(), 2);
    office.bill("2026-10", &[("team-a", 102)]).await;
    pusher.run().await.unwrap();
    assert_eq!(receiver.requests().len(), 2, "the days before are not made up for one by one");
}

#[tokio::test]
async fn what_is_asked_for_goes_before_its_time_and_once() {
    let receiver = Receiver::start(&[]).await;
    let office = Office::open().await;
    for period in ["2026-09", "2026-10"] {
        office.bill(period, &[("team-a", 100)]).await;
    }
    let pusher = office.pusher(&sink(&receiver));
    pusher.run().await.unwrap();
    for period in ["2026-09", "2026-10"] {
        office.bill(period, &[("team-a", 101)]).await;
    }
    pusher.ask(Some("2026-10".parse().unwrap()));
    pusher.ask(Some("2026-10".parse().unwrap()));
    assert_eq!(pusher.run().await.unwrap(), "1 reports new or revised, 1 delivered, 0 waiting");
    assert_eq!(receiver.applied()["prod-1/2026-10/team-a/CC1234"], [1, 2]);
    office.bill("2026-10", &[("team-a", 102)]).await;
    assert_eq!(pusher.run().await.unwrap(), "0 reports new or revised, 0 delivered, 0 waiting");
    pusher.ask(None);
    assert_eq!(pusher.run().await.unwrap(), "2 reports new or revised, 2 delivered, 0 waiting");
}

#[tokio::test]
async fn a_statement_that_is_no_more_is_said_to_be_nothing() {
    let receiver = Receiver::start(&[]).await;
    let office = Office::open().await;
    office.bill("2026-10", &[("team-a", 100), ("team/b", 200)]).await;
    let pusher = office.pusher(&sink(&receiver));
    pusher.run().await.unwrap();
    office.bill("2026-10", &[("team-a", 300)]).await;
    office.wait(3600);
    pusher.run().await.unwrap();
    let last =
        receiver.requests().into_iter().rfind(|request| request.json()["TenantName"] == "team/b").unwrap();
    assert_eq!((&last.json()["Revision"], &last.json()["Costs"]["Total"]), (&2.into(), &0.0.into()));
    // Said once; and if it comes back, it comes back as the next revision.
    pusher.run().await.unwrap();
    office.bill("2026-10", &[("team-a", 300), ("team/b", 5)]).await;
    office.wait(86_400);
    pusher.run().await.unwrap();
    assert_eq!(receiver.applied()["prod-1/2026-10/team%2Fb/CC1234"], [1, 2, 3]);
    assert_eq!(receiver.requests().len(), 5);
}

/// Whatever a receiver and a network do, and whenever the daemon is restarted.
#[tokio::test]
async fn nothing_is_lost_and_nothing_counts_twice() {
    let acts = [
        Act::CutBefore,
        Act::CutAfter,
        Act::HangAfter,
        Act::Take,
        Act::Say(500, None),
        Act::Say(502, None),
        Act::Say(503, Some("7")),
        Act::Say(429, Some("3")),
        Act::Say(429, None),
        Act::Say(408, None),
        Act::Say(425, None),
        Act::Say(409, None),
        Act::Say(401, None),
        Act::Say(302, None),
    ];
    for seed in 1_u64..=3 {
        let mut state = seed;
        let script: Vec<Act> = (0..40)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                acts[usize::try_from((state >> 33) % 14).unwrap()]
            })
            .collect();
        let receiver = Receiver::start(&script).await;
        let mut office = Office::open().await;
        let tenants = ["team-a", "team-b", "team-c", "team-d"];
        let mut runs = 0;
        for revision in 1..=3 {
            let cents: Vec<(&str, i128)> = tenants.iter().map(|tenant| (*tenant, revision * 100)).collect();
            office.bill("2026-10", &cents).await;
            for _ in 0..3 {
                // An error is what the receiver said; the next run is the retry.
                let _said = office.pusher(&sink(&receiver)).run().await;
                office.wait(20);
            }
            office = office.reopen().await;
            office.wait(86_400);
        }
        loop {
            let _said = office.pusher(&sink(&receiver)).run().await;
            if office.count(DeliveryState::Pending).await == 0 {
                break;
            }
            office.wait(60);
            runs += 1;
            assert!(runs < 200, "seed {seed}: it does not come to an end");
        }
        assert_eq!(office.count(DeliveryState::Dead).await, 0);
        let applied = receiver.applied();
        assert_eq!(applied.len(), tenants.len(), "seed {seed}");
        assert!(applied.values().all(|revisions| *revisions == [1, 2, 3]), "seed {seed}: {applied:?}");
        assert!(receiver.requests().len() > 12, "seed {seed}: nothing was repeated, the test says nothing");
    }
}

#[tokio::test]
async fn a_pause_that_is_asked_for_is_kept_by_every_report() {
    let receiver = Receiver::start(&[Act::Say(429, Some("120"))]).await;
    let office = Office::open().await;
    office.bill("2026-10", &[("team-a", 100), ("team-b", 200)]).await;
    let pusher = office.pusher(&sink(&receiver));
    pusher.run().await.unwrap_err();
    office.wait(119);
    let error = pusher.run().await.unwrap_err().to_string();
    assert!(error.contains("2026-10-20T12:02:00"), "{error}");
    assert_eq!(receiver.requests().len(), 1);
    office.wait(1);
    pusher.run().await.unwrap();
    assert_eq!(receiver.requests().len(), 3);
}

#[tokio::test]
async fn a_receiver_that_is_down_is_not_asked_for_every_report() {
    let receiver = Receiver::start(&[Act::Say(500, None); 100]).await;
    let office = Office::open().await;
    let tenants: Vec<String> = (0..30).map(|n| format!("team-{n:02}")).collect();
    let cents: Vec<(&str, i128)> = tenants.iter().map(|tenant| (tenant.as_str(), 100)).collect();
    office.bill("2026-10", &cents).await;
    let pusher = office.pusher(&sink(&receiver));
    let error = pusher.run().await.unwrap_err().to_string();
    assert!(error.contains("500") && error.contains("30 reports wait"), "{error}");
    assert_eq!(receiver.requests().len(), 3);
    receiver.script(&[]);
    office.wait(60);
    pusher.run().await.unwrap();
    assert_eq!(receiver.applied().len(), 30);
}

#[tokio::test]
async fn a_refused_report_is_kept_for_a_person_and_the_others_go_on() {
    let receiver = Receiver::start(&[Act::Say(422, None)]).await;
    let office = Office::open().await;
    office.bill("2026-10", &[("team-a", 100), ("team-b", 200)]).await;
    let pusher = office.pusher(&sink(&receiver));
    let error = pusher.run().await.unwrap_err().to_string();
    assert!(error.contains("team-a") && error.contains("422") && error.contains("scripted"), "{error}");
    office.wait(100_000);
    pusher.run().await.unwrap();
    assert_eq!(receiver.requests().len(), 2);
    assert_eq!(receiver.applied().len(), 1);
    let dead = office.ledger.deliveries(&Scope::everything(), Some(DeliveryState::Dead), 9).await.unwrap();
    assert_eq!((dead.len(), dead[0].last_status), (1, Some(422)));
    let metrics = office.telemetry.render().unwrap();
    assert!(metrics.contains("defray_deliveries{sink=\"finops\",state=\"dead\"} 1"), "{metrics}");
    assert!(
        metrics.contains("defray_delivery_attempts_total{sink=\"finops\",outcome=\"dead\"} 1"),
        "{metrics}"
    );
    // The person mends the cause and asks: the same key, the same bytes.
    pusher.ask(None);
    pusher.run().await.unwrap();
    assert_eq!(receiver.applied().len(), 2);
    let requests = receiver.requests();
    assert_eq!((&requests[0].key, &requests[0].body), (&requests[2].key, &requests[2].body));
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_left_alone_until_it_has_a_new_address() {
    let receiver = Receiver::start(&[Act::Say(410, None)]).await;
    let office = Office::open().await;
    office.bill("2026-10", &[("team-a", 100), ("team-b", 200)]).await;
    office.pusher(&sink(&receiver)).run().await.unwrap_err();
    office.wait(100_000);
    let office = office.reopen().await;
    let error = office.pusher(&sink(&receiver)).run().await.unwrap_err().to_string();
    assert!(error.contains("is gone") && !error.contains("hidden"), "{error}");
    assert_eq!(receiver.requests().len(), 1);
    let successor = Receiver::start(&[]).await;
    office.pusher(&sink(&successor)).run().await.unwrap();
    assert_eq!(successor.applied().len(), 2);
}

#[tokio::test]
async fn a_receiver_that_is_back_is_tried_again_when_somebody_asks() {
    let receiver = Receiver::start(&[Act::Say(410, None), Act::Say(410, None)]).await;
    let office = Office::open().await;
    office.bill("2026-10", &[("team-a", 100), ("team-b", 200)]).await;
    let pusher = office.pusher(&sink(&receiver));
    pusher.run().await.unwrap_err();
    pusher.run().await.unwrap_err();
    assert_eq!(receiver.requests().len(), 1, "nobody asked");
    pusher.ask(None);
    pusher.run().await.unwrap_err();
    pusher.run().await.unwrap_err();
    assert_eq!(receiver.requests().len(), 2, "still gone: asked once, then left alone again");
    pusher.ask(None);
    pusher.run().await.unwrap();
    assert_eq!(receiver.applied().len(), 2);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let receiver = Receiver::start(&[Act::Say(307, None)]).await;
    let office = Office::open().await;
    office.bill("2026-10", &[("team-a", 100)]).await;
    let error = office.pusher(&sink(&receiver)).run().await.unwrap_err().to_string();
    assert!(error.contains("307"), "{error}");
    assert_eq!(office.count(DeliveryState::Pending).await, 1);
}

#[tokio::test]
async fn signatures_are_over_the_bytes_that_are_sent_with_the_time_of_each_try() {
    let receiver = Receiver::start(&[Act::Say(500, None)]).await;
    let office = Office::open().await;
    office.bill("2026-10", &[("team-a", 100)]).await;
    let secrets = [
        "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
        "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=",
    ];
    let signing = secrets.map(|secret| SigningSecret::parse(secret).unwrap()).to_vec();
    let signed = webhook::Settings { signing, ..sink(&receiver) };
    let pusher = office.pusher(&signed);
    pusher.run().await.unwrap_err();
    office.wait(100);
    pusher.run().await.unwrap();
    let requests = receiver.requests();
    let times: Vec<_> =
        requests.iter().map(|request| request.header("webhook-timestamp").unwrap().to_owned()).collect();
    assert_eq!(times, ["1792497600", "1792497700"]);
    assert_eq!(requests[0].header("webhook-id"), requests[1].header("webhook-id"));
    for request in &requests {
        let id = request.header("webhook-id").unwrap();
        assert!(!id.contains('.') && Some(id) == request.header("ce-id"));
        let mut content = format!("{id}.{}.", request.header("webhook-timestamp").unwrap()).into_bytes();
        content.extend_from_slice(&request.body);
        let expected = ["0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"].map(|key| {
            let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, key.as_bytes());
            let tag = aws_lc_rs::hmac::sign(&key, &content);
            format!("v1,{}", base64::engine::general_purpose::STANDARD.encode(tag))
        });
        assert_eq!(request.header("webhook-signature"), Some(expected.join(" ").as_str()));
    }
}

#[tokio::test]
async fn a_token_is_read_anew_so_that_it_can_be_exchanged() {
    let receiver = Receiver::start(&[Act::Say(401, None)]).await;
    let office = Office::open().await;
    office.bill("2026-10", &[("team-a", 100), ("team-b", 200)]).await;
    let file = office.directory.path().join("token");
    let settings = webhook::Settings { token: Some(webhook::Token::File(file.clone())), ..sink(&receiver) };
    let pusher = office.pusher(&settings);
    let error = pusher.run().await.unwrap_err().to_string();
    assert!(error.contains("token file") && receiver.requests().is_empty(), "{error}");
    std::fs::write(&file, "canary-old\n").unwrap();
    office.wait(60);
    let error = pusher.run().await.unwrap_err().to_string();
    assert!(error.contains("401") && !error.contains("canary"), "{error}");
    assert_eq!(receiver.requests().len(), 1, "a token that is refused is refused for every report");
    std::fs::write(&file, "canary-new\n").unwrap();
    office.wait(60);
    pusher.run().await.unwrap();
    let tokens: Vec<_> = receiver
        .requests()
        .iter()
        .map(|request| request.header("authorization").unwrap().to_owned())
        .collect();
    assert_eq!(tokens, ["Bearer canary-old", "Bearer canary-new", "Bearer canary-new"]);
}
