//! Why the house does not open, as the person in front of it reads it: one sentence that says what
//! is in the way, once, and what helps. The log gets the chain of causes. Pure.

use crate::{config::ConfigError, remains::Remains, restore::RestoreError, upgrade::OpenUpgradedError};
use ::backup::SwapInError;
use accounts::OpenAccountsError;
use base::dirs::DirsError;
use loges::OpenLogesError;
use std::{error::Error, io, net::SocketAddr, path::PathBuf};
use store::{OpenError, StoreError};
use vault::BackUpError;

/// The house cannot open.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("open the data folder")]
    DataDir(#[from] DirsError),
    #[error("Loge already runs on this data folder{}", at(*address))]
    AlreadyRunning { address: Option<SocketAddr> },
    #[error("take the lock of the data folder")]
    Lock(#[source] io::Error),
    #[error("{addr} is taken{}", by(holder))]
    AddressInUse { addr: SocketAddr, holder: Option<String> },
    #[error("listen on {addr}")]
    Listen { addr: SocketAddr, source: io::Error },
    #[error("the disk of {path} is full")]
    DiskFull { path: PathBuf },
    #[error("the database of this house is gone")]
    Gone(Remains),
    #[error("bring a restore to its end that was cut short")]
    Restore(#[source] SwapInError),
    #[error("move aside what is left of the earlier house")]
    MoveAside(#[source] io::Error),
    #[error("back the house up before its database changes")]
    BackUp(#[from] BackUpError),
    #[error("open the database")]
    Database(#[from] OpenError),
    #[error("read the database")]
    Read(#[from] StoreError),
    #[error("open the keys of the house")]
    Accounts(#[from] OpenAccountsError),
    #[error("open the folder for prepared versions")]
    Renditions(#[source] io::Error),
    #[error("make containers")]
    Loges(#[from] OpenLogesError),
}

impl From<OpenUpgradedError> for StartError {
    fn from(error: OpenUpgradedError) -> Self {
        match error {
            OpenUpgradedError::BackUp(error) => Self::BackUp(error),
            OpenUpgradedError::Open(error) => Self::Database(error),
        }
    }
}

fn at(address: Option<SocketAddr>) -> String {
    address.map(|a| format!(" and listens on {a}")).unwrap_or_default()
}

fn by(holder: &Option<String>) -> String {
    holder.as_ref().map(|h| format!(" by {h}")).unwrap_or_default()
}

/// What happened and what helps, each in whole sentences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    pub sentence: String,
    pub help: Vec<String>,
}

impl Explanation {
    fn new<const N: usize>(sentence: impl Into<String>, help: [&str; N]) -> Self {
        Self { sentence: sentence.into(), help: help.map(String::from).into() }
    }
}

const OTHER_FOLDER: &str = "Choose another folder with --data-dir.";
const RESTORE: &str =
    "Bring back a copy: loge-server restore FILE. The file that is there now is renamed, not deleted.";
const NOTHING_LOST: &str = "Nothing that was saved is lost.";

impl StartError {
    /// Explains the failure to the person who started the program.
    pub fn explain(&self) -> Explanation {
        match self {
            Self::DataDir(error) => data_folder(error),
            Self::AlreadyRunning { address } => {
                let help = match address {
                    Some(address) => format!("Open http://{address} in a browser, or stop the other one first."),
                    None => "It may still be starting or closing. Wait a moment and try again.".into(),
                };
                Explanation { sentence: format!("{self}."), help: vec![help] }
            }
            Self::Lock(error) => Explanation::new(
                format!("The lock of the data folder cannot be taken: {}.", io_words(error)),
                ["Check that the folder and its loge.lock belong to the user who runs Loge.", OTHER_FOLDER],
            ),
            Self::AddressInUse { .. } => {
                Explanation::new(format!("{self}."), ["Stop that program, or choose another address with --listen."])
            }
            Self::Listen { addr, source } => Explanation::new(
                format!("Loge cannot listen on {addr}: {}.", io_words(source)),
                ["Choose an address of this machine with --listen, for instance 0.0.0.0:8096."],
            ),
            Self::DiskFull { path } => Explanation::new(
                format!(
                    "The disk that holds {} is full, and Loge needs a little room to open its database.",
                    path.display()
                ),
                [
                    "Free about 10 MB on this disk and start Loge again.",
                    "There are no kept segments of Loge left that it could remove by itself. Old files in the folder logs may go.",
                    NOTHING_LOST,
                ],
            ),
            Self::Gone(remains) => gone(remains),
            Self::Restore(error) => {
                Explanation::new(error.sentence(), ["loge-server restore FILE goes on where it stopped.", OTHER_FOLDER])
            }
            Self::MoveAside(error) => Explanation::new(
                format!("What is left of the earlier house cannot be moved aside: {}.", io_words(error)),
                [OTHER_FOLDER],
            ),
            Self::BackUp(error) => Explanation::new(
                format!("This version changes the database, and a backup comes before that. {}", error.sentence()),
                ["Nothing was changed. The earlier version still opens this house."],
            ),
            Self::Database(error) => database(error),
            Self::Read(error) if error.is_full() => Explanation::new(
                "The disk of the database is full.",
                ["Free some space on it and start Loge again.", NOTHING_LOST],
            ),
            Self::Read(error) => {
                Explanation::new(format!("The database cannot be used: {}.", innermost(error)), [RESTORE])
            }
            Self::Accounts(error) => Explanation::new(
                format!("The keys of the house cannot be used: {}.", innermost(error)),
                [
                    "The folder keys must belong to the user who runs Loge, and no other user may read it.",
                    "Without the folder keys Loge makes new ones; everybody signs in again then.",
                ],
            ),
            Self::Renditions(error) => Explanation::new(
                format!("The folder for prepared versions cannot be made: {}.", io_words(error)),
                ["Check that the folder renditions in the data folder belongs to the user who runs Loge."],
            ),
            Self::Loges(error) => Explanation::new(
                format!("Containers cannot be made: {}.", innermost(error)),
                ["loge-server doctor says what is missing on this machine."],
            ),
        }
    }
}

impl ConfigError {
    /// Explains the failure to the person who started the program.
    pub fn explain(&self) -> Explanation {
        let help = match self {
            Self::File { path, .. } => format!("Correct {}, or remove the line to take the default.", path.display()),
            Self::Environment { name, .. } => format!("Correct or remove the environment variable {name}."),
            Self::Setting { name, .. } => {
                format!("Correct {name} in loge.toml, or the environment variable LOGE_{}.", name.to_uppercase())
            }
            Self::NoHome => "Name the folder in which Loge keeps its data: --data-dir DIR".into(),
        };
        let text = self.to_string();
        let mut letters = text.trim_end_matches('.').chars();
        let sentence = match self {
            // A name of theirs is written as it is.
            Self::Environment { .. } | Self::File { .. } | Self::Setting { .. } => text.clone(),
            Self::NoHome => letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect(),
        };
        Explanation { sentence: format!("{}.", sentence.trim_end_matches('.')), help: vec![help] }
    }
}

impl RestoreError {
    /// Explains the failure to the owner at the command line.
    pub fn explain(&self) -> Explanation {
        let as_it_was = "The house is as it was.";
        match self {
            Self::DataDir(error) => data_folder(error),
            Self::Running => {
                Explanation::new("A server runs on this data folder.", ["Stop it, then restore the copy."])
            }
            Self::Lock(error) => Explanation::new(
                format!("The lock of the data folder cannot be taken: {}.", io_words(error)),
                [as_it_was],
            ),
            Self::Copy(error) => {
                let told = database(error);
                Explanation::new(format!("This copy cannot be used. {}", told.sentence), [as_it_was])
            }
            Self::Write(error) => Explanation::new(
                format!("The copy cannot be written into the data folder: {}.", innermost(error)),
                ["It needs as much free space as the database has.", as_it_was],
            ),
            Self::Swap(error) => Explanation::new(
                format!("The copy could not be put in the place of the database: {}.", io_words(error)),
                [
                    "The copy is loge.db.restoring in the data folder, the earlier database in the newest folder before-restore-…",
                ],
            ),
        }
    }
}

fn data_folder(error: &DirsError) -> Explanation {
    let user = "Check that it belongs to the user who runs Loge and that its disk is not mounted read-only.";
    match error {
        DirsError::Create { path, source } => Explanation::new(
            format!("The folder {} cannot be made: {}.", path.display(), io_words(source)),
            [OTHER_FOLDER],
        ),
        DirsError::NotWritable { path, source } => Explanation::new(
            format!("Loge cannot write in its data folder {}: {}.", path.display(), io_words(source)),
            [user, OTHER_FOLDER],
        ),
        DirsError::Foreign { path, owner } => Explanation::new(
            format!("The folder {} belongs to another user (number {owner}).", path.display()),
            ["Start Loge as that user.", OTHER_FOLDER],
        ),
    }
}

fn gone(remains: &Remains) -> Explanation {
    let sentence = format!(
        "The folder {} held a house, and its database is {}. {} still there.",
        remains.folder.display(),
        if remains.is_empty_file { "empty (loge.db has 0 bytes)" } else { "missing (there is no loge.db)" },
        sentence_list(&remains.found),
    );
    let copy = match &remains.newest_copy {
        Some(copy) => format!("Bring the database back from the newest copy: loge-server restore {}", copy.display()),
        None => "If you have a copy of the database, bring it back: loge-server restore FILE".into(),
    };
    let help = vec![
        copy,
        "To begin a new house instead, start once with --start-anew. What is left is moved into a folder of its own, not deleted.".into(),
    ];
    Explanation { sentence, help }
}

/// "Its keys, pictures and prepared versions are".
fn sentence_list(found: &[&str]) -> String {
    let list = match found {
        [] => String::from("other files"),
        [one] => (*one).to_string(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    };
    format!("Its {list} are")
}

pub(crate) fn database(error: &OpenError) -> Explanation {
    match error {
        OpenError::NotADatabase { place } => Explanation::new(
            format!("The file {place} is not a database of Loge."),
            [RESTORE, "If the file is something of yours, move it elsewhere.", OTHER_FOLDER],
        ),
        OpenError::Foreign { place } => Explanation::new(
            format!("The file {place} is the database of another program."),
            ["Move it elsewhere, or bring back a copy of yours with loge-server restore FILE.", OTHER_FOLDER],
        ),
        OpenError::Damaged { detail } => {
            Explanation::new(format!("The database is damaged: {}.", detail.trim_end_matches('.')), [RESTORE])
        }
        OpenError::Missing { place } => Explanation::new(
            format!("There is no database at {place}."),
            ["Name the folder of your house with --data-dir.", "A new house gets its database when the server starts."],
        ),
        OpenError::NewerSchema { step } => Explanation::new(
            format!("The database was made by a newer Loge: it has the schema step {step}."),
            [
                "Start that version of Loge.",
                "To go back to this version, restore a copy that it made: loge-server restore FILE",
            ],
        ),
        OpenError::OlderSchema { step } => Explanation::new(
            format!("The database has the schema of an older Loge: the step {step} is missing."),
            [
                "Start the server of this version, or run loge-server migrate while no server runs. Both make a copy first.",
            ],
        ),
        OpenError::CopyBefore { source } => Explanation::new(
            format!("The database needs a newer schema and could not be copied before: {}.", innermost(source)),
            ["The copy needs as much free space as the database has. Nothing was changed."],
        ),
        OpenError::Migrate { source } => Explanation::new(
            format!("The database could not be brought to this version's schema: {}.", innermost(source)),
            ["The folder backups has a copy from before. Nothing was changed."],
        ),
        OpenError::OldSqlite { .. } | OpenError::UnknownUrl => Explanation::new(format!("{error}."), []),
        OpenError::Connect { place, source } => {
            Explanation::new(format!("The database {place} cannot be opened: {}.", innermost(source)), [])
        }
        OpenError::Check { source } => {
            Explanation::new(format!("The database cannot be checked: {}.", innermost(source)), [RESTORE])
        }
    }
}

/// Returns what the system says, without its number.
fn io_words(error: &io::Error) -> String {
    let text = error.to_string();
    let words = text.split(" (os error").next().unwrap_or(&text).trim_end_matches('.');
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// Returns the cause at the bottom of the chain: it says what is wrong, the others say what was tried.
pub(crate) fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    match cause.downcast_ref::<io::Error>() {
        Some(error) => io_words(error),
        None => cause.to_string().trim_end_matches('.').to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> io::Error {
        io::Error::from_raw_os_error(28)
    }

    /// Returns one of each kind whose causes have texts of their own.
    fn failures() -> Vec<StartError> {
        let path = || PathBuf::from("/srv/loge");
        let place = || String::from("/srv/loge/loge.db");
        vec![
            StartError::DataDir(DirsError::Create { path: path(), source: full() }),
            StartError::DataDir(DirsError::NotWritable { path: path(), source: full() }),
            StartError::DataDir(DirsError::Foreign { path: path(), owner: 1000 }),
            StartError::AlreadyRunning { address: None },
            StartError::AlreadyRunning { address: Some(([127, 0, 0, 1], 8096).into()) },
            StartError::Lock(full()),
            StartError::AddressInUse { addr: ([0, 0, 0, 0], 8096).into(), holder: Some("nginx (process 7)".into()) },
            StartError::Listen { addr: ([10, 0, 0, 1], 80).into(), source: io::Error::from_raw_os_error(13) },
            StartError::DiskFull { path: path() },
            StartError::Restore(SwapInError::ClearUp(full())),
            StartError::MoveAside(full()),
            StartError::Database(OpenError::NotADatabase { place: place() }),
            StartError::Database(OpenError::Foreign { place: place() }),
            StartError::Database(OpenError::Missing { place: place() }),
            StartError::Database(OpenError::Damaged { detail: "page 3 is not whole".into() }),
            StartError::Database(OpenError::NewerSchema { step: "m2099".into() }),
            StartError::Database(OpenError::OlderSchema { step: "m2020".into() }),
            StartError::Renditions(full()),
        ]
    }

    #[test]
    fn every_failure_is_said_once_in_a_sentence_with_what_helps() {
        for failure in failures() {
            let told = failure.explain();
            let all = [vec![told.sentence.clone()], told.help.clone()].concat().join(" ");
            assert!(told.sentence.ends_with('.') && !told.sentence.ends_with(".."), "{told:?}");
            assert!(told.sentence.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit()), "{told:?}");
            assert!(!told.help.is_empty(), "{told:?}");
            for machine in ["os error", "(code:", "Connection Error", "Execution Error"] {
                assert!(!all.contains(machine), "{told:?}");
            }
            let words: Vec<&str> = told.sentence.split_inclusive([':', '.']).map(str::trim).collect();
            let twice =
                words.iter().any(|one| one.len() > 12 && words.iter().filter(|other| *other == one).count() > 1);
            assert!(!twice, "{told:?}");
        }
    }

    #[test]
    fn a_house_without_its_database_is_told_with_the_way_back() {
        let remains = |is_empty_file, copy: Option<&str>| {
            let found = vec!["keys", "pictures", "prepared versions"];
            StartError::Gone(Remains {
                folder: "/srv/loge".into(),
                is_empty_file,
                found,
                newest_copy: copy.map(Into::into),
            })
        };
        let told = remains(true, Some("/srv/loge/backups/pre-m2.db")).explain();
        assert_eq!(
            told.sentence,
            "The folder /srv/loge held a house, and its database is empty (loge.db has 0 bytes). Its keys, pictures and prepared versions are still there."
        );
        assert!(told.help[0].ends_with("loge-server restore /srv/loge/backups/pre-m2.db"), "{told:?}");
        assert!(told.help[1].contains("--start-anew"), "{told:?}");
        let told = remains(false, None).explain();
        assert!(told.sentence.contains("missing (there is no loge.db)"), "{told:?}");
        assert!(told.help[0].ends_with("loge-server restore FILE"), "{told:?}");
    }
}
