//! `loge-worker --run-limited`: the step between the worker and a media program.
//!
//! Limits, priority and the tie to the worker's life have to be set in the new process before
//! the program runs. Doing that between fork and exec takes unsafe code; a second run of this
//! small static binary takes a millisecond and none.

use crate::log;
use rustix::process::{self, Pid, Resource, Rlimit, Signal};
use std::{ffi::OsString, os::unix::process::CommandExt, process::ExitCode};

pub const FLAG: &str = "--run-limited";

/// The one variable besides the language that a media program gets: libva's own.
pub const VA_DRIVERS: &str = "LIBVA_DRIVERS_PATH";

/// It could not be started; a media program never ends with this.
pub const NOT_STARTED: u8 = 125;

/// Address space is counted with every shared library, of which Debian's ffmpeg maps 215.
pub const ADDRESS_SPACE_BYTES: u64 = 3 << 29;
const FILE_BYTES: u64 = 64 << 20;
const OPEN_FILES: u64 = 128;

/// Arguments: the worker's pid, CPU seconds, niceness, the program, its arguments.
pub fn run(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    let mut number = || args.next()?.to_str()?.parse::<u32>().ok();
    let (Some(worker), Some(cpu_s), Some(niceness)) = (number(), number(), number()) else {
        return ExitCode::from(NOT_STARTED);
    };
    let Some(program) = args.next() else { return ExitCode::from(NOT_STARTED) };

    if let Err(error) = restrict(worker, u64::from(cpu_s), niceness.min(19)) {
        log::line(&format!("limit a media program: {error}"));
        return ExitCode::from(NOT_STARTED);
    }
    #[expect(clippy::disallowed_methods, reason = "the worker is the one that starts media programs")]
    let mut command = std::process::Command::new(program);
    command.args(args).env_clear().env("LC_ALL", "C");
    command.envs(std::env::var_os(VA_DRIVERS).map(|folder| (VA_DRIVERS, folder)));
    let error = command.exec();
    log::line(&format!("start a media program: {error}"));
    ExitCode::from(NOT_STARTED)
}

fn restrict(worker: u32, cpu_s: u64, niceness: u32) -> rustix::io::Result<()> {
    process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // The worker may have died before the line above.
    let parent = process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
    if i64::from(parent) != i64::from(worker) {
        return Err(rustix::io::Errno::SRCH);
    }
    limit(Resource::Cpu, cpu_s)?;
    limit(Resource::As, ADDRESS_SPACE_BYTES)?;
    limit(Resource::Fsize, FILE_BYTES)?;
    limit(Resource::Nofile, OPEN_FILES)?;
    limit(Resource::Core, 0)?;
    let wanted = i32::try_from(niceness).unwrap_or(19);
    match further_behind(process::getpriority_process(None::<Pid>)?, wanted) {
        Some(niceness) => process::setpriority_process(None::<Pid>, niceness),
        None => Ok(()),
    }
}

/// A house that was told to give way to others does so with its media programs too: back to the
/// front is a way that nobody without rights may go.
fn further_behind(now: i32, wanted: i32) -> Option<i32> {
    (wanted > now).then_some(wanted)
}

/// Lowers a limit; one that is lower already stays.
fn limit(resource: Resource, value: u64) -> rustix::io::Result<()> {
    let hard = process::getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let value = Some(value.min(hard));
    process::setrlimit(resource, Rlimit { current: value, maximum: value })
}

#[cfg(test)]
mod tests {
    use super::further_behind;

    #[test]
    fn programs_only_ever_step_back() {
        for (now, wanted, sets) in [(0, 19, Some(19)), (0, 0, None), (5, 0, None), (5, 19, Some(19)), (19, 19, None)] {
            assert_eq!(further_behind(now, wanted), sets, "{now} {wanted}");
        }
    }
}
