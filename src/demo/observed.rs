//! What the Kubernetes API would have listed.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use defray_ledger::Observation;
use defray_pricing::names::{CostCenter, Service, TenantName, Uid};
use defray_pricing::ownership::{NamespaceFact, NodeFact, TenantFact};

use super::cast::{CHANGES, DATA_VAULT, NODES, PLAIN, SEARCH_MOVES, START, TEAMS, Team};
use super::moment::Moment;

/// The label that the platform puts on the host namespaces of its tenants.
const TENANT_LABEL: &str = "platform.financecore.local/tenant";
/// Where `search` moves to.
const NEW_COST_CENTER: &str = "CC-4450";

/// The lists at the first moment and at every moment at which one of them changes.
pub(super) fn observations() -> Vec<(DateTime<Utc>, Observation)> {
    let moments: BTreeSet<Moment> = CHANGES.into_iter().chain([START]).collect();
    moments.into_iter().map(|at| (at.instant(), observation(at))).collect()
}

fn observation(at: Moment) -> Observation {
    let teams: Vec<&Team> = TEAMS.iter().filter(|team| team.life.holds(at)).collect();
    let of_teams = teams.iter().map(|team| {
        let labels = BTreeMap::from([(TENANT_LABEL.to_owned(), "true".to_owned())]);
        namespace(&team.namespace(), labels)
    });
    let plain = PLAIN.iter().filter(|plain| plain.life.holds(at));
    let of_nobody = plain.map(|plain| namespace(plain.name, BTreeMap::new()));
    Observation {
        tenants: Some(teams.iter().map(|team| tenant(team, at)).collect()),
        namespaces: Some(of_teams.chain(of_nobody).collect()),
        nodes: Some(nodes(at)),
        ..Observation::default()
    }
}

fn tenant(team: &Team, at: Moment) -> (Uid, TenantFact) {
    let mut services: BTreeSet<Service> = team.services.iter().copied().map(Service::from).collect();
    if team.name == "data" && at >= DATA_VAULT {
        services.insert(Service::from("vault"));
    }
    let moved = team.name == "search" && at >= SEARCH_MOVES;
    let pool = team.pool(at);
    let fact = TenantFact {
        name: team.name.to_owned(),
        team: TenantName::from(team.name),
        cost_center: CostCenter::from(if moved { NEW_COST_CENTER } else { team.cost_center }),
        owner_email: format!("{}@bank.example", team.name),
        ad_group: Some(format!("AKS-{}", team.name)),
        services,
        node_pool_size: pool.and_then(|(_, count)| u32::try_from(count).ok()),
        node_pool_instance_type: pool.map(|(machine, _)| machine.to_owned()),
        malformed: None,
    };
    (Uid::from(format!("tenant-{}", team.name)), fact)
}

fn namespace(name: &str, mut labels: BTreeMap<String, String>) -> (Uid, NamespaceFact) {
    labels.insert("kubernetes.io/metadata.name".to_owned(), name.to_owned());
    (
        Uid::from(format!("namespace-{name}")),
        NamespaceFact { name: name.into(), labels, annotations: BTreeMap::new() },
    )
}

fn nodes(at: Moment) -> Vec<(Uid, NodeFact)> {
    let mut numbers: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    let mut nodes = Vec::new();
    for group in &NODES {
        for _ in 0..group.count {
            // Numbered even where they do not exist yet, so that each keeps its name.
            let number = numbers.entry((group.pool, group.capacity_type)).or_insert(0);
            *number += 1;
            if !group.life.holds(at) {
                continue;
            }
            let name = format!("{}-{}-{number:02}", group.pool, group.capacity_type);
            let fact = NodeFact {
                name: name.clone(),
                pool: group.pool.into(),
                instance_type: group.machine.name.into(),
                capacity_type: group.capacity_type.into(),
                dedicated_to: group.dedicated_to.map(str::to_owned),
            };
            nodes.push((Uid::from(format!("node-{name}")), fact));
        }
    }
    nodes
}
