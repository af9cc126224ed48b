//! Where a proposed tenant would be, by what is there on the last day that was measured.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use defray_ledger::Scope;
use defray_pricing::book::{Basis, Edition};
use defray_pricing::estimate::{OwnNodes, Place, Proposal, Room};
use defray_pricing::names::{ClusterName, PriceClass, StorageClass};
use defray_pricing::ownership::Owners;
use defray_pricing::quantity::Quantity;
use defray_pricing::recompute::NotRated;
use defray_pricing::usage::{NodeRow, UsageHour};

use super::{Ground, NotAgain, Plans, Rerate, Wishes};

/// A day of a cluster.
pub(super) struct LastDay {
    cluster: ClusterName,
    owners: Vec<Owners>,
    pub(super) usage: Vec<UsageHour>,
}

/// What the nodes that anybody may use were, and the volumes.
#[derive(Default)]
struct There {
    nodes: BTreeMap<PriceClass, NodeRow>,
    storage: BTreeMap<StorageClass, Quantity>,
}

impl LastDay {
    /// Who owned what at its end.
    pub(super) fn owners(&self) -> Option<&Owners> {
        self.owners.last()
    }

    fn there(&self) -> Result<There, NotRated> {
        let dedicated: BTreeSet<_> = self.owners.iter().flat_map(|owners| owners.dedicated.keys()).collect();
        let mut there = There::default();
        for hour in &self.usage {
            for row in &hour.nodes {
                if dedicated.contains(&(self.cluster.clone(), row.class.pool.clone())) {
                    continue;
                }
                match there.nodes.get_mut(&row.class) {
                    Some(sum) => sum.absorb(row)?,
                    None => drop(there.nodes.insert(row.class.clone(), row.clone())),
                }
            }
            for row in &hour.storage {
                let sum = there.storage.entry(row.class.clone()).or_default();
                *sum = sum.checked_add(row.capacity)?;
            }
        }
        Ok(there)
    }
}

impl Rerate {
    /// The last day of a month on which a cluster was measured.
    pub(super) async fn last_day(
        &self,
        plans: &Plans,
        cluster: &ClusterName,
    ) -> Result<Option<LastDay>, NotAgain> {
        for plan in plans.days.iter().rev() {
            let usage = self.usage_of(cluster, plan.day).await?;
            if !usage.is_empty() {
                let (cluster, owners) = (cluster.clone(), plan.hours.clone());
                return Ok(Some(LastDay { cluster, owners, usage }));
            }
        }
        Ok(None)
    }

    async fn usage_of(&self, cluster: &ClusterName, day: NaiveDate) -> Result<Vec<UsageHour>, NotAgain> {
        let usage = self.ledger.usage(&Scope::everything(), self.zone.hours_of_day(day)).await?;
        Ok(usage.into_iter().filter(|hour| hour.cluster == *cluster).collect())
    }
}

impl Ground {
    /// Where the tenant would be.
    pub(super) fn place(
        &self,
        day: &LastDay,
        edition: &Edition,
        proposal: &Proposal,
        wishes: &Wishes,
    ) -> Result<Place, NotAgain> {
        let (cluster, There { nodes, storage }) = (&day.cluster, day.there()?);
        // The first whose basis says so, as it is rated.
        let quota = nodes.keys().find(|class| basis(edition, cluster, class) == Some(Basis::Quota));
        let wanted = wishes.shared_pool.as_deref().or_else(|| quota.map(|class| class.pool.as_str()));
        let fit = |class: &PriceClass| wanted.is_none_or(|pool| class.pool.as_str() == pool);
        let fit = nodes.iter().filter(|(class, _)| fit(class));
        let shared = most(fit.map(|(class, row)| (class, row.cpu_capacity)));
        if let (Some(pool), None) = (&wishes.shared_pool, shared) {
            let known: BTreeSet<&str> = nodes.keys().map(|class| class.pool.as_str()).collect();
            let known: Vec<&str> = known.into_iter().collect();
            return Err(NotAgain::Unclear(format!(
                "the cluster {cluster} had no shared pool `{pool}` on the last day that was measured; it had {}",
                if known.is_empty() { "none".to_owned() } else { known.join(", ") }
            )));
        }
        let own = proposal.nodes.as_ref().map(|own| own_class(day, edition, proposal, own, wishes));
        let named = wishes.storage_class.as_deref().map(StorageClass::from);
        let namespace = self.tenancy.namespace_pattern.as_ref().map_or_else(
            || format!("vcluster-{}", proposal.tenant),
            |pattern| format!("{}{}{}", pattern.prefix, proposal.tenant, pattern.suffix),
        );
        if !is_namespace(&namespace) {
            return Err(NotAgain::Unclear(format!(
                "`{}` would live in the namespace `{namespace}`, which Kubernetes would not make; name the team with \
                 small letters, digits and dashes",
                proposal.tenant
            )));
        }
        let room = shared.and_then(|class| nodes.get(class)).cloned();
        Ok(Place {
            cluster: cluster.clone(),
            namespace: namespace.into(),
            room: room.and_then(|row| Room::of(edition, cluster, row)),
            shared: shared.cloned(),
            quota: quota.cloned(),
            storage: named.or_else(|| most(storage.iter().map(|(class, sum)| (class, *sum))).cloned()),
            own,
        })
    }
}

/// The class of its own nodes. A book that has a price for a pool that is called as the nodes it asks for
/// means that pool, unless it has one for the tenant's own, or the pool is somebody's.
fn own_class(
    day: &LastDay,
    edition: &Edition,
    proposal: &Proposal,
    nodes: &OwnNodes,
    wishes: &Wishes,
) -> PriceClass {
    let wanted = nodes.instance_type.as_str();
    let class = |pool: &str| PriceClass {
        pool: pool.into(),
        instance_type: wishes.instance_type.as_deref().unwrap_or(wanted).into(),
        capacity_type: "".into(),
    };
    if let Some(pool) = &wishes.pool {
        return class(pool);
    }
    let usual = class(&format!("dedicated-{}", proposal.tenant));
    let by_kind = class(wanted);
    let is_there = |class: &PriceClass| {
        let key = (day.cluster.clone(), class.pool.clone());
        day.owners.iter().any(|owners| owners.dedicated.contains_key(&key))
            || day.usage.iter().any(|hour| hour.nodes.iter().any(|row| row.class.pool == class.pool))
    };
    let priced = |class: &PriceClass| edition.pool_price(&day.cluster, class).is_some();
    if wanted.is_empty() || priced(&usual) || !priced(&by_kind) || is_there(&by_kind) {
        usual
    } else {
        by_kind
    }
}

fn basis(edition: &Edition, cluster: &ClusterName, class: &PriceClass) -> Option<Basis> {
    let pool = edition.pool_price(cluster, class).map(|price| price.basis);
    pool.or_else(|| edition.cluster_price(cluster).map(|price| price.basis))
}

/// A DNS label, as Kubernetes wants it.
fn is_namespace(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let edges = name.bytes().next().is_some_and(inner) && name.bytes().last().is_some_and(inner);
    edges && name.len() <= 63 && name.bytes().all(|byte| inner(byte) || byte == b'-')
}

/// The key with the largest quantity; of equal ones the first.
fn most<'k, K: Ord>(sums: impl DoubleEndedIterator<Item = (&'k K, Quantity)>) -> Option<&'k K> {
    sums.rev().max_by_key(|(_, quantity)| *quantity).map(|(key, _)| key)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use defray_pricing::book::{PriceBook, Source};
    use defray_pricing::estimate::Form;
    use defray_pricing::ownership::TenancyRules;
    use defray_pricing::time::BillingZone;

    use super::*;

    const BOOK: &str = "
version: '1'
currency: EUR
effective_from: 2026-01-01
idle: {proportional: direct_cost}
clusters: [{cluster: c, per_year: 95000, weights: {cpu: 1, memory: 0}}]
pools:
  - {pool: compute-optimized, model: cost, node_hour: 0.42, weights: {cpu: 1, memory: 0}}
  - {pool: small, basis: quota, model: rate, cpu_core_hour: 0.04, memory_gib_hour: 0.005}
";

    /// A cluster with a large pool, a small one and one that is somebody's.
    fn day() -> LastDay {
        let hour = "2026-10-31T23:00:00Z".parse().unwrap();
        let mut owners = Owners::nobody(hour);
        owners.dedicated.insert(("c".into(), "theirs".into()), "alpha".into());
        let mut usage = UsageHour::empty("c".into(), hour);
        for (pool, cores) in [("large", "64"), ("small", "4"), ("theirs", "128")] {
            let cores: Quantity = cores.parse().unwrap();
            let class = PriceClass { pool: pool.into(), instance_type: "m".into(), capacity_type: "".into() };
            usage.nodes.push(NodeRow {
                class,
                node_hours: "1".parse().unwrap(),
                cpu_capacity: cores,
                memory_capacity: cores,
                gpu_capacity: BTreeMap::new(),
            });
        }
        LastDay { cluster: "c".into(), owners: vec![owners], usage: vec![usage] }
    }

    fn place(day: &LastDay, book: &str, spec: &str, wishes: &Wishes) -> Result<Place, NotAgain> {
        let source = Source { name: "book.yaml".to_owned(), text: book.to_owned() };
        let book = PriceBook::parse(&[source], BillingZone::UTC).unwrap();
        let text = format!("kind: Tenant\nspec: {{teamName: new, costCenter: CC-1, {spec}}}");
        let proposal = Proposal::parse("tenant.yaml", &text, &Form::default()).unwrap();
        let (clusters, tenancy) = (BTreeMap::new(), TenancyRules::default());
        let ground = Ground { clusters, tenancy, settle: Duration::ZERO, forms: BTreeMap::new() };
        ground.place(day, &book.editions[0], &proposal, wishes)
    }

    fn pool(class: Option<&PriceClass>) -> &str {
        class.map_or("none", |class| class.pool.as_str())
    }

    #[test]
    fn the_shared_pool_is_the_one_that_bills_quotas_else_the_largest_else_the_one_that_is_named() {
        let (day, ask) = (day(), "resourceQuota: {cpu: 2}");
        let without = BOOK.replace("basis: quota, ", "");
        let named = Wishes { shared_pool: Some("large".to_owned()), ..Wishes::default() };
        for (book, wishes, shared, quota) in [
            (BOOK, &Wishes::default(), "small", "small"),
            (BOOK, &named, "large", "small"),
            (&without, &Wishes::default(), "large", "none"),
        ] {
            let found = place(&day, book, ask, wishes).unwrap();
            assert_eq!((pool(found.shared.as_ref()), pool(found.quota.as_ref())), (shared, quota));
            assert_eq!(found.room.is_some(), shared == "large", "only what is shared out can be too small");
        }
        let theirs = Wishes { shared_pool: Some("theirs".to_owned()), ..Wishes::default() };
        let told = place(&day, BOOK, ask, &theirs).unwrap_err().to_string();
        assert!(
            told.contains("had no shared pool `theirs`") && told.contains("it had large, small"),
            "{told}"
        );
    }

    #[test]
    fn nodes_that_are_asked_for_by_the_name_of_a_pool_with_a_price_are_of_that_pool_if_it_is_free() {
        let own = |day: &LastDay, spec: &str, wishes: &Wishes| {
            pool(place(day, BOOK, spec, wishes).unwrap().own.as_ref()).to_owned()
        };
        let (compute, nothing) = ("nodePool: {size: 3, instanceType: compute-optimized}", Wishes::default());
        let named = Wishes { pool: Some("mine".to_owned()), ..Wishes::default() };
        assert_eq!(own(&day(), compute, &nothing), "compute-optimized");
        assert_eq!(own(&day(), compute, &named), "mine");
        assert_eq!(own(&day(), "nodePool: {size: 3, instanceType: m6i}", &nothing), "dedicated-new");
        assert_eq!(own(&day(), "nodePool: {size: 3}", &nothing), "dedicated-new");
        let mut taken = day();
        taken.owners[0].dedicated.insert(("c".into(), "compute-optimized".into()), "alpha".into());
        assert_eq!(own(&taken, compute, &nothing), "dedicated-new");
    }

    #[test]
    fn a_team_whose_namespace_could_not_be_is_refused() {
        for (name, fits) in [("a", true), ("vcluster-a-1", true), ("x y", false), ("A", false), ("a-", false)]
        {
            assert_eq!(is_namespace(name), fits, "{name}");
        }
        assert!(!is_namespace(&"a".repeat(64)));
    }
}
