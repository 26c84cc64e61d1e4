//! Who may dial in, by what the kernel says about the other end of the socket.

use std::{fs, sync::Arc};
use tokio::{net::unix::UCred, sync::watch};

/// What the runtime knows about the worker before it runs. `None` and `0` mean: not knowable
/// here (a user namespace, a pid of another pid namespace); the nonce always counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PeerRule {
    pub uid: Option<u32>,
    pub within: Within,
}

/// Where the dialling process has to live.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Within {
    #[default]
    Anywhere,
    /// In a cgroup whose path holds this container id.
    Container(String),
    /// This process or one below it.
    Process(u32),
}

/// Filled once by the runtime. Connections that come earlier wait for it within their deadline.
#[derive(Debug, Clone)]
pub struct PeerSlot(Arc<watch::Sender<Option<PeerRule>>>);

impl Default for PeerSlot {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl PeerSlot {
    pub fn set(&self, rule: PeerRule) {
        self.0.send_replace(Some(rule));
    }

    pub async fn get(&self) -> PeerRule {
        let mut seen = self.0.subscribe();
        // The sender lives in `self`, so waiting cannot end without a value.
        let rule = seen.wait_for(Option::is_some).await.ok().and_then(|rule| rule.clone());
        rule.unwrap_or_default()
    }
}

impl PeerRule {
    /// Says what is wrong with this peer, if anything is.
    pub fn judge(&self, peer: UCred) -> Result<(), String> {
        if let Some(uid) = self.uid
            && uid != peer.uid()
        {
            return Err(format!("it has uid {} where {uid} was expected", peer.uid()));
        }
        let pid = peer.pid().and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid != 0);
        match (&self.within, pid) {
            (Within::Anywhere, _) | (_, None) => Ok(()),
            (Within::Container(id), Some(pid)) => match fs::read_to_string(format!("/proc/{pid}/cgroup")) {
                Ok(groups) if !groups.contains(id.as_str()) => Err(format!("process {pid} is in another container")),
                // With hidepid the file cannot be seen; uid and nonce remain.
                _ => Ok(()),
            },
            (Within::Process(root), Some(pid)) => {
                let mut at = pid;
                for _ in 0..32 {
                    if at == *root {
                        return Ok(());
                    }
                    match parent_of(at) {
                        Some(parent) if parent > 1 => at = parent,
                        _ => break,
                    }
                }
                Err(format!("process {pid} does not belong to process {root}"))
            }
        }
    }
}

fn parent_of(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::UnixStream;

    #[tokio::test]
    async fn the_kernel_says_who_dialled_in() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let me = ours.peer_cred().unwrap();
        let rule = |uid, within| PeerRule { uid, within };
        assert_eq!(rule(Some(me.uid()), Within::Process(std::process::id())).judge(me), Ok(()));
        assert_eq!(PeerRule::default().judge(me), Ok(()));
        assert!(rule(Some(me.uid() + 1), Within::Anywhere).judge(me).is_err());
        assert!(rule(None, Within::Container("f".repeat(64))).judge(me).is_err());
        assert!(rule(None, Within::Process(u32::MAX)).judge(me).is_err());
    }
}
