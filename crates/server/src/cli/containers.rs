//! What a server in a container needs beside itself: an answer for its health check, and the door
//! to the engine.

use super::{chain, complain, say};
use clap::Args;
use loges::{
    RenderNode,
    door::{self, Door, Whose},
};
use server::Config;
use std::{path::PathBuf, process::ExitCode, time::Duration};
use tokio::signal::unix::{SignalKind, signal};

/// A house under load answers within this, or has a reason to be looked at.
const ANSWERS_WITHIN: Duration = Duration::from_secs(8);

#[derive(Debug, Args)]
pub(crate) struct DoorArgs {
    /// Socket to make, for one server alone
    #[arg(long)]
    listen: PathBuf,
    /// The engine's own socket
    #[arg(long, default_value = loges::runtime::docker::DEFAULT_SOCKET)]
    engine: PathBuf,
    /// Folder of films that loges may be shown, as the machine calls it; once for each. Without any,
    /// the door asks the engine what the server's container has read-only
    #[arg(long, requires_all = ["sockets", "house"])]
    films: Vec<PathBuf>,
    /// Folder in which the server makes its sockets, as the machine calls it
    #[arg(long, requires_all = ["films", "house"])]
    sockets: Option<PathBuf>,
    /// Name of this house among those that one engine serves
    #[arg(long, requires_all = ["films", "sockets"])]
    house: Option<String>,
    /// Graphics chip that loges may be given, with the group that may use it: /dev/dri/renderD128:104
    #[arg(long, value_parser = render_node)]
    render_node: Vec<RenderNode>,
    /// Only ask the door at this socket whether an engine answers behind it
    #[arg(long)]
    knock: bool,
}

fn render_node(text: &str) -> Result<RenderNode, String> {
    let (path, group) = match text.split_once(':') {
        None => (text, None),
        Some((path, group)) => (path, Some(group.parse().map_err(|_| format!("`{group}` is no group's number"))?)),
    };
    let is_node = path.strip_prefix("/dev/dri/renderD").is_some_and(|rest| rest.parse::<u32>().is_ok());
    if is_node { Ok(RenderNode { path: path.into(), group }) } else { Err(format!("`{path}` is no render node")) }
}

/// Asks the house on this machine whether it answers.
pub(crate) async fn health(config: &Config, json: bool) -> ExitCode {
    let told = tokio::time::timeout(ANSWERS_WITHIN, server::answers(config.listen)).await;
    let (is_well, words) = match told {
        Ok(Ok(words)) => (true, words),
        Ok(Err(words)) => (false, words),
        Err(_) => (false, "the house does not answer in time"),
    };
    say(&if json { serde_json::json!({ "well": is_well, "detail": words }).to_string() } else { words.into() });
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Serves until SIGTERM or SIGINT. Requests that are on their way then end with it: the server
/// takes them up again at the next door.
pub(crate) async fn engine_door(args: DoorArgs) -> ExitCode {
    if args.knock {
        return if door::knock(&args.listen).await { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let _telemetry = base::telemetry::init("info", None);
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        complain("signals cannot be listened for");
        return ExitCode::FAILURE;
    };
    let whose = match (args.house, args.sockets, args.listen.parent()) {
        (Some(house), Some(sockets), _) => Whose::Named { house, films: args.films, sockets },
        (_, _, Some(folder)) => Whose::Found { folder: folder.into() },
        _ => {
            complain("--listen has to name a socket in a folder");
            return ExitCode::FAILURE;
        }
    };
    let door = match Door::open(&args.listen, &args.engine, whose, args.render_node) {
        Ok(door) => door,
        Err(e) => {
            complain(&chain(&e));
            return ExitCode::FAILURE;
        }
    };
    say(&format!("the engine door is open at {}", args.listen.display()));
    tokio::select! {
        never = door.serve() => match never {},
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_render_nodes_can_be_named() {
        let node = |path: &str, group| RenderNode { path: path.into(), group };
        assert_eq!(render_node("/dev/dri/renderD128:104"), Ok(node("/dev/dri/renderD128", Some(104))));
        assert_eq!(render_node("/dev/dri/renderD128"), Ok(node("/dev/dri/renderD128", None)));
        for other in ["/dev/sda", "/dev/dri/card0", "/dev/dri/renderD128/../../sda", "/dev/dri/renderD128:video", ""] {
            assert!(render_node(other).is_err(), "{other}");
        }
    }
}
