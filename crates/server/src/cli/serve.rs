//! `serve`: run until SIGTERM or SIGINT, drain, exit 0. A second signal stops at once. A supervisor
//! hears of each step.

use super::{chain, complain, explain, say};
use server::{Config, Handle, Phase, Server, StartError, Supervisor, Word};
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

pub(crate) async fn serve(config: Config) -> ExitCode {
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        complain("signals cannot be listened for");
        return ExitCode::FAILURE;
    };
    let supervisor = supervisor();
    let tell = |word: Word<'_>| supervisor.iter().for_each(|supervisor| supervisor.tell(word));
    tell(Word::Status("The house is being opened."));
    let start = Server::start(config);
    tokio::pin!(start);
    let handle = tokio::select! {
        started = &mut start => match started {
            Ok(handle) => handle,
            Err(e) => {
                let told = e.explain();
                tell(Word::Status(&told.sentence));
                explain(&told);
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
    tell(Word::Ready);
    let mut status = handle.status();
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
        _ = status.wait_for(|s| s.phase == Phase::Stopped) => {}
        () = tell_setup_codes(&handle) => {}
        () = keep_told(supervisor.as_ref(), &handle) => {}
    }
    tell(Word::Stopping { within: handle.longest_stop() });
    tell(Word::Status("The house is closing."));
    let stop = handle.stop();
    tokio::pin!(stop);
    tokio::select! {
        () = &mut stop => {}
        _ = term.recv() => complain("stopping at once"),
        _ = int.recv() => complain("stopping at once"),
    }
    if handle.has_failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// The one that started us, if it wants to hear of us. Without it the house opens all the same.
fn supervisor() -> Option<Supervisor> {
    Supervisor::find().unwrap_or_else(|e| {
        complain(&chain(&e));
        None
    })
}

/// Says that the house lives, while it does, and what the owner's page says of it. Ends never.
async fn keep_told(supervisor: Option<&Supervisor>, handle: &Handle) {
    let Some(supervisor) = supervisor else { return std::future::pending().await };
    let mut status = handle.status();
    let sentences = async {
        loop {
            supervisor.tell(Word::Status(&status.borrow_and_update().sentence));
            if status.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::join!(sentences, supervisor.watch(async || handle.answers().await));
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
