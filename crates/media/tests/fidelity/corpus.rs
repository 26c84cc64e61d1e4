//! Films of every kind that a household has, and of some that it has not, as ffmpeg makes them.
//! What is drawn by lot is drawn from a fixed seed: everybody has the same films.

/// May the walk decline?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum May {
    /// It has to know everything.
    No,
    /// A class that is left to ffprobe on purpose.
    Unsure,
}
use May::{No, Unsure};

pub struct Film {
    pub name: String,
    /// Between the inputs and the name. `WORDS`, `CHAPTERS` and `COVER` are files that exist.
    pub arguments: String,
    pub may: May,
}

const X264: &str = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p";
const AAC: &str = "-c:a aac";
const DRAWN: u64 = 200;

pub fn corpus() -> Vec<Film> {
    let mut out = Films(Vec::new());
    out.everywhere();
    out.two_families();
    out.avi();
    out.single();
    let mut lot = Lot(0x10_9e);
    for number in 0..DRAWN {
        out.drawn(number, &mut lot);
    }
    out.0
}

struct Films(Vec<Film>);

impl Films {
    fn add(&mut self, name: &str, arguments: &str, may: May) {
        let arguments = arguments.replace("X264", X264).replace("AAC", AAC);
        self.0.push(Film { name: name.into(), arguments, may });
    }

    fn everywhere(&mut self) {
        for container in ["mp4", "mov", "mkv", "m4v"] {
            let muxer = if container == "m4v" { "-f mp4" } else { "" };
            let mut each = |what: &str, arguments: &str| {
                self.add(&format!("{what}.{container}"), &format!("{arguments} {muxer}"), No);
            };
            each("plain", "X264 AAC");
            each("high", "-c:v libx264 -preset veryfast -profile:v high -level 4.1 -pix_fmt yuv420p AAC -ac 6");
            each("baseline", "-c:v libx264 -profile:v baseline -pix_fmt yuv420p AAC -ac 1");
            each("main", "-c:v libx264 -profile:v main -pix_fmt yuv420p AAC -ar 44100");
            each("ten", "-c:v libx264 -preset ultrafast -pix_fmt yuv420p10le AAC");
            each("wide", "-c:v libx264 -preset ultrafast -pix_fmt yuv422p AAC");
            each("full", "-c:v libx264 -preset ultrafast -pix_fmt yuvj420p AAC");
            each("rate", "X264 -r 24000/1001 AAC");
            each("fast", "X264 -r 60000/1001 AAC");
            each("slow", "X264 -r 12.5 AAC");
            each("crop", "X264 -vf scale=66:38 AAC");
            each("bt709", "X264 -color_trc bt709 -color_primaries bt709 -colorspace bt709 AAC");
            each("lang", "X264 AAC -metadata:s:a:0 language=ger -metadata:s:v:0 language=eng");
            each("silent", "X264 -an");
            each(
                "two",
                "X264 AAC -map 0:v -map 1:a -map 1:a -metadata:s:a:1 language=fre -disposition:a:0 0 -disposition:a:1 default",
            );
            each("ac3", "X264 -c:a ac3 -ac 6");
            each("eac3", "X264 -c:a eac3");
            each("sar", "X264 -aspect 4:3 AAC");
            each("bframes", "-c:v libx264 -preset medium -bf 3 -pix_fmt yuv420p AAC");
            each("late", "X264 AAC -output_ts_offset 0.7");
            each("alac", "X264 -c:a alac");
            each("mpeg4", "-c:v mpeg4 AAC");
            each("mpeg4b", "-c:v mpeg4 -bf 2 AAC -ac 1");
            each("chapters", "-i CHAPTERS -map 0:v -map 1:a -map_chapters 2 X264 AAC");
            each("anamorphic", "X264 -vf scale=72:58,setsar=64/45 -color_primaries bt470bg AAC");
            let fields = "-c:v libx264 -preset ultrafast -flags +ilme+ildct -pix_fmt yuv420p -vf scale=64:64 AAC";
            self.add(&format!("interlaced.{container}"), &format!("{fields} {muxer}"), Unsure);
        }
    }

    fn two_families(&mut self) {
        for container in ["mp4", "mkv"] {
            let mut each = |what: &str, arguments: &str, may| self.add(&format!("{what}.{container}"), arguments, may);
            let x265 = "-c:v libx265 -preset ultrafast -x265-params log-level=none";
            each("hevc", &format!("{x265} -pix_fmt yuv420p -tag:v hvc1 AAC"), No);
            each("hevc10", &format!("{x265} -pix_fmt yuv420p10le -tag:v hvc1 AAC"), No);
            let hdr = "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:hdr10=1";
            let named = "-color_trc smpte2084 -color_primaries bt2020 -colorspace bt2020nc";
            each("hdr", &format!("{x265}:{hdr} -pix_fmt yuv420p10le {named} -tag:v hvc1 AAC"), No);
            let hlg = "transfer=arib-std-b67 -pix_fmt yuv420p10le -color_trc arib-std-b67";
            each("hlg", &format!("{x265}:{hlg} -tag:v hvc1 AAC"), No);
            each("hevccrop", &format!("{x265} -vf scale=100:50 -pix_fmt yuv420p AAC"), No);
            each("opus", "X264 -c:a libopus", No);
            each("flac", "X264 -c:a flac -strict -2", No);
            each("mp3", "X264 -c:a libmp3lame", No);
            each("mp3mono", "X264 -c:a libmp3lame -ac 1 -ar 22050", No);
            each("mp2", "X264 -c:a mp2", No);
            each("mp2mono", "X264 -c:a mp2 -ac 1 -ar 24000", No);
            each("vp9in", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -pix_fmt yuv420p AAC", No);
            each("av1in", "-c:v libaom-av1 -cpu-used 8 -usage realtime -pix_fmt yuv420p -c:a libopus", No);
            each("dts", "X264 -c:a dca -strict -2 -ac 2", if container == "mkv" { No } else { Unsure });
            each("dts51", "X264 -c:a dca -strict -2 -ac 6", if container == "mkv" { No } else { Unsure });
            each("low", "X264 -c:a aac -ar 22050", Unsure);
            let text = if container == "mp4" { "mov_text" } else { "srt" };
            let named = "-metadata:s:s:0 language=ger -disposition:s:0 forced";
            each("words", &format!("-i WORDS -map 0:v -map 1:a -map 2:s X264 AAC -c:s {text} {named}"), No);
            let all = "-i WORDS -i CHAPTERS -map 0:v -map 1:a -map 2:s -map_chapters 3";
            each("wordchapters", &format!("{all} X264 AAC -c:s {text}"), No);
        }
        for container in ["mov", "mkv", "avi"] {
            let mut each = |what: &str, arguments: &str, may| self.add(&format!("{what}.{container}"), arguments, may);
            for format in ["yuvj420p", "yuvj422p", "yuvj444p"] {
                each(&format!("mjpeg-{format}"), &format!("-c:v mjpeg -pix_fmt {format} -c:a pcm_s16le"), No);
            }
            each("camera", "-c:v mjpeg -pix_fmt yuvj422p -c:a pcm_u8 -ar 11025 -ac 1", No);
        }
    }

    fn avi(&mut self) {
        let mut each = |what: &str, arguments: &str, may| self.add(&format!("{what}.avi"), arguments, may);
        let mp3 = "-c:a libmp3lame";
        each("plain", &format!("-c:v mpeg4 {mp3}"), No);
        for tag in ["XVID", "DX50", "DIVX", "divx", "xvid", "MP4V"] {
            each(&format!("tag-{tag}"), &format!("-c:v mpeg4 -vtag {tag} {mp3}"), No);
        }
        each("xvid", &format!("-c:v libxvid {mp3}"), No);
        each("xvidb", &format!("-c:v libxvid -bf 2 {mp3} -b:a 96k"), No);
        each("packed", &format!("-c:v libxvid -bf 1 -vtag XVID {mp3}"), No);
        each("global", &format!("-c:v mpeg4 -flags +global_header {mp3}"), No);
        each("bframes", &format!("-c:v mpeg4 -bf 2 {mp3}"), No);
        each("qpel", &format!("-c:v mpeg4 -flags +qpel -vtag XVID {mp3}"), No);
        each("interlaced", &format!("-c:v mpeg4 -flags +ilme+ildct -vf scale=64:64 {mp3}"), No);
        each("wide", &format!("-c:v mpeg4 -aspect 16:9 {mp3}"), No);
        each("odd", &format!("-c:v mpeg4 -vf scale=98:50 {mp3}"), No);
        each("profile", &format!("-c:v mpeg4 -profile:v 15 -level 5 {mp3}"), No);
        each("simple", &format!("-c:v mpeg4 -profile:v 0 -level 8 {mp3}"), No);
        each("div3", &format!("-c:v msmpeg4 {mp3}"), No);
        each("mp42", &format!("-c:v msmpeg4v2 {mp3}"), No);
        each("h264", &format!("X264 {mp3}"), No);
        each("h264b", &format!("-c:v libx264 -bf 3 -pix_fmt yuv420p {mp3}"), No);
        each(
            "h264i",
            &format!("-c:v libx264 -preset ultrafast -flags +ilme+ildct -pix_fmt yuv420p -vf scale=64:64 {mp3}"),
            Unsure,
        );
        each("cinepak", &format!("-c:v cinepak -vf scale=64:64 {mp3}"), No);
        each("vbr", &format!("-c:v mpeg4 {mp3} -q:a 4"), No);
        each("mono", &format!("-c:v mpeg4 {mp3} -ac 1 -ar 22050"), No);
        each("low", &format!("-c:v mpeg4 {mp3} -ac 2 -ar 11025"), No);
        each("44", &format!("-c:v mpeg4 {mp3} -ar 44100 -joint_stereo 0"), No);
        each("mp2", "-c:v mpeg4 -c:a mp2", No);
        each("ac3", "-c:v mpeg4 -vtag XVID -c:a ac3 -ac 6", No);
        each("ac3mono", "-c:v mpeg4 -vtag XVID -c:a ac3 -ac 1 -ar 44100", No);
        each("pcm", "-c:v mpeg4 -c:a pcm_s16le", No);
        each("pcm24", "-c:v mpeg4 -c:a pcm_s24le", No);
        each("aac", "-c:v mpeg4 AAC", No);
        each("adpcm", "-c:v mpeg4 -c:a adpcm_ms", No);
        each("ima", "-c:v mpeg4 -c:a adpcm_ima_wav", No);
        each("alaw", "-c:v mpeg4 -c:a pcm_alaw -ac 1 -ar 8000", No);
        each("silent", "-c:v mpeg4 -an", No);
        each("two", &format!("-c:v mpeg4 {mp3} -map 0:v -map 1:a -map 1:a -metadata:s:a:1 title=Kommentar"), No);
        each("sounds", "-c:v mpeg4 -map 0:v -map 1:a -map 1:a -c:a:0 libmp3lame -c:a:1 ac3", No);
        each("first", &format!("-map 1:a -map 0:v -c:v mpeg4 {mp3}"), No);
        each(
            "title",
            &format!("-c:v mpeg4 {mp3} -metadata title=Film -metadata:s:v:0 title=Bild -metadata artist=x"),
            No,
        );
        for rate in
            ["24000/1001", "23.976", "23.98", "29.97", "30000/1001", "30", "50", "12.5", "15", "14.985", "1000/66.667"]
        {
            each(&format!("rate-{}", rate.replace('/', "-")), &format!("-c:v mpeg4 -r {rate} {mp3}"), No);
        }
        each("short", &format!("-c:v mpeg4 {mp3} -frames:v 2"), No);
        each("huff", &format!("-c:v huffyuv {mp3}"), Unsure);
        each("raw", &format!("-c:v rawvideo -pix_fmt yuv420p {mp3}"), Unsure);
        each("ffv1", &format!("-c:v ffv1 {mp3}"), Unsure);
        each("wmv", "-c:v wmv2 -c:a wmav2", Unsure);
        each("mpeg2", "-c:v mpeg2video -c:a mp2", Unsure);
        each("vorbis", "-c:v mpeg4 -c:a libvorbis", Unsure);
    }

    fn single(&mut self) {
        let vp9 = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8";
        for (name, arguments, may) in [
            ("vp8.webm", "-c:v libvpx -deadline realtime -c:a libvorbis", No),
            ("vp9.webm", "VP9 -c:a libopus", No),
            ("vp910.webm", "VP9 -c:a libopus -pix_fmt yuv420p10le", No),
            ("vp9444.mkv", "VP9 -pix_fmt yuv444p -c:a libopus -ac 6", No),
            ("vp9col.webm", "VP9 -color_trc bt709 -colorspace bt709 -color_primaries bt709 -an", No),
            ("av1.webm", "-c:v libaom-av1 -cpu-used 8 -usage realtime -c:a libopus", No),
            ("ass.mkv", "-i WORDS -map 0:v -map 1:a -map 2:s X264 AAC -c:s ass", No),
            (
                "vtt.webm",
                "-i WORDS -map 0:v -map 1:a -map 2:s -c:v libvpx -deadline realtime -c:a libopus -c:s webvtt",
                No,
            ),
            (
                "title.mkv",
                "X264 AAC -metadata:s:a:0 title=Kommentar -metadata title=Film -metadata:s:v:0 title=Bild",
                No,
            ),
            ("title.mp4", "X264 AAC -metadata:s:a:0 title=Kommentar -metadata title=Film -metadata comment=x", No),
            ("front.mp4", "X264 AAC -movflags +faststart", No),
            ("front.mov", "X264 -c:a pcm_s16le -movflags +faststart", No),
            ("pcm.mkv", "X264 -c:a pcm_s16le", No),
            ("pcm24.mkv", "X264 -c:a pcm_s24le", No),
            ("phone.mov", "-c:v mjpeg -pix_fmt yuvj420p -c:a pcm_mulaw -ar 8000 -ac 1", No),
            ("pcm24.mov", "X264 -c:a pcm_s24le", Unsure),
            ("prores.mov", "-c:v prores_ks -pix_fmt yuv422p10le AAC", Unsure),
            ("turned.mp4", "TURNED", No),
            ("turned.mov", "TURNED", No),
            ("vfr.mp4", "-vf setpts=N*N/300/TB -fps_mode vfr X264 AAC", No),
            ("vfr.mkv", "-vf setpts=N*N/300/TB -fps_mode vfr X264 AAC", Unsure),
            ("frag.mp4", "X264 AAC -movflags frag_keyframe+empty_moov", Unsure),
            ("dash.mp4", "X264 AAC -movflags dash", Unsure),
            (
                "cover.mp4",
                "-i COVER -map 0:v -map 1:a -map 2:v X264 AAC -c:v:1 mjpeg -disposition:v:1 attached_pic",
                No,
            ),
            ("cover.mkv", "-attach COVER -metadata:s:t mimetype=image/jpeg X264 AAC", No),
            ("live.mkv", "X264 AAC -live 1", Unsure),
            ("edit.mp4", "-ss 0.3 X264 AAC", No),
            ("level.mp4", "-c:v libx264 -preset ultrafast -level 5.1 -pix_fmt yuv420p AAC", No),
            ("stereo51.mkv", "X264 -c:a eac3 -ac 6", No),
            ("vorbis.mkv", "X264 -c:a libvorbis -ar 44100", No),
            ("mp2.mkv", "X264 -c:a mp2", No),
            (
                "french.mov",
                "X264 AAC -map 0:v -map 1:a -map 1:a -metadata:s:a:0 language=fra -metadata:s:a:1 language=spa",
                No,
            ),
            (
                "gre.mov",
                "X264 AAC -map 0:v -map 1:a -map 1:a -metadata:s:a:0 language=gre -metadata:s:a:1 language=nor",
                No,
            ),
            ("tmcd.mov", "X264 AAC -timecode 01:00:00:00", No),
            ("short.mp4", "X264 AAC -frames:v 2", No),
            ("theora.mkv", "-c:v libtheora AAC", Unsure),
            ("dvd.mkv", "-c:v mpeg2video -c:a ac3", No),
            ("dvdwide.mkv", "-c:v mpeg2video -aspect 16:9 -flags +ilme+ildct -vf scale=64:64 -c:a ac3 -ac 6", Unsure),
            ("dvdcol.mkv", "-c:v mpeg2video -bf 2 -color_trc smpte170m -c:a mp2", Unsure),
            ("studio.mkv", "-c:v mpeg2video -pix_fmt yuv422p -c:a pcm_s16le", Unsure),
            ("mpeg1.mkv", "-c:v mpeg1video -c:a mp2", Unsure),
            ("div3.mkv", "-c:v msmpeg4 -c:a libmp3lame", No),
            ("vfw.mkv", "-c:v msmpeg4v2 -c:a libmp3lame", No),
            ("vfwxvid.mkv", "-c:v libxvid -c:a libmp3lame", No),
        ] {
            self.add(name, &arguments.replace("VP9", vp9), may);
        }
    }

    /// One of the kinds that today's and yesterday's programs write, by lot.
    fn drawn(&mut self, number: u64, lot: &mut Lot) {
        let container = lot.of(&["mp4", "mkv", "avi", "mov", "m4v", "mkv", "mp4", "avi", "webm"]);
        let picture = match container {
            "avi" => lot.of(&[
                "-c:v mpeg4 -vtag XVID",
                "-c:v mpeg4 -vtag DX50 -bf 2",
                "-c:v libxvid",
                "-c:v msmpeg4",
                "-c:v mjpeg -pix_fmt yuvj420p",
                "X264",
            ]),
            "webm" => lot.of(&["-c:v libvpx -deadline realtime", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8"]),
            _ => lot.of(&[
                "X264",
                "-c:v libx264 -preset veryfast -pix_fmt yuv420p",
                "-c:v libx264 -preset veryfast -bf 2 -g 12 -pix_fmt yuv420p",
                "-c:v libx265 -preset ultrafast -x265-params log-level=none -pix_fmt yuv420p",
                "-c:v libx265 -preset ultrafast -x265-params log-level=none -pix_fmt yuv420p10le",
                "-c:v mpeg4",
            ]),
        };
        let sound = match container {
            "avi" => {
                lot.of(&["-c:a libmp3lame", "-c:a libmp3lame -q:a 5", "-c:a ac3", "-c:a pcm_s16le", "-c:a mp2", "AAC"])
            }
            "webm" => lot.of(&["-c:a libopus", "-c:a libvorbis"]),
            "mkv" => lot.of(&[
                "AAC",
                "-c:a ac3",
                "-c:a eac3",
                "-c:a dca -strict -2",
                "-c:a flac",
                "-c:a libopus",
                "-c:a libmp3lame",
            ]),
            _ => lot.of(&["AAC", "-c:a ac3", "-c:a eac3", "-c:a alac", "-c:a libmp3lame"]),
        };
        let rate = lot.of(&["24000/1001", "24", "25", "30000/1001", "30", "50", "60000/1001"]);
        let size = lot.of(&["96:64", "64:48", "98:54", "128:72", "72:128"]);
        let channels = match sound {
            "-c:a libmp3lame" | "-c:a libmp3lame -q:a 5" | "-c:a mp2" => lot.of(&["1", "2"]),
            _ => lot.of(&["1", "2", "2", "6"]),
        };
        let hz = if sound == "-c:a libopus" { "48000" } else { lot.of(&["48000", "44100", "48000"]) };
        let language = lot.of(&["", " -metadata:s:a:0 language=ger", " -metadata:s:a:0 language=eng"]);
        let named = lot.of(&["", " -metadata title=Film", " -metadata:s:a:0 title=Ton"]);
        let end = match (container, lot.of(&["", "", "front"])) {
            ("m4v", _) => " -f mp4",
            ("mp4" | "mov", "front") => " -movflags +faststart",
            _ => "",
        };
        let arguments =
            format!("{picture} -vf scale={size} -r {rate} {sound} -ac {channels} -ar {hz}{language}{named}{end}");
        self.add(&format!("drawn-{number}.{container}"), &arguments, No);
    }
}

/// The same numbers every time.
struct Lot(u64);

impl Lot {
    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        choices[(self.0 >> 33) as usize % choices.len()]
    }
}
