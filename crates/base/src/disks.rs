//! Looking at disks that may not answer.
//!
//! A call into a disk that hangs (a network share whose server is gone, a dying drive) cannot be
//! taken back: its thread stays in the kernel until the disk answers. So every look at a folder
//! that is not our own goes through here. Each folder has one look, one walk and one watch at a
//! time, each on a thread of its own; while one of them is overdue, the answer is "it does not answer" at
//! once and no second thread is risked. The runtime's threads wait no longer than they are told,
//! and the end of the process waits for no disk.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

/// No more threads than this hang at the same time, however many folders are asked for.
const MOST_OVERDUE: usize = 64;
const STACK_BYTES: usize = 512 << 10;
/// How soon a waiter notices that its caller no longer wants the answer.
const SLICE: Duration = Duration::from_millis(200);

/// Why a look has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LookError {
    /// The disk did not answer in time, or an earlier look at it is still out.
    #[error("the disk does not answer")]
    Hanging,
    /// The machine gave no thread, or the look itself broke.
    #[error("the look could not be made")]
    Broke,
}

/// The one owner of threads that look at foreign disks; cloning gives another handle.
#[derive(Clone, Default)]
pub struct Disks(Arc<Mutex<HashMap<Lane, Arc<Turns>>>>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Lane {
    folder: PathBuf,
    purpose: Purpose,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Purpose {
    Look,
    Walk,
    Watch,
}

/// Who looks now; the next one is told when it is over.
#[derive(Default)]
struct Turns {
    out: Mutex<Option<Arc<Out>>>,
    over: Condvar,
}

/// One look that has not come back.
struct Out {
    since: Instant,
    is_overdue: AtomicBool,
    beats: AtomicU64,
    is_given_up: AtomicBool,
}

impl Default for Out {
    fn default() -> Self {
        Self {
            since: Instant::now(),
            is_overdue: AtomicBool::new(false),
            beats: AtomicU64::new(0),
            is_given_up: AtomicBool::new(false),
        }
    }
}

/// How a long look reports that it goes on; the default one has no listener.
#[derive(Default)]
pub struct Pulse(Arc<Out>);

impl Pulse {
    /// Says that the disk answered once more. Returns whether a caller still waits for the end.
    pub fn beat(&self) -> bool {
        self.0.beats.fetch_add(1, Ordering::Relaxed);
        !self.0.is_given_up.load(Ordering::Relaxed)
    }
}

/// Returns the owner for this process: a disk that hangs does so for all of it.
pub fn disks() -> &'static Disks {
    static ALL: LazyLock<Disks> = LazyLock::new(Disks::default);
    &ALL
}

impl Disks {
    /// Takes a short look at a folder, and waits for it no longer than `within`.
    ///
    /// # Errors
    /// [`LookError::Hanging`] at once while an earlier look at this folder is overdue.
    pub async fn look<T: Send + 'static>(
        &self,
        folder: &Path,
        within: Duration,
        look: impl FnOnce(&Path) -> T + Send + 'static,
    ) -> Result<T, LookError> {
        let (all, folder) = (self.clone(), folder.to_path_buf());
        let waiting = tokio::task::spawn_blocking(move || all.look_blocking(&folder, within, look));
        waiting.await.unwrap_or(Err(LookError::Broke))
    }

    /// As [`Disks::look`], for a thread that may wait.
    ///
    /// # Errors
    /// As [`Disks::look`].
    pub fn look_blocking<T: Send + 'static>(
        &self,
        folder: &Path,
        within: Duration,
        look: impl FnOnce(&Path) -> T + Send + 'static,
    ) -> Result<T, LookError> {
        let lane = Lane { folder: folder.to_path_buf(), purpose: Purpose::Look };
        self.run(lane, within, &Arc::default(), move |folder, _| look(folder))
    }

    /// Takes a long look, which may go on for as long as it beats at least once in `stall`.
    /// Dropping the future tells it, by its pulse, to end.
    ///
    /// # Errors
    /// As [`Disks::look`].
    pub async fn walk<T: Send + 'static>(
        &self,
        folder: &Path,
        stall: Duration,
        walk: impl FnOnce(&Path, &Pulse) -> T + Send + 'static,
    ) -> Result<T, LookError> {
        let lane = Lane { folder: folder.to_path_buf(), purpose: Purpose::Walk };
        let (all, out) = (self.clone(), Arc::<Out>::default());
        let _leaving = Leaving(out.clone());
        let waiting = tokio::task::spawn_blocking(move || all.run(lane, stall, &out, walk));
        waiting.await.unwrap_or(Err(LookError::Broke))
    }

    /// Sets up something that tells of changes, which may take long in a large folder and holds
    /// up neither looks nor walks.
    ///
    /// # Errors
    /// As [`Disks::look`].
    pub async fn watch<T: Send + 'static>(
        &self,
        folder: &Path,
        within: Duration,
        watch: impl FnOnce(&Path) -> T + Send + 'static,
    ) -> Result<T, LookError> {
        let lane = Lane { folder: folder.to_path_buf(), purpose: Purpose::Watch };
        let all = self.clone();
        let waiting =
            tokio::task::spawn_blocking(move || all.run(lane, within, &Arc::default(), move |folder, _| watch(folder)));
        waiting.await.unwrap_or(Err(LookError::Broke))
    }

    /// Returns whether a look or a walk of this folder is overdue.
    pub fn is_hanging(&self, folder: &Path) -> bool {
        let is_it = |lane: &Lane| lane.folder == folder && lane.purpose != Purpose::Watch;
        self.lanes().iter().any(|(lane, turns)| is_it(lane) && turns.is_overdue())
    }

    /// Returns how many looks are overdue, each of which holds one thread.
    pub fn overdue(&self) -> usize {
        overdue(&self.lanes())
    }

    fn lanes(&self) -> MutexGuard<'_, HashMap<Lane, Arc<Turns>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run<T: Send + 'static>(
        &self,
        lane: Lane,
        patience: Duration,
        out: &Arc<Out>,
        look: impl FnOnce(&Path, &Pulse) -> T + Send + 'static,
    ) -> Result<T, LookError> {
        let folder = lane.folder.clone();
        let turns = self.turns(lane)?;
        let turn = turns.take(out, patience)?;
        let told = spawn(folder, turn, out.clone(), look)?;
        let (mut since, mut seen) = (Instant::now(), 0);
        loop {
            match told.recv_timeout(patience.saturating_sub(since.elapsed()).min(SLICE)) {
                Ok(answer) => return Ok(answer),
                Err(mpsc::RecvTimeoutError::Disconnected) => return Err(LookError::Broke),
                Err(mpsc::RecvTimeoutError::Timeout) if out.is_given_up.load(Ordering::Relaxed) => {
                    return Err(LookError::Broke);
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
            let beats = out.beats.load(Ordering::Relaxed);
            if beats != seen {
                (since, seen) = (Instant::now(), beats);
            } else if since.elapsed() >= patience {
                out.is_overdue.store(true, Ordering::Relaxed);
                return Err(LookError::Hanging);
            }
        }
    }

    fn turns(&self, lane: Lane) -> Result<Arc<Turns>, LookError> {
        let mut lanes = self.lanes();
        // Every waiter and every look holds a share of its lane.
        lanes.retain(|_, turns| Arc::strong_count(turns) > 1);
        if let Some(turns) = lanes.get(&lane) {
            return if turns.is_overdue() { Err(LookError::Hanging) } else { Ok(turns.clone()) };
        }
        if overdue(&lanes) >= MOST_OVERDUE {
            return Err(LookError::Hanging);
        }
        let turns = Arc::<Turns>::default();
        lanes.insert(lane, turns.clone());
        Ok(turns)
    }
}

fn overdue(lanes: &HashMap<Lane, Arc<Turns>>) -> usize {
    lanes.values().filter(|turns| turns.is_overdue()).count()
}

impl Turns {
    fn out(&self) -> MutexGuard<'_, Option<Arc<Out>>> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_overdue(&self) -> bool {
        self.out().as_ref().is_some_and(|out| out.is_overdue.load(Ordering::Relaxed))
    }

    /// Waits for the turn. An earlier look that is out for longer than this one may wait is overdue;
    /// one that began meanwhile is not, since many short looks are no hanging disk.
    fn take(self: &Arc<Self>, mine: &Arc<Out>, patience: Duration) -> Result<Turn, LookError> {
        let waited = self.over.wait_timeout_while(self.out(), patience, |out| out.is_some());
        let (mut out, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if let Some(earlier) = out.as_ref() {
            if earlier.since.elapsed() >= patience && earlier.beats.load(Ordering::Relaxed) == 0 {
                earlier.is_overdue.store(true, Ordering::Relaxed);
            }
            return Err(LookError::Hanging);
        }
        *out = Some(mine.clone());
        drop(out);
        Ok(Turn(self.clone()))
    }
}

/// The right to look, given back even when the look panics.
struct Turn(Arc<Turns>);

impl Drop for Turn {
    fn drop(&mut self) {
        *self.0.out() = None;
        self.0.over.notify_one();
    }
}

/// Tells the look that its caller has left.
struct Leaving(Arc<Out>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.is_given_up.store(true, Ordering::Relaxed);
    }
}

fn spawn<T: Send + 'static>(
    folder: PathBuf,
    turn: Turn,
    out: Arc<Out>,
    look: impl FnOnce(&Path, &Pulse) -> T + Send + 'static,
) -> Result<mpsc::Receiver<T>, LookError> {
    let (tell, told) = mpsc::channel();
    let work = move || {
        let answer = look(&folder, &Pulse(out));
        drop(turn);
        // The caller may have left.
        let _ = tell.send(answer);
    };
    let thread = std::thread::Builder::new().name("disk".into()).stack_size(STACK_BYTES).spawn(work);
    thread.map(|_| told).map_err(|_| LookError::Broke)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(60);

    /// Returns a disk that hangs until the sender is dropped.
    fn hang() -> (mpsc::Sender<()>, impl FnOnce() + Send + 'static) {
        let (hold, held) = mpsc::channel::<()>();
        (hold, move || assert!(held.recv().is_err(), "only the end is told"))
    }

    fn here() -> PathBuf {
        PathBuf::from("/somewhere")
    }

    #[tokio::test]
    async fn a_disk_that_hangs_costs_one_thread_however_often_it_is_asked() {
        let disks = Disks::default();
        let (hold, wait) = hang();
        let first = disks.look(&here(), SOON, move |_| wait()).await;
        assert_eq!(first, Err(LookError::Hanging));
        for _ in 0..600 {
            let again = disks.look(&here(), LONG, |_| panic!("a second thread was risked")).await;
            assert_eq!(again, Err(LookError::Hanging));
        }
        assert!(disks.is_hanging(&here()) && disks.overdue() == 1);
        assert_eq!(disks.look(Path::new("/elsewhere"), LONG, |_| 7).await, Ok(7), "another disk is no worse for it");
        drop(hold);
        // The control: the same question is answered once the disk is.
        while disks.is_hanging(&here()) {
            tokio::task::yield_now().await;
        }
        assert_eq!(disks.look(&here(), LONG, |path| path.to_path_buf()).await, Ok(here()));
    }

    /// A look that comes while many short ones go by gets no turn, and nothing is said of the disk.
    #[tokio::test]
    async fn a_look_that_has_just_begun_is_not_overdue() {
        let turns = Arc::new(Turns::default());
        let _first = turns.take(&Arc::default(), LONG).unwrap();
        let waiting = std::thread::spawn({
            let turns = turns.clone();
            move || turns.take(&Arc::default(), SOON * 10).map(drop)
        });
        // Another look takes the turn while that one waits.
        std::thread::sleep(SOON * 5);
        *turns.out() = Some(Arc::default());
        assert_eq!(waiting.join().unwrap(), Err(LookError::Hanging));
        assert!(!turns.is_overdue());
        assert_eq!(turns.take(&Arc::default(), SOON * 5).map(drop), Err(LookError::Hanging));
        assert!(turns.is_overdue(), "control: it is out for as long as the next one waits");
    }

    #[tokio::test(start_paused = true)]
    async fn looks_wait_for_each_other_and_a_turned_clock_makes_none_late() {
        let disks = Disks::default();
        let (hold, wait) = hang();
        let first = tokio::spawn({
            let disks = disks.clone();
            async move { disks.look(&here(), LONG, move |_| wait()).await }
        });
        tokio::task::yield_now().await;
        let here = here();
        let second = disks.look(&here, LONG, |_| 2);
        drop(hold);
        assert_eq!(second.await, Ok(2));
        assert_eq!(first.await.unwrap(), Ok(()));
    }

    #[tokio::test]
    async fn a_walk_that_stalls_is_given_up_and_one_that_nobody_waits_for_ends() {
        let disks = Disks::default();
        let (hold, wait) = hang();
        let stalled = disks
            .walk(&here(), SOON, move |_, pulse| {
                pulse.beat();
                wait();
            })
            .await;
        assert_eq!(stalled, Err(LookError::Hanging));
        assert_eq!(disks.overdue(), 1);
        assert_eq!(disks.look(&here(), LONG, |_| 7).await, Ok(7), "a short look is tried even so");
        drop(hold);

        let (tell, told) = mpsc::channel();
        let endless = disks.walk(Path::new("/endless"), LONG, move |_, pulse| {
            while pulse.beat() {
                std::thread::yield_now();
            }
            tell.send(()).unwrap();
        });
        drop(tokio::time::timeout(SOON, endless).await);
        assert!(told.recv().is_ok(), "the walk knows that nobody waits");
    }
}
