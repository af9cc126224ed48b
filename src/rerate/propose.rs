//! A month rated again as if a proposed tenant had been there.

use std::collections::{BTreeMap, BTreeSet};

use defray_ledger::Scope;
use defray_pricing::book::PriceBook;
use defray_pricing::estimate::{Estimate, Joining, Place, Proposal, estimate};
use defray_pricing::names::{ClusterName, PriceClass, StorageClass};
use defray_pricing::ownership::Owners;
use defray_pricing::quantity::Quantity;
use defray_pricing::rating::RatedHour;
use defray_pricing::recompute::{self, Fold, NotRated};
use defray_pricing::statement::{MonthFacts, PeriodStatements};
use defray_pricing::time::{Hour, Period};
use defray_pricing::usage::UsageHour;

use super::{NotAgain, Present, Rerate, StoredMonth, Watch, settled_until};

/// What is said about a proposed tenant besides its resource; what is not said is assumed.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// The month it is made on: the newest that is over.
    pub period: Option<Period>,
    /// The cluster: the only one.
    pub cluster: Option<String>,
    /// The pool of its own nodes: `dedicated-` and its name.
    pub pool: Option<String>,
    /// What its own nodes are labelled with: what the resource says.
    pub instance_type: Option<String>,
    /// The shared pool that it would use: the largest.
    pub shared_pool: Option<String>,
    /// The storage class of its volumes: the one of which most is used.
    pub storage_class: Option<String>,
}

/// Adds the tenant to every hour before it is rated.
struct Joined {
    joining: Joining,
    facts: MonthFacts,
}

impl Watch for Joined {
    fn beside(&self) -> Self {
        // All are made before any has seen an hour.
        Self { joining: self.joining.clone(), facts: self.facts.clone() }
    }

    fn join(&mut self, other: Self) -> Result<(), NotRated> {
        self.facts.join(other.facts);
        Ok(())
    }

    fn hour(
        &mut self,
        book: &PriceBook,
        owners: &Owners,
        usage: &[UsageHour],
    ) -> Result<RatedHour, NotRated> {
        let owners = self.joining.owners(owners);
        let usage = self.joining.usage(&owners, usage)?;
        self.facts.add(&owners);
        recompute::hour(book, &owners, &usage)
    }

    fn month(
        &mut self,
        book: &PriceBook,
        _facts: &MonthFacts,
        fold: Fold,
    ) -> Result<PeriodStatements, NotRated> {
        fold.finish(book, &self.facts)
    }
}

impl Rerate {
    /// What a proposed tenant would cost a month under the edition in force today: of the book in force, where
    /// that is known, else of the one that the month was rated by.
    pub async fn estimate(
        &self,
        proposal: Proposal,
        wishes: &Wishes,
        in_force: Option<&PriceBook>,
    ) -> Result<Estimate, NotAgain> {
        let period = match wishes.period {
            Some(period) => period,
            None => self.newest().await?,
        };
        let month = self.stored(period).await?;
        let known =
            month.plans.days.iter().flat_map(|plan| &plan.hours).flat_map(|owners| owners.tenants.keys());
        if known.into_iter().any(|(_, tenant)| *tenant == proposal.tenant) {
            return Err(NotAgain::Exists(proposal.tenant));
        }
        let place = self.place(&month, &proposal, wishes).await?;
        let book = in_force.unwrap_or(&month.view.book);
        let today = book.at(Hour::containing(self.clock.now()));
        let edition = today.or_else(|| book.editions.first()).cloned();
        let edition = edition.ok_or_else(|| NotAgain::Unclear("the price book is empty".to_owned()))?;
        let mut book = book.as_if_always(&edition.version).unwrap_or_else(|| book.clone());
        // What was corrected by hand in that month has nothing to do with who comes.
        book.adjustments.clear();
        let joining = Joining { proposal, place };
        let joined = Joined { joining: joining.clone(), facts: MonthFacts::new(self.zone) };
        let (statements, _) = self.under(&month, book, joined).await?;
        Ok(estimate(&joining, &edition, &statements))
    }

    /// The newest month that is over and rated; where none is over, the newest that is rated.
    async fn newest(&self) -> Result<Period, NotAgain> {
        let present = Present::of(&self.ledger, &self.clock).await.map_err(NotAgain::Other)?;
        let settled = settled_until(present.now, self.ground.settle);
        let periods = self.ledger.periods(&Scope::everything(), self.zone).await?;
        let rated = || periods.iter().filter(|entry| entry.inputs.is_some()).map(|entry| entry.period);
        let over = rated().filter(|period| self.zone.hours(*period).until <= settled).max();
        let newest = over.or_else(|| rated().max());
        newest
            .ok_or_else(|| NotAgain::Unclear("no month is rated yet; an estimate is made on one".to_owned()))
    }

    /// Where the tenant would be, by what is there on the last day of the month that was measured.
    async fn place(
        &self,
        month: &StoredMonth,
        proposal: &Proposal,
        wishes: &Wishes,
    ) -> Result<Place, NotAgain> {
        let cluster = cluster(month, wishes.cluster.as_deref())?;
        let (mut classes, mut storage) = (BTreeMap::new(), BTreeMap::new());
        for plan in month.plans.days.iter().rev() {
            let dedicated: BTreeSet<_> =
                plan.hours.iter().flat_map(|owners| owners.dedicated.keys()).collect();
            let usage = self.ledger.usage(&Scope::everything(), self.zone.hours_of_day(plan.day)).await?;
            for hour in usage.iter().filter(|hour| hour.cluster == cluster) {
                let shared = hour.nodes.iter().filter(|row| {
                    !dedicated.contains(&(cluster.clone(), row.class.pool.clone()))
                        && wishes.shared_pool.as_deref().is_none_or(|pool| row.class.pool.as_str() == pool)
                });
                add(&mut classes, shared.map(|row| (row.class.clone(), row.cpu_capacity)))?;
                add(&mut storage, hour.storage.iter().map(|row| (row.class.clone(), row.capacity)))?;
            }
            if usage.iter().any(|hour| hour.cluster == cluster) {
                break;
            }
        }
        if let (Some(pool), true) = (&wishes.shared_pool, classes.is_empty()) {
            return Err(NotAgain::Unclear(format!(
                "the cluster {cluster} had no shared pool `{pool}` on the last day that was measured of {}",
                month.entry.period
            )));
        }
        let team = proposal.tenant.as_str();
        let own = proposal.nodes.as_ref().map(|nodes| PriceClass {
            pool: wishes.pool.clone().unwrap_or_else(|| format!("dedicated-{team}")).into(),
            instance_type: wishes.instance_type.clone().unwrap_or_else(|| nodes.instance_type.clone()).into(),
            capacity_type: "".into(),
        });
        let named = wishes.storage_class.as_deref().map(StorageClass::from);
        let pattern = self.ground.tenancy.namespace_pattern.as_ref();
        let namespace = pattern.map_or_else(
            || format!("vcluster-{team}"),
            |pattern| format!("{}{team}{}", pattern.prefix, pattern.suffix),
        );
        Ok(Place {
            cluster,
            namespace: namespace.into(),
            own,
            shared: most(classes),
            storage: named.or_else(|| most(storage)),
        })
    }
}

fn cluster(month: &StoredMonth, wished: Option<&str>) -> Result<ClusterName, NotAgain> {
    let known: Vec<&ClusterName> =
        month.view.ranges.iter().filter(|(_, range)| !range.is_empty()).map(|(name, _)| name).collect();
    let names: Vec<&str> = known.iter().map(|name| name.as_str()).collect();
    match (wished, known.as_slice()) {
        (Some(wished), _) => {
            known.iter().find(|name| name.as_str() == wished).map(|name| (*name).clone()).ok_or_else(|| {
                NotAgain::Unclear(format!("there is no cluster `{wished}`; there is {}", names.join(", ")))
            })
        }
        (None, [only]) => Ok((*only).clone()),
        (None, _) => Err(NotAgain::Unclear(format!("in which cluster? Name one of {}", names.join(", ")))),
    }
}

fn add<K: Ord>(
    sums: &mut BTreeMap<K, Quantity>,
    rows: impl Iterator<Item = (K, Quantity)>,
) -> Result<(), NotRated> {
    for (key, quantity) in rows {
        let sum = sums.entry(key).or_default();
        *sum = sum.checked_add(quantity)?;
    }
    Ok(())
}

/// The key with the largest quantity; of equal ones the first.
fn most<K: Ord>(sums: BTreeMap<K, Quantity>) -> Option<K> {
    let largest = sums.into_iter().rev().max_by_key(|(_, quantity)| *quantity);
    largest.map(|(key, _)| key)
}
