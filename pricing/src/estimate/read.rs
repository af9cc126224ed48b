//! A `Tenant` resource as a proposal. What of it has no price (its owner, its directory group) is not looked at.

use std::collections::BTreeSet;

use super::{OwnNodes, Proposal};
use crate::decimal::{div_half_even, parse, pow10};
use crate::names::{CostCenter, Service, TenantName};
use crate::problem::{Problem, Refused};
use crate::quantity::Quantity;
use crate::yaml::{Document, Mapping, Value};

/// Services that are on unless the resource says otherwise, where it names any.
const ON_BY_DEFAULT: [&str; 2] = ["argocd", "monitoring"];
/// More nodes than any pool has; what is larger is a typing error.
const MOST_NODES: u32 = 10_000;

impl Proposal {
    /// Reads a `Tenant` resource; every problem at once.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        Document::parse(file, text)?.read(resource)
    }
}

fn resource(root: &Value<'_>) -> Result<Proposal, Refused> {
    let mut keys = root.mapping()?;
    let kind = keys.required("kind", |value| match value.text()? {
        "Tenant" => Ok(()),
        other => Err(value.refuse(format!("`{other}` is no Tenant"), "give the Tenant resource alone")),
    });
    let spec = keys.required("spec", |value| spec(value.mapping()?));
    kind?;
    spec
}

fn spec(mut keys: Mapping<'_>) -> Result<Proposal, Refused> {
    let tenant = keys.required("teamName", |value| {
        let name = TenantName::from(value.string()?);
        if name.is_reserved() {
            return Err(value.refuse(format!("`{name}` is reserved"), "give the team another name"));
        }
        Ok(name)
    });
    let cost_center = keys.required("costCenter", |value| Ok(CostCenter::from(value.string()?)));
    let services = match keys.get("services") {
        None => Ok(BTreeSet::new()),
        Some(value) => services(&value),
    };
    let quota = keys.get("resourceQuota").filter(|value| !value.is_null());
    let quota = quota.map_or(Ok([None; 3]), |value| quotas(&value));
    let nodes = keys.get("nodePool").filter(|value| !value.is_null());
    let nodes = nodes.map(|value| own_nodes(&value)).transpose();
    let [cpu, memory, storage] = quota?;
    Ok(Proposal {
        tenant: tenant?,
        cost_center: cost_center?,
        services: services?,
        cpu,
        memory,
        storage,
        nodes: nodes?.flatten(),
    })
}

fn services(value: &Value<'_>) -> Result<BTreeSet<Service>, Refused> {
    let mut on: BTreeSet<Service> = ON_BY_DEFAULT.map(Service::from).into();
    if value.is_null() {
        return Ok(on);
    }
    for (key, value) in value.entries()? {
        let service = Service::from(key.text());
        if value.boolean()? {
            on.insert(service);
        } else {
            on.remove(&service);
        }
    }
    Ok(on)
}

fn quotas(value: &Value<'_>) -> Result<[Option<Quantity>; 3], Refused> {
    let mut keys = value.mapping()?;
    let cpu = keys.optional("cpu", |value| kubernetes(value, 1));
    let memory = keys.optional("memory", |value| kubernetes(value, GIB));
    let storage = keys.optional("storage", |value| kubernetes(value, GIB));
    Ok([cpu?, memory?, storage?])
}

fn own_nodes(value: &Value<'_>) -> Result<Option<OwnNodes>, Refused> {
    let mut keys = value.mapping()?;
    let size = keys.optional("size", |value| value.whole_number(1..=MOST_NODES));
    let instance_type = keys.optional("instanceType", Value::string);
    Ok(match (size?, instance_type?) {
        (None, None) => None,
        (size, kind) => Some(OwnNodes { size: size.unwrap_or(1), instance_type: kind.unwrap_or_default() }),
    })
}

const GIB: i128 = 1 << 30;

/// Suffixes of Kubernetes quantities: what they multiply by, and what they divide by.
const SUFFIXES: [(&str, i128, i128); 12] = [
    ("Ki", 1 << 10, 1),
    ("Mi", 1 << 20, 1),
    ("Gi", 1 << 30, 1),
    ("Ti", 1 << 40, 1),
    ("Pi", 1 << 50, 1),
    ("m", 1, 1000),
    ("k", 1000, 1),
    ("M", 1_000_000, 1),
    ("G", 1_000_000_000, 1),
    ("T", 1_000_000_000_000, 1),
    ("P", 1_000_000_000_000_000, 1),
    ("", 1, 1),
];

/// A Kubernetes quantity in units of so many, rounded half-even to 1e-6 of the unit.
fn kubernetes(value: &Value<'_>, unit: i128) -> Result<Quantity, Refused> {
    let text = value.text()?;
    let refuse = || {
        value.refuse(
            format!("`{text}` is no Kubernetes quantity"),
            "write it as in `40`, `1500m`, `80Gi` or `1Ti`",
        )
    };
    quantity(text, unit).ok_or_else(refuse)
}

fn quantity(text: &str, unit: i128) -> Option<Quantity> {
    let (number, by, over) =
        SUFFIXES.iter().find_map(|(suffix, by, over)| Some((text.strip_suffix(suffix)?, *by, *over)))?;
    let micros = parse(number, 6).ok().filter(|micros| *micros >= 0)?.checked_mul(by)?;
    let rounded = div_half_even(micros, unit.checked_mul(over)?).ok()?;
    // What is larger could not be summed over the hours of a year.
    (rounded <= i128::from(i64::MAX).checked_div(pow10(4))?).then_some(())?;
    i64::try_from(rounded).ok().map(Quantity::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "
apiVersion: platform.financecore.local/v1alpha1
kind: Tenant
metadata: {name: card-payments, labels: {any: thing}}
spec:
  teamName: devteam-a
  ownerEmail: lead-a@bank.example
  costCenter: \"CC-10001\"
  resourceQuota: {cpu: \"40\", memory: 80Gi, storage: 1Ti}
  nodePool: {size: 3, instanceType: compute-optimized}
  services: {vault: true, monitoring: false}
";

    #[test]
    fn a_tenant_becomes_a_proposal() {
        let read = Proposal::parse("tenant.yaml", TENANT).unwrap();
        assert_eq!((read.tenant.as_str(), read.cost_center.as_str()), ("devteam-a", "CC-10001"));
        let quotas = [read.cpu, read.memory, read.storage].map(|quota| quota.unwrap().to_string());
        assert_eq!(quotas, ["40.000000", "80.000000", "1024.000000"]);
        let services: Vec<&str> = read.services.iter().map(Service::as_str).collect();
        assert_eq!(services, ["argocd", "vault"]);
        assert_eq!(read.nodes, Some(OwnNodes { size: 3, instance_type: "compute-optimized".to_owned() }));
        let least = "kind: Tenant\nspec: {teamName: x, costCenter: CC-1}";
        let read = Proposal::parse("tenant.yaml", least).unwrap();
        assert_eq!((read.services.len(), read.nodes, read.cpu), (0, None, None));
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let wrong = TENANT.replace("80Gi", "80GB").replace("devteam-a", "__platform__").replace("3,", "0,");
        let told = Proposal::parse("tenant.yaml", &wrong).unwrap_err();
        assert_eq!(told.len(), 3, "{told:#?}");
        let other = Proposal::parse("tenant.yaml", "kind: Deployment\nspec: {}").unwrap_err();
        assert!(other[0].message.contains("no Tenant"), "{other:?}");
    }

    #[test]
    fn kubernetes_quantities_are_read_exactly() {
        for (text, unit, micros) in [
            ("40", 1, 40_000_000),
            ("1500m", 1, 1_500_000),
            ("0.25", 1, 250_000),
            ("80Gi", GIB, 80_000_000),
            ("1Ti", GIB, 1_024_000_000),
            ("512Mi", GIB, 500_000),
            ("1G", GIB, 931_323),
            ("0", GIB, 0),
        ] {
            assert_eq!(quantity(text, unit), Some(Quantity::from_micros(micros)), "{text}");
        }
        for text in ["", "-1", "1GB", "x", "1e3", "1 Gi", "99999999999999P"] {
            assert_eq!(quantity(text, 1), None, "{text}");
        }
    }
}
