//! Gauges integrate: the values at the marks h+0 … h+59 minutes, summed, over 60. A missing mark adds
//! nothing and lowers coverage.

use defray_pricing::Overflow;
use defray_pricing::quantity::Quantity;
use defray_pricing::time::Hour;
use defray_pricing::usage::Minutes;

use super::client::mark_of;
use super::envelope::Series;
use super::reading::{Reading, Scale};

/// A set of the 60 marks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct MarkSet(u64);

impl MarkSet {
    /// All 60.
    pub(super) const ALL: Self = Self((1 << 60) - 1);

    /// The first so many of them.
    #[cfg(test)]
    pub(super) const fn first(count: u32) -> Self {
        Self(Self::ALL.0 >> (60 - count))
    }

    /// The marks at which a series has a sample.
    pub(super) fn of(series: &Series, hour: Hour) -> Self {
        let marks = series.samples.iter().filter_map(|sample| mark_of(sample, hour));
        Self(marks.fold(0, |set, mark| set | (1_u64 << mark.min(59))))
    }

    /// The minutes of the hour in which a series has a sample, wherever in the minute.
    pub(super) fn of_raw(series: &Series, hour: Hour) -> Self {
        let start = hour.start().timestamp_millis();
        let minutes = series.samples.iter().filter_map(|sample| {
            let since = u64::try_from(sample.at.checked_sub(start)?).ok()?;
            since.checked_div(60_000).filter(|minute| *minute < 60)
        });
        Self(minutes.fold(0, |set, minute| set | (1_u64 << minute)))
    }

    pub(super) const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn holds(self, mark: u32) -> bool {
        (self.0 >> mark.min(63)) & 1 == 1
    }

    /// How many.
    pub(super) fn minutes(self) -> Minutes {
        u8::try_from(self.0.count_ones()).ok().and_then(Minutes::new).unwrap_or(Minutes::FULL)
    }

    /// As hours: the minutes over 60, half to even.
    pub(super) fn hours(self) -> Result<Quantity, Overflow> {
        let micros = i128::from(self.0.count_ones()).checked_mul(1_000_000).ok_or(Overflow("hours"))?;
        let micros = defray_pricing::decimal::div_half_even(micros, 60)?;
        i64::try_from(micros).map(Quantity::from_micros).map_err(|_| Overflow("hours"))
    }
}

/// The values of one thing at the 60 marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Marks([Option<Reading>; 60]);

impl Marks {
    /// None of them.
    pub(super) const NONE: Self = Self([None; 60]);

    /// What the first scraper saw, each mark it lacks filled from the next that has it.
    pub(super) fn of(views: &[Vec<Series>], hour: Hour) -> Self {
        let mut marks = Self::NONE;
        for view in views {
            for (slot, seen) in marks.0.iter_mut().zip(Self::of_one(view, hour).0) {
                *slot = slot.or(seen);
            }
        }
        marks
    }

    /// From the series of one scraper. Where instances of the thing overlap (the old one not yet marked
    /// stale) only the larger value counts: there is only one of it.
    fn of_one(series: &[Series], hour: Hour) -> Self {
        let mut marks = Self::NONE;
        for sample in series.iter().flat_map(|one| &one.samples) {
            let slot = mark_of(sample, hour).and_then(|m| usize::try_from(m).ok());
            if let Some(slot) = slot.and_then(|i| marks.0.get_mut(i)) {
                *slot = Some(slot.map_or(sample.value, |before| before.max(sample.value)));
            }
        }
        marks
    }

    /// The marks that have a value.
    pub(super) fn set(&self) -> MarkSet {
        let with_value = (0_u32..).zip(&self.0).filter(|(_, value)| value.is_some());
        MarkSet(with_value.fold(0, |set, (mark, _)| set | (1_u64 << mark.min(59))))
    }

    /// The sum over some of the marks.
    pub(super) fn sum(&self, over: MarkSet) -> Result<Reading, Overflow> {
        let counted = (0_u32..).zip(&self.0).filter(|(mark, _)| over.holds(*mark));
        counted.filter_map(|(_, value)| *value).try_fold(Reading::default(), Reading::checked_add)
    }

    /// The quantity over some of the marks, rounded once.
    pub(super) fn quantity(&self, scale: Scale, over: MarkSet) -> Result<Quantity, Overflow> {
        scale.quantity(self.sum(over)?)
    }

    /// Mark by mark, with a missing value counting as nothing.
    pub(super) fn added(&self, other: &Self) -> Result<Self, Overflow> {
        self.zip(other, |a, b| match (a, b) {
            (Some(a), Some(b)) => a.checked_add(b).map(Some),
            (a, b) => Ok(a.or(b)),
        })
    }

    /// Mark by mark, the larger.
    pub(super) fn larger(&self, other: &Self) -> Result<Self, Overflow> {
        self.zip(other, |a, b| Ok(a.max(b)))
    }

    /// Mark by mark, the smaller of those that are there.
    pub(super) fn smaller(&self, other: &Self) -> Result<Self, Overflow> {
        self.zip(other, |a, b| {
            Ok(match (a, b) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            })
        })
    }

    /// Mark by mark, what this has beyond the other.
    pub(super) fn beyond(&self, other: &Self) -> Result<Self, Overflow> {
        self.zip(other, |a, b| Ok(a.map(|a| a.saturating_sub(b.unwrap_or_default()))))
    }

    fn zip(
        &self,
        other: &Self,
        combine: impl Fn(Option<Reading>, Option<Reading>) -> Result<Option<Reading>, Overflow>,
    ) -> Result<Self, Overflow> {
        let mut marks = Self::NONE;
        for ((slot, a), b) in marks.0.iter_mut().zip(&self.0).zip(&other.0) {
            *slot = combine(*a, *b)?;
        }
        Ok(marks)
    }
}

/// Marks at rest: a value that stays as it is, as what is requested mostly does, takes one entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Kept(Vec<(u8, Option<Reading>)>);

impl From<&Marks> for Kept {
    fn from(marks: &Marks) -> Self {
        let mut before = None;
        let changes =
            (0_u8..).zip(&marks.0).filter(|(_, value)| std::mem::replace(&mut before, **value) != **value);
        Self(changes.map(|(mark, value)| (mark, *value)).collect())
    }
}

impl Kept {
    /// As they were.
    pub(super) fn marks(&self) -> Marks {
        let mut marks = Marks::NONE;
        for (from, value) in &self.0 {
            marks.0.iter_mut().skip(usize::from(*from)).for_each(|slot| *slot = *value);
        }
        marks
    }
}

#[cfg(test)]
mod tests {
    use super::super::envelope::{Labels, Sample};
    use super::*;

    const HOUR: Hour = Hour::from_index(500_000);

    fn series(marks: impl IntoIterator<Item = i64>, value: u32) -> Series {
        let at = |mark: i64| HOUR.start().timestamp_millis() + mark * 60_000;
        let sample = |mark| Sample { at: at(mark), value: Reading::whole(value) };
        Series { labels: Labels::new(), samples: marks.into_iter().map(sample).collect() }
    }

    #[test]
    fn sixty_marks_are_an_hour() {
        let marks = Marks::of(&[vec![series(0..60, 2)]], HOUR);
        assert_eq!(marks.quantity(Scale::MARKS, MarkSet::ALL).unwrap().micros(), 2_000_000);
        assert_eq!(marks.set(), MarkSet::ALL);
        assert_eq!(MarkSet::ALL.minutes(), Minutes::FULL);
    }

    #[test]
    fn a_missing_mark_adds_nothing() {
        let marks = Marks::of(&[vec![series(0..45, 2)]], HOUR);
        assert_eq!(marks.quantity(Scale::MARKS, MarkSet::ALL).unwrap().micros(), 1_500_000);
        assert_eq!(marks.set().minutes().get(), 45);
        assert_eq!(marks.set().hours().unwrap().micros(), 750_000);
    }

    #[test]
    fn the_mark_at_the_end_belongs_to_the_next_hour() {
        let marks = Marks::of(&[vec![series(-1..61, 1)]], HOUR);
        assert_eq!(marks.quantity(Scale::MARKS, MarkSet::ALL).unwrap().micros(), 1_000_000);
    }

    #[test]
    fn marks_at_rest_are_as_they_were() {
        let of = |series: Vec<Series>| Marks::of(&[series], HOUR);
        for (marks, entries) in [
            (Marks::NONE, 0),
            (of(vec![series(0..60, 2)]), 1),
            (of(vec![series(7..31, 2), series(40..59, 0)]), 4),
            (of(vec![series((0..60).step_by(2), 1)]), 60),
        ] {
            let kept = Kept::from(&marks);
            assert_eq!((kept.marks(), kept.0.len()), (marks, entries));
        }
    }

    #[test]
    fn instances_that_overlap_count_once() {
        let marks = Marks::of(&[vec![series(0..40, 2), series(30..60, 3)]], HOUR);
        let sum = marks.quantity(Scale::MARKS, MarkSet::ALL).unwrap();
        assert_eq!(sum.micros(), (30 * 2 + 30 * 3) * 1_000_000 / 60);
    }

    #[test]
    fn scrapers_that_hand_over_make_one_hour() {
        let handover = [vec![series(0..31, 2)], vec![series(30..60, 2)]];
        assert_eq!(Marks::of(&handover, HOUR), Marks::of(&[vec![series(0..60, 2)]], HOUR));
    }

    #[test]
    fn what_two_scrapers_see_at_once_counts_once() {
        let marks = Marks::of(&[vec![series(0..60, 2)], vec![series(10..60, 3)]], HOUR);
        assert_eq!(marks, Marks::of(&[vec![series(0..60, 2)]], HOUR), "the first is right");
    }

    #[test]
    fn an_hour_of_minutes_is_rounded_half_to_even() {
        let twenty = MarkSet::of(&series(0..20, 1), HOUR);
        assert_eq!(twenty.hours().unwrap().micros(), 333_333);
        let minutes: i64 = MarkSet::of_raw(&series(0..20, 1), HOUR).hours().unwrap().micros();
        assert_eq!(minutes, 333_333);
    }
}
