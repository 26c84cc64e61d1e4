//! The device a person signs in on.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// 32 random bytes that a page keeps in the storage of its own origin, where no other port of the
/// host can read them.
pub type DeviceSecret = [u8; 32];

/// What a device is called, and the secret it is known by. A client that keeps none is known by
/// its refresh token alone.
#[derive(Clone, Default)]
pub struct Device {
    pub name: Option<String>,
    pub secret: Option<DeviceSecret>,
}

impl Device {
    /// Returns a device of that name without a secret.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), secret: None }
    }
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Device").field("name", &self.name).field("secret", &self.secret.is_some()).finish()
    }
}

/// Returns the secret as a page writes it; `None` for anything else.
pub fn read_device_secret(text: &str) -> Option<DeviceSecret> {
    if text.len() > 64 {
        return None;
    }
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}
