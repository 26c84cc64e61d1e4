//! `config`: the settings on paper. Reads none, so that it also helps where one is wrong.

use super::say;
use clap::{Args, ValueEnum};
use server::keys::Profile;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

#[derive(Debug, Args)]
pub(crate) struct ConfigVerb {
    #[command(flatten)]
    paper: Paper,
    /// Set in the example what suits this use; without it everything is a comment
    #[arg(long, requires = "example")]
    profile: Option<Use>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Paper {
    /// A file to begin with, in this syntax
    #[arg(long, value_name = "SYNTAX")]
    example: Option<Syntax>,
    /// A page in Markdown
    #[arg(long)]
    reference: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Syntax {
    /// Lines for the environment of a service, or for `.env`
    Env,
    /// `loge.toml`
    Toml,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Use {
    Development,
    Production,
}

/// A file of the source tree that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{path} cannot be written")]
pub(crate) struct RenewError {
    path: PathBuf,
    source: io::Error,
}

/// Prints an example or the page.
pub(crate) fn run(verb: &ConfigVerb) {
    let profile = verb.profile.map(|profile| match profile {
        Use::Development => Profile::Development,
        Use::Production => Profile::Production,
    });
    let text = match verb.paper.example {
        Some(Syntax::Env) => server::example(server::Syntax::Env, profile),
        Some(Syntax::Toml) => server::example(server::Syntax::Toml, profile),
        None => server::reference(),
    };
    say(text.trim_end());
}

/// Writes the files of the source tree at `root` that are made of the settings.
pub(crate) fn renew(root: &Path) -> Result<(), RenewError> {
    for (path, text) in server::kept() {
        fs::write(root.join(path), text).map_err(|source| RenewError { path: root.join(path), source })?;
        say(&format!("{path} is up to date"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::cli::Cli;
    use clap::{CommandFactory, Parser};
    use server::keys;

    #[test]
    fn every_flag_of_a_setting_exists_and_says_what_the_table_says() {
        let command = Cli::command();
        let serve = command.find_subcommand("serve").unwrap();
        let flags: Vec<_> = command.get_arguments().chain(serve.get_arguments()).collect();
        for key in keys::ALL {
            let Some(name) = key.flag else { continue };
            let flag = flags.iter().find(|flag| flag.get_long() == name.strip_prefix("--")).unwrap();
            assert_eq!(flag.get_help().unwrap().to_string(), key.help());
        }
    }

    #[test]
    fn an_example_needs_a_syntax_and_a_profile_an_example() {
        let accepted = |line: &[&str]| Cli::try_parse_from([&["loge-server", "config"], line].concat()).is_ok();
        assert!(accepted(&["--example", "toml"]) && accepted(&["--example", "env", "--profile", "production"]));
        assert!(accepted(&["--reference"]));
        for line in
            [&[][..], &["--profile", "production"], &["--example", "yaml"], &["--example", "env", "--reference"]]
        {
            assert!(!accepted(line), "{line:?}");
        }
    }
}
