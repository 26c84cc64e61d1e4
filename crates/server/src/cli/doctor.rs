//! One look at everything the house needs, without changing anything.

use super::{chain, say, upkeep};
use base::Dirs;
use loges::runtime::{
    docker::DockerRuntime,
    docker_paths::{self, Places},
};
use serde_json::json;
use server::Config;
use std::path::{Path, PathBuf};
use store::AsIs;

pub(crate) async fn doctor(config: &Config, json: bool) -> anyhow::Result<()> {
    let docker = engine(config).await;
    let mut checks = vec![
        ("worker", config.worker_binary.is_file(), config.worker_binary.display().to_string()),
        ("launcher", config.launcher_binary.is_file(), config.launcher_binary.display().to_string()),
        ("frames", config.frames_binary.is_file(), config.frames_binary.display().to_string()),
    ];
    let (engine, paths) = match docker {
        Ok((words, runtime)) => (Ok(words), Some(paths(config, &runtime).await)),
        Err(why) => (Err(why), None),
    };
    checks.push(("docker", engine.is_ok(), engine.unwrap_or_else(|why| why)));
    // Without an engine there is nobody who could know paths.
    if let Some(paths) = paths {
        checks.push(("engine paths", paths.is_ok(), paths.unwrap_or_else(|why| why)));
    }
    let is_fine = config.data_dir.is_dir() || !config.data_dir.exists();
    checks.push(("data folder", is_fine, config.data_dir.display().to_string()));
    if json {
        let list: Vec<_> =
            checks.iter().map(|(name, ok, detail)| json!({ "name": name, "ok": ok, "detail": detail })).collect();
        say(&json!({ "checks": list }).to_string());
    } else {
        for (name, ok, detail) in &checks {
            say(&format!("{} {name}: {detail}", if *ok { "ok     " } else { "missing" }));
        }
    }
    Ok(())
}

async fn engine(config: &Config) -> Result<(String, DockerRuntime), String> {
    let runtime = DockerRuntime::new(config.docker_host.as_deref(), &config.worker_image, loges::RuntimeChoice::Docker)
        .map_err(|e| chain(&e))?
        .with_host_paths(&config.host_paths);
    runtime.examine().await.map_err(|e| chain(&e))?;
    Ok((format!("an engine answers and has {}", config.worker_image), runtime))
}

/// Whether the engine can show to a loge what this server would have it show.
async fn paths(config: &Config, runtime: &DockerRuntime) -> Result<String, String> {
    let places = runtime.places().await.map_err(|e| chain(&e))?;
    let mut needed: Vec<(&str, PathBuf)> = Vec::new();
    needed.extend(Dirs::future_run(&config.data_dir).map(|run| ("sockets", run)));
    match library_folders(config).await {
        Ok(folders) => needed.extend(folders.into_iter().map(|path| ("films", path))),
        Err(why) => return Err(format!("the libraries cannot be read: {why}")),
    }
    let is_contained = docker_paths::own_container(&base::mounts::table()).is_some();
    judge(&places, is_contained, &needed)
}

/// No database is no library.
async fn library_folders(config: &Config) -> Result<Vec<PathBuf>, String> {
    if config.database_url.is_none() && !Dirs::at(&config.data_dir).database().exists() {
        return Ok(Vec::new());
    }
    let store = upkeep::open(config, AsIs::Exact).await.map_err(|e| chain(&e))?;
    let libraries = store.libraries().await.map_err(|e| chain(&e));
    store.close().await;
    Ok(libraries?.into_iter().flat_map(|library| library.folders).map(|folder| folder.path).collect())
}

fn judge(places: &Places, is_contained: bool, needed: &[(&str, PathBuf)]) -> Result<String, String> {
    if *places == Places::Same {
        return match is_contained {
            false => Ok("the engine sees the folders of this machine".into()),
            true => Err("this server runs in a container that the engine does not know; say in LOGE_HOST_PATHS which \
                 folder here is which folder of the machine, like /films=/srv/films"
                .into()),
        };
    }
    let lost: Vec<String> = needed
        .iter()
        .filter(|(_, path)| places.on_host(path).is_none())
        .map(|(what, path)| format!("{} ({what})", path.display()))
        .collect();
    if !lost.is_empty() {
        return Err(format!(
            "the engine cannot see {}: mount it as a volume of this server's container, or name it in LOGE_HOST_PATHS",
            lost.join(", ")
        ));
    }
    let told = |path: &Path| places.on_host(path).map(|host| format!("{} is {}", path.display(), host.display()));
    Ok(needed.iter().filter_map(|(_, path)| told(path)).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use loges::HostPath;

    #[test]
    fn a_folder_that_the_engine_cannot_see_is_named() {
        let pair = |here: &str, host: &str| HostPath { here: here.into(), host: host.into() };
        let places = Places::given(&[pair("/films", "/srv/films"), pair("/run/loge", "/vol/sockets")]);
        let sockets = ("sockets", PathBuf::from("/run/loge/loge-1"));
        let fine = judge(&places, true, &[sockets.clone(), ("films", "/films/a".into())]);
        assert_eq!(fine, Ok("/run/loge/loge-1 is /vol/sockets/loge-1, /films/a is /srv/films/a".into()));
        let lost = judge(&places, true, &[sockets, ("films", "/opt/films".into())]).unwrap_err();
        assert!(lost.contains("/opt/films (films)") && !lost.contains("sockets"), "{lost}");
        assert!(judge(&Places::Same, false, &[]).is_ok());
        assert!(judge(&Places::Same, true, &[]).unwrap_err().contains("LOGE_HOST_PATHS"));
    }
}
