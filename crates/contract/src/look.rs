//! What a worker found at a glance, file by file.

use crate::frame::FrameError;
use serde::{Deserialize, Serialize};

/// Files in one [`crate::Job::Glance`]; with paths of [`MAX_PATH_BYTES`] in all they fit a frame.
pub const MAX_FILES: usize = 64;
/// All paths of one request together.
pub const MAX_PATH_BYTES: usize = 48 << 10;

/// One file's verdict; a bad file costs only itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Looked {
    /// JSON in ffprobe's form, as untrusted text.
    Known(Vec<u8>),
    /// The headers do not say everything: a probe has to.
    Unsure,
    /// The file ends long before it says it does.
    Cut,
    /// It is not there, or not the one that was meant.
    Changed,
    /// It could not be opened or read.
    Unreadable,
    /// Time or room for the answer ran out; ask again.
    Later,
}

/// # Errors
/// [`FrameError::Body`] when it cannot be written, which no list of ours does.
pub fn encode(looked: &[Looked]) -> Result<Vec<u8>, FrameError> {
    postcard::to_stdvec(looked).map_err(|_| FrameError::Body)
}

/// Reads the answer to a request about `count` files.
///
/// # Errors
/// [`FrameError::Body`] when the bytes are not exactly that many verdicts.
pub fn decode(bytes: &[u8], count: usize) -> Result<Vec<Looked>, FrameError> {
    match postcard::take_from_bytes::<Vec<Looked>>(bytes) {
        Ok((looked, [])) if looked.len() == count => Ok(looked),
        _ => Err(FrameError::Body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FileRef, Job, Request, RequestBody, frame};

    #[test]
    fn verdicts_survive_and_other_counts_do_not() {
        let list = vec![Looked::Known(b"{}".to_vec()), Looked::Unsure, Looked::Later];
        let bytes = encode(&list).unwrap();
        assert_eq!(decode(&bytes, 3), Ok(list));
        assert_eq!(decode(&bytes, 2), Err(FrameError::Body));
        assert_eq!(decode(&bytes[..bytes.len() - 1], 3), Err(FrameError::Body));
        assert_eq!(decode(&[0xff; 40], 3), Err(FrameError::Body));
    }

    #[test]
    fn the_largest_request_fits_a_frame() {
        let file = |path| FileRef { mount: "f".repeat(32), path, size: Some(u64::MAX), mtime_ns: None };
        let files = (0..MAX_FILES).map(|_| file(vec![b'x'; MAX_PATH_BYTES / MAX_FILES])).collect();
        let body = RequestBody::Job { job: Job::Glance { files }, max_bytes: u32::MAX, time_limit_ms: u32::MAX };
        assert!(frame::encode(&Request { id: u64::MAX, body }).is_ok());
    }
}
