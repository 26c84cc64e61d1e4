//! `man` and `completions`: what a package holds beside the program. Both come from the definition
//! that parses the command line, so that they cannot tell of a flag that is not there.

use clap::Command;
use clap_complete::Shell;
use clap_mangen::roff::{Roff, bold, roman};
use server::keys;
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// A page or a list that could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PaperError {
    #[error("the pages of the manual cannot be written into {to}")]
    Pages { to: PathBuf, source: io::Error },
    #[error("the completions cannot be printed")]
    Completions(#[source] io::Error),
}

const FILES: [(&str, &str); 3] = [
    ("~/.local/share/loge", "The data folder, unless --data-dir or LOGE_DATA_DIR name another one."),
    ("/var/lib/loge", "The data folder of the service that the package brings."),
    (
        "loge.toml",
        "Settings, in the data folder. Flags and the environment win over it. loge-server config --example toml prints one.",
    ),
];

const ENVIRONMENT: (&str, &str) =
    ("NOTIFY_SOCKET", "Set by systemd: it is told when the house is open, answers, and closes.");

const EXIT_STATUS: [(&str, &str); 4] = [
    ("0", "Done; a server that was told to stop has closed its house."),
    ("1", "It could not be done; standard error says why and what helps."),
    ("3", "A server runs on this data folder already."),
    ("4", "The address is taken."),
];

/// Writes a page for the program and one for each of its verbs.
pub(crate) fn man(command: Command, to: &Path) -> Result<(), PaperError> {
    let name = command.get_name().to_owned();
    let failed = |source| PaperError::Pages { to: to.into(), source };
    clap_mangen::generate_to(command, to).map_err(failed)?;
    let mut page = OpenOptions::new().append(true).open(to.join(format!("{name}.1"))).map_err(failed)?;
    page.write_all(closing().as_bytes()).map_err(failed)?;
    for entry in fs::read_dir(to).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        // Only what was written here: the folder may hold more.
        let is_ours = entry.file_name().to_str().is_some_and(|file| file.starts_with(&name) && file.ends_with(".1"));
        if !is_ours {
            continue;
        }
        let path = entry.path();
        let text = fs::read_to_string(&path).map_err(failed)?;
        fs::write(&path, in_ascii(&text)).map_err(failed)?;
    }
    Ok(())
}

/// Writes letters beyond ASCII as roff names them (`\[u2026]`): groff takes bytes for letters of Latin-1.
fn in_ascii(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, letter| {
        match letter.is_ascii() {
            true => out.push(letter),
            false => out.push_str(&format!("\\[u{:04X}]", u32::from(letter))),
        }
        out
    })
}

/// Prints the completions of one shell.
pub(crate) fn completions(mut command: Command, shell: Shell) -> Result<(), PaperError> {
    let (name, mut list) = (command.get_name().to_owned(), Vec::new());
    clap_complete::generate(shell, &mut command, name, &mut list);
    io::stdout().write_all(&list).map_err(PaperError::Completions)
}

/// What the command line does not know of itself.
fn closing() -> String {
    let mut roff = Roff::new();
    let settings = keys::ALL.iter().map(|key| (key.env, key.sentence));
    let environment: Vec<_> = settings.chain([ENVIRONMENT]).collect();
    for (heading, lines) in [("FILES", &FILES[..]), ("ENVIRONMENT", &environment), ("EXIT STATUS", &EXIT_STATUS)] {
        roff.control("SH", [heading]);
        for (name, meaning) in lines {
            roff.control("TP", []);
            roff.text([bold(*name)]);
            roff.text([roman(*meaning)]);
        }
    }
    roff.to_roff()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::CommandFactory;

    #[test]
    fn every_verb_that_is_shown_has_a_page() {
        let dir = tempfile::tempdir().unwrap();
        man(Cli::command(), dir.path()).unwrap();
        let page = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
        for verb in Cli::command().get_subcommands().filter(|verb| !verb.is_hide_set()) {
            assert!(page(&format!("loge-server-{}.1", verb.get_name())).contains(".SH NAME"));
        }
        let main = page("loge-server.1");
        for heading in ["SYNOPSIS", "FILES", "ENVIRONMENT", "EXIT STATUS"] {
            assert!(main.contains(heading), "{heading}");
        }
        assert!(!dir.path().join("loge-server-man.1").exists(), "hidden verbs are for packages");
        assert!(page("loge-server-migrate-database.1").contains(r"postgres://\[u2026]"));
        assert!(fs::read_dir(dir.path()).unwrap().flatten().all(|e| fs::read(e.path()).unwrap().is_ascii()));
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = man(Cli::command(), Path::new("/nowhere/at/all")).unwrap_err();
        assert!(error.to_string().contains("/nowhere/at/all"));
    }
}
