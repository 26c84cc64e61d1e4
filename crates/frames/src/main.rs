//! `loge-frames`: takes pictures out of films, for the worker, inside a loge.
//!
//! Linking libav and its two hundred libraries costs more than most pictures. So this program is
//! started once by the worker, gets itself ready, and forks a child for each picture: the child is
//! given one film and one socket, takes rights away from itself, opens the film once, decodes a few
//! key frames and ends. What a film does to its child it does to nothing else.
//! Owns: libav, the shape and colours of a picture, the choice of a poster.
//! Promises: no name or protocol is ever given to libav, nothing is written but the answer.
//! Never here: the gateway, an async runtime, the network, starting programs.

mod colours;
mod film;
mod limits;
mod pictures;
mod raw;
mod shape;
mod zygote;

use std::process::ExitCode;

/// The command line is not what a worker gives.
const BAD_START: u8 = 64;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    match (args.next(), args.next()) {
        (Some(first), None) if first == "--serve" => zygote::serve(),
        (Some(first), None) if first == "--version" => {
            #[expect(clippy::print_stdout, reason = "what it was asked for")]
            {
                println!("loge-frames {} with {}", env!("CARGO_PKG_VERSION"), film::versions());
            }
            ExitCode::SUCCESS
        }
        _ => ExitCode::from(BAD_START),
    }
}
