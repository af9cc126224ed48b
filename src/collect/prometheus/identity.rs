//! Everything is measured per identity first, so that what is scraped twice counts once.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::envelope::{Labels, Series};
use super::reading::Reading;

/// What a series is about, and which of its labels said so.
pub(super) struct Identity<K> {
    /// The identity.
    pub(super) key: K,
    /// Labels that are part of it.
    pub(super) labels: BTreeSet<String>,
}

/// Of the series about each thing the one with most samples, of several the one with the smallest label set: answers
/// come in the order of their labels. For series whose value counts samples.
pub(super) struct Best<K, T>(BTreeMap<K, (Reading, T)>);

impl<K, T> Default for Best<K, T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord, T> Best<K, T> {
    /// Takes what a series says, if it is the better one.
    pub(super) fn offer(&mut self, key: K, series: &Series, says: T) {
        let samples = series.samples.first().map(|sample| sample.value).unwrap_or_default();
        if self.0.get(&key).is_none_or(|(most, _)| samples > *most) {
            self.0.insert(key, (samples, says));
        }
    }

    /// What the best says of each.
    pub(super) fn said(self) -> BTreeMap<K, T> {
        self.0.into_iter().map(|(key, (_, says))| (key, says)).collect()
    }
}

/// What each scraper saw of one thing: first the one with most samples, then by the smallest label set.
pub(super) type Views = Vec<Vec<Series>>;

/// Groups series by identity and, within it, by who scraped them.
///
/// What is neither identity nor `instance` nor the metric's name tells scrapers apart. `instance` labels
/// tell successive instances of the same thing apart (a restarted container has another `id`): they are
/// kept together, because each of them holds a part of what the identity used.
///
/// The first view counts. The others only say what it does not: an exporter that is rolled out comes back
/// under another address in the middle of an hour, and each of the two saw a part of it.
pub(super) fn once<K: Ord>(
    series: Vec<Series>,
    instance: &[String],
    identify: impl Fn(&Series) -> Identity<K>,
    weigh: impl Fn(&Series) -> usize,
) -> BTreeMap<K, Views> {
    let mut scrapers: BTreeMap<K, BTreeMap<Labels, Vec<Series>>> = BTreeMap::new();
    for one in series {
        let Identity { key, labels } = identify(&one);
        let scraper: Labels = one
            .labels
            .iter()
            .filter(|(name, _)| {
                name.as_str() != "__name__" && !labels.contains(*name) && !instance.contains(name)
            })
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        scrapers.entry(key).or_default().entry(scraper).or_default().push(one);
    }
    scrapers.into_iter().map(|(key, candidates)| (key, heaviest_first(candidates, &weigh))).collect()
}

fn heaviest_first(candidates: BTreeMap<Labels, Vec<Series>>, weigh: &impl Fn(&Series) -> usize) -> Views {
    let mut views: Views = candidates.into_values().collect();
    // Stable, so that equals stay in order of their label sets.
    views.sort_by_cached_key(|view| Reverse(view.iter().map(weigh).fold(0, usize::saturating_add)));
    views
}

#[cfg(test)]
mod tests {
    use super::super::envelope::Sample;
    use super::*;

    fn series(labels: &[(&str, &str)], samples: u32) -> Series {
        Series {
            labels: labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            samples: (0..samples)
                .map(|i| Sample { at: i64::from(i), value: Reading::whole(samples) })
                .collect(),
        }
    }

    fn by_pod(series: &Series) -> Identity<String> {
        Identity { key: series.label("pod").to_owned(), labels: BTreeSet::from(["pod".to_owned()]) }
    }

    fn views(series: Vec<Series>) -> Views {
        let mut once = once(series, &["id".to_owned()], by_pod, |s| s.samples.len());
        assert_eq!(once.len(), 1);
        once.pop_first().unwrap().1
    }

    fn kept(series: Vec<Series>) -> Vec<Series> {
        views(series).remove(0)
    }

    #[test]
    fn the_most_samples_speak_and_of_as_many_the_smallest_label_set() {
        let mut best = Best::default();
        for (scraper, samples) in [("a", 3), ("b", 7), ("c", 7), ("d", 1)] {
            let mut series = series(&[("pod", "p"), ("scraper", scraper)], 1);
            series.samples[0].value = Reading::whole(samples);
            best.offer("p", &series, scraper);
        }
        assert_eq!(best.said(), BTreeMap::from([("p", "b")]));
    }

    #[test]
    fn the_others_stand_in_by_samples_then_label_set() {
        let of = |replica, samples| series(&[("pod", "p"), ("replica", replica)], samples);
        let ordered = views(vec![of("d", 3), of("c", 2), of("b", 3), of("a", 1)]);
        assert_eq!(ordered, [[of("b", 3)], [of("d", 3)], [of("c", 2)], [of("a", 1)]]);
    }

    #[test]
    fn the_series_with_most_samples_counts() {
        let a = series(&[("pod", "p"), ("replica", "a")], 3);
        let b = series(&[("pod", "p"), ("replica", "b")], 5);
        assert_eq!(kept(vec![a.clone(), b.clone()]).as_slice(), std::slice::from_ref(&b));
        assert_eq!(kept(vec![b.clone(), a]), [b], "whatever the order");
    }

    #[test]
    fn of_equals_the_smallest_label_set_counts() {
        let a = series(&[("pod", "p"), ("replica", "a")], 3);
        let b = series(&[("pod", "p"), ("replica", "b")], 3);
        assert_eq!(kept(vec![b, a.clone()]), [a]);
    }

    #[test]
    fn instances_of_one_scraper_belong_together() {
        let first = series(&[("pod", "p"), ("replica", "a"), ("id", "1")], 3);
        let second = series(&[("pod", "p"), ("replica", "a"), ("id", "2")], 3);
        let other = series(&[("pod", "p"), ("replica", "b"), ("id", "2")], 5);
        assert_eq!(kept(vec![other, first.clone(), second.clone()]), [first, second]);
    }
}
