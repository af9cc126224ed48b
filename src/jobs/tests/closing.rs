//! Closing months: what is measured again before, what is in the way, what changes after.

use defray_ledger::{ClosedHow, ClosedMonth, LedgerError, PeriodState, RecordedHour};
use defray_reports::Definitions;

use super::*;
use crate::closing::{Again, Closer, NotClosed, Obstacle, Order};
use crate::rerate::{Rerate, Unwatched};

/// The last two days of October, just settled.
const SINCE: Option<&str> = Some("2026-10-30T00:00:00Z");
const OVER: &str = "2026-11-01T00:05:00Z";

fn october() -> Period {
    "2026-10".parse().unwrap()
}

fn by_hand(forced: Option<&str>) -> Order {
    Order { by: "ann".to_owned(), how: ClosedHow::Hand, forced: forced.map(str::to_owned) }
}

/// Late samples: a container asked for more than it seemed.
fn late(usage: &mut UsageHour) {
    usage.compute[0].cpu_request = Quantity::from_micros(3_000_000);
    usage.compute[0].cpu_max = Quantity::from_micros(3_000_000);
}

/// Half of the hour has been forgotten.
fn forgetful(usage: &mut UsageHour) {
    late(usage);
    usage.coverage = Metrics::ALL.map(|source| (source, Minutes::new(30).unwrap())).into();
}

impl Bench {
    fn closing(&self, after_days: Option<u32>) -> CloseKeeper {
        let closer = Closer {
            rerate: Rerate {
                ledger: self.shared.ledger.clone(),
                clock: self.shared.clock.clone(),
                ground: Arc::new(self.rater.ground.clone()),
                zone: BillingZone::UTC,
                supervisor: self.shared.supervisor.clone(),
            },
            guard: Some(self.shared.guard.clone()),
            book: self.rater.book.clone(),
            definitions: Arc::new(Definitions::built_in().unwrap()),
            again: Again::default(),
            demo: false,
            turn: Arc::default(),
        };
        let (shared, sampler) = (self.shared.clone(), self.sampler.clone());
        CloseKeeper { shared, closer, sampler, after_days, closed: Bell::new(), told: Told::default() }
    }

    /// Observed, measured and rated.
    async fn with_october(folder: &Path, world: &Arc<World>, now: &str) -> Self {
        let bench = start(folder, world, now, SINCE, "2026-10-01").await;
        bench.observer.run().await.unwrap();
        bench.sampler.run().await.unwrap();
        bench.keeper.run().await.unwrap();
        bench.rater.run().await.unwrap();
        bench
    }

    async fn versions(&self) -> Vec<ClosedMonth> {
        self.shared.ledger.versions(&Scope::everything(), october()).await.unwrap()
    }

    async fn file(&self, version: &ClosedMonth, name: &str) -> Vec<u8> {
        let kept = self.shared.ledger.close_file(&Scope::everything(), version, name).await.unwrap();
        kept.unwrap().1
    }

    async fn another_book(&self, price: &str, more: &str) {
        let (_, mut sources) = book(&[("2026-10-01", price)]);
        if !more.is_empty() {
            let text = format!("currency: EUR\n{more}");
            sources.push(Source { name: "more.yaml".to_owned(), text });
        }
        let parsed = PriceBook::parse(&sources, BillingZone::UTC).unwrap_or_else(|told| panic!("{told:#?}"));
        *self.files.lock().unwrap() = (parsed, sources);
        self.keeper.run().await.unwrap();
    }
}

#[tokio::test]
async fn a_month_is_closed_after_its_days_of_grace_when_its_last_hours_were_measured_again() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let bench = Bench::with_october(folder.path(), &world, OVER).await;
    let keeper = bench.closing(Some(1));
    let asked = world.calls.load(Ordering::SeqCst);
    keeper.run().await.unwrap();
    assert_eq!(bench.versions().await, [], "a day of grace");
    assert_eq!(world.calls.load(Ordering::SeqCst), asked, "nothing is due");
    bench.shared.clock.advance(Duration::from_hours(24));
    keeper.run().await.unwrap();
    assert_eq!(world.calls.load(Ordering::SeqCst), asked + 48);
    let [closed] = bench.versions().await.try_into().unwrap();
    assert_eq!((closed.version, closed.how, closed.by.as_str()), (1, ClosedHow::Schedule, "the schedule"));
    assert_eq!((closed.forced.clone(), closed.hours_missing), (None, 0));
    let csv = String::from_utf8(bench.file(&closed, "statement.csv").await).unwrap();
    assert!(csv.contains("final"), "{csv}");
    keeper.run().await.unwrap();
    bench.rater.run().await.unwrap();
    assert_eq!(bench.versions().await, [closed]);
    assert_eq!(world.calls.load(Ordering::SeqCst), asked + 48, "once is enough");
    bench.shared.ledger.verify(&Scope::everything()).await.unwrap();
    bench.close().await;
}

#[tokio::test]
async fn late_samples_are_a_new_revision_and_the_month_waits_until_it_is_rated_from_them() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let bench = Bench::with_october(folder.path(), &world, OVER).await;
    *world.altered.lock().unwrap() = Some(late);
    let keeper = bench.closing(Some(0));
    keeper.run().await.unwrap();
    assert_eq!(bench.versions().await, [], "the statements are of what was known before");
    bench.rater.run().await.unwrap();
    keeper.run().await.unwrap();
    let [closed] = bench.versions().await.try_into().unwrap();
    let pins = bench.shared.ledger.close_hours(&Scope::everything(), &closed).await.unwrap();
    assert!(pins.len() == 48 && pins.iter().all(|pinned| pinned.revision == 2), "{pins:?}");
    bench.shared.ledger.close().await;
}

#[tokio::test]
async fn a_metrics_store_that_has_forgotten_does_not_replace_what_it_once_knew() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let bench = Bench::with_october(folder.path(), &world, OVER).await;
    *world.altered.lock().unwrap() = Some(forgetful);
    bench.closing(Some(0)).run().await.unwrap();
    assert_eq!(bench.versions().await.len(), 1);
    bench.recorded().await;
    bench.close().await;
}

/// What could not be asked for again is forced with a reason, which is kept; what has no price is not.
#[tokio::test]
async fn only_what_is_missing_is_forced() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let bench = Bench::with_october(folder.path(), &world, OVER).await;
    world.down.store(true, Ordering::SeqCst);
    let keeper = bench.closing(Some(0));
    keeper.run().await.unwrap();
    keeper.run().await.unwrap();
    assert_eq!(bench.shared.metrics.close_obstacles.get(), 1);
    let look = keeper.closer.look(october()).await.unwrap();
    let [Obstacle::NotMeasuredAgain { hours: 48, reason: Some(reason), .. }] = look.obstacles.as_slice()
    else {
        panic!("{:?}", look.obstacles)
    };
    assert_eq!(reason, "nobody answers");
    let refused = keeper.closer.close(october(), by_hand(None)).await;
    assert!(matches!(refused, Err(NotClosed::InTheWay { .. })), "{refused:?}");
    let refused = keeper.closer.close(october(), by_hand(Some(" "))).await;
    assert!(matches!(refused, Err(NotClosed::NoReason)), "{refused:?}");
    bench.another_book("0.20", "").await;
    let (_, mut sources) = book(&[("2026-10-01", "0.20")]);
    sources[0].text = sources[0].text.replace("pool: default", "pool: other");
    // Such a book is refused where it is read; of days before that nobody knew.
    let parsed = PriceBook::parse(&sources, BillingZone::UTC).unwrap();
    bench.shared.ledger.put_book(&bench.shared.guard, parsed.digest, &sources).await.unwrap();
    bench.keeper.in_force.send_replace(Arc::new(parsed));
    bench.rater.run().await.unwrap();
    let Err(NotClosed::InTheWay { obstacles, .. }) =
        keeper.closer.close(october(), by_hand(Some("why"))).await
    else {
        panic!("what has no price was closed")
    };
    let kinds: BTreeSet<&str> = obstacles.iter().map(Obstacle::kind).collect();
    assert_eq!(kinds, ["not_measured_again", "unpriced"].into());
    bench.another_book("0.20", "").await;
    let behind = keeper.closer.look(october()).await.unwrap().obstacles;
    assert!(behind.contains(&Obstacle::AnotherBook), "{behind:?}");
    bench.rater.run().await.unwrap();
    let closed = keeper.closer.close(october(), by_hand(Some("the store was lost"))).await.unwrap();
    assert_eq!((closed.forced.as_deref(), closed.by.as_str()), (Some("the store was lost"), "ann"));
    let again = keeper.closer.close(october(), by_hand(None)).await;
    assert!(matches!(again, Err(NotClosed::Already(_))), "{again:?}");
    bench.close().await;
}

#[tokio::test]
async fn a_month_that_goes_on_is_not_closed() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let bench = Bench::with_october(folder.path(), &world, "2026-10-31T23:05:00Z").await;
    let keeper = bench.closing(Some(0));
    let look = keeper.closer.look(october()).await.unwrap();
    assert!(matches!(look.obstacles[0], Obstacle::NotOver { .. }), "{:?}", look.obstacles);
    let refused = keeper.closer.close(october(), by_hand(Some("in a hurry"))).await;
    assert!(matches!(refused, Err(NotClosed::InTheWay { .. })), "{refused:?}");
    let open = keeper.closer.plan(october()).await;
    assert!(matches!(open, Err(NotClosed::StillOpen(_))), "{:?}", open.err());
    bench.close().await;
}

/// Late usage, another book, a credit: nothing moves until it is restated, and then just what was shown.
#[tokio::test]
async fn what_comes_after_a_close_waits_for_a_restatement_and_changes_nothing_before() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let bench = Bench::with_october(folder.path(), &world, OVER).await;
    let keeper = bench.closing(Some(0));
    keeper.run().await.unwrap();
    let [first] = bench.versions().await.try_into().unwrap();
    let bytes = bench.file(&first, "statement.csv").await;
    let ledger = &bench.shared.ledger;
    let before = ledger.month(&Scope::everything(), october()).await.unwrap();
    let nothing = keeper.closer.plan(october()).await.unwrap();
    assert!(nothing.diff.statements.iter().all(|statement| statement.lines.is_empty()), "{:?}", nothing.diff);
    let same = keeper.closer.restate(october(), nothing.plan, "none", by_hand(None)).await;
    assert!(matches!(same, Err(NotClosed::Ledger(LedgerError::NothingToRestate(_)))), "{same:?}");

    let mut usage = usage(hour("2026-10-30T05:00:00Z"));
    late(&mut usage);
    let measured_at = bench.shared.clock.now();
    ledger.record(&bench.shared.guard, vec![RecordedHour { usage, measured_at }]).await.unwrap();
    let credit =
        "adjustments: [{date: 2026-10-30, reference: CN-7, reason: outage, tenant: a, amount: -2}]\n";
    bench.another_book("0.30", credit).await;
    bench.rater.run().await.unwrap();
    keeper.run().await.unwrap();
    assert_eq!(ledger.month(&Scope::everything(), october()).await.unwrap(), before);
    assert_eq!(bench.file(&first, "statement.csv").await, bytes);
    let waiting = keeper.closer.waiting(october()).await.unwrap();
    assert_eq!(waiting.iter().map(|credit| credit.reference.as_str()).collect::<Vec<_>>(), ["CN-7"]);
    // Explained and tried against another book, it is what it was at the close.
    let stored = keeper.closer.rerate.stored(october()).await.unwrap();
    assert!(stored.current && stored.closed.as_ref() == Some(&first));
    let (again, Unwatched) = keeper.closer.rerate.as_it_was(&stored, Unwatched).await.unwrap();
    assert_eq!(Some(again), before.map(|month| month.statements));

    let shown = keeper.closer.plan(october()).await.unwrap();
    // 48 hours at 0.10 more, and 2 less.
    assert_eq!(shown.diff.total.difference.to_string(), "2.8");
    assert_eq!(shown.waited, waiting);
    let other = keeper.closer.restate(october(), nothing.plan, "x", by_hand(None)).await;
    assert!(matches!(other, Err(NotClosed::AnotherPlan(_))), "{other:?}");
    let second =
        keeper.closer.restate(october(), shown.plan, "price and credit", by_hand(None)).await.unwrap();
    assert_eq!((second.version, second.state()), (2, PeriodState::Restated));
    let deltas = ledger.close_deltas(&Scope::everything(), &second).await.unwrap();
    let sum = defray_pricing::money::Money::sum(deltas.iter().map(|delta| delta.amount)).unwrap();
    assert_eq!(sum, shown.diff.total.difference);
    assert_eq!(bench.file(&first, "statement.csv").await, bytes, "version 1 is what it was");
    let restated = String::from_utf8(bench.file(&second, "statement.csv").await).unwrap();
    assert!(restated.contains("restated") && restated.contains("CN-7"), "{restated}");
    assert_eq!(keeper.closer.waiting(october()).await.unwrap(), []);
    // Days are those of the version that counts: with what acts on the month they add up to it.
    let stored = keeper.closer.rerate.stored(october()).await.unwrap();
    let days = ledger.day_inputs(&Scope::everything(), october()).await.unwrap();
    assert!(stored.current && stored.plans.days.iter().all(|plan| days.get(&plan.day) == Some(&plan.inputs)));
    ledger.verify(&Scope::everything()).await.unwrap();
    bench.close().await;
}
