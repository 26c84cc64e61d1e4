//! Capabilities and Landlock.

use crate::args::Args;
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};
use rustix::{
    io::Errno,
    thread::{
        CapabilitiesSecureBits, CapabilitySet, CapabilitySets, clear_ambient_capability_set,
        remove_capability_from_bounding_set, set_capabilities, set_capabilities_secure_bits,
    },
};
use std::path::Path;

/// Leaves nothing in any of the five sets, and no way to get anything back by running a program.
pub fn drop_capabilities() -> rustix::io::Result<()> {
    for number in 0..64 {
        match remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << number)) {
            Ok(()) => {}
            // Past the last one; or we have none to begin with, as ordinary users do.
            Err(Errno::INVAL | Errno::PERM) => break,
            Err(error) => return Err(error),
        }
    }
    let locked = CapabilitiesSecureBits::from_bits_retain(0b1110_1111);
    match set_capabilities_secure_bits(locked) {
        Ok(()) | Err(Errno::PERM) => {}
        Err(error) => return Err(error),
    }
    let _ = clear_ambient_capability_set();
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
}

/// Newest set of rights we know; the kernel's own version decides what of it holds.
const KNOWN: ABI = ABI::V10;

/// Shuts everything the kernel's Landlock knows, opens what this loge needs, and returns the
/// version in force.
pub fn landlock(args: &Args) -> Result<i32, String> {
    let words = |error: RulesetError| error.to_string();
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(KNOWN))
        .and_then(|r| r.handle_access(AccessNet::from_all(KNOWN)))
        .and_then(|r| r.scope(Scope::from_all(KNOWN)))
        .and_then(Ruleset::create)
        .map_err(words)?;

    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let write = read
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir;
    let device = AccessFs::ReadFile | AccessFs::WriteFile;
    for path in &args.read {
        rules = open(rules, path, read)?;
    }
    for path in args.execute.iter().chain([&args.worker]) {
        rules = open(rules, path, read | AccessFs::Execute)?;
    }
    for path in super::view::SYSTEM {
        rules = open(rules, Path::new(path), read)?;
    }
    for path in LOADERS {
        rules = open(rules, Path::new(path), AccessFs::ReadFile | AccessFs::Execute)?;
    }
    rules = open(rules, Path::new("/dev/null"), device)?;
    rules = open(rules, Path::new("/dev/urandom"), AccessFs::ReadFile.into())?;
    if let Some(node) = &args.render_node {
        rules = open(rules, node, device | AccessFs::IoctlDev)?;
    }
    rules = open(rules, &args.socket, AccessFs::ResolveUnix.into())?;
    rules = open(rules, &args.work, write)?;

    let status = rules.restrict_self().map_err(words)?;
    match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, _) => Err("this kernel has no Landlock, or it is switched off".into()),
        (_, LandlockStatus::Available { effective_abi, .. }) => Ok(effective_abi as i32),
        _ => Err("not enforced".into()),
    }
}

/// Nothing but a render node passes for one: whoever starts this may have been told wrong.
pub fn is_render_node(path: &Path) -> bool {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    const GRAPHICS: u32 = 226;
    const FIRST: u32 = 128;
    std::fs::symlink_metadata(path).is_ok_and(|there| {
        let device = there.rdev();
        there.file_type().is_char_device()
            && rustix::fs::major(device) == GRAPHICS
            && rustix::fs::minor(device) >= FIRST
    })
}

/// What starts a program that has shared libraries.
const LOADERS: [&str; 4] = [
    "/lib64/ld-linux-x86-64.so.2",
    "/lib/ld-linux-aarch64.so.1",
    "/lib/ld-musl-x86_64.so.1",
    "/lib/ld-musl-aarch64.so.1",
];

/// Adds one rule; a path that is not there needs none.
fn open(rules: RulesetCreated, path: &Path, rights: BitFlags<AccessFs>) -> Result<RulesetCreated, String> {
    let Ok(metadata) = std::fs::metadata(path) else { return Ok(rules) };
    let rights = if metadata.is_dir() { rights } else { rights & AccessFs::from_file(KNOWN) };
    let fd = PathFd::new(path).map_err(|error| error.to_string())?;
    rules.add_rule(PathBeneath::new(fd, rights)).map_err(|error| format!("{}: {error}", path.display()))
}
