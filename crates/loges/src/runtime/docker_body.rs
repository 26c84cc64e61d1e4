//! The body of every `create`, as a pure function of what a tenant may have. A golden test
//! holds every value: nothing in here follows from a viewer's words.

use super::{StartSpec, docker_mounts::Nested};
use crate::chip::RenderNode;
use bollard::models::{
    ContainerCreateBody, ContainerUpdateBody, DeviceMapping, HealthConfig, HostConfig, HostConfigCgroupnsModeEnum,
    HostConfigLogConfig, Mount, MountBindOptions, MountBindOptionsPropagationEnum, MountType, ResourcesUlimits,
    RestartPolicy, RestartPolicyNameEnum,
};
use contract::env;
use domain::{FolderId, InstallId, LogeLimits, Tenant};
use std::{collections::HashMap, path::Path};

/// Only `socket(AF_UNIX)`, no new namespaces, none of the calls that break out of containers.
pub const SECCOMP: &str = include_str!("seccomp.json");

pub const LABEL_INSTALL: &str = "loge.install";
pub const LABEL_TENANT: &str = "loge.tenant";
pub const LABEL_GENERATION: &str = "loge.generation";
pub const LABEL_SPEC: &str = "loge.spec";

/// Uids of loges begin here; nothing on a Debian or Ubuntu machine has them.
pub const FIRST_UID: u32 = 20_000;

const WORK_BYTES: u64 = 64 << 20;
const WORK_INODES: u32 = 1024;

/// `loge-<install>-<tenant>-<generation>`.
pub fn name(install: &InstallId, tenant: &Tenant, generation: u64) -> String {
    let short = |text: &str| text.chars().take(8).collect::<String>();
    format!("loge-{}-{}-{generation}", short(install.as_str()), short(&tenant.to_string()))
}

pub fn uid(slot: u32) -> u32 {
    FIRST_UID + slot
}

pub fn labels(spec: &StartSpec) -> HashMap<String, String> {
    HashMap::from([
        (LABEL_INSTALL.into(), spec.install.to_string()),
        (LABEL_TENANT.into(), spec.tenant.to_string()),
        (LABEL_GENERATION.into(), spec.generation.to_string()),
        (LABEL_SPEC.into(), spec.spec_hash.clone()),
    ])
}

/// What of the engine goes into a body.
#[derive(Debug, Clone, Copy)]
pub struct Engine<'a> {
    /// An image id, so that a tag moved meanwhile changes nothing.
    pub image: &'a str,
    /// The control group around all loges, where it can be told one.
    pub parent: Option<&'a str>,
    /// Its own folder: what lies in there, it mounts as a follower or not at all.
    pub root: Option<&'a str>,
}

/// The body of the `create` for a specification and the disks below its folders.
pub fn body(spec: &StartSpec, nested: &[Nested], engine: Engine<'_>) -> ContainerCreateBody {
    let uid = uid(spec.slot);
    let target = |folder: &FolderId| format!("{}/{folder}", env::CONTAINER_MEDIA_ROOT);
    let points: Vec<env::MountPoint> = spec
        .mounts
        .iter()
        .map(|mount| env::MountPoint { id: mount.id.to_string(), path: target(&mount.id).into_bytes() })
        .collect();
    let bind = |source: &Path, target| bind(source, target, engine.root.is_some_and(|root| source.starts_with(root)));
    let mut mounts: Vec<Mount> = spec.mounts.iter().map(|m| bind(&m.path, target(&m.id))).collect();
    let below = |disk: &Nested| format!("{}/{}", target(&disk.folder), disk.below.display());
    mounts.extend(nested.iter().map(|disk| bind(&disk.source, below(disk))));
    mounts.push(bind(&spec.socket, env::CONTAINER_SOCKET.into()));
    ContainerCreateBody {
        image: Some(engine.image.into()),
        user: Some(format!("{uid}:{uid}")),
        entrypoint: Some(vec!["/loge-worker".into()]),
        cmd: Some(vec![]),
        working_dir: Some(env::CONTAINER_WORK_DIR.into()),
        hostname: Some("loge".into()),
        env: Some(environment(spec, &points)),
        labels: Some(labels(spec)),
        network_disabled: Some(true),
        attach_stdin: Some(false),
        attach_stdout: Some(false),
        attach_stderr: Some(false),
        tty: Some(false),
        open_stdin: Some(false),
        stop_timeout: Some(5),
        healthcheck: Some(HealthConfig { test: Some(vec!["NONE".into()]), ..HealthConfig::default() }),
        host_config: Some(HostConfig {
            cgroup_parent: engine.parent.map(Into::into),
            ..host_config(spec, uid, mounts)
        }),
        ..ContainerCreateBody::default()
    }
}

/// The body of every `update`: other limits for a loge that runs.
pub fn update(limits: LogeLimits) -> ContainerUpdateBody {
    let memory = i64::try_from(limits.memory_bytes).unwrap_or(i64::MAX);
    ContainerUpdateBody {
        memory: Some(memory),
        memory_swap: Some(memory),
        nano_cpus: Some(i64::from(limits.cpu_millis) * 1_000_000),
        pids_limit: Some(i64::from(limits.pids)),
        ..ContainerUpdateBody::default()
    }
}

fn environment(spec: &StartSpec, points: &[env::MountPoint]) -> Vec<String> {
    let mut lines = vec![
        format!("{}={}", env::SOCKET, env::CONTAINER_SOCKET),
        format!("{}={}", env::NONCE, env::to_hex(&spec.nonce)),
        format!("{}={}", env::MOUNTS, env::encode_mounts(points)),
        format!("{}=/usr/bin/ffmpeg", env::FFMPEG),
        format!("{}=/usr/bin/ffprobe", env::FFPROBE),
        format!("{}=/usr/bin/loge-frames", env::FRAMES),
        format!("{}={}", env::WORK_DIR, env::CONTAINER_WORK_DIR),
    ];
    lines.extend(spec.chip.iter().map(|chip| format!("{}={}", env::RENDER_NODE, chip.path.display())));
    lines
}

/// The graphics chip and nothing else, to use and not to make anew.
fn device(chip: &RenderNode) -> DeviceMapping {
    let path = Some(chip.path.display().to_string());
    DeviceMapping { path_on_host: path.clone(), path_in_container: path, cgroup_permissions: Some("rw".into()) }
}

fn host_config(spec: &StartSpec, uid: u32, mounts: Vec<Mount>) -> HostConfig {
    let memory = i64::try_from(spec.limits.memory_bytes).unwrap_or(i64::MAX);
    let work =
        format!("rw,noexec,nosuid,nodev,size={WORK_BYTES},nr_inodes={WORK_INODES},mode=0700,uid={uid},gid={uid}");
    HostConfig {
        cap_drop: Some(vec!["ALL".into()]),
        cap_add: Some(vec![]),
        privileged: Some(false),
        security_opt: Some(vec!["no-new-privileges:true".into(), format!("seccomp={}", SECCOMP.trim())]),
        network_mode: Some("none".into()),
        readonly_rootfs: Some(true),
        tmpfs: Some(HashMap::from([(env::CONTAINER_WORK_DIR.into(), work)])),
        binds: Some(vec![]),
        volumes_from: Some(vec![]),
        mounts: Some(mounts),
        memory: Some(memory),
        memory_swap: Some(memory),
        oom_kill_disable: Some(false),
        oom_score_adj: Some(500),
        nano_cpus: Some(i64::from(spec.limits.cpu_millis) * 1_000_000),
        cpu_shares: Some(512),
        pids_limit: Some(i64::from(spec.limits.pids)),
        ulimits: Some(vec![
            limit("nofile", 512),
            limit("core", 0),
            limit("fsize", 64 << 20),
            limit("memlock", 64 << 10),
            limit("msgqueue", 0),
        ]),
        log_config: Some(HostConfigLogConfig {
            typ: Some("local".into()),
            config: Some(HashMap::from([("max-size".into(), "5m".into()), ("max-file".into(), "2".into())])),
        }),
        ipc_mode: Some("none".into()),
        pid_mode: Some(String::new()),
        uts_mode: Some(String::new()),
        userns_mode: Some(String::new()),
        cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
        devices: Some(spec.chip.iter().map(device).collect()),
        device_requests: Some(vec![]),
        device_cgroup_rules: Some(vec![]),
        group_add: Some(spec.chip.iter().filter_map(|chip| chip.group).map(|gid| gid.to_string()).collect()),
        sysctls: Some(HashMap::new()),
        extra_hosts: Some(vec![]),
        init: Some(true),
        restart_policy: Some(RestartPolicy { name: Some(RestartPolicyNameEnum::NO), maximum_retry_count: None }),
        auto_remove: Some(false),
        publish_all_ports: Some(false),
        ..HostConfig::default()
    }
}

/// Read-only and of this one mount: what is mounted below it would otherwise come along writable.
fn bind(source: &Path, target: String, is_within_engine: bool) -> Mount {
    let propagation = match is_within_engine {
        false => MountBindOptionsPropagationEnum::RPRIVATE,
        true => MountBindOptionsPropagationEnum::RSLAVE,
    };
    Mount {
        target: Some(target),
        // The engine takes text only. A folder whose name is no UTF-8 is refused before.
        source: Some(source.to_string_lossy().into_owned()),
        typ: Some(MountType::BIND),
        read_only: Some(true),
        bind_options: Some(MountBindOptions {
            propagation: Some(propagation),
            non_recursive: Some(true),
            ..MountBindOptions::default()
        }),
        ..Mount::default()
    }
}

fn limit(name: &str, value: i64) -> ResourcesUlimits {
    ResourcesUlimits { name: Some(name.into()), soft: Some(value), hard: Some(value) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{link::PeerSlot, words};
    use domain::{LogeLimits, UserId};

    fn spec() -> StartSpec {
        StartSpec {
            install: InstallId::from_random([0x11; 16]),
            tenant: Tenant::User(UserId::from_random([0x22; 16])),
            generation: 7,
            spec_hash: "feed".into(),
            limits: LogeLimits::DEFAULT,
            mounts: vec![words::Mount { id: FolderId::from_random([0x33; 16]), path: "/films".into() }],
            chip: None,
            allows_reduced: false,
            socket: "/run/l/gate.sock".into(),
            nonce: [0x44; 32],
            slot: 3,
            peer: PeerSlot::default(),
        }
    }

    fn engine(parent: Option<&str>) -> Engine<'_> {
        Engine { image: "sha256:abc", parent, root: Some("/var/lib/docker") }
    }

    #[test]
    fn what_lies_in_a_volume_follows_the_mounts_of_its_engine_and_nothing_else_does() {
        let socket = "/var/lib/docker/volumes/sockets/_data/l/0-1/gate.sock".into();
        let given = body(&StartSpec { socket, ..spec() }, &[], engine(None));
        let of = |mount: &Mount| mount.bind_options.as_ref().unwrap().propagation;
        let mounts = given.host_config.unwrap().mounts.unwrap();
        assert_eq!(of(&mounts[0]), Some(MountBindOptionsPropagationEnum::RPRIVATE));
        assert_eq!(of(&mounts[1]), Some(MountBindOptionsPropagationEnum::RSLAVE));
        assert!(mounts.iter().all(|mount| mount.read_only == Some(true)));
    }

    /// C1 to C18 and C20: any other value is a failure of this test, on purpose.
    #[test]
    fn the_create_body_is_exactly_this() {
        let mut body = serde_json::to_value(body(&spec(), &[], engine(Some("/loge-1")))).unwrap();
        let options = body["HostConfig"]["SecurityOpt"].as_array_mut().unwrap();
        let seccomp = options.pop().unwrap();
        let profile: serde_json::Value =
            serde_json::from_str(seccomp.as_str().unwrap().strip_prefix("seccomp=").unwrap()).unwrap();
        assert_eq!(profile["defaultAction"], "SCMP_ACT_ERRNO");
        let golden: serde_json::Value = serde_json::from_str(include_str!("docker_body.golden.json")).unwrap();
        let text = serde_json::to_string_pretty(&body).unwrap();
        assert_eq!(body, golden, "the create body changed:\n{text}");
    }

    #[test]
    fn a_chip_adds_its_device_its_group_and_its_name_and_nothing_else() {
        let with = |group| {
            let chip = Some(RenderNode { path: "/dev/dri/renderD128".into(), group });
            serde_json::to_value(body(&StartSpec { chip, ..spec() }, &[], engine(None))).unwrap()
        };
        let mut given = with(Some(104));
        let host = &mut given["HostConfig"];
        let device = serde_json::json!({
            "PathOnHost": "/dev/dri/renderD128",
            "PathInContainer": "/dev/dri/renderD128",
            "CgroupPermissions": "rw",
        });
        assert_eq!(host["Devices"].take(), serde_json::json!([device]));
        assert_eq!(host["GroupAdd"].take(), serde_json::json!(["104"]));
        (host["Devices"], host["GroupAdd"]) = (serde_json::json!([]), serde_json::json!([]));
        assert_eq!(given["Env"].as_array_mut().unwrap().pop().unwrap(), "LOGE_RENDER_NODE=/dev/dri/renderD128");
        assert_eq!(given, serde_json::to_value(body(&spec(), &[], engine(None))).unwrap());
        assert_eq!(with(None)["HostConfig"]["GroupAdd"], serde_json::json!([]));
    }

    #[test]
    fn a_disk_below_a_folder_is_a_read_only_mount_of_its_own() {
        let folder = spec().mounts[0].id.clone();
        let nested = [Nested { folder: folder.clone(), source: "/films/disk".into(), below: "disk".into() }];
        let host = body(&spec(), &nested, engine(None)).host_config.unwrap();
        assert_eq!(host.cgroup_parent, None);
        let mounts = host.mounts.unwrap();
        assert_eq!(mounts.len(), 3);
        assert_eq!(mounts[1], bind(Path::new("/films/disk"), format!("/media/{folder}/disk"), false));
        assert!(mounts.iter().all(|mount| mount.read_only == Some(true)));
    }

    #[test]
    fn names_fit_and_tell_tenants_apart() {
        let (a, house) = (spec(), Tenant::House);
        assert_eq!(name(&a.install, &a.tenant, 7), "loge-11111111-22222222-7");
        assert_eq!(name(&a.install, &house, 7), "loge-11111111-house-7");
    }

    #[test]
    fn the_profile_lets_nothing_dangerous_through() {
        let profile: serde_json::Value = serde_json::from_str(SECCOMP).unwrap();
        let mut allowed = Vec::new();
        for rule in profile["syscalls"].as_array().unwrap() {
            for name in rule["names"].as_array().unwrap() {
                if rule["action"] == "SCMP_ACT_ALLOW" {
                    allowed.push((name.as_str().unwrap(), rule["args"].as_array().is_some_and(|a| !a.is_empty())));
                }
            }
        }
        for name in [
            "io_uring_setup",
            "io_uring_enter",
            "io_uring_register",
            "ptrace",
            "process_vm_readv",
            "process_vm_writev",
            "bpf",
            "perf_event_open",
            "userfaultfd",
            "keyctl",
            "add_key",
            "request_key",
            "mount",
            "umount2",
            "pivot_root",
            "fsopen",
            "fsmount",
            "move_mount",
            "open_tree",
            "mount_setattr",
            "unshare",
            "setns",
            "open_by_handle_at",
            "name_to_handle_at",
            "kexec_load",
            "kexec_file_load",
            "init_module",
            "finit_module",
            "delete_module",
            "personality",
            "mknod",
            "mknodat",
            "vmsplice",
            "memfd_secret",
            "kcmp",
            "pidfd_getfd",
            "clone3",
            "chroot",
            "reboot",
            "swapon",
            "swapoff",
            "settimeofday",
            "clock_settime",
            "acct",
            "quotactl",
            "bind",
            "listen",
            "accept",
            "accept4",
            "sethostname",
            "syslog",
            "iopl",
            "ioperm",
            "lookup_dcookie",
        ] {
            assert!(allowed.iter().all(|(a, _)| *a != name), "{name} is allowed");
        }
        for name in ["socket", "socketpair", "clone"] {
            assert!(
                allowed.iter().any(|(a, limited)| *a == name && *limited),
                "{name} is not limited by its arguments"
            );
            assert!(!allowed.iter().any(|(a, limited)| *a == name && !*limited), "{name} is allowed without limits");
        }
    }
}
