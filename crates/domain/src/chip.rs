//! Live encodes by the graphics chip (VA-API): what its self-test found, which films it takes, and
//! what an encode by it costs. Nothing is encoded by a chip that did not pass.
//!
//! A cost is seconds of processor time for each second of film.

use crate::facts::VideoFacts;

/// A driver of VA-API, by the name that libva loads it with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VaDriver {
    /// Intel up to the ninth generation; the only one for the first four.
    I965,
    /// Intel from the fifth generation on.
    Ihd,
}

impl VaDriver {
    /// In the order in which they are tried: what an old machine needs comes first.
    pub const ALL: [Self; 2] = [Self::I965, Self::Ihd];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::I965 => "i965",
            Self::Ihd => "iHD",
        }
    }
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|driver| driver.as_str() == text)
    }
    /// Name of its file in a folder of drivers.
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::I965 => "i965_drv_video.so",
            Self::Ihd => "iHD_drv_video.so",
        }
    }
}

/// Why the chip is not used, from the first step of the self-test to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChipProblem {
    /// The loge has no render node.
    NoDevice,
    /// The media programs have no driver of ours.
    NoDriver,
    /// No encode came out: the driver does not start on this chip, or does not encode H.264.
    NoEncode,
    /// A key frame did not come where it was forced.
    KeyFrames,
    /// What came out cannot be decoded.
    Undecodable,
    /// Frames were lost, or made up.
    Frames,
    /// Less than [`LEAST_SPEED`] times as fast as the film.
    TooSlow,
    /// The test did not come to its end in time.
    Unfinished,
    /// It passed, and then failed again and again while people watched.
    KeptFailing,
}

impl ChipProblem {
    pub const ALL: [Self; 9] = [
        Self::NoDevice,
        Self::NoDriver,
        Self::NoEncode,
        Self::KeyFrames,
        Self::Undecodable,
        Self::Frames,
        Self::TooSlow,
        Self::Unfinished,
        Self::KeptFailing,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoDevice => "no_device",
            Self::NoDriver => "no_driver",
            Self::NoEncode => "no_encode",
            Self::KeyFrames => "key_frames",
            Self::Undecodable => "undecodable",
            Self::Frames => "frames",
            Self::TooSlow => "too_slow",
            Self::Unfinished => "unfinished",
            Self::KeptFailing => "kept_failing",
        }
    }
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|problem| problem.as_str() == text)
    }
    /// For the owner: what it is, and what helps where anything does.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::NoDevice => "Its device could not be given to the container that measures.",
            Self::NoDriver => {
                "Its driver is not there. Install i965-va-driver (newer chips: intel-media-va-driver), start Loge again, then measure again."
            }
            Self::NoEncode => "Its driver did not encode the test film.",
            Self::KeyFrames => "It did not put a key frame where one was asked for, so its film could not be cut.",
            Self::Undecodable => "What it encoded could not be decoded.",
            Self::Frames => "What it encoded did not have the frames of the test film.",
            Self::TooSlow => "It is not three times as fast as the film.",
            Self::Unfinished => "Its test did not end in time.",
            Self::KeptFailing => {
                "It failed several times while people watched and was switched off. Measure again to try it once more."
            }
        }
    }
}

/// What the self-test says about pictures of so many lines, of a film of 1920 × 1080 at 25 frames
/// a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChipRung {
    pub lines: u32,
    /// Of handing decoded frames to the chip and taking the encoded film from it; `None` where
    /// that failed.
    pub upload_cost: Option<f64>,
    /// Of everything, where the chip decodes too; `None` where that failed.
    pub whole_cost: Option<f64>,
    /// Frames a second that it made the faster way, by the clock on the wall.
    pub fps: f64,
}

/// A chip that passed.
#[derive(Debug, Clone, PartialEq)]
pub struct Chip {
    pub driver: VaDriver,
    /// Smallest first; only those that passed.
    pub rungs: Vec<ChipRung>,
}

/// What is known of the chip since the last calibration.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum ChipVerdict {
    /// The owner had not switched it on.
    #[default]
    Untested,
    Works(Chip),
    Failed(ChipProblem),
}

/// The self-test's film has to be encoded so many times faster than it plays.
pub const LEAST_SPEED: f64 = 3.0;
/// So many plays fail before the chip is switched off by itself.
pub const MOST_FAILURES: u32 = 3;
const MOST_SLOTS: u32 = 3;
const FILM_RATE: f64 = 25.0;
const FILM_PIXELS: f64 = 1920.0 * 1080.0;
/// Nothing larger was tested, and chips of that age decode nothing larger.
const LARGEST: (u32, u32) = (1920, 1088);
const MOST_COST: f64 = 100.0;
const MOST_FPS: f64 = 100_000.0;

impl Chip {
    /// `None` for numbers that no chip has, and for one without any picture.
    pub fn checked(self) -> Option<Self> {
        let sane = |cost: f64| cost > 0.0 && cost <= MOST_COST;
        let in_order = self.rungs.windows(2).all(|two| two[0].lines < two[1].lines);
        let known = self.rungs.iter().all(|rung| {
            crate::capacity::MEASURED_LINES.contains(&rung.lines)
                && (rung.upload_cost.is_some() || rung.whole_cost.is_some())
                && rung.upload_cost.is_none_or(sane)
                && rung.whole_cost.is_none_or(sane)
                && rung.fps >= LEAST_SPEED * FILM_RATE
                && rung.fps <= MOST_FPS
        });
        (!self.rungs.is_empty() && in_order && known).then_some(self)
    }

    /// Films at once: by the slowest picture that is offered, at 30 frames a second each.
    pub fn slots(&self) -> u32 {
        let slowest = self.rungs.iter().map(|rung| rung.fps).fold(f64::INFINITY, f64::min);
        if slowest.is_finite() { ((slowest / 30.0) as u32).min(MOST_SLOTS) } else { 0 }
    }

    /// How it encodes this film with so many lines; `None` where it does not. `decode_cost`: of
    /// decoding the film by the processor.
    pub fn encode(&self, video: &VideoFacts, lines: u32, decode_cost: f64) -> Option<ChipEncode> {
        if !takes(video) {
            return None;
        }
        let rung = self.rungs.iter().find(|rung| rung.lines >= lines)?;
        let rate = crate::capacity::frame_rate(video) / FILM_RATE;
        let size = f64::from(video.width) * f64::from(video.height) / FILM_PIXELS;
        // Each frame costs something however small it is.
        let frames = rate * size.max(0.25);
        let of = |decodes, cost| ChipEncode { driver: self.driver, decodes, cost };
        match rung.whole_cost.filter(|_| may_decode(video)) {
            Some(whole) => Some(of(true, whole * frames)),
            None => rung.upload_cost.map(|upload| of(false, decode_cost + upload * frames)),
        }
    }
}

/// One film by the chip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChipEncode {
    pub driver: VaDriver,
    /// Whether the chip decodes it too.
    pub decodes: bool,
    pub cost: f64,
}

/// HDR needs a tone mapping that old chips do not have.
fn takes(video: &VideoFacts) -> bool {
    !video.is_hdr() && video.width <= LARGEST.0 && video.height <= LARGEST.1
}

/// Whether the chip may decode it too: 8-bit H.264 whose frames are certainly whole ones. Fields
/// are made into frames by a filter of the processor.
fn may_decode(video: &VideoFacts) -> bool {
    video.codec == "h264"
        && video.bit_depth == Some(8)
        && matches!(video.pixel_format.as_deref(), Some("yuv420p" | "yuvj420p"))
        && !may_be_fields(video)
}

/// No fact says whether a picture is made of fields. Television is: in its sizes, and never as slow
/// as a film in a cinema.
fn may_be_fields(video: &VideoFacts) -> bool {
    let size = matches!(video.height, 480..=576 | 1080..=1088);
    size && video.frame_rate.is_none_or(|rate| rate > 24.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chip() -> Chip {
        let rung = |lines, fps| ChipRung { lines, upload_cost: Some(0.10), whole_cost: Some(0.05), fps };
        Chip { driver: VaDriver::I965, rungs: vec![rung(480, 200.0), rung(720, 150.0), rung(1080, 80.0)] }
    }

    fn film(codec: &str, height: u32, rate: f64) -> VideoFacts {
        VideoFacts {
            pixel_format: Some("yuv420p".into()),
            bit_depth: Some(8),
            frame_rate: Some(rate),
            ..VideoFacts::plain(codec, height * 16 / 9, height)
        }
    }

    #[test]
    fn drivers_are_named_as_libva_names_them() {
        let names = VaDriver::ALL.map(|driver| (driver.as_str(), driver.file_name()));
        assert_eq!(names, [("i965", "i965_drv_video.so"), ("iHD", "iHD_drv_video.so")]);
        for driver in VaDriver::ALL {
            assert_eq!(VaDriver::parse(driver.as_str()), Some(driver));
        }
        assert_eq!(VaDriver::parse("ihd"), None);
    }

    #[test]
    fn every_problem_has_a_name_and_a_sentence_of_its_own() {
        for problem in ChipProblem::ALL {
            assert_eq!(ChipProblem::parse(problem.as_str()), Some(problem));
            assert!(problem.sentence().ends_with('.'));
        }
        let names: std::collections::HashSet<_> = ChipProblem::ALL.iter().map(|p| p.sentence()).collect();
        assert_eq!(names.len(), ChipProblem::ALL.len());
    }

    #[test]
    fn slots_follow_from_the_slowest_picture() {
        assert_eq!(chip().slots(), 2);
        let of = |fps| {
            let rungs = vec![ChipRung { lines: 480, upload_cost: Some(0.1), whole_cost: None, fps }];
            Chip { rungs, ..chip() }.slots()
        };
        assert_eq!([of(75.0), of(89.0), of(90.0), of(900.0)], [2, 2, 3, 3]);
    }

    #[test]
    fn numbers_that_no_chip_has_are_refused() {
        assert!(chip().checked().is_some());
        type Change = fn(&mut Chip);
        let changes: [Change; 8] = [
            |c| c.rungs.clear(),
            |c| c.rungs.swap(0, 1),
            |c| c.rungs[0].lines = 481,
            |c| c.rungs[0].upload_cost = Some(0.0),
            |c| (c.rungs[0].upload_cost, c.rungs[0].whole_cost) = (None, None),
            |c| c.rungs[1].whole_cost = Some(1e9),
            |c| c.rungs[2].fps = 74.9,
            |c| c.rungs[2].fps = f64::NAN,
        ];
        for (n, change) in changes.into_iter().enumerate() {
            let mut chip = chip();
            change(&mut chip);
            assert_eq!(chip.checked(), None, "change {n}");
        }
    }

    #[test]
    fn the_chip_takes_what_its_film_was_like_and_decodes_what_is_certainly_frames() {
        let check = |video: &VideoFacts, lines, expected: Option<(bool, f64)>| {
            let encode = chip().encode(video, lines, 0.35);
            let got = encode.map(|e| (e.decodes, (e.cost * 1000.0).round() / 1000.0));
            assert_eq!(got, expected, "{video:?} {lines}");
        };
        check(&film("h264", 1080, 24.0), 720, Some((true, 0.048)));
        check(&film("h264", 1080, 23.976), 1080, Some((true, 0.048)));
        check(&film("h264", 1080, 25.0), 720, Some((false, 0.45)));
        check(&film("h264", 720, 50.0), 480, Some((true, 0.044)));
        check(&film("h264", 576, 25.0), 480, Some((false, 0.378)));
        check(&film("h264", 360, 25.0), 360, Some((true, 0.013)));
        check(&film("hevc", 1080, 24.0), 720, Some((false, 0.446)));
        check(&film("mpeg4", 720, 25.0), 720, Some((false, 0.394)));
        check(&VideoFacts { bit_depth: Some(10), ..film("h264", 1080, 24.0) }, 720, Some((false, 0.446)));
        let wide = VideoFacts { pixel_format: Some("yuv422p".into()), ..film("h264", 1080, 24.0) };
        check(&wide, 720, Some((false, 0.446)));
        check(&VideoFacts { bit_depth: None, ..film("h264", 1080, 24.0) }, 720, Some((false, 0.446)));
        // HDR, and what is larger than the film that was tested.
        check(&VideoFacts { transfer: Some("smpte2084".into()), ..film("hevc", 1080, 24.0) }, 480, None);
        check(&film("hevc", 2160, 24.0), 720, None);
        check(&film("h264", 1080, 24.0), 1081, None);
        let deaf = Chip { rungs: vec![ChipRung { whole_cost: None, ..chip().rungs[0] }], ..chip() };
        assert_eq!(deaf.encode(&film("h264", 720, 25.0), 480, 0.2).map(|e| e.decodes), Some(false));
        assert_eq!(deaf.encode(&film("h264", 720, 25.0), 720, 0.2), None, "only what passed");
        let picky = Chip { rungs: vec![ChipRung { upload_cost: None, ..chip().rungs[0] }], ..chip() };
        assert_eq!(picky.encode(&film("h264", 720, 25.0), 480, 0.2).map(|e| e.decodes), Some(true));
        assert_eq!(picky.encode(&film("mpeg4", 720, 25.0), 480, 0.2), None);
    }
}
