//! The hands of this room: the few things it does to a machine, one at a time.

use rustix::process::geteuid;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
};

/// What judging reads and tuning does. Paths are absolute, as on the machine itself.
///
/// Each verb is one step: a power cut comes before or after it, or leaves a half-written `PATH.new`.
pub trait Machine {
    /// Returns whether the user may change the machine.
    fn may_change(&self) -> bool;
    /// Returns the names in a folder, sorted; none where there is no folder.
    fn names(&self, folder: &str) -> Vec<String>;
    /// Returns whether something has this name, even a link that points nowhere.
    fn is_there(&self, path: &str) -> bool;

    /// Reads a file.
    ///
    /// # Errors
    /// When the file cannot be read.
    fn read(&self, path: &str) -> io::Result<String>;
    /// Returns where a symbolic link points.
    ///
    /// # Errors
    /// When the path is no link.
    fn target(&self, path: &str) -> io::Result<String>;
    /// Writes a value into an existing file of the kernel.
    ///
    /// # Errors
    /// When there is no such file, or the kernel refuses the value.
    fn set(&self, path: &str, value: &str) -> io::Result<()>;
    /// Writes `PATH.new` through to the disk.
    ///
    /// # Errors
    /// When it cannot be written.
    fn stage(&self, path: &str, text: &str) -> io::Result<()>;
    /// Gives `PATH.new` its name, through to the disk.
    ///
    /// # Errors
    /// When it cannot be renamed.
    fn settle(&self, path: &str) -> io::Result<()>;
    /// Makes a symbolic link.
    ///
    /// # Errors
    /// When it cannot be made.
    fn link(&self, path: &str, target: &str) -> io::Result<()>;
    /// Removes a file or a link, through to the disk. One that is not there is no error.
    ///
    /// # Errors
    /// When it cannot be removed.
    fn remove(&self, path: &str) -> io::Result<()>;
    /// Makes one folder. One that is there already is no error.
    ///
    /// # Errors
    /// When it cannot be made.
    fn make_folder(&self, path: &str) -> io::Result<()>;
    /// Removes a folder if it is empty. One that is not, or is not there, is no error.
    ///
    /// # Errors
    /// When an empty folder cannot be removed.
    fn remove_folder(&self, path: &str) -> io::Result<()>;
}

/// Returns the name under which a file is written before it gets its own.
pub(crate) fn staged(path: &str) -> String {
    format!("{path}.new")
}

/// Returns the folder of a path.
pub(crate) fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("/", |(folder, _)| folder)
}

/// A real file system: the one of this machine, or a copy of a machine below a folder.
#[derive(Debug)]
pub struct Live {
    root: PathBuf,
    may_change: bool,
}

impl Live {
    /// Opens the machine this program runs on.
    pub fn this_machine() -> Self {
        Self { root: "/".into(), may_change: geteuid().is_root() }
    }

    /// Opens a copy of a machine's files.
    pub fn below(root: &Path) -> Self {
        Self { root: root.into(), may_change: true }
    }

    /// Returns the same files for a user who may not change them.
    pub fn read_only(self) -> Self {
        Self { may_change: false, ..self }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// A name is on the disk once its folder is.
    fn sync_folder_of(&self, path: &str) -> io::Result<()> {
        File::open(self.at(folder(path)))?.sync_all()
    }
}

impl Machine for Live {
    fn may_change(&self) -> bool {
        self.may_change
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.at(folder)) else { return Vec::new() };
        let mut names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.sort_unstable();
        names
    }

    fn is_there(&self, path: &str) -> bool {
        self.at(path).symlink_metadata().is_ok()
    }

    fn read(&self, path: &str) -> io::Result<String> {
        fs::read_to_string(self.at(path))
    }

    fn target(&self, path: &str) -> io::Result<String> {
        Ok(fs::read_link(self.at(path))?.to_string_lossy().into_owned())
    }

    fn set(&self, path: &str, value: &str) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).truncate(true).open(self.at(path))?;
        // The kernel takes a value from one write and no more.
        file.write_all(format!("{value}\n").as_bytes())
    }

    fn stage(&self, path: &str, text: &str) -> io::Result<()> {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(self.at(&staged(path)))?;
        // The programs that read these files run as others; the mask of this process would shut them out.
        file.set_permissions(fs::Permissions::from_mode(0o644))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }

    fn settle(&self, path: &str) -> io::Result<()> {
        fs::rename(self.at(&staged(path)), self.at(path))?;
        self.sync_folder_of(path)
    }

    fn link(&self, path: &str, target: &str) -> io::Result<()> {
        symlink(target, self.at(path))?;
        self.sync_folder_of(path)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        match fs::remove_file(self.at(path)) {
            Ok(()) => self.sync_folder_of(path),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(e),
        }
    }

    fn make_folder(&self, path: &str) -> io::Result<()> {
        match fs::DirBuilder::new().mode(0o755).create(self.at(path)) {
            Ok(()) => {
                fs::set_permissions(self.at(path), fs::Permissions::from_mode(0o755))?;
                self.sync_folder_of(path)
            }
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(e) => Err(e),
        }
    }

    fn remove_folder(&self, path: &str) -> io::Result<()> {
        match fs::remove_dir(self.at(path)) {
            Ok(()) => self.sync_folder_of(path),
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) => Ok(()),
            Err(e) => Err(e),
        }
    }
}
