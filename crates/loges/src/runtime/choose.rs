//! Which runtime works here, and why.

use super::{Runtime, RuntimeError, docker::DockerRuntime, process::ProcessRuntime, process_group::Outside};
use crate::words::{DEFAULT_WORKER_IMAGE, LogesConfig, OpenLogesError, RuntimeChoice};
use std::sync::Arc;
use tracing::{info, warn};

/// A chosen runtime is taken even when it is not fit at the moment: Docker may be starting.
/// `auto` decides once, so that loges do not change their walls behind their owner's back.
pub async fn choose(config: &LogesConfig) -> Result<Arc<dyn Runtime>, OpenLogesError> {
    let docker = || {
        let image = config.worker_image.as_deref().unwrap_or(DEFAULT_WORKER_IMAGE);
        let runtime = DockerRuntime::new(config.docker_host.as_deref(), image, config.runtime)?;
        Ok::<_, RuntimeError>(runtime.with_host_paths(&config.host_paths))
    };
    let process = async |why: String, advice| {
        let runtime = ProcessRuntime::new(config, why, advice)?;
        Ok::<_, RuntimeError>(runtime.in_group(Outside::default().take_group().await))
    };
    match config.runtime {
        RuntimeChoice::Process => {
            let runtime = process("process sandboxes, as chosen".into(), None)
                .await
                .map_err(|e| OpenLogesError::ProcessUnfit { process: told(&e) })?;
            Ok(Arc::new(runtime))
        }
        RuntimeChoice::Docker => {
            let runtime = docker().map_err(OpenLogesError::Docker)?;
            if let Err(e) = runtime.examine().await {
                warn!("Docker was chosen and is not fit yet: {e}");
            }
            Ok(Arc::new(runtime))
        }
        RuntimeChoice::Auto => {
            let unfit = match docker() {
                Ok(runtime) => match runtime.examine().await {
                    Ok(()) => return Ok(Arc::new(runtime)),
                    Err(e) => e,
                },
                Err(e) => e,
            };
            info!("no Docker ({unfit}); using the process sandbox");
            let why = format!("process sandboxes, because {unfit}");
            match process(why, unfit.advice()).await {
                Ok(runtime) => Ok(Arc::new(runtime)),
                Err(e) => Err(OpenLogesError::NoRuntime { docker: unfit.to_string(), process: told(&e) }),
            }
        }
    }
}

fn told(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
