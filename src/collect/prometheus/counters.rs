//! Counters telescope: an hour's growth is the sum of the true increases between its raw samples, the
//! last sample before it carried in, so that the hours of a counter add up to what it counted.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use defray_pricing::Overflow;
use defray_pricing::quantity::Quantity;
use defray_pricing::time::Hour;
use sha2::{Digest as _, Sha256};

use super::client::HOUR_MS;
use super::envelope::{Labels, Sample, Series};
use super::identity::Views;
use super::reading::Scale;

/// How far back a sample is carried in, and the longest gap whose growth is billed.
const REACH_MS: i64 = HOUR_MS;

/// What a counter grew by in one hour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Growth {
    /// Growth that belongs to the hour.
    pub(super) measured: Quantity,
    /// Growth across a gap of more than an hour: it belongs to no one hour and is not billed.
    pub(super) unmeasured: Quantity,
    /// What the counter stood at when it was first seen, where nothing proves that it began since: the
    /// most that may have grown unseen.
    pub(super) baseline: Quantity,
}

impl Growth {
    pub(super) fn checked_add(self, other: Self) -> Result<Self, Overflow> {
        Ok(Self {
            measured: self.measured.checked_add(other.measured)?,
            unmeasured: self.unmeasured.checked_add(other.unmeasured)?,
            baseline: self.baseline.checked_add(other.baseline)?,
        })
    }
}

/// How near the samples of one scraper another's are left out: within the time that a sample stands for,
/// the first is not gone. Else the last minute of an hour would count there and again in the next.
const LOOKBACK_MS: i64 = 300_000;

/// A counter, as far as anybody saw it.
#[derive(Debug, Clone)]
pub(super) struct Counter {
    /// Its samples, with the labels of the first who saw it.
    pub(super) series: Series,
    /// When one scraper's samples follow another's.
    joints: Vec<i64>,
    /// When another scraper last saw the same thing before the first sample: up to then it has counted.
    since: i64,
}

/// A counter's own labels, all its labels, and its samples with the view each is from.
type Stitched = (Labels, Labels, Vec<(Sample, usize)>);

/// Joins what several scrapers saw: the first as it is, the others where those before were not yet or no
/// more there. A counter is known again by its `instance` labels.
pub(super) fn stitch(views: Views, instance: &[String]) -> Vec<Counter> {
    let kept = |name: &String| instance.contains(name) || PARTS.contains(&name.as_str());
    let own = |series: &Series| -> Labels {
        let labels = series.labels.iter().filter(|(name, _)| kept(name));
        labels.map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    let mut spans: Vec<RangeInclusive<i64>> = Vec::new();
    let mut found: Vec<Stitched> = Vec::new();
    for (view, series) in views.into_iter().enumerate() {
        let before = found.len();
        let times = || series.iter().flat_map(|one| one.samples.iter().map(|sample| sample.at));
        let reach = times().min().zip(times().max());
        let reach = reach.map(|(a, b)| a.saturating_sub(LOOKBACK_MS)..=b.saturating_add(LOOKBACK_MS));
        for one in series {
            let labels = own(&one);
            let outside = |sample: &Sample| spans.iter().all(|span| !span.contains(&sample.at));
            let samples = one.samples.into_iter().filter(outside).map(|sample| (sample, view));
            match found.iter_mut().take(before).find(|(own, ..)| *own == labels) {
                Some((_, _, known)) => known.extend(samples),
                None => found.push((labels, one.labels, samples.collect())),
            }
        }
        spans.extend(reach);
    }
    let mut all: Vec<(Sample, usize)> = found.iter().flat_map(|(.., samples)| samples).copied().collect();
    all.sort_by_key(|(sample, _)| sample.at);
    let joined = found.into_iter().map(|(_, labels, samples)| joined(labels, samples, &all));
    joined.collect()
}

fn joined(labels: Labels, mut samples: Vec<(Sample, usize)>, all: &[(Sample, usize)]) -> Counter {
    samples.sort_by_key(|(sample, _)| sample.at);
    let pairs = samples.iter().zip(samples.iter().skip(1));
    let joints = pairs.filter(|((_, a), (_, b))| a != b).map(|(_, (sample, _))| sample.at).collect();
    let since = samples.first().and_then(|(first, view)| {
        let mut others = all.iter().rev().filter(|(sample, by)| sample.at < first.at && by != view);
        others.next().map(|(sample, _)| sample.at)
    });
    let samples = samples.into_iter().map(|(sample, _)| sample).collect();
    Counter { series: Series { labels, samples }, joints, since: since.unwrap_or(i64::MIN) }
}

/// A reading, rounded to the quantity's 1e-6: differences of rounded readings telescope exactly.
type Rounded = (i64, Quantity);

/// The growth of one counter in `hour`, given the samples of the hour and of the hour before.
///
/// An increase belongs to the hour of its later sample. `started` is the start of what the counter
/// counts for, if known: a series without a predecessor counts from zero if it started since.
pub(super) fn growth(
    counter: &Counter,
    scale: Scale,
    hour: Hour,
    started: Option<i64>,
) -> Result<Growth, Overflow> {
    let start = hour.start().timestamp_millis();
    let end = hour.end().timestamp_millis();
    let mut carried = None;
    let mut within = Vec::new();
    for sample in &counter.series.samples {
        if sample.at >= start.saturating_sub(REACH_MS) && sample.at < start {
            carried = Some((sample.at, scale.quantity(sample.value)?));
        } else if (start..end).contains(&sample.at) {
            within.push((sample.at, scale.quantity(sample.value)?));
        }
    }
    telescope(counter, carried, &within, started)
}

fn telescope(
    counter: &Counter,
    carried: Option<Rounded>,
    samples: &[Rounded],
    started: Option<i64>,
) -> Result<Growth, Overflow> {
    let mut growth = Growth::default();
    let mut before = carried;
    for &(at, value) in samples {
        // Proof that the counter stood at zero less than an hour ago, and after `since`.
        let from_zero =
            |since: i64| started.is_some_and(|s| s > since && s <= at && at.saturating_sub(s) <= REACH_MS);
        match before {
            Some((then, last)) => {
                let grown = if value >= last {
                    value.checked_sub(last)?
                } else if counter.joints.contains(&at) && !from_zero(then) {
                    // Another scraper's sample may be of a moment before: nothing went back to zero.
                    Quantity::ZERO
                } else {
                    // A counter that went down was reset and counts from zero again.
                    value
                };
                if at.saturating_sub(then) <= REACH_MS {
                    growth.measured = growth.measured.checked_add(grown)?;
                } else if from_zero(then) {
                    growth.measured = growth.measured.checked_add(value)?;
                } else {
                    growth.unmeasured = growth.unmeasured.checked_add(grown)?;
                }
            }
            None if from_zero(counter.since) => growth.measured = growth.measured.checked_add(value)?,
            None => growth.baseline = growth.baseline.checked_add(value)?,
        }
        before = Some((at, value));
    }
    Ok(growth)
}

/// How many of a counter's samples lie in the hour: what decides between duplicates.
pub(super) fn weight(series: &Series, hour: Hour) -> usize {
    let within = hour.start().timestamp_millis()..hour.end().timestamp_millis();
    series.samples.iter().filter(|sample| within.contains(&sample.at)).count()
}

/// When the things behind counters started.
#[derive(Debug, Default)]
pub(super) struct Starts {
    /// By a digest of the labels: there are as many as containers, and a container has a dozen.
    exact: BTreeMap<[u8; 32], i64>,
    containers: BTreeMap<(String, String, String), Vec<i64>>,
}

/// Labels that tell the counters of one thing apart.
const PARTS: [&str; 3] = ["container", "cpu", "interface"];

/// Labels that counters have beside those of the thing they count for.
const COUNTER_LABELS: [&str; 3] = ["__name__", "cpu", "interface"];

fn thing(series: &Series) -> [u8; 32] {
    let mut hash = Sha256::new();
    for (name, value) in series.labels.iter().filter(|(name, _)| !COUNTER_LABELS.contains(&name.as_str())) {
        for text in [name, value] {
            hash.update(text.len().to_le_bytes());
            hash.update(text);
        }
    }
    hash.finalize().into()
}

impl Starts {
    /// Takes in start times, given the labels that name namespace, pod and container.
    pub(super) fn see(&mut self, series: &[Series], labels: [&str; 3]) {
        for one in series {
            let Some(at) = one.samples.first().map(|sample| sample.value.as_millis()) else { continue };
            self.exact.insert(thing(one), at);
            let [namespace, pod, container] = labels.map(|label| one.label(label).to_owned());
            self.containers.entry((namespace, pod, container)).or_default().push(at);
        }
    }

    /// The start of what a counter counts for: by its very labels, else the last start of that container
    /// before the counter's first sample in the hour.
    pub(super) fn of(&self, series: &Series, labels: [&str; 3], hour: Hour) -> Option<i64> {
        if let Some(at) = self.exact.get(&thing(series)) {
            return Some(*at);
        }
        let start = hour.start().timestamp_millis();
        let first = series.samples.iter().find(|sample| sample.at >= start)?.at;
        let [namespace, pod, container] = labels.map(|label| series.label(label).to_owned());
        let known = self.containers.get(&(namespace, pod, container))?;
        known.iter().copied().filter(|at| *at <= first).max()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::reading::Reading;
    use super::*;

    const MINUTE: i64 = 60_000;
    const HOUR: Hour = Hour::from_index(500_000);

    fn at(minutes: i64) -> i64 {
        HOUR.start().timestamp_millis() + minutes * MINUTE
    }

    /// Samples as (minutes since the hour began, core-seconds).
    fn measured(samples: &[(i64, u32)], started: Option<i64>) -> (i64, i64) {
        let samples = samples.iter().map(|&(m, v)| Sample { at: at(m), value: Reading::whole(v) }).collect();
        let series = Series { labels: Labels::new(), samples };
        let growth = growth(&alone(series), Scale::ONE, HOUR, started.map(at)).unwrap();
        (growth.measured.micros() / 1_000_000, growth.unmeasured.micros() / 1_000_000)
    }

    fn alone(series: Series) -> Counter {
        stitch(vec![vec![series]], &[]).remove(0)
    }

    /// What a scraper saw of a container: its cgroup, minutes and core-seconds.
    fn seen(id: &str, samples: impl IntoIterator<Item = (i64, u32)>) -> Series {
        let samples = samples.into_iter().map(|(m, v)| Sample { at: at(m), value: Reading::whole(v) });
        Series { labels: Labels::from([("id".to_owned(), id.to_owned())]), samples: samples.collect() }
    }

    /// What several scrapers' views come to, in core-seconds.
    fn together(views: Views, started: Option<i64>) -> i64 {
        let counters = stitch(views, &["id".to_owned()]);
        let grown = counters.iter().map(|c| growth(c, Scale::ONE, HOUR, started.map(at)).unwrap());
        grown.map(|growth| growth.measured.micros()).sum::<i64>() / 1_000_000
    }

    fn minutely(minutes: std::ops::Range<i64>) -> impl Iterator<Item = (i64, u32)> {
        minutes.map(|minute| (minute, u32::try_from(minute + 60).unwrap()))
    }

    #[test]
    fn scrapers_that_hand_over_saw_one_counter() {
        let old = || vec![seen("a", minutely(-60..30))];
        let new = || vec![seen("a", minutely(31..60))];
        assert_eq!(together(vec![old(), new()], None), 60);
        assert_eq!(together(vec![new(), old()], None), 60, "whoever has more samples");
        assert_eq!(together(vec![old(), new()], Some(10)), 60, "what was counted is not counted again");
    }

    #[test]
    fn a_container_restarted_at_the_handover_counts_from_its_start() {
        let old = vec![seen("a", minutely(-60..30))];
        let new = vec![seen("b", (31..60).map(|m| (m, u32::try_from(m - 30).unwrap())))];
        assert_eq!(together(vec![old, new], Some(30)), 30 + 29);
    }

    #[test]
    fn a_container_under_another_cgroup_is_not_counted_twice() {
        let old = vec![seen("a", (10..30).map(|m| (m, u32::try_from(m).unwrap())))];
        let new = vec![seen("b", (36..60).map(|m| (m, u32::try_from(m).unwrap())))];
        assert_eq!(together(vec![old, new], Some(9)), 29 + 23, "the first from zero, the second not");
    }

    #[test]
    fn what_two_scrapers_see_at_once_counts_once() {
        let one = || vec![seen("a", minutely(-60..60))];
        assert_eq!(together(vec![one(), one()], None), 60);
        let longer = vec![seen("a", minutely(-60..64))];
        assert_eq!(together(vec![one(), longer], None), 60);
        let behind = vec![seen("a", (36..60).map(|m| (m, 80)))];
        let old = vec![seen("a", minutely(-60..30))];
        assert_eq!(together(vec![old, behind], None), 30, "an older value is no reset");
    }

    #[test]
    fn an_increase_belongs_to_the_hour_of_its_later_sample() {
        assert_eq!(measured(&[(-1, 10), (1, 14), (59, 20), (60, 99)], None), (10, 0));
        assert_eq!(measured(&[(0, 14), (59, 20)], None), (6, 0), "a sample on the edge begins the hour");
    }

    #[test]
    fn a_reset_counts_from_zero() {
        assert_eq!(measured(&[(-1, 100), (10, 110), (20, 3), (30, 5)], None), (15, 0));
    }

    #[test]
    fn without_predecessor_the_first_sample_is_the_baseline() {
        assert_eq!(measured(&[(10, 50), (20, 60)], None), (10, 0));
        assert_eq!(measured(&[(10, 50), (20, 60)], Some(-55)), (10, 0), "started too long ago");
        assert_eq!(measured(&[(10, 50), (20, 60)], Some(11)), (10, 0), "started after the sample");
    }

    #[test]
    fn a_proven_start_counts_from_zero() {
        assert_eq!(measured(&[(10, 50), (20, 60)], Some(9)), (60, 0));
        assert_eq!(measured(&[(1, 50), (20, 60)], Some(-2)), (60, 0), "also before the hour");
    }

    #[test]
    fn growth_across_more_than_an_hour_is_reported_not_billed() {
        assert_eq!(measured(&[(-30, 10), (40, 70), (50, 75)], None), (5, 60));
        assert_eq!(measured(&[(-30, 10), (30, 70)], None), (60, 0), "an hour is not more than an hour");
        assert_eq!(measured(&[(-61, 10), (0, 70)], None), (0, 0), "carry-in reaches back one hour");
        assert_eq!(measured(&[(-30, 10), (40, 7)], Some(35)), (7, 0), "a proven start in the gap");
    }

    proptest! {
        /// The hours of a counter add up to what it counted, wherever samples and resets lie.
        #[test]
        fn hours_telescope(
            steps in prop::collection::vec((1_i64..50 * MINUTE, 0_u64..10_000_000_000, prop::bool::weighted(0.1)), 1..200)
        ) {
            let mut at = HOUR.start().timestamp_millis();
            let (mut counter, mut truth, mut samples) = (0_u64, 0_i64, Vec::new());
            let mut last = None;
            for (gap, step, reset) in steps {
                at += gap;
                counter = if reset { step } else { counter + step };
                let text = format!("{}.{:09}", counter / 1_000_000_000, counter % 1_000_000_000);
                let value = Reading::parse(&text).unwrap();
                let rounded = Scale::CORE_SECONDS.quantity(value).unwrap().micros();
                truth += match last {
                    Some(before) if rounded >= before => rounded - before,
                    Some(_) => rounded,
                    None => 0,
                };
                last = Some(rounded);
                samples.push(Sample { at, value });
            }
            let mut total = 0;
            for index in 0..200 {
                let hour = Hour::from_index(HOUR.index() + index);
                let (from, until) =
                    (hour.start().timestamp_millis() - HOUR_MS, hour.end().timestamp_millis());
                let seen = samples.iter().copied().filter(|s| (from..until).contains(&s.at)).collect();
                let series = Series { labels: Labels::new(), samples: seen };
                let growth = growth(&alone(series), Scale::CORE_SECONDS, hour, None).unwrap();
                prop_assert_eq!(growth.unmeasured, Quantity::ZERO);
                total += growth.measured.micros();
            }
            prop_assert_eq!(total, truth);
        }
    }
}
