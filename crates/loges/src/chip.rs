//! The graphics chip of this machine, as far as a loge may have it: its render node, through which
//! programs compute and nothing is shown on a screen.

use std::{
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
};

/// Where the kernel has them.
pub const RENDER_NODES: &str = "/dev/dri";
/// Graphics, in the kernel's list of devices.
const MAJOR: u32 = 226;
/// Minor numbers of render nodes; those below give screens too.
const MINORS: std::ops::Range<u32> = 128..192;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderNode {
    pub path: PathBuf,
    /// Who may use it besides root, where that is a group; `None` where everybody may, or nobody.
    pub group: Option<u32>,
}

/// The first render node in a folder. A link, a plain file or another device under that name is none.
pub fn find(folder: &Path) -> Option<RenderNode> {
    MINORS.clone().find_map(|minor| {
        let path = folder.join(format!("renderD{minor}"));
        let there = std::fs::symlink_metadata(&path).ok()?;
        let device = (rustix::fs::major(there.rdev()), rustix::fs::minor(there.rdev()));
        let is_node = there.file_type().is_char_device() && device == (MAJOR, minor);
        is_node.then(|| RenderNode { path, group: group(there.mode(), there.gid()) })
    })
}

/// The group that is needed to use it. That of root opens more than this, and is never given.
fn group(mode: u32, gid: u32) -> Option<u32> {
    const GROUP: u32 = 0o060;
    const OTHERS: u32 = 0o006;
    let needed = mode & OTHERS != OTHERS && mode & GROUP == GROUP && gid != 0;
    needed.then_some(gid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};

    #[test]
    fn only_a_render_node_is_one() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(find(folder.path()), None);
        assert_eq!(find(Path::new("/nowhere")), None);
        std::fs::write(folder.path().join("renderD128"), b"no device").unwrap();
        std::os::unix::fs::symlink("/dev/null", folder.path().join("renderD129")).unwrap();
        std::fs::create_dir(folder.path().join("renderD130")).unwrap();
        assert_eq!(find(folder.path()), None);
        // Making devices takes root; machines of developers often are not.
        let make = |name: &str, major, minor| {
            mknodat(
                CWD,
                folder.path().join(name),
                FileType::CharacterDevice,
                Mode::from_raw_mode(0o660),
                makedev(major, minor),
            )
        };
        if make("renderD131", 1, 3).is_err() {
            return;
        }
        make("renderD132", MAJOR, 133).unwrap();
        make("card0", MAJOR, 0).unwrap();
        assert_eq!(find(folder.path()), None, "another device, another number, a screen");
        make("renderD134", MAJOR, 134).unwrap();
        assert_eq!(find(folder.path()).map(|node| node.path), Some(folder.path().join("renderD134")));
    }

    #[test]
    fn the_group_is_given_only_where_it_is_needed_and_never_roots() {
        for (mode, gid, expected) in [
            (0o020_660, 104, Some(104)),
            (0o020_666, 104, None),
            (0o020_600, 104, None),
            (0o020_640, 104, None),
            (0o020_660, 0, None),
        ] {
            assert_eq!(group(mode, gid), expected, "{mode:o} {gid}");
        }
    }
}
