//! What the engine made, held against what it was asked to make. Pure: an inspect reply goes in,
//! the differences come out. An engine between us and the kernel may be old, changed by somebody
//! or speak only most of the language; what it says it made is believed no further than this.

use bollard::models::{ContainerCreateBody, ContainerInspectResponse, SystemInfo};
use serde_json::Value;

/// Fields of the host configuration that open a hole when they hold anything, asked for or not.
const EMPTY: [&str; 8] =
    ["Binds", "VolumesFrom", "PortBindings", "Links", "DeviceRequests", "DeviceCgroupRules", "CapAdd", "Sysctls"];
/// The same, unless they hold exactly what was asked for: the graphics chip and its group.
const AS_ASKED: [&str; 2] = ["Devices", "GroupAdd"];

/// What an engine leaves out because its kernel cannot do it, and says so: on a Raspberry Pi the
/// memory limit, with older control groups the one for swap. Such a container is no lie; that the
/// limit is missing is on the list of walls.
pub fn left_out(info: &SystemInfo) -> Vec<&'static str> {
    let cannot = |said: Option<bool>| said == Some(false);
    let mut names = Vec::new();
    for (said, fields) in [
        (info.memory_limit, &["Memory", "MemorySwap"][..]),
        (info.swap_limit, &["MemorySwap"]),
        (info.pids_limit, &["PidsLimit"]),
        (info.cpu_shares, &["CpuShares"]),
        (info.cpu_cfs_quota, &["NanoCpus"]),
    ] {
        if cannot(said) {
            names.extend(fields);
        }
    }
    names
}

/// Names of everything that is not as asked; empty when all is well.
pub fn differences(
    asked: &ContainerCreateBody,
    made: &ContainerInspectResponse,
    left_out: &[&'static str],
) -> Vec<String> {
    let (asked, made) = (json(asked), json(made));
    let mut found = Vec::new();
    let (host, made_host) = (&asked["HostConfig"], &made["HostConfig"]);
    for (name, value) in host.as_object().into_iter().flatten() {
        if !same(value, &made_host[name]) {
            found.push(name.clone());
        }
    }
    found.extend(EMPTY.iter().filter(|name| !is_empty(&made_host[**name])).map(|name| (*name).to_owned()));
    let unasked = |name: &&str| is_empty(&host[*name]) && !is_empty(&made_host[*name]);
    found.extend(AS_ASKED.iter().filter(|name| unasked(name)).map(|name| (*name).to_owned()));
    let config = &made["Config"];
    for name in ["User", "Entrypoint", "Cmd", "WorkingDir"] {
        if !same(&asked[name], &config[name]) {
            found.push(name.into());
        }
    }
    for (label, value) in asked["Labels"].as_object().into_iter().flatten() {
        if config["Labels"][label] != *value {
            found.push(format!("label {label}"));
        }
    }
    let lines = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let env = lines(&asked["Env"]);
    let is_known = |line: &Value| env.contains(line) || line.as_str().is_some_and(|l| l.starts_with("PATH="));
    if !env.iter().all(|line| lines(&config["Env"]).contains(line)) || !lines(&config["Env"]).iter().all(is_known) {
        found.push("Env".into());
    }
    // Left to the engine, and therefore looked at: its own list must not be empty.
    for name in ["MaskedPaths", "ReadonlyPaths"] {
        if is_empty(&made_host[name]) {
            found.push(name.into());
        }
    }
    if made["Image"] != asked["Image"] {
        found.push("Image".into());
    }
    let mounted = lines(&made["Mounts"]);
    if mounted.len() != lines(&host["Mounts"]).len() || mounted.iter().any(|mount| mount["RW"] != Value::Bool(false)) {
        found.push("Mounts that are there".into());
    }
    found.retain(|name| !left_out.contains(&name.as_str()));
    found.sort();
    found.dedup();
    found
}

fn json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

/// Engines leave out, or fill in, what means "none".
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(n) => n.as_i64() == Some(0),
        Value::String(s) => s.is_empty(),
        Value::Array(a) => a.is_empty(),
        Value::Object(o) => o.values().all(is_empty),
        Value::Bool(true) => false,
    }
}

/// Lists are compared without their order.
fn same(asked: &Value, made: &Value) -> bool {
    match (asked, made) {
        _ if is_empty(asked) => is_empty(made),
        (Value::Object(a), Value::Object(b)) => {
            a.iter().all(|(k, v)| same(v, b.get(k).unwrap_or(&Value::Null)))
                && b.iter().all(|(k, v)| a.contains_key(k) || is_empty(v))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().all(|v| b.iter().any(|w| same(v, w))),
        _ => asked == made,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::{ContainerConfig, HostConfig, MountPoint};
    use std::collections::HashMap;

    fn asked() -> ContainerCreateBody {
        ContainerCreateBody {
            image: Some("sha256:abc".into()),
            user: Some("20001:20001".into()),
            env: Some(vec!["LOGE_SOCKET=/s".into()]),
            labels: Some(HashMap::from([("loge.spec".into(), "feed".into())])),
            host_config: Some(HostConfig {
                cap_drop: Some(vec!["ALL".into()]),
                security_opt: Some(vec!["no-new-privileges:true".into(), "seccomp={}".into()]),
                readonly_rootfs: Some(true),
                memory: Some(1 << 29),
                mounts: Some(vec![bollard::models::Mount { target: Some("/media/a".into()), ..Default::default() }]),
                binds: Some(vec![]),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        }
    }

    fn made() -> ContainerInspectResponse {
        let asked = asked();
        let paths = Some(vec!["/proc/kcore".to_owned()]);
        ContainerInspectResponse {
            image: asked.image,
            config: Some(ContainerConfig {
                user: asked.user,
                env: Some(vec!["PATH=/usr/bin".into(), "LOGE_SOCKET=/s".into()]),
                labels: asked.labels,
                ..ContainerConfig::default()
            }),
            host_config: Some(HostConfig {
                masked_paths: paths.clone(),
                readonly_paths: paths,
                shm_size: Some(64 << 20),
                binds: None,
                ..asked.host_config.unwrap_or_default()
            }),
            mounts: Some(vec![MountPoint { rw: Some(false), ..MountPoint::default() }]),
            ..ContainerInspectResponse::default()
        }
    }

    #[test]
    fn c18_what_was_made_as_asked_passes_and_every_change_is_named() {
        assert_eq!(differences(&asked(), &made(), &[]), Vec::<String>::new());
        type Change = fn(&mut ContainerInspectResponse);
        let host = |made: &mut ContainerInspectResponse, change: fn(&mut HostConfig)| {
            change(made.host_config.as_mut().unwrap());
        };
        let cases: [(&str, Change); 6] = [
            ("Image", |m| m.image = Some("sha256:other".into())),
            ("User", |m| m.config.as_mut().unwrap().user = Some("0".into())),
            ("Env", |m| m.config.as_mut().unwrap().env.as_mut().unwrap().push("LD_PRELOAD=/x".into())),
            ("label loge.spec", |m| m.config.as_mut().unwrap().labels = None),
            ("Mounts that are there", |m| m.mounts.as_mut().unwrap()[0].rw = Some(true)),
            ("Mounts that are there", |m| m.mounts.as_mut().unwrap().push(MountPoint::default())),
        ];
        for (name, change) in cases {
            let mut made = made();
            change(&mut made);
            assert_eq!(differences(&asked(), &made, &[]), [name]);
        }
        type HostChange = fn(&mut HostConfig);
        let cases: [(&str, HostChange); 8] = [
            ("SecurityOpt", |h| h.security_opt = Some(vec!["no-new-privileges:true".into()])),
            ("CapDrop", |h| h.cap_drop = None),
            ("CapAdd", |h| h.cap_add = Some(vec!["SYS_ADMIN".into()])),
            ("Binds", |h| h.binds = Some(vec!["/:/host".into()])),
            ("Memory", |h| h.memory = Some(1 << 30)),
            ("ReadonlyRootfs", |h| h.readonly_rootfs = Some(false)),
            ("MaskedPaths", |h| h.masked_paths = Some(vec![])),
            ("Mounts", |h| h.mounts.as_mut().unwrap()[0].source = Some("/etc".into())),
        ];
        for (name, change) in cases {
            let mut made = made();
            host(&mut made, change);
            assert_eq!(differences(&asked(), &made, &[]), [name]);
        }
    }

    #[test]
    fn the_chip_passes_when_it_was_asked_for_and_no_other_device_ever_does() {
        use bollard::models::DeviceMapping;
        let device = |path: &str, rights: &str| DeviceMapping {
            path_on_host: Some(path.into()),
            path_in_container: Some(path.into()),
            cgroup_permissions: Some(rights.into()),
        };
        let chip = || vec![device("/dev/dri/renderD128", "rw")];
        let groups = |ids: &[&str]| Some(ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>());
        let with_asked = |devices: Vec<DeviceMapping>, ids: &[&str]| ContainerCreateBody {
            host_config: Some(HostConfig {
                devices: Some(devices),
                group_add: groups(ids),
                ..asked().host_config.unwrap()
            }),
            ..asked()
        };
        let with_made = |devices: Vec<DeviceMapping>, ids: &[&str]| {
            let mut made = made();
            let host = made.host_config.as_mut().unwrap();
            (host.devices, host.group_add) = (Some(devices), groups(ids));
            made
        };
        let check = |asked: &ContainerCreateBody, made: &ContainerInspectResponse, expected: &[&str]| {
            assert_eq!(differences(asked, made, &[]), expected, "{made:?}");
        };
        let given = with_asked(chip(), &["104"]);
        check(&given, &with_made(chip(), &["104"]), &[]);
        check(&with_asked(chip(), &[]), &with_made(chip(), &[]), &[]);
        for other in [
            vec![],
            vec![device("/dev/dri/card0", "rw")],
            vec![device("/dev/dri/renderD128", "rwm")],
            vec![device("/dev/dri/renderD128", "rw"), device("/dev/sda", "rw")],
            vec![DeviceMapping { path_on_host: Some("/dev/sda".into()), ..device("/dev/dri/renderD128", "rw") }],
        ] {
            check(&given, &with_made(other, &["104"]), &["Devices"]);
        }
        for ids in [&["0"][..], &["104", "0"], &[]] {
            check(&given, &with_made(chip(), ids), &["GroupAdd"]);
        }
        // Nobody asked: said to be none, or not spoken of.
        for silent in [with_asked(vec![], &[]), asked()] {
            check(&silent, &with_made(vec![], &[]), &[]);
            check(&silent, &with_made(chip(), &[]), &["Devices"]);
            check(&silent, &with_made(vec![], &["104"]), &["GroupAdd"]);
        }
    }

    #[test]
    fn a_limit_that_the_kernel_lacks_is_no_deviation_and_any_other_is() {
        let mut made = made();
        let host = made.host_config.as_mut().unwrap();
        (host.memory, host.pids_limit) = (Some(0), Some(7));
        let both = ["Memory", "PidsLimit"];
        let asked = ContainerCreateBody {
            host_config: Some(HostConfig { pids_limit: Some(128), ..asked().host_config.unwrap() }),
            ..asked()
        };
        assert_eq!(differences(&asked, &made, &left_out(&SystemInfo::default())), both);
        let pi = SystemInfo { memory_limit: Some(false), swap_limit: Some(true), ..SystemInfo::default() };
        assert_eq!(differences(&asked, &made, &left_out(&pi)), ["PidsLimit"]);
        let old = SystemInfo { pids_limit: Some(false), swap_limit: Some(false), ..SystemInfo::default() };
        assert_eq!(differences(&asked, &made, &left_out(&old)), ["Memory"]);
        let able = SystemInfo { memory_limit: Some(true), pids_limit: Some(true), ..SystemInfo::default() };
        assert_eq!(differences(&asked, &made, &left_out(&able)), both);
    }
}
