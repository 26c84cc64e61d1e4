//! A copy of a machine whose kernel files behave: lists mark what is chosen, twins push each other
//! to 0, values are rounded or refused. And whose power can be cut.

use loge_tuning::{Live, Machine};
use std::{
    cell::{Cell, RefCell},
    fs, io,
    path::{Path, PathBuf},
};

#[derive(Debug)]
pub struct Kernel {
    files: Live,
    root: PathBuf,
    /// Steps that are still done before the power goes.
    left: Cell<Option<usize>>,
    is_dead: Cell<bool>,
    /// The one step that fails.
    fails: Cell<Option<usize>>,
    taken: Cell<usize>,
    /// (file, what the kernel makes of every value; none refuses it)
    odd: RefCell<Vec<(String, Option<String>)>>,
}

const TWINS: &[(&str, &str)] = &[
    ("/proc/sys/vm/dirty_bytes", "/proc/sys/vm/dirty_ratio"),
    ("/proc/sys/vm/dirty_background_bytes", "/proc/sys/vm/dirty_background_ratio"),
];

impl Kernel {
    pub fn of(root: &Path) -> Self {
        Self {
            files: Live::below(root),
            root: root.into(),
            left: Cell::new(None),
            is_dead: Cell::new(false),
            fails: Cell::new(None),
            taken: Cell::new(0),
            odd: RefCell::default(),
        }
    }

    /// Cuts the power after so many steps. Nothing is done from then on.
    pub fn cut_after(root: &Path, steps: usize) -> Self {
        let kernel = Self::of(root);
        kernel.left.set(Some(steps));
        kernel
    }

    /// Makes one file of the kernel take its own value instead of every other one, or none at all.
    pub fn makes(self, path: &str, value: Option<&str>) -> Self {
        self.odd.borrow_mut().push((path.into(), value.map(Into::into)));
        self
    }

    /// Lets one step fail, after so many others, and those behind it go well.
    pub fn fail_after(root: &Path, steps: usize) -> Self {
        let kernel = Self::of(root);
        kernel.fails.set(Some(steps));
        kernel
    }

    /// Whether a step met the cut.
    pub fn was_cut(&self) -> bool {
        self.is_dead.get()
    }

    pub fn steps(&self) -> usize {
        self.taken.get()
    }

    fn step(&self) -> io::Result<()> {
        match self.left.get() {
            Some(0) => {
                self.is_dead.set(true);
                return Err(io::Error::other("the power is cut"));
            }
            Some(left) => self.left.set(Some(left - 1)),
            None => {}
        }
        self.taken.set(self.taken.get() + 1);
        if self.fails.get() == Some(self.taken.get() - 1) {
            return Err(io::Error::from_raw_os_error(5));
        }
        Ok(())
    }

    fn write(&self, path: &str, value: &str) -> io::Result<()> {
        let odd = self.odd.borrow().iter().find(|(odd, _)| odd == path).map(|(_, value)| value.clone());
        let value = match odd {
            Some(None) => return Err(io::Error::from_raw_os_error(22)),
            Some(Some(rounded)) => rounded,
            None => value.to_owned(),
        };
        let offered = self.files.read(path)?;
        if !offered.contains('[') {
            return self.files.set(path, &value);
        }
        let words: Vec<&str> = offered.split_whitespace().map(|word| word.trim_matches(['[', ']'])).collect();
        if !words.contains(&value.as_str()) {
            return Err(io::Error::from_raw_os_error(22));
        }
        let marked = |word: &str| if word == value { format!("[{word}]") } else { word.to_owned() };
        self.files.set(path, &words.into_iter().map(marked).collect::<Vec<_>>().join(" "))
    }

    fn twin(path: &str) -> Option<&'static str> {
        let other = |(bytes, share): &(&'static str, &'static str)| match path {
            _ if path == *bytes => Some(*share),
            _ if path == *share => Some(*bytes),
            _ => None,
        };
        TWINS.iter().find_map(other)
    }
}

impl Machine for Kernel {
    fn may_change(&self) -> bool {
        true
    }

    fn names(&self, folder: &str) -> Vec<String> {
        self.files.names(folder)
    }

    fn is_there(&self, path: &str) -> bool {
        self.files.is_there(path)
    }

    fn read(&self, path: &str) -> io::Result<String> {
        self.files.read(path)
    }

    fn target(&self, path: &str) -> io::Result<String> {
        self.files.target(path)
    }

    fn set(&self, path: &str, value: &str) -> io::Result<()> {
        self.step()?;
        if TWINS.iter().any(|(bytes, _)| *bytes == path) && value == "0" {
            return Err(io::Error::from_raw_os_error(22));
        }
        self.write(path, value)?;
        Self::twin(path).map_or(Ok(()), |twin| self.files.set(twin, "0"))
    }

    fn stage(&self, path: &str, text: &str) -> io::Result<()> {
        let was_alive = !self.is_dead.get();
        self.step().inspect_err(|_| {
            // Cut while it writes: half a file is there.
            if was_alive {
                let half = self.root.join(format!("{}.new", path.trim_start_matches('/')));
                fs::write(half, &text.as_bytes()[..text.len() / 2]).expect("half a file");
            }
        })?;
        self.files.stage(path, text)
    }

    fn settle(&self, path: &str) -> io::Result<()> {
        self.step()?;
        self.files.settle(path)
    }

    fn link(&self, path: &str, target: &str) -> io::Result<()> {
        self.step()?;
        self.files.link(path, target)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.step()?;
        self.files.remove(path)
    }

    fn make_folder(&self, path: &str) -> io::Result<()> {
        self.step()?;
        self.files.make_folder(path)
    }

    fn remove_folder(&self, path: &str) -> io::Result<()> {
        self.step()?;
        self.files.remove_folder(path)
    }
}
