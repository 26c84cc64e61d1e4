//! Where the window may go. Pure.
//!
//! The window shows either the pages inside the program or the one server it belongs to,
//! never both at a time, and no page can open a second window. A page cannot call the shell
//! to retry or quit; it follows a link that is no place, and that link is read here.

use crate::failure::PageAction;
use std::net::SocketAddr;
use tauri::Url;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The start and failure pages inside the program.
    Boot,
    /// The web UI of the server at this address.
    House(SocketAddr),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Allow,
    Deny,
    Act(PageAction),
}

const BOOT_PAGES: [&str; 3] = ["/", "/index.html", "/failure.html"];

pub fn verdict(url: &Url, scope: Scope) -> Verdict {
    match scope {
        Scope::Boot if url.scheme() == PageAction::SCHEME => {
            PageAction::from_path(url.path()).map_or(Verdict::Deny, Verdict::Act)
        }
        Scope::Boot => {
            allow_if(url.scheme() == "tauri" && url.host_str() == Some("localhost") && BOOT_PAGES.contains(&url.path()))
        }
        Scope::House(address) => allow_if(
            url.scheme() == "http"
                && url.host_str() == Some(&host(address))
                && url.port_or_known_default() == Some(address.port())
                && url.username().is_empty()
                && url.password().is_none(),
        ),
    }
}

/// `http://127.0.0.1:8096`, without a trailing slash.
pub fn origin(address: SocketAddr) -> String {
    format!("http://{}:{}", host(address), address.port())
}

fn host(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(v4) => v4.ip().to_string(),
        SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
    }
}

fn allow_if(condition: bool) -> Verdict {
    if condition { Verdict::Allow } else { Verdict::Deny }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(scope: Scope, url: &str, expected: Verdict) {
        let parsed = Url::parse(url).unwrap();
        assert_eq!(verdict(&parsed, scope), expected, "{url} in {scope:?}");
    }

    #[test]
    fn the_house_is_one_origin() {
        let house = Scope::House(([127, 0, 0, 1], 8096).into());
        for url in ["http://127.0.0.1:8096/", "http://127.0.0.1:8096/titles/1?x=1#ticket=abc"] {
            check(house, url, Verdict::Allow);
        }
        for url in [
            "http://127.0.0.1:8097/",
            "http://127.0.0.1/",
            "https://127.0.0.1:8096/",
            "http://localhost:8096/",
            "http://127.0.0.1.evil.example:8096/",
            "http://127.0.0.1:8096@evil.example/",
            "http://someone@127.0.0.1:8096/",
            "http://:secret@127.0.0.1:8096/",
            "http://evil.example/#http://127.0.0.1:8096/",
            "http://[::1]:8096/",
            "tauri://localhost/index.html",
            "ipc://localhost/pick_folder",
            "file:///etc/passwd",
            "about:blank",
            "data:text/html,hello",
            "javascript:alert(1)",
            "blob:http://127.0.0.1:8096/1",
            "loge-action:quit",
        ] {
            check(house, url, Verdict::Deny);
        }
    }

    #[test]
    fn another_spelling_of_the_same_address_is_the_same_origin() {
        check(Scope::House(([127, 0, 0, 1], 8096).into()), "http://2130706433:8096/", Verdict::Allow);
    }

    #[test]
    fn port_eighty_is_spelled_without_a_port() {
        check(Scope::House(([127, 0, 0, 1], 80).into()), "http://127.0.0.1/", Verdict::Allow);
    }

    #[test]
    fn before_the_house_there_are_two_pages_and_three_buttons() {
        check(Scope::Boot, "tauri://localhost/", Verdict::Allow);
        check(Scope::Boot, "tauri://localhost/failure.html#%7B%7D", Verdict::Allow);
        check(Scope::Boot, "loge-action:retry", Verdict::Act(PageAction::Retry));
        check(Scope::Boot, "loge-action:use-port/8097", Verdict::Act(PageAction::UsePort(8097)));
        for url in ["tauri://localhost/other.html", "tauri://evil/", "http://127.0.0.1:8096/", "loge-action:rm"] {
            check(Scope::Boot, url, Verdict::Deny);
        }
    }
}
