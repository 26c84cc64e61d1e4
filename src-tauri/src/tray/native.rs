//! Shows a [`Tray`] through the appindicator library: the icon travels as a PNG file in a
//! private folder, the menu is exported over D-Bus and updated in place.
//!
//! The tray icon counts its owners without atomics and touches GTK when it is dropped, and
//! Tauri still lets it cross threads. So it is made, changed and dropped on the main thread
//! only; every method here hands its work over and returns at once.

use crate::controller::{Event, Events};
use crate::integration::Tray;
use crate::tray::icon::Icon;
use crate::tray::menu::{self, Action, Row, View};
use std::os::unix::fs::DirBuilderExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tauri::image::Image;
use tauri::menu::{IsMenuItem, Menu, MenuItem, PredefinedMenuItem};
use tauri::tray::{TrayIcon, TrayIconBuilder};
use tauri::{AppHandle, Wry};

#[derive(Clone)]
pub struct TrayHandle {
    /// `None` where the appindicator library is missing: everything is in the window too.
    /// Locked on the main thread only.
    shown: Arc<Mutex<Option<Shown>>>,
}

struct Shown {
    app: AppHandle,
    icon: TrayIcon<Wry>,
    picture: Icon,
    /// As it is shown.
    menu: menu::Menu,
    /// One per row of the menu; separators have nothing to update.
    rows: Items,
    folder: PathBuf,
}

impl TrayHandle {
    /// Call on the main thread.
    pub fn new(app: &AppHandle, events: Events) -> Self {
        // The binding panics when the shared library is not installed, and a missing tray
        // is no reason to have no window.
        let built = catch_unwind(AssertUnwindSafe(|| Shown::new(app, events)));
        let shown = match built {
            Ok(Ok(shown)) => Some(shown),
            Ok(Err(error)) => {
                tracing::warn!(%error, "no tray icon");
                None
            }
            Err(_) => {
                tracing::warn!("no tray icon: libayatana-appindicator3-1 is not installed");
                None
            }
        };
        Self { shown: Arc::new(Mutex::new(shown)) }
    }

    pub fn set(&self, app: &AppHandle, tray: &Tray) {
        let (this, tray) = (self.clone(), tray.clone());
        let handed_over = app.run_on_main_thread(move || {
            let mut shown = this.shown.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(shown) = shown.as_mut()
                && let Err(error) = shown.set(&tray)
            {
                tracing::warn!(%error, "the tray could not be updated");
            }
        });
        if let Err(error) = handed_over {
            tracing::debug!(%error, "the tray is gone already");
        }
    }

    /// Takes the icon away and leaves no file behind. Call on the main thread.
    pub fn remove(&self, app: &AppHandle) {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(shown) = shown {
            let folder = shown.folder.clone();
            drop(app.remove_tray_by_id(shown.icon.id()));
            drop(shown);
            if let Err(error) = std::fs::remove_dir_all(&folder) {
                tracing::debug!(%error, "the tray's icon folder stays");
            }
        }
    }
}

impl Shown {
    fn new(app: &AppHandle, events: Events) -> Result<Self, ShowTrayError> {
        let folder = private_folder()?;
        let shown = menu::menu(&View::Starting);
        let (menu, rows) = build(app, &shown)?;
        let icon = TrayIconBuilder::with_id("loge")
            .icon(Image::from_bytes(Icon::Paused.png())?)
            .temp_dir_path(&folder)
            .menu(&menu)
            .tooltip("Loge")
            .on_menu_event(move |_app, event| {
                if let Some(action) = Action::from_id(event.id().as_ref()) {
                    events.send(Event::Menu(action));
                }
            })
            .build(app)?;
        Ok(Self { app: app.clone(), icon, picture: Icon::Paused, menu: shown, rows, folder })
    }

    fn set(&mut self, tray: &Tray) -> tauri::Result<()> {
        if self.picture != tray.icon {
            self.icon.set_icon(Some(Image::from_bytes(tray.icon.png())?))?;
            self.picture = tray.icon;
        }
        // Other rows are another menu; an open one closes then, once, when a server is found.
        if !tray.menu.has_rows_of(&self.menu) {
            let (menu, rows) = build(&self.app, &tray.menu)?;
            self.icon.set_menu(Some(menu))?;
            (self.rows, self.menu) = (rows, tray.menu.clone());
        }
        for (index, (row, item)) in tray.menu.0.iter().zip(&self.rows).enumerate() {
            let before = self.menu.0.get(index);
            let Some(item) = item.as_ref().filter(|_| before != Some(row)) else { continue };
            match row {
                Row::Separator => {}
                Row::Line(text) => item.set_text(text)?,
                Row::Button { text, enabled, .. } => {
                    item.set_text(text)?;
                    item.set_enabled(*enabled)?;
                }
            }
        }
        self.menu = tray.menu.clone();
        Ok(())
    }
}

/// One item per row; separators have nothing to update.
type Items = Vec<Option<MenuItem<Wry>>>;

fn build(app: &AppHandle, menu: &menu::Menu) -> tauri::Result<(Menu<Wry>, Items)> {
    let mut items: Vec<Box<dyn IsMenuItem<Wry>>> = Vec::new();
    let mut rows = Vec::new();
    for row in &menu.0 {
        let item = match row {
            Row::Separator => {
                items.push(Box::new(PredefinedMenuItem::separator(app)?));
                rows.push(None);
                continue;
            }
            Row::Line(text) => MenuItem::with_id(app, "line", text, false, None::<&str>)?,
            Row::Button { action, text, enabled } => MenuItem::with_id(app, action.id(), text, *enabled, None::<&str>)?,
        };
        items.push(Box::new(item.clone()));
        rows.push(Some(item));
    }
    let items: Vec<&dyn IsMenuItem<Wry>> = items.iter().map(AsRef::as_ref).collect();
    Ok((Menu::with_items(app, &items)?, rows))
}

#[derive(Debug, thiserror::Error)]
enum ShowTrayError {
    #[error("the folder for the icon could not be made: {0}")]
    Folder(#[from] std::io::Error),
    #[error(transparent)]
    Tauri(#[from] tauri::Error),
}

/// A folder only this user can read, one per process, below the session's own run folder.
fn private_folder() -> std::io::Result<PathBuf> {
    let parent = std::env::var_os("XDG_RUNTIME_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = parent.join(format!("loge-tray-{}", std::process::id()));
    match std::fs::DirBuilder::new().mode(0o700).create(&folder) {
        // Left by a crashed process that had the same number.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            std::fs::remove_dir_all(&folder)?;
            std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
        }
        other => other?,
    }
    Ok(folder)
}
