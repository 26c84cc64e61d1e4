//! The tray icon: `menu` and `icon` decide what it shows (pure), `native` shows it.

pub mod icon;
pub mod menu;
pub mod native;
