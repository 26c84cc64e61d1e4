//! The process is killed, or the disk refuses, before every single step; what is there afterwards is
//! one house or the other.

use super::*;
use crate::{About, Backup, DatabaseKind, HouseKey, Inputs, KeyWish, Kind, StageOrder, write};
use std::{
    collections::BTreeMap,
    os::unix::{fs::PermissionsExt, process::ExitStatusExt},
    process::{Command, ExitStatus},
};

const NOW: &str = "2026-12-01T03:30:00Z";
const CARRY: [&str; 2] = ["backups", "posters"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    House,
    EmptyFolder,
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Earlier,
    Restored,
    Neither,
}

struct Scene {
    dir: tempfile::TempDir,
    place: Place,
    before: Before,
}

impl Scene {
    fn new(place: Place, before: Before) -> Self {
        let scene = Self { dir: tempfile::tempdir().unwrap(), place, before };
        let root = scene.dir.path();
        fs::write(root.join("copy.db"), b"restored database").unwrap();
        fs::write(root.join("copy.toml"), b"restored settings").unwrap();
        let about = About {
            program_version: "1.0.0".into(),
            made_at: NOW.parse().unwrap(),
            kind: Kind::ByHand,
            database: DatabaseKind::Sqlite,
            schema: vec![],
            counts: BTreeMap::new(),
        };
        let inputs = Inputs {
            database: root.join("copy.db"),
            config: Some(root.join("copy.toml")),
            key: Some(HouseKey::plain(b"restored key".to_vec())),
            ..Inputs::default()
        };
        write(&scene.backup(), &about, &inputs).unwrap();
        if before != Before::Nothing {
            fs::create_dir_all(scene.data()).unwrap();
        }
        if before == Before::House {
            for (name, text) in earlier() {
                let path = scene.data().join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
        }
        scene
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("house/loge")
    }
    fn backup(&self) -> PathBuf {
        self.dir.path().join("b.loge-backup")
    }

    fn restore(&self, steps: Steps<'_>) -> Result<SwappedIn, SwapInError> {
        fs::create_dir_all(self.data().parent().unwrap()).unwrap();
        let data_dir = &self.data();
        let order = StageOrder { data_dir, now: NOW.parse().unwrap(), key: KeyWish::Take(None), carry: &CARRY };
        let staged = Backup::open(&self.backup()).unwrap().stage_at(&order, Some(self.place)).unwrap();
        arrange(&staged);
        swap_in_by(&staged, steps)
    }

    /// Runs a verb in a process of its own, which is killed before step `cut`.
    fn in_child(&self, verb: &str, cut: usize) -> ExitStatus {
        #[expect(clippy::disallowed_methods, reason = "a process that can be killed")]
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "swap::tests::child", "--quiet"]).env("LOGE_CUT", cut.to_string());
        child.env("LOGE_VERB", verb).env("LOGE_PLACE", format!("{:?}", self.place)).env("LOGE_SCENE", self.dir.path());
        let status = child.output().unwrap().status;
        assert!(status.success() || status.signal() == Some(9), "{status}");
        status
    }

    /// Which house is in the data folder. What is of the folder or of a restore is left out.
    fn which(&self) -> Which {
        let found = files(&self.data());
        let is_nothing_there = match self.before {
            Before::House => found == earlier(),
            Before::EmptyFolder => self.data().exists() && found.is_empty(),
            Before::Nothing => found.is_empty(),
        };
        match is_nothing_there {
            true => Which::Earlier,
            false if found == self.restored() => Which::Restored,
            false => Which::Neither,
        }
    }

    /// The restored house with what it keeps of the earlier one.
    fn restored(&self) -> BTreeMap<String, String> {
        let mut files: BTreeMap<_, _> =
            [("loge.db", "restored database"), ("loge.toml", "restored settings"), ("keys/house", "restored key")]
                .map(|(name, text)| (name.to_owned(), text.to_owned()))
                .into();
        if self.before == Before::House {
            files.extend(earlier().into_iter().filter(|(name, _)| is_carried(name)));
        }
        files
    }

    fn aside(&self) -> PathBuf {
        let ms = NOW.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        match self.place {
            Place::Beside => self.data().with_file_name(format!("loge.before-restore-{ms}")),
            Place::Within => self.data().join(format!("before-restore-{ms}")),
        }
    }

    /// Nothing of the restore is left, and the earlier house is where it should be.
    fn assert_tidy(&self, what: &str) {
        let which = self.which();
        assert_ne!(which, Which::Neither, "{what}: {:?}", files(&self.data()));
        let is_ours = |name: &str| name.starts_with('.');
        for folder in [self.data(), self.data().parent().unwrap().into()] {
            let names = inside(&folder).unwrap_or_default();
            assert!(!names.iter().any(|(name, _)| is_ours(name.to_str().unwrap())), "{what}: {names:?}");
        }
        if which == Which::Restored && self.before == Before::House {
            let mut all = files(&self.aside());
            all.extend(files(&self.data()).into_iter().filter(|(name, _)| is_carried(name)));
            assert_eq!(all, earlier(), "{what}: the earlier house is whole");
        }
    }
}

/// Puts the entries where a house has them.
fn arrange(staged: &Staged) {
    let folder = staged.folder();
    fs::create_dir(folder.join("keys")).unwrap();
    fs::rename(folder.join("house.key"), folder.join("keys/house")).unwrap();
    fs::rename(folder.join("database"), folder.join("loge.db")).unwrap();
}

fn is_carried(name: &str) -> bool {
    CARRY.iter().any(|carried| name.starts_with(carried))
}

fn earlier() -> BTreeMap<String, String> {
    ["loge.db", "loge.db-wal", "loge.toml", "keys/house", "posters/ab/1.jpg", "backups/pre-m1.db", "notes of the owner"]
        .map(|name| (name.to_owned(), format!("earlier {name}")))
        .into()
}

/// Every file below a folder with its text, without what is of the folder and not of the house.
fn files(folder: &Path) -> BTreeMap<String, String> {
    fn add(folder: &Path, prefix: &str, found: &mut BTreeMap<String, String>) {
        for (name, path) in inside(folder).unwrap_or_default() {
            let name = format!("{prefix}{}", name.to_str().unwrap());
            if name == MARKER
                || name == "loge.lock"
                || name.starts_with("before-restore-")
                || name.starts_with(".restor")
            {
                continue;
            }
            if path.is_dir() {
                add(&path, &format!("{name}/"), found);
            } else {
                found.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    add(folder, "", &mut found);
    found
}

/// Kills this process before step `cut`.
fn killing(cut: usize) -> impl FnMut(&'static str) -> io::Result<()> {
    let mut step = 0;
    move |_| {
        if step == cut {
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)?;
        }
        step += 1;
        Ok(())
    }
}

/// Not a test by itself: what the others run to kill it.
#[test]
fn child() {
    let Ok(verb) = std::env::var("LOGE_VERB") else { return };
    let place = if std::env::var("LOGE_PLACE").unwrap() == "Beside" { Place::Beside } else { Place::Within };
    let cut = std::env::var("LOGE_CUT").unwrap().parse().unwrap();
    let root = PathBuf::from(std::env::var("LOGE_SCENE").unwrap());
    // What lies there is the parent's.
    let data = root.join("house/loge");
    match verb.as_str() {
        "restore" => {
            let order =
                StageOrder { data_dir: &data, now: NOW.parse().unwrap(), key: KeyWish::Take(None), carry: &CARRY };
            let staged = Backup::open(&root.join("b.loge-backup")).unwrap().stage_at(&order, Some(place)).unwrap();
            arrange(&staged);
            swap_in_by(&staged, &mut killing(cut)).unwrap();
        }
        "finish" => drop(settle(&real_path(&data).unwrap(), &mut killing(cut)).unwrap()),
        other => panic!("{other}"),
    }
}

const EVERY: [(Place, Before); 6] = [
    (Place::Beside, Before::House),
    (Place::Beside, Before::EmptyFolder),
    (Place::Beside, Before::Nothing),
    (Place::Within, Before::House),
    (Place::Within, Before::EmptyFolder),
    (Place::Within, Before::Nothing),
];

#[test]
fn a_restore_that_nothing_disturbs_is_whole() {
    for (place, before) in EVERY {
        let scene = Scene::new(place, before);
        let done = scene.restore(&mut |_| Ok(())).unwrap();
        assert_eq!(scene.which(), Which::Restored, "{place:?} {before:?}");
        assert_eq!(done.aside, (before == Before::House).then(|| scene.aside()), "{place:?} {before:?}");
        scene.assert_tidy("undisturbed");
        assert_eq!(finish_or_forget(&scene.data()).unwrap(), Left::Nothing, "nothing is left to do");
    }
}

/// The control of all tests below: a mix is seen as one.
#[test]
fn a_mixed_house_is_neither() {
    let scene = Scene::new(Place::Beside, Before::House);
    assert_eq!(scene.which(), Which::Earlier);
    fs::write(scene.data().join("loge.toml"), b"restored settings").unwrap();
    assert_eq!(scene.which(), Which::Neither);
    fs::remove_file(scene.data().join("loge.toml")).unwrap();
    assert_eq!(scene.which(), Which::Neither);
}

#[test]
fn a_kill_before_any_step_leaves_one_house_or_the_other() {
    for (place, before) in EVERY {
        let mut seen = Vec::new();
        for cut in 0.. {
            let scene = Scene::new(place, before);
            fs::create_dir_all(scene.data().parent().unwrap()).unwrap();
            let is_whole = scene.in_child("restore", cut).success();
            let what = format!("{place:?} {before:?}, killed before step {cut}");
            if cut % 2 == 1 {
                // A server that starts makes these before it does anything else.
                for name in ["keys", "posters", "logs"] {
                    let _ = fs::create_dir_all(scene.data().join(name));
                }
            }
            if place == Place::Beside {
                // Beside, every moment is one or the other, whoever looks; what is kept may follow.
                let mut found = files(&scene.data());
                let mut restored = scene.restored();
                found.retain(|name, _| !is_carried(name));
                restored.retain(|name, _| !is_carried(name));
                assert!(scene.which() != Which::Neither || found == restored, "{what}: {found:?}");
            }
            finish_or_forget(&scene.data()).unwrap();
            scene.assert_tidy(&what);
            assert_eq!(finish_or_forget(&scene.data()).unwrap(), Left::Nothing, "{what}");
            seen.push(scene.which());
            if is_whole {
                break;
            }
            assert!(cut < 100, "the steps end");
        }
        // First the earlier one, from one step on the restored one, and never back.
        let earlier = seen.iter().take_while(|which| **which == Which::Earlier).count();
        assert_eq!(earlier, 2, "{place:?} {before:?}: {seen:?}");
        assert!(seen.len() > 3 && seen[earlier..].iter().all(|which| *which == Which::Restored), "{seen:?}");
    }
}

#[test]
fn a_second_kill_while_the_first_is_cleared_up_changes_nothing() {
    for place in [Place::Beside, Place::Within] {
        let mut killed_twice = 0;
        for cut in (0..100).step_by(2) {
            let mut is_whole = false;
            for again in 0.. {
                let scene = Scene::new(place, Before::House);
                is_whole = scene.in_child("restore", cut).success();
                let is_finished = scene.in_child("finish", again).success();
                finish_or_forget(&scene.data()).unwrap();
                let what = format!("{place:?}, killed before step {cut} and again before step {again}");
                scene.assert_tidy(&what);
                assert_eq!(scene.which(), if cut < 2 { Which::Earlier } else { Which::Restored }, "{what}");
                killed_twice += usize::from(!is_finished);
                if is_finished {
                    break;
                }
                assert!(again < 100, "the steps end");
            }
            if is_whole {
                break;
            }
        }
        assert!(killed_twice > 5, "the control: {place:?} was killed {killed_twice} times");
    }
}

#[test]
fn a_disk_that_refuses_a_step_is_told_and_the_next_start_goes_on() {
    for (place, before) in EVERY {
        for cut in 0.. {
            let scene = Scene::new(place, before);
            let mut step = 0;
            let done = scene.restore(&mut |_| {
                step += 1;
                if step == cut + 1 { Err(io::ErrorKind::Other.into()) } else { Ok(()) }
            });
            let expected = match &done {
                Err(SwapInError::Swap(_)) => Which::Earlier,
                Err(SwapInError::ClearUp(_)) | Ok(_) => Which::Restored,
                Err(SwapInError::Look(e)) => panic!("{e}"),
            };
            finish_or_forget(&scene.data()).unwrap();
            assert_eq!(scene.which(), expected, "{place:?} {before:?} step {cut}: {done:?}");
            scene.assert_tidy(&format!("{place:?} {before:?} step {cut}"));
            if done.is_ok() {
                break;
            }
        }
    }
}

#[test]
fn everything_is_on_the_disk_before_the_place_is_taken() {
    let scene = Scene::new(Place::Beside, Before::House);
    let mut steps = Vec::new();
    scene
        .restore(&mut |step| {
            steps.push(step);
            Ok(())
        })
        .unwrap();
    assert_eq!(
        steps,
        [
            "sync what was unpacked",
            "take the place",
            "set the earlier house aside",
            "carry something over",
            "carry something over",
            "remove the marker"
        ]
    );
}

#[test]
fn what_is_not_ours_is_never_deleted() {
    let scene = Scene::new(Place::Beside, Before::House);
    let foreign = scene.data().with_file_name(".loge.restoring");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("mine"), b"precious").unwrap();
    fs::create_dir(scene.data().join(".restoring")).unwrap();
    fs::write(scene.data().join(".restoring/mine"), b"precious").unwrap();
    assert_eq!(finish_or_forget(&scene.data()).unwrap(), Left::Nothing);
    assert_eq!(fs::read(foreign.join("mine")).unwrap(), b"precious");
    assert_eq!(fs::read(scene.data().join(".restoring/mine")).unwrap(), b"precious");
    // The control: with our marker it goes.
    fs::write(foreign.join(MARKER), b"{}").unwrap();
    assert_eq!(finish_or_forget(&scene.data()).unwrap(), Left::Forgotten);
    assert!(!foreign.exists());
}

#[test]
fn a_linked_data_folder_keeps_its_link_and_its_mode() {
    let scene = Scene::new(Place::Beside, Before::House);
    let link = scene.dir.path().join("link");
    std::os::unix::fs::symlink(scene.data(), &link).unwrap();
    fs::set_permissions(scene.data(), fs::Permissions::from_mode(0o750)).unwrap();
    let order = StageOrder { data_dir: &link, now: NOW.parse().unwrap(), key: KeyWish::Take(None), carry: &CARRY };
    let staged = Backup::open(&scene.backup()).unwrap().stage(&order).unwrap();
    assert_eq!(staged.place(), Place::Beside);
    arrange(&staged);
    swap_in(staged).unwrap();
    assert_eq!(scene.which(), Which::Restored);
    assert_eq!(fs::read_link(&link).unwrap(), scene.data());
    scene.assert_tidy("through a link");
    assert_eq!(fs::metadata(scene.data()).unwrap().permissions().mode() & 0o777, 0o750);
}

#[test]
fn the_lock_stays_with_a_folder_that_is_restored_within() {
    let scene = Scene::new(Place::Within, Before::House);
    fs::write(scene.data().join("loge.lock"), b"127.0.0.1:8096").unwrap();
    scene.restore(&mut |_| Ok(())).unwrap();
    assert_eq!(scene.which(), Which::Restored);
    assert_eq!(fs::read(scene.data().join("loge.lock")).unwrap(), b"127.0.0.1:8096");
}
