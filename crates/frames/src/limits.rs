//! What a child takes away from itself before it looks at a film.

use contract::pictures::Order;
use rustix::process::{self, DumpableBehavior, Pid, Resource, Rlimit, Signal};

/// # Errors
/// Nothing may be looked at then.
pub fn restrict(parent: Pid, order: &Order) -> rustix::io::Result<()> {
    process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // It may have died before the line above.
    if process::getppid() != Some(parent) {
        return Err(rustix::io::Errno::SRCH);
    }
    process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    limit(Resource::Cpu, u64::from(order.cpu_s).max(1))?;
    limit(Resource::As, order.memory_bytes)?;
    limit(Resource::Fsize, 0)?;
    limit(Resource::Core, 0)?;
    // Neither a thread nor a child, where limits per user count.
    limit(Resource::Nproc, 0)
}

/// Lowers a limit; one that is lower already stays.
fn limit(resource: Resource, value: u64) -> rustix::io::Result<()> {
    let hard = process::getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let value = Some(value.min(hard));
    process::setrlimit(resource, Rlimit { current: value, maximum: value })
}
