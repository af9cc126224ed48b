//! Everything is measured per identity first, so that what is scraped twice counts once.

use std::collections::{BTreeMap, BTreeSet};

use super::envelope::{Labels, Series};

/// What a series is about, and which of its labels said so.
pub(super) struct Identity<K> {
    /// The identity.
    pub(super) key: K,
    /// Labels that are part of it.
    pub(super) labels: BTreeSet<String>,
}

/// Groups series by identity and keeps, for each, what one scraper saw of it: the scraper with most
/// samples, then the smallest label set.
///
/// What is neither identity nor `instance` nor the metric's name tells scrapers apart. `instance` labels
/// tell successive instances of the same thing apart (a restarted container has another `id`): they are
/// kept together, because each of them holds a part of what the identity used.
pub(super) fn once<K: Ord>(
    series: Vec<Series>,
    instance: &[String],
    identify: impl Fn(&Series) -> Identity<K>,
    weigh: impl Fn(&Series) -> usize,
) -> BTreeMap<K, Vec<Series>> {
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
    scrapers.into_iter().filter_map(|(key, candidates)| Some((key, heaviest(candidates, &weigh)?))).collect()
}

fn heaviest(
    candidates: BTreeMap<Labels, Vec<Series>>,
    weigh: &impl Fn(&Series) -> usize,
) -> Option<Vec<Series>> {
    let mut best: Option<(usize, Vec<Series>)> = None;
    // In order of label sets, so that the smallest of equals stays.
    for series in candidates.into_values() {
        let weight = series.iter().map(weigh).fold(0, usize::saturating_add);
        if best.as_ref().is_none_or(|(most, _)| weight > *most) {
            best = Some((weight, series));
        }
    }
    best.map(|(_, series)| series)
}

#[cfg(test)]
mod tests {
    use super::super::envelope::Sample;
    use super::super::reading::Reading;
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

    fn kept(series: Vec<Series>) -> Vec<Series> {
        let mut once = once(series, &["id".to_owned()], by_pod, |s| s.samples.len());
        assert_eq!(once.len(), 1);
        once.pop_first().unwrap().1
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
