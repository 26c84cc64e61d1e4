//! How far somebody is in a title: what a player reports, and what it means.

/// What happened in the player when it told us a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProgressEvent {
    Play,
    /// The regular report while it plays.
    Time,
    Pause,
    Seek,
    Ended,
    /// The page goes away; sent as a beacon.
    Close,
}

impl ProgressEvent {
    pub const ALL: [Self; 6] = [Self::Play, Self::Time, Self::Pause, Self::Seek, Self::Ended, Self::Close];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Play => "play",
            Self::Time => "time",
            Self::Pause => "pause",
            Self::Seek => "seek",
            Self::Ended => "ended",
            Self::Close => "close",
        }
    }
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|e| e.as_str() == text)
    }
}

/// Below this a position counts as the beginning.
const BEGINNING_MS: u64 = 1_000;

/// What to keep after a report: the position and whether the title counts as watched.
/// `None`: the report changes nothing.
///
/// A player reports 0 on its own when it loads, fails or is torn down before it reached the
/// place to resume from. Only a person who seeks, or goes on watching, moves back to the start.
pub const fn after_report(
    kept_position_ms: Option<u64>,
    position_ms: u64,
    duration_ms: u64,
    event: ProgressEvent,
) -> Option<(u64, bool)> {
    let position_ms = if duration_ms > 0 && position_ms > duration_ms { duration_ms } else { position_ms };
    match event {
        ProgressEvent::Ended => return Some((if duration_ms > 0 { duration_ms } else { position_ms }, true)),
        ProgressEvent::Seek => {}
        ProgressEvent::Play | ProgressEvent::Time | ProgressEvent::Pause | ProgressEvent::Close => {
            if let Some(kept) = kept_position_ms
                && kept >= BEGINNING_MS
                && position_ms < BEGINNING_MS
            {
                return None;
            }
        }
    }
    // 95 %: the rest is credits.
    let finished = duration_ms > 0 && position_ms as u128 * 100 >= duration_ms as u128 * 95;
    Some((position_ms, finished))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back_as_themselves() {
        assert!(ProgressEvent::ALL.into_iter().all(|e| ProgressEvent::parse(e.as_str()) == Some(e)));
    }

    #[test]
    fn only_a_person_goes_back_to_the_start() {
        use ProgressEvent::*;
        for event in [Play, Time, Pause, Close] {
            assert_eq!(after_report(Some(60_000), 0, 100_000, event), None, "{event:?}");
            assert_eq!(after_report(None, 0, 100_000, event), Some((0, false)), "{event:?}");
            assert_eq!(after_report(Some(60_000), 5_000, 100_000, event), Some((5_000, false)), "{event:?}");
        }
        assert_eq!(after_report(Some(60_000), 0, 100_000, Seek), Some((0, false)));
    }

    #[test]
    fn watched_at_95_percent_or_at_the_end() {
        use ProgressEvent::*;
        assert_eq!(after_report(None, 94_999, 100_000, Time), Some((94_999, false)));
        assert_eq!(after_report(None, 95_000, 100_000, Time), Some((95_000, true)));
        assert_eq!(after_report(Some(9), 0, 100_000, Ended), Some((100_000, true)));
        assert_eq!(after_report(None, u64::MAX, 100_000, Time), Some((100_000, true)));
        assert_eq!(after_report(None, 5, 0, Time), Some((5, false)), "an unknown duration finishes nothing");
        assert_eq!(after_report(None, u64::MAX, u64::MAX, Time), Some((u64::MAX, true)));
    }
}
