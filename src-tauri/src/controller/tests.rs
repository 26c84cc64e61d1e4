//! The shell's rules, driven by events, with a desktop and a house that only write down
//! what was asked of them.

use super::*;
use crate::failure::Button;
use crate::tray::icon::Icon;
use crate::tray::menu::Row;
use async_trait::async_trait;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::sync::{Notify, Semaphore};

const ADDRESS: ([u8; 4], u16) = ([127, 0, 0, 1], 8096);

/// What happened to the person's screen.
#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Shown(Screen),
    Raised,
    Hidden,
    Minimised,
    Tray(Tray),
    Notified(String),
    Copied(String),
    Announced(String),
    Exited(i32),
}

#[derive(Default)]
struct FakeDesktop {
    seen: Mutex<Vec<Seen>>,
    changed: Notify,
    tray_host: AtomicBool,
    pickers: Mutex<Vec<oneshot::Sender<Option<PathBuf>>>>,
    autostart: AtomicBool,
}

impl FakeDesktop {
    fn note(&self, seen: Seen) {
        self.seen.lock().unwrap().push(seen);
        self.changed.notify_waiters();
    }

    /// Waits until something seen satisfies `wanted` and returns it.
    async fn until<T>(&self, wanted: impl Fn(&Seen) -> Option<T>) -> T {
        let found = async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if let Some(found) = self.seen.lock().unwrap().iter().find_map(&wanted) {
                    return found;
                }
                changed.await;
            }
        };
        match timeout(Duration::from_secs(10), found).await {
            Ok(found) => found,
            Err(_) => panic!("not seen; seen: {:#?}", self.seen.lock().unwrap()),
        }
    }

    async fn saw(&self, wanted: Seen) {
        self.until(|seen| (*seen == wanted).then_some(())).await;
    }

    async fn failure(&self) -> FailureView {
        self.until(|seen| match seen {
            Seen::Shown(Screen::Failure(view)) => Some(view.clone()),
            _ => None,
        })
        .await
    }

    /// The label of the pause button, once the tray shows it.
    async fn saw_pause_label(&self, label: &str) {
        self.until(|seen| match seen {
            Seen::Tray(tray) => tray.menu.0.iter().find_map(|row| match row {
                Row::Button { action: Action::TogglePause, text, enabled: true } if text == label => Some(()),
                _ => None,
            }),
            _ => None,
        })
        .await;
    }

    fn never_saw(&self, unwanted: &Seen) {
        assert!(!self.seen.lock().unwrap().contains(unwanted), "{unwanted:?}");
    }

    fn forget(&self) {
        self.seen.lock().unwrap().clear();
    }
}

#[async_trait]
impl Desktop for FakeDesktop {
    fn show(&self, screen: &Screen) {
        self.note(Seen::Shown(screen.clone()));
    }
    fn raise(&self) {
        self.note(Seen::Raised);
    }
    fn hide(&self) {
        self.note(Seen::Hidden);
    }
    fn minimise(&self) {
        self.note(Seen::Minimised);
    }
    async fn tray_host(&self) -> bool {
        self.tray_host.load(Ordering::SeqCst)
    }
    fn set_tray(&self, tray: &Tray) {
        self.note(Seen::Tray(tray.clone()));
    }
    fn notify(&self, _title: &str, body: &str) {
        self.note(Seen::Notified(body.to_owned()));
    }
    fn pick_folder(&self) -> oneshot::Receiver<Option<PathBuf>> {
        let (sender, receiver) = oneshot::channel();
        self.pickers.lock().unwrap().push(sender);
        receiver
    }
    fn copy_text(&self, text: String) {
        self.note(Seen::Copied(text));
    }
    fn autostart(&self) -> Result<bool, String> {
        Ok(self.autostart.load(Ordering::SeqCst))
    }
    fn set_autostart(&self, enabled: bool) -> Result<(), String> {
        self.autostart.store(enabled, Ordering::SeqCst);
        Ok(())
    }
    fn exit(&self, code: i32) {
        self.note(Seen::Exited(code));
    }
}

struct FakeHouse {
    status: watch::Sender<Status>,
    ticket: Option<String>,
    setup_code: Option<String>,
    lan_urls: Vec<String>,
    streams_stopped: Notify,
    stops: AtomicUsize,
    /// Stopping takes until somebody gives a permit.
    may_stop: Semaphore,
    failed: bool,
}

fn house() -> FakeHouse {
    FakeHouse {
        status: watch::Sender::new(crate::tray::menu::tests::status()),
        ticket: Some("one-time".to_owned()),
        setup_code: None,
        lan_urls: vec!["http://192.168.1.5:8096".to_owned(), "http://10.0.0.2:8096".to_owned()],
        streams_stopped: Notify::new(),
        stops: AtomicUsize::new(0),
        may_stop: Semaphore::new(1),
        failed: false,
    }
}

/// The controller holds the fake through this, so that a test may end the status alone.
struct Lent(Arc<FakeHouse>);

#[async_trait]
impl House for Lent {
    fn address(&self) -> SocketAddr {
        ADDRESS.into()
    }
    fn lan_urls(&self) -> Vec<String> {
        self.0.lan_urls.clone()
    }
    fn status(&self) -> watch::Receiver<Status> {
        self.0.status.subscribe()
    }
    fn setup_code(&self) -> Option<String> {
        self.0.setup_code.clone()
    }
    async fn desktop_ticket(&self) -> Option<String> {
        self.0.ticket.clone()
    }
    fn pause_jobs(&self, paused: bool) {
        self.0.status.send_modify(|status| status.jobs_paused = paused);
    }
    async fn stop_all_streams(&self) {
        self.0.streams_stopped.notify_one();
    }
    async fn stop(&self) -> bool {
        self.0.may_stop.acquire().await.unwrap().forget();
        self.0.stops.fetch_add(1, Ordering::SeqCst);
        !self.0.failed
    }
    fn attached(&self) -> bool {
        false
    }
}

/// Gives out prepared outcomes in order; waits for one when there is none yet.
struct FakeStarter {
    outcomes: tokio::sync::Mutex<mpsc::UnboundedReceiver<Result<Arc<dyn House>, StartFailure>>>,
    asked: Mutex<Vec<StartWish>>,
}

#[async_trait]
impl Starter for FakeStarter {
    async fn start(&self, wish: StartWish) -> Result<Arc<dyn House>, StartFailure> {
        self.asked.lock().unwrap().push(wish);
        self.outcomes.lock().await.recv().await.expect("the test prepared an outcome")
    }
    fn next_free(&self, taken: SocketAddr) -> Option<u16> {
        Some(taken.port() + 1)
    }
}

struct Shell {
    desktop: Arc<FakeDesktop>,
    starter: Arc<FakeStarter>,
    outcomes: mpsc::UnboundedSender<Result<Arc<dyn House>, StartFailure>>,
    events: Events,
}

impl Shell {
    fn launch() -> Self {
        Self::launch_with(STOP_PATIENCE)
    }

    fn launch_with(stop_patience: Duration) -> Self {
        let desktop = Arc::new(FakeDesktop::default());
        desktop.tray_host.store(true, Ordering::SeqCst);
        let (outcomes, receiver) = mpsc::unbounded_channel();
        let starter =
            Arc::new(FakeStarter { outcomes: tokio::sync::Mutex::new(receiver), asked: Mutex::new(Vec::new()) });
        let (events, inbox) = Events::channel();
        let announce = {
            let desktop = desktop.clone();
            Box::new(move |line: &str| desktop.note(Seen::Announced(line.to_owned())))
        };
        let mut controller = Controller::new(desktop.clone(), starter.clone(), (events.clone(), inbox), announce, true);
        controller.stop_patience = stop_patience;
        tokio::spawn(controller.run());
        Self { desktop, starter, outcomes, events }
    }

    async fn open(house: FakeHouse) -> (Self, Arc<FakeHouse>) {
        let shell = Self::launch();
        let house = Arc::new(house);
        shell.comes_up(Ok(Arc::new(Lent(house.clone()))));
        shell.desktop.until(|seen| matches!(seen, Seen::Shown(Screen::House { .. })).then_some(())).await;
        (shell, house)
    }

    fn comes_up(&self, outcome: Result<Arc<dyn House>, StartFailure>) {
        assert!(self.outcomes.send(outcome).is_ok());
    }
}

fn screen(hand_over: HandOver) -> Seen {
    Seen::Shown(Screen::House { address: ADDRESS.into(), hand_over })
}

#[tokio::test]
async fn the_window_is_signed_in_with_a_ticket() {
    let (shell, _house) = Shell::open(house()).await;
    shell.desktop.saw(screen(HandOver::Ticket("one-time".to_owned()))).await;
}

#[tokio::test]
async fn an_unclaimed_house_hands_over_the_setup_code() {
    let unclaimed = FakeHouse { setup_code: Some("K7QP".to_owned()), ticket: None, ..house() };
    let (shell, _house) = Shell::open(unclaimed).await;
    shell.desktop.saw(screen(HandOver::SetupCode("K7QP".to_owned()))).await;
    shell.desktop.saw(Seen::Announced("listening on http://127.0.0.1:8096".to_owned())).await;
    shell.desktop.saw(Seen::Announced("setup code: K7QP".to_owned())).await;
}

#[tokio::test]
async fn without_a_ticket_the_owner_signs_in() {
    let (shell, _house) = Shell::open(FakeHouse { ticket: None, ..house() }).await;
    shell.desktop.saw(screen(HandOver::Nothing)).await;
}

#[tokio::test]
async fn closing_hides_to_the_tray_and_a_second_launch_brings_it_back() {
    let (shell, house) = Shell::open(house()).await;
    shell.events.send(Event::CloseRequested);
    shell.desktop.saw(Seen::Hidden).await;
    shell.events.send(Event::SecondLaunch);
    shell.desktop.saw(Seen::Raised).await;
    shell.desktop.never_saw(&Seen::Minimised);
    assert_eq!(house.stops.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn without_a_tray_host_closing_minimises() {
    let (shell, _house) = Shell::open(house()).await;
    shell.desktop.tray_host.store(false, Ordering::SeqCst);
    shell.events.send(Event::CloseRequested);
    shell.desktop.saw(Seen::Minimised).await;
    shell.desktop.never_saw(&Seen::Hidden);
}

#[tokio::test]
async fn pausing_is_seen_in_the_tray_and_undone_there() {
    let (shell, house) = Shell::open(house()).await;
    shell.desktop.saw_pause_label("Pause scanning").await;
    shell.events.send(Event::Menu(Action::TogglePause));
    shell.desktop.saw_pause_label("Resume scanning").await;
    assert!(house.status.borrow().jobs_paused);
    shell.desktop.until(|seen| matches!(seen, Seen::Tray(tray) if tray.icon == Icon::Paused).then_some(())).await;
    shell.desktop.forget();
    shell.events.send(Event::Menu(Action::TogglePause));
    shell.desktop.saw_pause_label("Pause scanning").await;
    assert!(!house.status.borrow().jobs_paused);
}

#[tokio::test]
async fn streams_are_stopped_and_the_address_copied_on_request() {
    let (shell, house) = Shell::open(house()).await;
    shell.events.send(Event::Menu(Action::StopStreams));
    house.streams_stopped.notified().await;
    shell.events.send(Event::Menu(Action::CopyAddress));
    shell.desktop.saw(Seen::Copied("http://192.168.1.5:8096".to_owned())).await;
}

#[tokio::test]
async fn quitting_drains_before_it_exits() {
    let (shell, house) = Shell::open(FakeHouse { may_stop: Semaphore::new(0), ..house() }).await;
    shell.events.send(Event::Menu(Action::Quit));
    shell.desktop.saw(Seen::Hidden).await;
    shell.desktop.never_saw(&Seen::Exited(0));
    house.may_stop.add_permits(1);
    shell.desktop.saw(Seen::Exited(0)).await;
    assert_eq!(house.stops.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_server_that_will_not_stop_does_not_hold_the_desktop() {
    let shell = Shell::launch_with(Duration::from_millis(50));
    let house = Arc::new(FakeHouse { may_stop: Semaphore::new(0), ..house() });
    shell.comes_up(Ok(Arc::new(Lent(house.clone()))));
    shell.events.send(Event::Terminate);
    shell.desktop.saw(Seen::Exited(1)).await;
    assert_eq!(house.stops.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_part_that_died_shows_in_the_exit_code() {
    let (shell, _house) = Shell::open(FakeHouse { failed: true, ..house() }).await;
    shell.events.send(Event::Terminate);
    shell.desktop.saw(Seen::Exited(1)).await;
}

#[tokio::test]
async fn quitting_while_starting_stops_what_comes_up() {
    let shell = Shell::launch();
    shell.events.send(Event::Terminate);
    shell.desktop.saw(Seen::Hidden).await;
    let house = Arc::new(house());
    shell.comes_up(Ok(Arc::new(Lent(house.clone()))));
    shell.desktop.saw(Seen::Exited(0)).await;
    assert_eq!(house.stops.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_taken_port_is_explained_and_the_next_one_used() {
    let shell = Shell::launch();
    let holder = Some("nginx (process 4711)".to_owned());
    shell.comes_up(Err(StartFailure::AddressInUse { address: ADDRESS.into(), holder }));
    let view = shell.desktop.failure().await;
    let link = "loge-action:use-port/8097".to_owned();
    assert!(view.buttons.contains(&Button { label: "Use port 8097".to_owned(), link }));
    shell.desktop.saw(Seen::Raised).await;

    shell.events.send(Event::Page(PageAction::UsePort(8097)));
    shell.desktop.saw(Seen::Shown(Screen::Starting)).await;
    shell.comes_up(Ok(Arc::new(Lent(Arc::new(house())))));
    shell.desktop.saw(screen(HandOver::Ticket("one-time".to_owned()))).await;
    let other_port = StartWish { port: Some(8097), anew: false };
    assert_eq!(*shell.starter.asked.lock().unwrap(), [StartWish::default(), other_port]);
}

#[tokio::test]
async fn a_new_server_begins_only_when_the_person_says_so() {
    let shell = Shell::launch();
    shell.comes_up(Err(StartFailure::Gone { sentence: "The database is empty.".to_owned(), help: Vec::new() }));
    shell.desktop.failure().await;
    shell.events.send(Event::Page(PageAction::StartAnew));
    shell.comes_up(Ok(Arc::new(Lent(Arc::new(house())))));
    shell.desktop.saw(screen(HandOver::Ticket("one-time".to_owned()))).await;
    let anew: Vec<bool> = shell.starter.asked.lock().unwrap().iter().map(|wish| wish.anew).collect();
    assert_eq!(anew, [false, true]);
}

#[tokio::test]
async fn closing_a_failed_start_quits() {
    let shell = Shell::launch();
    shell.comes_up(Err(StartFailure::Refused { sentence: "The disk is read-only.".to_owned(), help: Vec::new() }));
    assert_eq!(shell.desktop.failure().await.sentence, "The disk is read-only.");
    shell.events.send(Event::CloseRequested);
    shell.desktop.saw(Seen::Exited(0)).await;
}

#[tokio::test]
async fn page_buttons_do_nothing_in_an_open_house() {
    let (shell, _house) = Shell::open(house()).await;
    shell.events.send(Event::Page(PageAction::Quit));
    shell.events.send(Event::Page(PageAction::Retry));
    shell.events.send(Event::SecondLaunch);
    shell.desktop.saw(Seen::Raised).await;
    shell.desktop.never_saw(&Seen::Exited(0));
    assert_eq!(shell.starter.asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_server_that_dies_is_noticed() {
    let shell = Shell::launch();
    let (sender, receiver) = watch::channel(crate::tray::menu::tests::status());
    shell.comes_up(Ok(Arc::new(Dying(receiver))));
    shell.desktop.saw(screen(HandOver::Nothing)).await;
    drop(sender);
    assert_eq!(shell.desktop.failure().await, FailureView::stopped());
}

#[tokio::test]
async fn trouble_is_announced_once_and_only_to_who_does_not_look() {
    let (shell, house) = Shell::open(house()).await;
    let trouble = |sentence: &str| {
        house.status.send_modify(|status| {
            status.level = Level::Trouble;
            status.sentence = sentence.to_owned();
        });
    };
    trouble("Seen in the window.");
    shell.desktop.until(|seen| matches!(seen, Seen::Tray(tray) if tray.icon == Icon::Trouble).then_some(())).await;
    house.status.send_modify(|status| status.level = Level::Good);
    shell.events.send(Event::CloseRequested);
    shell.desktop.saw(Seen::Hidden).await;
    shell.desktop.forget();
    trouble("The disk Films is full.");
    shell.desktop.saw(Seen::Notified("The disk Films is full.".to_owned())).await;
    house.status.send_modify(|status| status.viewers = 1);
    shell.events.send(Event::SecondLaunch);
    shell.desktop.saw(Seen::Raised).await;
    let notices = shell.desktop.seen.lock().unwrap().iter().filter(|seen| matches!(seen, Seen::Notified(_))).count();
    assert_eq!(notices, 1);
}

#[tokio::test]
async fn one_folder_window_at_a_time_and_every_asker_is_answered() {
    let (shell, _house) = Shell::open(house()).await;
    let pick = || {
        let (reply, answer) = oneshot::channel();
        shell.events.send(Event::PickFolder(reply));
        answer
    };
    let first = pick();
    let second = pick();
    assert!(second.await.unwrap().is_err());
    let answer_dialog = |path: Option<&str>| {
        let dialog = shell.desktop.pickers.lock().unwrap().pop().expect("a dialog is open");
        dialog.send(path.map(PathBuf::from)).unwrap();
    };
    answer_dialog(Some("/srv/films"));
    assert_eq!(first.await.unwrap(), Ok(Some("/srv/films".to_owned())));
    let third = pick();
    let (reply, autostart) = oneshot::channel();
    shell.events.send(Event::GetAutostart(reply));
    assert_eq!(autostart.await.unwrap(), Ok(false));
    answer_dialog(None);
    assert_eq!(third.await.unwrap(), Ok(None));
}

#[tokio::test]
async fn a_folder_whose_name_is_no_text_is_refused_in_words() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let (shell, _house) = Shell::open(house()).await;
    let (reply, answer) = oneshot::channel();
    shell.events.send(Event::PickFolder(reply));
    let (reply, autostart) = oneshot::channel();
    shell.events.send(Event::SetAutostart { enabled: true, reply });
    assert_eq!(autostart.await.unwrap(), Ok(()));
    let dialog = shell.desktop.pickers.lock().unwrap().pop().expect("a dialog is open");
    dialog.send(Some(PathBuf::from(OsStr::from_bytes(b"/srv/\xff")))).unwrap();
    assert!(answer.await.unwrap().unwrap_err().contains("not valid text"));
}

/// A house whose status ends when the test says so.
struct Dying(watch::Receiver<Status>);

#[async_trait]
impl House for Dying {
    fn address(&self) -> SocketAddr {
        ADDRESS.into()
    }
    fn lan_urls(&self) -> Vec<String> {
        Vec::new()
    }
    fn status(&self) -> watch::Receiver<Status> {
        self.0.clone()
    }
    fn setup_code(&self) -> Option<String> {
        None
    }
    async fn desktop_ticket(&self) -> Option<String> {
        None
    }
    fn pause_jobs(&self, _paused: bool) {}
    async fn stop_all_streams(&self) {}
    async fn stop(&self) -> bool {
        true
    }
    fn attached(&self) -> bool {
        false
    }
}
