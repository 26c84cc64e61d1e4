//! Chapters and tags of Matroska.

use super::{
    Sure, be,
    describe::Part,
    ebml::{elements, text},
};

/// Returns the chapters of all editions.
pub(super) fn parts(bytes: &[u8]) -> Sure<Vec<Part>> {
    let mut out: Vec<Part> = Vec::new();
    let mut last = 0;
    for (_, edition) in elements(bytes).filter(|(kind, _)| *kind == 0x45b9) {
        for (_, atom) in elements(edition).filter(|(kind, _)| *kind == 0xb6) {
            let (mut uid, mut start, mut end, mut title) = (0, None, None, None);
            for (kind, value) in elements(atom) {
                match kind {
                    0x73c4 => uid = be(value),
                    0x91 => start = Some(be(value)),
                    0x92 => end = Some(be(value)),
                    0x80 => {
                        for (_, name) in elements(value).filter(|(kind, _)| *kind == 0x85) {
                            title = Some(text(name).ok_or("a chapter name in another encoding")?.to_owned());
                        }
                    }
                    _ => {}
                }
            }
            // Only what comes later than all before it counts, as in libavformat.
            let Some(start) = start.filter(|s| uid != 0 && (last == 0 || *s > last)) else { continue };
            if end.is_some_and(|end| end < start) {
                return Err("a chapter that ends before it begins");
            }
            last = start;
            let seconds = |ns: u64| ns as f64 / 1e9;
            let title = title.filter(|t| !t.is_empty());
            out.push(Part { start_s: seconds(start), end_s: end.map(seconds), title });
        }
    }
    Ok(out)
}

/// Tags may rename a track, or say another language of it.
pub(super) fn refuse_track_names(bytes: &[u8]) -> Sure<()> {
    for (_, tag) in elements(bytes).filter(|(kind, _)| *kind == 0x7373) {
        let of_track = elements(tag).any(|(kind, targets)| {
            kind == 0x63c0 && elements(targets).any(|(kind, uid)| kind == 0x63c5 && be(uid) != 0)
        });
        let renames = elements(tag).any(|(kind, simple)| {
            kind == 0x67c8
                && elements(simple).any(|(kind, name)| {
                    kind == 0x45a3
                        && text(name)
                            .is_none_or(|n| ["title", "language", "rotate"].iter().any(|r| n.eq_ignore_ascii_case(r)))
                })
        });
        if of_track && renames {
            return Err("a track that is renamed by tags");
        }
    }
    Ok(())
}
