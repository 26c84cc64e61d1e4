//! Judges a machine by its facts. Pure: the same facts give the same findings, in the same order.

mod disks;
mod limits;
mod memory;
mod network;
mod processor;

use crate::{
    facts::{Facts, Place},
    finding::{Area, Change, Finding, Keep, Setting, Verdict, sysctl_path},
};

const CONTAINER: &str = "a container shares the host's kernel: run tune-host on the host";

/// Returns what this machine is set to, what would be better, and what does not apply to it.
pub fn judge(facts: &Facts) -> Vec<Finding> {
    let mut findings = disks::judge(facts);
    findings.extend(network::judge(facts));
    findings.extend(memory::judge(facts));
    findings.extend(processor::judge(facts));
    findings.extend(limits::judge(facts));
    if facts.place == Place::Container {
        for finding in &mut findings {
            finding.verdict = Verdict::Refused { reason: CONTAINER.into() };
        }
    }
    findings
}

/// One setting while it is being judged.
struct Subject {
    area: Area,
    name: String,
    now: Option<String>,
    why: &'static str,
    hardware: &'static str,
}

impl Subject {
    fn good(self) -> Finding {
        self.finding(None, Verdict::Good)
    }

    fn refused(self, reason: impl Into<String>) -> Finding {
        self.finding(None, Verdict::Refused { reason: reason.into() })
    }

    fn advice(self, better: impl Into<String>, advice: impl Into<String>) -> Finding {
        self.finding(Some(better.into()), Verdict::Advice { advice: advice.into() })
    }

    fn change(self, better: impl Into<String>, change: Change) -> Finding {
        self.finding(Some(better.into()), Verdict::Change { change })
    }

    fn finding(self, better: Option<String>, verdict: Verdict) -> Finding {
        let Self { area, name, now, why, hardware } = self;
        Finding { area, name, now, better, why: why.into(), hardware: hardware.into(), verdict }
    }
}

/// A sysctl, its reasons, and the value that suits.
struct Sysctl {
    area: Area,
    key: &'static str,
    better: String,
    why: &'static str,
    hardware: &'static str,
}

impl Sysctl {
    /// Judges a sysctl: `suits` says whether its present value may stay.
    fn judge(self, facts: &Facts, suits: impl Fn(&str) -> bool) -> Finding {
        let now = facts.sysctls.get(self.key).cloned();
        let subject = Subject {
            area: self.area,
            name: self.key.into(),
            now: now.clone(),
            why: self.why,
            hardware: self.hardware,
        };
        match now {
            None => subject.refused("this kernel does not have it"),
            Some(now) if suits(&now) => subject.good(),
            Some(_) => subject.change(self.better.clone(), sysctl(self.key, &self.better, None)),
        }
    }

    /// Judges a sysctl of which more never hurts.
    fn at_least(self, facts: &Facts, least: u64) -> Finding {
        self.judge(facts, |now| now.parse::<u64>().is_ok_and(|now| now >= least))
    }
}

fn sysctl(key: &str, value: &str, twin: Option<&str>) -> Change {
    let setting = Setting { path: sysctl_path(key), value: value.into(), twin: twin.map(sysctl_path) };
    Change { settings: vec![setting], keep: Keep::Sysctl { key: key.into(), value: value.into() } }
}
