//! The resource that describes a tenant, as a proposal. What of it has no price (its owner, its directory group)
//! is not looked at; what is not known is told, never dropped.

use std::collections::BTreeSet;

use super::form::{Form, Path};
use super::kubernetes::{GIB, kubernetes_quantity};
use super::{OwnNodes, Proposal};
use crate::names::{CostCenter, Service, TenantName};
use crate::printable::printable;
use crate::problem::{Problem, Refused};
use crate::quantity::Quantity;
use crate::yaml::{Document, Value, nearest};

/// More nodes than any pool has; what is larger is a typing error.
const MOST_NODES: u32 = 10_000;
/// Names of fields that are told of one by one.
const MOST_IGNORED: usize = 20;

impl Proposal {
    /// Longer files are no proposal.
    pub const MOST_BYTES: usize = 64 << 10;

    /// Reads a resource of a form; every problem at once.
    pub fn parse(file: &str, text: &str, form: &Form) -> Result<Self, Vec<Problem>> {
        Document::parse(file, text)?.read(|root| resource(root, form))
    }
}

fn resource(root: &Value<'_>, form: &Form) -> Result<Proposal, Refused> {
    let is_one = is_one(root, form);
    let team = required(root, &form.team, |value| {
        let name = TenantName::from(text(value)?);
        if name.is_reserved() {
            return Err(value.refuse(format!("`{name}` is reserved"), "give the team another name"));
        }
        Ok(name)
    });
    let cost_center = required(root, &form.cost_center, |value| Ok(CostCenter::from(text(value)?)));
    let services = optional(root, form.services.as_ref(), |value| services(value, form));
    let quota = optional(root, form.resource_quota.as_ref(), quotas);
    let size = optional(root, form.size.as_ref(), |value| value.whole_number(1..=MOST_NODES));
    let instance_type = optional(root, form.instance_type.as_ref(), text);
    is_one?;
    let [cpu, memory, storage] = quota?.unwrap_or_default();
    let nodes = match (size?, instance_type?) {
        (None, None) => None,
        (size, kind) => Some(OwnNodes { size: size.unwrap_or(1), instance_type: kind.unwrap_or_default() }),
    };
    let mut ignored = Vec::new();
    not_looked_at(root, &form.known(), &mut Path::new(), &mut ignored)?;
    Ok(Proposal {
        tenant: team?,
        cost_center: cost_center?,
        services: services?.unwrap_or_default(),
        cpu,
        memory,
        storage,
        nodes,
        ignored: shortened(ignored),
    })
}

/// Refuses what is another resource: nobody would see it as a tenant. What leaves out its group is taken.
fn is_one(root: &Value<'_>, form: &Form) -> Result<(), Refused> {
    let Form { group, kind, .. } = form;
    let alone = format!("give the {kind} of {group} alone");
    let named = required(root, &["kind".to_owned()], |value| match value.text()? {
        found if found == kind => Ok(()),
        other => Err(value.refuse(format!("`{other}` is no {kind}"), alone.as_str())),
    });
    let grouped = optional(root, Some(&vec!["apiVersion".to_owned()]), |value| {
        let version = value.text()?;
        if version.rsplit_once('/').map_or("", |(group, _)| group) == group {
            return Ok(());
        }
        let message = format!("`{version}` is not of the group {group}, in which tenants are looked for");
        Err(value.refuse(message, format!("write `{group}/…`, or configure the group")))
    });
    named?;
    grouped.map(|_| ())
}

/// What stands at a path, and how far the path could be followed.
fn find<'d>(root: &Value<'d>, path: &[String]) -> Result<(Value<'d>, Option<Value<'d>>), Refused> {
    let mut place = root.clone();
    for name in path {
        if place.is_null() {
            return Ok((place, None));
        }
        let found = place.entries()?.into_iter().find(|(key, _)| key.text() == name);
        match found {
            Some((_, value)) => place = value,
            None => return Ok((place, None)),
        }
    }
    Ok((place.clone(), (!place.is_null()).then_some(place)))
}

fn required<'d, T>(
    root: &Value<'d>,
    path: &[String],
    reader: impl FnOnce(&Value<'d>) -> Result<T, Refused>,
) -> Result<T, Refused> {
    match find(root, path)? {
        (_, Some(value)) => reader(&value),
        (place, None) => Err(place.refuse(format!("`{}` is missing", path.join(".")), "")),
    }
}

fn optional<'d, T>(
    root: &Value<'d>,
    path: Option<&Path>,
    reader: impl FnOnce(&Value<'d>) -> Result<T, Refused>,
) -> Result<Option<T>, Refused> {
    let Some(path) = path else { return Ok(None) };
    find(root, path)?.1.map(|value| reader(&value)).transpose()
}

/// Text as it may stand on a statement: the same as of a resource that is read from the cluster.
fn text(value: &Value<'_>) -> Result<String, Refused> {
    let text = value.text()?;
    printable(text).map_err(|reason| value.refuse(format!("it {reason}"), ""))?;
    Ok(text.to_owned())
}

fn services(value: &Value<'_>, form: &Form) -> Result<BTreeSet<Service>, Refused> {
    let mut on = form.on_by_default.clone();
    let mut wrong = None;
    for (key, value) in value.entries()? {
        let name = printable(key.text()).map_err(|reason| key.refuse(format!("the name {reason}"), ""));
        // Nothing written is what the API server has for it.
        let switched = if value.is_null() { Ok(None) } else { value.boolean().map(Some) };
        match (name, switched) {
            (Ok(()), Ok(None)) => {}
            (Ok(()), Ok(Some(true))) => drop(on.insert(Service::from(key.text()))),
            (Ok(()), Ok(Some(false))) => drop(on.remove(key.text())),
            (Err(refused), _) | (_, Err(refused)) => wrong = Some(refused),
        }
    }
    wrong.map_or(Ok(on), Err)
}

fn quotas(value: &Value<'_>) -> Result<[Option<Quantity>; 3], Refused> {
    let read = |key: &str, unit| optional(value, Some(&vec![key.to_owned()]), |value| quantity(value, unit));
    let [cpu, memory, storage] = Form::QUOTA;
    let (cpu, memory, storage) = (read(cpu, 1), read(memory, GIB), read(storage, GIB));
    Ok([cpu?, memory?, storage?])
}

fn quantity(value: &Value<'_>, unit: i128) -> Result<Quantity, Refused> {
    let text = value.text()?;
    kubernetes_quantity(text, unit).ok_or_else(|| {
        value.refuse(
            format!("`{text}` is no Kubernetes quantity that could be used"),
            "write it as in `40`, `1500m`, `80Gi` or `1Ti`",
        )
    })
}

/// Fields that are neither looked at nor known to have no price.
fn not_looked_at(
    value: &Value<'_>,
    known: &[Path],
    at: &mut Path,
    told: &mut Vec<String>,
) -> Result<(), Refused> {
    if value.is_null() {
        return Ok(());
    }
    let depth = at.len();
    for (key, value) in value.entries()? {
        at.push(key.text().to_owned());
        let here = |path: &&Path| path.starts_with(at);
        if known.iter().any(|path| path == at) {
            // It is looked at, and so is what is below it.
        } else if known.iter().any(|path| here(&path)) {
            not_looked_at(&value, known, at, told)?;
        } else {
            let beside = known.iter().filter(|path| path.get(..depth) == at.get(..depth));
            let names = beside.filter_map(|path| path.get(depth)).map(String::as_str);
            let near = nearest(key.text(), names).map(|near| format!(" (did you mean `{near}`?)"));
            told.push(format!("`{}`{}", value.path(), near.unwrap_or_default()));
        }
        at.pop();
    }
    Ok(())
}

fn shortened(mut ignored: Vec<String>) -> Vec<String> {
    let more = ignored.len().saturating_sub(MOST_IGNORED);
    if more > 0 {
        ignored.truncate(MOST_IGNORED);
        ignored.push(format!("{more} more fields"));
    }
    ignored
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

    fn read(text: &str) -> Result<Proposal, Vec<Problem>> {
        Proposal::parse("tenant.yaml", text, &Form::default())
    }

    fn messages(text: &str) -> String {
        let told = read(text).unwrap_err();
        told.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_tenant_becomes_a_proposal() {
        let proposal = read(TENANT).unwrap();
        assert_eq!((proposal.tenant.as_str(), proposal.cost_center.as_str()), ("devteam-a", "CC-10001"));
        let quotas =
            [proposal.cpu, proposal.memory, proposal.storage].map(|quota| quota.unwrap().to_string());
        assert_eq!(quotas, ["40.000000", "80.000000", "1024.000000"]);
        let services: Vec<&str> = proposal.services.iter().map(Service::as_str).collect();
        assert_eq!(services, ["argocd", "vault"]);
        let nodes = OwnNodes { size: 3, instance_type: "compute-optimized".to_owned() };
        assert_eq!((proposal.nodes, proposal.ignored), (Some(nodes), Vec::new()));
        let least = read("kind: Tenant\nspec: {teamName: x, costCenter: CC-1}").unwrap();
        assert_eq!((least.services.len(), least.nodes, least.cpu), (0, None, None));
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let wrong = TENANT.replace("80Gi", "80GB").replace("devteam-a", "__platform__").replace("3,", "0,");
        let wrong = wrong.replace("vault: true", "vault: maybe").replace("\"CC-10001\"", "\"  \"");
        let wrong = wrong.replace("financecore.local", "financecore.io").replace("\"40\"", "-1");
        let told = read(&wrong).unwrap_err();
        assert_eq!(told.len(), 7, "{told:#?}");
        assert!(messages("kind: Deployment\nspec: {}").contains("no Tenant"));
        for text in ["", "[]", "a", "kind: Tenant\nspec: [1]", "kind: Tenant\nspec: {resourceQuota: 3}"] {
            assert!(!messages(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn what_is_not_looked_at_is_listed_with_what_may_be_meant() {
        let text = "kind: Tenant\nspec: {teamName: a, costCenter: C, adGroup: g, nodepool: {size: 4}, \
                    service: {v: true}, \
                    resourceQuota: {cpuu: 3, requests.nvidia.com/gpu: 2}}\nextra: 1\nstatus: {phase: Ready}\n";
        let ignored = read(text).unwrap().ignored;
        assert_eq!(
            ignored,
            [
                "`spec.nodepool` (did you mean `nodePool`?)",
                "`spec.service` (did you mean `services`?)",
                "`spec.resourceQuota.cpuu` (did you mean `cpu`?)",
                "`spec.resourceQuota[\"requests.nvidia.com/gpu\"]`",
                "`extra`",
            ]
        );
        let many = (0..50).map(|n| format!(", x{n}: 1")).collect::<Vec<_>>().concat();
        let ignored =
            read(&format!("kind: Tenant\nspec: {{teamName: a, costCenter: C{many}}}")).unwrap().ignored;
        assert_eq!((ignored.len(), ignored.last().unwrap().as_str()), (21, "30 more fields"));
    }

    #[test]
    fn a_resource_of_another_form_is_read_by_its_own_paths() {
        let path = |names: &[&str]| -> Path { names.iter().map(ToString::to_string).collect() };
        let form = Form {
            group: "idp.bank.example".to_owned(),
            kind: "Project".to_owned(),
            team: path(&["metadata", "labels", "idp.bank.example/team"]),
            cost_center: path(&["spec", "billing", "code"]),
            services: None,
            size: Some(path(&["spec", "machines", "count"])),
            instance_type: Some(path(&["spec", "machines", "flavour"])),
            resource_quota: Some(path(&["spec", "limits"])),
            unpriced: Vec::new(),
            on_by_default: BTreeSet::new(),
        };
        let text = "apiVersion: idp.bank.example/v2\nkind: Project\nmetadata: {labels: {idp.bank.example/team: new}}\n\
                    spec: {billing: {code: CC-7}, machines: {count: 2, flavour: big}, limits: {cpu: 3}, teamName: x}\n";
        let read = Proposal::parse("project.yaml", text, &form).unwrap();
        assert_eq!((read.tenant.as_str(), read.cost_center.as_str()), ("new", "CC-7"));
        assert_eq!(read.nodes, Some(OwnNodes { size: 2, instance_type: "big".to_owned() }));
        assert_eq!((read.cpu.unwrap().micros(), read.services.len()), (3_000_000, 0));
        assert_eq!(read.ignored, ["`spec.teamName`"]);
        let told = Proposal::parse("tenant.yaml", TENANT, &form).unwrap_err();
        let told: String = told.iter().map(ToString::to_string).collect();
        assert!(told.contains("`Tenant` is no Project") && told.contains("not of the group"), "{told}");
    }
}
