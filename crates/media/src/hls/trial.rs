//! The film of a calibration, and what is done with it besides being copied and encoded like any
//! film that somebody watches ([`super::args`]).

use super::{
    TICKS,
    args::opening,
    plan::{Cut, Window},
};
use crate::ffmpeg_args::{INPUT, PROTOCOLS, list};

pub const SECONDS: u32 = 2;
/// No film of a calibration is larger.
pub const MAX_BYTES: usize = 16 << 20;
/// 25 frames a second.
const FRAME: u32 = 3600;

/// ffmpeg: a film with movement and grain, as Matroska on standard output. It says that it is HDR,
/// so that its brightness can be brought down; nothing else looks at that.
pub fn film() -> Vec<String> {
    let picture = format!("testsrc2=s=1920x1080:r=25:d={SECONDS},noise=alls=12:allf=t,format=yuv420p");
    let mut args = list(&["-nostdin", "-hide_banner", "-loglevel", "level+error", "-protocol_whitelist", PROTOCOLS]);
    args.extend(list(&["-f", "lavfi", "-i", &picture, "-c:v", "libx264", "-preset", "veryfast"]));
    // The rate of a good film: grain alone would take much more, and its decoding too.
    args.extend(list(&["-b:v", "8M", "-maxrate", "10M", "-bufsize", "10M", "-g", "50", "-threads", "2"]));
    args.extend(list(&["-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc"]));
    args.extend(list(&["-f", "matroska", "pipe:1"]));
    args
}

/// ffmpeg: every frame decoded, and none kept.
pub fn decode(threads: u32) -> Vec<String> {
    let mut args = opening();
    args.extend(["-threads".into(), threads.to_string()]);
    args.extend(list(&["-i", INPUT, "-map", "0:V:0", "-fps_mode", "vfr", "-f", "null", "pipe:1"]));
    args
}

/// How often the film follows itself in the longer one.
const TIMES: u32 = 3;
/// Of the longer film.
pub const LONG_SECONDS: u32 = SECONDS * TIMES;
pub const LONG_FRAMES: usize = (LONG_SECONDS * 25) as usize;

/// ffmpeg: the film three times after itself, as Matroska on standard output: long enough for the
/// speed of a chip, and it costs no encode.
pub fn longer() -> Vec<String> {
    let mut args = opening();
    args.extend(["-stream_loop".into(), (TIMES - 1).to_string()]);
    args.extend(list(&["-i", INPUT, "-map", "0:V:0", "-c", "copy", "-f", "matroska", "pipe:1"]));
    args
}

/// The longer film in segments of a second. Each of them begins where a plan would have it begin,
/// most of them not on key frames of the source.
pub fn long_window() -> Window {
    let end = u64::from(LONG_SECONDS) * TICKS;
    let group = u64::from(SECONDS) * TICKS;
    let cuts = (0..u64::from(LONG_SECONDS)).map(|second| {
        let start = second * TICKS;
        let key = start / group * group;
        Cut { start, key: start, before: key, after: (key + group).min(end), on_key: key == start }
    });
    Window { first: 0, cuts: cuts.collect(), end, is_last: true, shown: end, frame: FRAME, back: 0 }
}

/// ffmpeg: a line for each frame of an encoded film, decoded by the processor. It ends with an error
/// at the first one that cannot be.
pub fn frames(threads: u32) -> Vec<String> {
    let mut args = opening();
    args.extend(["-xerror".into(), "-err_detect".into(), "explode".into(), "-threads".into(), threads.to_string()]);
    args.extend(list(&["-i", INPUT, "-map", "0:V:0", "-fps_mode", "passthrough", "-f", "framecrc", "pipe:1"]));
    args
}

/// All of it, as a plan has it.
pub fn window() -> Window {
    let end = u64::from(SECONDS) * TICKS;
    let cut = Cut { start: 0, key: 0, before: 0, after: end, on_key: true };
    Window { first: 0, cuts: vec![cut], end, is_last: true, shown: end, frame: FRAME, back: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_opened_but_the_film() {
        let made = film().join(" ");
        assert!(made.contains("-protocol_whitelist file,pipe -f lavfi -i testsrc2=s=1920x1080:r=25:d=2,"), "{made}");
        let decoded = decode(2).join(" ");
        assert!(decoded.contains("-threads 2 -i file:/proc/self/fd/0 -map 0:V:0 "), "{decoded}");
        assert!(decoded.ends_with("-f null pipe:1"));
        assert_eq!(window().end / u64::from(FRAME), 50);
        let longer = longer().join(" ");
        assert!(longer.contains("-stream_loop 2 -i file:/proc/self/fd/0 -map 0:V:0 -c copy "), "{longer}");
        assert_eq!(long_window().end / u64::from(FRAME), LONG_FRAMES as u64);
        assert_eq!(long_window().cuts.len(), 6);
        assert!(long_window().cuts.iter().all(|c| c.before <= c.key && c.key < c.after));
    }
}
