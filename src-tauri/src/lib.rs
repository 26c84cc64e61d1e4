//! The desktop shell: a window, a tray icon, a folder picker. Owns nothing of the product's
//! data and knows nothing of films: it starts the server, shows the server's own pages, and
//! stops the server before it ends. What it can do, the HTTP API can do too, except for the
//! four native chores in `commands`.
//!
//! Never here: SQL, HTTP routes, containers, media. Never a second window.

mod attached;
mod capability;
mod commands;
mod controller;
mod embedded;
mod failure;
mod house;
mod integration;
mod navigation;
mod options;
mod ports;
mod tray;

pub use options::Options;

use controller::{Announce, Controller, Event, Events};
use embedded::EmbeddedStarter;
use integration::native::NativeDesktop;
use std::sync::Arc;
use tauri::{Manager as _, RunEvent};
use tauri_plugin_window_state::StateFlags;
use tokio::signal::unix::{SignalKind, signal};

/// Runs the shell on this thread until the person quits; returns the exit code.
/// `announce` gets the address once the house is open and, while nobody has claimed it, the
/// setup code. A second launch hands over to the first and ends the process inside.
pub fn run(options: Options, runtime: &tokio::runtime::Handle, announce: Announce) -> anyhow::Result<i32> {
    // Asked here, because Tauri panics when the answer is no.
    gtk::init().map_err(|_| anyhow::anyhow!("the screen that DISPLAY or WAYLAND_DISPLAY names does not answer"))?;
    tauri::async_runtime::set(runtime.clone());
    let (events, inbox) = Events::channel();
    let second_launch = events.clone();
    let app = tauri::Builder::default()
        // First, so that a second launch ends before it opens or starts anything.
        .plugin(tauri_plugin_single_instance::init(move |_app, _args, _folder| {
            second_launch.send(Event::SecondLaunch);
        }))
        // Not the visibility: a window closed to the tray must come back at the next start.
        .plugin(
            tauri_plugin_window_state::Builder::new()
                .with_state_flags(StateFlags::SIZE | StateFlags::POSITION | StateFlags::MAXIMIZED)
                .build(),
        )
        .plugin(tauri_plugin_dialog::init())
        .plugin(tauri_plugin_autostart::Builder::new().app_name("loge").arg("--hidden").build())
        .manage(events.clone())
        .invoke_handler(tauri::generate_handler![
            commands::pick_folder,
            commands::copy_text,
            commands::get_autostart,
            commands::set_autostart
        ])
        .setup(move |app| {
            let hidden = options.hidden;
            let desktop = Arc::new(NativeDesktop::open(app.handle(), events.clone(), hidden)?);
            let starter = Arc::new(EmbeddedStarter::new(options));
            tauri::async_runtime::spawn(listen_for_signals(events.clone()));
            tauri::async_runtime::spawn(Controller::new(desktop, starter, (events, inbox), announce, !hidden).run());
            Ok(())
        })
        .build(context())?;
    let code = app.run_return(|app, event| {
        // The window vanished without asking (the session is ending): finish properly.
        if let RunEvent::ExitRequested { code: None, api, .. } = event {
            api.prevent_exit();
            app.state::<Events>().send(Event::Terminate);
        }
    });
    Ok(code)
}

#[expect(clippy::disallowed_methods, reason = "Tauri's own macro ends a process whose configuration is broken")]
fn context() -> tauri::Context {
    tauri::generate_context!()
}

/// The first signal asks the controller to finish; the second does not ask.
#[expect(clippy::disallowed_methods, reason = "whoever asks twice does not want to wait for the drain")]
async fn listen_for_signals(events: Events) {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("signals cannot be received; quit from the tray or the window");
        return;
    };
    for round in 0..2 {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        if round == 0 {
            events.send(Event::Terminate);
        }
    }
    std::process::exit(130);
}
