//! Who this process is and what it may become.

use crate::{
    Site, Verdicts,
    calls::outcome,
    raw::{Answer, call, text},
};
use std::{ffi::CString, os::unix::ffi::OsStrExt};

const GROUP: &str = "rights";
const CAPABILITIES: i64 = 64;

fn prctl(option: i32, argument: i64) -> Answer {
    call(libc::SYS_prctl, [option.into(), argument, 0, 0, 0, 0])
}

pub fn all(site: &Site, verdicts: &mut Verdicts) {
    let uid = call(libc::SYS_getuid, [0; 6]).unwrap_or(0);
    let gid = call(libc::SYS_getgid, [0; 6]).unwrap_or(0);
    verdicts.add(GROUP, "is root", uid == 0, uid);
    let ids = [libc::SYS_geteuid, libc::SYS_getegid].map(|n| call(n, [0; 6]).unwrap_or(-1));
    verdicts.add(GROUP, "has another effective id", ids != [uid, gid], format!("{ids:?}"));
    let groups = rustix::process::getgroups().unwrap_or_default();
    let others: Vec<_> = groups.iter().map(|g| g.as_raw()).filter(|g| i64::from(*g) != gid).collect();
    verdicts.add(GROUP, "has further groups", !others.is_empty(), format!("{others:?}"));
    verdicts.add(GROUP, "gains rights by a program", prctl(libc::PR_GET_NO_NEW_PRIVS, 0) != Ok(1), "");
    verdicts.add(GROUP, "has no filter", prctl(libc::PR_GET_SECCOMP, 0) != Ok(2), "");

    let sets = rustix::thread::capabilities(None);
    let held = |set: rustix::thread::CapabilitySet| set.bits() != 0;
    let (effective, permitted, inheritable) =
        sets.map_or((true, true, true), |s| (held(s.effective), held(s.permitted), held(s.inheritable)));
    verdicts.add(GROUP, "effective capabilities", effective, "");
    verdicts.add(GROUP, "permitted capabilities", permitted, "");
    verdicts.add(GROUP, "inheritable capabilities", inheritable, "");
    let any = |option: i32, first: i64| (0..CAPABILITIES).find(|n| prctl_two(option, first, *n) == Ok(1));
    let bounding = (0..CAPABILITIES).find(|n| prctl(libc::PR_CAPBSET_READ, *n) == Ok(1));
    verdicts.add(GROUP, "bounding capabilities", bounding.is_some(), format!("{bounding:?}"));
    let ambient = any(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_IS_SET.into());
    verdicts.add(GROUP, "ambient capabilities", ambient.is_some(), format!("{ambient:?}"));

    let other = if uid == 0 { 1 } else { 0 };
    outcome(verdicts, GROUP, "become another user", || call(libc::SYS_setuid, [other, 0, 0, 0, 0, 0]));
    outcome(verdicts, GROUP, "become another group", || call(libc::SYS_setgid, [other, 0, 0, 0, 0, 0]));
    let none = 0_u32;
    let list = (&raw const none) as i64;
    outcome(verdicts, GROUP, "take further groups", || call(libc::SYS_setgroups, [1, list, 0, 0, 0, 0]));
    outcome(verdicts, GROUP, "go before all others", || call(libc::SYS_setpriority, [0, 0, -20, 0, 0, 0]));
    let path = |name: &str| CString::new(site.work.join(name).as_os_str().as_bytes()).unwrap_or_default();
    let (folder, owned) = (path(""), path("owned"));
    let _ = std::fs::write(site.work.join("owned"), b"x");
    outcome(verdicts, GROUP, "give a file away", || {
        call(libc::SYS_fchownat, [libc::AT_FDCWD.into(), text(&owned), other, other, 0, 0])
    });
    let _ = std::fs::remove_file(site.work.join("owned"));
    outcome(verdicts, GROUP, "change the root", || call(libc::SYS_chroot, [text(&folder), 0, 0, 0, 0, 0]));
    let node = path("node");
    for (name, kind, device) in [("make a disk", libc::S_IFBLK, 8 << 8), ("make a device", libc::S_IFCHR, (1 << 8) | 3)]
    {
        outcome(verdicts, GROUP, name, || {
            let mode = i64::from(kind | 0o600);
            call(libc::SYS_mknodat, [libc::AT_FDCWD.into(), text(&node), mode, device, 0, 0])
        });
        let _ = std::fs::remove_file(site.work.join("node"));
    }
    outcome(verdicts, GROUP, "mount", || {
        call(libc::SYS_mount, [text(c"none"), text(&folder), text(c"tmpfs"), 0, 0, 0])
    });
}

fn prctl_two(option: i32, first: i64, second: i64) -> Answer {
    call(libc::SYS_prctl, [option.into(), first, second, 0, 0, 0])
}
