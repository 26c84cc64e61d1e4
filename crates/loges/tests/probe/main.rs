//! What a hostile program can really do in a loge of either runtime, made by the runtimes
//! themselves with the probe in the worker's place, and held against a table. The control is a
//! container as people make them by hand, where the same probe has to find holes.
//!
//! `LOGE_PROBE` is the built probe (an example of the launcher, static). Each part also needs what
//! its runtime needs; what is missing is printed and skipped.
#![expect(clippy::print_stdout, reason = "a skipped test says why")]

mod site;
mod table;

use base::SystemClock;
use bollard::{
    API_DEFAULT_VERSION, Docker,
    models::{ContainerConfig, ContainerCreateBody, HostConfig},
    query_parameters::{
        CommitContainerOptionsBuilder, CreateContainerOptionsBuilder, LogsOptionsBuilder,
        RemoveContainerOptionsBuilder, RemoveImageOptionsBuilder, StartContainerOptions,
        UploadToContainerOptionsBuilder, WaitContainerOptions,
    },
};
use contract::env;
use domain::{InstallId, LogeLimits, Tenant, UserId};
use futures_util::StreamExt;
use loges::{
    LogesConfig, Mount, RuntimeChoice,
    link::PeerSlot,
    runtime::{Runtime, RuntimeError, StartSpec, docker::DockerRuntime, process::ProcessRuntime},
};
use site::Site;
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::Duration,
};
use table::{Table, Verdicts};
use testkit::eventually;

const PATIENCE: Duration = Duration::from_secs(180);

fn variable(name: &str) -> Option<String> {
    let value = std::env::var(name).ok();
    if value.is_none() {
        println!("skipped: {name} says nothing");
    }
    value
}

fn spec(site: &Site, n: u8, films: &Path, socket: &Path, allows_reduced: bool) -> StartSpec {
    StartSpec {
        install: InstallId::from_random(site.random),
        tenant: Tenant::User(UserId::from_random([n; 16])),
        generation: 1,
        spec_hash: "probe".into(),
        limits: LogeLimits::DEFAULT,
        mounts: vec![Mount { id: site::folder(n), path: films.into() }],
        chip: None,
        allows_reduced,
        socket: socket.into(),
        nonce: [n; 32],
        slot: n.into(),
        peer: PeerSlot::default(),
    }
}

/// Two loges: one that lives, and one that looks for it and for everything else.
async fn probed(runtime: &dyn Runtime, site: &Site, allows_reduced: bool) -> Verdicts {
    let spec = |n, films: &str, socket: &str| spec(site, n, &site.path(films), &site.path(socket), allows_reduced);
    let waiting = runtime.start(spec(2, "waiting", "b/gate.sock")).await.unwrap();
    let has_begun = async || runtime.logs(&waiting.id, 5).await.is_ok_and(|l| l.iter().any(|line| line == "waiting"));
    eventually("the other loge lives", PATIENCE, has_begun).await;
    site.plan(site::newest_process_of(&waiting.id));
    let looking = runtime.start(spec(1, "films", "a/gate.sock")).await.unwrap();
    let exit = tokio::time::timeout(PATIENCE, runtime.exited(&looking.id)).await.unwrap();
    let lines = async || runtime.logs(&looking.id, 500).await.unwrap_or_default();
    eventually("its last word", Duration::from_secs(5), async || {
        lines().await.last().is_some_and(|line| line.parse::<usize>().is_ok())
    })
    .await;
    let verdicts = table::read(&lines().await);
    for id in [&looking.id, &waiting.id] {
        runtime.stop(id, Duration::ZERO).await.unwrap();
        runtime.remove(id).await.unwrap();
    }
    assert_eq!(exit.code, Some(0), "{exit}");
    verdicts
}

fn config(site: &Site, launcher: PathBuf, probe: PathBuf) -> LogesConfig {
    LogesConfig {
        install: InstallId::from_random(site.random),
        run_dir: site.path(""),
        runtime: RuntimeChoice::Process,
        worker_image: None,
        worker_binary: probe,
        launcher_binary: launcher,
        frames_binary: PathBuf::new(),
        idle_stop: Duration::from_secs(900),
        docker_host: None,
        host_paths: vec![],
        logs_dir: None,
    }
}

fn kernel() -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    release.split('.').take(2).collect::<Vec<_>>().join(".")
}
fn groups() -> u8 {
    if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() { 2 } else { 1 }
}

async fn in_process(table: Table, wrap: impl FnOnce(&Site, &Path) -> PathBuf) {
    let (Some(probe), Some(launcher)) = (variable("LOGE_PROBE"), variable("LOGE_LAUNCHER")) else { return };
    let site = Site::new();
    let launcher = wrap(&site, Path::new(&launcher));
    let runtime = ProcessRuntime::new(&config(&site, launcher, probe.into()), String::new(), None).unwrap();
    // Without groups of its own a loge is reduced, and there is none unless that is allowed.
    let allows_reduced = table == Table::Ungrouped || testkit::is_reduced_allowed();
    if table == Table::Ungrouped {
        let asked = spec(&site, 1, &site.path("films"), &site.path("a/gate.sock"), false);
        let refused = runtime.start(asked).await.unwrap_err();
        let RuntimeError::WallsMissing { missing } = refused else { panic!("{refused}") };
        assert_eq!(missing, ["cgroup_memory", "processes"]);
    }
    let verdicts = probed(&runtime, &site, allows_reduced).await;
    let walls = runtime.info().isolation;
    let wall = |name: &str| walls.iter().find(|wall| wall.name == name).filter(|wall| wall.reached);
    let landlock = wall("landlock").map_or("none", |wall| wall.detail.as_str());
    let has_namespaces = wall("own_users").or_else(|| wall("view")).is_some();
    assert_eq!(has_namespaces, table == Table::Process, "{walls:?}");
    let name = table.name();
    let who = if rustix::process::geteuid().is_root() { "root" } else { "user" };
    let limited = if wall("cgroup_memory").is_some() { "limited" } else { "unlimited" };
    let here = format!("{name}, landlock {landlock}, groups {} {limited}, kernel {}, {who}", groups(), kernel());
    table::judge(table, &here, &verdicts);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f2_nothing_but_its_own_can_be_reached_from_a_process_loge() {
    if !site::namespaces_are_allowed() {
        println!("skipped: this machine allows no user namespaces");
        return;
    }
    in_process(Table::Process, |_, launcher| launcher.into()).await;
}

/// On a machine whose administrator allows no namespaces.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f2_nor_from_one_without_namespaces() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only the administrator can forbid namespaces");
        return;
    }
    in_process(Table::Bare, |site, launcher| site.without_namespaces(launcher, "")).await;
}

/// On one whose administrator allows no control groups either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f2_nor_from_one_without_namespaces_and_groups() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only the administrator can forbid namespaces");
        return;
    }
    in_process(Table::Ungrouped, |site, launcher| site.without_namespaces(launcher, "--cgroup-root none")).await;
}

/// Two hundred megabytes on standard error, and a line that does not end. Answers the lines that
/// are left of it.
async fn shouted(runtime: &dyn Runtime, site: &Site, left: impl AsyncFn(&str)) {
    let before = site::resident_bytes();
    let loud = runtime
        .start(spec(site, 1, &site.path("shouting"), &site.path("a/gate.sock"), testkit::is_reduced_allowed()))
        .await
        .unwrap();
    let exit = tokio::time::timeout(PATIENCE, runtime.exited(&loud.id)).await.unwrap();
    // The control: all of it was said, and somebody took it.
    assert_eq!(exit.code, Some(0), "{exit}");
    let lines = runtime.logs(&loud.id, 10_000).await.unwrap();
    assert!(!lines.is_empty() && lines.len() <= 10_000, "{} lines", lines.len());
    for line in &lines {
        assert!(line.chars().count() <= 500 && !line.chars().any(char::is_control), "{line:?}");
    }
    let grown = site::resident_bytes().saturating_sub(before);
    // Its neighbours in this process hold copies of the probe at the same time.
    assert!(grown < 128 << 20, "this process grew by {grown} bytes");
    left(&loud.id).await;
    runtime.remove(&loud.id).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h9_shouting_fills_nothing_from_a_process_loge() {
    let (Some(probe), Some(launcher)) = (variable("LOGE_PROBE"), variable("LOGE_LAUNCHER")) else { return };
    let site = Site::new();
    let runtime = ProcessRuntime::new(&config(&site, launcher.into(), probe.into()), String::new(), None).unwrap();
    shouted(&runtime, &site, async |_| {}).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h9_nor_from_a_container() {
    let Some(engine) = Engine::open().await else { return };
    let site = Site::new();
    let runtime = DockerRuntime::new(Some(&engine.host), &engine.image, RuntimeChoice::Docker).unwrap();
    let data = engine.docker.info().await.unwrap().docker_root_dir.unwrap();
    shouted(&runtime, &site, async |id| {
        // Another user's engine does not let us look.
        let folder = Path::new(&data).join("containers").join(id);
        if std::fs::read_dir(&folder).is_ok() {
            let bytes = site::bytes_below(&folder);
            assert!((1 << 20..12 << 20).contains(&bytes), "the engine keeps {bytes} bytes of it");
        }
    })
    .await;
    drop(runtime);
    engine.close().await;
}

struct Engine {
    host: String,
    docker: Docker,
    /// The worker's image with the probe in the worker's place.
    image: String,
}

impl Engine {
    async fn open() -> Option<Self> {
        let (probe, host, image) = (variable("LOGE_PROBE")?, variable("DOCKER_HOST")?, variable("LOGE_WORKER_IMAGE")?);
        let docker = Docker::connect_with_unix(&host, 60, API_DEFAULT_VERSION).unwrap();
        let docker = docker.negotiate_version().await.unwrap();
        let body = ContainerCreateBody { image: Some(image), ..ContainerCreateBody::default() };
        let base =
            docker.create_container(None::<bollard::query_parameters::CreateContainerOptions>, body).await.unwrap().id;
        let into = UploadToContainerOptionsBuilder::new().path("/").build();
        let tar = site::tar("loge-worker", &std::fs::read(probe).unwrap());
        docker.upload_to_container(&base, Some(into), bollard::body_full(tar.into())).await.unwrap();
        let tag = format!("probe-{}", base.chars().take(12).collect::<String>());
        let name = CommitContainerOptionsBuilder::new().container(&base).repo("loge-worker").tag(&tag).build();
        docker.commit_container(name, ContainerConfig::default()).await.unwrap();
        let options = RemoveContainerOptionsBuilder::new().force(true).build();
        docker.remove_container(&base, Some(options)).await.unwrap();
        Some(Self { host, docker, image: format!("loge-worker:{tag}") })
    }

    async fn close(self) {
        let options = RemoveImageOptionsBuilder::new().force(true).build();
        self.docker.remove_image(&self.image, Some(options), None).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c1_to_c20_nothing_but_its_own_can_be_reached_from_a_container() {
    let Some(engine) = Engine::open().await else { return };
    let site = Site::new();
    let runtime = DockerRuntime::new(Some(&engine.host), &engine.image, RuntimeChoice::Docker).unwrap();
    let verdicts = probed(&runtime, &site, false).await;
    let version = engine.docker.version().await.unwrap().version.unwrap_or_default();
    let major = version.split('.').take(2).collect::<Vec<_>>().join(".");
    drop(runtime);
    engine.close().await;
    let here = format!("docker {major}, groups {}, kernel {}", groups(), kernel());
    table::judge(Table::Docker, &here, &verdicts);
}

/// As people make containers by hand: root, the engine's own profile, a network, a library with
/// what is mounted below it, the engine's socket.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_control_an_ordinary_container_is_full_of_holes() {
    let Some(engine) = Engine::open().await else { return };
    let site = Site::new();
    site.plan(Some((std::process::id(), "other".into())));
    let point = env::MountPoint { id: "a".into(), path: b"/media/a".to_vec() };
    let socket = engine.host.strip_prefix("unix://").unwrap();
    let host = HostConfig {
        network_mode: Some("host".into()),
        binds: Some(vec![
            format!("{}:/media/a", site.path("films").display()),
            format!("{}:/run/loge", site.path("a").display()),
            format!("{socket}:/run/engine.sock"),
        ]),
        tmpfs: Some(HashMap::from([("/work".into(), "exec".into())])),
        ..HostConfig::default()
    };
    let body = ContainerCreateBody {
        image: Some(engine.image.clone()),
        user: Some("0:0".into()),
        entrypoint: Some(vec!["/loge-worker".into()]),
        env: Some(vec![
            format!("{}={}", env::SOCKET, env::CONTAINER_SOCKET),
            format!("{}={}", env::MOUNTS, env::encode_mounts(&[point])),
            format!("{}=/work", env::WORK_DIR),
        ]),
        host_config: Some(host),
        ..ContainerCreateBody::default()
    };
    let docker = &engine.docker;
    let name = CreateContainerOptionsBuilder::new().name(&format!("loge-control-{}", std::process::id())).build();
    let id = docker.create_container(Some(name), body).await.unwrap().id;
    docker.start_container(&id, None::<StartContainerOptions>).await.unwrap();
    let mut end = Box::pin(docker.wait_container(&id, None::<WaitContainerOptions>));
    tokio::time::timeout(PATIENCE, end.next()).await.unwrap().unwrap().unwrap();
    let options = LogsOptionsBuilder::new().stderr(true).build();
    let mut text = Vec::new();
    let mut lines = Box::pin(docker.logs(&id, Some(options)));
    while let Some(line) = lines.next().await {
        text.extend_from_slice(&line.unwrap().into_bytes());
    }
    let options = RemoveContainerOptionsBuilder::new().force(true).build();
    docker.remove_container(&id, Some(options)).await.unwrap();
    engine.close().await;
    let lines: Vec<String> = String::from_utf8_lossy(&text).lines().map(Into::into).collect();
    table::must_find_holes(&table::read(&lines));
}

/// The clock's random bytes, so that two runs at once do not meet.
pub fn random() -> [u8; 16] {
    base::Clock::random_id(&SystemClock)
}
