//! Images of an engine: what there is, and loading one from a file.

use super::{
    RuntimeError,
    image_tar::{self, Part, SavedImage, SavedImageError},
};
use crate::images::Image;
use base::UnixMs;
use bollard::{
    Docker,
    errors::Error,
    query_parameters::{ImportImageOptionsBuilder, ListImagesOptionsBuilder, RemoveImageOptions},
};
use futures_util::{Stream, StreamExt};
use rustix::fs::OFlags;
use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufReader},
    path::Path,
};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::bytes::{Bytes, BytesMut};

/// Of an archive that is copied to the engine.
const CHUNK: usize = 64 << 10;

/// The name of every worker image, and the label its maker gives it.
pub const REPOSITORY: &str = "loge-worker";
pub const LABEL_IMAGE: (&str, &str) = ("loge.image", "worker");

pub async fn list(docker: &Docker, used: Option<&str>, own: Option<&str>) -> Result<Vec<Image>, Error> {
    let filters = HashMap::from([("label", vec![format!("{}={}", LABEL_IMAGE.0, LABEL_IMAGE.1)])]);
    let listed = docker.list_images(Some(ListImagesOptionsBuilder::new().filters(&filters).build())).await?;
    let mut images: Vec<Image> = listed
        .into_iter()
        .map(|image| {
            let mut names = image.repo_tags;
            names.retain(|name| name.starts_with(REPOSITORY));
            // What says most comes first.
            names.sort_by_key(|name| (name.ends_with(":latest"), name.clone()));
            Image {
                is_used: used == Some(&image.id),
                is_own: own == Some(&image.id),
                id: image.id,
                names,
                made_at: UnixMs(image.created.saturating_mul(1000)),
                size_bytes: u64::try_from(image.size).unwrap_or(0),
            }
        })
        .collect();
    images.sort_by_key(|image| std::cmp::Reverse(image.made_at));
    Ok(images)
}

/// The id of a worker image; `None` for anything that is none, whatever its name.
pub async fn worker_id(docker: &Docker, name: &str) -> Result<Option<String>, Error> {
    let image = docker.inspect_image(name).await?;
    let label = image.config.and_then(|config| config.labels?.get(LABEL_IMAGE.0).cloned());
    Ok(image.id.filter(|_| label.as_deref() == Some(LABEL_IMAGE.1)))
}

/// Loads the image of an archive under a name of our own, not under the archive's, and returns its
/// id. Names that the engine gave away before keep what they name.
pub async fn import(docker: &Docker, path: &Path) -> Result<String, RuntimeError> {
    let path = path.to_owned();
    let opened = tokio::task::spawn_blocking(move || open(&path)).await;
    let (file, image) = opened
        .map_err(|e| RuntimeError::NotAnImage { reason: e.to_string() })?
        .map_err(|reason| RuntimeError::NotAnImage { reason: reason.to_string() })?;
    let name = format!("{REPOSITORY}:import-{}", &image.digest()[..16]);
    let was_there = worker_id(docker, &name).await.is_ok_and(|id| id.is_some());
    let outcome = load(docker, file, image.rewritten(&name)).await;
    let loaded = match outcome {
        Ok(()) => match worker_id(docker, &name).await {
            Ok(Some(id)) => Ok(id),
            _ => Err(RuntimeError::NotAnImage { reason: SavedImageError::Foreign.to_string() }),
        },
        Err(e) => Err(e),
    };
    if loaded.is_err() && !was_there {
        // Only the new name, which nothing else had.
        let _ = docker.remove_image(&name, None::<RemoveImageOptions>, None).await;
    }
    loaded
}

/// What is read and what is loaded come through one descriptor: the path may be another file by then.
fn open(path: &Path) -> Result<(File, SavedImage), SavedImageError> {
    use std::os::unix::fs::OpenOptionsExt;
    // Opening a pipe would wait for a writer.
    let without_waiting = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = File::options().read(true).custom_flags(without_waiting).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(SavedImageError::NotAnImage);
    }
    let mut reader = BufReader::new(file);
    let image = image_tar::read(&mut reader, LABEL_IMAGE)?;
    Ok((reader.into_inner(), image))
}

async fn load(docker: &Docker, file: File, parts: Vec<Part>) -> Result<(), RuntimeError> {
    let bytes = rewritten(file, parts);
    let mut answers = Box::pin(docker.import_image_stream(ImportImageOptionsBuilder::new().build(), bytes, None));
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(_) => {}
            Err(Error::DockerStreamError { error } | Error::DockerResponseServerError { message: error, .. }) => {
                return Err(RuntimeError::NotAnImage { reason: error.chars().take(200).collect() });
            }
            Err(e) => return Err(RuntimeError::EngineAway { detail: e.to_string() }),
        }
    }
    Ok(())
}

/// Returns the bytes of the parts, one after the other. A file that became shorter ends them with an error.
fn rewritten(file: File, parts: Vec<Part>) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    struct Writing {
        file: tokio::fs::File,
        parts: std::vec::IntoIter<Part>,
        /// Left of the section that is being copied.
        left: u64,
    }
    let writing = Writing { file: tokio::fs::File::from_std(file), parts: parts.into_iter(), left: 0 };
    futures_util::stream::try_unfold(writing, |mut writing| async move {
        while writing.left == 0 {
            match writing.parts.next() {
                None => return Ok(None),
                Some(Part::Bytes(bytes)) if bytes.is_empty() => {}
                Some(Part::Bytes(bytes)) => return Ok(Some((Bytes::from(bytes), writing))),
                Some(Part::Of(section)) => {
                    writing.file.seek(io::SeekFrom::Start(section.at)).await?;
                    writing.left = section.length;
                }
            }
        }
        let mut chunk = BytesMut::with_capacity(usize::try_from(writing.left).unwrap_or(CHUNK).min(CHUNK));
        let read = (&mut writing.file).take(writing.left).read_buf(&mut chunk).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        writing.left -= read as u64;
        Ok(Some((chunk.freeze(), writing)))
    })
}
