//! What the header walk states is what ffprobe states, on films of every kind ffmpeg can make.

#![expect(clippy::unwrap_used, clippy::print_stderr, clippy::disallowed_methods, reason = "a test with real programs")]

extern crate loge_media as media;

use domain::facts::{Container, Defect, FileFacts};
use media::{
    ffmpeg_args, probe_json,
    walk::{MAX_BYTES, MAX_READS, Walked, walk},
};
use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::Path,
    process::{Command, Stdio},
};

/// May the walk decline?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum May {
    /// It has to know everything.
    No,
    /// A class that is left to ffprobe on purpose.
    Unsure,
}
use May::{No, Unsure};

const X264: &str = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p";
const AAC: &str = "-c:a aac";

/// (name, arguments between the inputs and the name, whether it may be unsure)
fn corpus() -> Vec<(String, String, May)> {
    let mut out: Vec<(String, String, May)> = Vec::new();
    let mut add = |name: &str, arguments: &str, may| {
        out.push((name.into(), arguments.replace("X264", X264).replace("AAC", AAC), may));
    };
    for container in ["mp4", "mov", "mkv", "m4v"] {
        let muxer = if container == "m4v" { "-f mp4" } else { "" };
        let mut each = |what: &str, arguments: &str| {
            add(&format!("{what}.{container}"), &format!("{arguments} {muxer}"), No);
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
        each("interlaced", "-c:v libx264 -preset ultrafast -flags +ilme+ildct -pix_fmt yuv420p -vf scale=64:64 AAC");
        each("sar", "X264 -aspect 4:3 AAC");
        each("bframes", "-c:v libx264 -preset medium -bf 3 -pix_fmt yuv420p AAC");
        each("late", "X264 AAC -output_ts_offset 0.7");
        each("alac", "X264 -c:a alac");
    }
    for container in ["mp4", "mkv"] {
        let mut each = |what: &str, arguments: &str, may| add(&format!("{what}.{container}"), arguments, may);
        let x265 = "-c:v libx265 -preset ultrafast -x265-params log-level=none";
        each("hevc", &format!("{x265} -pix_fmt yuv420p -tag:v hvc1 AAC"), No);
        each("hevc10", &format!("{x265} -pix_fmt yuv420p10le -tag:v hvc1 AAC"), No);
        each(
            "hdr",
            &format!(
                "{x265}:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:hdr10=1 -pix_fmt yuv420p10le -color_trc smpte2084 -color_primaries bt2020 -colorspace bt2020nc -tag:v hvc1 AAC"
            ),
            No,
        );
        each(
            "hlg",
            &format!("{x265}:transfer=arib-std-b67 -pix_fmt yuv420p10le -color_trc arib-std-b67 -tag:v hvc1 AAC"),
            No,
        );
        each("hevccrop", &format!("{x265} -vf scale=100:50 -pix_fmt yuv420p AAC"), No);
        each("opus", "X264 -c:a libopus", No);
        each("flac", "X264 -c:a flac -strict -2", No);
        each("mp3", "X264 -c:a libmp3lame", No);
        each("mp3mono", "X264 -c:a libmp3lame -ac 1 -ar 22050", No);
        each("vp9in", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -pix_fmt yuv420p AAC", No);
        each("av1in", "-c:v libaom-av1 -cpu-used 8 -usage realtime -pix_fmt yuv420p -c:a libopus", No);
        each("mpeg4", "-c:v mpeg4 AAC", Unsure);
        each("mjpeg", "-c:v mjpeg -pix_fmt yuvj420p AAC", Unsure);
        each(
            "chapters",
            "-i CHAPTERS -map 0:v -map 1:a -map_chapters 2 X264 AAC",
            if container == "mp4" { Unsure } else { No },
        );
        each("dts", "X264 -c:a dca -strict -2 -ac 2", Unsure);
        each("low", "X264 -c:a aac -ar 22050", Unsure);
        let text = if container == "mp4" { "mov_text" } else { "srt" };
        each(
            "words",
            &format!(
                "-i WORDS -map 0:v -map 1:a -map 2:s X264 AAC -c:s {text} -metadata:s:s:0 language=ger -disposition:s:0 forced"
            ),
            No,
        );
    }
    for (name, arguments, may) in [
        ("vp8.webm", "-c:v libvpx -deadline realtime -c:a libvorbis", No),
        ("vp9.webm", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus", No),
        ("vp910.webm", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -pix_fmt yuv420p10le -c:a libopus", No),
        ("vp9444.mkv", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -pix_fmt yuv444p -c:a libopus -ac 6", No),
        (
            "vp9col.webm",
            "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -color_trc bt709 -colorspace bt709 -color_primaries bt709 -an",
            No,
        ),
        ("av1.webm", "-c:v libaom-av1 -cpu-used 8 -usage realtime -c:a libopus", No),
        ("ass.mkv", "-i WORDS -map 0:v -map 1:a -map 2:s X264 AAC -c:s ass", No),
        ("vtt.webm", "-i WORDS -map 0:v -map 1:a -map 2:s -c:v libvpx -deadline realtime -c:a libopus -c:s webvtt", No),
        ("title.mkv", "X264 AAC -metadata:s:a:0 title=Kommentar -metadata title=Film -metadata:s:v:0 title=Bild", No),
        ("title.mp4", "X264 AAC -metadata:s:a:0 title=Kommentar -metadata title=Film -metadata comment=x", No),
        ("front.mp4", "X264 AAC -movflags +faststart", No),
        ("front.mov", "X264 -c:a pcm_s16le -movflags +faststart", No),
        ("pcm.mkv", "X264 -c:a pcm_s16le", No),
        ("pcm24.mov", "X264 -c:a pcm_s24le", Unsure),
        ("prores.mov", "-c:v prores_ks -pix_fmt yuv422p10le AAC", Unsure),
        ("turned.mp4", "TURNED", No),
        ("turned.mov", "TURNED", No),
        ("vfr.mp4", "-vf setpts=N*N/300/TB -fps_mode vfr X264 AAC", No),
        ("vfr.mkv", "-vf setpts=N*N/300/TB -fps_mode vfr X264 AAC", Unsure),
        ("frag.mp4", "X264 AAC -movflags frag_keyframe+empty_moov", Unsure),
        ("dash.mp4", "X264 AAC -movflags dash", Unsure),
        ("cover.mp4", "-i COVER -map 0:v -map 1:a -map 2:v X264 AAC -c:v:1 mjpeg -disposition:v:1 attached_pic", No),
        ("cover.mkv", "-attach COVER -metadata:s:t mimetype=image/jpeg X264 AAC", No),
        ("live.mkv", "X264 AAC -live 1", Unsure),
        ("edit.mp4", "-ss 0.3 X264 AAC", No),
        ("level.mp4", "-c:v libx264 -preset ultrafast -level 5.1 -pix_fmt yuv420p AAC", No),
        ("stereo51.mkv", "X264 -c:a eac3 -ac 6", No),
        ("vorbis.mkv", "X264 -c:a libvorbis -ar 44100", No),
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
        ("mpeg2.mkv", "-c:v mpeg2video AAC", Unsure),
    ] {
        add(name, arguments, may);
    }
    out
}

const WORDS: &str = "1\n00:00:00,100 --> 00:00:00,900\nHallo\n\n";
const CHAPTERS: &str = ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=400\ntitle=Anfang\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=400\nEND=1000\ntitle=Ende\n";

fn make(dir: &Path, name: &str, arguments: &str) {
    let path = |n: &str| dir.join(n).to_str().unwrap().to_owned();
    let mut command = Command::new("ffmpeg");
    command.stdin(Stdio::null()).current_dir(dir).args(["-nostdin", "-v", "error", "-y"]);
    if arguments == "TURNED" {
        make(dir, &format!("straight-{name}"), &format!("{X264} {AAC}"));
        command.args(["-i", &path(&format!("straight-{name}")), "-c", "copy", "-metadata:s:v:0", "rotate=90"]);
    } else {
        command.args(["-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=1.2", "-f", "lavfi", "-i", "sine=d=1.2:r=48000"]);
        let arguments = arguments
            .replace("WORDS", &path("words.srt"))
            .replace("CHAPTERS", &path("chapters.txt"))
            .replace("COVER", &path("cover.jpg"));
        command.args(arguments.split_whitespace());
    }
    assert!(command.arg(path(name)).status().unwrap().success(), "ffmpeg makes {name}");
}

fn by_ffprobe(path: &Path, named: Option<Container>) -> Result<FileFacts, Defect> {
    let out = Command::new("ffprobe")
        .args(ffmpeg_args::probe())
        .stdin(File::open(path).unwrap())
        .stderr(Stdio::null())
        .output()
        .unwrap();
    probe_json::parse(&out.stdout, named)
}

fn by_walk(path: &Path) -> Walked {
    let file = File::open(path).unwrap();
    let (mut bytes, mut reads) = (0, 0);
    let walked = walk(file.metadata().unwrap().len(), |at, out| {
        bytes += out.len();
        reads += 1;
        file.read_at(out, at).unwrap_or(0)
    });
    assert!(bytes <= MAX_BYTES && reads <= MAX_READS, "{reads} reads of {bytes} bytes");
    walked
}

#[test]
fn the_walk_states_what_ffprobe_states() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("words.srt"), WORDS).unwrap();
    std::fs::write(dir.path().join("chapters.txt"), CHAPTERS).unwrap();
    make(dir.path(), "cover.jpg", "-frames:v 1");
    let corpus = corpus();
    assert!(corpus.len() >= 60);
    let (mut wrong, mut should_know, mut declined) = (Vec::new(), 0, Vec::new());
    for (name, arguments, may) in &corpus {
        make(dir.path(), name, arguments);
        let path = dir.path().join(name);
        let named = Container::from_extension(name.rsplit('.').next().unwrap());
        should_know += u32::from(*may == No);
        match by_walk(&path) {
            Walked::Unsure(why) if *may == No => declined.push(format!("{name}: {why}")),
            Walked::Unsure(_) => {}
            Walked::Known(json) => {
                let (walked, probed) = (probe_json::parse(json.as_bytes(), named), by_ffprobe(&path, named));
                if walked != probed {
                    wrong.push(format!("{name}:\n  walk    {walked:?}\n  ffprobe {probed:?}"));
                }
            }
        }
    }
    for line in &declined {
        eprintln!("unsure: {line}");
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), corpus.len(), wrong.join("\n"));
    assert!(declined.len() as f64 <= f64::from(should_know) * 0.02, "{} of {should_know} unsure", declined.len());
}

/// `LOGE_FIDELITY_DIR` names a folder of one's own films to compare in the same way.
#[test]
fn own_films() {
    let Some(dir) = std::env::var_os("LOGE_FIDELITY_DIR") else {
        return eprintln!("skipped: LOGE_FIDELITY_DIR is not set");
    };
    let mut wrong = Vec::new();
    let mut folders = vec![std::path::PathBuf::from(dir)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                folders.push(path);
                continue;
            }
            if !kind.is_file() {
                continue;
            }
            let Some(named) = path.extension().and_then(|e| e.to_str()).and_then(Container::from_extension) else {
                continue;
            };
            match by_walk(&path) {
                Walked::Unsure(why) => eprintln!("unsure: {}: {why}", path.display()),
                Walked::Known(json) => {
                    let (walked, probed) =
                        (probe_json::parse(json.as_bytes(), Some(named)), by_ffprobe(&path, Some(named)));
                    eprintln!("known: {}", path.display());
                    if walked != probed {
                        wrong.push(format!("{}:\n  walk    {walked:?}\n  ffprobe {probed:?}", path.display()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
