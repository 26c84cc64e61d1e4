//! What a child makes of its film: a poster, or one sheet of a storyboard.

use crate::{
    colours::{self, Bright},
    film::{Film, FilmError, Key, Kind, LoopFilter, Place, Shot, Slot, jpeg},
    shape::{self, Picture, Turn},
};
use contract::{
    Status,
    pictures::{Order, Picture as Asked},
};
use media::{
    ffmpeg_args::PosterWidth,
    liveliness::{SMALL, is_clearly_better, is_worth_showing, liveliness},
    storyboard::{
        ACROSS, DOWN, TILES,
        sheet::{AT_ONCE, MAX_MS, PAST_MS, QUALITIES, Sheet, Size},
    },
};
use std::os::fd::BorrowedFd;

/// Black in a JPEG.
const BLACK: u8 = 0;
/// Of a poster's JPEG.
const POSTER_QUALITY: u8 = 4;
/// A smaller cover is an icon.
const SMALLEST_COVER: u32 = 100;
/// Whatever is asked for.
const MAX_BYTES: u32 = 16 << 20;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
enum PictureError {
    #[error("refused")]
    Refused,
    #[error("{0}")]
    Film(#[from] FilmError),
    #[error("the JPEG is larger than it may be")]
    TooLarge,
}

/// A JPEG with `Ok`, words with `Failed`, nothing otherwise.
pub fn make(film: BorrowedFd<'_>, order: &Order) -> (Status, Vec<u8>) {
    let room = order.max_bytes.min(MAX_BYTES) as usize;
    let made = match &order.picture {
        Asked::Poster { picture_track, moments_ms, width } => poster(film, *picture_track, moments_ms, *width, room),
        Asked::Sheet { picture_track, times_ms, tile_width, tile_height } => {
            match Size::of_tile(*tile_width, *tile_height) {
                Some(tile) => sheet(film, *picture_track, times_ms, tile, room),
                None => Err(PictureError::Refused),
            }
        }
    };
    match made {
        Ok(jpeg) => (Status::Ok, jpeg),
        Err(PictureError::Refused) => (Status::Refused, Vec::new()),
        // Asking again is in vain.
        Err(PictureError::TooLarge) => (Status::Unsupported, Vec::new()),
        Err(PictureError::Film(error)) => match error.status() {
            Status::Failed => (Status::Failed, error.to_string().into_bytes()),
            other => (other, Vec::new()),
        },
    }
}

/// The places that cannot be read stay black, as long as there is one that can.
fn sheet(film: BorrowedFd<'_>, track: u32, times_ms: &[u64], tile: Size, room: usize) -> Result<Vec<u8>, PictureError> {
    if times_ms.is_empty() || times_ms.len() > TILES {
        return Err(PictureError::Refused);
    }
    let mut film = Film::open(film, track, LoopFilter::Off)?;
    let mut sheet = Sheet::new(tile, ACROSS, DOWN, BLACK);
    // Of a film whose key frames are far apart, neighbours may be the same.
    let (mut last, mut why): (Option<(Place, Picture)>, _) = (None, None);
    for (number, time) in times_ms.iter().enumerate() {
        match tile_at(&mut film, *time, tile, last.as_ref().map(|(place, _)| *place)) {
            Ok(found) => {
                last = found.or(last);
                if let Some((_, picture)) = &last {
                    sheet.put(number, &picture.bytes);
                }
            }
            Err(error) if error.is_memory() => return Err(error.into()),
            Err(error) => why = Some(error),
        }
    }
    match why {
        Some(error) if last.is_none() => return Err(error.into()),
        _ => {}
    }
    for quality in QUALITIES {
        match jpeg(&sheet.bytes, sheet.size, quality, room) {
            Err(error) if error.is_room() => {}
            other => return Ok(other?),
        }
    }
    Err(PictureError::TooLarge)
}

/// `None` when it is the one at `last` again.
fn tile_at(
    film: &mut Film,
    time_ms: u64,
    tile: Size,
    last: Option<Place>,
) -> Result<Option<(Place, Picture)>, FilmError> {
    let known: Vec<Place> = last.into_iter().collect();
    match film.key(time_ms.saturating_add(PAST_MS).min(MAX_MS), &known)? {
        Key::Known(_) => Ok(None),
        Key::Decoded(place, shot) => {
            let size = shape::fit(shape::upright(&shot), tile);
            Ok(Some((place, drawn(film, Slot::Newest, &shot, size, false)?.in_the_middle_of(tile))))
        }
    }
}

/// Returns the cover that comes with the film, else the liveliest of the moments that can be read; the first
/// of them unless another is clearly better. A film that can be read at none of them may still have
/// a beginning.
fn poster(
    film: BorrowedFd<'_>,
    track: u32,
    moments_ms: &[u64],
    width: u32,
    room: usize,
) -> Result<Vec<u8>, PictureError> {
    if moments_ms.is_empty() || moments_ms.len() > AT_ONCE || PosterWidth::new(width).is_none() {
        return Err(PictureError::Refused);
    }
    let mut film = Film::open(film, track, LoopFilter::On)?;
    let chosen = match film.cover().filter(|shot| shot.width.min(shot.height) >= SMALLEST_COVER) {
        Some(cover) => Ok((Slot::Newest, cover)),
        None => choose(&mut film, moments_ms),
    };
    let (slot, shot) = match chosen {
        Err(error) if error.is_memory() => return Err(error.into()),
        Err(error) => match film.key(0, &[])? {
            Key::Decoded(_, shot) => (Slot::Newest, shot),
            Key::Known(_) => return Err(error.into()),
        },
        Ok(chosen) => chosen,
    };
    let size = shape::poster(shape::upright(&shot), width);
    let picture = drawn(&mut film, slot, &shot, size, true)?;
    match jpeg(&picture.bytes, picture.size, POSTER_QUALITY, room) {
        Err(error) if error.is_room() => Err(PictureError::TooLarge),
        other => Ok(other?),
    }
}

/// What was seen of the film so far.
#[derive(Default)]
struct Seen {
    /// What was wished for, and how much there is to see in it.
    first: Option<(Shot, u32)>,
    best: Option<(Shot, u32)>,
    known: Vec<Place>,
    why: Option<FilmError>,
}

impl Seen {
    fn look(&mut self, film: &mut Film, moment_ms: u64) -> Result<(), FilmError> {
        let shot = match film.key(moment_ms.saturating_add(PAST_MS).min(MAX_MS), &self.known) {
            Ok(Key::Decoded(place, shot)) => {
                self.known.push(place);
                shot
            }
            // Moments of a short film are often the same picture.
            Ok(Key::Known(_)) => return Ok(()),
            Err(error) if error.is_memory() => return Err(error),
            Err(error) => {
                self.why = Some(error);
                return Ok(());
            }
        };
        let size = shape::fit(shape::upright(&shot), SMALL);
        let small = drawn(film, Slot::Newest, &shot, size, false)?.in_the_middle_of(SMALL);
        let score = liveliness(&small.in_film_range(), SMALL);
        if self.first.is_none() {
            film.keep(Slot::First)?;
            self.first = Some((shot, score));
        } else if self.best.is_none_or(|(_, best)| score > best) {
            film.keep(Slot::Best)?;
            self.best = Some((shot, score));
        }
        Ok(())
    }

    /// Returns whether there is anything to see in what was found.
    fn shows_something(&self) -> bool {
        [self.first, self.best].into_iter().flatten().any(|(_, score)| is_worth_showing(score))
    }
}

fn choose(film: &mut Film, moments_ms: &[u64]) -> Result<(Slot, Shot), FilmError> {
    let mut seen = Seen::default();
    for moment in moments_ms {
        seen.look(film, *moment)?;
    }
    let latest = moments_ms.iter().max().copied().unwrap_or_default();
    // All of them lie in the first quarter of the film.
    for halves in if latest == 0 { 0..0 } else { 3..8 } {
        if seen.shows_something() {
            break;
        }
        seen.look(film, latest.saturating_mul(halves) / 2)?;
    }
    match (seen.first, seen.best) {
        (Some((_, wished_for)), Some((shot, score))) if is_clearly_better(score, wished_for) => Ok((Slot::Best, shot)),
        (Some((shot, _)), _) => Ok((Slot::First, shot)),
        (None, _) => Err(seen.why.unwrap_or(FilmError::NOTHING)),
    }
}

/// A decoded picture as people see it, in a size that was fitted to its upright shape.
fn drawn(film: &mut Film, slot: Slot, shot: &Shot, size: Size, smooth: bool) -> Result<Picture, FilmError> {
    let turn = Turn::of(shot.matrix);
    let lying = turn.before(size);
    let picture = match Bright::of(shot.transfer) {
        None => Picture { size: lying, bytes: film.picture(slot, Kind::Jpeg420, smooth, lying)? },
        Some(bright) => {
            let rgb48 = film.picture(slot, Kind::Rgb48, smooth, lying)?;
            let black = || Picture { size: lying, bytes: vec![128; lying.bytes()] };
            colours::brought_down(&rgb48, lying, bright, shot.primaries).unwrap_or_else(black)
        }
    };
    Ok(picture.turned(turn))
}
