//! Where a setting comes from: the environment, then `loge.toml`, then its default.

use super::{
    ConfigError,
    keys::{self, Fallback, Key},
};
use ::config::{Config as Reader, File, FileFormat, Value};
use serde::de::DeserializeOwned;
use std::{
    collections::BTreeMap,
    fmt::Display,
    path::{Path, PathBuf},
    str::FromStr,
};

/// Looks a variable of the environment up.
pub(super) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The environment and one `loge.toml`. Only what the table names can be read from them.
pub(super) struct Sources<'a> {
    env: Env<'a>,
    path: PathBuf,
    file: BTreeMap<String, Value>,
}

impl<'a> Sources<'a> {
    /// Reads the file, which need not be there. An unknown key is an error, since a misspelt one
    /// would silently do nothing.
    pub(super) fn open(env: Env<'a>, path: &Path) -> Result<Self, ConfigError> {
        let failed = |message| ConfigError::File { path: path.into(), message };
        let file = if path.exists() {
            Reader::builder()
                .add_source(File::from(path.to_path_buf()).format(FileFormat::Toml))
                .build()
                .and_then(Reader::try_deserialize::<BTreeMap<String, Value>>)
                .map_err(|e| failed(e.to_string()))?
        } else {
            BTreeMap::new()
        };
        let known: Vec<&str> = keys::ALL.iter().filter(|key| key.in_file).map(|key| key.name).collect();
        if let Some(unknown) = file.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(failed(format!("it has no setting `{unknown}`; there are {}", known.join(", "))));
        }
        Ok(Self { env, path: path.into(), file })
    }

    pub(super) fn value<T: FromStr + DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, ConfigError>
    where
        T::Err: Display,
    {
        if let Some(value) = parsed(self.env, key)? {
            return Ok(Some(value));
        }
        if let Some(value) = self.in_file(key)? {
            return Ok(Some(value));
        }
        match key.default {
            Fallback::Text(text) => text.parse().map(Some).map_err(|e: T::Err| unusable(key, e.to_string())),
            Fallback::Beside(_) | Fallback::Unset(_) => Ok(None),
        }
    }

    /// Returns the value of a setting that has a default.
    pub(super) fn certain<T: FromStr + DeserializeOwned>(&self, key: &Key) -> Result<T, ConfigError>
    where
        T::Err: Display,
    {
        self.value(key)?.ok_or_else(|| unusable(key, "it has no value".into()))
    }

    /// Returns where a program lies.
    pub(super) fn program(&self, key: &Key) -> Result<PathBuf, ConfigError> {
        match (self.value(key)?, key.default) {
            (Some(path), _) => Ok(path),
            (None, Fallback::Beside(name)) => Ok(beside_this_program(name)),
            (None, _) => Err(unusable(key, "it has no value".into())),
        }
    }

    pub(super) fn list(&self, key: &Key) -> Result<Vec<String>, ConfigError> {
        match (self.env)(key.env) {
            Some(text) => {
                Ok(text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect())
            }
            None => Ok(self.in_file(key)?.unwrap_or_default()),
        }
    }

    fn in_file<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, ConfigError> {
        let Some(value) = self.file.get(key.name) else { return Ok(None) };
        match value.clone().try_deserialize() {
            Ok(value) => Ok(Some(value)),
            Err(e) => Err(ConfigError::File { path: self.path.clone(), message: format!("{}: {e}", key.name) }),
        }
    }
}

/// Returns what the environment sets.
pub(super) fn parsed<T: FromStr>(env: Env<'_>, key: &Key) -> Result<Option<T>, ConfigError>
where
    T::Err: Display,
{
    let Some(value) = env(key.env) else { return Ok(None) };
    match value.parse() {
        Ok(parsed) => Ok(Some(parsed)),
        Err(e) => Err(ConfigError::Environment { name: key.env, message: e.to_string(), value }),
    }
}

fn unusable(key: &Key, message: String) -> ConfigError {
    ConfigError::Setting { name: key.name, message }
}

fn beside_this_program(name: &str) -> PathBuf {
    std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join(name))).unwrap_or_else(|| name.into())
}
