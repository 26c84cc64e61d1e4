//! The program `loge`. See the library for what it does.

mod nvidia;

use clap::Parser as _;
use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    base::process::harden();
    nvidia::work_around_black_window();
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    // The house in this program proves its backups by starting the program once more, without a window.
    if arguments.first().is_some_and(|first| first == server::REHEARSE) {
        return rehearse(&arguments);
    }
    let options = loge_desktop::Options::parse();
    if std::env::var_os("DISPLAY").is_none() && std::env::var_os("WAYLAND_DISPLAY").is_none() {
        return refuse("There is no screen to open a window on. On a machine without one, run: loge-server serve");
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&format!("Loge could not start its threads: {error}")),
    };
    let ended = loge_desktop::run(options, runtime.handle(), Box::new(say));
    // Threads still at work while the C libraries tear themselves down can crash the exit.
    // Bounded, because a blocking task that waits for a dead disk never ends.
    runtime.shutdown_timeout(Duration::from_secs(2));
    match ended {
        Ok(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        Err(error) => refuse(&format!("Loge could not open its window: {error:#}")),
    }
}

fn rehearse(arguments: &[OsString]) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&format!("Loge could not start its threads: {error}")),
    };
    let (line, is_proven) = runtime.block_on(server::rehearse_as_told(arguments));
    say(&line);
    runtime.shutdown_timeout(Duration::from_secs(2));
    if is_proven { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[expect(clippy::print_stdout, reason = "npm start and scripts read these lines")]
fn say(line: &str) {
    println!("{line}");
}

fn refuse(sentence: &str) -> ExitCode {
    eprintln!("{sentence}");
    ExitCode::FAILURE
}
