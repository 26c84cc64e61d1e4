//! What is expected: abilities, by runtime. `golden.txt` lists all that a loge may have; whatever
//! is not in it must not be possible. In an environment in which it was recorded it must hold
//! exactly; elsewhere (an older kernel knows fewer calls) a loge may be able to do less, and never
//! more: an unknown environment that gives more fails and asks to be looked at.

use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    Docker,
    Process,
    /// The process runtime where no namespaces are allowed.
    Bare,
    /// Where control groups are not allowed either.
    Ungrouped,
}

/// Where the table was recorded.
const RECORDED: [&str; 4] = [
    "docker 20.10, groups 1, kernel 6.18",
    "process, landlock version 7, groups 1 limited, kernel 6.18, root",
    "bare, landlock version 7, groups 1 limited, kernel 6.18, root",
    "ungrouped, landlock version 7, groups 1 unlimited, kernel 6.18, root",
];

/// What nothing but a control group takes from a process without namespaces.
const BY_GROUPS: &str = "limits 200 processes";

const GOLDEN: &str = include_str!("golden.txt");

/// What a worker cannot do without: proof that the probe can find an ability at all.
const NEEDED: [&str; 12] = [
    "library read a film",
    "work write",
    "gate connect to its gate",
    "sockets socket unix",
    "calls read",
    "calls openat",
    "calls mmap",
    "calls sendfile",
    "limits 50 MiB of memory",
    "limits 20 processes",
    "limits 20 files in work",
    "limits a file of 1 MiB in work",
];

impl Table {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Process => "process",
            Self::Bare => "bare",
            Self::Ungrouped => "ungrouped",
        }
    }
    const fn column(self) -> usize {
        match self {
            Self::Docker => 0,
            Self::Process => 1,
            Self::Bare | Self::Ungrouped => 2,
        }
    }
    /// Lines are three marks, one for each table, a blank and the ability.
    fn abilities(self) -> BTreeSet<&'static str> {
        let lines = GOLDEN.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let mut abilities: BTreeSet<_> =
            lines.filter(|line| line.as_bytes()[self.column()] != b'-').map(|line| &line[4..]).collect();
        if self != Self::Ungrouped {
            abilities.remove(BY_GROUPS);
        }
        abilities
    }
}

/// `group name` to whether it can, and why not.
pub type Verdicts = BTreeMap<String, (bool, String)>;

/// The probe's lines. Not one verdict may be missing.
pub fn read(lines: &[String]) -> Verdicts {
    let mut all = Verdicts::new();
    let mut told = 0;
    for line in lines.iter().filter(|line| line.starts_with('[')) {
        let row: Vec<(String, String, bool, String)> = serde_json::from_str(line).expect(line);
        told += row.len();
        all.extend(row.into_iter().map(|(group, name, can, why)| (format!("{group} {name}"), (can, why))));
    }
    let counted = lines.last().and_then(|line| line.parse().ok());
    assert_eq!(Some(told), counted, "verdicts are missing: {lines:#?}");
    assert!(all.len() > 300 || !cfg!(target_arch = "x86_64"), "only {} verdicts", all.len());
    all
}

fn able(verdicts: &Verdicts) -> BTreeSet<&str> {
    verdicts.iter().filter(|(_, (can, _))| *can).map(|(name, _)| name.as_str()).collect()
}

/// What can be done and must not be.
fn holes(table: Table, verdicts: &Verdicts) -> Vec<String> {
    let allowed = table.abilities();
    let found = able(verdicts).into_iter().filter(|name| !allowed.contains(name));
    found.map(|name| format!("{name} ({})", verdicts[name].1)).collect()
}

pub fn judge(table: Table, here: &str, verdicts: &Verdicts) {
    println!("{here}: {} things tried", verdicts.len());
    let holes = holes(table, verdicts);
    let is_known = RECORDED.contains(&here);
    let what = if is_known { "was recorded here without" } else { "is new, look at it; the table has none of" };
    assert!(holes.is_empty(), "{here:?} {what}:\n{}", holes.join("\n"));
    let able = able(verdicts);
    for needed in NEEDED {
        assert!(able.contains(needed), "a worker cannot do without {needed}: {:?}", verdicts.get(needed));
    }
    if is_known {
        let closed: Vec<_> = table.abilities().into_iter().filter(|name| !able.contains(name)).collect();
        assert!(closed.is_empty(), "no longer possible, take them out of the table:\n{}", closed.join("\n"));
    }
}

/// Each is closed in a loge, and open where nobody closes it.
pub fn must_find_holes(verdicts: &Verdicts) {
    let holes = holes(Table::Docker, verdicts);
    let has = |name: &str| holes.iter().any(|hole| hole.strip_prefix(name).is_some_and(|rest| rest.starts_with(" (")));
    let expected = [
        "rights is root",
        "rights gains rights by a program",
        "rights effective capabilities",
        "rights bounding capabilities",
        "rights become another user",
        "rights give a file away",
        "rights change the root",
        "rights make a device",
        "sockets socket inet",
        "sockets socket inet6",
        "sockets socket netlink",
        "sockets socket packet",
        "network has a card",
        "writing create in /etc",
        "writing write /etc/passwd",
        "writing create beside the socket",
        "writing move the socket",
        "library write a film",
        "library cut a film",
        "library add a film",
        "library write below, on another disk",
        "work run a program",
        "mounts root is writable",
        "mounts has a library mounted for writing",
        "mounts sees other sockets",
        "mounts has a mount that nobody meant",
        "others connect to a nameless gate",
        "others connect to the house",
        "limits 600 MiB of memory",
        "limits 600 descriptors",
        "limits 200 processes",
        "limits 2000 files in work",
        "limits a file of 80 MiB in work",
        "limits writes larger files than 64 MiB",
    ];
    let missed: Vec<_> = expected.into_iter().filter(|name| !has(name)).collect();
    assert!(missed.is_empty(), "the probe did not find:\n{}\nit found:\n{}", missed.join("\n"), holes.join("\n"));
    // Without loge's own list of calls the kernel is wider open than with it.
    let calls = holes.iter().filter(|hole| hole.starts_with("calls ")).count();
    assert!(calls > 20, "only {calls} more calls: {holes:#?}");
}
