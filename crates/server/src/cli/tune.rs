//! `tune-host`: what the machine could be set to, and the way there and back.

use super::say;
use serde_json::json;
use tuning::{Area, Facts, Finding, Line, Live, Place, Verdict};

pub(crate) fn run(apply: bool, undo: bool, json: bool) -> anyhow::Result<()> {
    let machine = Live::this_machine();
    if undo {
        let lines = tuning::undo(&machine)?.lines;
        return tell_lines(&lines, "nothing to undo: nothing was applied here", json);
    }
    let facts = tuning::read(&machine);
    let findings = tuning::judge(&facts);
    if apply {
        let lines = tuning::apply(&machine, &findings)?.lines;
        return tell_lines(&lines, "nothing to change: everything that applies here is set", json);
    }
    if json {
        say(&json!({ "facts": facts, "findings": findings }).to_string());
    } else {
        tell(&facts, &findings);
    }
    Ok(())
}

fn tell_lines(lines: &[Line], none: &str, json: bool) -> anyhow::Result<()> {
    if json {
        say(&json!({ "lines": lines }).to_string());
    } else if lines.is_empty() {
        say(none);
    } else {
        lines.iter().for_each(|line| say(&line.to_string()));
    }
    let failed = lines.iter().filter(|line| line.is_failure()).count();
    anyhow::ensure!(
        failed == 0,
        "{failed} of {} lines failed; the rest is done, and running it again is safe",
        lines.len()
    );
    Ok(())
}

fn tell(facts: &Facts, findings: &[Finding]) {
    let place = match facts.place {
        Place::Container => "a container",
        Place::VirtualMachine => "a virtual machine",
        Place::Computer if facts.laptop => "a laptop",
        Place::Computer => "a PC",
    };
    say(&format!("This is {place} with {:.1} GB of memory.", facts.memory_bytes as f64 / 1e9));
    let mut area = None;
    for finding in findings {
        if area.replace(finding.area) != Some(finding.area) {
            say(&format!("\n{}", heading(finding.area)));
        }
        tell_finding(finding);
    }
    match findings.iter().filter(|finding| finding.change().is_some()).count() {
        0 => say("\nNothing to change."),
        some => {
            say(&format!("\n{some} to change: `sudo loge-server tune-host --apply` does it, `--undo` takes it back."))
        }
    }
}

fn heading(area: Area) -> &'static str {
    match area {
        Area::Disks => "Disks",
        Area::Network => "Network",
        Area::Memory => "Memory",
        Area::Processor => "Processor",
        Area::Limits => "Limits",
    }
}

fn tell_finding(finding: &Finding) {
    let Finding { name, why, hardware, .. } = finding;
    let now = finding.now.as_deref().unwrap_or("unknown");
    let better = finding.better.as_deref().unwrap_or_default();
    match &finding.verdict {
        Verdict::Good => say(&format!("  good      {name}: {now}")),
        Verdict::Refused { reason } => say(&format!("  not here  {name}: {now}; {reason}")),
        Verdict::Change { .. } => {
            say(&format!("  change    {name}: {now} → {better}"));
            say(&format!("            {why}. For: {hardware}."));
        }
        Verdict::Advice { advice } => {
            say(&format!("  advice    {name}: {now} → {better}"));
            say(&format!("            {why}. For: {hardware}."));
            say(&format!("            {advice}"));
        }
    }
}
