//! `serve`: run until SIGTERM or SIGINT, drain, exit 0. A second signal stops at once.

use super::{complain, explain, say};
use server::{Config, Handle, Phase, Server, StartError};
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

pub(crate) async fn serve(config: Config) -> ExitCode {
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        complain("signals cannot be listened for");
        return ExitCode::FAILURE;
    };
    let start = Server::start(config);
    tokio::pin!(start);
    let handle = tokio::select! {
        started = &mut start => match started {
            Ok(handle) => handle,
            Err(e) => {
                explain(&e.explain());
                return ExitCode::from(match e {
                    StartError::AlreadyRunning { .. } => 3,
                    StartError::AddressInUse { .. } => 4,
                    _ => 1,
                });
            }
        },
        _ = term.recv() => return ExitCode::SUCCESS,
        _ = int.recv() => return ExitCode::SUCCESS,
    };
    say(&format!("listening on http://{}", handle.listening()));
    for url in handle.lan_urls() {
        say(&format!("in your network: {url}"));
    }
    let mut status = handle.status();
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
        _ = status.wait_for(|s| s.phase == Phase::Stopped) => {}
        () = tell_setup_codes(&handle) => {}
    }
    let stop = handle.stop();
    tokio::pin!(stop);
    tokio::select! {
        () = &mut stop => {}
        _ = term.recv() => complain("stopping at once"),
        _ = int.recv() => complain("stopping at once"),
    }
    if handle.has_failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// A setup code lives for minutes; while the house has no owner, each new one is printed.
async fn tell_setup_codes(handle: &Handle) {
    let mut told = None;
    loop {
        let code = handle.setup_code();
        if let Some(code) = &code
            && told.as_ref() != Some(code)
        {
            say(&format!("setup code: {code}"));
        }
        told = code;
        tokio::time::sleep(std::time::Duration::from_secs(20)).await;
    }
}
