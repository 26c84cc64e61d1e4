//! What long-running rooms need: clock and chance as arguments, the two-step stop, the event
//! bus, telemetry, the directories, and looking at disks that may hang.
//!
//! Never here: HTTP, SQL, containers, the desktop, or anything one would call a utility.

pub mod bus;
pub mod clock;
pub mod dirs;
pub mod disks;
pub mod lifecycle;
pub mod mounts;
pub mod process;
pub mod telemetry;

pub use bus::{Bus, Event, Stamped};
pub use clock::{Clock, FakeClock, SystemClock, UnixMs};
pub use dirs::Dirs;
pub use disks::{Disks, LookError, Pulse, disks};
pub use lifecycle::Lifecycle;
