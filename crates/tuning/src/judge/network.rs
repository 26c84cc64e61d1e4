//! The network: sharing a narrow way, filling a lossy one, buffers, and what a card does itself.

use super::{Subject, Sysctl};
use crate::{
    facts::{Card, Facts, Place},
    finding::{Area, Finding},
    values::{
        CONGESTION, FAIR_QUEUES, QUEUE, SLOW_START_AFTER_IDLE, SOCKET_SEND_BUFFER_BYTES, TCP_SEND_BUFFER_MOST_BYTES,
        TCP_SEND_BUFFERS,
    },
};

const GIGABIT: u64 = 1000;
/// Drivers of cards in old PCs that are known to hang while the card cuts segments itself.
const HANGING: &[&str] = &["e1000e", "e1000"];

pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![
        sysctl(
            "net.core.default_qdisc",
            QUEUE,
            "one download no longer delays everyone's films; applies to cards brought up from now on",
            "every machine",
        )
        .judge(facts, |now| FAIR_QUEUES.contains(&now)),
        congestion(facts),
        sysctl(
            "net.ipv4.tcp_slow_start_after_idle",
            SLOW_START_AFTER_IDLE,
            "players load in bursts; after a pause a connection resumes at its previous speed",
            "every machine",
        )
        .judge(facts, |now| now == SLOW_START_AFTER_IDLE),
        sysctl(
            "net.core.wmem_max",
            &SOCKET_SEND_BUFFER_BYTES.to_string(),
            "a container hands films over in pieces of up to 512 kB; smaller pieces cost more CPU",
            "every machine",
        )
        .at_least(facts, SOCKET_SEND_BUFFER_BYTES),
        sysctl(
            "net.ipv4.tcp_wmem",
            TCP_SEND_BUFFERS,
            "lets a connection carry 100 Mbit/s to a viewer 100 ms away",
            "machines where the kernel chose less for lack of memory",
        )
        .judge(facts, |now| {
            let most = now.split_whitespace().nth(2).and_then(|most| most.parse::<u64>().ok());
            most.is_some_and(|most| most >= TCP_SEND_BUFFER_MOST_BYTES)
        }),
    ];
    for card in &facts.cards {
        findings.push(speed(card));
        findings.push(offloads(card, facts.place));
        findings.push(waking(card, facts));
    }
    findings
}

fn sysctl(key: &'static str, better: &str, why: &'static str, hardware: &'static str) -> Sysctl {
    Sysctl { area: Area::Network, key, better: better.into(), why, hardware }
}

fn congestion(facts: &Facts) -> Finding {
    let finding = sysctl(
        "net.ipv4.tcp_congestion_control",
        CONGESTION,
        "a packet lost on Wi-Fi or outside the house does not halve the speed of a film",
        "every machine whose kernel has it",
    )
    .judge(facts, |now| now == CONGESTION);
    let offered = facts.congestion.iter().any(|name| name == CONGESTION);
    if finding.change().is_none() || offered {
        return finding;
    }
    let subject = Subject {
        area: Area::Network,
        name: finding.name,
        now: finding.now,
        why: "a packet lost on Wi-Fi or outside the house does not halve the speed of a film",
        hardware: "every machine whose kernel has it",
    };
    subject.refused("this kernel has no bbr")
}

fn card(card: &Card, what: &str, now: Option<String>, why: &'static str, hardware: &'static str) -> Subject {
    Subject { area: Area::Network, name: format!("{} {what}", card.name), now, why, hardware }
}

fn speed(of: &Card) -> Finding {
    let subject = card(
        of,
        "speed",
        of.speed_mbit.map(|mbit| format!("{mbit} Mbit/s")),
        "eight films in HD need more than 100 Mbit/s",
        "cards with a cable",
    );
    match of.speed_mbit {
        _ if of.wireless => subject.refused("Wi-Fi changes its speed all the time"),
        None => subject.refused("no cable is in, or the driver does not say"),
        Some(mbit) if mbit >= GIGABIT => subject.good(),
        Some(_) => subject.advice(
            "1000 Mbit/s",
            "use a cable with all four pairs (Cat 5e or better) and a gigabit port at the other end",
        ),
    }
}

fn offloads(of: &Card, place: Place) -> Finding {
    let subject = card(
        of,
        "offloads",
        None,
        "segmenting on the card saves CPU, but some cards hang doing it",
        "Intel cards with the driver e1000 or e1000e",
    );
    match of.driver.as_str() {
        _ if place == Place::VirtualMachine => subject.refused("the card of a virtual machine belongs to the host"),
        driver if HANGING.contains(&driver) => subject.advice(
            "off where the card hangs",
            format!(
                "only if the kernel's log says \"Detected Hardware Unit Hang\": ethtool -K {} tso off gso off",
                of.name
            ),
        ),
        driver => subject.refused(format!("no known problem with the driver {driver}")),
    }
}

fn waking(of: &Card, facts: &Facts) -> Finding {
    let subject = card(
        of,
        "wake-on-LAN",
        of.wakes.map(|wakes| if wakes { "on" } else { "off" }.into()),
        "a PC that sleeps at night can be woken from a phone",
        "desktop PCs with a cable",
    );
    match of.wakes {
        _ if facts.place == Place::VirtualMachine => subject.refused("a virtual machine is started by its host"),
        _ if facts.laptop => subject.refused("a laptop should not wake up in a bag"),
        _ if of.wireless => subject.refused("Wi-Fi cards seldom wake a machine"),
        None => subject.refused("the card or its driver cannot"),
        Some(true) => subject.good(),
        Some(false) => subject.advice("on, if the PC sleeps", format!("ethtool -s {} wol g", of.name)),
    }
}
