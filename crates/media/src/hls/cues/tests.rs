use super::*;
use proptest::prelude::*;

/// An element with its length in eight bytes, so that places are easy to count.
fn element(id: u32, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let id: Vec<u8> = id.to_be_bytes().into_iter().skip_while(|b| *b == 0).collect();
    let size = (content.len() as u64 | 1 << 56).to_be_bytes();
    [&id[..], &size, &content].concat()
}
fn number(id: u32, value: u64) -> Vec<u8> {
    element(id, &[&value.to_be_bytes()])
}

const IDR: &[u8] = &[0, 0, 0, 2, 9, 0x10, 0, 0, 0, 2, 0x65, 1];
const RECOVERY: &[u8] = &[0, 0, 0, 2, 6, 5, 0, 0, 0, 2, 0x41, 1];
const OTHER: &[u8] = &[0, 0, 0, 2, 0x41, 1];

/// A film of four groups of pictures of three frames; one frame lasts a second, and a sound lies
/// in front of each.
#[derive(Clone)]
struct Made {
    codec: &'static [u8],
    private: &'static [u8],
    key: &'static [u8],
    /// Of the frames behind a key frame, in seconds from it.
    behind: [i64; 2],
    /// Groups that have a cue.
    cues: Vec<usize>,
    relative: bool,
    /// Added to the time that the second cue says.
    wrong: u64,
    grouped: bool,
    tail: Vec<u8>,
}

impl Made {
    fn plain() -> Self {
        Self {
            codec: b"V_MPEG4/ISO/AVC",
            private: &[1, 100, 0, 40, 0xff, 0xe0],
            key: IDR,
            behind: [1000, 2000],
            cues: vec![0, 1, 2, 3],
            relative: true,
            wrong: 0,
            grouped: false,
            tail: vec![],
        }
    }

    fn block(&self, track: u8, relative: i64, key: bool, frame: &[u8]) -> Vec<u8> {
        let time = i16::try_from(relative).unwrap().to_be_bytes();
        let head = [0x80 | track, time[0], time[1], if key { 0x80 } else { 0 }];
        match (self.grouped, key) {
            (false, _) => element(0xa3, &[&head, frame]),
            (true, true) => element(0xa0, &[&element(0xa1, &[&head, frame])]),
            (true, false) => element(0xa0, &[&element(0xa1, &[&head, frame]), &number(0xfb, 1)]),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let ebml = element(0x1a45_dfa3, &[&element(0x4282, &[b"matroska"])]);
        let info = element(0x1549_a966, &[&number(0x2a_d7b1, 1_000_000)]);
        let picture = element(
            0xae,
            &[
                &number(0xd7, 1),
                &number(0x83, 1),
                &number(0x73c5, 11),
                &element(0x86, &[self.codec]),
                &element(0x63a2, &[self.private]),
            ],
        );
        let sound = element(
            0xae,
            &[
                &number(0xd7, 2),
                &number(0x83, 2),
                &number(0x73c5, 12),
                &element(0x86, &[b"A_AC3"]),
                &element(0xe1, &[&element(0xb5, &[&48_000_f64.to_be_bytes()])]),
            ],
        );
        let tracks = element(0x1654_ae6b, &[&picture, &sound]);
        let tag = |name: &[u8], value: &[u8]| element(0x67c8, &[&element(0x45a3, &[name]), &element(0x4487, &[value])]);
        let tags = element(
            0x1254_c367,
            &[&element(0x7373, &[&element(0x63c0, &[&number(0x63c5, 12)]), &tag(b"DURATION", b"00:00:12.500000000")])],
        );
        let seek = |id: u32, at: u64| element(0x4dbb, &[&element(0x53ab, &[&id.to_be_bytes()]), &number(0x53ac, at)]);
        let seek_head = |cues: u64| element(0x114d_9b74, &[&seek(0x1c53_bb6b, cues)]);
        let front = [&seek_head(0)[..], &info, &tracks, &tags].concat();
        let (mut clusters, mut points) = (Vec::new(), Vec::new());
        for group in 0..4 {
            let time = 1000 + group as u64 * 3000;
            let stamp = number(0xe7, time);
            let sound = self.block(2, 0, true, &[0x0b, 0x77]);
            let cluster = front.len() + clusters.len();
            let relative = number(0xf0, (stamp.len() + sound.len()) as u64);
            let said = time + if group == 1 { self.wrong } else { 0 };
            let place =
                [number(0xf7, 1), number(0xf1, cluster as u64), if self.relative { relative } else { vec![] }].concat();
            // Cues of sounds are not those of the picture.
            let others = element(0xb7, &[&number(0xf7, 2), &number(0xf1, 0)]);
            if self.cues.contains(&group) {
                points.extend(element(0xbb, &[&number(0xb3, said), &element(0xb7, &[&place]), &others]));
            }
            let mut blocks = [stamp, sound, self.block(1, 0, true, self.key)].concat();
            for at in self.behind {
                blocks.extend(self.block(1, at, false, OTHER));
            }
            clusters.extend(element(0x1f43_b675, &[&blocks]));
        }
        let cues = element(0x1c53_bb6b, &[&points]);
        let front = [&seek_head((front.len() + clusters.len()) as u64)[..], &info, &tracks, &tags].concat();
        [ebml, element(0x1853_8067, &[&front, &clusters, &cues, &self.tail])].concat()
    }
}

fn of(bytes: &[u8]) -> Sure<Keys> {
    let (mut reads, mut total) = (0_u32, 0);
    let found = keys(
        bytes.len() as u64,
        |at, out| {
            reads += 1;
            total += out.len();
            let from = usize::try_from(at).unwrap().min(bytes.len());
            let n = out.len().min(bytes.len() - from);
            out[..n].copy_from_slice(&bytes[from..from + n]);
            n
        },
        |_, _| {},
    );
    assert!(reads <= MAX_READS * 2 && total <= 64 << 20, "{reads} reads of {total} bytes");
    found
}

fn times(keys: &Keys) -> Vec<(u64, u64)> {
    let ms = |ticks: u64| ticks / 90;
    keys.index.points.iter().map(|p| (ms(p.pts), ms(p.first))).collect()
}

#[test]
fn cues_become_points() {
    let expected = [(0, 0), (3000, 3000), (6000, 6000), (9000, 9000)];
    let hevc = Made { codec: b"V_MPEGH/ISO/HEVC", private: &HVCC, key: &[0, 0, 0, 2, 19 << 1, 1], ..Made::plain() };
    for made in [
        Made::plain(),
        Made { relative: false, ..Made::plain() },
        Made { grouped: true, ..Made::plain() },
        Made { codec: b"V_VP8", key: &[0], ..Made::plain() },
        Made { codec: b"V_VP9", key: &[0x82], ..Made::plain() },
        Made { codec: b"V_AV1", key: &[0x12, 0, 0x0a, 1, 0, 0x32, 1, 0x10], ..Made::plain() },
        hevc.clone(),
    ] {
        let found = of(&made.bytes()).unwrap();
        assert_eq!(times(&found), expected);
        assert!(found.index.points.iter().all(|p| p.kind == PointKind::Clean));
        assert_eq!((found.index.end, found.index.frame, found.zero_us), (12 * 90_000, 90_000, 1_000_000));
        assert_eq!(found.index.audio, [AudioPhase { start_us: 0, end_us: 12_500_000, rate: 48_000 }]);
        assert_eq!(KeyframeIndex::from_bytes(&found.index.to_bytes()).unwrap(), found.index);
    }
    let led = Made { behind: [-500, 1000], ..hevc };
    assert_eq!(times(&of(&led.bytes()).unwrap())[1], (3000, 2500));
}

/// The length of a length field is in its 22nd byte.
static HVCC: [u8; 23] = {
    let mut bytes = [0; 23];
    bytes[0] = 1;
    bytes[21] = 3;
    bytes
};

#[test]
fn what_needs_thought_is_unsure() {
    let check = |made: Made, why: &str| {
        let got = of(&made.bytes());
        assert!(matches!(&got, Err(Unsure(said)) if said.contains(why)), "{why}: {got:?}");
    };
    check(Made { key: RECOVERY, ..Made::plain() }, "no key frame");
    check(Made { key: &[0, 0, 0, 2, 6, 5], ..Made::plain() }, "without a slice");
    check(Made { wrong: 40, ..Made::plain() }, "elsewhere");
    check(Made { cues: vec![1, 2, 3], ..Made::plain() }, "before its first cue");
    check(Made { cues: vec![0, 1, 2], ..Made::plain() }, "without a cue");
    check(Made { cues: vec![0, 2, 3], ..Made::plain() }, "without a cue");
    check(Made { cues: vec![], ..Made::plain() }, "no cues");
    check(Made { behind: [-500, 1000], ..Made::plain() }, "before their key frame");
    check(Made { codec: b"V_MPEG2", ..Made::plain() }, "another codec");
    check(Made { tail: element(0x1234_5678, &[]), ..Made::plain() }, "unknown kind");
    let whole = Made::plain().bytes();
    for end in 0..whole.len() {
        assert!(of(&whole[..end]).is_err(), "cut at {end}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn mutations_never_panic(hits in proptest::collection::vec((any::<u16>(), any::<u8>()), 1..6), grouped: bool, relative: bool) {
        let mut bytes = Made { grouped, relative, ..Made::plain() }.bytes();
        for (at, byte) in hits {
            let at = usize::from(at) % bytes.len();
            bytes[at] = byte;
        }
        if let Ok(found) = of(&bytes) {
            prop_assert!(found.index.points.windows(2).all(|w| w[0].pts < w[1].pts));
            prop_assert!(found.index.points.iter().all(|p| p.pts < found.index.end));
        }
    }
}
