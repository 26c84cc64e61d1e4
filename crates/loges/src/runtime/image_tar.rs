//! A saved image, read as an index of its parts and rewritten. An engine gives names away when
//! it loads an archive, and reads more in one than we would look for: a second manifest, longer
//! names in extended headers, the index of another format. So it never sees the archive: it gets
//! one of ours with the image's configuration and layers and one manifest, under a name of ours.
//! Pure but for the reader.
//!
//! The format is `docker save`'s: a POSIX tar with a `manifest.json` (Docker Image Specification v1.2).

use contract::env::to_hex;
use sha2::{Digest, Sha256};
use std::{
    collections::{HashMap, HashSet},
    io::{self, Read, Seek, SeekFrom},
};

const BLOCK: u64 = 512;
/// A manifest is a few hundred bytes, a configuration a few thousand.
const MOST_TEXT: u64 = 1 << 20;
/// Entries of one archive; real ones have a few dozen.
const MOST_ENTRIES: usize = 10_000;
/// An engine takes no more.
const MOST_LAYERS: usize = 127;

#[derive(Debug, thiserror::Error)]
pub enum SavedImageError {
    #[error("it cannot be read: {0}")]
    Read(#[from] io::Error),
    #[error("it is no saved image")]
    NotAnImage,
    #[error("it holds {0} images where one is expected")]
    Many(usize),
    #[error("it holds {0} twice")]
    Twice(String),
    #[error("it lacks {0}")]
    Lacks(String),
    #[error("it is no worker of Loge")]
    Foreign,
}

/// Where the bytes of an entry lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section {
    pub at: u64,
    pub length: u64,
}

/// The one image of an archive.
#[derive(Debug, PartialEq, Eq)]
pub struct SavedImage {
    config: Vec<u8>,
    layers: Vec<Section>,
}

/// What the new archive is made of, in this order.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    Bytes(Vec<u8>),
    /// As it lies in the old one.
    Of(Section),
}

impl SavedImage {
    /// Returns the digest of its configuration, which binds the layers' digests: an engine checks both.
    pub fn digest(&self) -> String {
        to_hex(&Sha256::digest(&self.config))
    }

    /// Returns the new archive. `name` is repository and tag.
    pub fn rewritten(&self, name: &str) -> Vec<Part> {
        let config = format!("{}.json", self.digest());
        let layers: Vec<String> = (0..self.layers.len()).map(|n| format!("layer-{n}.tar")).collect();
        let manifest = serde_json::json!([{ "Config": config, "RepoTags": [name], "Layers": layers }]).to_string();
        let mut parts = Vec::new();
        let text = |parts: &mut Vec<Part>, name: &str, bytes: &[u8]| {
            let length = bytes.len() as u64;
            parts.push(Part::Bytes([&header(name, length)[..], bytes, &padding(length)].concat()));
        };
        text(&mut parts, &config, &self.config);
        for (name, section) in layers.iter().zip(&self.layers) {
            parts.push(Part::Bytes(header(name, section.length)));
            parts.push(Part::Of(*section));
            parts.push(Part::Bytes(padding(section.length)));
        }
        text(&mut parts, "manifest.json", manifest.as_bytes());
        parts.push(Part::Bytes(vec![0; 2 * BLOCK as usize]));
        parts
    }
}

/// Reads an archive to its end. The image has to carry the label `(name, value)`.
pub fn read(archive: &mut (impl Read + Seek), label: (&str, &str)) -> Result<SavedImage, SavedImageError> {
    let entries = entries(archive)?;
    let mut text = |name: &str| -> Result<Vec<u8>, SavedImageError> {
        let section = entries.get(name).ok_or_else(|| SavedImageError::Lacks(short(name)))?;
        if section.length > MOST_TEXT {
            return Err(SavedImageError::NotAnImage);
        }
        let mut bytes = Vec::new();
        archive.seek(SeekFrom::Start(section.at))?;
        archive.take(section.length).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let parsed = |bytes: &[u8]| serde_json::from_slice(bytes).map_err(|_| SavedImageError::NotAnImage);
    let manifest: serde_json::Value = parsed(&text("manifest.json")?)?;
    let images = manifest.as_array().ok_or(SavedImageError::NotAnImage)?;
    let [image] = images.as_slice() else { return Err(SavedImageError::Many(images.len())) };
    let config = text(image["Config"].as_str().ok_or(SavedImageError::NotAnImage)?)?;
    let described: serde_json::Value = parsed(&config)?;
    if described["config"]["Labels"][label.0] != label.1 {
        return Err(SavedImageError::Foreign);
    }
    let layers = image["Layers"].as_array().ok_or(SavedImageError::NotAnImage)?;
    let promised = described["rootfs"]["diff_ids"].as_array().map(Vec::len);
    if layers.len() > MOST_LAYERS || promised != Some(layers.len()) {
        return Err(SavedImageError::NotAnImage);
    }
    let layers = layers.iter().map(|name| {
        let name = name.as_str().ok_or(SavedImageError::NotAnImage)?;
        entries.get(name).copied().ok_or_else(|| SavedImageError::Lacks(short(name)))
    });
    Ok(SavedImage { config, layers: layers.collect::<Result<_, _>>()? })
}

/// Plain files with plain names. What an extended header speaks of is left out: it may have another
/// name than it seems to.
fn entries(archive: &mut (impl Read + Seek)) -> Result<HashMap<String, Section>, SavedImageError> {
    let end = archive.seek(SeekFrom::End(0))?;
    let (mut at, mut is_renamed) = (0_u64, false);
    let (mut found, mut twice) = (HashMap::new(), HashSet::new());
    for _ in 0..MOST_ENTRIES {
        let mut header = [0; BLOCK as usize];
        archive.seek(SeekFrom::Start(at))?;
        match archive.read_exact(&mut header) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Err(SavedImageError::NotAnImage),
            other => other?,
        }
        if header.iter().all(|b| *b == 0) {
            return match twice.into_iter().next() {
                Some(name) => Err(SavedImageError::Twice(name)),
                None => Ok(found),
            };
        }
        if &header[257..262] != b"ustar" {
            return Err(SavedImageError::NotAnImage);
        }
        let length = octal(&header[124..136]).ok_or(SavedImageError::NotAnImage)?;
        let section = Section { at: at + BLOCK, length };
        let padded = length.checked_next_multiple_of(BLOCK).ok_or(SavedImageError::NotAnImage)?;
        at = section.at.checked_add(padded).filter(|at| *at <= end).ok_or(SavedImageError::NotAnImage)?;
        match header[156] {
            b'0' | 0 if std::mem::take(&mut is_renamed) => {}
            b'0' | 0 => {
                let name = full_name(&header).ok_or(SavedImageError::NotAnImage)?;
                if found.insert(name.clone(), section).is_some() {
                    twice.insert(short(&name));
                }
            }
            // For the next entry, or for all that follow.
            b'x' | b'L' | b'K' => is_renamed = true,
            b'g' => return Err(SavedImageError::NotAnImage),
            _ => is_renamed = false,
        }
    }
    Err(SavedImageError::NotAnImage)
}

/// Returns its prefix, where it has one, and its name.
fn full_name(header: &[u8]) -> Option<String> {
    let field = |range: std::ops::Range<usize>| {
        let bytes = header[range].split(|b| *b == 0).next().unwrap_or_default();
        std::str::from_utf8(bytes).ok()
    };
    let name = field(0..100)?;
    // The older GNU format keeps other things there.
    let prefix = if header[263] == b'0' { field(345..500)? } else { "" };
    let name = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
    Some(name.strip_prefix("./").map(str::to_owned).unwrap_or(name))
}

fn short(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// Numbers in tar headers are octal text, padded with spaces or zeros; large ones are not spoken of here.
fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?.trim_matches(['\0', ' ']);
    u64::from_str_radix(text, 8).ok()
}

/// Returns the header of a plain file that everybody may read.
fn header(name: &str, length: u64) -> Vec<u8> {
    let mut header = vec![0; BLOCK as usize];
    let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000644\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{length:011o}\0"));
    put(136, "00000000000\0");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

fn padding(length: u64) -> Vec<u8> {
    vec![0; (length.next_multiple_of(BLOCK) - length) as usize]
}

#[cfg(test)]
mod tests;
