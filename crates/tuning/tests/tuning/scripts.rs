//! `deploy/tuning/*.sh` do what `apply` does.

#![expect(clippy::disallowed_methods, reason = "runs the scripts people read")]

use crate::{
    hosts::{Host, REAL_MACHINES, Tree},
    there_and_back::tune,
};
use loge_tuning::Live;
use std::{fs, path::PathBuf, process::Command};

const SCRIPTS: &[&str] = &["ssd.sh", "network.sh", "memory.sh"];

fn script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../deploy/tuning").join(name)
}

fn run(text: &str, host: &Host) {
    let out = Command::new("sh").arg("-c").arg(text).env("TUNE_ROOT", host.root()).output().expect("sh runs");
    assert!(out.status.success() && out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
}

/// The files of the kernel alone: scripts keep nothing over a restart.
fn kernel_files(host: &Host) -> Tree {
    let of_kernel = |path: &PathBuf| path.starts_with("proc") || path.starts_with("sys");
    host.tree().into_iter().filter(|(path, _)| of_kernel(path)).collect()
}

/// Returns what the scripts, with one piece of their text replaced, and `apply` make of a machine.
fn both(name: &str, from: &str, to: &str) -> (Tree, Tree) {
    let (by_hand, by_program) = (Host::plant(name), Host::plant(name));
    for name in SCRIPTS {
        let text = fs::read_to_string(script(name)).expect("a script");
        run(&text.replace(from, to), &by_hand);
    }
    tune(&Live::below(by_program.root()));
    (kernel_files(&by_hand), kernel_files(&by_program))
}

#[test]
fn the_scripts_set_what_apply_sets() {
    for name in REAL_MACHINES {
        let (by_hand, by_program) = both(name, "", "");
        assert_eq!(by_hand, by_program, "{name}");
        assert_ne!(by_program, kernel_files(&Host::plant(name)), "{name}: there was something to set");
    }
}

/// The control: each value in the scripts, changed, is noticed on one of the machines.
#[test]
fn a_value_that_drifts_is_noticed() {
    for (from, to) in [
        ("scheduler=mq-deadline", "scheduler=kyber"),
        ("scheduler=none", "scheduler=kyber"),
        ("read_ahead_kb=1024", "read_ahead_kb=512"),
        ("read_ahead_kb=128", "read_ahead_kb=256"),
        ("default_qdisc\" fq_codel", "default_qdisc\" fq"),
        ("congestion_control\" bbr", "congestion_control\" vegas"),
        ("slow_start_after_idle\" 0", "slow_start_after_idle\" 2"),
        ("524288", "1048576"),
        ("4096 16384 4194304", "4096 16384 8388608"),
        ("swappiness\" 10;", "swappiness\" 20;"),
        ("swappiness\" 100", "swappiness\" 180"),
        ("vfs_cache_pressure\" 50", "vfs_cache_pressure\" 40"),
        ("67108864", "33554432"),
        ("268435456", "134217728"),
        ("schedutil ondemand", "ondemand schedutil"),
        ("max_user_instances\" 512", "max_user_instances\" 256"),
        ("max_queued_events\" 65536", "max_queued_events\" 32768"),
        ("file-max\" 262144", "file-max\" 131072"),
    ] {
        let text: String = SCRIPTS.iter().map(|name| fs::read_to_string(script(name)).expect("a script")).collect();
        assert!(text.contains(from), "{from:?} is in the scripts");
        let is_noticed = REAL_MACHINES.iter().any(|name| {
            let (by_hand, by_program) = both(name, from, to);
            by_hand != by_program
        });
        assert!(is_noticed, "{from:?}");
    }
}
