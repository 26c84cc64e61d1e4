//! A runtime whose loges are scripted workers in this process. For misbehaviour that real
//! engines and real workers do not show on demand.

use crate::{
    faults::Faults,
    worker::{Films, Manner, ScriptedWorker},
};
use async_trait::async_trait;
use domain::{InstallId, LogeLimits, RuntimeKind, Tenant};
use loges::{
    IsolationItem, RuntimeChoice, RuntimeInfo, Usage,
    link::PeerRule,
    plan::Found,
    runtime::{CpuTime, Exit, News, Running, Runtime, RuntimeError, StartSpec},
};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    task::AbortHandle,
    time::Instant,
};

/// What the next start does.
#[derive(Debug, Clone, Copy)]
pub enum Start {
    /// A worker of this manner.
    Worker(Manner),
    /// The engine is away.
    EngineAway,
    /// The engine answers, and says no.
    Refused,
    /// The engine never answers.
    Hangs,
}

#[derive(Default)]
struct State {
    script: VecDeque<Start>,
    living: HashMap<String, Living>,
    /// Every start, also the failed ones.
    starts: Vec<StartSpec>,
    left_over: Vec<Found>,
    cleared: Vec<String>,
    limits: Vec<(String, LogeLimits)>,
    news: Vec<mpsc::Sender<News>>,
    /// Thousandths of a core that loges would use if they could.
    appetites: HashMap<Tenant, u32>,
    has_no_live_limits: bool,
    walls: Vec<IsolationItem>,
}

struct Living {
    found: Found,
    abort: AbortHandle,
    exit: watch::Receiver<Option<Exit>>,
    tenant: Tenant,
    cpu_millis: u32,
    cpu: CpuTime,
    read: Instant,
}

impl Living {
    /// Counts up to now, as if the appetite had been the same since the last time.
    fn eat(&mut self, appetite: u32) {
        let passed = self.read.elapsed();
        self.read += passed;
        self.cpu.at += passed;
        self.cpu.used += passed * appetite.min(self.cpu_millis) / 1000;
        let slices = u64::try_from(passed.as_millis()).unwrap_or(0) / 10;
        self.cpu.slices += slices;
        if appetite > self.cpu_millis {
            self.cpu.held_back += slices;
        }
    }
}

pub struct FakeRuntime {
    films: Films,
    otherwise: Start,
    state: Mutex<State>,
    faults: Faults,
}

impl FakeRuntime {
    /// Starts follow the script of [`FakeRuntime::next`], and `otherwise` once it is used up.
    pub fn new(films: Films, otherwise: Start) -> Self {
        Self { films, otherwise, state: Mutex::default(), faults: Faults::none() }
    }

    /// Every verb may go wrong as `faults` say.
    pub fn with_faults(self, faults: Faults) -> Self {
        Self { faults, ..self }
    }
    /// From now on every verb does what it should.
    pub fn heal(&self) {
        self.faults.end();
    }
    /// Says that the engine came back.
    pub fn comes_back(&self) {
        for news in &self.state().news {
            let _ = news.try_send(News::Back);
        }
    }

    pub fn next(&self, start: Start) {
        self.state().script.push_back(start);
    }
    /// Something that an earlier run, or somebody else, left on the engine.
    pub fn leave(&self, found: Found) {
        self.state().left_over.push(found);
    }
    pub fn starts(&self) -> Vec<StartSpec> {
        self.state().starts.clone()
    }
    pub fn living(&self) -> Vec<String> {
        self.state().living.keys().cloned().collect()
    }
    /// The tenant of everything that is there, living or left over; a twin is in here twice.
    pub fn tenants(&self) -> Vec<String> {
        let state = self.state();
        let found = state.living.values().map(|l| &l.found).chain(&state.left_over);
        let mut tenants: Vec<String> = found.map(|found| found.tenant.clone()).collect();
        tenants.sort();
        tenants
    }
    /// Ids of everything that was removed.
    pub fn cleared(&self) -> Vec<String> {
        self.state().cleared.clone()
    }
    pub fn limits(&self) -> Vec<(String, LogeLimits)> {
        self.state().limits.clone()
    }
    /// What a tenant's loges would use from now on, in thousandths of a core.
    pub fn hunger(&self, tenant: &Tenant, cpu_millis: u32) {
        let mut state = self.state();
        let before = state.appetites.insert(tenant.clone(), cpu_millis).unwrap_or(0);
        for living in state.living.values_mut().filter(|living| living.tenant == *tenant) {
            living.eat(before);
        }
    }
    /// From now on it is one that cannot change what runs.
    pub fn freeze_limits(&self) {
        self.state().has_no_live_limits = true;
    }
    /// From now on it speaks of these walls, and says whether they stand.
    pub fn build(&self, walls: &[(&str, bool)]) {
        let item = |(name, reached): &(&str, bool)| IsolationItem {
            name: (*name).into(),
            reached: *reached,
            detail: "as scripted".into(),
        };
        self.state().walls = walls.iter().map(item).collect();
    }
    /// Ends a worker as if somebody had killed it.
    pub fn kill(&self, id: &str) {
        if let Some(living) = self.state().living.get(id) {
            living.abort.abort();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Runtime for FakeRuntime {
    fn kind(&self) -> RuntimeKind {
        RuntimeKind::Process
    }
    fn info(&self) -> RuntimeInfo {
        RuntimeInfo {
            kind: RuntimeKind::Process,
            wanted: RuntimeChoice::Auto,
            version: None,
            detail: "scripted workers".into(),
            isolation: self.state().walls.clone(),
            advice: None,
        }
    }
    fn has_live_limits(&self) -> bool {
        !self.state().has_no_live_limits
    }

    async fn start(&self, spec: StartSpec) -> Result<Running, RuntimeError> {
        let fault = self.faults.next();
        fault.before("start").await?;
        let start = {
            let mut state = self.state();
            state.starts.push(spec.clone());
            state.script.pop_front().unwrap_or(self.otherwise)
        };
        let manner = match start {
            Start::Worker(manner) => manner,
            Start::Refused => return Err(crate::faults::refused("start", 500)),
            Start::EngineAway => return Err(RuntimeError::EngineAway { detail: "as scripted".into() }),
            Start::Hangs => return std::future::pending().await,
        };
        self.info().permit(spec.allows_reduced)?;
        spec.peer.set(PeerRule::default());
        let id = format!("fake-{}-{}", spec.tenant, spec.generation);
        let worker = ScriptedWorker { socket: spec.socket, nonce: spec.nonce, manner, films: self.films.clone() };
        let task = tokio::spawn(worker.run());
        let abort = task.abort_handle();
        let (ended, exit) = watch::channel(None);
        tokio::spawn(async move {
            let code = task.await.ok();
            ended.send_replace(Some(Exit { code, out_of_memory: false }));
        });
        let found = Found {
            id: id.clone(),
            tenant: spec.tenant.to_string(),
            generation: spec.generation,
            spec_hash: spec.spec_hash,
        };
        let cpu = CpuTime { used: Duration::ZERO, at: Duration::ZERO, slices: 0, held_back: 0 };
        let (tenant, cpu_millis, read) = (spec.tenant, spec.limits.cpu_millis, Instant::now());
        self.state().living.insert(id.clone(), Living { found, abort, exit, tenant, cpu_millis, cpu, read });
        fault.after("start").await?;
        Ok(Running { id, image: "scripted".into() })
    }

    async fn stop(&self, id: &str, grace: Duration) -> Result<(), RuntimeError> {
        let fault = self.faults.next();
        fault.before("stop").await?;
        let Some((abort, mut exit)) = self.state().living.get(id).map(|l| (l.abort.clone(), l.exit.clone())) else {
            return Ok(());
        };
        if tokio::time::timeout(grace, exit.wait_for(Option::is_some)).await.is_err() {
            abort.abort();
        }
        let _ = exit.wait_for(Option::is_some).await;
        fault.after("stop").await
    }

    async fn remove(&self, id: &str) -> Result<(), RuntimeError> {
        let fault = self.faults.next();
        fault.before("remove").await?;
        {
            let mut state = self.state();
            if let Some(living) = state.living.remove(id) {
                living.abort.abort();
            }
            state.left_over.retain(|found| found.id != id);
            state.cleared.push(id.to_owned());
        }
        fault.after("remove").await
    }

    async fn update_limits(&self, id: &str, limits: LogeLimits) -> Result<(), RuntimeError> {
        let mut state = self.state();
        state.limits.push((id.to_owned(), limits));
        let State { living, appetites, .. } = &mut *state;
        if let Some(living) = living.get_mut(id) {
            living.eat(appetites.get(&living.tenant).copied().unwrap_or(0));
            living.cpu_millis = limits.cpu_millis;
        }
        Ok(())
    }
    async fn usage(&self, id: &str) -> Option<Usage> {
        let state = self.state();
        let living = state.living.get(id)?;
        let appetite = state.appetites.get(&living.tenant).copied().unwrap_or(10);
        Some(Usage {
            cpu_percent: f64::from(appetite.min(living.cpu_millis)) / 10.0,
            memory_bytes: 1 << 20,
            pids: 1,
            throttled_percent: (appetite > living.cpu_millis).then_some(90.0),
        })
    }
    async fn cpu_time(&self, id: &str) -> Option<CpuTime> {
        let mut state = self.state();
        let State { living, appetites, .. } = &mut *state;
        let living = living.get_mut(id)?;
        living.eat(appetites.get(&living.tenant).copied().unwrap_or(0));
        Some(living.cpu)
    }
    async fn logs(&self, _: &str, _: usize) -> Result<Vec<String>, RuntimeError> {
        Ok(vec!["scripted words".into()])
    }
    async fn list_ours(&self, _: &InstallId) -> Result<Vec<Found>, RuntimeError> {
        let fault = self.faults.next();
        fault.before("list").await?;
        let found = {
            let state = self.state();
            state.left_over.iter().cloned().chain(state.living.values().map(|l| l.found.clone())).collect()
        };
        fault.after("list").await?;
        Ok(found)
    }
    async fn tell_news(&self, _: &InstallId, news: &mpsc::Sender<News>) {
        self.state().news.push(news.clone());
        std::future::pending().await
    }

    async fn exited(&self, id: &str) -> Exit {
        let exit = self.state().living.get(id).map(|l| l.exit.clone());
        let gone = Exit { code: None, out_of_memory: false };
        match exit {
            Some(mut exit) => exit.wait_for(Option::is_some).await.ok().and_then(|e| e.clone()).unwrap_or(gone),
            None => gone,
        }
    }
}
