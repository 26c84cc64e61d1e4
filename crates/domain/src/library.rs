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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back_as_themselves() {
        assert!(LibraryKind::ALL.into_iter().all(|k| LibraryKind::parse(k.as_str()) == Some(k)));
        assert!(FolderState::ALL.into_iter().all(|s| FolderState::parse(s.as_str()) == Some(s)));
        assert_eq!(LibraryKind::parse("Movies"), None);
    }
}
