//! What would have been measured in an hour.

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDate};
use defray_pricing::names::{ClusterName, Namespace, PriceClass, TrafficClass, VirtualNamespace};
use defray_pricing::quantity::Quantity;
use defray_pricing::time::{BillingZone, Hour};
use defray_pricing::usage::{
    ComputeRow, LoadBalancerRow, Minutes, NetworkRow, NodeRow, QuotaRow, Source, StorageRow, UsageHour,
};

use super::CLUSTER;
use super::cast::{GPU, HALF_COVERED, NODES, Nodes, PLAIN, Rhythm, TEAMS, Work};
use super::noise::around_hundred;

const MICROS: i64 = 1_000_000;
const MINUTES: i64 = 60;
const MIB_PER_GIB: i64 = 1024;
/// Containers that a piece of work is spread over.
const CONTAINERS: i64 = 3;
/// How much more is used with each month that passes, in per cent.
const GROWTH: i64 = 3;

/// One hour of the cluster.
pub(super) fn usage(zone: BillingZone, hour: Hour) -> UsageHour {
    let when = When::new(zone, hour);
    let mut usage = UsageHour::empty(ClusterName::from(CLUSTER), hour);
    for (number, team) in (1_i64..).zip(&TEAMS) {
        let minutes = team.life.minutes(hour).min(when.objects);
        if minutes > 0 {
            let namespace = Namespace::from(team.namespace());
            let first = team.work.first().and_then(|work| work.virtual_namespace);
            compute(&when, &mut usage, &namespace, number, team.work, minutes);
            for (virtual_namespace, class, gib) in team.volumes {
                let place = Some(VirtualNamespace::from(*virtual_namespace));
                usage.storage.push(volume(&namespace, place, class, *gib, minutes));
            }
            network(&when, &mut usage, &namespace, first, number, team.egress, minutes);
            load_balancers(&mut usage, &namespace, first, team.load_balancers, minutes);
            let (cores, gib) = team.quota;
            usage.quotas.push(QuotaRow {
                namespace,
                cpu: Some(part(cores * MICROS, minutes)),
                memory: Some(part(gib * MICROS, minutes)),
            });
        }
    }
    for (number, plain) in (101_i64..).zip(&PLAIN) {
        let minutes = plain.life.minutes(hour).min(when.objects);
        if minutes > 0 {
            let namespace = Namespace::from(plain.name);
            compute(&when, &mut usage, &namespace, number, plain.work, minutes);
            if let Some((class, gib)) = plain.volume {
                usage.storage.push(volume(&namespace, None, class, gib, minutes));
            }
            network(&when, &mut usage, &namespace, None, number, plain.egress, minutes);
            load_balancers(&mut usage, &namespace, None, plain.load_balancers, minutes);
        }
    }
    usage.nodes = nodes(&when);
    usage.coverage = when.coverage();
    usage.canonicalise();
    usage
}

/// An hour as people and outages see it.
#[derive(Debug)]
struct When {
    hour: Hour,
    day: NaiveDate,
    of_day: i64,
    weekend: bool,
    /// Minutes in which containers could be measured.
    containers: i64,
    /// Minutes in which objects could be counted.
    objects: i64,
}

impl When {
    fn new(zone: BillingZone, hour: Hour) -> Self {
        let day = zone.day_of(hour);
        let covered = HALF_COVERED.into_iter().find(|(moment, _, _)| moment.hour() == hour);
        let (containers, objects) =
            covered.map_or((60, 60), |(_, containers, objects)| (containers, objects));
        Self {
            hour,
            day,
            of_day: hour.index() - zone.hours_of_day(day).from.index(),
            weekend: day.weekday().number_from_monday() > 5,
            containers: i64::from(containers),
            objects: i64::from(objects),
        }
    }

    /// Since it is at most 60, it always fits.
    fn coverage(&self) -> BTreeMap<Source, Minutes> {
        let minutes = |count: i64| u8::try_from(count).ok().and_then(Minutes::new).unwrap_or(Minutes::NONE);
        BTreeMap::from([
            (Source::Cadvisor, minutes(self.containers)),
            (Source::KubeStateMetrics, minutes(self.objects)),
        ])
    }

    /// How much of what was asked for is used, in per cent; none where there are no pods.
    fn load(&self, rhythm: Rhythm) -> Option<i64> {
        match (rhythm, self.of_day) {
            (Rhythm::Night, 0..=4 | 22..) => Some(118),
            (Rhythm::Night, _) => None,
            (Rhythm::Office, _) if self.weekend => Some(14),
            (Rhythm::Office, 8..=11 | 13..=17) => Some(96),
            (Rhythm::Office, 6 | 7 | 12 | 18..=20) => Some(62),
            (Rhythm::Office, _) => Some(20),
            (Rhythm::Always, 7..=21) if !self.weekend => Some(78),
            (Rhythm::Always, _) => Some(55),
        }
    }

    /// Months since the first.
    fn growth(&self) -> i64 {
        let months = i64::from(self.day.month()) - 8;
        100 + GROWTH * months
    }
}

/// A part of a whole hour's quantity, rounded to the nearest 1e-6.
fn part(whole: i64, minutes: i64) -> Quantity {
    Quantity::from_micros(rounded(whole * minutes, MINUTES))
}

fn rounded(numerator: i64, denominator: i64) -> i64 {
    (numerator + denominator / 2) / denominator
}

fn class(nodes: &Nodes) -> PriceClass {
    PriceClass {
        pool: nodes.pool.into(),
        instance_type: nodes.machine.name.into(),
        capacity_type: nodes.capacity_type.into(),
    }
}

fn nodes(when: &When) -> Vec<NodeRow> {
    /// Minutes of nodes, cores, GiB and GPUs.
    type Sums = [i64; 4];
    let mut classes: BTreeMap<PriceClass, Sums> = BTreeMap::new();
    for group in &NODES {
        let minutes = group.life.minutes(when.hour).min(when.objects) * group.count;
        if minutes > 0 {
            let sums = classes.entry(class(group)).or_default();
            let each = [1, group.machine.cores, group.machine.gib, group.machine.gpus];
            for (sum, each) in sums.iter_mut().zip(each) {
                *sum += minutes * each;
            }
        }
    }
    classes
        .into_iter()
        .map(|(class, [nodes, cores, gib, gpus])| NodeRow {
            class,
            node_hours: part(MICROS, nodes),
            cpu_capacity: part(MICROS, cores),
            memory_capacity: part(MICROS, gib),
            gpu_capacity: gpu(part(MICROS, gpus)),
        })
        .collect()
}

/// Nothing is not listed.
fn gpu(quantity: Quantity) -> BTreeMap<String, Quantity> {
    let some = (quantity != Quantity::ZERO).then(|| (GPU.to_owned(), quantity));
    some.into_iter().collect()
}

fn compute(
    when: &When,
    usage: &mut UsageHour,
    namespace: &Namespace,
    number: i64,
    work: &[Work],
    minutes: i64,
) {
    for (index, work) in (0_i64..).zip(work) {
        if let (Some(load), Some(nodes)) = (when.load(work.rhythm), work.place.nodes()) {
            let virtual_namespace = work.virtual_namespace.map(VirtualNamespace::from);
            let mut row = ComputeRow::zero(namespace.clone(), virtual_namespace, class(nodes));
            let seed = number * 16 + index;
            let used = minutes.min(when.containers);
            let cpu = containers(when, seed, work.cpu * 1_000, (load, 14), (minutes, used));
            [row.cpu_request, row.cpu_usage, row.cpu_max] = cpu;
            // Memory is held rather than used: it follows the load only a little.
            let held = 68 + load / 8;
            let memory = rounded(work.memory * MICROS, MIB_PER_GIB);
            let memory = containers(when, seed + 4_096, memory, (held, 5), (minutes, used));
            [row.memory_request, row.memory_usage, row.memory_max] = memory;
            row.gpu_request = gpu(part(work.gpus * MICROS, minutes));
            usage.compute.push(row);
        }
    }
}

/// Request, usage and the larger of the two container by container, of what is asked for in a whole hour.
fn containers(
    when: &When,
    seed: i64,
    asked: i64,
    (load, spread): (i64, u8),
    (minutes, used): (i64, i64),
) -> [Quantity; 3] {
    let (mut request, mut usage, mut larger) = (0, 0, 0);
    for container in 0..CONTAINERS {
        // The first takes what does not divide.
        let whole = asked / CONTAINERS + if container == 0 { asked % CONTAINERS } else { 0 };
        let by_day = around_hundred(spread, &[seed, container, i64::from(when.day.num_days_from_ce())]);
        let by_hour = around_hundred(spread, &[seed, container, when.hour.index(), 1]);
        let wanted = rounded(whole * load / 100 * by_day / 100 * by_hour / 100 * when.growth(), 100);
        let asked = rounded(whole * minutes, MINUTES);
        let taken = rounded(wanted * used, MINUTES);
        request += asked;
        usage += taken;
        larger += asked.max(taken);
    }
    [request, usage, larger].map(Quantity::from_micros)
}

fn volume(
    namespace: &Namespace,
    virtual_namespace: Option<VirtualNamespace>,
    class: &str,
    gib: i64,
    minutes: i64,
) -> StorageRow {
    StorageRow {
        namespace: namespace.clone(),
        virtual_namespace,
        class: class.into(),
        capacity: part(gib * MICROS, minutes),
    }
}

fn network(
    when: &When,
    usage: &mut UsageHour,
    namespace: &Namespace,
    virtual_namespace: Option<&str>,
    number: i64,
    mib: i64,
    minutes: i64,
) {
    let load = when.load(Rhythm::Always).unwrap_or(0);
    let by_hour = around_hundred(30, &[number, when.hour.index(), 2]);
    let whole = rounded(mib * MICROS, MIB_PER_GIB) * load / 100 * by_hour / 100;
    usage.network.push(NetworkRow {
        namespace: namespace.clone(),
        virtual_namespace: virtual_namespace.map(VirtualNamespace::from),
        class: TrafficClass::from(TrafficClass::ALL),
        egress: part(whole, minutes.min(when.containers)),
    });
}

fn load_balancers(
    usage: &mut UsageHour,
    namespace: &Namespace,
    virtual_namespace: Option<&str>,
    count: i64,
    minutes: i64,
) {
    if count > 0 {
        usage.load_balancers.push(LoadBalancerRow {
            namespace: namespace.clone(),
            virtual_namespace: virtual_namespace.map(VirtualNamespace::from),
            hours: part(count * MICROS, minutes),
        });
    }
}
