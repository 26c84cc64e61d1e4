//! Makes a table of the built UI, so that the server is one file. Text is compressed here, once.
//! Without `ui/dist` the table is empty and the server says how to build it.

use flate2::{Compression, write::GzEncoder};
use std::{
    collections::hash_map::DefaultHasher,
    env,
    error::Error,
    fmt::Write as _,
    fs,
    hash::{Hash, Hasher},
    io::Write as _,
    path::{Path, PathBuf},
};

/// Below this compressing saves no packet.
const WORTH_BYTES: usize = 1200;

fn main() -> Result<(), Box<dyn Error>> {
    let ui = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../ui");
    let dist = ui.join("dist");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    println!("cargo:rerun-if-changed=build.rs");
    // A folder that is not there yet appears inside its parent.
    println!("cargo:rerun-if-changed={}", if dist.is_dir() { dist.display() } else { ui.display() });
    let mut files = Vec::new();
    if dist.is_dir() {
        collect(&dist, &mut files)?;
    }
    files.sort();
    let mut table = String::from("pub static ASSETS: &[Asset] = &[\n");
    for (number, file) in files.iter().enumerate() {
        let path = file.strip_prefix(&dist)?.to_string_lossy().replace('\\', "/");
        let Some(content_type) = content_type(&path) else { continue };
        let bytes = fs::read(file)?;
        // A copy of our own: the UI may be built again while the crate is compiled.
        let copy = out.join(format!("{number}.bin"));
        fs::write(&copy, &bytes)?;
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        let gzip = if is_text(content_type) && bytes.len() > WORTH_BYTES {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(&bytes)?;
            let compressed = out.join(format!("{number}.gz"));
            fs::write(&compressed, encoder.finish()?)?;
            format!("Some(include_bytes!({compressed:?}))")
        } else {
            "None".into()
        };
        writeln!(
            table,
            "    Asset {{ path: {:?}, content_type: {content_type:?}, etag: \"\\\"{:016x}\\\"\", bytes: include_bytes!({:?}), gzip: {gzip} }},",
            format!("/{path}"),
            hasher.finish(),
            copy,
        )?;
    }
    table.push_str("];\n");
    fs::write(out.join("ui_assets.rs"), table)?;
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// `None` for what does not belong into a release, such as source maps.
fn content_type(path: &str) -> Option<&'static str> {
    Some(match path.rsplit('.').next()? {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "woff2" => "font/woff2",
        "png" => "image/png",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "jpg" | "jpeg" => "image/jpeg",
        "ico" => "image/x-icon",
        "txt" => "text/plain; charset=utf-8",
        _ => return None,
    })
}

fn is_text(content_type: &str) -> bool {
    content_type.starts_with("text/") || content_type.contains("json") || content_type.contains("svg")
}
