//! Which subtitle files belong to which film. Pure.
//!
//! `Film.de.forced.srt` lies beside `Film.mkv`; `English.srt`, `Subs/English.srt` and
//! `Subs/Film/2_English.srt` belong to it too, those without its name only where there is one film
//! to belong to. Names are compared as people see them: letter case and the two ways of writing
//! é are no difference.

use super::{
    judge::is_hidden,
    names::{folder_of, name_of, stem_of},
    phase_1_walk::Seen,
    sidecar_name,
};
use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    path::Path,
};
use store::{Beside, NewBeside, ScanChange};
use unicode_normalization::UnicodeNormalization;

/// More beside one film are somebody's archive.
const MAX_BESIDE: usize = 40;
const BELOW: [&str; 3] = ["subs", "subtitles", "sub"];

/// Judges by the ending; the worker judges the bytes. With an index beside it, a `.sub` holds pictures.
pub(crate) fn looks_like_subtitle(path: &Path) -> bool {
    let found = path.extension().and_then(|e| e.to_str()).and_then(|e| codec(e.as_bytes()));
    let has_index = || ["idx", "IDX"].iter().any(|ending| path.with_extension(ending).exists());
    found.is_some_and(|codec| codec != "microdvd" || !has_index())
}

fn codec(ending: &[u8]) -> Option<&'static str> {
    let known = [("srt", "subrip"), ("ass", "ass"), ("ssa", "ssa"), ("vtt", "webvtt"), ("sub", "microdvd")];
    known.into_iter().find(|(e, _)| ending.eq_ignore_ascii_case(e.as_bytes())).map(|(_, codec)| codec)
}

/// The subtitles of every film that has some, by the film's path.
pub(crate) fn beside(films: &[Seen], subtitles: &[Seen]) -> BTreeMap<Vec<u8>, Vec<NewBeside>> {
    let mut by_folder: HashMap<String, Vec<Film<'_>>> = HashMap::new();
    for seen in films {
        let film = Film { seen, stem: composed(stem_of(&seen.path)) };
        by_folder.entry(folded(folder_of(&seen.path))).or_default().push(film);
    }
    let mut out: BTreeMap<Vec<u8>, Vec<NewBeside>> = BTreeMap::new();
    for subtitle in subtitles {
        let Some((film, words)) = owner(&by_folder, &subtitle.path) else { continue };
        let list = out.entry(film.path.clone()).or_default();
        if list.len() < MAX_BESIDE {
            list.extend(named(subtitle, &words));
        }
    }
    out
}

/// Returns what is written down again: films whose subtitle files are others than before, or are read
/// otherwise. Of a film whose words may lie in a folder that cannot be read nothing is said.
pub(crate) fn changes(
    mut known: HashMap<Vec<u8>, Vec<NewBeside>>,
    seen: BTreeMap<Vec<u8>, Vec<NewBeside>>,
    unread: &[Vec<u8>],
) -> Vec<ScanChange> {
    let mut out = Vec::new();
    let is_open =
        |path: &[u8]| !is_hidden(path, unread) && !unread.iter().any(|closed| may_hold_words_of(closed, path));
    known.retain(|path, _| is_open(path));
    for (path, subtitles) in seen.into_iter().filter(|(path, _)| is_open(path)) {
        let mut before = known.remove(&path).unwrap_or_default();
        let mut now = subtitles.clone();
        before.sort_by(|a, b| a.file.path.cmp(&b.file.path));
        now.sort_by(|a, b| a.file.path.cmp(&b.file.path));
        if before != now {
            out.push(ScanChange::Beside { path, subtitles });
        }
    }
    out.extend(known.into_keys().map(|path| ScanChange::Beside { path, subtitles: Vec::new() }));
    out
}

/// Returns whether a folder is one where the words of a film are looked for: `Subs` beside it, or
/// `Subs/<film>`.
fn may_hold_words_of(folder: &[u8], film: &[u8]) -> bool {
    let above = folder_of(folder);
    (is_below(name_of(folder)) && above == folder_of(film))
        || (is_below(name_of(above)) && folder_of(above) == folder_of(film))
}

fn is_below(name: &[u8]) -> bool {
    BELOW.iter().any(|below| name.eq_ignore_ascii_case(below.as_bytes()))
}

/// A film, and its name without the ending as it is compared.
struct Film<'a> {
    seen: &'a Seen,
    stem: Cow<'a, str>,
}

/// The film, and the part of the subtitle's name that is not the film's.
fn owner<'a>(films: &HashMap<String, Vec<Film<'a>>>, path: &[u8]) -> Option<(&'a Seen, String)> {
    let (folder, stem) = (folder_of(path), stem_of(path));
    let here = |folder: &[u8]| films.get(&folded(folder)).map(Vec::as_slice).unwrap_or_default();
    if let Some(found) = longest(here(folder), stem) {
        return Some(found);
    }
    if let [only] = here(folder) {
        let text = composed(stem);
        if sidecar_name::is_only_language(&text) {
            return Some((only.seen, text.into_owned()));
        }
        if let Some(rest) = without_release(only, &text) {
            return Some((only.seen, rest));
        }
    }
    // `Subs/x.srt`, or `Subs/<film>/x.srt`.
    let name = name_of(folder);
    if is_below(name) {
        let above = here(folder_of(folder));
        return longest(above, stem).or_else(|| match above {
            [only] => Some((only.seen, composed(stem).into_owned())),
            _ => None,
        });
    }
    let (parent, grand) = (folder_of(folder), folder_of(folder_of(folder)));
    let name = folded(name);
    let film = here(grand).iter().find(|film| is_below(name_of(parent)) && folded_text(&film.stem) == name)?;
    Some((film.seen, composed(stem).into_owned()))
}

/// Of "Film" and "Film.2", "Film.2.de" belongs to the latter. Of two films that look the same,
/// the one whose bytes are the subtitle's.
fn longest<'a>(films: &[Film<'a>], stem: &[u8]) -> Option<(&'a Seen, String)> {
    let text = composed(stem);
    let fits = |film: &Film<'a>| {
        let rest = strip_prefix(&text, &film.stem)?;
        let is_apart = match rest.chars().next() {
            None => true,
            Some('.' | '_' | '-') => true,
            Some(' ' | '[' | '(') => sidecar_name::may_follow_a_space(rest),
            Some(_) => false,
        };
        is_apart.then(|| (film.seen, rest.to_owned()))
    };
    let exact = |film: &Seen| stem.starts_with(stem_of(&film.path));
    films
        .iter()
        .filter_map(fits)
        .max_by_key(|(film, rest)| (std::cmp::Reverse(rest.len()), exact(film), std::cmp::Reverse(&film.path)))
}

/// `Film (2002).en` beside `Film [1080p] (2002)`: the same name but for what a release says of
/// itself in brackets.
fn without_release(film: &Film<'_>, text: &str) -> Option<String> {
    let (film, text) = (without_brackets(&film.stem), without_brackets(text));
    let rest = strip_prefix(&text, &film).filter(|_| !film.is_empty())?;
    rest.chars().next().is_none_or(|c| "._-".contains(c)).then(|| rest.to_owned())
}

fn without_brackets(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        let Some((_, behind)) = after.split_once(']') else { break };
        out.push_str(before);
        rest = behind;
    }
    out.push_str(rest);
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns what follows a prefix that is the same but for the case of its letters.
fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let mut rest = text.chars();
    for wanted in prefix.chars() {
        let found = rest.next()?;
        if found != wanted && !found.to_lowercase().eq(wanted.to_lowercase()) {
            return None;
        }
    }
    Some(rest.as_str())
}

/// Returns a name with each letter in one piece (NFC), as people see it. Bytes that are no text keep apart
/// from each other, in letters that no name has.
fn composed(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => Cow::Borrowed(text),
        Ok(text) => Cow::Owned(text.nfc().collect()),
        Err(_) => {
            let private = |byte: u8| char::from_u32(0xf_0000 + u32::from(byte)).unwrap_or('\u{fffd}');
            Cow::Owned(bytes.iter().map(|b| if b.is_ascii() { char::from(*b) } else { private(*b) }).collect())
        }
    }
}

fn folded(bytes: &[u8]) -> String {
    folded_text(&composed(bytes))
}

fn folded_text(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

fn named(subtitle: &Seen, words: &str) -> Option<NewBeside> {
    let ending = subtitle.path.rsplit(|b| *b == b'.').next()?;
    let sidecar_name::Said { language, title, forced, default, hearing_impaired } = sidecar_name::read(words);
    Some(NewBeside {
        file: Beside { path: subtitle.path.clone(), size_bytes: subtitle.size_bytes, mtime_ns: subtitle.mtime_ns },
        codec: codec(ending)?.into(),
        language,
        title,
        forced,
        default,
        hearing_impaired,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(path: &str) -> Seen {
        Seen { path: path.into(), size_bytes: 10, mtime_ns: 5, inode: 1 }
    }

    #[test]
    fn subtitles_find_their_film() {
        let films: Vec<Seen> =
            ["Film.mkv", "Film.2.mp4", "a/One (2001).mkv", "b/Two.mkv", "b/Three.mkv"].map(seen).into();
        for (subtitle, expected) in [
            ("Film.srt", Some(("Film.mkv", "subrip", None, false))),
            ("film.DE.Forced.ASS", Some(("Film.mkv", "ass", Some("de"), true))),
            ("Film.2.eng.vtt", Some(("Film.2.mp4", "webvtt", Some("en"), false))),
            ("Film-german.ssa", Some(("Film.mkv", "ssa", Some("de"), false))),
            ("Filmography.srt", None),
            ("a/Film.srt", None),
            ("a/One (2001).en.hi.srt", Some(("a/One (2001).mkv", "subrip", Some("en"), false))),
            ("a/Subs/2_English.srt", Some(("a/One (2001).mkv", "subrip", Some("en"), false))),
            ("b/Subs/2_English.srt", None),
            ("b/subs/Two.fr.srt", Some(("b/Two.mkv", "subrip", Some("fr"), false))),
            ("b/Subs/two/3_French.srt", Some(("b/Two.mkv", "subrip", Some("fr"), false))),
            ("b/Other/two/3_French.srt", None),
            ("b/Subs/Four/3_French.srt", None),
            ("a/English.srt", Some(("a/One (2001).mkv", "subrip", Some("en"), false))),
            ("a/2_German.srt", Some(("a/One (2001).mkv", "subrip", Some("de"), false))),
            ("a/one (2001) [nl].srt", Some(("a/One (2001).mkv", "subrip", Some("nl"), false))),
            ("a/One (2001)_fr.sub", Some(("a/One (2001).mkv", "microdvd", Some("fr"), false))),
            ("a/One [1080p] (2001).pt-BR.srt", Some(("a/One (2001).mkv", "subrip", Some("pt-BR"), false))),
            ("a/One (2001) 2.en.srt", None),
            ("a/notes.en.srt", None),
            ("b/English.srt", None),
            ("b/Two 2.en.srt", None),
        ] {
            let found = beside(&films, &[seen(subtitle)]);
            let found = found.iter().next().map(|(film, list)| {
                (
                    std::str::from_utf8(film).unwrap(),
                    list[0].codec.as_str(),
                    list[0].language.as_deref(),
                    list[0].forced,
                )
            });
            assert_eq!(found, expected, "{subtitle}");
        }
    }

    #[test]
    fn only_films_whose_subtitles_changed_are_written_down() {
        let films = [seen("a.mkv"), seen("b.mkv")];
        let now = beside(&films, &[seen("a.en.srt"), seen("b.srt")]);
        let as_known = |list: &BTreeMap<Vec<u8>, Vec<NewBeside>>| list.clone().into_iter().collect::<HashMap<_, _>>();
        assert!(changes(as_known(&now), now.clone(), &[]).is_empty());
        let paths = |list: Vec<ScanChange>| -> Vec<(Vec<u8>, usize)> {
            let path = |change| match change {
                ScanChange::Beside { path, subtitles } => (path, subtitles.len()),
                other => panic!("{other:?}"),
            };
            list.into_iter().map(path).collect()
        };
        let mut known = as_known(&now);
        known.get_mut(&b"a.mkv"[..]).unwrap()[0].file.mtime_ns = 6;
        let b = known.remove(&b"b.mkv"[..]).unwrap();
        known.insert(b"c.mkv".to_vec(), b);
        assert_eq!(
            paths(changes(known, now.clone(), &[])),
            [(b"a.mkv".to_vec(), 1), (b"b.mkv".to_vec(), 1), (b"c.mkv".to_vec(), 0)]
        );
        // What an earlier version read out of the same name.
        let mut known = as_known(&now);
        known.get_mut(&b"a.mkv"[..]).unwrap()[0].language = None;
        assert_eq!(paths(changes(known, now.clone(), &[])), [(b"a.mkv".to_vec(), 1)]);
        let list = now[&b"a.mkv"[..]].clone();
        let lost =
            |unread: &[Vec<u8>]| changes([(b"x/a.mkv".to_vec(), list.clone())].into(), BTreeMap::new(), unread).len();
        assert_eq!((lost(&[]), lost(&[b"y".to_vec()])), (1, 1));
        for (closed, lines) in
            [("x", 0), ("x/Subs", 0), ("x/Subs/a", 0), ("x/Shut", 1), ("x/Shut/Subs", 1), ("Subs", 1)]
        {
            assert_eq!(lost(&[closed.into()]), lines, "{closed}");
        }
    }

    #[test]
    fn names_that_look_the_same_are_the_same() {
        let (composed, parted) = ("Amélie (2001)", "Ame\u{301}lie (2001)");
        for (film, subtitle) in
            [(composed, parted), (parted, composed), ("ÜBER Éclair (2002)", "über éclair (2002)"), ("Ночь", "НОЧЬ")]
        {
            let found = beside(&[seen(&format!("{film}/{film}.mp4"))], &[seen(&format!("{film}/{subtitle}.fr.srt"))]);
            let list: Vec<_> = found.values().flatten().collect();
            assert_eq!(list.len(), 1, "{film} {subtitle}");
            assert_eq!(list[0].language.as_deref(), Some("fr"));
        }
        // Twins stay two films, each with the words that are written as it is.
        let films = ["Café.mp4", "Cafe\u{301}.mp4"].map(seen);
        for (at, subtitle) in ["Café.de.srt", "Cafe\u{301}.de.srt"].into_iter().enumerate() {
            assert_eq!(beside(&films, &[seen(subtitle)]).into_keys().next(), Some(films[at].path.clone()));
        }
    }

    #[test]
    fn strange_names_and_many_files_are_no_trouble() {
        let film = Seen { path: b"\xff\xfe.mkv".to_vec(), ..seen("") };
        let subtitle = Seen { path: b"\xff\xfe.\xfd.srt".to_vec(), ..seen("") };
        assert_eq!(beside(std::slice::from_ref(&film), &[subtitle]).len(), 1);
        let many: Vec<Seen> = (0..500).map(|n| seen(&format!("Film.{n}.srt"))).collect();
        assert_eq!(beside(&[seen("Film.mkv")], &many)[&b"Film.mkv"[..]].len(), MAX_BESIDE);
    }
}
