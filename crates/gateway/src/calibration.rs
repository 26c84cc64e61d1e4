//! Measuring the machine, one at a time and only while nobody watches. What comes back from the
//! worker is checked before it is kept, and holds from the next play on.

use crate::{chip::ChipFailures, rooms::LogeRoom, streams::Streams, timeline::live_rung};
use base::Clock;
use contract::{ChipTest, Job, measure};
use domain::{
    Code, Failure, Tenant,
    capacity::{Capacity, MEASURED_LINES, TONE_MAP_LINES},
    chip::{Chip, ChipRung, ChipVerdict},
};
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use store::Store;
use tracing::{info, warn};
use vitals::Vitals;

/// A machine that needs longer is not fit for live encodes.
const TIME: Duration = Duration::from_secs(45);
/// On top, where the graphics chip is tested too.
const CHIP_TIME: Duration = Duration::from_secs(45);
/// How often it looks whether somebody came to watch.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Handle on the one who measures; cloning is cheap.
#[derive(Clone)]
pub struct Calibration(Arc<Inner>);

struct Inner {
    store: Store,
    loges: Arc<dyn LogeRoom>,
    streams: Streams,
    vitals: Vitals,
    clock: Arc<dyn Clock>,
    chip_failures: ChipFailures,
    /// Folder of the machine's render nodes.
    render_nodes: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: bool,
    /// Why the last one came to nothing.
    problem: Option<Failure>,
}

/// The right to measure, given back when dropped.
pub struct Turn(Calibration);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.state().running = false;
    }
}

impl Calibration {
    pub(crate) fn new(
        store: Store,
        loges: Arc<dyn LogeRoom>,
        streams: Streams,
        vitals: Vitals,
        clock: Arc<dyn Clock>,
        chip_failures: ChipFailures,
        render_nodes: PathBuf,
    ) -> Self {
        let state = Mutex::default();
        Self(Arc::new(Inner { store, loges, streams, vitals, clock, chip_failures, render_nodes, state }))
    }

    pub fn is_running(&self) -> bool {
        self.state().running
    }

    /// Why the last one came to nothing; `None` when it did not.
    pub fn problem(&self) -> Option<Failure> {
        self.state().problem.clone()
    }

    /// # Errors
    /// `somebody_watches`, or `conflict` when it is being measured already.
    pub fn turn(&self) -> Result<Turn, Failure> {
        if self.0.streams.viewers() > 0 {
            return Err(Failure::of(Code::SomebodyWatches));
        }
        let mut state = self.state();
        if state.running {
            return Err(Failure::new(Code::Conflict, "This machine is being measured already."));
        }
        state.running = true;
        Ok(Turn(self.clone()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Measures, and keeps what was found. Takes up to a minute; whoever begins to watch ends it.
    ///
    /// # Errors
    /// What kept it from coming to its end; what was measured before stays as it is.
    pub async fn measure(self) -> Result<Capacity, Failure> {
        let Self(Calibration(inner)) = &self;
        let measured = tokio::select! {
            measured = inner.measure() => measured,
            () = inner.somebody_watches() => Err(Failure::of(Code::SomebodyWatches)),
        };
        match &measured {
            Ok(found) => info!("this machine was measured: {found:?}"),
            Err(failure) => warn!("this machine could not be measured: {}", failure.message),
        }
        self.0.state().problem = measured.as_ref().err().cloned();
        measured
    }
}

impl Inner {
    async fn measure(&self) -> Result<Capacity, Failure> {
        let stored = |e: store::StoreError| {
            warn!(error = &e as &dyn std::error::Error, "a calibration cannot use the database: {e}");
            Failure::of(Code::StorageFailed)
        };
        let read = self.store.largest_file().await.map_err(stored)?.map(|file| crate::timeline::file_ref(&file));
        let plain = MEASURED_LINES.map(|lines| live_rung(lines, false));
        let rungs = [plain.as_slice(), &[live_rung(TONE_MAP_LINES, true)]].concat();
        let count = rungs.len();
        let with_chip = self.store.settings().await.map_err(stored)?.hardware_encoding;
        if with_chip && loges::chip::find(&self.render_nodes).is_some() {
            self.with_chip().await?;
        }
        let time = if with_chip { TIME + CHIP_TIME } else { TIME };
        let job = Job::Calibrate { rungs, read, chip: with_chip };
        let began = Instant::now();
        let bytes = self.loges.job(&Tenant::House, job, measure::MAX_BYTES, time).await.map_err(|failure| {
            // Its film is its own: no file of the house is to blame.
            match failure.code {
                Code::FileBroken => {
                    Failure::new(Code::LogeBroke, "The media programs could not make a film to measure with.")
                }
                Code::LogeBroke if began.elapsed() >= time => Failure::new(
                    Code::LogeBroke,
                    "This machine was too busy to be measured. Try again when it has less to do.",
                ),
                _ => failure,
            }
        })?;
        let nonsense = || Failure::new(Code::LogeBroke, "What the worker measured makes no sense.");
        let measured = measure::decode(&bytes, count).map_err(|_| nonsense())?;
        let of = |lines: u32| MEASURED_LINES.iter().position(|l| *l == lines).and_then(|n| measured.encode_us[n]);
        let encode = MEASURED_LINES.iter().filter_map(|lines| Some((*lines, seconds(of(*lines)?))));
        let tone_map = measured.encode_us[count - 1].zip(of(TONE_MAP_LINES));
        let found = Capacity {
            measured_at_ms: self.clock.now().0,
            cores: std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX)),
            decode_cost: seconds(measured.decode_us),
            encode: encode.collect(),
            // Not above noise is little, but not nothing.
            tone_map_cost: tone_map.map(|(with, without)| seconds(with.saturating_sub(without).max(1000))),
            remux_cost: seconds(measured.remux_us),
            disk_bytes_per_s: measured.read_bytes_per_s,
            memory_bytes: self.vitals.now().map_or(0, |sample| sample.memory.total_bytes),
            chip: verdict(measured.chip, with_chip).ok_or_else(nonsense)?,
        };
        let found = found.checked().ok_or_else(nonsense)?;
        self.store.set_capacity(&found).await.map_err(stored)?;
        self.chip_failures.forget();
        Ok(found)
    }

    /// A house loge from before the owner switched the chip on is made anew: nothing else could
    /// test it. What it does begins again.
    async fn with_chip(&self) -> Result<(), Failure> {
        self.loges.ensure(&Tenant::House).await?;
        let house = self.loges.list().into_iter().find(|loge| loge.tenant == Tenant::House);
        if house.is_some_and(|loge| !loge.has_chip) {
            self.loges.restart(&Tenant::House).await?;
        }
        Ok(())
    }

    async fn somebody_watches(&self) {
        while self.streams.viewers() == 0 {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// `None` for an answer that does not fit what was asked.
fn verdict(test: Option<ChipTest>, asked: bool) -> Option<ChipVerdict> {
    Some(match test {
        None if asked => return None,
        None => ChipVerdict::Untested,
        Some(_) if !asked => return None,
        Some(ChipTest::Failed(problem)) => ChipVerdict::Failed(problem),
        Some(ChipTest::Works { driver, rungs }) => {
            let rungs = MEASURED_LINES.iter().zip(rungs).filter_map(|(lines, cost)| {
                let cost = cost?;
                Some(ChipRung {
                    lines: *lines,
                    upload_cost: cost.upload_us.map(seconds),
                    whole_cost: cost.whole_us.map(seconds),
                    fps: f64::from(cost.fps),
                })
            });
            ChipVerdict::Works(Chip { driver, rungs: rungs.collect() })
        }
    })
}

fn seconds(us: u32) -> f64 {
    f64::from(us) / 1e6
}
