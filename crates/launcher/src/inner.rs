//! The inner process: from everything the server may do to what a worker may do.

use crate::{
    NOT_STARTED, REFUSED,
    args::Args,
    limits,
    must_stand::{self, Means},
    report::{Output, Report},
    syscalls, view, walls,
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{DumpableBehavior, Signal, set_dumpable_behavior, set_parent_process_death_signal},
    thread::UnshareFlags,
};
use std::{fs::File, io::Read, os::unix::process::CommandExt};

/// The outer process is done with its part.
pub const GO: u8 = b'g';
/// The same, but the control groups could not be joined.
pub const GO_UNLIMITED: u8 = b'u';

/// Does not return when all is well. The exit code otherwise.
pub fn run(args: Args, namespaces: UnshareFlags, refused: Option<Errno>, mut go: File, mut report: Report) -> u8 {
    let mut word = [0];
    match go.read(&mut word) {
        Ok(1) if word[0] == GO => {}
        Ok(1) => {
            for item in report.isolation.iter_mut().filter(|item| item.name.starts_with("cgroup_")) {
                item.reached = false;
                item.detail = "the group could not be joined".into();
            }
            report.groups.clear();
        }
        // The outer process went on without us, or is gone.
        _ => return NOT_STARTED,
    }
    report_namespaces(&mut report, namespaces, refused);
    if args.render_node.is_some() {
        report.add(
            "graphics_chip",
            false,
            "given to loges, as set: the kernel's driver for it can be reached from inside",
        );
    }

    if namespaces.contains(UnshareFlags::NEWNS) {
        report.step("view", view::build(&args), "only what this loge needs");
    } else {
        report.add("view", false, "needs its own mounts");
    }
    let has_own_users = namespaces.contains(UnshareFlags::NEWUSER);
    report.step("limits", limits::set(&args, has_own_users), "memory, files, descriptors, no core dumps");
    report.step("capabilities", walls::drop_capabilities(), "none, and none to be had");
    report.step("no_new_privs", rustix::thread::set_no_new_privs(true), "no program gives rights back");
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);

    let (outcome, abi) = match walls::landlock(&args) {
        Ok(abi) => (Ok(()), abi),
        Err(error) => (Err(error), 0),
    };
    report.step("landlock", outcome, &format!("version {abi}"));
    // After the last change of rights, which clears it.
    let tied = set_parent_process_death_signal(Some(Signal::KILL));
    report.step("dies_with_server", tied, "ends when the server does");
    report.step(
        "seccomp",
        syscalls::filter(args.render_node.is_some()),
        "no network, no new namespaces, no way into other processes",
    );

    let means = Means { landlock: abi, is_counted: !rustix::process::geteuid().is_root() };
    for (name, reached, detail) in must_stand::combined(means, |wall| report.has(wall)) {
        report.add(name, reached, detail);
    }
    let missing = must_stand::missing(|wall| report.has(wall));
    if !missing.is_empty() && !args.allow_reduced {
        report.fatal = Some(format!("not reached: {}", missing.join(", ")));
    }
    let mut output = Output::of(args.report_fd);
    output.write(&report.to_line());
    output.close();
    if let Some(fatal) = &report.fatal {
        eprintln!("loge-launch: {fatal}");
        return REFUSED;
    }
    if is_alone(&go) {
        return NOT_STARTED;
    }
    become_worker(args)
}

fn report_namespaces(report: &mut Report, namespaces: UnshareFlags, refused: Option<Errno>) {
    let why = refused.map_or_else(|| "refused".to_owned(), |errno| errno.to_string());
    for (name, flag, good) in [
        ("own_users", UnshareFlags::NEWUSER, "knows no user but its own"),
        ("own_mounts", UnshareFlags::NEWNS, "mounts of its own"),
        ("own_processes", UnshareFlags::NEWPID, "sees no process but its own"),
        ("own_network", UnshareFlags::NEWNET, "no network card"),
        ("own_ipc", UnshareFlags::NEWIPC, "shares no memory"),
        ("own_host_name", UnshareFlags::NEWUTS, "a host name of its own"),
    ] {
        let reached = namespaces.contains(flag);
        report.add(name, reached, if reached { good } else { &why });
    }
}

/// The outer process may have died before we were tied to it; its end of the pipe says so.
fn is_alone(go: &File) -> bool {
    let mut fds = [PollFd::new(go, PollFlags::IN)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let _ = poll(&mut fds, Some(&now));
    !fds[0].revents().is_empty()
}

fn become_worker(args: Args) -> u8 {
    let env = std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(|n| n.starts_with("LOGE_")));
    #[expect(clippy::disallowed_methods, reason = "the launcher is the one that starts the worker")]
    let mut command = std::process::Command::new(&args.worker);
    command.args(&args.worker_args).env_clear().envs(env).current_dir(&args.work);
    let error = command.exec();
    eprintln!("loge-launch: start {}: {error}", args.worker.display());
    NOT_STARTED
}
