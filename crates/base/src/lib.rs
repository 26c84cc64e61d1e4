//! What long-running rooms need: clock and chance as arguments, the two-step stop, the event
//! bus, telemetry, and the directories.
//!
//! Never here: HTTP, SQL, containers, the desktop, or anything one would call a utility.

pub mod bus;
pub mod clock;
pub mod dirs;
pub mod lifecycle;
pub mod process;
pub mod telemetry;

pub use bus::{Bus, Event, Stamped};
pub use clock::{Clock, FakeClock, SystemClock, UnixMs};
pub use dirs::Dirs;
pub use lifecycle::Lifecycle;
