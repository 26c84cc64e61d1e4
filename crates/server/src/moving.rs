//! A house moves to another database, while no server runs on its data folder.

use crate::{
    start::take_folder,
    start_failure::{Explanation, StartError, database, innermost},
};
use std::path::{Path, PathBuf};
use store::{Database, MoveError, Moved, move_house};

/// Why a house did not move; it is as it was then.
#[derive(Debug, thiserror::Error)]
pub enum MigrateDatabaseError {
    #[error("take the data folder")]
    Folder(#[source] StartError),
    #[error("move the house")]
    Move(#[from] MoveError),
}

/// Copies the house of a data folder from one database into another one.
///
/// # Errors
/// When a server runs on the folder, or the house cannot move. Nothing has changed then.
pub async fn migrate_database(data_dir: &Path, from: &Database, to: &Database) -> Result<Moved, MigrateDatabaseError> {
    let (_, _lock) = take_folder(data_dir).map_err(MigrateDatabaseError::Folder)?;
    Ok(move_house(from, to).await?)
}

/// Reads where a database is: `postgres://…`, `sqlite:PATH`, or a path. `None`: another kind of address.
pub fn place_of_database(text: &str) -> Option<Database> {
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        return Some(Database::Url(text.into()));
    }
    let path = match text.strip_prefix("sqlite:") {
        Some(path) => path.strip_prefix("//").unwrap_or(path),
        None if text.contains("://") => return None,
        None => text,
    };
    (!path.is_empty()).then(|| Database::Sqlite(PathBuf::from(path)))
}

/// Returns an address without its password, to be shown.
pub fn shown_address(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.into() };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let hidden = rest[..end].rsplit_once('@').and_then(|(who, host)| Some((who.split_once(':')?.0, host)));
    let place = match hidden {
        Some((who, host)) => format!("{who}:…@{host}"),
        None => rest[..end].into(),
    };
    // A password may stand among the parameters too.
    let parameters = rest[end..].split_once('?').map_or((&rest[end..], ""), |(path, more)| (path, more));
    match parameters {
        (path, "") => format!("{scheme}://{place}{path}"),
        (path, more) if more.contains("password") => format!("{scheme}://{place}{path}?…"),
        (path, more) => format!("{scheme}://{place}{path}?{more}"),
    }
}

impl MigrateDatabaseError {
    /// Explains the failure to the owner at the command line.
    pub fn explain(&self) -> Explanation {
        let error = match self {
            Self::Folder(StartError::AlreadyRunning { .. }) => {
                return told("A server runs on this data folder.", ["Stop it, then move the house."]);
            }
            Self::Folder(error) => return error.explain(),
            Self::Move(error) => error,
        };
        let as_it_was = "The house is as it was, and nothing is left in the new place.";
        match error {
            MoveError::OpenOld(error) => database(error),
            MoveError::OpenNew { place, source } => told(
                format!("The new database at {place} cannot be opened: {}.", innermost(source)),
                [
                    "A PostgreSQL database is made before with PostgreSQL's own tools: createdb --owner=loge loge",
                    as_it_was,
                ],
            ),
            MoveError::NotEmpty { .. } => told(
                format!("{}.", capital(&error.to_string())),
                ["Nothing is written over. Choose an empty database, or a path where no file is."],
            ),
            MoveError::Nul { .. } => told(
                format!("{}.", capital(&error.to_string())),
                ["Rename what it belongs to in the house, then move it again.", as_it_was],
            ),
            MoveError::UnknownUrl
            | MoveError::UnknownKind { .. }
            | MoveError::Circle { .. }
            | MoveError::Differs { .. } => told(format!("{}.", capital(&error.to_string())), [as_it_was]),
            MoveError::MakeTables(source)
            | MoveError::LookAtTables(source)
            | MoveError::Read { source, .. }
            | MoveError::Write { source, .. }
            | MoveError::Commit(source) => {
                told(format!("{}: {}.", capital(&error.to_string()), innermost(source)), [as_it_was])
            }
            MoveError::Place(source) => {
                told(format!("{}: {}.", capital(&error.to_string()), innermost(source)), [as_it_was])
            }
        }
    }
}

fn told<const N: usize>(sentence: impl Into<String>, help: [&str; N]) -> Explanation {
    Explanation { sentence: sentence.into(), help: help.map(String::from).into() }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_an_address_or_a_path() {
        for (text, path) in [
            ("sqlite:/srv/loge.db", "/srv/loge.db"),
            ("sqlite:///srv/loge.db", "/srv/loge.db"),
            ("sqlite:loge.db", "loge.db"),
            ("./loge.db", "./loge.db"),
            ("/srv/a b?.db", "/srv/a b?.db"),
        ] {
            assert!(matches!(place_of_database(text), Some(Database::Sqlite(p)) if p == Path::new(path)), "{text}");
        }
        for url in ["postgres://loge@db/loge", "postgresql://db/loge"] {
            assert!(matches!(place_of_database(url), Some(Database::Url(u)) if u == url));
        }
        for text in ["mysql://db/loge", "sqlite:", ""] {
            assert!(place_of_database(text).is_none(), "{text}");
        }
    }

    #[test]
    fn no_password_is_shown() {
        for (url, shown) in [
            ("postgres://loge:secret@db:5432/loge", "postgres://loge:…@db:5432/loge"),
            ("postgres://loge:se@cret@db/loge?sslmode=require", "postgres://loge:…@db/loge?sslmode=require"),
            ("postgres://loge@db/loge", "postgres://loge@db/loge"),
            ("postgres://db", "postgres://db"),
            ("postgres://db/loge?user=x&password=secret", "postgres://db/loge?…"),
        ] {
            assert_eq!(shown_address(url), shown);
        }
    }
}
