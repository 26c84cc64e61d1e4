//! The clock of the processor.

use super::Subject;
use crate::{
    facts::{Facts, Governor, Place},
    finding::{Area, Change, Finding, Keep, Setting},
    values::GOVERNORS,
};
use std::collections::BTreeSet;

const RULE: &str = "ACTION==\"add\", SUBSYSTEM==\"cpu\", KERNEL==\"cpu[0-9]*\", ATTR{cpufreq/scaling_governor}=";
/// Drivers under which the processor itself follows the load, whatever `powersave` sounds like.
const SELF_GOVERNED: &[&str] = &["intel_pstate", "amd-pstate-epp"];

pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    vec![governor(facts)]
}

fn governor(facts: &Facts) -> Finding {
    let now: BTreeSet<&str> = facts.governors.iter().map(|governor| governor.choice.now.as_str()).collect();
    let now: Vec<&str> = now.into_iter().collect();
    let subject = Subject {
        area: Area::Processor,
        name: "governor".into(),
        now: (!now.is_empty()).then(|| now.join(", ")),
        why: "full speed within milliseconds when an encode starts, little heat and noise while nobody watches",
        hardware: "PCs where the kernel sets the clock",
    };
    if facts.place == Place::VirtualMachine {
        return subject.refused("the host sets the clock");
    }
    if facts.laptop {
        return subject.refused("on a laptop the power profile of the desktop decides");
    }
    let poor: Vec<&Governor> = facts.governors.iter().filter(|governor| !follows_load(governor)).collect();
    let Some(first) = poor.first() else {
        return if facts.governors.is_empty() {
            subject.refused("the kernel does not report it")
        } else {
            subject.good()
        };
    };
    if poor.iter().all(|governor| governor.choice.now == "performance") {
        return subject.advice(
            "one that follows the load",
            "performance costs power around the clock; unless you want that, remove what sets it",
        );
    }
    let offers = |name: &&&str| poor.iter().all(|governor| governor.choice.offered.iter().any(|o| o == *name));
    let Some(better) = GOVERNORS.iter().find(offers) else {
        return subject.refused(format!("the driver {} offers none that follows the load", first.driver));
    };
    let setting = |governor: &&Governor| Setting { path: governor.path.clone(), value: (*better).into(), twin: None };
    let keep = Keep::Udev { rule: format!("{RULE}\"{better}\"") };
    subject.change(*better, Change { settings: poor.iter().map(setting).collect(), keep })
}

fn follows_load(governor: &Governor) -> bool {
    let now = governor.choice.now.as_str();
    GOVERNORS.contains(&now) || (now == "powersave" && SELF_GOVERNED.contains(&governor.driver.as_str()))
}
