//! Smaller versions made ahead of time: which there may be, when they may be made, and which of
//! them make room for others.

/// Where a version is. One that was being made when the server stopped is `Queued` again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RenditionState {
    Queued,
    Running,
    /// Held by the owner.
    Paused,
    Done,
    Failed,
}

impl RenditionState {
    const ALL: [Self; 5] = [Self::Queued, Self::Running, Self::Paused, Self::Done, Self::Failed];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }
    /// Nothing more happens to it by itself.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed)
    }
}

/// Lines of the versions this house makes, largest first.
pub const RUNGS: [u32; 2] = [720, 480];

/// Nothing smaller is a picture that is encoded.
pub const SMALLEST_LINES: u32 = 32;

/// Rungs that make sense of a picture: smaller ones of what plays, and none larger than it of what
/// does not. A small picture that no browser takes has one of its own size.
pub fn rungs(height: u32, plays: bool) -> Vec<u32> {
    let fits = |lines: &u32| *lines < height || (!plays && *lines == height);
    let mut rungs: Vec<u32> = RUNGS.into_iter().filter(fits).collect();
    let own = height & !1;
    if rungs.is_empty() && !plays && own >= SMALLEST_LINES {
        rungs.push(own);
    }
    rungs
}

/// Thousands of bits a second that an encoded picture of so many lines takes at most.
pub const fn most_kbps(lines: u32) -> u32 {
    match lines {
        0..=300 => 500,
        301..=400 => 800,
        401..=500 => 1400,
        501..=800 => 2800,
        _ => 5000,
    }
}

/// Thousands of bits a second that a sound track takes.
const SOUND_KBPS: u64 = 160;

/// What a version of a whole film will take, rather too much than too little. `sounds`: how many
/// sound tracks it has.
pub fn expected_bytes(lines: u32, sounds: usize, duration_ms: u64) -> u64 {
    let kbps = u64::from(most_kbps(lines)) + SOUND_KBPS * sounds as u64;
    kbps * 1000 / 8 * (duration_ms / 1000 + 1)
}

/// What the house is busy with, as far as making versions has to know.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Conditions {
    pub viewers: u32,
    pub scanning: bool,
    /// The owner holds all jobs.
    pub jobs_held: bool,
    /// Of the processor, where the machine tells.
    pub celsius: Option<f32>,
    /// On the disk that keeps versions.
    pub free_bytes: u64,
}

/// Why nothing is made at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hold {
    Watching,
    Scanning,
    JobsHeld,
    Hot,
    DiskFull,
    /// The space the owner gave is used up, and nothing of it may go.
    SpaceUsedUp,
}

impl Hold {
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Watching => "Paused while someone is watching.",
            Self::Scanning => "A library is being scanned; it goes on after that.",
            Self::JobsHeld => "All jobs are on hold.",
            Self::Hot => "The processor is hot; it goes on when it has cooled down.",
            Self::DiskFull => "The disk is nearly full; it goes on when there is room again.",
            Self::SpaceUsedUp => "The space for prepared versions is used up. Remove some, or give more space.",
        }
    }
}

/// Of a version that is too large for the space that may be had, while smaller ones fit.
pub const TOO_LARGE: &str =
    "It does not fit into the space that is left; smaller ones go before it. Remove some, or give more space.";

/// Left alone for the database and everything else that must be written.
pub const RESERVE_BYTES: u64 = 1 << 30;
pub const HOT_CELSIUS: f32 = 85.0;
/// Once held for heat, it must be this cool: else the work would go on and off every few seconds.
const COOL_CELSIUS: f32 = 75.0;

/// Whether to hold still. `held`: what held it a moment ago.
pub fn hold(now: &Conditions, held: Option<Hold>) -> Option<Hold> {
    let too_hot = if held == Some(Hold::Hot) { COOL_CELSIUS } else { HOT_CELSIUS };
    if now.viewers > 0 {
        Some(Hold::Watching)
    } else if now.jobs_held {
        Some(Hold::JobsHeld)
    } else if now.scanning {
        Some(Hold::Scanning)
    } else if now.celsius.is_some_and(|c| c >= too_hot) {
        Some(Hold::Hot)
    } else if now.free_bytes < RESERVE_BYTES {
        Some(Hold::DiskFull)
    } else {
        None
    }
}

/// A finished version, as making room sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    pub bytes: u64,
    /// Milliseconds since 1970.
    pub used_at: i64,
    /// Somebody may be watching it.
    pub in_use: bool,
}

/// Which of `kept` go so that `wanted` more bytes fit below `cap`: those unused for longest.
/// `None` when that is in vain.
pub fn to_leave(kept: &[Kept], others: u64, wanted: u64, cap: u64) -> Option<Vec<usize>> {
    let mut used = kept.iter().map(|k| k.bytes).sum::<u64>().saturating_add(others);
    let mut oldest: Vec<usize> = (0..kept.len()).filter(|n| !kept[*n].in_use).collect();
    oldest.sort_by_key(|n| kept[*n].used_at);
    let mut leaving = Vec::new();
    for n in oldest {
        if used.saturating_add(wanted) <= cap {
            break;
        }
        used -= kept[n].bytes;
        leaving.push(n);
    }
    (used.saturating_add(wanted) <= cap).then_some(leaving)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rungs_are_never_larger_than_the_picture() {
        for (height, plays, want) in [
            (1080, true, &[720, 480][..]),
            (1080, false, &[720, 480]),
            (720, true, &[480]),
            (720, false, &[720, 480]),
            (576, false, &[480]),
            (480, true, &[]),
            (361, false, &[360]),
            (100, false, &[100]),
            (100, true, &[]),
            (30, false, &[]),
        ] {
            assert_eq!(rungs(height, plays), want, "{height} {plays}");
        }
    }

    #[test]
    fn nothing_is_made_while_the_house_is_needed() {
        let calm = Conditions { free_bytes: 10 << 30, celsius: Some(60.0), ..Conditions::default() };
        assert_eq!(hold(&calm, None), None);
        assert_eq!(hold(&Conditions { celsius: None, ..calm }, Some(Hold::Hot)), None, "no sensor");
        let check = |now: Conditions, held, want| assert_eq!(hold(&now, held), Some(want), "{now:?}");
        check(Conditions { viewers: 1, jobs_held: true, ..calm }, None, Hold::Watching);
        check(Conditions { jobs_held: true, ..calm }, None, Hold::JobsHeld);
        check(Conditions { scanning: true, ..calm }, None, Hold::Scanning);
        check(Conditions { celsius: Some(85.0), ..calm }, None, Hold::Hot);
        check(Conditions { free_bytes: 1, ..calm }, None, Hold::DiskFull);
        let warm = Conditions { celsius: Some(80.0), ..calm };
        assert_eq!(hold(&warm, None), None);
        check(warm, Some(Hold::Hot), Hold::Hot);
    }

    #[test]
    fn what_is_unused_for_longest_makes_room() {
        let kept = |bytes, used_at, in_use| Kept { bytes, used_at, in_use };
        let shelf = [kept(40, 3, false), kept(30, 1, true), kept(20, 2, false)];
        assert_eq!(to_leave(&shelf, 0, 10, 100), Some(vec![]));
        assert_eq!(to_leave(&shelf, 0, 20, 100), Some(vec![2]));
        assert_eq!(to_leave(&shelf, 5, 40, 100), Some(vec![2, 0]));
        assert_eq!(to_leave(&shelf, 0, 71, 100), None, "what somebody watches stays");
        assert_eq!(to_leave(&[], 0, 1, 0), None);
    }

    #[test]
    fn states_have_names() {
        for state in RenditionState::ALL {
            assert_eq!(RenditionState::parse(state.as_str()), Some(state));
        }
        assert_eq!(RenditionState::parse("lost"), None);
        assert!(expected_bytes(720, 1, 7_200_000) < 3 << 30);
    }
}
