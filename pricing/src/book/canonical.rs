//! The digest of a book: of what it says, not of how it is written.

use std::collections::BTreeMap;

use super::{
    Adjustment, AdjustmentOn, Band, BandRate, Base, Basis, Budget, BudgetOf, Edition, ExchangeRates,
    MeteredRate, Model, MonthlyAmount, NodeCost, Policy, PriceBook, SharedWhat, Terms, Tier, Weights,
};
use crate::digest::Digest;
use crate::money::{Currency, UnitPrice};
use crate::time::{BillingZone, HourRange};

/// Raise it when the encoding changes: the same book then has another digest.
const ENCODING: &str = "defray price book 2";

/// Everything a book says, as a sequence of fields. Every optional or repeated thing is preceded by how
/// many there are, so that no two books have one sequence.
pub(super) fn digest(currency: Currency, zone: BillingZone, editions: &[Edition], wide: &Wide<'_>) -> Digest {
    let mut fields = Fields(Vec::new());
    fields.text(ENCODING);
    fields.text(currency.code());
    fields.text(zone.name());
    fields.each(editions, Fields::edition);
    fields.each(wide.adjustments, Fields::adjustment);
    fields.count(wide.rates.len());
    for (currency, months) in wide.rates {
        fields.text(currency.code());
        fields.count(months.len());
        for (period, rate) in months {
            fields.text(&period.to_string());
            fields.number(rate.nanos());
        }
    }
    fields.each(wide.budgets, Fields::budget);
    Digest::of_fields(fields.0.iter().map(String::as_bytes))
}

/// What belongs to no edition.
pub(super) struct Wide<'b> {
    pub(super) adjustments: &'b [Adjustment],
    pub(super) rates: &'b ExchangeRates,
    pub(super) budgets: &'b [Budget],
}

impl PriceBook {
    /// Of everything that the charges of some hours can depend on: the prices and policies in force in them.
    /// Terms, adjustments and what else acts on a whole month are not part of it, nor are other months'
    /// editions, so that none of these makes rated days look different.
    pub fn hourly_digest(&self, hours: HourRange) -> Digest {
        let mut fields = Fields(Vec::new());
        fields.text(ENCODING);
        fields.text("hours");
        fields.text(self.currency.code());
        fields.text(self.zone.name());
        fields.each(self.in_force(hours), Fields::prices);
        Digest::of_fields(fields.0.iter().map(String::as_bytes))
    }
}

struct Fields(Vec<String>);

impl Fields {
    fn text(&mut self, text: &str) {
        self.0.push(text.to_owned());
    }

    fn number(&mut self, number: impl Into<i128>) {
        self.0.push(number.into().to_string());
    }

    fn count(&mut self, count: usize) {
        self.0.push(format!("#{count}"));
    }

    fn each<'i, T: 'i>(&mut self, items: impl IntoIterator<Item = &'i T>, write: impl Fn(&mut Self, &'i T)) {
        let items: Vec<&T> = items.into_iter().collect();
        self.count(items.len());
        for item in items {
            write(self, item);
        }
    }

    fn edition(&mut self, edition: &Edition) {
        self.prices(edition);
        self.count(edition.cost_centers.len());
        for (name, terms) in &edition.cost_centers {
            self.text(name.as_str());
            self.terms(terms);
        }
    }

    /// An edition without its terms.
    fn prices(&mut self, edition: &Edition) {
        let Edition {
            version,
            effective_from,
            platform_cost_center,
            pools,
            clusters,
            storage,
            network,
            load_balancer,
            services,
            shared_costs,
            idle,
            cost_centers: _,
        } = edition;
        self.text(version);
        self.number(effective_from.index());
        self.each(platform_cost_center, |f, name| f.text(name.as_str()));
        self.each(pools, |f, entry| {
            for pattern in [&entry.pool, &entry.instance_type, &entry.capacity_type, &entry.cluster] {
                f.text(pattern.as_str());
            }
            f.each(&entry.nodes, Self::node_cost);
            f.model(&entry.model);
            f.basis(entry.basis);
        });
        self.each(clusters, |f, entry| {
            f.text(entry.cluster.as_str());
            f.monthly(entry.amount);
            f.weights(&entry.weights);
            f.basis(entry.basis);
        });
        self.each(storage, |f, entry| {
            f.text(entry.class.as_str());
            f.rate(entry.rate);
        });
        self.each(network, |f, entry| {
            f.text(entry.class.as_str());
            f.rate(entry.rate);
        });
        self.each(load_balancer, |f, rate| f.rate(*rate));
        self.count(services.len());
        for (service, amount) in services {
            self.text(service.as_str());
            self.monthly(*amount);
        }
        self.each(shared_costs, |f, cost| {
            f.text(&cost.name);
            f.shared(&cost.what);
            f.policy(&cost.policy);
        });
        self.policy(idle);
    }

    fn node_cost(&mut self, cost: &NodeCost) {
        match cost {
            NodeCost::PerNodeHour(price) => {
                self.text("node hour");
                self.price(*price);
            }
            NodeCost::PerMonth(amount) => self.monthly(*amount),
        }
    }

    fn monthly(&mut self, amount: MonthlyAmount) {
        match amount {
            MonthlyAmount::Month { nanos } => {
                self.text("month");
                self.number(nanos);
            }
            MonthlyAmount::Year { minor } => {
                self.text("year");
                self.number(minor);
            }
        }
    }

    fn price(&mut self, price: UnitPrice) {
        self.number(price.picos());
    }

    fn rate(&mut self, rate: MeteredRate) {
        match rate {
            MeteredRate::PerUnit(price) => {
                self.text("unit");
                self.price(price);
            }
            MeteredRate::PerUnitMonth(price) => {
                self.text("unit month");
                self.price(price);
            }
        }
    }

    fn model(&mut self, model: &Model) {
        match model {
            Model::Cost { weights } => {
                self.text("cost");
                self.weights(weights);
            }
            Model::Rate { cpu, memory, gpu } => {
                self.text("rate");
                self.each(cpu, |f, price| f.price(*price));
                self.each(memory, |f, price| f.price(*price));
                self.by_name(gpu, |f, price| f.price(*price));
            }
        }
    }

    fn weights(&mut self, weights: &Weights) {
        self.number(weights.cpu);
        self.number(weights.memory);
        self.by_name(&weights.gpu, |f, weight| f.number(*weight));
    }

    fn by_name<T>(&mut self, map: &BTreeMap<String, T>, write: impl Fn(&mut Self, &T)) {
        self.count(map.len());
        for (name, value) in map {
            self.text(name);
            write(self, value);
        }
    }

    fn basis(&mut self, basis: Basis) {
        self.text(match basis {
            Basis::Request => "request",
            Basis::Usage => "usage",
            Basis::Max => "max",
            Basis::Quota => "quota",
        });
    }

    fn shared(&mut self, what: &SharedWhat) {
        match what {
            SharedWhat::Namespaces { names, labels } => {
                self.text("namespaces");
                self.each(names, |f, name| f.text(name.as_str()));
                self.by_name(labels, |f, value| f.text(value));
            }
            SharedWhat::Fixed(amount) => {
                self.text("amount");
                self.monthly(*amount);
            }
        }
    }

    fn policy(&mut self, policy: &Policy) {
        match policy {
            Policy::Even => self.text("even"),
            Policy::Proportional(Base::DirectCost) => self.text("proportional to direct cost"),
            Policy::Proportional(Base::Cpu) => self.text("proportional to cpu"),
            Policy::Proportional(Base::Memory) => self.text("proportional to memory"),
            Policy::Weighted(weights) => {
                self.text("weighted");
                self.count(weights.len());
                for (tenant, weight) in weights {
                    self.text(tenant.as_str());
                    self.number(*weight);
                }
            }
            Policy::Keep(cost_center) => {
                self.text("keep");
                self.each(cost_center, |f, name| f.text(name.as_str()));
            }
        }
    }

    fn adjustment(&mut self, adjustment: &Adjustment) {
        let Adjustment { date, reference, reason, on, amount } = adjustment;
        self.text(&date.to_string());
        self.text(reference);
        self.text(reason);
        match on {
            AdjustmentOn::Tenant(name) => {
                self.text("tenant");
                self.text(name.as_str());
            }
            AdjustmentOn::CostCenter(name) => {
                self.text("cost centre");
                self.text(name.as_str());
            }
        }
        self.number(amount.attos());
    }

    fn budget(&mut self, budget: &Budget) {
        let Budget { of, from, until, per_month } = budget;
        match of {
            BudgetOf::CostCenter(name) => {
                self.text("cost centre");
                self.text(name.as_str());
            }
            BudgetOf::Tenant(name) => {
                self.text("tenant");
                self.text(name.as_str());
            }
        }
        self.text(&from.to_string());
        self.each(until, |f, until| f.text(&until.to_string()));
        self.number(per_month.attos());
    }

    fn tier(&mut self, tier: &Tier) {
        let Tier { kind, item, bands } = tier;
        self.text(kind.as_str());
        self.text(item.as_str());
        self.each(bands, |f, Band { above, rate }| {
            f.number(above.micros());
            match rate {
                BandRate::Percentage(share) => {
                    f.text("percentage");
                    f.number(*share);
                }
                BandRate::Price(rate) => f.rate(*rate),
            }
        });
    }

    fn terms(&mut self, terms: &Terms) {
        let Terms { overrides, tiers, percentage, percentage_kinds, minimum_fee, reporting_currency } = terms;
        self.each(overrides, |f, entry| {
            f.text(entry.kind.as_str());
            f.text(entry.pool.as_str());
            f.text(entry.item.as_str());
            f.rate(entry.rate);
        });
        self.each(tiers, Self::tier);
        self.number(*percentage);
        self.each(percentage_kinds, |f, kind| f.text(kind.as_str()));
        self.each(minimum_fee, |f, amount| f.monthly(*amount));
        self.each(reporting_currency, |f, currency| f.text(currency.code()));
    }
}
