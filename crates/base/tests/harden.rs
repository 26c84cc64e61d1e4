//! Hardening changes the whole process, so it has a test program of its own.

use loge_base::process::harden;
use rustix::process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit};

#[test]
fn a_hardened_process_leaves_no_core_file_and_has_its_descriptors() {
    assert_eq!(dumpable_behavior(), Ok(DumpableBehavior::Dumpable), "the control");
    harden();
    assert_eq!(dumpable_behavior(), Ok(DumpableBehavior::NotDumpable));
    assert_eq!(getrlimit(Resource::Core).current, Some(0));
    let descriptors = getrlimit(Resource::Nofile);
    assert!(descriptors.current >= descriptors.maximum.map(|most| most.min(65_536)), "{descriptors:?}");
    assert_eq!(rustix::process::umask(rustix::fs::Mode::empty()).as_raw_mode(), 0o077);
}
