//! Which of four pictures stands in the tray. They differ by shape as well as colour.

use crate::house::Level;
use crate::tray::menu::View;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icon {
    Fine,
    Attention,
    Trouble,
    Paused,
}

/// Trouble outranks everything; a pause the owner asked for outranks a mere remark.
pub fn icon(view: &View<'_>) -> Icon {
    match view {
        View::Failed => Icon::Trouble,
        View::Starting | View::Stopping => Icon::Paused,
        View::Open { status, .. } => match (status.level, status.jobs_paused) {
            (Level::Trouble, _) => Icon::Trouble,
            (_, true) => Icon::Paused,
            (Level::Attention, false) => Icon::Attention,
            (Level::Good, false) => Icon::Fine,
        },
    }
}

impl Icon {
    pub fn png(self) -> &'static [u8] {
        match self {
            Self::Fine => include_bytes!("../../../icons/tray-fine.png"),
            Self::Attention => include_bytes!("../../../icons/tray-attention.png"),
            Self::Trouble => include_bytes!("../../../icons/tray-trouble.png"),
            Self::Paused => include_bytes!("../../../icons/tray-paused.png"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tray::menu::tests::status;

    #[test]
    fn trouble_first_then_pause_then_remarks() {
        let check = |level, jobs_paused, expected| {
            let status = crate::house::Status { level, jobs_paused, ..status() };
            assert_eq!(icon(&View::Open { status: &status, lan_url: None, attached: false }), expected);
        };
        check(Level::Good, false, Icon::Fine);
        check(Level::Good, true, Icon::Paused);
        check(Level::Attention, false, Icon::Attention);
        check(Level::Attention, true, Icon::Paused);
        check(Level::Trouble, false, Icon::Trouble);
        check(Level::Trouble, true, Icon::Trouble);
        assert_eq!(icon(&View::Failed), Icon::Trouble);
        assert_eq!(icon(&View::Starting), Icon::Paused);
    }

    #[test]
    fn four_different_pictures() {
        let all = [Icon::Fine, Icon::Attention, Icon::Trouble, Icon::Paused].map(Icon::png);
        for (index, one) in all.iter().enumerate() {
            assert!(one.starts_with(b"\x89PNG"));
            assert!(all.iter().skip(index + 1).all(|other| other != one));
        }
    }
}
