//! Which image containers are made of: seeing what there is, going to another one and back, and
//! taking one from a file where no registry answers.

use crate::{Loges, supervisor::Command};
use base::UnixMs;
use domain::{Code, Failure, LogeState, Tenant};
use std::{path::Path, time::Duration};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

/// Until one loge is made anew, before the next one's turn comes all the same.
const ONE_BY_ONE: Duration = Duration::from_secs(15);

/// A worker image that the engine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The digest of its content.
    pub id: String,
    /// Repository and tag, the version first where it has one.
    pub names: Vec<String>,
    pub made_at: UnixMs,
    pub size_bytes: u64,
    /// New containers are made of it.
    pub is_used: bool,
    /// It came with this server.
    pub is_own: bool,
}

impl Loges {
    /// Newest first; none where the runtime has no images.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn images(&self) -> Result<Vec<Image>, Failure> {
        self.house.runtime.images().await.map_err(|e| e.failure())
    }

    /// Makes containers of this image from now on. The house's own loge goes first and shows that
    /// workers of it get through the door; if not, everything stays as it was. Then everybody's
    /// follow one by one, each when nobody watches through it.
    ///
    /// # Errors
    /// When there is no such worker image, or its workers do not start.
    pub async fn use_image(&self, id: &str) -> Result<(), Failure> {
        let runtime = &self.house.runtime;
        let before = runtime.use_image(id).await.map_err(|e| e.failure())?;
        if let Err(failure) = self.restart(&Tenant::House).await {
            warn!("containers of {id} do not start: {failure}; the image before is used again");
            if let Err(e) = runtime.use_image(&before).await {
                warn!("the image before cannot be used again: {e}");
            }
            // It is started again by itself too; this only saves the wait.
            let _ = self.restart(&Tenant::House).await;
            let text = "Containers of this image do not start. The image before is used again.";
            return Err(Failure::new(Code::LogeFailed, text));
        }
        info!("containers are made of {id} from now on");
        let rolling = self.clone();
        self.house.lifecycle.spawn("image roll", async move { rolling.roll().await });
        Ok(())
    }

    /// At the start of the server, before any loge runs: what the owner chose earlier.
    ///
    /// # Errors
    /// When there is no such worker image any more.
    pub async fn keep_image(&self, id: &str) -> Result<(), Failure> {
        self.house.runtime.use_image(id).await.map(drop).map_err(|e| e.failure())
    }

    /// Takes a worker image from a file as `docker save` writes it; answers its id.
    ///
    /// # Errors
    /// When the file cannot be read, holds anything but one worker image, or the engine refuses.
    pub async fn import_image(&self, file: &Path) -> Result<String, Failure> {
        self.house.runtime.import_image(file).await.map_err(|e| e.failure())
    }

    async fn roll(&self) {
        let soft = self.house.lifecycle.soft().clone();
        for owned in self.all() {
            let Some(wanted) = self.house.runtime.image_now() else { return };
            if soft.is_cancelled() || owned.commands.send(Command::Respec).await.is_err() {
                continue;
            }
            let until = Instant::now() + ONE_BY_ONE;
            loop {
                let settled = {
                    let seen = owned.seen.borrow();
                    let busy = seen.link.as_ref().is_some_and(|link| link.active() > 0);
                    seen.view.state == LogeState::Absent
                        || busy
                        || (seen.view.state == LogeState::Ready && seen.view.image == wanted)
                };
                if settled || Instant::now() > until {
                    break;
                }
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
