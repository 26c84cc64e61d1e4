//! A media program that stands in for one with a graphics chip: it takes exactly the commands that a
//! chip gets, checks them, and has the processor do the work. It can fail in chosen ways.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// What the chip does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Chip {
    Works,
    /// It encodes, and decodes nothing.
    DoesNotDecode,
    /// Its driver does not start.
    DoesNotStart,
    /// It puts key frames where it likes.
    IgnoresKeyFrames,
    /// Its key frames are no IDR pictures.
    NoIdr,
    /// It encodes half of the film's frames.
    LosesFrames,
    /// What it writes is no H.264.
    Garbles,
    /// It takes longer than a third of the film.
    IsSlow,
    /// It passes its test and makes the first frame of a film, and nothing more of it.
    OnlyBegins,
}

impl Chip {
    const fn word(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::DoesNotDecode => "does-not-decode",
            Self::DoesNotStart => "does-not-start",
            Self::IgnoresKeyFrames => "ignores-key-frames",
            Self::NoIdr => "no-idr",
            Self::LosesFrames => "loses-frames",
            Self::Garbles => "garbles",
            Self::IsSlow => "is-slow",
            Self::OnlyBegins => "only-begins",
        }
    }
}

const PROGRAM: &str = include_str!("chip-ffmpeg.sh");

/// Writes the program into a folder; answers its path, and where it keeps the commands it got.
pub fn program(folder: &Path, chip: Chip, node: &str) -> (PathBuf, PathBuf) {
    let (path, log) = (folder.join("ffmpeg"), folder.join("commands"));
    let text = PROGRAM.replace("%CHIP%", chip.word()).replace("%NODE%", node).replace("%FFMPEG%", "/usr/bin/ffmpeg");
    std::fs::write(&path, text.replace("%LOG%", log.to_str().unwrap())).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    (path, log)
}
