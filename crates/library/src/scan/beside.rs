//! Which subtitle files belong to which film, and what their names say. Pure.
//!
//! `Film.de.forced.srt` lies beside `Film.mkv`; `Subs/Film/2_English.srt` and `Subs/English.srt`
//! lie below, the latter only where there is one film to belong to.

use super::{
    judge::is_hidden,
    names::{folder_of, name_of, stem_of},
    phase_1_walk::Seen,
};
use domain::language;
use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};
use store::{Beside, NewBeside, ScanChange};

/// More beside one film are somebody's archive.
const MAX_BESIDE: usize = 40;
const BELOW: [&str; 3] = ["subs", "subtitles", "sub"];

/// By the ending; the worker judges the bytes.
pub(crate) fn looks_like_subtitle(path: &Path) -> bool {
    path.extension().and_then(|e| e.to_str()).is_some_and(|e| codec(e.as_bytes()).is_some())
}

fn codec(ending: &[u8]) -> Option<&'static str> {
    let known = [("srt", "subrip"), ("ass", "ass"), ("ssa", "ssa"), ("vtt", "webvtt")];
    known.into_iter().find(|(e, _)| ending.eq_ignore_ascii_case(e.as_bytes())).map(|(_, codec)| codec)
}

/// The subtitles of every film that has some, by the film's path.
pub(crate) fn beside(films: &[Seen], subtitles: &[Seen]) -> BTreeMap<Vec<u8>, Vec<NewBeside>> {
    let mut by_folder: HashMap<Vec<u8>, Vec<&Seen>> = HashMap::new();
    for film in films {
        by_folder.entry(folder_of(&film.path).to_ascii_lowercase()).or_default().push(film);
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

/// What is written down: films whose subtitle files are others than before. Of a film with an
/// `unread` folder below its own nothing is said.
pub(crate) fn changes(
    mut known: HashMap<Vec<u8>, Vec<Beside>>,
    seen: BTreeMap<Vec<u8>, Vec<NewBeside>>,
    unread: &[Vec<u8>],
) -> Vec<ScanChange> {
    let mut out = Vec::new();
    let is_open =
        |path: &[u8]| !is_hidden(path, unread) && !unread.iter().any(|closed| folder_of(closed) == folder_of(path));
    known.retain(|path, _| is_open(path));
    for (path, subtitles) in seen.into_iter().filter(|(path, _)| is_open(path)) {
        let mut before = known.remove(&path).unwrap_or_default();
        let mut now: Vec<Beside> = subtitles.iter().map(|s| s.file.clone()).collect();
        before.sort_by(|a, b| a.path.cmp(&b.path));
        now.sort_by(|a, b| a.path.cmp(&b.path));
        if before != now {
            out.push(ScanChange::Beside { path, subtitles });
        }
    }
    out.extend(known.into_keys().map(|path| ScanChange::Beside { path, subtitles: Vec::new() }));
    out
}

/// The film, and the part of the subtitle's name that is not the film's.
fn owner<'a>(films: &HashMap<Vec<u8>, Vec<&'a Seen>>, path: &[u8]) -> Option<(&'a Seen, Vec<u8>)> {
    let (folder, stem) = (folder_of(path).to_ascii_lowercase(), stem_of(path));
    let here = |folder: &[u8]| films.get(folder).map(Vec::as_slice).unwrap_or_default();
    if let Some(found) = longest(here(&folder), stem) {
        return Some(found);
    }
    // `Subs/x.srt`, or `Subs/<film>/x.srt`.
    let name = name_of(&folder);
    let is_below = |name: &[u8]| BELOW.iter().any(|b| b.as_bytes() == name);
    if is_below(name) {
        let above = here(folder_of(&folder));
        return longest(above, stem).or_else(|| match above {
            [only] => Some((*only, stem.to_vec())),
            _ => None,
        });
    }
    let (parent, grand) = (folder_of(&folder), folder_of(folder_of(&folder)));
    let film =
        here(grand).iter().find(|film| is_below(name_of(parent)) && stem_of(&film.path).eq_ignore_ascii_case(name));
    film.map(|film| (*film, stem.to_vec()))
}

/// Of "Film" and "Film.2", "Film.2.de" belongs to the latter.
fn longest<'a>(films: &[&'a Seen], stem: &[u8]) -> Option<(&'a Seen, Vec<u8>)> {
    let fits = |film: &&&Seen| {
        let own = stem_of(&film.path);
        let begins = stem.get(..own.len()).is_some_and(|head| head.eq_ignore_ascii_case(own));
        begins && stem.get(own.len()).is_none_or(|b| b"._-".contains(b))
    };
    let film = films.iter().filter(fits).max_by_key(|film| stem_of(&film.path).len())?;
    Some((*film, stem[stem_of(&film.path).len()..].to_vec()))
}

fn named(subtitle: &Seen, words: &[u8]) -> Option<NewBeside> {
    let ending = subtitle.path.rsplit(|b| *b == b'.').next()?;
    let text = String::from_utf8_lossy(words);
    let words: Vec<&str> = text.split(|c: char| "._-()[], ".contains(c)).filter(|word| !word.is_empty()).collect();
    Some(NewBeside {
        file: Beside { path: subtitle.path.clone(), size_bytes: subtitle.size_bytes, mtime_ns: subtitle.mtime_ns },
        codec: codec(ending)?.into(),
        language: words.iter().find_map(|word| language::in_file_name(word)).map(Into::into),
        forced: words.iter().any(|word| word.eq_ignore_ascii_case("forced") || word.eq_ignore_ascii_case("foreign")),
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
        let known = |path: &str, subtitle: &str, mtime_ns| {
            (path.into(), vec![Beside { path: subtitle.into(), size_bytes: 10, mtime_ns }])
        };
        assert!(
            changes([known("a.mkv", "a.en.srt", 5), known("b.mkv", "b.srt", 5)].into(), now.clone(), &[]).is_empty()
        );
        let paths = |list: Vec<ScanChange>| -> Vec<(Vec<u8>, usize)> {
            let path = |change| match change {
                ScanChange::Beside { path, subtitles } => (path, subtitles.len()),
                other => panic!("{other:?}"),
            };
            list.into_iter().map(path).collect()
        };
        let known = [known("a.mkv", "a.en.srt", 6), known("c.mkv", "c.srt", 5)].into();
        assert_eq!(
            paths(changes(known, now, &[])),
            [(b"a.mkv".to_vec(), 1), (b"b.mkv".to_vec(), 1), (b"c.mkv".to_vec(), 0)]
        );
        let lost = |unread: &[Vec<u8>]| changes([self::known("x/a.mkv")].into(), BTreeMap::new(), unread).len();
        assert_eq!((lost(&[]), lost(&[b"y".to_vec()])), (1, 1));
        assert_eq!((lost(&[b"x".to_vec()]), lost(&[b"x/Subs".to_vec()])), (0, 0), "it may lie where nobody can look");
    }

    fn known(film: &str) -> (Vec<u8>, Vec<Beside>) {
        (film.into(), vec![Beside { path: b"x.srt".to_vec(), size_bytes: 10, mtime_ns: 5 }])
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
