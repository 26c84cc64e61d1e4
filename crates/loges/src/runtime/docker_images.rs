//! Images of an engine: what there is, and loading one from a file.

use super::{
    RuntimeError,
    image_tar::{self, SavedImageError},
};
use crate::images::Image;
use base::UnixMs;
use bollard::{
    Docker,
    errors::Error,
    query_parameters::{ImportImageOptionsBuilder, ListImagesOptionsBuilder, RemoveImageOptions},
};
use futures_util::StreamExt;
use std::{collections::HashMap, path::Path};
use tokio_util::io::ReaderStream;

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

/// Loads a saved image whose names are all ours; answers its id.
pub async fn import(docker: &Docker, file: &Path) -> Result<String, RuntimeError> {
    let refused = |reason: SavedImageError| RuntimeError::NotAnImage { reason: reason.to_string() };
    let path = file.to_owned();
    let look = tokio::task::spawn_blocking(move || {
        let file = std::fs::File::open(&path)?;
        if !file.metadata()?.is_file() {
            return Err(SavedImageError::NotAnImage);
        }
        image_tar::names(&mut std::io::BufReader::new(file), REPOSITORY)
    });
    let names = look.await.map_err(|e| RuntimeError::NotAnImage { reason: e.to_string() })?.map_err(refused)?;
    let bytes = ReaderStream::new(tokio::fs::File::open(file).await.map_err(|e| refused(e.into()))?);
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
    // The label is in the image's own configuration, which only the loaded image shows.
    match worker_id(docker, &names[0]).await {
        Ok(Some(id)) => Ok(id),
        _ => {
            for name in &names {
                let _ = docker.remove_image(name, None::<RemoveImageOptions>, None).await;
            }
            Err(RuntimeError::NotAnImage { reason: "it is no worker of Loge".into() })
        }
    }
}
