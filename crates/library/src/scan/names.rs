//! Tells which names are no films even if they end like one: what systems and programs keep for
//! themselves, and what belongs to a film without being one (samples, trailers, extras). Pure.

use super::phase_1_walk::Seen;
use std::collections::HashSet;

/// Folders that NAS systems, macOS and Windows make on every disk, in any letter case.
const SYSTEM: [&[u8]; 17] = [
    b"#recycle",
    b"#snapshot",
    b"@eadir",
    b"@recycle",
    b"@recently-snapshot",
    b"@sharebin",
    b"@tmp",
    b"@appstore",
    b"@database",
    b"$recycle.bin",
    b"recycler",
    b"lost+found",
    b"system volume information",
    b"__macosx",
    b"network trash folder",
    b"temporary items",
    b"msocache",
];

/// Folders of a film or a series, as Plex, Kodi and Jellyfin know them.
const EXTRAS: [&[u8]; 12] = [
    b"sample",
    b"samples",
    b"trailer",
    b"trailers",
    b"extras",
    b"featurettes",
    b"behind the scenes",
    b"deleted scenes",
    b"interviews",
    b"scenes",
    b"shorts",
    b"other",
];

/// Endings of names, after the film's own name: `Film-trailer.mp4`.
const SUFFIXES: [&[u8]; 12] = [
    b"trailer",
    b"sample",
    b"featurette",
    b"behindthescenes",
    b"deleted",
    b"deletedscene",
    b"interview",
    b"scene",
    b"short",
    b"clip",
    b"extra",
    b"other",
];

/// Returns whether a folder or file of this name is not for people: hidden ones, and the system's.
pub(crate) fn is_left_out(name: &[u8]) -> bool {
    name.starts_with(b".") || SYSTEM.iter().any(|system| name.eq_ignore_ascii_case(system)) || is_rescued(name)
}

/// Returns whether any part of this path is left out.
pub(crate) fn is_path_left_out(path: &[u8]) -> bool {
    path.split(|byte| *byte == b'/').any(is_left_out)
}

/// `FOUND.000` is what Windows makes of lost clusters.
fn is_rescued(name: &[u8]) -> bool {
    name.len() == 9 && name[..6].eq_ignore_ascii_case(b"found.") && name[6..].iter().all(u8::is_ascii_digit)
}

/// Returns whether a symbolic link of this name might have been a film or a folder of films.
pub(crate) fn is_link_worth_telling(name: &[u8]) -> bool {
    const OTHERS: [&[u8]; 22] = [
        b"srt", b"ass", b"ssa", b"vtt", b"sub", b"idx", b"sup", b"nfo", b"txt", b"jpg", b"jpeg", b"png", b"gif",
        b"webp", b"xml", b"json", b"md", b"log", b"db", b"ini", b"url", b"zip",
    ];
    let ending = name.rsplit(|byte| *byte == b'.').next().filter(|ending| ending.len() < name.len());
    !is_left_out(name) && !ending.is_some_and(|ending| OTHERS.iter().any(|other| ending.eq_ignore_ascii_case(other)))
}

/// Takes samples, trailers and extras out of a list of films. Each belongs to another film near
/// it; one that is alone is a film under any name.
pub(crate) fn without_extras(files: Vec<Seen>) -> Vec<Seen> {
    let films: Vec<&[u8]> = files.iter().map(|f| f.path.as_slice()).filter(|path| !may_be_extra(path)).collect();
    let (mut folders, mut above) = (HashSet::new(), HashSet::new());
    for film in &films {
        let mut folder = folder_of(film);
        folders.insert(folder.to_vec());
        while above.insert(folder.to_vec()) && !folder.is_empty() {
            folder = folder_of(folder);
        }
    }
    let near = Near { films, folders, above };
    let extra: Vec<bool> = files.iter().map(|file| near.is_extra(&file.path)).collect();
    files.into_iter().zip(extra).filter(|(_, extra)| !extra).map(|(file, _)| file).collect()
}

/// The films that an extra may belong to.
struct Near<'a> {
    films: Vec<&'a [u8]>,
    /// With a film directly in them.
    folders: HashSet<Vec<u8>>,
    /// With a film somewhere below.
    above: HashSet<Vec<u8>>,
}

impl Near<'_> {
    fn is_extra(&self, path: &[u8]) -> bool {
        if let Some((parent, name)) = extras_folder(path) {
            // At the top of a library "Shorts" is a collection of the owner, and "Extras" a series.
            let is_sample = name.to_ascii_lowercase().starts_with(b"sample");
            return if parent.is_empty() {
                is_sample && self.folders.contains(parent)
            } else {
                self.above.contains(parent)
            };
        }
        let folder = folder_of(path);
        let is_near = self.folders.contains(folder);
        match by_name(stem_of(path)) {
            Some(ByName::Alone) => is_near,
            // A folder of its own belongs to one film; elsewhere the names have to agree.
            Some(ByName::Of { is_plain: true, .. }) if !folder.is_empty() => is_near,
            Some(ByName::Of { film, .. }) => is_near && self.agrees(folder, film),
            None => false,
        }
    }

    fn agrees(&self, folder: &[u8], name: &[u8]) -> bool {
        let beside = self.films.iter().filter(|film| folder_of(film) == folder);
        beside.map(|film| stem_of(film)).any(|film| begins(film, name) || begins(name, film))
    }
}

enum ByName<'a> {
    /// `sample.mkv`
    Alone,
    /// `Film-trailer.mkv`; plain words hardly end a film's own name.
    Of { film: &'a [u8], is_plain: bool },
}

fn may_be_extra(path: &[u8]) -> bool {
    extras_folder(path).is_some() || by_name(stem_of(path)).is_some()
}

/// Returns the outermost folder of extras on the way, with the folder it is in.
fn extras_folder(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let folders = folder_of(path);
    let mut start = 0;
    for name in folders.split(|byte| *byte == b'/') {
        if EXTRAS.iter().any(|extras| name.eq_ignore_ascii_case(extras)) {
            return Some((&path[..start.max(1) - 1], name));
        }
        start += name.len() + 1;
    }
    None
}

fn by_name(stem: &[u8]) -> Option<ByName<'_>> {
    let trimmed = stem.iter().rposition(|byte| !byte.is_ascii_digit()).map_or(stem, |last| &stem[..=last]);
    for suffix in SUFFIXES {
        let is_plain = [&b"trailer"[..], b"sample"].contains(&suffix);
        if is_plain && trimmed.eq_ignore_ascii_case(suffix) {
            return Some(ByName::Alone);
        }
        let Some(at) = trimmed.len().checked_sub(suffix.len() + 1) else { continue };
        let separated = if is_plain { b"-._".contains(&trimmed[at]) } else { trimmed[at] == b'-' };
        if separated && trimmed[at + 1..].eq_ignore_ascii_case(suffix) && at > 0 {
            return Some(ByName::Of { film: &stem[..at], is_plain });
        }
    }
    begins(stem, b"sample-").then(|| ByName::Of { film: &stem[b"sample-".len()..], is_plain: true })
}

fn begins(name: &[u8], with: &[u8]) -> bool {
    name.get(..with.len()).is_some_and(|head| head.eq_ignore_ascii_case(with))
}

pub(super) fn folder_of(path: &[u8]) -> &[u8] {
    path.iter().rposition(|byte| *byte == b'/').map_or(&[], |at| &path[..at])
}

pub(super) fn name_of(path: &[u8]) -> &[u8] {
    path.iter().rposition(|byte| *byte == b'/').map_or(path, |at| &path[at + 1..])
}

pub(super) fn stem_of(path: &[u8]) -> &[u8] {
    let name = name_of(path);
    name.iter().rposition(|byte| *byte == b'.').map_or(name, |at| &name[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_systems_and_programs_are_left_out_in_any_case() {
        for name in [
            ".Trash-1000",
            "#recycle",
            "#Recycle",
            "@eaDir",
            "@EADIR",
            ".AppleDouble",
            "._Film.mkv",
            "lost+found",
            "$RECYCLE.BIN",
            "System Volume Information",
            "__MACOSX",
            "FOUND.000",
            "@Recycle",
            ".stversions",
        ] {
            assert!(is_left_out(name.as_bytes()), "{name}");
        }
        // The controls: names that only look like them.
        for name in ["Found (2003)", "found.footage", "Recycle", "Lost", "#Alive (2020)", "@Home", "Trash (2014)"] {
            assert!(!is_left_out(name.as_bytes()), "{name}");
        }
        assert!(is_path_left_out(b"a/@eaDir/b.mkv/SYNOVIDEO_FILM.mp4") && !is_path_left_out(b"a/b.mkv"));
    }

    fn kept(paths: &[&str]) -> Vec<String> {
        let files = paths.iter().map(|p| Seen { path: p.as_bytes().to_vec(), size_bytes: 1, mtime_ns: 0, inode: 0 });
        let left = without_extras(files.collect());
        left.into_iter().map(|f| String::from_utf8(f.path).unwrap()).collect()
    }

    #[test]
    fn what_belongs_to_a_film_is_none() {
        let film = "Film (2019)/Film (2019).mkv";
        for extra in [
            "Film (2019)/Sample/film.sample.mkv",
            "Film (2019)/SAMPLE/abc.mkv",
            "Film (2019)/sample.mkv",
            "Film (2019)/grp-film.1080p-sample.mkv",
            "Film (2019)/Film (2019)-trailer.mp4",
            "Film (2019)/Film (2019)-trailer2.mp4",
            "Film (2019)/trailer.mp4",
            "Film (2019)/Trailers/one.mp4",
            "Film (2019)/extras/making of.mkv",
            "Film (2019)/Featurettes/a/b.mkv",
            "Film (2019)/Behind The Scenes/a.mkv",
            "Film (2019)/Film (2019)-behindthescenes.mkv",
        ] {
            assert_eq!(kept(&[film, extra]), [film], "{extra}");
            assert_eq!(kept(&[extra]), [extra], "alone it is a film: {extra}");
        }
        let flat = kept(&["Heat.mkv", "Heat-trailer.mp4", "The Big-Short.mkv", "Deleted.mkv", "sample.mkv"]);
        assert_eq!(flat, ["Heat.mkv", "The Big-Short.mkv", "Deleted.mkv"]);
        let series = kept(&["Show/Season 1/Show S01E01.mkv", "Show/Extras/talk.mkv", "Show/Season 1/Extras/cut.mkv"]);
        assert_eq!(series, ["Show/Season 1/Show S01E01.mkv"]);
    }

    #[test]
    fn films_that_are_called_like_extras_stay() {
        for films in [
            vec!["Sample (2019)/Sample (2019).mkv", "Film/Film.mkv"],
            vec!["Heat.mkv", "Extras/Season 1/Extras S01E01.mkv"],
            vec!["Heat.mkv", "Shorts/One.mkv", "Shorts/Two.mkv"],
            vec!["Trailer Park Boys (2006).mkv", "Heat.mkv"],
            vec!["The Interview.mkv", "The Deleted.mkv", "Heat.mkv"],
            vec!["Trailers/a.mkv", "Trailers/b.mkv"],
        ] {
            assert_eq!(kept(&films), films);
        }
    }

    #[test]
    fn only_links_that_may_have_been_films_are_told_of() {
        for (name, told) in [
            ("film.mkv", true),
            ("Films", true),
            ("The.Film.2019", true),
            ("a.srt", false),
            ("poster.JPG", false),
            (".x", false),
        ] {
            assert_eq!(is_link_worth_telling(name.as_bytes()), told, "{name}");
        }
    }
}
