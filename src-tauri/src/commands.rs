//! The four native chores a page may ask for. Each checks its argument, sends one request
//! to the controller and awaits the reply; the capability decides who may call at all.

use crate::controller::{Event, Events};
use tauri::State;
use tokio::sync::oneshot;

/// Far more than any address or invitation needs.
const MAX_COPY_BYTES: usize = 4096;

const QUITTING: &str = "Loge is quitting.";

#[tauri::command]
pub async fn pick_folder(events: State<'_, Events>) -> Result<Option<String>, String> {
    ask(&events, Event::PickFolder).await?
}

#[tauri::command]
pub async fn copy_text(events: State<'_, Events>, text: String) -> Result<(), String> {
    if text.len() > MAX_COPY_BYTES {
        return Err(format!("This text is too long to copy: {} of at most {MAX_COPY_BYTES} bytes.", text.len()));
    }
    if text.contains('\0') {
        return Err("This text holds a character that cannot be copied.".to_owned());
    }
    events.send(Event::CopyText(text));
    Ok(())
}

#[tauri::command]
pub async fn get_autostart(events: State<'_, Events>) -> Result<bool, String> {
    ask(&events, Event::GetAutostart).await?
}

#[tauri::command]
pub async fn set_autostart(events: State<'_, Events>, enabled: bool) -> Result<(), String> {
    ask(&events, |reply| Event::SetAutostart { enabled, reply }).await?
}

async fn ask<T>(events: &Events, request: impl FnOnce(oneshot::Sender<T>) -> Event) -> Result<T, String> {
    let (reply, answer) = oneshot::channel();
    events.send(request(reply));
    answer.await.map_err(|_| QUITTING.to_owned())
}
