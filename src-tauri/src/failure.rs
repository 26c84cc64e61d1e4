//! From "the server did not start" to the page a person sees: what happened, what helps,
//! and buttons that do it. Pure.

use crate::house::StartFailure;
use serde::Serialize;

/// What a button on the failure page asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageAction {
    Retry,
    UsePort(u16),
    StartAnew,
    Quit,
}

impl PageAction {
    pub const SCHEME: &'static str = "loge-action";

    /// The link a button follows. The window never goes there; see `navigation`.
    pub fn link(self) -> String {
        match self {
            Self::Retry => format!("{}:retry", Self::SCHEME),
            Self::UsePort(port) => format!("{}:use-port/{port}", Self::SCHEME),
            Self::StartAnew => format!("{}:start-anew", Self::SCHEME),
            Self::Quit => format!("{}:quit", Self::SCHEME),
        }
    }

    /// `path` is what follows the scheme.
    pub fn from_path(path: &str) -> Option<Self> {
        match path {
            "retry" => Some(Self::Retry),
            "start-anew" => Some(Self::StartAnew),
            "quit" => Some(Self::Quit),
            other => {
                let port: u16 = other.strip_prefix("use-port/")?.parse().ok()?;
                (port >= 1024).then_some(Self::UsePort(port))
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Button {
    pub label: String,
    pub link: String,
}

/// Everything the failure page shows; it adds no words of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FailureView {
    pub title: String,
    pub sentence: String,
    pub help: Vec<String>,
    pub buttons: Vec<Button>,
}

impl FailureView {
    pub fn of(failure: &StartFailure, free_port: Option<u16>) -> Self {
        let (title, sentence, help) = match failure {
            StartFailure::AddressInUse { address, holder } => {
                let port = address.port();
                let sentence = match holder {
                    Some(holder) => format!("Port {port} is in use by {holder}."),
                    None => format!("Port {port} is in use by another program."),
                };
                let mut help = vec![format!("Close that program and try again.")];
                if let Some(free) = free_port {
                    help.push(format!("Or use port {free} this time: other devices then open Loge with :{free}."));
                }
                help.push(format!(
                    "To move Loge for good, set listen = \"0.0.0.0:{}\" in loge.toml.",
                    free_port.unwrap_or(port)
                ));
                ("The front door is taken", sentence, help)
            }
            StartFailure::AlreadyRunning { address } => {
                let sentence = match address {
                    Some(address) => {
                        format!("A Loge server already looks after this library, but it did not answer at {address}.")
                    }
                    None => "A Loge server already looks after this library, and it did not say where it answers."
                        .to_owned(),
                };
                let help = vec![
                    "Wait a moment and try again: it may still be starting or finishing.".to_owned(),
                    "If it runs as a service, this shows it: systemctl status loge".to_owned(),
                ];
                ("Loge is already running", sentence, help)
            }
            StartFailure::Gone { sentence, help } => ("The database is gone", sentence.clone(), help.clone()),
            StartFailure::Refused { sentence, help } => {
                let mut help = help.clone();
                help.push("Nothing in your library was changed.".to_owned());
                ("Loge could not start", sentence.clone(), help)
            }
        };
        Self { title: title.to_owned(), sentence, help, buttons: buttons(failure, free_port) }
    }

    /// A server that had been running is gone.
    pub fn stopped() -> Self {
        Self {
            title: "The server stopped".to_owned(),
            sentence: "Loge's server ended without being asked to. Nobody can watch until it runs again.".to_owned(),
            help: vec!["What had been saved is kept. The reason is in the newest file of the log folder.".to_owned()],
            buttons: vec![button("Start again", PageAction::Retry), button("Quit", PageAction::Quit)],
        }
    }
}

fn buttons(failure: &StartFailure, free_port: Option<u16>) -> Vec<Button> {
    let mut buttons = Vec::new();
    if let (StartFailure::AddressInUse { .. }, Some(port)) = (failure, free_port) {
        buttons.push(button(&format!("Use port {port}"), PageAction::UsePort(port)));
    }
    buttons.push(button("Try again", PageAction::Retry));
    if matches!(failure, StartFailure::Gone { .. }) {
        buttons.push(button("Start a new one", PageAction::StartAnew));
    }
    buttons.push(button("Quit", PageAction::Quit));
    buttons
}

fn button(label: &str, action: PageAction) -> Button {
    Button { label: label.to_owned(), link: action.link() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_names_its_holder_and_offers_the_next_one() {
        let failure = StartFailure::AddressInUse {
            address: ([0, 0, 0, 0], 8096).into(),
            holder: Some("nginx (process 4711)".to_owned()),
        };
        let view = FailureView::of(&failure, Some(8097));
        assert_eq!(view.sentence, "Port 8096 is in use by nginx (process 4711).");
        let labels: Vec<_> = view.buttons.iter().map(|button| button.label.as_str()).collect();
        assert_eq!(labels, ["Use port 8097", "Try again", "Quit"]);
        assert_eq!(view.buttons[0].link, "loge-action:use-port/8097");
    }

    #[test]
    fn only_a_lost_database_offers_to_start_anew() {
        let (sentence, help) = ("The database is empty.".to_owned(), vec!["Restore a copy.".to_owned()]);
        let offers = |failure: &StartFailure| {
            FailureView::of(failure, None).buttons.iter().any(|button| button.link == "loge-action:start-anew")
        };
        assert!(offers(&StartFailure::Gone { sentence: sentence.clone(), help: help.clone() }));
        assert!(!offers(&StartFailure::Refused { sentence, help }));
    }

    #[test]
    fn no_free_port_no_such_button() {
        let failure = StartFailure::AddressInUse { address: ([127, 0, 0, 1], 8096).into(), holder: None };
        let view = FailureView::of(&failure, None);
        assert_eq!(view.sentence, "Port 8096 is in use by another program.");
        assert_eq!(view.buttons.len(), 2);
    }

    #[test]
    fn links_read_back_and_nothing_else_does() {
        for action in [PageAction::Retry, PageAction::Quit, PageAction::StartAnew, PageAction::UsePort(8097)] {
            let link = action.link();
            let path = link.strip_prefix("loge-action:").unwrap();
            assert_eq!(PageAction::from_path(path), Some(action));
        }
        for path in ["", "use-port/", "use-port/80", "use-port/70000", "use-port/8097/x", "retry/", "RETRY", "exec"] {
            assert_eq!(PageAction::from_path(path), None, "{path}");
        }
    }
}
