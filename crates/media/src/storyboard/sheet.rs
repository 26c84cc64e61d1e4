//! One sheet: argument lists for its tiles and for its JPEG, and putting tiles in their places.
//!
//! Several moments are taken by one ffmpeg, which opens the film once for each: starting the
//! program costs more than a tile does. Only key frames are decoded.

use crate::ffmpeg_args::{FORMATS, INPUT, MAX_STREAMS, PROTOCOLS, VIDEO_DECODERS, list};

/// Moments one program takes: each has a decoder of its own, whose pictures must fit the memory.
pub const AT_ONCE: usize = 5;
/// So much past a key frame ffmpeg is sure to land on it: where frames are reordered it seeks to
/// three frames of 1/23 s earlier than it is told.
pub const PAST_MS: u64 = 140;
/// No longer film is looked into.
pub const MAX_MS: u64 = 100 * 3_600_000;

/// Of a sheet's JPEG: from good to just recognisable, until it fits.
pub const QUALITIES: [u8; 4] = [5, 9, 16, 28];

/// A picture in YUV 4:2:0 of this size, both even.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub width: u32,
    pub height: u32,
}

impl Size {
    /// `None` for odd numbers and for what is no small picture.
    pub fn of_tile(width: u32, height: u32) -> Option<Self> {
        let fits = |pixels: u32| (16..=320).contains(&pixels) && pixels.is_multiple_of(2);
        (fits(width) && fits(height)).then_some(Self { width, height })
    }

    pub const fn bytes(self) -> usize {
        self.width as usize * self.height as usize * 3 / 2
    }
}

/// ffmpeg on standard input; the key frames at or before these moments, as raw pictures of one
/// size one behind the other, on standard output. Fewer than asked for where a place cannot be
/// read.
pub fn tiles(picture_track: u32, times_ms: &[u64], size: Size) -> Vec<String> {
    let Size { width: w, height: h } = size;
    let mut args = list(&["-nostdin", "-hide_banner", "-v", "level+error"]);
    for time in times_ms.iter().take(AT_ONCE) {
        let ms = time.saturating_add(PAST_MS).min(MAX_MS);
        let at = format!("{}.{:03}", ms / 1000, ms % 1000);
        args.extend(list(&["-protocol_whitelist", PROTOCOLS, "-format_whitelist", FORMATS]));
        args.extend(list(&["-codec_whitelist", VIDEO_DECODERS, "-max_streams", MAX_STREAMS, "-threads", "1"]));
        args.extend(list(&["-skip_loop_filter", "all", "-flags2", "fast", "-skip_frame", "nokey"]));
        args.extend(list(&["-noaccurate_seek", "-ss", &at, "-t", "0.001", "-i", INPUT]));
    }
    let count = times_ms.len().min(AT_ONCE);
    // Square pixels, the shape kept, what is left over black.
    let fit = format!(
        "scale=w='2*trunc(min({w},{h}*dar)/2)':h='2*trunc(min({h},{w}/dar)/2)':flags=fast_bilinear,\
         setsar=1,pad={w}:{h}:-1:-1,format=yuv420p,trim=end_frame=1,setpts=0"
    );
    let one = |n: usize| format!("[{n}:v:{picture_track}]{fit}[t{n}];");
    let graph: String = (0..count).map(one).collect();
    let all: String = (0..count).map(|n| format!("[t{n}]")).collect();
    args.extend(list(&["-filter_complex_threads", "1", "-filter_complex"]));
    args.push(format!("{graph}{all}concat=n={count}:v=1[o]"));
    args.extend(list(&["-map", "[o]", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "yuv420p", "pipe:1"]));
    args
}

/// ffmpeg on standard input, which is one raw picture; a JPEG of it on standard output. A higher
/// `quality` is a smaller picture.
pub fn jpeg(size: Size, quality: u8) -> Vec<String> {
    let (video_size, quality) = (format!("{}x{}", size.width, size.height), quality.clamp(2, 31).to_string());
    let mut args = list(&["-nostdin", "-hide_banner", "-v", "level+error"]);
    args.extend(list(&["-protocol_whitelist", PROTOCOLS, "-format_whitelist", "rawvideo", "-threads", "1"]));
    args.extend(list(&["-f", "rawvideo", "-pixel_format", "yuv420p", "-video_size", &video_size, "-i", INPUT]));
    args.extend(list(&["-frames:v", "1", "-filter_threads", "1", "-threads", "1"]));
    args.extend(list(&["-c:v", "mjpeg", "-q:v", &quality, "-pix_fmt", "yuvj420p", "-f", "mjpeg", "pipe:1"]));
    args
}

/// A sheet in the making; black where no tile stands yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    tile: Size,
    across: u32,
    pub size: Size,
    pub bytes: Vec<u8>,
}

impl Sheet {
    /// `black` is the brightness of black: 16 in films, 0 in JPEG.
    pub fn new(tile: Size, across: u32, down: u32, black: u8) -> Self {
        let size = Size { width: tile.width * across, height: tile.height * down };
        let mut bytes = vec![128; size.bytes()];
        bytes[..size.width as usize * size.height as usize].fill(black);
        Self { tile, across, size, bytes }
    }

    /// Puts a tile in its place. What is no picture of that size, or has no place, is left out.
    pub fn put(&mut self, place: usize, picture: &[u8]) {
        let across = self.across as usize;
        let fits =
            picture.len() == self.tile.bytes() && place < across * (self.size.height / self.tile.height) as usize;
        if !fits {
            return;
        }
        let (mut from, mut to) = (0, 0);
        for half in [1, 2, 2] {
            let (tile_width, tile_height) = (self.tile.width as usize / half, self.tile.height as usize / half);
            let (width, height) = (self.size.width as usize / half, self.size.height as usize / half);
            let (x, y) = (place % across * tile_width, place / across * tile_height);
            for line in 0..tile_height {
                let (source, target) = (from + line * tile_width, to + (y + line) * width + x);
                self.bytes[target..target + tile_width].copy_from_slice(&picture[source..source + tile_width]);
            }
            from += tile_width * tile_height;
            to += width * height;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists() {
        let size = Size::of_tile(240, 134).unwrap();
        let text = tiles(1, &[0, 10_010], size).join(" ");
        assert!(text.contains("-ss 0.140 -t 0.001 -i file:/proc/self/fd/0 -protocol_whitelist file,pipe"), "{text}");
        assert!(text.contains("-ss 10.150 -t 0.001 -i") && text.contains("[t0][t1]concat=n=2:v=1[o]"), "{text}");
        let many = tiles(0, &[u64::MAX - 5; 50], size).join(" ");
        assert_eq!((many.matches(" -i ").count(), many.contains("-ss 360000.000 ")), (AT_ONCE, true));
        let text = jpeg(Size { width: 1200, height: 670 }, 6).join(" ");
        assert!(text.contains("-video_size 1200x670 -i") && text.contains("-q:v 6 "), "{text}");
        for (width, height) in [(239, 134), (0, 134), (240, 400), (240, 2)] {
            assert_eq!(Size::of_tile(width, height), None);
        }
    }

    #[test]
    fn tiles_stand_where_they_belong() {
        let tile = Size::of_tile(16, 16).unwrap();
        let mut sheet = Sheet::new(tile, 2, 2, 16);
        sheet.put(3, &vec![200; tile.bytes()]);
        sheet.put(4, &vec![1; tile.bytes()]);
        sheet.put(0, &[1; 10]);
        let luma = |x: usize, y: usize| sheet.bytes[y * 32 + x];
        assert_eq!((luma(0, 0), luma(15, 31), luma(16, 16), luma(31, 31)), (16, 16, 200, 200));
        let chroma = |x: usize, y: usize| sheet.bytes[32 * 32 + y * 16 + x];
        assert_eq!((chroma(7, 7), chroma(8, 8)), (128, 200));
        assert_eq!(sheet.bytes.iter().filter(|b| **b == 200).count(), tile.bytes());
    }
}
