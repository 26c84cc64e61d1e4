//! The machine at hand: what it lets us set is set and restored for real.

use crate::hosts::Host;
use loge_tuning::{Finding, Line, Live, Machine, Outcome, RECORD, SYSCTL_FILE, apply, judge, read, undo};
use rustix::process::geteuid;
use std::{fs, io, path::Path};

/// Settings that harm nothing when they are different for a moment.
const HARMLESS: &[&str] = &[
    "vm.swappiness",
    "vm.vfs_cache_pressure",
    "vm.dirty_background_bytes",
    "vm.dirty_bytes",
    "net.core.default_qdisc",
    "net.core.wmem_max",
    "net.ipv4.tcp_slow_start_after_idle",
    "fs.inotify.max_user_watches",
    "fs.inotify.max_user_instances",
    "fs.inotify.max_queued_events",
];

/// This machine's kernel, with every file that stays behind a temporary folder.
#[derive(Debug)]
struct Here {
    kernel: Live,
    files: Live,
}

impl Here {
    fn new(files: &Path) -> Self {
        Self { kernel: Live::this_machine(), files: Live::below(files) }
    }

    fn of(&self, path: &str) -> &Live {
        if path.starts_with("/proc/") || path.starts_with("/sys/") { &self.kernel } else { &self.files }
    }
}

impl Machine for Here {
    fn may_change(&self) -> bool {
        self.kernel.may_change()
    }
    fn names(&self, folder: &str) -> Vec<String> {
        self.of(folder).names(folder)
    }
    fn is_there(&self, path: &str) -> bool {
        self.of(path).is_there(path)
    }
    fn read(&self, path: &str) -> io::Result<String> {
        self.of(path).read(path)
    }
    fn target(&self, path: &str) -> io::Result<String> {
        self.of(path).target(path)
    }
    fn set(&self, path: &str, value: &str) -> io::Result<()> {
        self.of(path).set(path, value)
    }
    fn stage(&self, path: &str, text: &str) -> io::Result<()> {
        self.of(path).stage(path, text)
    }
    fn settle(&self, path: &str) -> io::Result<()> {
        self.of(path).settle(path)
    }
    fn link(&self, path: &str, target: &str) -> io::Result<()> {
        self.of(path).link(path, target)
    }
    fn remove(&self, path: &str) -> io::Result<()> {
        self.of(path).remove(path)
    }
    fn make_folder(&self, path: &str) -> io::Result<()> {
        self.of(path).make_folder(path)
    }
    fn remove_folder(&self, path: &str) -> io::Result<()> {
        self.of(path).remove_folder(path)
    }
}

/// Restores the machine however the test ends.
struct Restored<'a>(&'a Here);

impl Drop for Restored<'_> {
    fn drop(&mut self) {
        let _ = undo(self.0);
    }
}

fn harmless_changes(here: &Here) -> Vec<Finding> {
    let all = judge(&read(here)).into_iter();
    all.filter(|finding| finding.change().is_some() && HARMLESS.contains(&finding.name.as_str())).collect()
}

/// Every kernel file a change touches, with what it holds.
fn kernel_values(changes: &[Finding]) -> Vec<(String, String)> {
    let settings = changes.iter().filter_map(Finding::change).flat_map(|change| &change.settings);
    let paths = settings.flat_map(|setting| std::iter::once(&setting.path).chain(&setting.twin));
    paths.map(|path| (path.clone(), fs::read_to_string(path).expect("a kernel file"))).collect()
}

#[test]
fn this_machine_is_tuned_and_restored() {
    let host = Host::plant("base");
    let here = Here::new(host.root());
    if !geteuid().is_root() {
        return say("skipped: setting this machine's values takes root");
    }
    let changes = harmless_changes(&here);
    if changes.is_empty() {
        return say("skipped: nothing harmless to change here (a container, or tuned already)");
    }
    let path = "/proc/sys/vm/vfs_cache_pressure";
    let now = fs::read_to_string(path).expect("a kernel file");
    if let Err(e) = here.set(path, now.trim()) {
        return say(&format!("skipped: the kernel's values cannot be written here: {e}"));
    }

    let (before, files) = (kernel_values(&changes), host.tree());
    let restored = Restored(&here);
    let lines = apply(&here, &changes).expect("applied").lines;
    lines.iter().for_each(|line| say(&line.to_string()));
    assert!(!lines.iter().any(Line::is_failure), "{lines:#?}");
    let set = |line: &&Line| matches!(line.outcome, Outcome::Set { .. });
    let count = lines.iter().filter(set).count();
    assert!(count > 0);
    assert!(host.at(RECORD).exists() && host.at(SYSCTL_FILE).exists());
    let after = kernel_values(&changes);
    assert!(before.iter().zip(&after).filter(|(before, after)| before != after).count() >= count, "it was really set");
    let again = judge(&read(&here));
    for line in lines.iter().filter(set) {
        let finding = again.iter().find(|finding| finding.name == line.name).expect("judged again");
        assert!(finding.change().is_none(), "{finding:?}");
    }

    let lines = undo(&here).expect("undone").lines;
    lines.iter().for_each(|line| say(&line.to_string()));
    drop(restored);
    assert_eq!(kernel_values(&changes), before);
    host.assert_is(&files, "afterwards");
}

/// What a reader of `npm test` sees of a test that was skipped, and why.
fn say(line: &str) {
    eprintln!("this machine: {line}");
}
