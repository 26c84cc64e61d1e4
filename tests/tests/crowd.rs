//! A crowd at the door: one machine that takes more connections than there are descriptors keeps
//! neither those from their films who watch nor those from entering who come.

use loge_tests::{
    House, eventually, media,
    network::{address, connect_from, is_inside},
    player::Player,
    wire,
};
use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

/// What is usual for a process that did not ask for more.
const DESCRIPTORS: u32 = 1024;
const SOURCES: u8 = 8;
const EACH: usize = 128;

/// Asks for something that needs no sign-in, so that the connection is one that was used.
fn ask(stream: &mut TcpStream, host: &str) -> bool {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
    let asked = write!(stream, "GET /healthz HTTP/1.1\r\nhost: {host}\r\n\r\n");
    let mut answer = [0; 512];
    asked.is_ok() && stream.read(&mut answer).is_ok_and(|n| wire::status(&answer[..n]) == 200)
}

/// Answers whether the server has closed it.
fn is_closed(mut stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("our own socket");
    loop {
        match stream.read(&mut [0; 4096]) {
            Ok(0) => return true,
            // The rest of an answer.
            Ok(_) => {}
            Err(error) => return error.kind() != std::io::ErrorKind::WouldBlock,
        }
    }
}

#[test]
fn eight_addresses_do_not_close_the_door() {
    // One for the house, and one that comes when all is taken.
    if !is_inside("eight_addresses_do_not_close_the_door", SOURCES + 2) {
        return;
    }
    let house = House::open_on_network(address(1), DESCRIPTORS);
    let to: SocketAddr = house.address().parse().expect("an address");
    let host = to.to_string();
    let owner = house.claim();
    let films = media::some(&[media::DIRECT]);
    let library = house.library(&owner, "Films", films.path());
    let title = owner.get("/api/v1/titles").json()["items"][0]["id"].as_str().expect("a title").to_owned();
    let film = std::fs::read(films.path().join(media::DIRECT)).expect("a film");
    let players: Vec<Player> = ["Ana", "Bo"]
        .into_iter()
        .map(|name| {
            let viewer = house.viewer(&owner, name, &[&library]);
            let path = format!("/api/v1/titles/{title}/play");
            let play = move || {
                let answer = viewer.try_call("POST", &path, Some(&serde_json::json!({})), &[])?;
                (answer.status == 200).then(|| answer.json()["url"].as_str().unwrap_or_default().to_owned())
            };
            Player::watch(&house, film.clone(), play)
        })
        .collect();

    let crowd: Vec<(Ipv4Addr, TcpStream)> = (0..EACH)
        .flat_map(|_| (2..2 + SOURCES).map(address))
        .filter_map(|source| {
            let mut stream = connect_from(source, to).ok()?;
            ask(&mut stream, &host);
            Some((source, stream))
        })
        .collect();
    assert_eq!(crowd.len(), EACH * usize::from(SOURCES), "the kernel takes them all");
    let closed = crowd.iter().filter(|(_, stream)| is_closed(stream)).count();
    assert!(closed > EACH, "the control: they are more than there is room for, and {closed} had to go");
    let held = (2..2 + SOURCES).filter(|n| crowd.iter().any(|(s, stream)| *s == address(*n) && !is_closed(stream)));
    assert_eq!(held.count(), usize::from(SOURCES), "the control: all of them are still there");

    // While they hold what they have: the machine's own window, and the one who comes last.
    let window = SocketAddr::from((Ipv4Addr::LOCALHOST, to.port()));
    assert!(ask(&mut TcpStream::connect(window).expect("the door is open"), &window.to_string()));
    let ninth = connect_from(address(SOURCES + 2), to);
    assert!(ask(&mut ninth.expect("the door is open"), &host), "who comes last is served");
    for player in &players {
        player.goes_on("the film of one who watches");
        assert_eq!(player.refused(), 0, "nothing was refused to one who watches");
    }
    eventually("the owner's page", || (owner.get("/api/v1/admin/streams").status == 200).then_some(()));
    drop(crowd);
    players.into_iter().for_each(Player::end);
}
