//! Limits per process. They hold everywhere, also where there are no control groups.

use crate::args::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Address space on top of memory: shared libraries are mapped, not used.
const MAPPED_BYTES: u64 = 1 << 30;

pub fn set(args: &Args, has_own_users: bool) -> rustix::io::Result<()> {
    limit(Resource::Core, 0)?;
    limit(Resource::Data, args.memory_bytes)?;
    limit(Resource::As, args.memory_bytes.saturating_add(MAPPED_BYTES))?;
    limit(Resource::Fsize, 64 << 20)?;
    limit(Resource::Nofile, 512)?;
    limit(Resource::Memlock, 64 << 10)?;
    limit(Resource::Msgqueue, 0)?;
    // Counted per user: without users of its own a loge would count the whole desktop.
    if has_own_users {
        limit(Resource::Nproc, u64::from(args.pids))?;
    }
    Ok(())
}

/// Lowers a limit; one that is lower already stays.
fn limit(resource: Resource, value: u64) -> rustix::io::Result<()> {
    let hard = getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let value = Some(value.min(hard));
    setrlimit(resource, Rlimit { current: value, maximum: value })
}
