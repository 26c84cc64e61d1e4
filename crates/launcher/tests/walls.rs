//! The walls, tried from inside by a program that means no good. As root every case also runs as
//! an ordinary user, and once with namespaces refused.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read},
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(20);
const EPERM: i32 = libc::EPERM;
const EACCES: i32 = libc::EACCES;
const ENOENT: i32 = libc::ENOENT;
const EROFS: i32 = libc::EROFS;

/// A folder that every user may enter, with two libraries, a socket and copies of the programs.
struct Site {
    home: tempfile::TempDir,
    listener: UnixListener,
    render_node: Option<String>,
    /// Walls are tried one by one also where a machine cannot build all that must stand.
    allows_reduced: bool,
}

/// Who starts the launcher, and under which circumstances.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Who {
    Me,
    Nobody,
    /// In a user namespace whose administrator allows no further namespaces.
    NoNamespaces,
}

fn everyone() -> Vec<Who> {
    if rustix::process::geteuid().is_root() { vec![Who::Me, Who::Nobody, Who::NoNamespaces] } else { vec![Who::Me] }
}

impl Site {
    fn new(who: Who) -> Self {
        let home = tempfile::tempdir().unwrap();
        let open = |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        open(home.path(), 0o755);
        for folder in ["films", "others", "work"] {
            std::fs::create_dir(home.path().join(folder)).unwrap();
            open(&home.path().join(folder), 0o755);
        }
        for file in ["films/film.mp4", "others/secret.mp4", "outside"] {
            std::fs::write(home.path().join(file), b"0123456789").unwrap();
            open(&home.path().join(file), 0o666);
        }
        let launcher = PathBuf::from(env!("CARGO_BIN_EXE_loge-launch"));
        let inside = launcher.with_file_name("examples").join("inside");
        std::fs::copy(&launcher, home.path().join("loge-launch")).unwrap();
        std::fs::copy(inside, home.path().join("inside")).unwrap();
        let listener = UnixListener::bind(home.path().join("gate.sock")).unwrap();
        open(&home.path().join("gate.sock"), 0o666);
        let _other = UnixListener::bind(home.path().join("other.sock")).unwrap();
        open(&home.path().join("other.sock"), 0o666);
        if who == Who::Nobody {
            std::os::unix::fs::chown(home.path().join("work"), Some(65534), Some(65534)).unwrap();
        }
        Self { home, listener, render_node: None, allows_reduced: true }
    }

    fn path(&self, name: &str) -> String {
        self.home.path().join(name).to_str().unwrap().to_owned()
    }

    #[expect(clippy::disallowed_methods, reason = "the test starts the program it is about")]
    fn command(&self, who: Who, worker: &str, args: &[&str]) -> Command {
        let mut command = match who {
            Who::Me => Command::new(self.path("loge-launch")),
            Who::Nobody => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid=65534", "--regid=65534", "--clear-groups", &self.path("loge-launch")]);
                command
            }
            Who::NoNamespaces => {
                let mut command = Command::new("unshare");
                let script = "for n in user mnt pid net ipc uts; do echo 0 > /proc/sys/user/max_${n}_namespaces; done; exec \"$0\" \"$@\"";
                command.args(["--user", "--map-root-user", "sh", "-c", script, &self.path("loge-launch")]);
                command
            }
        };
        command
            .args(["--socket", &self.path("gate.sock"), "--ro", &self.path("films"), "--work", &self.path("work")])
            .args(["--exec-ro", "/usr/bin/ffprobe", "--exec-ro", "/usr/bin/ffmpeg"])
            .args(["--memory", "134217728", "--cpu-millis", "500", "--pids", "64", "--report-fd", "1"])
            .args(self.render_node.iter().flat_map(|node| ["--render-node", node]))
            .args(self.allows_reduced.then_some("--allow-reduced"))
            .args(["--", worker])
            .args(args)
            .env("LOGE_NONCE", "00")
            .env("SECRET", "canary")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs `inside` with these attempts to its end.
    fn attempt(&self, who: Who, attempts: &[(&str, &str)]) -> (serde_json::Value, HashMap<String, i32>) {
        let args: Vec<&str> = attempts.iter().flat_map(|(action, target)| [*action, *target]).collect();
        let output = self.command(who, &self.path("inside"), &args).output().unwrap();
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{who:?}: {:?} {words}", output.status);
        let report = serde_json::from_slice(&output.stdout).unwrap();
        let verdicts = words.lines().filter_map(|line| {
            let (what, code) = line.rsplit_once(" = ")?;
            Some((what.to_owned(), code.parse().ok()?))
        });
        (report, verdicts.collect())
    }
}

fn reached(report: &serde_json::Value, name: &str) -> bool {
    report["isolation"].as_array().unwrap().iter().any(|item| item["name"] == name && item["reached"] == true)
}

#[test]
fn everything_but_the_loge_is_denied() {
    for who in everyone() {
        let site = Site::new(who);
        let (film, secret, outside) =
            (site.path("films/film.mp4"), site.path("others/secret.mp4"), site.path("outside"));
        let (new, dropped, note) = (site.path("films/new"), site.path("work/program"), site.path("work/note"));
        let (gate, other, abs) = (site.path("gate.sock"), site.path("other.sock"), site.path("others"));
        let me = std::process::id().to_string();
        let gateway_memory = format!("/proc/{me}/environ");
        let denied: &[(&str, &str, &[i32])] = &[
            ("read", &secret, &[EACCES, ENOENT]),
            ("read", &abs, &[EACCES, ENOENT]),
            ("read", &outside, &[EACCES, ENOENT]),
            ("read", "/etc/shadow", &[EACCES, ENOENT]),
            ("read", "/etc/passwd", &[EACCES, ENOENT]),
            ("read", "/root", &[EACCES, ENOENT]),
            ("read", &gateway_memory, &[EACCES, ENOENT]),
            ("read", "/proc/1/environ", &[EACCES, ENOENT]),
            ("read", "/", &[EACCES]),
            ("write", &film, &[EACCES, EROFS]),
            ("truncate", &film, &[EACCES, EROFS]),
            ("remove", &film, &[EACCES, EROFS]),
            ("write", &new, &[EACCES, EROFS]),
            ("write", &outside, &[EACCES, ENOENT, EROFS]),
            ("write", "/usr/lib/x", &[EACCES, EROFS]),
            ("write", "/tmp/loge-launch-test", &[EACCES, ENOENT, EROFS]),
            ("mkdir", "/x", &[EACCES, EROFS]),
            ("drop-and-run", &dropped, &[EACCES]),
            ("run", "/bin/ls", &[EACCES, ENOENT]),
            ("socket", "2", &[EPERM]),
            ("socket", "10", &[EPERM]),
            ("socket", "16", &[EPERM]),
            ("socket", "17", &[EPERM]),
            ("socket", "38", &[EPERM]),
            ("socket", "40", &[EPERM]),
            ("kill", &me, &[EPERM, libc::ESRCH]),
            ("ptrace", "", &[EPERM]),
            ("mount", "", &[EPERM]),
            ("unshare", "", &[EPERM]),
            ("clone-user", "", &[EPERM]),
            ("clone3", "", &[libc::ENOSYS]),
            ("bpf", "", &[EPERM]),
            ("io_uring", "", &[EPERM]),
            ("keyctl", "", &[EPERM]),
            ("perf", "", &[EPERM]),
            ("memfd", "", &[EPERM]),
            ("graphics", "", &[EPERM]),
            ("mknod", "", &[EPERM]),
            ("handle", "", &[EPERM]),
            ("x32", "", &[libc::ENOSYS]),
            ("descriptor", "3", &[libc::EBADF]),
            ("descriptor", "10", &[libc::EBADF]),
            ("memory", "400", &[libc::ENOMEM]),
            ("variable", "SECRET", &[1]),
        ];
        // The control: the same program can do all that a worker has to.
        let allowed: &[(&str, &str)] = &[
            ("read", &film),
            ("read", "/usr/lib"),
            ("write", &note),
            ("remove", &note),
            ("connect", &gate),
            ("socket", "1"),
            ("run", "/usr/bin/ffprobe"),
            ("memory", "50"),
            ("no-new-privs", ""),
            ("seccomp", ""),
            ("capabilities", ""),
            ("env", ""),
            ("variable", "LOGE_NONCE"),
        ];
        let all: Vec<_> = denied.iter().map(|(a, t, _)| (*a, *t)).chain(allowed.iter().copied()).collect();
        let (report, verdicts) = site.attempt(who, &all);
        for (action, target, codes) in denied {
            let code = verdicts[&format!("{action} {target}")];
            assert!(codes.contains(&code), "{who:?}: {action} {target} gave {code}; {report}");
        }
        for (action, target) in allowed {
            assert_eq!(verdicts[&format!("{action} {target}")], 0, "{who:?}: {action} {target}; {report}");
        }
        for wall in ["no_new_privs", "limits", "landlock", "seccomp", "capabilities", "dies_with_server", "signals"] {
            assert!(reached(&report, wall), "{who:?}: {wall} in {report}");
        }
        assert_eq!(std::fs::read(&film).unwrap(), b"0123456789");
        if who == Who::NoNamespaces {
            assert!(!reached(&report, "own_users") && !reached(&report, "view"), "{report}");
        } else if reached(&report, "view") {
            let (_, verdicts) = site.attempt(who, &[("connect", &other), ("pid", ""), ("seen", &site.path("work"))]);
            assert_eq!(verdicts[&format!("connect {other}")], ENOENT, "another loge's socket");
            assert_eq!((verdicts["pid "], verdicts[&format!("seen {}", site.path("work"))]), (1, 0));
        }
    }
}

/// A device file of a graphics chip, whether or not there is one behind it. Making it takes root.
fn render_node(site: &Site) -> Option<String> {
    use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
    let path = site.path("renderD128");
    let mode = Mode::from_raw_mode(0o666);
    mknodat(CWD, &path, FileType::CharacterDevice, mode, makedev(226, 128)).ok()?;
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
    Some(path)
}

#[test]
fn the_graphics_chip_is_reached_only_by_a_loge_that_was_given_it() {
    for who in everyone() {
        let mut site = Site::new(who);
        let Some(node) = render_node(&site) else {
            eprintln!("skipped: this user may not make device files");
            return;
        };
        // What the kernel says where no wall stands in between: mostly that there is no chip.
        let open = std::fs::OpenOptions::new().read(true).write(true).open(&node);
        let plain = open.map_or_else(|error| error.raw_os_error().unwrap(), |_| 0);
        let tries: &[(&str, &str)] = &[("use", &node), ("graphics", ""), ("seems-graphics", ""), ("use", "/dev/zero")];
        let of = |verdicts: &HashMap<String, i32>| {
            [verdicts[&format!("use {node}")], verdicts["graphics "], verdicts["use /dev/zero"]]
        };

        let (report, without) = site.attempt(who, tries);
        let [used, asked, other] = of(&without);
        assert!([EACCES, ENOENT].contains(&used) && [EACCES, ENOENT].contains(&other), "{who:?}: {without:?}");
        assert_eq!(asked, EPERM, "{who:?}");
        assert!(!report.to_string().contains("graphics_chip"), "{report}");

        site.render_node = Some(node.clone());
        let (report, with) = site.attempt(who, tries);
        let [used, asked, other] = of(&with);
        // In a user namespace of others device files do not open at all.
        let expected = if who == Who::NoNamespaces { vec![plain, EACCES] } else { vec![plain] };
        assert!(expected.contains(&used), "{who:?}: {with:?}, outside it is {plain}; {report}");
        assert_eq!(asked, libc::ENOTTY, "{who:?}: the request passes the filter");
        assert!([EACCES, ENOENT].contains(&other), "{who:?}: and no other device opens");
        if reached(&report, "view") {
            assert_eq!((without["seems-graphics "], with["seems-graphics "]), (ENOENT, 0), "{who:?}");
        }
        let item = report["isolation"].as_array().unwrap().iter().find(|item| item["name"] == "graphics_chip");
        assert!(item.is_some_and(|item| item["reached"] == false), "{report}");
        for wall in ["no_new_privs", "limits", "landlock", "seccomp", "capabilities", "signals"] {
            assert!(reached(&report, wall), "{who:?}: {wall} in {report}");
        }
    }
}

#[test]
fn nothing_but_a_render_node_passes_for_one() {
    let mut site = Site::new(Who::Me);
    let link = site.path("renderD129");
    std::os::unix::fs::symlink("/dev/null", &link).unwrap();
    for node in ["/dev/null", "/dev/zero", "/nowhere", &site.path("outside"), &link] {
        site.render_node = Some(node.into());
        let output = site.command(Who::Me, &site.path("inside"), &["pid", ""]).output().unwrap();
        assert_eq!(output.status.code(), Some(64), "{node}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("is no render node"), "{node}");
    }
}

#[test]
fn the_view_and_all_namespaces_stand_here() {
    // Not every kernel allows them; where a plain `unshare` works, so must the launcher.
    #[expect(clippy::disallowed_methods, reason = "asks the machine")]
    let allowed = Command::new("unshare").args(["-Urmpf", "true"]).stderr(Stdio::null()).status();
    if !allowed.is_ok_and(|status| status.success()) {
        eprintln!("skipped: this machine allows no user namespaces");
        return;
    }
    let site = Site::new(Who::Me);
    let (report, _) = site.attempt(Who::Me, &[("pid", "")]);
    for wall in ["own_users", "own_mounts", "own_processes", "own_network", "own_ipc", "view"] {
        assert!(reached(&report, wall), "{wall} in {report}");
    }
}

#[test]
fn groups_are_cleared_away() {
    let site = Site::new(Who::Me);
    let (report, _) = site.attempt(Who::Me, &[("pid", "")]);
    for group in report["cgroups"].as_array().unwrap() {
        assert!(!Path::new(group.as_str().unwrap()).exists(), "{group}");
    }
    if !reached(&report, "cgroup_memory") {
        eprintln!("no control group could be made here: {report}");
        return;
    }
    // Control: while it runs, the group is there and holds it.
    let mut sleeper = Sleeper::start(&site, Who::Me);
    let group = sleeper.report["cgroups"][0].as_str().unwrap().to_owned();
    assert!(!std::fs::read_to_string(format!("{group}/cgroup.procs")).unwrap().is_empty());
    // Half a core, and what was left unused of it may come at once.
    for group in sleeper.report["cgroups"].as_array().unwrap().iter().filter_map(|group| group.as_str()) {
        for file in ["cpu.cfs_quota_us", "cpu.cfs_burst_us", "cpu.max.burst"] {
            if let Ok(value) = std::fs::read_to_string(Path::new(group).join(file)) {
                assert_eq!(value.trim(), "50000", "{group}/{file}");
            }
        }
    }
    sleeper.launcher.kill().unwrap();
    sleeper.launcher.wait().unwrap();
    // The launcher was killed and could not tidy up; the next one does.
    eventually("its processes are gone", || {
        std::fs::read_to_string(format!("{group}/cgroup.procs")).map_or(true, |p| p.is_empty())
    });
    site.attempt(Who::Me, &[("pid", "")]);
    assert!(!Path::new(&group).exists(), "{group}");
}

/// A launcher whose worker sleeps.
struct Sleeper {
    launcher: Child,
    worker: u32,
    report: serde_json::Value,
}

impl Sleeper {
    fn start(site: &Site, who: Who) -> Self {
        let mut launcher = site.command(who, &site.path("inside"), &["sleep"]).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(launcher.stderr.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "sleep  = 0\n", "{who:?}");
        let mut report = String::new();
        launcher.stdout.take().unwrap().read_to_string(&mut report).unwrap();
        let worker = children_of(launcher.id());
        assert_eq!(worker.len(), 1, "{who:?}");
        Self { launcher, worker: worker[0], report: serde_json::from_str(&report).unwrap() }
    }
    fn is_running(&self) -> bool {
        is_running(self.worker)
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let launcher = rustix::process::Pid::from_child(&self.launcher);
        if let Ok(None) = self.launcher.try_wait() {
            let _ = rustix::process::kill_process(launcher, rustix::process::Signal::TERM);
            let _ = self.launcher.wait();
        }
        // A launcher that was killed could not tidy up; the kernel refuses while anyone is inside.
        for group in self.report["cgroups"].as_array().unwrap() {
            let until = Instant::now() + PATIENCE;
            let group = Path::new(group.as_str().unwrap());
            while group.exists() && std::fs::remove_dir(group).is_err() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }
}

fn stat(pid: u32) -> Option<(char, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut rest = stat.rsplit(") ").next()?.split(' ');
    Some((rest.next()?.chars().next()?, rest.next()?.parse().ok()?))
}

fn is_running(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != 'Z')
}

fn children_of(parent: u32) -> Vec<u32> {
    let all = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|e| e.file_name().to_str()?.parse().ok());
    all.filter(|pid| stat(*pid).is_some_and(|(_, p)| p == parent)).collect()
}

fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < until, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn the_worker_dies_with_the_launcher_and_the_launcher_with_the_worker() {
    for who in everyone() {
        let site = Site::new(who);
        for _ in 0..5 {
            let mut sleeper = Sleeper::start(&site, who);
            assert!(sleeper.is_running());
            sleeper.launcher.kill().unwrap();
            sleeper.launcher.wait().unwrap();
            let began = Instant::now();
            eventually("the worker is gone", || !sleeper.is_running());
            assert!(began.elapsed() < Duration::from_secs(1), "{who:?}");
        }
        let mut sleeper = Sleeper::start(&site, who);
        let worker = rustix::process::Pid::from_raw(i32::try_from(sleeper.worker).unwrap()).unwrap();
        rustix::process::kill_process(worker, rustix::process::Signal::KILL).unwrap();
        assert_eq!(sleeper.launcher.wait().unwrap().code(), Some(137));
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test needs a parent that can be killed")]
fn the_whole_loge_dies_with_the_server() {
    let site = Site::new(Who::Me);
    let launch = site.command(Who::Me, &site.path("inside"), &["sleep"]);
    // A shell in the server's place.
    let mut server = Command::new("sh")
        .args(["-c", "\"$0\" \"$@\" & wait"])
        .arg(launch.get_program())
        .args(launch.get_args())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "sleep  = 0\n");
    let launcher = children_of(server.id())[0];
    let worker = children_of(launcher)[0];
    assert!(is_running(launcher) && is_running(worker));
    server.kill().unwrap();
    server.wait().unwrap();
    let began = Instant::now();
    eventually("launcher and worker are gone", || !is_running(launcher) && !is_running(worker));
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[test]
fn a_request_to_end_leaves_nothing() {
    let site = Site::new(Who::Me);
    let mut sleeper = Sleeper::start(&site, Who::Me);
    let launcher = rustix::process::Pid::from_child(&sleeper.launcher);
    rustix::process::kill_process(launcher, rustix::process::Signal::TERM).unwrap();
    sleeper.launcher.wait().unwrap();
    assert!(!is_running(sleeper.worker));
    for group in sleeper.report["cgroups"].as_array().unwrap() {
        assert!(!Path::new(group.as_str().unwrap()).exists(), "{group}");
    }
}

/// Returns how it ends: its exit code, its report, and whether the worker ran.
fn outcome(mut command: Command) -> (Option<i32>, serde_json::Value, bool) {
    let output = command.env("LOGE_NONCE", "00").output().unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.code(), report, String::from_utf8_lossy(&output.stderr).contains("read "))
}

#[test]
fn without_a_wall_that_must_stand_there_is_no_worker() {
    let mut site = Site::new(Who::Me);
    let without = Path::new(env!("CARGO_BIN_EXE_loge-launch")).with_file_name("examples").join("without-landlock");
    for reduced in [false, true] {
        site.allows_reduced = reduced;
        let launch = site.command(Who::Me, &site.path("inside"), &["read", &site.path("others")]);
        #[expect(clippy::disallowed_methods, reason = "the test starts the program it is about")]
        let mut command = Command::new(&without);
        command.arg(launch.get_program()).args(launch.get_args());
        let (code, report, ran) = outcome(command);
        assert!(!reached(&report, "landlock") && reached(&report, "seccomp"), "{report}");
        let fatal = report["fatal"].as_str().unwrap_or_default();
        assert_eq!((code, fatal.contains("landlock"), ran), (Some(if reduced { 0 } else { 78 }), !reduced, reduced));
    }
}

#[test]
fn f1_without_a_limit_of_memory_and_processes_there_is_no_worker_either() {
    for who in everyone() {
        let mut site = Site::new(who);
        for reduced in [false, true] {
            site.allows_reduced = reduced;
            let launch = site.command(who, &site.path("inside"), &["read", &site.path("others")]);
            #[expect(clippy::disallowed_methods, reason = "the test starts the program it is about")]
            let mut command = Command::new(launch.get_program());
            // Before the worker's own arguments, which begin behind two dashes.
            for argument in launch.get_args() {
                if argument == "--socket" {
                    command.args(["--cgroup-root", "none"]);
                }
                command.arg(argument);
            }
            let (code, report, ran) = outcome(command);
            assert!(!reached(&report, "cgroup_memory"), "{report}");
            // Where users are the loge's own the kernel counts its processes, except those of root.
            let counted = who == Who::Nobody && reached(&report, "own_users");
            assert_eq!(reached(&report, "processes"), counted, "{who:?}: {report}");
            let fatal = report["fatal"].as_str().unwrap_or_default();
            let expected = if reduced { (Some(0), false, true) } else { (Some(78), true, false) };
            assert_eq!((code, fatal.contains("cgroup_memory"), ran), expected, "{who:?}: {report}");
        }
    }
}

#[test]
fn a_library_that_is_away_does_not_cost_the_view() {
    let site = Site::new(Who::Me);
    std::fs::remove_dir_all(site.path("films")).unwrap();
    let (report, verdicts) =
        site.attempt(Who::Me, &[("read", &site.path("films")), ("connect", &site.path("gate.sock"))]);
    assert_ne!(verdicts[&format!("read {}", site.path("films"))], 0);
    assert_eq!(verdicts[&format!("connect {}", site.path("gate.sock"))], 0);
    assert_eq!(reached(&report, "view"), reached(&report, "own_mounts"), "{report}");
}

#[test]
fn bad_command_lines_and_missing_workers_say_so() {
    let site = Site::new(Who::Me);
    #[expect(clippy::disallowed_methods, reason = "the test starts the program it is about")]
    let output = Command::new(env!("CARGO_BIN_EXE_loge-launch")).arg("--what").output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    let output = site.command(Who::Me, &site.path("none"), &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(126));
    assert!(String::from_utf8_lossy(&output.stderr).contains("No such file"));
}

#[test]
fn how_long_the_walls_take() {
    let site = Site::new(Who::Me);
    let mut all: Vec<Duration> = (0..15)
        .map(|_| {
            let began = Instant::now();
            let mut launcher =
                site.command(Who::Me, &site.path("inside"), &["connect", &site.path("gate.sock")]).spawn().unwrap();
            site.listener.accept().unwrap();
            let took = began.elapsed();
            launcher.wait().unwrap();
            took
        })
        .collect();
    all.sort();
    eprintln!("from start to the worker's connection: median {:?}, slowest {:?}", all[7], all[14]);
    // A person waits for this; the figure itself belongs to the machine.
    assert!(all[7] < Duration::from_secs(2), "{all:?}");
}
