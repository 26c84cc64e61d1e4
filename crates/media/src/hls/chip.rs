//! Live encodes by the graphics chip over VA-API, as commands. Every frame goes through the chip's
//! own scaler; what comes before it depends on who decodes.

use super::args::{
    Rung, TrackCommand, beginning, finish, key_frames, one_frame, opening, picture_stream, seek_to_decode, width,
};
use super::plan::Window;
use crate::ffmpeg_args::{INPUT, list};
use domain::chip::VaDriver;

/// The chip of one loge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chip<'a> {
    /// Absolute path of its render node.
    pub node: &'a str,
    /// Said, so that libva does not guess.
    pub driver: VaDriver,
    /// Whether it decodes the film too.
    pub decodes: bool,
}

/// Video as H.264 of a rung, with a key frame at every cut of the window. `rung.preset` and
/// `rung.tone_map` mean nothing here: a chip knows neither.
pub fn encode_video(
    window: &Window,
    picture: u32,
    rung: Rung,
    chip: Chip<'_>,
    threads: u32,
    further_back: bool,
) -> TrackCommand {
    let half = u64::from(window.frame / 2);
    let mut args = opening();
    args.extend(["-init_hw_device".into(), format!("vaapi=va:{},driver={}", chip.node, chip.driver.as_str())]);
    args.extend(list(&["-filter_hw_device", "va"]));
    if chip.decodes {
        args.extend(list(&["-hwaccel", "vaapi", "-hwaccel_device", "va", "-hwaccel_output_format", "vaapi"]));
    }
    args.extend(["-threads".into(), threads.to_string()]);
    if window.first > 0 {
        args.extend(seek_to_decode(window.cuts[0], half, further_back));
    }
    args.extend(list(&["-i", INPUT, "-map", &picture_stream(picture), "-fps_mode", "vfr"]));
    args.extend(list(&["-enc_time_base", "1:90000"]));
    args.extend(["-filter_threads".into(), "1".into(), "-vf".into(), filters(rung, chip.decodes)]);
    args.extend(list(&["-c:v", "h264_vaapi", "-profile:v", "high", "-level", "40"]));
    // A constant rate: with a variable one the picture of the oldest chips turns blocky. No
    // B-frames: they have none, and each would move decode times.
    let (rate, buffer) = (format!("{}k", rung.kbps), format!("{}k", rung.kbps * 2));
    args.extend(list(&["-rc_mode", "CBR", "-b:v", &rate, "-maxrate", &rate, "-bufsize", &buffer]));
    args.extend(list(&["-bf", "0", "-g", "9999"]));
    args.extend(key_frames(window));
    args.extend(list(&["-video_track_timescale", "90000"]));
    finish(args)
}

/// The first frame, for the init segment.
pub fn init_encode_video(picture: u32, rung: Rung, chip: Chip<'_>) -> TrackCommand {
    one_frame(encode_video(&beginning(), picture, rung, chip, 1, false))
}

/// A chip that does not decode this film after all hands over plain frames, which are then uploaded
/// like any other.
fn filters(rung: Rung, decodes: bool) -> String {
    let before = if decodes { "format=nv12|vaapi" } else { "bwdif=deint=interlaced,format=nv12" };
    let height = rung.height & !1;
    format!("{before},hwupload,scale_vaapi=w='{}':h={height}:format=nv12,setsar=1", width(height))
}

#[cfg(test)]
mod tests {
    use super::super::{
        args::{Preset, ToneMap},
        plan::Cut,
        trial,
    };
    use super::*;

    const RUNG: Rung = Rung { height: 720, kbps: 2800, preset: Preset::Superfast, tone_map: ToneMap::None };
    const CHIP: Chip<'_> = Chip { node: "/dev/dri/renderD128", driver: VaDriver::I965, decodes: false };

    fn window(first: u32) -> Window {
        let cut = Cut { start: 360_000, key: 360_000, before: 180_000, after: 540_000, on_key: true };
        let cuts = vec![cut, Cut { start: 540_000, key: 540_000, ..cut }];
        Window { first, cuts, end: 720_000, is_last: true, shown: 720_000, frame: 3750, back: 90_000 }
    }
    fn text(command: &TrackCommand) -> String {
        command.args().join(" ")
    }

    #[test]
    fn the_command_is_exactly_this() {
        let uploaded = text(&encode_video(&window(3), 0, RUNG, CHIP, 2, false));
        let (_, ours) = uploaded.split_once(" -max_error_rate 1 ").unwrap();
        let (ours, _) = ours.split_once(" -copyts ").unwrap();
        assert_eq!(
            ours,
            "-init_hw_device vaapi=va:/dev/dri/renderD128,driver=i965 -filter_hw_device va -threads 2 \
             -noaccurate_seek -ss 4.500000 -i file:/proc/self/fd/0 -map 0:v:0 -fps_mode vfr -enc_time_base 1:90000 \
             -filter_threads 1 -vf bwdif=deint=interlaced,format=nv12,hwupload,scale_vaapi=w='clip(2*trunc(720*dar/2+0.5),16,4096)':h=720:format=nv12,setsar=1 \
             -c:v h264_vaapi -profile:v high -level 40 -rc_mode CBR -b:v 2800k -maxrate 2800k -bufsize 5600k -bf 0 -g 9999 \
             -force_key_frames 3.979167,5.979167 -video_track_timescale 90000"
        );
        assert!(uploaded.ends_with("+skip_sidx pipe:1"));
    }

    #[test]
    fn who_decodes_and_which_driver_are_said() {
        let check = |driver, decodes, device: &str, filters: &str| {
            let command = text(&encode_video(&window(0), 0, RUNG, Chip { driver, decodes, ..CHIP }, 2, false));
            assert!(command.contains(&format!("-init_hw_device vaapi=va:/dev/dri/renderD128,driver={device} ")));
            let hwaccel = "-hwaccel vaapi -hwaccel_device va -hwaccel_output_format vaapi -threads 2 -i ";
            assert_eq!(command.contains(hwaccel), decodes, "{command}");
            assert_eq!(command.contains("-hwaccel"), decodes);
            assert!(
                command.contains(&format!(
                    "-vf {filters},hwupload,scale_vaapi=w='clip(2*trunc(720*dar/2+0.5),16,4096)':h=720:format=nv12,"
                )),
                "{command}"
            );
            assert!(!command.contains("-ss "), "no seek for the first segment");
        };
        let (fields, frames) = ("bwdif=deint=interlaced,format=nv12", "format=nv12|vaapi");
        check(VaDriver::I965, false, "i965", fields);
        check(VaDriver::I965, true, "i965", frames);
        check(VaDriver::Ihd, false, "iHD", fields);
        check(VaDriver::Ihd, true, "iHD", frames);
    }

    #[test]
    fn the_init_is_one_frame_and_nothing_but_the_film_is_opened() {
        let init = text(&init_encode_video(0, RUNG, CHIP));
        assert!(init.ends_with(" -frames:v 1 pipe:1") && init.contains("-c:v h264_vaapi"), "{init}");
        for command in [init_encode_video(0, RUNG, CHIP), encode_video(&trial::long_window(), 0, RUNG, CHIP, 2, false)]
        {
            let args = command.args();
            let at = |name: &str| args.iter().position(|a| a == name).unwrap();
            assert_eq!(args[at("-protocol_whitelist") + 1], "file,pipe");
            assert!(at("-protocol_whitelist") < at("-i"));
            assert_eq!(args.iter().filter(|a| *a == "-i").count(), 1);
        }
    }
}
