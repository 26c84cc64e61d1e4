//! Which page may call which native command: exactly the origin of the running server, and
//! exactly the four commands of `commands.rs`. Everything else has no capability at all.

use crate::navigation;
use std::net::SocketAddr;

const TEMPLATE: &str = include_str!("../capabilities/main.json");

/// The capability file for the server at `address`, ready for Tauri.
pub fn for_house(address: SocketAddr) -> String {
    TEMPLATE.replace("\"ORIGIN\"", &format!("\"{}\"", navigation::origin(address)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    #[test]
    fn one_origin_one_window_four_commands() {
        let text = super::for_house(([127, 0, 0, 1], 8096).into());
        let mut parsed: Value = serde_json::from_str(&text).unwrap();
        parsed.as_object_mut().unwrap().remove("description");
        assert_eq!(
            parsed,
            json!({
                "identifier": "main",
                "local": false,
                "windows": ["main"],
                "remote": { "urls": ["http://127.0.0.1:8096"] },
                "permissions": ["allow-pick-folder", "allow-copy-text", "allow-get-autostart", "allow-set-autostart"]
            })
        );
    }

    /// What Tauri itself makes of the pattern, since that is what counts.
    #[test]
    fn tauri_reads_the_origin_as_that_port_only() {
        use std::str::FromStr as _;
        let pattern = tauri::utils::acl::RemoteUrlPattern::from_str("http://127.0.0.1:8096").unwrap();
        for (url, expected) in [
            ("http://127.0.0.1:8096/", true),
            ("http://127.0.0.1:8096/titles/1?q=2#x", true),
            ("http://127.0.0.1:8097/", false),
            ("http://127.0.0.1/", false),
            ("https://127.0.0.1:8096/", false),
            ("http://localhost:8096/", false),
            ("http://127.0.0.1.evil.example:8096/", false),
        ] {
            assert_eq!(pattern.test(&tauri::Url::parse(url).unwrap()), expected, "{url}");
        }
    }

    /// Golden copy of every setting that guards the window. A change here is a decision.
    #[test]
    fn the_configuration_keeps_its_guards() {
        let text = include_str!("../../tauri.conf.json");
        let config: Value = serde_json::from_str(text).unwrap();
        assert_eq!(
            config["app"],
            json!({
                "withGlobalTauri": false,
                "windows": [],
                "security": {
                    "csp": {
                        "default-src": "'none'",
                        "script-src": "'self'",
                        "style-src": "'self'",
                        "img-src": "'self'",
                        "base-uri": "'none'",
                        "form-action": "'none'",
                        "frame-ancestors": "'none'"
                    },
                    "assetProtocol": { "enable": false }
                }
            })
        );
        assert_eq!(config["build"], json!({ "frontendDist": "src-tauri/pages" }));
        assert_eq!(config.get("plugins"), None);
        assert_eq!(config["identifier"], "app.loge.desktop");
    }

    /// Files dropped beside the template would be compiled in by Tauri's usual pattern.
    #[test]
    fn there_is_no_second_capability() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src-tauri/capabilities");
        let names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["main.json"]);
    }
}
