//! What is true of Docker alone: engines that are away, denied or without the image; foreign
//! containers; what an earlier run left; what a container really got.
//!
//! The parts that need an engine take it from `DOCKER_HOST` and `LOGE_WORKER_IMAGE`, and print
//! why they are skipped otherwise.
#![expect(clippy::print_stdout, reason = "a skipped test says why")]

use base::{Bus, Clock, Lifecycle, SystemClock};
use bollard::{
    API_DEFAULT_VERSION, Docker,
    models::{ContainerConfig, ContainerCreateBody, HostConfig},
    query_parameters::{
        CommitContainerOptionsBuilder, CreateContainerOptionsBuilder, CreateImageOptionsBuilder,
        InspectContainerOptions, ListContainersOptionsBuilder, ListImagesOptions, RemoveContainerOptionsBuilder,
        RemoveImageOptions,
    },
};
use domain::{Code, FolderId, InstallId, LogeLimits, LogeState, RuntimeKind, Tenant, UserId};
use futures_util::StreamExt;
use loges::{LogeSpec, Loges, LogesConfig, Mount, OpenLogesError, RuntimeChoice};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use testkit::{FixedTenants, eventually};

fn config(dir: &Path, runtime: RuntimeChoice, host: &str) -> LogesConfig {
    LogesConfig {
        install: InstallId::from_random(SystemClock.random_id()),
        run_dir: dir.join("r"),
        runtime,
        worker_image: std::env::var("LOGE_WORKER_IMAGE").ok(),
        worker_binary: PathBuf::from("/nonexistent/loge-worker"),
        launcher_binary: PathBuf::from("/nonexistent/loge-launch"),
        frames_binary: PathBuf::new(),
        idle_stop: Duration::from_secs(900),
        docker_host: Some(host.into()),
        host_paths: vec![],
        logs_dir: None,
    }
}

async fn open(config: LogesConfig, dir: &Path) -> Result<(Loges, Lifecycle), OpenLogesError> {
    let mounts = vec![Mount { id: FolderId::from_random([7; 16]), path: dir.into() }];
    let tenants = Arc::new(FixedTenants::new(LogeSpec {
        limits: LogeLimits::DEFAULT,
        mounts,
        chip: None,
        allows_reduced: false,
    }));
    let lifecycle = Lifecycle::new();
    let loges = Box::pin(Loges::open(config, tenants, Arc::new(SystemClock), Bus::new(), lifecycle.clone())).await?;
    Ok((loges, lifecycle))
}

fn ana() -> Tenant {
    Tenant::User(UserId::from_random([0xa; 16]))
}

#[tokio::test]
async fn an_absent_engine_has_a_name_and_an_advice() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("none.sock");
    let host = format!("unix://{}", socket.display());
    let (loges, _life) = open(config(dir.path(), RuntimeChoice::Docker, &host), dir.path()).await.unwrap();
    let info = loges.runtime();
    assert_eq!(info.kind, RuntimeKind::Docker);
    assert!(info.detail.contains("no container engine") && info.advice.unwrap().contains("docker.io"));
    assert_eq!(loges.ensure(&ana()).await.unwrap_err().code, Code::EngineAway);
    loges.shutdown().await;

    // Somebody listens there and is no engine.
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let began = std::time::Instant::now();
    let (loges, _life) = open(config(dir.path(), RuntimeChoice::Docker, &host), dir.path()).await.unwrap();
    assert!(loges.runtime().detail.contains("too long"), "{:?}", loges.runtime());
    assert!(began.elapsed() < Duration::from_secs(15));
    loges.shutdown().await;

    // Auto needs the other runtime then, and that one is not there either.
    let Err(refused) = open(config(dir.path(), RuntimeChoice::Auto, "unix:///nonexistent"), dir.path()).await else {
        panic!("nothing can work here")
    };
    let text = refused.to_string();
    assert!(text.contains("/nonexistent") && text.contains("loge-worker"), "{text}");
    let tcp = open(config(dir.path(), RuntimeChoice::Docker, "tcp://127.0.0.1:2375"), dir.path()).await;
    assert!(matches!(tcp, Err(OpenLogesError::Docker(_))));
}

#[tokio::test]
async fn auto_says_why_it_took_the_other_runtime() {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("program");
    std::fs::write(&program, b"").unwrap();
    let config = LogesConfig {
        worker_binary: program.clone(),
        launcher_binary: program,
        frames_binary: PathBuf::new(),
        ..config(dir.path(), RuntimeChoice::Auto, "unix:///nonexistent.sock")
    };
    let (loges, _life) = open(config, dir.path()).await.unwrap();
    let info = loges.runtime();
    assert_eq!((info.kind, info.wanted), (RuntimeKind::Process, RuntimeChoice::Auto));
    assert!(info.detail.contains("because there is no container engine at /nonexistent.sock"), "{info:?}");
    assert!(info.advice.is_some());
    // A program that cannot be started is a typed failure, and tried again later.
    assert_eq!(loges.ensure(&ana()).await.unwrap_err().code, Code::LogeFailed);
    loges.shutdown().await;
}

fn engine() -> Option<(String, String, Docker)> {
    let (Ok(host), Ok(image)) = (std::env::var("DOCKER_HOST"), std::env::var("LOGE_WORKER_IMAGE")) else {
        println!("skipped: DOCKER_HOST and LOGE_WORKER_IMAGE name no engine and no image");
        return None;
    };
    let docker = Docker::connect_with_unix(&host, 20, API_DEFAULT_VERSION).unwrap();
    Some((host, image, docker))
}

async fn create(docker: &Docker, image: &str, name: &str, labels: &[(&str, &str)]) -> String {
    let body = ContainerCreateBody {
        image: Some(image.into()),
        labels: Some(labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()),
        host_config: Some(HostConfig { network_mode: Some("none".into()), ..HostConfig::default() }),
        ..ContainerCreateBody::default()
    };
    docker.create_container(Some(CreateContainerOptionsBuilder::new().name(name).build()), body).await.unwrap().id
}

async fn exists(docker: &Docker, id: &str) -> bool {
    docker.inspect_container(id, None::<InspectContainerOptions>).await.is_ok()
}

#[tokio::test]
async fn a_missing_image_is_named() {
    let Some((host, _, _)) = engine() else { return };
    let dir = tempfile::tempdir().unwrap();
    let config = LogesConfig {
        worker_image: Some("loge-worker:not-there".into()),
        ..config(dir.path(), RuntimeChoice::Docker, &host)
    };
    let (loges, _life) = open(config, dir.path()).await.unwrap();
    assert!(loges.runtime().detail.contains("no image loge-worker:not-there"), "{:?}", loges.runtime());
    assert!(loges.runtime().advice.is_some());
    assert_eq!(loges.ensure(&ana()).await.unwrap_err().code, Code::LogeFailed);
    loges.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_we_left_is_reaped_and_what_is_not_ours_is_not_touched() {
    let Some((host, image, docker)) = engine() else { return };
    let docker = docker.negotiate_version().await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), RuntimeChoice::Docker, &host);
    let ours = config.install.to_string();
    let other = InstallId::from_random(SystemClock.random_id()).to_string();
    let left = create(&docker, &image, &format!("loge-left-{ours}"), &[("loge.install", &ours)]).await;
    let foreign = create(&docker, &image, &format!("loge-other-{other}"), &[("loge.install", &other)]).await;
    let stranger = create(&docker, &image, &format!("stranger-{other}"), &[]).await;

    let (loges, life) = open(config, dir.path()).await.unwrap();
    assert!(!exists(&docker, &left).await, "what an earlier run left is gone");
    loges.ensure(&ana()).await.unwrap();
    let id = loges.view(&ana()).unwrap().container_id.unwrap();
    let seen = docker.inspect_container(&id, None::<InspectContainerOptions>).await.unwrap();
    let limits = seen.host_config.unwrap();
    assert_eq!((limits.memory, limits.nano_cpus), (Some(512 << 20), Some(500_000_000)));
    // Left to the engine, and therefore looked at: its own paths stay masked.
    assert!(limits.masked_paths.is_some_and(|paths| !paths.is_empty()));
    assert!(limits.readonly_paths.is_some_and(|paths| !paths.is_empty()));
    let pid = seen.state.unwrap().pid.unwrap();
    let groups = parents_of(pid, &ours);
    c17_all_loges_have_one_limit(&loges, limits.cgroup_parent.as_deref(), &ours, &groups);
    let worker = worker_below(pid);
    let status = std::fs::read_to_string(format!("/proc/{worker}/status")).unwrap();
    for (field, expected) in [
        ("Uid:", "20001\t20001\t20001\t20001"),
        ("Gid:", "20001\t20001\t20001\t20001"),
        ("CapEff:", "0000000000000000"),
        ("CapBnd:", "0000000000000000"),
        ("NoNewPrivs:", "1"),
        ("Seccomp:", "2"),
    ] {
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap().trim();
        assert_eq!(line, expected, "{field}");
    }

    // Newer engines repeat the own group there; no other may be in it.
    let other = status.lines().find_map(|line| line.strip_prefix("Groups:")).unwrap().trim();
    assert!(matches!(other, "" | "20001"), "{other}");

    // Limits change while it runs.
    let more = LogeLimits { memory_bytes: 768 << 20, cpu_millis: 700, pids: 64 };
    loges.set_limits(&ana(), more).await.unwrap();
    eventually("the view shows it", Duration::from_secs(5), async || loges.view(&ana()).unwrap().limits == more).await;
    let limits = docker.inspect_container(&id, None::<InspectContainerOptions>).await.unwrap().host_config.unwrap();
    assert_eq!((limits.memory, limits.nano_cpus, limits.pids_limit), (Some(768 << 20), Some(700_000_000), Some(64)));

    loges.shutdown().await;
    assert!(life.stop(Duration::from_secs(5)).await);
    drop(loges);
    assert!(!groups.iter().any(|folder| folder.exists()), "the group of all loges is left: {groups:?}");
    let filters = HashMap::from([("label", vec![format!("loge.install={ours}")])]);
    let rest = docker
        .list_containers(Some(ListContainersOptionsBuilder::new().all(true).filters(&filters).build()))
        .await
        .unwrap();
    assert!(rest.is_empty(), "{rest:?}");
    for id in [foreign, stranger] {
        assert!(exists(&docker, &id).await, "a container that is not ours was touched");
        let options = RemoveContainerOptionsBuilder::new().force(true).build();
        docker.remove_container(&id, Some(options)).await.unwrap();
    }
}

/// Another image is tried on the house's own loge; what does not start changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn images_come_from_files_are_rolled_out_and_gone_back_to() {
    let Some((host, image, docker)) = engine() else { return };
    let docker = docker.negotiate_version().await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (loges, life) = open(config(dir.path(), RuntimeChoice::Docker, &host), dir.path()).await.unwrap();
    let own = docker.inspect_image(&image).await.unwrap().id.unwrap();
    let used = async || {
        let images = loges.images().await.unwrap();
        images.iter().find(|i| i.is_used).map(|i| (i.id.clone(), i.is_own)).unwrap()
    };
    assert_eq!(used().await, (own.clone(), true));
    loges.ensure(&ana()).await.unwrap();
    assert_eq!(loges.view(&ana()).unwrap().image, own);

    // A newer image, saved to a file, gone from the engine, and taken from the file again.
    let tag = format!("test-{}", InstallId::from_random(SystemClock.random_id()));
    let newer = format!("loge-worker:{tag}");
    let made = create(&docker, &image, &format!("loge-made-{tag}"), &[]).await;
    let commit = CommitContainerOptionsBuilder::new().container(&made).repo("loge-worker").tag(&tag).pause(false);
    docker.commit_container(commit.build(), ContainerConfig::default()).await.unwrap();
    let gone = RemoveContainerOptionsBuilder::new().force(true).build();
    docker.remove_container(&made, Some(gone)).await.unwrap();
    let file = dir.path().join("newer.tar");
    let mut saved = tokio::fs::File::create(&file).await.unwrap();
    let mut bytes = Box::pin(docker.export_image(&newer));
    while let Some(chunk) = bytes.next().await {
        tokio::io::AsyncWriteExt::write_all(&mut saved, &chunk.unwrap()).await.unwrap();
    }
    tokio::io::AsyncWriteExt::flush(&mut saved).await.unwrap();
    drop(saved);
    docker.remove_image(&newer, None::<RemoveImageOptions>, None).await.unwrap();
    let before = tags(&docker).await;
    let id = loges.import_image(&file).await.unwrap();
    assert_ne!(id, own);
    // It has a name of its own and no other: neither its old one nor anybody else's.
    let named: Vec<_> = tags(&docker).await.into_iter().filter(|tag| !before.contains(tag)).collect();
    assert_eq!(named.len(), 1, "{named:?}");
    assert_eq!((named[0].0.starts_with("loge-worker:import-"), &named[0].1), (true, &id), "{named:?}");
    names_are_not_taken(&loges, &docker, &file, dir.path()).await;

    // Everybody follows; whoever watches goes on watching first.
    loges.use_image(&id).await.unwrap();
    assert_eq!(used().await, (id.clone(), false));
    assert_eq!(loges.view(&Tenant::House).unwrap().image, id);
    let on = |image: &str| loges.view(&ana()).is_some_and(|v| v.image == image && v.state == LogeState::Ready);
    eventually("hers is of the new image", Duration::from_secs(30), async || on(&id)).await;

    // An image without a worker in it: the trial fails, and everything is as before.
    let mut broken = Box::pin(
        docker.create_image(
            Some(
                CreateImageOptionsBuilder::new()
                    .from_src("-")
                    .repo("loge-worker")
                    .tag(&format!("{tag}-broken"))
                    .changes(vec!["LABEL loge.image=worker".into()])
                    .build(),
            ),
            Some(bollard::body_full(vec![0; 1024].into())),
            None,
        ),
    );
    while let Some(answer) = broken.next().await {
        answer.unwrap();
    }
    let broken = docker.inspect_image(&format!("loge-worker:{tag}-broken")).await.unwrap().id.unwrap();
    let failure = loges.use_image(&broken).await.unwrap_err();
    assert_eq!(failure.code, Code::LogeFailed);
    assert_eq!(used().await.0, id);
    loges.ensure(&Tenant::House).await.unwrap();
    assert!(on(&id), "hers was not touched");

    // Back, in one call.
    loges.use_image(&own).await.unwrap();
    eventually("hers is of the old image", Duration::from_secs(30), async || on(&own)).await;

    // What is no worker image is not taken: not by name, not by id, not from a file.
    assert_eq!(loges.use_image("sha256:00").await.unwrap_err().code, Code::NotFound);
    let text = dir.path().join("text.tar");
    std::fs::write(&text, "no image").unwrap();
    for path in [text.as_path(), dir.path(), Path::new("/nonexistent.tar"), Path::new("/dev/zero")] {
        let failure = loges.import_image(path).await.unwrap_err();
        assert_eq!(failure.code, Code::InvalidField, "{}: {failure}", path.display());
    }
    loges.shutdown().await;
    assert!(life.stop(Duration::from_secs(5)).await);
    for name in [named[0].0.clone(), format!("loge-worker:{tag}-broken")] {
        docker.remove_image(&name, None::<RemoveImageOptions>, None).await.unwrap();
    }
}

/// Returns every name the engine gave away, and what it names.
async fn tags(docker: &Docker) -> Vec<(String, String)> {
    let images = docker.list_images(None::<ListImagesOptions>).await.unwrap();
    let mut all: Vec<_> =
        images.into_iter().flat_map(|i| i.repo_tags.into_iter().map(move |tag| (tag, i.id.clone()))).collect();
    all.sort();
    all
}

/// `good` is an archive that is taken. What claims other names takes none of them.
async fn names_are_not_taken(loges: &Loges, docker: &Docker, good: &Path, dir: &Path) {
    let before = tags(docker).await;
    let latest = before.iter().find(|(tag, _)| tag == "loge-worker:latest").cloned();
    let saved = std::fs::read(good).unwrap();
    // The end of an archive is two empty blocks and the padding of its last record.
    let end = saved.chunks(512).rposition(|block| block.iter().any(|b| *b != 0)).unwrap() * 512 + 512;
    let more = |name: &str, content: &str| {
        let archive = [&saved[..end], &tar_entry(name, content), &[0; 1024]].concat();
        let path = dir.join("more.tar");
        std::fs::write(&path, archive).unwrap();
        path
    };
    let second = r#"[{"Config":"c.json","RepoTags":["postgres:17","loge-worker:latest"],"Layers":[]}]"#;
    let refused = loges.import_image(&more("manifest.json", second)).await.unwrap_err();
    assert!(refused.message.contains("twice"), "{refused}");
    // What only another reader looks at is not handed on.
    let taken = loges.import_image(&more("innocent.json", second)).await;
    assert!(taken.is_ok(), "{taken:?}");
    // Ours by name, and no worker: it is refused before the engine hears of it.
    let config = r#"{"config":{"Labels":{}},"rootfs":{"type":"layers","diff_ids":[]}}"#;
    let manifest = r#"[{"Config":"c.json","RepoTags":["loge-worker:latest"],"Layers":[]}]"#;
    let path = dir.join("unlabelled.tar");
    std::fs::write(&path, [tar_entry("c.json", config), tar_entry("manifest.json", manifest), vec![0; 1024]].concat())
        .unwrap();
    let refused = loges.import_image(&path).await.unwrap_err();
    assert!(refused.message.contains("no worker"), "{refused}");
    // A pipe without a writer holds up no request.
    let pipe = dir.join("pipe.tar");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    assert_eq!(loges.import_image(&pipe).await.unwrap_err().code, Code::InvalidField);
    let after = tags(docker).await;
    assert_eq!(after, before);
    assert_eq!(after.iter().find(|(tag, _)| tag == "loge-worker:latest").cloned(), latest);
}

fn tar_entry(name: &str, content: &str) -> Vec<u8> {
    let mut entry = vec![0_u8; 512];
    entry[..name.len()].copy_from_slice(name.as_bytes());
    entry[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
    entry[156] = b'0';
    entry[257..265].copy_from_slice(b"ustar\x0000");
    entry.extend_from_slice(content.as_bytes());
    entry.resize(entry.len().next_multiple_of(512), 0);
    entry
}

/// The folders of the group around all loges, where this machine lets us see them.
fn parents_of(pid: i64, install: &str) -> Vec<PathBuf> {
    let table = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let is_mixed = Path::new("/sys/fs/cgroup/unified").exists();
    let paths = table.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (names, path) = (parts.next()?, parts.next()?);
        let folder = Path::new(path).parent()?;
        let names = if names.is_empty() && is_mixed { "unified" } else { names.trim_start_matches("name=") };
        let hierarchy = Path::new("/sys/fs/cgroup").join(names);
        path.contains(install).then(|| hierarchy.join(folder.strip_prefix("/").unwrap()))
    });
    paths.collect()
}

fn c17_all_loges_have_one_limit(loges: &Loges, parent: Option<&str>, install: &str, groups: &[PathBuf]) {
    let wall = loges.runtime().isolation.into_iter().find(|wall| wall.name == "all together").unwrap();
    let Some(parent) = parent.filter(|parent| !parent.is_empty()) else {
        assert!(!wall.reached, "{wall:?}");
        return;
    };
    assert!(parent.contains(install), "{parent}");
    assert!(!groups.is_empty(), "no process of the loge is in {parent}");
    let read = |file: &str| groups.iter().find_map(|folder| std::fs::read_to_string(folder.join(file)).ok());
    let memory = read("memory.limit_in_bytes").or_else(|| read("memory.max")).unwrap_or_default();
    // The control: without a right to it, nothing is limited and nothing else is said.
    assert_eq!(wall.reached, memory.trim().parse::<u64>().is_ok_and(|bytes| bytes < 1 << 50), "{wall:?} {memory:?}");
    if rustix::process::geteuid().is_root() {
        assert!(wall.reached, "{wall:?}");
    }
}

/// The engine's init is the container's first process; the worker is its child.
fn worker_below(init: i64) -> i64 {
    let children = std::fs::read_to_string(format!("/proc/{init}/task/{init}/children")).unwrap();
    children.split_whitespace().next().unwrap().parse().unwrap()
}
