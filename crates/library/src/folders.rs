//! Looking at a folder before it becomes part of a library: is it there, may it be one, can the
//! user inside a loge read it, and how many films are in it.

use crate::{
    place::is_refused,
    scan::{is_left_out, looks_like_film},
};
use domain::{Code, Failure, FolderProblem};
use std::{
    fs,
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    time::Duration,
};

/// Under which rights a loge reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SandboxUser {
    /// The process runtime: the server's own user.
    SameAsServer,
    /// Containers: a user that owns nothing on this machine and is in no group.
    Stranger,
}

/// What a check found, fit to be shown while the owner types.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FolderReport {
    pub exists: bool,
    pub is_directory: bool,
    /// By the user inside a loge.
    pub readable: bool,
    pub videos_found: u64,
    /// The count stopped at its time limit; there may be more.
    pub counting: bool,
    /// The first folder on the way that refuses.
    pub blocked_by: Option<PathBuf>,
    /// A command that opens the way.
    pub fix: Option<String>,
    pub warning: Option<String>,
}

impl FolderReport {
    /// Returns all that can be said of a folder whose disk does not answer.
    pub(crate) fn hanging() -> Self {
        Self { exists: true, warning: Some(FolderProblem::Hanging.sentence().into()), ..Self::default() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderEntry {
    pub name: String,
    pub path: PathBuf,
    pub readable: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderListing {
    pub path: PathBuf,
    pub parent: Option<PathBuf>,
    pub entries: Vec<FolderEntry>,
}

const COUNT_TIME: Duration = Duration::from_secs(2);
const MAX_ENTRIES: usize = 2000;

/// May this folder be part of a library? Gives its canonical path.
///
/// # Errors
/// A [`Failure`] with one of the folder codes.
pub fn accept(path: &Path, forbidden: &[PathBuf]) -> Result<PathBuf, Failure> {
    if !path.is_absolute() || path.as_os_str().len() > 3800 {
        return Err(Failure::new(Code::FolderMissing, "A folder is given as an absolute path."));
    }
    let path = fs::canonicalize(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::PermissionDenied => Failure::of(Code::FolderUnreadable),
        _ => Failure::of(Code::FolderMissing),
    })?;
    if !path.is_dir() {
        return Err(Failure::of(Code::FolderNotDirectory));
    }
    let own = forbidden.iter().any(|f| path.starts_with(f) || f.starts_with(&path));
    if is_refused(&path) || own || holds_engine(&path) {
        return Err(Failure::of(Code::FolderForbidden));
    }
    Ok(path)
}

/// Returns whether a folder holds the socket of a container engine, through which the whole machine can be had.
fn holds_engine(path: &Path) -> bool {
    ["docker.sock", "podman.sock", "containerd.sock", "podman/podman.sock", "docker/docker.sock", "run/docker.sock"]
        .iter()
        .any(|socket| path.join(socket).exists())
}

/// Looks at a folder. Blocks for up to two seconds on a large one.
pub fn check(path: &Path, user: SandboxUser, forbidden: &[PathBuf]) -> FolderReport {
    let mut report = FolderReport::default();
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        Err(e) => {
            report.exists = e.kind() != std::io::ErrorKind::NotFound;
            report.blocked_by = report.exists.then(|| first_blocked(path, SandboxUser::SameAsServer)).flatten();
            return report;
        }
    };
    report.exists = true;
    report.is_directory = meta.is_dir();
    if !report.is_directory {
        return report;
    }
    if let Err(refused) = accept(path, forbidden)
        && refused.code == Code::FolderForbidden
    {
        report.warning = Some(refused.message);
        return report;
    }
    report.blocked_by = first_blocked(path, user);
    report.readable = report.blocked_by.is_none();
    report.fix = report.blocked_by.as_deref().map(|blocked| fix(path, blocked));
    let counted = count(path);
    (report.videos_found, report.counting) = (counted.films, counted.is_partial);
    let mut warnings = Vec::new();
    if counted.is_mostly_something_else() {
        warnings.push(
            "Few of these files are films. Everyone with this library has the whole folder in their container: \
             choose one that holds films only.",
        );
    }
    if is_network_disk(path) {
        warnings.push("This is a network disk. It sends no word of changes, so Loge looks every 15 minutes.");
    }
    report.warning = (!warnings.is_empty()).then(|| warnings.join(" "));
    report
}

/// The first folder from the root down that the user may not enter, or that itself may not be
/// listed. The whole way counts: a readable film folder in a closed home is closed.
fn first_blocked(path: &Path, user: SandboxUser) -> Option<PathBuf> {
    let mut way: Vec<&Path> = path.ancestors().collect();
    way.reverse();
    for step in way {
        let last = step == path;
        let open = match user {
            SandboxUser::SameAsServer => {
                let wanted = if last {
                    rustix::fs::Access::READ_OK | rustix::fs::Access::EXEC_OK
                } else {
                    rustix::fs::Access::EXEC_OK
                };
                rustix::fs::access(step, wanted).is_ok()
            }
            // Containers get the folder as a mount of its own: what lies above it does not matter,
            // the engine walks there as root.
            SandboxUser::Stranger if !last => true,
            SandboxUser::Stranger => fs::metadata(step).is_ok_and(|m| m.permissions().mode() & 0o005 == 0o005),
        };
        if !open {
            return Some(step.to_path_buf());
        }
    }
    None
}

/// A command the owner can paste. Only rights to read and enter are added, for everyone, since
/// the user inside a container belongs to no group of this machine.
fn fix(path: &Path, blocked: &Path) -> String {
    let quoted = |p: &Path| format!("'{}'", p.to_string_lossy().replace('\'', r"'\''"));
    let owner_is_root = fs::metadata(blocked).is_ok_and(|m| m.uid() == 0);
    let sudo = if owner_is_root { "sudo " } else { "" };
    if blocked == path {
        format!("{sudo}chmod -R o+rX {}", quoted(path))
    } else {
        format!("{sudo}chmod o+x {}", quoted(blocked))
    }
}

#[derive(Default)]
struct Counted {
    films: u64,
    files: u64,
    is_partial: bool,
}

impl Counted {
    /// Films have posters, subtitles and notes beside them, but not by the dozen.
    fn is_mostly_something_else(&self) -> bool {
        self.files >= 50 && self.films * 20 < self.files
    }
}

/// Films and files below a folder, as far as two seconds reach.
fn count(path: &Path) -> Counted {
    let deadline = tokio::time::Instant::now() + COUNT_TIME;
    let mut counted = Counted::default();
    let walk = ignore::WalkBuilder::new(path)
        .standard_filters(false)
        .follow_links(false)
        .filter_entry(|entry| entry.depth() == 0 || !is_left_out(entry.file_name().as_bytes()))
        .build();
    for entry in walk.flatten() {
        if tokio::time::Instant::now() > deadline {
            counted.is_partial = true;
            break;
        }
        if entry.file_type().is_some_and(|t| t.is_file()) {
            counted.files += 1;
            counted.films += u64::from(looks_like_film(entry.path()));
        }
    }
    counted
}

pub(crate) fn is_network_disk(path: &Path) -> bool {
    const NFS: u64 = 0x6969;
    const SMB: u64 = 0x517b;
    const SMB2: u64 = 0xfe53_4d42;
    const CIFS: u64 = 0xff53_4d42;
    const FUSE: u64 = 0x6573_5546;
    rustix::fs::statfs(path).is_ok_and(|s| [NFS, SMB, SMB2, CIFS, FUSE].contains(&(s.f_type as u64 & 0xffff_ffff)))
}

/// Subfolders of a folder, for choosing one in a browser. Hidden and system folders are left out.
///
/// # Errors
/// When the path is no folder that can be listed.
pub fn browse(path: &Path, user: SandboxUser) -> Result<FolderListing, Failure> {
    if !path.is_absolute() {
        return Err(Failure::new(Code::FolderMissing, "A folder is given as an absolute path."));
    }
    let path = fs::canonicalize(path).map_err(|_| Failure::of(Code::FolderMissing))?;
    let listing = fs::read_dir(&path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotADirectory => Failure::of(Code::FolderNotDirectory),
        _ => Failure::of(Code::FolderUnreadable),
    })?;
    let mut entries: Vec<FolderEntry> = listing
        .flatten()
        .filter(|e| e.file_type().is_ok_and(|t| t.is_dir()))
        .filter(|e| !e.file_name().to_string_lossy().starts_with('.'))
        .map(|e| e.path())
        .filter(|p| path != Path::new("/") || !is_refused(p) || leads_to_films(p))
        .take(MAX_ENTRIES)
        .map(|p| FolderEntry {
            name: p.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(),
            readable: first_blocked(&p, user).is_none(),
            path: p,
        })
        .collect();
    entries.sort_by_key(|e| e.name.to_lowercase());
    Ok(FolderListing { parent: path.parent().map(Path::to_path_buf), path, entries })
}

/// Folders that cannot be part of a library themselves and have others below that can.
fn leads_to_films(path: &Path) -> bool {
    ["/home", "/media", "/mnt", "/opt", "/run", "/srv", "/tmp", "/var"].iter().any(|top| path == Path::new(top))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_folders_and_our_own_are_refused() {
        let data = PathBuf::from("/srv/loge-data");
        for bad in ["/", "/etc", "/proc/self", "relative", "/no/such/folder"] {
            assert!(accept(Path::new(bad), std::slice::from_ref(&data)).is_err(), "{bad}");
        }
        let dir = tempfile::tempdir().unwrap();
        assert!(accept(dir.path(), &[dir.path().join("data")]).is_err(), "the data folder lies in it");
        assert_eq!(accept(dir.path(), &[data]).unwrap(), fs::canonicalize(dir.path()).unwrap());
    }

    #[test]
    fn a_folder_of_other_things_is_warned_of() {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..60 {
            fs::write(dir.path().join(format!("letter {n}.txt")), b"x").unwrap();
        }
        fs::write(dir.path().join("a.mp4"), b"x").unwrap();
        let few = check(dir.path(), SandboxUser::SameAsServer, &[]).warning.unwrap_or_default();
        assert!(few.contains("Few of these files are films"), "{few}");
        for n in 0..9 {
            fs::write(dir.path().join(format!("film {n}.mp4")), b"x").unwrap();
        }
        let many = check(dir.path(), SandboxUser::SameAsServer, &[]).warning.unwrap_or_default();
        assert!(!many.contains("Few"), "{many}");
        std::os::unix::fs::symlink("/etc", dir.path().join("link")).unwrap();
        let linked = accept(&dir.path().join("link"), &[]).unwrap_err();
        assert_eq!(linked.code, Code::FolderForbidden, "what counts is where a link leads");
        fs::create_dir(dir.path().join("engine")).unwrap();
        fs::write(dir.path().join("engine/docker.sock"), b"").unwrap();
        assert!(accept(&dir.path().join("engine"), &[]).is_err() && accept(dir.path(), &[]).is_ok());
    }

    #[test]
    fn the_folder_that_blocks_is_named_with_the_cure() {
        let dir = tempfile::tempdir().unwrap();
        let films = dir.path().join("film's");
        fs::create_dir(&films).unwrap();
        fs::write(films.join("a.mp4"), b"x").unwrap();
        fs::set_permissions(&films, fs::Permissions::from_mode(0o750)).unwrap();
        let report = check(&films, SandboxUser::Stranger, &[]);
        assert_eq!(report.blocked_by.as_deref(), Some(films.as_path()));
        assert!(report.fix.unwrap().contains(r"film'\''s"));
        assert_eq!(report.videos_found, 1);
        fs::set_permissions(&films, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(check(&films, SandboxUser::Stranger, &[]).readable);
    }
}
