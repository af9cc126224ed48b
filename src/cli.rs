//! One file that shows every command.
//!
//! What a person can type is declared here; what a command does is in `cli/`. Results go to the standard
//! output, everything else to the standard error stream.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use defray_pricing::diff::Threshold;
use defray_pricing::time::Period;

use crate::telemetry::LogFormat;

mod backfill;
mod close;
mod closing;
mod daemon;
mod db;
mod db_commands;
mod demo;
mod estimate;
mod exit;
mod explain;
mod output;
mod periods;
mod price;
mod push;
mod report;
mod restate;
mod run;
mod stored;
#[cfg(test)]
mod tests;

pub use exit::Failure;

use closing::{Close, Periods, Restate};
use db_commands::Db;

/// Cost attribution and FinOps reporting for shared, multi-tenant Kubernetes.
#[derive(Debug, Parser)]
#[command(
    name = "defray",
    version,
    about,
    long_about = "Cost attribution and FinOps reporting for shared, multi-tenant Kubernetes.\n\n\
        defray measures every hour of your clusters through Prometheus, keeps a timeline of who owned which \
        namespace and node pool, applies your price book, and makes one statement per tenant and month that \
        adds up to what the platform cost, to the last cent.",
    after_long_help = EXAMPLES,
    arg_required_else_help = true
)]
pub struct Cli {
    #[command(flatten)]
    logging: Logging,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  defray demo                                       see everything without a cluster
  defray print-config > defray.yaml                 a configuration to start from, every key explained
  defray check --config defray.yaml                 what is missing, and how to mend it
  defray serve --config defray.yaml                 the daemon
  defray report --config defray.yaml --period 2026-10 --format csv -o october.csv
  defray price diff new.yaml --config defray.yaml --period 2026-10
                                                    what another price book would have changed
  defray explain --config defray.yaml --period 2026-10 --tenant devteam-a
                                                    why a tenant pays what it pays
  defray estimate -f tenant.yaml --config defray.yaml
                                                    what a proposed tenant would cost

Exit codes:
  0  done
  1  the work failed: a connection, a missing permission or metric, data that is not there; or a check says no
  2  the command line, the configuration or the price book is wrong; nothing was started";

/// How the program speaks of what it does.
#[derive(Debug, Args)]
struct Logging {
    /// How log lines look
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    log_format: LogFormat,
    /// What is logged: a level, or levels by module, such as `warn,defray=debug` [default: the variable
    /// `DEFRAY_LOG`, else `info`]
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon: measure, rate, serve and push
    #[command(after_long_help = "\
Runs until SIGTERM or SIGINT, then finishes what it is doing within half a minute; a second signal ends it
at once. It may be killed at any moment: the next start continues where it stopped and catches up on every
hour that Prometheus still holds.

The daemon starts even while Prometheus or the Kubernetes API cannot be reached. It is then not ready
(`/readyz`), says why, and tries again.

Example:
  defray serve --config /etc/defray/defray.yaml")]
    Serve(ConfigFile),
    /// Check the configuration, the price book and every connection
    #[command(after_long_help = "\
Reads the configuration and the price book and reports every problem at once, each with its file, line and
the way to mend it. Then asks each Prometheus and each Kubernetes API for what the daemon will need, and
names every metric, label and permission that is missing. Changes nothing.

Examples:
  defray check --config defray.yaml
  defray check --config defray.yaml --offline       only what can be seen in the files")]
    Check(Check),
    /// Write the report of a billing period
    #[command(after_long_help = "\
Reads what the ledger holds. While a daemon runs on a ledger in a directory, only the daemon reads it: download
the same report from there, for example /api/v1/reports/2026-10.csv.

Examples:
  defray report --config defray.yaml --period 2026-10
  defray report --data /var/lib/defray --period 2026-10 --format csv -o october.csv
  defray report --config defray.yaml --period 2026-10 --tenant devteam-a --format json")]
    Report(Report),
    /// Show why a tenant pays what it pays: from usage to cents
    #[command(after_long_help = "\
Rates the month again as it was rated, and shows for every line of the tenant what it adds up from: quantities
by day, the price and the edition it comes from; for shared nodes what they cost, the resource's part of it and
the tenant's share of that part; for shared cost and idle each whole, the tenant's base and everybody's; and how
the exact amount became cents. The steps are proven to add up to the line. Of other tenants it shows sums, never
a name. Changes nothing; a daemon may be running on the ledger meanwhile.

Examples:
  defray explain --config defray.yaml --period 2026-10 --tenant devteam-a
  defray explain --config defray.yaml --period 2026-10 --tenant devteam-a --line idle
  defray explain --data ./demo --period 2026-10 --tenant devteam-a --line 'storage gp3' --hours")]
    Explain(Explain),
    /// Show what a proposed tenant would cost a month
    #[command(after_long_help = "\
Reads a Tenant resource and rates a month that happened again as if that tenant had been there from its first hour
to its last and had used all of its quota: nodes of its own, quota, volumes, services, its share of what is shared
and idle, and the terms of its cost centre, under the edition of the price book in force today. So an estimate
follows every rule of a bill. Every assumption is listed, and what cannot be estimated is named. Changes nothing; a
daemon may be running on the ledger meanwhile.

Examples:
  defray estimate -f tenant.yaml --config defray.yaml
  defray estimate -f tenant.yaml --config defray.yaml --pool compute --instance-type c6i.2xlarge
  defray estimate -f tenant.yaml --data ./demo --format json")]
    Estimate(Estimate),
    /// Try and check price books
    #[command(
        subcommand,
        arg_required_else_help = true,
        after_long_help = "\
Examples:
  defray price diff new.yaml --config defray.yaml --period 2026-10
  defray price check --config defray.yaml --period 2026-10"
    )]
    Price(Price),
    /// Back up, restore, verify or move the ledger
    #[command(
        subcommand,
        arg_required_else_help = true,
        after_long_help = "\
Examples:
  defray db backup /backup/defray-2026-11-21 --config defray.yaml
  defray db verify --data /backup/defray-2026-11-21"
    )]
    Db(Db),
    /// Measure past hours now, while no daemon does it
    #[command(after_long_help = "\
Measures every hour that counts and is not recorded, the newest first and then the oldest: what the daemon does by
itself, as fast as `history.concurrency` and `history.pause` allow. A few hours are measured to say how long all of
them will take, and then how far it is, again and again. It may be stopped or killed at any time: what is measured is
kept, and the next run goes on from there. Hours that no metrics store has any more are lost, and said to be.

From when on hours count, `history.since` or a cluster's `since` says. While a daemon holds the ledger it measures them
itself, and this command only tells how far it is. Statements are made when the daemon runs again.

Examples:
  defray backfill --config defray.yaml
  defray backfill --config defray.yaml --since 2026-08-01T00:00:00Z --until 2026-09-01T00:00:00Z --cluster prod-1")]
    Backfill(backfill::Arguments),
    /// Close a billing month: from then on it changes only by a restatement
    #[command(after_long_help = "\
Freezes the statements of a month that is over, with everything they were made from, and stores every report as it
will be sent for ever. Refused while anything is in the way, all of which is told at once: hours that are missing,
usage without a price, a currency without a rate, statements that the daemon has not caught up with. Before that,
incomplete hours and the last 48 are measured once more. --force closes although hours are missing or could not be
measured again, and needs a reason, which is kept; what has no price or no rate is never forced.

While a daemon holds the ledger, this asks the daemon, at http.listen and with its token; else it closes by itself.

Examples:
  defray close 2026-10 --config defray.yaml --dry-run
  defray close 2026-10 --config defray.yaml
  defray close 2026-10 --config defray.yaml --force --reason 'Prometheus was lost on the 12th'")]
    Close(Close),
    /// Restate a closed month: show what would change, then write the next version
    #[command(after_long_help = "\
Rates a closed month again from what is recorded, owned and priced now, and shows what its next version would say:
who, which lines, how much. Adjustments dated in the month are among it. With --yes that version is written with the
signed lines that changed, just as it was shown; the versions before stay what they are. Whoever receives reports is
told.

Examples:
  defray restate 2026-10 --config defray.yaml
  defray restate 2026-10 --config defray.yaml --format markdown
  defray restate 2026-10 --config defray.yaml --yes --reason 'price of pool gpu corrected, ticket 4711'")]
    Restate(Restate),
    /// List the billing months and where each stands
    #[command(after_long_help = "\
Open months are still computed anew with every late hour; closed and restated ones are frozen, version by version.

Examples:
  defray periods --config defray.yaml
  defray periods --data ./demo")]
    Periods(Periods),
    /// Push every cost report that changed to the configured destinations, now
    #[command(after_long_help = "\
What the daemon does every day at push.daily_at, by hand. What a receiver already has is not sent again, and
what it may have is sent under the same idempotency key, so pushing twice books nothing twice. What a receiver
refused, or one that said it is gone, is tried once more. It fails while any report waits, and says how many.
While a daemon runs on a ledger in a directory, only that daemon pushes: this command then asks it to, at
http.listen and with its token, and does not wait for what comes of it.

Example:
  defray push --config defray.yaml")]
    Push(ConfigFile),
    /// Print the configuration in force, every key explained, secrets left out
    #[command(after_long_help = "\
Without --config it prints the defaults, which is a configuration to start from.

Examples:
  defray print-config > defray.yaml
  defray print-config --config defray.yaml")]
    PrintConfig(PrintConfig),
    /// Show everything on a made-up platform: nothing else needs to be installed
    #[command(after_long_help = "\
A deterministic platform of fifteen tenants with three months of usage runs through the real pipeline, from
the usage hour on, and is served on this machine. Every number is made up and labelled so.

Examples:
  defray demo
  defray demo --listen 127.0.0.1:9090 --data ./demo")]
    Demo(Demo),
}

#[derive(Debug, Args)]
struct ConfigFile {
    /// The configuration
    #[arg(long, short, value_name = "FILE")]
    config: PathBuf,
}

#[derive(Debug, Args)]
struct Check {
    #[command(flatten)]
    config: ConfigFile,
    /// Look at the files only, connect to nothing
    #[arg(long)]
    offline: bool,
}

#[derive(Debug, Args)]
struct Report {
    #[command(flatten)]
    from: ReportSource,
    /// The billing period, such as 2026-10
    #[arg(long, value_name = "YYYY-MM")]
    period: Period,
    /// How the report is written
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
    /// The billing time zone the ledger was written in, where no configuration says so
    #[arg(long, value_name = "ZONE", default_value = "UTC", conflicts_with = "config")]
    time_zone: String,
    /// Only this tenant
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Where to write it [default: the standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct ReportSource {
    /// The configuration that names the ledger
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The ledger itself: a data directory, or a `sqlite:` or `postgres:` address
    #[arg(long, value_name = "LOCATION")]
    data: Option<String>,
}

/// What can be done with price books.
#[derive(Debug, Subcommand)]
enum Price {
    /// Show what another price book would have changed in a month
    #[command(after_long_help = "\
Rates the stored usage of a month again under another book and holds the result against the stored
statements: by tenant, by cost centre and by line. Nothing is stored, and a daemon may be running on the
ledger meanwhile. If something was recorded since the statements were made, the old amounts are rated again
too, under the book that made them, and the output says so.

NEWBOOK is the whole of the new book: all its files. It must be in force in the month; to try an edition that
begins later as if it had been in force all month, name it with --edition.

With --fail-above the exit code is 1 if the total or any statement moved by more, up or down, and whatever moved
if usage loses its price: fit for a pipeline that lets a small change pass and asks for a person otherwise.

Examples:
  defray price diff new.yaml --config defray.yaml --period 2026-10
  defray price diff books/*.yaml --config defray.yaml --period 2026-10 --edition 2027-01.1
  defray price diff new.yaml --data ./demo --period 2026-10 --format markdown --fail-above 5%")]
    Diff(PriceDiff),
    /// Check a price book against what a month really used
    #[command(after_long_help = "\
Reads the book and reports every problem at once, with file, line and the way to mend it. With --period it also
asks what that month used and whether the book has a price for it: pools, classes of nodes, GPUs, storage,
traffic, load balancers, services; whether the tenants it names exist; whether a namespace is both somebody's
and everybody's; whether it is in the ledger's currency. What is WRONG says so where it would block the close of
such a month. Names that did not occur in the month (a cluster, a pool, a shared namespace, a service, a cost
centre) are warnings: they may wait for what is to come. Changes nothing.

Without BOOK it is the price book of the configuration. Dates are read in the billing zone of the configuration;
where none is named they are read in UTC, and the output says so. The exit code is 2 if the book itself is wrong
and 1 if it does not fit the month.

Examples:
  defray price check new.yaml
  defray price check --config defray.yaml
  defray price check --config defray.yaml --period 2026-10
  defray price check new.yaml --data ./demo --period 2026-10")]
    Check(PriceCheck),
    /// Print the JSON Schema of a price book
    #[command(after_long_help = "\
Every key of a file of a price book, with what it means and what it takes: for editors, which then complete and
check while somebody types, and for pipelines. It sees one file at a time; how files, entries and dates go
together only `defray price check` sees.

Example:
  defray price schema > schema.json")]
    Schema,
}

#[derive(Debug, Args)]
struct Explain {
    #[command(flatten)]
    from: ReportSource,
    /// The billing period, such as 2026-10
    #[arg(long, value_name = "YYYY-MM")]
    period: Period,
    /// The tenant
    #[arg(long, value_name = "NAME")]
    tenant: String,
    /// Only on this cost centre
    #[arg(long, value_name = "NAME")]
    cost_center: Option<String>,
    /// Only lines that have these words in their name, such as `cpu`, `idle` or `storage gp3`
    #[arg(long, value_name = "WORDS")]
    line: Option<String>,
    /// Hour by hour instead of day by day
    #[arg(long)]
    hours: bool,
    /// How it is shown
    #[arg(long, value_enum, default_value_t)]
    format: TextFormat,
}

#[derive(Debug, Args)]
struct Estimate {
    /// The Tenant resource
    #[arg(long, short, value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    from: ReportSource,
    /// The month it is made on [default: the newest that was measured whole]
    #[arg(long, value_name = "YYYY-MM")]
    period: Option<Period>,
    /// The cluster it would be in [default: the only one]
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// The pool of its own nodes [default: `dedicated-` and the team's name, or what the nodes are
    /// called, where the book has a price for a pool of that name]
    #[arg(long, value_name = "NAME")]
    pool: Option<String>,
    /// The instance type its own nodes are labelled with [default: what the resource says]
    #[arg(long, value_name = "TYPE")]
    instance_type: Option<String>,
    /// The shared pool it would use without nodes of its own [default: the one that bills
    /// quotas, else the largest]
    #[arg(long, value_name = "NAME")]
    shared_pool: Option<String>,
    /// The storage class of its volumes [default: the one of which most is used]
    #[arg(long, value_name = "CLASS")]
    storage_class: Option<String>,
    /// How it is shown
    #[arg(long, value_enum, default_value_t)]
    format: TextFormat,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum TextFormat {
    /// For the terminal
    #[default]
    Text,
    /// Everything, for programs
    Json,
}

#[derive(Debug, Args)]
struct PriceDiff {
    /// The files of the new price book
    #[arg(value_name = "NEWBOOK", required = true)]
    book: Vec<PathBuf>,
    #[command(flatten)]
    from: ReportSource,
    /// The billing period, such as 2026-10
    #[arg(long, value_name = "YYYY-MM")]
    period: Period,
    /// Rate the whole month by this edition of the new book, whatever its date
    #[arg(long, value_name = "VERSION")]
    edition: Option<String>,
    /// How it is shown
    #[arg(long, value_enum, default_value_t)]
    format: DiffFormat,
    /// Exit with 1 if the total or any statement moves by more: an amount, or a percentage such as 5%
    #[arg(long, value_name = "AMOUNT|PERCENT")]
    fail_above: Option<Threshold>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum DiffFormat {
    /// Tables for the terminal
    #[default]
    Text,
    /// Tables for a merge request
    Markdown,
    /// Everything, for programs
    Json,
}

#[derive(Debug, Args)]
struct PriceCheck {
    /// The files of the price book [default: those of the configuration]
    #[arg(value_name = "BOOK")]
    book: Vec<PathBuf>,
    /// The configuration that names the ledger, the zone and the price book
    #[arg(long, short, value_name = "FILE", group = "ledger")]
    config: Option<PathBuf>,
    /// The ledger itself: a data directory, or a `sqlite:` or `postgres:` address
    #[arg(long, value_name = "LOCATION", group = "ledger")]
    data: Option<String>,
    /// Also check it against what this billing period used
    #[arg(long, value_name = "YYYY-MM", requires = "ledger")]
    period: Option<Period>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum ReportFormat {
    /// One row per cost centre and tenant, for people
    #[default]
    Summary,
    /// Every statement line, for spreadsheets
    Csv,
    /// Every statement line, for programs
    Json,
}

#[derive(Debug, Args)]
struct PrintConfig {
    /// The configuration [default: none, only the defaults]
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Demo {
    /// Where to serve
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: std::net::SocketAddr,
    /// Where to keep the demo's ledger [default: a temporary directory, removed at the end]
    #[arg(long, value_name = "DIRECTORY")]
    data: Option<PathBuf>,
}

/// Parses the command line, runs the command, maps its end to an exit code.
pub fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => exit::code_of(run::run(cli)),
        Err(refused) => exit::of_usage(&refused),
    }
}
