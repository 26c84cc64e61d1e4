//! What runs for somebody, as the kernel tells it.

use crate::Person;
use serde_json::Value;

/// The container of a person, where it is ready.
pub fn container(owner: &Person, user: &str) -> Option<Value> {
    let list = owner.get("/api/v1/admin/containers").json();
    list["items"].as_array()?.iter().find(|c| c["user_id"] == user && c["state"] == "ready").cloned()
}

/// Everything that runs in the container, or below the sandbox's first process.
pub fn processes_of(id: &str) -> Vec<u32> {
    let about = |pid: u32, file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let all = || {
        let entries = std::fs::read_dir("/proc").expect("a Linux").flatten();
        entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
    };
    let Some(first) = id.strip_prefix("process-").and_then(|rest| rest.rsplit('-').next()?.parse().ok()) else {
        return all().filter(|pid| about(*pid, "cgroup").contains(id)).collect();
    };
    let mut found = vec![first];
    let mut at = 0;
    while let Some(parent) = found.get(at).copied() {
        at += 1;
        found.extend(all().filter(|pid| about(*pid, "status").contains(&format!("\nPPid:\t{parent}\n"))));
    }
    found
}

/// Programs that read a film for somebody who watches it, one for each track.
pub fn heads_of(owner: &Person, user: &str) -> Vec<u32> {
    let Some(found) = container(owner, user) else { return vec![] };
    let is_head = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        // The other programs of a loge are short: they look at one frame.
        line.contains("ffmpeg ") && line.contains("frag_keyframe") && !line.contains("-frames:v 1")
    };
    processes_of(found["container_id"].as_str().unwrap_or_default()).into_iter().filter(is_head).collect()
}
