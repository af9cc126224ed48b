//! Watches that wake. What they see is never taken for the truth: a list is.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeSet, HashMap};
use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use futures::stream::{self, BoxStream};
use futures::{FutureExt, Stream, StreamExt};
use k8s_openapi::api::core::v1::{Namespace, Node};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, ResourceExt};
use kube::core::{ApiResource, DynamicObject, PartialObjectMeta};
use kube::runtime::watcher::{self, Event};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};

use super::error::KubernetesError;
use super::observe::SlimNode;
use super::permissions::Kind;
use super::{Collector, facts};
use crate::collect::Finding;

/// How long after it broke a watch begins anew, at first.
const DELAY_MIN: Duration = Duration::from_millis(if cfg!(test) { 20 } else { 1000 });
/// How long at most.
const DELAY_MAX: Duration = Duration::from_secs(30);
/// How many changes one wake-up may gather.
const GATHERED: usize = 10_000;

/// A reason to look again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wake {
    /// Kinds of which something changed, or whose watch began anew and may have missed something.
    pub changed: BTreeSet<Kind>,
    /// Whether it is simply time.
    pub due: bool,
    /// Watches that are broken; they are tried again by themselves.
    pub troubles: Vec<(Kind, Finding)>,
}

enum Sign {
    Changed(Kind),
    Due,
    Trouble(Kind, Finding),
}

impl Collector {
    /// Wakes when something changed, when a watch began anew, and at the latest after the time set for a
    /// list. It never ends by itself. It is not a record: on every wake-up, [`Collector::observe`].
    pub fn changes(&self) -> BoxStream<'static, Wake> {
        let mut signs: Vec<BoxStream<'static, Sign>> = vec![self.ticks().boxed()];
        let namespaces: Api<PartialObjectMeta<Namespace>> = Api::all(self.watches.clone());
        let asked = self.settings.asked.clone();
        signs.push(self.signs(Kind::Namespaces, namespaces, move |object| {
            let annotations: Vec<_> = facts::annotations(&asked, &object.metadata).collect();
            fingerprint(&object.metadata, &annotations)
        }));
        let nodes: Api<SlimNode> = Api::all_with(self.watches.clone(), &ApiResource::erase::<Node>(&()));
        signs.push(self.signs(Kind::Nodes, nodes, |object| {
            let taints = object.spec.taints.iter().flatten();
            let taints: Vec<_> = taints.map(|taint| (&taint.key, &taint.value, &taint.effect)).collect();
            fingerprint(&object.metadata, &taints)
        }));
        if let Some(resource) = &self.tenant {
            let tenants: Api<DynamicObject> = Api::all_with(self.watches.clone(), resource);
            signs.push(self.signs(Kind::Tenants, tenants, |object| {
                // The status is an operator's diary; field paths may point anywhere else.
                let fields = object.data.as_object().into_iter().flatten();
                let fields: Vec<_> = fields
                    .filter(|(name, _)| *name != "status")
                    .map(|(name, value)| (name, value.to_string()))
                    .collect();
                fingerprint(&object.metadata, &(&object.metadata.annotations, fields))
            }));
        }
        gather(stream::select_all(signs), self.settings.settle).boxed()
    }

    pub(super) fn watch_config(&self) -> watcher::Config {
        let seconds = u32::try_from(self.settings.watch_timeout.as_secs()).unwrap_or(u32::MAX).max(1);
        watcher::Config::default().timeout(seconds).page_size(self.settings.page_size)
    }

    fn ticks(&self) -> impl Stream<Item = Sign> + Send + 'static {
        let every = self.settings.list_every.max(Duration::from_secs(1));
        let mut ticks = interval_at(Instant::now() + every, every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        stream::unfold(ticks, async |mut ticks| {
            ticks.tick().await;
            Some((Sign::Due, ticks))
        })
    }

    /// Turns a watch into signs: only what could change a fact is one. Heartbeats of nodes, of which a large
    /// cluster has many every second, are none.
    fn signs<K>(
        &self,
        kind: Kind,
        api: Api<K>,
        fingerprint: impl Fn(&K) -> u64 + Send + 'static,
    ) -> BoxStream<'static, Sign>
    where
        K: ResourceExt + Clone + DeserializeOwned + Debug + Send + 'static,
    {
        let (collector, config) = (self.clone(), self.watch_config());
        let mut known: HashMap<String, u64> = HashMap::new();
        renewed(move || collector.watched(kind, api.clone(), config.clone()))
            .filter_map(move |event| {
                let sign = match event {
                    Err(trouble) => Some(Sign::Trouble(kind, trouble)),
                    Ok(event) => notable(&mut known, event, &fingerprint).then_some(Sign::Changed(kind)),
                };
                std::future::ready(sign)
            })
            .boxed()
    }

    /// A watch, and what keeps it from working.
    pub(super) fn watched<K>(&self, kind: Kind, api: Api<K>, config: watcher::Config) -> Watch<K>
    where
        K: ResourceExt + Clone + DeserializeOwned + Debug + Send + 'static,
    {
        let collector = self.clone();
        let events = watcher::watcher(api, config);
        events.map(move |event| event.map_err(|error| collector.trouble(kind, &error))).boxed()
    }

    fn trouble(&self, kind: Kind, error: &watcher::Error) -> Finding {
        use watcher::Error::{InitialListFailed, WatchFailed, WatchStartFailed};
        let subject = |verb| format!("Kubernetes: {verb} {}", self.resource(kind));
        let refused = |verb, error: &kube::Error| match self.explain(kind, verb, error) {
            KubernetesError::Refused(finding) => *finding,
            broken => broken.finding(subject(verb)),
        };
        match error {
            InitialListFailed(error) => refused("list", error),
            WatchStartFailed(error) | WatchFailed(error) => refused("watch", error),
            other => Finding::wrong(
                subject("watch"),
                other.to_string(),
                "it is tried again by itself; if it stays so, look at the API server's log",
            ),
        }
    }
}

/// What a watch sees, or why it does not.
pub(super) type Watch<K> = BoxStream<'static, Result<Event<K>, Finding>>;

/// A watch that begins anew after it broke; later, if it had not held for long. Left to itself it would go on where
/// it broke without a word, and nobody would hear that it works again.
pub(super) fn renewed<K: Send + 'static>(begin: impl Fn() -> Watch<K> + Send + 'static) -> Watch<K> {
    struct Renewed<K, Begin> {
        begin: Begin,
        watch: Option<(Instant, Watch<K>)>,
        delay: Duration,
    }
    let renewed = Renewed { begin, watch: None, delay: Duration::ZERO };
    stream::unfold(renewed, async |mut renewed| {
        loop {
            let (since, mut watch) = if let Some(held) = renewed.watch.take() {
                held
            } else {
                sleep(renewed.delay).await;
                (Instant::now(), (renewed.begin)())
            };
            let trouble = match watch.next().await {
                Some(Ok(event)) => {
                    renewed.watch = Some((since, watch));
                    return Some((Ok(event), renewed));
                }
                Some(Err(trouble)) => Some(trouble),
                None => None,
            };
            let was_well = since.elapsed() > DELAY_MAX;
            let longer = renewed.delay.saturating_mul(2).clamp(DELAY_MIN, DELAY_MAX);
            renewed.delay = if was_well { DELAY_MIN } else { longer };
            if let Some(trouble) = trouble {
                return Some((Err(trouble), renewed));
            }
        }
    })
    .boxed()
}

/// Whether an event could have changed a fact.
fn notable<K: ResourceExt>(
    known: &mut HashMap<String, u64>,
    event: Event<K>,
    fingerprint: &impl Fn(&K) -> u64,
) -> bool {
    match event {
        Event::Init => {
            known.clear();
            false
        }
        Event::InitApply(object) => {
            known.insert(object.uid().unwrap_or_default(), fingerprint(&object));
            false
        }
        // Something may have come and gone while nobody watched.
        Event::InitDone => true,
        Event::Apply(object) => {
            let print = fingerprint(&object);
            known.insert(object.uid().unwrap_or_default(), print) != Some(print)
        }
        Event::Delete(object) => {
            known.remove(&object.uid().unwrap_or_default());
            true
        }
    }
}

fn fingerprint(metadata: &ObjectMeta, rest: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    metadata.name.hash(&mut hasher);
    metadata.labels.hash(&mut hasher);
    rest.hash(&mut hasher);
    hasher.finish()
}

/// Waits for a sign, then for those that follow it closely, and makes one wake-up of them.
fn gather(
    signs: impl Stream<Item = Sign> + Unpin + Send,
    settle: Duration,
) -> impl Stream<Item = Wake> + Send {
    stream::unfold(signs, move |mut signs| async move {
        let mut wake = Wake::default();
        wake.add(signs.next().await?);
        sleep(settle).await;
        for _ in 0..GATHERED {
            match signs.next().now_or_never() {
                Some(Some(sign)) => wake.add(sign),
                _ => break,
            }
        }
        Some((wake, signs))
    })
}

impl Wake {
    fn add(&mut self, sign: Sign) {
        match sign {
            Sign::Changed(kind) => {
                self.changed.insert(kind);
                // It has begun anew since.
                self.troubles.retain(|(troubled, _)| *troubled != kind);
            }
            Sign::Due => self.due = true,
            Sign::Trouble(kind, finding) => {
                let trouble = (kind, finding);
                if !self.troubles.contains(&trouble) {
                    self.troubles.push(trouble);
                }
            }
        }
    }

    /// Whether there is a reason to list, and not only to tell that a watch is broken.
    pub fn calls_for_a_list(&self) -> bool {
        self.due || !self.changed.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use serde_json::json;

    use super::*;

    fn node(uid: &str, label: &str, heartbeat: &str) -> SlimNode {
        serde_json::from_value(json!({
            "metadata": {"name": "n", "uid": uid, "resourceVersion": heartbeat, "labels": {"nodepool": label}},
            "spec": {}, "status": {"heartbeat": heartbeat},
        }))
        .unwrap()
    }

    fn print(object: &SlimNode) -> u64 {
        fingerprint(&object.metadata, &())
    }

    #[test]
    fn a_heartbeat_is_no_change_and_a_label_a_uid_and_a_delete_are() {
        let mut known = HashMap::new();
        let mut notable = |event| notable(&mut known, event, &print);
        assert!(!notable(Event::Init));
        assert!(!notable(Event::InitApply(node("u1", "a", "1"))));
        assert!(notable(Event::InitDone), "something may have gone while nobody watched");
        assert!(!notable(Event::Apply(node("u1", "a", "2"))), "a heartbeat");
        assert!(notable(Event::Apply(node("u1", "b", "3"))), "another pool");
        assert!(notable(Event::Apply(node("u2", "b", "4"))), "made again under its old name");
        assert!(notable(Event::Delete(node("u2", "b", "5"))));
        assert!(notable(Event::Apply(node("u2", "b", "6"))));
    }

    /// A watch that sees one node and breaks.
    fn brittle(begun: &Arc<AtomicUsize>) -> Watch<SlimNode> {
        begun.fetch_add(1, Ordering::SeqCst);
        let trouble = Finding::wrong("s", "m", "x");
        let events =
            [Ok(Event::Init), Ok(Event::InitDone), Ok(Event::Apply(node("u", "a", "1"))), Err(trouble)];
        stream::iter(events).chain(stream::pending()).boxed()
    }

    #[tokio::test]
    async fn a_watch_that_broke_begins_anew_and_says_so_later_each_time() {
        let begun = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&begun);
        let started = Instant::now();
        let mut watch = renewed(move || brittle(&counted));
        let (mut told, mut at) = (Vec::new(), Vec::new());
        while at.len() < 4 {
            match watch.next().await.unwrap() {
                Ok(Event::InitDone) => at.push(started.elapsed()),
                Ok(_) => {}
                Err(trouble) => told.push(trouble),
            }
        }
        for (n, least) in [(1, DELAY_MIN), (2, DELAY_MIN * 3), (3, DELAY_MIN * 7)] {
            assert!(at[n] >= least, "{at:?}");
        }
        assert_eq!((told.len(), begun.load(Ordering::SeqCst)), (3, 4));
    }

    #[test]
    fn a_watch_that_broke_and_began_anew_within_one_wake_up_is_no_trouble() {
        let mut wake = Wake::default();
        wake.add(Sign::Trouble(Kind::Nodes, Finding::wrong("s", "m", "x")));
        wake.add(Sign::Trouble(Kind::Tenants, Finding::wrong("s", "m", "x")));
        wake.add(Sign::Changed(Kind::Nodes));
        let troubled: Vec<_> = wake.troubles.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(troubled, [Kind::Tenants]);
    }

    #[tokio::test]
    async fn changes_that_follow_closely_wake_once() {
        let trouble = || Finding::wrong("s", "m", "x");
        let signs = stream::iter([
            Sign::Changed(Kind::Nodes),
            Sign::Trouble(Kind::Nodes, trouble()),
            Sign::Changed(Kind::Nodes),
            Sign::Trouble(Kind::Nodes, trouble()),
            Sign::Changed(Kind::Tenants),
        ]);
        let wakes: Vec<_> = gather(signs, Duration::from_millis(1)).collect().await;
        assert_eq!(
            wakes,
            [Wake {
                changed: BTreeSet::from([Kind::Nodes, Kind::Tenants]),
                due: false,
                troubles: vec![(Kind::Nodes, trouble())]
            }]
        );
    }
}
