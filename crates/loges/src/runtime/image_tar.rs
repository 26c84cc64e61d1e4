//! What a saved image calls itself, read from the tar before an engine is given it: loading gives
//! names away, and a file must not take the name of somebody else's image. Pure but for the reader.
//! The format is `docker save`'s: a POSIX tar with a `manifest.json` (Docker Image Specification v1.2).

use std::io::{self, Read};

const BLOCK: usize = 512;
/// A manifest is a few hundred bytes per image.
const MOST_MANIFEST: u64 = 1 << 20;
/// Entries of one archive; real ones have a few dozen.
const MOST_ENTRIES: usize = 10_000;

#[derive(Debug, thiserror::Error)]
pub enum SavedImageError {
    #[error("it cannot be read: {0}")]
    Read(#[from] io::Error),
    #[error("it is no saved image")]
    NotAnImage,
    #[error("it holds an image named {0}, which is no worker of Loge")]
    Foreign(String),
    #[error("it holds {0} images where one is expected")]
    Many(usize),
}

/// The one image's names, all of them below `repository`.
pub fn names(archive: &mut impl Read, repository: &str) -> Result<Vec<String>, SavedImageError> {
    let manifest = manifest(archive)?.ok_or(SavedImageError::NotAnImage)?;
    let images: serde_json::Value = serde_json::from_slice(&manifest).map_err(|_| SavedImageError::NotAnImage)?;
    let images = images.as_array().ok_or(SavedImageError::NotAnImage)?;
    let [image] = images.as_slice() else { return Err(SavedImageError::Many(images.len())) };
    let names: Vec<String> = image["RepoTags"]
        .as_array()
        .map(|tags| tags.iter().filter_map(|tag| tag.as_str().map(str::to_owned)).collect())
        .unwrap_or_default();
    let own = |name: &&String| name.strip_prefix(repository).is_some_and(|rest| rest.starts_with(':'));
    match names.iter().find(|name| !own(name)) {
        Some(foreign) => Err(SavedImageError::Foreign(foreign.chars().take(200).collect())),
        // Without a name nobody would find it again.
        None if names.is_empty() => Err(SavedImageError::NotAnImage),
        None => Ok(names),
    }
}

fn manifest(archive: &mut impl Read) -> Result<Option<Vec<u8>>, SavedImageError> {
    let mut header = [0; BLOCK];
    for _ in 0..MOST_ENTRIES {
        match archive.read_exact(&mut header) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            other => other?,
        }
        if header.iter().all(|b| *b == 0) {
            return Ok(None);
        }
        if &header[257..262] != b"ustar" {
            return Err(SavedImageError::NotAnImage);
        }
        let name = header[..100].split(|b| *b == 0).next().unwrap_or_default();
        let size = octal(&header[124..136]).ok_or(SavedImageError::NotAnImage)?;
        if name == b"manifest.json" || name == b"./manifest.json" {
            if size > MOST_MANIFEST {
                return Err(SavedImageError::NotAnImage);
            }
            let mut content = Vec::new();
            archive.take(size).read_to_end(&mut content)?;
            return Ok(Some(content));
        }
        let padded = size.div_ceil(BLOCK as u64).checked_mul(BLOCK as u64).ok_or(SavedImageError::NotAnImage)?;
        io::copy(&mut archive.take(padded), &mut io::sink())?;
    }
    Ok(None)
}

/// Numbers in tar headers are octal text, padded with spaces or zeros; large ones are not spoken of here.
fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?.trim_matches(['\0', ' ']);
    u64::from_str_radix(text, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, content: &[u8]) -> Vec<u8> {
        let mut header = [0; BLOCK];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        header[257..262].copy_from_slice(b"ustar");
        let mut all = header.to_vec();
        all.extend_from_slice(content);
        all.resize(all.len().div_ceil(BLOCK) * BLOCK, 0);
        all
    }

    fn check(manifest: &str) -> Result<Vec<String>, SavedImageError> {
        let archive = [entry("abc/layer.tar", &[7; 1300]), entry("manifest.json", manifest.as_bytes()), vec![0; 1024]];
        names(&mut &archive.concat()[..], "loge-worker")
    }

    #[test]
    fn only_one_worker_image_is_taken() {
        let good = check(r#"[{"Config":"c","RepoTags":["loge-worker:1","loge-worker:latest"]}]"#).unwrap();
        assert_eq!(good, ["loge-worker:1", "loge-worker:latest"]);
        for (manifest, expected) in [
            (r#"[{"RepoTags":["postgres:17"]}]"#, "it holds an image named postgres:17"),
            (r#"[{"RepoTags":["loge-worker:1","nginx:latest"]}]"#, "named nginx:latest"),
            (r#"[{"RepoTags":["loge-workers:1"]}]"#, "named loge-workers:1"),
            (r#"[{"RepoTags":["evil/loge-worker:1"]}]"#, "named evil/loge-worker:1"),
            (r#"[{"RepoTags":["loge-worker:1"]},{"RepoTags":["loge-worker:2"]}]"#, "holds 2 images"),
            (r#"[{"RepoTags":null}]"#, "no saved image"),
            ("[]", "holds 0 images"),
            ("{}", "no saved image"),
            ("x", "no saved image"),
        ] {
            let said = check(manifest).unwrap_err().to_string();
            assert!(said.contains(expected), "{manifest}: {said}");
        }
    }

    #[test]
    fn what_is_no_archive_is_said_to_be_none() {
        let huge = {
            let mut e = entry("manifest.json", b"[]");
            e[124..135].copy_from_slice(b"77777777777");
            e
        };
        for bytes in
            [&b""[..], b"text", &[0x1f, 0x8b, 8, 0, 0], &[0; 2048], &[b'a'; 5000], &entry("a", b"b")[..600], &huge]
        {
            assert!(names(&mut &bytes[..], "loge-worker").is_err(), "{} bytes", bytes.len());
        }
    }
}
