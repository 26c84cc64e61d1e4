//! What both programs that hold the house's secrets do before anything else: only their own user
//! reads what they write, nothing of their memory reaches a core file, and there are as many
//! descriptors as the machine allows.

use rustix::{
    fs::Mode,
    process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit, umask},
};

/// More descriptors than this are never used, and some machines set the hard limit to a thousand million.
const MOST_DESCRIPTORS: u64 = 65_536;

/// Hardens this process. What the machine refuses is left as it is: a server that starts with less
/// is better than none.
///
/// Call it first in `main`, before there are other threads: the file mode mask belongs to all of them.
pub fn harden() {
    umask(Mode::RWXG | Mode::RWXO);
    // Keys and tickets lie in this memory. Another program of the same user may not read it
    // either, neither alive nor as a core file.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let descriptors = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, raised(descriptors));
}

/// Every film takes several descriptors, and the usual soft limit of 1,024 is there for programs
/// that use `select`.
fn raised(limit: Rlimit) -> Rlimit {
    let wanted = limit.maximum.unwrap_or(MOST_DESCRIPTORS).min(MOST_DESCRIPTORS);
    Rlimit { current: limit.current.map(|current| current.max(wanted)), maximum: limit.maximum }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_of_descriptors_goes_up_and_never_down() {
        let limit = |current, maximum| Rlimit { current, maximum };
        for (before, after) in [
            (limit(Some(1024), Some(4096)), Some(4096)),
            (limit(Some(1024), Some(1 << 30)), Some(MOST_DESCRIPTORS)),
            (limit(Some(1024), None), Some(MOST_DESCRIPTORS)),
            (limit(Some(100_000), Some(1 << 30)), Some(100_000)),
            (limit(None, None), None),
        ] {
            assert_eq!(raised(before).current, after);
            assert_eq!(raised(before).maximum, before.maximum);
        }
    }
}
