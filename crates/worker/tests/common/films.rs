//! Films made for a test, and somebody who asks the worker for their segments.

use super::{House, head, job, put};
use contract::{Encoder, Job, PlanPart, PlannedCut, RequestBody, Rung, Status, Track, Wanted};
use media::hls::{
    AAC_RATE, TICKS,
    fmp4::{Part, Reader, Sample},
    index::KeyframeIndex,
    plan::{AudioPlan, VideoPlan},
};
use std::{
    io::Read,
    os::unix::net::UnixStream,
    process::{Command, Stdio},
};

pub const H264: &[&str] = &["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"];
pub const AAC: &[&str] = &["-c:a", "aac", "-b:a", "96k"];
pub const AC3: &[&str] = &["-c:a", "ac3", "-b:a", "192k"];
pub const MAX: u32 = 96 << 20;
pub const RUNG: Rung = Rung { height: 180, kbps: 400, unhurried: false, tone_map: false, encoder: Encoder::Processor };

/// A film of 24 s with a flash and a beep every second, made as `out` says.
pub fn film(house: &House, name: &str, inputs: &[&str], out: &[&str]) {
    let picture = "testsrc2=s=320x180:r=24,drawbox=enable='lt(mod(t,1),0.05)':color=white:t=fill";
    let sound = "sine=f=440:r=48000,volume='if(lt(mod(t,1),0.05),1,0.02)':eval=frame";
    let mut args = vec!["-nostdin", "-v", "error", "-y"];
    args.extend(inputs);
    args.extend(["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound, "-t", "24"]);
    args.extend(out);
    let path = house.library.join(name);
    args.push(path.to_str().unwrap());
    ffmpeg(&args);
}

#[expect(clippy::disallowed_methods, reason = "films are made with the program that people make them with")]
pub fn ffmpeg(args: &[&str]) {
    let done = Command::new("ffmpeg").args(args).output().unwrap();
    assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
}

#[expect(clippy::disallowed_methods, reason = "the judge is the reference program")]
pub fn output(program: &str, args: &[&str]) -> (String, String) {
    let done = Command::new(program).args(args).stdin(Stdio::null()).output().unwrap();
    (String::from_utf8_lossy(&done.stdout).into_owned(), String::from_utf8_lossy(&done.stderr).into_owned())
}

pub fn take(stream: &mut UnixStream, length: u64) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(length).unwrap()];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

pub fn index_job(house: &mut House, name: &str) -> (Status, Vec<u8>) {
    let mut data = house.dial(200);
    job(&mut data, 1, Job::Index { file: house.file(name.as_bytes(), None), picture: 0 }, 8 << 20, 60_000)
}

pub fn index(house: &mut House, name: &str) -> KeyframeIndex {
    let (status, bytes) = index_job(house, name);
    assert_eq!(status, Status::Ok, "{name}: {}", String::from_utf8_lossy(&bytes));
    KeyframeIndex::from_bytes(&bytes).unwrap()
}

pub struct Asker<'a> {
    pub house: &'a mut House,
    data: UnixStream,
    next: u64,
}

impl<'a> Asker<'a> {
    pub fn new(house: &'a mut House, mark: u8) -> Self {
        let data = house.dial(mark);
        Self { house, data, next: 1 }
    }
    pub fn ask(&mut self, body: RequestBody) -> Result<Vec<u8>, Status> {
        self.next += 1;
        put(&mut self.data, self.next, body);
        let head = head(&mut self.data);
        let bytes = take(&mut self.data, head.length);
        if head.status == Status::Ok { Ok(bytes) } else { Err(head.status) }
    }
    /// Returns how asking for the first segment ends, and what is said of it.
    pub fn refusal(&mut self, name: &str, track: &Track, plan: &Plan) -> (Status, String) {
        let file = self.house.file(name.as_bytes(), None);
        let wanted = Wanted { number: 0, ahead: 0, plan: plan.part(0) };
        self.next += 1;
        put(&mut self.data, self.next, RequestBody::Segment { file, track: track.clone(), wanted, max_bytes: MAX });
        let head = head(&mut self.data);
        let text = take(&mut self.data, head.length);
        (head.status, String::from_utf8(text).unwrap())
    }
    pub fn init(&mut self, name: &str, track: &Track) -> Vec<u8> {
        let file = self.house.file(name.as_bytes(), None);
        let body = RequestBody::Init { file, track: track.clone(), max_bytes: 1 << 20 };
        self.ask(body).unwrap_or_else(|e| panic!("{name} {track:?}: init: {e:?}"))
    }
    pub fn segment(&mut self, name: &str, track: &Track, plan: &Plan, number: u32) -> Result<Vec<u8>, Status> {
        let file = self.house.file(name.as_bytes(), None);
        let wanted = Wanted { number, ahead: 3, plan: plan.part(number) };
        self.ask(RequestBody::Segment { file, track: track.clone(), wanted, max_bytes: MAX })
    }
}

#[derive(Clone)]
pub enum Plan {
    Video(VideoPlan),
    Audio(AudioPlan),
}

impl Plan {
    pub fn part(&self, number: u32) -> PlanPart {
        match self {
            // Small windows, so that runs have to be told more as they go, or end.
            Self::Video(plan) => {
                let window = plan.window(number, 4).unwrap();
                let cuts = window.cuts.iter().map(|c| PlannedCut {
                    start: c.start,
                    key: c.key,
                    before: c.before,
                    after: c.after,
                    on_key: c.on_key,
                });
                PlanPart::Video {
                    cuts: cuts.collect(),
                    end: window.end,
                    is_last: window.is_last,
                    shown: window.shown,
                    frame: window.frame,
                    back: window.back,
                }
            }
            Self::Audio(plan) => PlanPart::Audio { end: plan.end },
        }
    }
    pub fn len(&self) -> u32 {
        match self {
            Self::Video(plan) => plan.len(),
            Self::Audio(plan) => plan.len(),
        }
    }
    /// Starts in seconds.
    pub fn starts(&self) -> Vec<f64> {
        match self {
            Self::Video(plan) => plan.cuts.iter().map(|c| c.start as f64 / TICKS as f64).collect(),
            Self::Audio(plan) => {
                (0..plan.len()).map(|n| u64::from(n) * AudioPlan::STEP).map(|s| s as f64 / AAC_RATE as f64).collect()
            }
        }
    }
}

pub fn samples(init: &[u8], segment: &[u8]) -> (u32, Vec<Sample>) {
    let mut parts = Vec::new();
    Reader::default().feed(&[init, segment].concat(), &mut parts).unwrap();
    let mut scale = 0;
    let mut all = Vec::new();
    for part in parts {
        match part {
            Part::Init { timescale, .. } => scale = timescale,
            Part::Fragment(samples) => all.extend(samples),
        }
    }
    (scale, all)
}
