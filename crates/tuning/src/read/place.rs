//! Where the program runs: on a computer, in a virtual machine, in a container, on a laptop.

use super::line;
use crate::{facts::Place, machine::Machine};

/// The first namespaces of a kernel have the same numbers everywhere.
const FIRST_NAMESPACES: &[(&str, &str)] =
    &[("ipc", "4026531839"), ("uts", "4026531838"), ("user", "4026531837"), ("pid", "4026531836")];
/// What engines leave in their containers, and people in machines they made out of an image.
const CONTAINER_MARKS: &[&str] = &["/.dockerenv", "/run/.containerenv", "/run/systemd/container"];
/// Beginnings of what the firmware of virtual machines calls its maker or its model.
const VIRTUAL_MAKERS: &[&str] = &[
    "QEMU",
    "KVM",
    "VMware",
    "innotek",
    "VirtualBox",
    "Xen",
    "Bochs",
    "Parallels",
    "Amazon EC2",
    "Google",
    "Virtual Machine",
    "Standard PC",
];

pub(super) fn place(machine: &dyn Machine) -> Place {
    if is_container(machine) {
        Place::Container
    } else if is_virtual(machine) {
        Place::VirtualMachine
    } else {
        Place::Computer
    }
}

/// A process namespace that is not the kernel's first one is a container by itself. With the first
/// one (`--pid=host`) it takes a mark and one namespace of its own.
fn is_container(machine: &dyn Machine) -> bool {
    let elsewhere = |kind: &str, first: &str| {
        machine.target(&format!("/proc/self/ns/{kind}")).is_ok_and(|target| target != format!("{kind}:[{first}]"))
    };
    let marked = CONTAINER_MARKS.iter().any(|mark| machine.is_there(mark));
    let of_its_own: Vec<&str> =
        FIRST_NAMESPACES.iter().filter(|(kind, first)| elsewhere(kind, first)).map(|(kind, _)| *kind).collect();
    of_its_own.contains(&"pid") || of_its_own.contains(&"user") || (marked && !of_its_own.is_empty())
}

fn is_virtual(machine: &dyn Machine) -> bool {
    let processors = machine.read("/proc/cpuinfo").unwrap_or_default();
    let flags = processors.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
    let made =
        |path: &str| line(machine, path).is_some_and(|name| VIRTUAL_MAKERS.iter().any(|maker| name.starts_with(maker)));
    flags.split_whitespace().any(|flag| flag == "hypervisor")
        || made("/sys/class/dmi/id/sys_vendor")
        || made("/sys/class/dmi/id/product_name")
        || machine.is_there("/sys/hypervisor/type")
}

/// Batteries of mice and keyboards say that they belong to a device.
pub(super) fn is_laptop(machine: &dyn Machine) -> bool {
    const SUPPLIES: &str = "/sys/class/power_supply";
    machine.names(SUPPLIES).iter().any(|name| {
        let of = |file: &str| line(machine, &format!("{SUPPLIES}/{name}/{file}"));
        of("type").as_deref() == Some("Battery") && of("scope").as_deref() != Some("Device")
    })
}
