//! Sound: what configurations and first frames say of channels and rates.

use super::{Sure, bits::Bits, describe::Sound};

const BROKEN: &str = "a sound configuration that cannot be read";
const AAC_RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];
const DOLBY_RATES: [u32; 3] = [48_000, 44_100, 32_000];
const DOLBY_CHANNELS: [u32; 8] = [2, 1, 2, 3, 3, 4, 4, 5];

fn sound(codec: &'static str, channels: u32, rate_hz: u32) -> Sound {
    Sound { codec, profile: None, channels, rate_hz }
}

/// An MPEG-4 AudioSpecificConfig.
pub(super) fn aac(config: &[u8]) -> Sure<Sound> {
    let mut b = Bits::new(config);
    let kind = b.take(5).ok_or(BROKEN)?;
    let index = b.take(4).ok_or(BROKEN)? as usize;
    let rate_hz = match AAC_RATES.get(index) {
        Some(rate) => *rate,
        None if index == 15 => return Err("AAC at a rare rate"),
        None => return Err(BROKEN),
    };
    let channels = match b.take(4).ok_or(BROKEN)? {
        n @ 1..=6 => n,
        7 => 8,
        _ => return Err("AAC with a channel map of its own"),
    };
    if kind != 2 {
        return Err("AAC other than LC");
    }
    // Doubled rates may be said by the frames only, or behind the configuration.
    if rate_hz <= 24_000 {
        return Err("AAC that may be doubled in rate");
    }
    if b.skip(3).is_some() && b.take(11) == Some(0x2b7) && b.take(5) == Some(5) && b.bit() == Some(true) {
        return Err("AAC that is doubled in rate");
    }
    Ok(Sound { profile: Some("LC"), ..sound("aac", channels, rate_hz) })
}

/// The header of a frame of layer 3.
pub(super) fn mp3(frame: &[u8]) -> Sure<Sound> {
    mpeg(frame, 1, "mp3")
}

/// The first frame of what MP4 calls MPEG sound, whatever its layer; ffprobe names it after the
/// last one, which decodes the others too.
pub(super) fn mp3_or_before(frame: &[u8]) -> Sure<Sound> {
    mp3(frame).or_else(|_| mpeg(frame, 2, "mp3"))
}

/// The header of a frame of layer 2.
pub(super) fn mp2(frame: &[u8]) -> Sure<Sound> {
    mpeg(frame, 2, "mp2")
}

fn mpeg(frame: &[u8], layer: u8, codec: &'static str) -> Sure<Sound> {
    let head = frame.get(..4).ok_or(BROKEN)?;
    // A rate of 0 is free, one of 15 is forbidden.
    if head[0] != 0xff || head[1] & 0xe0 != 0xe0 || head[1] >> 1 & 3 != layer || matches!(head[2] >> 4, 0 | 15) {
        return Err("MPEG sound that does not begin with a frame");
    }
    let base = *[44_100, 48_000, 32_000].get(usize::from(head[2] >> 2 & 3)).ok_or(BROKEN)?;
    let rate_hz = match head[1] >> 3 & 3 {
        3 => base,
        2 => base / 2,
        0 => base / 4,
        _ => return Err(BROKEN),
    };
    Ok(sound(codec, if head[3] >> 6 == 3 { 1 } else { 2 }, rate_hz))
}

/// A frame of AC-3.
pub(super) fn ac3(frame: &[u8]) -> Sure<Sound> {
    let head = frame.get(..8).ok_or(BROKEN)?;
    if head[..2] != [0x0b, 0x77] || head[5] >> 3 > 8 {
        return Err("AC-3 that does not begin with a frame");
    }
    let rate = *DOLBY_RATES.get(usize::from(head[4] >> 6)).ok_or(BROKEN)?;
    let mut b = Bits::new(&head[6..]);
    let mode = b.take(3).ok_or(BROKEN)?;
    let mixes = u32::from(mode & 1 == 1 && mode != 1) + u32::from(mode & 4 != 0) + u32::from(mode == 2);
    b.skip(2 * mixes as usize).ok_or(BROKEN)?;
    let low = u32::from(b.bit().ok_or(BROKEN)?);
    Ok(sound("ac3", DOLBY_CHANNELS[mode as usize] + low, rate))
}

/// A frame of E-AC-3. What hangs on it (7.1) is not counted here.
pub(super) fn eac3(frame: &[u8]) -> Sure<Sound> {
    let head = frame.get(..6).ok_or(BROKEN)?;
    let mut b = Bits::new(&head[2..]);
    let parsed = (|| Some((b.take(2)?, b.take(3)?, b.take(11)?, b.take(2)?, b.take(2)?, b.take(3)?, b.bit()?)))();
    let (kind, number, words, rate, _, mode, low) = parsed.ok_or(BROKEN)?;
    if head[..2] != [0x0b, 0x77] || head[5] >> 3 != 16 || kind != 0 || number != 0 {
        return Err("E-AC-3 that does not begin with a frame");
    }
    let next = frame.get((words as usize + 1) * 2..).unwrap_or_default();
    if next.len() >= 3 && !(next[..2] == [0x0b, 0x77] && next[2] >> 6 == 0 && next[2] >> 3 & 7 == 0) {
        return Err("E-AC-3 of several parts");
    }
    let rate = *DOLBY_RATES.get(rate as usize).ok_or("E-AC-3 at a rare rate")?;
    Ok(sound("eac3", DOLBY_CHANNELS[mode as usize] + u32::from(low), rate))
}

/// A frame of DTS without any extension, which would bring channels or a profile of its own.
pub(super) fn dts(frame: &[u8]) -> Sure<Sound> {
    const RATES: [u32; 16] =
        [0, 8000, 16_000, 32_000, 0, 0, 11_025, 22_050, 44_100, 0, 0, 12_000, 24_000, 48_000, 96_000, 192_000];
    const CHANNELS: [u32; 10] = [1, 2, 2, 2, 2, 3, 3, 4, 4, 5];
    let mut b = Bits::new(frame.strip_prefix(&[0x7f, 0xfe, 0x80, 0x01]).ok_or("DTS that does not begin with a frame")?);
    let parsed = (|| {
        b.skip(14)?;
        let size = b.take(14)? as usize + 1;
        let (mode, rate) = (b.take(6)?, b.take(4)?);
        b.skip(5)?;
        let reserved = b.bit()?;
        b.skip(4 + 3)?;
        let extended = b.bit()?;
        b.skip(1)?;
        Some((size, mode, rate, reserved, extended, b.take(2)?))
    })();
    let (size, mode, rate, reserved, extended, low) = parsed.ok_or(BROKEN)?;
    if extended || frame.len() > size.next_multiple_of(4) {
        return Err("DTS with extensions");
    }
    let (rate, channels) = (RATES[rate as usize], CHANNELS.get(mode as usize).copied().ok_or("DTS of a rare kind")?);
    if rate == 0 || reserved || low == 3 || frame.len() < size || size < 96 {
        return Err("DTS of a rare kind");
    }
    Ok(Sound { profile: Some("DTS"), ..sound("dts", channels + u32::from(low != 0), rate) })
}

/// A `dac3` box.
pub(super) fn dac3(record: &[u8]) -> Sure<Sound> {
    let mut b = Bits::new(record);
    let parsed = (|| Some((b.take(2)?, b.take(5)?, b.take(3)?, b.take(3)?, b.bit()?)))();
    let (rate, id, _, mode, low) = parsed.ok_or(BROKEN)?;
    if id > 8 {
        return Err("AC-3 of a rare kind");
    }
    let rate = *DOLBY_RATES.get(rate as usize).ok_or(BROKEN)?;
    Ok(sound("ac3", DOLBY_CHANNELS[mode as usize] + u32::from(low), rate))
}

/// A `dec3` box.
pub(super) fn dec3(record: &[u8]) -> Sure<Sound> {
    let mut b = Bits::new(record);
    let parsed = (|| {
        b.skip(13)?;
        let parts = b.take(3)?;
        let (rate, _) = (b.take(2)?, b.skip(5 + 2 + 3)?);
        let (mode, low) = (b.take(3)?, b.bit()?);
        b.skip(3)?;
        Some((parts, rate, mode, low, b.take(4)?))
    })();
    let (parts, rate, mode, low, hanging) = parsed.ok_or(BROKEN)?;
    if parts != 0 || hanging != 0 {
        return Err("E-AC-3 of several parts");
    }
    let rate = *DOLBY_RATES.get(rate as usize).ok_or("E-AC-3 at a rare rate")?;
    Ok(sound("eac3", DOLBY_CHANNELS[mode as usize] + u32::from(low), rate))
}

/// `OpusHead` or the body of a `dOps` box behind its version.
pub(super) fn opus(channels: u8) -> Sure<Sound> {
    if channels == 0 { Err(BROKEN) } else { Ok(sound("opus", u32::from(channels), 48_000)) }
}

/// FLAC's STREAMINFO block.
pub(super) fn flac(info: &[u8]) -> Sure<Sound> {
    let mut b = Bits::new(info.get(10..).ok_or(BROKEN)?);
    let (rate, channels) = (|| Some((b.take(20)?, b.take(3)? + 1)))().ok_or(BROKEN)?;
    if rate == 0 { Err(BROKEN) } else { Ok(sound("flac", channels, rate)) }
}

/// FLAC as Matroska keeps it: with its marker in front.
pub(super) fn flac_file(private: &[u8]) -> Sure<Sound> {
    let body = private.strip_prefix(b"fLaC").ok_or(BROKEN)?;
    if body.first().is_none_or(|b| b & 127 != 0) {
        return Err(BROKEN);
    }
    flac(body.get(4..).ok_or(BROKEN)?)
}

/// Three laced headers; the first one is the identification.
pub(super) fn vorbis(private: &[u8]) -> Sure<Sound> {
    if private.first() != Some(&2) {
        return Err(BROKEN);
    }
    let mut lengths = private.get(1..).ok_or(BROKEN)?.iter();
    let mut laced = 0;
    for _ in 0..2 {
        loop {
            let byte = *lengths.next().ok_or(BROKEN)?;
            laced += 1;
            if byte != 255 {
                break;
            }
        }
    }
    let head = private.get(1 + laced..).ok_or(BROKEN)?;
    let rest = head.strip_prefix(b"\x01vorbis\0\0\0\0").ok_or(BROKEN)?;
    let channels = *rest.first().ok_or(BROKEN)?;
    let rate = rest.get(1..5).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes).ok_or(BROKEN)?;
    if channels == 0 || rate == 0 { Err(BROKEN) } else { Ok(sound("vorbis", u32::from(channels), rate)) }
}

/// Apple's lossless cookie, behind its version.
pub(super) fn alac(cookie: &[u8]) -> Sure<Sound> {
    let channels = *cookie.get(9).ok_or(BROKEN)?;
    let rate = cookie.get(20..24).and_then(|b| b.try_into().ok()).map(u32::from_be_bytes).ok_or(BROKEN)?;
    if channels == 0 || rate == 0 { Err(BROKEN) } else { Ok(sound("alac", u32::from(channels), rate)) }
}

/// Plain samples.
pub(super) fn pcm(codec: &'static str, channels: u32, rate_hz: u32) -> Sure<Sound> {
    if channels == 0 || rate_hz == 0 { Err(BROKEN) } else { Ok(sound(codec, channels, rate_hz)) }
}
