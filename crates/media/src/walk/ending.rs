//! When the last packet of a Matroska file comes, read backwards from its end: for files whose
//! headers do not say how long they are, or cannot be believed.

use super::{
    Reader, be,
    ebml::{self, elements, id},
    matroska,
};
use std::collections::BTreeMap;

/// Clusters are a few seconds long; these many bytes hold the last one of any film of a household.
const TAILS: [u64; 4] = [256 << 10, 1 << 20, 4 << 20, 16 << 20];
/// No frame is shown for longer where nothing says so.
const MAX_FRAME_TICKS: i128 = 1_000;

/// Returns the end of the last packet on the clock of the file, in milliseconds. `None` for other
/// kinds of files, and where no packet was found.
pub fn last_packet_ms(size: u64, mut read: impl FnMut(u64, &mut [u8]) -> usize) -> Option<u64> {
    let scale = matroska::essentials(&mut Reader::new(size, &mut read)).ok()?.scale_ns;
    for length in TAILS {
        let length = length.min(size);
        let mut tail = vec![0; usize::try_from(length).ok()?];
        let got = read(size - length, &mut tail).min(tail.len());
        tail.truncate(got);
        if let Some(ticks) = last_ticks(&tail) {
            return u64::try_from(ticks.max(0) * i128::from(scale) / 1_000_000).ok();
        }
        if length == size {
            break;
        }
    }
    None
}

/// Returns the end of the last block behind the last cluster's head that has any.
fn last_ticks(tail: &[u8]) -> Option<i128> {
    const MARK: [u8; 4] = id::CLUSTER.to_be_bytes();
    let mut end = tail.len();
    while let Some(at) = tail[..end].windows(4).rposition(|bytes| bytes == MARK) {
        if let Some(ticks) = tail.get(at..).and_then(cluster) {
            return Some(ticks);
        }
        // The mark may begin in what was looked at.
        end = at + 3;
    }
    None
}

/// Blocks of one cluster, as far as they go.
fn cluster(bytes: &[u8]) -> Option<i128> {
    let head = ebml::head(bytes)?;
    let from = usize::try_from(head.length).ok()?;
    let to = head.size.and_then(|size| from.checked_add(usize::try_from(size).ok()?));
    let body = &bytes[from.min(bytes.len())..to.unwrap_or(bytes.len()).min(bytes.len())];
    let mut rest = body;
    let mut time: Option<u64> = None;
    let mut ends = BTreeMap::<u64, Last>::new();
    while let Some(element) = ebml::head(rest) {
        let Some(inside) = usize::try_from(element.length).ok().and_then(|at| rest.get(at..)) else { break };
        let length = element.size.and_then(|size| usize::try_from(size).ok());
        let value = &inside[..length.unwrap_or(inside.len()).min(inside.len())];
        match element.id {
            id::TIMESTAMP if value.len() <= 8 => time = Some(be(value)),
            id::SIMPLE_BLOCK => note(&mut ends, time?, value, None),
            id::BLOCK_GROUP => {
                let duration = elements(value).find(|(kind, _)| *kind == 0x9b).map(|(_, ticks)| be(ticks));
                // The last one may be cut, and its head is at hand all the same.
                let block = elements(value).find(|(kind, _)| *kind == id::BLOCK).map_or_else(
                    || ebml::head(value).and_then(|h| value.get(usize::try_from(h.length).ok()?..)).unwrap_or_default(),
                    |(_, block)| block,
                );
                note(&mut ends, time?, block, duration);
            }
            // The next one of a cluster without an end.
            id::CLUSTER | id::CUES | id::TAGS => break,
            _ if time.is_none() && !matches!(element.id, id::VOID | id::CRC | 0xa7 | 0xab) => return None,
            _ => {}
        }
        match length.and_then(|length| inside.get(length..)) {
            Some(next) => rest = next,
            None => break,
        }
    }
    ends.values().map(Last::end).max()
}

/// The latest two times of a track, in ticks.
#[derive(Default)]
struct Last {
    latest: Option<i128>,
    before: Option<i128>,
    duration: Option<u64>,
}

impl Last {
    /// A frame lasts as long as the one before it, where it does not say.
    fn end(&self) -> i128 {
        let latest = self.latest.unwrap_or_default();
        let apart = self.before.map_or(0, |before| (latest - before).min(MAX_FRAME_TICKS));
        latest + self.duration.map_or(apart, i128::from)
    }
}

fn note(ends: &mut BTreeMap<u64, Last>, time: u64, block: &[u8], duration: Option<u64>) {
    let Some((track, later, ..)) = ebml::block(block) else { return };
    let ticks = i128::from(time) + i128::from(later);
    let last = ends.entry(track).or_default();
    if last.latest.is_none_or(|latest| ticks > latest) {
        (last.before, last.latest, last.duration) = (last.latest, Some(ticks), duration);
    } else if last.before.is_none_or(|before| ticks > before) && last.latest != Some(ticks) {
        last.before = Some(ticks);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(id: &[u8], body: &[u8]) -> Vec<u8> {
        [id, &[0x01], &(body.len() as u64).to_be_bytes()[1..], body].concat()
    }

    fn block(track: u8, later: i16) -> Vec<u8> {
        element(&[0xa3], &[&[0x80 | track][..], &later.to_be_bytes(), &[0x80, 9, 9, 9]].concat())
    }

    fn cluster_at(ticks: u32, blocks: &[Vec<u8>]) -> Vec<u8> {
        element(&[0x1f, 0x43, 0xb6, 0x75], &[element(&[0xe7], &ticks.to_be_bytes()), blocks.concat()].concat())
    }

    fn film(clusters: &[Vec<u8>]) -> Vec<u8> {
        let info = element(&[0x15, 0x49, 0xa9, 0x66], &element(&[0x2a, 0xd7, 0xb1], &1_000_000_u32.to_be_bytes()));
        let tracks = element(&[0x16, 0x54, 0xae, 0x6b], &[]);
        let header = element(&[0x1a, 0x45, 0xdf, 0xa3], &element(&[0x42, 0x82], b"matroska"));
        // A segment without an end, as live recordings have.
        [header, vec![0x18, 0x53, 0x80, 0x67, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], info, tracks]
            .into_iter()
            .chain(clusters.iter().cloned())
            .flatten()
            .collect()
    }

    fn ends(bytes: &[u8]) -> Option<u64> {
        last_packet_ms(bytes.len() as u64, |at, out| {
            let rest = usize::try_from(at).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
            let n = rest.len().min(out.len());
            out[..n].copy_from_slice(&rest[..n]);
            n
        })
    }

    #[test]
    fn the_last_packet_is_found_from_the_end() {
        let first = cluster_at(0, &[block(1, 0), block(2, 0), block(1, 40)]);
        let second = cluster_at(9_000, &[block(1, 0), block(1, 80), block(1, 40), block(2, 100), block(2, 121)]);
        let whole = film(&[first.clone(), second.clone()]);
        assert_eq!(ends(&whole), Some(9_142), "sound of 21 ms behind 9.121 s");
        assert_eq!(ends(&film(std::slice::from_ref(&first))), Some(80));
        // Cut in the middle of the last cluster, of its head, and of everything.
        assert_eq!(ends(&whole[..whole.len() - 20]), Some(9_120));
        assert_eq!(ends(&whole[..whole.len() - second.len() + 6]), Some(80));
        assert_eq!(ends(&film(&[])), None);
        assert_eq!(ends(b"nothing of the kind"), None);
    }

    #[test]
    fn a_late_clock_counts_from_its_own_zero() {
        let late = cluster_at(36_000_000, &[block(1, 0), block(1, 40)]);
        assert_eq!(ends(&film(&[late])), Some(36_000_080));
    }

    proptest::proptest! {
        #[test]
        fn any_tail_is_answered(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let _ = last_ticks(&bytes);
            let _ = last_ticks(&[&[0x1f, 0x43, 0xb6, 0x75][..], &bytes].concat());
            let _ = ends(&film(&[bytes]));
        }
    }
}
