//! The C part (`shim/film.c`) behind a safe face: every length is checked on this side too.

use contract::Status;
use media::{
    ffmpeg_args::{COVER_DECODERS, FORMATS, MAX_STREAMS, VIDEO_DECODERS},
    storyboard::sheet::Size,
};
use std::{
    ffi::{CString, c_char, c_int},
    os::fd::{AsRawFd, BorrowedFd},
    ptr::NonNull,
};

/// 8K, and nothing a household has beyond it.
const MAX_PIXELS: i64 = 8192 * 4608;

/// What is known of a decoded picture. `sar` is the shape of its pixels, width by height, and may
/// be anything; `matrix` is (a b; c d), see [`crate::shape::Turn`]. `transfer` and `primaries` are
/// the code points of H.273.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shot {
    pub width: u32,
    pub height: u32,
    pub sar: (i32, i32),
    pub matrix: [i32; 4],
    pub transfer: i32,
    pub primaries: i32,
}

impl From<ffi::Shot> for Shot {
    fn from(shot: ffi::Shot) -> Self {
        Self {
            width: u32::try_from(shot.width).unwrap_or(0).max(1),
            height: u32::try_from(shot.height).unwrap_or(0).max(1),
            sar: (shot.sar_num, shot.sar_den),
            matrix: shot.matrix,
            transfer: shot.transfer,
            primaries: shot.primaries,
        }
    }
}

/// Which of the decoded pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Slot {
    Newest = 0,
    First = 1,
    Best = 2,
}

/// Of a key frame in its film, in bytes; negative where nobody knows.
pub type Place = i64;

/// What is at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Decoded(Place, Shot),
    Known(Place),
}

/// How a picture is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Kind {
    /// Planar 4:2:0 in the colours of JPEG.
    Jpeg420 = 0,
    /// 16 bits each of red, green and blue, as the film has them.
    Rgb48 = 1,
}

impl Kind {
    const fn bytes(self, size: Size) -> usize {
        match self {
            Self::Jpeg420 => size.bytes(),
            Self::Rgb48 => size.width as usize * size.height as usize * 6,
        }
    }
}

/// libav's own number for what went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", words(*.0))]
pub struct FilmError(c_int);

impl FilmError {
    /// Nothing was there to be read.
    pub const NOTHING: Self = Self(-1);

    pub fn status(self) -> Status {
        if self.is_memory() { Status::Limit } else { Status::Failed }
    }

    pub fn is_memory(self) -> bool {
        ffi::is_memory(self.0)
    }

    /// A JPEG that is larger than it may be.
    pub fn is_room(self) -> bool {
        ffi::is_room(self.0)
    }
}

fn checked(answer: c_int) -> Result<(), FilmError> {
    if answer < 0 { Err(FilmError(answer)) } else { Ok(()) }
}

/// Whether what is between blocks is smoothed after decoding; it costs, and is not seen in tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoopFilter {
    On,
    Off,
}

/// A film that was opened once. Times are milliseconds from its beginning.
pub struct Film(NonNull<ffi::Film>);

impl Film {
    /// # Errors
    /// What is no film, or has no such picture that a household's decoders know. `track`: its number
    /// among the picture streams.
    pub fn open(film: BorrowedFd<'_>, track: u32, filter: LoopFilter) -> Result<Self, FilmError> {
        let text = |text: &str| CString::new(text).unwrap_or_default();
        let (formats, decoders) = (text(FORMATS), text(VIDEO_DECODERS));
        let mut out = std::ptr::null_mut();
        #[expect(unsafe_code, reason = "libav speaks C")]
        // SAFETY: both texts end with a zero and outlive the call, which copies them; `out` is ours.
        let answer = unsafe {
            ffi::loge_film_open(
                film.as_raw_fd(),
                c_int::try_from(track).unwrap_or(c_int::MAX),
                formats.as_ptr(),
                decoders.as_ptr(),
                MAX_STREAMS.parse().unwrap_or(1),
                MAX_PIXELS,
                (filter == LoopFilter::On).into(),
                &raw mut out,
            )
        };
        checked(answer)?;
        NonNull::new(out).map(Self).ok_or(FilmError::NOTHING)
    }

    /// Decodes the key frame at or before this moment; it is the newest picture from now on.
    /// One at a place that is known already is not decoded again.
    ///
    /// # Errors
    /// That place cannot be read.
    pub fn key(&mut self, at_ms: u64, known: &[Place]) -> Result<Key, FilmError> {
        let at_ms = i64::try_from(at_ms).unwrap_or(i64::MAX / 1_000_000);
        let (mut place, mut shot) = (-1, ffi::Shot::default());
        #[expect(unsafe_code, reason = "libav speaks C")]
        // SAFETY: the film is open until it is dropped, as many places are read as there are, and
        // `shot` has the layout of the C side.
        let answer = unsafe {
            let known = (known.as_ptr(), known.len());
            ffi::loge_film_key(self.0.as_ptr(), at_ms, known.0, known.1, &raw mut place, &raw mut shot)
        };
        checked(answer)?;
        if answer == ffi::KNOWN {
            return Ok(Key::Known(place));
        }
        Ok(Key::Decoded(place, shot.into()))
    }

    /// Decodes the cover that comes with the film, the largest of several; it is the newest picture
    /// from now on. `None` where there is none that can be read.
    pub fn cover(&mut self) -> Option<Shot> {
        let decoders = CString::new(COVER_DECODERS).unwrap_or_default();
        let mut shot = ffi::Shot::default();
        #[expect(unsafe_code, reason = "libav speaks C")]
        // SAFETY: the film is open until it is dropped, the text ends with a zero and is copied, and
        // `shot` has the layout of the C side.
        let answer = unsafe { ffi::loge_film_cover(self.0.as_ptr(), decoders.as_ptr(), MAX_PIXELS, &raw mut shot) };
        checked(answer).ok().map(|()| Shot::from(shot))
    }

    /// Keeps the newest picture.
    ///
    /// # Errors
    /// There is none, or no memory.
    pub fn keep(&mut self, slot: Slot) -> Result<(), FilmError> {
        #[expect(unsafe_code, reason = "libav speaks C")]
        // SAFETY: the film is open until it is dropped; the number is checked on the other side.
        checked(unsafe { ffi::loge_film_keep(self.0.as_ptr(), slot as c_int) })
    }

    /// A picture, scaled to exactly this size. `smooth` costs more and shows it only in large ones.
    ///
    /// # Errors
    /// There is none there, or it cannot be scaled.
    pub fn picture(&mut self, slot: Slot, kind: Kind, smooth: bool, size: Size) -> Result<Vec<u8>, FilmError> {
        let mut out = vec![0; kind.bytes(size)];
        #[expect(unsafe_code, reason = "libav speaks C")]
        // SAFETY: the film is open until it is dropped; exactly `out.len()` bytes are written, or
        // the call fails.
        checked(unsafe {
            ffi::loge_film_picture(
                self.0.as_ptr(),
                slot as c_int,
                kind as c_int,
                smooth.into(),
                c_int::try_from(size.width).unwrap_or(0),
                c_int::try_from(size.height).unwrap_or(0),
                out.as_mut_ptr(),
                out.len(),
            )
        })?;
        Ok(out)
    }
}

impl Drop for Film {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "libav speaks C")]
        // SAFETY: it was opened, and nobody uses it after this.
        unsafe {
            ffi::loge_film_close(self.0.as_ptr());
        }
    }
}

/// A picture in the colours of JPEG becomes one of at most `room` bytes. A higher `quality` is a
/// smaller one.
///
/// # Errors
/// [`FilmError::is_room`] when it is larger.
pub fn jpeg(picture: &[u8], size: Size, quality: u8, room: usize) -> Result<Vec<u8>, FilmError> {
    let mut out = vec![0; room];
    let mut written = 0;
    #[expect(unsafe_code, reason = "libav speaks C")]
    // SAFETY: both buffers are as long as is said, and `written` is ours.
    checked(unsafe {
        ffi::loge_jpeg(
            picture.as_ptr(),
            picture.len(),
            c_int::try_from(size.width).unwrap_or(0),
            c_int::try_from(size.height).unwrap_or(0),
            c_int::from(quality),
            out.as_mut_ptr(),
            out.len(),
            &raw mut written,
        )
    })?;
    out.truncate(written);
    Ok(out)
}

/// Makes what decoders share, once, and lets libav say nothing from here on.
pub fn warm() {
    #[expect(unsafe_code, reason = "libav speaks C")]
    // SAFETY: it takes nothing.
    unsafe {
        ffi::loge_warm();
    }
}

/// The libraries that were found, for people.
pub fn versions() -> String {
    let mut numbers = [0; 4];
    #[expect(unsafe_code, reason = "libav speaks C")]
    // SAFETY: four numbers are written.
    unsafe {
        ffi::loge_versions(numbers.as_mut_ptr());
    }
    let name = |at: usize| ["libavformat", "libavcodec", "libswscale", "libavutil"][at];
    let one = |(at, n): (usize, &u32)| format!("{} {}.{}.{}", name(at), n >> 16, n >> 8 & 0xff, n & 0xff);
    numbers.iter().enumerate().map(one).collect::<Vec<_>>().join(", ")
}

fn words(error: c_int) -> String {
    let mut out = [0_u8; 128];
    #[expect(unsafe_code, reason = "libav speaks C")]
    // SAFETY: at most as many bytes as there are get written, the last one a zero.
    unsafe {
        ffi::loge_words(error, out.as_mut_ptr().cast::<c_char>(), out.len());
    }
    let text = out.split(|b| *b == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

mod ffi {
    use std::ffi::{c_char, c_int};

    /// `LOGE_KNOWN`.
    pub const KNOWN: c_int = 1;

    /// Only ever behind a pointer.
    #[repr(C)]
    pub struct Film {
        _opaque: [u8; 0],
    }

    /// `struct loge_shot`.
    #[repr(C)]
    #[derive(Debug, Default)]
    pub struct Shot {
        pub width: i32,
        pub height: i32,
        pub sar_num: i32,
        pub sar_den: i32,
        pub matrix: [i32; 4],
        pub transfer: i32,
        pub primaries: i32,
    }

    #[expect(unsafe_code, reason = "libav speaks C")]
    unsafe extern "C" {
        pub fn loge_warm();
        pub fn loge_film_open(
            fd: c_int,
            track: c_int,
            formats: *const c_char,
            decoders: *const c_char,
            max_streams: c_int,
            max_pixels: i64,
            loop_filter: c_int,
            out: *mut *mut Film,
        ) -> c_int;
        pub fn loge_film_close(film: *mut Film);
        pub fn loge_film_key(
            film: *mut Film,
            at_ms: i64,
            known: *const i64,
            count: usize,
            key: *mut i64,
            shot: *mut Shot,
        ) -> c_int;
        pub fn loge_film_cover(film: *mut Film, decoders: *const c_char, max_pixels: i64, shot: *mut Shot) -> c_int;
        pub fn loge_film_keep(film: *mut Film, slot: c_int) -> c_int;
        pub fn loge_film_picture(
            film: *mut Film,
            slot: c_int,
            kind: c_int,
            smooth: c_int,
            width: c_int,
            height: c_int,
            out: *mut u8,
            length: usize,
        ) -> c_int;
        pub fn loge_jpeg(
            picture: *const u8,
            length: usize,
            width: c_int,
            height: c_int,
            quality: c_int,
            out: *mut u8,
            room: usize,
            written: *mut usize,
        ) -> c_int;
        safe fn loge_is_memory(error: c_int) -> c_int;
        safe fn loge_is_room(error: c_int) -> c_int;
        pub fn loge_words(error: c_int, out: *mut c_char, room: usize);
        pub fn loge_versions(out: *mut u32);
    }

    pub fn is_memory(error: c_int) -> bool {
        loge_is_memory(error) != 0
    }

    pub fn is_room(error: c_int) -> bool {
        loge_is_room(error) != 0
    }
}
