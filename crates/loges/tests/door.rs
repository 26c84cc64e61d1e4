//! The engine door in front of a real engine: what a house needs passes, and what a taken-over
//! server would ask for does not.
//!
//! Takes the engine from `DOCKER_HOST` and `LOGE_WORKER_IMAGE`, and prints why it is skipped otherwise.
#![expect(clippy::print_stdout, reason = "a skipped test says why")]

use base::{Bus, Clock, Lifecycle, SystemClock};
use bollard::{
    API_DEFAULT_VERSION, Docker,
    errors::Error,
    models::{ContainerCreateBody, ExecConfig, HostConfig},
    query_parameters::{
        CreateContainerOptionsBuilder, InspectContainerOptions, ListContainersOptionsBuilder, ListVolumesOptions,
        LogsOptionsBuilder, RemoveContainerOptionsBuilder, StartContainerOptions,
    },
};
use domain::{FolderId, InstallId, LogeLimits, Tenant, UserId};
use futures_util::StreamExt;
use loges::{
    LogeSpec, Loges, LogesConfig, Mount, RuntimeChoice,
    door::{Door, LABEL_DOOR, Whose, knock},
};
use std::{collections::HashMap, path::PathBuf, sync::Arc, time::Duration};
use testkit::{FixedTenants, eventually};

const HOUSE: &str = "the house of this test";

/// An engine, a door in front of it, and a house behind that.
struct Site {
    dir: tempfile::TempDir,
    engine: Docker,
    through: Docker,
    image: String,
    door: tokio::task::JoinHandle<()>,
}

impl Site {
    async fn open() -> Option<Self> {
        let (Ok(host), Ok(image)) = (std::env::var("DOCKER_HOST"), std::env::var("LOGE_WORKER_IMAGE")) else {
            println!("skipped: DOCKER_HOST and LOGE_WORKER_IMAGE name no engine and no image");
            return None;
        };
        let dir = tempfile::Builder::new().prefix("loges-door-").tempdir_in("/tmp").unwrap();
        for name in ["films", "r"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        let whose =
            Whose::Named { house: HOUSE.into(), films: vec![dir.path().join("films")], sockets: dir.path().join("r") };
        let socket = dir.path().join("door.sock");
        let open = Door::open(&socket, host.strip_prefix("unix://").unwrap().as_ref(), whose, vec![]).unwrap();
        let door = tokio::spawn(async move { match open.serve().await {} });
        let connect = |address: &str| Docker::connect_with_unix(address, 20, API_DEFAULT_VERSION).unwrap();
        let engine = connect(&host).negotiate_version().await.unwrap();
        let through = connect(socket.to_str().unwrap()).negotiate_version().await.unwrap();
        Some(Self { dir, engine, through, image, door })
    }

    async fn house(&self, films: &str) -> (Loges, Lifecycle) {
        let config = LogesConfig {
            install: InstallId::from_random(SystemClock.random_id()),
            run_dir: self.dir.path().join("r"),
            runtime: RuntimeChoice::Docker,
            worker_image: Some(self.image.clone()),
            worker_binary: PathBuf::new(),
            launcher_binary: PathBuf::new(),
            frames_binary: PathBuf::new(),
            idle_stop: Duration::from_secs(900),
            docker_host: Some(format!("unix://{}", self.dir.path().join("door.sock").display())),
            host_paths: vec![],
            logs_dir: None,
        };
        let mounts = vec![Mount { id: FolderId::from_random([7; 16]), path: films.into() }];
        let spec =
            LogeSpec { limits: LogeLimits::DEFAULT, mounts, chip: None, allows_reduced: testkit::is_reduced_allowed() };
        let lifecycle = Lifecycle::new();
        let tenants = Arc::new(FixedTenants::new(spec));
        let loges = Loges::open(config, tenants, Arc::new(SystemClock), Bus::new(), lifecycle.clone());
        (Box::pin(loges).await.unwrap(), lifecycle)
    }

    async fn remove(&self, id: &str) {
        let options = RemoveContainerOptionsBuilder::new().force(true).build();
        self.engine.remove_container(id, Some(options)).await.unwrap();
    }

    async fn close(self) {
        self.door.abort();
        let _ = self.door.await;
        assert!(!self.dir.path().join("door.sock").exists(), "the socket goes with the door");
    }
}

fn ana() -> Tenant {
    Tenant::User(UserId::from_random([0xa; 16]))
}

/// What the door said.
fn refusal<T: std::fmt::Debug>(outcome: Result<T, Error>) -> String {
    match outcome {
        Err(Error::DockerResponseServerError { status_code: 403, message }) => message,
        other => panic!("this passed the door: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_house_lives_behind_the_door() {
    let Some(site) = Site::open().await else { return };
    assert!(knock(&site.dir.path().join("door.sock")).await);
    assert!(!knock(&site.dir.path().join("no.sock")).await, "the control");
    let films = site.dir.path().join("films");
    let (loges, life) = site.house(films.to_str().unwrap()).await;
    loges.ensure(&ana()).await.unwrap_or_else(|e| panic!("{e:?}: {:?}", loges.runtime()));
    let id = loges.view(&ana()).unwrap().container_id.unwrap();
    let made = site.engine.inspect_container(&id, None::<InspectContainerOptions>).await.unwrap();
    assert_eq!(made.config.unwrap().labels.unwrap()[LABEL_DOOR], HOUSE);
    // Its figures come as a stream, its end as a long answer, news as events.
    let soon = Duration::from_secs(30);
    let is_measured = || async { loges.view(&ana()).is_some_and(|view| view.usage.is_some()) };
    eventually("the loge is measured", soon, is_measured).await;
    let other = LogeLimits { memory_bytes: 300 << 20, ..LogeLimits::DEFAULT };
    loges.set_limits(&ana(), other).await.unwrap();
    let made = site.engine.inspect_container(&id, None::<InspectContainerOptions>).await.unwrap();
    assert_eq!(made.host_config.unwrap().memory, Some(300 << 20));
    site.remove(&id).await;
    let is_another = || async { loges.view(&ana()).and_then(|view| view.container_id).is_some_and(|now| now != id) };
    eventually("another loge is there", soon, is_another).await;
    loges.shutdown().await;
    let label = HashMap::from([("label".to_owned(), vec![format!("{LABEL_DOOR}={HOUSE}")])]);
    let left = ListContainersOptionsBuilder::new().all(true).filters(&label).build();
    assert_eq!(site.engine.list_containers(Some(left)).await.unwrap(), []);
    life.stop(Duration::from_secs(5)).await;
    site.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_taken_over_gets_nothing_out_of_the_engine() {
    let Some(site) = Site::open().await else { return };
    let stranger = ContainerCreateBody {
        image: Some(site.image.clone()),
        entrypoint: Some(vec!["/usr/bin/ffprobe".into(), "-version".into()]),
        host_config: Some(HostConfig { network_mode: Some("none".into()), ..HostConfig::default() }),
        ..ContainerCreateBody::default()
    };
    let name = format!("loge-stranger-{}", InstallId::from_random(SystemClock.random_id()));
    let named = || Some(CreateContainerOptionsBuilder::new().name(&name).build());
    let root = ContainerCreateBody {
        host_config: Some(HostConfig {
            privileged: Some(true),
            binds: Some(vec!["/:/host".into()]),
            ..HostConfig::default()
        }),
        ..stranger.clone()
    };
    for body in [root, stranger.clone()] {
        let said = refusal(site.through.create_container(named(), body).await);
        assert!(said.contains("the engine door makes no container with this"), "{said}");
    }
    // The control: the engine itself would have made it. It belongs to somebody else.
    let id = site.engine.create_container(named(), stranger).await.unwrap().id;
    let foreign = "does not know this container";
    for said in [
        refusal(site.through.inspect_container(&id, None::<InspectContainerOptions>).await),
        refusal(site.through.start_container(&id, None::<StartContainerOptions>).await),
        refusal(site.through.remove_container(&name, None).await),
        refusal(
            site.through
                .logs(&id, Some(LogsOptionsBuilder::new().stdout(true).build()))
                .next()
                .await
                .expect("an answer")
                .map(drop),
        ),
    ] {
        assert!(said.contains(foreign), "{said}");
    }
    let exec = ExecConfig { cmd: Some(vec!["id".into()]), ..ExecConfig::default() };
    for said in [
        refusal(site.through.create_exec(&id, exec).await),
        refusal(site.through.list_volumes(None::<ListVolumesOptions>).await),
        refusal(site.through.list_networks(None).await),
    ] {
        assert!(said.contains("lets no"), "{said}");
    }
    assert!(refusal(site.through.list_containers(None).await).contains("filters"));
    site.remove(&id).await;
    site.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loge_gets_no_folder_but_films() {
    let Some(site) = Site::open().await else { return };
    let (loges, life) = site.house("/etc").await;
    assert!(loges.ensure(&ana()).await.is_err());
    // It is tried again by itself, so that the reason is seen between two tries.
    let is_told = || async { format!("{:?}", loges.view(&ana())).contains("shows /etc to no loge") };
    eventually("the reason is told", Duration::from_secs(30), is_told).await;
    loges.shutdown().await;
    life.stop(Duration::from_secs(5)).await;
    site.close().await;
}
