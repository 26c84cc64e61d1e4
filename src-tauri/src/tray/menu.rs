//! Status in, menu out: a value that tests compare with `==`.
//!
//! The rows are the same in every state; only words and enabled change. So an open menu is
//! updated in place and never jumps shut under the pointer.

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

/// What the tray knows of the shell.
#[derive(Clone, Copy, Debug)]
pub enum View<'a> {
    Starting,
    Open { status: &'a Status, lan_url: Option<&'a str>, attached: bool },
    Failed,
    Stopping,
}

pub fn menu(view: &View<'_>) -> Menu {
    let (line, open, copy, pause, paused, stop) = match view {
        View::Starting => ("Starting…".to_owned(), true, false, false, false, false),
        View::Failed => ("Not running".to_owned(), true, false, false, false, false),
        View::Stopping => ("Finishing…".to_owned(), false, false, false, false, false),
        // Who watches and what runs is the service's to know: its own page shows it.
        View::Open { attached: true, lan_url, .. } => {
            ("Runs as a service".to_owned(), true, lan_url.is_some(), false, false, false)
        }
        View::Open { status, lan_url, attached: false } => (
            format!("Viewers: {} of {}", status.viewers, status.max_viewers),
            true,
            lan_url.is_some(),
            true,
            status.jobs_paused,
            status.streams > 0,
        ),
    };
    let button = |action, text: &str, enabled| Row::Button { action, text: text.to_owned(), enabled };
    Menu(vec![
        button(Action::OpenDashboard, "Open dashboard", open),
        button(Action::CopyAddress, "Copy LAN address", copy),
        Row::Separator,
        Row::Line(line),
        button(Action::TogglePause, if paused { "Resume scanning" } else { "Pause scanning" }, pause),
        button(Action::StopStreams, "Stop all streams", stop),
        Row::Separator,
        button(Action::Quit, "Quit Loge", !matches!(view, View::Stopping)),
    ])
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

    fn button(action: Action, text: &str, enabled: bool) -> Row {
        Row::Button { action, text: text.to_owned(), enabled }
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
        let shape = |view: View<'_>| {
            let row = |row: Row| match row {
                Row::Line(_) => "line",
                Row::Separator => "separator",
                Row::Button { action, .. } => action.id(),
            };
            menu(&view).0.into_iter().map(row).collect::<Vec<_>>()
        };
        let starting = shape(View::Starting);
        assert_eq!(shape(View::Failed), starting);
        assert_eq!(shape(View::Stopping), starting);
        for attached in [false, true] {
            assert_eq!(shape(View::Open { status: &status, lan_url: None, attached }), starting);
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
