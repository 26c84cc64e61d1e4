//! Owns all state of the shell. Events come in through one channel as a closed enum; effects
//! go out through [`Desktop`] and [`House`]. Knows no Tauri type, so that every rule here is
//! tested without a display.

use crate::failure::{FailureView, PageAction};
use crate::house::{House, Level, StartFailure, StartWish, Starter, Status};
use crate::integration::{Desktop, HandOver, Screen, Tray};
use crate::navigation;
use crate::tray::icon::icon;
use crate::tray::menu::{Action, View, menu};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

/// The server drains for at most ten seconds by itself and then ends what is left; this is
/// the last resort if even that hangs.
const STOP_PATIENCE: Duration = Duration::from_secs(20);
/// Quitting while the server is still coming up waits this long for it to be stoppable.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// A busy database must not keep the window on the start page; without a ticket the owner
/// signs in by password.
const TICKET_PATIENCE: Duration = Duration::from_secs(5);

pub enum Event {
    Started(Result<Arc<dyn House>, StartFailure>),
    Menu(Action),
    Page(PageAction),
    CloseRequested,
    SecondLaunch,
    /// SIGTERM, SIGINT.
    Terminate,
    PickFolder(oneshot::Sender<Result<Option<String>, String>>),
    CopyText(String),
    GetAutostart(oneshot::Sender<Result<bool, String>>),
    SetAutostart {
        enabled: bool,
        reply: oneshot::Sender<Result<(), String>>,
    },
    /// The folder dialog closed.
    PickerDone,
}

/// The way in. Events are rare and made by a person, so the queue has no bound and sending
/// never blocks the main thread.
#[derive(Clone)]
pub struct Events(mpsc::UnboundedSender<Event>);

impl Events {
    pub fn channel() -> (Self, mpsc::UnboundedReceiver<Event>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    /// After the controller has ended there is nothing left to do with an event.
    pub fn send(&self, event: Event) {
        let _ = self.0.send(event);
    }
}

enum Stage {
    Starting,
    Open { house: Arc<dyn House>, status: watch::Receiver<Status> },
    Failed,
}

/// Whether the loop goes on.
enum Flow {
    Continue,
    Quit,
}

pub struct Controller {
    desktop: Arc<dyn Desktop>,
    starter: Arc<dyn Starter>,
    events: Events,
    inbox: mpsc::UnboundedReceiver<Event>,
    stage: Stage,
    tray: Option<Tray>,
    announce: Announce,
    window_shown: bool,
    picking: bool,
    last_level: Level,
    stop_patience: Duration,
}

/// Says a line where a terminal or a script can read it: the headless server's lines.
pub type Announce = Box<dyn Fn(&str) + Send>;

impl Controller {
    pub fn new(
        desktop: Arc<dyn Desktop>,
        starter: Arc<dyn Starter>,
        (events, inbox): (Events, mpsc::UnboundedReceiver<Event>),
        announce: Announce,
        window_shown: bool,
    ) -> Self {
        Self {
            desktop,
            starter,
            events,
            inbox,
            stage: Stage::Starting,
            tray: None,
            announce,
            window_shown,
            picking: false,
            last_level: Level::Good,
            stop_patience: STOP_PATIENCE,
        }
    }

    /// Runs until the person quits, then stops the server and asks the desktop to exit.
    pub async fn run(mut self) {
        self.start(StartWish::default());
        loop {
            self.refresh();
            let flow = tokio::select! {
                event = self.inbox.recv() => match event {
                    Some(event) => self.on_event(event).await,
                    None => Flow::Quit,
                },
                alive = status_changed(&mut self.stage) => {
                    if !alive {
                        self.fail(FailureView::stopped());
                    }
                    Flow::Continue
                }
            };
            if matches!(flow, Flow::Quit) {
                break;
            }
        }
        let code = self.quit().await;
        self.desktop.exit(code);
    }

    async fn on_event(&mut self, event: Event) -> Flow {
        match event {
            Event::Started(outcome) => self.on_started(outcome).await,
            Event::Menu(Action::Quit) | Event::Terminate => return Flow::Quit,
            Event::Menu(Action::OpenDashboard) | Event::SecondLaunch => self.raise(),
            Event::Menu(Action::CopyAddress) => self.copy_address(),
            Event::Menu(Action::TogglePause) => self.toggle_pause(),
            Event::Menu(Action::StopStreams) => self.stop_streams(),
            Event::Page(action) => return self.on_page(action),
            Event::CloseRequested => return self.on_close().await,
            Event::PickFolder(reply) => self.pick_folder(reply),
            Event::PickerDone => self.picking = false,
            Event::CopyText(text) => self.desktop.copy_text(text),
            // A closed reply means that the page went away before the answer.
            Event::GetAutostart(reply) => drop(reply.send(self.desktop.autostart())),
            Event::SetAutostart { enabled, reply } => drop(reply.send(self.desktop.set_autostart(enabled))),
        }
        Flow::Continue
    }

    fn start(&mut self, wish: StartWish) {
        self.stage = Stage::Starting;
        let (starter, events) = (self.starter.clone(), self.events.clone());
        tokio::spawn(async move { events.send(Event::Started(starter.start(wish).await)) });
    }

    async fn on_started(&mut self, outcome: Result<Arc<dyn House>, StartFailure>) {
        match outcome {
            Ok(house) => {
                (self.announce)(&format!("listening on {}", navigation::origin(house.address())));
                for url in house.lan_urls() {
                    (self.announce)(&format!("in your network: {url}"));
                }
                if let Some(code) = house.setup_code() {
                    (self.announce)(&format!("setup code: {code}"));
                }
                let hand_over = hand_over(house.as_ref()).await;
                tracing::info!(address = %house.address(), attached = house.attached(), "the house is open");
                self.desktop.show(&Screen::House { address: house.address(), hand_over });
                self.last_level = Level::Good;
                self.stage = Stage::Open { status: house.status(), house };
            }
            Err(failure) => {
                tracing::warn!(?failure, "the server did not start");
                let free = match &failure {
                    StartFailure::AddressInUse { address, .. } => self.starter.next_free(*address),
                    StartFailure::AlreadyRunning { .. } | StartFailure::Gone { .. } | StartFailure::Refused { .. } => {
                        None
                    }
                };
                self.fail(FailureView::of(&failure, free));
            }
        }
    }

    /// A failure is never hidden: it comes to the front.
    fn fail(&mut self, view: FailureView) {
        self.stage = Stage::Failed;
        self.desktop.show(&Screen::Failure(view));
        self.raise();
    }

    fn on_page(&mut self, action: PageAction) -> Flow {
        // A link followed twice, or left over from before: the page is already gone.
        if !matches!(self.stage, Stage::Failed) {
            return Flow::Continue;
        }
        let wish = match action {
            PageAction::Quit => return Flow::Quit,
            PageAction::Retry => StartWish::default(),
            PageAction::UsePort(port) => StartWish { port: Some(port), anew: false },
            PageAction::StartAnew => StartWish { port: None, anew: true },
        };
        self.desktop.show(&Screen::Starting);
        self.start(wish);
        Flow::Continue
    }

    /// Closing keeps the house open for those who watch: the window goes to the tray, or,
    /// where there is none to come back from, to the task bar. With nothing running behind
    /// it, closing is quitting.
    async fn on_close(&mut self) -> Flow {
        if matches!(self.stage, Stage::Failed) {
            return Flow::Quit;
        }
        if self.desktop.tray_host().await {
            self.desktop.hide();
        } else {
            self.desktop.minimise();
        }
        self.window_shown = false;
        Flow::Continue
    }

    fn raise(&mut self) {
        self.desktop.raise();
        self.window_shown = true;
    }

    fn copy_address(&self) {
        if let Stage::Open { house, .. } = &self.stage
            && let Some(url) = house.lan_urls().into_iter().next()
        {
            self.desktop.copy_text(url);
        }
    }

    fn toggle_pause(&self) {
        if let Stage::Open { house, status } = &self.stage {
            let paused = status.borrow().jobs_paused;
            house.pause_jobs(!paused);
        }
    }

    fn stop_streams(&self) {
        if let Stage::Open { house, .. } = &self.stage {
            let house = house.clone();
            tokio::spawn(async move { house.stop_all_streams().await });
        }
    }

    fn pick_folder(&mut self, reply: oneshot::Sender<Result<Option<String>, String>>) {
        if self.picking {
            let _ = reply.send(Err("The folder window is already open.".to_owned()));
            return;
        }
        self.picking = true;
        let picked = self.desktop.pick_folder();
        let events = self.events.clone();
        tokio::spawn(async move {
            let answer = match picked.await.ok().flatten().map(|path| path.into_os_string().into_string()) {
                None => Ok(None),
                Some(Ok(path)) => Ok(Some(path)),
                Some(Err(name)) => Err(format!(
                    "The name of this folder is not valid text ({}). Rename it, then choose it again.",
                    name.to_string_lossy()
                )),
            };
            events.send(Event::PickerDone);
            let _ = reply.send(answer);
        });
    }

    /// Brings tray and notifications in line with the state, if anything changed.
    fn refresh(&mut self) {
        let tray = match &self.stage {
            Stage::Starting => tray(&View::Starting),
            Stage::Failed => tray(&View::Failed),
            Stage::Open { house, status } => {
                let status = status.borrow().clone();
                if status.level == Level::Trouble && self.last_level != Level::Trouble && !self.window_shown {
                    self.desktop.notify("Loge needs you", &status.sentence);
                }
                self.last_level = status.level;
                let lan_urls = house.lan_urls();
                let lan_url = lan_urls.first().map(String::as_str);
                tray(&View::Open { status: &status, lan_url, attached: house.attached() })
            }
        };
        self.set_tray(tray);
    }

    fn set_tray(&mut self, tray: Tray) {
        if self.tray.as_ref() != Some(&tray) {
            self.desktop.set_tray(&tray);
            self.tray = Some(tray);
        }
    }

    /// Stops the server and returns the exit code. Tauri never drops what it manages, so
    /// nothing stops by itself.
    async fn quit(&mut self) -> i32 {
        self.set_tray(tray(&View::Stopping));
        self.desktop.hide();
        let house = match std::mem::replace(&mut self.stage, Stage::Failed) {
            Stage::Open { house, .. } => Some(house),
            Stage::Failed => None,
            Stage::Starting => match timeout(START_PATIENCE, started(&mut self.inbox)).await {
                Ok(house) => house,
                Err(_) => {
                    tracing::error!("the server was still starting; leaving it behind");
                    return 1;
                }
            },
        };
        let Some(house) = house else { return 0 };
        match timeout(self.stop_patience, house.stop()).await {
            Ok(true) => 0,
            Ok(false) => 1,
            Err(_) => {
                tracing::error!("the server did not stop in time");
                1
            }
        }
    }
}

fn tray(view: &View<'_>) -> Tray {
    Tray { icon: icon(view), menu: menu(view) }
}

/// Resolves when there is something new to show, with `false` when the server is gone.
async fn status_changed(stage: &mut Stage) -> bool {
    match stage {
        Stage::Open { status, .. } => status.changed().await.is_ok(),
        Stage::Starting | Stage::Failed => std::future::pending().await,
    }
}

async fn started(inbox: &mut mpsc::UnboundedReceiver<Event>) -> Option<Arc<dyn House>> {
    while let Some(event) = inbox.recv().await {
        if let Event::Started(outcome) = event {
            return outcome.ok();
        }
    }
    None
}

async fn hand_over(house: &dyn House) -> HandOver {
    if let Some(code) = house.setup_code() {
        return HandOver::SetupCode(code);
    }
    match timeout(TICKET_PATIENCE, house.desktop_ticket()).await {
        Ok(Some(ticket)) => HandOver::Ticket(ticket),
        Ok(None) | Err(_) => HandOver::Nothing,
    }
}

#[cfg(test)]
mod tests;
