//! Where a restore lies until it is swapped in, and what a restore that was cut short left: the names
//! alone tell. Nothing here touches the disk.
//!
//! **Beside** the data folder `D`, where its parent can be written and holds `D` itself:
//!
//! | on the disk | means | what is done |
//! |---|---|---|
//! | `.D.restoring` with a marker in it | not swapped in yet | it is deleted, `D` stays |
//! | `.D.restoring` empty | begun, or an empty folder that was swapped out | it is deleted |
//! | `.D.restoring` without marker, `D` with one | swapped: it is the earlier house | it gets the name of an earlier house |
//! | `.D.restoring` without marker, `D` without | not ours | nothing |
//! | only `D` has a marker | swapped and set aside | what is carried over moves, the marker goes |
//!
//! The one step between old and new is the exchange of two names, so that `D` is one house or the
//! other at every moment, whoever looks.
//!
//! **Within** `D`, where it is a mount point (a volume of a container) or its parent cannot be written
//! (a service's state folder): the folder's name is the state.
//!
//! | on the disk | means | what is done |
//! |---|---|---|
//! | `D/.restoring` | not swapped in yet | it is deleted |
//! | `D/.restore-clearing` | decided: the old house moves out | all but ours moves into `D/before-restore-…`, then the name changes |
//! | `D/.restore-arriving` | the new house moves in | everything in it moves up |
//!
//! The step between old and new is the rename to `.restore-clearing`. After a power cut the rest is
//! done by [`finish_or_forget`](crate::finish_or_forget), which has to come before anything else looks
//! at the folder.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The file that tells a restored folder from the earlier one, until all is done.
pub(crate) const MARKER: &str = ".loge-restore.json";
pub(crate) const UNPACKED: &str = ".restoring";
pub(crate) const CLEARING: &str = ".restore-clearing";
pub(crate) const ARRIVING: &str = ".restore-arriving";
const EARLIER: &str = "before-restore-";
/// The lock is the folder's and not the house's; the other belongs to the file system.
const OF_THE_FOLDER: [&str; 2] = ["loge.lock", "lost+found"];

/// What is in the marker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marker {
    /// The name the earlier house gets.
    pub(crate) aside: String,
    /// What moves from the earlier house into the restored one, unless that brought its own.
    pub(crate) carry: Vec<String>,
}

/// Where a restore is unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Beside,
    Within,
}

/// The paths of one data folder.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    pub(crate) data: PathBuf,
    /// The folder that holds the names that change.
    pub(crate) stage: PathBuf,
}

impl Paths {
    /// `data` is a real path. `None` for [`Place::Beside`] of a folder that has nothing beside it.
    pub(crate) fn of(data: &Path, place: Place) -> Option<Self> {
        let stage = match place {
            Place::Within => data.join(UNPACKED),
            Place::Beside => data.parent()?.join(format!(".{}{UNPACKED}", data.file_name()?.to_str()?)),
        };
        Some(Self { data: data.into(), stage })
    }

    pub(crate) fn aside(&self, name: &str) -> PathBuf {
        self.stage.parent().unwrap_or(&self.data).join(name)
    }
}

/// Names the earlier house.
pub(crate) fn aside_name(data: &Path, place: Place, now: Timestamp) -> String {
    let ms = now.as_millisecond();
    match (place, data.file_name().and_then(|name| name.to_str())) {
        (Place::Beside, Some(name)) => format!("{name}.{EARLIER}{ms}"),
        _ => format!("{EARLIER}{ms}"),
    }
}

/// Returns whether a name can be carried over: one part, nothing of a restore.
pub(crate) fn can_be_carried(name: &str) -> bool {
    !name.is_empty() && !name.contains('/') && name != "." && name != ".." && !is_of_a_restore(name)
}

fn is_of_a_restore(name: &str) -> bool {
    [MARKER, UNPACKED, CLEARING, ARRIVING].contains(&name) || name.starts_with(EARLIER)
}

/// Returns whether a name in the data folder stays there while the earlier house moves out.
pub(crate) fn stays(name: &str, marker: &Marker, brings: impl Fn(&str) -> bool) -> bool {
    is_of_a_restore(name)
        || OF_THE_FOLDER.contains(&name)
        || name == marker.aside
        || marker.carry.iter().any(|carried| carried == name) && !brings(name)
}

/// What a folder is, as far as a restore is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    Absent,
    Empty,
    Marked,
    Unmarked,
}

/// The next thing to do about what was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Nothing,
    /// Delete the folder, which was never swapped in, or is empty.
    Forget,
    SetAside,
    CarryAndUnmark,
    Clear,
    Arrive,
}

/// Decides about what lies beside the data folder.
pub(crate) fn next_beside(stage: Look, data: Look) -> Next {
    match (stage, data) {
        (Look::Marked | Look::Empty, _) => Next::Forget,
        (Look::Unmarked, Look::Marked) => Next::SetAside,
        (Look::Absent, Look::Marked) => Next::CarryAndUnmark,
        (Look::Unmarked | Look::Absent, _) => Next::Nothing,
    }
}

/// Decides about what lies within the data folder.
pub(crate) fn next_within(unpacked: Look, clearing: Look, arriving: Look) -> Next {
    match (arriving, clearing, unpacked) {
        (Look::Marked | Look::Empty, _, _) => Next::Arrive,
        (_, Look::Marked, _) => Next::Clear,
        (_, _, Look::Marked | Look::Empty) => Next::Forget,
        _ => Next::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Look::{Absent, Empty, Marked, Unmarked};

    #[test]
    fn nothing_without_a_marker_is_ever_deleted() {
        for data in [Absent, Empty, Marked, Unmarked] {
            assert_ne!(next_beside(Unmarked, data), Next::Forget, "{data:?}");
            assert_eq!(next_beside(Marked, data), Next::Forget, "the control: {data:?}");
        }
        for clearing in [Absent, Empty, Marked, Unmarked] {
            for arriving in [Absent, Empty, Marked, Unmarked] {
                assert_ne!(next_within(Unmarked, clearing, arriving), Next::Forget);
            }
        }
    }

    #[test]
    fn an_earlier_house_is_known_by_the_marker_in_the_new_one() {
        assert_eq!(next_beside(Unmarked, Marked), Next::SetAside);
        assert_eq!(next_beside(Unmarked, Unmarked), Next::Nothing, "a folder of somebody else");
        assert_eq!(next_beside(Absent, Marked), Next::CarryAndUnmark);
        assert_eq!(next_beside(Absent, Unmarked), Next::Nothing, "a usual start");
    }

    #[test]
    fn names_that_lead_elsewhere_are_not_carried() {
        assert!(can_be_carried("posters"));
        for bad in ["", ".", "..", "a/b", "/", MARKER, CLEARING, "before-restore-5"] {
            assert!(!can_be_carried(bad), "{bad}");
        }
    }
}
