//! Which claims make a namespace a tenant's. Contradictions that can be seen here are refused here.

use defray_pricing::book::Pattern;
use defray_pricing::names::{CostCenter, TenantName};
use defray_pricing::ownership::{NamePattern, NamedBy, StaticClaim, TenancyRules};
use defray_pricing::problem::Refused;
use defray_pricing::yaml::Value;

use super::page::Page;

mod rules;

const PLACEHOLDER: &str = "{tenant}";
const NAMESPACE_PATTERN: (&str, &str) = ("vcluster-", "");
const NAMESPACE_LABELS: [&str; 1] = ["platform.financecore.local/tenant"];

pub(super) fn read(value: &Value<'_>) -> Result<TenancyRules, Refused> {
    let mut keys = value.mapping()?;
    let default =
        NamePattern { prefix: NAMESPACE_PATTERN.0.to_owned(), suffix: NAMESPACE_PATTERN.1.to_owned() };
    let namespace_pattern = keys.with_default("namespace_pattern", Some(default), |value| {
        match value.text()? {
            // An empty pattern switches the convention off.
            "" => Ok(None),
            text => name_pattern(value, text).map(Some),
        }
    });
    let labels = NAMESPACE_LABELS.map(str::to_owned).to_vec();
    let namespace_labels = keys.with_default("namespace_labels", labels, |value| value.list(Value::string));
    let rules = keys.with_default("rules", Vec::new(), rules::rules);
    let cost_centers = keys.section("cost_centers", rules::cost_centers);
    let claims = keys
        .with_default("static", Vec::new(), |value| value.list(|value| Ok((claim(value)?, value.clone()))));
    keys.finish();
    let (namespace_pattern, rules, claims) = (namespace_pattern?, rules?, claims?);
    let by_rule = rules.iter().filter_map(|(rule, _)| match &rule.by {
        // A fallback gives way, and what is called otherwise may well be called the same.
        NamedBy::Name(name) if !rule.fallback && rule.names.is_empty() => {
            Some(Convention { key: "name", name, cluster: rule.cluster.clone() })
        }
        _ => None,
    });
    let convention = |name| Convention { key: "namespace_pattern", name, cluster: Pattern::any() };
    let conventions: Vec<_> = namespace_pattern.iter().map(convention).chain(by_rule).collect();
    contradictions(&conventions, &claims)?;
    Ok(TenancyRules {
        namespace_rules: rules.iter().map(|(rule, _)| rule.clone()).collect(),
        namespace_labels: namespace_labels?,
        static_claims: claims.into_iter().map(|(claim, _)| claim).collect(),
        cost_centers: cost_centers?,
        namespace_pattern,
    })
}

fn name_pattern(value: &Value<'_>, text: &str) -> Result<NamePattern, Refused> {
    match text.split_once(PLACEHOLDER) {
        Some((prefix, suffix)) if !suffix.contains(PLACEHOLDER) => {
            Ok(NamePattern { prefix: prefix.to_owned(), suffix: suffix.to_owned() })
        }
        _ => Err(value.refuse(
            format!("`{text}` does not hold `{PLACEHOLDER}` exactly once"),
            "write it as in `vcluster-{tenant}`, or \"\" for no such convention",
        )),
    }
}

fn claim(value: &Value<'_>) -> Result<StaticClaim, Refused> {
    let mut keys = value.mapping()?;
    let tenant = keys.required("tenant", tenant);
    let cost_center = keys.optional("cost_center", |value| Ok(CostCenter::from(value.string()?)));
    let cluster = keys.with_default("cluster", Pattern::any(), Value::parsed);
    let namespaces = keys.required("namespaces", |value| value.list(Value::parsed));
    keys.finish();
    let namespaces = namespaces?;
    if namespaces.is_empty() {
        return Err(value.refuse("it claims no namespace", "name at least one"));
    }
    Ok(StaticClaim { tenant: tenant?, cost_center: cost_center?, cluster: cluster?, namespaces })
}

fn tenant(value: &Value<'_>) -> Result<TenantName, Refused> {
    let tenant = TenantName::from(value.string()?);
    if tenant.is_reserved() {
        return Err(value.refuse(format!("`{tenant}` is reserved"), "no tenant may have this name"));
    }
    Ok(tenant)
}

/// A rule that finds tenants in names.
struct Convention<'p> {
    /// The key that holds it.
    key: &'static str,
    name: &'p NamePattern,
    cluster: Pattern,
}

/// Two claims that could both hold for one namespace, whatever namespaces there are.
fn contradictions(
    conventions: &[Convention<'_>],
    claims: &[(StaticClaim, Value<'_>)],
) -> Result<(), Refused> {
    let mut result = Ok(());
    for (index, (claim, place)) in claims.iter().enumerate() {
        for (earlier, at) in claims.iter().take(index) {
            if claim.tenant == earlier.tenant || !claim.cluster.overlaps(&earlier.cluster) {
                continue;
            }
            for (mine, theirs) in pairs(&claim.namespaces, &earlier.namespaces) {
                result = Err(place.refuse(
                    format!(
                        "`{mine}` for tenant `{}` and `{theirs}` for tenant `{}` (line {}) can claim one namespace \
                         for two tenants",
                        claim.tenant,
                        earlier.tenant,
                        at.line()
                    ),
                    "make the patterns exclude each other",
                ));
            }
        }
        for Convention { key, name, cluster } in conventions {
            let by_name: Result<Pattern, _> = format!("{}*{}", name.prefix, name.suffix).parse();
            let Ok(by_name) = by_name else { continue };
            // A single name may be meant as the exception; a glob reaches tenants nobody thought of.
            let globs = claim.namespaces.iter().filter(|glob| !glob.is_exact() && glob.overlaps(&by_name));
            for glob in globs.filter(|_| cluster.overlaps(&claim.cluster)) {
                result = Err(place.refuse(
                    format!(
                        "`{glob}` for tenant `{}` also matches namespaces that `{key}` gives to the tenant they are \
                         named after (`{}{PLACEHOLDER}{}`)",
                        claim.tenant, name.prefix, name.suffix
                    ),
                    "narrow the glob, or switch the convention off with namespace_pattern: \"\"",
                ));
            }
        }
    }
    result
}

fn pairs<'a>(mine: &'a [Pattern], theirs: &'a [Pattern]) -> impl Iterator<Item = (&'a Pattern, &'a Pattern)> {
    mine.iter().flat_map(move |a| theirs.iter().filter(|b| a.overlaps(b)).map(move |b| (a, b)))
}

pub(super) fn print(rules: &TenancyRules, page: &mut Page) {
    page.section("tenancy", "Which claims make a namespace a tenant's, besides the Tenant resource itself.", |page| {
        let pattern = rules.namespace_pattern.as_ref();
        page.key(
            "namespace_pattern",
            &pattern.map_or(String::new(), |p| format!("{}{PLACEHOLDER}{}", p.prefix, p.suffix)),
            "The host namespace of a tenant, by name. Empty for no such convention.",
        );
        page.words(
            "namespace_labels",
            rules.namespace_labels.iter().map(String::as_str),
            "Labels of namespaces whose value names a tenant that a Tenant resource, a static claim or \
             cost_centers.by_tenant knows.",
        );
        rules::print_rules(&rules.namespace_rules, page);
        rules::print_cost_centers(&rules.cost_centers, page);
        page.list(
            "static",
            "Namespaces given to a tenant by hand: tenant, cost_center, cluster (a name or glob), namespaces (names or \
             globs).",
            &rules.static_claims,
            |claim, page| {
                page.key("tenant", claim.tenant.as_str(), "The tenant.");
                page.maybe(
                    "cost_center",
                    claim.cost_center.as_ref().map(CostCenter::as_str),
                    "CC-1234",
                    "Its cost centre, if no Tenant resource says so.",
                );
                page.key("cluster", claim.cluster.as_str(), "Clusters it holds in.");
                page.words("namespaces", claim.namespaces.iter().map(Pattern::as_str), "Its namespaces.");
            },
        );
    });
}
