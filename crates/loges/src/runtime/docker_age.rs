//! Whether the engine's parts are older than fixes we know of. Pure; versions are only a hint,
//! since distributions carry fixes under old numbers, and the words say so.

use crate::words::IsolationItem;
use bollard::models::SystemVersion;

/// Component, the fixed version, what was fixed.
const FIXES: [(&str, [u32; 3], &str); 3] = [
    ("Engine", [20, 10, 24], "CVE-2023-28841"),
    ("runc", [1, 1, 12], "CVE-2024-21626"),
    ("runc", [1, 2, 8], "CVE-2025-31133"),
];

pub fn notice(version: &SystemVersion) -> IsolationItem {
    let components = version.components.as_deref().unwrap_or_default();
    let old: Vec<String> = FIXES
        .iter()
        .filter_map(|(name, fixed, what)| {
            let part = components.iter().find(|c| c.name == *name)?;
            let [a, b, c] = fixed;
            (numbers(&part.version)? < *fixed)
                .then(|| format!("{name} {} is older than {a}.{b}.{c} ({what})", part.version))
        })
        .collect();
    let seen = components.iter().filter(|c| matches!(c.name.as_str(), "Engine" | "runc"));
    let detail = if old.is_empty() {
        seen.map(|c| format!("{} {}", c.name, c.version)).collect::<Vec<_>>().join(", ")
    } else {
        format!("{}; distributions may carry the fix under an older number", old.join(", "))
    };
    IsolationItem { name: "known fixes".into(), reached: old.is_empty(), detail }
}

fn numbers(text: &str) -> Option<[u32; 3]> {
    let digits = |part: &str| part.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
    let mut parts = text.trim_start_matches('v').splitn(3, '.');
    Some([digits(parts.next()?)?, digits(parts.next()?)?, digits(parts.next()?)?])
}

/// Whether this is Podman behind Docker's language: it takes a profile of system calls by file
/// name only, so the profile of a loge would not hold.
pub fn is_podman(version: &SystemVersion) -> bool {
    version.components.iter().flatten().any(|part| part.name.starts_with("Podman"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(parts: &[(&str, &str)]) -> SystemVersion {
        let parts: Vec<_> = parts.iter().map(|(n, v)| serde_json::json!({ "Name": n, "Version": v })).collect();
        serde_json::from_value(serde_json::json!({ "Components": parts })).unwrap()
    }

    #[test]
    fn parts_below_a_known_fix_are_named() {
        for (parts, reached, words) in [
            (&[("Engine", "20.10.24+dfsg1"), ("runc", "1.1.5+ds1")][..], false, "runc 1.1.5+ds1 is older than 1.1.12"),
            (&[("Engine", "28.5.2"), ("runc", "1.3.3")], true, "runc 1.3.3"),
            (&[("Engine", "20.10.5"), ("runc", "1.2.8")], false, "Engine 20.10.5 is older"),
            (&[("Engine", "dev")], true, "Engine dev"),
            (&[], true, ""),
        ] {
            let item = notice(&version(parts));
            assert_eq!(item.reached, reached, "{item:?}");
            assert!(item.detail.contains(words), "{item:?}");
        }
        assert!(is_podman(&version(&[("Podman Engine", "4.3.1")])));
        assert!(!is_podman(&version(&[("Engine", "28.5.2")])));
    }
}
