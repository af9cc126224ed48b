//! Books that are refused, with every problem in words, and books that are good.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{PriceBook, Source};
use crate::book::{Band, BandRate, Model, MonthlyAmount, NodeCost, Policy, Seen};
use crate::names::PriceClass;
use crate::ownership::NamespaceState;
use crate::time::{BillingZone, HourRange};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn files(folder: &Path, suffix: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with(suffix))
        .collect();
    files.sort();
    files
}

fn berlin() -> BillingZone {
    BillingZone::new("Europe/Berlin").unwrap()
}

/// A case may hold several files: a line `# file: name` begins the next.
fn sources(text: &str) -> Vec<Source> {
    if !text.starts_with("# file: ") {
        return vec![Source { name: "book.yaml".to_owned(), text: text.to_owned() }];
    }
    format!("\n{text}")
        .split("\n# file: ")
        .skip(1)
        .map(|part| {
            let (name, text) = part.split_once('\n').unwrap();
            Source { name: name.to_owned(), text: text.to_owned() }
        })
        .collect()
}

fn book(text: &str) -> PriceBook {
    PriceBook::parse(&sources(text), berlin()).unwrap_or_else(|problems| {
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        panic!("refused:\n{}", told.join("\n"))
    })
}

/// Each `*.bad.yaml` has the problems that its `*.expected` lists, all of them, in that order.
#[test]
fn bad_books_are_refused_with_every_problem() {
    let cases = files(&folder("cases/bad"), ".bad.yaml");
    assert!(cases.len() >= 19, "the folder of cases was not found whole");
    for case in cases {
        let problems = PriceBook::parse(&sources(&fs::read_to_string(&case).unwrap()), berlin())
            .expect_err(&format!("{} is accepted", case.display()));
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let told = format!("{}\n", told.join("\n"));
        let expected = case.to_str().unwrap().replace(".bad.yaml", ".expected");
        let expected = fs::read_to_string(&expected).unwrap_or_default();
        assert_eq!(told, expected, "{}:\n{told}", case.display());
    }
}

/// A file pasted into itself is no reason to run out of memory, nor to write more than anybody reads.
#[test]
fn an_entry_given_a_thousand_times_is_a_problem_each_and_the_first_are_told() {
    let header =
        "version: '1'\neffective_from: 2026-01-01\ncurrency: EUR\nidle: {proportional: direct_cost}\n";
    let pool = "  - {pool: a, model: rate, cpu_core_hour: '1', memory_gib_hour: '1', basis: max}\n";
    for (key, entry) in [
        ("pools", pool),
        ("storage", "  - {class: gp3, gib_hour: '1'}\n"),
        ("adjustments", "  - {date: 2026-01-02, tenant: a, amount: '1', reason: x, reference: R}\n"),
        ("budgets", "  - {tenant: a, from: 2026-01, per_month: '1'}\n"),
    ] {
        let prices = if key == "pools" { String::new() } else { format!("pools:\n{pool}") };
        let text = format!("{header}{prices}{key}:\n{}", entry.repeat(1000));
        let problems = PriceBook::parse(&sources(&text), berlin()).unwrap_err();
        let last = problems.last().unwrap().to_string();
        assert_eq!(problems.len(), 501, "{key}: {last}");
        assert!(last.contains("and 499 more problems"), "{key}: {}\n{last}", problems[0]);
    }
}

/// Every entry that competes is told, also one that competes with another that was told.
#[test]
fn what_competes_with_what_was_told_is_told_at_once() {
    let text = "version: '1'\neffective_from: 2026-01-01\ncurrency: EUR\nidle: even\npools:\n\
        - {pool: 'a*-', model: rate, cpu_core_hour: 1, memory_gib_hour: 1}\nshared_costs:\n\
        - {name: A, namespaces: [a, x], policy: even}\n\
        - {name: B, namespaces: [a, x, b], policy: even}\n\
        - {name: C, namespaces: [b], policy: even}\n";
    let problems = PriceBook::parse(&sources(text), berlin()).unwrap_err();
    let told: Vec<String> = problems.iter().map(|problem| problem.message.clone()).collect();
    assert_eq!(
        told,
        [
            "namespaces like `a`, `x` are already shared by the entry in book.yaml:8",
            "namespaces like `b` are already shared by the entry in book.yaml:9",
        ]
    );
}

#[test]
fn good_books_are_read() {
    let books = files(&folder("books"), ".yaml");
    assert!(books.len() >= 3, "the folder of books was not found whole");
    for path in books {
        let book = book(&fs::read_to_string(&path).unwrap());
        assert!(!book.editions.is_empty(), "{}", path.display());
    }
}

#[test]
fn the_worked_example_says_what_it_says() {
    let book = book(include_str!("../../../books/worked-example.yaml"));
    let [edition] = book.editions.as_slice() else { panic!("one edition") };
    assert_eq!(edition.effective_from.to_string(), "2026-09-30T22:00:00Z");
    let [pool] = edition.pools.as_slice() else { panic!("one pool") };
    assert_eq!(pool.nodes, Some(NodeCost::PerNodeHour("0.2".parse().unwrap())));
    let Model::Cost { weights } = &pool.model else { panic!("the cost model") };
    assert_eq!((weights.cpu, weights.memory), (30_000_000, 5_000_000));
    assert_eq!(edition.shared_costs[0].policy, Policy::Even);
}

#[test]
fn the_most_specific_entry_comes_first() {
    let book = book(include_str!("../../../books/reference.yaml"));
    let edition = &book.editions[0];
    let pools: Vec<String> = edition
        .pools
        .iter()
        .map(|entry| format!("{}/{}/{}", entry.pool, entry.instance_type, entry.capacity_type))
        .collect();
    assert_eq!(pools, ["reserved/*/*", "default/*/spot", "default/*/*", "burst/*/*", "gpu-*/g5.*/*"]);
    let price = |pool: &str, instance: &str, capacity: &str| {
        let class =
            PriceClass { pool: pool.into(), instance_type: instance.into(), capacity_type: capacity.into() };
        edition.pool_price(&"eu".into(), &class).and_then(|entry| entry.nodes.clone())
    };
    let per_hour = |text: &str| Some(NodeCost::PerNodeHour(text.parse().unwrap()));
    assert_eq!(price("default", "m5", "spot"), per_hour("0.07"));
    assert_eq!(price("default", "m5", ""), per_hour("0.2"));
    let month = MonthlyAmount::Month { nanos: 3_600_000_000_000 };
    assert_eq!(price("gpu-a", "g5.xlarge", ""), Some(NodeCost::PerMonth(month)));
    assert_eq!(price("gpu-a", "p4", ""), None);
    assert!(edition.cluster_price(&"edge-1".into()).is_some());
    assert_eq!(edition.terms(&"CC-123".into()).unwrap().percentage, -100_000_000);
    assert_eq!(edition.terms(&"CC-456".into()).unwrap().percentage, 25_000_000);
}

#[test]
fn the_edition_in_force_is_the_last_that_has_begun() {
    let files = [include_str!("../../../books/demo.yaml"), include_str!("../../../books/demo-2026-10.yaml")];
    let named = |(index, text): (usize, &&str)| Source { name: index.to_string(), text: (*text).to_owned() };
    let mut files: Vec<Source> = files.iter().enumerate().map(named).collect();
    let book = PriceBook::parse(&files, berlin()).unwrap();
    let version = |hour: &str| book.at(hour.parse().unwrap()).map(|edition| edition.version.as_str());
    assert_eq!(version("2026-07-31T21:00:00Z"), None);
    assert_eq!(version("2026-07-31T22:00:00Z"), Some("demo 2026-08.1"));
    assert_eq!(version("2026-09-30T21:00:00Z"), Some("demo 2026-08.1"));
    assert_eq!(version("2026-09-30T22:00:00Z"), Some("demo 2026-10.1"));
    files.reverse();
    assert_eq!(PriceBook::parse(&files, berlin()), Ok(book), "the order of files does not matter");
}

const SPLIT: &str = r#"# file: a.yaml
version: "2026-10.1"
currency: EUR
effective_from: 2026-09-30T22:00:00Z
pools: [{basis: max, weights: {memory: 0.00500, cpu: 0.03}, node_hour: 0.2, model: cost, pool: default}]
# file: b.yaml
currency: EUR
effective_from: 2026-10-01T00:00
shared_costs:
  - {policy: even, name: platform, namespaces: ["kube-system"]}
idle: {proportional: "direct_cost"}
"#;

#[test]
fn the_digest_is_of_the_meaning() {
    let plain = include_str!("../../../books/worked-example.yaml");
    let digest = book(plain).digest;
    assert_eq!(book(SPLIT).digest, digest, "formatting, order and files do not count");
    let whole = book(plain);
    for (from, to) in [
        ("2026-10.1", "2026-10.2"),
        ("EUR", "USD"),
        ("2026-10-01", "2026-11-01"),
        ("pool: default", "pool: default*"),
        ("node_hour", "per_month"),
        ("\"0.20\"", "\"0.21\""),
        ("\"0.03\"", "\"0.04\""),
        ("basis: max", "basis: usage"),
        ("kube-system", "kube-systems"),
        ("policy: even", "policy: {proportional: cpu}"),
        ("direct_cost", "memory"),
    ] {
        let text = plain.replace(from, to);
        assert_ne!(text, plain, "`{from}` is not in the book");
        let other = book(&text);
        let same = other.editions == whole.editions && other.currency == whole.currency;
        assert!(!same, "`{from}` means nothing");
        assert_ne!(other.digest, digest, "{from}");
    }
    let utc = BillingZone::new("UTC").unwrap();
    let elsewhere = plain.replace("2026-10-01", "2026-09-30T22:00:00Z");
    assert_ne!(PriceBook::parse(&sources(&elsewhere), utc).unwrap().digest, digest, "the zone counts");
}

#[test]
fn everything_that_acts_on_the_month_is_in_the_digest() {
    let plain = include_str!("../../../books/reference.yaml");
    let whole = book(plain);
    for (from, to) in [
        ("item: cpu               #", "item: memory            #"),
        ("above: \"5000\"", "above: \"5000.000001\""),
        ("discount: \"12.5%\"", "markup: \"12.5%\""),
        ("price: \"0.02\"}         #", "discount: \"2%\"}         #"),
        ("kind: storage           #", "kind: network           #"),
        ("item: \"gp*\"", "item: \"g*\""),
        ("price_per_month: \"0.06\"}]    #", "price: \"0.06\"}]    #"),
        ("minimum_fee: {per_month", "minimum_fee: {per_year"),
        ("date: 2026-10-14", "date: 2026-10-15"),
        ("reference: CN-2026-117", "reference: CN-2026-118"),
        ("reason: outage", "reason: outages"),
        ("tenant: devteam-a ", "cost_center: devteam-a "),
        ("\"-250.00\"", "\"250.00\""),
    ] {
        let text = if from.starts_with("kind: storage") {
            plain.replace(from, to).replace("price_per_month: \"0.06\"}]    #", "price: \"0.06\"}]    #")
        } else {
            plain.replacen(from, to, 1)
        };
        assert_ne!(text, plain, "`{from}` is not in the book");
        let other = book(&text);
        let same = other.editions == whole.editions && other.adjustments == whole.adjustments;
        assert!(!same, "`{from}` means nothing");
        assert_ne!(other.digest, whole.digest, "{from}");
    }
}

#[test]
fn what_acts_on_the_month_is_not_in_the_digest_of_its_hours_and_prices_are() {
    let plain = include_str!("../../../books/reference.yaml");
    let october = |book: &PriceBook| book.hourly_digest(book.zone.hours("2026-10".parse().unwrap()));
    let digest = october(&book(plain));
    for (from, to, same) in [
        ("\"-250.00\"", "\"250.00\"", true),
        ("{cost_center: CC-123, discount: \"10%\"}", "{cost_center: CC-123, discount: \"11%\"}", true),
        ("above: \"5000\"", "above: \"5001\"", true),
        ("node_hour: \"0.07\"", "node_hour: \"0.08\"", false),
        ("currency: EUR", "currency: USD", false),
        ("idle: {proportional: direct_cost}", "idle: {proportional: cpu}", false),
    ] {
        let other = plain.replacen(from, to, 1);
        assert_ne!(other, plain, "{from}");
        assert_eq!(october(&book(&other)) == digest, same, "{from}");
    }
    let next = "version: \"2026-11.1\"\ncurrency: EUR\neffective_from: 2026-11-01\nidle: even\n\
                pools: [{pool: default, model: cost, node_hour: 1, weights: {cpu: 1, memory: 1}}]\n";
    let both = book(&format!("# file: a.yaml\n{plain}# file: b.yaml\n{next}"));
    assert_eq!(october(&both), digest, "another month's edition");
    let other = "# file: c.yaml\nversion: \"2\"\ncurrency: EUR\neffective_from: 2026-10-31\nidle: even\n\
                 pools: [{pool: default, model: cost, node_hour: 1, weights: {cpu: 1, memory: 1}}]\n";
    let later = book(&format!("{SPLIT}{other}"));
    assert_ne!(october(&later), october(&book(SPLIT)), "an edition that begins inside the month");
}

#[test]
fn adjustments_may_stand_alone_and_in_any_file() {
    let prices = "# file: a.yaml\n".to_owned() + include_str!("../../../books/worked-example.yaml");
    let one = "  - {date: 2026-10-14, reference: CN-2, reason: outage, tenant: a, amount: \"-250\"}\n";
    let two = "  - {date: 2026-10-13, reference: CN-3, reason: late, cost_center: CC-1, amount: 12.5}\n";
    let together = format!("{prices}adjustments:\n{one}{two}");
    let apart = format!(
        "{prices}adjustments:\n{two}# file: b.yaml\ncurrency: EUR\neffective_from: 2026-10-01\nadjustments:\n{one}"
    );
    let alone = format!("{prices}# file: b.yaml\ncurrency: EUR\nadjustments:\n{one}{two}");
    let whole = book(&together);
    let told: Vec<(String, String)> =
        whole.adjustments.iter().map(|a| (a.item_on_statement(), a.amount.to_string())).collect();
    let wanted = [("CN-3: late", "12.5"), ("CN-2: outage", "-250")];
    assert_eq!(told, wanted.map(|(item, amount)| (item.to_owned(), amount.to_owned())));
    assert_eq!(book(&apart), whole);
    assert_eq!(book(&alone), whole);
}

#[test]
fn terms_of_the_first_edition_hold_from_wherever_it_begins() {
    let text = "version: \"1\"\ncurrency: EUR\neffective_from: 2026-10-15\npools: [{pool: \"*\", model: rate, \
                cpu_core_hour: 1, memory_gib_hour: 1}]\ncost_centers: [{cost_center: CC-1, discount: \"5%\"}]\n";
    let book = book(text);
    let terms = |period: &str| {
        let edition = book.terms_in(book.zone.hours(period.parse().unwrap()))?;
        edition.terms(&"CC-1".into()).map(|terms| terms.percentage)
    };
    assert_eq!(["2026-09", "2026-10", "2026-11"].map(terms), [None, Some(-50_000_000), Some(-50_000_000)]);
}

#[test]
fn the_agreement_says_what_was_agreed() {
    let book = book(include_str!("../../../books/agreement-2026-10.yaml"));
    let edition = &book.editions[0];
    assert_eq!(edition.clusters[0].amount, MonthlyAmount::Year { minor: 9_500_000 });
    assert_eq!(edition.pools[0].nodes, Some(NodeCost::PerNodeHour("0.42".parse().unwrap())));
    let terms = edition.terms(&"CC-12345".into()).unwrap();
    let [tier] = terms.tiers.as_slice() else { panic!("one tier") };
    let band = Band { above: "5000".parse().unwrap(), rate: BandRate::Percentage(-125_000_000) };
    assert_eq!((tier.item.as_str(), tier.bands.as_slice()), ("cpu", [band].as_slice()));
    let fee = |service: &str| edition.services.get(service).copied();
    assert_eq!(fee("vault"), Some(MonthlyAmount::Month { nanos: 120_000_000_000 }));
    assert_eq!(
        (edition.idle.clone(), edition.platform_cost_center.clone()),
        (Policy::Keep(None), Some("CC-PLATFORM".into()))
    );
    assert_eq!(edition.shared_costs[0].policy, Policy::Even);
    let [credit] = book.adjustments.as_slice() else { panic!("one adjustment") };
    assert_eq!(
        (credit.date.to_string(), credit.amount.to_string()),
        ("2026-10-14".to_owned(), "-250".to_owned())
    );
}

/// What a month used of which the reference book prices a part.
fn seen() -> Seen {
    let class =
        |pool: &str| PriceClass { pool: pool.into(), instance_type: "".into(), capacity_type: "".into() };
    let owned = NamespaceState { tenant: Some("a".into()), labels: BTreeMap::new() };
    Seen {
        classes: ["default", "web", "reserved"].map(|pool| ("eu".into(), class(pool))).into(),
        dedicated: [("eu".into(), "reserved".into())].into(),
        gpus: ["burst", "default"].map(|pool| ("eu".into(), class(pool), "amd.com/gpu".to_owned())).into(),
        storage: ["gp3".into()].into(),
        traffic: ["all".into()].into(),
        load_balancers: true,
        services: ["argocd".into(), "vault".into()].into(),
        tenants: ["devteam-a".into()].into(),
        cost_centers: [].into(),
        namespaces: [(("eu".into(), "kube-system".into()), owned)].into(),
        counts_from: None,
    }
}

#[test]
fn what_exists_without_a_price_is_told() {
    let book = book(include_str!("../../../books/reference.yaml"));
    let seen = seen();
    let hours =
        |from: &str, until: &str| HourRange { from: from.parse().unwrap(), until: until.parse().unwrap() };
    let told = |hours| book.check(&seen, hours).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        told(hours("2026-10-02T00:00:00Z", "2026-10-03T00:00:00Z")),
        [
            "price book 2026-10.1: `amd.com/gpu` on the nodes `burst` in the cluster `eu` has no price (add it to \
         `gpu_hour` of the pool's entry)",
            "price book 2026-10.1: `amd.com/gpu` on the nodes `default` in the cluster `eu` has no weight: who uses it \
         pays nothing for it (add it to `gpu` of the weights; a weight of zero is a weight)",
            "price book 2026-10.1: `support` is shared with `devteam-b`, which is no tenant (correct the name, or \
         remove it from the weights)",
            "price book 2026-10.1: the namespace `kube-system` in the cluster `eu` belongs to `a` and is shared by \
         `platform` (a namespace is one or the other: narrow the selection)",
            "price book 2026-10.1: the nodes `web` in the cluster `eu` have no price (add an entry to `pools`, or an \
         amount for the cluster to `clusters`)",
            "price book 2026-10.1: the pool `reserved` in the cluster `eu` is dedicated, but its nodes have no price \
         (add `node_hour` to its entry: a dedicated pool is charged by what its nodes cost)",
            "price book 2026-10.1: the service `vault` has no price (add it to `services`; a price of zero is a price)",
        ]
    );
    let free: Vec<String> = book
        .check(&seen, hours("2026-10-02T00:00:00Z", "2026-10-03T00:00:00Z"))
        .into_iter()
        .filter(|misfit| !misfit.blocks_close)
        .map(|misfit| misfit.problem.message)
        .collect();
    assert_eq!(
        free.len(),
        3,
        "no weight, no tenant, owned and shared: each is charged all the same: {free:?}"
    );
    let day = |seen: &Seen| {
        let told = book.check(seen, hours("2026-10-14T00:00:00Z", "2026-10-15T00:00:00Z"));
        told.iter()
            .filter(|misfit| misfit.problem.message.contains("adjustment"))
            .map(ToString::to_string)
            .collect()
    };
    let known: Vec<String> = day(&seen);
    assert_eq!(known, [""; 0]);
    let unknown: Vec<String> = day(&Seen { tenants: [].into(), ..seen.clone() });
    assert_eq!(
        unknown,
        [
            "book.yaml:115:5: adjustments[0]: the adjustment `CN-2026-117` is for `devteam-a`, which is no tenant (correct \
          the name, or give it to a cost centre: as it is it falls to `__unassigned__`)"
        ]
    );
    let before = told(hours("2026-09-01T00:00:00Z", "2026-09-02T00:00:00Z"));
    assert_eq!(before.len(), 1, "{before:?}");
    assert!(before[0].contains("no price is in force from 2026-09-01T00:00:00Z"), "{before:?}");
    assert_eq!(told(hours("2026-09-01T00:00:00Z", "2026-09-01T00:00:00Z")), [""; 0]);
    let begun = Seen { counts_from: Some(book.editions[0].effective_from), ..seen };
    let found = book.check(&begun, hours("2026-09-01T00:00:00Z", "2026-10-02T00:00:00Z"));
    assert!(found.iter().all(|misfit| !misfit.to_string().contains("in force")), "{found:?}");
}

proptest::proptest! {
    /// Whatever is done to a line of a good book: it is read, or every problem has a place and a reason.
    #[test]
    fn a_damaged_book_is_read_or_refused_with_reasons(
        line in proptest::prelude::any::<proptest::sample::Index>(),
        damage in proptest::sample::select(vec!["", "x", "- ", "  ", ": {", "\"", "-1", "*", "name: ["]),
        place in 0..40_usize,
    ) {
        let text = include_str!("../../../books/reference.yaml");
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let line = line.index(lines.len());
        let at = lines[line].char_indices().map(|(at, _)| at).nth(place).unwrap_or(lines[line].len());
        if damage.is_empty() {
            lines.remove(line);
        } else {
            lines[line].insert_str(at, damage);
        }
        match PriceBook::parse(&sources(&lines.join("\n")), berlin()) {
            Ok(book) => proptest::prop_assert!(!book.editions.is_empty()),
            Err(problems) => {
                proptest::prop_assert!(!problems.is_empty());
                for problem in &problems {
                    proptest::prop_assert!(problem.line.is_some() && !problem.message.is_empty(), "{problem}");
                }
            }
        }
    }
}
