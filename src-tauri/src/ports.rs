//! Which port to offer when the wanted one is taken.

use std::net::{SocketAddr, TcpListener};

const TRIES: u16 = 50;

/// The first port after `taken` that can be bound at the same address right now. Somebody
/// may still come first; then the start fails in the same clear way and offers the next.
pub fn next_free(taken: SocketAddr) -> Option<u16> {
    let first = taken.port().checked_add(1)?.max(1024);
    (first..=first.saturating_add(TRIES - 1)).find(|port| TcpListener::bind((taken.ip(), *port)).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skips_what_is_taken() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let offered = next_free(address);
        assert!(offered.is_none_or(|port| port > address.port()));
    }

    #[test]
    fn privileged_ports_lead_to_ordinary_ones() {
        assert!(next_free("127.0.0.1:80".parse().unwrap()).unwrap() >= 1024);
    }

    #[test]
    fn the_last_port_has_no_next() {
        assert_eq!(next_free("127.0.0.1:65535".parse().unwrap()), None);
    }
}
