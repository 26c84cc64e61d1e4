//! What the vault needs of the house: a rehearsal in a process of its own, the images, and whether
//! anybody watches.

use async_trait::async_trait;
use gateway::Streams;
use library::Libraries;
use loges::Loges;
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::process::Command;
use vault::{Rehearsal, Rehearser};

/// A rehearsal of a large house on a slow disk.
const LONGEST: Duration = Duration::from_mins(10);

pub(crate) struct HouseRehearser {
    pub(crate) data_dir: PathBuf,
    pub(crate) passphrase_file: Option<PathBuf>,
    pub(crate) loges: Loges,
    pub(crate) streams: Streams,
    pub(crate) libraries: Libraries,
}

#[async_trait]
impl Rehearser for HouseRehearser {
    async fn rehearse(&self, backup: &Path) -> Result<Rehearsal, String> {
        let not_begun = |e: std::io::Error| format!("The backup could not be tried out: {e}.");
        let program = std::env::current_exe().map_err(not_begun)?;
        let mut command = Command::new(program);
        command.arg(crate::rehearsal::REHEARSE).arg(backup).arg("--json").arg("--data-dir").arg(&self.data_dir);
        if let Some(file) = &self.passphrase_file {
            command.arg("--passphrase-file").arg(file);
        }
        // It is no service, and must not speak to whoever supervises this one.
        command.env_remove("NOTIFY_SOCKET").env_remove("WATCHDOG_USEC").env_remove("WATCHDOG_PID");
        let child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn();
        let done = tokio::time::timeout(LONGEST, child.map_err(not_begun)?.wait_with_output()).await;
        // One that was killed leaves its folder.
        crate::rehearsal::clear(&self.data_dir);
        let output =
            done.map_err(|_| "Trying the backup out took longer than ten minutes.".to_owned())?.map_err(not_begun)?;
        if !output.status.success() {
            tracing::debug!("the rehearsal said: {}", String::from_utf8_lossy(&output.stderr));
        }
        read(&String::from_utf8_lossy(&output.stdout))
    }

    async fn images(&self) -> Option<Vec<u8>> {
        let images = self.loges.images().await.ok()?;
        let listed = images.iter().map(
            |image| json!({ "id": image.id, "names": image.names, "is_used": image.is_used, "is_own": image.is_own }),
        );
        Some(json!({ "images": listed.collect::<Vec<_>>() }).to_string().into_bytes()).filter(|_| !images.is_empty())
    }

    fn is_quiet(&self) -> bool {
        self.streams.viewers() == 0 && !self.libraries.is_scanning(None)
    }
}

/// Reads the last line that the rehearsal printed.
fn read(printed: &str) -> Result<Rehearsal, String> {
    let told: Value = printed.lines().last().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default();
    match (told["proven"].as_bool(), told["problem"].as_str()) {
        (Some(true), _) => Ok(Rehearsal { played: told["played"].as_str().map(str::to_owned) }),
        (_, Some(problem)) => Err(problem.to_owned()),
        _ => Err("The rehearsal of the backup ended without a word. The log says more.".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_word_counts_as_a_proof() {
        let played = |name: &str| Ok(Rehearsal { played: Some(name.into()) });
        assert_eq!(read("a line before\n{\"proven\":true,\"played\":\"Metropolis\"}\n"), played("Metropolis"));
        assert_eq!(read("{\"proven\":true,\"played\":null}"), Ok(Rehearsal { played: None }));
        assert_eq!(read("{\"proven\":false,\"problem\":\"No.\"}"), Err("No.".into()));
        for silent in ["", "{}", "killed", "{\"proven\":\"yes\"}"] {
            assert!(read(silent).is_err(), "{silent}");
        }
    }
}
