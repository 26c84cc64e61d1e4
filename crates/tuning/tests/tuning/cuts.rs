//! The power goes at every single step of the way there and of the way back.

use crate::{
    hosts::Host,
    kernel::Kernel,
    there_and_back::{back, tune},
};
use loge_tuning::{ApplyError, Line, Outcome, apply, judge, read, undo};

/// Between them they have every kind of change.
const HOSTS: &[&str] = &["old-i5", "nvme"];

/// How many steps tuning this host takes.
fn steps_of(name: &str) -> usize {
    let host = Host::plant(name);
    let kernel = Kernel::of(host.root());
    tune(&kernel);
    kernel.steps()
}

#[test]
fn a_cut_at_any_step_of_apply_is_undone_and_applied_again() {
    for name in HOSTS {
        let steps = steps_of(name);
        for step in 0..=steps {
            let host = Host::plant(name);
            let before = host.tree();
            let cut = Kernel::cut_after(host.root(), step);
            let _ = apply(&cut, &judge(&read(&cut)));
            // The control is the last round, in which nothing is cut.
            assert_eq!(cut.was_cut(), step < steps, "{name}, step {step}");
            let lines = back(&Kernel::of(host.root()));
            host.assert_is(&before, &format!("{name}, step {step}: {lines:#?}"));

            let cut = Kernel::cut_after(host.root(), step);
            let _ = apply(&cut, &judge(&read(&cut)));
            tune(&Kernel::of(host.root()));
            let again = judge(&read(&Kernel::of(host.root())));
            assert!(again.iter().all(|finding| finding.change().is_none()), "{name}, step {step}");
            back(&Kernel::of(host.root()));
            host.assert_is(&before, &format!("{name}, step {step}, applied again"));
        }
    }
}

/// Between two applies a file holds the old text or the new one, and both are Loge's.
#[test]
fn a_cut_in_an_apply_that_adds_to_an_earlier_one_is_undone() {
    for step in 0.. {
        let host = Host::plant("old-i5");
        let before = host.tree();
        let kernel = Kernel::of(host.root());
        let mut some = judge(&read(&kernel));
        some.retain(|finding| finding.name.starts_with("fs.") || finding.name == "sdb read-ahead");
        apply(&kernel, &some).expect("applied");
        let cut = Kernel::cut_after(host.root(), step);
        let _ = apply(&cut, &judge(&read(&cut)));
        let lines = back(&Kernel::of(host.root()));
        assert!(!lines.iter().any(|line| matches!(line.outcome, Outcome::Left { .. })), "step {step}: {lines:#?}");
        host.assert_is(&before, &format!("step {step}"));
        if !cut.was_cut() {
            assert!(step > 10, "the second apply had something to do");
            break;
        }
    }
}

#[test]
fn a_cut_at_any_step_of_undo_is_ended_by_the_next_one() {
    for name in HOSTS {
        let steps = {
            let host = Host::plant(name);
            tune(&Kernel::of(host.root()));
            let kernel = Kernel::of(host.root());
            back(&kernel);
            kernel.steps()
        };
        for step in 0..=steps {
            let host = Host::plant(name);
            let before = host.tree();
            tune(&Kernel::of(host.root()));
            let cut = Kernel::cut_after(host.root(), step);
            let lines = undo(&cut).expect("a record").lines;
            assert_eq!(cut.was_cut(), step < steps, "{name}, step {step}");
            assert_eq!(lines.iter().any(Line::is_failure), step < steps, "{name}, step {step}: {lines:#?}");
            back(&Kernel::of(host.root()));
            host.assert_is(&before, &format!("{name}, step {step}"));
        }
    }
}

#[test]
fn a_step_that_fails_is_told_and_leaves_the_way_back() {
    for name in HOSTS {
        let steps = steps_of(name);
        for step in 0..=steps {
            let host = Host::plant(name);
            let before = host.tree();
            let failing = Kernel::fail_after(host.root(), step);
            let is_told = match apply(&failing, &judge(&read(&failing))) {
                Err(e) => matches!(e, ApplyError::KeepRecord { .. }) && host.text("/proc/sys/vm/dirty_ratio") == "20\n",
                Ok(applied) => applied.lines.iter().any(is_trouble),
            };
            assert_eq!(is_told, step < steps, "{name}, step {step}");
            back(&Kernel::of(host.root()));
            host.assert_is(&before, &format!("{name}, step {step}"));
        }
    }
}

fn is_trouble(line: &Line) -> bool {
    matches!(line.outcome, Outcome::Failed { .. } | Outcome::Refused { .. })
}
