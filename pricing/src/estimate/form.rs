//! Which resource describes tenants, and where in it the answers stand: as the configuration of a cluster says.

use std::collections::BTreeSet;

use crate::names::Service;

/// Where in a resource an answer stands: the names of the fields, from the outside in.
pub type Path = Vec<String>;

/// Which resource describes tenants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// Its group.
    pub group: String,
    /// Its kind.
    pub kind: String,
    /// The tenant's name.
    pub team: Path,
    /// The cost centre.
    pub cost_center: Path,
    /// An object of service names, each true or false; none where the resource has no such field.
    pub services: Option<Path>,
    /// How many nodes of its own it asks for.
    pub size: Option<Path>,
    /// Which kind of nodes.
    pub instance_type: Option<Path>,
    /// How much it may ask for: an object with `cpu`, `memory` and `storage`.
    pub resource_quota: Option<Path>,
    /// What has no price.
    pub unpriced: Vec<Path>,
    /// Services that the API server switches on where the resource names services, but not these.
    pub on_by_default: BTreeSet<Service>,
}

/// The `Tenant` that this project ships the definition of.
impl Default for Form {
    fn default() -> Self {
        let spec = |path: &[&str]| -> Path { ["spec"].iter().chain(path).map(ToString::to_string).collect() };
        Self {
            group: "platform.financecore.local".to_owned(),
            kind: "Tenant".to_owned(),
            team: spec(&["teamName"]),
            cost_center: spec(&["costCenter"]),
            services: Some(spec(&["services"])),
            size: Some(spec(&["nodePool", "size"])),
            instance_type: Some(spec(&["nodePool", "instanceType"])),
            resource_quota: Some(spec(&["resourceQuota"])),
            unpriced: vec![spec(&["ownerEmail"]), spec(&["adGroup"])],
            on_by_default: ["argocd", "monitoring"].map(Service::from).into(),
        }
    }
}

impl Form {
    /// What of the quota is looked at.
    pub(super) const QUOTA: [&str; 3] = ["cpu", "memory", "storage"];

    /// Every field that is looked at or that has no price; what is below one of them is, too.
    pub(super) fn known(&self) -> Vec<Path> {
        let one = [Some(&self.team), Some(&self.cost_center), self.services.as_ref()];
        let more = [self.size.as_ref(), self.instance_type.as_ref()];
        let quota = self.resource_quota.iter().flat_map(|path| {
            Self::QUOTA.map(|key| path.iter().cloned().chain([key.to_owned()]).collect::<Path>())
        });
        let fields = one.into_iter().chain(more).flatten().chain(&self.unpriced).cloned();
        // What every resource has.
        let common = ["apiVersion", "kind", "metadata", "status"].map(|key| vec![key.to_owned()]);
        fields.chain(quota).chain(common).collect()
    }
}
