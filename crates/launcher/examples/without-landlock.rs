//! Runs a program on a kernel that seems to have no Landlock, for the test of what happens then.

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch, apply_filter};
use std::{collections::BTreeMap, os::unix::process::CommandExt};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rules = BTreeMap::from([(libc::SYS_landlock_create_ruleset, Vec::new())]);
    let absent = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let filter: BpfProgram = SeccompFilter::new(rules, SeccompAction::Allow, absent, arch)?.try_into()?;
    apply_filter(&filter)?;
    let mut args = std::env::args_os().skip(1);
    let program = args.next().ok_or("which program?")?;
    #[expect(clippy::disallowed_methods, reason = "starting a program is all it does")]
    let error = std::process::Command::new(program).args(args).exec();
    Err(error.into())
}
