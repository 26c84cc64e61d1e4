//! The command line. Every verb answers in words, or in JSON with `--json`.

mod calibrate;
mod people;
mod serve;
mod upkeep;

use clap::{Parser, Subcommand};
use server::{Config, Overrides, RuntimeChoice};
use std::{io::Write, net::SocketAddr, path::PathBuf, process::ExitCode};

#[derive(Debug, Parser)]
#[command(name = "loge-server", version, about = "A private cinema for a household, on one old PC")]
pub(crate) struct Cli {
    /// Folder that holds everything that must survive [default: ~/.local/share/loge]
    #[arg(long, global = true, env = "LOGE_DATA_DIR")]
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
        /// Address to listen on; port 0 takes a free one [default: 0.0.0.0:8096]
        #[arg(long)]
        listen: Option<SocketAddr>,
        /// auto, docker or process
        #[arg(long)]
        runtime: Option<RuntimeChoice>,
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
    /// Bring the database to this version's schema
    Migrate,
    /// Write a consistent copy of the database to a file
    Backup { to: PathBuf },
    /// Look at the machine and say what is missing
    Doctor,
    /// Measure what this machine can encode while somebody watches
    Calibrate,
    /// Print the OpenAPI document
    Openapi,
}

pub(crate) async fn run(cli: Cli) -> ExitCode {
    let (listen, runtime) = match &cli.verb {
        Verb::Serve { listen, runtime } => (*listen, *runtime),
        _ => (None, None),
    };
    let overrides = Overrides { data_dir: cli.data_dir.clone(), listen, runtime };
    let config = match Config::load(overrides) {
        Ok(config) => config,
        Err(e) => {
            complain(&e.to_string());
            return ExitCode::FAILURE;
        }
    };
    let done = match cli.verb {
        Verb::Serve { .. } => return serve::serve(config).await,
        Verb::User { verb } => people::run(&config, verb, cli.json).await,
        Verb::Audit { verb } => upkeep::audit(&config, &verb, cli.json).await,
        Verb::Migrate => upkeep::migrate(&config, cli.json).await,
        Verb::Backup { to } => upkeep::backup(&config, &to, cli.json).await,
        Verb::Doctor => upkeep::doctor(&config, cli.json).await,
        Verb::Calibrate => Box::pin(calibrate::run(config, cli.json)).await,
        Verb::Openapi => {
            say(&gateway::openapi::document());
            Ok(())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            complain(&chain(e.as_ref()));
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
