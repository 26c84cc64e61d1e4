//! `loge-worker`, the only program that touches media, inside one loge.
//!
//! It dials the gateway's socket, proves itself with the nonce it was started with, and then
//! does as it is told: it opens data connections, sends ranges of files with `sendfile`, runs
//! ffprobe and ffmpeg on one file at a time, and cuts films into segments. It has no configuration beyond its environment, no
//! network, no state, and asks for nothing.
//! One blocking thread per data connection: the disk may wait, and only this person waits with it.
//! It ends with the control connection: 0 when told to shut down, 1 when the gateway is gone.

mod calibrate;
mod chip;
mod connection;
mod control;
mod frames;
mod glance;
mod heads;
mod index;
mod job;
mod limited;
mod log;
mod poster;
mod range;
mod scratch;
mod settings;
mod sheet;
mod subtitles;

use std::process::ExitCode;

/// The environment or the command line is not what a loge gives.
const BAD_START: u8 = 64;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    match args.next() {
        None => serve(),
        Some(first) if first == limited::FLAG => limited::run(args),
        Some(first) if first == "--version" => {
            #[expect(clippy::print_stdout, reason = "what it was asked for")]
            {
                println!("loge-worker {}", env!("CARGO_PKG_VERSION"));
            }
            ExitCode::SUCCESS
        }
        Some(_) => {
            log::line("it takes no arguments; a loge starts it");
            ExitCode::from(BAD_START)
        }
    }
}

fn serve() -> ExitCode {
    let settings = match settings::Settings::from_env() {
        Ok(settings) => settings,
        Err(error) => {
            log::line(&error.to_string());
            return ExitCode::from(BAD_START);
        }
    };
    // Nobody of the same user may read the nonce or the libraries' descriptors out of us.
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);

    let end = control::run(settings);
    job::kill_all();
    frames::kill();
    match end {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::line(&error.to_string());
            ExitCode::FAILURE
        }
    }
}
