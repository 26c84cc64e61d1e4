//! The commands behind HLS, as pure functions: what ffmpeg is asked for, and nothing a name or a
//! viewer could reach. Each flag is there because its absence failed; ADR 11 has the list.

use super::{
    AAC_FRAME, AAC_RATE, TICKS,
    plan::{AudioPlan, Cut, Window},
};
use crate::ffmpeg_args::{FORMATS, INPUT, MAX_STREAMS, PROTOCOLS, decoders, list};

/// Absolute times with zero at the film's start; decode times that are real and not 0 in every
/// run; the init at once and always the same; one fragment a group of pictures, written when it
/// is whole.
const OUT: &[&str] = &[
    "-copyts",
    "-start_at_zero",
    "-avoid_negative_ts",
    "disabled",
    "-flush_packets",
    "1",
    "-map_metadata",
    "-1",
    "-map_chapters",
    "-1",
    "-fflags",
    "+bitexact",
    "-f",
    "mp4",
    "-movflags",
    "+frag_keyframe+empty_moov+default_base_moof+frag_discont+negative_cts_offsets+skip_sidx",
];

/// A smaller picture: its height, and what it may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rung {
    /// Pixels; even.
    pub height: u32,
    /// Thousands of bits a second, at most.
    pub kbps: u32,
    pub preset: Preset,
    pub tone_map: ToneMap,
}

/// How the brightness of HDR is brought down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ToneMap {
    /// The source has none, or every other way has failed.
    None,
    /// By the colours that the film names.
    Named,
    /// As if it named those that nearly every HDR film has: some name their brightness alone, and
    /// the filter gives up on them.
    Bt2020,
}

impl ToneMap {
    /// Returns what is tried where this fails.
    pub const fn fallback(self) -> Option<Self> {
        match self {
            Self::None => None,
            Self::Named => Some(Self::Bt2020),
            Self::Bt2020 => Some(Self::None),
        }
    }
}

/// How much CPU x264 may spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Preset {
    /// While somebody waits.
    Superfast,
    /// Ahead of time.
    Veryfast,
}

impl Preset {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Superfast => "superfast",
            Self::Veryfast => "veryfast",
        }
    }
}

/// The forced key frames that fit into one command; a run is begun anew behind them.
pub const MOST_CUTS: usize = 300;

/// Beginning of every command that copies packets: those without a time get one.
fn copying() -> Vec<String> {
    let mut args = opening();
    args.extend(list(&["-fflags", "+genpts"]));
    args
}

/// Beginning of every command on a film: quiet, no network, only known formats. Decoders know
/// better than a demuxer when pictures are shown whose packets have no time, as those of AVI.
pub(super) fn opening() -> Vec<String> {
    let mut args = list(&["-nostdin", "-hide_banner", "-loglevel", "level+error"]);
    args.extend(list(&["-protocol_whitelist", PROTOCOLS, "-format_whitelist", FORMATS]));
    args.extend(list(&["-codec_whitelist", &decoders(), "-max_streams", MAX_STREAMS]));
    // What cannot be decoded is passed over, however much of a short run it is.
    args.extend(list(&["-max_error_rate", "1"]));
    args
}

pub(super) fn seconds(ticks: u64) -> String {
    let micros = (ticks * 100 + 4) / 9;
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

/// Returns a picture by its number among all of the film's, covers and thumbnails too.
pub(super) fn picture_stream(picture: u32) -> String {
    format!("0:v:{picture}")
}

/// A command that writes one track as fragmented MP4 to standard output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackCommand {
    args: Vec<String>,
}

impl TrackCommand {
    pub fn args(&self) -> &[String] {
        &self.args
    }
}

/// Video as it is, from the window's first cut on. `further_back`: the run before this one began
/// behind the cut.
pub fn copy_video(window: &Window, picture: u32, hevc: bool, further_back: bool) -> TrackCommand {
    let cut = window.cuts[0];
    let mut args = copying();
    // For the first segment no seek at all: even a seek to 0 loses frames in some containers.
    let from = if further_back { window.back } else { cut.before + (cut.key - cut.before) / 2 };
    if window.first > 0 && from > 0 {
        args.extend(["-ss".into(), seconds(from)]);
    }
    args.extend(list(&["-i", INPUT, "-map", &picture_stream(picture), "-c:v", "copy"]));
    if hevc {
        args.extend(list(&["-tag:v", "hvc1"]));
    }
    // VP9 and AV1 in MP4 are "experimental" to old versions.
    args.extend(list(&["-strict", "-2", "-video_track_timescale", "90000"]));
    finish(args)
}

/// Video as H.264 of a rung, with a key frame at every cut of the window.
pub fn encode_video(window: &Window, picture: u32, rung: Rung, threads: u32, further_back: bool) -> TrackCommand {
    let half = u64::from(window.frame / 2);
    let cut = window.cuts[0];
    let mut args = opening();
    args.extend(["-threads".into(), threads.to_string()]);
    if window.first > 0 {
        args.extend(seek_to_decode(cut, half, further_back));
    }
    args.extend(list(&["-i", INPUT, "-map", &picture_stream(picture), "-fps_mode", "vfr"]));
    args.extend(list(&["-enc_time_base", "1:90000"]));
    args.extend(["-filter_threads".into(), "1".into(), "-vf".into(), filters(rung)]);
    args.extend(list(&["-c:v", "libx264", "-preset", rung.preset.as_str()]));
    args.extend(list(&["-profile:v", "high", "-level:v", "4.0", "-pix_fmt", "yuv420p"]));
    let (rate, buffer) = (format!("{}k", rung.kbps), format!("{}k", rung.kbps * 2));
    args.extend(list(&["-crf", "22", "-maxrate", &rate, "-bufsize", &buffer]));
    args.extend(["-threads".into(), threads.to_string()]);
    args.extend(list(&["-sc_threshold", "0", "-g", "9999", "-forced-idr", "1"]));
    args.extend(key_frames(window));
    args.extend(list(&["-video_track_timescale", "90000"]));
    finish(args)
}

/// The first frame at or after each of these becomes a key frame; half a frame of margin so that
/// rounding cannot miss it. One more behind the last: a muxer gives a group away when the next one
/// begins, and the beginning of the last cut's group is what ends the segment before it.
pub(super) fn key_frames(window: &Window) -> [String; 2] {
    let half = u64::from(window.frame / 2);
    let cuts = window.cuts.iter().take(MOST_CUTS);
    let behind = cuts.clone().next_back().filter(|_| !window.is_last).map(|last| last.key + half.max(1));
    let forced = cuts.map(|c| c.key.saturating_sub(half)).chain(behind).map(seconds);
    ["-force_key_frames".into(), forced.collect::<Vec<_>>().join(",")]
}

/// Where the decoder begins. On a key frame of the source nothing before it has to be decoded.
pub(super) fn seek_to_decode(cut: Cut, half: u64, further_back: bool) -> Vec<String> {
    if cut.on_key && !further_back {
        let middle = cut.key + (cut.after - cut.key) / 2;
        return vec!["-noaccurate_seek".into(), "-ss".into(), seconds(middle.min(cut.key + TICKS / 2))];
    }
    let from = if further_back { cut.before } else { cut.key.saturating_sub(half) };
    vec!["-ss".into(), seconds(from)]
}

fn filters(rung: Rung) -> String {
    let height = rung.height & !1;
    let width = width(height);
    let colours = match rung.tone_map {
        ToneMap::None => {
            return format!("bwdif=deint=interlaced,scale=w='{width}':h={height}:flags=fast_bilinear,setsar=1");
        }
        ToneMap::Named => "",
        ToneMap::Bt2020 => "setparams=color_primaries=bt2020:colorspace=bt2020nc,",
    };
    format!(
        "{colours}zscale=w='{width}':h={height},zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,\
         tonemap=tonemap=hable:desat=0,zscale=t=bt709:m=bt709:r=tv,format=yuv420p,setsar=1"
    )
}

/// Returns the width of a picture of this height in its display shape, in square pixels, as an expression
/// of ffmpeg's scalers: even, and none that a header made up.
pub(super) fn width(height: u32) -> String {
    format!("clip(2*trunc({height}*dar/2+0.5),16,4096)")
}

/// Sound as stereo AAC from segment `number` on.
pub fn encode_audio(track: u8, number: u32, plan: AudioPlan) -> TrackCommand {
    // A few frames early: the encoder's first frames would be heard as a seam.
    let grid = (u64::from(number.min(plan.len())) * AudioPlan::STEP / AAC_FRAME).saturating_sub(4);
    let sample = grid * AAC_FRAME;
    let mut args = opening();
    if grid > 0 {
        args.extend(["-ss".into(), seconds(sample * TICKS / AAC_RATE)]);
    }
    args.extend(list(&["-i", INPUT, "-map"]));
    args.push(format!("0:a:{track}"));
    // Two steps, because `first_pts` counts at the rate that comes in.
    args.extend(["-af".into(), format!("aresample=48000,aresample=async=1:first_pts={sample},apad")]);
    args.extend(list(&["-c:a", "aac", "-ac", "2", "-b:a", "160k", "-threads", "1"]));
    finish_audio(args)
}

/// Sound as it is from segment `number` on.
pub fn copy_audio(track: u8, number: u32) -> TrackCommand {
    let start = u64::from(number) * AudioPlan::STEP * TICKS / AAC_RATE;
    let mut args = copying();
    if number > 0 {
        args.extend(["-ss".into(), seconds(start.saturating_sub(TICKS / 2))]);
    }
    args.extend(list(&["-i", INPUT, "-map"]));
    args.push(format!("0:a:{track}"));
    args.extend(list(&["-c:a", "copy"]));
    finish_audio(args)
}

/// The first frame of a copied picture, for its init segment.
pub fn init_copy_video(picture: u32, hevc: bool) -> TrackCommand {
    one_frame(copy_video(&beginning(), picture, hevc, false))
}

/// The first frame of an encoded picture, for its init segment.
pub fn init_encode_video(picture: u32, rung: Rung) -> TrackCommand {
    one_frame(encode_video(&beginning(), picture, rung, 1, false))
}

/// The first packets of copied sound, for its init segment.
pub fn init_copy_audio(track: u8) -> TrackCommand {
    short(copy_audio(track, 0))
}

/// The first packets of encoded sound, for its init segment.
pub fn init_encode_audio(track: u8) -> TrackCommand {
    let mut command = short(encode_audio(track, 0, AudioPlan { end: AAC_RATE }));
    for arg in &mut command.args {
        // Silence without end would never be done.
        if let Some(filter) = arg.strip_suffix(",apad") {
            *arg = filter.into();
        }
    }
    command
}

pub(super) fn beginning() -> Window {
    let cut = Cut { start: 0, key: 0, before: 0, after: TICKS, on_key: true };
    Window { first: 0, cuts: vec![cut], end: TICKS, is_last: false, shown: TICKS, frame: 3000, back: 0 }
}

pub(super) fn one_frame(command: TrackCommand) -> TrackCommand {
    limit(command, &["-frames:v", "1"])
}
fn short(command: TrackCommand) -> TrackCommand {
    limit(command, &["-t", "0.1"])
}
/// Output options go before the output.
fn limit(mut command: TrackCommand, options: &[&str]) -> TrackCommand {
    let at = command.args.len() - 1;
    command.args.splice(at..at, list(options));
    command
}

fn finish_audio(mut args: Vec<String>) -> TrackCommand {
    args.extend(list(&["-frag_duration", "500000"]));
    finish(args)
}

pub(super) fn finish(mut args: Vec<String>) -> TrackCommand {
    args.extend(list(OUT));
    args.push("pipe:1".into());
    TrackCommand { args }
}

/// ffprobe: the film's start, and codec, start, length and rate of every stream.
pub fn index_streams() -> Vec<String> {
    let mut args = list(&["-hide_banner", "-v", "level+error", "-protocol_whitelist", PROTOCOLS]);
    args.extend(list(&["-format_whitelist", FORMATS, "-codec_whitelist", &decoders(), "-max_streams", MAX_STREAMS]));
    args.extend(list(&["-threads", "1", "-fflags", "+genpts", "-show_entries"]));
    args.push("format=format_name,start_time,duration:stream=codec_type,codec_name,has_b_frames,start_time,duration,sample_rate:stream_tags=DURATION:stream_disposition=attached_pic".into());
    args.extend(list(&["-of", "json=compact=1", "-i", INPUT]));
    args
}

/// ffprobe: time and flags of every packet of the picture.
pub fn index_packets(picture: u32) -> Vec<String> {
    let mut args = list(&["-hide_banner", "-v", "level+error", "-protocol_whitelist", PROTOCOLS]);
    args.extend(list(&["-format_whitelist", FORMATS, "-codec_whitelist", &decoders(), "-max_streams", MAX_STREAMS]));
    args.extend(list(&["-threads", "1", "-fflags", "+genpts", "-select_streams", &format!("v:{picture}")]));
    args.extend(list(&["-show_entries", "packet=pts_time,flags", "-of", "csv=p=0", "-i", INPUT]));
    args
}

/// ffmpeg: the packets of H.264 that hold an IDR picture, as `framecrc` lines.
pub fn index_idr(picture: u32) -> Vec<String> {
    let mut args = list(&["-nostdin", "-hide_banner", "-loglevel", "level+error"]);
    args.extend(list(&["-protocol_whitelist", PROTOCOLS, "-format_whitelist", FORMATS]));
    args.extend(list(&["-codec_whitelist", &decoders(), "-max_streams", MAX_STREAMS, "-fflags", "+genpts"]));
    // Skipping the frames in between would be faster; but then ffmpeg guesses the times of key
    // frames in MP4 from frames that it does not see, and guesses wrong where there are B-frames.
    args.extend(list(&["-i", INPUT, "-map", &picture_stream(picture), "-c", "copy", "-copyts"]));
    args.extend(list(&["-bsf:v", "filter_units=pass_types=5", "-f", "framecrc", "pipe:1"]));
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(first: u32) -> Window {
        let cut = Cut { start: 360_000, key: 360_000, before: 180_000, after: 540_000, on_key: true };
        Window {
            first,
            cuts: vec![cut, Cut { start: 540_000, key: 540_000, ..cut }],
            end: 720_000,
            is_last: true,
            shown: 720_000,
            frame: 3750,
            back: 90_000,
        }
    }
    fn text(command: &TrackCommand) -> String {
        command.args().join(" ")
    }
    const RUNG: Rung = Rung { height: 480, kbps: 1200, preset: Preset::Superfast, tone_map: ToneMap::None };

    #[test]
    fn copies_seek_into_the_group_before() {
        let command = text(&copy_video(&window(3), 1, true, false));
        assert!(
            command.contains("-fflags +genpts -ss 3.000000 -i file:/proc/self/fd/0 -map 0:v:1 -c:v copy -tag:v hvc1")
        );
        assert!(command.ends_with("+skip_sidx pipe:1"));
        assert!(text(&copy_video(&window(3), 0, false, true)).contains("-ss 1.000000 -i"));
        assert!(!text(&copy_video(&window(0), 0, false, false)).contains("-ss"));
    }

    #[test]
    fn encodes_force_a_key_frame_at_every_cut() {
        let command = text(&encode_video(&window(3), 0, RUNG, 2, false));
        assert!(command.contains("-noaccurate_seek -ss 4.500000 -i"), "{command}");
        assert!(command.contains("-force_key_frames 3.979167,5.979167 "), "{command}");
        let width = "w='clip(2*trunc(480*dar/2+0.5),16,4096)'";
        let scaled = format!("-vf bwdif=deint=interlaced,scale={width}:h=480:flags=fast_bilinear,setsar=1 ");
        assert!(command.contains(&scaled), "{command}");
        let goes_on = Window { is_last: false, ..window(3) };
        let command = text(&encode_video(&goes_on, 0, RUNG, 2, false));
        assert!(
            command.contains("-force_key_frames 3.979167,5.979167,6.020833 "),
            "the last group is given away: {command}"
        );
        let mut inside = window(3);
        inside.cuts[0].on_key = false;
        assert!(text(&encode_video(&inside, 0, RUNG, 2, false)).contains("-threads 2 -ss 3.979167 -i"));
        let mapped = |tone_map| text(&encode_video(&window(0), 0, Rung { tone_map, ..RUNG }, 2, false));
        let hdr = mapped(ToneMap::Named);
        assert!(hdr.contains(&format!("-vf zscale={width}:h=480,")) && hdr.contains("tonemap=hable"), "{hdr}");
        assert!(!hdr.contains("-ss"));
        let unnamed = mapped(ToneMap::Bt2020);
        assert!(unnamed.contains("-vf setparams=color_primaries=bt2020:colorspace=bt2020nc,zscale="), "{unnamed}");
        let tried: Vec<_> = std::iter::successors(Some(ToneMap::Named), |way| way.fallback()).collect();
        assert_eq!(tried, [ToneMap::Named, ToneMap::Bt2020, ToneMap::None]);
    }

    #[test]
    fn sound_begins_four_frames_early_on_the_grid() {
        let plan = AudioPlan::new(100 * TICKS);
        assert!(text(&encode_audio(1, 2, plan)).contains("-ss 5.930667 -i file:/proc/self/fd/0 -map 0:a:1 -af aresample=48000,aresample=async=1:first_pts=284672,apad"));
        assert!(!text(&encode_audio(0, 0, plan)).contains("-ss"));
        assert!(text(&copy_audio(0, 1)).contains("-ss 2.508000 -i"));
    }

    #[test]
    fn no_command_can_leave_the_film() {
        let plan = AudioPlan::new(TICKS);
        let all = [
            copy_video(&window(1), 0, false, false),
            encode_video(&window(1), 0, RUNG, 1, false),
            encode_audio(0, 0, plan),
            copy_audio(0, 0),
        ];
        for args in all.iter().map(TrackCommand::args).chain([&index_streams()[..], &index_packets(0), &index_idr(0)]) {
            let at = args.iter().position(|a| a == "-protocol_whitelist").unwrap();
            assert_eq!(args[at + 1], "file,pipe");
            assert!(at < args.iter().position(|a| a == "-i").unwrap());
            assert_eq!(args.iter().filter(|a| *a == "-i").count(), 1);
        }
    }
}
