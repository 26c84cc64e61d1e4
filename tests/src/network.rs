//! A network of a test's own, with as many addresses as it likes and nobody else in it.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream},
    process::Command,
};

/// Set for the run inside.
const INSIDE: &str = "LOGE_TEST_NETWORK";

/// Addresses of benchmarks (RFC 2544), which no network uses.
pub fn address(host: u8) -> Ipv4Addr {
    Ipv4Addr::new(198, 18, 7, host)
}

/// Answers whether this run is inside a network of its own, with `hosts` addresses. Outside, the
/// test called `name` is run inside, and its end is this one's.
pub fn is_inside(name: &str, hosts: u8) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let addresses = (1..=hosts).map(|host| format!("ip address add {}/32 dev lo", address(host)));
    let script: Vec<String> = ["ip link set lo up".into()].into_iter().chain(addresses).collect();
    let script = format!("set -e; {}; exec \"$0\" \"$@\"", script.join("; "));
    let unshare = |arguments: &[&str]| {
        let mut command = Command::new("unshare");
        // Users of its own, where the one who runs the tests may not make a network.
        command.args(if rustix::process::geteuid().is_root() { &["--net"][..] } else { &["--net", "--map-root-user"] });
        command.args(arguments);
        command
    };
    if !unshare(&["true"]).status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: no network of its own can be made here");
        return false;
    }
    let me = std::env::current_exe().expect("a test knows its own path");
    let status =
        unshare(&["sh", "-c", &script]).arg(me).args(["--exact", name, "--nocapture"]).env(INSIDE, "1").status();
    assert!(status.is_ok_and(|status| status.success()), "{name}, in a network of its own");
    false
}

/// Connects from one of this machine's addresses.
///
/// # Errors
/// When nobody takes the connection.
pub fn connect_from(source: Ipv4Addr, to: SocketAddr) -> std::io::Result<TcpStream> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    bind(&socket, &SocketAddr::new(IpAddr::V4(source), 0))?;
    connect(&socket, &to)?;
    Ok(socket.into())
}
