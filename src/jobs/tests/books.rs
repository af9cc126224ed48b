//! The files of a price book change under a daemon: what an editor, a deployment or a slip does to them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use defray_ledger::RecordedHour;

use super::*;
use crate::config::read_sources;

const PRICES: &str = "\
version: \"1\"
currency: EUR
effective_from: 2026-10-01
pools: [{pool: default, model: cost, node_hour: \"0.20\", weights: {cpu: 1, memory: 1}}]
idle: even
";
const FEES: &str = "currency: EUR\neffective_from: 2026-10-01\nservices: {vault: {per_month: 120}}\n";

/// A daemon that has measured an hour on nodes of the pool `default`, over the files of a folder.
struct Site {
    bench: Bench,
    folder: tempfile::TempDir,
    _data: tempfile::TempDir,
}

impl Site {
    async fn start() -> Self {
        let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let world = Arc::new(World::default());
        let since = Some("2026-10-01T00:00:00Z");
        let mut bench = start(data.path(), &world, "2026-10-01T01:05:00Z", since, "2026-10-01").await;
        bench.observer.run().await.unwrap();
        bench.sampler.run().await.unwrap();
        let paths = vec![folder.path().join("*.yaml")];
        bench.keeper.read = Arc::new(move || {
            let sources = read_sources(&paths)?;
            Ok((PriceBook::parse(&sources, BillingZone::UTC)?, sources))
        });
        let site = Self { bench, folder, _data: data };
        site.write("fees.yaml", FEES);
        site.write("prices.yaml", PRICES);
        site.bench.keeper.run().await.unwrap();
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    async fn record(&self, usage: UsageHour) {
        let (shared, measured_at) = (&self.bench.shared, self.bench.shared.clock.now());
        shared.ledger.record(&shared.guard, vec![RecordedHour { usage, measured_at }]).await.unwrap();
    }

    fn version(&self) -> String {
        self.bench.rater.book.borrow().editions[0].version.clone()
    }

    fn problems(&self) -> i64 {
        self.bench.shared.metrics.price_book_problems.get()
    }

    /// The files are refused for a reason, and the book in force stays; what was said.
    async fn refuses(&self, reason: &str) -> String {
        let before = self.bench.rater.book.borrow().digest;
        let said = self.bench.keeper.run().await.unwrap_err().to_string();
        let said = said.replace(&format!("{}/", self.folder.path().display()), "");
        assert!(said.contains(reason), "`{reason}` is not in {said}");
        assert!(said.starts_with("the price book is wrong and the last good one stays in force ("), "{said}");
        assert_eq!(self.bench.rater.book.borrow().digest, before, "{reason}");
        assert!(self.problems() > 0, "{reason}");
        said
    }

    /// The files are as good as before.
    async fn recovers(&self) {
        self.write("fees.yaml", FEES);
        self.write("prices.yaml", PRICES);
        let said = self.bench.keeper.run().await.unwrap();
        assert!(said.ends_with("is in force"), "{said}");
        assert_eq!(self.problems(), 0);
    }
}

#[tokio::test]
async fn each_way_to_break_a_book_is_told_with_its_place_and_the_good_one_stays() {
    let site = Site::start().await;
    for (text, reason) in [
        ("version: \"1\"\ncurrency: [EUR\n".to_owned(), "prices.yaml:"),
        (format!("{PRICES}surprise: 1\n"), "prices.yaml:6:1: unknown key `surprise`"),
        (PRICES.replace("0.20", "-0.20"), "prices.yaml:4:"),
        // Another date would make two editions of the two files, neither whole.
        (PRICES.replace("2026-10-01", "2026-10-02"), "fees.yaml:1:1: `version` is missing"),
        (PRICES.replace("pool: default", "pool: other"), "the nodes `default"),
        (PRICES[..40].to_owned(), "prices.yaml:"),
        (String::new(), "prices.yaml"),
    ] {
        site.write("prices.yaml", &text);
        site.refuses(reason).await;
        site.recovers().await;
    }
    site.bench.close().await;
}

#[tokio::test]
async fn a_book_in_another_currency_is_refused() {
    let site = Site::start().await;
    site.write("prices.yaml", &PRICES.replace("EUR", "USD"));
    site.write("fees.yaml", &FEES.replace("EUR", "USD"));
    let said = site.refuses("fees.yaml:1:11: currency: the currency is USD").await;
    assert!(said.contains("the ledger holds is in EUR"), "{said}");
    site.recovers().await;
    site.bench.close().await;
}

#[tokio::test]
async fn every_file_and_each_problem_of_it_is_told_at_once_the_places_first() {
    let site = Site::start().await;
    site.write("prices.yaml", &PRICES.replace("0.20", "free").replace("idle: even", "idle: odd"));
    site.write("fees.yaml", &format!("{FEES}surprise: 1\n"));
    let said = site.refuses("surprise").await;
    assert!(said.contains("(fees.yaml:4, prices.yaml:4, prices.yaml:5): fees.yaml:4:1: "), "{said}");
    assert_eq!(site.problems(), 3);
    site.recovers().await;
    site.bench.close().await;
}

#[tokio::test]
async fn a_file_that_is_gone_is_no_reason_to_charge_nothing() {
    let site = Site::start().await;
    fs::remove_file(site.path("prices.yaml")).unwrap();
    site.refuses("`version` is missing").await;
    fs::remove_file(site.path("fees.yaml")).unwrap();
    site.refuses("*.yaml: there is no such file").await;
    site.write("fees.yaml", FEES);
    // A link whose target is gone is not as good as no file.
    symlink(site.path("nowhere"), site.path("prices.yaml")).unwrap();
    site.refuses("prices.yaml: cannot be read").await;
    fs::remove_file(site.path("prices.yaml")).unwrap();
    fs::create_dir(site.path("folder.yaml")).unwrap();
    site.recovers().await;
    site.bench.close().await;
}

/// Editors write beside the file and rename; Kubernetes swaps the folder that the files link to.
#[tokio::test]
async fn files_that_are_replaced_whole_come_into_force() {
    let site = Site::start().await;
    site.write(".prices.yaml.swp", "half of a");
    site.write("prices.yaml~", &PRICES.replace("\"1\"", "\"2\""));
    fs::rename(site.path("prices.yaml~"), site.path("prices.yaml")).unwrap();
    site.bench.keeper.run().await.unwrap();
    assert_eq!(site.version(), "2");

    for name in ["fees.yaml", "prices.yaml", ".prices.yaml.swp"] {
        fs::remove_file(site.path(name)).unwrap();
    }
    let mounted = |version: &str, prices: &str| {
        let folder = format!("..{version}");
        fs::create_dir(site.path(&folder)).unwrap();
        site.write(&format!("{folder}/fees.yaml"), FEES);
        site.write(&format!("{folder}/prices.yaml"), prices);
        symlink(&folder, site.path("..data_tmp")).unwrap();
        fs::rename(site.path("..data_tmp"), site.path("..data")).unwrap();
    };
    mounted("3", &PRICES.replace("\"1\"", "\"3\""));
    for name in ["fees.yaml", "prices.yaml"] {
        symlink(format!("..data/{name}"), site.path(name)).unwrap();
    }
    site.bench.keeper.run().await.unwrap();
    assert_eq!(site.version(), "3");
    mounted("4", &format!("{PRICES}surprise: 4\n"));
    site.refuses("prices.yaml:6:1: unknown key `surprise`").await;
    assert_eq!(site.version(), "3");
    mounted("5", &PRICES.replace("\"1\"", "\"5\""));
    site.bench.keeper.run().await.unwrap();
    assert_eq!((site.version().as_str(), site.problems()), ("5", 0));
    site.bench.close().await;
}

/// What the book in force does not price either must not keep other prices from coming into force.
#[tokio::test]
async fn a_book_is_refused_only_for_prices_that_it_takes_away() {
    let site = Site::start().await;
    let without = PRICES.replace("pool: default", "pool: other");
    let parse = |text: &str| {
        let source = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
        PriceBook::parse(&[source("f", FEES), source("p", text)], BillingZone::UTC).unwrap()
    };
    // As after a start with such a book, for then there is no better one.
    site.bench.keeper.in_force.send_replace(Arc::new(parse(&without)));
    site.write("prices.yaml", &without.replace("\"1\"", "\"2\""));
    site.bench.keeper.run().await.unwrap();
    assert_eq!(site.version(), "2");
    site.bench.close().await;
}

/// A day after its last hour nothing of a cluster keeps its prices from being removed.
#[tokio::test]
async fn the_prices_of_a_cluster_that_is_gone_may_go() {
    let site = Site::start().await;
    let old = "pools: [{pool: old, model: cost, node_hour: 1, weights: {cpu: 1, memory: 1}}, ";
    let (both, without) = (PRICES.replace("pools: [", old), PRICES.replace("\"1\"", "\"2\""));
    // The last recorded hour of all is 2026-10-01T00:00:00Z.
    for (last, goes) in [("2026-09-30T00:00:00Z", true), ("2026-09-30T01:00:00Z", false)] {
        site.write("prices.yaml", &both);
        site.bench.keeper.run().await.unwrap();
        let mut usage = usage(hour(last));
        usage.cluster = ClusterName::from("gone");
        usage.nodes[0].class.pool = Pool::from("old");
        usage.compute[0].class.pool = Pool::from("old");
        site.record(usage).await;
        site.write("prices.yaml", &without);
        if goes {
            site.bench.keeper.run().await.unwrap();
            assert_eq!(site.version(), "2");
        } else {
            site.refuses("in the cluster `gone` have no price").await;
        }
    }
    site.bench.close().await;
}

#[tokio::test]
async fn what_tenants_have_switched_on_and_their_own_pools_keep_their_prices() {
    let site = Site::start().await;
    let mut seen = observation();
    seen.tenants.as_mut().unwrap()[0].1.services = ["vault".into()].into();
    let mut own = node(0);
    own.1.dedicated_to = Some("a".to_owned());
    seen.nodes = Some(vec![own]);
    let (shared, at) = (&site.bench.shared, "2026-10-01T01:06:00Z".parse().unwrap());
    shared.ledger.observe(&shared.guard, &ClusterName::from("c"), at, &seen).await.unwrap();
    site.record(usage(hour("2026-10-01T01:00:00Z"))).await;

    site.write("fees.yaml", &FEES.replace("vault", "backup"));
    site.refuses("the service `vault` has no price").await;
    site.recovers().await;
    let rate = "model: rate, cpu_core_hour: 1, memory_gib_hour: 1, basis: max}]";
    let cost = "model: cost, node_hour: \"0.20\", weights: {cpu: 1, memory: 1}}]";
    site.write("prices.yaml", &PRICES.replace(cost, rate));
    site.refuses("the pool `default` in the cluster `c` is dedicated, but its nodes have no price").await;
    site.recovers().await;
    site.bench.close().await;
}

/// GPUs without a weight are paid for by the pool all the same: that may be meant, and blocks no close.
#[tokio::test]
async fn what_is_odd_and_charged_keeps_no_book_out() {
    let site = Site::start().await;
    let mut usage = usage(hour("2026-10-01T01:00:00Z"));
    usage.compute[0].gpu_request.insert("nvidia.com/gpu".to_owned(), Quantity::from_micros(1_000_000));
    site.record(usage).await;
    site.write("prices.yaml", &PRICES.replace("memory: 1}", "memory: 1, gpu: {nvidia.com/gpu: 1}}"));
    site.bench.keeper.run().await.unwrap();
    site.write("prices.yaml", &PRICES.replace("\"1\"", "\"2\""));
    site.bench.keeper.run().await.unwrap();
    assert_eq!((site.version().as_str(), site.problems()), ("2", 0));
    site.bench.close().await;
}

/// A file that grows from one look to the next is still being written.
#[tokio::test]
async fn a_book_that_does_not_stand_still_is_looked_at_again() {
    let site = Site::start().await;
    let looks = AtomicUsize::new(2);
    let mut keeper = site.bench.keeper.clone();
    keeper.read = Arc::new(move || {
        let version = format!("\"{}\"", looks.fetch_add(1, Ordering::SeqCst).min(4));
        let text = format!("{}services: {{vault: {{per_month: 120}}}}\n", PRICES.replace("\"1\"", &version));
        let source = Source { name: "prices.yaml".to_owned(), text };
        PriceBook::parse(std::slice::from_ref(&source), BillingZone::UTC).map(|book| (book, vec![source]))
    });
    assert_eq!(keeper.run().await.unwrap(), "the files of the price book are being written");
    assert_eq!(site.version(), "1");
    keeper.run().await.unwrap();
    assert_eq!(site.version(), "4");
    site.bench.close().await;
}
