//! A month rated again as if a proposed tenant had been there.

use std::sync::Arc;

use defray_ledger::{PeriodEntry, Scope};
use defray_pricing::book::PriceBook;
use defray_pricing::estimate::{Clash, Estimate, Form, Joining, Proposal, Seen, estimate};
use defray_pricing::names::ClusterName;
use defray_pricing::ownership::Owners;
use defray_pricing::rating::RatedHour;
use defray_pricing::recompute::{self, Fold, NotRated};
use defray_pricing::statement::{MonthFacts, PeriodStatements};
use defray_pricing::time::{Hour, Period};
use defray_pricing::usage::UsageHour;

use super::whole::Hours;
use super::{Ground, NotAgain, Rerate, StoredMonth, Watch};

/// What is said about a proposed tenant besides its resource; what is not said is assumed.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// The month it is made on: the newest that was measured whole, else the one that was measured most.
    pub period: Option<Period>,
    /// The cluster: the only one.
    pub cluster: Option<String>,
    /// The pool of its own nodes: `dedicated-` and its name, or the one that the book has a price for and that is
    /// called as the nodes it asks for.
    pub pool: Option<String>,
    /// What its own nodes are labelled with: what the resource says.
    pub instance_type: Option<String>,
    /// The shared pool that it would use: the one that bills quotas, else the largest.
    pub shared_pool: Option<String>,
    /// The storage class of its volumes: the one of which most is used.
    pub storage_class: Option<String>,
}

/// Adds the tenant to every hour before it is rated.
struct Joined {
    joining: Arc<Joining>,
    hours: Arc<Hours>,
    facts: MonthFacts,
    seen: Seen,
    /// What of the tenant is there already.
    clash: Option<Clash>,
}

impl Watch for Joined {
    fn beside(&self) -> Self {
        // All are made before any has seen an hour.
        let (joining, hours) = (Arc::clone(&self.joining), Arc::clone(&self.hours));
        Self { joining, hours, facts: self.facts.clone(), seen: self.seen, clash: None }
    }

    fn join(&mut self, other: Self) -> Result<(), NotRated> {
        self.facts.join(other.facts);
        self.seen.join(&other.seen);
        // Always the same of several, in whatever order they come.
        self.clash = self.clash.take().into_iter().chain(other.clash).min();
        Ok(())
    }

    fn hour(
        &mut self,
        book: &PriceBook,
        owners: &Owners,
        usage: &[UsageHour],
    ) -> Result<RatedHour, NotRated> {
        let usage = self.hours.usage(owners.hour, usage);
        if self.clash.is_none() {
            self.clash = self.joining.clash(owners, &usage);
        }
        let owners = self.joining.owners(owners);
        let (usage, fit) = self.joining.usage(&owners, &usage)?;
        self.seen.fitted(fit);
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

impl Ground {
    /// What describes a tenant in the cluster that is meant.
    pub fn form(&self, cluster: Option<&str>) -> Result<Form, NotAgain> {
        let of = |name: &ClusterName| self.forms.get(name).cloned().unwrap_or_default();
        if let Some(cluster) = cluster {
            return Ok(of(&cluster.into()));
        }
        let mut all = self.clusters.keys().map(of);
        let first = all.next().unwrap_or_default();
        if all.all(|other| other == first) {
            return Ok(first);
        }
        let names: Vec<&str> = self.clusters.keys().map(ClusterName::as_str).collect();
        Err(NotAgain::Unclear(format!(
            "in which cluster? Tenants are described differently in them. Name one of {}",
            names.join(", ")
        )))
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
            None => self.best_known(wishes.cluster.as_deref()).await?,
        };
        let month = self.stored(period).await?;
        let cluster = cluster(&month, wishes.cluster.as_deref())?;
        let book = in_force.unwrap_or(&month.view.book);
        let today = book.at(Hour::containing(self.clock.now()));
        let edition = today.or_else(|| book.editions.first()).cloned();
        let edition = edition.ok_or_else(|| NotAgain::Unclear("the price book is empty".to_owned()))?;
        let mut book = book.as_if_always(&edition.version).unwrap_or_else(|| book.clone());
        // What was corrected by hand in that month has nothing to do with who comes.
        book.adjustments.clear();
        let view = month.view.under(Arc::new(book));
        let plans = self.plan(&view, period, &month.entries).await?;
        let whole = self.whole(&month, &view, plans, &cluster).await?;
        let Some(day) = self.last_day(&whole.plans, &cluster).await? else {
            return Err(NotAgain::Unclear(format!(
                "nothing of {period} is measured in the cluster {cluster}"
            )));
        };
        let place = self.ground.place(&day, &edition, &proposal, wishes)?;
        let joining = Arc::new(Joining { proposal, place });
        let mut hours = whole.plans.days.iter().flat_map(|plan| &plan.hours);
        let at_first = hours.find_map(|owners| joining.clash(owners, &[]));
        let at_last = || day.owners().and_then(|owners| joining.clash(owners, &day.usage));
        if let Some(clash) = at_first.or_else(at_last) {
            return Err(clash.into());
        }
        let joined = Joined {
            joining: Arc::clone(&joining),
            hours: Arc::new(whole.hours),
            facts: MonthFacts::new(self.zone),
            seen: whole.seen,
            clash: None,
        };
        let (statements, joined) = self.rate(&month, &view, &whole.plans, joined).await?;
        match joined.clash {
            Some(clash) => Err(clash.into()),
            None => Ok(estimate(&joining, &edition, &joined.seen, &statements)),
        }
    }

    /// The newest month that is rated and was measured whole; where none was, the one of which most hours were
    /// measured, the newest of equal ones.
    async fn best_known(&self, cluster: Option<&str>) -> Result<Period, NotAgain> {
        let periods = self.ledger.periods(&Scope::everything(), self.zone).await?;
        let measured = |entry: &PeriodEntry| match cluster {
            Some(cluster) => entry.measured.get(cluster).copied().unwrap_or_default(),
            None => entry.hours_measured,
        };
        let rated = || periods.iter().filter(|entry| entry.inputs.is_some());
        let whole = rated().filter(|entry| measured(entry) >= entry.hours).map(|entry| entry.period).max();
        let most = || rated().max_by_key(|entry| (measured(entry), entry.period)).map(|entry| entry.period);
        whole
            .or_else(most)
            .ok_or_else(|| NotAgain::Unclear("no month is rated yet; an estimate is made on one".to_owned()))
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
