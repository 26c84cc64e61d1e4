//! What a film is called, from what its file is called. Works offline, on messy names.

/// A name for people, and a year where the file name has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TitleName {
    pub name: String,
    pub year: Option<u16>,
}

/// Words that end the title in release-style names; everything from the first of them on is dropped.
const NOISE: [&str; 34] = [
    "1080p",
    "720p",
    "480p",
    "2160p",
    "4k",
    "uhd",
    "hdr",
    "hdr10",
    "bluray",
    "blu-ray",
    "brrip",
    "bdrip",
    "dvdrip",
    "webrip",
    "web-dl",
    "webdl",
    "hdtv",
    "x264",
    "x265",
    "h264",
    "h265",
    "hevc",
    "avc",
    "xvid",
    "divx",
    "aac",
    "ac3",
    "dts",
    "10bit",
    "remux",
    "proper",
    "repack",
    "extended",
    "remastered",
];

/// Derives the name from a file name without its ending. Lossy input (U+FFFD for bytes that
/// are no UTF-8, control characters) becomes readable text; the result is never empty.
pub fn title_from_file_stem(stem: &str) -> TitleName {
    let cleaned: String = stem.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    // Dots and underscores stand for spaces only where real spaces are absent: "Mr. Nobody" keeps its dot.
    let spaced =
        if cleaned.trim().contains(' ') { cleaned.replace('_', " ") } else { cleaned.replace(['.', '_'], " ") };
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut end = words.len();
    let mut year = None;
    for (at, word) in words.iter().enumerate() {
        let bare = word.trim_matches(|c: char| "()[]{},-".contains(c));
        if at > 0 {
            if let Some(found) = as_year(bare) {
                year = Some(found);
                end = at;
                // The last year before the noise wins: "2001 A Space Odyssey 1968".
                continue;
            }
            if NOISE.contains(&bare.to_lowercase().as_str()) {
                end = end.min(at);
                break;
            }
            if year.is_some() && !word.starts_with(['(', '[', '{']) {
                // Words after a year that are no noise belong to the name: "Blade Runner 2049 Final Cut".
                let rest_is_noise = words[at..].iter().any(|w| NOISE.contains(&w.to_lowercase().as_str()));
                if !rest_is_noise && !words[end].starts_with(['(', '[']) {
                    year = None;
                    end = words.len();
                }
                break;
            }
        }
    }
    let name = words[..end].join(" ");
    let name = name.trim_matches(|c: char| c == '-' || c.is_whitespace()).to_string();
    if name.is_empty() {
        let whole = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
        return TitleName { name: if whole.is_empty() { "Untitled".into() } else { whole }, year: None };
    }
    TitleName { name, year }
}

fn as_year(word: &str) -> Option<u16> {
    if word.len() != 4 {
        return None;
    }
    word.parse().ok().filter(|y| (1888..=2100).contains(y))
}

/// The form by which names are sorted and searched: lower case, leading article dropped.
pub fn sort_key(name: &str) -> String {
    let lower = name.to_lowercase();
    for article in ["the ", "a ", "an ", "der ", "die ", "das ", "le ", "la ", "les ", "el "] {
        if let Some(rest) = lower.strip_prefix(article)
            && !rest.is_empty()
        {
            return rest.to_string();
        }
    }
    lower
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(stem: &str, name: &str, year: Option<u16>) {
        assert_eq!(title_from_file_stem(stem), TitleName { name: name.into(), year }, "{stem:?}");
    }

    #[test]
    fn names_from_the_wild() {
        check("The Lantern Room (2021)", "The Lantern Room", Some(2021));
        check("The.Lantern.Room.2021.1080p.BluRay.x264-GRP", "The Lantern Room", Some(2021));
        check("lantern_room", "lantern room", None);
        check("2001 A Space Odyssey (1968)", "2001 A Space Odyssey", Some(1968));
        check("Blade Runner 2049", "Blade Runner", Some(2049));
        check("1917", "1917", None);
        check("Mr. Nobody", "Mr. Nobody", None);
        check("Home video 720p", "Home video", None);
        check("bad\nname", "bad name", None);
        check("", "Untitled", None);
        check("---", "---", None);
    }

    #[test]
    fn articles_do_not_sort() {
        assert_eq!(sort_key("The Lantern Room"), "lantern room");
        assert_eq!(sort_key("Anna"), "anna");
        assert_eq!(sort_key("The "), "the ");
    }
}
