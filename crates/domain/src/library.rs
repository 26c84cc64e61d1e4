//! Libraries and the folders they are made of.

/// What a library holds; it decides how the UI groups titles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LibraryKind {
    Movies,
    Shows,
    /// Home videos.
    Home,
}

impl LibraryKind {
    pub const ALL: [Self; 3] = [Self::Movies, Self::Shows, Self::Home];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Movies => "movies",
            Self::Shows => "shows",
            Self::Home => "home",
        }
    }
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.as_str() == text)
    }
}

/// Whether a folder of a library can be read at the moment. A folder that cannot be read keeps
/// all its titles: absence of a disk is not absence of films.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FolderState {
    Online,
    /// The disk is not there.
    Offline,
    /// It is there, and we may not look inside.
    Unreadable,
}

impl FolderState {
    pub const ALL: [Self; 3] = [Self::Online, Self::Offline, Self::Unreadable];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Offline => "offline",
            Self::Unreadable => "unreadable",
        }
    }
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }
}

/// Why a folder is not [`FolderState::Online`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FolderProblem {
    /// There is nothing at its path.
    Gone,
    /// A folder is there, and it is not the one we know, and empty: where a disk should be mounted.
    NotMounted,
    /// What is there has other films than the ones we know.
    AnotherDisk,
    /// The disk does not answer.
    Hanging,
    /// We may not look inside.
    Refused,
}

impl FolderProblem {
    pub const ALL: [Self; 5] = [Self::Gone, Self::NotMounted, Self::AnotherDisk, Self::Hanging, Self::Refused];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::NotMounted => "not_mounted",
            Self::AnotherDisk => "another_disk",
            Self::Hanging => "hanging",
            Self::Refused => "refused",
        }
    }
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.as_str() == text)
    }

    pub const fn state(self) -> FolderState {
        match self {
            Self::Gone | Self::NotMounted | Self::AnotherDisk | Self::Hanging => FolderState::Offline,
            Self::Refused => FolderState::Unreadable,
        }
    }

    /// Returns what it is and what helps, for the owner.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Gone => "The folder is not there. Plug its disk in, or mount it.",
            Self::NotMounted => {
                "The folder is empty: its disk is not mounted. Plug it in, or confirm that all films are gone."
            }
            Self::AnotherDisk => {
                "Another disk is mounted there. Mount the right one, or confirm that this one replaces it."
            }
            Self::Hanging => "The disk does not answer. Check its cable, or the server it is on.",
            Self::Refused => "Loge may not read the folder. Give it the right to read and enter.",
        }
    }

    /// Returns whether the owner can say that what is there now is right.
    pub const fn can_be_confirmed(self) -> bool {
        matches!(self, Self::NotMounted | Self::AnotherDisk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back_as_themselves() {
        assert!(LibraryKind::ALL.into_iter().all(|k| LibraryKind::parse(k.as_str()) == Some(k)));
        assert!(FolderState::ALL.into_iter().all(|s| FolderState::parse(s.as_str()) == Some(s)));
        assert!(FolderProblem::ALL.into_iter().all(|p| FolderProblem::parse(p.as_str()) == Some(p)));
        assert!(FolderProblem::ALL.into_iter().all(|p| p.state() != FolderState::Online));
        assert_eq!(LibraryKind::parse("Movies"), None);
    }
}
