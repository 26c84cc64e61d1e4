//! Which part of which series a file is, by its path, and which one comes next.

/// Where a file stands in its series.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Episode {
    /// The series in a form that compares: letters and digits only.
    pub series: String,
    pub season: u16,
    pub first: u16,
    /// The same as `first` unless one file has several.
    pub last: u16,
}

impl Episode {
    /// Reads `…/The Understudies/Season 01/The Understudies S01E02 The Prompter.mp4`, `1x02`,
    /// `s1e2e3`. `None` for what is no part of a series.
    pub fn of_path(path: &str) -> Option<Self> {
        let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
        let (at, season, first, last) = marker(name)?;
        let before = plain(&name[..at]);
        // "S01E02.mkv": the folder says what it is.
        let series = if before.is_empty() { plain(folders.rsplit('/').find(|f| !is_season(f))?) } else { before };
        (!series.is_empty()).then_some(Self { series, season, first, last })
    }

    /// Whether `other` comes after this one. Specials come after nothing but specials.
    fn is_before(&self, other: &Self) -> bool {
        let later = (other.season, other.first) > (self.season, self.last);
        other.series == self.series && later && (self.season > 0 || other.season == 0)
    }
}

/// Of all these, the one to go on with.
pub fn next<T>(current: &Episode, others: impl IntoIterator<Item = (Episode, T)>) -> Option<T> {
    let later = others.into_iter().filter(|(other, _)| current.is_before(other));
    later.min_by_key(|(other, _)| (other.season, other.first)).map(|(_, it)| it)
}

/// Returns how the paths of all files begin that may be parts of the same series as this one: those
/// below the folder of its season's series, or else those beside it that begin with the same letter.
pub fn paths_near(path: &[u8]) -> Vec<Vec<u8>> {
    let folder = path.iter().rposition(|byte| *byte == b'/').map(|at| &path[..at]);
    let above = |path: &[u8]| path.iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1);
    let Some(folder) = folder else { return either_case(path, 0) };
    let start = above(folder);
    if start > 0 && is_season(&String::from_utf8_lossy(&folder[start..])) {
        return vec![folder[..start].to_vec()];
    }
    either_case(folder, start)
}

fn either_case(path: &[u8], at: usize) -> Vec<Vec<u8>> {
    let Some(letter) = path.get(at) else { return vec![path[..at].to_vec()] };
    let mut both = vec![letter.to_ascii_uppercase(), letter.to_ascii_lowercase()];
    both.dedup();
    both.into_iter().map(|letter| [&path[..at], &[letter]].concat()).collect()
}

/// Where the first `S01E02` or `1x02` begins, and what it says.
fn marker(name: &str) -> Option<(usize, u16, u16, u16)> {
    let bytes = name.as_bytes();
    (0..bytes.len()).find_map(|at| {
        let starts_word = at == 0 || !bytes[at - 1].is_ascii_alphanumeric();
        let rest = starts_word.then(|| &bytes[at..])?;
        if rest[0].eq_ignore_ascii_case(&b's') {
            let (season, rest) = number(&rest[1..], 4)?;
            let (first, mut rest) = episode(rest)?;
            let mut last = first;
            // "S01E02E03", "S01E02-E03".
            while let Some((more, after)) = episode(rest.strip_prefix(b"-").unwrap_or(rest)) {
                (last, rest) = (last.max(more), after);
            }
            return ends_word(rest).then_some((at, season, first, last));
        }
        let (season, rest) = number(rest, 2)?;
        let (first, rest) = number(rest.strip_prefix(b"x")?, 3)?;
        // 10x10 is a part, 1920x1080 and x264 are none.
        ends_word(rest).then_some((at, season, first, first))
    })
}

fn episode(bytes: &[u8]) -> Option<(u16, &[u8])> {
    bytes.first().filter(|b| b.eq_ignore_ascii_case(&b'e'))?;
    number(&bytes[1..], 4)
}

fn number(bytes: &[u8], most: usize) -> Option<(u16, &[u8])> {
    let length = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
    let digits = std::str::from_utf8(&bytes[..length]).ok().filter(|_| length <= most)?;
    Some((digits.parse().ok()?, &bytes[length..]))
}

fn ends_word(rest: &[u8]) -> bool {
    rest.first().is_none_or(|b| !b.is_ascii_alphanumeric())
}

fn is_season(folder: &str) -> bool {
    let lower = folder.to_lowercase();
    let rest =
        ["season", "series", "staffel", "saison", "temporada", "s"].iter().find_map(|word| lower.strip_prefix(word));
    lower == "specials"
        || rest.is_some_and(|rest| rest.trim_matches([' ', '.', '_', '-']).bytes().all(|b| b.is_ascii_digit()))
}

fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_series_are_looked_for_near_each_other() {
        let near = |path: &str| -> Vec<String> {
            paths_near(path.as_bytes()).into_iter().map(|p| String::from_utf8(p).unwrap()).collect()
        };
        assert_eq!(near("Shows/A/Season 1/A S01E01.mkv"), ["Shows/A/"]);
        assert_eq!(near("Shows/A/A S01E01.mkv"), ["Shows/A", "Shows/a"]);
        assert_eq!(near("b S01/S01E01.mkv"), ["B", "b"]);
        assert_eq!(near("Season 1/A S01E01.mkv"), ["S", "s"], "a season of nobody knows what");
        assert_eq!(near("24 S01E01.mkv"), ["2"]);
        assert_eq!(paths_near(b"\xc3\x84 S01E01.mkv"), [vec![0xc3]]);
    }

    #[test]
    fn names_from_the_wild() {
        for (path, expected) in [
            ("The Understudies/Season 01/The Understudies S01E02 The Prompter.mp4", Some(("theunderstudies", 1, 2, 2))),
            ("the.understudies.s1e10.720p.mkv", Some(("theunderstudies", 1, 10, 10))),
            ("Über Uns - 2x03 - Ende.mkv", Some(("überuns", 2, 3, 3))),
            ("x/Lumen/Staffel 2/S02E04E05.mkv", Some(("lumen", 2, 4, 5))),
            ("Lumen/s02/S02E04-E06 End.mkv", Some(("lumen", 2, 4, 6))),
            ("Lumen/Specials/S00E01.mkv", Some(("lumen", 0, 1, 1))),
            ("Show 2021 S2021E03.mkv", Some(("show2021", 2021, 3, 3))),
            ("S01E02.mkv", None),
            ("Film 1920x1080.mkv", None),
            ("Film x264.mkv", None),
            ("Class1E2.mkv", None),
            ("The Lantern Room (2021).mp4", None),
            ("Apollo 13.mkv", None),
            ("S99999E1.mkv", None),
            ("", None),
        ] {
            let found = Episode::of_path(path);
            let found = found.as_ref().map(|e| (e.series.as_str(), e.season, e.first, e.last));
            assert_eq!(found, expected, "{path}");
        }
    }

    #[test]
    fn the_next_one_is_the_nearest_later_one_of_the_same_series() {
        let all = ["A S01E01", "A S01E02E03", "A S01E04", "A S02E01", "A S00E05", "A S00E06", "B S01E02"];
        for (current, expected) in [
            ("A S01E01", Some("A S01E02E03")),
            ("A S01E02E03", Some("A S01E04")),
            ("a.s01e04", Some("A S02E01")),
            ("A S02E01", None),
            ("A S00E05", Some("A S00E06")),
            ("A S00E06", None),
            ("C S01E01", None),
        ] {
            let others = all.iter().filter_map(|name| Some((Episode::of_path(name)?, *name)));
            assert_eq!(next(&Episode::of_path(current).unwrap(), others), expected, "{current}");
        }
    }
}
