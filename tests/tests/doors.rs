//! Who may reach whom. Naming a new edge here is a decision, not a chore: see ARCHITECTURE.md.

#![expect(clippy::disallowed_methods, reason = "asks cargo what is linked")]

use std::{collections::BTreeSet, process::Command};

/// (room, what it must never reach, not even through others)
const NEVER: &[(&str, &[&str])] = &[
    ("loge-domain", &["tokio", "serde", "axum", "sea-orm", "bollard", "tauri", "rustix"]),
    ("loge-base", &["axum", "sea-orm", "bollard", "tauri"]),
    ("loge-contract", &["tokio", "axum", "sea-orm", "hyper", "http", "rustix"]),
    ("loge-media", &["tokio", "ffmpeg-sidecar", "axum", "sea-orm", "bollard"]),
    (
        "loge-migration",
        &[
            "loge-domain",
            "loge-base",
            "loge-store",
            "loge-media",
            "loge-accounts",
            "loge-library",
            "loge-loges",
            "loge-vitals",
        ],
    ),
    ("loge-store", &["axum", "loge-media", "bollard", "tauri", "loge-accounts", "loge-library", "loge-loges"]),
    ("loge-library", &["axum", "bollard", "ffmpeg-sidecar", "tauri", "loge-accounts", "loge-loges", "loge-media"]),
    ("loge-accounts", &["axum", "bollard", "tauri", "loge-library", "loge-loges", "ffmpeg-sidecar"]),
    (
        "loge-loges",
        &["axum", "sea-orm", "loge-store", "loge-media", "tauri", "loge-library", "loge-accounts", "ffmpeg-sidecar"],
    ),
    ("loge-vitals", &["axum", "bollard", "tauri", "loge-loges", "sea-orm"]),
    (
        "loge-renditions",
        &["axum", "bollard", "ffmpeg-sidecar", "tauri", "loge-accounts", "loge-library", "loge-loges", "loge-gateway"],
    ),
    (
        "loge-backup",
        &[
            "tokio",
            "axum",
            "hyper",
            "http",
            "sea-orm",
            "bollard",
            "tauri",
            "ffmpeg-sidecar",
            "loge-domain",
            "loge-base",
            "loge-store",
            "loge-accounts",
            "loge-library",
            "loge-loges",
        ],
    ),
    // Nothing that a request can reach sets a value of the machine.
    ("loge-gateway", &["ffmpeg-sidecar", "tauri", "loge-server", "loge-worker", "loge-tuning"]),
    ("loge-server", &["tauri", "gtk", "webkit2gtk", "loge-worker", "ffmpeg-sidecar"]),
    (
        "loge-worker",
        &[
            "loge-store",
            "loge-accounts",
            "loge-library",
            "loge-loges",
            "loge-gateway",
            "loge-server",
            "loge-base",
            "axum",
            "sea-orm",
            "bollard",
            "argon2",
            "tauri",
            "tokio",
            "loge-frames",
        ],
    ),
    (
        "loge-frames",
        &["tokio", "axum", "sea-orm", "bollard", "tauri", "ffmpeg-sidecar", "loge-base", "loge-store", "loge-loges"],
    ),
    (
        "loge-tuning",
        &[
            "tokio",
            "hyper",
            "axum",
            "sea-orm",
            "bollard",
            "tauri",
            "loge-domain",
            "loge-base",
            "loge-store",
            "loge-loges",
        ],
    ),
    ("loge-launcher", &["tokio", "loge-domain", "loge-base", "loge-contract", "loge-media", "loge-store", "axum"]),
];

/// (room, what its own manifest must not name; reaching it through another room is expected)
const NOT_BY_NAME: &[(&str, &[&str])] = &[
    ("library", &["sea-orm", "bollard", "axum"]),
    ("accounts", &["sea-orm", "bollard", "axum"]),
    ("renditions", &["sea-orm", "bollard", "axum"]),
    ("gateway", &["bollard", "sea-orm", "argon2", "sysinfo"]),
    ("server", &["bollard", "sea-orm", "argon2", "sysinfo", "axum"]),
];

fn cargo(args: &[&str]) -> String {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let out = Command::new(cargo).args(args).current_dir(root).output().expect("cargo runs");
    assert!(out.status.success(), "cargo {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).expect("cargo speaks UTF-8")
}

/// Everything a room links, itself left out.
fn reached(room: &str) -> BTreeSet<String> {
    cargo(&["tree", "--offline", "-e", "normal", "--prefix", "none", "-p", room])
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != room)
        .map(String::from)
        .collect()
}

#[test]
fn no_room_reaches_what_it_must_not() {
    let mut broken = Vec::new();
    for (room, never) in NEVER {
        let reached = reached(room);
        broken
            .extend(never.iter().filter(|name| reached.contains(**name)).map(|name| format!("{room} reaches {name}")));
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// The control: the check sees edges that exist.
#[test]
fn the_check_sees_edges() {
    assert!(reached("loge-server").contains("axum"));
    assert!(reached("loge-worker").contains("ffmpeg-sidecar"));
}

#[test]
fn only_the_worker_can_reach_ffmpeg() {
    let users =
        cargo(&["tree", "--offline", "-e", "normal", "--prefix", "none", "--workspace", "-i", "ffmpeg-sidecar"]);
    let rooms: BTreeSet<&str> =
        users.lines().filter_map(|l| l.split_whitespace().next()).filter(|n| n.starts_with("loge")).collect();
    assert_eq!(rooms, BTreeSet::from(["loge-worker"]));
}

#[test]
fn manifests_do_not_name_what_belongs_to_another_room() {
    for (room, names) in NOT_BY_NAME {
        let path = format!("{}/../crates/{room}/Cargo.toml", env!("CARGO_MANIFEST_DIR"));
        let manifest = std::fs::read_to_string(&path).expect("a manifest");
        for name in *names {
            let named =
                manifest.lines().any(|l| l.starts_with(&format!("{name}.")) || l.starts_with(&format!("{name} ")));
            assert!(!named, "{room} names {name}");
        }
    }
}
