//! Loges as containers of a Docker engine (or of one that speaks its language), over bollard.
//! The engine may be away at any time: it is connected to when needed, every call has a time
//! limit, and an answer "it is so already" counts as success.

use super::{
    CpuTime, Exit, News, Running, Runtime, RuntimeError, StartSpec, docker_age,
    docker_body::{self, LABEL_GENERATION, LABEL_INSTALL, LABEL_SPEC, LABEL_TENANT},
    docker_cpu::Counters,
    docker_events,
    docker_group::Group,
    docker_images,
    docker_line::{ASK, Line, settled},
    docker_mounts::{self, Meant},
    docker_parent,
    docker_paths::{self, Places},
    docker_seen::Seen,
    docker_stats::Reading,
    docker_vet, docker_walls, escape_line,
};
use crate::{
    images::Image,
    link::{PeerRule, Within},
    plan::Found,
    words::{HostPath, RuntimeChoice, RuntimeInfo, Usage},
};
use async_trait::async_trait;
use bollard::{
    Docker,
    errors::Error,
    models::ContainerCreateBody,
    query_parameters::{
        CreateContainerOptionsBuilder, InspectContainerOptions, KillContainerOptionsBuilder,
        ListContainersOptionsBuilder, LogsOptionsBuilder, RemoveContainerOptionsBuilder, StartContainerOptions,
        StopContainerOptionsBuilder, WaitContainerOptionsBuilder,
    },
};
use domain::{InstallId, LogeLimits, RuntimeKind};
use futures_util::StreamExt;
use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{sync::mpsc, time::timeout};
use tracing::{debug, error, warn};

pub const DEFAULT_SOCKET: &str = "/var/run/docker.sock";
/// A few hundred megabytes onto a slow disk.
const LOAD: Duration = Duration::from_secs(300);
/// Creating and starting does real work, and more of it on a machine under load.
const WORK: Duration = Duration::from_secs(20);

pub struct DockerRuntime {
    pub(super) line: Line,
    /// As configured.
    image: String,
    /// As the owner chose it meanwhile: an id.
    chosen: Mutex<Option<String>>,
    wanted: RuntimeChoice,
    /// What the owner says about paths; asked of the engine without it.
    given: Option<Places>,
    seen: Mutex<Seen>,
    stats: Mutex<HashMap<String, Reading>>,
    counters: Counters,
    group: Group,
    /// Starts at this moment: none of them may lose the group under its feet.
    starting: AtomicU32,
}

impl DockerRuntime {
    /// Asks nobody yet.
    ///
    /// # Errors
    /// When the address is not a Unix socket: workers could not reach the gateway's socket.
    pub fn new(host: Option<&str>, image: &str, wanted: RuntimeChoice) -> Result<Self, RuntimeError> {
        let socket = match host {
            None => DEFAULT_SOCKET.to_owned(),
            Some(host) => match host.strip_prefix("unix://") {
                Some(path) if path.starts_with('/') => path.to_owned(),
                _ => return Err(RuntimeError::EngineAddress { host: host.into() }),
            },
        };
        Ok(Self {
            line: Line::new(socket),
            image: image.into(),
            chosen: Mutex::default(),
            wanted,
            given: None,
            seen: Mutex::default(),
            stats: Mutex::default(),
            counters: Counters::default(),
            group: Group::default(),
            starting: AtomicU32::new(0),
        })
    }

    /// Takes the owner's word for which folder of the machine is which here; without one, the engine is asked.
    #[must_use]
    pub fn with_host_paths(self, paths: &[HostPath]) -> Self {
        let given = (!paths.is_empty()).then(|| Places::given(paths));
        Self { given, ..self }
    }

    /// Asks under which paths the engine knows what this server sees.
    ///
    /// # Errors
    /// When the engine does not answer, or refuses to speak of the container of this server.
    pub async fn places(&self) -> Result<Places, RuntimeError> {
        if let Some(given) = &self.given {
            return Ok(given.clone());
        }
        let Some(id) = docker_paths::own_container(&base::mounts::table()) else { return Ok(Places::Same) };
        let docker = self.engine().await?;
        let asked = docker.inspect_container(&id, None::<InspectContainerOptions>);
        match self.line.call("describe the container of this server", ASK, asked).await {
            Ok(made) => Ok(Places::Shown(docker_paths::shown(&made))),
            // A container of another engine, whose paths this one may well have.
            Err(RuntimeError::Refused { status: 404, .. }) => Ok(Places::Same),
            Err(e) => Err(e),
        }
    }

    /// Asks the engine whether it is fit: it answers, it has seccomp, it has the worker image.
    ///
    /// # Errors
    /// With the first thing that is wrong. [`Runtime::info`] tells it from then on.
    pub async fn examine(&self) -> Result<(), RuntimeError> {
        let outcome = self.ask_everything().await;
        if let Err(e) = &outcome {
            let mut seen = self.seen();
            seen.detail = e.to_string();
            seen.advice = e.advice();
        }
        outcome
    }

    async fn ask_everything(&self) -> Result<(), RuntimeError> {
        let docker = self.engine().await?;
        let info = self.line.call("describe itself", ASK, docker.info()).await?;
        let version = self.line.call("say its version", ASK, docker.version()).await?;
        let options = info.security_options.clone().unwrap_or_default();
        let has = |name: &str| options.iter().any(|o| o.contains(&format!("name={name}")));
        {
            let mut seen = self.seen();
            seen.version = Some(format!(
                "{} (API {})",
                info.server_version.as_deref().unwrap_or("of unknown version"),
                docker.client_version()
            ));
            seen.isolation = docker_walls::of_engine(&info, &has);
            seen.isolation.push(docker_age::notice(&version));
            seen.left_out = docker_vet::left_out(&info);
            seen.root.clone_from(&info.docker_root_dir);
            (seen.driver, seen.together) = (info.cgroup_driver, docker_parent::together(&info));
            seen.rootless = has("rootless");
            seen.remapped = has("rootless") || has("userns");
            seen.detail = format!("containers by the engine at {}", self.line.socket());
            seen.advice = None;
        }
        if !has("seccomp") {
            return Err(RuntimeError::NoSeccomp);
        }
        if docker_age::is_podman(&version) {
            return Err(RuntimeError::Podman);
        }
        self.image_id(&docker).await.map(drop)
    }

    async fn image_id(&self, docker: &Docker) -> Result<String, RuntimeError> {
        let name = self.image_now().unwrap_or_else(|| self.image.clone());
        self.id_of(docker, &name).await
    }

    async fn id_of(&self, docker: &Docker, name: &str) -> Result<String, RuntimeError> {
        match self.line.call("look for the image", ASK, docker.inspect_image(name)).await {
            Ok(image) => image.id.ok_or_else(|| RuntimeError::ImageMissing { image: name.into() }),
            Err(RuntimeError::Refused { status: 404, .. }) => Err(RuntimeError::ImageMissing { image: name.into() }),
            Err(e) => Err(e),
        }
    }

    pub(super) async fn engine(&self) -> Result<Docker, RuntimeError> {
        self.line.engine().await
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn stats(&self) -> MutexGuard<'_, HashMap<String, Reading>> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn create(
        &self,
        docker: &Docker,
        spec: &StartSpec,
        asked: &ContainerCreateBody,
    ) -> Result<String, RuntimeError> {
        let name = docker_body::name(&spec.install, &spec.tenant, spec.generation);
        let options = || Some(CreateContainerOptionsBuilder::new().name(&name).build());
        let body = || asked.clone();
        match self.line.call("create a container", WORK, docker.create_container(options(), body())).await {
            Ok(made) => Ok(made.id),
            // The name holds install, tenant and generation, so it is our own earlier try whose
            // answer got lost. Its label is looked at all the same before it is touched.
            Err(RuntimeError::Refused { status: 409, message, verb }) => {
                let found = self.list_ours(&spec.install).await?;
                let tenant = spec.tenant.to_string();
                let Some(twin) = found.iter().find(|f| f.tenant == tenant && f.generation == spec.generation) else {
                    return Err(RuntimeError::Refused { status: 409, message, verb });
                };
                self.remove(&twin.id).await?;
                Ok(self.line.call("create a container", WORK, docker.create_container(options(), body())).await?.id)
            }
            Err(e) => Err(e),
        }
    }

    async fn run(&self, docker: &Docker, id: &str, spec: &StartSpec) -> Result<(), RuntimeError> {
        let rule = {
            let seen = self.seen();
            PeerRule {
                uid: (!seen.remapped).then(|| docker_body::uid(spec.slot)),
                within: if seen.rootless { Within::Anywhere } else { Within::Container(id.to_owned()) },
            }
        };
        spec.peer.set(rule);
        self.line.call("start a container", WORK, docker.start_container(id, None::<StartContainerOptions>)).await
    }

    /// Looks at what was started, before it gets its first request.
    async fn vet(
        &self,
        docker: &Docker,
        id: &str,
        asked: &ContainerCreateBody,
        meant: &[Meant],
    ) -> Result<(), RuntimeError> {
        let made =
            self.line.call("inspect", ASK, docker.inspect_container(id, None::<InspectContainerOptions>)).await?;
        let mut different = docker_vet::differences(asked, &made, &self.seen().left_out);
        let pid = made.state.and_then(|state| state.pid).filter(|pid| *pid > 0);
        self.limit_all(pid, asked);
        if let Some(pid) = pid
            && let Some(target) = docker_mounts::swapped(pid, meant).await
        {
            different.push(format!("{} shows something else", target.display()));
        }
        let what = (!different.is_empty()).then(|| different.join(", "));
        self.seen().deviated.clone_from(&what);
        match what {
            None => Ok(()),
            Some(what) => {
                error!(container.id = %id, "{id} is not as asked for and is killed: {what}");
                Err(RuntimeError::NotAsAsked { what })
            }
        }
    }

    /// Kept in place with every start: whoever manages groups here may have cleared it away.
    fn limit_all(&self, pid: Option<i64>, asked: &ContainerCreateBody) {
        let parent = asked.host_config.as_ref().and_then(|host| host.cgroup_parent.as_deref());
        let together = self.seen().together;
        let (Some(pid), Some(parent), Some(together)) = (pid, parent, together) else { return };
        let limited = self.group.limit(pid, parent, together).map_err(|e| e.to_string());
        self.seen().limited = Some(limited);
    }
}

#[async_trait]
impl Runtime for DockerRuntime {
    fn kind(&self) -> RuntimeKind {
        RuntimeKind::Docker
    }

    fn info(&self) -> RuntimeInfo {
        let seen = self.seen();
        RuntimeInfo {
            kind: RuntimeKind::Docker,
            wanted: self.wanted,
            version: seen.version.clone(),
            detail: seen.detail.clone(),
            isolation: seen.isolation(),
            advice: seen.advice.clone(),
        }
    }

    fn has_live_limits(&self) -> bool {
        true
    }

    async fn start(&self, mut spec: StartSpec) -> Result<Running, RuntimeError> {
        let _starting = Starting::begin(&self.starting);
        // The engine's language is JSON, which has no words for these.
        spec.mounts.retain(|mount| {
            let sayable = mount.path.to_str().is_some();
            if !sayable {
                warn!(folder.id = %mount.id, "folder {} has a name that is no UTF-8 and is left out", mount.id);
            }
            sayable
        });
        // Asked at every start: the engine may be another one than a minute ago.
        self.examine().await?;
        let promised = self.seen().promised();
        RuntimeInfo { isolation: promised, ..self.info() }.permit(spec.allows_reduced)?;
        let docker = self.engine().await?;
        let image = self.image_id(&docker).await?;
        let nested = docker_mounts::nested(&spec.mounts).await;
        let places = self.places().await?;
        let (parent, together, root) = {
            let seen = self.seen();
            (docker_parent::name(seen.driver, &spec.install), seen.together, seen.root.clone())
        };
        spec.limits = docker_parent::within(spec.limits, together);
        self.seen().has_chip = spec.chip.is_some();
        let engine = docker_body::Engine { image: &image, parent: parent.as_deref(), root: root.as_deref() };
        let here = docker_body::body(&spec, &nested, engine);
        let mounts = here.host_config.as_ref().and_then(|host| host.mounts.as_deref()).unwrap_or_default();
        let meant = docker_mounts::meant(mounts).await;
        let (spec, nested) = docker_paths::outside(&spec, &nested, &places)?;
        let asked = docker_body::body(&spec, &nested, engine);
        let id = self.create(&docker, &spec, &asked).await?;
        let started = match self.run(&docker, &id, &spec).await {
            Ok(()) => self.vet(&docker, &id, &asked, &meant).await,
            refused => refused,
        };
        if let Err(e) = started {
            if let Err(left) = self.remove(&id).await {
                debug!(container.id = %id, "{id} did not start and cannot be removed yet: {left}");
            }
            return Err(e);
        }
        self.stats().insert(id.clone(), Reading::begin(docker, &id));
        Ok(Running { id, image })
    }

    async fn stop(&self, id: &str, grace: Duration) -> Result<(), RuntimeError> {
        let docker = self.engine().await?;
        let outcome = if grace.is_zero() {
            let options = KillContainerOptionsBuilder::new().signal("SIGKILL").build();
            self.line.call("kill a container", ASK, docker.kill_container(id, Some(options))).await
        } else {
            let seconds = i32::try_from(grace.as_secs().max(1)).unwrap_or(5);
            let options = StopContainerOptionsBuilder::new().t(seconds).build();
            self.line.call("stop a container", grace + ASK, docker.stop_container(id, Some(options))).await
        };
        settled(outcome, &[304, 404, 409])
    }

    async fn remove(&self, id: &str) -> Result<(), RuntimeError> {
        self.counters.forget(id);
        self.stats().remove(id);
        let docker = self.engine().await?;
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        // 409 says that a removal is under way already.
        let removed = self.line.call("remove a container", WORK, docker.remove_container(id, Some(options))).await;
        if self.stats().is_empty() && self.starting.load(Ordering::SeqCst) == 0 {
            self.group.clear();
        }
        settled(removed, &[404, 409])
    }

    async fn update_limits(&self, id: &str, limits: LogeLimits) -> Result<(), RuntimeError> {
        let docker = self.engine().await?;
        let limits = docker_parent::within(limits, self.seen().together);
        self.line.call("change limits", ASK, docker.update_container(id, docker_body::update(limits))).await
    }

    async fn usage(&self, id: &str) -> Option<Usage> {
        self.stats().get(id)?.latest()
    }

    async fn cpu_time(&self, id: &str) -> Option<CpuTime> {
        if !self.counters.knows(id) {
            let docker = self.engine().await.ok()?;
            let asked = docker.inspect_container(id, None::<InspectContainerOptions>);
            let state = self.line.call("inspect", ASK, asked).await.ok()?.state;
            self.counters.meet(id, state?.pid.filter(|pid| *pid > 0)?);
        }
        self.counters.read(id)
    }

    async fn logs(&self, id: &str, tail: usize) -> Result<Vec<String>, RuntimeError> {
        let docker = self.engine().await?;
        let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail(&tail.to_string()).build();
        let reading = async {
            let mut lines = Vec::new();
            let mut answers = Box::pin(docker.logs(id, Some(options)));
            while let Some(line) = answers.next().await {
                lines.push(escape_line(&line?.into_bytes()));
                if lines.len() >= tail {
                    break;
                }
            }
            Ok(lines)
        };
        self.line.call("read a log", ASK, reading).await
    }

    async fn list_ours(&self, install: &InstallId) -> Result<Vec<Found>, RuntimeError> {
        let docker = self.engine().await?;
        let filters = HashMap::from([("label", vec![format!("{LABEL_INSTALL}={install}")])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let listed = self.line.call("list containers", ASK, docker.list_containers(Some(options))).await?;
        let ours = listed.into_iter().filter_map(|container| {
            let labels = container.labels?;
            // The filter is the engine's; the label is looked at again before anything is touched.
            (labels.get(LABEL_INSTALL)? == install.as_str()).then_some(())?;
            Some(Found {
                id: container.id?,
                tenant: labels.get(LABEL_TENANT).cloned().unwrap_or_default(),
                generation: labels.get(LABEL_GENERATION).and_then(|text| text.parse().ok()).unwrap_or(0),
                spec_hash: labels.get(LABEL_SPEC).cloned().unwrap_or_default(),
            })
        });
        Ok(ours.collect())
    }

    async fn images(&self) -> Result<Vec<Image>, RuntimeError> {
        let docker = self.engine().await?;
        let used = self.image_id(&docker).await.ok();
        let own = self.id_of(&docker, &self.image).await.ok();
        self.line.call("list images", ASK, docker_images::list(&docker, used.as_deref(), own.as_deref())).await
    }

    async fn use_image(&self, id: &str) -> Result<String, RuntimeError> {
        let docker = self.engine().await?;
        let before = self.image_id(&docker).await?;
        let found = self.line.call("look for the image", ASK, docker_images::worker_id(&docker, id)).await;
        let id = match found {
            Ok(Some(id)) => id,
            Ok(None) | Err(RuntimeError::Refused { status: 400 | 404, .. }) => {
                return Err(RuntimeError::NoSuchImage { id: id.into() });
            }
            Err(e) => return Err(e),
        };
        *self.chosen.lock().unwrap_or_else(PoisonError::into_inner) = Some(id);
        Ok(before)
    }

    async fn import_image(&self, file: &Path) -> Result<String, RuntimeError> {
        let docker = self.engine().await?;
        match timeout(LOAD, docker_images::import(&docker, file)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(RuntimeError::Slow { verb: "load an image" }),
        }
    }

    fn image_now(&self) -> Option<String> {
        self.chosen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn tell_news(&self, install: &InstallId, news: &mpsc::Sender<News>) {
        docker_events::tell(self, install, news).await;
    }

    async fn exited(&self, id: &str) -> Exit {
        loop {
            let Ok(docker) = self.engine().await else {
                tokio::time::sleep(Duration::from_secs(1)).await;
                continue;
            };
            let options = WaitContainerOptionsBuilder::new().condition("not-running").build();
            let answer = Box::pin(docker.wait_container(id, Some(options))).next().await;
            let code = match answer {
                Some(Ok(answer)) => Some(answer.status_code),
                Some(Err(Error::DockerContainerWaitError { code, .. })) => Some(code),
                Some(Err(Error::DockerResponseServerError { status_code: 404, .. })) => None,
                // The engine is away or gave up waiting; the container may well live on.
                _ => {
                    self.line.hang_up().await;
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    continue;
                }
            };
            let inspected =
                self.line.call("inspect", ASK, docker.inspect_container(id, None::<InspectContainerOptions>)).await;
            let out_of_memory = inspected.ok().and_then(|c| c.state).and_then(|s| s.oom_killed).unwrap_or(false);
            return Exit { code, out_of_memory };
        }
    }
}

/// Counts a start until it is over, however it ends.
struct Starting<'a>(&'a AtomicU32);

impl<'a> Starting<'a> {
    fn begin(count: &'a AtomicU32) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Starting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
