//! What a worker is told at start, through its otherwise empty environment.

use serde::{Deserialize, Serialize};

/// Path of the gateway's socket as the worker sees it.
pub const SOCKET: &str = "LOGE_SOCKET";
/// 64 hexadecimal digits.
pub const NONCE: &str = "LOGE_NONCE";
/// [`encode_mounts`].
pub const MOUNTS: &str = "LOGE_MOUNTS";
/// Absolute paths of the media programs inside the loge.
pub const FFMPEG: &str = "LOGE_FFMPEG";
pub const FFPROBE: &str = "LOGE_FFPROBE";
/// The program that takes pictures out of films; a worker without it does that with ffmpeg.
pub const FRAMES: &str = "LOGE_FRAMES";
/// A private writable folder, empty at start.
pub const WORK_DIR: &str = "LOGE_WORK_DIR";

/// Absolute path of the graphics chip's render node inside the loge; not set where it has none.
pub const RENDER_NODE: &str = "LOGE_RENDER_NODE";

/// Folder of VA-API's drivers inside the loge; not set where they are at one of the usual places.
pub const VA_DRIVERS: &str = "LOGE_VA_DRIVERS";

/// Where the socket and the libraries are inside a container.
pub const CONTAINER_SOCKET: &str = "/run/loge/gate.sock";
pub const CONTAINER_MEDIA_ROOT: &str = "/media";
pub const CONTAINER_WORK_DIR: &str = "/work";

/// One library folder as the worker sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountPoint {
    /// The folder's id; a [`crate::FileRef`] names it.
    pub id: String,
    pub path: Vec<u8>,
}

/// Hexadecimal text of bytes.
pub fn to_hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}

/// `None` unless `text` is an even number of hexadecimal digits.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).ok()).collect()
}

/// The mount table as one environment value: paths are bytes and may hold any separator.
pub fn encode_mounts(mounts: &[MountPoint]) -> String {
    to_hex(&postcard::to_stdvec(mounts).unwrap_or_default())
}

/// `None` when the text was not made by [`encode_mounts`].
pub fn decode_mounts(text: &str) -> Option<Vec<MountPoint>> {
    postcard::from_bytes(&from_hex(text)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_tables_carry_any_path() {
        let mounts = vec![MountPoint { id: "a".into(), path: b"/films/\xff=\n:x".to_vec() }];
        assert_eq!(decode_mounts(&encode_mounts(&mounts)), Some(mounts));
        assert_eq!(decode_mounts("zz"), None);
        assert_eq!(decode_mounts("0"), None);
    }
}
