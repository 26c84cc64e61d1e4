//! `loge-server`: the house without a window.

mod cli;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    base::process::harden();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            cli::complain(&format!("the program's threads cannot be started: {e}"));
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(cli::run(cli::Cli::parse()));
    // A blocking task that waits for a dead disk must not hold up the end of the program.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    code
}
