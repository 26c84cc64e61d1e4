//! The real desktop: one Tauri window, the tray, dialogs, the clipboard.

use super::{Desktop, Screen, Tray, language, session_bus};
use crate::capability;
use crate::controller::{Event, Events};
use crate::navigation::{self, Scope, Verdict};
use crate::tray::native::TrayHandle;
use async_trait::async_trait;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tauri::webview::NewWindowResponse;
use tauri::window::Color;
use tauri::{AppHandle, Manager as _, Theme, Url, WebviewUrl, WebviewWindow, WebviewWindowBuilder, WindowEvent};
use tauri_plugin_autostart::ManagerExt as _;
use tauri_plugin_dialog::DialogExt as _;
use tokio::sync::oneshot;
use webkit2gtk::{WebContextExt as _, WebViewExt as _};

const WINDOW: &str = "main";
/// The two inks of the UI, so that nothing flashes before the first page paints.
const DARK_INK: Color = Color(18, 12, 10, 255);
const LIGHT_INK: Color = Color(252, 250, 246, 255);

pub struct NativeDesktop {
    app: AppHandle,
    window: WebviewWindow,
    tray: TrayHandle,
    scope: Arc<Mutex<Scope>>,
}

impl NativeDesktop {
    /// Opens the window with the start page. Call on the main thread.
    pub fn open(app: &AppHandle, events: Events, hidden: bool) -> tauri::Result<Self> {
        let scope = Arc::new(Mutex::new(Scope::Boot));
        let window = {
            let (scope, events) = (scope.clone(), events.clone());
            WebviewWindowBuilder::new(app, WINDOW, WebviewUrl::App("index.html".into()))
                .title("Loge")
                .inner_size(1440.0, 900.0)
                .min_inner_size(360.0, 480.0)
                .background_color(DARK_INK)
                .visible(!hidden)
                .on_navigation(move |url| may_go(url, &scope, &events))
                .on_new_window(|url, _features| {
                    tracing::info!(origin = %origin_of(&url), "a page asked for a second window: refused");
                    NewWindowResponse::Deny
                })
                .build()?
        };
        if let Some(language) = language::instead_of(|name| std::env::var(name).ok()) {
            window.with_webview(move |view| {
                if let Some(context) = view.inner().context() {
                    context.set_preferred_languages(&[language]);
                }
            })?;
        }
        if window.theme()? == Theme::Light {
            window.set_background_color(Some(LIGHT_INK))?;
        }
        {
            let events = events.clone();
            window.on_window_event(move |event| {
                if let WindowEvent::CloseRequested { api, .. } = event {
                    api.prevent_close();
                    events.send(Event::CloseRequested);
                }
            });
        }
        let tray = TrayHandle::new(app, events);
        Ok(Self { app: app.clone(), window, tray, scope })
    }
}

fn may_go(url: &Url, scope: &Mutex<Scope>, events: &Events) -> bool {
    let scope = *scope.lock().unwrap_or_else(PoisonError::into_inner);
    match navigation::verdict(url, scope) {
        Verdict::Allow => true,
        Verdict::Act(action) => {
            events.send(Event::Page(action));
            false
        }
        Verdict::Deny => {
            tracing::info!(origin = %origin_of(url), "the page wanted to go elsewhere: refused");
            false
        }
    }
}

/// Paths and fragments may hold tickets, so only the origin is logged.
fn origin_of(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// A window call fails only when the window is already gone, which quitting brings about.
fn expect_window<T>(what: &str, result: tauri::Result<T>) {
    if let Err(error) = result {
        tracing::debug!(%error, "{what}");
    }
}

#[async_trait]
impl Desktop for NativeDesktop {
    fn show(&self, screen: &Screen) {
        *self.scope.lock().unwrap_or_else(PoisonError::into_inner) = screen.scope();
        // A page that came over the network, be it from this machine's own address, gets no
        // native command.
        if let Screen::House { address, .. } = screen
            && address.ip().is_loopback()
            && let Err(error) = self.app.add_capability(capability::for_house(*address))
        {
            tracing::error!(%error, "the page cannot use the folder picker");
        }
        match Url::parse(&screen.url()) {
            Ok(url) => expect_window("navigate", self.window.navigate(url)),
            Err(error) => tracing::error!(%error, "the next page has no valid address"),
        }
    }

    fn raise(&self) {
        expect_window("show", self.window.show());
        expect_window("unminimise", self.window.unminimize());
        expect_window("focus", self.window.set_focus());
    }

    fn hide(&self) {
        expect_window("hide", self.window.hide());
    }

    fn minimise(&self) {
        expect_window("minimise", self.window.minimize());
    }

    async fn tray_host(&self) -> bool {
        session_bus::tray_host().await
    }

    fn set_tray(&self, tray: &Tray) {
        self.tray.set(&self.app, tray);
    }

    fn notify(&self, title: &str, body: &str) {
        tauri::async_runtime::spawn(session_bus::notify(title.to_owned(), body.to_owned()));
    }

    fn pick_folder(&self) -> oneshot::Receiver<Option<PathBuf>> {
        let (reply, answer) = oneshot::channel();
        self.app.dialog().file().set_title("Choose a folder of films").set_parent(&self.window).pick_folder(
            move |picked| {
                // Nobody waits any more when the shell is quitting.
                let _ = reply.send(picked.and_then(|path| path.into_path().ok()));
            },
        );
        answer
    }

    fn copy_text(&self, text: String) {
        let copied = self.app.run_on_main_thread(move || {
            let clipboard = gtk::Clipboard::get(&gtk::gdk::SELECTION_CLIPBOARD);
            clipboard.set_text(&text);
            // Hands the text to the clipboard keeper, if there is one, to outlive this window.
            clipboard.store();
        });
        expect_window("copy", copied);
    }

    fn autostart(&self) -> Result<bool, String> {
        self.app.autolaunch().is_enabled().map_err(|error| error.to_string())
    }

    fn set_autostart(&self, enabled: bool) -> Result<(), String> {
        let autolaunch = self.app.autolaunch();
        if enabled { autolaunch.enable() } else { autolaunch.disable() }.map_err(|error| error.to_string())
    }

    fn exit(&self, code: i32) {
        let (tray, app) = (self.tray.clone(), self.app.clone());
        let handed_over = self.app.run_on_main_thread(move || {
            tray.remove(&app);
            app.exit(code);
        });
        expect_window("exit", handed_over);
    }
}
