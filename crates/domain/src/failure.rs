//! What a person may see when something is refused or fails: a code from a closed list,
//! a sentence, and a hint when to try again. The UI acts on the code and never reads prose.

use crate::facts::Defect;
use std::time::Duration;

/// Something we refuse or cannot do, fit to be shown to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub code: Code,
    pub message: String,
    pub retry_after: Option<Duration>,
    /// All fields of the form that cannot be accepted, with what each of them should be.
    pub fields: Vec<(&'static str, String)>,
}

impl Failure {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after: None, fields: Vec::new() }
    }
    /// Says what is wrong with each field.
    #[must_use]
    pub fn with_fields(mut self, fields: Vec<(&'static str, String)>) -> Self {
        self.fields = fields;
        self
    }
    /// The code's own sentence, where no particular one helps more.
    pub fn of(code: Code) -> Self {
        Self::new(code, code.sentence())
    }
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// What the reader should do next decides the HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Fix the request: 400.
    Invalid,
    /// Sign in: 401.
    SignIn,
    /// Ask the owner: 403.
    Forbidden,
    /// It does not exist, or not for you: 404.
    Missing,
    /// The state of things forbids it: 409.
    Conflict,
    /// Gone for good: 410.
    Gone,
    /// Too large: 413.
    TooLarge,
    /// Range outside the file: 416.
    Range,
    /// Slow down: 429.
    TooMany,
    /// Our bug: 500.
    Bug,
    /// A loge misbehaved: 502.
    Upstream,
    /// Wait: 503.
    Wait,
    /// No room on a disk: 507.
    Full,
}

impl Kind {
    pub const fn status(self) -> u16 {
        match self {
            Self::Invalid => 400,
            Self::SignIn => 401,
            Self::Forbidden => 403,
            Self::Missing => 404,
            Self::Conflict => 409,
            Self::Gone => 410,
            Self::TooLarge => 413,
            Self::Range => 416,
            Self::TooMany => 429,
            Self::Bug => 500,
            Self::Upstream => 502,
            Self::Wait => 503,
            Self::Full => 507,
        }
    }
}

macro_rules! codes {
    ($($name:ident = $text:literal, $kind:ident, $sentence:literal;)+) => {
        /// The closed list. Add one only when the UI must act differently on it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($name),+ }

        impl Code {
            pub const ALL: &'static [Self] = &[$(Self::$name),+];
            pub const fn as_str(self) -> &'static str { match self { $(Self::$name => $text),+ } }
            pub const fn kind(self) -> Kind { match self { $(Self::$name => Kind::$kind),+ } }
            pub const fn sentence(self) -> &'static str { match self { $(Self::$name => $sentence),+ } }
        }
    };
}

codes! {
    BadRequest = "bad_request", Invalid, "The request is not in the form this call takes.";
    InvalidField = "invalid_field", Invalid, "One of the fields cannot be accepted.";
    WrongOrigin = "wrong_origin", Forbidden, "This request came from another site and was refused.";
    UnknownHost = "unknown_host", Forbidden, "Loge does not know the name it was called by. The owner can allow it under Settings, Names.";
    MethodNotAllowed = "method_not_allowed", Invalid, "This address does not take that kind of request.";
    SignInRequired = "sign_in_required", SignIn, "Sign in to go on.";
    WrongCredentials = "wrong_credentials", SignIn, "Name or password is not right.";
    SessionEnded = "session_ended", SignIn, "This sign-in has ended. Sign in again.";
    StoppedByOwner = "stopped_by_owner", Gone, "The owner has stopped this film.";
    NoLongerShared = "no_longer_shared", Missing, "This library is no longer shared with you.";
    TicketExpired = "ticket_expired", Gone, "This link to the film has run out. Press play again.";
    AccountDisabled = "account_disabled", Forbidden, "This account is switched off. The owner of the house can switch it on.";
    TooManyAttempts = "too_many_attempts", TooMany, "Too many tries. Wait a moment and try again.";
    WrongSetupCode = "wrong_setup_code", Forbidden, "That setup code is not right. The current one is shown on the machine itself.";
    AlreadySetUp = "already_set_up", Missing, "This house already has an owner.";
    InviteInvalid = "invite_invalid", Missing, "This invitation is used up or has expired. Ask for a new one.";
    WeakPassword = "weak_password", Invalid, "A password has 8 to 128 characters and is not one of the common ones.";
    UsernameTaken = "username_taken", Conflict, "Somebody already has that name.";
    LastAdmin = "last_admin", Conflict, "The house needs at least one owner.";
    Forbidden = "forbidden", Forbidden, "Only the owner of the house may do that.";
    NotFound = "not_found", Missing, "There is nothing here.";
    Conflict = "conflict", Conflict, "That does not fit the present state.";
    TooLarge = "too_large", TooLarge, "That is larger than this call takes.";
    RangeNotSatisfiable = "range_not_satisfiable", Range, "That part of the file does not exist.";
    FolderMissing = "folder_missing", Invalid, "There is no such folder.";
    FolderNotDirectory = "folder_not_directory", Invalid, "That is a file, not a folder.";
    FolderUnreadable = "folder_unreadable", Invalid, "Loge may not read that folder.";
    FolderForbidden = "folder_forbidden", Invalid, "That folder cannot be a library: it belongs to the system or to Loge itself, or it is a whole home or hidden in one. Choose a folder that holds films.";
    FolderTaken = "folder_taken", Conflict, "That folder already belongs to a library.";
    LibraryOffline = "library_offline", Conflict, "The disk of this library is not there. Nothing is lost; its titles come back when it does.";
    ScanRunning = "scan_running", Conflict, "This library is being scanned already.";
    FileMissing = "file_missing", Conflict, "The file of this title is not there at the moment.";
    FileChanged = "file_changed", Conflict, "The file has changed since it was scanned. Scan the library again.";
    FileBroken = "file_broken", Conflict, "This file is damaged or is not a film.";
    NeedsPreparing = "needs_preparing", Conflict, "This film needs preparing before a browser can play it.";
    BrowserUnfit = "browser_unfit", Conflict, "This browser cannot play this film. Another one may.";
    SomebodyWatches = "somebody_watches", Conflict, "Somebody is watching. Try again when nobody does.";
    LogeStarting = "loge_starting", Wait, "Your player is starting.";
    LogeFailed = "loge_failed", Wait, "Your player could not be started. It is tried again by itself.";
    IsolationMissing = "isolation_missing", Conflict, "Players do not start: this machine cannot isolate them as it should. The owner of the house can see why.";
    LogeBroke = "loge_broke", Upstream, "Your player stopped in the middle. Try again.";
    HouseFull = "house_full", Wait, "The house is full.";
    TooManyStreams = "too_many_streams", TooMany, "You already watch as many films at once as one person may.";
    ShuttingDown = "shutting_down", Wait, "The house is closing or restarting.";
    NotReady = "not_ready", Wait, "The server is still starting.";
    EngineAway = "engine_away", Wait, "The container engine does not answer.";
    DiskFull = "disk_full", Full, "The disk is full. Nothing that was saved is lost.";
    DatabaseAway = "database_away", Wait, "The database does not answer. Films that play go on; try again in a moment.";
    StorageFailed = "storage_failed", Wait, "The database could not be written. Nothing that was saved is lost.";
    Internal = "internal", Bug, "This is a fault of Loge. The request id helps to find it in the log.";
}

impl Defect {
    /// Returns what is wrong with the file, and what helps.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Empty => "This file is empty. Copy it again.",
            Self::NotMedia => "This file is not a film, or is damaged at its beginning. A fresh copy may help.",
            Self::Truncated => {
                "Part of this file is missing. While it is still being copied that is normal, and Loge looks again when \
                 the file has changed. Otherwise copy it again."
            }
            Self::NoVideo => "This file holds no picture, only sound.",
            Self::Unreadable => "This file cannot be read. The owner can check its permissions and the disk.",
            Self::ProbeLimit => {
                "Reading this file took too long or too much memory. Rewriting it with another program, for example \
                 MKVToolNix, often helps."
            }
            Self::Unsupported => {
                "Loge does not play this kind of file, even if its name ends like a film. Films in MP4, MOV, Matroska, \
                 WebM or AVI play."
            }
            Self::Protected => {
                "This film is protected by the shop it comes from and plays only with the shop's own program. A copy \
                 without protection plays here."
            }
            Self::TooManyTracks => "This file holds more tracks than any film has. A copy with fewer tracks plays.",
            Self::EndsWorkers => {
                "Reading this file crashed the reader twice, so it was set aside. The owner can release it or replace it."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_defect_has_a_sentence_of_its_own() {
        let sentences: HashSet<_> = Defect::ALL.iter().map(|defect| defect.sentence()).collect();
        assert_eq!(sentences.len(), Defect::ALL.len());
        for defect in Defect::ALL {
            let sentence = defect.sentence();
            assert!(sentence.ends_with('.') && !sentence.contains('_'), "{defect:?}");
        }
    }

    #[test]
    fn codes_are_unique_and_speak_to_people() {
        let names: HashSet<_> = Code::ALL.iter().map(|c| c.as_str()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(code.as_str().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{code:?}");
            let sentence = code.sentence();
            assert!(sentence.ends_with('.') && !sentence.to_lowercase().contains("something went wrong"), "{code:?}");
        }
    }
}
