//! Answers that a good server never gives: each is refused, by its right name, and none becomes a zero.
//! A stub gives them, because real servers will not.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use defray::collect::prometheus::{
    BadReading, Collector, Dialect, MayBeAbsent, MeasureError, NodeDirectory, QueryError, Settings,
    SettingsError,
};
use defray_pricing::names::{ClusterName, VirtualNamespace};
use http_body_util::BodyExt;

use super::{FIRST, at};

/// What the stub saw of one request.
#[derive(Debug, Clone)]
struct Seen {
    path: String,
    headers: HeaderMap,
    form: BTreeMap<String, String>,
}

impl Seen {
    /// The PromQL of a query; nothing of any other request.
    fn query(&self) -> &str {
        self.form.get("query").map_or("", String::as_str)
    }

    /// What the query restricts a label to.
    fn asked(&self, label: &str) -> Option<Vec<String>> {
        let (_, rest) = self.query().split_once(&format!("{label}=~\""))?;
        let (values, _) = rest.split_once('"')?;
        Some(values.split('|').map(|value| value.replace("\\\\", "")).collect())
    }
}

type Answer = Arc<dyn Fn(&Seen) -> Response + Send + Sync>;

/// A server that answers the clock as it should, and everything else as it is told.
struct Stub {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Stub {
    async fn start(answer: impl Fn(&Seen) -> Response + Send + Sync + 'static) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let answer: Answer = Arc::new(answer);
        let router = Router::new().fallback(reply).with_state((answer, Arc::clone(&seen)));
        #[expect(clippy::disallowed_methods, reason = "a stub outlives no test")]
        let task = tokio::spawn(async move { axum::serve(listener, router).await.expect("serves") });
        Self { url, seen, task }
    }
}

async fn reply(State((answer, all)): State<(Answer, Arc<Mutex<Vec<Seen>>>)>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    let mut form: BTreeMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
    let query = parts.uri.query().unwrap_or_default().as_bytes();
    form.extend(url::form_urlencoded::parse(query).into_owned());
    let seen = Seen { path: parts.uri.path().to_owned(), headers: parts.headers, form };
    all.lock().expect("no panic").push(seen.clone());
    if seen.form.get("query").is_some_and(|query| query == "vector(time())") {
        let now = format!(r#"[{{"metric":{{}},"value":[1,"{}"]}}]"#, at(600));
        return ok(&format!(r#"{{"status":"success","data":{{"resultType":"vector","result":{now}}}}}"#));
    }
    answer(&seen)
}

fn ok(body: &str) -> Response {
    answered(StatusCode::OK, "application/json", body)
}

fn answered(status: StatusCode, content: &'static str, body: &str) -> Response {
    (status, [(header::CONTENT_TYPE, content)], body.to_owned()).into_response()
}

/// The type a query must be answered with.
fn result_type(seen: &Seen) -> &'static str {
    let raw = seen.query().ends_with("[2h]");
    if raw || seen.form.contains_key("step") { "matrix" } else { "vector" }
}

/// A clean answer without any series.
fn empty(seen: &Seen) -> Response {
    if seen.path.starts_with("/api/v1/label/") {
        return ok(r#"{"status":"success","data":[]}"#);
    }
    let kind = result_type(seen);
    ok(&format!(r#"{{"status":"success","data":{{"resultType":"{kind}","result":[]}}}}"#))
}

/// Clean and empty answers, but for the metric that feeds memory usage.
async fn memory_answered_with(answer: impl Fn() -> Response + Send + Sync + 'static) -> MeasureError {
    let stub = Stub::start(move |seen| {
        if seen.query().starts_with("container_memory_working_set_bytes") { answer() } else { empty(seen) }
    })
    .await;
    let settings = Settings { byte_limit: 100_000, timeout: Duration::from_secs(2), ..Settings::default() };
    measure(&stub, settings).await.expect_err("must be refused")
}

async fn measure(
    stub: &Stub,
    settings: Settings,
) -> Result<defray::collect::prometheus::Measured, MeasureError> {
    let collector = Collector::new(Settings { url: stub.url.clone(), ..settings }).expect("settings");
    collector.measure(&ClusterName::from("c1"), FIRST, &NodeDirectory::default(), None).await
}

fn values(values: &str) -> String {
    let series = format!(r#"{{"metric":{{"namespace":"n","pod":"p","container":"c"}},"values":[{values}]}}"#);
    format!(r#"{{"status":"success","data":{{"resultType":"matrix","result":[{series}]}}}}"#)
}

fn query_error(error: &MeasureError) -> &QueryError {
    let MeasureError::Query { feeds, source, .. } = error else { panic!("not a query's error: {error}") };
    assert_eq!(*feeds, "memory_usage");
    source
}

#[tokio::test]
async fn samples_that_are_no_amounts_are_refused() {
    for (text, expected) in [
        ("NaN", BadReading::NotANumber),
        ("+Inf", BadReading::Infinite),
        ("-Inf", BadReading::Infinite),
        ("-1", BadReading::Negative),
        ("12 apples", BadReading::Syntax),
        ("1e300", BadReading::TooLarge),
    ] {
        let body = values(&format!(r#"[{},"{text}"]"#, at(0)));
        let error = memory_answered_with(move || ok(&body)).await;
        let QueryError::BadSample { why, .. } = query_error(&error) else { panic!("{text}: {error}") };
        assert_eq!(*why, expected, "{text}");
    }
}

/// Of a counter without a predecessor, whose container started in the year 1.
#[tokio::test]
async fn a_start_time_that_is_none_does_not_keep_the_hour_from_being_measured() {
    let stub = Stub::start(|seen| {
        let query = &seen.form["query"];
        if query.starts_with("min_over_time(container_start_time_seconds") {
            let of = r#"{"namespace":"n","pod":"p","container":"c"}"#;
            let series = format!(r#"{{"metric":{of},"value":[{},"-62135596800"]}}"#, at(60));
            return ok(&format!(
                r#"{{"status":"success","data":{{"resultType":"vector","result":[{series}]}}}}"#
            ));
        }
        if query.starts_with("container_cpu_usage_seconds_total") {
            return ok(&values(&format!(r#"[{},"3600"],[{},"7200"]"#, at(1), at(2))));
        }
        empty(seen)
    })
    .await;
    let measured = measure(&stub, Settings::default()).await.expect("start times are only hints");
    let used: Vec<_> = measured.usage.compute.iter().map(|row| row.cpu_usage.micros()).collect();
    assert_eq!(used, [1_000_000], "the first sample is the baseline");
}

#[tokio::test]
async fn answers_that_are_not_whole_are_refused() {
    let good = r#""status":"success","data":{"resultType":"matrix","result":[]}"#;
    for note in
        [r#""warnings":["a store did not answer"]"#, r#""infos":["PARTIAL response"]"#, r#""isPartial":true"#]
    {
        let body = format!("{{{good},{note}}}");
        let error = memory_answered_with(move || ok(&body)).await;
        assert!(matches!(query_error(&error), QueryError::Partial(_)), "{note}: {error}");
        assert!(error.is_transient());
    }
}

#[tokio::test]
async fn answers_that_are_no_answers_are_refused() {
    let twice = format!(r#"[{0},"1"],[{0},"2"]"#, at(0));
    let backwards = format!(r#"[{},"1"],[{},"2"]"#, at(1), at(0));
    let off_mark = format!(r#"[{},"1"]"#, at(0) + 7);
    let series = r#"{"metric":{"pod":"p"},"values":[]}"#;
    let matrix = |result: &str| {
        format!(r#"{{"status":"success","data":{{"resultType":"matrix","result":[{result}]}}}}"#)
    };
    for (what, body) in [
        ("truncated", r#"{"status":"success","data":{"resultType":"matrix","resu"#.to_owned()),
        ("empty body", String::new()),
        ("no data", r#"{"status":"success"}"#.to_owned()),
        ("another type", r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#.to_owned()),
        ("a scalar", r#"{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}"#.to_owned()),
        ("one time twice", values(&twice)),
        ("time goes back", values(&backwards)),
        ("beside the marks", values(&off_mark)),
        ("a series twice", matrix(&format!("{series},{series}"))),
        ("histograms", matrix(r#"{"metric":{},"histograms":[[1,{}]]}"#)),
        ("no samples", matrix(r#"{"metric":{}}"#)),
    ] {
        let error = memory_answered_with(move || ok(&body)).await;
        assert!(matches!(query_error(&error), QueryError::Malformed(_)), "{what}: {error}");
    }
    let error =
        memory_answered_with(|| answered(StatusCode::OK, "text/html", "<html>Please log in</html>")).await;
    let QueryError::Malformed(text) = query_error(&error) else { panic!("{error}") };
    assert!(text.contains("Please log in"), "{text}");
}

#[tokio::test]
async fn a_status_other_than_success_is_believed_before_the_body() {
    let success = r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#;
    let failed = r#"{"status":"error","errorType":"not_acceptable","error":"no tenant"}"#;
    for (status, body, expected) in [
        (500, success, "HTTP status 500"),
        (302, "", "HTTP status 302"),
        (401, "who are you", "HTTP status 401: who are you"),
        (429, failed, "HTTP status 429: no tenant"),
        (400, failed, "HTTP status 400: no tenant"),
        (200, failed, "the query failed: not_acceptable: no tenant"),
    ] {
        let code = StatusCode::from_u16(status).expect("a status");
        let error = memory_answered_with(move || answered(code, "application/json", body)).await;
        let text = query_error(&error).to_string();
        assert!(text.starts_with(expected), "{text}");
    }
}

#[tokio::test]
async fn what_is_too_large_or_too_slow_is_given_up() {
    let error = memory_answered_with(|| ok(&" ".repeat(200_000))).await;
    assert!(matches!(query_error(&error), QueryError::TooLarge(_)), "{error}");
    let stub = Stub::start(empty).await;
    let nobody = stub.url.clone();
    drop(stub);
    let collector = Collector::new(Settings { url: nobody, ..Settings::default() }).expect("settings");
    let error = collector.measure(&ClusterName::from("c1"), FIRST, &NodeDirectory::default(), None).await;
    let error = error.expect_err("nobody answers");
    assert!(error.is_transient() && error.to_string().contains("cannot reach the server"), "{error}");
    // A server that takes the connection and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", silent.local_addr().expect("an address"));
    let timeout = Duration::from_millis(200);
    let collector = Collector::new(Settings { url, timeout, ..Settings::default() }).expect("settings");
    let error = collector.measure(&ClusterName::from("c1"), FIRST, &NodeDirectory::default(), None).await;
    assert!(error.expect_err("silence").to_string().contains("no whole answer within"));
}

#[tokio::test]
async fn an_hour_without_any_data_is_not_an_hour_of_zeros() {
    let stub = Stub::start(empty).await;
    let error = measure(&stub, Settings::default()).await.expect_err("nothing was there");
    assert!(matches!(error, MeasureError::NoData(hour) if hour == FIRST), "{error}");
}

#[tokio::test]
async fn an_hour_that_is_not_settled_is_refused() {
    let stub = Stub::start(empty).await;
    // The stub's clock stands ten hours after the first hour began.
    let settle = Duration::from_hours(10);
    let error = measure(&stub, Settings { settle, ..Settings::default() }).await.expect_err("too soon");
    assert!(matches!(error, MeasureError::Unsettled { .. }), "{error}");
}

fn too_many_samples() -> Response {
    let body = r#"{"status":"error","errorType":"execution","error":"query processing would load too many samples"}"#;
    answered(StatusCode::UNPROCESSABLE_ENTITY, "application/json", body)
}

/// A constant at every mark, for each of these label sets.
fn marks(labels: &[String], value: &str) -> Response {
    let marks: Vec<String> = (0..60).map(|m| format!(r#"[{},"{value}"]"#, at(m))).collect();
    let marks = marks.join(",");
    let series: Vec<String> =
        labels.iter().map(|labels| format!(r#"{{"metric":{{{labels}}},"values":[{marks}]}}"#)).collect();
    let series = series.join(",");
    ok(&format!(r#"{{"status":"success","data":{{"resultType":"matrix","result":[{series}]}}}}"#))
}

/// A server of which nothing can be asked of more than two namespaces or nodes at once.
fn small_parts_only(seen: &Seen) -> Response {
    const NAMESPACES: [&str; 5] = ["", "c.d", "team-1", "team-2", "team-3"];
    let memory = seen.query().starts_with("container_memory_working_set_bytes");
    let nodes = seen.query().starts_with("kube_node_info");
    match seen.path.as_str() {
        "/api/v1/label/namespace/values" => {
            return ok(r#"{"status":"success","data":["c.d","gone","team-1","team-2","team-3"]}"#);
        }
        "/api/v1/label/node/values" => return ok(r#"{"status":"success","data":["a","b","c"]}"#),
        // Also what names would be listed by reads samples: too many.
        _ if !memory && !nodes && seen.query().contains("container_memory_working_set_bytes") => {
            return too_many_samples();
        }
        _ => {}
    }
    let small = |label| seen.asked(label).filter(|names| names.len() <= 1);
    if memory {
        let Some(names) = small("namespace") else { return too_many_samples() };
        let there = NAMESPACES.into_iter().filter(|name| names.iter().any(|asked| asked == name));
        let labels = |n: &str| format!(r#""namespace":"{n}","pod":"p","container":"c","node":"a""#);
        return marks(&there.map(labels).collect::<Vec<_>>(), "1073741824");
    }
    if nodes {
        let Some(names) = small("node") else { return too_many_samples() };
        let there = ["a", "b", "c"].into_iter().filter(|name| names.iter().any(|asked| asked == name));
        return marks(&there.map(|n| format!(r#""node":"{n}""#)).collect::<Vec<_>>(), "1");
    }
    empty(seen)
}

#[tokio::test]
async fn too_much_at_once_is_asked_for_in_parts() {
    for shard_size in [None, Some(3)] {
        let stub = Stub::start(small_parts_only).await;
        let settings = Settings { shard_size, ..Settings::default() };
        let measured = measure(&stub, settings).await.expect("in parts");
        let rows = measured.usage.compute.iter();
        let rows: Vec<_> = rows.map(|row| (row.namespace.as_str(), row.memory_usage.micros())).collect();
        let each = |name| (name, 1_000_000);
        assert_eq!(rows, ["", "c.d", "team-1", "team-2", "team-3"].map(each), "also what no list names");
        let node_hours: Vec<_> = measured.usage.nodes.iter().map(|row| row.node_hours.micros()).collect();
        assert_eq!(node_hours, [3_000_000], "nodes in parts as well");
        let seen = stub.seen.lock().expect("no panic");
        let lists = seen.iter().filter(|seen| seen.path.ends_with("/label/namespace/values"));
        let mut lists = lists.map(|seen| &seen.form);
        let form =
            lists.find(|form| form["match[]"].starts_with("container_memory")).expect("a list of names");
        let start = (FIRST.start().timestamp() - 3600).to_string();
        assert_eq!(
            (form["start"].as_str(), form["end"].as_str()),
            (start.as_str(), at(60).to_string().as_str())
        );
        assert!(form["match[]"].contains("pod!=\"\""), "what the query selects: {form:?}");
    }
}

#[tokio::test]
async fn what_one_name_alone_has_too_much_of_is_refused() {
    let stub = Stub::start(|seen| match seen.path.as_str() {
        "/api/v1/label/namespace/values" => ok(r#"{"status":"success","data":["huge"]}"#),
        _ if seen.query().starts_with("container_memory") => match seen.asked("namespace") {
            Some(names) if names == [""] => empty(seen),
            _ => too_many_samples(),
        },
        _ => empty(seen),
    })
    .await;
    let error = measure(&stub, Settings::default()).await.expect_err("too large");
    assert!(matches!(query_error(&error), QueryError::TooLarge(_)), "{error}");
    assert!(error.to_string().contains("namespace=~\"huge\""), "{error}");
}

#[tokio::test]
async fn a_list_of_names_with_a_warning_is_refused_too() {
    let stub = Stub::start(|seen| match seen.path.as_str() {
        "/api/v1/label/namespace/values" => {
            ok(r#"{"status":"success","data":["team-1"],"warnings":["a store did not answer"]}"#)
        }
        _ if seen.query().starts_with("container_memory") => too_many_samples(),
        _ => empty(seen),
    })
    .await;
    let error = measure(&stub, Settings::default()).await.expect_err("partial");
    assert!(matches!(query_error(&error), QueryError::Partial(_)), "{error}");
}

#[tokio::test]
async fn every_dialect_is_told_to_answer_in_whole() {
    for (dialect, expected) in [
        (Dialect::Prometheus, vec![("lookback_delta", "299.999")]),
        (Dialect::Mimir, vec![]),
        (Dialect::Thanos, vec![("partial_response", "false"), ("dedup", "true")]),
        (Dialect::VictoriaMetrics, vec![("nocache", "1"), ("deny_partial_response", "1")]),
    ] {
        let stub = Stub::start(empty).await;
        let settings = Settings {
            dialect,
            tenant: Some("bank".to_owned()),
            headers: vec![("Authorization".to_owned(), "Bearer s3cret".to_owned().into())],
            cluster: Some(("cluster".to_owned(), "c\"1".to_owned())),
            ..Settings::default()
        };
        measure(&stub, settings).await.expect_err("there is no data");
        let seen = stub.seen.lock().expect("no panic").clone();
        assert!(seen.len() > 15);
        for request in seen {
            assert_eq!(request.headers["x-scope-orgid"], "bank");
            assert_eq!(request.headers["authorization"], "Bearer s3cret");
            let query = &request.form["query"];
            if query == "vector(time())" {
                continue;
            }
            assert!(query.contains(r#"cluster="c\"1""#), "{query}");
            for (name, value) in &expected {
                assert_eq!(request.form.get(*name).map(String::as_str), Some(*value), "{query}");
            }
        }
    }
}

#[test]
fn settings_are_refused_with_every_reason_at_once() {
    let mut settings = Settings { url: "prometheus:9090".to_owned(), ..Settings::default() };
    settings.names.metrics.kube_pod_info = "up} or vector(1".to_owned();
    settings.cluster = Some(("clu-ster".to_owned(), "a".to_owned()));
    settings.shard_size = Some(0);
    settings.headers = vec![("X Y".to_owned(), "z".to_owned().into())];
    let Err(problems) = Collector::new(settings) else { panic!("must be refused") };
    assert_eq!(problems.len(), 5, "{problems:?}");
    assert!(matches!(problems[0], SettingsError::Url { .. }), "{problems:?}");
}

/// Every metric of a cluster with one pod that runs, but for the one that a relabelling rule dropped.
#[tokio::test]
async fn a_metric_that_is_dropped_on_the_way_is_not_a_zero_for_everybody() {
    let state = ["kube_pod_info", "kube_node_info", "kube_node_status_capacity"];
    let usage = ["container_cpu_usage_seconds_total", "container_memory_working_set_bytes"];
    let usual: Vec<&str> = MayBeAbsent::ALL.iter().map(|(metric, _)| *metric).collect();
    let all: Vec<&str> =
        ["kube_pod_status_phase"].into_iter().chain(state).chain(usage).chain(usual.clone()).collect();
    let answering = |dropped: &'static str| {
        let all = all.iter().map(|metric| (*metric).to_owned()).collect::<Vec<String>>();
        move |seen: &Seen| {
            let query = seen.query();
            if !all.iter().any(|metric| metric != dropped && query.contains(&format!("{metric}{{"))) {
                return empty(seen);
            }
            let of = r#"{"namespace":"n","pod":"p","container":"c","node":"a","phase":"Running","resource":"cpu"}"#;
            let marks: Vec<String> = (0..60).map(|m| format!(r#"[{},"1"]"#, at(m))).collect();
            let kind = result_type(seen);
            let samples = match kind {
                "matrix" => format!(r#""values":[{}]"#, marks.join(",")),
                _ => format!(r#""value":[{},"60"]"#, at(60)),
            };
            ok(&format!(
                r#"{{"status":"success","data":{{"resultType":"{kind}","result":[{{"metric":{of},{samples}}}]}}}}"#
            ))
        }
    };
    let whole = Stub::start(answering("none of them")).await;
    measure(&whole, Settings::default()).await.expect("nothing is missing");
    for dropped in all.iter().copied() {
        let stub = Stub::start(answering(dropped)).await;
        let error = measure(&stub, Settings::default()).await.expect_err(dropped);
        let (MeasureError::Missing { metric, .. } | MeasureError::Dropped { metric, .. }) = &error else {
            panic!("{dropped}: {error}")
        };
        assert_eq!(metric, dropped);
        assert_eq!(error.to_string().contains("names.absent"), usual.contains(&dropped), "{error}");
    }
    for (dropped, metric) in MayBeAbsent::ALL {
        let stub = Stub::start(answering(dropped)).await;
        let mut settings = Settings::default();
        settings.names.absent.insert(metric);
        measure(&stub, settings).await.expect("somebody said that there is none");
    }
}

/// Several series that say different things of one pod, node and volume, with as many samples each.
fn of_several_minds(seen: &Seen, turned: bool) -> Response {
    let synced =
        r#""namespace":"v","label_vcluster_loft_sh_managed_by":"a","label_vcluster_loft_sh_namespace""#;
    let told: [(&str, String); 8] = [
        (
            "container_memory_working_set_bytes",
            r#""namespace":"v","pod":"p","container":"c","node":"n""#.into(),
        ),
        ("kube_node_info", r#""node":"n""#.into()),
        ("kube_node_labels", r#""node":"n","label_nodepool":"?""#.into()),
        ("kube_pod_labels", format!(r#"{synced}:"?","pod":"p""#)),
        ("kube_persistentvolume_capacity_bytes", r#""persistentvolume":"d""#.into()),
        ("kube_persistentvolume_status_phase", r#""persistentvolume":"d","phase":"Bound""#.into()),
        (
            "kube_persistentvolume_claim_ref",
            r#""persistentvolume":"d","claim_namespace":"v","name":"?""#.into(),
        ),
        ("kube_persistentvolumeclaim_labels", format!(r#"{synced}:"?","persistentvolumeclaim":"1""#)),
    ];
    let Some((_, labels)) = told.iter().find(|(metric, _)| seen.query().contains(&format!("{metric}{{")))
    else {
        return empty(seen);
    };
    let mut minds: Vec<String> = ["1", "2", "3"].map(|mind| labels.replace('?', mind)).into();
    minds.dedup();
    if turned {
        minds.reverse();
    }
    if result_type(seen) == "matrix" {
        return marks(&minds, "1073741824");
    }
    let series = |labels: &String| format!(r#"{{"metric":{{{labels}}},"value":[{},"60"]}}"#, at(60));
    let series = minds.iter().map(series).collect::<Vec<_>>().join(",");
    ok(&format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{series}]}}}}"#))
}

#[tokio::test]
async fn in_whatever_order_a_server_answers_the_hour_is_the_same() {
    let mut hours = Vec::new();
    for turned in [false, true] {
        let stub = Stub::start(move |seen| of_several_minds(seen, turned)).await;
        hours.push(measure(&stub, Settings::default()).await.expect("an hour").usage);
    }
    assert_eq!(hours[0], hours[1]);
    let usage = &hours[0];
    let inside = |place: &Option<VirtualNamespace>| place.as_ref().map(ToString::to_string);
    let one = Some("1".to_owned());
    assert_eq!(usage.nodes[0].class.pool.as_str(), "1", "the smallest label set speaks");
    assert_eq!((inside(&usage.compute[0].virtual_namespace), usage.compute.len()), (one.clone(), 1));
    assert_eq!((inside(&usage.storage[0].virtual_namespace), usage.storage.len()), (one, 1));
}

#[tokio::test]
async fn requests_without_phases_are_not_requests_of_nobody() {
    let stub = Stub::start(|seen| {
        if seen.query().starts_with("kube_pod_container_resource_requests") {
            return ok(&values(&format!(r#"[{},"1"]"#, at(0))));
        }
        empty(seen)
    })
    .await;
    let error = measure(&stub, Settings::default()).await.expect_err("nobody knows which pods ran");
    let MeasureError::Missing { metric, feeds, .. } = &error else { panic!("{error}") };
    assert_eq!((metric.as_str(), *feeds), ("kube_pod_status_phase", "cpu_request"));
}
