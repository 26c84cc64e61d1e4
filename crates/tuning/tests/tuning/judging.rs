use crate::hosts::{ALL, Host};
use loge_tuning::{Finding, Live, Place, Verdict, judge, read};
use std::fs;

/// Returns what a host is told, a line for each setting.
fn told(host: &Host) -> String {
    judge(&read(&Live::below(host.root()))).iter().map(line).collect()
}

fn line(finding: &Finding) -> String {
    let Finding { name, now, better, .. } = finding;
    let now = now.as_deref().unwrap_or("?");
    let better = better.as_deref().unwrap_or_default();
    match &finding.verdict {
        Verdict::Good => format!("good    {name}: {now}\n"),
        Verdict::Change { .. } => format!("change  {name}: {now} -> {better}\n"),
        Verdict::Advice { advice } => format!("advice  {name}: {now} -> {better} | {advice}\n"),
        Verdict::Refused { reason } => format!("refused {name}: {now} | {reason}\n"),
    }
}

#[test]
fn each_machine_is_told_what_suits_it() {
    for name in ALL {
        let path = format!("{}/tests/hosts/{name}.expected", env!("CARGO_MANIFEST_DIR"));
        let expected = fs::read_to_string(&path).expect("what is expected");
        let told = told(&Host::plant(name));
        assert_eq!(told, expected, "{name} is told:\n{told}");
    }
}

#[test]
fn a_place_is_known_by_its_marks() {
    for (host, change, place) in [
        ("old-i5", None, Place::Computer),
        ("laptop", None, Place::Computer),
        ("virtual", None, Place::VirtualMachine),
        ("container", None, Place::Container),
        // A machine made out of an image keeps the mark of the engine.
        ("old-i5", Some("/.dockerenv"), Place::Computer),
        ("virtual", Some("/.dockerenv"), Place::VirtualMachine),
        ("old-i5", Some("/sys/hypervisor/type"), Place::VirtualMachine),
    ] {
        let host = Host::plant(host);
        if let Some(mark) = change {
            fs::create_dir_all(host.at(mark).parent().expect("a folder")).expect("made");
            host.write(mark, "");
        }
        assert_eq!(read(&Live::below(host.root())).place, place, "{change:?}");
    }
}

#[test]
fn a_container_that_shares_the_hosts_processes_is_one() {
    let host = Host::plant("container");
    fs::remove_file(host.at("/proc/self/ns/pid")).expect("removed");
    std::os::unix::fs::symlink("pid:[4026531836]", host.at("/proc/self/ns/pid")).expect("linked");
    assert_eq!(read(&Live::below(host.root())).place, Place::Container);
    // The control: the mark and nothing else.
    for kind in ["uts", "ipc"] {
        fs::remove_file(host.at(&format!("/proc/self/ns/{kind}"))).expect("removed");
    }
    assert_eq!(read(&Live::below(host.root())).place, Place::Computer);
}

#[test]
fn a_machine_that_shows_nothing_is_told_nothing_to_change() {
    let empty = tempfile::tempdir().expect("a temporary folder");
    let findings = judge(&read(&Live::below(empty.path())));
    assert!(!findings.is_empty());
    assert!(findings.iter().all(|finding| finding.change().is_none()), "{findings:#?}");
}

#[test]
fn every_finding_says_why_and_for_which_hardware() {
    for host in ALL {
        for finding in judge(&read(&Live::below(Host::plant(host).root()))) {
            assert!(!finding.why.is_empty() && !finding.hardware.is_empty(), "{finding:?}");
        }
    }
}
