use super::super::index::PointKind;
use super::*;
use proptest::prelude::*;

fn boxed(name: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    [&(content.len() as u32 + 8).to_be_bytes()[..], name, &content].concat()
}
fn numbers(all: &[u32]) -> Vec<u8> {
    all.iter().flat_map(|n| n.to_be_bytes()).collect()
}

struct Made {
    edit: Option<[u32; 3]>,
    /// Beyond decoding, of every frame.
    offsets: Vec<u32>,
    codec: &'static [u8; 4],
    extra: Vec<u8>,
}

impl Made {
    fn plain() -> Self {
        Self {
            edit: Some([6000, 1000, 0x1_0000]),
            offsets: vec![1000, 3000, 0, 1000, 1000, 1000],
            codec: b"avc1",
            extra: vec![],
        }
    }

    /// Six frames of a second each; the first and the fourth are key frames, the second of
    /// them without an IDR picture.
    fn bytes(&self) -> Vec<u8> {
        let units: [&[u8]; 6] = [
            &[0, 0, 0, 2, 9, 0x10, 0, 0, 0, 2, 0x65, 1],
            &[0, 0, 0, 2, 0x41, 1],
            &[0, 0, 0, 2, 0x01, 1],
            &[0, 0, 0, 2, 6, 5, 0, 0, 0, 2, 0x41, 1],
            &[0, 0, 0, 2, 0x41, 1],
            &[0, 0, 0, 2, 0x41, 1],
        ];
        let mdat = boxed(b"mdat", &units);
        let sizes: Vec<u32> = units.iter().map(|u| u.len() as u32).collect();
        let avcc = boxed(b"avcC", &[&[1, 100, 0, 40, 0xff, 0xe0]]);
        let stsd = boxed(b"stsd", &[&numbers(&[0, 1]), &boxed(self.codec, &[&[0; 78], &avcc])]);
        let ctts: Vec<u32> = self.offsets.iter().flat_map(|o| [1, *o]).collect();
        let stbl = boxed(
            b"stbl",
            &[
                &stsd,
                &boxed(b"stts", &[&numbers(&[0, 1, 6, 1000])]),
                &boxed(b"ctts", &[&numbers(&[0, self.offsets.len() as u32]), &numbers(&ctts)]),
                &boxed(b"stss", &[&numbers(&[0, 2, 1, 4])]),
                &boxed(b"stsc", &[&numbers(&[0, 2, 1, 4, 1, 2, 2, 1])]),
                &boxed(b"stsz", &[&numbers(&[0, 0, 6]), &numbers(&sizes)]),
                &boxed(b"stco", &[&numbers(&[0, 2, 8, 8 + sizes[..4].iter().sum::<u32>()])]),
                &self.extra,
            ],
        );
        let edts = self.edit.map(|e| boxed(b"edts", &[&boxed(b"elst", &[&numbers(&[0, 1]), &numbers(&e)])]));
        let mdia = boxed(
            b"mdia",
            &[
                &boxed(b"mdhd", &[&numbers(&[0, 0, 0, 1000, 6000, 0])]),
                &boxed(b"hdlr", &[&numbers(&[0, 0]), b"vide"]),
                &boxed(b"minf", &[&stbl]),
            ],
        );
        let trak = boxed(b"trak", &[&edts.unwrap_or_default(), &mdia]);
        let moov = boxed(b"moov", &[&boxed(b"mvhd", &[&numbers(&[0, 0, 0, 1000, 6000])]), &trak]);
        [mdat, moov].concat()
    }
}

fn of(bytes: &[u8]) -> Sure<KeyframeIndex> {
    index(bytes.len() as u64, |at, out| {
        let from = usize::try_from(at).unwrap().min(bytes.len());
        let n = out.len().min(bytes.len() - from);
        out[..n].copy_from_slice(&bytes[from..from + n]);
        n
    })
}

#[test]
fn tables_become_points() {
    let index = of(&Made::plain().bytes()).unwrap();
    let points: Vec<_> = index.points.iter().map(|p| (p.pts / 90_000, p.kind)).collect();
    use PointKind::{Clean, Frame, Open};
    assert_eq!(points, [(0, Clean), (1, Frame), (3, Open), (4, Frame), (5, Frame)]);
    assert_eq!((index.end, index.frame), (6 * 90_000, 90_000));
}

#[test]
fn what_needs_thought_is_unsure() {
    let check = |made: Made, why: &str| {
        let got = of(&made.bytes());
        assert!(matches!(&got, Err(Unsure(said)) if said.contains(why)), "{why}: {got:?}");
    };
    check(Made { edit: Some([6000, 2000, 0x1_0000]), ..Made::plain() }, "cuts pictures away");
    check(Made { edit: Some([2000, 1000, 0x1_0000]), ..Made::plain() }, "ends early");
    check(Made { edit: Some([6000, u32::MAX, 0x1_0000]), ..Made::plain() }, "empty edit");
    check(Made { edit: Some([6000, 1000, 0x2_0000]), ..Made::plain() }, "another speed");
    check(Made { edit: None, ..Made::plain() }, "nothing begins");
    check(Made { offsets: vec![0, 0, u32::MAX, 0, 0, 0], ..Made::plain() }, "into the past");
    check(Made { offsets: vec![1000; 3], ..Made::plain() }, "fewer offsets");
    check(Made { codec: b"encv", ..Made::plain() }, "another codec");
    check(Made { extra: boxed(b"sbgp", &[&numbers(&[0, 0, 0])]), ..Made::plain() }, "another way");
    let whole = Made::plain().bytes();
    check_bytes(&whole[..whole.len() - 1], "longer than the file");
    check_bytes(&[], "no tables");
    check_bytes(&[&boxed(b"moof", &[])[..], &whole].concat(), "fragments");
}

fn check_bytes(bytes: &[u8], why: &str) {
    let got = of(bytes);
    assert!(matches!(&got, Err(Unsure(said)) if said.contains(why)), "{why}: {got:?}");
}

proptest! {
    #[test]
    fn mutations_never_panic(at in any::<prop::sample::Index>(), value in any::<[u8; 4]>()) {
        let mut bytes = Made::plain().bytes();
        let at = at.index(bytes.len() - 4);
        bytes[at..at + 4].copy_from_slice(&value);
        if let Ok(index) = of(&bytes) {
            prop_assert!(index.points.windows(2).all(|w| w[0].pts < w[1].pts));
        }
    }
}
