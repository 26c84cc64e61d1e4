//! The port through which files are looked into. The house loge implements it; this room never
//! opens a media file itself.

use async_trait::async_trait;
use domain::{FolderId, facts::Defect, facts::FileFacts};

/// Files in one question.
pub const MAX_LOOK: usize = 64;
/// Bytes of all their paths together.
pub const MAX_LOOK_PATH_BYTES: usize = 48 << 10;

/// A file as the walk saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaFile {
    pub folder: FolderId,
    /// Relative to the folder, raw bytes.
    pub path: Vec<u8>,
    pub size_bytes: u64,
}

/// Why there are no facts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeFailure {
    /// The file itself is the reason; asking again gives the same.
    #[error("the file is {}", .0.as_str())]
    Defect(Defect),
    /// It vanished or changed while it was looked at; the next walk sees it anew.
    #[error("the file changed while it was looked at")]
    Changed,
    /// Nobody can look just now.
    #[error("the house loge cannot look now: {0}")]
    Unavailable(String),
}

#[async_trait]
pub trait Prober: Send + Sync + 'static {
    /// Looks into at most [`MAX_LOOK`] files; the answers are in the order of the files.
    async fn look(&self, files: &[MediaFile]) -> Vec<Result<FileFacts, ProbeFailure>>;
    /// Returns one JPEG, at most `width` pixels wide: the cover that comes with the film, else the liveliest
    /// frame near one of these moments, at most five, of which the first is wished for.
    /// `picture_track`: which of the file's picture streams the film is.
    async fn poster(
        &self,
        file: &MediaFile,
        picture_track: u32,
        moments_ms: &[u64],
        width: u32,
    ) -> Result<Vec<u8>, ProbeFailure>;
}
