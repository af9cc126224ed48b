//! Who and what is on the platform, and what happens to it when.

use defray_pricing::time::HourRange;

use super::moment::{Life, Moment};

mod teams;

pub(super) use teams::TEAMS;

/// The first moment of August in Berlin.
pub(super) const START: Moment = Moment::of_2026(7, 31, 22, 0);
/// What the clock shows.
pub(super) const NOW: Moment = Moment::of_2026(11, 3, 9, 0);

/// `mobile` is set up.
const MOBILE_CREATED: Moment = Moment::of_2026(9, 7, 8, 40);
/// `legacy-batch` is decommissioned.
const LEGACY_DELETED: Moment = Moment::of_2026(9, 12, 14, 25);
/// `data` switches its vault on.
pub(super) const DATA_VAULT: Moment = Moment::of_2026(9, 20, 11, 15);
/// The shared pool gets two more nodes.
const DEFAULT_GROWS: Moment = Moment::of_2026(9, 24, 6, 0);
/// Somebody tries something in a namespace of their own.
const DEBUG: Life =
    Life { from: Some(Moment::of_2026(10, 5, 9, 10)), until: Some(Moment::of_2026(10, 9, 16, 30)) };
/// The dedicated pool of `payments` grows from three nodes to five.
pub(super) const PAYMENTS_GROWS: Moment = Moment::of_2026(10, 12, 10, 20);
/// `search` moves to another cost centre, at midnight of 15 October in Berlin.
pub(super) const SEARCH_MOVES: Moment = Moment::of_2026(10, 14, 22, 0);

/// The metrics store was down and kept nothing.
pub(super) const LOST: HourRange =
    HourRange { from: Moment::of_2026(9, 17, 1, 0).hour(), until: Moment::of_2026(9, 17, 5, 0).hour() };
/// Hours with minutes without data, and how many minutes had some: of the containers, of the objects.
pub(super) const HALF_COVERED: [(Moment, u8, u8); 3] = [
    (Moment::of_2026(9, 17, 0, 0), 42, 42),
    (Moment::of_2026(9, 17, 5, 0), 25, 25),
    (Moment::of_2026(10, 21, 10, 0), 51, 60),
];

/// Every moment at which a list of objects changes, after the first.
pub(super) const CHANGES: [Moment; 8] = [
    MOBILE_CREATED,
    LEGACY_DELETED,
    DATA_VAULT,
    DEFAULT_GROWS,
    Moment::of_2026(10, 5, 9, 10),
    Moment::of_2026(10, 9, 16, 30),
    PAYMENTS_GROWS,
    SEARCH_MOVES,
];

/// A kind of machine.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) name: &'static str,
    pub(super) cores: i64,
    pub(super) gib: i64,
    pub(super) gpus: i64,
}

/// The GPU resource of machines that have any.
pub(super) const GPU: &str = "nvidia.com/gpu";

const M6I_2XLARGE: Machine = Machine { name: "m6i.2xlarge", cores: 8, gib: 32, gpus: 0 };
const M6I_4XLARGE: Machine = Machine { name: "m6i.4xlarge", cores: 16, gib: 64, gpus: 0 };
const C6I_4XLARGE: Machine = Machine { name: "c6i.4xlarge", cores: 16, gib: 32, gpus: 0 };
const G5_4XLARGE: Machine = Machine { name: "g5.4xlarge", cores: 16, gib: 64, gpus: 1 };

/// Nodes that are alike and live equally long.
#[derive(Debug)]
pub(super) struct Nodes {
    pub(super) pool: &'static str,
    pub(super) machine: Machine,
    pub(super) capacity_type: &'static str,
    pub(super) dedicated_to: Option<&'static str>,
    pub(super) count: i64,
    pub(super) life: Life,
}

const ON_DEMAND: &str = "on-demand";
const SPOT: &str = "spot";

/// Every node there is.
pub(super) const NODES: [Nodes; 9] = [
    shared("default", M6I_4XLARGE, ON_DEMAND, 7, Life::WHOLE),
    shared("default", M6I_4XLARGE, ON_DEMAND, 2, Life { from: Some(DEFAULT_GROWS), until: None }),
    shared("default", M6I_4XLARGE, SPOT, 3, Life::WHOLE),
    shared("burst", C6I_4XLARGE, SPOT, 4, Life::WHOLE),
    dedicated("dedicated-payments", M6I_2XLARGE, "payments", 3, Life::WHOLE),
    dedicated(
        "dedicated-payments",
        M6I_2XLARGE,
        "payments",
        2,
        Life { from: Some(PAYMENTS_GROWS), until: None },
    ),
    dedicated("dedicated-trading", M6I_2XLARGE, "trading", 4, Life::WHOLE),
    dedicated("dedicated-risk", M6I_2XLARGE, "risk", 2, Life::WHOLE),
    dedicated("dedicated-vision", G5_4XLARGE, "vision", 2, Life::WHOLE),
];

const fn shared(
    pool: &'static str,
    machine: Machine,
    capacity_type: &'static str,
    count: i64,
    life: Life,
) -> Nodes {
    Nodes { pool, machine, capacity_type, dedicated_to: None, count, life }
}

const fn dedicated(
    pool: &'static str,
    machine: Machine,
    team: &'static str,
    count: i64,
    life: Life,
) -> Nodes {
    Nodes { pool, machine, capacity_type: ON_DEMAND, dedicated_to: Some(team), count, life }
}

/// Where pods run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The shared pool, on demand.
    Default,
    /// The shared pool, on spot nodes.
    Spot,
    /// The pool at unit prices.
    Burst,
    /// The dedicated pool of a team.
    Dedicated(&'static str),
}

impl Place {
    /// The nodes of the place: pool, machine and capacity type are those of any of them.
    pub(super) fn nodes(self) -> Option<&'static Nodes> {
        NODES.iter().find(|nodes| match self {
            Self::Default => nodes.pool == "default" && nodes.capacity_type == ON_DEMAND,
            Self::Spot => nodes.pool == "default" && nodes.capacity_type == SPOT,
            Self::Burst => nodes.pool == "burst",
            Self::Dedicated(team) => nodes.dedicated_to == Some(team),
        })
    }
}

/// When pods have work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rhythm {
    /// By day, on working days.
    Office,
    /// Day and night, by day a little more.
    Always,
    /// Jobs that exist only at night.
    Night,
}

/// Pods of one virtual namespace, or of a namespace that is nobody's virtual cluster.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) virtual_namespace: Option<&'static str>,
    pub(super) place: Place,
    pub(super) rhythm: Rhythm,
    /// Requested, in thousandths of a core.
    pub(super) cpu: i64,
    /// Requested, in MiB.
    pub(super) memory: i64,
    /// Requested.
    pub(super) gpus: i64,
}

/// A tenant and all it has.
#[derive(Debug)]
pub(super) struct Team {
    pub(super) name: &'static str,
    pub(super) cost_center: &'static str,
    pub(super) services: &'static [&'static str],
    pub(super) work: &'static [Work],
    /// Virtual namespace, storage class, GiB.
    pub(super) volumes: &'static [(&'static str, &'static str, i64)],
    /// Sent in an hour of full work, in MiB, by the first virtual namespace.
    pub(super) egress: i64,
    pub(super) load_balancers: i64,
    /// Cores and GiB.
    pub(super) quota: (i64, i64),
    pub(super) life: Life,
}

impl Team {
    /// The host namespace of its virtual cluster.
    pub(super) fn namespace(&self) -> String {
        format!("vcluster-{}", self.name)
    }

    /// Its dedicated pool: the machine and how many there are at a moment.
    pub(super) fn pool(&self, at: Moment) -> Option<(&'static str, i64)> {
        let own = NODES.iter().filter(|nodes| nodes.dedicated_to == Some(self.name) && nodes.life.holds(at));
        own.fold(None, |sum: Option<(&'static str, i64)>, nodes| {
            Some((nodes.machine.name, sum.map_or(0, |(_, count)| count) + nodes.count))
        })
    }
}

/// A namespace that is no tenant's.
#[derive(Debug)]
pub(super) struct Plain {
    pub(super) name: &'static str,
    pub(super) work: &'static [Work],
    /// Storage class and GiB.
    pub(super) volume: Option<(&'static str, i64)>,
    /// Sent in an hour, in MiB.
    pub(super) egress: i64,
    pub(super) load_balancers: i64,
    pub(super) life: Life,
}

const fn agents(place: Place, nodes: i64) -> Work {
    Work {
        virtual_namespace: None,
        place,
        rhythm: Rhythm::Always,
        cpu: 150 * nodes,
        memory: 320 * nodes,
        gpus: 0,
    }
}

const fn central(cpu: i64, memory: i64) -> Work {
    Work { virtual_namespace: None, place: Place::Default, rhythm: Rhythm::Always, cpu, memory, gpus: 0 }
}

/// The platform's own, and what nobody owns.
pub(super) const PLAIN: [Plain; 4] = [
    Plain {
        name: "kube-system",
        work: &[
            agents(Place::Default, 8),
            agents(Place::Spot, 3),
            agents(Place::Burst, 4),
            agents(Place::Dedicated("payments"), 3),
            agents(Place::Dedicated("trading"), 4),
            agents(Place::Dedicated("risk"), 2),
            agents(Place::Dedicated("vision"), 2),
        ],
        volume: None,
        egress: 60,
        load_balancers: 0,
        life: Life::WHOLE,
    },
    Plain {
        name: "monitoring",
        work: &[central(4_000, 24_576)],
        volume: Some(("gp3", 800)),
        egress: 240,
        load_balancers: 0,
        life: Life::WHOLE,
    },
    Plain {
        name: "ingress-nginx",
        work: &[central(1_500, 3_072)],
        volume: None,
        egress: 1_900,
        load_balancers: 1,
        life: Life::WHOLE,
    },
    Plain {
        name: "debug-tmp",
        work: &[central(2_000, 8_192)],
        volume: Some(("gp3", 100)),
        egress: 35,
        load_balancers: 0,
        life: DEBUG,
    },
];
