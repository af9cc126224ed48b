//! Where a cluster's metrics are, and what they are called there.

use std::path::PathBuf;
use std::time::Duration;

use defray_pricing::problem::Refused;
use defray_pricing::yaml::{Key, Mapping, Value};
use secrecy::ExposeSecret;

use super::page::{self, Page};
use super::place::Place;
use super::secret::{self, Secret, TOKEN};
use crate::collect::prometheus::{Dialect, MayBeAbsent, Names, Settings};

/// Where a cluster's metrics are.
#[derive(Debug, Clone)]
pub struct Prometheus {
    /// How they are read.
    pub settings: Settings,
    preset: &'static str,
    token: Option<Secret>,
    ca_file: Option<PathBuf>,
    headers: Vec<(String, Secret)>,
}

const PRESETS: [(&str, &str); 2] = [("plain", "plain"), ("kube-prometheus-stack", "kube-prometheus-stack")];
const DIALECTS: [(&str, Dialect); 4] = [
    ("prometheus", Dialect::Prometheus),
    ("thanos", Dialect::Thanos),
    ("mimir", Dialect::Mimir),
    ("victoria-metrics", Dialect::VictoriaMetrics),
];
const AUTHORIZATION: &str = "Authorization";

pub(super) fn read(value: &Value<'_>, place: &Place<'_>, settle: Duration) -> Result<Prometheus, Refused> {
    let default = Settings::default();
    let mut keys = value.mapping()?;
    let url = keys.required("url", url);
    let preset = keys.with_default("preset", "plain", |value| value.word(&PRESETS));
    let dialect = keys.with_default("dialect", default.dialect, |value| value.word(&DIALECTS));
    let tenant = keys.optional("tenant", Value::string);
    let selector = keys.optional("cluster_label", |value| label_and_value(value));
    let token = secret::optional(&mut keys, TOKEN, place);
    let headers = keys.with_default("secret_headers", Vec::new(), |value| headers(value, place));
    let authority = keys.optional("ca_file", |value| certificate(value, place));
    let timeout = keys.with_default("timeout", default.timeout, seconds_to_minutes);
    let deadline = keys.with_default("deadline", default.deadline, seconds_to_minutes);
    let byte_limit =
        keys.with_default("answer_mib", default.byte_limit >> 20, |value| value.whole_number(1..=1024));
    let shard_size = keys.optional("namespaces_at_once", |value| value.whole_number(1..=10_000));
    let names = keys.section("names", |value| names(value, preset.unwrap_or("plain")));
    keys.finish();
    let (token, headers, authority) = (token?, headers?, authority?);
    let (ca_file, ca_certificate) = authority.unzip();
    let settings = Settings {
        url: url?,
        headers: sent(token.as_ref(), &headers),
        tenant: tenant?,
        ca_certificate,
        dialect: dialect?,
        cluster: selector?,
        timeout: timeout?,
        deadline: deadline?,
        byte_limit: byte_limit? << 20,
        shard_size: shard_size?,
        settle,
        names: names?,
    };
    Ok(Prometheus { settings, preset: preset?, token, ca_file, headers })
}

impl Prometheus {
    /// Whether the series of one store could be read for two clusters: nothing that is written here tells them apart.
    /// By labels of different names they may be, which only the store itself can tell.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let (ours, theirs) = (&self.settings, &other.settings);
        let credentials = |settings: &Settings| -> Vec<(String, String)> {
            let sent = settings.headers.iter();
            sent.map(|(name, value)| (name.clone(), value.expose_secret().to_owned())).collect()
        };
        let one_store = ours.url.trim_end_matches('/') == theirs.url.trim_end_matches('/')
            && ours.tenant == theirs.tenant
            && credentials(ours) == credentials(theirs);
        let apart = match (&ours.cluster, &theirs.cluster) {
            (Some(ours), Some(theirs)) => ours != theirs,
            _ => false,
        };
        one_store && !apart
    }
}

fn sent(token: Option<&Secret>, headers: &[(String, Secret)]) -> Vec<(String, secrecy::SecretString)> {
    let token = token.map(|token| {
        (AUTHORIZATION.to_owned(), secrecy::SecretString::from(format!("Bearer {}", token.expose())))
    });
    token.into_iter().chain(headers.iter().map(|(name, secret)| (name.clone(), secret.value()))).collect()
}

fn url(value: &Value<'_>) -> Result<String, Refused> {
    let text = value.string()?;
    let url = url::Url::parse(&text).map_err(|error| {
        value.refuse(format!("`{text}` is not an address: {error}"), "write http://host:port")
    })?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(value.refuse(format!("`{text}` does not begin with http:// or https:// and a host"), ""));
    }
    if !url.username().is_empty() || url.password().is_some() {
        let mend = "send credentials with `token_file`, or an Authorization header in `secret_headers`";
        return Err(value.refuse("the address holds credentials", mend));
    }
    if url.query().is_some() || url.path().trim_end_matches('/').ends_with("/api/v1") {
        return Err(value
            .refuse(format!("`{text}` is not the base of the API"), "leave out /api/v1 and what follows"));
    }
    Ok(text)
}

fn seconds_to_minutes(value: &Value<'_>) -> Result<Duration, Refused> {
    value.duration(Duration::from_secs(1)..=Duration::from_hours(1))
}

fn label_and_value(value: &Value<'_>) -> Result<(String, String), Refused> {
    let mut keys = value.mapping()?;
    let label = keys.required("name", Value::string);
    let is = keys.required("value", Value::string);
    keys.finish();
    Ok((label?, is?))
}

/// Secrets by the name of the header they are sent in.
fn headers(value: &Value<'_>, place: &Place<'_>) -> Result<Vec<(String, Secret)>, Refused> {
    let name = |key: &Key<'_>| match http::HeaderName::from_bytes(key.text().as_bytes()) {
        Ok(_) => Ok(key.text().to_owned()),
        Err(_) => Err(key.refuse(format!("`{}` is not the name of a header", key.text()), "")),
    };
    let headers = value.map(name, |value| {
        let mut keys = value.mapping()?;
        let secret = secret::optional(&mut keys, HEADER, place);
        keys.finish();
        secret?.ok_or_else(|| value.refuse("it has no value", "name a `file` or an `env` that holds it"))
    })?;
    Ok(headers.into_iter().collect())
}

const HEADER: secret::Keys = secret::Keys { file: "file", env: "env" };

fn certificate(value: &Value<'_>, place: &Place<'_>) -> Result<(PathBuf, String), Refused> {
    let path = place.path(&value.string()?);
    match std::fs::read_to_string(&path) {
        Ok(text) if text.contains("-----BEGIN CERTIFICATE-----") => Ok((path, text)),
        Ok(_) => Err(value.refuse(format!("{} holds no PEM certificate", path.display()), "")),
        Err(error) => Err(value.refuse(format!("{} cannot be read: {error}", path.display()), "")),
    }
}

/// What differs from the preset.
fn names(value: &Value<'_>, preset: &str) -> Result<Names, Refused> {
    let mut names = Names::preset(preset).unwrap_or_else(Names::plain);
    let mut keys = value.mapping()?;
    let cadvisor = keys.with_default("cadvisor_selector", names.cadvisor_pins.clone(), pins);
    let state = keys.with_default("kube_state_metrics_selector", names.state_pins.clone(), pins);
    let node = keys
        .with_default("cadvisor_node_labels", names.cadvisor.node.clone(), |value| value.list(Value::string));
    let interfaces = keys.with_default("ignored_interfaces", names.ignored_interfaces.clone(), Value::string);
    let absent = keys.with_default("absent", Vec::new(), |value| value.list(|v| v.word(&MayBeAbsent::ALL)));
    let metrics = keys.section("metrics", |value| renamed(value, &mut names));
    keys.finish();
    names.cadvisor_pins = cadvisor?;
    names.state_pins = state?;
    names.cadvisor.node = node?;
    names.ignored_interfaces = interfaces?;
    names.absent = absent?.into_iter().collect();
    metrics?;
    Ok(names)
}

fn pins(value: &Value<'_>) -> Result<Vec<(String, String)>, Refused> {
    let pins = value.map(|key| Ok(key.text().to_owned()), Value::string)?;
    Ok(pins.into_iter().collect())
}

macro_rules! metric_names {
    ($($metric:ident),* $(,)?) => {
        fn renamed(value: &Value<'_>, names: &mut Names) -> Result<(), Refused> {
            let mut keys: Mapping<'_> = value.mapping()?;
            let metrics = &mut names.metrics;
            let mut result = Ok(());
            $(
                match keys.optional(stringify!($metric), metric_name) {
                    Ok(Some(name)) => metrics.$metric = name,
                    Ok(None) => {}
                    Err(refused) => result = Err(refused),
                }
            )*
            keys.finish();
            result
        }

        fn print_renamed(names: &Names, page: &mut Page) {
            $( page.key(stringify!($metric), &names.metrics.$metric, ""); )*
        }
    };
}

metric_names![
    container_cpu_usage_seconds_total,
    container_memory_working_set_bytes,
    container_network_transmit_bytes_total,
    container_start_time_seconds,
    kube_namespace_annotations,
    kube_namespace_created,
    kube_namespace_labels,
    kube_node_info,
    kube_node_labels,
    kube_node_status_capacity,
    kube_persistentvolume_capacity_bytes,
    kube_persistentvolume_claim_ref,
    kube_persistentvolume_info,
    kube_persistentvolume_status_phase,
    kube_persistentvolumeclaim_info,
    kube_persistentvolumeclaim_labels,
    kube_pod_container_resource_requests,
    kube_pod_info,
    kube_pod_init_container_info,
    kube_pod_init_container_resource_requests,
    kube_pod_labels,
    kube_pod_status_phase,
    kube_resourcequota,
    kube_service_labels,
    kube_service_spec_type,
    kube_tenant_info,
];

fn metric_name(value: &Value<'_>) -> Result<String, Refused> {
    let name = value.string()?;
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || "_:".contains(c));
    if begins && name.chars().all(|c| c.is_ascii_alphanumeric() || "_:".contains(c)) {
        return Ok(name);
    }
    Err(value.refuse(
        format!("`{name}` cannot be the name of a metric"),
        "write the bare name, without a selector",
    ))
}

pub(super) fn print(prometheus: &Prometheus, page: &mut Page) {
    let settings = &prometheus.settings;
    page.section("prometheus", "Where the cluster's metrics are.", |page| {
        page.key("url", &settings.url, "The base of the API, without /api/v1.");
        page.key(
            "preset",
            prometheus.preset,
            "How the exporters are scraped: plain, or kube-prometheus-stack (its jobs and paths are selected).",
        );
        let dialect = DIALECTS.iter().find(|(_, dialect)| *dialect == settings.dialect);
        page.raw(
            "dialect",
            dialect.map_or("prometheus", |(word, _)| word),
            "Which server it is: prometheus, thanos, mimir or victoria-metrics.",
        );
        page.maybe("tenant", settings.tenant.as_deref(), "anonymous", "Sent as X-Scope-OrgID, for Mimir and the like.");
        let about = "The label that selects this cluster, where one store holds many.";
        match &settings.cluster {
            Some((name, value)) => {
                page.pairs("cluster_label", [("name", name.as_str()), ("value", value.as_str())], about);
            }
            None => page.unset("cluster_label", "{name: cluster, value: my-cluster}", about),
        }
        secret::print(prometheus.token.as_ref(), TOKEN, "A file that holds the bearer token to send.", page);
        print_headers(&prometheus.headers, page);
        let ca_file = prometheus.ca_file.as_ref().map(|path| path.display().to_string());
        page.maybe("ca_file", ca_file.as_deref(), "/etc/defray/ca.pem", "A certificate authority to trust, as PEM.");
        page.raw("timeout", &page::duration(settings.timeout), "How long one answer may take.");
        page.raw("deadline", &page::duration(settings.deadline), "How long one hour may take.");
        let mib = (settings.byte_limit >> 20).to_string();
        let about = "How large one answer may be; more is asked for in parts, by namespace, node or volume. An hour \
                     that is being measured takes up to ten times this in memory, beside a kilobyte or two for \
                     each container.";
        page.raw("answer_mib", &mib, about);
        let shard = settings.shard_size.map(|size| size.to_string());
        let about = "How many namespaces to ask for at once. Without it all, until that is too much.";
        match shard {
            Some(size) => page.raw("namespaces_at_once", &size, about),
            None => page.unset("namespaces_at_once", "50", about),
        }
        print_names(&settings.names, page);
    });
}

fn print_headers(headers: &[(String, Secret)], page: &mut Page) {
    let about = "Headers whose values are secret, each by file or env.";
    if headers.is_empty() {
        page.unset("secret_headers", "{X-Api-Key: {file: /etc/defray/secrets/api-key}}", about);
        return;
    }
    page.section("secret_headers", about, |page| {
        for (name, secret) in headers {
            page.section(name, "", |page| secret::print(Some(secret), HEADER, "", page));
        }
    });
}

fn print_names(names: &Names, page: &mut Page) {
    let pairs = |pins: &[(String, String)], page: &mut Page, key: &str, about: &str| {
        page.pairs(key, pins.iter().map(|(label, value)| (label.as_str(), value.as_str())), about);
    };
    page.section("names", "What metrics and labels are called, where it differs from the preset.", |page| {
        let about = "Labels every cAdvisor series must carry, so that nobody else's count.";
        pairs(&names.cadvisor_pins, page, "cadvisor_selector", about);
        let about = "The same for kube-state-metrics.";
        pairs(&names.state_pins, page, "kube_state_metrics_selector", about);
        page.words(
            "cadvisor_node_labels",
            names.cadvisor.node.iter().map(String::as_str),
            "Labels of cAdvisor's series that name the node; the first that a series carries counts.",
        );
        page.key(
            "ignored_interfaces",
            &names.ignored_interfaces,
            "Network interfaces that only carry again what a pod's own already counted (a regular expression).",
        );
        let absent = MayBeAbsent::ALL.iter().filter(|(_, metric)| names.absent.contains(metric));
        let about = "Metrics that are not there because this cluster has nothing of the kind: any of \
                     kube_pod_container_resource_requests, container_network_transmit_bytes_total and \
                     kube_service_spec_type. Else an hour without one of them is not recorded.";
        page.words("absent", absent.map(|(word, _)| *word), about);
        page.section("metrics", "The name of each metric.", |page| print_renamed(names, page));
    });
}
