//! `calibrate`: measures this machine. Where the house is open the running server does it, since
//! only one may use the containers; else it opens for as long as that takes.

use super::{say, upkeep};
use accounts::{Accounts, Peer};
use base::{Bus, Clock, Dirs, SystemClock};
use domain::{capacity::Capacity, chip::ChipVerdict};
use serde_json::{Value, json};
use server::{Config, Server, StartError};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use store::AsIs;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const LOOK_EVERY: Duration = Duration::from_millis(500);
/// No answer of ours is longer.
const MOST_BYTES: u64 = 1 << 20;

pub(crate) async fn run(config: Config, json: bool) -> anyhow::Result<()> {
    // Nobody but this program is to find a house that opens for a minute.
    let alone = Config { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), ..config.clone() };
    let found = match Box::pin(Server::start(alone)).await {
        Ok(handle) => {
            let found = handle.calibrate().await;
            handle.stop().await;
            found?
        }
        Err(StartError::AlreadyRunning { address: Some(address) }) => through(&config, address).await?,
        Err(e) => return Err(e.into()),
    };
    tell(&found, json);
    Ok(())
}

/// Whoever can read the data folder owns the house: a sign-in of the owner, for as long as it takes.
async fn through(config: &Config, mut address: SocketAddr) -> anyhow::Result<Capacity> {
    if address.ip().is_unspecified() {
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    let store = upkeep::open(config, AsIs::Exact).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let dirs = Dirs::open(&config.data_dir)?;
    let accounts = Accounts::open(store.clone(), clock, Bus::new(), &dirs.keys()).await?;
    let Some(ticket) = accounts.desktop_ticket().await else {
        anyhow::bail!("the house has no owner yet; set it up first")
    };
    let signed_in = accounts.redeem_ticket(&ticket, None, Peer { address: IpAddr::from(Ipv4Addr::LOCALHOST) }).await?;
    let done = ask_and_wait(address, &signed_in.access_token).await;
    let ended = accounts.logout(&signed_in.session).await;
    let found = store.capacity().await?;
    store.close().await;
    done?;
    ended?;
    found.ok_or_else(|| anyhow::anyhow!("the server kept nothing of what it measured"))
}

async fn ask_and_wait(address: SocketAddr, token: &str) -> anyhow::Result<()> {
    let (status, mut view) = ask(address, token, "POST", "/api/v1/admin/capacity/calibrate").await?;
    anyhow::ensure!(status == 202, "{}", view["detail"].as_str().unwrap_or("the server refused"));
    while view["running"] == true {
        tokio::time::sleep(LOOK_EVERY).await;
        let (status, now) = ask(address, token, "GET", "/api/v1/admin/capacity").await?;
        anyhow::ensure!(status == 200, "{}", now["detail"].as_str().unwrap_or("the server refused"));
        view = now;
    }
    if let Some(problem) = view["problem"].as_str() {
        anyhow::bail!("{problem}");
    }
    Ok(())
}

async fn ask(address: SocketAddr, token: &str, method: &str, path: &str) -> anyhow::Result<(u16, Value)> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(MOST_BYTES).read_to_end(&mut answer).await?;
    let text = String::from_utf8_lossy(&answer);
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| anyhow::anyhow!("the server did not answer"))?;
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok());
    let status = status.ok_or_else(|| anyhow::anyhow!("the server did not answer in HTTP"))?;
    Ok((status, serde_json::from_str(body).unwrap_or_default()))
}

fn chip(verdict: &ChipVerdict) -> Value {
    match verdict {
        ChipVerdict::Untested => json!({ "state": "untested" }),
        ChipVerdict::Failed(problem) => json!({ "state": "failed", "problem": problem.as_str() }),
        ChipVerdict::Works(chip) => {
            let rung = |rung: &domain::chip::ChipRung| json!({ "lines": rung.lines, "upload_cost": rung.upload_cost, "whole_cost": rung.whole_cost, "fps": rung.fps });
            let rungs: Vec<Value> = chip.rungs.iter().map(rung).collect();
            json!({ "state": "works", "driver": chip.driver.as_str(), "at_once": chip.slots(), "rungs": rungs })
        }
    }
}

fn tell(found: &Capacity, as_json: bool) {
    if as_json {
        let rung = |(lines, cost): &(u32, f64)| json!({ "lines": lines, "cost": cost, "x": found.speed(*lines), "at_once": found.most_live(*lines) });
        let encode: Vec<Value> = found.encode.iter().map(rung).collect();
        let all = json!({
            "measured_at_ms": found.measured_at_ms, "cores": found.cores, "memory_bytes": found.memory_bytes,
            "decode_cost": found.decode_cost, "remux_cost": found.remux_cost, "tone_map_cost": found.tone_map_cost,
            "disk_bytes_per_s": found.disk_bytes_per_s, "encode": encode, "chip": chip(&found.chip),
        });
        return say(&all.to_string());
    }
    say("of a film of 1080p at 25 frames a second, one core of this machine makes");
    for (lines, _) in &found.encode {
        let (x, at_once) = (found.speed(*lines).unwrap_or_default(), found.most_live(*lines));
        say(&format!("  {lines:>4}p at {x:.1} times its speed; {at_once} at once"));
    }
    match &found.chip {
        ChipVerdict::Untested => {}
        ChipVerdict::Failed(problem) => say(&format!("the graphics chip is not used. {}", problem.sentence())),
        ChipVerdict::Works(chip) => {
            let lines: Vec<String> = chip.rungs.iter().map(|rung| format!("{}p", rung.lines)).collect();
            let (slots, driver) = (chip.slots(), chip.driver.as_str());
            say(&format!("the graphics chip ({driver}) encodes {slots} films at once: {}", lines.join(", ")));
        }
    }
    if let Some(bytes) = found.disk_bytes_per_s {
        say(&format!("the disk of the largest film reads {} MB a second", bytes / 1_000_000));
    }
}
