//! The few switches of the desktop program; everything else is in `loge.toml`.

use clap::Parser;
use std::net::SocketAddr;
use std::path::PathBuf;

#[derive(Clone, Debug, Parser)]
#[command(name = "loge", version, about = "Loge: your films, for the people at home")]
pub struct Options {
    /// Where Loge keeps its database, settings and artwork
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Address and port to serve on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// What isolates the viewers
    #[arg(long, value_name = "KIND", value_parser = ["auto", "docker", "process"])]
    pub runtime: Option<String>,
    /// Begin a new server in a data folder whose earlier one lost its database; what is left of that is moved aside
    #[arg(long)]
    pub start_anew: bool,
    /// Start without showing the window (used when Loge starts with the session)
    #[arg(long)]
    pub hidden: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory as _;
        Options::command().debug_assert();
    }

    #[test]
    fn reads_what_the_desktop_tests_pass() {
        let line = ["loge", "--data-dir", "/tmp/x", "--listen", "127.0.0.1:0", "--runtime", "process"];
        let options = Options::try_parse_from(line).unwrap();
        assert_eq!(options.data_dir, Some("/tmp/x".into()));
        assert_eq!(options.listen, Some("127.0.0.1:0".parse().unwrap()));
        assert_eq!(options.runtime.as_deref(), Some("process"));
        assert!(!options.hidden);
        assert!(Options::try_parse_from(["loge", "--runtime", "podman"]).is_err());
    }
}
