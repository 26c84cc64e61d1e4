//! The self-test of the graphics chip: it encodes the film of a calibration by the very commands of
//! live heads, and what comes out is cut by the very splitter, decoded by the processor and counted.
//! What does not pass is never used for a film.

use crate::{
    calibrate::{Bench, LEAST_US, MAX_ENCODED_BYTES, opened},
    heads::track::{self, Attempt, ENCODE_THREADS, Part},
    job::Outcome,
    log,
    scratch::Scratch,
};
use contract::{ChipCost, ChipTest, Encoder, Rung, Status, Track};
use domain::chip::{ChipProblem, LEAST_SPEED, VaDriver};
use media::{
    hls::{
        fmp4::{Part as Read, Reader},
        trial,
    },
    jail::OpenFile,
};
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// Where distributions keep drivers of VA-API; libva of the same distribution looks there.
const FOLDERS: [&str; 5] = [
    "/usr/lib/x86_64-linux-gnu/dri",
    "/usr/lib/aarch64-linux-gnu/dri",
    "/usr/lib64/dri",
    "/usr/lib/dri",
    "/usr/lib64/va/drivers",
];
/// A line for each frame, and a few about the film.
const MAX_FRAMES_BYTES: usize = 64 << 10;

/// # Errors
/// Only when the gateway has left; everything else is a verdict.
pub fn test(bench: &Bench<'_>, rungs: &[Rung], film: &OpenFile, start: Duration) -> Result<ChipTest, Outcome> {
    let node = bench.settings.render_node.as_deref();
    let own = bench.settings.va_drivers.as_deref();
    let folders = || own.into_iter().chain(FOLDERS.iter().filter(|_| own.is_none()).map(Path::new));
    let is_there = |driver: VaDriver| folders().any(|folder| folder.join(driver.file_name()).is_file());
    let verdict = verdict(node, is_there, |driver, node| trial(bench, rungs, film, start, driver, node));
    if let Ok(ChipTest::Failed(problem)) = &verdict {
        log::line(&format!("the graphics chip did not pass: {}", problem.as_str()));
    }
    verdict
}

type Passed = Vec<Option<ChipCost>>;

/// Tries the drivers that are there, one after the other. Of several that fail, the one that came
/// furthest says why.
fn verdict(
    node: Option<&str>,
    is_there: impl Fn(VaDriver) -> bool,
    trial: impl Fn(VaDriver, &str) -> Result<Result<Passed, ChipProblem>, Outcome>,
) -> Result<ChipTest, Outcome> {
    let Some(node) = node else { return Ok(ChipTest::Failed(ChipProblem::NoDevice)) };
    let mut furthest = ChipProblem::NoDriver;
    for driver in VaDriver::ALL.into_iter().filter(|driver| is_there(*driver)) {
        match trial(driver, node)? {
            Ok(rungs) => return Ok(ChipTest::Works { driver, rungs }),
            Err(problem) => furthest = further(furthest, problem),
        }
    }
    Ok(ChipTest::Failed(furthest))
}

fn further(one: ChipProblem, other: ChipProblem) -> ChipProblem {
    let step = |problem| ChipProblem::ALL.iter().position(|p| *p == problem);
    if step(other) > step(one) { other } else { one }
}

fn trial(
    bench: &Bench<'_>,
    rungs: &[Rung],
    film: &OpenFile,
    start: Duration,
    driver: VaDriver,
    node: &str,
) -> Result<Result<Passed, ChipProblem>, Outcome> {
    let scratch = Scratch::new(bench.settings);
    let Some(film) = run(bench.step(&trial::longer(), film, MAX_LONG_BYTES))? else {
        return Ok(Err(ChipProblem::Unfinished));
    };
    let film = opened(&scratch, &film.0)?;
    let Some((_, decoded)) = run(bench.step(&trial::decode(ENCODE_THREADS), &film, 0))? else {
        return Ok(Err(ChipProblem::Unfinished));
    };
    let (mut passed, mut problem) = (Vec::with_capacity(rungs.len()), None);
    for rung in rungs {
        let mut best: Option<ChipCost> = None;
        for decodes in [false, true] {
            if rung.tone_map {
                continue;
            }
            let rung = Rung { encoder: Encoder::Chip { driver, decodes }, ..*rung };
            match encode(bench, rung, &film, node)? {
                Ok(Encoded { used, fps }) => {
                    let cost = best.get_or_insert(ChipCost { upload_us: None, whole_us: None, fps: 0 });
                    cost.fps = cost.fps.max(fps);
                    if decodes {
                        cost.whole_us = Some(a_second(used, start));
                    } else {
                        cost.upload_us = Some(a_second(used, decoded));
                    }
                }
                Err(found) => problem = Some(problem.map_or(found, |before| further(before, found))),
            }
        }
        let fast = |cost: &ChipCost| f64::from(cost.fps) >= LEAST_SPEED * LONG_RATE;
        if best.is_some_and(|cost| !fast(&cost)) {
            problem = Some(problem.map_or(ChipProblem::TooSlow, |before| further(before, ChipProblem::TooSlow)));
        }
        passed.push(best.filter(fast));
    }
    Ok(match problem {
        Some(problem) if passed.iter().all(Option::is_none) => Err(problem),
        None if passed.iter().all(Option::is_none) => Err(ChipProblem::NoEncode),
        _ => Ok(passed),
    })
}

const MAX_LONG_BYTES: usize = 48 << 20;
const LONG_RATE: f64 = trial::LONG_FRAMES as f64 / trial::LONG_SECONDS as f64;

/// Microseconds of processor for each second of film.
fn a_second(used: Duration, before: Duration) -> u32 {
    let us = used.saturating_sub(before).as_micros() / u128::from(trial::LONG_SECONDS);
    u32::try_from(us).unwrap_or(u32::MAX).max(LEAST_US)
}

struct Encoded {
    used: Duration,
    fps: u32,
}

/// One picture by the chip, looked at from all sides.
fn encode(bench: &Bench<'_>, rung: Rung, film: &OpenFile, node: &str) -> Result<Result<Encoded, ChipProblem>, Outcome> {
    let (track, part) = (Track::VideoEncode { picture: 0, rung }, Part::Video(trial::long_window()));
    let command =
        track::command(&track, &part, 0, Attempt::first(&track), Some(node)).ok_or(Outcome::Ended(Status::Refused))?;
    let began = Instant::now();
    let (bytes, used) = match bench.step(command.args(), film, MAX_ENCODED_BYTES) {
        Ok(made) => made,
        Err(Outcome::Cancelled) => return Err(Outcome::Cancelled),
        Err(Outcome::Ended(Status::Limit)) => return Ok(Err(ChipProblem::Unfinished)),
        Err(outcome) => {
            if let Outcome::Failed(said) = outcome {
                log::line(&format!("the graphics chip: {said}"));
            }
            return Ok(Err(ChipProblem::NoEncode));
        }
    };
    let took = began.elapsed();
    let whole = match cut(&track, &part, &bytes) {
        Ok(whole) => whole,
        Err(problem) => return Ok(Err(problem)),
    };
    let scratch = Scratch::new(bench.settings);
    let Some((lines, _)) =
        run(bench.step(&trial::frames(ENCODE_THREADS), &opened(&scratch, &whole)?, MAX_FRAMES_BYTES))?
    else {
        return Ok(Err(ChipProblem::Undecodable));
    };
    let frames = lines.split(|b| *b == b'\n').filter(|line| !line.is_empty() && line[0] != b'#').count();
    if frames != trial::LONG_FRAMES {
        return Ok(Err(ChipProblem::Frames));
    }
    let fps = trial::LONG_FRAMES as f64 / took.as_secs_f64().max(0.001);
    Ok(Ok(Encoded { used, fps: fps as u32 }))
}

/// Through the splitter of live heads: the film as a player would get it.
fn cut(track: &Track, part: &Part, bytes: &[u8]) -> Result<Vec<u8>, ChipProblem> {
    let (mut reader, mut parts, mut segments) = (Reader::default(), Vec::new(), Vec::new());
    reader.feed(bytes, &mut parts).map_err(|_| ChipProblem::Undecodable)?;
    let mut splitter = track::splitter(track, part, 0, Attempt::first(track));
    let mut whole = Vec::new();
    for part in parts {
        match part {
            Read::Init { bytes, timescale } => {
                splitter.opened(timescale).map_err(|_| ChipProblem::Undecodable)?;
                whole = bytes;
            }
            Read::Fragment(samples) => splitter.push(samples, &mut segments).map_err(|_| ChipProblem::KeyFrames)?,
        }
    }
    splitter.finish(&mut segments).map_err(|_| ChipProblem::KeyFrames)?;
    if whole.is_empty() {
        return Err(ChipProblem::Undecodable);
    }
    if !splitter.is_done() {
        return Err(ChipProblem::KeyFrames);
    }
    whole.extend(segments.into_iter().flat_map(|segment| segment.bytes));
    Ok(whole)
}

/// `None` for a step that came to nothing, for whatever reason but that nobody waits any more.
fn run<T>(step: Result<T, Outcome>) -> Result<Option<T>, Outcome> {
    match step {
        Ok(done) => Ok(Some(done)),
        Err(Outcome::Cancelled) => Err(Outcome::Cancelled),
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COST: ChipCost = ChipCost { upload_us: Some(1), whole_us: None, fps: 99 };

    #[test]
    fn drivers_are_tried_in_order_and_the_furthest_says_why_none_works() {
        use ChipProblem::{KeyFrames, NoDevice, NoDriver, NoEncode, TooSlow};
        use VaDriver::{I965, Ihd};
        type Answers = [(VaDriver, Result<(), ChipProblem>)];
        let check = |node: Option<&str>, answers: &Answers, expected: Result<VaDriver, ChipProblem>| {
            let of = |driver| answers.iter().find(|(d, _)| *d == driver).map(|(_, answer)| *answer);
            let found = verdict(
                node,
                |driver| of(driver).is_some(),
                |driver, node| {
                    assert_eq!(node, "/dev/dri/renderD128");
                    Ok(of(driver).unwrap().map(|()| vec![Some(COST)]))
                },
            );
            let expected = match expected {
                Ok(driver) => ChipTest::Works { driver, rungs: vec![Some(COST)] },
                Err(problem) => ChipTest::Failed(problem),
            };
            assert!(found.is_ok_and(|found| found == expected), "{answers:?}");
        };
        let node = Some("/dev/dri/renderD128");
        check(None, &[(I965, Ok(()))], Err(NoDevice));
        check(node, &[], Err(NoDriver));
        check(node, &[(I965, Ok(()))], Ok(I965));
        check(node, &[(Ihd, Ok(()))], Ok(Ihd));
        check(node, &[(I965, Ok(())), (Ihd, Ok(()))], Ok(I965));
        check(node, &[(I965, Err(NoEncode)), (Ihd, Ok(()))], Ok(Ihd));
        check(node, &[(I965, Err(NoEncode)), (Ihd, Err(KeyFrames))], Err(KeyFrames));
        check(node, &[(I965, Err(TooSlow)), (Ihd, Err(NoEncode))], Err(TooSlow));
    }

    #[test]
    fn whoever_leaves_ends_the_test() {
        let left = verdict(Some("/dev/dri/renderD128"), |_| true, |_, _| Err(Outcome::Cancelled));
        assert!(matches!(left, Err(Outcome::Cancelled)));
    }
}
