//! Status in, menu out: a value that tests compare with `==`.
//!
//! While this program runs the server, the rows are the same in every state; only words and
//! enabled change. So an open menu is updated in place and never jumps shut under the pointer.
//! A service has other rows: only what works without being signed in to it.

use crate::house::Status;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    OpenDashboard,
    CopyAddress,
    TogglePause,
    StopStreams,
    Quit,
}

impl Action {
    const ALL: [Self; 5] = [Self::OpenDashboard, Self::CopyAddress, Self::TogglePause, Self::StopStreams, Self::Quit];

    pub fn id(self) -> &'static str {
        match self {
            Self::OpenDashboard => "open-dashboard",
            Self::CopyAddress => "copy-address",
            Self::TogglePause => "toggle-pause",
            Self::StopStreams => "stop-streams",
            Self::Quit => "quit",
        }
    }

    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.id() == id)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// Only to be read.
    Line(String),
    Separator,
    Button {
        action: Action,
        text: String,
        enabled: bool,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Menu(pub Vec<Row>);

impl Menu {
    /// Returns whether the other one differs in words and enabled at most.
    pub fn has_rows_of(&self, other: &Self) -> bool {
        let same = |(one, other): (&Row, &Row)| match (one, other) {
            (Row::Line(_), Row::Line(_)) | (Row::Separator, Row::Separator) => true,
            (Row::Button { action, .. }, Row::Button { action: other, .. }) => action == other,
            _ => false,
        };
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(same)
    }
}

/// What the tray knows of the shell.
#[derive(Clone, Copy, Debug)]
pub enum View<'a> {
    Starting,
    Open { status: &'a Status, lan_url: Option<&'a str>, attached: bool },
    Failed,
    Stopping,
}

pub fn menu(view: &View<'_>) -> Menu {
    match view {
        View::Open { attached: true, status, lan_url } => service(status, lan_url.is_some()),
        View::Open { status, lan_url, attached: false } => own(&Own {
            line: format!("Viewers: {} of {}", status.viewers, status.max_viewers),
            open: true,
            copy: lan_url.is_some(),
            pause: true,
            paused: status.jobs_paused,
            stop: status.streams > 0,
            quit: true,
        }),
        View::Starting => own(&Own::without_server("Starting…")),
        View::Failed => own(&Own::without_server("Not running")),
        View::Stopping => own(&Own { open: false, quit: false, ..Own::without_server("Finishing…") }),
    }
}

fn button(action: Action, text: &str, enabled: bool) -> Row {
    Row::Button { action, text: text.to_owned(), enabled }
}

struct Own {
    line: String,
    open: bool,
    copy: bool,
    pause: bool,
    paused: bool,
    stop: bool,
    quit: bool,
}

impl Own {
    fn without_server(line: &str) -> Self {
        Self { line: line.to_owned(), open: true, copy: false, pause: false, paused: false, stop: false, quit: true }
    }
}

fn own(view: &Own) -> Menu {
    Menu(vec![
        button(Action::OpenDashboard, "Open dashboard", view.open),
        button(Action::CopyAddress, "Copy LAN address", view.copy),
        Row::Separator,
        Row::Line(view.line.clone()),
        button(Action::TogglePause, if view.paused { "Resume scanning" } else { "Pause scanning" }, view.pause),
        button(Action::StopStreams, "Stop all streams", view.stop),
        Row::Separator,
        button(Action::Quit, "Quit Loge", view.quit),
    ])
}

/// Scans and streams of a service are steered by its owner, who signs in to its page. Leaving
/// this program leaves the service running, and says so.
fn service(status: &Status, has_lan_url: bool) -> Menu {
    let mut rows = vec![button(Action::OpenDashboard, "Open dashboard", true)];
    if has_lan_url {
        rows.push(button(Action::CopyAddress, "Copy LAN address", true));
    }
    rows.extend([
        Row::Separator,
        Row::Line(status.sentence.clone()),
        Row::Separator,
        button(Action::Quit, "Quit, and leave the service running", true),
    ]);
    Menu(rows)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::house::Level;

    pub(crate) fn status() -> Status {
        Status {
            level: Level::Good,
            sentence: "All is well.".to_owned(),
            viewers: 3,
            max_viewers: 6,
            streams: 2,
            jobs_paused: false,
        }
    }

    #[test]
    fn an_open_house() {
        let status = status();
        let view = View::Open { status: &status, lan_url: Some("http://192.168.1.5:8096"), attached: false };
        assert_eq!(
            menu(&view),
            Menu(vec![
                button(Action::OpenDashboard, "Open dashboard", true),
                button(Action::CopyAddress, "Copy LAN address", true),
                Row::Separator,
                Row::Line("Viewers: 3 of 6".to_owned()),
                button(Action::TogglePause, "Pause scanning", true),
                button(Action::StopStreams, "Stop all streams", true),
                Row::Separator,
                button(Action::Quit, "Quit Loge", true),
            ])
        );
    }

    #[test]
    fn a_paused_empty_house_that_only_this_machine_sees() {
        let status = Status { viewers: 0, streams: 0, jobs_paused: true, ..status() };
        let view = View::Open { status: &status, lan_url: None, attached: false };
        assert_eq!(
            menu(&view),
            Menu(vec![
                button(Action::OpenDashboard, "Open dashboard", true),
                button(Action::CopyAddress, "Copy LAN address", false),
                Row::Separator,
                Row::Line("Viewers: 0 of 6".to_owned()),
                button(Action::TogglePause, "Resume scanning", true),
                button(Action::StopStreams, "Stop all streams", false),
                Row::Separator,
                button(Action::Quit, "Quit Loge", true),
            ])
        );
    }

    #[test]
    fn the_rows_never_move() {
        let status = status();
        let starting = menu(&View::Starting);
        let open = |attached| menu(&View::Open { status: &status, lan_url: None, attached });
        for same in [menu(&View::Failed), menu(&View::Stopping), open(false)] {
            assert!(same.has_rows_of(&starting));
        }
        assert!(!open(true).has_rows_of(&starting), "the control: a service has others");
    }

    #[test]
    fn a_service_has_only_rows_that_work() {
        let status = Status { sentence: "Loge runs as a service on this machine.".to_owned(), ..status() };
        let rows = |lan_url| menu(&View::Open { status: &status, lan_url, attached: true }).0;
        assert_eq!(
            rows(Some("http://192.168.1.5:8096")),
            [
                button(Action::OpenDashboard, "Open dashboard", true),
                button(Action::CopyAddress, "Copy LAN address", true),
                Row::Separator,
                Row::Line("Loge runs as a service on this machine.".to_owned()),
                Row::Separator,
                button(Action::Quit, "Quit, and leave the service running", true),
            ]
        );
        assert!(!rows(None).iter().any(|row| matches!(row, Row::Button { action: Action::CopyAddress, .. })));
        for row in rows(None) {
            assert!(!matches!(row, Row::Button { enabled: false, .. }), "{row:?} does nothing");
        }
    }

    #[test]
    fn while_stopping_nothing_can_be_pressed() {
        let pressable = |row: &Row| matches!(row, Row::Button { enabled: true, .. });
        assert!(!menu(&View::Stopping).0.iter().any(pressable));
    }

    #[test]
    fn ids_read_back() {
        for action in Action::ALL {
            assert_eq!(Action::from_id(action.id()), Some(action));
        }
        assert_eq!(Action::from_id("open"), None);
    }
}
