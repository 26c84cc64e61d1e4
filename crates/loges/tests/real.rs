//! One suite for both true runtimes, with the real worker: what a loge can do, what it cannot,
//! how it dies, and that nothing is left.
//!
//! The process runtime needs the built `loge-worker` and `loge-launch` (`LOGE_WORKER` and
//! `LOGE_LAUNCHER`, else beside this test's own build); Docker needs `DOCKER_HOST` and
//! `LOGE_WORKER_IMAGE`. What is missing is printed and skipped.
#![expect(clippy::print_stdout, reason = "a skipped test says why")]

use base::{Bus, Lifecycle, SystemClock};
use contract::{FileRef, Job};
use domain::{FolderId, InstallId, LogeLimits, LogeState, RuntimeKind, Tenant, UserId};
use loges::{LogeSpec, Loges, LogesConfig, Mount, RangeError, RuntimeChoice};
use std::{os::unix::ffi::OsStrExt, path::PathBuf, process::Command, sync::Arc, time::Duration};
use testkit::{FixedTenants, eventually};
use tokio::{io::AsyncReadExt, time::Instant};

const SOON: Duration = Duration::from_secs(20);
const FILM_BYTES: usize = 3 << 20;

struct House {
    loges: Loges,
    tenants: Arc<FixedTenants>,
    lifecycle: Lifecycle,
    films: PathBuf,
    dir: tempfile::TempDir,
}

fn binary(variable: &str, name: &str) -> PathBuf {
    std::env::var_os(variable).map(PathBuf::from).unwrap_or_else(|| {
        let me = std::env::current_exe().unwrap();
        me.ancestors().nth(2).unwrap().join(name)
    })
}

fn tenant() -> Tenant {
    Tenant::User(UserId::from_random([0xa; 16]))
}
fn folder() -> FolderId {
    FolderId::from_random([7; 16])
}
fn film() -> Vec<u8> {
    (0..FILM_BYTES).map(|n| (n * 7 % 253) as u8).collect()
}
fn file(path: &[u8], size: usize) -> FileRef {
    FileRef { mount: folder().to_string(), path: path.into(), size: Some(size as u64), mtime_ns: None }
}

impl House {
    /// `None`, with the reason printed, when this runtime cannot be had here.
    async fn open(runtime: RuntimeChoice) -> Option<Self> {
        let config = LogesConfig {
            install: InstallId::from_random(base::Clock::random_id(&SystemClock)),
            run_dir: PathBuf::new(),
            runtime,
            worker_image: std::env::var("LOGE_WORKER_IMAGE").ok(),
            worker_binary: binary("LOGE_WORKER", "loge-worker"),
            launcher_binary: binary("LOGE_LAUNCHER", "loge-launch"),
            frames_binary: binary("LOGE_FRAMES", "loge-frames"),
            idle_stop: Duration::from_secs(900),
            docker_host: std::env::var("DOCKER_HOST").ok(),
            host_paths: vec![],
            logs_dir: None,
        };
        match runtime {
            RuntimeChoice::Docker if config.docker_host.is_none() || config.worker_image.is_none() => {
                println!("skipped: DOCKER_HOST and LOGE_WORKER_IMAGE name no engine and no image");
                return None;
            }
            RuntimeChoice::Process if !config.worker_binary.is_file() || !config.launcher_binary.is_file() => {
                println!("skipped: no {} or no {}", config.worker_binary.display(), config.launcher_binary.display());
                return None;
            }
            _ => {}
        }
        let dir = tempfile::Builder::new().prefix("loges-real-").tempdir_in("/tmp").unwrap();
        let films = dir.path().join("films with\nodd name");
        std::fs::create_dir(&films).unwrap();
        std::fs::write(films.join("film.bin"), film()).unwrap();
        std::fs::write(films.join("text.mkv"), b"no film").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", films.join("link")).unwrap();
        // A folder that every uid may read, as a library in a household is.
        open_to_all(dir.path());
        open_to_all(&films);
        let tenants = Arc::new(FixedTenants::new(LogeSpec {
            limits: LogeLimits::DEFAULT,
            mounts: vec![Mount { id: folder(), path: films.clone() }],
            chip: None,
            allows_reduced: testkit::is_reduced_allowed(),
        }));
        let lifecycle = Lifecycle::new();
        let config = LogesConfig { run_dir: dir.path().join("r"), ..config };
        let loges = Loges::open(config, tenants.clone(), Arc::new(SystemClock), Bus::new(), lifecycle.clone());
        Some(Self { loges: Box::pin(loges).await.unwrap(), tenants, lifecycle, films, dir })
    }

    async fn read(&self, file: FileRef, offset: u64, length: u64) -> Result<Vec<u8>, RangeError> {
        let stream = self.loges.range(&tenant(), file, offset, length).await?;
        let mut out = vec![0; usize::try_from(length).unwrap()];
        let (mut stream, lease) = stream.into_parts();
        stream.read_exact(&mut out).await.map_err(|e| RangeError::Broke(e.to_string()))?;
        lease.finish(stream);
        Ok(out)
    }

    async fn close(self) {
        self.loges.shutdown().await;
        assert_eq!(self.loges.list(), []);
        assert!(!self.dir.path().join("r/l").exists());
        assert!(self.lifecycle.stop(SOON).await);
        assert!(!self.lifecycle.has_failed());
        let marker = self.dir.path().as_os_str().as_bytes();
        assert_eq!(processes_with(marker), Vec::<u32>::new(), "a process of ours is left");
    }
}

fn open_to_all(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Processes whose command line holds these bytes.
fn processes_with(bytes: &[u8]) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if line.windows(bytes.len()).any(|window| window == bytes) {
            found.push(pid);
        }
    }
    found
}

async fn serves_ranges_and_jobs(runtime: RuntimeChoice, kind: RuntimeKind) {
    let Some(house) = House::open(runtime).await else { return };
    let began = Instant::now();
    house.loges.ensure(&tenant()).await.unwrap();
    println!("{}: ready in {:?}", kind.as_str(), began.elapsed());
    let expected = film();
    for (offset, length) in [(0, 1), (1, 4096), (FILM_BYTES - 1, 1), (12_345, 1 << 20), (0, FILM_BYTES)] {
        let got = house.read(file(b"film.bin", FILM_BYTES), offset as u64, length as u64).await.unwrap();
        assert!(got == expected[offset..offset + length], "{offset}+{length} differs");
    }
    // What is not there, not as described, or not below the mount.
    let outcome = house.read(file(b"none.mp4", 1), 0, 1).await;
    assert!(matches!(outcome, Err(RangeError::NotFound)), "{outcome:?}");
    let outcome = house.read(file(b"film.bin", 5), 0, 1).await;
    assert!(matches!(outcome, Err(RangeError::Changed)), "{outcome:?}");
    for path in [&b"../secret"[..], b"link", b"/etc/passwd", b""] {
        let outcome = house.read(FileRef { size: None, ..file(path, 0) }, 0, 1).await;
        assert!(matches!(outcome, Err(RangeError::Refused | RangeError::NotFound)), "{path:?}: {outcome:?}");
    }
    // Text with a film's name is an answer, not an accident.
    let probe = Job::Probe { file: file(b"text.mkv", 7) };
    let outcome = house.loges.job(&tenant(), probe, 1 << 20, SOON).await;
    assert!(outcome.as_ref().is_err_and(|e| e.status().is_some()), "{outcome:?}");

    let view = house.loges.view(&tenant()).unwrap();
    assert_eq!((view.runtime, &view.state, view.limits), (kind, &LogeState::Ready, LogeLimits::DEFAULT));
    assert_eq!((view.healthy, view.active, view.restarts), (Some(true), 0, 0));
    assert!(view.container_id.is_some() && view.started_at.is_some() && !view.image.is_empty(), "{view:?}");
    eventually("its use is known", SOON, async || house.loges.view(&tenant()).unwrap().usage.is_some()).await;
    let usage = house.loges.view(&tenant()).unwrap().usage.unwrap();
    assert!(usage.memory_bytes > 0 && usage.memory_bytes < 512 << 20 && usage.pids >= 1, "{usage:?}");
    let info = house.loges.runtime();
    assert!(info.kind == kind && !info.detail.is_empty() && !info.isolation.is_empty(), "{info:?}");
    println!("{}: {info:#?}", kind.as_str());
    house.close().await;
}

/// A browser's worth of connections, over and over: none may be refused or answered late because
/// an earlier one is still being put away.
async fn serves_many_ranges_at_once(runtime: RuntimeChoice) {
    let Some(house) = House::open(runtime).await else { return };
    let expected = film();
    const LENGTH: usize = 64 << 10;
    for round in 0..40 {
        let readers = (0..loges::link::MAX_ACTIVE as usize).map(|n| {
            let offset = (round * 7919 + n * LENGTH) % (FILM_BYTES - LENGTH);
            let read = house.read(file(b"film.bin", FILM_BYTES), offset as u64, LENGTH as u64);
            async move { (offset, read.await) }
        });
        for (offset, got) in futures_util::future::join_all(readers).await {
            let got = got.unwrap_or_else(|e| panic!("round {round}: {e}"));
            assert!(got == expected[offset..offset + LENGTH], "round {round}: {offset} differs");
        }
    }
    house.close().await;
}

async fn probes_and_pictures_real_films(runtime: RuntimeChoice) {
    let Some(house) = House::open(runtime).await else { return };
    let film = house.films.join("clip.mp4");
    #[expect(clippy::disallowed_methods, reason = "makes a film to be probed")]
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=24:duration=4"])
        .args(["-c:v", "mpeg4", "-y"])
        .arg(&film)
        .status();
    if !made.is_ok_and(|status| status.success()) {
        println!("skipped: no ffmpeg makes a film here");
        return house.close().await;
    }
    let size = usize::try_from(std::fs::metadata(&film).unwrap().len()).unwrap();
    let clip = || file(b"clip.mp4", size);
    let began = Instant::now();
    let json = house.loges.job(&Tenant::House, Job::Probe { file: clip() }, 1 << 20, SOON).await.unwrap();
    let text = String::from_utf8(json).unwrap();
    assert!(text.contains("\"width\": 640") || text.contains("\"width\":640"), "{text}");
    println!("probe with a cold start: {:?}", began.elapsed());
    let poster = Job::Poster { file: clip(), picture_track: 0, moments_ms: vec![1000], width: 320 };
    let jpeg = house.loges.job(&Tenant::House, poster, 4 << 20, SOON).await.unwrap();
    assert!(jpeg.starts_with(&[0xff, 0xd8]) && jpeg.len() > 500, "{} bytes", jpeg.len());
    let sheet =
        Job::Sheet { file: clip(), picture_track: 0, times_ms: vec![0, 2000], tile_width: 160, tile_height: 90 };
    let jpeg = house.loges.job(&Tenant::House, sheet, 4 << 20, SOON).await.unwrap();
    assert!(jpeg.starts_with(&[0xff, 0xd8]) && jpeg.len() > 500, "{} bytes", jpeg.len());
    // ffmpeg would have made them too, and the worker would have said so.
    let said = house.loges.logs(&Tenant::House, 50).await;
    assert!(said.iter().all(|line| !line.contains("made by ffmpeg")), "{said:?}");
    house.close().await;
}

async fn comes_back_after_a_kill(runtime: RuntimeChoice) {
    let Some(house) = House::open(runtime).await else { return };
    house.read(file(b"film.bin", FILM_BYTES), 0, 10).await.unwrap();
    let first = house.loges.view(&tenant()).unwrap().container_id.unwrap();
    let watching = house.loges.range(&tenant(), file(b"film.bin", FILM_BYTES), 0, FILM_BYTES as u64).await.unwrap();
    kill_worker(&house, &first);
    let began = Instant::now();
    let (mut stream, lease) = watching.into_parts();
    let mut got = Vec::new();
    let _ = stream.read_to_end(&mut got).await;
    // How much came before the end is chance; that it is right is not.
    assert!(film().starts_with(&got), "{} wrong bytes", got.len());
    drop((stream, lease));
    eventually("the next range is served", SOON, async || {
        house.read(file(b"film.bin", FILM_BYTES), 5, 100).await.is_ok()
    })
    .await;
    println!("back after {:?}", began.elapsed());
    let view = house.loges.view(&tenant()).unwrap();
    assert_ne!(view.container_id.unwrap(), first);
    assert_eq!(view.restarts, 1);
    house.loges.release(&tenant()).await;
    assert_eq!(house.loges.view(&tenant()), None);
    house.close().await;
}

/// A disk that is mounted below a library folder is part of the library, and as read-only.
async fn a_disk_below_a_folder_is_seen(runtime: RuntimeChoice) {
    let Some(house) = House::open(runtime).await else { return };
    let disk = house.films.join("disk");
    std::fs::create_dir(&disk).unwrap();
    if let Err(e) = rustix::mount::mount("loges-test", &disk, "tmpfs", rustix::mount::MountFlags::empty(), c"mode=0755")
    {
        println!("skipped: no disk can be mounted here ({e})");
        return house.close().await;
    }
    std::fs::write(disk.join("on disk.bin"), b"0123456789").unwrap();
    let outcome = house.read(file(b"disk/on disk.bin", 10), 2, 5).await;
    house.loges.release(&tenant()).await;
    rustix::mount::unmount(&disk, rustix::mount::UnmountFlags::DETACH).unwrap();
    assert_eq!(outcome.unwrap(), b"23456");
    house.close().await;
}

/// Kills from outside, as the kernel's out-of-memory killer would.
fn kill_worker(house: &House, id: &str) {
    let pids: Vec<u32> = match house.loges.runtime().kind {
        RuntimeKind::Process => vec![id.rsplit('-').next().unwrap().parse().unwrap()],
        RuntimeKind::Docker => std::fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|pid: &u32| {
                std::fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|groups| groups.contains(id))
            })
            .collect(),
    };
    assert!(!pids.is_empty());
    for pid in pids {
        let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

async fn a_folder_taken_away_is_gone(runtime: RuntimeChoice) {
    let Some(house) = House::open(runtime).await else { return };
    house.read(file(b"film.bin", FILM_BYTES), 0, 10).await.unwrap();
    house.tenants.set(Ok(LogeSpec { limits: LogeLimits::DEFAULT, mounts: vec![], chip: None, allows_reduced: false }));
    house.loges.remount(&tenant()).await;
    eventually("it refuses the folder", SOON, async || {
        matches!(house.read(file(b"film.bin", FILM_BYTES), 0, 10).await, Err(RangeError::Refused))
    })
    .await;
    let more = LogeLimits { cpu_millis: 800, ..LogeLimits::DEFAULT };
    house.loges.set_limits(&tenant(), more).await.unwrap();
    house.close().await;
}

macro_rules! suite {
    ($name:ident, $choice:expr, $kind:expr) => {
        mod $name {
            use super::*;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn serves_ranges_and_jobs() {
                super::serves_ranges_and_jobs($choice, $kind).await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn serves_many_ranges_at_once() {
                super::serves_many_ranges_at_once($choice).await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn probes_and_pictures_real_films() {
                super::probes_and_pictures_real_films($choice).await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn comes_back_after_a_kill() {
                super::comes_back_after_a_kill($choice).await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_disk_below_a_folder_is_seen() {
                super::a_disk_below_a_folder_is_seen($choice).await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_folder_taken_away_is_gone() {
                super::a_folder_taken_away_is_gone($choice).await;
            }
        }
    };
}

suite!(process, RuntimeChoice::Process, RuntimeKind::Process);
suite!(docker, RuntimeChoice::Docker, RuntimeKind::Docker);
