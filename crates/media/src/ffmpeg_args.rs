//! Argument lists for ffprobe and ffmpeg, as pure functions of closed enums and bounded numbers.
//!
//! A file name is never an argument: the worker opens the file itself ([`crate::jail`]) and
//! gives it to the program as standard input, and the program reopens it as [`INPUT`]. That is a
//! seekable file (a pipe would not be), works with every ffmpeg since 4, and leaves nothing in the
//! list that a name could turn into an option, a protocol or a pattern.

/// Standard input by its name in `/proc`, behind an explicit protocol.
pub const INPUT: &str = "file:/proc/self/fd/0";

/// Only plain files: no network, no `concat:`, `subfile:`, `data:` or `crypto:`.
pub(crate) const PROTOCOLS: &str = "file,pipe";

/// The demuxers of the six containers and nothing that reads further files (playlists, manifests,
/// image patterns, concat scripts), whatever a file is called.
pub const FORMATS: &str = "matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,avi";

/// Picture decoders a household's films use. Rare ones have the worst record of memory faults.
pub const VIDEO_DECODERS: &str = "h264,hevc,vp8,vp9,libdav1d,av1,libaom-av1,libvpx,libvpx-vp9,mpeg4,msmpeg4v1,msmpeg4v2,msmpeg4,mpeg1video,mpeg2video,h263,flv,vc1,wmv1,wmv2,wmv3,mjpeg,prores,dnxhd,theora,dvvideo,rawvideo,cinepak,svq1,svq3,rv40,ffv1,huffyuv";
/// Needed by a probe only: ffprobe gives up on a file as soon as one stream's decoder is not
/// on the list, so covers and subtitles are here too.
const OTHER_DECODERS: &str = "png,bmp,webp,msvideo1,srt,subrip,ass,ssa,mov_text,webvtt,text,dvdsub,dvbsub,pgssub,xsub,cc_dec,aac,aac_fixed,aac_latm,mp1float,mp2,mp2float,mp3,mp3float,ac3,eac3,dca,truehd,mlp,opus,libopus,vorbis,libvorbis,flac,alac,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_s8,pcm_u8,pcm_bluray,pcm_dvd,pcm_f32le,pcm_alaw,pcm_mulaw,adpcm_ms,adpcm_ima_wav,wmav1,wmav2,wmapro,amrnb,amrwb,gsm_ms,qdm2,cook";

/// What covers are.
pub const COVER_DECODERS: &str = "mjpeg,png";

/// What a probe asks for: exactly what [`crate::probe_json`] reads.
const ENTRIES: &str = "format=format_name,duration,start_time,bit_rate,size\
:format_tags=major_brand\
:stream=index,codec_type,codec_name,codec_tag_string,profile,level,width,height,sample_aspect_ratio,field_order,pix_fmt,avg_frame_rate,r_frame_rate,color_primaries,color_transfer,channels,channel_layout,sample_rate,duration\
:stream_disposition=default,forced,attached_pic,comment,visual_impaired,hearing_impaired\
:stream_tags=language,title,rotate,DURATION\
:stream_side_data=rotation,dv_profile,dv_bl_signal_compatibility_id\
:chapter=start_time,end_time\
:chapter_tags=title\
:error";

/// Streams in one file beyond which it is not a film but an attack.
pub const MAX_STREAMS: &str = "128";

pub(crate) fn list(parts: &[&str]) -> Vec<String> {
    parts.iter().map(|p| (*p).to_owned()).collect()
}

/// Every decoder a film of a household needs, for pictures, sound and subtitles.
pub(crate) fn decoders() -> String {
    format!("{VIDEO_DECODERS},{OTHER_DECODERS}")
}

/// ffprobe on standard input; JSON on standard output.
pub fn probe() -> Vec<String> {
    let decoders = decoders();
    let mut args = list(&["-hide_banner", "-v", "level+error"]);
    args.extend(list(&["-protocol_whitelist", PROTOCOLS, "-format_whitelist", FORMATS]));
    args.extend(list(&["-codec_whitelist", &decoders, "-max_streams", MAX_STREAMS, "-threads", "1"]));
    args.extend(list(&["-show_error", "-show_entries", ENTRIES, "-of", "json=compact=1", "-i", INPUT]));
    args
}

/// A picture of at most this many pixels across.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PosterWidth(u32);

impl PosterWidth {
    /// `None` outside 16 to 1920.
    pub fn new(pixels: u32) -> Option<Self> {
        (16..=1920).contains(&pixels).then_some(Self(pixels))
    }
}

/// Where in the film; everything past 100 hours counts as 100 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PosterAt(u64);

impl PosterAt {
    pub const fn from_ms(ms: u64) -> Self {
        const MAX: u64 = 100 * 3600 * 1000;
        Self(if ms > MAX { MAX } else { ms })
    }
}

/// ffmpeg on standard input; one JPEG on standard output. The key frame before `at` is taken as
/// it is: decoding on to the exact frame costs up to a whole group of pictures and shows no more.
pub fn poster(picture_track: u32, at: PosterAt, width: PosterWidth) -> Vec<String> {
    let seconds = format!("{}.{:03}", at.0 / 1000, at.0 % 1000);
    let (track, scale) = (format!("0:v:{picture_track}"), poster_scale(width));
    let mut args = list(&["-nostdin", "-hide_banner", "-v", "level+error"]);
    args.extend(list(&["-protocol_whitelist", PROTOCOLS, "-format_whitelist", FORMATS]));
    args.extend(list(&["-codec_whitelist", VIDEO_DECODERS, "-max_streams", MAX_STREAMS, "-threads", "1"]));
    args.extend(list(&["-noaccurate_seek", "-ss", &seconds, "-i", INPUT]));
    args.extend(list(&["-map", &track, "-an", "-sn", "-dn", "-map_metadata", "-1", "-frames:v", "1"]));
    args.extend(list(&["-filter_threads", "1", "-vf", &scale, "-threads", "1"]));
    args.extend(list(&["-c:v", "mjpeg", "-q:v", "4", "-pix_fmt", "yuvj420p", "-f", "mjpeg", "pipe:1"]));
    args
}

/// Square pixels, then never larger than the film itself.
fn poster_scale(width: PosterWidth) -> String {
    format!("scale=w='trunc(iw*sar/2)*2':h=ih,setsar=1,scale=w='min({},iw)':h=-2", width.0)
}

/// ffmpeg on standard input; the first picture that comes with the film without being part of it,
/// as a JPEG on standard output. It fails where there is none.
pub fn cover(width: PosterWidth) -> Vec<String> {
    let scale = poster_scale(width);
    let mut args = list(&["-nostdin", "-hide_banner", "-v", "level+error"]);
    args.extend(list(&["-protocol_whitelist", PROTOCOLS, "-format_whitelist", FORMATS]));
    let decoders = format!("{VIDEO_DECODERS},{COVER_DECODERS}");
    args.extend(list(&["-codec_whitelist", &decoders, "-max_streams", MAX_STREAMS, "-threads", "1", "-i", INPUT]));
    args.extend(list(&["-map", "0:v", "-map", "-0:V?", "-an", "-sn", "-dn", "-map_metadata", "-1", "-frames:v", "1"]));
    args.extend(list(&["-filter_threads", "1", "-vf", &scale, "-threads", "1"]));
    args.extend(list(&["-c:v", "mjpeg", "-q:v", "4", "-pix_fmt", "yuvj420p", "-f", "mjpeg", "pipe:1"]));
    args
}

/// ffmpeg on standard input; every one of these tracks becomes WebVTT in a file of its own in the
/// folder it runs in, all in one pass over the film. ASS (`true`) stays what it is. A name is for
/// the worker to choose.
pub fn subtitles(tracks: &[(u8, bool, &str)]) -> Vec<String> {
    let decoders = decoders();
    let mut args = list(&["-nostdin", "-hide_banner", "-v", "level+error"]);
    args.extend(list(&["-protocol_whitelist", PROTOCOLS, "-format_whitelist", FORMATS]));
    args.extend(list(&["-codec_whitelist", &decoders, "-max_streams", MAX_STREAMS, "-threads", "1"]));
    args.extend(list(&["-vn", "-an", "-dn", "-i", INPUT]));
    for (track, is_ass, name) in tracks {
        let stream = format!("0:s:{track}");
        let to = format!("file:{name}");
        let (codec, format) = if *is_ass { ("copy", "ass") } else { ("webvtt", "webvtt") };
        args.extend(list(&["-map", &stream, "-map_metadata", "-1", "-c:s", codec, "-f", format, "-y", &to]));
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_list() {
        let args = probe();
        assert_eq!(args.first().map(String::as_str), Some("-hide_banner"));
        let text = args.join(" ");
        for part in [
            "-protocol_whitelist file,pipe -format_whitelist matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,avi",
            "-max_streams 128 -threads 1",
            "-of json=compact=1 -i file:/proc/self/fd/0",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        assert_eq!(args.last().map(String::as_str), Some(INPUT));
        assert!(!text.contains("hls") && !text.contains("concat") && !text.contains("magicyuv"));
    }

    #[test]
    fn the_poster_list() {
        let args = poster(1, PosterAt::from_ms(61_005), PosterWidth::new(480).unwrap());
        let at = args.iter().position(|a| a == "-noaccurate_seek").unwrap();
        assert_eq!(
            args[at..].join(" "),
            "-noaccurate_seek -ss 61.005 -i file:/proc/self/fd/0 -map 0:v:1 -an -sn -dn -map_metadata -1 -frames:v 1 \
             -filter_threads 1 -vf scale=w='trunc(iw*sar/2)*2':h=ih,setsar=1,scale=w='min(480,iw)':h=-2 -threads 1 \
             -c:v mjpeg -q:v 4 -pix_fmt yuvj420p -f mjpeg pipe:1"
        );
        assert_eq!(args[..4].join(" "), "-nostdin -hide_banner -v level+error");
    }

    #[test]
    fn the_subtitles_list() {
        let text = subtitles(&[(0, false, "a.vtt"), (3, true, "b.vtt")]).join(" ");
        assert!(
            text.ends_with(
                "-vn -an -dn -i file:/proc/self/fd/0 \
                 -map 0:s:0 -map_metadata -1 -c:s webvtt -f webvtt -y file:a.vtt \
                 -map 0:s:3 -map_metadata -1 -c:s copy -f ass -y file:b.vtt"
            ),
            "{text}"
        );
        assert!(text.contains("-protocol_whitelist file,pipe -format_whitelist matroska"), "{text}");
    }

    #[test]
    fn numbers_are_bounded() {
        assert!(PosterWidth::new(15).is_none() && PosterWidth::new(1921).is_none());
        assert_eq!(PosterAt::from_ms(u64::MAX), PosterAt::from_ms(100 * 3600 * 1000));
        for ms in [0, 1, 999, 1000, u64::MAX] {
            let args = poster(0, PosterAt::from_ms(ms), PosterWidth::new(320).unwrap());
            let value = &args[args.iter().position(|a| a == "-ss").unwrap() + 1];
            assert!(value.bytes().all(|b| b.is_ascii_digit() || b == b'.'), "{value}");
        }
    }
}
