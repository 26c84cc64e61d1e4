//! The machine's side of the shell behind one trait, so that the controller can be tested
//! without a display. `native` is the real thing; nothing outside it and `tray::native`
//! touches a window.

mod language;
pub mod native;
mod session_bus;

use crate::failure::FailureView;
use crate::navigation;
use crate::tray::icon::Icon;
use crate::tray::menu::Menu;
use async_trait::async_trait;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio::sync::oneshot;

#[async_trait]
pub trait Desktop: Send + Sync {
    fn show(&self, screen: &Screen);
    /// Brings the window to the front from wherever it is.
    fn raise(&self);
    fn hide(&self);
    fn minimise(&self);
    /// Whether a tray icon has somewhere to be seen. May take a moment; never fails.
    async fn tray_host(&self) -> bool;
    fn set_tray(&self, tray: &Tray);
    /// Best effort: a machine without a notification service stays quiet.
    fn notify(&self, title: &str, body: &str);
    /// Answers once, with `None` when the person cancels.
    fn pick_folder(&self) -> oneshot::Receiver<Option<PathBuf>>;
    fn copy_text(&self, text: String);
    fn autostart(&self) -> Result<bool, String>;
    fn set_autostart(&self, enabled: bool) -> Result<(), String>;
    fn exit(&self, code: i32);
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tray {
    pub icon: Icon,
    pub menu: Menu,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Screen {
    Starting,
    Failure(FailureView),
    House { address: SocketAddr, hand_over: HandOver },
}

/// What the window brings along. It travels in the fragment, which a browser never sends,
/// and the UI removes it at once.
#[derive(Clone, PartialEq, Eq)]
pub enum HandOver {
    Nothing,
    Ticket(String),
    SetupCode(String),
}

/// Secrets stay out of logs and test output.
impl fmt::Debug for HandOver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Ticket(_) => "Ticket(…)",
            Self::SetupCode(_) => "SetupCode(…)",
        })
    }
}

impl Screen {
    pub fn scope(&self) -> navigation::Scope {
        match self {
            Self::Starting | Self::Failure(_) => navigation::Scope::Boot,
            Self::House { address, .. } => navigation::Scope::House(*address),
        }
    }

    pub fn url(&self) -> String {
        match self {
            Self::Starting => "tauri://localhost/index.html".to_owned(),
            Self::Failure(view) => {
                let view = serde_json::to_string(view).unwrap_or_default();
                format!("tauri://localhost/failure.html#{}", encode(&view))
            }
            Self::House { address, hand_over } => {
                let origin = navigation::origin(*address);
                match hand_over {
                    HandOver::Nothing => format!("{origin}/"),
                    // A ticket is an admin's, so the window opens on the owner's page.
                    HandOver::Ticket(ticket) => format!("{origin}/admin#ticket={}", encode(ticket)),
                    HandOver::SetupCode(code) => format!("{origin}/#setup={}", encode(code)),
                }
            }
        }
    }
}

/// Percent-encodes all but the characters that mean the same everywhere.
fn encode(text: &str) -> String {
    use fmt::Write as _;
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::navigation::{Scope, Verdict, verdict};

    #[test]
    fn every_screen_may_go_where_it_goes() {
        let address: SocketAddr = ([127, 0, 0, 1], 8096).into();
        let screens = [
            (Screen::Starting, "tauri://localhost/index.html"),
            (Screen::House { address, hand_over: HandOver::Nothing }, "http://127.0.0.1:8096/"),
            (
                Screen::House { address, hand_over: HandOver::Ticket("a/b c".to_owned()) },
                "http://127.0.0.1:8096/admin#ticket=a%2Fb%20c",
            ),
            (
                Screen::House { address, hand_over: HandOver::SetupCode("K7QP-2M".to_owned()) },
                "http://127.0.0.1:8096/#setup=K7QP-2M",
            ),
        ];
        for (screen, url) in screens {
            assert_eq!(screen.url(), url);
            assert_eq!(verdict(&tauri::Url::parse(url).unwrap(), screen.scope()), Verdict::Allow);
        }
    }

    #[test]
    fn the_failure_page_gets_its_words_whole() {
        let view = FailureView::stopped();
        let screen = Screen::Failure(view.clone());
        let url = tauri::Url::parse(&screen.url()).unwrap();
        assert_eq!(verdict(&url, Scope::Boot), Verdict::Allow);
        let fragment = url.fragment().unwrap();
        assert!(fragment.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'<'));
        assert!(fragment.contains("The%20server%20stopped"));
    }

    #[test]
    fn secrets_do_not_print() {
        let printed = format!("{:?} {:?}", HandOver::Ticket("hush".into()), HandOver::SetupCode("hush".into()));
        assert!(!printed.contains("hush"));
    }
}
