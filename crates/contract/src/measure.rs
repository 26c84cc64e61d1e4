//! What a worker found when it measured its machine. Costs are microseconds of processor time for
//! each second of a film of 1920 × 1080 at 25 frames a second.

use crate::{data::VaDriverName, frame::FrameError};
use domain::chip::{ChipProblem, VaDriver};
use serde::{Deserialize, Serialize};

/// Pictures in one [`crate::Job::Calibrate`].
pub const MAX_RUNGS: usize = 8;
/// No result is longer.
pub const MAX_BYTES: u32 = 512;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    pub decode_us: u32,
    pub remux_us: u32,
    /// Of scaling and encoding, in the order that was asked for. `None` for a picture that this
    /// machine is too slow for, or its media programs cannot make.
    pub encode_us: Vec<Option<u32>>,
    /// `None` where there was nothing to read, or too little.
    pub read_bytes_per_s: Option<u64>,
    /// `None` where nobody asked for it.
    pub chip: Option<ChipTest>,
}

/// What the graphics chip's self-test found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChipTest {
    /// `rungs`: in the order that was asked for; `None` for a picture that did not pass, or was
    /// not tested because it maps tones.
    Works {
        #[serde(with = "VaDriverName")]
        driver: VaDriver,
        rungs: Vec<Option<ChipCost>>,
    },
    Failed(#[serde(with = "ChipProblemName")] ChipProblem),
}

/// Of one picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChipCost {
    /// Of handing decoded frames to the chip and taking the encoded film from it; `None` where
    /// that failed.
    pub upload_us: Option<u32>,
    /// Of everything, where the chip decodes too; `None` where that failed.
    pub whole_us: Option<u32>,
    /// Frames a second by the clock on the wall; of both ways the faster one.
    pub fps: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "ChipProblem")]
enum ChipProblemName {
    NoDevice,
    NoDriver,
    NoEncode,
    KeyFrames,
    Undecodable,
    Frames,
    TooSlow,
    Unfinished,
    KeptFailing,
}

/// # Errors
/// [`FrameError::Body`] when it cannot be written, which no list of ours does.
pub fn encode(measured: &Measured) -> Result<Vec<u8>, FrameError> {
    postcard::to_stdvec(measured).map_err(|_| FrameError::Body)
}

/// Reads the answer to a request about `count` pictures.
///
/// # Errors
/// [`FrameError::Body`] when the bytes are not exactly that.
pub fn decode(bytes: &[u8], count: usize) -> Result<Measured, FrameError> {
    match postcard::take_from_bytes::<Measured>(bytes) {
        Ok((measured, [])) if measured.encode_us.len() == count && counts(&measured, count) => Ok(measured),
        _ => Err(FrameError::Body),
    }
}

fn counts(measured: &Measured, count: usize) -> bool {
    !matches!(&measured.chip, Some(ChipTest::Works { rungs, .. }) if rungs.len() != count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_survive_and_other_counts_do_not() {
        let encode_us = vec![Some(u32::MAX); MAX_RUNGS];
        let cost = ChipCost { upload_us: Some(u32::MAX), whole_us: Some(u32::MAX), fps: u32::MAX };
        let chip = |rungs| Some(ChipTest::Works { driver: VaDriver::Ihd, rungs: vec![Some(cost); rungs] });
        let read_bytes_per_s = Some(u64::MAX);
        let measured =
            Measured { decode_us: u32::MAX, remux_us: 1, encode_us, read_bytes_per_s, chip: chip(MAX_RUNGS) };
        for problem in ChipProblem::ALL {
            let failed = Measured { chip: Some(ChipTest::Failed(problem)), ..measured.clone() };
            assert_eq!(decode(&encode(&failed).unwrap(), MAX_RUNGS), Ok(failed));
        }
        let short = Measured { chip: chip(MAX_RUNGS - 1), ..measured.clone() };
        assert_eq!(decode(&encode(&short).unwrap(), MAX_RUNGS), Err(FrameError::Body));
        let bytes = encode(&measured).unwrap();
        assert!(bytes.len() <= MAX_BYTES as usize);
        assert_eq!(decode(&bytes, MAX_RUNGS), Ok(measured));
        assert_eq!(decode(&bytes, 2), Err(FrameError::Body));
        assert_eq!(decode(&bytes[..bytes.len() - 1], MAX_RUNGS), Err(FrameError::Body));
        assert_eq!(decode(&[0xff; 40], 2), Err(FrameError::Body));
    }
}
