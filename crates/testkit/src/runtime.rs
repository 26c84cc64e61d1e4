//! A runtime whose loges are scripted workers in this process. For misbehaviour that real
//! engines and real workers do not show on demand.

use crate::{
    faults::Faults,
    worker::{Films, Manner, ScriptedWorker},
};
use async_trait::async_trait;
use domain::{InstallId, LogeLimits, RuntimeKind};
use loges::{
    RuntimeChoice, RuntimeInfo, Usage,
    link::PeerRule,
    plan::Found,
    runtime::{Exit, News, Running, Runtime, RuntimeError, StartSpec},
};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    task::AbortHandle,
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
}

struct Living {
    found: Found,
    abort: AbortHandle,
    exit: watch::Receiver<Option<Exit>>,
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
            isolation: Vec::new(),
            advice: None,
        }
    }
    fn has_live_limits(&self) -> bool {
        true
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
        self.state().living.insert(id.clone(), Living { found, abort, exit });
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
        self.state().limits.push((id.to_owned(), limits));
        Ok(())
    }
    async fn usage(&self, id: &str) -> Option<Usage> {
        self.state().living.get(id).map(|_| Usage {
            cpu_percent: 1.0,
            memory_bytes: 1 << 20,
            pids: 1,
            throttled_percent: None,
        })
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
