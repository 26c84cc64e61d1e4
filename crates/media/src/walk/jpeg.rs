//! Motion JPEG: the header of its first picture.

use super::{Sure, be, describe::Picture};

const BROKEN: &str = "a JPEG that cannot be read";
/// Tables and a camera's notes come before the frame header.
pub(super) const MAX_HEADERS: usize = 16 << 10;
/// Adobe's, Pegasus' and two of no name.
const COLOURS: [&[u8]; 4] = [b"Adob", b"LJIF", b"rloc", b"mrfx"];

pub(super) fn picture(frame: &[u8]) -> Sure<Picture> {
    let mut rest = frame.strip_prefix(&[0xff, 0xd8]).ok_or("JPEG that does not begin with a picture")?;
    // Of one pixel: how many lie on an inch, or just their shape.
    let mut aspect = None;
    loop {
        let [0xff, kind, high, low, ..] = *rest else { return Err(BROKEN) };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let body = rest.get(4..2 + length).ok_or(BROKEN)?;
        match kind {
            0xc0 => return Ok(Picture { aspect, ..baseline(body)? }),
            // Tables and the restart interval.
            0xc4 | 0xdb | 0xdd => {}
            // Notes of cameras and programs, but those that say something about colours.
            0xe0 if body.starts_with(b"JFIF\0") && body.len() >= 12 => {
                let sides = (be(&body[8..10]), be(&body[10..12]));
                aspect = Some(sides).filter(|(across, down)| *across > 0 && *down > 0);
            }
            0xe0..=0xef if body.len() >= 4 && !COLOURS.iter().any(|name| body.starts_with(name)) => {
                if body.get(4..8) == Some(b"mjpg") {
                    return Err("a JPEG of a rare kind");
                }
            }
            0xfe if !body.windows(3).any(|w| w == b"CS=") => {}
            _ => return Err("a JPEG of a rare kind"),
        }
        rest = &rest[2 + length..];
    }
}

fn baseline(header: &[u8]) -> Sure<Picture> {
    let [8, h0, h1, w0, w1, 3, 1, luma, _, 2, blue, _, 3, red, _] = *header else {
        return Err("a JPEG of a rare kind");
    };
    // How often each is sampled across and down; what all are sampled twice, none is.
    let (across, down) = ([luma, blue, red].map(|b| b >> 4), [luma, blue, red].map(|b| b & 15));
    let halved = |all: [u8; 3]| if all == [2, 2, 2] { [1, 1, 1] } else { all };
    let pixel_format = match (halved(across), halved(down)) {
        ([1, 1, 1], [1, 1, 1]) => "yuvj444p",
        ([2, 1, 1], [1, 1, 1]) => "yuvj422p",
        ([2, 1, 1], [2, 1, 1]) => "yuvj420p",
        _ => return Err("a JPEG of a rare kind"),
    };
    Ok(Picture {
        codec: "mjpeg",
        profile: Some("Baseline".into()),
        level: None,
        width: u16::from_be_bytes([w0, w1]).into(),
        height: u16::from_be_bytes([h0, h1]).into(),
        pixel_format: pixel_format.into(),
        aspect: None,
        primaries: None,
        transfer: None,
        says_colours: false,
        sample_entry: None,
    })
}
