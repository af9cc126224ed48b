//! From a case to its statements: every hour of the month rated and checked, then the month.

use std::collections::BTreeSet;

use defray_pricing::invariants::{check_hour, check_period};
use defray_pricing::money::Money;
use defray_pricing::names::ClusterName;
use defray_pricing::rating::rate;
use defray_pricing::statement::{Month, MonthFacts, PeriodStatements};
use defray_pricing::time::Hour;
use defray_pricing::usage::UsageHour;

use crate::case::Case;
use crate::owners;

/// The statements of the case's month, held against everything that must hold of every month.
pub(crate) fn statements(case: &Case) -> Result<PeriodStatements, String> {
    let clusters: BTreeSet<&ClusterName> = case.usage.iter().map(|entry| &entry.cluster).collect();
    let mut month = Month::new(&case.book, case.period);
    let mut facts = MonthFacts::new(case.book.zone);
    let mut paid = Money::ZERO;
    for hour in case.book.zone.hours(case.period).iter() {
        let owners = owners::at(&case.owners, hour)?;
        facts.add(&owners);
        let measured = clusters.iter().filter(|cluster| !is_missing(case, cluster, hour));
        let usage = measured.map(|cluster| usage(case, cluster, hour)).collect::<Result<Vec<_>, _>>()?;
        let rated = rate(&case.book, &owners, &usage).map_err(|error| error.to_string())?;
        check_hour(&rated).map_err(|violation| violation.to_string())?;
        let total = rated.control.total().map_err(|error| error.to_string())?;
        paid = paid.checked_add(total).map_err(|error| error.to_string())?;
        for charge in rated.charges {
            month.add(charge).map_err(|error| error.to_string())?;
        }
    }
    let statements = month.finish(&facts).map_err(|error| error.to_string())?;
    check_period(&statements, paid).map_err(|violation| violation.to_string())?;
    Ok(statements)
}

fn is_missing(case: &Case, cluster: &ClusterName, hour: Hour) -> bool {
    case.missing.iter().any(|entry| entry.cluster == *cluster && entry.hours.contains(hour))
}

fn usage(case: &Case, cluster: &ClusterName, hour: Hour) -> Result<UsageHour, String> {
    let mut usage = UsageHour::empty(cluster.clone(), hour);
    let entries = case.usage.iter().filter(|entry| entry.cluster == *cluster && entry.hours.contains(hour));
    for entry in entries {
        entry.what.add_to(&mut usage).map_err(|error| error.to_string())?;
    }
    usage.canonicalise();
    Ok(usage)
}
