//! The night shift: when it is on, and what it prepares first.

/// Whether a minute of the day lies in the shift. `from` may be later than `to`: past midnight.
pub const fn is_on(minute: u16, from: u16, to: u16) -> bool {
    if from < to { minute >= from && minute < to } else { minute >= from || minute < to }
}

/// `01:30` is 90. `None` for every other spelling.
pub fn minute_of(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |part: &str, below: u16| {
        let plain = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
        part.parse::<u16>().ok().filter(|n| plain && *n < below)
    };
    Some(number(hours, 24)? * 60 + number(minutes, 60)?)
}

pub fn clock_time(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60 % 24, minute % 60)
}

/// A film that no browser takes as it is and that nobody has prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Likely {
    /// Somebody began it and did not finish.
    pub begun: bool,
    /// When it was last watched, else when it came; milliseconds since 1970.
    pub at: i64,
    /// What its version would take.
    pub bytes: u64,
}

/// What is likely to be wanted next: begun films first, then new ones, the latest first; only what
/// fits into `room`, since nothing that is there is given up for a guess.
pub fn pick(films: &[Likely], room: u64) -> Option<usize> {
    let fitting = films.iter().enumerate().filter(|(_, film)| film.bytes <= room);
    fitting.max_by_key(|(n, film)| (film.begun, film.at, std::cmp::Reverse(*n))).map(|(n, _)| n)
}

/// What the shift is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ShiftState {
    Off,
    /// Its hours have not come.
    Waiting,
    Working,
    /// Its hours are here, and the house is needed.
    Held,
    /// Everything likely is prepared.
    Done,
    /// What would be next does not fit.
    NoRoom,
}

impl ShiftState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Waiting => "waiting",
            Self::Working => "working",
            Self::Held => "held",
            Self::Done => "done",
            Self::NoRoom => "no_room",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_may_pass_midnight() {
        for (minute, from, to, on) in [
            (60, 60, 360, true),
            (359, 60, 360, true),
            (360, 60, 360, false),
            (59, 60, 360, false),
            (1430, 1380, 300, true),
            (0, 1380, 300, true),
            (300, 1380, 300, false),
            (700, 1380, 300, false),
        ] {
            assert_eq!(is_on(minute, from, to), on, "{minute} in {from}..{to}");
        }
    }

    #[test]
    fn times_have_one_spelling() {
        for (text, minute) in [("00:00", 0), ("01:30", 90), ("23:59", 1439)] {
            assert_eq!((minute_of(text), clock_time(minute)), (Some(minute), text.to_string()));
        }
        for bad in ["", "1:30", "24:00", "12:60", "12:5", "+1:30", "12:30:00", "ab:cd"] {
            assert_eq!(minute_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn begun_films_come_first_and_nothing_is_taken_that_does_not_fit() {
        let film = |begun, at, bytes| Likely { begun, at, bytes };
        let films = [film(false, 9, 10), film(true, 3, 10), film(true, 5, 50), film(false, 2, 1)];
        assert_eq!(pick(&films, 100), Some(2));
        assert_eq!(pick(&films, 49), Some(1));
        assert_eq!(pick(&films[..1], 10), Some(0));
        assert_eq!(pick(&films, 9), Some(3));
        assert_eq!(pick(&films, 0), None);
        assert_eq!(pick(&[film(false, 1, 1), film(false, 1, 1)], 9), Some(0), "in their order where all is equal");
        assert_eq!(pick(&[], 9), None);
    }
}
