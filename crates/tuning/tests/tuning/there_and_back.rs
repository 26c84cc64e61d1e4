use crate::{
    hosts::{ALL, Host, REAL_MACHINES},
    kernel::Kernel,
};
use loge_tuning::{
    ApplyError, Line, Live, Machine, Outcome, RECORD, SYSCTL_FILE, UDEV_FILE, Undone, apply, judge, read, undo,
};
use std::{fs, os::unix::fs::symlink};

pub fn tune(machine: &dyn Machine) -> Vec<Line> {
    apply(machine, &judge(&read(machine))).expect("applied").lines
}

pub fn back(machine: &dyn Machine) -> Vec<Line> {
    undo(machine).expect("undone").lines
}

fn outcome<'a>(lines: &'a [Line], name: &str) -> &'a Outcome {
    &lines.iter().find(|line| line.name == name).unwrap_or_else(|| panic!("{name} in {lines:#?}")).outcome
}

fn value(text: &str) -> String {
    text.trim().to_owned()
}

#[test]
fn every_machine_comes_back_byte_for_byte() {
    for name in ALL {
        let host = Host::plant(name);
        let before = host.tree();
        let lines = tune(&Kernel::of(host.root()));
        assert_eq!(host.tree() != before, *name != "container", "{name}");
        assert_eq!(lines.is_empty(), *name == "container", "{name}");
        assert!(!lines.iter().any(Line::is_failure), "{name}: {lines:#?}");
        let lines = back(&Kernel::of(host.root()));
        assert!(!lines.iter().any(Line::is_failure), "{name}: {lines:#?}");
        host.assert_is(&before, name);
    }
}

#[test]
fn what_is_applied_is_what_is_found_good_afterwards() {
    for name in ALL {
        let host = Host::plant(name);
        let kernel = Kernel::of(host.root());
        tune(&kernel);
        let findings = judge(&read(&kernel));
        let left: Vec<_> = findings.iter().filter(|finding| finding.change().is_some()).collect();
        assert!(left.is_empty(), "{name}: {left:#?}");
    }
}

#[test]
fn twice_is_once() {
    for name in REAL_MACHINES {
        let host = Host::plant(name);
        let before = host.tree();
        tune(&Kernel::of(host.root()));
        let once = host.tree();
        let kernel = Kernel::of(host.root());
        assert_eq!(tune(&kernel), []);
        assert_eq!(kernel.steps(), 0, "{name}");
        host.assert_is(&once, name);
        back(&Kernel::of(host.root()));
        host.assert_is(&before, name);
        assert_eq!(undo(&Kernel::of(host.root())).expect("undone"), Undone::default());
        host.assert_is(&before, name);
    }
}

#[test]
fn both_files_hold_what_is_set() {
    let host = Host::plant("old-i5");
    tune(&Kernel::of(host.root()));
    let sysctl = host.text(SYSCTL_FILE);
    for line in ["vm.swappiness = 10", "vm.dirty_bytes = 268435456", "net.ipv4.tcp_congestion_control = bbr"] {
        assert!(sysctl.lines().any(|l| l == line), "{line} in {sysctl}");
    }
    let udev = host.text(UDEV_FILE);
    let rules: Vec<&str> = udev.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(
        rules,
        [
            r#"ACTION=="add|change", SUBSYSTEM=="block", ENV{DEVTYPE}=="disk", KERNEL=="sd*[!0-9]|dm-*|md*", ATTR{removable}=="0", ATTR{queue/rotational}=="1", ATTR{queue/read_ahead_kb}=="128", ATTR{queue/read_ahead_kb}="1024""#,
            r#"ACTION=="add|change", SUBSYSTEM=="block", ENV{DEVTYPE}=="disk", KERNEL=="sd*[!0-9]", ATTR{removable}=="0", ATTR{queue/rotational}=="0", ATTR{queue/scheduler}="mq-deadline""#,
            r#"ACTION=="add", SUBSYSTEM=="cpu", KERNEL=="cpu[0-9]*", ATTR{cpufreq/scaling_governor}="schedutil""#,
        ]
    );
    // The stick that was left in is nobody's business.
    assert_eq!(value(&host.text("/sys/block/sdc/queue/read_ahead_kb")), "128");
}

#[test]
fn what_another_hand_changed_is_left() {
    let host = Host::plant("old-i5");
    let before = host.tree();
    tune(&Kernel::of(host.root()));
    host.write("/proc/sys/vm/swappiness", "33\n");
    host.write(SYSCTL_FILE, "vm.swappiness = 33\n");
    fs::remove_file(host.at("/etc/systemd/system/timers.target.wants/fstrim.timer")).expect("removed");
    symlink("/opt/mine.timer", host.at("/etc/systemd/system/timers.target.wants/fstrim.timer")).expect("linked");
    let lines = back(&Kernel::of(host.root()));
    assert!(matches!(outcome(&lines, "vm.swappiness"), Outcome::Left { why } if why.contains("33")), "{lines:#?}");
    assert!(matches!(outcome(&lines, SYSCTL_FILE), Outcome::Left { .. }));
    assert!(matches!(outcome(&lines, "/etc/systemd/system/timers.target.wants/fstrim.timer"), Outcome::Left { .. }));
    // The control: the rest is as before.
    let mut after = host.tree();
    assert_eq!(host.text("/proc/sys/vm/swappiness"), "33\n");
    assert_eq!(host.text(SYSCTL_FILE), "vm.swappiness = 33\n");
    after.remove(SYSCTL_FILE.trim_start_matches('/').as_ref() as &std::path::Path);
    after.remove("etc/systemd/system/timers.target.wants/fstrim.timer".as_ref() as &std::path::Path);
    after.insert("proc/sys/vm/swappiness".into(), before[std::path::Path::new("proc/sys/vm/swappiness")].clone());
    assert_eq!(after, before);
}

#[test]
fn a_second_apply_over_another_hand_still_undoes_to_the_first_state() {
    let host = Host::plant("old-i5");
    let before = host.tree();
    tune(&Kernel::of(host.root()));
    host.write("/proc/sys/vm/swappiness", "33\n");
    let lines = tune(&Kernel::of(host.root()));
    assert_eq!(
        lines,
        [Line { name: "vm.swappiness".into(), outcome: Outcome::Set { from: "33".into(), to: "10".into() } }]
    );
    back(&Kernel::of(host.root()));
    host.assert_is(&before, "afterwards");
}

#[test]
fn a_value_the_kernel_rounds_or_refuses_is_said_and_undone() {
    let host = Host::plant("old-i5");
    let before = host.tree();
    let odd = || {
        Kernel::of(host.root())
            .makes("/proc/sys/net/core/wmem_max", Some("425984"))
            .makes("/proc/sys/net/core/default_qdisc", None)
    };
    let lines = tune(&odd());
    assert_eq!(
        *outcome(&lines, "net.core.wmem_max"),
        Outcome::Rounded { from: "212992".into(), wanted: "524288".into(), to: "425984".into() }
    );
    assert!(matches!(outcome(&lines, "net.core.default_qdisc"), Outcome::Refused { .. }));
    assert!(matches!(outcome(&lines, "vm.swappiness"), Outcome::Set { .. }), "the control");
    assert!(!host.text(SYSCTL_FILE).contains("default_qdisc"));
    assert!(!host.text(RECORD).contains("default_qdisc"));
    assert!(host.text(SYSCTL_FILE).contains("wmem_max"));
    let lines = back(&Kernel::of(host.root()));
    assert!(!lines.iter().any(|line| matches!(line.outcome, Outcome::Left { .. })), "{lines:#?}");
    host.assert_is(&before, "afterwards");
}

#[test]
fn a_kernel_that_refuses_everything_leaves_nothing_behind() {
    let host = Host::plant("old-i5");
    let before = host.tree();
    let findings = judge(&read(&Live::below(host.root())));
    let qdisc: Vec<_> = findings.into_iter().filter(|finding| finding.name == "net.core.default_qdisc").collect();
    let kernel = Kernel::of(host.root()).makes("/proc/sys/net/core/default_qdisc", None);
    let lines = apply(&kernel, &qdisc).expect("applied").lines;
    assert!(matches!(outcome(&lines, "net.core.default_qdisc"), Outcome::Refused { .. }));
    host.assert_is(&before, "afterwards");
}

#[test]
fn a_disk_that_was_unplugged_keeps_no_undo_from_ending() {
    let host = Host::plant("old-i5");
    tune(&Kernel::of(host.root()));
    fs::remove_dir_all(host.at("/sys/block/sdb")).expect("unplugged");
    let lines = back(&Kernel::of(host.root()));
    assert_eq!(*outcome(&lines, "/sys/block/sdb/queue/read_ahead_kb"), Outcome::Gone);
    assert!(!host.at(RECORD).exists());
    assert_eq!(value(&host.text("/proc/sys/vm/swappiness")), "60", "the control");
}

#[test]
fn what_cannot_be_restored_stays_in_the_record() {
    let host = Host::plant("old-i5");
    let before = host.tree();
    tune(&Kernel::of(host.root()));
    let stubborn = Kernel::of(host.root()).makes("/proc/sys/vm/swappiness", None);
    let lines = back(&stubborn);
    assert!(matches!(outcome(&lines, "vm.swappiness"), Outcome::Failed { .. }));
    assert!(host.text(RECORD).contains("swappiness"));
    assert!(!host.text(RECORD).contains("vfs_cache_pressure"), "the control: the rest is restored and forgotten");
    back(&Kernel::of(host.root()));
    host.assert_is(&before, "afterwards");
}

#[test]
fn a_restart_in_between_changes_nothing_about_the_way_back() {
    let host = Host::plant("old-i5");
    let before = host.tree();
    tune(&Kernel::of(host.root()));
    // The machine starts with its own values; the two files set ours again, but for one disk that has
    // not come back yet.
    host.write("/sys/block/sdb/queue/read_ahead_kb", "128\n");
    let lines = back(&Kernel::of(host.root()));
    assert!(!lines.iter().any(|line| matches!(line.outcome, Outcome::Left { .. })), "{lines:#?}");
    host.assert_is(&before, "afterwards");
}

#[test]
fn nothing_is_changed_over_a_foreign_file_or_a_damaged_record() {
    let host = Host::plant("old-i5");
    host.write(SYSCTL_FILE, "vm.swappiness = 1\n");
    let before = host.tree();
    let findings = judge(&read(&Live::below(host.root())));
    let denied = apply(&Kernel::of(host.root()), &findings);
    assert!(matches!(denied, Err(ApplyError::FileInTheWay { path }) if path == SYSCTL_FILE), "{denied:?}");
    host.assert_is(&before, "afterwards");
    fs::remove_file(host.at(SYSCTL_FILE)).expect("removed");
    fs::create_dir(host.at("/var/lib/loge-tuning")).expect("made");
    for record in [
        "",
        "{",
        r#"{"form":2}"#,
        r#"{"form":1,"steps":[{"path":"/etc/shadow","before":"x","wanted":"y","set":null,"twin":null,"keep":{"udev":{"rule":""}}}],"files":[],"links":[],"folders":[]}"#,
        r#"{"form":1,"steps":[{"path":"/sys/../etc/shadow","before":"x","wanted":"y","set":null,"twin":null,"keep":{"udev":{"rule":""}}}],"files":[],"links":[],"folders":[]}"#,
        r#"{"form":1,"steps":[],"files":[{"path":"/etc/passwd","ours":[]}],"links":[],"folders":[]}"#,
    ] {
        host.write(RECORD, record);
        let before = host.tree();
        assert!(matches!(apply(&Kernel::of(host.root()), &findings), Err(ApplyError::Record(_))), "{record}");
        assert!(undo(&Kernel::of(host.root())).is_err(), "{record}");
        host.assert_is(&before, record);
    }
    // The control: without them it works.
    fs::remove_dir_all(host.at("/var/lib/loge-tuning")).expect("removed");
    assert!(!tune(&Kernel::of(host.root())).is_empty());
}

#[test]
fn whoever_is_not_root_is_told_so() {
    let host = Host::plant("old-i5");
    let before = host.tree();
    let machine = Live::below(host.root()).read_only();
    let findings = judge(&read(&machine));
    assert!(matches!(apply(&machine, &findings), Err(ApplyError::NotRoot)));
    assert!(undo(&machine).is_err());
    host.assert_is(&before, "afterwards");
}
