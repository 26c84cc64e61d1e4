//! Two questions to the session bus. A machine without one gets the quiet answer.

use std::collections::HashMap;
use std::time::Duration;
use tokio::time::timeout;
use zbus::zvariant::Value;
use zbus::{Connection, fdo::DBusProxy};

const PATIENCE: Duration = Duration::from_secs(1);

/// Tray icons on Linux are shown by whoever owns this name; without an owner the icon
/// exists but nobody can see it.
pub async fn tray_host() -> bool {
    let ask = async {
        let connection = Connection::session().await?;
        let bus = DBusProxy::new(&connection).await?;
        Ok::<_, zbus::Error>(bus.name_has_owner("org.kde.StatusNotifierWatcher".try_into()?).await?)
    };
    match timeout(PATIENCE, ask).await {
        Ok(Ok(present)) => present,
        Ok(Err(error)) => {
            tracing::debug!(%error, "no session bus, so no tray host");
            false
        }
        Err(_) => false,
    }
}

pub async fn notify(title: String, body: String) {
    let send = async {
        let connection = Connection::session().await?;
        let hints: HashMap<&str, Value<'_>> = HashMap::new();
        let no_actions: &[&str] = &[];
        connection
            .call_method(
                Some("org.freedesktop.Notifications"),
                "/org/freedesktop/Notifications",
                Some("org.freedesktop.Notifications"),
                "Notify",
                &("Loge", 0u32, "loge", title.as_str(), body.as_str(), no_actions, hints, -1i32),
            )
            .await
    };
    match timeout(PATIENCE, send).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::debug!(%error, "the notification was not shown"),
        Err(_) => tracing::debug!("the notification service did not answer"),
    }
}
