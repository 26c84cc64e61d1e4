//! The command line. Every verb answers in words, or in JSON with `--json`.

mod backups;
mod calibrate;
mod config;
mod containers;
mod doctor;
mod moving;
mod paper;
mod people;
mod serve;
mod tune;
mod upkeep;

use clap::{CommandFactory, Parser, Subcommand};
use server::{Config, Explanation, MigrateDatabaseError, Overrides, RestoreError, RuntimeChoice, StartError, keys};
use std::{io::Write, net::SocketAddr, path::PathBuf, process::ExitCode};

#[derive(Debug, Parser)]
#[command(name = "loge-server", version, about = "A private cinema for a household, on one old PC")]
pub(crate) struct Cli {
    #[arg(long, global = true, env = keys::DATA_DIR.env, help = keys::DATA_DIR.help())]
    data_dir: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Open the house and serve until told to stop
    Serve {
        #[arg(long, help = keys::LISTEN.help())]
        listen: Option<SocketAddr>,
        #[arg(long, help = keys::RUNTIME.help())]
        runtime: Option<RuntimeChoice>,
        /// Begin a new house in a folder whose house lost its database; what is left of that is moved aside
        #[arg(long)]
        start_anew: bool,
    },
    /// People of the house; works while the server is stopped or running
    User {
        #[command(subcommand)]
        verb: people::UserVerb,
    },
    /// The chain of the audit log
    Audit {
        #[command(subcommand)]
        verb: upkeep::AuditVerb,
    },
    /// Bring the database to this version's schema, after a copy, while no server runs
    Migrate,
    /// Move the house to PostgreSQL or back to SQLite, while no server runs; the old database stays as it is
    MigrateDatabase {
        /// `postgres://…`, `sqlite:PATH` or a path: an empty database, or a file that is not there
        #[arg(long)]
        to: String,
        /// Where the house is now [default: what the server would use]
        #[arg(long)]
        from: Option<String>,
    },
    /// Put the house into one checked file, while it runs or not: database, settings, key, audit log
    Backup {
        /// A folder, or a file that ends in `.loge-backup`; one that ends in `.db` gets the database
        /// alone. Without it: `backups` in the data folder
        to: Option<PathBuf>,
        /// Seal the key with the first line of this file
        #[arg(long)]
        passphrase_file: Option<PathBuf>,
    },
    /// Put a backup in the place of the house, or a copy in the place of the database, while no server
    /// runs; what was there is moved aside
    Restore {
        from: PathBuf,
        /// Open the sealed key with the first line of this file
        #[arg(long, conflicts_with = "without_key")]
        passphrase_file: Option<PathBuf>,
        /// Leave the key out: everybody signs in again
        #[arg(long)]
        without_key: bool,
        /// Films that lie elsewhere now: OLD=NEW; may be given more than once
        #[arg(long, value_name = "OLD=NEW", value_parser = backups::moved)]
        map: Vec<store::Relocated>,
    },
    /// Prove a backup: restore it into a folder of its own, start the house in it, sign in and play a
    /// film; the house itself is left alone and may run
    Rehearse {
        from: PathBuf,
        /// Open the sealed key with the first line of this file
        #[arg(long)]
        passphrase_file: Option<PathBuf>,
    },
    /// Look at the machine and say what is missing
    Doctor,
    /// Ask the house on this machine whether it answers; for health checks
    Health,
    /// Stand between a container engine and one server: only what its loges need passes
    EngineDoor(containers::DoorArgs),
    /// Measure what this machine can encode while somebody watches
    Calibrate,
    /// Say what this machine could be set to for serving films; `--apply` sets it
    TuneHost {
        /// Set it, now and for every start; takes root
        #[arg(long, conflicts_with = "undo")]
        apply: bool,
        /// Restore what was set before the first `--apply`; takes root
        #[arg(long)]
        undo: bool,
    },
    /// Print every setting, what it is for, and what holds without it
    Config(config::ConfigVerb),
    /// Print the OpenAPI document
    Openapi,
    /// Write the files of a source tree that are made of the settings
    #[command(hide = true)]
    RenewConfig { tree: PathBuf },
    /// Write a page of the manual for each verb into a folder
    #[command(hide = true)]
    Man { to: PathBuf },
    /// Print what makes a shell complete this command line
    #[command(hide = true)]
    Completions { shell: clap_complete::Shell },
}

pub(crate) async fn run(cli: Cli) -> ExitCode {
    // A package is built where nobody has a data folder, so these read no settings.
    let written = match &cli.verb {
        Verb::Man { to } => Some(paper::man(Cli::command(), to).map_err(anyhow::Error::from)),
        Verb::Completions { shell } => Some(paper::completions(Cli::command(), *shell).map_err(anyhow::Error::from)),
        Verb::Config(verb) => {
            config::run(verb);
            Some(Ok(()))
        }
        Verb::RenewConfig { tree } => Some(config::renew(tree).map_err(anyhow::Error::from)),
        _ => None,
    };
    if let Some(written) = written {
        return match written {
            Ok(()) => ExitCode::SUCCESS,
            Err(e) => {
                complain(&chain(e.as_ref()));
                ExitCode::FAILURE
            }
        };
    }
    // Nor does the door, which belongs to another container than the house.
    let cli = match cli.verb {
        Verb::EngineDoor(args) => return containers::engine_door(args).await,
        verb => Cli { verb, ..cli },
    };
    let mut overrides = Overrides { data_dir: cli.data_dir.clone(), ..Overrides::default() };
    if let Verb::Serve { listen, runtime, start_anew } = &cli.verb {
        overrides = Overrides { listen: *listen, runtime: *runtime, start_anew: *start_anew, ..overrides };
    }
    let config = match Config::load(overrides) {
        Ok(config) => config,
        Err(e) => {
            explain(&e.explain());
            return ExitCode::FAILURE;
        }
    };
    let done = match cli.verb {
        Verb::Serve { .. } => return serve::serve(config).await,
        Verb::User { verb } => people::run(&config, verb, cli.json).await,
        Verb::Audit { verb } => upkeep::audit(&config, &verb, cli.json).await,
        Verb::Migrate => upkeep::migrate(&config, cli.json).await,
        Verb::MigrateDatabase { to, from } => Box::pin(moving::run(&config, &to, from.as_deref(), cli.json)).await,
        Verb::Backup { to, passphrase_file } => {
            backups::back_up(&config, to.as_deref(), passphrase_file.as_deref(), cli.json).await
        }
        Verb::Restore { from, passphrase_file, without_key, map } => {
            backups::restore(&config, &from, passphrase_file.as_deref(), without_key, &map, cli.json).await
        }
        Verb::Rehearse { from, passphrase_file } => {
            Box::pin(backups::rehearse(&config, &from, passphrase_file.as_deref(), cli.json)).await
        }
        Verb::Health => return containers::health(&config, cli.json).await,
        Verb::Doctor => doctor::doctor(&config, cli.json).await,
        Verb::Calibrate => Box::pin(calibrate::run(config, cli.json)).await,
        Verb::Openapi => {
            say(&gateway::openapi::document());
            Ok(())
        }
        Verb::TuneHost { apply, undo } => tune::run(apply, undo, cli.json),
        Verb::Man { .. }
        | Verb::Completions { .. }
        | Verb::Config(_)
        | Verb::RenewConfig { .. }
        | Verb::EngineDoor(_) => Ok(()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            let told = e.downcast_ref::<StartError>().map(StartError::explain);
            let told = told.or_else(|| e.downcast_ref::<RestoreError>().map(RestoreError::explain));
            let told = told.or_else(|| e.downcast_ref::<MigrateDatabaseError>().map(MigrateDatabaseError::explain));
            match told {
                Some(told) => explain(&told),
                None => complain(&chain(e.as_ref())),
            }
            ExitCode::FAILURE
        }
    }
}

/// One line on standard output. A closed pipe is the reader's wish and no error of ours.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

pub(crate) fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "loge-server: {line}");
}

/// What went wrong and what helps, a line each.
pub(crate) fn explain(told: &Explanation) {
    complain(&told.sentence);
    for help in &told.help {
        let _ = writeln!(std::io::stderr(), "  {help}");
    }
}

/// An error with all its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(e) = cause {
        text.push_str(": ");
        text.push_str(&e.to_string());
        cause = e.source();
    }
    text
}
